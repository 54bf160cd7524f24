// The ROC of a cohort with a threshold to move: what it gives, who changes sides, and a click that opens a case.
function rocPlot(model, el) {
  const { cases, truth, scores, corners, classes, threshold: first, links, auc } = model.get('data');
  let threshold = first;
  const low = Math.min(...scores, first), high = Math.max(...scores, first);
  const margin = 0.03 * (high - low || 1);
  const rocHolder = html('div'), stripHolder = html('div');
  const facts = html('div', { class: 'sk-facts' });
  const moved = html('div', { class: 'sk-list' });
  const slider = range('threshold', low - margin, high + margin, (high - low) / 500 || 0.01, first, move);

  function move(value) {
    threshold = Math.max(low - margin, Math.min(high + margin, value));
    slider.set(threshold);
    draw();
    const sides = changed().map(n => cases[n]);
    model.set('state', { ...counts(threshold), threshold, changed: sides });
    model.save_changes();
  }
  const changed = () => cases.map((_, n) => n).filter(n => (scores[n] >= threshold) !== (scores[n] >= first));

  function counts(at) {
    const made = { true_positive: 0, false_positive: 0, true_negative: 0, false_negative: 0 };
    scores.forEach((score, n) => {
      const called = score >= at;
      made[`${called === truth[n] ? 'true' : 'false'}_${called ? 'positive' : 'negative'}`]++;
    });
    made.sensitivity = made.true_positive / (made.true_positive + made.false_negative);
    made.specificity = made.true_negative / (made.true_negative + made.false_positive);
    return made;
  }

  function open(n) {
    model.send({ open: cases[n] });
    if (links[n]) window.open(links[n], '_blank', 'noopener');
  }

  function drawRoc(now) {
    const plot = frame({ x: [0, 1], y: [0, 1], width: 280, height: 290, xLabel: '1 − specificity', yLabel: 'sensitivity',
      title: `AUC ${auc.toFixed(3)}` });
    plot.inner.append(
      path(plot, [0, 1], [0, 1], { stroke: 'currentColor', opacity: 0.3, 'stroke-dasharray': '3 3' }),
      path(plot, corners.falsePositive, corners.truePositive, { stroke: BLUE }),
      svg('circle', { cx: plot.X(1 - now.specificity), cy: plot.Y(now.sensitivity), r: 6, fill: ROSE, class: 'sk-point' }),
    );
    onDrag(plot, (x, y) => {
      let best = 0, nearest = Infinity;
      corners.threshold.forEach((value, n) => {
        const far = (corners.falsePositive[n] - x) ** 2 + (corners.truePositive[n] - y) ** 2;
        if (far < nearest && Number.isFinite(value)) { nearest = far; best = value; }
      });
      move(best);
    });
    rocHolder.replaceChildren(plot.node);
  }

  function drawStrip() {
    const plot = frame({ x: [low - margin, high + margin], y: [-0.6, 1.6], width: 370, height: 290, yTicks: false,
      xLabel: `score; at or above the line: ${classes[1]}`, title: 'one dot per case; click opens it' });
    [0, 1].forEach(k => plot.inner.append(
      svg('text', { x: plot.left + 2, y: plot.Y(k + 0.42), class: 'sk-title' }, `${classes[k]}`)));
    onDrag(plot, x => move(x));
    plot.inner.append(
      svg('line', { x1: plot.X(first), x2: plot.X(first), y1: plot.top, y2: plot.bottom, stroke: 'currentColor',
        opacity: 0.35, 'stroke-dasharray': '4 3' }),
      svg('line', { x1: plot.X(threshold), x2: plot.X(threshold), y1: plot.top, y2: plot.bottom, stroke: ROSE,
        'stroke-width': 2 }),
    );
    cases.forEach((name, n) => {
      const wrong = (scores[n] >= threshold) !== truth[n];
      const jitter = (((n * 0.618034) % 1) - 0.5) * 0.55;
      const dot = svg('circle', { cx: plot.X(scores[n]), cy: plot.Y((truth[n] ? 1 : 0) + jitter), r: 4.5, class: 'sk-case',
        'data-case': name, fill: wrong ? 'none' : truth[n] ? ROSE : BLUE, stroke: truth[n] ? ROSE : BLUE, 'stroke-width': 1.8 });
      dot.append(svg('title', {}, `${name}: ${short(scores[n])}, is ${classes[truth[n] ? 1 : 0]}`));
      dot.addEventListener('pointerdown', event => event.stopPropagation());
      dot.addEventListener('click', () => open(n));
      plot.inner.append(dot);
    });
    stripHolder.replaceChildren(plot.node);
  }

  function draw() {
    const now = counts(threshold);
    drawRoc(now);
    drawStrip();
    const percent = v => (Number.isFinite(v) ? `${(100 * v).toFixed(1)} %` : 'undefined');
    const row = (words, value) => html('tr', {}, html('td', {}, words), html('td', {}, value));
    facts.replaceChildren(html('table', {},
      row('sensitivity', percent(now.sensitivity)), row('specificity', percent(now.specificity)),
      row(`${classes[1]}: right / missed`, `${now.true_positive} / ${now.false_negative}`),
      row(`${classes[0]}: right / false alarm`, `${now.true_negative} / ${now.false_positive}`)));
    const sides = changed();
    moved.replaceChildren(html('b', {}, sides.length
      ? `${sides.length} change sides against ${short(first)}:` : `No case changes sides against ${short(first)}.`));
    for (const n of sides.slice(0, 40)) {
      const better = (scores[n] >= threshold) === truth[n];
      moved.append(html('button', { onclick: () => open(n), title: 'open the case' },
        `${cases[n]} → ${scores[n] >= threshold ? classes[1] : classes[0]} ${better ? '✓' : '✗'}`));
    }
    if (sides.length > 40) moved.append(`and ${sides.length - 40} more`);
  }

  el.append(html('div', { class: 'sk-row' }, slider.node,
    html('button', { onclick: () => move(first) }, 'back to the first threshold')),
  html('div', { class: 'sk-row' }, rocHolder, stripHolder, html('div', { class: 'sk-side' }, facts, moved)));
  draw();
}
