// Attention over the reader's own text: arcs, the matrix, and every head at a glance.

const mounted = new WeakMap();

const PAGE = `
  <label for="text">Your sentence</label>
  <textarea id="text" rows="1" spellcheck="false" autocomplete="off" autocapitalize="off" dir="auto"></textarea>
  <div class="presets" role="group" aria-label="Sentences to try"></div>
  <div class="controls"><label>Layer <select class="layer" aria-label="Layer"></select></label><label>Head <select class="head" aria-label="Head"></select></label></div>
  <div class="notices"></div>
  <div class="picture"></div>
  <p class="say" aria-live="polite"></p>
  <div class="below">
    <div><p class="label">Every token at once: a row asks, a column answers</p>
      <div class="matrix" tabindex="0" role="application" aria-label="Matrix of weights; move with the arrow keys">
        <canvas></canvas><div class="line"></div><div class="cursor"></div></div>
      <p class="quiet">0 <span class="ramp"></span> 100 %; empty: the future</p></div>
    <div><p class="label heads-label"></p><div class="heads"></div></div>
  </div>`;

function options(count, word, all) {
  return [...Array(count).keys()].map((i) => `<option value="${i}">${word}${i + 1}</option>`).join("")
    + `<option value="${count}">${all}</option>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    root.innerHTML = PAGE;
    state = { rev: null, choice: {}, shown: "", read: null, asked: null };
    state.say = debounce((choice) => state.send("choice", choice), 220);
    state.settle = debounce((text) => state.send("settled", text), 1200);
    // One text is on its way at a time; what is typed meanwhile follows when its picture is there,
    // or after a second, should the answer be lost.
    state.tell = () => {
      const text = root.querySelector("textarea").value;
      state.late.cancel();
      if (text === state.read) return;
      state.asked = text;
      state.send("text", text);
      state.settle(text);
    };
    state.late = debounce(state.tell, 1000);
    mounted.set(parentElement, state);
  }
  const $ = (selector) => root.querySelector(selector);
  state.send = setStateValue;
  const line = $("textarea");
  const fresh = state.rev !== data.rev;
  if (fresh) {
    state.rev = data.rev;
    state.choice = { ...data.start, ...(data.initial.choice || {}) };
    line.value = data.text;
    state.asked = null;
  }
  const { names, layers, heads } = data, T = names.length;
  const shares = unpack(data.shares), choice = state.choice;

  const fit = () => { line.style.height = "auto"; line.style.height = `${line.scrollHeight + 2}px`; };
  line.maxLength = data.longest;
  line.oninput = () => {
    line.value = line.value.replace(/\n/g, " ");
    Object.assign(choice, { query: -1, key: -1 });
    fit();
    if (state.asked === null) state.tell();
    else state.late();
  };
  $(".presets").innerHTML = data.presets.map((p, i) => `<button type="button" data-i="${i}">${escapeHtml(p)}</button>`).join("");
  root.querySelectorAll(".presets button").forEach((button) => {
    button.onclick = () => {
      line.value = data.presets[Number(button.dataset.i)];
      Object.assign(choice, { query: -1, key: -1 });
      fit();
      state.tell();
    };
  });
  $(".notices").innerHTML = data.notices.map((n) => `<p class="quiet">${escapeHtml(n)}</p>`).join("");

  $(".layer").innerHTML = options(layers, "", "all, averaged");
  $(".head").innerHTML = options(heads, "", "averaged");
  const which = (layer, head) => (layer >= layers ? layers * (heads + 1) : layer * (heads + 1) + head);
  const many = layers > 6;
  $(".heads-label").textContent = many ? "The heads of this layer" : "Every head at a glance: choose one";

  let hovered = null, hoveredKey = null;
  const now = () => {
    choice.layer = Math.min(choice.layer, layers);
    choice.head = Math.min(choice.head, heads);
    const last = choice.query < 0 || choice.query >= T ? T - 1 : choice.query;
    const query = hovered ?? last;
    return { query, last, row: shareRow(shares, T, which(choice.layer, choice.head), query) };
  };
  const told = () => state.say({ ...choice });
  const asks = (query, pinned) => {
    hovered = pinned ? null : query;
    if (pinned && choice.query !== query) {
      Object.assign(choice, { query, key: -1 });
      told();
    }
    draw();
  };
  const takes = (key) => { const { query } = now(); hovered = null; Object.assign(choice, { query, key }); told(); draw(); };

  const build = () => {
    state.width = $(".picture").clientWidth;
    state.arcs = arcsOver($(".picture"), names, (q, p) => state.on.asks(q, p), (k) => state.on.takes(k), "The tokens of your sentence");
  };
  state.on = { asks, takes };

  function drawHeads() {
    const shown = many ? [Math.min(choice.layer, layers - 1)] : [...Array(layers).keys()];
    $(".heads").style.setProperty("--columns", many ? Math.min(heads, 4) : heads);
    const key = `${shown}|${data.shares.packed.length}|${data.text}`;
    if (state.painted !== key) {
      state.painted = key;
      const corner = many ? "" : `<span></span>${[...Array(heads).keys()].map((h) => `<span>head ${h + 1}</span>`).join("")}`;
      $(".heads").style.gridTemplateColumns = many ? "repeat(var(--columns), minmax(0, 1fr))" : "";
      $(".heads").innerHTML = corner + shown.map((l) => (many ? "" : `<span>layer ${l + 1}</span>`) + [...Array(heads).keys()].map((h) =>
        `<button type="button" class="head" data-l="${l}" data-h="${h}" aria-label="layer ${l + 1}, head ${h + 1}"><canvas></canvas></button>`).join("")).join("");
      root.querySelectorAll(".heads button").forEach((button) => {
        const l = Number(button.dataset.l), h = Number(button.dataset.h);
        paintMatrix(button.firstElementChild, shares, T, which(l, h));
        button.onclick = () => state.on.pick(l, h);
      });
    }
    root.querySelectorAll(".heads button").forEach((b) => b.setAttribute("aria-pressed",
      Number(b.dataset.l) === choice.layer && Number(b.dataset.h) === choice.head));
  }
  state.on.pick = (layer, head) => { Object.assign(choice, { layer, head, key: -1 }); told(); draw(); };
  $(".layer").onchange = (e) => state.on.pick(Number(e.target.value), choice.head);
  $(".head").onchange = (e) => state.on.pick(Math.min(choice.layer, layers), Number(e.target.value));

  function draw() {
    const { query, last, row } = now();
    const key = hoveredKey ?? (choice.key >= 0 && choice.key <= query ? choice.key : strongest(row));
    $(".layer").value = choice.layer;
    $(".head").value = choice.layer >= layers ? heads : choice.head;
    $(".head").disabled = choice.layer >= layers;
    state.arcs.draw(row, query, key, query === last);
    const best = strongest(row), total = row.reduce((a, b) => a + b, 0), later = T - 1 - query;
    const future = later ? ` The ${later === 1 ? "token" : `${later} tokens`} after it ${later === 1 ? "is" : "are"} hidden from it.` : "";
    $(".say").innerHTML = T === 1
      ? "Nothing stands there but the beginning, which can only look at itself. Type something."
      : `<i>${escapeHtml(names[query])}</i> (token ${query + 1}) takes most from <b>${escapeHtml(names[best])}</b> (token ${best + 1}):
        <b>${row[best]} %</b>. All its shares together: ${total} %.${future}`;
    const picture = which(choice.layer, choice.head);
    if (state.matrix !== `${picture}|${data.text}|${data.shares.packed.length}`) {
      state.matrix = `${picture}|${data.text}|${data.shares.packed.length}`;
      paintMatrix($(".matrix canvas"), shares, T, picture);
    }
    const cell = 100 / T, box = (e, x, y, w, h) => Object.assign(e.style, { left: `${x}%`, top: `${y}%`, width: `${w}%`, height: `${h}%` });
    box($(".cursor"), key * cell, query * cell, cell, cell);
    box($(".line"), 0, query * cell, (query + 1) * cell, cell);
    drawHeads();
  }

  const matrix = $(".matrix");
  const at = (event) => {
    const box = matrix.getBoundingClientRect(), n = (v, size) => Math.min(T - 1, Math.max(0, Math.floor((v / size) * T)));
    return [n(event.clientY - box.top, box.height), n(event.clientX - box.left, box.width)];
  };
  matrix.onpointermove = (event) => {
    const [q, k] = at(event);
    if (k > q) return;
    hovered = q;
    hoveredKey = k;
    draw();
  };
  matrix.onpointerleave = () => { hovered = hoveredKey = null; draw(); };
  matrix.onclick = (event) => {
    const [q, k] = at(event);
    if (k > q) return;
    hovered = hoveredKey = null;
    Object.assign(choice, { query: q, key: k });
    told();
    draw();
  };
  matrix.onkeydown = (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { last, row } = now(), key = choice.key >= 0 ? choice.key : strongest(row);
    const q = Math.min(T - 1, Math.max(0, last + step[0]));
    Object.assign(choice, { query: q, key: Math.min(q, Math.max(0, key + step[1])) });
    told();
    draw();
  };

  if (!state.arcs || state.shown !== names.join("\u0000")) {
    state.shown = names.join("\u0000");
    build();
  }
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(() => {
    if (Math.abs($(".picture").clientWidth - state.width) > 1) { fit(); build(); draw(); }
  });
  state.sizes.observe($(".picture"));
  if (fresh) fit();
  draw();
  root.dataset.text = data.text;
  if (state.read !== data.text) {
    const asked = state.asked;
    Object.assign(state, { read: data.text, asked: null });
    if (asked !== null && line.value !== asked) state.tell();
  }
  return () => {
    state.say.cancel();
    state.late.cancel();
    state.settle.cancel();
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
