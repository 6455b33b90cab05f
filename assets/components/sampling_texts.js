// One prompt, several settings: texts side by side. The line under a token is the thicker, the
// less the model itself expected it.

const mounted = new WeakMap();
const percent = (p) => (p >= 0.0005 ? `${(100 * p).toFixed(1)} %` : "less than 0.1 %");
const thickness = (p) => Math.min(4, Math.max(0, -Math.log2(Math.max(p, 1e-9)) / 2));

function cardHtml(row, c, prompt) {
  const token = ([text, p], i) => `<span data-token="${i}" style="--line:${thickness(p).toFixed(2)}px">${escapeHtml(text)}</span>`;
  const body = row.pieces.length ? row.pieces.map(token).join("") : '<em class="quiet">It says nothing and ends.</em>';
  return `<section data-card="${c}"><h3>${escapeHtml(row.name)}</h3>
    <p class="text"><span class="quiet">${escapeHtml(prompt)}</span><span class="said" tabindex="0" role="group" aria-label="${escapeHtml(row.name)}: ${escapeHtml(row.pieces.map(([text]) => text).join(""))}. Arrow keys go from token to token.">${body}</span>${row.ended ? '<span class="end" title="the end token"> ■</span>' : '<span class="quiet"> …</span>'}</p>
    <p class="facts quiet">${row.bits.toFixed(2)} bits a token${row.ended ? "" : ", not finished"}</p></section>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);
  const shape = JSON.stringify([data.rows, data.prompt]);
  if (state.shape !== shape) {
    state.shape = shape;
    root.innerHTML = `<div class="cards">${data.rows.map((row, c) => cardHtml(row, c, data.prompt)).join("")}</div>
      <p class="say" aria-live="polite">Point at a token, or press the arrow keys in a text, to see how likely the model found it.</p>`;
  }
  const say = root.querySelector(".say");
  root.querySelectorAll("section").forEach((card, c) => {
    const { pieces, name } = data.rows[c];
    const tokens = [...card.querySelectorAll("[data-token]")];
    let at = -1;
    const look = (i) => {
      root.querySelectorAll(".at").forEach((old) => old.classList.remove("at"));
      at = i;
      tokens[i].classList.add("at");
      const [text, p] = pieces[i];
      say.innerHTML = `${escapeHtml(name)}, token ${i + 1} of ${pieces.length}: <b>${escapeHtml(visible(text))}</b>, to which the model itself gave ${percent(p)}: a surprise of ${(-Math.log2(Math.max(p, 1e-300))).toFixed(1)} bits.`;
    };
    tokens.forEach((token, i) => (token.onpointerenter = token.onclick = () => look(i)));
    card.querySelector(".said").onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || !tokens.length) return;
      event.preventDefault();
      look(Math.min(tokens.length - 1, Math.max(0, at + step)));
    };
  });
  return () => mounted.delete(parentElement);
}
