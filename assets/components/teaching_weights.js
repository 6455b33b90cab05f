// How much each side of "good" counts: sliders, and the models in the order that follows.

const mounted = new WeakMap();
const two = (v) => v.toFixed(2);

/** The weighted mean of a model's scores; null where every weight is 0. */
export function total(scores, weights) {
  const sum = Object.values(weights).reduce((a, b) => a + b, 0);
  return sum > 0 ? Object.entries(weights).reduce((all, [name, w]) => all + w * scores[name], 0) / sum : null;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root"), { models, names } = data;
  let state = mounted.get(parentElement);
  if (!state || state.rev !== data.rev) {
    state = { rev: data.rev, weights: { ...data.start, ...(data.initial.weights || {}) } };
    mounted.set(parentElement, state);
    root.innerHTML = `<div class="knobs">${names.map((name) => `<label><span>${name}</span><input type="range" min="0" max="1" step="0.05" data-name="${name}">
      <output></output></label>`).join("")}</div><div class="scroll"></div>`;
  }
  const table = root.querySelector(".scroll");
  function draw() {
    root.querySelectorAll("input").forEach((input) => {
      input.value = state.weights[input.dataset.name];
      input.parentElement.querySelector("output").textContent = two(state.weights[input.dataset.name]);
    });
    const ranked = models.map((m) => ({ ...m, total: total(m.scores, state.weights) })).sort((a, b) => b.total - a.total);
    if (ranked.some((m) => m.total === null)) {
      table.innerHTML = '<p class="quiet">With all weights at 0 nothing is good. Give one of them some weight.</p>';
      return;
    }
    table.innerHTML = ranked.map((m, i) => `<div class="model"><span class="rank">${i + 1}</span><span class="name">${escapeHtml(m.name)}</span>
      <span class="bar" aria-hidden="true"><i style="width:${100 * m.total}%"></i></span><b>${two(m.total)}</b>
      <span class="quiet each">${names.map((name) => `${name} ${two(m.scores[name])}`).join(" · ")}</span></div>`).join("");
  }
  root.querySelectorAll("input").forEach((input) => {
    input.oninput = () => { state.weights[input.dataset.name] = Number(input.value); draw(); };
    input.onchange = () => setStateValue("weights", { ...state.weights });
  });
  draw();
  return () => mounted.delete(parentElement);
}
