// One neuron, every number a handle: drag it sideways or use the arrow keys. The browser answers
// in the same frame; Python's own numbers take their place on release.

const mounted = new WeakMap();
const PLACES = {
  wide: { size: [720, 330], x: [[70, 60], [70, 165], [70, 270]], w: [[222, 109], [222, 165], [222, 221]], b: [395, 285], sum: [395, 165], bend: [530, 165], out: [655, 165] },
  narrow: { size: [360, 500], x: [[62, 50], [180, 50], [298, 50]], w: [[97, 118], [180, 118], [263, 118]], b: [310, 250], sum: [180, 250], bend: [180, 350], out: [180, 450] },
};
const BENDS = {
  sigmoid: (z) => 1 / (1 + Math.exp(-z)), relu: (z) => Math.max(0, z), tanh: Math.tanh, linear: (z) => z,
  gelu: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
};
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");
const brackets = (v) => (fixed(v).startsWith("−") ? `(${fixed(v)})` : fixed(v));
const DIGITS = "₁₂₃";

function handles(m) {
  return [...[0, 1, 2].map((i) => ["x", i]), ...[0, 1, 2].map((i) => ["w", i]), ["b", null]];
}

const read = (m, [name, i]) => (i === null ? m.values[name] : m.values[name][i]);
const title = (m, [name, i]) => (name === "b" ? "bias" : name === "x" ? `input ${m.data.inputs[i]}` : `weight of ${m.data.inputs[i]}`);

function write(m, [name, i], v) {
  const [low, high] = m.data.limits[name];
  const near = Number(Math.min(high, Math.max(low, v)).toFixed(2));
  m.values = { ...m.values, [name]: i === null ? near : m.values[name].map((old, k) => (k === i ? near : old)) };
  show(m);
}

/** Where the name of a handle stands: beside its edge, never on it. */
function spot(m, [name, i]) {
  if (name === "w") return m.narrow ? `x="${i < 2 ? 26 : -26}" y="-24"` : `x="-44" y="${i ? -9 : 22}" style="text-anchor:end"`;
  return `y="${name === "b" && !m.narrow ? 34 : -24}"`;
}

function handleHtml(m, handle, place) {
  const [name, i] = handle;
  const [low, high] = m.data.limits[name];
  const label = name === "b" ? "bias b" : name === "x" ? `${m.data.inputs[i]} x${DIGITS[i]}` : `w${DIGITS[i]}`;
  return `<g class="handle ${name}" data-handle="${name}${i ?? ""}" role="slider" tabindex="0" transform="translate(${place})"
    aria-label="${title(m, handle)}" aria-valuemin="${low}" aria-valuemax="${high}">
    <rect x="-40" y="-22" width="80" height="44" class="hold"/><rect x="-36" y="-17" width="72" height="34" rx="8"/>
    <text class="value" dy="5.5"></text><text class="label" ${spot(m, handle)}>${label}</text></g>`;
}

function layout(m) {
  const narrow = m.root.clientWidth < 600;
  if (m.narrow === narrow) return;
  m.narrow = narrow;
  const p = narrow ? PLACES.narrow : PLACES.wide;
  const edge = (from, to, id) => `<path data-edge="${id}" d="M${from}L${to}"/>`;
  m.$(".picture").innerHTML = `<svg viewBox="0 0 ${p.size.join(" ")}" role="group" aria-label="A neuron with three inputs">
    <g class="edges">${[0, 1, 2].map((i) => edge(p.x[i], p.sum, i)).join("")}${edge(p.b, p.sum, "b")}</g>
    <path class="plain" d="M${p.sum}L${p.bend}M${p.bend}L${p.out}"/>
    <g transform="translate(${p.sum})"><circle class="node" r="34"/><text class="sign" y="-8">Σ</text><text class="sum value" y="16"></text></g>
    <g transform="translate(${p.bend})"><rect class="node" x="-38" y="-30" width="76" height="60" rx="8"/><path class="bend"/><circle class="here" r="4.5"/></g>
    <g transform="translate(${p.out})"><circle class="node" r="38"/><circle class="glow" r="38"/><text class="out value" dy="6"></text></g>
    ${handles(m).map((h) => handleHtml(m, h, h[0] === "b" ? p.b : p[h[0]][h[1]])).join("")}</svg>`;
  handles(m).forEach((handle) => wire(m, handle));
}

function wire(m, handle) {
  const g = m.$(`[data-handle="${handle[0]}${handle[1] ?? ""}"]`);
  g.onpointerdown = (event) => {
    g.setPointerCapture(event.pointerId);
    g.focus();
    m.drag = { from: event.clientX, value: read(m, handle) };
  };
  const span = m.data.limits[handle[0]];
  g.onpointermove = (event) => {
    if (m.drag) write(m, handle, m.drag.value + ((event.clientX - m.drag.from) / 160) * (span[1] - span[0]) / 2);
  };
  g.onpointerup = g.onpointercancel = () => {
    m.drag = null;
    m.commit();
  };
  g.onkeydown = (event) => {
    const [low, high] = span;
    const to = { ArrowRight: 0.05, ArrowUp: 0.05, ArrowLeft: -0.05, ArrowDown: -0.05, PageUp: 0.5, PageDown: -0.5 }[event.key];
    const end = { Home: low, End: high }[event.key];
    if (to === undefined && end === undefined) return;
    event.preventDefault();
    write(m, handle, end ?? read(m, handle) + to);
    m.commit();
  };
}

/** The browser's own estimate, of the same form as Python's answer. */
function estimate({ x, w, b, activation }) {
  const products = w.map((v, i) => v * x[i]);
  const sum = products.reduce((a, v) => a + v, b);
  return { products, sum, output: BENDS[activation](sum) };
}

const same = (a, b) => JSON.stringify([a.x, a.w, a.b, a.activation]) === JSON.stringify([b.x, b.w, b.b, b.activation]);

function show(m) {
  const { values } = m;
  const known = same(values, m.data.answer.values);
  const now = known ? m.data.answer : estimate(values);
  m.root.dataset.from = known ? "python" : "browser";
  handles(m).forEach((handle) => {
    const g = m.$(`[data-handle="${handle[0]}${handle[1] ?? ""}"]`);
    const v = read(m, handle);
    g.querySelector(".value").textContent = fixed(v);
    g.setAttribute("aria-valuenow", v);
    g.setAttribute("aria-valuetext", `${title(m, handle)} ${v.toFixed(2)}`);
    const input = m.$(`[data-number="${handle[0]}${handle[1] ?? ""}"]`);
    if (m.root.getRootNode().activeElement !== input) input.value = v;
  });
  m.root.querySelectorAll("[data-edge]").forEach((edge) => {
    const v = edge.dataset.edge === "b" ? values.b : values.w[Number(edge.dataset.edge)];
    edge.setAttribute("class", v < 0 ? "minus" : "plus");
    edge.style.strokeWidth = 1 + Math.abs(v) * 2.2;
    edge.style.opacity = v === 0 ? 0.25 : 1;
  });
  m.$(".sum").textContent = fixed(now.sum);
  m.$(".out").textContent = fixed(now.output, 3);
  m.$(".glow").style.opacity = Math.min(0.8, Math.abs(now.output)) * 0.7;
  const bend = BENDS[values.activation];
  const point = (z) => [(z / 5) * 34, 22 - ((bend(z) - Math.min(0, bend(-5))) / (bend(5) - Math.min(0, bend(-5)))) * 44];
  m.$(".bend").setAttribute("d", Array.from({ length: 41 }, (_, i) => `${i ? "L" : "M"}${point(i / 4 - 5).map((v) => v.toFixed(1))}`).join(""));
  const [hx, hy] = point(Math.min(5, Math.max(-5, now.sum)));
  m.$(".here").setAttribute("cx", hx);
  m.$(".here").setAttribute("cy", hy);
  const name = m.data.activations[values.activation];
  const f = values.activation === "linear" ? "" : name;
  m.$(".formula").innerHTML = `${f}( ${values.w.map((w, i) => `${brackets(w)}·${fixed(values.x[i])}`).join(" + ")} + ${brackets(values.b)} )
    = ${f}( <b>${fixed(now.sum)}</b> ) = <b class="result">${fixed(now.output, 3)}</b>`;
  m.root.querySelectorAll("[data-bend]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.bend === values.activation));
  m.root.querySelectorAll("[data-preset]").forEach((b, i) => b.setAttribute("aria-pressed", same(m.data.presets[i].values, values)));
  m.$(".corners").innerHTML = Array.from({ length: 8 }, (_, i) => {
    const x = [(i >> 2) & 1, (i >> 1) & 1, i & 1];
    const out = estimate({ ...values, x }).output;
    return `<li><span>${x.join(" ")}</span><span class="track"><i style="width:${Math.min(1, Math.abs(out)) * 100}%" class="${out < 0 ? "minus" : "plus"}"></i></span><span>${fixed(out)}</span></li>`;
  }).join("");
}

function build(m) {
  const { data } = m;
  m.root.innerHTML = `<div class="presets" role="group" aria-label="Neurons to try">
      ${data.presets.map((p, i) => `<button type="button" data-preset="${i}">${escapeHtml(p.name)}</button>`).join("")}</div>
    <div class="picture"></div><p class="formula" role="status"></p>
    <div class="bends" role="group" aria-label="Activation"><span>Activation</span>
      ${Object.entries(data.activations).map(([id, name]) => `<button type="button" data-bend="${id}">${name}</button>`).join("")}</div>
    <details><summary>Type the numbers</summary><div class="numbers">
      ${handles(m).map(([name, i]) => `<label>${title(m, [name, i])} <input type="number" step="0.05" min="${data.limits[name][0]}" max="${data.limits[name][1]}" data-number="${name}${i ?? ""}"></label>`).join("")}</div></details>
    <details><summary>All eight corners: each input off (0) or on (1)</summary><ol class="corners"></ol></details>`;
  handles(m).forEach((handle) => {
    m.$(`[data-number="${handle[0]}${handle[1] ?? ""}"]`).onchange = (event) => {
      if (event.target.value !== "" && Number.isFinite(Number(event.target.value))) write(m, handle, Number(event.target.value));
      event.target.value = read(m, handle);
      m.commit();
    };
  });
  const set = (values) => { m.values = { ...m.values, ...values }; show(m); m.commit(); };
  m.root.querySelectorAll("[data-preset]").forEach((b, i) => { b.onclick = () => set(m.data.presets[i].values); });
  m.root.querySelectorAll("[data-bend]").forEach((b) => { b.onclick = () => set({ activation: b.dataset.bend }); });
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    m.commit = debounce(() => m.send("values", m.values), 90);
    build(m);
    m.observer = new ResizeObserver(() => { layout(m); show(m); });
  }
  m.data = data;
  m.send = setStateValue;
  if (m.rev !== data.rev) {
    m.rev = data.rev;
    m.values = data.initial.values;
  }
  layout(m);
  show(m);
  m.observer.observe(root);
  return () => {
    m.commit.cancel();
    m.observer.disconnect();
    mounted.delete(parentElement);
  };
}
