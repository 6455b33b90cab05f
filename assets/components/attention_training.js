// A slider over the stored moments of one training run: two heads come into being.

const mounted = new WeakMap();
const LINES = [["copying", "copies repeated words", "probability", "none"], ["previous", "best previous-token score", "query", "8 4"],
  ["induction", "best induction score", "key", "2 4"]];

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { moments, names, heads } = data, T = names.length, last = moments.length - 1;
  let state = mounted.get(parentElement);
  if (!state) {
    state = { i: last, timer: 0 };
    mounted.set(parentElement, state);
    const top = (name, [l, h]) => `<div><p class="quiet">Layer ${l + 1}, head ${h + 1}: in the end ${name}</p><canvas data-l="${l}" data-h="${h}" role="img"
      aria-label="Weights of layer ${l + 1}, head ${h + 1}"></canvas></div>`;
    root.innerHTML = `<div class="time"><button type="button">Play</button><input type="range" min="0" max="${last}" step="1" aria-label="Moment of training"></div>
      <p class="say" aria-live="polite"></p><div class="two"><div class="pair">${top("it looks one token back", data.show.previous)}${
      top("it copies", data.show.induction)}</div><svg viewBox="0 0 520 300" role="img" aria-label="Copying and two head scores against tokens read"></svg></div>`;
  }
  const $ = (selector) => root.querySelector(selector), shares = unpack(data.shares);
  const largest = moments[last].tokens, x = (m) => 40 + (460 * Math.log(m.tokens / moments[0].tokens)) / Math.max(1e-9, Math.log(largest / moments[0].tokens));
  const y = (v) => 250 - 215 * v, millions = (m) => `${(m.tokens / 1e6).toFixed(m.tokens < 1e7 ? 2 : 1)} million`;

  function draw() {
    const m = moments[state.i];
    $("input").value = state.i;
    $("input").setAttribute("aria-valuetext", `${millions(m)} tokens`);
    $(".say").textContent = `After ${millions(m)} tokens: loss ${m.loss.toFixed(2)}, copies ${(100 * m.copying).toFixed(0)} % of repeated words; best previous-token score ${
      m.previous.toFixed(2)}, best induction score ${m.induction.toFixed(2)}.`;
    root.querySelectorAll("canvas").forEach((canvas) => paintMatrix(canvas, shares, T, (state.i * data.layers + Number(canvas.dataset.l)) * heads + Number(canvas.dataset.h)));
    $("svg").innerHTML = [0, 0.5, 1].map((v) => `<path class="frame" d="M40,${y(v)}H500"/><text x="34" y="${y(v) + 4}" text-anchor="end">${v}</text>`).join("")
      + LINES.map(([field, , color, dash]) => `<polyline stroke="var(--${color})" stroke-dasharray="${dash}" points="${moments.map((n) => `${x(n)},${y(n[field])}`).join(" ")}"/>`).join("")
      + LINES.map(([, label, color, dash], i) => `<path d="M${44 + i * 162},18h22" stroke="var(--${color})" stroke-width="2.5" stroke-dasharray="${dash}"/><text x="${70 + i * 162}" y="22">${label}</text>`).join("")
      + LINES.map(([field, , color]) => `<circle cx="${x(m)}" cy="${y(m[field])}" r="4.5" fill="var(--${color})"/>`).join("")
      + `<path class="now" d="M${x(m)},35V250"/><text x="40" y="272">${millions(moments[0])}</text><text x="500" y="272" text-anchor="end">${millions(moments[last])} tokens read</text>`;
  }
  playMoments(root, state, last, 700, draw);
  return () => { clearInterval(state.timer); mounted.delete(parentElement); };
}
