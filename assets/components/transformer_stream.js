// The residual stream of one token, place by place: how long it is, what was added, what it would say.

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { names, places, words, first } = data, T = names.length, P = places.length;
  const state = mounted.get(parentElement) || { token: T - 1, of: "" };
  mounted.set(parentElement, state);
  const key = `${names.join("\u0000")}|${P}`;
  if (state.of !== key) Object.assign(state, { of: key, token: T - 1 });
  const told = unpack(data.told), chances = unpack(data.chances), final = unpack(data.final), lengths = unpack(data.lengths), added = unpack(data.added);
  const B = data.told.shape[2], percent = (p) => (p >= 0.995 ? "100" : p < 0.095 ? (100 * p).toFixed(1) : (100 * p).toFixed(0)), two = (x) => x.toFixed(x < 10 ? 2 : 1);
  root.innerHTML = `<p class="label">The stream of which token?</p><div class="tokens" role="group" aria-label="Token">${names.map((n, i) =>
    `<button type="button" data-i="${i}">${escapeHtml(n)}</button>`).join("")}</div><p class="say" aria-live="polite"></p>
    <div class="head" aria-hidden="true"><span>after</span><span>length of the stream; what was just added</span><span>it would say</span></div><ol></ol>`;
  const $ = (selector) => root.querySelector(selector), buttons = [...root.querySelectorAll(".tokens button")];
  function draw() {
    const t = state.token, longest = Math.max(...Array.from({ length: P }, (_, p) => lengths[p * T + t])) || 1;
    const says = words[told[((P - 1) * T + t) * B]];
    buttons.forEach((b, i) => { b.setAttribute("aria-pressed", i === t); b.tabIndex = i === t ? 0 : -1; });
    let from = P - 1;
    while (from > 0 && told[((from - 1) * T + t) * B] === told[((P - 1) * T + t) * B]) from -= 1;
    $(".say").innerHTML = `After <b>${escapeHtml(names[t])}</b> (token ${first + t + 1}) the model says <b class="p">${escapeHtml(says)}</b>, ${percent(chances[((P - 1) * T + t) * B])} %. It is the best guess ${
      from === 0 ? "from the embedding on" : `from ${places[from]} on`}.`;
    $("ol").innerHTML = places.map((place, p) => {
      const at = p * T + t, guesses = Array.from({ length: B }, (_, b) => `<span class="${words[told[at * B + b]] === says ? "final" : ""}"><i style="width:${
        Math.max(1, 100 * chances[at * B + b])}%"></i><em>${escapeHtml(words[told[at * B + b]])}</em> <small>${percent(chances[at * B + b])} %</small></span>`).join("");
      return `<li><span class="place">${place}</span><span class="bars" title="length ${two(lengths[at])}, added ${two(added[at])}"><span class="bar"><i style="width:${(100 * lengths[at]) / longest}%"></i></span><span class="bar plus"><i style="width:${
        (100 * added[at]) / longest}%"></i></span><small>${two(lengths[at])}${p ? `; + ${two(added[at])}` : ""}</small></span><span class="guesses">${guesses}</span></li>`;
    }).join("");
    root.dataset.final = Array.from({ length: P }, (_, p) => final[p * T + t].toFixed(4)).join(" ");
    root.dataset.token = t;
  }
  buttons.forEach((b, i) => {
    b.onclick = () => { state.token = i; draw(); };
    b.onkeydown = (event) => {
      const to = { ArrowLeft: i - 1, ArrowUp: i - 1, ArrowRight: i + 1, ArrowDown: i + 1, Home: 0, End: T - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      state.token = Math.min(T - 1, Math.max(0, to));
      draw();
      buttons[state.token].focus();
    };
  });
  draw();
  return () => mounted.delete(parentElement);
}
