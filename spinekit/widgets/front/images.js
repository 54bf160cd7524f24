// Images as the page holds them: index p = [r, a, s] rising towards right, anterior, superior; world in RAS mm.

// In every plane both screen axes run against the index: right is on the reader's left, anterior and superior are up.
const PLANES = {
  axial: { u: 0, v: 1, n: 2, letters: ["R", "L", "A", "P"] },
  sagittal: { u: 1, v: 2, n: 0, letters: ["A", "P", "S", "I"] },
  coronal: { u: 0, v: 2, n: 1, letters: ["R", "L", "S", "I"] },
};
const NO_VALUE = -32768; // stored where the image has no number

const applied = (m, p) => [0, 4, 8].map((row) => m[row] * p[0] + m[row + 1] * p[1] + m[row + 2] * p[2] + m[row + 3]);

function inverse(m) {
  const [a, b, c, , d, e, f, , g, h, i] = m;
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const r = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ].map((x) => x / det);
  const out = [r[0], r[1], r[2], 0, r[3], r[4], r[5], 0, r[6], r[7], r[8], 0];
  const shift = applied(out, [m[3], m[7], m[11]]);
  [out[3], out[7], out[11]] = shift.map((x) => -x);
  return out;
}

class Picture {
  // about: id, name, size [R, A, S], to_mm, to_ijk, n_frames, frame_names, groups (per frame), windows (per group),
  // low and slope (value = low + slope * (stored + 32767)), drawable, places (voxel where the crosshair begins)
  constructor(about) {
    Object.assign(this, about);
    this.stride = [1, this.size[0], this.size[0] * this.size[1]];
    this.frames = new Array(this.n_frames);
    this.labels = new Uint8Array(this.size[0] * this.size[1] * this.size[2]);
    this.from_mm = inverse(this.to_mm);
    this.spacing = [0, 1, 2].map((a) => Math.hypot(this.to_mm[a], this.to_mm[4 + a], this.to_mm[8 + a]));
    this.first_windows = structuredClone(this.windows);
    this.luts = {};
  }

  // Let go of what is large, whoever still holds the picture.
  forget() {
    Object.assign(this, { frames: [], labels: new Uint8Array(0), luts: {} });
  }

  mm(p) {
    return applied(this.to_mm, p);
  }
  index(mm) {
    return applied(this.from_mm, mm);
  }
  ijk(p) {
    return applied(this.to_ijk, p.map(Math.round)).map(Math.round);
  }
  contains(p) {
    return p.every((x, a) => Math.round(x) >= 0 && Math.round(x) < this.size[a]);
  }
  flat(p) {
    return Math.round(p[0]) + this.stride[1] * Math.round(p[1]) + this.stride[2] * Math.round(p[2]);
  }

  value(frame, p) {
    const stored = this.frames[frame]?.[this.flat(p)];
    return stored === undefined || stored === NO_VALUE ? NaN : this.low + this.slope * (stored + 32767);
  }

  window(frame) {
    return this.windows[this.groups[frame]];
  }

  setWindow(frame, low, high) {
    const least = this.slope * 8;
    this.windows[this.groups[frame]] = [low, Math.max(high, low + least)];
    delete this.luts[this.groups[frame]];
  }

  // Colour of every stored number, as one 32-bit word; built once per window.
  lut(frame) {
    const group = this.groups[frame];
    if (!this.luts[group]) {
      const table = new Uint32Array(65536),
        [low, high] = this.windows[group];
      for (let q = 0; q < 65536; q++) {
        const value = this.low + this.slope * (q - 1);
        const grey = Math.max(0, Math.min(255, (255 * (value - low)) / (high - low))) | 0;
        table[q] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
      }
      table[0] = 0xff000000;
      this.luts[group] = table;
    }
    return this.luts[group];
  }

  // Call visit(pixel, flat) for every pixel of a slice, row by row from the upper left.
  walk(plane, n, visit) {
    const { u, v, n: normal } = PLANES[plane];
    const [nu, nv] = [this.size[u], this.size[v]],
      [su, sv] = [this.stride[u], this.stride[v]];
    let pixel = 0;
    for (let row = 0; row < nv; row++) {
      let flat = n * this.stride[normal] + (nv - 1 - row) * sv + (nu - 1) * su;
      for (let column = 0; column < nu; column++, flat -= su) visit(pixel++, flat);
    }
  }

  // Lowest and highest of the middle 90 % of some voxels of a frame.
  spread(frame, flats) {
    const stored = this.frames[frame];
    const found = Int16Array.from(flats, (f) => stored[f])
      .filter((q) => q !== NO_VALUE)
      .sort();
    if (!found.length) return null;
    const pick = (share) => this.low + this.slope * (found[Math.round(share * (found.length - 1))] + 32767);
    return [pick(0.05), pick(0.95)];
  }

  // Runs [start, length, value, ...] laid over an empty drawing.
  setLabels(runs) {
    this.labels.fill(0);
    for (let n = 0; n < runs.length; n += 3) this.labels.fill(runs[n + 2], runs[n], runs[n] + runs[n + 1]);
  }
}

// Flat numbers as runs [start, length, ...].
function runsOf(flats) {
  const sorted = Uint32Array.from(flats).sort(),
    out = [];
  for (const flat of sorted) {
    const last = out.length - 2;
    if (last >= 0 && out[last] + out[last + 1] === flat) out[last + 1] += 1;
    else out.push(flat, 1);
  }
  return Uint32Array.from(out);
}
