// A shape goes through layer after layer (dots); beside it what one single layer makes of it
// (rings). Python has sent all of it; this steps through and shows the product being multiplied out.

const mounted = new WeakMap();
const SIZE = 400;
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");

function matrix(rows, name, lit) {
  return `<figure class="${lit ? "lit" : ""}"><table><tbody>${rows.map((row) => `<tr>${row.map((v) => `<td>${fixed(v)}</td>`).join("")}</tr>`).join("")}</tbody></table><figcaption>${name}</figcaption></figure>`;
}

function small(gap) {
  if (gap >= 0.001) return fixed(gap, 3);
  if (gap === 0) return "0";
  const power = Math.floor(Math.log10(gap));
  return `${fixed(gap / 10 ** power, 1)} · 10<sup>${fixed(power, 0)}</sup>`;
}

function build(m) {
  m.root.innerHTML = `<div class="board"><svg viewBox="0 0 ${SIZE} ${SIZE}" role="img" aria-label="The letter F after the layers, and what one layer makes of it">
      <path class="axis" d="M0,${SIZE / 2}H${SIZE}M${SIZE / 2},0V${SIZE}"/><g class="rings"></g><g class="dots"></g></svg>
    <div><div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">Next layer</button>
        <button type="button" class="reset">Back to the start</button></div>
      <input type="range" class="at" min="0" step="1" aria-label="Layers gone through">
      <p class="say" role="status"></p><div class="product"></div><p class="gap"></p></div></div>`;
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".step").onclick = () => { stop(m); m.at = Math.min(m.data.count, m.at + 1); show(m); };
  m.$(".reset").onclick = () => { stop(m); m.at = 0; show(m); };
  m.$(".at").oninput = (event) => { stop(m); m.at = Number(event.target.value); show(m); };
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.data.count) m.at = 0;
  const pause = m.data.count > 20 ? 120 : 700;
  let before = 0;
  const tick = (now) => {
    if (reducedMotion()) m.at = m.data.count;
    else if (now - before >= pause) {
      before = now;
      m.at += 1;
    }
    m.timer = m.at < m.data.count ? requestAnimationFrame(tick) : 0;
    show(m);
  };
  m.timer = requestAnimationFrame(tick);
}

function show(m) {
  const { data } = m;
  const n = m.places.length / (data.count + 1);
  const size = Math.max(data.sizes[m.at] * 1.15, 1e-9);
  const place = (values, i) => [((values[m.at * n + i] / size + 1) / 2) * SIZE, ((1 - values[m.at * n + i + 1] / size) / 2) * SIZE];
  const draw = (values, r) => Array.from({ length: n / 2 }, (_, i) => {
    const [x, y] = place(values, 2 * i);
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${r}"/>`;
  }).join("");
  m.$(".dots").innerHTML = draw(m.places, 3.2);
  m.$(".rings").innerHTML = m.at ? draw(m.single, 7) : "";
  const k = m.at;
  const plain = data.bend === "linear";
  m.$(".say").innerHTML = k === 0 ? `The letter F, ${n / 2} points. Each layer multiplies every point by a matrix and shifts it.`
    : `After <b>${k}</b> of ${data.count} layers. Dots: layer after layer${plain ? "" : ", with the activation"}. Rings: <b>one</b> layer.`;
  if (k === 0) m.$(".product").innerHTML = "";
  else if (plain) {
    const before = k > 1 ? data.products[k - 2] : [[1, 0], [0, 1]];
    m.$(".product").innerHTML = `${matrix(data.weights[k - 1], `layer ${k}`)}<span>·</span>${matrix(before, k > 1 ? `layers 1 to ${k - 1}` : "nothing yet")}<span>=</span>${matrix(data.products[k - 1], k > 1 ? `layers 1 to ${k}` : "layer 1", true)}
      <p class="quiet">The shift: layer ${k} applied to the shift so far, plus its own, is (${data.shifts[k - 1].map((v) => fixed(v)).join(", ")}).</p>`;
  } else m.$(".product").innerHTML = `<p class="quiet">With a bend after each layer the matrices cannot be multiplied together. The rings are the single layer that comes closest, by least squares. (Because tanh squeezes, these layers stretch 1.3 times as much.)</p>`;
  m.$(".gap").innerHTML = k === 0 ? "" : `Largest distance between a dot and its ring: <b>${small(data.gaps[k])}</b>${plain ? ", rounding." : `, <b>${Math.round((100 * data.gaps[k]) / data.sizes[k])} %</b> of the picture.`}`;
  m.$(".at").value = k;
  m.$(".at").setAttribute("aria-valuetext", `after ${k} of ${data.count} layers`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = k >= data.count;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
  }
  if (m.run !== data.run) {
    stop(m);
    Object.assign(m, { run: data.run, data, places: unpack(data.places), single: unpack(data.single), at: m.run === undefined ? Math.min(2, data.count) : data.count });
    m.$(".at").max = data.count;
    show(m);
  }
  return () => {
    stop(m);
    mounted.delete(parentElement);
  };
}
