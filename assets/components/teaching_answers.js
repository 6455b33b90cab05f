// Questions, and what several models answer: side by side where there is room, else one by one.

function cell(answer, name) {
  const text = answer.text ? `“${escapeHtml(answer.text)}”` : '<span class="quiet">It says nothing.</span>';
  const note = answer.note ? `<span class="quiet note">${escapeHtml(answer.note)}</span>` : "";
  return `<div role="cell"><span class="who quiet" aria-hidden="true">${escapeHtml(name)}</span>${text}${note}</div>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { columns, rows } = data;
  const asked = rows.some((row) => row.question);
  const head = asked ? '<div role="columnheader">Question</div>' : "";
  root.innerHTML = `<div role="table" aria-label="${escapeHtml(data.label)}" class="table" style="--columns:${columns.length}" data-asked="${asked}">
    <div role="row" class="row head quiet">${head}${columns.map((name) => `<div role="columnheader">${escapeHtml(name)}</div>`).join("")}</div>
    ${rows.map((row) => `<div role="row" class="row">${asked ? `<div role="rowheader" class="question">${escapeHtml(row.question)}</div>` : ""}${
      row.answers.map((answer, i) => cell(answer, columns[i])).join("")}</div>`).join("")}</div>`;
}
