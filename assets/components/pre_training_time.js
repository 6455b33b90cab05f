// One slider over the stored moments of a training run: what it writes, its heads, its words, its loss.

const mounted = new WeakMap();
const SIGNS = ["●", "■", "▲", "◆", "✚", "○"];
const COLORS = ["query", "key", "value", "loss", "gradient", "probability"];
const millions = (m) => `${Number((m.tokens / 1e6).toFixed(2))} million tokens`;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { moments, names, groups, order } = data, last = moments.length - 1;
  const places = unpack(data.places), W = names.length;
  let state = mounted.get(parentElement);
  if (!state) {
    state = { i: last, timer: 0 };
    mounted.set(parentElement, state);
    root.innerHTML = `<div class="time"><button type="button">Play</button><input type="range" min="0" max="${last}" step="1" aria-label="Moment of training"></div>
      <p class="say" aria-live="polite"></p><svg class="curve" viewBox="0 0 600 70" preserveAspectRatio="none" role="img" aria-label="Loss by moment"></svg><div class="texts"></div>
      <div class="two"><div class="heads"></div><div><p class="title">Words in the embedding table</p><svg class="map" viewBox="-1.15 -1.15 2.3 2.3" role="img"></svg><p class="groups quiet"></p></div></div>`;
  }
  const $ = (selector) => root.querySelector(selector);
  const losses = moments.map((m) => m.loss), high = Math.max(...losses), low = Math.min(...losses);
  const x = (i) => 6 + (588 * i) / last, y = (loss) => 6 + (58 * (high - loss)) / (high - low || 1);
  const grid = (kind, title, m) => `<p class="title">${title}</p><table><tbody>${m.scores[kind].map((row, l) => `<tr><th scope="row">layer ${l + 1}</th>${row.map((v, h) =>
    `<td style="--v:${Math.max(0, v)}" title="layer ${l + 1}, head ${h + 1}">${v.toFixed(2)}</td>`).join("")}</tr>`).join("")}</tbody></table>`;

  function draw() {
    const m = moments[state.i];
    $("input").value = state.i;
    $("input").setAttribute("aria-valuetext", millions(m));
    $(".say").textContent = `After ${millions(m)}: loss ${m.loss.toFixed(2)}, copies ${(100 * m.copying).toFixed(0)} % of repeated words, ${(100 * m.together).toFixed(0)} % of the words below lie beside one of their kind.`;
    $(".curve").innerHTML = `<polyline points="${moments.map((n, i) => `${x(i)},${y(n.loss)}`).join(" ")}"/><path d="M${x(state.i)},0V70"/>`;
    $(".texts").innerHTML = m.texts.map((t) => `<p class="text">${escapeHtml(t)}</p>`).join("");
    $(".heads").innerHTML = grid(0, "Heads that look one token back", m) + grid(1, "Heads that find what came before and copy", m);
    $(".map").setAttribute("aria-label", `${W} words on two directions of the table, after ${millions(m)}`);
    $(".map").innerHTML = names.map((name, w) => {
      const at = 2 * (state.i * W + w), k = order.indexOf(groups[w]);
      return `<text x="${places[at].toFixed(3)}" y="${(-places[at + 1]).toFixed(3)}" fill="var(--${COLORS[k]})" text-anchor="middle">${SIGNS[k]}\u2009${escapeHtml(name)}</text>`;
    }).join("");
    $(".groups").innerHTML = order.map((g, k) => `<span style="color:var(--${COLORS[k]})">${SIGNS[k]} ${escapeHtml(g)}</span>`).join(" ");
    root.dataset.moment = state.i;
  }
  playMoments(root, state, last, 900, draw);
  return () => { clearInterval(state.timer); mounted.delete(parentElement); };
}
