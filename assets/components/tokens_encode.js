// A word on its way from bytes to tokens. Between two pieces stands the rank of their merge; the
// lowest rank in the row is applied next.

const mounted = new WeakMap();
const PAUSE = 900;

function rowHtml(row, number, last) {
  const cells = [];
  row.names.forEach((name, i) => {
    const merging = row.next !== null && !last && (i === row.next || i === row.next + 1);
    cells.push(`<span class="piece${merging ? " merging" : ""}"><b>${escapeHtml(name)}</b><i>${row.ids[i]}</i></span>`);
    if (i < row.ranks.length) {
      const rank = row.ranks[i], lowest = i === row.next && !last;
      cells.push(`<span class="rank${lowest ? " lowest" : ""}">${rank === null ? "–" : rank}</span>`);
    }
  });
  return `<div class="line" role="listitem"><span class="number">${number}</span><div class="pieces">${cells.join("")}</div></div>`;
}

function sentence(m) {
  const { rows } = m.data, row = rows[m.at];
  if (row.next === null) {
    const n = row.names.length;
    return m.at === 0 ? "No pair in this word was learned: the bytes stay as they are."
      : `No pair is left that was learned. The word is <b>${n}</b> ${n === 1 ? "token" : "tokens"}.`;
  }
  const known = row.ranks.filter((rank) => rank !== null).length;
  return `<b>${known}</b> of ${row.ranks.length} pairs were learned. The lowest rank is <b class="lowest">${row.ranks[row.next]}</b>:
    <b class="chip">${escapeHtml(row.names[row.next])}</b> and <b class="chip">${escapeHtml(row.names[row.next + 1])}</b> merge next.`;
}

function show(m) {
  const { rows } = m.data;
  m.$(".say").innerHTML = sentence(m);
  m.$(".rows").innerHTML = rows.slice(0, m.at + 1).map((row, i) => rowHtml(row, i, false)).join("");
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `merge ${m.at} of ${rows.length - 1}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.at >= rows.length - 1;
}

function go(m, at) {
  clearTimeout(m.timer);
  m.timer = 0;
  m.at = Math.min(m.data.rows.length - 1, Math.max(0, at));
  show(m);
}

function play(m) {
  if (m.at >= m.data.rows.length - 1) m.at = -1;
  const tick = () => {
    m.at += 1;
    m.timer = m.at < m.data.rows.length - 1 ? setTimeout(tick, PAUSE) : 0;
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
    root.innerHTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="step">One merge</button>
      <button type="button" class="reset">Back to the bytes</button></div>
      <input type="range" class="at" min="0" step="1" aria-label="Merges applied"><p class="say" role="status"></p>
      <div class="rows" role="list" aria-label="The word after each merge"></div>`;
    m.$(".play").onclick = () => (m.timer ? go(m, m.at) : play(m));
    m.$(".step").onclick = () => go(m, m.at + 1);
    m.$(".reset").onclick = () => go(m, 0);
    m.$(".at").oninput = (event) => go(m, Number(event.target.value));
  }
  m.data = data;
  if (m.run !== data.run) {
    m.run = data.run;
    m.$(".at").max = Math.max(1, data.rows.length - 1);
    m.$(".at").disabled = data.rows.length < 2;
    go(m, data.rows.length - 1);
  }
  return () => {
    clearTimeout(m.timer);
    mounted.delete(parentElement);
  };
}
