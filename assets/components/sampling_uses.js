// The usual settings for a kind of work, and what they did to the reader's own prompt. "Try"
// sends a row's settings to the knobs ("sampling-use").

const whole = (n) => n.toLocaleString("en-US");

function rowHtml(row, i) {
  const part = (label, value) => `<div role="cell"><span class="label quiet">${label}</span> <span class="number">${value}</span></div>`;
  return `<div role="row" class="row"><div role="rowheader"><b>${escapeHtml(row.name)}</b><br><span class="quiet">${escapeHtml(row.words)}</span></div>
    ${part("entropy of the next token", `${row.entropy.toFixed(2)} bits`)}${part("tokens that stay", whole(row.kept))}
    ${part("different beginnings", `${row.distinct} of ${row.samples}`)}
    <div role="cell"><button type="button" data-row="${i}">Try<span class="hidden-text"> ${escapeHtml(row.name)}</span></button></div></div>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const heads = ["For", "entropy of the next token", "tokens that stay", "different beginnings", '<span class="hidden-text">try</span>'];
  root.innerHTML = `<div role="table" aria-label="Usual settings and what they do here">
    <div role="row" class="row head quiet">${heads.map((h) => `<span role="columnheader">${h}</span>`).join("")}</div>
    ${data.rows.map(rowHtml).join("")}</div><p class="say quiet" role="status"></p>`;
  root.querySelectorAll("[data-row]").forEach((button) => {
    button.onclick = () => {
      const row = data.rows[button.dataset.row];
      dispatchEvent(new CustomEvent("sampling-use", { detail: row.settings }));
      root.querySelector(".say").textContent = `The knobs above now stand at ${row.words}.`;
    };
  });
}
