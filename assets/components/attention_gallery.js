// Portraits of heads, each with its picture over repeated words and what the model loses without it.

const share = (x) => `${(100 * x).toFixed(0)} %`;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root"), T = data.names.length;
  const row = (what, before, some, shown) => `<tr><td>${what}</td><td>${shown(before)}</td>${some.map((after) => {
    const worse = Math.abs(after - before) > 0.05 && (after > before) === (what[0] === "l");
    return `<td class="${worse ? "worse" : ""}">${shown(after)}${worse ? (after > before ? " ▲" : " ▼") : ""}</td>`;
  }).join("")}</tr>`;
  root.innerHTML = `<div class="cards">${data.portraits.map((p, i) => {
    const [loss, copying, sentences] = data.whole, left = p.peers > 1 ? [p.without, p.without_all] : [p.without];
    const each = (k) => left.map((one) => one[k]);
    return `<section class="card ${p.score < 0.3 ? "no" : ""}" aria-label="${p.kind} head"><h3>${p.kind}</h3>
      <p class="does">It ${p.does}.</p><canvas role="img" aria-label="Its weights over ${T} tokens, the words coming twice"></canvas>
      <p><span class="score">${p.score.toFixed(2)}</span> <span class="quiet">± ${p.spread.toFixed(2)}, ${p.verdict}</span></p>
      <p class="facts">Layer ${p.head[0] + 1}, head ${p.head[1] + 1}. Nothing gets more in ${share(p.first)} of the places.
        Next best: layer ${p.second[0] + 1}, head ${p.second[1] + 1}, ${p.second[2].toFixed(2)}.</p>
      <table><thead><tr><th>What the model can do</th><th>with it</th><th>without</th>${p.peers > 1
        ? `<th>without all ${p.peers} such</th>` : ""}</tr></thead><tbody>
        ${row("loss, nats a token", loss, each(0), (x) => x.toFixed(2))}${row("copies repeated words", copying, each(1), share)}${
        row("answers who is meant", sentences, each(2), share)}</tbody></table>
      <button type="button" data-i="${i}">See it on your sentence ↑</button></section>`;
  }).join("")}</div>`;
  root.querySelectorAll("canvas").forEach((canvas, i) => paintMatrix(canvas, unpack(data.portraits[i].shares), T, 0));
  root.querySelectorAll("button").forEach((b) => (b.onclick = () => setTriggerValue("open", data.portraits[Number(b.dataset.i)].head)));
}
