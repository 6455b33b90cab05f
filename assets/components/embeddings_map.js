// A map of embedding rows. Hover names a point, a click or the keyboard chooses a token: Python
// then sends its row and its neighbors.

const mounted = new WeakMap();
const SIZE = 520, EDGE = 26;
const SHAPES = ["●", "■", "▲", "◆", "✚", "▼", "○", "□"]; // a group is a shape and a color
const minus = (v, digits) => v.toFixed(digits).replace("-", "−");

const PAGE = `
  <div class="board"><div class="left">
    <svg class="map" viewBox="0 0 ${SIZE} ${SIZE}" role="group" aria-label="Map of tokens"><g class="points"></g><g class="marks"></g></svg>
    <p class="legend"></p></div>
  <div class="side">
    <label class="find">Find a token <input type="search" class="query" autocomplete="off" spellcheck="false"></label>
    <div class="hits" role="group" aria-label="Tokens found"></div>
    <label class="id">or by its id <input type="number" class="number" min="0" step="1" inputmode="numeric"></label>
    <p class="say" role="status"></p>
    <svg class="row" viewBox="0 0 300 80" preserveAspectRatio="none" role="img"></svg><p class="cell quiet"></p>
    <p class="head">Nearest rows, by cosine</p><div class="near"></div>
  </div></div>`;

function layout(m) {
  const flat = unpack(m.data.places);
  m.tokens = unpack(m.data.tokens);
  m.groups = unpack(m.data.groups);
  const xs = [], ys = [];
  for (let i = 0; i < m.tokens.length; i++) { xs.push(flat[2 * i]); ys.push(flat[2 * i + 1]); }
  const spread = (v) => [Math.min(...v), Math.max(...v)];
  const [x0, x1] = spread(xs), [y0, y1] = spread(ys);
  const room = SIZE - 2 * EDGE;
  m.x = xs.map((x) => EDGE + (room * (x - x0)) / (x1 - x0 || 1));
  m.y = ys.map((y) => SIZE - EDGE - (room * (y - y0)) / (y1 - y0 || 1));
  m.place = new Map([...m.tokens].map((token, i) => [token, i]));
}

function points(m) {
  const few = m.tokens.length < 400;
  m.$(".points").innerHTML = [...m.tokens].map((token, i) => {
    const g = m.groups[i];
    return g === 255 ? `<circle cx="${m.x[i].toFixed(1)}" cy="${m.y[i].toFixed(1)}" r="1.6" class="plain"/>`
      : `<text x="${m.x[i].toFixed(1)}" y="${m.y[i].toFixed(1)}" class="g${g}${few ? " few" : ""}">${SHAPES[g]}</text>`;
  }).join("");
  m.$(".legend").innerHTML = m.data.kinds.map((kind, g) => `<span><b class="g${g}">${SHAPES[g]}</b> ${escapeHtml(kind)}</span>`).join("")
    + ([...m.groups].includes(255) ? `<span><b>·</b> all others</span>` : "");
}

/** A label beside point `i`, turned inward near the right edge. */
function label(m, i, name, kind) {
  const left = m.x[i] > SIZE - 120;
  return `<g class="${kind}"><circle cx="${m.x[i]}" cy="${m.y[i]}" r="7"/>
    <text x="${m.x[i] + (left ? -11 : 11)}" y="${m.y[i] + 5}" text-anchor="${left ? "end" : "start"}">${escapeHtml(name)}</text></g>`;
}

function marks(m, hover = null) {
  const out = [];
  for (const n of m.data.neighbors) {
    const i = m.place.get(n.id);
    if (i !== undefined) out.push(label(m, i, n.name, "neighbor"));
  }
  const own = m.place.get(m.data.token);
  if (own !== undefined) out.push(label(m, own, m.data.name, "own"));
  if (hover !== null) out.push(label(m, hover, m.data.names[m.tokens[hover]] ?? "", "hover"));
  m.$(".marks").innerHTML = out.join("");
}

function nearest(m, event) {
  const box = m.$(".map").getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * SIZE, y = ((event.clientY - box.top) / box.height) * SIZE;
  let best = null, least = 22 * 22;
  for (let i = 0; i < m.x.length; i++) {
    const d = (m.x[i] - x) ** 2 + (m.y[i] - y) ** 2;
    if (d < least) { least = d; best = i; }
  }
  return best;
}

function rowSvg(m) {
  const values = unpack(m.data.row), most = Math.max(...values.map(Math.abs)) || 1, w = 300 / values.length;
  m.values = values;
  const bars = [...values].map((v, i) => {
    const h = (38 * Math.abs(v)) / most;
    return `<rect x="${(i * w).toFixed(2)}" width="${(w * 0.8).toFixed(2)}" y="${(v > 0 ? 40 - h : 40).toFixed(2)}" height="${h.toFixed(2)}" class="${v > 0 ? "plus" : "minus"}"/>`;
  });
  m.$(".row").innerHTML = `${bars.join("")}<line x1="0" x2="300" y1="40" y2="40"/>`;
  m.$(".row").setAttribute("aria-label", `The ${values.length} numbers of the row, from ${minus(Math.min(...values), 2)} to ${minus(Math.max(...values), 2)}`);
  m.$(".cell").textContent = `first: ${[...values.slice(0, 4)].map((v) => minus(v, 3)).join(", ")} …`;
}

function choose(m, token) {
  if (token < 0 || token > m.data.last) return;
  m.send("token", token);
}

function show(m) {
  const { data } = m;
  const own = m.place.has(data.token) ? "" : " It is not on this map.";
  m.$(".say").innerHTML = `Token <b>${data.token}</b>, <b class="name">${escapeHtml(data.name)}</b>, is this row of ${m.values.length} numbers.${own}`;
  m.$(".near").innerHTML = data.neighbors.map((n) => `<button type="button" data-token="${n.id}" aria-label="${escapeHtml(n.name)}, cosine ${minus(n.cosine, 2)}">
    <span class="name">${escapeHtml(n.name)}</span><span class="track"><i style="width:${Math.max(0, 100 * n.cosine)}%"></i></span><span class="cosine">${minus(n.cosine, 2)}</span></button>`).join("");
  if (m.root.getRootNode().activeElement !== m.$(".number")) m.$(".number").value = data.token;
  marks(m);
}

function search(m) {
  const text = m.$(".query").value.replace(/ /g, "\u00b7").toLowerCase();
  const hits = [];
  if (text) {
    const rank = (name) => (name.replace(/^\u00b7/, "") === text.replace(/^\u00b7/, "") ? 0 : name.startsWith(text) || name.startsWith(`\u00b7${text}`) ? 1 : 2);
    m.data.names.forEach((name, token) => {
      const low = name.toLowerCase();
      if (low.includes(text)) hits.push([rank(low), name.length, token]);
    });
    hits.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  }
  m.$(".hits").innerHTML = hits.slice(0, 8).map(([, , token]) =>
    `<button type="button" data-token="${token}">${escapeHtml(m.data.names[token])}</button>`).join("")
    || (text ? `<span class="quiet">No token contains this. A longer word is several tokens.</span>` : "");
  return hits.length ? hits[0][2] : null;
}

function wire(m) {
  const map = m.$(".map");
  map.onpointermove = (event) => {
    cancelAnimationFrame(m.frame);
    m.frame = requestAnimationFrame(() => marks(m, nearest(m, event)));
  };
  map.onpointerleave = () => {
    cancelAnimationFrame(m.frame);
    marks(m);
  };
  map.onclick = (event) => {
    const hit = nearest(m, event);
    if (hit !== null) choose(m, m.tokens[hit]);
  };
  m.root.onclick = (event) => {
    const button = event.target.closest?.("button[data-token]");
    if (button) choose(m, Number(button.dataset.token));
  };
  m.$(".query").oninput = () => search(m);
  m.$(".query").onkeydown = (event) => {
    if (event.key !== "Enter") return;
    const best = search(m);
    if (best !== null) choose(m, best);
  };
  m.$(".number").onchange = (event) => {
    const token = Math.round(Number(event.target.value));
    if (event.target.value !== "" && Number.isFinite(token)) choose(m, Math.min(m.data.last, Math.max(0, token)));
  };
  m.$(".row").onpointermove = (event) => {
    const box = m.$(".row").getBoundingClientRect();
    const i = Math.min(m.values.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * m.values.length)));
    m.$(".cell").textContent = `number ${i + 1} of ${m.values.length}: ${minus(m.values[i], 4)}`;
  };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s), frame: 0 };
    mounted.set(parentElement, m);
    root.innerHTML = PAGE;
    wire(m);
  }
  m.data = data;
  m.send = setStateValue;
  if (m.shown !== data.shown) {
    m.shown = data.shown;
    layout(m);
    points(m);
  }
  rowSvg(m);
  show(m);
  return () => {
    cancelAnimationFrame(m.frame);
    mounted.delete(parentElement);
  };
}
