// One text, cut by several tokenizers. Point at a chip, or walk with the arrow keys: the line
// below says what it is, and in the other rows the chips of the same bytes light up.

const mounted = new WeakMap();
const FEW = 120; // chips of a row before "show more"
const whole = (n) => n.toLocaleString("en-US");

function hexAt(hex, a, b) {
  return (hex.slice(2 * a, 2 * b).match(/../g) || []).map((byte) => byte.toUpperCase()).join(" ");
}

function rowHtml(row, r, characters, open) {
  const shown = open ? row.ids.length : Math.min(FEW, row.ids.length);
  const chips = [];
  for (let i = 0; i < shown; i++)
    chips.push(`<button type="button" role="option" tabindex="-1" class="chip c${i % 4}" data-row="${r}" data-i="${i}"
      aria-label="${escapeHtml(row.names[i])}, id ${row.ids[i]}"><b>${escapeHtml(row.names[i])}</b><i>${row.ids[i]}</i></button>`);
  const more = row.ids.length - shown, unseen = row.count - row.ids.length;
  const rest = more > 0 ? `<button type="button" class="more" data-more="${r}">Show ${whole(more)} more</button>`
    : unseen > 0 ? `<span class="quiet">and ${whole(unseen)} more</span>` : "";
  const each = (characters / row.count).toFixed(2);
  return `<section><p class="title"><span>${escapeHtml(row.name)}</span> <b class="count">${whole(row.count)} ${row.count === 1 ? "token" : "tokens"}</b></p>
    <p class="note">${escapeHtml(row.note)} · ${each} characters per token</p>
    <div class="row"><div class="chips" role="listbox" aria-orientation="horizontal"
      aria-label="${escapeHtml(row.name)}: ${whole(row.count)} tokens">${chips.join("")}</div>${rest}</div></section>`;
}

/** Chips of a row that share a byte with [a, b). */
function overlapping(row, a, b) {
  const out = [];
  for (let i = 0; i < row.ids.length; i++) if (row.starts[i] < b && row.ends[i] > a) out.push(i);
  return out;
}

function point(m, chip) {
  const row = m.data.rows[chip.dataset.row], i = Number(chip.dataset.i);
  const [a, b] = [row.starts[i], row.ends[i]];
  m.at = { row: Number(chip.dataset.row), i };
  m.root.querySelectorAll(".same, .at").forEach((other) => other.classList.remove("same", "at"));
  m.data.rows.forEach((other, r) => overlapping(other, a, b).forEach((k) => {
    m.root.querySelector(`[data-row="${r}"][data-i="${k}"]`)?.classList.add("same");
  }));
  chip.classList.add("at");
  m.root.querySelectorAll('[role="option"]').forEach((other) => {
    other.tabIndex = -1;
    other.setAttribute("aria-selected", other === chip);
  });
  m.data.rows.forEach((_, r) => { // one chip of every row can be reached with the Tab key
    const first = r === m.at.row ? chip : m.root.querySelector(`[data-row="${r}"].same`) || m.root.querySelector(`[data-row="${r}"]`);
    if (first) first.tabIndex = 0;
  });
  const bytes = b - a;
  m.$(".read").innerHTML = `<b class="what">${escapeHtml(row.names[i])}</b> is token <b>${i + 1}</b> of ${whole(row.count)} for
    ${escapeHtml(row.name)}. Its id is <b class="id">${row.ids[i]}</b>; it stands for ${bytes} ${bytes === 1 ? "byte" : "bytes"}:
    <span class="bytes">${hexAt(m.data.hex, a, b)}</span>`;
}

function walk(m, event) {
  const chip = event.target.closest?.('[role="option"]');
  if (!chip) return;
  const r = Number(chip.dataset.row), i = Number(chip.dataset.i), row = m.data.rows[r];
  const other = (to) => {
    for (let k = r + to; k >= 0 && k < m.data.rows.length; k += to) {
      const hit = overlapping(m.data.rows[k], row.starts[i], row.ends[i])[0];
      const found = m.root.querySelector(`[data-row="${k}"][data-i="${hit}"]`);
      if (found) return found;
    }
    return null;
  };
  const near = (k) => m.root.querySelector(`[data-row="${r}"][data-i="${k}"]`);
  const last = chip.parentElement.children.length - 1;
  const to = { ArrowRight: () => near(i + 1), ArrowLeft: () => near(i - 1), ArrowDown: () => other(1),
    ArrowUp: () => other(-1), Home: () => near(0), End: () => near(last) }[event.key];
  if (!to) return;
  event.preventDefault();
  to()?.focus();
}

function build(m) {
  const { rows, characters } = m.data;
  m.root.innerHTML = `<p class="read" role="status"></p>` +
    rows.map((row, r) => rowHtml(row, r, characters, m.open.has(r))).join("");
  const first = m.root.querySelector('[role="option"]');
  if (first) point(m, m.root.querySelector(`[data-row="${m.at.row}"][data-i="${m.at.i}"]`) || first);
  else m.$(".read").textContent = "";
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, open: new Set(), at: { row: 0, i: 0 }, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    const look = (event) => {
      const chip = event.target.closest?.('[role="option"]');
      if (chip) point(m, chip);
    };
    root.onmouseover = look;
    root.onclick = (event) => {
      const more = event.target.closest?.("[data-more]");
      if (more) {
        m.open.add(Number(more.dataset.more));
        build(m);
      } else look(event);
    };
    root.onkeydown = (event) => walk(m, event);
    root.addEventListener("focusin", look);
  }
  m.data = data;
  const said = JSON.stringify(data.rows.map((row) => [row.name, row.ids]));
  if (m.said !== said) {
    m.said = said;
    m.open.clear();
    m.at = { row: 0, i: 0 };
    build(m);
  }
  return () => mounted.delete(parentElement);
}
