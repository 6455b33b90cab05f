// A network that trains in front of the reader. Python trains in short bursts and sends the weights
// of each frame; this plays them, works the picture of every neuron out of the weights, and asks for
// the next burst in time. On pause Python's own picture takes the place of the browser's. The neuron
// that is looked at is told to network_readout.js ("network-look"), which sends "network-edit".

const mounted = new WeakMap();
const PACES = { slow: [8, 1, 20], normal: [30, 5, 150], fast: [30, 20, 600] }; // frames a second, steps a frame, steps a burst
const TINTS = 128;
const BENDS = {
  linear: (z) => z, relu: (z) => Math.max(0, z), leaky_relu: (z) => (z > 0 ? z : 0.01 * z), tanh: Math.tanh,
  sigmoid: (z) => 1 / (1 + Math.exp(-z)), silu: (z) => z / (1 + Math.exp(-z)),
  gelu: (z) => 0.5 * z * (1 + Math.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z))),
};

/** What every neuron makes of many points: per layer one array for each neuron. */
function pass(data, row, xs, ys) {
  const { sizes } = data;
  const layers = [[xs, ys]];
  let at = 0;
  for (let l = 1; l < sizes.length; l += 1) {
    const before = layers[l - 1];
    const bias = at + sizes[l - 1] * sizes[l];
    const bend = BENDS[l === sizes.length - 1 ? "sigmoid" : data.activation];
    layers.push(Array.from({ length: sizes[l] }, (_, j) => {
      const out = new Float64Array(xs.length).fill(row[bias + j]);
      before.forEach((column, i) => {
        const w = row[at + j * sizes[l - 1] + i];
        for (let k = 0; k < out.length; k += 1) out[k] += w * column[k];
      });
      for (let k = 0; k < out.length; k += 1) out[k] = bend(out[k]);
      return out;
    }));
    at = bias + sizes[l];
  }
  return layers;
}

/** Where the numbers of a neuron stand in a row: its weights, then its bias. */
function slots(sizes, layer, j) {
  let at = 0;
  for (let l = 1; l < layer; l += 1) at += (sizes[l - 1] + 1) * sizes[l];
  return { weights: Array.from({ length: sizes[layer - 1] }, (_, i) => at + j * sizes[layer - 1] + i), bias: at + sizes[layer - 1] * sizes[layer] + j };
}

/** The theme's colors from one end of the scale over the paper to the other, for the canvases. */
function paints(root) {
  const probe = root.appendChild(document.createElement("i"));
  const read = (color) => {
    probe.style.color = color;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };
  const [low, high, paper, ink] = ["--key", "--query", "--st-background-color", "--st-text-color"].map((c) => read(`var(${c})`));
  probe.remove();
  const table = new Uint8ClampedArray((2 * TINTS + 1) * 4).fill(255);
  for (let i = -TINTS; i <= TINTS; i += 1) {
    const mix = (Math.abs(i) / TINTS) * 0.62;
    const end = i < 0 ? low : high;
    for (let c = 0; c < 3; c += 1) table[(i + TINTS) * 4 + c] = paper[c] + (end[c] - paper[c]) * mix;
  }
  const css = (rgb) => `rgb(${rgb.join(",")})`;
  return { table: new Uint32Array(table.buffer), ends: [css(low), css(high)], paper: css(paper), ink: css(ink) };
}

function tile(m, canvas, values, out) {
  const pixels = new Uint32Array(m.image.data.buffer);
  let most = 1e-9;
  if (!out) for (const v of values) most = Math.max(most, Math.abs(v));
  const scale = out ? 2 * TINTS : TINTS / most;
  const shift = out ? 0 : TINTS;
  for (let k = 0; k < values.length; k += 1) pixels[k] = m.paint.table[Math.round(values[k] * scale + shift)];
  canvas.getContext("2d").putImageData(m.image, 0, 0);
}

/** A canvas's pen, in CSS pixels, on a fresh sheet. */
function sharp(canvas, wide, tall) {
  const scale = devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(wide * scale), height: Math.round(tall * scale) });
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return pen;
}

function layout(m) {
  const { sizes } = m.data;
  const net = m.$(".net");
  m.size = net.clientWidth < 480 ? 38 : 40;
  const gap = m.size + 8;
  m.tall = Math.max(...sizes, 6) * gap;
  net.style.height = `${m.tall}px`;
  const across = (net.clientWidth - m.size) / (sizes.length - 1);
  m.place = (l, j) => [m.size / 2 + l * across, m.tall / 2 + (j - (sizes[l] - 1) / 2) * gap];
  m.root.querySelectorAll(".neuron").forEach((node) => {
    const [x, y] = m.place(...node.dataset.neuron.split(".").map(Number));
    Object.assign(node.style, { left: `${x - m.size / 2}px`, top: `${y - m.size / 2}px`, width: `${m.size}px`, height: `${m.size}px` });
  });
}

const nameOf = (m, l, j) => (l === 0 ? ["x", "y"][j] : l === m.data.sizes.length - 1 ? "output" : `neuron ${l}.${j + 1}`);

function nodes(m) {
  m.$(".nodes").innerHTML = m.data.sizes.flatMap((count, l) => Array.from({ length: count }, (_, j) =>
    `<button type="button" class="neuron" data-neuron="${l}.${j}" aria-label="${nameOf(m, l, j)}"><canvas width="${m.cells}" height="${m.cells}"></canvas></button>`)).join("");
  m.root.querySelectorAll(".neuron").forEach((node) => {
    const at = node.dataset.neuron.split(".").map(Number);
    node.onpointerenter = node.onfocus = node.onclick = () => { m.look = at; refresh(m); };
  });
  m.look = null;
  layout(m);
}

function edges(m) {
  const { sizes } = m.data;
  const pen = sharp(m.$(".edges"), m.$(".net").clientWidth, m.tall);
  for (let l = 1; l < sizes.length; l += 1) {
    for (let j = 0; j < sizes[l]; j += 1) {
      slots(sizes, l, j).weights.forEach((slot, i) => {
        const w = m.row[slot];
        const mine = !m.look || (m.look[0] === l && m.look[1] === j) || (m.look[0] === l - 1 && m.look[1] === i);
        const [[x0, y0], [x1, y1]] = [m.place(l - 1, i), m.place(l, j)];
        pen.beginPath();
        pen.moveTo(x0, y0);
        pen.bezierCurveTo((x0 + x1) / 2, y0, (x0 + x1) / 2, y1, x1, y1);
        pen.lineWidth = Math.min(6, 0.4 + Math.abs(w) * 1.5);
        pen.strokeStyle = m.paint.ends[w < 0 ? 0 : 1];
        pen.setLineDash(w < 0 ? [5, 4] : []);
        pen.globalAlpha = mine ? 0.9 : 0.1;
        pen.stroke();
      });
    }
  }
}

function points(m) {
  const side = m.$(".output").clientWidth;
  const pen = sharp(m.$(".dots"), side, side);
  const place = (x, y) => [((x / m.data.edge + 1) / 2) * side, ((1 - y / m.data.edge) / 2) * side];
  [m.test, m.train].forEach((set, held) => {
    for (let i = 0; i < set.length; i += 3) {
      const [x, y] = place(set[i], set[i + 1]);
      pen.beginPath();
      if (set[i + 2] === 1) pen.rect(x - 3, y - 3, 6, 6);
      else pen.arc(x, y, 3.4, 0, 7);
      pen.fillStyle = held ? m.paint.ends[set[i + 2]] : m.paint.paper;
      pen.strokeStyle = held ? m.paint.paper : m.paint.ends[set[i + 2]];
      pen.lineWidth = held ? 0.75 : 1.25;
      pen.fill();
      pen.stroke();
    }
  });
  const [x, y] = place(...m.probe);
  pen.beginPath();
  pen.moveTo(x - 9, y); pen.lineTo(x + 9, y); pen.moveTo(x, y - 9); pen.lineTo(x, y + 9);
  pen.strokeStyle = m.paint.ink;
  pen.lineWidth = 2;
  pen.stroke();
}

function refresh(m) {
  const frame = m.frames[m.at];
  m.row = frame.row;
  const layers = pass(m.data, m.row, m.xs, m.ys);
  const last = layers.length - 1;
  if (frame.surface) layers[last] = [frame.surface]; // Python's own
  m.root.dataset.from = frame.surface ? "python" : "browser";
  m.root.querySelectorAll(".neuron").forEach((node) => {
    const [l, j] = node.dataset.neuron.split(".").map(Number);
    tile(m, node.firstElementChild, layers[l][j], l === last);
    node.classList.toggle("lit", Boolean(m.look) && m.look[0] === l && m.look[1] === j);
  });
  const [l, j] = m.look || [last, 0];
  tile(m, m.$(".surface"), layers[l][j], l === last);
  m.$(".whose").textContent = l === last ? "What the network answers" : `What ${nameOf(m, l, j)} sees`;
  edges(m);
  status(m);
  inspect(m);
}

function status(m) {
  const { step } = m.frames[m.at];
  const epoch = (step * m.data.batch) / Math.max(1, m.train.length / 3);
  m.$(".where").textContent = `step ${step.toLocaleString("en")} · epoch ${epoch < 10 ? epoch.toFixed(1) : Math.round(epoch).toLocaleString("en")}`;
  m.$(".play").textContent = m.playing ? "Pause" : "Play";
  m.$(".play").disabled = m.$(".step").disabled = Boolean(m.data.trouble);
  const { trouble, diverged } = m.data;
  dispatchEvent(new CustomEvent("network-frames", { detail: { frames: m.frames, at: m.at, held: m.test.length > 0, trouble, diverged } }));
}

/** Tells the read-out everything about the neuron that is looked at. */
function inspect(m) {
  const { sizes } = m.data;
  const [l, j] = m.look || [sizes.length - 1, 0];
  const frame = m.frames[m.at];
  const inside = pass(m.data, m.row, [m.probe[0]], [m.probe[1]]).map((layer) => layer.map((v) => v[0]));
  if (frame.inside) frame.inside.forEach((layer, k) => { inside[k + 1] = layer; });
  const detail = { key: `${m.run} ${l}.${j}`, name: nameOf(m, l, j), probe: m.probe, output: inside[l][j], from: frame.inside ? "python" : "browser" };
  if (l > 0) {
    const { weights, bias } = slots(sizes, l, j);
    detail.terms = weights.map((slot, i) => ({ slot, weight: m.row[slot], input: inside[l - 1][i], label: nameOf(m, l - 1, i) }));
    detail.bias = { slot: bias, weight: m.row[bias], label: "bias" };
    detail.sum = detail.terms.reduce((sum, t) => sum + t.weight * t.input, detail.bias.weight);
    detail.bend = l === sizes.length - 1 ? "sigmoid" : m.data.activation === "linear" ? "" : m.data.name;
  }
  dispatchEvent(new CustomEvent("network-look", { detail }));
}

function edit(m, slot, value) {
  pause(m, false);
  const frame = m.frames[m.at];
  const near = Number(Math.min(20, Math.max(-20, value)).toFixed(3));
  m.edits = m.edits.filter((e) => e[0] < frame.step || (e[0] === frame.step && e[1] !== slot));
  if (m.edits.length >= m.data.mostEdits) return;
  m.edits.push([frame.step, slot, near]);
  const row = frame.row.slice();
  row[slot] = near;
  m.frames = [...m.frames.slice(0, m.at), { step: frame.step, row, scores: frame.scores }];
  refresh(m);
  m.settle();
}

function ask(m, steps, every) {
  const from = steps ? m.frames[m.frames.length - 1].step : m.frames[m.at].step;
  m.n += 1;
  m.waiting = steps > 0;
  m.send("ask", { run: m.data.run, n: m.n, from, steps, every, edits: m.edits, probe: m.probe });
}

function pause(m, tell = true) {
  cancelAnimationFrame(m.timer);
  m.playing = false;
  if (tell) m.settle();
}

function play(m) {
  m.settle.cancel();
  m.playing = true;
  let before = null, due = 0;
  const tick = (now) => {
    const [rate, every, burst] = PACES[m.$(".pace").value];
    due = Math.min(2, due + ((now - (before ?? now)) / 1000) * rate);
    before = now;
    const end = m.frames[m.frames.length - 1].step >= m.data.most || m.data.diverged;
    if (due >= 1 && m.at < m.frames.length - 1) {
      due -= 1;
      m.at += 1;
      refresh(m);
    }
    if (m.at === m.frames.length - 1 && end) return pause(m), refresh(m);
    if (!end && !m.waiting && m.frames.length - m.at < rate * 0.8) ask(m, burst, every);
    m.timer = requestAnimationFrame(tick);
  };
  m.timer = requestAnimationFrame(tick);
}

function receive(m) {
  const { data } = m;
  const rows = unpack(data.frames), scores = unpack(data.scores);
  const width = rows.length / Math.max(1, data.steps.length);
  const fresh = data.steps.map((step, i) => ({ step, row: Float64Array.from(rows.subarray(i * width, (i + 1) * width)), scores: scores.subarray(i * 4, i * 4 + 4) }));
  if (!fresh.length) return;
  if (data.surface) {
    fresh[0].surface = unpack(data.surface);
    fresh[0].inside = data.inside;
  }
  const kept = (m.frames || []).filter((f) => f.step < fresh[0].step);
  const later = data.steps.length === 1 ? (m.frames || []).filter((f) => f.step > fresh[0].step) : [];
  m.frames = [...kept, ...fresh, ...later];
  m.waiting = false;
}

function addPoint(m, x, y, label) {
  if (m.own.length >= m.data.mostOwn) return;
  const near = (v) => Number(Math.min(m.data.edge, Math.max(-m.data.edge, v)).toFixed(3));
  m.own = [...m.own, [near(x), near(y), label]];
  m.train = Float32Array.from([...m.train, near(x), near(y), label]);
  points(m);
  m.send("own", m.own);
}

const HTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">One step</button>
    <button type="button" class="reset">Reset</button><label>Pace <select class="pace">${Object.keys(PACES).map((name) => `<option ${name === "normal" ? "selected" : ""}>${name}</option>`).join("")}</select></label>
    <span class="where"></span></div>
  <div class="floor"><div class="net"><canvas class="edges"></canvas><div class="nodes"></div></div>
    <div class="right"><div class="output"><canvas class="surface"></canvas>
      <canvas class="dots" tabindex="0" role="application"></canvas></div><p class="whose quiet"></p></div></div>
`;

function wire(m) {
  const { $ } = m;
  $(".play").onclick = () => {
    if (m.playing) pause(m); else play(m);
    status(m);
  };
  $(".step").onclick = () => {
    pause(m, false);
    m.frames = m.frames.slice(0, m.at + 1);
    m.follow = true;
    ask(m, 1, 1);
  };
  $(".reset").onclick = () => {
    pause(m, false);
    m.edits = [];
    m.frames = m.frames.slice(0, 1);
    m.at = 0;
    m.restart = m.frames[0].step > 0;
    m.n += 1;
    m.send("ask", { run: m.data.run, n: m.n, from: 0, steps: 0, every: 1, edits: [], probe: m.probe });
    refresh(m);
  };
  const dots = $(".dots");
  const aim = (x, y) => {
    const near = (v) => Math.round(Math.min(m.data.edge, Math.max(-m.data.edge, v)) * 100) / 100;
    m.probe = [near(x), near(y)];
    points(m);
    m.frames.forEach((f) => { delete f.inside; });
    inspect(m);
    if (!m.playing) m.settle();
  };
  const at = (event) => {
    const box = dots.getBoundingClientRect();
    return [(((event.clientX - box.left) / box.width) * 2 - 1) * m.data.edge, (1 - ((event.clientY - box.top) / box.height) * 2) * m.data.edge];
  };
  dots.onpointerdown = dots.onpointermove = (event) => { if (event.pointerType === "mouse" || event.buttons) aim(...at(event)); };
  dots.onclick = (event) => { if (m.data.clicks) addPoint(m, ...at(event), m.data.kind); };
  dots.onkeydown = (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const kind = { c: 0, s: 1 }[event.key.toLowerCase()];
    if (by) aim(m.probe[0] + by[0] * 0.05, m.probe[1] + by[1] * 0.05);
    else if (kind !== undefined && m.data.clicks) addPoint(m, ...m.probe, kind);
    else return;
    event.preventDefault();
  };
}

function begin(m) {
  m.run = m.data.run;
  cancelAnimationFrame(m.timer);
  m.train = unpack(m.data.train);
  m.test = unpack(m.data.test);
  m.edits = m.data.asked.edits.map((e) => [...e]);
  m.frames = [];
  m.at = 0;
  receive(m);
  nodes(m);
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    root.innerHTML = HTML;
    m = { root, $: (s) => root.querySelector(s), n: data.asked.n, probe: data.asked.probe, cells: data.cells, image: new ImageData(data.cells, data.cells) };
    mounted.set(parentElement, m);
    Object.assign(m.$(".surface"), { width: data.cells, height: data.cells });
    m.settle = debounce(() => ask(m, 0, 1), 150);
    const middle = (k) => ((k + 0.5) / data.cells) * 2 * data.edge - data.edge;
    m.xs = Float64Array.from({ length: data.cells ** 2 }, (_, k) => middle(k % data.cells));
    m.ys = Float64Array.from({ length: data.cells ** 2 }, (_, k) => -middle(Math.floor(k / data.cells)));
    m.observer = new ResizeObserver(() => { if (m.frames) { layout(m); points(m); edges(m); } });
    m.observer.observe(root);
    wire(m);
    m.listen = {
      "network-edit": ({ detail }) => edit(m, detail.slot, detail.value),
      "network-hello": () => m.frames && refresh(m),
      "network-goto": ({ detail }) => { pause(m); m.at = Math.min(detail, m.frames.length - 1); refresh(m); },
    };
    Object.entries(m.listen).forEach(([name, f]) => addEventListener(name, f));
  }
  m.data = data;
  m.send = setStateValue;
  m.paint = paints(root);
  if (m.rev !== data.rev) {
    m.rev = data.rev;
    m.own = data.initial.own;
  }
  const again = m.playing && m.run !== data.run;
  if (m.run !== data.run) begin(m);
  else if (data.n === m.n) {
    if (m.restart) m.frames = [];
    m.restart = false;
    receive(m);
    if (m.follow) m.at = m.frames.length - 1;
    m.follow = false;
  }
  m.at = Math.min(m.at, m.frames.length - 1);
  m.$(".dots").setAttribute("aria-label", `The picture and its points; arrow keys move the cross${data.clicks ? ", C adds a circle there, S a square" : ""}`);
  points(m);
  refresh(m);
  if (again) play(m);
  return () => {
    cancelAnimationFrame(m.timer);
    m.settle.cancel();
    m.observer.disconnect();
    Object.entries(m.listen).forEach(([name, f]) => removeEventListener(name, f));
    mounted.delete(parentElement);
  };
}
