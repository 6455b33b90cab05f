// Attention in press_enter.js: arcs over the tokens, the same beside a list, or the matrix.

function attention(m, layer) {
  const [heads, rows, seen] = layer.weights.shape, weights = real(layer.weights);
  const pick = (h, r) => weights.subarray((h * rows + r) * seen, (h * rows + r + 1) * seen);
  const head = m.head ?? telling(heads, rows, seen, pick);
  const row = (r) => {
    if (head < heads) return Array.from(pick(head, r));
    return Array.from({ length: seen }, (_, j) => sum([...Array(heads).keys()].map((h) => pick(h, r)[j])) / heads);
  };
  const asked = m.row === null ? seen - 1 : Math.max(seen - rows, Math.min(seen - 1, m.row));
  const scores = real(layer.scores).subarray(Math.min(head, heads - 1) * seen);
  return { head, heads, rows, seen, row: row(asked - seen + rows), all: row, pick, asks: asked, scores,
    chips: m.data.chips.slice(0, seen) };
}

/** Until a head is chosen: the one whose last token looks most at a single other token. */
function telling(heads, rows, seen, pick) {
  const most = [...Array(heads).keys()].map((h) => Math.max(0, ...pick(h, rows - 1).slice(1, seen - 1)));
  return most.indexOf(Math.max(...most));
}

/** Hover or focus a token that was read in this pass: it asks. */
function ask(m, event) {
  const target = event.composedPath().find((e) => e.dataset?.ask);
  if (!target || stage(m).kind !== "attention" || m.playing) return;
  const row = +target.dataset.ask;
  if (m.row === row || (m.row === null && row === m.data.turns[m.turn].reads[1] - 1)) return;
  m.row = row;
  open(m);
}

function arcs(m, a) {
  const W = 560, gap = W / a.seen, top = Math.min(150, 40 + gap * a.seen * 0.22), y = top + 8;
  const tilted = gap < 52, x = (i) => gap * (i + 0.5), clip = (t) => (t.length > 9 ? `${t.slice(0, 8)}…` : t);
  const line = (w, j) => {
    if (w < 0.01) return "";
    const [from, to] = [x(a.asks), x(j)], r = Math.max(24, top * 1.3 * Math.sqrt(Math.abs(from - to) / W));
    const d = j === a.asks ? `M${from - 7},${y} C${from - 22},${y - 42} ${from + 22},${y - 42} ${from + 7},${y}`
      : `M${from},${y} C${from},${y - r} ${to},${y - r} ${to},${y}`;
    return `<path d="${d}" stroke-width="${(1 + 11 * w).toFixed(1)}" opacity="${(0.3 + 0.7 * w).toFixed(2)}"/>`;
  };
  const token = (c, i) => {
    const can = a.rows > 1 && i >= a.seen - a.rows, label = `${c.text}${i > a.asks ? ", not yet there"
      : `, ${percent(a.row[i])}`}`;
    return `<g class="${i === a.asks ? "asks" : ""}" opacity="${i > a.asks ? 0.45 : 1}" ${can
      ? `tabindex="0" role="button" data-ask="${i}" data-key="ask-${i}"` : `role="img"`} aria-label="${esc(label)}">
      <rect x="${x(i) - gap * 0.46}" y="${y + 2}" width="${gap * 0.92}" height="${tilted ? 82 : 26}" rx="4"/>
      <text ${tilted ? `transform="translate(${x(i) + 4},${y + 78}) rotate(-90)"` : `x="${x(i)}" y="${y + 20}" text-anchor="middle"`}>${esc(clip(c.text))}</text>
      ${i <= a.asks && (gap > 34 || a.row[i] > 0.05) ? `<text class="share" x="${x(i)}" y="${y + (tilted ? 100 : 46)}" text-anchor="middle">${
        Math.round(100 * a.row[i])}</text>` : ""}</g>`;
  };
  return `<svg class="arcs" viewBox="0 0 ${W} ${y + (tilted ? 106 : 52)}" role="group"
    aria-label="Attention from ${esc(a.chips[a.asks].text)}, in percent">${a.row.map(line).join("")}${
    a.chips.map(token).join("")}</svg>${a.rows > 1 ? `<p class="quiet">Point at a token, or move to it
    with Tab: it asks.</p>` : ""}`;
}

/** For a narrow screen or a long row: tokens below each other, arcs at the side. */
function list(m, a) {
  const most = m.narrow ? 14 : 18, order = a.row.map((w, j) => [w, j]).sort((p, q) => q[0] - p[0]);
  const kept = new Set(order.slice(0, most).map(([, j]) => j)).add(a.asks);
  const shown = a.chips.flatMap((c, j) => (kept.has(j) ? [j] : [])), H = 26;
  const rest = a.row.reduce((total, w, j) => (kept.has(j) ? total : total + w), 0);
  const end = shown.indexOf(a.asks), y = (i) => H * (i + 0.5);
  const line = (j, i) => (a.row[j] < 0.01 || i === end ? "" : `<path d="M62,${y(end)} C${62 - Math.min(58, 12 + 5 * Math.abs(end - i))},${y(end)}
    ${62 - Math.min(58, 12 + 5 * Math.abs(end - i))},${y(i)} 62,${y(i)}" stroke-width="${(1 + 9 * a.row[j]).toFixed(1)}"
    opacity="${(0.3 + 0.7 * a.row[j]).toFixed(2)}"/>`);
  return `<div class="beside"><svg class="arcs" width="64" height="${H * shown.length}" aria-hidden="true">${
    shown.map(line).join("")}</svg><ol>${shown.map((j) => `<li class="${j === a.asks ? "asks" : ""}">${
      bdi(a.chips[j].text)}<span class="bar-track"><span class="bar-fill up" style="width:${(100 * a.row[j]).toFixed(1)}%"></span></span>
      <span class="value">${percent(a.row[j])}</span></li>`).join("")}</ol></div>${
    kept.size < a.seen ? `<p class="quiet">The ${a.seen - kept.size} other tokens share ${percent(rest)}.</p>` : ""}`;
}

function matrix(m, a) {
  const { seen, rows, heads, chips } = a, lone = rows === 1, lines = lone ? heads : rows;
  const values = Array.from({ length: lines }, (_, r) => (lone ? Array.from(a.pick(r, 0)) : a.all(r))
    .map((v, j) => (!lone && j > seen - rows + r ? -1 : v))).flat();
  const asks = (r) => (lone ? `head ${r + 1}` : chips[seen - rows + r].text);
  m.cells = { ...m.cells, matrix: (x, y, v) => (v < 0 ? `${asks(y)} can't see ${chips[x].text}: it comes later`
    : `${asks(y)} takes ${percent(v)} from ${chips[x].text}`) };
  const height = Math.max(8, Math.min(22, 320 / lines));
  return `<div class="rows"><div class="names" aria-hidden="true" style="--row:${height}px">${
    Array.from({ length: lines }, (_, r) => (height < 12 ? "" : bdi(asks(r)))).join("")}</div><div>${
    heat(m, "matrix", values, seen, `Attention weights: ${lines} rows, ${seen} columns`, "sequential", height)}</div></div>
    <p class="quiet">${lone ? "One row a head: this pass reads one token." : `A row for each token that
    asks${rows < seen ? `, the last ${rows}` : ""}; a column for each that answers.`} Yellow takes most, dark blue
    next to nothing, empty is the future.</p>`;
}
