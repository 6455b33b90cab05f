// The same model with all its key and value heads, with fewer, and with a short look back.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), { heads, names, variants } = data, T = names.length, whole = variants[0];
  const x = (i, n) => ((i + 0.5) * 200) / n, rows = (v) => Math.min(v.kv, 8);
  const wiring = (v) => `<svg viewBox="0 0 200 92" role="img" aria-label="${heads} query heads read ${v.kv} key and value heads">
    <text x="0" y="10">queries</text><text x="0" y="90">keys and values</text>
    ${[...Array(heads).keys()].map((h) => `<path d="M${x(h, heads)},22L${x(Math.floor((h * v.kv) / heads), v.kv)},70" stroke="var(--quiet)"/>
      <circle cx="${x(h, heads)}" cy="22" r="6" fill="var(--query)"/>`).join("")}
    ${[...Array(v.kv).keys()].map((g) => `<rect x="${x(g, v.kv) - 8}" y="63" width="16" height="14" rx="2" fill="var(--key)"/>`).join("")}</svg>`;
  const cells = (v) => `<div class="cells" style="grid-template-columns: repeat(${T}, minmax(0, 1fr))" role="img" aria-label="The cache: ${v.kept} of ${T} tokens, ${v.kv} heads">${
    [...Array(rows(v)).keys()].map(() => [...Array(T).keys()].map((t) => `<i class="${t < T - v.kept ? "gone" : ""}"></i>`).join("")).join("")}</div>`;
  root.innerHTML = `<div class="cards">${variants.map((v) => `<section class="card" aria-label="${v.name}"><h3>${v.name}</h3><p class="quiet how">${escapeHtml(v.how)}</p>
    ${wiring(v)}<p class="quiet">Cache: ${v.kept < T ? `the last ${v.kept} of ${T}` : `all ${T}`} tokens</p>${cells(v)}
    <p><span class="bytes">${(v.numbers * data.number).toLocaleString("en-US")}</span> bytes <span class="quiet">(${
      Math.round((100 * v.numbers) / whole.numbers)} %)</span><br><span class="quiet">${v.numbers.toLocaleString("en-US")} numbers of ${data.number} bytes</span></p>
    <canvas role="img" aria-label="Weights of layer ${data.place[0] + 1}, head ${data.place[1] + 1}"></canvas>
    <p class="facts">Loss <span class="${v.loss > whole.loss + 0.05 ? "worse" : ""}">${v.loss.toFixed(2)}${v.loss > whole.loss + 0.05 ? " ▲" : ""}</span>.
      Says <span class="says">${escapeHtml(v.says)}</span> (${Math.round(100 * v.chance)} %).</p></section>`).join("")}</div>`;
  root.querySelectorAll("canvas").forEach((canvas, i) => paintMatrix(canvas, unpack(variants[i].shares), T, 0));
}
