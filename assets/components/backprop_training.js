// A network of thirteen numbers learns four points. Python has sent every number of every step; this
// plays a step as three phases: forward (solid, green), backward (dashed, red), update (the table).

const mounted = new WeakMap();
const PHASES = ["forward", "loss", "backward", "update"];
const PACES = { slow: 1100, faster: 250, fast: 60 };
const fixed = (v, digits = 3) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");
const [WIDE, TALL] = [450, 290];
const PLACE = { x: [45, 90], y: [45, 200], h1: [185, 50], h2: [185, 145], h3: [185, 240], out: [325, 145] };

const nodeNames = ["x", "y", "h1", "h2", "h3", "out"];

/** The two ends of a weight by its name, "h1 ← x"; a bias has one. */
function ends(label) {
  const [to, from] = label.split(" ← ");
  return from ? [from, to] : null;
}

function build(m) {
  const { names, points } = m.data;
  m.root.innerHTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">Next phase</button>
      <button type="button" class="whole">Next step</button><button type="button" class="reset">Back to the start</button>
      <label>Pace <select class="pace">${Object.keys(PACES).map((p) => `<option>${p}</option>`).join("")}</select></label></div>
    <input type="range" class="at" min="0" max="${m.data.steps * PHASES.length - 1}" step="1" aria-label="Phase of the training">
    <div class="board"><div><svg viewBox="0 0 ${WIDE} ${TALL}" role="img" aria-label="The network: two inputs, three hidden neurons, one output">
      ${names.map((label, i) => (ends(label) ? `<path data-weight="${i}" d="M${PLACE[ends(label)[0]]}L${PLACE[ends(label)[1]]}"/>` : "")).join("")}
      ${nodeNames.map((id) => `<g data-node="${id}" transform="translate(${PLACE[id]})"><circle r="35"/><text class="name" y="-9">${id}</text><text class="out" y="8"></text><text class="blame" y="22"></text></g>`).join("")}
      <g transform="translate(408,145)"><text class="name" y="-30">wanted</text><text class="target" y="-10"></text><text class="name" y="20">loss</text><text class="loss" y="40"></text></g></svg>
      <div class="points" role="group" aria-label="The point that is shown">${points.map(([x, y, t], i) => `<button type="button" data-point="${i}">(${x}, ${y}) → ${t}</button>`).join("")}</div></div>
      <div><svg class="curve" viewBox="0 0 300 90" preserveAspectRatio="none" aria-hidden="true"><path/><line y1="0" y2="90"/></svg><p class="quiet">The loss of all four points.</p>
      <p class="say" role="status"></p></div></div>
    <table><thead><tr><th scope="col">number</th><th scope="col">value</th><th scope="col">gradient</th><th scope="col">m</th><th scope="col">v</th><th scope="col">new value</th></tr></thead>
      <tbody>${names.map((label, i) => `<tr data-row="${i}"><th scope="row"><button type="button">${label}</button></th><td class="before"></td><td class="g"></td><td class="m"></td><td class="v"></td><td class="after"></td></tr>`).join("")}</tbody></table>
    <p class="rule"></p>`;
  const go = (at) => { stop(m); m.at = Math.min(m.last, Math.max(0, at)); show(m); };
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".step").onclick = () => go(m.at + 1);
  m.$(".whole").onclick = () => go((Math.floor(m.at / 4) + 1) * 4 + 3);
  m.$(".reset").onclick = () => go(0);
  m.$(".at").oninput = (event) => go(Number(event.target.value));
  m.root.querySelectorAll("[data-point]").forEach((b) => { b.onclick = () => { m.point = Number(b.dataset.point); show(m); }; });
  m.root.querySelectorAll("[data-row]").forEach((row) => {
    const look = () => { m.look = Number(row.dataset.row); show(m); };
    row.onpointerenter = row.querySelector("button").onfocus = row.querySelector("button").onclick = look;
  });
}

function stop(m) {
  clearTimeout(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.last) m.at = 0;
  const next = () => {
    const fast = m.$(".pace").value === "fast" || reducedMotion();
    m.at = Math.min(m.last, fast ? (Math.floor(m.at / 4) + 1) * 4 + 3 : m.at + 1);
    m.timer = m.at < m.last ? setTimeout(next, PACES[m.$(".pace").value]) : 0;
    show(m);
  };
  m.timer = setTimeout(next, 30);
}

function show(m) {
  const { data } = m;
  const step = Math.floor(m.at / 4), phase = PHASES[m.at % 4];
  const count = data.names.length, wide = data.hidden + 1;
  const cell = (which, i) => m.table[(step * 5 + which) * count + i];
  const neuron = (which, j) => m.neurons[((step * 2 + which) * 4 + m.point) * wide + j];
  const [x, y, target] = data.points[m.point];
  const reached = PHASES.indexOf(phase);
  nodeNames.forEach((id, k) => {
    const g = m.$(`[data-node="${id}"]`);
    g.querySelector(".out").textContent = k < 2 ? [x, y][k] : fixed(neuron(0, k - 2));
    g.querySelector(".blame").textContent = k >= 2 && reached >= 2 ? `∂ ${fixed(neuron(1, k - 2))}` : "";
  });
  m.$("svg .target").textContent = target;
  m.$("svg .loss").textContent = reached >= 1 ? fixed(data.losses[step]) : "";
  m.root.querySelectorAll("[data-weight]").forEach((edge) => {
    const i = Number(edge.dataset.weight);
    const v = reached === 2 ? cell(1, i) * 6 : cell(reached === 3 ? 4 : 0, i);
    edge.style.strokeWidth = 0.75 + Math.min(7, Math.abs(v) * 2);
    edge.setAttribute("class", reached === 2 ? "backward" : reached === 0 ? "forward" : v < 0 ? "minus" : "plus");
  });
  m.root.querySelectorAll("[data-row]").forEach((row) => {
    const i = Number(row.dataset.row);
    const put = (name, which, from) => { row.querySelector(`.${name}`).textContent = reached >= from ? fixed(cell(which, i), name === "v" ? 4 : 3) : ""; };
    put("before", 0, 0);
    put("g", 1, 2);
    put("m", 2, 3);
    put("v", 3, 3);
    put("after", 4, 3);
    row.classList.toggle("lit", m.look === i);
  });
  m.root.querySelectorAll("[data-point]").forEach((b, i) => b.setAttribute("aria-pressed", i === m.point));
  const saying = {
    forward: `<b class="green">Forward</b>: the point (${x}, ${y}) runs through; the network answers <b>${fixed(neuron(0, data.hidden))}</b>, wanted is ${target}.`,
    loss: `<b>Loss</b> of all four points: <b class="loss">${fixed(data.losses[step])}</b>.`,
    backward: `<b class="red">Backward</b>: every neuron gets its share of the blame (∂), every weight its gradient. Thick edges have large ones.`,
    update: `<b>Update</b>: Adam moves every number against its gradient.`,
  };
  m.$(".say").innerHTML = `Step <b>${step + 1}</b> of ${data.steps}. ${saying[phase]}`;
  rule(m, step, cell, reached);
  m.$(".curve line").setAttribute("x1", (step / (data.steps - 1)) * 300);
  m.$(".curve line").setAttribute("x2", (step / (data.steps - 1)) * 300);
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `step ${step + 1}, ${phase}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.$(".whole").disabled = m.at >= m.last;
}

function rule(m, step, cell, reached) {
  const { data, look } = m;
  const t = step + 1;
  const [before, g, first, second, after] = [0, 1, 2, 3, 4].map((k) => cell(k, look));
  const small = (v) => (Math.abs(v) < 0.001 && v !== 0 ? powerOfTen(v.toExponential(1)).replace("-", "−") : fixed(v, 4));
  const [mean, size] = [first / (1 - data.beta1 ** t), second / (1 - data.beta2 ** t)];
  m.$(".rule").innerHTML = reached < 3 ? `<b>${data.names[look]}</b>: its new value appears with the update.`
    : `<b>${data.names[look]}</b>: m / (1 − ${data.beta1}<sup>${t}</sup>) = ${small(mean)}, v / (1 − ${data.beta2}<sup>${t}</sup>) = ${small(size)}, so ${fixed(before, 4)} − ${data.rate} · ${mean < 0 ? `(${small(mean)})` : small(mean)} / √${small(size)} = <b>${fixed(after, 4)}</b> <span class="quiet">(gradient ${small(g)})</span>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s), point: 1, look: 0, at: 0 };
    mounted.set(parentElement, m);
    build(m);
  }
  if (m.run !== data.run) {
    stop(m);
    Object.assign(m, { data, run: data.run, table: unpack(data.table), neurons: unpack(data.neurons), last: data.steps * 4 - 1, at: 0 });
    const most = Math.max(...data.losses);
    m.$(".curve path").setAttribute("d", data.losses.map((v, i) => `${i ? "L" : "M"}${(i / (data.steps - 1)) * 300},${88 - (v / most) * 84}`).join(""));
    show(m);
  }
  return () => {
    stop(m);
    mounted.delete(parentElement);
  };
}
