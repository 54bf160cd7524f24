// The panel beside the panes: what Python says of the state, and the controls that change it.

function lookPanel(bench) {
  const top = head(bench),
    curve = curveBlock();
  return {
    kind: "look",
    curve,
    keys: keyed([["drag"], "crosshair"], ...SHORTCUTS.slice(0, 7)),
    view: top.view,
    show: (said) => top.show(said),
  };
}

function markPanel(bench) {
  const top = head(bench),
    curve = curveBlock(),
    clear = pressable("Clear", "remove every seed and outline", () => bench.act("clear"));
  const undo = undoing(bench, [clear]),
    table = element("table", { class: "sk-seeds" }),
    set = (name) => (value) => bench.act("set", { values: { [name]: value } });
  const none = element(
    "p",
    { class: "sk-detail" },
    "None yet. Press S and click the lesion; B (or Shift) marks tissue that is not lesion.",
  );
  const method = element(
    "select",
    { class: "sk-select", title: "how likeness is measured", onchange: () => set("method")(method.value) },
    ...[
      ["curve", "whole curve"],
      ["confidence", "enhancement, confidence"],
      ["threshold", "enhancement, threshold"],
    ].map(([value, label]) => element("option", { value }, label)),
  );
  const tolerance = slider("Tolerance", "", { min: 0, max: 6, step: 0.05 }, set("tolerance"), (x) =>
    x > 0 ? x.toFixed(2) : "found",
  );
  const cap = slider("Volume cap", " ml", { min: 1, max: 500, step: 1 }, set("max_volume_ml")),
    radius = slider("Radius cap", " mm", { min: 5, max: 150, step: 1 }, set("max_radius_mm"));
  const cut = element("input", { type: "checkbox", onchange: () => set("cut_leaks")(cut.checked) });
  const reader = element("input", {
    type: "text",
    maxlength: 12,
    class: "sk-text sk-initials",
    placeholder: "initials",
    onchange: () => bench.act("sign", { reader: reader.value }),
  });
  const growing = block(
    "Growing",
    element("label", { class: "sk-slider" }, element("span", {}, "Likeness of"), method),
    tolerance.view,
    cap.view,
    radius.view,
    element("label", { class: "sk-check" }, cut, "cut at a thin neck"),
  );
  const route = outlineBlock(bench),
    keys = keyed(
      [["S"], "lesion seed"],
      [["B"], "background seed (or Shift)"],
      [["L"], "look"],
      [["Delete"], "remove the last seed"],
      ...SHORTCUTS,
    );
  const seedRow = (seed, n) =>
    element(
      "tr",
      { onclick: () => bench.goTo(bench.panes[0].picture, bench.seeds[n].p) },
      element(
        "td",
        { class: seed.background ? "sk-back" : "sk-front", title: seed.background ? "background" : "lesion" },
        seed.background ? "×" : "+",
      ),
      element("td", {}, seed.ijk.join(", ")),
      element("td", {}, seed.mm.map((x) => x.toFixed(1)).join(", ")),
      element("td", {}, seed.value),
      element("td", {}, seed.curve),
      element(
        "td",
        {},
        element(
          "button",
          {
            type: "button",
            class: "sk-x",
            title: "remove this seed",
            onclick: (event) => {
              event.stopPropagation();
              bench.act("remove", { ijk: seed.ijk, background: seed.background });
            },
          },
          "✕",
        ),
      ),
    );
  const show = (said) => {
    top.show(said);
    undo.show(said);
    clear.disabled = !said.seeds.length && !said.outline.drawn;
    none.hidden = said.seeds.length > 0;
    table.hidden = !said.seeds.length;
    table.replaceChildren(
      element("tr", {}, ...["", "i, j, k", "L, P, S mm", "peak", "curve", ""].map((t) => element("th", {}, t))),
      ...said.seeds.map(seedRow),
    );
    method.value = said.growing.method;
    for (const [control, name] of [
      [tolerance, "tolerance"],
      [cap, "max_volume_ml"],
      [radius, "max_radius_mm"],
    ])
      control.show(said.growing[name], said.cause);
    cut.checked = said.growing.cut_leaks;
    growing.hidden = said.outline.drawn;
    if (document.activeElement !== reader) reader.value = said.reader;
    route.show(said.outline);
  };
  const view = element(
    "div",
    {},
    top.view,
    undo.view,
    block("Seeds", none, table),
    growing,
    route.view,
    block("Reader", element("label", { class: "sk-check" }, reader, "for the journal")),
  );
  return {
    kind: "mark",
    curve,
    keys,
    view,
    show,
    remove: () => bench.act("remove"), // the last one: Python knows which, this page may lag behind
  };
}

// The study's route: draw on the sagittal T2, see it on the series, step through panels A to G.
function outlineBlock(bench) {
  const expand = element(
    "select",
    {
      class: "sk-select",
      title: "what 'expanded five times' means",
      onchange: () => bench.act("expand", { expand: expand.value }),
    },
    ...[
      ["area", "five times the area"],
      ["linear", "five times the width"],
      ["dilate", "five dilations"],
    ].map(([value, label]) => element("option", { value }, label)),
  );
  const steps = element("div", { class: "sk-steps", role: "group", "aria-label": "panels of the study" }),
    title = element("p", { class: "sk-detail" });
  const how = element(
    "p",
    { class: "sk-detail" },
    "Press C and draw round the lesion on the T2: drag, or click corners and press Enter. Shift cuts out.",
  );
  const view = block(
    "Outline on the T2",
    how,
    element("label", { class: "sk-slider" }, element("span", {}, "Expand"), expand),
    steps,
    title,
  );
  const show = (said) => {
    view.hidden = !said.possible;
    how.hidden = said.drawn;
    expand.value = said.expand;
    steps.replaceChildren(
      ...said.steps.map((step, n) => {
        const button = pressable(step.letter, step.title, () => bench.act("step", { step: n }));
        button.setAttribute("aria-pressed", String(n === said.step));
        return button;
      }),
    );
    title.textContent = said.steps[said.step]?.title ?? "";
  };
  return { view, show };
}

function reviewPanel(bench) {
  const top = head(bench),
    curve = curveBlock(),
    undo = undoing(bench);
  const mm = slider(
      "By",
      " mm",
      { min: 0.5, max: 10, step: 0.5 },
      () => {},
      (x) => x.toFixed(1),
    ),
    brush = slider("Brush radius", " mm", { min: 1, max: 30, step: 1 }, (x) => bench.setBrush(x));
  const operations = element("div", { class: "sk-operations" });
  const reader = element("input", {
    type: "text",
    maxlength: 12,
    class: "sk-text sk-initials",
    placeholder: "initials",
    "aria-label": "initials",
  });
  const reason = element("input", {
    type: "text",
    maxlength: 200,
    class: "sk-text",
    placeholder: "reason (needed to reject)",
    "aria-label": "reason",
  });
  const judge = (name) => () => bench.act(name, { reader: reader.value, reason: reason.value });
  const accept = pressable("✓ Accept", "only an accepted region goes on (Enter)", judge("accept")),
    reject = pressable("✕ Reject", "needs a reason", judge("reject"));
  accept.classList.add("sk-accept");
  reject.classList.add("sk-reject");
  const verdict = element("p", { class: "sk-verdict" }),
    past = element("ol", { class: "sk-past" }),
    history = element("details", { class: "sk-block" }, element("summary", {}, "What was done"), past);
  const keys = keyed(
    [["P"], "paint"],
    [["R"], "erase (or Shift)"],
    [["C"], "outline, filled"],
    [["[", "]"], "brush"],
    [["Enter"], "accept"],
    ...SHORTCUTS,
  );
  let filled = false;
  const show = (said) => {
    top.show(said);
    undo.show(said);
    if (!operations.children.length)
      operations.append(
        ...said.operations.map(({ name, label, in_mm, tip }) =>
          pressable(label, tip, () => bench.act("apply", { operation: name, mm: in_mm ? Number(mm.input.value) : 0 })),
        ),
      );
    if (!filled) {
      [reader.value, reason.value, filled] = [said.reader, said.reason, true];
      mm.show(said.first_mm);
    }
    verdict.textContent = said.verdict.text;
    verdict.dataset.state = said.verdict.state;
    past.replaceChildren(...said.past.map((text) => element("li", {}, text)));
    brush.show(bench.brush_mm);
  };
  const view = element(
    "div",
    {},
    top.view,
    undo.view,
    block("Drawing", brush.view),
    block("Whole region", mm.view, operations),
    block(
      "Verdict",
      verdict,
      element("div", { class: "sk-row" }, reader, reason),
      element("div", { class: "sk-row" }, accept, reject),
    ),
    history,
  );
  return { kind: "review", curve, keys, view, show, enter: judge("accept"), brushed: () => brush.show(bench.brush_mm) };
}

const PANELS = { look: lookPanel, mark: markPanel, review: reviewPanel };
