// What the model answers where it knows, and where nobody ever told it.

const percent = (p) => (p >= 0.0005 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");

function rowHtml(row) {
  const told = !row.ours ? (row.truth ? `in truth it is ${row.truth}` : "we know of none")
    : row.truth ? `the training text says ${row.truth}` : "the training text says nothing";
  const mark = row.truth ? (row.right ? "✓ right" : "✗ wrong") : "made up";
  return `<div role="row" class="row"><div role="rowheader"><b>${escapeHtml(row.place)}</b><br><span class="quiet">${escapeHtml(told)}</span></div>
    <div role="cell" class="answer">“${escapeHtml(row.answer)}”<br><span class="quiet">${mark}</span></div>
    <div role="cell" class="chance"><i><i style="width:${100 * row.p}%"></i></i><span>${percent(row.p)}</span></div>
    <div role="cell" class="bits">${row.entropy.toFixed(2)}<span class="unit"> bits</span></div></div>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  root.innerHTML = `<div role="table" aria-label="Answers about places the model knows and places it cannot know">
    <div role="row" class="row head quiet"><span role="columnheader">Place</span><span role="columnheader">It says</span>
    <span role="columnheader">Chance of these very words</span><span role="columnheader" class="bits">Entropy before the first</span></div>
    ${data.rows.map(rowHtml).join("")}</div>`;
}
