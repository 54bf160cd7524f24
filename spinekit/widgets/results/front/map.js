// A map with the curve of the voxel under the mouse, and its histogram with a threshold that lights up voxels.
function mapPlot(model, el) {
  const data = model.get('data');
  const arrays = Object.fromEntries(Object.entries(model.get('arrays')).map(([k, v]) => [k, arrayOf(v)]));
  const [slices, rows, columns] = arrays.grey.shape;
  const plane = rows * columns;
  const { times, regionCurve, regionLow, regionHigh } = data;
  const [n_phases] = arrays.curves.shape;
  const n_region = arrays.curves.shape[1];
  const number = arrays.number.values;  // of a voxel among those of the region, or -1
  let map = 0, slice = data.firstSlice, voxel = null, threshold = null;

  const picture = slicePicture(rows, columns, data.spacingMm, data.letters);
  const told = html('div', { class: 'sk-told' });
  const under = html('div', { class: 'sk-told' });
  const curveHolder = html('div');
  const histogramHolder = html('div');
  const sliceSlider = range(data.sliceLabel, 0, slices - 1, 1, slice, n => { slice = n; draw(); }, n => `${n + data.first}`);
  const controls = html('div', { class: 'sk-row' });
  if (data.maps.length > 1) {
    controls.append(choice('map', data.maps.map(m => m.title), 0, n => { map = n; threshold = null; bins = binned(); draw(); }));
  }
  controls.append(sliceSlider.node, html('button', { onclick: () => { threshold = null; draw(); } }, 'no threshold'));

  const valueAt = (m, n) => arrays.maps.values[m * n_region + n];
  const curveOf = (source, n) => Array.from({ length: n_phases }, (_, t) => {
    const raw = arrays[source].values[t * n_region + n];
    return raw === 65535 ? NaN : raw * data.curveStep + data.curveLow;
  });

  let bins = binned();
  function binned() {
    const { low, high } = data.maps[map];
    const counts = new Array(40).fill(0);
    for (let n = 0; n < n_region; n++) {
      const value = valueAt(map, n);
      if (!Number.isFinite(value)) continue;
      counts[Math.max(0, Math.min(39, Math.floor(((value - low) / (high - low || 1)) * 40)))]++;
    }
    return counts;
  }

  function draw() {
    const { low, high, unit, lut } = data.maps[map];
    const start = slice * plane;
    picture.paint(arrays.grey.values, start, n => {
      const inside = number[start + n];
      if (inside < 0) return null;
      const value = valueAt(map, inside);
      if (!Number.isFinite(value)) return null;
      const level = Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))));
      const lit = threshold === null || value >= threshold;
      const [r, g, b] = [0, 1, 2].map(c => lut[3 * level + c]);
      return [r, g, b, lit ? 0.95 : 0.12];
    });
    drawHistogram(low, high, unit);
    drawCurve();
  }

  function drawHistogram(low, high, unit) {
    const plot = frame({ x: [low, high], y: [0, Math.max(...bins) * 1.05 || 1], yTicks: false, xLabel: unit,
      title: 'in the region; drag for a threshold', width: 280 });
    const width = (plot.right - plot.left) / bins.length;
    bins.forEach((count, n) => {
      const from = low + ((high - low) * n) / bins.length;
      const lit = threshold === null || from >= threshold;
      plot.inner.append(svg('rect', { x: plot.X(from), width: Math.max(0.5, width - 1), y: plot.Y(count),
        height: plot.bottom - plot.Y(count), fill: AMBER, opacity: lit ? 1 : 0.25 }));
    });
    if (threshold !== null) {
      plot.inner.append(svg('line', { x1: plot.X(threshold), x2: plot.X(threshold), y1: plot.top, y2: plot.bottom,
        stroke: ROSE, 'stroke-width': 2 }));
    }
    onDrag(plot, x => { threshold = Math.max(low, Math.min(high, x)); draw(); send(); });
    histogramHolder.replaceChildren(plot.node);
    let defined = 0, above = 0;
    for (let n = 0; n < n_region; n++) {
      const value = valueAt(map, n);
      if (!Number.isFinite(value)) continue;
      defined++;
      if (threshold !== null && value >= threshold) above++;
    }
    told.textContent = threshold === null
      ? `${defined} of ${n_region} voxels defined`
      : `${above} of ${defined} voxels (${short((100 * above) / (defined || 1))} %, ` +
        `${short(above * data.voxelMl)} ml) at or above ${short(threshold)} ${unit}`;
  }

  function drawCurve() {
    const shown = voxel === null ? [] : curveOf('curves', voxel.number);
    const fitted = voxel === null || !arrays.fitted ? [] : curveOf('fitted', voxel.number);
    const all = [...regionLow, ...regionHigh, ...shown, ...fitted].filter(Number.isFinite);
    const [low, high] = [Math.min(0, ...all), Math.max(0.1, ...all)];
    const plot = frame({ x: [times[0], times.at(-1)], y: [low, high + 0.05 * (high - low)],
      xLabel: 'time after the first phase, s', yLabel: 'relative enhancement', width: 330 });
    const band = [...times.map((t, n) => [t, regionHigh[n]]), ...times.map((t, n) => [t, regionLow[n]]).reverse()];
    plot.inner.append(
      svg('rect', { x: plot.left, width: Math.max(2, plot.X(times[data.nBaseline - 1]) - plot.left), y: plot.top,
        height: plot.bottom - plot.top, fill: 'currentColor', opacity: 0.08 }),
      svg('polygon', { points: band.map(([t, v]) => `${plot.X(t)},${plot.Y(v)}`).join(' '), fill: AMBER, opacity: 0.25 }),
      path(plot, times, regionCurve, { stroke: AMBER }),
    );
    if (voxel !== null) {
      plot.inner.append(path(plot, times, shown, { stroke: BLUE }));
      times.forEach((t, n) => Number.isFinite(shown[n]) && plot.inner.append(
        svg('circle', { cx: plot.X(t), cy: plot.Y(shown[n]), r: 2.6, fill: BLUE })));
      if (fitted.length) plot.inner.append(path(plot, times, fitted, { stroke: ROSE, 'stroke-dasharray': '5 3' }));
    }
    curveHolder.replaceChildren(plot.node);
    const legend = [['region, median and middle half', AMBER]];
    if (voxel !== null) legend.push([`voxel ${voxel.ijk.join(', ')}`, BLUE]);
    if (fitted.length) legend.push(['fitted model', ROSE]);
    const value = voxel === null ? '' : `  ${short(valueAt(map, voxel.number))} ${data.maps[map].unit}`;
    under.replaceChildren(...legend.map(([words, colour]) => {
      const part = html('span', {}, `● ${words} `);
      part.style.color = colour;
      return part;
    }), voxel === null ? 'Move the mouse over the region.' : value);
  }

  function send() {
    model.set('state', { map: data.maps[map].name, threshold, slice, voxel: voxel === null ? null : voxel.ijk });
    model.save_changes();
  }

  picture.canvas.addEventListener('pointermove', event => {
    const found = picture.voxelAt(event);
    const inside = found === null ? -1 : number[slice * plane + found[0] * columns + found[1]];
    if (inside < 0 || inside === voxel?.number) return;
    voxel = { number: inside, ijk: Array.from(arrays.ijk.values.slice(3 * inside, 3 * inside + 3)) };
    drawCurve();
  });
  picture.canvas.addEventListener('click', send);
  picture.canvas.addEventListener('wheel', event => {
    event.preventDefault();
    slice = Math.max(0, Math.min(slices - 1, slice + Math.sign(event.deltaY)));
    sliceSlider.set(slice);
    draw();
  }, { passive: false });
  el.append(controls, html('div', { class: 'sk-row' }, picture.node, html('div', {}, curveHolder, under),
    html('div', {}, histogramHolder, told)));
  draw();
}
