// One arc, opened: every number between the two vectors and what the head hands on.

const mounted = new WeakMap();
const SHOWN = 6; // rows of the tables before the rest is one row

const two = (x) => (Math.abs(x) < 0.005 ? "0.00" : x.toFixed(2).replace("-", "−"));
const three = (x) => (x !== 0 && x < 0.0005 ? "< 0.001" : x.toFixed(3));

const PAGE = `<div class="head"><label><span class="from"></span><br><select class="key" aria-label="The token that answers"></select></label>
  <div class="levels" role="group" aria-label="Work it out yourself">
    <button type="button" data-level="0">Show every number</button>
    <button type="button" data-level="1">Leave one blank</button>
    <button type="button" data-level="3">Leave three blank</button></div></div>
  <p class="verdict" aria-live="polite"></p><ol class="steps"></ol>`;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    root.innerHTML = PAGE;
    state = { work: { level: 0, channel: 0, key: -1, answers: {}, ...(data.initial.work || {}) }, place: null };
    mounted.set(parentElement, state);
  }
  const $ = (selector) => root.querySelector(selector), { work } = state;
  const [layer, head, query, key] = data.place, { names, channel, level } = data;
  const q = unpack(data.q), D = q.length, scores = unpack(data.scores), weights = unpack(data.weights);
  const keys = unpack(data.keys), values = unpack(data.values), mixed = unpack(data.mixed);
  const own = keys.subarray(key * D, key * D + D), name = (j) => escapeHtml(names[j]);
  const send = (change) => setStateValue("work", { ...Object.assign(work, change) });
  const place = data.place.slice(0, 3).join();
  if (state.place !== null && state.place !== place) Object.assign(work, { key: -1, answers: {} }); // another token asks
  state.place = place;

  $(".from").innerHTML = `Layer ${layer + 1}, head ${head + 1}: from <b class="q">${name(query)}</b> (token ${query + 1}) to`;
  $("select").innerHTML = [...scores.keys()].map((j) => `<option value="${j}">${j + 1}: ${name(j)}</option>`).join("");
  $("select").value = key;
  $("select").onchange = (e) => send({ key: Number(e.target.value), answers: {} });
  root.querySelectorAll(".levels button").forEach((button) => {
    button.setAttribute("aria-pressed", Number(button.dataset.level) === level);
    button.onclick = () => send({ level: Number(button.dataset.level), answers: {} });
  });

  const blank = (id, shown, label) => {
    if (!data.blanks.includes(id)) return shown;
    const known = data.answers[id], mark = data.marks[id];
    return `<input type="number" step="any" inputmode="decimal" data-id="${id}" aria-label="${label}" placeholder="?"
      class="${mark === undefined ? "" : mark ? "right" : "wrong"}" value="${known ?? ""}">`;
  };
  const top = Math.max(...scores), power = Array.from(scores, (s) => Math.exp(s - top)), whole = power.reduce((a, b) => a + b, 0);
  const dot = own.reduce((total, k, i) => total + q[i] * k, 0), later = names.length - 1 - query;
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  const shown = [...new Set([...order.slice(0, SHOWN), key])].sort((a, b) => a - b), rest = order.filter((j) => !shown.includes(j));
  const total = (f, some) => some.reduce((sum, j) => sum + f(j), 0), part = (j) => weights[j] * values[j * D + channel];

  const products = [...own].map((k, i) => `<div class="${i === data.largest ? "big" : ""}"><span class="n">${i + 1}</span><span class="q">${two(q[i])}</span>
    <span>×</span><span class="k">${two(k)}</span><span>=</span><span>${i === data.largest ? blank("product", two(q[i] * k), `${two(q[i])} times ${two(k)}`)
      : two(q[i] * k)}</span></div>`).join("");
  const softmaxRows = shown.map((j) => `<tr class="${j === key ? "me" : ""}"><td>${name(j)}</td><td>${j === key && data.blanks.includes("scaled") ? "?" : two(scores[j])}</td>
    <td>${j === key ? blank("power", three(power[j]), "e to the score minus the largest score") : three(power[j])}</td><td class="w">${three(weights[j])}</td></tr>`).join("");
  const valueRows = shown.map((j) => `<tr class="${j === key ? "me" : ""}"><td>${name(j)}</td><td class="w">${three(weights[j])}</td>
    <td class="v">${two(values[j * D + channel])}</td><td>${j === key ? blank("part", two(part(j)), "weight times value") : two(part(j))}</td></tr>`).join("");
  const restRow = (cells) => (rest.length ? `<tr class="rest"><td>${rest.length} other${rest.length > 1 ? "s" : ""}</td>${cells}</tr>` : "");
  const most = Math.max(...Array.from(mixed, Math.abs), 1e-9);

  const scroll = root.getRootNode().activeElement?.dataset?.id;
  $(".steps").innerHTML = `
    <li class="step"><h3>The <span class="q">query</span> times the <span class="k">key</span>, place by place</h3>
      <p class="quiet">${D} numbers each${data.turned ? ", already turned by their positions (RoPE)" : ""}. Where both are large, the product is.</p>
      <div class="products">${products}</div></li>
    <li class="step"><h3>Add up, and divide by √${D}</h3><p class="sum"><span class="q">q</span> · <span class="k">k</span> = ${two(dot)};
      ${two(dot)} ÷ ${two(Math.sqrt(D))} = <b>${blank("scaled", two(scores[key]), `${two(dot)} divided by ${two(Math.sqrt(D))}`)}</b></p>
      <p class="quiet">The division keeps the scores of long vectors from growing with their length.</p></li>
    <li class="step"><h3>Hide the future, and share out 100 %: softmax</h3>
      <table><thead><tr><th>token</th><th>score</th><th>e^(score − ${two(top)})</th><th>÷ ${three(whole)} = weight</th></tr></thead><tbody>${softmaxRows}${
        restRow(`<td></td><td>${three(total((j) => power[j], rest))}</td><td>${three(total((j) => weights[j], rest))}</td>`)}${
        later ? `<tr class="future"><td>${later} after it</td><td>−∞</td><td>0</td><td>0</td></tr>` : ""}
        <tr class="total"><td>together</td><td></td><td>${three(whole)}</td><td>${three(total((j) => weights[j], order))}</td></tr></tbody></table></li>
    <li class="step"><h3>Take so much of each <span class="v">value</span></h3>
      <p class="channel">Number <input type="number" class="which" min="1" max="${D}" step="1" value="${channel + 1}" aria-label="Which of the numbers"> of ${D}:</p>
      <table><thead><tr><th>token</th><th>weight</th><th>× value</th><th>= part</th></tr></thead><tbody>${valueRows}${
        restRow(`<td>${three(total((j) => weights[j], rest))}</td><td></td><td>${two(total(part, rest))}</td>`)}
        <tr class="total"><td>together</td><td></td><td></td><td>${two(mixed[channel])}</td></tr></tbody></table>
      <p class="quiet">All ${D} numbers that this head hands on; choose one to see its sum.</p>
      <div class="mixed" role="group" aria-label="What the head hands on">${Array.from(mixed, (m, i) => `<button type="button" data-c="${i}"
        aria-label="number ${i + 1}: ${two(m)}" aria-pressed="${i === channel}" style="background: color-mix(in srgb, var(--value) ${
        Math.round((45 * Math.abs(m)) / most)}%, var(--st-background-color))">${m.toFixed(1).replace("-", "−")}</button>`).join("")}</div></li>`;
  root.querySelectorAll("[data-id]").forEach((input) => {
    input.onchange = () => {
      const value = Number(input.value), answers = { ...work.answers };
      if (input.value.trim() === "" || !Number.isFinite(value)) delete answers[input.dataset.id];
      else answers[input.dataset.id] = value;
      send({ answers });
    };
    if (input.dataset.id === scroll) input.focus();
  });
  const choose = (c) => send({ channel: Math.min(D - 1, Math.max(0, Math.round(c) || 0)) });
  $(".which").onchange = (e) => choose(Number(e.target.value) - 1);
  root.querySelectorAll(".mixed button").forEach((b) => (b.onclick = () => choose(Number(b.dataset.c))));

  const right = Object.values(data.marks).filter(Boolean).length, given = Object.values(data.marks).length;
  $(".verdict").textContent = !level ? "" : !given
    ? `${level === 1 ? "One number is" : "Three numbers are"} missing. Work ${level === 1 ? "it" : "them"} out from those beside; a calculator is allowed.`
    : right === data.blanks.length ? `✓ ${right === 1 ? "Right" : "All three right"}: within rounding of what the engine has.`
      : `${right} of ${data.blanks.length} right so far.${given > right ? " ✗ The dashed one is not right: look at its row again." : ""}`;
  return () => mounted.delete(parentElement);
}
