// Features phase by phase: search the list, see the curve, read values under the mouse.
function featuresPlot(model, el) {
  const { times, features, nBaseline } = model.get('data');
  let chosen = 0, listed = features.map((_, n) => n);
  const search = html('input', { type: 'search', placeholder: 'find a feature', 'aria-label': 'find a feature' });
  const list = html('select', { size: 12, 'aria-label': 'feature', class: 'sk-features' });
  const holder = html('div'), told = html('div', { class: 'sk-told' });
  search.addEventListener('input', () => {
    const words = search.value.toLowerCase().split(/\s+/);
    listed = features.map((_, n) => n).filter(n => words.every(w => features[n].name.toLowerCase().includes(w)));
    fill();
    if (listed.length) choose(listed[0]);
  });
  list.addEventListener('change', () => choose(Number(list.value)));

  function fill() {
    list.replaceChildren(...listed.map(n => html('option', { value: n }, features[n].name)));
    list.value = String(chosen);
  }
  function choose(n) {
    chosen = n;
    list.value = String(n);
    draw();
    model.set('state', { feature: features[n].name });
    model.save_changes();
  }
  function draw() {
    const { name, values } = features[chosen];
    const defined = values.filter(Number.isFinite);
    let [low, high] = defined.length ? [Math.min(...defined), Math.max(...defined)] : [0, 1];
    if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
    const pad = 0.08 * (high - low);
    const plot = frame({ x: [times[0], times.at(-1)], y: [low - pad, high + pad], width: 560, height: 280,
      xLabel: 'time after the first phase, s', title: name });
    plot.inner.append(svg('rect', { x: plot.left, width: Math.max(2, plot.X(times[nBaseline - 1]) - plot.left), y: plot.top,
      height: plot.bottom - plot.top, fill: 'currentColor', opacity: 0.08 }), path(plot, times, values, { stroke: BLUE }));
    const dots = times.map((t, n) => {
      if (!Number.isFinite(values[n])) return null;
      const dot = svg('circle', { cx: plot.X(t), cy: plot.Y(values[n]), r: 3.5, fill: BLUE });
      plot.inner.append(dot);
      return dot;
    });
    plot.node.addEventListener('pointermove', event => {
      const box = plot.node.getBoundingClientRect();
      const at = plot.X.back(((event.clientX - box.left) * plot.width) / box.width);
      let best = 0;
      times.forEach((t, n) => { if (Math.abs(t - at) < Math.abs(times[best] - at)) best = n; });
      dots.forEach((dot, n) => dot?.setAttribute('r', n === best ? 6 : 3.5));
      told.textContent = `phase ${best}, ${short(times[best])} s: ${short(values[best])}`;
    });
    told.textContent = defined.length ? 'Move the mouse over the curve.' : 'The feature is undefined at every phase.';
    holder.replaceChildren(plot.node);
  }
  el.append(html('div', { class: 'sk-row' }, html('div', { class: 'sk-finder' }, search, list), html('div', {}, holder, told)));
  fill();
  draw();
}
