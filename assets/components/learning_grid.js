// An agent in a grid world. Python has sent every move of its life; this plays them and keeps the
// table of estimates as the agent had it at that moment. A click turns a cell into wall or pit.

const mounted = new WeakMap();
const CELL = 52;
const ARROWS = ["M0,-15l5,8h-10z", "M15,0l-8,5v-10z", "M0,15l5,-8h-10z", "M-15,0l8,5v-10z"];
const WEDGES = ["M0,0L-26,-26L26,-26z", "M0,0L26,-26L26,26z", "M0,0L26,26L-26,26z", "M0,0L-26,26L-26,-26z"];
const PACES = [[6, "slow"], [60, "faster"], [900, "very fast"]];
const NEXT = { ".": "#", "#": "~", "~": "." };
const WORDS = { S: "the start", G: "the goal", "#": "a wall", "~": "a pit", ".": "free" };
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");
const inside = (v) => (v < 0 ? `(${fixed(v, 3)})` : fixed(v, 3)); // of a formula

function build(m) {
  m.root.innerHTML = `<div class="world"></div><div class="bar">
      <button type="button" class="play">Play</button><button type="button" class="move">One move</button>
      <button type="button" class="walk">One walk</button><button type="button" class="reset">Back to birth</button>
      <label>Pace <select class="pace">${PACES.map(([v, n]) => `<option value="${v}">${n}</option>`).join("")}</select></label></div>
    <input type="range" class="at" min="0" step="1" aria-label="Move of its life">
    <div class="below"><div><p class="say"></p><p class="rule"></p><p class="looked quiet"></p></div>
      <div><svg class="chart" viewBox="0 0 320 120" preserveAspectRatio="none" aria-hidden="true"></svg>
      <p class="quiet">Moves in each walk; dashed: the shortest way there is. <button type="button" class="old">Undo my walls</button></p></div></div>`;
}

function drawWorld(m) {
  const { width, height, signs } = m.data;
  const cells = [...signs].map((sign, i) => {
    const [x, y] = [(i % width + 0.5) * CELL, (Math.floor(i / width) + 0.5) * CELL];
    const drawn = { "#": `<rect class="wall" x="-26" y="-26" width="52" height="52"/>`,
      "~": `<circle class="pit" r="17"/><text dy="5">−1</text>`,
      G: `<rect class="goal" x="-26" y="-26" width="52" height="52"/><text dy="5">Goal</text>` }[sign]
      || `${WEDGES.map((d) => `<path class="wedge" d="${d}"/>`).join("")}<path class="best" d=""/>${sign === "S" ? '<text class="corner" x="-20" y="-12">S</text>' : ""}`;
    return `<g class="cell" data-cell="${i}" role="button" tabindex="${i === m.focus ? 0 : -1}" transform="translate(${x},${y})">
      <rect class="frame" x="-26" y="-26" width="52" height="52"/>${drawn}</g>`;
  }).join("");
  m.$(".world").innerHTML = `<svg viewBox="0 0 ${width * CELL} ${height * CELL}" role="group" aria-label="The grid. Arrow keys go from cell to cell; Enter changes a free cell to a wall, a wall to a pit, a pit to free.">
    ${cells}<polyline class="path"/><circle class="agent" r="9"/></svg>`;
  m.root.querySelectorAll(".cell").forEach((g, i) => {
    g.setAttribute("aria-label", `Row ${Math.floor(i / width) + 1}, column ${(i % width) + 1}, ${WORDS[signs[i]]}`);
    g.onclick = () => edit(m, i);
    g.onfocus = g.onpointerenter = () => { m.look = i; tell(m); };
    g.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
      if (step) focus(m, i, step);
      else if (event.key === "Enter" || event.key === " ") edit(m, i);
      else return;
      event.preventDefault();
    };
  });
}

function focus(m, from, step) {
  const { width, signs } = m.data;
  const sideways = Math.abs(step) === 1;
  const to = from + step;
  if (to < 0 || to >= signs.length || (sideways && Math.floor(to / width) !== Math.floor(from / width))) return;
  const cells = m.root.querySelectorAll(".cell");
  cells[from].setAttribute("tabindex", -1);
  cells[to].setAttribute("tabindex", 0);
  m.focus = to;
  cells[to].focus();
}

function edit(m, i) {
  const sign = NEXT[m.data.signs[i]];
  if (!sign) return;
  stop(m);
  m.send("signs", m.data.signs.slice(0, i) + sign + m.data.signs.slice(i + 1));
}

/** The table of estimates after `at` moves. */
function valuesAt(m) {
  if (m.known > m.at) {
    m.values.fill(0);
    m.known = 0;
  }
  for (; m.known < m.at; m.known += 1) {
    m.values[m.places[m.known * 5 + 1] * 4 + m.places[m.known * 5 + 2]] = m.numbers[m.known * 4 + 3];
  }
  return m.values;
}

function place(m, cell) {
  return [(cell % m.data.width + 0.5) * CELL, (Math.floor(cell / m.data.width) + 0.5) * CELL];
}

function show(m) {
  const values = valuesAt(m);
  m.root.querySelectorAll(".cell").forEach((g, i) => {
    const wedges = g.querySelectorAll(".wedge");
    if (!wedges.length) return;
    let best = -1;
    wedges.forEach((wedge, a) => {
      const v = values[i * 4 + a];
      if (v !== 0 && (best < 0 || v > values[i * 4 + best])) best = a;
      wedge.setAttribute("class", v > 0 ? "wedge good" : v < 0 ? "wedge bad" : "wedge");
      wedge.style.opacity = Math.min(0.85, Math.abs(v) ** 0.6);
    });
    // Actions never tried stand at 0 and look better than those known to cost.
    const top = Math.max(...values.subarray(i * 4, i * 4 + 4));
    g.querySelector(".best").setAttribute("d", best >= 0 && values[i * 4 + best] === top ? ARROWS[best] : "");
  });
  const walk = m.at ? m.places[(m.at - 1) * 5] : 0;
  const ended = m.at > 0 && m.at === m.ends[walk];
  const cell = m.at ? m.places[(m.at - 1) * 5 + 3] : m.data.signs.indexOf("S");
  const [x, y] = place(m, cell);
  m.$(".agent").setAttribute("cx", x);
  m.$(".agent").setAttribute("cy", y);
  const done = ended ? walk : walk - 1;
  const path = done >= 0 && m.data.paths[done] ? m.data.paths[done] : [];
  const reaches = path.length > 0 && path[path.length - 1] === m.data.signs.indexOf("G");
  m.$(".path").setAttribute("points", reaches ? path.map((c) => place(m, c).join(",")).join(" ") : "");
  m.best = reaches ? path.length - 1 : null;
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `move ${m.at} of ${m.last}, walk ${walk + 1}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".move").disabled = m.$(".walk").disabled = m.at >= m.last;
  m.$(".chart .mark")?.setAttribute("x", ((walk + 0.5) / m.ends.length) * 320 - 1);
  m.$(".old").hidden = m.data.signs === m.data.map;
  tell(m);
}

function tell(m) {
  const { names, rate, discount, shortest } = m.data;
  const goal = shortest ? ` The shortest way has ${shortest.length - 1} moves.` : " <b>No way leads to the goal in this map.</b>";
  const known = m.best === null ? "It knows no way to the goal yet." : `The way it would take now has <b>${m.best}</b> moves.`;
  if (m.at === 0) {
    m.$(".say").innerHTML = `Walk 1 begins. It knows nothing: every estimate is 0.${goal}`;
    m.$(".rule").textContent = "";
  } else {
    const [walk, , action, , flags] = m.places.subarray((m.at - 1) * 5, m.at * 5);
    const [reward, before, next, after] = m.numbers.subarray((m.at - 1) * 4, m.at * 4);
    const start = walk ? m.ends[walk - 1] : 0;
    m.$(".say").innerHTML = `Walk <b>${walk + 1}</b>, move <b>${m.at - start}</b>: ${names[action]}, ${flags & 2 ? "by chance" : "the best it knew"}; reward <b>${fixed(reward)}</b>. ${known}${goal}`;
    m.$(".rule").textContent = `${fixed(before, 3)} + ${rate} · (${fixed(reward, 3)} + ${discount} · ${inside(next)} − ${inside(before)}) = ${fixed(after, 3)}`;
  }
  if (m.look === undefined) return;
  const [row, column] = [Math.floor(m.look / m.data.width) + 1, (m.look % m.data.width) + 1];
  const sign = m.data.signs[m.look];
  const list = names.map((n, a) => `${n} ${fixed(m.values[m.look * 4 + a])}`).join(", ");
  const words = `Row ${row}, column ${column}, ${WORDS[sign]}${".S".includes(sign) ? `: ${list}` : ""}`;
  m.$(".looked").textContent = words;
  m.root.querySelectorAll("g.cell")[m.look].setAttribute("aria-label", words);
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.last) m.at = 0;
  let before = null, rest = 0;
  const tick = (now) => {
    rest += ((now - (before ?? now)) / 1000) * Number(m.$(".pace").value);
    before = now;
    const whole = Math.floor(rest);
    rest -= whole;
    m.at = Math.min(m.last, m.at + whole);
    m.timer = m.at < m.last ? requestAnimationFrame(tick) : 0;
    if (whole || !m.timer) show(m);
  };
  m.timer = requestAnimationFrame(tick);
  show(m);
}

function begin(m) {
  const { data } = m;
  stop(m);
  m.places = unpack(data.places);
  m.numbers = unpack(data.numbers);
  m.last = m.places.length / 5;
  m.at = m.known = 0;
  m.values = new Float32Array(data.signs.length * 4);
  m.ends = [];
  for (let i = 0; i < m.last; i += 1) m.ends[m.places[i * 5]] = i + 1;
  m.$(".at").max = m.last;
  m.focus ??= data.signs.indexOf("S");
  const held = m.root.getRootNode().activeElement?.classList.contains("cell");
  drawWorld(m);
  if (held) m.root.querySelectorAll(".cell")[m.focus].focus();
  const lengths = m.ends.map((end, i) => end - (i ? m.ends[i - 1] : 0));
  const most = Math.max(...lengths, 20);
  const y = (v) => 118 - (v / most) * 112;
  m.$(".chart").innerHTML = `<rect class="mark" y="0" width="2" height="120"/>
    <path d="${lengths.map((v, i) => `${i ? "L" : "M"}${((i + 0.5) / lengths.length) * 320},${y(v)}`).join("")}"/>
    ${data.shortest ? `<line x1="0" x2="320" y1="${y(data.shortest.length - 1)}" y2="${y(data.shortest.length - 1)}"/>` : ""}`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
    m.$(".play").onclick = () => (m.timer ? (stop(m), show(m)) : play(m));
    m.$(".move").onclick = () => { stop(m); m.at = Math.min(m.last, m.at + 1); show(m); };
    m.$(".walk").onclick = () => { stop(m); m.at = m.ends.find((end) => end > m.at) ?? m.last; show(m); };
    m.$(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
    m.$(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
    m.$(".old").onclick = () => m.send("signs", m.data.map);
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
    mounted.delete(parentElement);
  };
}
