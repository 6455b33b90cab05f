// A curve to touch. Python sends f and its exact slope at every hundredth, so a number shown
// while a point moves is Python's own; "≈" marks the few that are read between two of them.
// Modes: "read" (a dot follows the pointer), "nudge" (one input nudge, two places), "tangent".

const mounted = new WeakMap();
const PAD = { left: 46, right: 14, top: 14, bottom: 30 };
const doubles = (packed) => new Float64Array(unpack(packed).buffer);
const round2 = (v) => Math.round(v * 100) / 100;
const round4 = (v) => Math.round(v * 10000) / 10000;
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");
/** A place on the curve: two decimals, or the four that were typed. */
const place = (v) => fixed(v, Math.abs(v - round2(v)) < 5e-7 ? 2 : 4);
const RAISED = { "-": "⁻", "+": "" };
[..."0123456789"].forEach((d, i) => (RAISED[d] = "⁰¹²³⁴⁵⁶⁷⁸⁹"[i]));

/** A number in few letters: four decimals, or a power of ten where they would not do. */
export function figure(v) {
  if (!Number.isFinite(v)) return "no value";
  if (v !== 0 && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-4)) {
    const [head, power] = v.toExponential(3).split("e");
    return `${head.replace("-", "−")} · 10${power.replace(/./g, (c) => RAISED[c])}`;
  }
  const text = v.toFixed(4);
  return Number(text) === 0 ? "0.0000" : text.replace("-", "−");
}

/** Round numbers, about `count` of them, between low and high. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) out.push(k * step);
  return { at: out, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** f and f' at x; `exact` says whether Python computed them there. */
function look(state, x) {
  const { data, f, slopes } = state;
  if (data.point && data.point.x === x) {
    return { y: data.point.y ?? NaN, slope: data.point.slope ?? NaN, exact: true };
  }
  const place = (x - data.low) * 100;
  const i = Math.round(place);
  if (Math.abs(place - i) < 1e-6) return { y: f[i], slope: slopes[i], exact: true };
  const t = place - Math.floor(place);
  const [a, b] = [Math.floor(place), Math.floor(place) + 1];
  return { y: f[a] * (1 - t) + f[b] * t, slope: slopes[a] * (1 - t) + slopes[b] * t, exact: false };
}

/** The slope of the line through x and x + h, as exactly as it is known here. */
function secant(state, x, k) {
  const { data } = state;
  const h = data.hs[k];
  if (data.point && data.point.x === x) return { slope: data.secants[k] ?? NaN, exact: true };
  const here = look(state, x);
  if (h >= 0.01 && here.exact) return { slope: (look(state, round2(x + h)).y - here.y) / h, exact: true };
  const bend = (look(state, round2(x + 0.01)).slope - here.slope) / 0.01;
  return { slope: here.slope + (h / 2) * bend, exact: false };
}

function still(state, W, H) {
  const { data, f } = state;
  const { X, Y } = state;
  const xs = ticks(data.low, data.high, W < 500 ? 6 : 12);
  const ys = ticks(data.bottom, data.top, 5);
  const line = (x1, y1, x2, y2, kind) => `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
  const parts = [`<clipPath id="plot"><rect x="${PAD.left}" y="${PAD.top}" 
    width="${W - PAD.left - PAD.right}" height="${H - PAD.top - PAD.bottom}"/></clipPath>`];
  for (const x of xs.at) {
    parts.push(line(X(x), PAD.top, X(x), H - PAD.bottom, Math.abs(x) < 1e-9 ? "axis" : "grid"),
      `<text class="tick" x="${X(x)}" y="${H - 9}" text-anchor="middle">${fixed(x, xs.digits)}</text>`);
  }
  for (const y of ys.at) {
    parts.push(line(PAD.left, Y(y), W - PAD.right, Y(y), Math.abs(y) < 1e-9 ? "axis" : "grid"),
      `<text class="tick" x="${PAD.left - 8}" y="${Y(y) + 4}" text-anchor="end">${fixed(y, ys.digits)}</text>`);
  }
  let path = "", down = false;
  const tall = 4 * (data.top - data.bottom);
  const last = Math.round((data.high - data.low) * 100);
  for (let i = 0; i <= last; i++) {
    const y = f[i];
    const jump = down && Math.abs(y - f[i - 1]) > tall;
    if (!Number.isFinite(y)) down = false;
    else {
      const bounded = Math.max(data.bottom - tall, Math.min(data.top + tall, y));
      path += `${down && !jump ? "L" : "M"}${X(data.low + i / 100).toFixed(1)} ${Y(bounded).toFixed(1)}`;
      down = true;
    }
  }
  parts.push(`<path class="curve" clip-path="url(#plot)" d="${path}"/>`);
  for (const p of data.flat || []) parts.push(flatMark(state, p));
  return parts.join("");
}

/** Minimum: a cup under the curve. Maximum: a cap over it. Flat: a bar through it. */
function flatMark({ X, Y, data }, p) {
  if (p.height < data.bottom || p.height > data.top) return "";
  const [a, b, y] = [X(p.x), X(p.until), Y(p.height)];
  if (p.until > p.x) {
    return `<line class="flat" x1="${a}" x2="${b}" y1="${y}" y2="${y}"/>
      <text class="mark" x="${(a + b) / 2}" y="${y - 10}">flat</text>`;
  }
  const below = p.kind === "minimum";
  const shape = below ? "M-6 11L6 11L0 3Z" : p.kind === "maximum" ? "M-6 -11L6 -11L0 -3Z" : "M-7 -5L7 -5M-7 5L7 5";
  const dy = below ? (y + 26 > Y(data.bottom) ? -12 : 26) : y - 18 < Y(data.top) ? 24 : -17;
  return `<g transform="translate(${a} ${y})"><path class="flat" d="${shape}"/>
    <text class="mark" y="${dy}">${p.kind}</text></g>`;
}

const clip = 'clip-path="url(#plot)"';

/** What moves: the svg over the curve, and the words under it. One function for each mode. */
const MODES = {
  read(state) {
    const { X, Y, at, data } = state;
    const { y, exact } = look(state, at.x);
    const bounded = Math.max(data.bottom, Math.min(data.top, y));
    const cross = Number.isFinite(y)
      ? `<line class="cross" ${clip} x1="${PAD.left}" x2="${X(at.x)}" y1="${Y(bounded)}" y2="${Y(bounded)}"/>` : "";
    const negative = at.x < 0 ? "negative" : "positive";
    const sum = data.substituted[negative].replaceAll("\u25ae", place(Math.abs(at.x)));
    return {
      svg: `<line class="cross" x1="${X(at.x)}" x2="${X(at.x)}" y1="${PAD.top}" y2="${Y(data.bottom)}"/>${cross}`,
      words: `f(${place(at.x)}) = <span class="sum">${escapeHtml(sum)} ${exact ? "=" : "≈"}</span> <b class="out">${figure(y)}</b>`,
      said: [`x ${place(at.x)}, f(x) ${figure(y)}`],
    };
  },
  nudge(state) {
    const { X, Y, at } = state;
    const rows = ["a", "b"].map((name) => {
      const [from, to] = [at[name], round4(at[name] + at.d)];
      const [y0, y1] = [look(state, from).y, look(state, to).y];
      return { name, from, to, y0, y1, change: y1 - y0 };
    });
    const inside = (y) => Y(Math.max(state.data.bottom, Math.min(state.data.top, y)));
    const signed = (v) => (Number.isFinite(v) && v >= 0 ? "+" : "") + figure(v);
    const svg = rows.map(({ name, from, to, y0, y1, change }) => Number.isFinite(change) ? `
      <g ${clip}><path class="run" d="M${X(from)} ${Y(y0)}H${X(to)}"/>
        <path class="rise" d="M${X(to)} ${Y(y0)}V${Y(y1)}"/>
      <circle class="end" cx="${X(to)}" cy="${Y(y1)}" r="5"/></g>
      <text class="change" x="${X(to) + 8}" y="${(inside(y0) + inside(y1)) / 2 + 5}">${signed(change)}</text>
      <text class="place" x="${X(from)}" y="${Y(y0) - 16}">${name.toUpperCase()}</text>` : "").join("");
    const [a, b] = rows;
    const line = (r) => `<div><b>${r.name.toUpperCase()}</b> <span>x from ${place(r.from)} to ${place(r.to)}</span>
      <span>f from ${figure(r.y0)} to ${figure(r.y1)}</span> <b class="slope">${signed(r.change)}</b></div>`;
    const ratio = b.change / a.change;
    const compare = Number.isFinite(ratio) && a.change !== 0
      ? `The same nudge of ${fixed(at.d)} changes the output
        <b class="slope">${fixed(ratio, Math.abs(ratio) < 10 ? 2 : 1)}</b> times as much at B as at A.`
      : `The nudge of ${fixed(at.d)} changes nothing at A.`;
    return { svg, words: `<div class="rows">${line(a)}${line(b)}</div><p>${compare}</p>`,
      said: rows.map((r) => `${r.name.toUpperCase()} at x ${place(r.from)}, output change ${signed(r.change)}`) };
  },
  tangent(state) {
    const { X, Y, at, data } = state;
    const { y, slope, exact } = look(state, at.x);
    const cut = secant(state, at.x, at.k);
    const h = data.hs[at.k];
    const through = (s, kind) => {
      if (!Number.isFinite(s + y)) return "";
      const [from, to] = [data.low, data.high].map((x) => `${X(x)} ${Y(y + s * (x - at.x))}`);
      return `<path class="${kind}" ${clip} d="M${from}L${to}"/>`;
    };
    const other = look(state, h >= 0.01 ? round2(at.x + h) : at.x).y;
    const second = h >= 0.01 && Number.isFinite(other)
      ? `<circle class="second" ${clip} cx="${X(at.x + h)}" cy="${Y(other)}" r="6"/>` : "";
    const run = at.x + 1 <= data.high ? 1 : -1;
    const stairs = Number.isFinite(slope) && Number.isFinite(y)
      ? `<path class="stairs" ${clip} d="M${X(at.x)} ${Y(y)}H${X(at.x + run)}V${Y(y + run * slope)}"/>` : "";
    const error = Math.abs(cut.slope - slope);
    const is = (ok) => (ok ? "=" : "≈");
    return {
      svg: stairs + through(cut.slope, "secant") + second + through(slope, "tangent"),
      words: `<div class="pairs"><div><span class="quiet">f(${place(at.x)})</span> <b class="out">${is(exact)} ${figure(y)}</b></div>
        <div><span class="slope">tangent: slope f′(${place(at.x)})</span> <b class="slope read">${is(exact)} ${figure(slope)}</b></div>
        <div><span class="cut">secant over h = ${hText(h)}</span> <b class="cut">${is(cut.exact)} ${figure(cut.slope)}</b></div>
        <div><span class="quiet">they differ by</span> <b>${is(cut.exact)} ${figure(error)}</b></div></div>`,
      said: [`x ${place(at.x)}, f(x) ${figure(y)}, slope ${figure(slope)}`],
    };
  },
};

function hText(h) {
  if (h >= 0.0005) return String(h);
  const [head, power] = h.toExponential(0).split("e");
  return `${head} · 10${power.replace(/./g, (c) => RAISED[c])}`;
}

const HANDLES = { read: ["x"], nudge: ["a", "b"], tangent: ["x"] };

function controls(data) {
  const number = (name, label) => `<label>${label} <input type="number" data-at="${name}" step="0.1"
    min="${data.low}" max="${data.high}" inputmode="decimal"></label>`;
  if (data.mode === "read") return number("x", "x =");
  if (data.mode === "nudge") {
    return `${number("a", "A at x =")}${number("b", "B at x =")}<label class="wide">Nudge
      <input type="range" data-at="d" min="0.05" max="1.5" step="0.05" aria-label="Size of the nudge"></label>`;
  }
  return `${number("x", "x =")}<label class="wide">h <input type="range" data-at="k" min="0"
    max="${data.hs.length - 1}" step="1" aria-label="h, the distance between the two points"></label>
    <button type="button" class="shrink">Shrink h</button>`;
}

function build(root, data) {
  const dots = HANDLES[data.mode].map((name) => `<g class="handle" data-handle="${name}" tabindex="0" role="slider"
    aria-valuemin="${data.low}" aria-valuemax="${data.high}" aria-label="${name === "x" ? "x" : `Place ${name.toUpperCase()}`}">
    <circle class="touch" r="22"/><circle class="dot" r="7"/></g>`).join("");
  root.innerHTML = `<svg role="group"><g class="still" aria-hidden="true"></g>
    <g class="moving" aria-hidden="true"></g>${dots}</svg>
    <div class="controls">${controls(data)}</div><div class="words"></div>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, frame: 0, timer: 0 };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) build(root, data);
  const $ = (selector) => root.querySelector(selector);
  const svg = $("svg");
  if (state.rev !== data.rev || !state.at) {
    state.rev = data.rev;
    state.at = { ...data.start, ...data.initial.at };
    state.sent = JSON.stringify(state.at);
  }
  state.data = data;
  if (state.curve !== data.f.packed) {
    Object.assign(state, { curve: data.f.packed, f: doubles(data.f), slopes: doubles(data.slopes), W: 0 });
  }
  svg.setAttribute("aria-label", data.label);

  const commit = () => {
    const now = JSON.stringify(state.at);
    if (now === state.sent) return;
    state.sent = now;
    setStateValue("at", JSON.parse(now));
  };
  state.later?.cancel();
  state.later = debounce(commit, 120);

  function draw() {
    state.frame = 0;
    const W = Math.round(root.clientWidth);
    if (!W) return;
    const H = W < 520 ? 300 : 380;
    const key = `${W} ${data.bottom} ${data.top} ${data.low} ${data.high} ${JSON.stringify(data.flat)}`;
    if (state.W !== key) {
      state.W = key;
      const [across, up] = [(W - PAD.left - PAD.right) / (data.high - data.low), (H - PAD.top - PAD.bottom) / (data.top - data.bottom)];
      state.X = (x) => PAD.left + (x - data.low) * across;
      state.Y = (y) => H - PAD.bottom - (y - data.bottom) * up;
      state.invert = (px) => data.low + (px - PAD.left) / across;
      svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
      svg.style.height = `${H}px`;
      $(".still").innerHTML = still(state, W, H);
    }
    const { svg: moving, words, said } = MODES[data.mode](state);
    $(".moving").innerHTML = moving;
    $(".words").innerHTML = words;
    HANDLES[data.mode].forEach((name, i) => {
      const y = look(state, state.at[name]).y;
      const bounded = Number.isFinite(y) ? Math.max(data.bottom, Math.min(data.top, y)) : (data.bottom + data.top) / 2;
      const dot = $(`[data-handle=${name}]`);
      dot.setAttribute("transform", `translate(${state.X(state.at[name])} ${state.Y(bounded)})`);
      dot.classList.toggle("off", bounded !== y);
      dot.setAttribute("aria-valuenow", state.at[name]);
      dot.setAttribute("aria-valuetext", said[i]);
    });
    for (const input of root.querySelectorAll("[data-at]")) {
      const value = state.at[input.dataset.at];
      if (root.getRootNode().activeElement !== input || input.type === "range") input.value = value;
      if (input.dataset.at === "k") input.setAttribute("aria-valuetext", `h is ${data.hs[value]}`);
    }
    if (data.mode === "tangent") dispatchEvent(new CustomEvent("derivatives-h", { detail: { k: state.at.k, x: state.at.x } }));
  }
  const redraw = () => (state.frame ||= requestAnimationFrame(draw));

  const limits = { d: [0.05, 1.5], k: [0, (data.hs?.length ?? 1) - 1] };
  const move = (name, value) => {
    const [low, high] = limits[name] ?? [data.low, data.high];
    const inside = round4(Math.min(high, Math.max(low, value)));
    state.at = { ...state.at, [name]: name === "k" ? Math.round(inside) : inside };
    redraw();
  };
  const placeOf = (event) => round2(state.invert(event.clientX - svg.getBoundingClientRect().left));

  svg.onpointerdown = (event) => {
    const x = placeOf(event);
    const names = HANDLES[data.mode];
    const near = names.reduce((a, b) => (Math.abs(state.at[a] - x) <= Math.abs(state.at[b] - x) ? a : b));
    state.drag = near;
    svg.setPointerCapture(event.pointerId);
    $(`[data-handle=${near}]`).focus({ preventScroll: true });
    move(near, x);
  };
  svg.onpointermove = (event) => {
    if (state.drag) move(state.drag, placeOf(event));
    else if (data.mode === "read" && event.pointerType === "mouse") {
      move("x", placeOf(event));
      state.later();
    }
  };
  svg.onpointerup = svg.onpointercancel = () => {
    state.drag = null;
    commit();
  };
  svg.onpointerleave = () => !state.drag && commit();
  for (const name of HANDLES[data.mode]) {
    $(`[data-handle=${name}]`).onkeydown = (event) => {
      const step = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1,
        Home: -1e9, End: 1e9 }[event.key];
      if (!step) return;
      event.preventDefault();
      move(name, round2(state.at[name] + (event.shiftKey ? step / 10 : step)));
      state.later();
    };
  }
  for (const input of root.querySelectorAll("[data-at]")) {
    const adopt = () => input.value.trim() !== "" && Number.isFinite(Number(input.value)) && move(input.dataset.at, Number(input.value));
    input.oninput = () => {
      adopt();
      if (input.type === "number") state.later();
    };
    input.onchange = () => {
      adopt();
      input.value = state.at[input.dataset.at];
      commit();
    };
  }
  const shrink = $(".shrink");
  if (shrink) {
    const stop = () => {
      clearInterval(state.timer);
      state.timer = 0;
      shrink.textContent = "Shrink h";
      commit();
    };
    shrink.onclick = () => {
      if (state.timer) return stop();
      if (state.at.k >= limits.k[1]) move("k", 0);
      shrink.textContent = "Stop";
      state.timer = setInterval(() => {
        move("k", state.at.k + 1);
        if (state.at.k >= limits.k[1]) stop();
      }, 220);
    };
  }
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(redraw);
  state.sizes.observe(root);
  draw();
  return () => {
    state.later.cancel();
    clearInterval(state.timer);
    cancelAnimationFrame(state.frame);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
