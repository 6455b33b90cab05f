// The draw: all chances laid end to end on a ruler from 0 to 1, and one random number u that
// falls on it. The ruler follows the picture above ("sampling-live"); Python does the drawing.

const mounted = new WeakMap();
const LEAST = 0.004; // a narrower token has no stretch of its own on the ruler

const percent = (p) => `${(100 * p).toFixed(1)} %`;
const whole = (n) => n.toLocaleString("en-US");

/** The stretches of the ruler, in the order of the token ids; small neighbors share one. */
export function stretches(probabilities) {
  const out = [];
  let start = 0;
  for (let id = 0; id < probabilities.length; id++) {
    const p = probabilities[id];
    if (p === 0) continue;
    const last = out[out.length - 1];
    if (p < LEAST && last?.small) Object.assign(last, { to: start + p, count: last.count + 1 });
    else out.push({ id, from: start, to: start + p, small: p < LEAST, count: 1 });
    start += p;
  }
  return out;
}

/** The token that u falls on, as microgpt.decoding.sampling.draw finds it. */
export function fallsOn(probabilities, u) {
  let total = 0;
  for (const p of probabilities) total += p;
  let start = 0, last = null;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    last = { id, from: start, to: start + probabilities[id] };
    if (last.to > u * total) return last;
    start = last.to;
  }
  return last;
}

const PAGE = `
  <div class="ruler" role="img"><div class="stretches"></div><div class="needle"><span></span></div></div>
  <div class="scale quiet" aria-hidden="true"><span>0</span><span>0.25</span><span>0.5</span><span>0.75</span><span>1</span></div>
  <label class="try"><span>Move u yourself</span><input type="range" min="0" max="0.9999" step="0.0001">
    <input type="number" min="0" max="0.9999" step="0.0001" aria-label="u, as a number" inputmode="decimal"></label>
  <p class="say" aria-live="polite"></p>
  <div class="buttons"><button type="button" class="main" data-add="1">Draw once</button>
    <button type="button" data-add="1000">Draw 1,000</button>
    <button type="button" data-add="0">Start again</button>
    <label>Seed <input type="number" class="seed" min="0" max="999999" step="1" inputmode="numeric"></label></div>
  <p class="recent"></p><div class="compare"></div>`;

function compareHtml(draws) {
  const { rows, test, count } = draws;
  const most = Math.max(...rows.map((row) => Math.max(row.count, row.expected + row.spread)), 1);
  const at = (n) => `${(100 * Math.max(0, n)) / most}%`;
  const line = (row) => `<div role="row" class="row"><span role="rowheader" class="name">${escapeHtml(row.name)}</span>
    <span role="cell" class="bars"><i class="spread" style="left:${at(row.expected - row.spread)};width:${at(
      row.expected + row.spread - Math.max(0, row.expected - row.spread))}"></i>
      <i class="count" style="width:${at(row.count)}"></i><i class="mark" style="left:${at(row.expected)}"></i></span>
    <span role="cell" class="number">${whole(row.count)}</span>
    <span role="cell" class="number quiet">${row.expected.toFixed(1)}</span></div>`;
  const head = `<div role="row" class="row quiet"><span role="columnheader">token</span><span role="columnheader"
    class="legend">bar: drawn · line: expected, ± 2 standard deviations</span><span role="columnheader"
    class="number">drawn</span><span role="columnheader" class="number">expected</span></div>`;
  return `<div role="table" aria-label="${whole(count)} draws beside what was expected">${head}${rows.map(line).join("")}</div>
    <p class="test">${test}</p>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, key: "", draws: {} };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.wanted = { ...data.initial.draws };
  }

  const arrived = JSON.stringify(data.draws) + data.probabilities.packed;
  if (state.arrived !== arrived) {
    state.arrived = arrived;
    state.probabilities = Float64Array.from(unpack(data.probabilities));
    state.stale = false;
    state.own = false;
    state.u = data.draws.last ? data.draws.last.u : data.u;
    const { draws } = data;
    $(".recent").innerHTML = draws.recent.length
      ? `Drawn so far, the newest first: ${draws.recent.map((name) => `<span class="token">${escapeHtml(name)}</span>`).join(" ")}${
          draws.count > draws.recent.length ? ` and ${whole(draws.count - draws.recent.length)} before` : ""}` : "";
    $(".compare").innerHTML = draws.rows.length ? compareHtml(draws) : "";
  }

  function draw() {
    const found = stretches(state.probabilities);
    const width = $(".ruler").clientWidth || 800;
    $(".stretches").innerHTML = found.map((s, i) => {
      const words = s.small ? (s.count > 1 ? `${whole(s.count)} small ones` : data.names[s.id]) : data.names[s.id];
      const room = (s.to - s.from) * width;
      const label = room > 8.5 * words.length + 8 ? escapeHtml(words) : "";
      return `<i class="${s.small ? "small" : i % 2 ? "odd" : ""}" style="left:${100 * s.from}%;width:${100 * (s.to - s.from)}%"
        title="${escapeHtml(words)} ${percent(s.to - s.from)}">${label}</i>`;
    }).join("");
    const most = found.filter((s) => !s.small).sort((a, b) => b.to - b.from - a.to + a.from).slice(0, 5);
    $(".ruler").setAttribute("aria-label", "The chances laid end to end from 0 to 1. The widest: " +
      most.map((s) => `${data.names[s.id]} ${percent(s.to - s.from)}`).join(", "));
    point();
  }

  function point() {
    const { u } = state;
    const hit = fallsOn(state.probabilities, u);
    $(".needle").style.left = `${100 * u}%`;
    $(".needle span").textContent = `u = ${u.toFixed(4)}`;
    $(".needle").classList.toggle("left", u > 0.8);
    const [range, number] = root.querySelectorAll(".try input");
    range.value = u;
    if (root.getRootNode().activeElement !== number) number.value = u.toFixed(4);
    const where = `between ${hit.from.toFixed(4)} and ${Math.min(1, hit.to).toFixed(4)}: <b class="drawn">${escapeHtml(data.names[hit.id])}</b>`;
    const { last, count } = data.draws;
    $(".say").innerHTML = last && !state.own
      ? `Draw ${whole(count)} of seed ${data.draws.seed}: u = ${u.toFixed(4)} falls ${where}.`
      : `u = ${u.toFixed(4)} would fall ${where}. Nothing has been drawn with it.`;
  }

  const send = (wanted) => {
    state.wanted = wanted;
    setStateValue("draws", wanted);
  };
  root.querySelectorAll("[data-add]").forEach((button) => {
    button.onclick = () => {
      const add = Number(button.dataset.add);
      const count = add ? Math.min(data.most, state.wanted.count + add) : 0;
      send({ ...state.wanted, count });
    };
    button.disabled = button.dataset.add !== "0" && state.wanted.count >= data.most;
  });
  const seed = $(".seed");
  if (root.getRootNode().activeElement !== seed) seed.value = state.wanted.seed;
  seed.onchange = () => {
    const value = Math.min(999999, Math.max(0, Math.round(Number(seed.value) || 0)));
    seed.value = value;
    send({ seed: value, count: state.wanted.count });
  };
  root.querySelectorAll(".try input").forEach((input) => {
    input.oninput = () => {
      const u = Number(input.value);
      if (input.value.trim() === "" || !Number.isFinite(u)) return;
      state.u = Math.min(0.9999, Math.max(0, u));
      state.own = true;
      point();
    };
    input.onchange = () => (input.value = state.u.toFixed(4));
  });

  removeEventListener("sampling-live", state.listen);
  state.listen = ({ detail }) => {
    state.probabilities = detail.probabilities;
    root.classList.toggle("stale", !detail.exact);
    draw();
  };
  addEventListener("sampling-live", state.listen);
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(draw);
  state.sizes.observe($(".ruler"));
  draw();
  return () => {
    removeEventListener("sampling-live", state.listen);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
