// One plane of one image on a canvas: slice, overlay, crosshair, seeds, letters, scale bar.

// Told apart without red and green (Okabe and Ito); each also has a shape of its own.
const REGION = "#ffb000",
  SEED = "#00e5ff",
  BACKGROUND = "#ff4d6d",
  PARTITION = "#56b4e9";
const word = (hex, alpha) =>
  ((Math.round(255 * alpha) << 24) |
    (parseInt(hex.slice(5), 16) << 16) |
    (parseInt(hex.slice(3, 5), 16) << 8) |
    parseInt(hex.slice(1, 3), 16)) >>>
  0;
const BARS_MM = [200, 100, 50, 20, 10, 5, 2];

class Pane {
  constructor(bench, picture, plane) {
    Object.assign(this, { bench, picture, plane, zoom: 1, pan: [0, 0], hover: null, path: null });
    this.canvas = element("canvas", { class: "sk-canvas" });
    this.wider = element(
      "button",
      { class: "sk-corner", title: "show this plane alone, or all of them", type: "button" },
      "⤢",
    );
    this.box = element("div", { class: "sk-pane" }, this.canvas, this.wider);
    this.context = this.canvas.getContext("2d");
    const { u, v } = PLANES[plane];
    [this.nu, this.nv] = [picture.size[u], picture.size[v]];
    this.slice = Object.assign(document.createElement("canvas"), { width: this.nu, height: this.nv });
    this.overlay = Object.assign(document.createElement("canvas"), { width: this.nu, height: this.nv });
    this.pixels = new ImageData(this.nu, this.nv);
    this.tint = new ImageData(this.nu, this.nv);
  }

  // Let go of the pictures, whoever still holds the pane.
  forget() {
    for (const canvas of [this.slice, this.overlay, this.canvas]) canvas.width = 0;
    Object.assign(this, { pixels: null, tint: null, path: null });
  }

  get aspect() {
    const { u, v } = PLANES[this.plane];
    return (this.nv * this.picture.spacing[v]) / (this.nu * this.picture.spacing[u]);
  }

  // Where the slice lies on the canvas, CSS pixels: [left, top, width, height].
  place() {
    const { u, v } = PLANES[this.plane],
      [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const [mu, mv] = [this.nu * this.picture.spacing[u], this.nv * this.picture.spacing[v]];
    const scale = Math.min(w / mu, h / mv) * this.zoom;
    return [(w - mu * scale) / 2 + this.pan[0], (h - mv * scale) / 2 + this.pan[1], mu * scale, mv * scale];
  }

  // Number of the slice on view, and whether the crosshair lies in this image at all.
  at() {
    const p = this.picture.index(this.bench.cross),
      { n } = PLANES[this.plane],
      last = this.picture.size[n] - 1;
    return { p, slice: Math.max(0, Math.min(last, Math.round(p[n]))), inside: p[n] > -0.5 && p[n] < last + 0.5 };
  }

  // Place on the canvas to [column, row] in pixels of the slice, and to an index with the crosshair's own depth.
  pixelAt(x, y) {
    const [left, top, w, h] = this.place();
    return [((x - left) / w) * this.nu, ((y - top) / h) * this.nv];
  }

  indexAt([column, row], whole = true) {
    const { u, v, n } = PLANES[this.plane],
      p = [0, 0, 0];
    const [c, r] = whole ? [Math.floor(column), Math.floor(row)] : [column - 0.5, row - 0.5];
    p[u] = this.nu - 1 - c;
    p[v] = this.nv - 1 - r;
    p[n] = this.at().slice;
    return p;
  }

  canvasAt(p) {
    const { u, v } = PLANES[this.plane],
      [left, top, w, h] = this.place();
    return [left + ((this.nu - p[u] - 0.5) / this.nu) * w, top + ((this.nv - p[v] - 0.5) / this.nv) * h];
  }

  draw() {
    const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight],
      ratio = window.devicePixelRatio || 1;
    if (!w || !h) return;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio))
      [this.canvas.width, this.canvas.height] = [Math.round(w * ratio), Math.round(h * ratio)];
    const g = this.context,
      { slice, inside, p } = this.at(),
      frame = this.bench.frameOf(this.picture);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = "#000";
    g.fillRect(0, 0, w, h);
    const stored = this.picture.frames[frame];
    if (!stored) return this.say("loading …", w / 2, h / 2, "center");
    const out = new Uint32Array(this.pixels.data.buffer),
      lut = this.picture.lut(frame);
    this.picture.walk(this.plane, slice, (pixel, flat) => {
      out[pixel] = lut[stored[flat] + 32768];
    });
    this.slice.getContext("2d").putImageData(this.pixels, 0, 0);
    const [left, top, width, height] = this.place();
    g.imageSmoothingEnabled = this.bench.smooth;
    g.imageSmoothingQuality = "high";
    g.drawImage(this.slice, left, top, width, height);
    if (this.bench.overlay) this.drawLabels(g, slice, left, top, width, height);
    if (this.path) this.drawPath(g);
    if (inside) this.drawCross(g, p, w, h);
    this.drawSeeds(g, slice);
    this.drawWords(g, w, h, slice, inside, frame, width);
  }

  // A tint that shines through, and a line along every border of a label: it stays visible on bright tissue.
  drawLabels(g, slice, left, top, width, height) {
    const tint = new Uint32Array(this.tint.data.buffer),
      { labels } = this.picture,
      { nu, nv } = this;
    const colours = { 1: word(REGION, 0.26), 2: word(PARTITION, 0.14) };
    const row = new Uint8Array(nu * nv);
    let any = false;
    this.picture.walk(this.plane, slice, (pixel, flat) => {
      const label = labels[flat];
      row[pixel] = label;
      tint[pixel] = label === 0 ? 0 : label === 1 ? colours[1] : colours[2];
      any = any || label > 0;
    });
    if (!any) return;
    this.overlay.getContext("2d").putImageData(this.tint, 0, 0);
    g.imageSmoothingEnabled = false;
    g.drawImage(this.overlay, left, top, width, height);
    const [du, dv] = [width / nu, height / nv],
      region = new Path2D(),
      other = new Path2D();
    for (let y = 0; y <= nv; y++)
      for (let x = 0; x <= nu; x++) {
        const here = x < nu && y < nv ? row[y * nu + x] : 0;
        const west = x > 0 && y < nv ? row[y * nu + x - 1] : 0,
          north = y > 0 && x < nu ? row[(y - 1) * nu + x] : 0;
        if (here !== west && y < nv) {
          const line = here === 1 || west === 1 ? region : other;
          line.moveTo(left + x * du, top + y * dv);
          line.lineTo(left + x * du, top + (y + 1) * dv);
        }
        if (here !== north && x < nu) {
          const line = here === 1 || north === 1 ? region : other;
          line.moveTo(left + x * du, top + y * dv);
          line.lineTo(left + (x + 1) * du, top + y * dv);
        }
      }
    for (const [line, colour] of [
      [other, PARTITION],
      [region, REGION],
    ]) {
      g.lineWidth = line === region ? 1.6 : 0.9;
      g.strokeStyle = colour;
      g.stroke(line);
    }
  }

  drawPath(g) {
    const [left, top, w, h] = this.place(),
      line = new Path2D();
    for (const [c, r] of this.path) line.lineTo(left + (c / this.nu) * w, top + (r / this.nv) * h);
    g.setLineDash([5, 3]);
    g.lineWidth = 1.6;
    g.strokeStyle = REGION;
    g.stroke(line);
    g.setLineDash([]);
    const [c, r] = this.path[0];
    g.fillStyle = REGION;
    g.fillRect(left + (c / this.nu) * w - 3, top + (r / this.nv) * h - 3, 6, 6);
  }

  drawCross(g, p, w, h) {
    const [x, y] = this.canvasAt(p),
      gap = 9;
    g.lineWidth = 1;
    g.strokeStyle = "rgba(0, 229, 255, 0.75)";
    g.beginPath();
    for (const [x1, y1, x2, y2] of [
      [0, y, x - gap, y],
      [x + gap, y, w, y],
      [x, 0, x, y - gap],
      [x, y + gap, x, h],
    ]) {
      g.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
      g.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
    }
    g.stroke();
  }

  // A lesion seed is a plus, a background seed a cross; paler on the slices beside it.
  drawSeeds(g, slice) {
    for (const seed of this.bench.seeds) {
      if (seed.image !== this.picture.id) continue;
      const away = Math.abs(seed.p[PLANES[this.plane].n] - slice);
      if (away > 1) continue;
      const [x, y] = this.canvasAt(seed.p),
        arm = 6,
        turned = seed.background ? arm * 0.75 : 0;
      for (const [width, colour] of [
        [4.5, "rgba(0, 0, 0, 0.75)"],
        [2, seed.background ? BACKGROUND : SEED],
      ]) {
        g.globalAlpha = away ? 0.4 : 1;
        g.lineWidth = width;
        g.strokeStyle = colour;
        g.beginPath();
        if (turned) {
          g.moveTo(x - turned, y - turned);
          g.lineTo(x + turned, y + turned);
          g.moveTo(x - turned, y + turned);
          g.lineTo(x + turned, y - turned);
        } else {
          g.moveTo(x - arm, y);
          g.lineTo(x + arm, y);
          g.moveTo(x, y - arm);
          g.lineTo(x, y + arm);
        }
        g.stroke();
      }
      g.globalAlpha = 1;
    }
  }

  drawWords(g, w, h, slice, inside, frame, width) {
    const { letters, n, u } = PLANES[this.plane],
      p = this.at().p.slice();
    p[n] = slice;
    const axis = [0, 1, 2].find((row) => Math.abs(this.picture.to_ijk[4 * row + n]) > 0.5);
    this.say(`${this.picture.name} ${this.plane}`, 8, 16, "left", "bold 12px");
    this.say(
      `${"ijk"[axis]} ${this.picture.ijk(p)[axis]} of ${this.picture.size[n] - 1}${inside ? "" : " · crosshair is outside"}`,
      8,
      31,
      "left",
    );
    this.say(letters[0], 6, h / 2 + 5, "left", "bold 13px", "#ffe08a");
    this.say(letters[1], w - 6, h / 2 + 5, "right", "bold 13px", "#ffe08a");
    this.say(letters[2], w / 2, 16, "center", "bold 13px", "#ffe08a");
    this.say(letters[3], w / 2, h - 6, "center", "bold 13px", "#ffe08a");
    const [low, high] = this.picture.window(frame),
      [short] = [(x) => Number(x.toPrecision(3)).toString()];
    this.say(this.hover ?? `${w > 340 ? "window " : ""}${short(low)} – ${short(high)}`, 8, h - 8, "left");
    const each = width / (this.nu * this.picture.spacing[u]),
      bar = BARS_MM.find((mm) => mm * each < 0.28 * w) ?? 1;
    const right = w - 10;
    for (const [thick, colour] of [
      [5, "#000"],
      [2.5, "#fff"],
    ]) {
      g.lineWidth = thick;
      g.strokeStyle = colour;
      g.beginPath();
      g.moveTo(right - bar * each - (thick > 3 ? 1 : 0), h - 9);
      g.lineTo(right + (thick > 3 ? 1 : 0), h - 9);
      g.stroke();
    }
    this.say(`${bar} mm`, right, h - 15, "right");
  }

  say(text, x, y, align, font = "11.5px", colour = "#fff") {
    const g = this.context;
    g.font = `${font} system-ui, sans-serif`;
    g.textAlign = align;
    g.lineWidth = 3;
    g.strokeStyle = "rgba(0, 0, 0, 0.8)";
    g.strokeText(text, x, y);
    g.fillStyle = colour;
    g.fillText(text, x, y);
  }
}
