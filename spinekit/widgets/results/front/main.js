const PLOTS = { map: mapPlot, roc: rocPlot, film: filmPlot, pair: pairPlot, features: featuresPlot, probability: probabilityPlot };

function render({ model, el }) {
  el.classList.add('sk-result');
  const { simulated, heading } = model.get('data');
  if (simulated) el.append(html('div', { class: 'sk-simulated' }, 'SIMULATED – no patient; not a clinical result'));
  if (heading) el.append(html('div', { class: 'sk-heading' }, heading));
  PLOTS[model.get('kind')](model, el);
}
export default { render };
