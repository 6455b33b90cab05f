// How far the secant is from the true slope, for every h, both axes in powers of ten. The mark
// follows the h of the curve above ("derivatives-h"); the pointer reads any other.

const mounted = new WeakMap();
const PAD = { left: 58, right: 14, top: 14, bottom: 44 };
const FLOOR = -17;
const RAISED = { "-": "⁻" };
[..."0123456789"].forEach((d, i) => (RAISED[d] = "⁰¹²³⁴⁵⁶⁷⁸⁹"[i]));
const ten = (power) => `10${String(power).replace(/./g, (c) => RAISED[c])}`;
const size = (v) => (v === null ? "no value" : v === 0 ? "0" : v.toExponential(1).replace(/e([+-]\d+)/, (_, p) => ` · ${ten(Number(p))}`));
const hText = (h) => (h >= 0.0005 ? String(h) : h.toExponential(0).replace(/e(-\d+)/, (_, p) => ` · ${ten(Number(p))}`));

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = `<svg role="img"></svg><div class="words"></div>`;
  const svg = root.querySelector("svg");
  state.k ??= data.k;
  const logs = data.errors.map((line) => line.map((v) => (v === null ? null : v === 0 ? FLOOR : Math.max(FLOOR, Math.log10(v)))));
  const top = Math.max(1, Math.ceil(Math.max(...logs.flat().filter((v) => v !== null), 0)));
  const [first, last] = [Math.log10(data.hs[0]), Math.log10(data.hs[data.hs.length - 1])];

  function draw() {
    const W = Math.round(root.clientWidth);
    if (!W) return;
    const H = 280;
    const X = (log) => PAD.left + ((log - first) / (last - first)) * (W - PAD.left - PAD.right);
    const Y = (log) => PAD.top + ((top - log) / (top - FLOOR)) * (H - PAD.top - PAD.bottom);
    const far = (k, px) => Math.abs(X(Math.log10(data.hs[k])) - px);
    state.nearest = (px) => data.hs.reduce((a, _, k) => (far(k, px) < far(a, px) ? k : a), 0);
    const parts = [];
    for (let p = 0; p >= -16; p -= W < 520 ? 4 : 2) {
      parts.push(`<line class="grid" x1="${X(p)}" x2="${X(p)}" y1="${PAD.top}" y2="${H - PAD.bottom}"/>
        <text class="tick" x="${X(p)}" y="${H - PAD.bottom + 17}" text-anchor="middle">${ten(p)}</text>`);
    }
    for (let p = 0; p >= FLOOR; p -= 4) {
      parts.push(`<line class="grid" x1="${PAD.left}" x2="${W - PAD.right}" y1="${Y(p)}" y2="${Y(p)}"/>
        <text class="tick" x="${PAD.left - 8}" y="${Y(p) + 4}" text-anchor="end">${ten(p)}</text>`);
    }
    parts.push(`<text class="tick" x="${(W + PAD.left) / 2}" y="${H - 6}" text-anchor="middle">h, smaller and smaller →</text>`);
    logs.forEach((line, i) => {
      let d = "", down = false;
      line.forEach((log, k) => {
        if (log === null) down = false;
        else {
          d += `${down ? "L" : "M"}${X(Math.log10(data.hs[k])).toFixed(1)} ${Y(log).toFixed(1)}`;
          down = true;
        }
      });
      parts.push(`<path class="line kind${i}" d="${d}"/>`);
    });
    const h = data.hs[state.k];
    parts.push(`<line class="now" x1="${X(Math.log10(h))}" x2="${X(Math.log10(h))}" y1="${PAD.top}" y2="${H - PAD.bottom}"/>`);
    logs.forEach((line, i) => {
      if (line[state.k] === null) return;
      parts.push(`<circle class="dot kind${i}" cx="${X(Math.log10(h))}" cy="${Y(line[state.k])}" r="5.5"/>`);
    });
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.style.height = `${H}px`;
    svg.innerHTML = parts.join("");
    svg.setAttribute("aria-label", data.label);
    root.classList.toggle("stale", state.x !== undefined && state.x !== data.x);
    root.querySelector(".words").innerHTML = `<span>h = <b>${hText(h)}</b></span>
      <span class="kind0">one-sided, solid: off by <b>${size(data.errors[0][state.k])}</b></span>
      <span class="kind1">two-sided, dotted: off by <b>${size(data.errors[1][state.k])}</b></span>`;
  }
  svg.onpointermove = svg.onpointerdown = (event) => {
    if (!state.nearest) return;
    state.k = state.nearest(event.clientX - svg.getBoundingClientRect().left);
    draw();
  };
  svg.onpointerleave = () => {
    state.k = state.live ?? data.k;
    draw();
  };
  removeEventListener("derivatives-h", state.listen);
  state.listen = ({ detail }) => {
    state.k = state.live = detail.k;
    state.x = detail.x;
    draw();
  };
  addEventListener("derivatives-h", state.listen);
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(draw);
  state.sizes.observe(root);
  draw();
  return () => {
    removeEventListener("derivatives-h", state.listen);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
