// Lines and dots over one plane, each axis straight or logarithmic, read with a pointer or with keys.

const mounted = new WeakMap();
const SHAPES = {
  circle: (x, y) => `<circle cx="${x}" cy="${y}" r="4"/>`,
  diamond: (x, y) => `<path d="M${x - 6},${y}L${x},${y - 6}L${x + 6},${y}L${x},${y + 6}Z"/>`,
  square: (x, y) => `<rect x="${x - 4}" y="${y - 4}" width="8" height="8"/>`,
};

/** Places for marks on an axis: powers of ten with 2 and 5 between where they fit, or round numbers. */
export function axisTicks(low, high, log) {
  if (!log) {
    const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough), found = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step / 1e6; t += step) found.push(Number(t.toPrecision(12)));
    return found;
  }
  const decades = Math.log10(high / low), within = decades > 2.2 ? [1] : decades > 0.7 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  const found = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1)
    within.forEach((m) => { const t = Number((m * 10 ** e).toPrecision(6)); if (t >= low * 0.999 && t <= high * 1.001) found.push(t); });
  const thin = Math.ceil(found.length / 7);
  return found.filter((_, i) => i % thin === 0);
}

/** 12,500 as 12.5k, 2e6 as 2M, and what is larger or smaller as a power of ten. */
export function short(n) {
  const size = Math.abs(n);
  if (size >= 1e12 || (size > 0 && size < 1e-3)) return powerOfTen(n.toExponential(1).replace(".0e", "e"));
  for (const [limit, sign] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) if (size >= limit) return `${Number((n / limit).toPrecision(3))}${sign}`;
  return `${Number(n.toPrecision(3))}`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    state = { at: null };
    mounted.set(parentElement, state);
    root.innerHTML = `<div class="keys"></div><svg role="img" tabindex="0"></svg><p class="say quiet" aria-live="polite"></p>`;
    state.observer = new ResizeObserver(() => state.draw());
    state.observer.observe(root);
  }
  const svg = root.querySelector(":scope > svg"), { series, bands = [], x: ax, y: ay } = data;
  const every = series.flatMap((s) => s.points.map(([x, y, note]) => ({ x, y, note, s })));
  const extent = (values, axis) => {
    const given = values.filter((v) => Number.isFinite(v) && (!axis.log || v > 0));
    const [low, high] = axis.domain ?? [Math.min(...given), Math.max(...given)], edge = axis.log ? (high / low) ** 0.04 : (high - low) * 0.04 || 0.1;
    return axis.domain ? [low, high] : axis.log ? [low / edge, high * edge] : [low - edge, high + edge];
  };
  state.draw = () => {
    const W = Math.max(280, Math.floor(root.clientWidth)), H = data.height ?? (W < 560 ? 250 : 330), box = { l: 50, r: W - 10, t: 20, b: H - 38 };
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.style.height = `${H}px`;
    svg.setAttribute("aria-label", `${data.label} Arrow keys read the points.`);
    const xs = extent([...every.map((p) => p.x), ...bands.flatMap((b) => b.points.map((p) => p[0]))], ax);
    const ys = extent([...every.map((p) => p.y), ...bands.flatMap((b) => b.points.flatMap((p) => p.slice(1)))], ay);
    const scale = ([low, high], from, to, log) => (value) => {
      const v = Math.max(low, Math.min(high, value));
      return from + (to - from) * (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
    };
    const x = scale(xs, box.l, box.r, ax.log), y = scale(ys, box.b, box.t, ay.log), at = (p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`;
    const color = (s) => `var(--${s.color})`;
    svg.innerHTML = `<text class="title" x="0" y="11">${escapeHtml(ay.title)}</text><text class="title" x="${box.r}" y="${H - 4}" text-anchor="end">${escapeHtml(ax.title)}</text>`
      + axisTicks(ys[0], ys[1], ay.log).map((t) => `<path class="grid" d="M${box.l},${y(t)}H${box.r}"/><text x="${box.l - 6}" y="${y(t) + 4}" text-anchor="end">${short(t)}</text>`).join("")
      + axisTicks(xs[0], xs[1], ax.log).map((t) => `<path class="grid" d="M${x(t)},${box.t}V${box.b}"/><text x="${x(t)}" y="${box.b + 15}" text-anchor="middle">${short(t)}</text>`).join("")
      + bands.map((b) => `<path class="band" fill="${color(b)}" d="M${b.points.map((p) => at([p[0], p[1]])).join("L")}L${[...b.points].reverse().map((p) => at([p[0], p[2]])).join("L")}Z"/>`).join("")
      + series.map((s) => (s.line === false || !s.points.length ? "" : s.points.length === 1 ? `<circle fill="${color(s)}" cx="${x(s.points[0][0])}" cy="${y(s.points[0][1])}" r="3"/>`
        : `<polyline stroke="${color(s)}" stroke-dasharray="${s.dash ?? "none"}" points="${s.points.map(at).join(" ")}"/>`)
        + (s.shape ? `<g fill="${s.hollow ? "var(--st-background-color)" : color(s)}" stroke="${color(s)}" stroke-width="1.5">${s.points.map((p) => SHAPES[s.shape](x(p[0]), y(p[1]))).join("")}</g>` : "")).join("")
      + `<circle class="mark" r="7"/>`;
    const read = (i) => {
      if (!every.length) return;
      const p = every[Math.max(0, Math.min(every.length - 1, i))], mark = svg.querySelector(".mark"), say = root.querySelector(".say");
      state.at = p;
      mark.setAttribute("cx", x(p.x)); mark.setAttribute("cy", y(p.y)); mark.classList.add("on");
      const words = `${p.s.name}: ${p.note ?? (ax.unit ? `${short(p.x)} ${ax.unit}` : `${ax.title} ${short(p.x)}`)}, ${ay.unit ?? ay.title} ${p.y.toPrecision(4)}.`;
      if (say.textContent !== words) say.textContent = words;
    };
    // While a run goes on its points become more: the one that is read is found again.
    const now = () => every.findIndex((p) => p.s.name === state.at?.s.name && p.x === state.at.x && p.y === state.at.y);
    if (now() >= 0) read(now());
    svg.onpointermove = (event) => {
      const r = svg.getBoundingClientRect(), px = event.clientX - r.left, py = event.clientY - r.top;
      let best = -1, least = 900;
      every.forEach((p, i) => { const d = (x(p.x) - px) ** 2 + (y(p.y) - py) ** 2; if (d < least) { least = d; best = i; } });
      if (best >= 0) read(best);
    };
    svg.onkeydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
      if (!move) return;
      event.preventDefault();
      read(now() + move);
    };
    const keys = [...series.filter((s) => s.key !== false), ...bands];
    root.querySelector(".keys").innerHTML = keys.map((s) => `<span><svg width="26" height="12" aria-hidden="true">${s.points && s.points[0]?.length === 3 && bands.includes(s)
      ? `<rect class="band" width="26" height="12" fill="${color(s)}"/>` : (s.line === false ? "" : `<path d="M0,6H26" stroke="${color(s)}" stroke-width="2" stroke-dasharray="${s.dash ?? "none"}"/>`)
      + (s.shape ? `<g fill="${s.hollow ? "var(--st-background-color)" : color(s)}" stroke="${color(s)}">${SHAPES[s.shape](13, 6)}</g>` : "")}</svg>${escapeHtml(s.name)}</span>`).join("");
    root.dataset.points = every.length;
  };
  state.draw();
  return () => { state.observer.disconnect(); mounted.delete(parentElement); };
}
