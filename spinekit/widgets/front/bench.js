// The bench: panes side by side, one crosshair in world mm, a bar of tools, a panel, the keyboard.

class Bench {
  constructor(store, host) {
    Object.assign(this, { store, host, panes: [], seeds: [], cross: [0, 0, 0], frame: 0, overlay: true, smooth: true });
    Object.assign(this, {
      tool: "look",
      brush_mm: 4,
      alone: null,
      active: null,
      stroke: null,
      dirty: false,
      waiting: [],
      latencies: [],
    });
    this.safe =
      (call) =>
      (...given) => {
        try {
          return call(...given);
        } catch (reason) {
          this.failed(reason);
        }
      };
    this.root = element("div", {
      class: "sk-bench",
      tabindex: "0",
      "data-lm-suppress-shortcuts": "true",
      "data-jp-suppress-context-menu": "true",
    });
    this.root.bench = this; // for whoever looks at it from outside: tests, the console
    this.root.append(element("p", { class: "sk-empty" }, "Reading the images …"));
    this.root.addEventListener(
      "keydown",
      this.safe((event) => this.pressed(event)),
    );
    this.watch = new ResizeObserver(() => this.invalidate());
    host.append(this.root);
    if (store.pictures.size) this.lay();
  }

  failed(reason) {
    console.error(reason);
    if (this.lastFailure === String(reason)) return; // told already: a failure in drawing comes back at every frame
    this.lastFailure = String(reason);
    this.store.model.send({ type: "failed", text: String(reason) });
  }

  // Send an action to Python and return its number; the time until it is painted is kept in `latencies`.
  act(type, values = {}, buffers = []) {
    this.lastFailure = null;
    const cause = ++this.store.sent;
    this.waiting.push({ cause, type, began: performance.now() });
    this.store.model.send({ type, cause, ...values }, undefined, buffers);
    return cause;
  }

  sendStroke(stroke) {
    if (!stroke.flats.size) {
      if (this.store.missed) this.store.model.send({ type: "again" });
      this.store.missed = false;
      return;
    }
    const runs = runsOf(stroke.flats),
      none = new Uint32Array(0);
    this.act(
      "stroke",
      { image: stroke.pane.picture.id },
      stroke.adds ? [runs.buffer, none.buffer] : [none.buffer, runs.buffer],
    );
    this.invalidate();
  }

  heard(message) {
    if (message.type === "images") this.lay();
    if (!this.panes.length) return;
    if (message.type === "panel") this.showPanel();
    if (message.type === "curve") this.showCurve();
    if (message.type === "panel" && message.panel.cause)
      this.answered = { cause: message.panel.cause, python_ms: message.panel.python_ms };
    this.invalidate();
  }

  lay() {
    this.root.replaceChildren();
    this.watch.disconnect();
    const pictures = [...this.store.pictures.values()],
      [first] = pictures;
    this.frame = first.first_frame;
    this.cross = first.mm(applied(inverse(first.to_ijk), first.begin_ijk));
    this.panes = pictures.flatMap((picture) => picture.planes.map((plane) => new Pane(this, picture, plane)));
    this.active = this.panes[0];
    this.field = this.arranged(first);
    for (const pane of this.panes) {
      listenToMouse(this, pane);
      pane.wider.addEventListener("click", () => this.showAlone(this.alone === pane ? null : pane));
      this.watch.observe(pane.canvas);
    }
    this.bar = toolBar(this, first);
    this.side = element("div", { class: "sk-side" });
    this.foot = element("div", { class: "sk-foot" });
    this.root.append(
      this.bar.view,
      element("div", { class: "sk-body" }, element("div", {}, this.field, this.foot), this.side),
    );
    this.panel = null;
    if (this.store.panel) this.showPanel();
    if (this.store.curve) this.showCurve();
    this.moved();
    this.invalidate();
  }

  // Two rows, each as high as its pictures need: the slice as acquired and the other image, below the cuts across it.
  arranged(first) {
    const above = this.panes.filter((pane, n) => n === 0 || pane.picture !== first);
    const below = this.panes.filter((pane) => !above.includes(pane));
    const high = (panes, most) => Math.max(0.42, Math.min(most, ...[Math.max(...panes.map((pane) => pane.aspect))]));
    const rows = [high(above, above.length > 1 ? 1.1 : 1.4), ...(below.length ? [high(below, 1.1)] : [])];
    const field = element("div", { class: `sk-field sk-panes-${this.panes.length}` });
    field.append(...[...above, ...below].map((pane) => pane.box));
    field.style.gridTemplateRows = rows.map((row) => `${row}fr`).join(" ");
    field.style.aspectRatio = `2 / ${rows.reduce((sum, row) => sum + row, 0)}`;
    return field;
  }

  showPanel() {
    const said = this.store.panel;
    if (!this.panel || this.panel.kind !== said.kind) {
      this.panel = PANELS[said.kind](this);
      this.side.replaceChildren(this.panel.view);
      this.foot.replaceChildren(this.panel.curve, this.panel.keys);
      this.bar.offer(said.tools);
      this.choose(said.tools.includes(said.first_tool) ? said.first_tool : said.tools[0]);
    }
    const [first] = this.store.pictures.values(),
      back = inverse(first.to_ijk);
    this.seeds = said.marks.map((s) => ({ ...s, image: first.id, p: applied(back, s.ijk) }));
    this.panel.show(said);
  }

  showCurve() {
    if (!this.panel) return;
    this.panel.curve.innerHTML = this.store.curve;
    this.markPhase();
  }

  // A line in the curve at the phase on view.
  markPhase() {
    const svg = this.panel?.curve.querySelector("svg"),
      now = svg?.querySelector(".sk-now");
    if (!now) return;
    const places = svg.dataset.x.split(","),
      seen = this.frame < places.length;
    now.setAttribute("visibility", seen ? "visible" : "hidden");
    if (seen) for (const end of ["x1", "x2"]) now.setAttribute(end, places[this.frame]);
  }

  frameOf(picture) {
    return Math.min(this.frame, picture.n_frames - 1);
  }

  showFrame(frame) {
    const [first] = this.store.pictures.values();
    this.frame = Math.max(0, Math.min(first.n_frames - 1, frame));
    this.bar.follow();
    this.markPhase();
    this.invalidate();
  }

  showAlone(pane) {
    this.alone = pane;
    this.field.classList.toggle("sk-one", Boolean(pane));
    for (const each of this.panes) each.box.hidden = Boolean(pane) && each !== pane;
    this.bar.follow();
    this.invalidate();
  }

  choose(tool) {
    this.tool = tool;
    for (const pane of this.panes) {
      pane.path = null;
      pane.canvas.dataset.tool = tool;
    }
    this.bar.follow();
    this.invalidate();
  }

  moveTo(pane, place) {
    const p = pane.indexAt(place, false),
      { n } = PLANES[pane.plane];
    p[n] = pane.at().p[n];
    this.cross = pane.picture.mm(p);
    this.moved();
  }

  goTo(picture, p) {
    this.cross = picture.mm(p);
    this.moved();
  }

  scroll(pane, steps) {
    const { p, slice } = pane.at(),
      { n } = PLANES[pane.plane];
    p[n] = Math.max(0, Math.min(pane.picture.size[n] - 1, slice + steps));
    this.goTo(pane.picture, p);
  }

  // Tell Python where the crosshair is, at most every 40 ms and always where it stopped.
  moved() {
    this.invalidate();
    if (this.telling) {
      this.untold = true;
      return;
    }
    const tell = () => {
      const [first] = this.store.pictures.values(),
        p = first.index(this.cross);
      this.untold = false;
      this.store.model.send({ type: "cross", ijk: first.contains(p) ? first.ijk(p) : null });
      this.telling = setTimeout(() => {
        this.telling = null;
        if (this.untold) tell();
      }, 40);
    };
    tell();
  }

  pressed(event) {
    if (event.target.matches("input, select, textarea") && event.key !== "Escape") return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key,
      tool = Object.keys(TOOLS).find((t) => TOOLS[t].key === key);
    const undo = key === "z",
      ctrl = event.ctrlKey || event.metaKey;
    const path = this.panes.find((p) => p.path);
    const does = {
      ArrowUp: () => this.scroll(this.active, 1),
      ArrowDown: () => this.scroll(this.active, -1),
      ArrowRight: () => this.showFrame(this.frame + 1),
      ArrowLeft: () => this.showFrame(this.frame - 1),
      e: () => this.bar.toggleEnhancement(),
      h: () => this.bar.toggleOverlay(),
      i: () => this.bar.toggleSmooth(),
      w: () => this.bar.window("lesion"),
      "[": () => this.setBrush(this.brush_mm - 1),
      "]": () => this.setBrush(this.brush_mm + 1),
      Enter: () => (path ? path.close() : this.panel?.enter?.()),
      Escape: () => {
        for (const p of this.panes) p.path = null;
        this.root.focus();
        this.invalidate();
      },
      Backspace: () => {
        path?.path.pop();
        if (path && !path.path.length) path.path = null;
        this.invalidate();
      },
      Delete: () => this.panel?.remove?.(),
      0: () => this.showAlone(null),
    };
    this.panes.forEach((pane, n) => {
      does[n + 1] = () => this.showAlone(this.alone === pane ? null : pane);
    });
    if (undo) this.act(event.shiftKey ? "redo" : "undo");
    else if (key === "y") this.act("redo");
    else if (ctrl) return;
    else if (does[key]) does[key]();
    else if (tool && this.store.panel?.tools.includes(tool)) this.choose(tool);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  setBrush(mm) {
    this.brush_mm = Math.max(1, Math.min(30, mm));
    this.panel?.brushed?.();
  }

  // Ask for one painting at the next frame of the screen, however much has changed.
  invalidate() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(this.safe(() => this.paint()));
  }

  paint() {
    this.dirty = false;
    for (const pane of this.panes) if (!pane.box.hidden) pane.draw();
    if (!this.answered) return;
    const { cause, python_ms } = this.answered,
      now = performance.now();
    for (const one of this.waiting.filter((x) => x.cause <= cause))
      this.latencies.push({ type: one.type, ms: now - one.began, python_ms });
    this.waiting = this.waiting.filter((x) => x.cause > cause);
    this.answered = null;
  }

  close() {
    this.watch.disconnect();
    clearTimeout(this.telling);
    this.store.hide(this);
    for (const pane of this.panes) pane.forget();
    this.root.replaceChildren();
    Object.assign(this, { panes: [], active: null, panel: null, bar: null });
    this.root.bench = null;
  }
}

export { Bench, Store };
