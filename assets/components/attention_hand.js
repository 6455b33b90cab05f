// One head by hand: drag a query and three keys; the weights answer in the same frame.

const mounted = new WeakMap();
const R = 2, SIZE = 340, at = (v) => SIZE / 2 + (v / R) * (SIZE / 2 - 18), back = (p) => ((p - SIZE / 2) / (SIZE / 2 - 18)) * R;
const tidy = (v) => Math.round(Math.min(R, Math.max(-R, v)) * 100) / 100;

/** The same sums as the engine's: scores q . k / sqrt(2), softmax, mix. */
export function attend({ q, k, v }) {
  const scores = k.map((key) => (q[0] * key[0] + q[1] * key[1]) / Math.sqrt(2)), top = Math.max(...scores);
  const e = scores.map((s) => Math.exp(s - top)), total = e.reduce((a, b) => a + b, 0), weights = e.map((x) => x / total);
  return { scores, weights, mixed: weights.reduce((sum, w, i) => sum + w * v[i], 0) };
}

const number = (x) => x.toFixed(2).replace("-", "−");

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root"), { names } = data;
  let state = mounted.get(parentElement);
  if (!state) {
    state = { rev: null };
    mounted.set(parentElement, state);
    const arrows = [["q", "query"], ...names.map((n, i) => [`k${i}`, n])];
    root.innerHTML = `<div class="two"><svg viewBox="0 0 ${SIZE} ${SIZE}" role="group" aria-label="A plane with the query and three keys">
      ${[-2, -1, 1, 2].map((v) => `<path class="grid" d="M${at(v)},0V${SIZE}M0,${at(v)}H${SIZE}"/>`).join("")}
      <path class="axis" d="M${SIZE / 2},0V${SIZE}M0,${SIZE / 2}H${SIZE}"/>
      <text class="axis-label" x="${SIZE - 6}" y="${SIZE / 2 - 6}" text-anchor="end">about the living</text>
      <text class="axis-label" x="${SIZE / 2 + 6}" y="14">about things</text>
      ${arrows.map(([id]) => `<path class="arrow" data-line="${id}" stroke="var(--${id === "q" ? "query" : "key"})" stroke-dasharray="${
        { q: "none", k0: "none", k1: "8 4", k2: "2 4" }[id]}"/>`).join("")}
      ${arrows.map(([id, name]) => `<g class="handle" data-id="${id}" tabindex="0" role="slider" aria-valuemin="-2" aria-valuemax="2"><circle class="hit" r="22"/>
        <circle class="dot" r="8" fill="var(--${id === "q" ? "query" : "key"})"/><text fill="var(--${id === "q" ? "query" : "key"})">${
          id === "q" ? "query" : escapeHtml(name)}</text></g>`).join("")}</svg>
      <div><table><thead><tr><th><span class="q">query</span></th><td><input data-in="q,0" aria-label="query, to the right" type="number" step="0.1" min="-2" max="2"></td><td>
        <input data-in="q,1" aria-label="query, upwards" type="number" step="0.1" min="-2" max="2"></td><td colspan="3"></td></tr>
        <tr><th>book</th><th colspan="2"><span class="k">key</span>: its label</th><th>score</th><th>weight</th><th><span class="v">value</span></th></tr></thead><tbody>${names.map((n, i) => `<tr><td>${escapeHtml(n)}</td>
        <td><input data-in="k,${i},0" aria-label="key of ${escapeHtml(n)}, to the right" type="number" step="0.1" min="-2" max="2"></td>
        <td><input data-in="k,${i},1" aria-label="key of ${escapeHtml(n)}, upwards" type="number" step="0.1" min="-2" max="2"></td>
        <td class="score"></td><td><span class="weight"></span><i class="bar"></i></td>
        <td><input data-in="v,${i}" aria-label="value of ${escapeHtml(n)}" type="number" step="1" min="-99" max="99"></td></tr>`).join("")}
        <tr class="total"><td colspan="4">together</td><td class="sum"></td><td class="mixed"></td></tr></tbody></table>
      <p class="say" aria-live="polite"></p><button type="button" class="reset">Back to the start</button></div></div>`;
  }
  const $ = (selector) => root.querySelector(selector), $$ = (selector) => [...root.querySelectorAll(selector)];
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.vectors = structuredClone(data.vectors);
  }
  const { vectors } = state, end = (id) => (id === "q" ? vectors.q : vectors.k[Number(id[1])]);
  const send = () => setStateValue("vectors", structuredClone(vectors));

  function draw() {
    const found = attend(vectors), best = found.weights.indexOf(Math.max(...found.weights));
    $$(".handle").forEach((h) => {
      const [x, y] = end(h.dataset.id), px = at(x), py = at(-y);
      h.setAttribute("transform", `translate(${px},${py})`);
      const text = h.querySelector("text"), left = px > SIZE - 70;
      text.setAttribute("x", left ? -12 : 12);
      text.setAttribute("text-anchor", left ? "end" : "start");
      text.setAttribute("y", y >= 0 ? -8 : 18);
      h.setAttribute("aria-label", text.textContent === "query" ? "query" : `key of ${text.textContent}`);
      h.setAttribute("aria-valuenow", x);
      h.setAttribute("aria-valuetext", `${number(x)} to the right, ${number(y)} up`);
      $(`[data-line="${h.dataset.id}"]`).setAttribute("d", `M${SIZE / 2},${SIZE / 2}L${px},${py}`);
    });
    $$("[data-in]").forEach((input) => {
      const [part, i, j] = input.dataset.in.split(","), value = part === "k" ? vectors.k[i][j] : vectors[part][i];
      if (root.getRootNode().activeElement !== input) input.value = value;
    });
    $$("tbody tr:not(.total)").forEach((row, i) => {
      row.querySelector(".score").textContent = number(found.scores[i]);
      row.querySelector(".weight").textContent = `${(100 * found.weights[i]).toFixed(1)} %`;
      row.querySelector(".bar").style.width = `${100 * found.weights[i]}%`;
    });
    $(".sum").textContent = "100 %";
    $(".mixed").textContent = number(found.mixed);
    $(".say").textContent = `The query points most the way of “${names[best]}”, so ${(100 * found.weights[best]).toFixed(0)} % of what comes back is its value: ${
      found.weights.map((w, i) => `${w.toFixed(2)} × ${String(vectors.v[i]).replace("-", "−")}`).join(" + ")} = ${number(found.mixed)}.`;
  }

  const svg = $("svg");
  $$(".handle").forEach((handle) => {
    handle.onpointerdown = (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      state.dragging = handle.dataset.id;
    };
    handle.onpointermove = (event) => {
      if (state.dragging !== handle.dataset.id) return;
      const box = svg.getBoundingClientRect(), scale = SIZE / box.width;
      Object.assign(end(handle.dataset.id), [tidy(back((event.clientX - box.left) * scale)), tidy(-back((event.clientY - box.top) * scale))]);
      draw();
    };
    handle.onpointerup = handle.onpointercancel = () => { if (state.dragging) { state.dragging = null; send(); } };
    handle.onkeydown = (event) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const v = end(handle.dataset.id);
      Object.assign(v, [tidy(v[0] + step[0]), tidy(v[1] + step[1])]);
      draw();
      send();
    };
  });
  $$("[data-in]").forEach((input) => {
    input.oninput = () => {
      const [part, i, j] = input.dataset.in.split(","), value = Number(input.value);
      if (input.value.trim() === "" || !Number.isFinite(value)) return;
      if (part === "k") vectors.k[i][j] = tidy(value);
      else vectors[part][i] = part === "q" ? tidy(value) : Math.min(99, Math.max(-99, value));
      draw();
    };
    input.onchange = () => { input.blur(); draw(); send(); };
  });
  $(".reset").onclick = () => { state.vectors = structuredClone(data.start); Object.assign(vectors, state.vectors); state.vectors = vectors; draw(); send(); };
  draw();
  return () => mounted.delete(parentElement);
}
