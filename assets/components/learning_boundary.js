// Two kinds of points and the line that learns to part them. Python has sent the whole run; this
// plays it. A click (or the cross, moved by arrow keys) adds a point; Python then learns anew.

const mounted = new WeakMap();
const FIELDS = 5; // of a frame: two weights, bias, loss, accuracy
const PACE = 30; // steps a second
const KINDS = ["circle", "square"];

const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");
const signed = (v) => `${v < 0 ? "−" : "+"} ${Math.abs(v).toFixed(2)}`;

/** The theme's colors as [red, green, blue], for the canvas. */
function paints(root) {
  const probe = root.appendChild(document.createElement("i"));
  const read = (color) => {
    probe.style.color = color;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };
  const found = { ends: [read("var(--key)"), read("var(--query)")], paper: read("var(--st-background-color)"),
    ink: read("var(--st-text-color)") };
  probe.remove();
  return found;
}

const css = (rgb, alpha = 1) => `rgba(${rgb.join(",")},${alpha})`;

function build(root) {
  root.innerHTML = `<div class="board">
    <canvas tabindex="0" role="application" aria-label="Points of two kinds and the learned line. Arrow keys move a cross, C adds a circle there, S a square, Backspace takes the last added point away."></canvas>
    <div class="side">
      <div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">One step</button>
        <button type="button" class="reset">Back to the start</button></div>
      <input type="range" class="at" min="0" step="1" aria-label="Step of the run">
      <p class="say"></p><p class="line"></p>
      <svg class="curve" viewBox="0 0 300 90" preserveAspectRatio="none" aria-hidden="true"><path/><line y1="0" y2="90"/></svg>
      <p class="quiet">The loss, step by step.</p>
      <div class="kinds" role="group" aria-label="What a click adds"><span>A click adds</span>
        <button type="button" data-kind="1">■ a square</button><button type="button" data-kind="0">● a circle</button></div>
      <details><summary>Add a point by its numbers</summary><div class="numbers">
        <label>x <input type="number" class="x" step="0.1" value="0"></label><label>y <input type="number" class="y" step="0.1" value="0"></label>
        <button type="button" class="add">Add it</button></div></details>
      <button type="button" class="undo">Take the last added point away</button>
    </div></div>`;
}

function paint(m) {
  const { canvas, data } = m;
  const side = canvas.clientWidth;
  const scale = devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(side * scale);
  const pen = canvas.getContext("2d");
  const [w1, w2, b] = m.frames.subarray(m.at * FIELDS, m.at * FIELDS + 3);
  const { ends, paper, ink } = m.paint;
  const place = (x, y) => [((x / data.edge + 1) / 2) * side, ((1 - y / data.edge) / 2) * side];
  const cells = 60;
  const image = new ImageData(cells, cells);
  for (let i = 0; i < cells * cells; i += 1) {
    const x = (((i % cells) + 0.5) / cells) * 2 * data.edge - data.edge;
    const y = data.edge - ((Math.floor(i / cells) + 0.5) / cells) * 2 * data.edge;
    const p = 1 / (1 + Math.exp(-(w1 * x + w2 * y + b)));
    const mix = Math.min(1, Math.abs(p - 0.5) * 2) * 0.42;
    const end = ends[p > 0.5 ? 1 : 0];
    for (let c = 0; c < 3; c += 1) image.data[i * 4 + c] = paper[c] + (end[c] - paper[c]) * mix;
    image.data[i * 4 + 3] = 255;
  }
  m.tile.getContext("2d").putImageData(image, 0, 0);
  pen.drawImage(m.tile, 0, 0, canvas.width, canvas.height);
  pen.scale(scale, scale);
  const length = w1 * w1 + w2 * w2;
  if (length > 1e-12) {
    const [cx, cy] = [(-b * w1) / length, (-b * w2) / length];
    const far = 4 / Math.sqrt(length);
    pen.beginPath();
    pen.moveTo(...place(cx - w2 * far, cy + w1 * far));
    pen.lineTo(...place(cx + w2 * far, cy - w1 * far));
    pen.lineWidth = 2.5;
    pen.strokeStyle = css(ink);
    pen.stroke();
  }
  for (let i = 0; i < m.points.length; i += 3) {
    const [x, y] = place(m.points[i], m.points[i + 1]);
    const kind = m.points[i + 2];
    const wrong = (w1 * m.points[i] + w2 * m.points[i + 1] + b > 0) !== (kind === 1);
    pen.beginPath();
    if (kind === 1) pen.rect(x - 4.5, y - 4.5, 9, 9);
    else pen.arc(x, y, 5, 0, 7);
    pen.fillStyle = css(ends[kind]);
    pen.fill();
    pen.lineWidth = wrong && m.at > 0 ? 2.5 : 1;
    pen.strokeStyle = wrong && m.at > 0 ? css(ink) : css(paper);
    pen.stroke();
  }
  if (m.cross) {
    const [x, y] = place(...m.cross);
    pen.beginPath();
    pen.moveTo(x - 10, y); pen.lineTo(x + 10, y); pen.moveTo(x, y - 10); pen.lineTo(x, y + 10);
    pen.lineWidth = 2;
    pen.strokeStyle = css(ink);
    pen.stroke();
  }
}

function show(m) {
  const f = m.frames.subarray(m.at * FIELDS, (m.at + 1) * FIELDS);
  m.$(".say").innerHTML = `Step <b>${m.at}</b> of ${m.last}: loss <b class="loss">${fixed(f[3], 3)}</b>, <b>${(100 * f[4]).toFixed(0)} %</b> of the points on the right side.`;
  m.$(".line").textContent = m.at === 0 ? "No line yet: all three numbers are 0."
    : `The line: ${fixed(f[0])}·x ${signed(f[1])}·y ${signed(f[2])} = 0`;
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `step ${m.at} of ${m.last}, loss ${f[3].toFixed(3)}`);
  m.$(".curve line").setAttribute("x1", (m.at / m.last) * 300);
  m.$(".curve line").setAttribute("x2", (m.at / m.last) * 300);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.at >= m.last;
  m.root.querySelectorAll("[data-kind]").forEach((b) => b.setAttribute("aria-pressed", Number(b.dataset.kind) === m.kind));
  m.$(".undo").hidden = m.own.length === 0;
  paint(m);
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.last) m.at = 0;
  if (reducedMotion()) m.at = m.last;
  let from = null;
  const first = m.at;
  const tick = (now) => {
    from ??= now;
    m.at = Math.min(m.last, first + Math.floor(((now - from) / 1000) * PACE));
    m.timer = m.at < m.last ? requestAnimationFrame(tick) : 0;
    show(m);
  };
  m.timer = requestAnimationFrame(tick);
}

function add(m, x, y, kind) {
  const edge = m.data.edge;
  if (m.own.length >= m.data.most || !Number.isFinite(x) || !Number.isFinite(y)) return;
  const near = (v) => Number(Math.min(edge, Math.max(-edge, v)).toFixed(3));
  m.own = [...m.own, [near(x), near(y), kind]];
  m.points = Float32Array.from([...m.points, near(x), near(y), kind]); // until Python has learned
  m.replay = true;
  stop(m);
  show(m);
  m.send("own", m.own);
}

function wire(m) {
  const { $, root, canvas } = m;
  $(".play").onclick = () => (m.timer ? (stop(m), show(m)) : play(m));
  $(".step").onclick = () => { stop(m); m.at = Math.min(m.last, m.at + 1); show(m); };
  $(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
  $(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
  root.querySelectorAll("[data-kind]").forEach((b) => { b.onclick = () => { m.kind = Number(b.dataset.kind); show(m); }; });
  $(".add").onclick = () => add(m, Number($(".x").value), Number($(".y").value), m.kind);
  $(".undo").onclick = () => { stop(m); m.own = m.own.slice(0, -1); m.replay = true; m.send("own", m.own); };
  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (v, low, size) => (((v - low) / size) * 2 - 1) * m.data.edge;
    add(m, at(event.clientX, box.left, box.width), -at(event.clientY, box.top, box.height), m.kind);
  };
  canvas.onkeydown = (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const kind = { c: 0, s: 1 }[event.key.toLowerCase()];
    if (by) {
      const edge = m.data.edge;
      m.cross = (m.cross || [0, 0]).map((v, i) => Math.min(edge, Math.max(-edge, v + by[i] * 0.1)));
    } else if (kind !== undefined && m.cross) add(m, ...m.cross, kind);
    else if (event.key === "Backspace" && m.own.length) $(".undo").click();
    else return;
    event.preventDefault();
    show(m);
  };
  canvas.onblur = () => { m.cross = null; show(m); };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    build(root);
    m = { root, $: (s) => root.querySelector(s), kind: 1, tile: Object.assign(document.createElement("canvas"), { width: 60, height: 60 }) };
    m.canvas = m.$("canvas");
    mounted.set(parentElement, m);
    wire(m);
    m.observer = new ResizeObserver(() => paint(m));
    m.observer.observe(m.canvas);
  }
  m.data = data;
  m.send = setStateValue;
  m.paint = paints(root);
  if (m.rev !== data.rev) {
    m.rev = data.rev;
    m.own = data.initial.own;
  }
  if (m.run !== data.run) {
    stop(m);
    m.run = data.run;
    m.points = unpack(data.points);
    m.frames = unpack(data.frames);
    m.last = m.frames.length / FIELDS - 1;
    m.at = 0;
    m.$(".at").max = m.last;
    const losses = Array.from({ length: m.last + 1 }, (_, i) => m.frames[i * FIELDS + 3]);
    const most = Math.max(...losses);
    m.$(".curve path").setAttribute("d", losses.map((v, i) => `${i ? "L" : "M"}${(i / m.last) * 300},${88 - (v / most) * 84}`).join(""));
    if (m.replay) play(m);
    m.replay = false;
  }
  show(m);
  return () => {
    stop(m);
    m.observer.disconnect();
    mounted.delete(parentElement);
  };
}
