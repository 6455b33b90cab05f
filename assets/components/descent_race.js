// Five balls from one start, each moved by another optimizer. Python sends every step; here
// they are played on the map of the same name, beside their losses.

const mounted = new WeakMap();
const doubles = (packed) => new Float64Array(unpack(packed).buffer);
const PAD = { left: 54, right: 12, top: 10, bottom: 42 };
const RAISED = { "-": "⁻" };
[..."0123456789"].forEach((d, i) => (RAISED[d] = "⁰¹²³⁴⁵⁶⁷⁸⁹"[i]));
const ten = (power) => `10${String(power).replace(/./g, (c) => RAISED[c])}`;
const kind = (name) => name.toLowerCase();
function short(v) {
  if (!Number.isFinite(v)) return "gone";
  const plain = v === 0 || (Math.abs(v) >= 1e-3 && Math.abs(v) < 1e4);
  if (plain) return v.toFixed(3).replace("-", "−");
  return v.toExponential(1).replace(/e([+-]\d+)/, (_, p) => ` · ${ten(Number(p))}`).replace(/^-/, "−");
}

const PAGE = `<div class="buttons"><button type="button" class="main play">Play the race</button>
  <input type="range" class="scrub" min="0" step="1" aria-label="Step of the race"><output></output></div>
  <table><thead><tr><th scope="col">Optimizer</th><th scope="col" class="number">rate</th>
    <th scope="col" class="number">height</th><th scope="col" class="number">arrives</th></tr></thead><tbody>
      </tbody></table>
  <svg role="img"></svg>`;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { n: null, timer: 0, key: "" };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  const key = data.racers.map((r) => r.path.packed.slice(0, 4000) + r.rate).join();
  if (state.key !== key) {
    state.key = key;
    state.racers = data.racers.map((r) => ({ ...r, path: doubles(r.path), above: doubles(r.above), heights: doubles(r.heights) }));
    if (state.n === null) state.n = data.steps;
    state.moved = false;
  }
  const scrub = $(".scrub");
  scrub.max = data.steps;
  const logs = (v) => Math.log10(Math.min(1e6, Math.max(1e-6, v)));

  function chart() {
    const W = Math.round(root.clientWidth);
    const H = 230;
    if (!W) return;
    const highest = Math.ceil(Math.max(...state.racers.map((r) => logs(r.above[0]))) + 0.3);
    const X = (n) => PAD.left + (n / data.steps) * (W - PAD.left - PAD.right);
    const Y = (log) => PAD.top + ((highest - log) / (highest + 6)) * (H - PAD.top - PAD.bottom);
    const parts = [];
    for (let p = highest; p >= -6; p -= 2) {
      parts.push(`<line class="grid" x1="${PAD.left}" x2="${W - PAD.right}" y1="${Y(p)}" y2="${Y(p)}"/>
        <text class="tick" x="${PAD.left - 8}" y="${Y(p) + 4}" text-anchor="end">${ten(p)}</text>`);
    }
    for (let n = 0; n <= data.steps; n += 100) parts.push(`<text class="tick" x="${X(n)}" y="${H - 25}" text-anchor="middle">${n}</text>`);
    parts.push(`<text class="tick" x="${(W + PAD.left) / 2}" y="${H - 6}"
      text-anchor="middle">steps; up: height above the lowest place</text>`);
    for (const r of state.racers) {
      const points = [];
      for (let n = 0; n < r.above.length && Number.isFinite(r.above[n]); n++) {
        points.push(`${X(n).toFixed(1)} ${Y(logs(r.above[n])).toFixed(1)}`);
      }
      parts.push(`<path class="line ${kind(r.name)}" clip-path="inset(0)" d="M${points.join("L")}"/>`);
    }
    parts.push(`<line class="now" x1="0" x2="0" y1="${PAD.top}" y2="${H - PAD.bottom}"/>`);
    const svg = $("svg[role=img]"); // the first svg may be a key in the table
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.style.height = `${H}px`;
    svg.innerHTML = parts.join("");
    svg.setAttribute("aria-label", data.label);
    state.X = X;
    show();
  }

  function show() {
    const { n } = state;
    scrub.value = n;
    $("output").textContent = `step ${n} of ${data.steps}`;
    $("tbody").innerHTML = state.racers.map((r) => {
      const last = Math.min(n, r.heights.length - 1);
      const there = r.arrived !== null && n >= r.arrived;
      const arrives = r.arrived === null ? "not at all" : there ? `<b>step ${r.arrived}</b>` : "not yet";
      const won = there && r.arrived === data.first;
      return `<tr class="${won ? "first" : ""}"><th scope="row"><svg viewBox="0 0 34 12" aria-hidden="true">
        <path class="line ${kind(r.name)}" d="M1 6H33"/></svg>${r.name}</th>
        <td class="number">${r.rate}</td><td class="number">${short(r.heights[last])}</td>
        <td class="number">${arrives}</td></tr>`;
    }).join("");
    const now = $(".now");
    if (now && state.X) now.setAttribute("transform", `translate(${state.X(n)} 0)`);
    const paths = state.moved ? [] : state.racers.map((r) => ({ points: r.path, upto: n, kind: kind(r.name), balls: false }));
    dispatchEvent(new CustomEvent("surface-show", { detail: { name: data.name, paths, arrows: [], hidden: !state.moved } }));
  }
  const stop = () => {
    clearInterval(state.timer);
    state.timer = 0;
    $(".play").textContent = "Play the race";
  };
  const playOn = () => {
    clearInterval(state.timer);
    $(".play").textContent = "Pause";
    state.timer = setInterval(() => {
      state.n = Math.min(data.steps, state.n + 1);
      show();
      if (state.n >= data.steps) stop();
    }, 33);
  };
  $(".play").onclick = () => {
    if (state.timer) return stop();
    if (state.n >= data.steps) state.n = 0;
    playOn();
  };
  if (state.timer) playOn();
  scrub.oninput = () => {
    stop();
    state.n = Number(scrub.value);
    show();
  };
  removeEventListener("surface-at", state.listen);
  state.listen = ({ detail }) => {
    if (detail.name !== data.name) return;
    const moved = Math.abs(detail.x - data.at.x) + Math.abs(detail.y - data.at.y) > 1e-9;
    if (moved === state.moved) return;
    state.moved = moved;
    if (moved) stop();
    show();
  };
  addEventListener("surface-at", state.listen);
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(chart);
  state.sizes.observe(root);
  chart();
  dispatchEvent(new CustomEvent("surface-hello", { detail: { name: data.name } }));
  return () => {
    clearInterval(state.timer);
    removeEventListener("surface-at", state.listen);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
