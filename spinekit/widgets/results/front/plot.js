// What every result plot shares: elements, scales, axes, arrays out of Python, dragging.
const SVG = 'http://www.w3.org/2000/svg';
const BLUE = '#2f7fd6', ROSE = '#d6457f', AMBER = '#d48f00';

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function html(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function scale([low, high], [from, to]) {
  const factor = (to - from) / (high - low || 1);
  const place = value => from + (value - low) * factor;
  place.back = position => low + (position - from) / factor;
  return place;
}

function ticks(low, high, about = 5) {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return found;
}

function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'undefined';
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e5 || size < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

// an SVG with two axes; `inner` is where a plot draws
function frame({ width = 330, height = 240, x, y, xLabel = '', yLabel = '', title = '', yTicks = true }) {
  const [left, right, top, bottom] = [yTicks ? 52 : 14, 12, title ? 24 : 10, 40];
  const node = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, class: 'sk-plot' });
  const X = scale(x, [left, width - right]);
  const Y = scale(y, [height - bottom, top]);
  const grid = svg('g', { class: 'sk-grid' });
  for (const value of ticks(...x)) {
    grid.append(svg('line', { x1: X(value), x2: X(value), y1: height - bottom, y2: height - bottom + 4 }));
    grid.append(svg('text', { x: X(value), y: height - bottom + 16, 'text-anchor': 'middle' }, short(value)));
  }
  for (const value of yTicks ? ticks(...y) : []) {
    grid.append(svg('line', { x1: left, x2: width - right, y1: Y(value), y2: Y(value), class: 'sk-rule' }));
    grid.append(svg('text', { x: left - 6, y: Y(value) + 4, 'text-anchor': 'end' }, short(value)));
  }
  grid.append(svg('line', { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  grid.append(svg('text', { x: (left + width - right) / 2, y: height - 6, 'text-anchor': 'middle' }, xLabel));
  if (yLabel) {
    const place = `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`;
    grid.append(svg('text', { transform: place, 'text-anchor': 'middle' }, yLabel));
  }
  if (title) grid.append(svg('text', { x: left, y: 14, class: 'sk-title' }, title));
  const inner = svg('g');
  node.append(grid, inner);
  return { node, inner, X, Y, left, right: width - right, top, bottom: height - bottom, width, height };
}

function path(plot, xs, ys, attributes) {
  let draw = '', pen = 'M';
  xs.forEach((x, n) => {
    if (!Number.isFinite(ys[n])) { pen = 'M'; return; }
    draw += `${pen}${plot.X(x).toFixed(1)},${plot.Y(ys[n]).toFixed(1)}`;
    pen = 'L';
  });
  return svg('path', { d: draw, fill: 'none', 'stroke-width': 1.8, ...attributes });
}

// call back with the place in the plot's own units while the mouse is down, and once where it goes down
function onDrag(plot, callback) {
  const told = event => {
    const box = plot.node.getBoundingClientRect();
    callback(
      plot.X.back(((event.clientX - box.left) * plot.width) / box.width),
      plot.Y.back(((event.clientY - box.top) * plot.height) / box.height),
    );
  };
  plot.node.style.cursor = 'pointer';
  plot.node.addEventListener('pointerdown', event => {
    plot.node.setPointerCapture(event.pointerId);
    told(event);
    const moved = next => told(next);
    plot.node.addEventListener('pointermove', moved);
    plot.node.addEventListener('pointerup', () => plot.node.removeEventListener('pointermove', moved), { once: true });
  });
}

const KINDS = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array };

function arrayOf({ dtype, shape, data }) {
  const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  return { shape, values: new KINDS[dtype](bytes) };
}

function range(label, low, high, step, value, changed, words = short) {
  const input = html('input', { type: 'range', min: low, max: high, step, value, 'aria-label': label });
  const shown = html('output', {}, words(Number(value)));
  input.addEventListener('input', () => { shown.textContent = words(Number(input.value)); changed(Number(input.value)); });
  const node = html('label', { class: 'sk-range' }, html('span', {}, label), input, shown);
  return { node, set: next => { input.value = next; shown.textContent = words(Number(next)); } };
}

function choice(label, options, chosen, changed) {
  const list = html('select', { 'aria-label': label });
  options.forEach((words, n) => list.append(html('option', { value: n, ...(n === chosen ? { selected: '' } : {}) }, words)));
  list.addEventListener('change', () => changed(Number(list.value)));
  return html('label', { class: 'sk-range' }, html('span', {}, label), list);
}

// a canvas for one slice, its pixels as large as they are in millimetres
function slicePicture(rows, columns, [rowMm, columnMm], letters, widest = 300, highest = 300) {
  const zoom = Math.min(widest / (columns * columnMm), highest / (rows * rowMm));
  const canvas = html('canvas', { width: columns, height: rows, class: 'sk-slice' });
  const size = { width: `${columns * columnMm * zoom}px`, height: `${rows * rowMm * zoom}px` };
  Object.assign(canvas.style, size);
  const holder = html('div', { class: 'sk-holder' }, canvas);
  Object.assign(holder.style, size);
  ['left', 'right', 'top', 'bottom'].forEach((side, n) => holder.append(html('span', { class: `sk-${side}` }, letters[n])));
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, rows);
  image.data.fill(255);
  const voxelAt = event => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    return row >= 0 && row < rows && column >= 0 && column < columns ? [row, column] : null;
  };
  // colour(n) gives [r, g, b, share over the grey value] of pixel n, or null
  const paint = (grey, start, colour) => {
    for (let n = 0; n < rows * columns; n++) {
      const under = grey[start + n];
      const over = colour(n);
      for (let c = 0; c < 3; c++) {
        image.data[4 * n + c] = over ? over[3] * over[c] + (1 - over[3]) * under : under;
      }
    }
    context.putImageData(image, 0, 0);
  };
  return { node: holder, canvas, paint, voxelAt };
}
