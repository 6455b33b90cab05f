// From scores to the chances of each token. While a control moves ("sampling-settings"), the
// picture is redrawn here from the model's real scores; on release Python sends what microgpt
// says, and that replaces it.

const mounted = new WeakMap();
const STAGES = [
  ["score", "Score"],
  ["scaled", "÷ temperature"],
  ["softmax", "Softmax"],
  ["cut", "Cut"],
  ["final", "Renormalized"],
];
const SPREAD = 10; // units of score from the right edge of a column to its left
const SCALES = [0.05, 0.1, 0.2, 0.5, 1]; // what a full bar can stand for

function softmax(scores) {
  const peak = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = scores.map((s) => Math.exp(s - peak));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((e) => e / sum);
}

const bits = (p) => Math.max(0, -p.reduce((sum, q) => (q > 0 ? sum + q * Math.log2(q) : sum), 0));

/**
 * The filters of microgpt.decoding.sampling in the same order, for (V,) logits. A cut score is
 * -Infinity, `reasons` says what cut it, `held` what the better tokens held when top-p came.
 */
export function pipeline(logits, settings, previous) {
  const { temperature, top_k, top_p, min_p, repetition_penalty: penalty } = settings;
  const score = Float64Array.from(logits);
  for (const id of new Set(previous)) {
    score[id] = score[id] > 0 ? score[id] / penalty : score[id] * penalty;
  }
  const ranked = Array.from(score.keys()).sort((a, b) => score[b] - score[a] || a - b);
  const reasons = new Array(score.length).fill("");
  const left = score.map((s) => (temperature > 0 ? s / temperature : s));
  const cut = (id, reason) => {
    if (left[id] === -Infinity) return;
    left[id] = -Infinity;
    reasons[id] = reason;
  };
  if (temperature === 0) ranked.slice(1).forEach((id) => cut(id, "temperature 0"));
  const scaled = left.slice();
  if (top_k) ranked.slice(top_k).forEach((id) => cut(id, "top-k"));
  const held = new Float64Array(score.length);
  if (top_p < 1) {
    const p = softmax(left);
    let sum = 0;
    for (const id of ranked) {
      held[id] = sum;
      if (sum >= top_p) cut(id, "top-p");
      sum += p[id];
    }
  }
  if (min_p > 0) {
    const floor = left[ranked[0]] + Math.log(min_p);
    for (const id of ranked) if (left[id] < floor) cut(id, "min-p");
  }
  return { score, scaled, softmax: softmax(scaled), final: softmax(left), reasons, held };
}

/** What is shown of the whole vocabulary: the rows, the rest together, and a few numbers. */
function summarize(result, ids) {
  const rest = { softmax: 1, final: 1, kept: 0 };
  for (const id of ids) {
    rest.softmax -= result.softmax[id];
    rest.final -= result.final[id];
  }
  const finite = (x) => (Number.isFinite(x) ? x : null);
  const kept = result.reasons.filter((reason) => !reason).length;
  rest.kept = kept - ids.filter((id) => !result.reasons[id]).length;
  const view = { rest, kept, entropy: bits(result.final), reasons: ids.map((id) => result.reasons[id]) };
  let stays = 0;
  result.reasons.forEach((reason, id) => (stays += reason ? 0 : result.softmax[id]));
  view.stays = stays;
  for (const name of ["score", "scaled", "softmax", "final"]) {
    view[name] = ids.map((id) => finite(result[name][id]));
  }
  return view;
}

const percent = (p) => `${(100 * Math.max(0, p)).toFixed(1)} %`;
const signed = (x) => (x === null ? "−∞" : x.toFixed(2).replace("-", "−"));
const whole = (n) => n.toLocaleString("en-US");

/** What the chosen row goes through, with its real numbers, up to the stage looked at. */
function sentence(stage, view, settings, data, i, held) {
  const row = data.rows[i];
  const name = `<b>${escapeHtml(visible(row.name))}</b>`;
  const [score, scaled] = [signed(view.score[i]), signed(view.scaled[i])];
  const why = view.reasons[i];
  if (stage === "score") {
    const penalty = row.seen && settings.repetition_penalty !== 1
      ? ` It stood in the prompt, so the penalty changed ${signed(row.logit)} to ${score}.` : "";
    return `${name} has the score <b>${score}</b>, rank ${whole(row.rank)} of ${whole(data.vocabulary)}.${penalty}`;
  }
  if (settings.temperature === 0) {
    return why ? `Temperature 0 takes the best score and nothing else: ${name} is out.`
      : `Temperature 0 takes the best score and nothing else: ${name}, for sure.`;
  }
  if (stage === "scaled") {
    return `${name}: ${score} ÷ ${settings.temperature.toFixed(2)} = <b>${scaled}</b>.`;
  }
  if (stage === "softmax") {
    return `${name}: e<sup>${scaled}</sup> over the sum of all ${whole(data.vocabulary)} such numbers = <b>${percent(view.softmax[i])}</b>.`;
  }
  const reasons = {
    "top-k": `it is not among the ${settings.top_k} best`,
    "top-p": `the better ones already hold ${percent(held)}, and top-p stops at ${percent(settings.top_p)}`,
    "min-p": `it is less than ${percent(settings.min_p)} as likely as the best`,
  };
  if (why) return `${name} is cut by ${why}: ${reasons[why]}. It can't be drawn.`;
  if (stage === "cut") return `${name} stays, with ${percent(view.softmax[i])}. All that stay hold <b>${percent(view.stays)}</b>.`;
  return `${name}: ${percent(view.softmax[i])} ÷ ${percent(view.stays)} that stay = <b>${percent(view.final[i])}</b>.`;
}

function tableHtml(data) {
  const heads = STAGES.map(([key, title], i) => `<div role="columnheader"><button type="button"
    class="stage" data-stage="${key}"><span>${i + 1}</span> ${title}</button></div>`);
  const cells = STAGES.map(([key]) => `<div role="cell" class="cell" data-stage="${key}">
    <i class="bar"><i></i></i><span class="number"></span></div>`).join("");
  const rows = data.rows.map((row, i) => `<div role="row" class="row"><div role="rowheader">
    <button type="button" class="name" data-row="${i}">${escapeHtml(visible(row.name))}${
      row.seen ? " <small>seen</small>" : ""}</button></div>${cells}</div>`);
  const others = data.vocabulary - data.rows.length;
  if (others > 0) rows.push(`<div role="row" class="row rest"><div role="rowheader"><span
    class="name">${whole(others)} others</span></div>${cells}</div>`);
  return `<div class="table" role="table" aria-label="The likeliest next tokens, stage by stage">
    <div role="row" class="head"><div role="columnheader"><button type="button" class="play"></button></div>${heads.join("")}</div>
    ${rows.join("")}</div><p class="say"></p><p class="facts"></p><p class="hidden-text" aria-live="polite"></p>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { stage: "final", row: 0, timer: 0, frame: 0 };
  mounted.set(parentElement, state);
  const $ = (selector) => root.querySelector(selector);
  const $$ = (selector) => [...root.querySelectorAll(selector)];
  const ids = data.rows.map((row) => row.id);

  const shape = JSON.stringify([data.rows, data.vocabulary]);
  if (state.shape !== shape) {
    root.innerHTML = tableHtml(data);
    Object.assign(state, { shape, logits: unpack(data.logits), row: Math.min(state.row, ids.length - 1) });
    state.cells = $$(".row").map((row) => [...row.querySelectorAll(".cell")]);
    state.settings = null; // a new prompt: what Python says counts
  }
  state.settings ??= data.engine.settings;
  const keys = Object.keys(data.engine.settings);
  const aloud = debounce(() => {
    const live = $("[aria-live]");
    if (live) live.textContent = `${$(".say").textContent} ${$(".facts").textContent}`;
  }, 700);

  function draw() {
    state.frame = 0;
    const local = pipeline(state.logits, state.settings, data.previous);
    const exact = keys.every((key) => state.settings[key] === data.engine.settings[key]);
    state.view = exact ? data.engine : summarize(local, ids);
    state.held = local.held;
    root.dataset.source = exact ? "microgpt" : "browser";
    const { view } = state;
    const most = Math.max(...view.softmax, ...view.final, view.rest.softmax, view.rest.final);
    const full = SCALES.find((scale) => scale >= most - 1e-9) ?? 1;
    state.full = full;
    const place = (x, column) => (x === null ? 0 : Math.max(0, 1 - (Math.max(...column) - x) / SPREAD));
    ids.forEach((id, i) => {
      const why = view.reasons[i];
      paint(i, why, [
        [place(view.score[i], view.score), signed(view.score[i])],
        [place(view.scaled[i], view.scaled), signed(view.scaled[i])],
        [view.softmax[i] / full, percent(view.softmax[i])],
        [view.softmax[i] / full, why || "stays"],
        [view.final[i] / full, why ? "–" : percent(view.final[i])],
      ]);
    });
    if (state.cells[ids.length]) {
      const { softmax: all, final, kept } = view.rest;
      paint(ids.length, kept ? "" : "cut", [[0, "lower"], [0, "lower"], [all / full, percent(all)],
        [all / full, kept ? `${whole(kept)} stay` : "all cut"], [final / full, kept ? percent(final) : "–"]]);
    }
    say();
    dispatchEvent(new CustomEvent("sampling-live", { detail: { probabilities: local.final, exact } }));
  }

  function paint(row, struck, values) {
    values.forEach(([size, words], column) => {
      const cell = state.cells[row][column];
      const [bar, number] = cell.children;
      bar.firstElementChild.style.transform = column < 2 ? `translateX(${100 * size}%)` : `scaleX(${size})`;
      if (number.textContent !== words) number.textContent = words;
      cell.classList.toggle("struck", !!struck && column > 2);
    });
  }

  function say() {
    const { view, row } = state;
    $(".say").innerHTML = sentence(state.stage, view, state.settings, data, row, state.held[ids[row]]);
    const entropy = data.revealed
      ? `Entropy <b class="entropy">${view.entropy.toFixed(2)}</b> bits: as open as a fair draw among <b>${(2 ** view.entropy).toFixed(1)}</b>.`
      : "";
    $(".facts").innerHTML = `<b>${whole(view.kept)}</b> of ${whole(data.vocabulary)} tokens can still be drawn. ${entropy}
      <span class="quiet">A full bar is ${100 * state.full} %.</span>`;
    aloud();
  }

  function look(stage, row) {
    state.stage = stage ?? state.stage;
    state.row = row ?? state.row;
    $$(".stage").forEach((b) => b.setAttribute("aria-pressed", b.dataset.stage === state.stage));
    $$(".cell").forEach((cell) => cell.classList.toggle("at", cell.dataset.stage === state.stage));
    $$("button.name").forEach((button, i) => {
      button.tabIndex = i === state.row ? 0 : -1;
      button.closest(".row").classList.toggle("at", i === state.row);
    });
    say();
  }

  function stop() {
    clearTimeout(state.timer);
    state.timer = 0;
    root.classList.remove("playing");
    $(".play").textContent = "▶ Play";
  }

  function play(i = 0) {
    root.classList.add("playing");
    $(".play").textContent = "■ Stop";
    look(STAGES[i][0]);
    state.timer = setTimeout(() => (i + 1 < STAGES.length ? play(i + 1) : stop()), 1800);
  }

  $(".play").onclick = () => (state.timer ? stop() : play());
  for (const button of $$(".stage")) {
    button.onclick = () => {
      stop();
      look(button.dataset.stage);
    };
  }
  $$("button.name").forEach((button, i) => {
    button.onpointerenter = button.onfocus = button.onclick = () => look(null, i);
    button.onkeydown = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, Home: -ids.length, End: ids.length }[event.key];
      if (!step) return;
      event.preventDefault();
      $(`[data-row="${Math.min(ids.length - 1, Math.max(0, i + step))}"]`).focus();
    };
  });

  removeEventListener("sampling-settings", state.listen);
  state.listen = ({ detail }) => {
    state.settings = detail;
    state.frame ||= requestAnimationFrame(draw);
  };
  addEventListener("sampling-settings", state.listen);
  if (!state.timer) stop();
  draw();
  look();
  return () => {
    clearTimeout(state.timer);
    cancelAnimationFrame(state.frame);
    removeEventListener("sampling-settings", state.listen);
    aloud.cancel();
    mounted.delete(parentElement);
  };
}
