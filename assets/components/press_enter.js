// The machine of chapter 20. Python has computed the whole run; this plays it: stage by stage,
// pass by pass, forwards and backwards, without asking the server. Only the insides of passes
// that were not sent yet are asked for (state "wanted").
//
// Python puts these before this file: shared, press_enter_drawing, _attention, _stages, _costs.

const machines = new WeakMap();
const played = new Set(); // runs that have begun to play by themselves: once is enough
const ONCE = ["text", "template", "tokens"];
const PACES = { ease: "Slow, then faster", slow: "Slow", fast: "Fast", real: "As fast as it was" };
const DWELL = {
  text: 1500, template: 1700, tokens: 1700, embedding: 1500, positions: 1500, attention: 1500,
  mlp: 1200, norm: 1000, logits: 1500, sampling: 2000, draw: 1700, append: 1200,
};
const ROLE = { special: "special token", system: "system prompt", user: "prompt", text: "prompt",
  said: "said by the model", tool: "put in by the calculator" };

export default function ({ data: [data], parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let m = machines.get(parentElement);
  if (!m) machines.set(parentElement, (m = { pace: "ease", head: null, show: "arcs", root }));
  m.ask = (turn) => setStateValue("wanted", [data.run, turn]);
  m.data = data;
  m.asked = null;
  if (m.run !== data.run) begin(m);
  else show(m);
  return () => {
    cancelAnimationFrame(m.frame);
    m.observer?.disconnect();
    machines.delete(parentElement);
  };
}

// Where we are ---------------------------------------------------------------------------------

/** The stages in the order of the first pass; `i` is the place in the ledger of costs. */
function stages(data) {
  const list = [["text", "Text"], ["template", "Chat template"], ["tokens", "Tokens"]]
    .filter(([kind]) => kind !== "template" || data.chat)
    .map(([kind, title]) => ({ id: kind, kind, title }));
  const names = { embedding: "Embedding", positions: "Positions", attention: "attention",
    mlp: "MLP", norm: "Final norm", logits: "Logits" };
  data.ledger.forEach(({ kind, layer }, i) => list.push({
    id: layer === null ? kind : `${kind}.${layer + 1}`, kind, layer, i,
    title: layer === null ? names[kind] : `Layer ${layer + 1} ${names[kind]}`,
  }));
  return [...list, { id: "sampling", kind: "sampling", title: "Sampling" },
    { id: "draw", kind: "draw", title: "Token" }, { id: "append", kind: "append", title: "Append" }];
}

function begin(m) {
  const { data } = m;
  m.run = data.run;
  m.stages = stages(data);
  m.first = m.stages.findIndex((s) => s.kind === "embedding");
  m.turn = Math.min(Math.max(data.start.turn, 0), data.turns.length - 1);
  m.at = Math.max(0, m.stages.findIndex((s) => s.id === data.start.stage));
  if (m.turn > 0 && m.at < m.first) m.at = m.first;
  m.head = null;
  m.row = null;
  build(m);
  stop(m);
  if (data.autoplay && !played.has(data.run) && !reducedMotion()) {
    play(m);
    if (m.root.getBoundingClientRect().top > innerHeight / 2) {
      m.root.scrollIntoView({ behavior: "smooth", block: "start" });
    }
  }
  played.add(data.run);
  show(m);
}

const stage = (m) => m.stages[m.at];
const inside = (m) => m.data.insides[m.turn];
const atEnd = (m) => m.turn === m.data.turns.length - 1 && m.at === m.stages.length - 1;
const atStart = (m) => m.turn === 0 && m.at === 0;

function go(m, turn, at, say = true) {
  m.turn = turn;
  m.at = turn > 0 ? Math.max(at, m.first) : at;
  m.row = null;
  m.filter = null;
  m.elapsed = 0;
  show(m);
  if (say) announce(m);
}

function step(m, by, say = true) {
  let [turn, at] = [m.turn, m.at + by];
  if (at >= m.stages.length) [turn, at] = [turn + 1, m.first];
  else if (turn > 0 && at < m.first) [turn, at] = [turn - 1, m.stages.length - 1];
  if (at < 0 || turn >= m.data.turns.length) return false;
  go(m, turn, at, say);
  return true;
}

function stepToken(m, by) {
  const turn = m.turn + by;
  if (turn >= 0 && turn < m.data.turns.length) go(m, turn, m.at);
  else if (by < 0) go(m, 0, 0);
  else go(m, m.turn, m.stages.length - 1);
}

// Playing --------------------------------------------------------------------------------------

function dwell(m) {
  if (m.pace === "real") return 1000 * (seconds(m, stage(m)) || 0);
  const base = DWELL[stage(m).kind] * (stage(m).layer > 0 ? 0.6 : 1);
  if (m.pace === "slow") return base;
  if (m.pace === "fast") return 70;
  return Math.max(55, base * [1, 0.45, 0.2][m.turn] || 55);
}

function play(m) {
  if (atEnd(m)) go(m, 0, 0, false);
  m.playing = true;
  m.elapsed = 0;
  m.before = undefined;
  m.frame = requestAnimationFrame((now) => tick(m, now));
  transport(m);
}

function stop(m) {
  m.playing = false;
  cancelAnimationFrame(m.frame);
  transport(m);
}

function tick(m, now) {
  if (!m.playing) return;
  m.elapsed += Math.min(250, now - (m.before ?? now));
  m.before = now;
  let left = 400; // stages in one frame at most
  while (m.playing && inside(m) && m.elapsed >= dwell(m) && left--) {
    const rest = m.elapsed - dwell(m);
    if (stage(m).kind === "draw") announce(m);
    if (!step(m, 1, false)) stop(m);
    m.elapsed = rest;
  }
  progress(m);
  if (m.playing) m.frame = requestAnimationFrame((later) => tick(m, later));
}

function progress(m) {
  const done = m.playing ? Math.min(1, m.elapsed / Math.max(dwell(m), 1)) : 0;
  m.root.style.setProperty("--done", m.pace === "real" ? 0 : done.toFixed(3));
  if (stage(m).kind !== "sampling" || !m.playing || m.pace === "fast") return;
  const active = filters(m);
  const shown = active[Math.min(active.length - 1, Math.floor(done * (active.length + 0.6)))];
  if (m.filter !== shown) {
    m.filter = shown;
    open(m);
  }
}

// The frame of the machine ---------------------------------------------------------------------

function build(m) {
  const group = (from, to) => m.stages.slice(from, to).map((s, i) => `
    <li data-at="${from + i}"><button type="button" class="stage" data-at="${from + i}">
      <span class="bead"></span><span class="name">${esc(s.title)}</span><span class="time"></span>
    </button></li>`).join("");
  m.root.innerHTML = `
    <section class="machine" tabindex="0" 
      aria-label="The machine. Space plays and pauses, arrows step a stage, with Shift a token.">
      <div class="tape" role="group" aria-label="What the model has read and said"></div>
      <div class="controls"><div class="bar" role="toolbar" aria-label="Play">
        <button type="button" data-do="token-back" aria-label="Back a token">« Token</button>
        <button type="button" data-do="back" aria-label="Back a stage">‹ Stage</button>
        <button type="button" data-do="play" class="play"></button>
        <button type="button" data-do="next" aria-label="Forward a stage">Stage ›</button>
        <button type="button" data-do="token-next" aria-label="Forward a token">Token »</button></div>
        <label class="pace"><span class="hidden-text">Pace</span><select>${
          Object.entries(PACES).map(([k, v]) => `<option value="${k}">${v}</option>`).join("")
        }</select></label>
      </div>
      <p class="now"></p>
      <div class="works">
        <div class="rail">
          <p class="group" id="once">Once</p>
          <ol aria-labelledby="once">${group(0, m.first)}</ol>
          <p class="group" id="each">Every pass, for every token</p>
          <ol class="loop" aria-labelledby="each">${group(m.first)}</ol>
        </div>
        <div class="inside" role="region" aria-label="Inside the stage"></div>
      </div>
      <details class="ledger"><summary></summary><div class="scroll" tabindex="0"></div></details>
      <div class="share"><button type="button" data-do="share">Copy a link to this moment</button>
        <input readonly hidden aria-label="Link to this moment"></div>
      <div class="hidden-text" aria-live="polite"></div>
    </section>`;
  const $ = (selector) => m.root.querySelector(selector);
  m.$ = { machine: $(".machine"), tape: $(".tape"), now: $(".now"), works: $(".works"),
    inside: $(".inside"), ledger: $(".ledger"), live: $("[aria-live]"), play: $(".play"),
    pace: $("select"), share: $(".share input"), rail: $(".rail") };
  m.$.pace.value = m.pace;
  m.$.pace.onchange = () => { m.pace = m.$.pace.value; m.elapsed = 0; };
  m.$.machine.onclick = (event) => click(m, event);
  m.$.machine.onkeydown = (event) => key(m, event);
  m.$.ledger.ontoggle = () => ledger(m);
  m.$.inside.onpointermove = (event) => point(m, event);
  m.$.inside.onpointerover = m.$.inside.onfocusin = (event) => ask(m, event);
  m.observer?.disconnect();
  m.observer = new ResizeObserver(() => narrow(m));
  m.observer.observe(m.root);
  m.narrow = null;
  narrow(m);
  tape(m, true);
}

/** On a narrow screen the open stage unfolds inside the list, else it stands beside it. */
function narrow(m) {
  const now = m.root.clientWidth < 640;
  if (now === m.narrow) return;
  m.narrow = now;
  m.$.machine.classList.toggle("narrow", now);
  place(m);
  if (m.$.inside.innerHTML) open(m);
}

function place(m) {
  const home = m.narrow ? m.$.rail.querySelector(`li[data-at="${m.at}"]`) : m.$.works;
  if (m.$.inside.parentElement !== home) home.append(m.$.inside);
}

function click(m, event) {
  const target = event.composedPath().find((e) => e.dataset && (e.dataset.do || e.dataset.at
    || e.dataset.turn || e.dataset.head || e.dataset.show || e.dataset.filter));
  if (!target) return;
  const d = target.dataset;
  if (d.do === "play") return m.playing ? stop(m) : play(m);
  if (d.do === "share") return share(m);
  if (target.tagName === "LI") return;
  stop(m);
  if (d.do === "next") step(m, 1);
  else if (d.do === "back") step(m, -1);
  else if (d.do === "token-next") stepToken(m, 1);
  else if (d.do === "token-back") stepToken(m, -1);
  else if (d.turn) go(m, +d.turn, m.at < m.first ? m.stages.length - 2 : m.at);
  else if (d.at) go(m, +d.at < m.first ? 0 : m.turn, +d.at);
  else {
    if (d.head) m.head = +d.head;
    if (d.show) m.show = d.show;
    if (d.filter) m.filter = +d.filter;
    open(m);
  }
}

function key(m, event) {
  const tag = event.composedPath()[0].tagName;
  if (event.altKey || event.ctrlKey || event.metaKey || ["SELECT", "INPUT"].includes(tag)) return;
  const moves = { ArrowRight: 1, ArrowLeft: -1 };
  if (event.key === " " && !["BUTTON", "SUMMARY", "A"].includes(tag)) {
    m.playing ? stop(m) : play(m);
  } else if (moves[event.key]) {
    stop(m);
    (event.shiftKey ? stepToken : step)(m, moves[event.key]);
  } else return;
  event.preventDefault();
}

function share(m) {
  const url = new URL(location.href);
  url.searchParams.set("at", `${m.turn + 1}.${stage(m).id}`);
  m.$.share.hidden = false;
  m.$.share.value = url.href;
  m.$.share.select();
  navigator.clipboard?.writeText(url.href).catch(() => {});
  m.$.live.textContent = "The link is selected and, where the browser allows it, copied.";
}

function announce(m) {
  m.$.live.textContent = `Pass ${m.turn + 1} of ${m.data.turns.length}, ${stage(m).title}. ${
    m.$.inside.querySelector(".say")?.textContent ?? ""}`;
}

// Showing --------------------------------------------------------------------------------------

function show(m) {
  const turns = m.data.turns.length;
  if (!inside(m) && m.asked !== m.turn) m.ask((m.asked = m.turn));
  else if (m.playing && m.turn + 1 < turns && !m.data.insides[m.turn + 1] && m.asked === null) {
    m.ask((m.asked = m.turn + 1));
  }
  tape(m);
  transport(m);
  const [from, to] = m.data.turns[m.turn].reads;
  const what = to - from === 1 ? "1 token" : `${to - from} tokens`;
  const time = inside(m) ? `, took ${duration(sum(inside(m).seconds))}` : "";
  m.$.now.innerHTML = `<b>Pass ${m.turn + 1} of ${turns}</b> reads ${what}${
    from ? `, ${from} more ${from === 1 ? "is" : "are"} in the cache` : ""}${time}${
    m.pace !== "real" && m.playing ? ", shown in slow motion" : ""}.`;
  const all = inside(m) ? sum(m.stages.map((s) => seconds(m, s) || 0)) : 0;
  m.$.rail.querySelectorAll(".stage").forEach((button) => {
    const at = +button.dataset.at, s = m.stages[at], time = seconds(m, s);
    button.parentElement.classList.toggle("active", at === m.at);
    button.parentElement.classList.toggle("past", at < m.at || (m.turn > 0 && at < m.first));
    button.parentElement.hidden = folded(m, s);
    button.setAttribute("aria-current", at === m.at ? "step" : "false");
    button.querySelector(".time").textContent = time === undefined ? "" : duration(time);
    const part = all && time && !ONCE.includes(s.kind) ? time / all : 0;
    button.style.setProperty("--part", part > 0.02 ? part.toFixed(3) : 0);
  });
  place(m);
  open(m);
  ledger(m);
}

/** Of a deep model only the first, the last and the layers around the open one are listed. */
function folded(m, s) {
  const last = m.data.model.layers - 1, open = stage(m).layer;
  if (last < 8 || s.layer == null || s.layer === 0 || s.layer === last) return false;
  return open == null ? s.layer > 1 : Math.abs(s.layer - open) > 1;
}

function transport(m) {
  if (!m.$) return;
  m.$.play.textContent = m.playing ? "Pause" : atEnd(m) ? "Play again" : "Play";
  const disable = (what, off) => (m.root.querySelector(`[data-do=${what}]`).disabled = off);
  disable("back", atStart(m));
  disable("token-back", atStart(m));
  disable("next", atEnd(m));
  disable("token-next", atEnd(m));
  m.$.machine.classList.toggle("playing", m.playing);
}

function seconds(m, s) {
  if (ONCE.includes(s.kind)) return m.data.seconds[s.kind];
  if (s.kind === "sampling") return m.data.turns[m.turn].sampling_seconds;
  return s.i === undefined ? undefined : inside(m)?.seconds[s.i];
}

/** The row of tokens: read, said, and still to come (those are blank until they are drawn). */
function tape(m, rebuild) {
  const { chips, said_at: places, turns } = m.data;
  const drawn = m.stages.findIndex((s) => s.kind === "draw");
  const known = places[m.turn] + (m.at >= drawn ? 1 : 0);
  if (rebuild) {
    const turnOf = new Map(places.map((place, turn) => [place, turn]));
    m.$.tape.innerHTML = chips.map((c, i) => {
      const turn = turnOf.get(i);
      const tag = turn === undefined ? "span" : `button type="button" data-turn="${turn}"`;
      return `<${tag} class="chip ${c.role}" data-i="${i}"></${tag.split(" ")[0]}>`;
    }).join("");
  }
  const [from, to] = turns[m.turn].reads;
  m.$.tape.querySelectorAll(".chip").forEach((chip, i) => {
    const c = chips[i], blank = i >= known;
    if (chip.dataset.blank !== String(blank)) {
      chip.dataset.blank = blank;
      chip.innerHTML = blank ? "&nbsp;&nbsp;" : `<bdi>${esc(c.text)}</bdi>`;
      const name = blank ? `Token ${i + 1}, not said yet` : `Token ${i + 1}: ${c.text}, ${ROLE[c.role]}`;
      chip.title = name;
      if (chip.tagName === "BUTTON") chip.setAttribute("aria-label", name);
    }
    chip.classList.toggle("read", i >= from && i < to);
    chip.classList.toggle("next", i === places[m.turn]);
  });
  const next = m.$.tape.querySelector(".next"), box = m.$.tape;
  if (next.offsetTop < box.scrollTop || next.offsetTop + 40 > box.scrollTop + box.clientHeight) {
    box.scrollTop = next.offsetTop - box.clientHeight / 2;
  }
}

/** Draws the open stage, keeping the focus on what was pressed. */
function open(m) {
  const focused = m.root.getRootNode().activeElement;
  const mark = focused && m.$.inside.contains(focused) && focused.dataset.key;
  const s = stage(m), ready = ONCE.includes(s.kind) || inside(m);
  const body = ready ? INSIDE[s.kind](m, s) : `<p class="say">Asking the engine for this pass …</p>`;
  m.$.inside.innerHTML = `<h2>${esc(s.title)}</h2>${body}${ready ? foot(m, s) : ""}`;
  m.$.inside.querySelectorAll("canvas").forEach((canvas) => paint(m, canvas));
  if (mark) m.$.inside.querySelector(`[data-key="${mark}"]`)?.focus({ preventScroll: true });
  progressless(m);
}

function progressless(m) {
  if (!m.playing) m.root.style.setProperty("--done", 0);
}
