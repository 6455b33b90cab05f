// The parts of a model and the stages of a pass, with their formulas.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"), cell = (label, html) => `<td data-label="${label}">${html}</td>`;
  root.innerHTML = `<table class="parts"><caption>What it is made of</caption><thead><tr><th>part</th><th>what it does</th><th>its weights</th></tr></thead><tbody>${
    data.parts.map(([part, does, weights]) => `<tr><th scope="row">${part}</th>${cell("", escapeHtml(does))}${cell("weights", weights)}</tr>`).join("")}</tbody></table>
    <p class="letters">${data.letters.map(([letter, n, what]) => `<span><b>${letter}</b> = ${n.toLocaleString("en")} <i>${what}</i></span>`).join("")}<span><b>T</b> = ${
    data.tokens.toLocaleString("en")} <i>tokens in this pass</i></span></p>
    <table class="costs"><caption>What a pass costs</caption><thead><tr><th>stage</th><th>weights</th><td></td><th>FLOPs</th><td></td><th>bytes to read</th></tr></thead><tbody>${
    data.rows.map(([stage, weights, parameters, formula, flops, share, bytes]) => `<tr><th scope="row">${stage}</th><td class="formula">${weights}</td>${cell("weights", parameters)}<td class="formula">${
      formula}</td>${cell("FLOPs", `${flops}<span class="bar" aria-hidden="true"><i style="width:${(100 * share).toFixed(1)}%"></i></span>`)}${cell("bytes", bytes)}</tr>`).join("")}
    <tr class="total"><th scope="row">together</th><td></td>${cell("weights", data.total[0])}<td></td>${cell("FLOPs", data.total[1])}${cell("bytes", data.total[2])}</tr></tbody></table>
    <p class="quiet">Formulas are for one layer, without the small terms (norms, softmax, rotation); the numbers are for all layers, with them. A multiply and an add are two operations. Bytes: weights in ${
    data.form}, keys and values in float32.</p>`;
}
