// RoPE as clocks. Pair j of the query and of the key is a hand on clock j; a position later it has
// turned by angles[j]. Drag a hand, use the keys, the sliders or a number: the position changes,
// all hands turn, and the score is read from the table that the engine made for every distance.

const mounted = new WeakMap();
const minus = (v, digits = 2) => v.toFixed(digits).replace(/^-(?=0\.0+$)/, "").replace("-", "−");
const R = 36;

const PAGE = `
  <div class="controls"></div><p class="say" role="status"></p>
  <div class="clocks" role="group" aria-label="One clock for each pair of numbers"></div>
  <svg class="curve" viewBox="0 0 600 130" preserveAspectRatio="none" role="img"></svg>
  <p class="axis quiet"><span></span><span>distance: query position − key position</span><span></span></p>`;

const HANDS = [["query", "Query"], ["key", "Key"]];

function build(m) {
  const { data } = m;
  m.shares = unpack(data.shares);
  m.pairs = data.angles.length;
  m.totals = Array.from({ length: 2 * data.most - 1 }, (_, i) =>
    m.shares.slice(i * m.pairs, (i + 1) * m.pairs).reduce((sum, share) => sum + share, 0));
  m.at = [...data.at];
  m.$(".controls").innerHTML = HANDS.map(([kind, word], h) => `<label class="${kind}"><span>${word}
    <b class="name">${escapeHtml(data.names[h])}</b> at position</span>
    <input type="range" min="0" max="${data.most - 1}" step="1" data-hand="${h}" aria-label="${word} position">
    <input type="number" min="0" max="${data.most - 1}" step="1" data-hand="${h}" inputmode="numeric" aria-label="${word} position, as a number"></label>`).join("")
    + `<div class="bar"><button type="button" data-both="-1">Both one earlier</button><button type="button" data-both="1">Both one later</button>
      <button type="button" data-home="1">As in the text</button></div>`;
  m.$(".clocks").innerHTML = data.angles.map((_, j) => `<figure><svg viewBox="-50 -50 100 100" data-pair="${j}">
    <circle r="44" class="face"/><line class="key" x1="0" y1="0"/><circle class="tip key" r="4"/>
    <line class="query" x1="0" y1="0"/><path class="tip query" d="M-4.5,-4.5h9v9h-9z"/>
    <circle class="grip" data-hand="1" r="14" tabindex="0" role="slider" aria-valuemin="0" aria-valuemax="${data.most - 1}"/>
    <circle class="grip" data-hand="0" r="14" tabindex="0" role="slider" aria-valuemin="0" aria-valuemax="${data.most - 1}"/>
    </svg><figcaption>${j + 1}<b></b></figcaption></figure>`).join("");
  const low = Math.min(...m.totals, 0), high = Math.max(...m.totals, 0.01);
  m.y = (v) => 124 - (118 * (v - low)) / (high - low);
  m.x = (d) => (600 * (d + data.most - 1)) / (2 * data.most - 2);
  const path = m.totals.map((v, i) => `${m.x(i - data.most + 1).toFixed(1)},${m.y(v).toFixed(1)}`).join("L");
  m.$(".curve").innerHTML = `<line class="zero" x1="0" x2="600" y1="${m.y(0)}" y2="${m.y(0)}"/><path d="M${path}"/>
    <line class="now" y1="0" y2="130"/>`;
  const ends = m.root.querySelectorAll(".axis span");
  ends[0].textContent = `−${data.most - 1}`;
  ends[2].textContent = `${data.most - 1}`;
  wire(m);
}

/** Angle of a hand of pair j at a position: where it starts, and the turns since. */
function angleOf(m, h, j, position) {
  const [a, b] = (h ? m.data.key : m.data.query)[j];
  return Math.atan2(b, a) + position * m.data.angles[j];
}

function show(m) {
  const { data, at } = m;
  const distance = at[0] - at[1], row = distance + data.most - 1;
  const lengths = HANDS.map((_, h) => (h ? data.key : data.query).map(([a, b]) => Math.hypot(a, b)));
  const longest = lengths.map((list) => Math.max(...list) || 1);
  m.root.querySelectorAll("figure").forEach((figure, j) => {
    HANDS.forEach(([kind, word], h) => {
      const angle = angleOf(m, h, j, at[h]), r = 8 + R * (lengths[h][j] / longest[h]);
      const [x, y] = [r * Math.cos(angle), -r * Math.sin(angle)];
      const line = figure.querySelector(`line.${kind}`);
      line.setAttribute("x2", x.toFixed(2));
      line.setAttribute("y2", y.toFixed(2));
      figure.querySelector(`.tip.${kind}`).setAttribute("transform", `translate(${x.toFixed(2)},${y.toFixed(2)})`);
      const grip = figure.querySelector(`[data-hand="${h}"]`);
      grip.setAttribute("transform", `translate(${x.toFixed(2)},${y.toFixed(2)})`);
      grip.setAttribute("aria-label", `${word} hand of clock ${j + 1}`);
      grip.setAttribute("aria-valuenow", at[h]);
      grip.setAttribute("aria-valuetext", `position ${at[h]}`);
    });
    figure.querySelector("b").textContent = minus(m.shares[row * m.pairs + j]);
  });
  m.$(".say").innerHTML = `The query stands <b>${Math.abs(distance)}</b> ${Math.abs(distance) === 1 ? "place" : "places"} ${distance < 0 ? "before" : "after"} the key.
    The ${m.pairs} shares add up to the score <b class="score">${minus(m.totals[row], 3)}</b>.${distance < 0 ? " In a model that reads from left to right this never happens: the mask hides what comes later." : ""}`;
  m.root.querySelectorAll("input").forEach((input) => {
    if (input.type === "range" || m.root.getRootNode().activeElement !== input) input.value = at[input.dataset.hand];
  });
  const now = m.$(".now");
  now.setAttribute("x1", m.x(distance));
  now.setAttribute("x2", m.x(distance));
  m.$(".curve").setAttribute("aria-label", `Score by distance; at distance ${distance} it is ${minus(m.totals[row], 3)}`);
}

function move(m, h, position) {
  m.at[h] = Math.min(m.data.most - 1, Math.max(0, Math.round(position)));
  show(m);
}

function wire(m) {
  m.root.querySelectorAll("input").forEach((input) => {
    input.oninput = () => input.value !== "" && Number.isFinite(Number(input.value)) && move(m, input.dataset.hand, Number(input.value));
    input.onchange = () => (input.value = m.at[input.dataset.hand]);
  });
  m.root.querySelectorAll("[data-both]").forEach((button) => {
    button.onclick = () => {
      const by = Number(button.dataset.both), last = m.data.most - 1;
      if (m.at.every((p) => p + by >= 0 && p + by <= last)) m.at = m.at.map((p) => p + by);
      show(m);
    };
  });
  m.$("[data-home]").onclick = () => {
    m.at = [...m.data.at];
    show(m);
  };
  m.root.querySelectorAll(".grip").forEach((grip) => {
    const h = Number(grip.dataset.hand), svg = grip.ownerSVGElement, j = Number(svg.dataset.pair);
    const pointed = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.atan2(box.top + box.height / 2 - event.clientY, event.clientX - box.left - box.width / 2);
    };
    grip.onpointerdown = (event) => {
      grip.setPointerCapture(event.pointerId);
      m.drag = { angle: pointed(event), position: m.at[h] };
    };
    grip.onpointermove = (event) => {
      if (!m.drag || !grip.hasPointerCapture(event.pointerId)) return;
      let turned = pointed(event) - m.drag.angle;
      turned -= 2 * Math.PI * Math.round(turned / (2 * Math.PI));
      m.drag.angle += turned;
      m.drag.position += turned / m.data.angles[j];
      m.drag.position = Math.min(m.data.most - 1, Math.max(0, m.drag.position));
      move(m, h, m.drag.position);
    };
    grip.onpointerup = grip.onpointercancel = () => (m.drag = null);
    grip.onkeydown = (event) => {
      const last = m.data.most - 1;
      const to = { ArrowRight: m.at[h] + 1, ArrowUp: m.at[h] + 1, ArrowLeft: m.at[h] - 1, ArrowDown: m.at[h] - 1,
        PageUp: m.at[h] + 10, PageDown: m.at[h] - 10, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      move(m, h, to);
    };
  });
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    root.innerHTML = PAGE;
  }
  m.data = data;
  if (m.shown !== data.shown) {
    m.shown = data.shown;
    build(m);
    show(m);
  }
  return () => mounted.delete(parentElement);
}
