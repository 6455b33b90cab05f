// The walk of one ball. Python sends all its steps at once; here they are played, and drawn by
// the map of the same name ("surface-show"). A moved ball or another rate asks Python for
// another walk, at most five times a second.

const mounted = new WeakMap();
const [LEAST, MOST] = [0.001, 10]; // learning rates of the slider, on a scale of powers of ten
const TICK = 140; // milliseconds between presses while it plays
const doubles = (packed) => new Float64Array(unpack(packed).buffer);
const fixed = (v, digits) => v.toFixed(digits).replace(/^-(0\.0*)$/, "$1").replace("-", "−");
const toSlider = (rate) => (1000 * Math.log(rate / LEAST)) / Math.log(MOST / LEAST);
const toRate = (slider) => Number((LEAST * (MOST / LEAST) ** (slider / 1000)).toPrecision(2));
const RAISED = { "-": "⁻", "+": "" };
[..."0123456789"].forEach((d, i) => (RAISED[d] = "⁰¹²³⁴⁵⁶⁷⁸⁹"[i]));

function figure(v) {
  if (!Number.isFinite(v)) return "no number any more";
  if (v !== 0 && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-4)) {
    const [head, power] = v.toExponential(3).split("e");
    return `${head.replace("-", "−")} · 10${power.replace(/./g, (c) => RAISED[c])}`;
  }
  const text = v.toFixed(4);
  return Number(text) === 0 ? "0.0000" : text.replace("-", "−");
}

const PAGE = `<div class="buttons"><button type="button" class="main play">Play</button>
  <button type="button" class="step">Step</button><button type="button" class="reset">Reset</button></div>
  <div class="knobs">
  <label for="rate">Learning rate</label><span class="slide">
    <input type="range" id="rate" min="0" max="1000" step="1">
      <i class="limit" title="the largest rate that can settle"></i></span>
  <input type="number" data-number="rate" min="${LEAST}" max="${MOST}" step="0.01" aria-label="Learning rate, as a number" inputmode="decimal">
  <label for="momentum">Momentum</label><span class="slide">
    <input type="range" id="momentum" min="0" max="0.99" step="0.01"></span>
  <input type="number" data-number="momentum" min="0" max="0.99" step="0.01" aria-label="Momentum, as a number" inputmode="decimal">
  <label for="stride">Steps a press</label><span class="slide">
    <input type="range" id="stride" min="1" max="20" step="1"></span>
  <input type="number" data-number="stride" min="1" max="20" step="1" aria-label="Steps a press, as a number" inputmode="numeric"></div>
  <dl><div><dt>Step</dt><dd class="n"></dd></div><div class="loss"><dt>Height (loss)</dt><dd class="height">
    </dd></div><div><dt>Place</dt><dd class="where"></dd></div>
  <div class="slope"><dt>Gradient, uphill</dt><dd class="gradient"></dd></div><div><dt>Next move</dt>
    <dd class="next"></dd></div></dl>
  <p class="status" role="status"></p>`;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, n: 0, stride: 1, timer: 0, waiting: 0, lastSent: 0 };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  if (state.rev !== data.rev || !state.run) {
    state.rev = data.rev;
    state.run = { ...data.start, ...data.initial.run };
  }
  state.data = data;
  const from = JSON.stringify([data.surface, data.at]);
  if (state.packed !== data.path.packed || state.from !== from) {
    if (state.from !== from) state.n = 0;
    const [path, heights, gradients] = [data.path, data.heights, data.gradients].map(doubles);
    Object.assign(state, { packed: data.path.packed, from, path, heights, gradients });
    state.moved = false;
  }
  const last = state.heights.length - 1;
  state.n = Math.min(state.n, last);

  state.send = () => {
    clearTimeout(state.waiting);
    const now = JSON.stringify(state.run);
    if (now === state.sent) return;
    const wait = 200 - (performance.now() - state.lastSent);
    if (wait > 0) {
      state.waiting = setTimeout(() => state.send(), wait);
      return;
    }
    state.lastSent = performance.now();
    state.sent = now;
    setStateValue("run", { ...state.run });
  };

  function show() {
    const { n, path, heights, gradients } = state;
    const [x, y, gx, gy] = [path[2 * n], path[2 * n + 1], gradients[2 * n], gradients[2 * n + 1]];
    const pair = (a, b) => (Number.isFinite(a + b) && Math.abs(a) + Math.abs(b) < 1e6 ? `(${fixed(a, 3)}, ${fixed(b, 3)})` : "far away");
    $(".n").textContent = `${n} of ${last}`;
    $(".height").textContent = figure(heights[n]);
    $(".where").textContent = pair(x, y);
    $(".gradient").textContent = pair(gx, gy);
    const [dx, dy] = n < last ? [path[2 * n + 2] - x, path[2 * n + 3] - y] : [0, 0];
    $(".next").textContent = n < last ? pair(dx, dy) : "none: the walk ends here";
    $(".status").textContent = status();
    root.dataset.step = n;
    if (state.moved) {
      dispatchEvent(new CustomEvent("surface-show", { detail: { name: data.name, paths: [], arrows: [], hidden: false } }));
      return;
    }
    const length = Math.hypot(gx, gy);
    const unit = (0.4 * data.half) / (length + 0.5 * data.half);
    const arrows = Number.isFinite(length) && Math.max(Math.abs(x), Math.abs(y)) <= data.half
      ? [{ x, y, dx: gx * unit, dy: gy * unit, kind: "gradient", label: length * unit > 0.12 * data.half ? "uphill" : "" },
        { x, y, dx, dy, kind: "step", label: "" }] : [];
    const paths = n || arrows.length ? [{ points: path, upto: n, kind: "walk", balls: true }] : [];
    dispatchEvent(new CustomEvent("surface-show", { detail: { name: data.name, paths, arrows, hidden: true } }));
  }

  function status() {
    const { n, path, heights } = state;
    if (state.moved) return "A new start: let go, and Python works out the walk.";
    const out = Math.max(Math.abs(path[2 * n]), Math.abs(path[2 * n + 1])) > data.half;
    if (out && data.measured) return "The ball has left the map: nothing was measured out there.";
    if (!(Math.abs(heights[n]) <= 1e6 * (1 + Math.abs(heights[0])))) {
      return "It diverges: every step lands higher than the one before.";
    }
    if (out) return "The ball is off the map.";
    if (data.arrived !== null && n >= data.arrived) return `Arrived: from step ${data.arrived} on it stays at a minimum.`;
    if (n === 0) return "Press Play, or Step. Click the map to place the ball.";
    if (n === last) return "The walk ends here, and it has not arrived.";
    return heights[n] > heights[n - 1] ? "This step went up: it overshot." : "Down it goes.";
  }

  const advance = () => {
    state.n = Math.min(last, state.n + state.stride);
    show();
    if (state.n >= last) stop();
  };
  const stop = () => {
    clearInterval(state.timer);
    state.timer = 0;
    $(".play").textContent = "Play";
  };
  const playOn = () => {
    clearInterval(state.timer);
    state.timer = setInterval(advance, TICK);
    $(".play").textContent = "Pause";
  };
  $(".play").onclick = () => {
    if (state.timer) return stop();
    if (state.n >= last) state.n = 0;
    playOn();
    advance();
  };
  $(".step").onclick = () => {
    stop();
    advance();
  };
  $(".reset").onclick = () => {
    stop();
    state.n = 0;
    show();
  };
  if (state.timer) playOn();

  function knobs(except) {
    const values = { ...state.run, stride: state.stride };
    for (const name of ["rate", "momentum", "stride"]) {
      const [range, number] = [$(`#${name}`), $(`[data-number=${name}]`)];
      if (range !== except) range.value = name === "rate" ? toSlider(values.rate) : values[name];
      if (number !== except && root.getRootNode().activeElement !== number) number.value = values[name];
      if (name === "rate") range.setAttribute("aria-valuetext", String(values.rate));
    }
    const limit = data.limit && data.limit * (1 + state.run.momentum);
    const mark = $(".limit");
    mark.hidden = !limit || limit > MOST || limit < LEAST;
    mark.style.left = `${limit ? toSlider(limit) / 10 : 0}%`;
    root.classList.toggle("over", !!limit && state.run.rate > limit);
  }
  const adopt = (name, value, from) => {
    const [low, high] = { rate: [LEAST, MOST], momentum: [0, 0.99], stride: [1, 20] }[name];
    if (!Number.isFinite(value)) return;
    const bounded = Math.min(high, Math.max(low, value));
    if (name === "stride") state.stride = Math.round(bounded);
    else state.run = { ...state.run, [name]: bounded };
    knobs(from);
    if (name !== "stride") state.send();
  };
  for (const name of ["rate", "momentum", "stride"]) {
    const [range, number] = [$(`#${name}`), $(`[data-number=${name}]`)];
    range.oninput = () => adopt(name, name === "rate" ? toRate(Number(range.value)) : Number(range.value), range);
    number.onchange = () => {
      if (number.value.trim() !== "") adopt(name, Number(number.value), null);
      number.value = name === "stride" ? state.stride : state.run[name];
    };
  }

  removeEventListener("surface-at", state.listen);
  state.listen = ({ detail }) => {
    if (detail.name !== data.name) return;
    const moved = Math.abs(detail.x - data.at.x) + Math.abs(detail.y - data.at.y) > 1e-9;
    if (moved === state.moved) return;
    state.moved = moved;
    if (moved) {
      stop();
      state.n = 0;
    }
    show();
  };
  addEventListener("surface-at", state.listen);
  knobs(null);
  show();
  dispatchEvent(new CustomEvent("surface-hello", { detail: { name: data.name } }));
  return () => {
    clearInterval(state.timer);
    clearTimeout(state.waiting);
    removeEventListener("surface-at", state.listen);
    mounted.delete(parentElement);
  };
}
