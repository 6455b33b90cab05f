// Cat or dog. A picture to draw in, three numbers read off it, and a network of nine neurons whose
// weights are learned by Python and can be changed by hand. Hover a neuron: its connections.

const mounted = new WeakMap();
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");
const brackets = (v) => (fixed(v).startsWith("−") ? `(${fixed(v)})` : fixed(v));
const [WIDE, TALL] = [520, 330];

/** Where the numbers of a neuron stand in a row of parameters: its weights, then its bias. */
function slots(sizes, layer, j) {
  let at = 0;
  for (let l = 0; l < layer - 1; l += 1) at += sizes[l] * sizes[l + 1] + sizes[l + 1];
  const inputs = sizes[layer - 1];
  return { weights: Array.from({ length: inputs }, (_, i) => at + j * inputs + i), bias: at + inputs * sizes[layer] + j };
}

/** The browser's own forward pass: the values of every neuron, layer by layer. */
function forward(m) {
  const { sizes } = m.data;
  const x = m.masks.map((mask) => mask.reduce((sum, p) => sum + (m.picture[p] === "1" ? 1 : 0), 0) / mask.length);
  const layers = [{ sums: x, out: x }];
  for (let layer = 1; layer < sizes.length; layer += 1) {
    const before = layers[layer - 1].out;
    const sums = Array.from({ length: sizes[layer] }, (_, j) => {
      const { weights, bias } = slots(sizes, layer, j);
      return weights.reduce((sum, w, i) => sum + m.row[w] * before[i], m.row[bias]);
    });
    layers.push({ sums, out: layer < sizes.length - 1 ? sums.map((z) => Math.max(0, z)) : softmax(sums) });
  }
  return layers;
}

function softmax(z) {
  const most = Math.max(...z);
  const e = z.map((v) => Math.exp(v - most));
  const total = e.reduce((a, b) => a + b);
  return e.map((v) => v / total);
}

const nameOf = (m, layer, j) => layer === 0 ? m.data.inputs[j] : layer === m.data.sizes.length - 1 ? m.data.outputs[j] : `hidden ${j + 1}`;

function thumb(text, size) {
  const dots = [...text].map((c, i) => (c === "1" ? `M${i % size},${Math.floor(i / size)}h1v1h-1z` : "")).join("");
  return `<svg viewBox="0 0 ${size} ${size}" aria-hidden="true"><path d="${dots}"/></svg>`;
}

function build(m) {
  const { data } = m;
  const place = (layer, j) => [[58, 262, 452][layer], TALL / 2 + (j - (data.sizes[layer] - 1) / 2) * [96, 78, 130][layer]];
  m.place = place;
  const edges = [], nodes = [];
  data.sizes.forEach((count, layer) => {
    for (let j = 0; j < count; j += 1) {
      if (layer) {
        slots(data.sizes, layer, j).weights.forEach((slot, i) => edges.push(
          `<path data-slot="${slot}" data-from="${layer - 1}.${i}" data-to="${layer}.${j}" d="M${place(layer - 1, i)}L${place(layer, j)}"/>`));
      }
      const [x, y] = place(layer, j);
      nodes.push(`<g class="neuron" data-neuron="${layer}.${j}" role="button" tabindex="0" transform="translate(${x},${y})">
        <circle r="28"/><text class="number" dy="5"></text><text class="name" y="-33">${nameOf(m, layer, j)}</text></g>`);
    }
  });
  m.root.innerHTML = `<div class="board"><div class="paper">
      <div class="grid" role="grid" aria-label="The picture: arrow keys move, the space bar fills or empties a pixel"></div>
      <div class="bar"><button type="button" data-show="0">A cat</button><button type="button" data-show="1">A dog</button><button type="button" class="clear">Empty</button></div>
      <div class="bar"><button type="button" data-keep="0">Keep as a cat</button><button type="button" data-keep="1">Keep as a dog</button></div>
      <p class="kept quiet"></p></div>
    <div><svg class="net" viewBox="0 0 ${WIDE} ${TALL}" role="group" aria-label="The network: three inputs, four hidden neurons, two outputs">
      <g class="edges">${edges.join("")}</g>${nodes.join("")}<g class="tags"></g></svg>
      <p class="verdict" role="status"></p></div></div>
    <div class="bar"><button type="button" class="play">Train</button><button type="button" class="step">Two steps</button>
      <button type="button" class="reset">Back to the start</button><button type="button" class="fresh">Fresh weights</button></div>
    <input type="range" class="at" min="0" step="1" aria-label="Step of the training">
    <p class="say"></p><div class="inspector"></div>
    <details><summary>The album it learns from</summary><ol class="album"></ol></details>`;
  const grid = m.$(".grid");
  for (let r = 0; r < data.size; r += 1) {
    grid.insertAdjacentHTML("beforeend", `<div role="row">${Array.from({ length: data.size }, (_, c) =>
      `<button type="button" role="gridcell" tabindex="${r + c ? -1 : 0}" data-pixel="${r * data.size + c}"></button>`).join("")}</div>`);
  }
  wire(m);
}

function pixel(m, i, ink) {
  if (m.picture[i] === ink) return;
  m.picture = m.picture.slice(0, i) + ink + m.picture.slice(i + 1);
  show(m);
}

function wire(m) {
  const { $, root, data } = m;
  const cells = [...root.querySelectorAll("[data-pixel]")];
  const under = (event) => root.getRootNode().elementFromPoint(event.clientX, event.clientY)?.dataset?.pixel;
  const grid = $(".grid");
  grid.onpointerdown = (event) => {
    const at = under(event);
    if (at === undefined) return;
    event.preventDefault();
    m.ink = m.picture[at] === "1" ? "0" : "1";
    grid.setPointerCapture(event.pointerId);
    pixel(m, Number(at), m.ink);
  };
  grid.onpointermove = (event) => {
    const at = m.ink && under(event);
    if (at) pixel(m, Number(at), m.ink);
  };
  grid.onpointerup = grid.onpointercancel = () => {
    m.ink = null;
    m.commit();
  };
  grid.onkeydown = (event) => {
    const i = cells.indexOf(event.target);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.size, ArrowDown: data.size }[event.key];
    if (step && cells[i + step]) {
      cells[i].tabIndex = -1;
      cells[i + step].tabIndex = 0;
      cells[i + step].focus();
    } else if (event.key === " " || event.key === "Enter") {
      pixel(m, i, m.picture[i] === "1" ? "0" : "1");
      m.commit();
    } else if (!step) return;
    event.preventDefault();
  };
  root.querySelectorAll("[data-show]").forEach((b) => {
    b.onclick = () => {
      const kind = Number(b.dataset.show);
      const some = m.data.held.filter((item) => item[1] === kind);
      m.turn[kind] = (m.turn[kind] + 1) % some.length;
      m.picture = some[m.turn[kind]][0];
      show(m);
      m.commit();
    };
  });
  $(".clear").onclick = () => { m.picture = "0".repeat(data.size ** 2); show(m); m.commit(); };
  root.querySelectorAll("[data-keep]").forEach((b) => {
    b.onclick = () => {
      if (m.own.length >= m.data.most) return;
      m.own = [...m.own, [m.picture, Number(b.dataset.keep)]];
      m.send("own", m.own);
    };
  });
  $(".play").onclick = () => (m.timer ? (stop(m), show(m)) : play(m));
  $(".step").onclick = () => go(m, m.at + 1);
  $(".reset").onclick = () => go(m, 0);
  $(".fresh").onclick = () => { m.goTo = 0; m.send("start", null); go(m, 0); };
  $(".at").oninput = (event) => go(m, Number(event.target.value));
  root.querySelectorAll("[data-neuron]").forEach((g) => {
    const [layer, j] = g.dataset.neuron.split(".").map(Number);
    g.onpointerenter = g.onfocus = () => { m.look = [layer, j]; show(m); inspect(m); };
    g.onclick = () => g.focus();
  });
}

function stop(m) {
  cancelAnimationFrame(m.timer);
  m.timer = 0;
}

function go(m, at) {
  stop(m);
  m.at = Math.min(m.last, Math.max(0, at));
  m.row = m.frames.slice(m.at * m.width, (m.at + 1) * m.width);
  show(m);
  inspect(m);
}

function play(m) {
  const first = m.at >= m.last ? 0 : m.at;
  let from = null;
  const tick = (now) => {
    from ??= now;
    const at = reducedMotion() ? m.last : Math.min(m.last, first + Math.floor((now - from) / 50));
    go(m, at);
    if (at < m.last) m.timer = requestAnimationFrame(tick);
    show(m);
  };
  m.timer = requestAnimationFrame(tick);
}

function show(m) {
  const { data } = m;
  const layers = forward(m);
  const exact = m.at === m.last && data.answer.picture === m.picture && !m.edited;
  if (exact) layers[2].out = data.answer.probabilities; // Python's own pass
  m.root.dataset.from = exact ? "python" : "browser";
  m.layers = layers;
  const region = m.look && m.look[0] === 0 ? data.regions[m.look[1]] : null;
  m.root.querySelectorAll("[data-pixel]").forEach((cell, i) => {
    cell.className = (m.picture[i] === "1" ? "ink" : "") + (region && region[i] === "1" ? " lit" : "");
    cell.setAttribute("aria-label", `row ${Math.floor(i / data.size) + 1}, column ${(i % data.size) + 1}, ${m.picture[i] === "1" ? "filled" : "empty"}`);
  });
  const [layer, j] = m.look || [];
  const tags = [];
  m.root.querySelectorAll("[data-slot]").forEach((path) => {
    const w = m.row[Number(path.dataset.slot)];
    const mine = m.look && (path.dataset.to === `${layer}.${j}` || path.dataset.from === `${layer}.${j}`);
    path.setAttribute("class", `${w < 0 ? "minus" : "plus"}${m.look && !mine ? " dim" : ""}`);
    path.style.strokeWidth = 0.6 + Math.min(5, Math.abs(w) * 2);
    if (!mine) return;
    const [a, b] = ["from", "to"].map((end) => m.place(...path.dataset[end].split(".").map(Number)));
    const t = path.dataset.to === `${layer}.${j}` ? 0.42 : 0.58;
    tags.push(`<text x="${a[0] + (b[0] - a[0]) * t}" y="${a[1] + (b[1] - a[1]) * t - 4}">${fixed(w)}</text>`);
  });
  m.$(".tags").innerHTML = tags.join("");
  m.root.querySelectorAll("[data-neuron]").forEach((g) => {
    const [l, k] = g.dataset.neuron.split(".").map(Number);
    const v = layers[l].out[k];
    g.querySelector(".number").textContent = l === 2 ? `${Math.round(v * 100)} %` : fixed(v);
    g.querySelector("circle").style.setProperty("--full", `${Math.min(70, Math.abs(v) * 60)}%`);
    g.classList.toggle("lit", l === layer && k === j);
    g.setAttribute("aria-label", `${nameOf(m, l, k)}, ${fixed(v)}`);
  });
  const p = layers[2].out;
  const best = p[0] >= p[1] ? 0 : 1;
  m.$(".verdict").innerHTML = `It says: <b>${data.outputs[best]}</b>, with probability <b class="p">${fixed(p[best], 3)}</b>.`;
  const s = m.scores.subarray(m.at * 4, m.at * 4 + 4);
  m.$(".say").innerHTML = m.edited ? "You changed the weights by hand. Train goes on from yours."
    : `Step <b>${m.at * data.every}</b> of ${m.last * data.every}: loss <b class="loss">${fixed(s[0], 3)}</b>, ${Math.round(s[1] * 100)} % of its album right; <b>${Math.round(s[3] * 100)} %</b> of ${data.held.length} pictures it has never seen (loss ${fixed(s[2], 3)}).`;
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `step ${m.at * data.every}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Train";
}

/** The formula of the neuron that is looked at, with a field for each of its weights. */
function inspect(m) {
  if (!m.look) return;
  const [layer, j] = m.look;
  const box = m.$(".inspector");
  const active = m.root.getRootNode().activeElement;
  if (box.contains(active)) return;
  const name = nameOf(m, layer, j);
  if (layer === 0) {
    box.innerHTML = `<p><b>${name}</b>: the share of ink in the lit pixels, <b>${fixed(m.layers[0].out[j])}</b>. An input has no weights.</p>`;
    return;
  }
  const { weights, bias } = slots(m.data.sizes, layer, j);
  const before = m.layers[layer - 1].out;
  const sum = m.layers[layer].sums[j];
  const terms = weights.map((w, i) => `${brackets(m.row[w])}·${fixed(before[i])}`).join(" + ");
  const end = layer === 2 ? `${fixed(sum)}; softmax makes it ${fixed(m.layers[2].out[j], 3)}` : `${fixed(sum)}, ReLU makes it ${fixed(m.layers[layer].out[j])}`;
  const field = (slot, label) => `<label>${label} <input type="number" step="0.1" data-edit="${slot}" value="${m.row[slot].toFixed(2)}"></label>`;
  box.innerHTML = `<p><b>${name}</b> = ${terms} + ${brackets(m.row[bias])} = ${end}.</p>
    <div class="fields">${weights.map((slot, i) => field(slot, `from ${nameOf(m, layer - 1, i)}`)).join("")}${field(bias, "bias")}</div>`;
  box.querySelectorAll("input").forEach((input) => {
    input.oninput = () => {
      const v = Number(input.value);
      if (input.value === "" || !Number.isFinite(v)) return;
      stop(m);
      m.row = m.row.slice();
      m.row[Number(input.dataset.edit)] = Math.min(20, Math.max(-20, v));
      m.edited = true;
      show(m);
    };
    input.onchange = () => {
      if (!m.edited) return;
      m.goTo = 0;
      m.send("start", [...m.row].map((v) => Number(v.toFixed(5))));
    };
  });
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, data, $: (s) => root.querySelector(s), turn: [-1, -1], picture: data.answer.picture };
    mounted.set(parentElement, m);
    m.masks = data.regions.map((text) => [...text].map((c, i) => (c === "1" ? i : -1)).filter((i) => i >= 0));
    m.commit = debounce(() => m.send("picture", m.picture), 100);
    build(m);
  }
  m.data = data;
  m.send = setStateValue;
  if (m.rev !== data.rev) {
    m.rev = data.rev;
    m.own = data.initial.own;
  }
  m.$(".kept").textContent = m.own.length ? `You have added ${m.own.length} of your own.` : "Draw with the mouse, a finger, or the keys.";
  if (m.run !== data.run) {
    const first = m.run === undefined;
    m.run = data.run;
    m.frames = unpack(data.frames);
    m.scores = unpack(data.scores);
    m.width = m.frames.length / (m.scores.length / 4);
    m.last = m.scores.length / 4 - 1;
    m.edited = false;
    m.$(".at").max = m.last;
    m.$(".album").innerHTML = [...data.album, ...m.own].map(([text, kind]) => `<li class="k${kind}">${thumb(text, data.size)}<span>${data.outputs[kind]}</span></li>`).join("");
    go(m, first ? 0 : m.goTo ?? m.at);
    m.goTo = undefined;
  } else show(m);
  return () => {
    stop(m);
    m.commit.cancel();
    mounted.delete(parentElement);
  };
}
