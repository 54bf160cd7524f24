// The bar above the panes: tools, phase, window, overlay, planes.

function pressable(label, title, onclick) {
  return element("button", { type: "button", class: "sk-button", title, onclick }, label);
}

function toolBar(bench, first) {
  const tools = element("div", { class: "sk-group sk-tools", role: "group", "aria-label": "mouse" }),
    buttons = {};
  const phases = first.groups.filter((g) => g === first.groups[0]).length,
    hasMap = first.n_frames > phases;
  const slider = element("input", {
    type: "range",
    min: 0,
    max: Math.max(0, phases - 1),
    step: 1,
    class: "sk-phase",
    "aria-label": "phase",
    oninput: () => bench.showFrame(Number(slider.value)),
  });
  const name = element("span", { class: "sk-phase-name" });
  const map = pressable("Enhancement", "largest signal after the baseline minus the baseline (E)", () =>
    toggleEnhancement(),
  );
  const overlay = pressable("Region", "show or hide the region (H)", () => toggleOverlay());
  const smooth = pressable("Smooth", "smooth between voxels, or show each voxel (I)", () => toggleSmooth());
  const windows = element(
    "select",
    { class: "sk-select", title: "window; or drag with the right button", onchange: () => window(windows.value) },
    ...[
      ["", "window …"],
      ["auto", "automatic"],
      ["lesion", "for the region (W)"],
      ["full", "whole range"],
    ].map(([value, label]) => element("option", { value }, label)),
  );
  const planes = element(
    "select",
    { class: "sk-select", title: "planes", onchange: () => bench.showAlone(bench.panes[Number(planes.value)] ?? null) },
    element("option", { value: "-1" }, "all planes (0)"),
    ...bench.panes.map((pane, n) => element("option", { value: n }, `${pane.picture.name} ${pane.plane} (${n + 1})`)),
  );
  let phase = first.first_frame;

  const toggleEnhancement = () => {
    if (hasMap) bench.showFrame(bench.frame < phases ? phases : phase);
  };
  const toggleOverlay = () => {
    bench.overlay = !bench.overlay;
    follow();
    bench.invalidate();
  };
  const toggleSmooth = () => {
    bench.smooth = !bench.smooth;
    follow();
    bench.invalidate();
  };

  // Automatic as at the beginning; for the region, or 30 mm round the crosshair; every value there is.
  function window(preset) {
    windows.value = "";
    if (!preset) return;
    for (const pane of new Set(bench.panes.map((p) => p.picture))) {
      const frame = bench.frameOf(pane);
      let [low, high] = pane.first_windows[pane.groups[frame]];
      if (preset === "full") [low, high] = [pane.low, pane.low + 65534 * pane.slope];
      if (preset === "lesion") {
        const flats = [],
          middle = pane.index(bench.cross),
          reach = pane.spacing.map((s) => 15 / s);
        pane.labels.forEach((label, flat) => {
          if (label) flats.push(flat);
        });
        if (!flats.length)
          for (let s = 0; s < pane.size[2]; s++)
            for (let a = 0; a < pane.size[1]; a++)
              for (let r = 0; r < pane.size[0]; r++)
                if ([r, a, s].every((x, n) => Math.abs(x - middle[n]) <= reach[n])) flats.push(pane.flat([r, a, s]));
        const found = pane.frames[frame] ? pane.spread(frame, flats) : null;
        if (found) [low, high] = [Math.min(low, found[0]), low + 2.2 * (found[1] - low)];
      }
      pane.setWindow(frame, low, high);
    }
    bench.invalidate();
  }

  function offer(names) {
    for (const tool of names) {
      const { label, key, tip } = TOOLS[tool];
      buttons[tool] = pressable(label, `${tip} (${key.toUpperCase()})`, () => bench.choose(tool));
      buttons[tool].append(element("kbd", {}, key.toUpperCase()));
      tools.append(buttons[tool]);
    }
  }

  function follow() {
    if (bench.frame < phases) phase = bench.frame;
    slider.value = phase;
    slider.disabled = bench.frame >= phases;
    name.textContent = first.frame_names[bench.frame];
    planes.value = bench.panes.indexOf(bench.alone);
    for (const [button, on] of [
      [map, bench.frame >= phases],
      [overlay, bench.overlay],
      [smooth, bench.smooth],
      ...Object.entries(buttons).map(([t, b]) => [b, bench.tool === t]),
    ])
      button.setAttribute("aria-pressed", String(on));
  }

  const view = element(
    "div",
    { class: "sk-bar" },
    tools,
    element("div", { class: "sk-group sk-time" }, element("span", { class: "sk-label" }, "Phase"), slider, name),
    element("div", { class: "sk-group" }, ...(hasMap ? [map] : []), overlay, smooth),
    element("div", { class: "sk-group" }, windows, planes),
  );
  return { view, offer, follow, toggleEnhancement, toggleOverlay, toggleSmooth, window };
}
