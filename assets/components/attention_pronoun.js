// Two sentences that part after the pronoun: the same looks at "it", different ones at the answer.

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    root.innerHTML = `<div class="sides" role="group" aria-label="Where to look from">
      <button type="button" data-at="pronoun">From “it”</button><button type="button" data-at="answer">From the token that must answer</button></div>
      <p class="verdict" aria-live="polite"></p>${data.cases.map(() => `<div class="case"><div class="picture"></div><p class="end"></p></div>`).join("")}`;
    state = { at: "pronoun" };
    mounted.set(parentElement, state);
  }
  const boxes = [...root.querySelectorAll(".case")];
  const rows = data.cases.map((c) => ({ pronoun: unpack(c.rows.pronoun), answer: unpack(c.rows.answer) }));

  function draw() {
    const { at } = state;
    root.querySelectorAll(".sides button").forEach((b) => b.setAttribute("aria-pressed", b.dataset.at === at));
    data.cases.forEach((c, i) => {
      const row = rows[i][at], query = at === "pronoun" ? c.pronoun : c.names.length - 1, best = strongest(row);
      state.arcs[i].draw(row, query, best, true);
      boxes[i].querySelector(".end").innerHTML = `Most from <b>${escapeHtml(c.names[best])}</b>: ${row[best]} %.${
        at === "answer" ? ` The model goes on: <em>${escapeHtml(c.says)}</em>.` : ""}`;
    });
    const same = rows[0][at].length === rows[1][at].length && rows[0][at].every((p, j) => p === rows[1][at][j]);
    root.querySelector(".verdict").textContent = at === "pronoun"
      ? `Both pictures are the same${same ? "" : " but for rounding"}: the word that decides comes after “it”, and is hidden from it.`
      : "Now the deciding word has been read. One head goes straight to the right word.";
  }
  // No token can be asked here but the two that the buttons name.
  const build = () => {
    state.width = root.clientWidth;
    state.arcs = data.cases.map((c, i) => arcsOver(boxes[i].querySelector(".picture"), c.names, null, () => {}, c.text));
  };
  root.querySelectorAll(".sides button").forEach((b) => (b.onclick = () => { state.at = b.dataset.at; draw(); }));
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(() => { if (Math.abs(root.clientWidth - state.width) > 1) { build(); draw(); } });
  build();
  draw();
  state.sizes.observe(root);
  return () => { state.sizes.disconnect(); mounted.delete(parentElement); };
}
