// k-means, one half round at a time. Python has sent every step; the centers can be dragged to
// another start: the points answer at once, and on release Python computes the run from there.

const mounted = new WeakMap();
const SIZE = 440;
const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`,
  (r) => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (r) => `M0,${-1.3 * r}L${1.2 * r},${r}L${-1.2 * r},${r}z`,
  (r) => `M0,${-1.4 * r}L${1.4 * r},0L0,${1.4 * r}L${-1.4 * r},0z`,
  (r) => `M${-r},${-1.3 * r}h${2 * r}l0,${0.9 * r}h${-2 * r}zM${-r},${0.4 * r}h${2 * r}v${0.9 * r}h${-2 * r}z`,
  (r) => `M${-1.3 * r},${-r}L${1.3 * r},${-r}L0,${1.2 * r}z`,
];
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");

function build(m) {
  m.root.innerHTML = `<div class="board">
    <svg class="plot" viewBox="0 0 ${SIZE} ${SIZE}" role="group" aria-label="Points and the centers of their groups">
      <g class="threads"></g><g class="points"></g><g class="centers"></g></svg>
    <div class="side"><div class="bar"><button type="button" class="play">Play</button>
      <button type="button" class="step">One step</button><button type="button" class="reset">Back to the start</button></div>
      <input type="range" class="at" min="0" step="1" aria-label="Step of the run">
      <p class="say" role="status"></p>
      <svg class="costs" viewBox="0 0 300 110" role="img" aria-label="Cost after each step"></svg>
      <p class="quiet">The cost: squared distances to the own center, added up.</p>
      <details><summary>Place the centers by numbers</summary><div class="numbers"></div></details></div></div>`;
}

const px = (m, [x, y]) => [((x / m.data.edge + 1) / 2) * SIZE, ((1 - y / m.data.edge) / 2) * SIZE];

function nearestOf(m, centers) {
  let cost = 0;
  const nearest = m.places.map(([x, y]) => {
    const d = centers.map(([a, b]) => (x - a) ** 2 + (y - b) ** 2);
    const least = Math.min(...d);
    cost += least;
    return d.indexOf(least);
  });
  return { nearest, cost };
}

/** What the picture shows after `at` steps: centers, and to which each point belongs. */
function stateAt(m, at) {
  return at === 0 ? { centers: m.dragged || m.data.starts, nearest: null } : m.data.steps[at - 1];
}

function paint(m, centers, nearest) {
  const lines = [], marks = [];
  m.places.forEach((place, i) => {
    const [x, y] = px(m, place);
    const group = nearest ? nearest[i] : -1;
    if (group >= 0) {
      const [a, b] = px(m, centers[group]);
      lines.push(`<line x1="${x}" y1="${y}" x2="${a}" y2="${b}" class="g${group}"/>`);
    }
    const shape = group < 0 ? SHAPES[0](3.5) : SHAPES[group](4.5);
    marks.push(`<path transform="translate(${x},${y})" d="${shape}" class="g${group < 0 ? "none" : group}"/>`);
  });
  m.$(".threads").innerHTML = lines.join("");
  m.$(".points").innerHTML = marks.join("");
  [...m.$(".centers").children].forEach((g, i) => {
    g.setAttribute("transform", `translate(${px(m, centers[i]).join(",")})`);
    g.setAttribute("aria-label", `Center ${i + 1} at ${fixed(centers[i][0])}, ${fixed(centers[i][1])}. Arrow keys move it.`);
  });
}

function sentence(m) {
  const { steps } = m.data;
  if (m.at === 0) return "Nobody belongs to anybody yet. The centers stand on points drawn by chance: drag them, or press Play.";
  const step = steps[m.at - 1];
  const cost = `Cost <b class="loss">${fixed(step.cost)}</b>`;
  const fell = m.at > 1 ? `, ${fixed(steps[m.at - 2].cost - step.cost)} less than before` : "";
  if (step.kind === "move") return `Step ${m.at}: every center moves to the middle of its points. ${cost}${fell}.`;
  return step.changed
    ? `Step ${m.at}: every point joins the nearest center; <b>${step.changed}</b> of ${m.places.length} change. ${cost}${fell}.`
    : `Step ${m.at}: no point changes its center. It is finished. ${cost}.`;
}

function show(m, centers = null) {
  const now = stateAt(m, m.at);
  paint(m, centers || now.centers, now.nearest);
  m.$(".say").innerHTML = sentence(m);
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `step ${m.at} of ${m.data.steps.length}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.at >= m.data.steps.length;
  m.root.querySelectorAll(".costs rect").forEach((bar, i) => bar.classList.toggle("done", i < m.at));
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

/** Glide from the step before to step `at`, then go on if it plays. */
function glide(m, at, playing) {
  stop(m);
  const from = stateAt(m, m.at).centers;
  m.at = at;
  const to = stateAt(m, at).centers;
  const moves = stateAt(m, at).kind === "move" && !reducedMotion();
  let began = null;
  const tick = (now) => {
    began ??= now;
    const t = Math.min(1, (now - began) / (moves ? 500 : 1));
    const eased = t * (2 - t);
    show(m, from.map(([x, y], i) => [x + (to[i][0] - x) * eased, y + (to[i][1] - y) * eased]));
    const rest = now - began < (reducedMotion() ? 1 : 800);
    if (t < 1 || (playing && rest)) m.timer = requestAnimationFrame(tick);
    else if (playing && m.at < m.data.steps.length) glide(m, m.at + 1, true);
    else { m.timer = 0; show(m); }
  };
  m.timer = requestAnimationFrame(tick);
}

function drag(m, group, [x, y]) {
  const edge = m.data.edge;
  const near = (v) => Number(Math.min(edge, Math.max(-edge, v)).toFixed(3));
  stop(m);
  m.at = 0;
  m.busy = true; // an answer to an earlier drag must not pull the center back
  m.dragged = (m.dragged || m.data.starts).map((c, i) => (i === group ? [near(x), near(y)] : c));
  const { nearest, cost } = nearestOf(m, m.dragged);
  paint(m, m.dragged, nearest);
  m.$(".say").innerHTML = `Center ${group + 1} at ${fixed(m.dragged[group][0])}, ${fixed(m.dragged[group][1])}: the points would choose like this, cost <b class="loss">${fixed(cost)}</b>.`;
  numbers(m);
}

function release(m) {
  m.busy = false;
  if (m.dragged) m.send("starts", { run: m.data.asked, centers: m.dragged });
}

function numbers(m) {
  const centers = m.dragged || m.data.starts;
  m.root.querySelectorAll(".numbers input").forEach((input, i) => {
    if (m.root.getRootNode().activeElement !== input) input.value = centers[i >> 1][i & 1].toFixed(2);
  });
}

function wireCenters(m) {
  const { centers } = { centers: m.data.starts };
  m.$(".centers").innerHTML = centers.map((_, i) => `<g tabindex="0" role="button" class="g${i}" data-center="${i}">
    <circle r="22" class="hold"/><circle r="13"/><text dy="5">${i + 1}</text></g>`).join("");
  m.$(".numbers").innerHTML = centers.map((_, i) => ["x", "y"].map((axis) =>
    `<label>${i + 1} ${axis} <input type="number" step="0.05" aria-label="Center ${i + 1}, ${axis}"></label>`).join("")).join("");
  m.root.querySelectorAll(".numbers input").forEach((input, i) => {
    input.onchange = () => {
      const now = (m.dragged || m.data.starts)[i >> 1].slice();
      if (input.value !== "" && Number.isFinite(Number(input.value))) now[i & 1] = Number(input.value);
      drag(m, i >> 1, now);
      release(m);
    };
  });
  m.root.querySelectorAll("[data-center]").forEach((g, i) => {
    g.onpointerdown = (event) => {
      g.setPointerCapture(event.pointerId);
      m.holding = i;
    };
    g.onpointermove = (event) => {
      if (m.holding !== i) return;
      const box = m.$(".plot").getBoundingClientRect();
      drag(m, i, [((event.clientX - box.left) / box.width * 2 - 1) * m.data.edge,
        -((event.clientY - box.top) / box.height * 2 - 1) * m.data.edge]);
    };
    g.onpointerup = g.onpointercancel = () => {
      m.holding = null;
      release(m);
    };
    g.onkeydown = (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!by) return;
      event.preventDefault();
      const [x, y] = (m.dragged || m.data.starts)[i];
      drag(m, i, [x + by[0] * 0.05, y + by[1] * 0.05]);
      m.later();
    };
  });
}

function begin(m) {
  stop(m);
  m.at = 0;
  if (!m.busy) m.dragged = null;
  const flat = unpack(m.data.points);
  m.places = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
  const { steps, starts } = m.data;
  const focused = m.root.getRootNode().activeElement?.dataset?.center;
  if (m.$(".centers").children.length !== starts.length) wireCenters(m);
  if (focused !== undefined) m.root.querySelector(`[data-center="${focused}"]`)?.focus();
  numbers(m);
  m.$(".at").max = steps.length;
  const most = Math.max(...steps.map((s) => s.cost)) || 1;
  const wide = 300 / steps.length;
  m.$(".costs").innerHTML = steps.map((s, i) =>
    `<rect class="${s.kind}" x="${i * wide + 1}" y="${108 - (s.cost / most) * 104}" width="${Math.min(26, wide - 2)}" height="${(s.cost / most) * 104 + 0.5}"/>`).join("");
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
    m.later = debounce(() => release(m), 250);
    m.$(".play").onclick = () => {
      if (m.timer) { stop(m); show(m); } else glide(m, m.at < m.data.steps.length ? m.at + 1 : 1, true);
    };
    m.$(".step").onclick = () => glide(m, Math.min(m.data.steps.length, m.at + 1), false);
    m.$(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
    m.$(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
  }
  m.data = data;
  m.send = setStateValue;
  if (m.run !== data.run) {
    m.run = data.run;
    begin(m);
    show(m);
  }
  return () => {
    stop(m);
    m.later.cancel();
    mounted.delete(parentElement);
  };
}
