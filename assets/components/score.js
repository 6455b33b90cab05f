// The line under the questions of a chapter; what has been answered right stays in the browser.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const right = Object.values(data.answered).filter(Boolean).length;
  const record = readProgress();
  const best = Math.max(right, record.right[data.slug] || 0);
  if (record.right[data.slug] !== best || record.total[data.slug] !== data.total) {
    record.right[data.slug] = best;
    record.total[data.slug] = data.total;
    writeProgress(record);
  }
  const earlier = best > right ? ` Before, ${best} of ${data.total}.` : "";
  root.innerHTML = `<div class="quiet" role="status">
    ${right} of ${data.total} right.${earlier}</div>`;
}
