// The probability of a case among the calibration cases: move a threshold, read how many of each class lie beyond it.
function probabilityPlot(model, el) {
  const { classes, probability, interval, reference, words } = model.get('data');
  let threshold = 0.5;
  const holder = html('div'), told = html('div', { class: 'sk-told' });
  const colours = [BLUE, ROSE];
  const slider = range('threshold', 0, 1, 0.01, threshold, n => { threshold = n; draw(); });
  function draw() {
    const bins = reference.map(values => {
      const counts = new Array(20).fill(0);
      values.forEach(v => counts[Math.min(19, Math.floor(v * 20))]++);
      return counts;
    });
    const most = Math.max(1, ...bins.flat());
    const plot = frame({ x: [0, 1], y: [-1.1, 1.45], yTicks: false, width: 640, height: 290, xLabel: `probability of ${classes[1]}` });
    const width = (plot.right - plot.left) / 20 - 1;
    bins.forEach((counts, k) => counts.forEach((count, n) => {
      const size = count / most;
      const [top, bottom] = k ? [plot.Y(size), plot.Y(0)] : [plot.Y(0), plot.Y(-size)];
      const bar = svg('rect', { x: plot.X(n / 20), width, y: top, height: bottom - top, fill: colours[k],
        opacity: n / 20 >= threshold - 1e-9 ? 0.9 : 0.4 });
      bar.append(svg('title', {}, `${count} of ${reference[k].length} ${classes[k]} cases from ${n / 20} to ${(n + 1) / 20}`));
      plot.inner.append(bar);
    }));
    plot.inner.append(svg('line', { x1: plot.X(threshold), x2: plot.X(threshold), y1: plot.top, y2: plot.bottom,
      stroke: 'currentColor', 'stroke-dasharray': '4 3' }));
    if (Number.isFinite(probability)) {
      plot.inner.append(
        svg('line', { x1: plot.X(interval[0]), x2: plot.X(interval[1]), y1: plot.Y(1.25), y2: plot.Y(1.25), stroke: 'currentColor',
          'stroke-width': 5, opacity: 0.35, 'stroke-linecap': 'round' }),
        svg('circle', { cx: plot.X(probability), cy: plot.Y(1.25), r: 6, fill: 'currentColor' }),
        svg('text', { x: plot.X(probability), y: plot.Y(1.36), 'text-anchor': 'middle', class: 'sk-title' },
          `this case ${probability.toFixed(2)} (${interval.map(v => v.toFixed(2)).join('–')})`));
    }
    onDrag(plot, x => { threshold = Math.max(0, Math.min(1, x)); slider.set(threshold); draw();
      model.set('state', { threshold }); model.save_changes(); });
    holder.replaceChildren(plot.node);
    told.textContent = classes.map((name, k) => {
      const beyond = reference[k].filter(v => v >= threshold).length;
      return `${beyond} of ${reference[k].length} ${name} cases at or above ${short(threshold)}`;
    }).join('; ') + (Number.isFinite(probability) ? `; this case ${probability >= threshold ? 'too' : 'not'}.` : '.');
  }
  el.append(html('div', { class: 'sk-row' }, slider.node), holder, told, html('div', { class: 'sk-told' }, words));
  draw();
}
