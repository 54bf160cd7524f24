// Two regions on one image: whose is what, slice by slice.
function pairPlot(model, el) {
  const data = model.get('data');
  const arrays = Object.fromEntries(Object.entries(model.get('arrays')).map(([k, v]) => [k, arrayOf(v)]));
  const [slices, rows, columns] = arrays.grey.shape;
  const plane = rows * columns;
  const { names, facts } = data;
  let slice = data.firstSlice, layer = 3;
  const COLOURS = { 1: [47, 127, 214, 0.6], 2: [214, 69, 127, 0.6], 3: [255, 176, 0, 0.35] };
  const big = slicePicture(rows, columns, data.spacingMm, data.letters, 420, 400);
  const per = Array.from({ length: slices }, (_, k) => {
    const made = { first: 0, second: 0, both: 0 };
    for (let n = k * plane; n < (k + 1) * plane; n++) {
      const code = arrays.codes.values[n];
      made.first += code & 1; made.second += (code >> 1) & 1; made.both += code === 3;
    }
    made.dice = (2 * made.both) / (made.first + made.second);
    return made;
  });
  const chartHolder = html('div'), told = html('div', { class: 'sk-told' });
  const slider = range(data.sliceLabel, 0, slices - 1, 1, slice, go, n => `${n + data.first}`);
  const shown = choice('show', ['both regions', `only ${names[0]}`, `only ${names[1]}`, 'the image alone'], 0,
    n => { layer = [3, 1, 2, 0][n]; draw(); });

  function go(n) { slice = n; slider.set(n); draw(); model.set('state', { slice }); model.save_changes(); }
  function draw() {
    big.paint(arrays.grey.values, slice * plane, n => COLOURS[arrays.codes.values[slice * plane + n] & layer] ?? null);
    const plot = frame({ x: [data.first - 0.5, data.first + slices - 0.5], y: [0, 1], xLabel: `${data.sliceLabel}; click one`, yLabel: 'Dice of the slice',
      width: 360, height: 220 });
    const width = Math.max(2, ((plot.right - plot.left) / slices) * 0.7);
    per.forEach((made, k) => {
      if (Number.isFinite(made.dice)) plot.inner.append(svg('rect', { x: plot.X(k + data.first) - width / 2, width, y: plot.Y(made.dice),
        height: plot.bottom - plot.Y(made.dice), fill: AMBER, opacity: k === slice ? 1 : 0.45 }));
      if (made.first + made.second && !made.both) plot.inner.append(svg('circle', { cx: plot.X(k + data.first), cy: plot.Y(0), r: 4,
        fill: made.first ? BLUE : ROSE }));
    });
    onDrag(plot, x => go(Math.max(0, Math.min(slices - 1, Math.round(x) - data.first))));
    chartHolder.replaceChildren(plot.node);
    const made = per[slice];
    told.textContent = made.first + made.second
      ? `this slice: Dice ${short(made.dice)}; ${made.both} voxels in both, ${made.first - made.both} only ${names[0]}, ` +
        `${made.second - made.both} only ${names[1]}`
      : 'this slice: neither region reaches it';
  }
  const legend = html('div', { class: 'sk-told' });
  [['both', AMBER], [`only ${names[0]}`, BLUE], [`only ${names[1]}`, ROSE]].forEach(([words, colour]) => {
    const part = html('span', {}, `■ ${words}  `);
    part.style.color = colour;
    legend.append(part);
  });
  const table = html('table', {}, ...facts.map(([words, value]) => html('tr', {}, html('td', {}, words), html('td', {}, value))));
  big.canvas.addEventListener('wheel', event => {
    event.preventDefault();
    go(Math.max(0, Math.min(slices - 1, slice + Math.sign(event.deltaY))));
  }, { passive: false });
  el.append(html('div', { class: 'sk-row' }, slider.node, shown), html('div', { class: 'sk-row' }, big.node,
    html('div', {}, legend, chartHolder, told, html('div', { class: 'sk-facts' }, table))));
  draw();
}
