// What the mouse does in a pane: look, place seeds, paint, outline; window by right drag, pan by middle drag.

const TOOLS = {
  look: { key: "l", label: "Look", tip: "drag moves the crosshair" },
  seed: { key: "s", label: "Lesion seed", tip: "click inside the lesion; with Shift a background seed" },
  background: { key: "b", label: "Background seed", tip: "click tissue that is not lesion" },
  contour: {
    key: "c",
    label: "Outline",
    tip: "drag round the lesion, or click corners and close with Enter; with Shift it cuts out",
  },
  paint: { key: "p", label: "Paint", tip: "drag to add; with Shift to erase" },
  erase: { key: "r", label: "Erase", tip: "drag to take away" },
};
const CLICK_PX = 4,
  CLOSE_PX = 9;

// Flat numbers of the voxels of a slice whose centres lie inside a polygon of [column, row] places.
function voxelsInside(pane, polygon) {
  const found = [],
    rows = polygon.map((q) => q[1]);
  const [low, high] = [Math.max(0, Math.floor(Math.min(...rows))), Math.min(pane.nv - 1, Math.ceil(Math.max(...rows)))];
  for (let row = low; row <= high; row++) {
    const y = row + 0.5,
      crossings = [];
    polygon.forEach(([x1, y1], n) => {
      const [x2, y2] = polygon[(n + 1) % polygon.length];
      if (y1 <= y !== y2 <= y) crossings.push(x1 + ((y - y1) / (y2 - y1)) * (x2 - x1));
    });
    crossings.sort((a, b) => a - b);
    for (let n = 0; n + 1 < crossings.length; n += 2)
      for (
        let column = Math.max(0, Math.ceil(crossings[n] - 0.5));
        column + 0.5 <= crossings[n + 1] && column < pane.nu;
        column++
      )
        found.push(pane.picture.flat(pane.indexAt([column, row])));
  }
  return found;
}

// Flat numbers under a round brush between two places of a slice.
function voxelsUnder(pane, from, to, radius_mm) {
  const { u, v } = PLANES[pane.plane],
    [su, sv] = [pane.picture.spacing[u], pane.picture.spacing[v]],
    found = new Set();
  const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2));
  const [ru, rv] = [radius_mm / su, radius_mm / sv];
  for (let n = 0; n <= steps; n++) {
    const [c, r] = [from[0] + ((to[0] - from[0]) * n) / steps, from[1] + ((to[1] - from[1]) * n) / steps];
    const own = [Math.floor(c), Math.floor(r)];
    for (let row = Math.floor(r - rv); row <= r + rv; row++)
      for (let column = Math.floor(c - ru); column <= c + ru; column++) {
        if (column < 0 || row < 0 || column >= pane.nu || row >= pane.nv) continue;
        const near = Math.hypot((column + 0.5 - c) * su, (row + 0.5 - r) * sv) <= radius_mm;
        if (near || (column === own[0] && row === own[1])) found.add(pane.picture.flat(pane.indexAt([column, row])));
      }
  }
  return found;
}

// A stroke in the making: what it has changed, so that only the change is told to Python.
class Stroke {
  constructor(pane, adds) {
    Object.assign(this, { pane, adds, flats: new Set(), last: null });
  }

  lay(flats) {
    const { labels } = this.pane.picture,
      value = this.adds ? 1 : 0;
    for (const flat of flats)
      if (labels[flat] !== value) {
        labels[flat] = value;
        this.flats.add(flat);
      }
  }

  brush(place, radius_mm) {
    this.lay(voxelsUnder(this.pane, this.last ?? place, place, radius_mm));
    this.last = place;
  }
}

function listenToMouse(bench, pane) {
  const { canvas, picture } = pane;
  let drag = null; // what the button that is down does
  const local = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const begin = (event) => {
    event.preventDefault();
    bench.root.focus({ preventScroll: true });
    bench.active = pane;
    canvas.setPointerCapture(event.pointerId);
    const from = local(event),
      place = pane.pixelAt(...from);
    drag = { from, last: from, moved: false, button: event.button, shift: event.shiftKey, tool: bench.tool };
    if (event.button === 2) drag.window = [...picture.window(bench.frameOf(picture))];
    else if (event.button === 1) drag.pan = [...pane.pan];
    else if ((drag.tool === "paint" || drag.tool === "erase") && picture.drawable) {
      drag.stroke = bench.stroke = new Stroke(pane, drag.tool === "paint" && !event.shiftKey);
      drag.stroke.brush(place, bench.brush_mm);
      bench.invalidate();
    } else if (drag.tool === "contour" && picture.drawable) {
      pane.path = [...(pane.path ?? []), place];
      pane.cuts = event.shiftKey;
      bench.invalidate();
    } else bench.moveTo(pane, place);
  };

  const move = (event) => {
    const at = local(event),
      place = pane.pixelAt(...at);
    if (!drag) return hover(place);
    drag.moved = drag.moved || Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > CLICK_PX;
    if (drag.window) {
      const [low, high] = drag.window,
        reach = picture.first_windows[picture.groups[bench.frameOf(picture)]];
      const each = (reach[1] - reach[0]) / 250,
        wide = Math.max(high - low + (at[0] - drag.from[0]) * each, each);
      const level = (low + high) / 2 + (at[1] - drag.from[1]) * each;
      picture.setWindow(bench.frameOf(picture), level - wide / 2, level + wide / 2);
    } else if (drag.pan) pane.pan = [drag.pan[0] + at[0] - drag.from[0], drag.pan[1] + at[1] - drag.from[1]];
    else if (drag.stroke) drag.stroke.brush(place, bench.brush_mm);
    else if (drag.tool === "contour" && picture.drawable) {
      if (drag.moved) pane.path.push(place);
    } else if (drag.moved || drag.tool === "look") bench.moveTo(pane, place);
    bench.invalidate();
  };

  const end = (event) => {
    if (!drag) return;
    const done = drag,
      place = pane.pixelAt(...local(event));
    drag = null;
    if (done.stroke) {
      bench.stroke = null;
      return bench.sendStroke(done.stroke);
    }
    if (done.button !== 0) return;
    if (done.tool === "contour" && picture.drawable) return contoured(done);
    const index = pane.indexAt(place);
    if (done.moved || !picture.seedable || !picture.contains(index)) return;
    if (done.tool === "seed" || done.tool === "background")
      bench.act("seed", { ijk: picture.ijk(index), background: done.tool === "background" || done.shift });
  };

  // A drag closes by itself; clicks are corners, closed by a click on the first one, by Enter or a double click.
  const contoured = (done) => {
    const [first, last] = [pane.path[0], pane.path.at(-1)].map(([c, r]) => {
      const [l, t, w, h] = pane.place();
      return [l + (c / pane.nu) * w, t + (r / pane.nv) * h];
    });
    const back = pane.path.length > 3 && Math.hypot(first[0] - last[0], first[1] - last[1]) < CLOSE_PX;
    if (done.moved || back) pane.close();
    else bench.invalidate();
  };

  pane.close = () => {
    const polygon = pane.path ?? [];
    pane.path = null;
    if (polygon.length > 2) {
      const stroke = new Stroke(pane, !pane.cuts);
      stroke.lay(voxelsInside(pane, polygon));
      bench.sendStroke(stroke);
    }
    bench.invalidate();
  };

  const hover = (place) => {
    const index = pane.indexAt(place),
      inside = picture.contains(index),
      value = inside ? picture.value(bench.frameOf(picture), index) : NaN;
    pane.hover = inside
      ? `${picture.ijk(index).join(", ")} · ${Number.isFinite(value) ? Number(value.toPrecision(4)) : "no value"}`
      : null;
    bench.invalidate();
  };

  const wheel = (event) => {
    event.preventDefault();
    if (event.ctrlKey) {
      pane.zoom = Math.max(1, Math.min(8, pane.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15)));
      if (pane.zoom === 1) pane.pan = [0, 0];
      bench.invalidate();
    } else bench.scroll(pane, event.deltaY < 0 ? 1 : -1);
  };

  const safe = bench.safe;
  canvas.addEventListener("pointerdown", safe(begin));
  canvas.addEventListener("pointermove", safe(move));
  canvas.addEventListener("pointerup", safe(end));
  canvas.addEventListener(
    "pointercancel",
    safe(() => {
      drag = null;
      bench.stroke = null;
    }),
  );
  canvas.addEventListener(
    "pointerleave",
    safe(() => {
      pane.hover = null;
      bench.invalidate();
    }),
  );
  canvas.addEventListener("wheel", safe(wheel), { passive: false });
  canvas.addEventListener(
    "dblclick",
    safe(() => pane.path && pane.close()),
  );
  canvas.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
  });
}
