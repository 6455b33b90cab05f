// A deep network while it trains: for each layer how large its gradient is, how strong the signal
// it passes on, and how many of its units are dead. Python has measured every frame.

const mounted = new WeakMap();
const ROWS = [["gradient", "Gradient of its weights", 1, "bars from 10<sup>−12</sup> to 10<sup>2</sup>, each power of ten as high as the next"],
  ["signal", "Signal it passes on", 0, "the same scale"], ["dead", "Dead units", 2, "share of the layer, full height is all"]];
const [HIGH, LOW] = [2, -12]; // powers of ten that the bars cover
const PACE = 10; // frames a second
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");

function power(v) {
  if (v === 0) return "0";
  const p = Math.floor(Math.log10(v));
  return p >= -2 && p <= 3 ? v.toPrecision(2).replace(/e.*/, "") : `${fixed(v / 10 ** p, 1)}·10<sup>${fixed(p, 0)}</sup>`;
}

function build(m) {
  m.root.innerHTML = `<div class="bar"><button type="button" class="play">Train</button><button type="button" class="reset">Back to the start</button><span class="where"></span></div>
    <input type="range" class="at" min="0" step="1" aria-label="Step of the training"><p class="say"></p>
    <div class="table"></div><p class="say told" role="status"></p>`;
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
  m.$(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function play(m) {
  const first = m.at >= m.last ? 0 : m.at;
  let from = null;
  const tick = (now) => {
    from ??= now;
    m.at = reducedMotion() ? m.last : Math.min(m.last, first + Math.floor(((now - from) / 1000) * PACE));
    m.timer = m.at < m.last ? requestAnimationFrame(tick) : 0;
    show(m);
  };
  m.timer = requestAnimationFrame(tick);
}

const value = (m, layer, which) => m.layers[(m.at * m.data.count + layer) * 3 + which];
const logShare = (v) => (v <= 0 ? 0 : Math.max(0.012, Math.min(1, (Math.log10(v) - LOW) / (HIGH - LOW))));

function columns(m) {
  const { count } = m.data;
  m.$(".table").innerHTML = ROWS.map(([id, title, , scale]) => `<div class="row ${id}"><p><b>${title}</b> <span class="quiet">${scale}</span></p><div class="bars">
    ${Array.from({ length: count }, (_, i) => `<button type="button" data-layer="${i}" data-kind="${id}"><i></i></button>`).join("")}</div></div>`).join("")
    + `<div class="feet">${Array.from({ length: count }, (_, i) => `<span>${i === count - 1 ? "out" : i + 1}</span>`).join("")}</div>`;
  m.root.querySelectorAll("[data-layer]").forEach((bar) => {
    bar.onpointerenter = bar.onfocus = bar.onclick = () => { m.look = Number(bar.dataset.layer); show(m); };
  });
}

function show(m) {
  const { data } = m;
  const out = data.count - 1;
  m.root.querySelectorAll("[data-layer]").forEach((bar) => {
    const layer = Number(bar.dataset.layer);
    const [id, title, which] = ROWS.find((row) => row[0] === bar.dataset.kind);
    const v = value(m, layer, which);
    bar.firstElementChild.style.height = `${100 * (id === "dead" ? v : logShare(v))}%`;
    bar.classList.toggle("lit", m.look === layer);
    bar.setAttribute("aria-label", `${layer === out ? "output" : `layer ${layer + 1}`}, ${title.toLowerCase()}: ${id === "dead" ? `${Math.round(100 * v)} percent` : v.toExponential(1)}`);
  });
  const [loss, right] = [m.scores[m.at * 2], m.scores[m.at * 2 + 1]];
  m.$(".where").textContent = `step ${data.steps[m.at]} of ${data.last}`;
  const fade = value(m, out, 1) / value(m, 0, 1);
  const words = Number.isFinite(fade) && fade > 0 ? (fade >= 1 ? `${power(fade)} times smaller than` : `${power(1 / fade)} times larger than`) : "nothing beside";
  m.$(".say").innerHTML = `<span class="loss">Loss <b>${fixed(loss, 3)}</b></span>, <b>${Math.round(100 * right)} %</b> right. The first layer's gradient is <b class="grad">${words}</b> the last layer's.`;
  const l = m.look ?? 0;
  const end = data.steps[m.last] < data.last && m.at === m.last ? " Then the numbers ran out of bounds." : "";
  m.$(".told").innerHTML = `${l === out ? "Output" : `Layer ${l + 1}`}: gradient <b class="grad">${power(value(m, l, 1))}</b>, signal <b>${power(value(m, l, 0))}</b>${l === out ? "" : `, <b>${Math.round(100 * value(m, l, 2))} %</b> of its units dead`}.${end}`;
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `${m.$(".where").textContent}, loss ${loss.toFixed(3)}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Train";
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
  }
  if (m.run !== data.run) {
    stop(m);
    Object.assign(m, { data, run: data.run, layers: unpack(data.layers), scores: unpack(data.scores), last: data.steps.length - 1, at: 0, look: 0 });
    m.$(".at").max = m.last;
    columns(m);
    show(m);
  }
  return () => {
    stop(m);
    mounted.delete(parentElement);
  };
}
