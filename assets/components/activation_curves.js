// Six activations over one z. Python has sent every value and every slope; the browser only looks
// them up. Hover or drag in the picture, move the slider, or type z.

const mounted = new WeakMap();
const [WIDE, TALL, LOW] = [560, 300, 170];
const DASHES = { relu: "", leaky_relu: "10 4", sigmoid: "2 4", tanh: "6 3 2 3", gelu: "14 4 3 4", silu: "4 4" };
const fixed = (v, digits = 3) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");

const across = (m, z) => ((z / m.data.edge + 1) / 2) * WIDE;
const up = (v) => TALL - ((v + 1.4) / 6.4) * TALL;
const steep = (v) => LOW - ((v + 0.2) / 1.45) * LOW;

function path(m, values, i, y) {
  const n = m.z.length;
  let d = "";
  for (let k = 0; k < n; k += 4) d += `${k ? "L" : "M"}${across(m, m.z[k]).toFixed(1)},${y(values[i * n + k]).toFixed(1)}`;
  return d;
}

function axes(m, tall, y, marks) {
  return `<path class="axis" d="M0,${y(0)}H${WIDE}M${across(m, 0)},0V${tall}"/>${marks.map((v) => `<text x="${across(m, 0) + 6}" y="${y(v) + 5}">${fixed(v, v % 1 ? 2 : 0)}</text>`).join("")}`;
}

function build(m) {
  const { names } = m.data;
  const lines = (values, y) => names.map(([id], i) => `<path class="curve" data-curve="${id}" stroke-dasharray="${DASHES[id]}" d="${path(m, values, i, y)}"/>`).join("");
  m.root.innerHTML = `<div class="board"><div class="plots">
      <p class="quiet">What comes out</p>
      <svg class="plot" viewBox="0 0 ${WIDE} ${TALL}" aria-hidden="true">${axes(m, TALL, up, [4, 2, 1, -1])}${lines(m.values, up)}<path class="cross"/><circle r="6" class="dot"/></svg>
      <p class="quiet">Its slope: how much a nudge of z changes what comes out</p>
      <svg class="plot" viewBox="0 0 ${WIDE} ${LOW}" aria-hidden="true">${axes(m, LOW, steep, [1, 0.5, 0.25])}${lines(m.slopes, steep)}<path class="cross"/><circle r="6" class="dot"/></svg>
      <div class="aim"><label for="z">z</label><input type="range" id="z" class="slide" min="${-m.data.edge}" max="${m.data.edge}" step="${m.data.step}">
        <input type="number" class="type" aria-label="z, as a number" min="${-m.data.edge}" max="${m.data.edge}" step="0.1"></div></div>
    <div><table><thead><tr><th scope="col">Activation</th><th scope="col">out</th><th scope="col">slope</th></tr></thead><tbody>
      ${names.map(([id, shown]) => `<tr data-row="${id}"><th scope="row"><button type="button"><svg viewBox="0 0 34 8" aria-hidden="true"><path d="M0,4H34" stroke-dasharray="${DASHES[id]}"/></svg>${shown}</button></th><td class="out"></td><td class="slope"></td></tr>`).join("")}
      </tbody></table><p class="formula"></p></div></div>`;
  m.root.querySelectorAll(".plot").forEach((plot) => {
    const aim = (event) => {
      const box = plot.getBoundingClientRect();
      go(m, (((event.clientX - box.left) / box.width) * 2 - 1) * m.data.edge);
    };
    plot.onpointermove = (event) => { if (event.pointerType === "mouse" || event.buttons) aim(event); };
    plot.onpointerdown = aim;
  });
  m.$(".slide").oninput = (event) => go(m, Number(event.target.value));
  m.$(".type").onchange = (event) => {
    if (event.target.value !== "" && Number.isFinite(Number(event.target.value))) go(m, Number(event.target.value));
    event.target.value = m.at.z;
  };
  m.root.querySelectorAll("[data-row]").forEach((row) => {
    const pick = () => { m.at = { ...m.at, name: row.dataset.row }; show(m); m.commit(); };
    row.onpointerenter = pick;
    row.querySelector("button").onclick = row.querySelector("button").onfocus = pick;
  });
}

function go(m, z) {
  const near = Math.round(Math.min(m.data.edge, Math.max(-m.data.edge, z)) / m.data.step) * m.data.step;
  m.at = { ...m.at, z: Number(near.toFixed(2)) };
  show(m);
  m.commit();
}

function show(m) {
  const { names, edge, step } = m.data;
  const k = Math.round((m.at.z + edge) / step);
  const n = m.z.length;
  names.forEach(([id, , formula], i) => {
    const [out, slope] = [m.values[i * n + k], m.slopes[i * n + k]];
    const row = m.$(`[data-row="${id}"]`);
    row.querySelector(".out").textContent = fixed(out);
    row.querySelector(".slope").textContent = fixed(slope);
    const mine = id === m.at.name;
    row.classList.toggle("lit", mine);
    row.querySelector("button").setAttribute("aria-pressed", mine);
    m.root.querySelectorAll(`[data-curve="${id}"]`).forEach((curve) => curve.classList.toggle("lit", mine));
    if (!mine) return;
    m.$(".formula").textContent = `${names[i][1]}: ${formula}`;
    const x = across(m, m.at.z);
    m.root.querySelectorAll(".dot").forEach((dot, which) => {
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", which ? steep(slope) : up(out));
    });
    m.root.querySelectorAll(".cross").forEach((cross) => cross.setAttribute("d", `M${x},0V${TALL}`));
  });
  m.$(".slide").value = m.at.z;
  m.$(".slide").setAttribute("aria-valuetext", `z ${m.at.z.toFixed(2)}`);
  if (m.root.getRootNode().activeElement !== m.$(".type")) m.$(".type").value = m.at.z;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s), z: unpack(data.z), values: unpack(data.values), slopes: unpack(data.slopes), at: data.initial.at };
    mounted.set(parentElement, m);
    m.commit = debounce(() => m.send("at", m.at), 250);
    build(m);
  }
  m.data = data;
  m.send = setStateValue;
  show(m);
  return () => {
    m.commit.cancel();
    mounted.delete(parentElement);
  };
}
