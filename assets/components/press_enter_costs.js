// What the stages of press_enter.js cost: measured here, by formula here, by formula at 70B.

/** What it cost: measured here, by formula here, and by the same formula at 70B. */
function foot(m, s) {
  const time = seconds(m, s), t = m.data.turns[m.turn];
  const parts = [time === undefined ? "" : `measured ${duration(time)}`];
  if (s.i !== undefined) {
    const [flops, bytes] = t.costs[s.i], [more, larger] = t.costs_70b[m.data.kinds.indexOf(s.kind)];
    const { formula } = m.data.ledger[s.i];
    parts.push(`${formula === "0" ? "no arithmetic" : `${formula} = ${big(flops, "FLOP")}`}`,
      bytes ? `${big(bytes, "B")} read` : "",
      `at 70B${s.layer == null ? "" : ", a layer"}: ${big(more, "FLOP")}${larger ? `, ${big(larger, "B")}` : ""}`);
  }
  const mark = `computed now by ${esc(m.data.model.name)}`;
  return `<p class="cost quiet">${[mark, ...parts].filter(Boolean).join(" · ")}</p>`;
}

// The ledger: every stage of this pass in one table --------------------------------------------

function ledger(m) {
  const { data } = m, t = data.turns[m.turn], [from, to] = t.reads;
  m.$.ledger.querySelector("summary").textContent = `What pass ${m.turn + 1} costs, stage by stage, and what it would cost at 70B`;
  if (!m.$.ledger.open) return;
  const line = (name, cells, tag = "td") => `<tr><th scope="row">${name}</th>${cells.map((c) => `<${tag}>${c}</${tag}>`).join("")}</tr>`;
  const rows = m.stages.filter((s) => s.i !== undefined).map((s) => {
    const [flops, bytes] = t.costs[s.i], [more, larger] = t.costs_70b[data.kinds.indexOf(s.kind)];
    return line(s.title, [data.ledger[s.i].formula, big(data.ledger[s.i].parameters, ""), big(flops, ""), big(bytes, "B"),
      inside(m) ? duration(inside(m).seconds[s.i]) : "", big(more, ""), big(larger, "B")]);
  });
  const [more, larger] = t.costs_70b.at(-1), add = (i) => sum(t.costs.map((c) => c[i]));
  const total = line("The whole pass", ["", big(data.model.parameters, ""), big(add(0), ""), big(add(1), "B"),
    inside(m) ? duration(sum(inside(m).seconds)) : "", big(more, ""), big(larger, "B")]);
  m.$.ledger.querySelector(".scroll").innerHTML = `<table><thead><tr><th scope="col">Stage</th>${["FLOPs, formula",
    "weights", "FLOPs", "bytes read", "measured", "FLOPs at 70B", "bytes at 70B"].map((h) => `<th scope="col">${h}</th>`).join("")}</tr></thead>
    <tbody>${rows.join("")}</tbody><tfoot>${total}</tfoot></table>
    <p class="quiet">Here T = ${to - from} new ${to - from === 1 ? "token" : "tokens"}, S = ${to} looked at. Bytes: 4 a number here, 2 at
    70B. "70B" is Llama 3 70B (80 layers, width 8,192) over the same tokens, by the same formulas; a layer's
    lines are one of its 80 layers, the total is all of them.</p>`;
}
