// A surface over x and y, from above or in 3-D, drawn from the heights that Python sent. One
// projection serves both: from above is the view with a tilt of 90 degrees. Other components
// join in by events that carry the surface's name: "surface-at" tells where the point is,
// "surface-show" brings ways and arrows to draw, "surface-hello" asks for the point.

const mounted = new WeakMap();
const SVG = "http://www.w3.org/2000/svg";
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** The value of a grid between its nodes, by the four around it. */
function between(grid, n, u, v) {
  const [i, j] = [clamp(Math.floor(u), 0, n - 2), clamp(Math.floor(v), 0, n - 2)];
  const [s, t] = [u - i, v - j];
  const k = j * n + i;
  return (grid[k] * (1 - s) + grid[k + 1] * s) * (1 - t) + (grid[k + n] * (1 - s) + grid[k + n + 1] * s) * t;
}

/** Where a point of the map, lifted by 0 ... 1, falls on the screen. */
function projector(state, size) {
  const { turn, tilt } = state.solid ? state : { turn: 0, tilt: 90 };
  const [a, e] = [(turn * Math.PI) / 180, (tilt * Math.PI) / 180];
  const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
  const scale = ((state.solid ? 0.32 : 0.5) * size) / state.data.half;
  const lift = 0.42 * size * ce;
  const [cx, cy] = [size / 2, size / 2 + (state.solid ? 0.2 * size * ce : 0)];
  return (x, y, z) => [cx + scale * (x * ca - y * sa), cy - scale * (x * sa + y * ca) * se - lift * z];
}

function paintFlat(state, context, size) {
  const { n, palette } = state;
  const image = context.createImageData(size, size);
  const pixels = image.data;
  const bands = palette.length;
  const below = new Int8Array(size).fill(-1);
  for (let py = 0; py < size; py++) {
    const v = ((size - 0.5 - py) / size) * (n - 1);
    let before = -1;
    for (let px = 0; px < size; px++) {
      const t = between(state.shade, n, ((px + 0.5) / size) * (n - 1), v) / 255;
      const band = Math.min(bands - 1, Math.floor(t * bands));
      const edge = (before >= 0 && band !== before) || (below[px] >= 0 && below[px] !== band);
      const at = 4 * (py * size + px);
      for (let c = 0; c < 3; c++) pixels[at + c] = palette[band][c] * (edge ? 0.78 : 1);
      pixels[at + 3] = 255;
      before = below[px] = band;
    }
  }
  context.putImageData(image, 0, 0);
}

function paintSolid(state, context, size) {
  const { n, palette, shade, lift, data } = state;
  const project = projector(state, size);
  const stride = Math.ceil((n - 1) / (state.turning ? 24 : 60));
  const nodes = [];
  for (let i = 0; i < n - 1; i += stride) nodes.push(i);
  nodes.push(n - 1);
  const place = (i) => -data.half + (2 * data.half * i) / (n - 1);
  const z = (i, j) => lift[j * n + i];
  const color = (i, j) => {
    const t = (shade[j * n + i] / 255) * (palette.length - 1);
    const [low, high] = [palette[Math.floor(t)], palette[Math.ceil(t)]];
    return low.map((c, k) => c + (high[k] - c) * (t - Math.floor(t)));
  };
  const a = (state.turn * Math.PI) / 180;
  // From the far side to the near one, so that what is near covers what is far.
  const order = (descending) => {
    const out = nodes.slice(0, -1).map((_, k) => k);
    return descending ? out.reverse() : out;
  };
  const [rows, columns] = [order(Math.cos(a) > 0), order(Math.sin(a) > 0)];
  context.clearRect(0, 0, size, size);
  context.lineWidth = 0.7;
  const quad = (r, c) => {
    const [i, k, j, l] = [nodes[c], nodes[c + 1], nodes[r], nodes[r + 1]];
    const corners = [[i, j], [k, j], [k, l], [i, l]].map(([p, q]) => project(place(p), place(q), z(p, q)));
    const slant = ((z(k, j) - z(i, j)) * Math.cos(a + 0.6) + (z(i, l) - z(i, j)) * Math.sin(a + 0.6)) * (60 / stride);
    const light = clamp(1 - 0.22 * slant, 0.62, 1.25);
    context.fillStyle = context.strokeStyle = `rgb(${color((i + k) >> 1, (j + l) >> 1).map((c) => clamp(c * light, 0, 255)).join()})`;
    context.beginPath();
    corners.forEach(([x, y], m) => (m ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.fill();
    context.stroke();
  };
  const outer = Math.abs(Math.cos(a)) >= Math.abs(Math.sin(a));
  for (const s of outer ? rows : columns) for (const t of outer ? columns : rows) outer ? quad(s, t) : quad(t, s);
}

/** An arrow of the overlay, from a point of the map by (dx, dy) of it, not longer than the map. */
function arrow(state, project, { x, y, dx, dy, kind, label }) {
  const length = Math.hypot(dx, dy);
  if (!(length > 0)) return "";
  const most = Math.min(1, (0.9 * state.data.half) / length);
  const [x2, y2] = [x + dx * most, y + dy * most];
  const [a, b] = [[x, y], [x2, y2]].map(([u, v]) => project(u, v, heightOf(state, u, v)));
  const angle = Math.atan2(b[1] - a[1], b[0] - a[0]);
  const tip = [0, 2.6, -2.6].map((d) => (d ? [b[0] - 11 * Math.cos(angle + d * 0.18), b[1] - 11 * Math.sin(angle + d * 0.18)] : b));
  const anchor = Math.cos(angle) < -0.3 ? "end" : Math.cos(angle) > 0.3 ? "start" : "middle";
  const words = label ? `<text x="${b[0] + 12 * Math.cos(angle)}" y="${b[1] + 12 * Math.sin(angle) + 4}"
    text-anchor="${anchor}">${escapeHtml(label)}</text>` : "";
  return `<g class="arrow ${kind}"><path class="halo" d="M${a}L${b}"/><path class="shaft" d="M${a}L${b}"/>
    <path class="tip" d="M${tip.join("L")}Z"/>${words}</g>`;
}

/** How far a point of the map is lifted; beyond the edge as far as at the edge. */
function heightOf(state, x, y) {
  const { half } = state.data;
  const node = (v) => ((clamp(v, -half, half) + half) * (state.n - 1)) / (2 * half);
  return between(state.lift, state.n, node(x), node(y));
}

function way(state, project, { points, upto, kind, balls }) {
  const { half } = state.data;
  const far = 4 * half;
  let path = "", dots = "", end = "";
  for (let i = 0; i <= Math.min(upto, points.length / 2 - 1); i++) {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    if (!Number.isFinite(x + y)) break;
    const [u, v] = [clamp(x, -far, far), clamp(y, -far, far)];
    const inside = Math.abs(x) <= half && Math.abs(y) <= half;
    const [px, py] = project(u, v, heightOf(state, u, v));
    path += `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`;
    if (inside && balls) dots += `<circle class="foot" cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="2.6"/>`;
    end = inside ? `<circle class="ball" cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="7"/>` : "";
  }
  return `<g class="way ${kind}"><path class="halo" d="${path}"/><path class="line" d="${path}"/>${dots}${end}</g>`;
}

const PAGE = `<div class="tools"><div role="group" aria-label="View">
  <button type="button" data-solid="0">From above</button
  ><button type="button" data-solid="1">3-D</button></div><span class="turning">
    <label>Turn <input type="range" data-turn="turn" min="-180" max="180" step="5"></label>
  <label>Tilt <input type="range" data-turn="tilt" min="15" max="80" step="1"></label></span></div>
  <div class="map"><canvas></canvas><svg role="group"><g class="over" aria-hidden="true"></g>
    <g class="handle" tabindex="0" role="group">
  <circle class="touch" r="22"/><circle class="dot" r="8"/></g></svg></div>
  <div class="legend" role="img"></div><div class="controls">
  <label>x = <input type="number" data-at="x" step="0.1" inputmode="decimal"></label>
  <label>y = <input type="number" data-at="y" step="0.1" inputmode="decimal"></label><span class="here"></span></div>
  <p class="hidden-text" aria-live="polite"></p>`;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, solid: false, turn: 30, tilt: 38, frame: 0, shown: {} };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  const [map, canvas, svg, handle] = [$(".map"), $("canvas"), $("svg"), $(".handle")];
  if (state.rev !== data.rev || !state.at || state.surface !== data.surface) {
    const { initial, surface } = data;
    const kept = state.surface === undefined && initial.at?.surface === surface ? initial.at : {};
    state.at = { ...data.start, ...kept, surface };
    Object.assign(state, { rev: data.rev, surface, sent: JSON.stringify(state.at) });
  }
  if (state.packed !== data.heights.packed) {
    Object.assign(state, { packed: data.heights.packed, n: data.heights.shape[0], heights: unpack(data.heights),
      shade: unpack(data.shade), palette: data.palette.map(rgb), painted: "",
      slopes: data.slopes ? data.slopes.map(unpack) : null });
    const [low, high] = state.heights.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    state.lift = data.squeezed ? Float32Array.from(state.shade, (v) => v / 255)
      : state.heights.map((v) => (v - low) / (high - low || 1));
  }
  state.data = data;
  const step = (2 * data.half) / (state.n - 1);
  const snap = (v) => clamp(data.exact ? Math.round(v / step) * step : Math.round(v * 100) / 100, -data.half, data.half);

  const commit = () => {
    const now = JSON.stringify(state.at);
    if (now === state.sent) return;
    state.sent = now;
    setStateValue("at", JSON.parse(now));
  };
  state.later?.cancel();
  state.later = debounce(commit, 120);
  const node = (v) => (v + data.half) / step;

  /** Height and slopes at the point: Python's own where the point stands on the grid. */
  function here() {
    const [u, v] = [node(state.at.x), node(state.at.y)];
    const [i, j] = [Math.round(u), Math.round(v)];
    const exact = Math.abs(u - i) + Math.abs(v - j) < 1e-6;
    const read = (grid) => (exact ? grid[j * state.n + i] : between(grid, state.n, u, v));
    const row = state.heights.subarray(j * state.n, (j + 1) * state.n);
    const column = Float32Array.from({ length: state.n }, (_, k) => state.heights[k * state.n + i]);
    return { ...state.at, height: read(state.heights), slopes: state.slopes?.map(read), exact, row, column, half: data.half };
  }

  function draw() {
    state.frame = 0;
    const size = Math.round(Math.min(root.clientWidth, data.size));
    if (!size) return;
    const sharp = Math.min(2, devicePixelRatio || 1);
    const look = `${size} ${state.solid && [state.turn, state.tilt, state.turning]}`;
    if (state.painted !== look) {
      state.painted = look;
      map.style.width = map.style.height = `${size}px`;
      canvas.width = canvas.height = size * sharp;
      svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
      const context = canvas.getContext("2d");
      (state.solid ? paintSolid : paintFlat)(state, context, size * sharp);
    }
    const project = projector(state, size);
    const point = here();
    const { paths = [], arrows = [], hidden = false } = state.shown;
    const lowest = data.minima.map(([x, y]) => {
      const [px, py] = project(x, y, heightOf(state, x, y));
      const cross = `M${px - 7} ${py}H${px + 7}M${px} ${py - 7}V${py + 7}`;
      return `<path class="halo" d="${cross}"/><path class="goal" d="${cross}"/>`;
    }).join("");
    const own = data.arrows && point.slopes ? slopeArrows(point) : [];
    $(".over").innerHTML = cuts(project) + lowest + paths.map((p) => way(state, project, p)).join("")
      + [...own, ...arrows].map((a) => arrow(state, project, a)).join("");
    const [px, py] = project(state.at.x, state.at.y, heightOf(state, state.at.x, state.at.y));
    handle.setAttribute("transform", `translate(${px} ${py})`);
    handle.classList.toggle("start", hidden);
    const words = `x ${fixed(state.at.x)}, y ${fixed(state.at.y)}, height ${fixed(point.height, 4)}`;
    handle.setAttribute("aria-label", `${data.point}: ${words}. Move it with the arrow keys.`);
    for (const input of root.querySelectorAll("[data-at]")) {
      if (root.getRootNode().activeElement !== input) input.value = Number(state.at[input.dataset.at].toFixed(2));
    }
    $(".here").innerHTML = data.quiet ? ""
      : `${data.letter}(${fixed(state.at.x)}, ${fixed(state.at.y)}) ${point.exact ? "=" : "≈"} <b>${fixed(point.height, 4)}</b>`;
    dispatchEvent(new CustomEvent("surface-at", { detail: { ...point, name: data.name } }));
  }
  const redraw = () => (state.frame ||= requestAnimationFrame(draw));

  /** The two lines along which only x, or only y, changes. */
  function cuts(project) {
    if (!data.cuts) return "";
    const line = (along) => Array.from({ length: 41 }, (_, k) => {
      const t = -data.half + (2 * data.half * k) / 40;
      const [x, y] = along === "x" ? [t, state.at.y] : [state.at.x, t];
      return project(x, y, heightOf(state, x, y)).map((v) => v.toFixed(1));
    }).join("L");
    return `<path class="cut halo" d="M${line("x")}"/><path class="cut halo" d="M${line("y")}"/>
      <path class="cut along-x" d="M${line("x")}"/><path class="cut along-y" d="M${line("y")}"/>`;
  }

  function slopeArrows({ x, y, slopes: [gx, gy] }) {
    const length = Math.hypot(gx, gy);
    if (!Number.isFinite(length)) return [];
    const unit = (0.55 * data.half) / (length + 1);
    return [{ x, y, dx: gx * unit, dy: 0, kind: "partial", label: "" }, { x, y, dx: 0, dy: gy * unit, kind: "partial", label: "" },
      { x, y, dx: gx * unit, dy: gy * unit, kind: "gradient", label: length > 1e-3 ? "uphill" : "" }];
  }

  const move = (x, y) => {
    state.at = { ...state.at, x: snap(x), y: snap(y) };
    redraw();
  };
  const inside = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, box.width];
  };
  const pick = (event) => {
    const [px, py, size] = inside(event);
    if (!state.solid) return [((px / size) * 2 - 1) * data.half, (1 - (py / size) * 2) * data.half];
    const project = projector(state, size);
    let best = [Infinity, 0, 0];
    for (let j = 0; j < state.n; j += 2) for (let i = 0; i < state.n; i += 2) {
      const [x, y] = [-data.half + i * step, -data.half + j * step];
      const [qx, qy] = project(x, y, state.lift[j * state.n + i]);
      // Of two places under the pointer the nearer to the eye stands lower on the screen.
      const distance = Math.hypot(qx - px, qy - py) + 0.002 * (size - project(x, y, 0)[1]);
      if (distance < best[0]) best = [distance, x, y];
    }
    return best.slice(1);
  };
  svg.onpointerdown = (event) => {
    const grabbed = event.target.closest?.(".handle");
    state.press = { x: event.clientX, y: event.clientY, turn: state.turn, tilt: state.tilt, grabbed, moved: false };
    svg.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    if (!state.solid && (event.pointerType === "mouse" || grabbed)) move(...pick(event));
  };
  svg.onpointermove = (event) => {
    const press = state.press;
    if (!press) return;
    const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
    press.moved ||= Math.hypot(dx, dy) > 4;
    if (!press.moved) return;
    if (!state.solid) {
      if (event.pointerType === "mouse" || press.grabbed) move(...pick(event));
      return;
    }
    state.turning = true;
    state.turn = ((press.turn + dx * 0.5 + 540) % 360) - 180;
    state.tilt = clamp(press.tilt + dy * 0.4, 15, 80);
    showView();
  };
  svg.onpointerup = (event) => {
    if (state.press && !state.press.moved) move(...pick(event));
    release();
  };
  svg.onpointercancel = () => release();
  const release = () => {
    state.press = null;
    if (state.turning) {
      state.turning = false;
      redraw();
    }
    commit();
    $("[aria-live]").textContent = handle.getAttribute("aria-label");
  };
  handle.onkeydown = (event) => {
    const far = event.shiftKey ? 10 : 1;
    const d = (data.exact ? step : 0.01 * Math.ceil(data.half)) * far;
    const [dx, dy] = { ArrowLeft: [-d, 0], ArrowRight: [d, 0], ArrowDown: [0, -d], ArrowUp: [0, d] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    move(state.at.x + dx, state.at.y + dy);
    state.later();
  };
  for (const input of root.querySelectorAll("[data-at]")) {
    input.min = -data.half;
    input.max = data.half;
    const adopt = () => {
      if (input.value.trim() === "" || !Number.isFinite(Number(input.value))) return;
      const at = { ...state.at, [input.dataset.at]: Number(input.value) };
      move(at.x, at.y);
      state.later();
    };
    input.oninput = adopt;
    input.onchange = () => {
      input.value = Number(state.at[input.dataset.at].toFixed(2));
      commit();
    };
  }
  function showView() {
    root.querySelectorAll("[data-solid]").forEach((b) => b.setAttribute("aria-pressed", (b.dataset.solid === "1") === state.solid));
    root.classList.toggle("solid", state.solid);
    for (const input of root.querySelectorAll("[data-turn]")) input.value = state[input.dataset.turn];
    redraw();
  }
  root.querySelectorAll("[data-solid]").forEach((button) => {
    button.onclick = () => {
      state.solid = button.dataset.solid === "1";
      showView();
    };
  });
  for (const input of root.querySelectorAll("[data-turn]")) {
    input.oninput = () => {
      state[input.dataset.turn] = Number(input.value);
      redraw();
    };
  }
  svg.setAttribute("aria-label", data.label);
  const swatches = data.palette.map((c) => `<b style="background:${c}"></b>`).join("");
  $(".legend").innerHTML = `<span>${data.levels[0]}</span><i>${swatches}</i><span>${data.levels[1]}</span>`;
  $(".legend").setAttribute("aria-label", `Dark is low, ${data.levels[0]}; bright is high, ${data.levels[1]}.`);

  removeEventListener("surface-show", state.listen);
  removeEventListener("surface-hello", state.hello);
  state.listen = ({ detail }) => {
    if (detail.name !== data.name) return;
    state.shown = detail;
    redraw();
  };
  state.hello = ({ detail }) => detail.name === data.name && redraw();
  addEventListener("surface-show", state.listen);
  addEventListener("surface-hello", state.hello);
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(redraw);
  state.sizes.observe(root);
  showView();
  return () => {
    state.later.cancel();
    cancelAnimationFrame(state.frame);
    state.sizes.disconnect();
    removeEventListener("surface-show", state.listen);
    removeEventListener("surface-hello", state.hello);
    mounted.delete(parentElement);
  };
}
