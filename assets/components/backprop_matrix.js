// One matrix product, forward and backward, cell by cell. Hover or focus a cell to see which row and
// column made it; Play walks through all of them.

const mounted = new WeakMap();
const fixed = (v) => String(Number(v.toFixed(3))).replace("-", "−");
const inside = (v) => (v < 0 ? `(${fixed(v)})` : fixed(v));
// Each product: its result, the two matrices, and whether they are turned over their diagonal.
const PRODUCTS = { y: ["x", false, "w", false], dw: ["x", true, "dy", false], dx: ["dy", false, "w", true] };
const TITLES = { x: "X", w: "W", y: "Y = X W", t: "wanted, T", dy: "∂Y = Y − T", dw: "∂W = Xᵀ ∂Y", dx: "∂X = ∂Y Wᵀ" };
const ORDER = ["y", "dy", "dw", "dx"];

function cells(m, id) {
  return m.data[id].flatMap((row, i) => row.map((_, j) => [id, i, j]));
}

function matrixHtml(m, id) {
  const made = ORDER.includes(id);
  return `<figure class="${id[0] === "d" ? "back" : ""}"><figcaption>${TITLES[id]}</figcaption><table><tbody>${m.data[id].map((row, i) => `<tr>${row.map((_, j) =>
    `<td>${made ? `<button type="button" data-cell="${id}.${i}.${j}"></button>` : `<span data-cell="${id}.${i}.${j}"></span>`}</td>`).join("")}</tr>`).join("")}</tbody></table></figure>`;
}

function build(m) {
  m.root.innerHTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">Next cell</button>
      <button type="button" class="all">All at once</button><button type="button" class="reset">Reset</button></div>
    <p class="say" role="status"></p>
    <p class="quiet">Forward</p><div class="line">${["x", "w", "y", "t"].map((id) => matrixHtml(m, id)).join("")}</div>
    <p class="quiet">Back</p><div class="line">${["dy", "dw", "dx"].map((id) => matrixHtml(m, id)).join("")}</div>`;
  const go = (at) => { stop(m); m.at = Math.min(m.walk.length, Math.max(0, at)); m.look = m.walk[m.at - 1]; show(m); };
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".step").onclick = () => go(m.at + 1);
  m.$(".all").onclick = () => go(m.walk.length);
  m.$(".reset").onclick = () => go(0);
  m.root.querySelectorAll("button[data-cell]").forEach((cell) => {
    const [id, i, j] = cell.dataset.cell.split(".");
    cell.onpointerenter = cell.onfocus = cell.onclick = () => {
      const here = [id, Number(i), Number(j)];
      if (m.walk.findIndex((c) => c.join() === here.join()) < m.at) { m.look = here; show(m); }
    };
  });
}

function stop(m) {
  clearTimeout(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.walk.length) m.at = 0;
  const next = () => {
    m.at += 1;
    m.look = m.walk[m.at - 1];
    m.timer = m.at < m.walk.length ? setTimeout(next, reducedMotion() ? 0 : 850) : 0;
    show(m);
  };
  m.timer = setTimeout(next, 50);
}

/** The cells that a cell is made of, in pairs. */
function pairs(m, [id, i, j]) {
  const [a, turnA, b, turnB] = PRODUCTS[id];
  const count = turnA ? m.data[a].length : m.data[a][0].length;
  return Array.from({ length: count }, (_, k) => [turnA ? [a, k, i] : [a, i, k], turnB ? [b, j, k] : [b, k, j]]);
}

const value = (m, [id, i, j]) => m.data[id][i][j];

function sentence(m) {
  if (!m.look) return "Two rows times two columns make the four cells of Y. Step, and each cell shows what it is made of.";
  const [id, i, j] = m.look;
  const place = `row ${i + 1}, column ${j + 1}`;
  const end = m.at === m.walk.length && !m.timer ? ` The loss is <b class="loss">${fixed(m.data.loss)}</b>; single numbers give the same gradients to within ${m.data.apart}.` : "";
  if (id === "dy") return `∂Y, ${place}: the loss is half the squares, so its slope is Y − T = ${fixed(m.data.y[i][j])} − ${inside(m.data.t[i][j])} = <b class="back">${fixed(m.data.dy[i][j])}</b>.${end}`;
  const terms = pairs(m, m.look).map(([p, q]) => `${inside(value(m, p))}·${inside(value(m, q))}`).join(" + ");
  const words = { y: "a row of X along a column of W", dw: "all the ways this weight touches Y: a column of X along a column of ∂Y", dx: "a row of ∂Y along a row of W" }[id];
  return `${TITLES[id].split(" ")[0]}, ${place}, ${words}: ${terms} = <b class="${id === "y" ? "" : "back"}">${fixed(value(m, m.look))}</b>.${end}`;
}

function show(m) {
  const shown = new Set(m.walk.slice(0, m.at).map((c) => c.join(".")));
  const used = new Set();
  if (m.look) {
    if (m.look[0] === "dy") ["y", "t"].forEach((id) => used.add(`${id}.${m.look[1]}.${m.look[2]}`));
    else pairs(m, m.look).flat().forEach((c) => used.add(c.join(".")));
  }
  m.root.querySelectorAll("[data-cell]").forEach((cell) => {
    const at = cell.dataset.cell;
    const [id, i, j] = at.split(".");
    const known = !ORDER.includes(id) || shown.has(at);
    cell.textContent = known ? fixed(m.data[id][i][j]) : "";
    cell.classList.toggle("used", used.has(at));
    cell.classList.toggle("lit", Boolean(m.look) && m.look.join(".") === at);
    if (cell.tagName === "BUTTON") cell.setAttribute("aria-label", `${TITLES[id]}, row ${Number(i) + 1}, column ${Number(j) + 1}: ${known ? fixed(m.data[id][i][j]) : "not known yet"}`);
  });
  m.$(".say").innerHTML = sentence(m);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.$(".all").disabled = m.at >= m.walk.length;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    m.walk = ORDER.flatMap((id) => cells(m, id));
    m.at = 0;
    build(m);
  }
  if (m.run !== data.run) {
    stop(m);
    Object.assign(m, { data, run: data.run });
    show(m);
  }
  return () => {
    stop(m);
    mounted.delete(parentElement);
  };
}
