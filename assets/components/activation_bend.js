// Two networks learn the same points, one without a bend between its sums. Python has sent their
// pictures; this plays both at once.

const mounted = new WeakMap();
const PACE = 8; // pictures a second

function paints(root) {
  const probe = root.appendChild(document.createElement("i"));
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };
  const found = ["--key", "--query", "--st-background-color"].map(read);
  probe.remove();
  return found;
}

function build(m) {
  m.root.innerHTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="reset">Back to the start</button><span class="where"></span></div>
    <input type="range" class="at" min="0" step="1" aria-label="Step of both trainings">
    <div class="pair">${[0, 1].map(() => `<figure><div class="sheet"><canvas></canvas><canvas></canvas></div><figcaption></figcaption></figure>`).join("")}</div>`;
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
  m.$(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function play(m) {
  const first = m.at >= m.last ? 0 : m.at;
  let from = null;
  const tick = (now) => {
    from ??= now;
    m.at = reducedMotion() ? m.last : Math.min(m.last, first + Math.floor(((now - from) / 1000) * PACE));
    m.timer = m.at < m.last ? requestAnimationFrame(tick) : 0;
    show(m);
  };
  m.timer = requestAnimationFrame(tick);
}

function surface(m, canvas, values) {
  const { cells } = m.data;
  Object.assign(canvas, { width: cells, height: cells });
  const image = new ImageData(cells, cells);
  const [low, high, paper] = m.paint;
  for (let k = 0; k < cells * cells; k += 1) {
    const share = values[m.at * cells * cells + k] / 127.5 - 1;
    const end = share < 0 ? low : high;
    for (let c = 0; c < 3; c += 1) image.data[k * 4 + c] = paper[c] + (end[c] - paper[c]) * Math.abs(share) * 0.62;
    image.data[k * 4 + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function dots(m, canvas) {
  const side = canvas.clientWidth, scale = devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(side * scale), height: Math.round(side * scale) });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const css = (rgb) => `rgb(${rgb.join(",")})`;
  for (let i = 0; i < m.points.length; i += 3) {
    const x = ((m.points[i] / m.data.edge + 1) / 2) * side, y = ((1 - m.points[i + 1] / m.data.edge) / 2) * side;
    pen.beginPath();
    if (m.points[i + 2] === 1) pen.rect(x - 3, y - 3, 6, 6);
    else pen.arc(x, y, 3.4, 0, 7);
    pen.fillStyle = css(m.paint[m.points[i + 2]]);
    pen.strokeStyle = css(m.paint[2]);
    pen.fill();
    pen.stroke();
  }
}

function show(m) {
  m.root.querySelectorAll("figure").forEach((figure, i) => {
    const [, , loss, right] = m.data.scores[i][m.at];
    surface(m, figure.querySelector("canvas"), m.surfaces[i]);
    figure.querySelector("figcaption").innerHTML = `<b>${escapeHtml(m.data.names[i])}</b>: <b class="right">${(100 * right).toFixed(1)} %</b> right, <span class="loss">loss ${loss.toFixed(3)}</span>`;
  });
  m.$(".where").textContent = `step ${m.data.steps[m.at]} of ${m.data.steps[m.last]}`;
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", m.$(".where").textContent);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
    m.observer = new ResizeObserver(() => m.points && m.root.querySelectorAll(".sheet canvas:last-child").forEach((c) => dots(m, c)));
    m.observer.observe(root);
  }
  m.paint = paints(root);
  if (m.run !== data.run) {
    stop(m);
    Object.assign(m, { data, run: data.run, surfaces: data.surfaces.map(unpack), points: unpack(data.points), last: data.steps.length - 1, at: m.run === undefined ? 0 : data.steps.length - 1 });
    m.$(".at").max = m.last;
  }
  m.root.querySelectorAll(".sheet canvas:last-child").forEach((c) => dots(m, c));
  show(m);
  return () => {
    stop(m);
    m.observer.disconnect();
    mounted.delete(parentElement);
  };
}
