// Fields inside fields, drawn as rings that share their lowest point; examples to place.

const mounted = new WeakMap();
const SIZE = 400;
const RADII = [196, 162, 128, 94, 58];

function ringHtml(ring, i) {
  const r = RADII[i];
  const top = SIZE - 2 - 2 * r;
  const words = i === RADII.length - 1
    ? ring.name.split(" · ").map((w, k) => `<tspan x="${SIZE / 2}" y="${SIZE - 2 - r - 12 + k * 20}">${escapeHtml(w)}</tspan>`).join("")
    : `<tspan x="${SIZE / 2}" y="${top + 24}">${escapeHtml(ring.name)}</tspan>`;
  return `<g class="ring" data-ring="${i}" tabindex="0" role="button" aria-pressed="false"
    aria-label="${escapeHtml(ring.name)}">
    <circle cx="${SIZE / 2}" cy="${SIZE - 2 - r}" r="${r}"/><text>${words}</text></g>`;
}

function build(root, data) {
  root.innerHTML = `<div class="map"><svg viewBox="0 0 ${SIZE} ${SIZE}" role="group"
      aria-label="Five fields, each inside the one before">${data.rings.map(ringHtml).join("")}</svg>
    <div class="words"><p class="name"></p><p class="plain"></p><p class="adds quiet"></p>
      <p class="ask">Where does it belong?</p><div class="examples" role="group" aria-label="Examples">
      ${data.examples.map((e, i) => `<button type="button" data-example="${i}" aria-pressed="false">${escapeHtml(e.name)}</button>`).join("")}
      </div><p class="why" role="status"></p></div></div>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    state = { ring: data.initial.ring, example: -1 };
    mounted.set(parentElement, state);
    build(root, data);
  }
  const $ = (selector) => root.querySelector(selector);

  function show() {
    const ring = data.rings[state.ring];
    $(".name").textContent = ring.name;
    $(".plain").textContent = ring.plain;
    $(".adds").textContent = ring.adds;
    root.querySelectorAll(".ring").forEach((g, i) => {
      g.classList.toggle("lit", i === state.ring);
      g.setAttribute("aria-pressed", i === state.ring);
    });
    root.querySelectorAll("[data-example]").forEach((b, i) => b.setAttribute("aria-pressed", i === state.example));
    const example = data.examples[state.example];
    $(".why").textContent = example ? `${data.rings[example.ring].name}. ${example.why}` : "";
  }
  function choose(ring, example = -1) {
    state.ring = ring;
    state.example = example;
    show();
    setStateValue("ring", ring);
  }
  root.querySelectorAll(".ring").forEach((g, i) => {
    g.onclick = () => choose(i);
    g.onkeydown = (event) => {
      const to = { ArrowDown: i + 1, ArrowRight: i + 1, ArrowUp: i - 1, ArrowLeft: i - 1, Enter: i, " ": i }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = Math.min(data.rings.length - 1, Math.max(0, to));
      choose(next);
      root.querySelectorAll(".ring")[next].focus();
    };
  });
  root.querySelectorAll("[data-example]").forEach((button, i) => {
    button.onclick = () => choose(data.examples[i].ring, i);
  });
  show();
  return () => mounted.delete(parentElement);
}
