// Training a tokenizer: Python has sent every merge once; here they are played. Lines between
// bytes vanish at the merge that `gone` names (0: the line that begins a word, which stays).

const mounted = new WeakMap();
const PAUSE = 700; // milliseconds a merge is looked at while it plays
const whole = (n) => n.toLocaleString("en-US");

const PAGE = `
  <div class="bar"><button type="button" class="play">Play</button>
    <button type="button" class="step">One merge</button><button type="button" class="reset">Back to the start</button>
    <label class="to">Merge <input type="number" min="0" step="1" inputmode="numeric"></label></div>
  <input type="range" class="at" min="0" step="1" aria-label="Merges done">
  <p class="say" role="status"></p>
  <div class="two">
    <div><p class="head">The most frequent pairs now</p><div class="pairs" role="table" aria-label="The most frequent pairs and their counts"></div></div>
    <div><p class="head">Tokens of the whole text</p><svg class="curve" viewBox="0 0 300 96" preserveAspectRatio="none" role="img"></svg>
      <p class="head">New tokens, the newest first</p><div class="fresh"></div></div>
  </div>
  <p class="head where"></p><div class="text"></div>`;

/** The pieces of the sample after `at` merges: [from, to, begins a word, just merged]. */
function piecesAt(gone, at) {
  const out = [];
  let start = 0;
  for (let i = 1; i <= gone.length; i++) {
    if (i < gone.length && gone[i] > 0 && gone[i] <= at) continue;
    const fresh = gone.slice(start + 1, i).includes(at) && at > 0;
    out.push([start, i, gone[start] === 0, fresh]);
    start = i;
  }
  return out;
}

function pairsHtml(step) {
  if (!step) return `<p class="quiet">No more merges.</p>`;
  const most = step.candidates[0][2];
  return step.candidates.map(([left, right, count], i) => `<div role="row" class="pair${i ? "" : " first"}">
    <span role="cell" class="name"><b>${escapeHtml(left)}</b><i>+</i><b>${escapeHtml(right)}</b></span>
    <span role="cell" class="track"><span style="width:${(100 * count) / most}%"></span></span>
    <span role="cell" class="count">${whole(count)}</span></div>`).join("");
}

function sentence(m) {
  const { steps, bytes } = m.data;
  if (m.at === 0) return `No merge yet: the text is <b>${whole(bytes)}</b> bytes, and every byte is a token.`;
  const s = steps[m.at - 1];
  return `Merge ${m.at}: <b class="chip">${escapeHtml(s.pair[0])}</b> and <b class="chip">${escapeHtml(s.pair[1])}</b> stand side by side
    <b>${whole(s.count)}</b> times. They become token <b>${s.token}</b>, <b class="chip new">${escapeHtml(s.name)}</b>.
    The text now has <b>${whole(s.tokens)}</b> tokens.`;
}

function show(m) {
  const { steps, gone, bytes, whole: complete } = m.data;
  m.$(".say").innerHTML = sentence(m);
  m.$(".pairs").innerHTML = pairsHtml(steps[m.at]);
  m.$(".fresh").innerHTML = steps.slice(0, m.at).reverse().slice(0, 40).map((s, i) =>
    `<span class="chip${i ? "" : " new"}">${escapeHtml(s.name)}<small>${s.token}</small></span>`).join("")
    + (m.at > 40 ? `<span class="quiet">and ${m.at - 40} before</span>` : "")
    || `<span class="quiet">none yet; the first 256 ids are the bytes</span>`;
  const pieces = piecesAt(gone, m.at);
  m.$(".where").textContent = complete ? `The whole text, ${whole(pieces.length)} tokens`
    : `The beginning of the text, ${whole(pieces.length)} tokens`;
  m.$(".text").innerHTML = pieces.map(([a, b, word, fresh]) =>
    `<span class="piece${word ? " word" : ""}${fresh ? " new" : ""}">${escapeHtml(pieceName(m.bytes, a, b))}</span>`).join("");
  const tokens = [bytes, ...steps.map((s) => s.tokens)];
  const x = (i) => (300 * i) / Math.max(1, steps.length), y = (n) => 94 - (90 * n) / bytes;
  m.$(".curve").innerHTML = `<path d="M${tokens.map((n, i) => `${x(i)},${y(n)}`).join("L")}" class="all"/>
    <path d="M${tokens.slice(0, m.at + 1).map((n, i) => `${x(i)},${y(n)}`).join("L")}" class="done"/>
    <line x1="${x(m.at)}" x2="${x(m.at)}" y1="0" y2="96"/>`;
  m.$(".curve").setAttribute("aria-label", `From ${whole(bytes)} tokens before the first merge to ${whole(tokens[m.at])} now`);
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `merge ${m.at} of ${steps.length}`);
  if (m.root.getRootNode().activeElement !== m.$(".to input")) m.$(".to input").value = m.at;
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.at >= steps.length;
}

function stop(m) {
  clearTimeout(m.timer);
  m.timer = 0;
}

function go(m, at) {
  stop(m);
  m.at = Math.min(m.data.steps.length, Math.max(0, at));
  show(m);
}

function play(m) {
  if (m.at >= m.data.steps.length) m.at = -1;
  const tick = () => {
    m.at += 1;
    m.timer = m.at < m.data.steps.length ? setTimeout(tick, PAUSE) : 0;
    show(m);
  };
  tick();
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, at: 0, timer: 0, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    root.innerHTML = PAGE;
    m.$(".play").onclick = () => (m.timer ? go(m, m.at) : play(m));
    m.$(".step").onclick = () => go(m, m.at + 1);
    m.$(".reset").onclick = () => go(m, 0);
    m.$(".at").oninput = (event) => go(m, Number(event.target.value));
    m.$(".to input").onchange = (event) => {
      go(m, Math.round(Number(event.target.value)) || 0);
      event.target.value = m.at;
    };
  }
  m.data = data;
  if (m.run !== data.run) {
    m.run = data.run;
    m.bytes = fromHex(data.hex);
    m.$(".at").max = m.$(".to input").max = data.steps.length;
    go(m, Math.min(6, data.steps.length));
  }
  return () => {
    stop(m);
    mounted.delete(parentElement);
  };
}
