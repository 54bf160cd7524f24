// How a region grew: every tolerance is a picture of the film; the strip, the slider and the curve move together.
function filmPlot(model, el) {
  const data = model.get('data');
  const arrays = Object.fromEntries(Object.entries(model.get('arrays')).map(([k, v]) => [k, arrayOf(v)]));
  const [slices, rows, columns] = arrays.grey.shape;
  const plane = rows * columns;
  const { tolerances, volumes, used } = data;
  const most = Math.max(...volumes, 1e-9), leaks = most > 3 * volumes[used] && volumes[used] > 0;
  const top = leaks ? 3 * volumes[used] : 1.05 * most;
  let step = used, slice = data.firstSlice, playing = null;
  const big = slicePicture(rows, columns, data.spacingMm, data.letters);
  const curveHolder = html('div');
  const told = html('div', { class: 'sk-told' });
  const strip = html('div', { class: 'sk-strip' });
  // arrays.born holds the step at which a voxel joined the region, 255 for never
  const colourAt = (n, now, at) => {
    const born = arrays.born.values[at * plane + n];
    if (born > now) return null;
    return born === now && now > 0 ? [214, 69, 127, 0.75] : [255, 176, 0, 0.5];
  };
  const thumbs = tolerances.map((_, n) => {
    const small = slicePicture(rows, columns, data.spacingMm, ['', '', '', ''], 64, 64);
    const button = html('button', { class: 'sk-thumb', onclick: () => go(n), title: `tolerance ${short(tolerances[n])}` },
      small.node, html('span', {}, `${short(volumes[n])} ml`));
    strip.append(button);
    return { small, button };
  });
  const stepSlider = range('step', 0, tolerances.length - 1, 1, step, go);
  const sliceSlider = range(data.sliceLabel, 0, slices - 1, 1, slice, n => { slice = n; drawAll(); }, n => `${n + data.first}`);
  const play = html('button', { onclick: () => {
    if (playing) { clearInterval(playing); playing = null; play.textContent = '▶ play'; return; }
    play.textContent = '■ stop';
    if (step === tolerances.length - 1) go(0);
    playing = setInterval(() => {
      if (step < tolerances.length - 1 && el.isConnected) go(step + 1);
      else { clearInterval(playing); playing = null; play.textContent = '▶ play'; }
    }, 350);
  } }, '▶ play');

  function go(n) { step = n; stepSlider.set(n); draw(); model.set('state', { step, tolerance: tolerances[n] }); model.save_changes(); }
  function draw() {
    big.paint(arrays.grey.values, slice * plane, n => colourAt(n, step, slice));
    thumbs.forEach(({ button }, n) => button.classList.toggle('sk-now', n === step));
    const plot = frame({ x: [tolerances[0], tolerances.at(-1)], y: [0, top],
      xLabel: data.toleranceLabel, yLabel: leaks ? 'volume, ml, cut at three times' : 'volume, ml', width: 340, height: 250 });
    plot.inner.append(path(plot, tolerances, volumes.map(v => Math.min(v, top)), { stroke: 'currentColor' }),
      svg('line', { x1: plot.X(tolerances[used]), x2: plot.X(tolerances[used]), y1: plot.top, y2: plot.bottom,
        stroke: AMBER, 'stroke-dasharray': '5 3', 'stroke-width': 2 }),
      svg('circle', { cx: plot.X(tolerances[step]), cy: plot.Y(Math.min(volumes[step], top)), r: 6, fill: ROSE }));
    onDrag(plot, x => {
      let best = 0;
      tolerances.forEach((t, n) => { if (Math.abs(t - x) < Math.abs(tolerances[best] - x)) best = n; });
      go(best);
    });
    curveHolder.replaceChildren(plot.node);
    const rise = step ? volumes[step] - volumes[step - 1] : 0;
    told.textContent = `tolerance ${short(tolerances[step])}: ${short(volumes[step])} ml` +
      (step ? `, ${rise >= 0 ? '+' : ''}${short(rise)} ml in this step (rose)` : '') +
      (step === used ? `; ${data.usedWords}` : '');
  }
  function drawAll() {
    thumbs.forEach(({ small }, n) => small.paint(arrays.grey.values, slice * plane, p => colourAt(p, n, slice)));
    draw();
  }
  el.append(html('div', { class: 'sk-row' }, play, stepSlider.node, sliceSlider.node), strip,
    html('div', { class: 'sk-row' }, big.node, html('div', {}, curveHolder, told)));
  drawAll();
}
