// A program, and what its lines made while it ran: stepped with keys, buttons or a slider.

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { steps, first } = data, last = steps.length - 1;
  let state = mounted.get(parentElement);
  if (!state) {
    state = { at: 0, timer: 0 };
    mounted.set(parentElement, state);
    root.innerHTML = `<div class="bar"><button type="button" class="back" aria-label="One line back">Back</button><button type="button" class="next">Next line</button>
        <button type="button" class="skip">Next layer</button><button type="button" class="play">Play</button>
        <input type="range" min="0" step="1" aria-label="Step"></div>
      <p class="say" aria-live="polite"></p>
      <div class="both"><div class="code" tabindex="0" role="group" aria-label="Program; arrow keys step through its lines"><p class="quiet path"></p><pre></pre></div><div class="values" tabindex="0" role="group" aria-label="Values"></div></div>`;
  }
  const $ = (selector) => root.querySelector(selector), code = $(".code");
  state.at = Math.min(state.at, last);
  $("input").max = last;
  $(".path").textContent = data.path;
  $("pre").innerHTML = data.lines.map((pieces, i) => `<span class="line" data-n="${first + i}"><i>${first + i}</i>${
    pieces.map(([kind, text]) => (kind ? `<b class="${kind}">${escapeHtml(text)}</b>` : escapeHtml(text))).join("") || " "}\n</span>`).join("");
  const rows = new Map([...root.querySelectorAll(".line")].map((row) => [Number(row.dataset.n), row]));
  const text = (x) => (x === null ? "−∞" : x.toFixed(Math.abs(x) < 0.1 ? 3 : 2).replace("-", "−"));

  function draw(follow) {
    const [line, made, loops] = steps[state.at], known = new Map(), layer = "layer" in loops ? loops.layer : null;
    for (let i = 0; i <= state.at; i++) for (const value of steps[i][1]) { known.delete(value[0]); known.set(value[0], [value, i]); }
    rows.forEach((row, n) => row.classList.toggle("now", n === line));
    const means = made.map((v) => data.means[v[0]]).find(Boolean) || (state.at === last ? "" : "This line went round its loop and ended it.");
    const where = [layer !== null && `layer ${layer + 1} of ${data.layers}`, "head" in loops && /^ {12}/.test(data.lines[line - first].map((p) => p[1]).join("")) && `head ${loops.head + 1} of ${data.heads}`].filter(Boolean).join(", ");
    $(".say").innerHTML = `Step ${state.at + 1} of ${steps.length}, line ${line}${where ? `, ${where}` : ""}. ${state.at === last
      ? `The answer: after “${escapeHtml(data.last)}” comes ${data.answer.map(([word, p]) => `<b>${escapeHtml(word)}</b> ${(100 * p).toFixed(1)} %`).join(", ")}.` : escapeHtml(means)}`;
    $(".values").innerHTML = [...known.values()].reverse().map(([[name, shape, numbers, words, start], i]) => `<div class="value ${i === state.at ? "new" : ""}"><p><b>${name}</b> <span class="quiet">${
      shape ?? ""}</span></p>${shape !== null ? `<p class="numbers">${start ? `from ${start + 1} on: ` : ""}${numbers.map(text).join("&ensp;")}${numbers.length > 5 ? "&ensp;…" : ""}</p>` : `<p class="numbers">${escapeHtml(words)}</p>`}</div>`).join("");
    $("input").value = state.at;
    $("input").setAttribute("aria-valuetext", `step ${state.at + 1} of ${steps.length}, line ${line}`);
    $(".back").disabled = state.at === 0;
    $(".next").disabled = $(".skip").disabled = state.at === last;
    root.dataset.step = state.at;
    root.dataset.line = line;
    const row = rows.get(line);
    if (follow && row) code.scrollTop = Math.max(0, row.offsetTop - code.clientHeight / 2);
  }
  const stop = () => { clearInterval(state.timer); state.timer = 0; $(".play").textContent = "Play"; };
  const to = (at) => { state.at = Math.min(last, Math.max(0, at)); draw(true); };
  const skip = () => {
    const layer = steps[state.at][2].layer ?? -1;
    const next = steps.findIndex((s, i) => i > state.at && s[1].some((v) => v[0] === "layer") && s[2].layer > layer);
    to(next < 0 ? last : next);
  };
  $(".next").onclick = () => { stop(); to(state.at + 1); };
  $(".back").onclick = () => { stop(); to(state.at - 1); };
  $(".skip").onclick = () => { stop(); skip(); };
  $("input").oninput = (event) => { stop(); to(Number(event.target.value)); };
  $(".play").onclick = () => {
    if (state.timer) return stop();
    if (state.at === last) to(0);
    $(".play").textContent = "Stop";
    state.timer = setInterval(() => { to(state.at + 1); if (state.at >= last) stop(); }, reducedMotion() ? 900 : 350);
  };
  code.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, Enter: 1, ArrowUp: -1, ArrowLeft: -1, Home: -last, End: last }[event.key];
    if (by === undefined && event.key !== "PageDown") return;
    event.preventDefault();
    stop();
    if (event.key === "PageDown") skip();
    else to(state.at + by);
  };
  draw(true);
  return () => { clearInterval(state.timer); mounted.delete(parentElement); };
}
