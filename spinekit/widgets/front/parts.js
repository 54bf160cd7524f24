// What the panels are built of: elements, sliders, the words about the region, undo, the curve, the keys.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((c) => c !== null));
  return made;
}

const NO_WEBGL =
  "This browser has no WebGL: the three-dimensional views stay empty. The slices here need none; seeds and drawing work.";

function hasWebGL() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext(); // a page may hold only a few
  return Boolean(context);
}

const keyed = (...pairs) =>
  element(
    "div",
    { class: "sk-keys", "aria-label": "keyboard and mouse" },
    ...pairs.map(([keys, does]) =>
      element("span", { class: "sk-key" }, ...keys.map((k) => element("kbd", {}, k)), does),
    ),
  );
const block = (title, ...children) =>
  element("section", { class: "sk-block" }, ...(title ? [element("h4", {}, title)] : []), ...children);
const SHORTCUTS = [
  [["↑", "↓", "wheel"], "slice"],
  [["←", "→"], "phase"],
  [["E"], "enhancement"],
  [["right drag"], "window"],
  [["W"], "window for the region"],
  [["Ctrl + wheel"], "zoom"],
  [["1", "…", "0"], "one plane, all"],
  [["H"], "hide the region"],
  [["Z"], "undo"],
  [["Y"], "redo"],
];

// What every panel begins with: the stamp, what went wrong, doubts, the region in words.
function head(bench) {
  const stamp = element("p", { class: "sk-stamp" }),
    failure = element("p", { class: "sk-failure", role: "alert" }),
    webgl = element("p", { class: "sk-note" });
  const headline = element("p", { class: "sk-headline" }),
    detail = element("p", { class: "sk-detail" }),
    doubts = element("ul", { class: "sk-doubts" });
  webgl.hidden = hasWebGL();
  webgl.textContent = NO_WEBGL;
  const show = (said) => {
    stamp.hidden = !said.simulated;
    stamp.textContent = "SIMULATED CASE – no patient";
    failure.hidden = !said.failure;
    failure.textContent = said.failure ?? "";
    headline.textContent = said.headline;
    headline.classList.toggle("sk-nothing", !said.has_region);
    detail.textContent = said.detail;
    doubts.replaceChildren(...said.doubts.map((text) => element("li", {}, text)));
  };
  return { view: element("div", {}, stamp, webgl, block("", headline, detail, failure, doubts)), show };
}

function undoing(bench, more = []) {
  const undo = pressable("↶ Undo", "take back the last change (Z)", () => bench.act("undo")),
    redo = pressable("↷ Redo", "make it again (Y)", () => bench.act("redo"));
  const show = (said) => {
    undo.disabled = !said.can_undo;
    redo.disabled = !said.can_redo;
  };
  return { view: element("div", { class: "sk-row" }, undo, redo, ...more), show };
}

// A slider that tells Python when it is let go, and follows what Python says.
// A late answer to an earlier step does not pull the slider back while it is held or a later step is on its way;
// what comes while it is held is shown when it is let go, unless it was moved.
function slider(label, unit, { min, max, step }, onchange, says = (x) => String(x)) {
  const input = element("input", { type: "range", min, max, step, "aria-label": label }),
    value = element("output", {});
  let asked = 0,
    meanwhile = null;
  const tell = (x) => {
    value.textContent = `${says(Number(x))}${unit}`;
  };
  const show = (x, answers = Infinity) => {
    meanwhile = input.matches(":active") ? [x, answers] : null;
    if (meanwhile || answers < asked) return;
    asked = 0;
    input.value = x;
    tell(x);
  };
  input.addEventListener("input", () => tell(input.value));
  input.addEventListener("change", () => {
    meanwhile = null;
    asked = onchange(Number(input.value)) ?? 0;
  });
  const letGo = () => setTimeout(() => meanwhile && show(...meanwhile));
  for (const event of ["pointerup", "pointercancel"]) input.addEventListener(event, letGo);
  return { view: element("label", { class: "sk-slider" }, element("span", {}, label), input, value), show, input };
}

function curveBlock() {
  return element("div", { class: "sk-curve", "aria-label": "enhancement under the crosshair" });
}
