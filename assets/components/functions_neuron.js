// One neuron and its knobs. The browser adds up while a knob turns ("≈"); on release Python
// answers, and its numbers stand there ("=").

const mounted = new WeakMap();
const fixed = (v, digits = 2) => v.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
const doubles = (packed) => new Float64Array(unpack(packed).buffer);
const SUB = ["₁", "₂", "₃"];

/** z and the output as far as the browser knows: the output is read off Python's own curve. */
function estimate(at, data, curves) {
  const products = at.w.map((w, i) => w * at.x[i]);
  const z = products.reduce((a, b) => a + b, at.b);
  const curve = curves[at.activation];
  const place = Math.min(curve.length - 1.001, Math.max(0, (z - data.low) / data.step));
  const i = Math.floor(place);
  return { products, z, out: curve[i] + (curve[i + 1] - curve[i]) * (place - i) };
}

function diagram(at, now, W) {
  const H = 200;
  const [left, middle, right] = [44, W * 0.6, W - 46];
  const ys = [34, 100, 166];
  const edges = at.w.map((w, i) => {
    const [mx, my] = [left + 0.36 * (middle - left), ys[i] + 0.36 * (100 - ys[i])];
    const width = (0.75 + 2.6 * Math.abs(w)).toFixed(2);
    return `<line class="edge${w < 0 ? " negative" : ""}" x1="${left + 22}" y1="${ys[i]}"
        x2="${middle - 30}" y2="100" stroke-width="${width}"/>
      <text class="weight${w < 0 ? " negative" : ""}" x="${mx}" y="${my - 8}">${fixed(w, 1)}</text>`;
  }).join("");
  const inputs = at.x.map((x, i) => `<circle class="node" cx="${left}" cy="${ys[i]}" r="22"/>
    <text x="${left}" y="${ys[i] + 5}">${fixed(x, 1)}</text>`).join("");
  return `<svg viewBox="0 0 ${W} ${H}" style="height:${H}px" aria-hidden="true">${edges}${inputs}
    <line class="edge" x1="${middle + 30}" x2="${right - 32}" y1="100" y2="100" stroke-width="2"/>
    <circle class="node body" cx="${middle}" cy="100" r="32"/>
      <text x="${middle}" y="96">Σ ${fixed(now.z)}</text>
        <text class="small" x="${middle}" y="113">${at.activation}</text>
    <circle class="node out" cx="${right}" cy="100" r="32"/>
      <text class="result" x="${right}" y="105">${fixed(now.out, 3)}</text>
    <text class="small" x="${middle}" y="156">bias ${fixed(at.b, 1)}</text></svg>`;
}

function curveSvg(at, now, data, curve, W) {
  const H = 200;
  const [low, high] = [Math.min(...curve), Math.max(...curve)];
  const X = (z) => 30 + ((z - data.low) / (data.high - data.low)) * (W - 40);
  const Y = (v) => H - 26 - ((v - low) / (high - low)) * (H - 44);
  const d = Array.from(curve, (v, i) => `${X(data.low + i * data.step).toFixed(1)} ${Y(v).toFixed(1)}`).join("L");
  const z = Math.min(data.high, Math.max(data.low, now.z));
  const out = Math.min(high, Math.max(low, now.out));
  return `<svg viewBox="0 0 ${W} ${H}" style="height:${H}px" aria-hidden="true">
    <line class="axis" x1="30" x2="${W - 10}" y1="${Y(0)}" y2="${Y(0)}"/>
      <line class="axis" x1="${X(0)}" x2="${X(0)}" y1="12" y2="${H - 20}"/>
    <path class="curve" d="M${d}"/><path class="cross" d="M${X(z)} ${H - 20}V${Y(out)}H30"/>
      <circle class="dot" cx="${X(z)}" cy="${Y(out)}" r="6"/>
    <text class="small" x="${X(z)}" y="${H - 6}">z = ${fixed(now.z)}</text></svg>`;
}

function page(data) {
  const knob = (part, i, label, most) => {
    const range = `data-part="${part}" data-i="${i}" min="${-most}" max="${most}" step="0.1"`;
    return `<label>${label} <input type="range" ${range}>
      <input type="number" ${range} aria-label="${label}, as a number" inputmode="decimal"></label>`;
  };
  const rows = [0, 1, 2].map((i) => `<div class="row">${knob("x", i, `input x${SUB[i]}`, 2)}
    ${knob("w", i, `weight w${SUB[i]}`, 3)}</div>`).join("");
  const kinds = Object.keys(data.curves).map((name) => `<button type="button" data-activation="${name}">${name}</button>`).join("");
  return `<div class="pictures"><div class="diagram"></div><div class="graph"></div></div><p class="words"></p>
    <div class="rows">${rows}<div class="row">${knob("b", 0, "bias b", 3)}
    <div class="kinds" role="group" aria-label="Activation">${kinds}</div></div></div>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, frame: 0 };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = page(data);
  const $ = (selector) => root.querySelector(selector);
  if (state.rev !== data.rev || !state.at) {
    state.rev = data.rev;
    state.at = structuredClone({ ...data.start, ...data.initial.at });
    state.sent = JSON.stringify(state.at);
  }
  state.curves ??= Object.fromEntries(Object.entries(data.curves).map(([name, p]) => [name, doubles(p)]));

  const commit = () => {
    const now = JSON.stringify(state.at);
    if (now === state.sent) return;
    state.sent = now;
    setStateValue("at", JSON.parse(now));
  };
  state.later?.cancel();
  state.later = debounce(commit, 120);

  function draw() {
    state.frame = 0;
    const width = root.clientWidth;
    if (!width) return;
    const { at } = state;
    const exact = JSON.stringify(at) === JSON.stringify(data.answer.at);
    const now = exact ? data.answer : estimate(at, data, state.curves);
    const wide = width > 560;
    $(".diagram").innerHTML = diagram(at, now, wide ? width * 0.56 : width);
    $(".graph").innerHTML = curveSvg(at, now, data, state.curves[at.activation], wide ? width * 0.4 : width);
    const bracket = (v) => (v < 0 ? `(${fixed(v, 1)})` : fixed(v, 1));
    const sum = at.w.map((w, i) => `${bracket(w)} · ${bracket(at.x[i])}`).join(" + ");
    const is = exact ? "=" : "≈";
    $(".words").innerHTML = `z = ${sum} + ${bracket(at.b)} ${is} <b>${fixed(now.z)}</b>,
      output = ${at.activation}(${fixed(now.z)}) ${is} <b class="out">${fixed(now.out, 4)}</b>`;
    for (const input of root.querySelectorAll("[data-part]")) {
      const { part, i } = input.dataset;
      const value = part === "b" ? at.b : at[part][i];
      if (root.getRootNode().activeElement !== input || input.type === "range") input.value = value;
    }
    root.querySelectorAll("[data-activation]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.activation === at.activation));
  }
  const redraw = () => (state.frame ||= requestAnimationFrame(draw));
  const adopt = (input) => {
    const value = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(value)) return;
    const bounded = Math.min(Number(input.max), Math.max(Number(input.min), value));
    const { part, i } = input.dataset;
    if (part === "b") state.at.b = bounded;
    else state.at[part][i] = bounded;
    redraw();
  };
  for (const input of root.querySelectorAll("[data-part]")) {
    input.oninput = () => {
      adopt(input);
      if (input.type === "number") state.later();
    };
    input.onchange = () => {
      adopt(input);
      state.later.cancel();
      commit();
    };
  }
  root.querySelectorAll("[data-activation]").forEach((button) => {
    button.onclick = () => {
      state.at.activation = button.dataset.activation;
      redraw();
      commit();
    };
  });
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(redraw);
  state.sizes.observe(root);
  draw();
  return () => {
    state.later.cancel();
    cancelAnimationFrame(state.frame);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
