// The insides of the stages of press_enter.js: each function draws one, from numbers that Python
// recorded. A picture, then the same in words, then what it cost.

const INSIDE = {
  text(m) {
    const { text, characters, bytes } = m.data.prompt;
    if (!text) return `<p class="say">Nothing was typed. The model begins from the token
      ${bdi(m.data.chips[0].text)}${m.data.chat ? " and a message without words" : " alone"}.</p>`;
    const shown = Array.from(text).slice(0, 160);
    return `<p class="lead">What you typed, as the computer holds it: characters, each one byte or more.</p>
      <div class="letters">${shown.map((c) => `<span><bdi>${esc(letter(c))}</bdi><small>${
        hex(c)}</small></span>`).join("")}${characters > 160 ? `<span class="more">… and ${
        characters - 160} more</span>` : ""}</div>
      <p class="say">${count(characters, "character")}, ${count(bytes, "byte")} in UTF-8. None of
      them means anything to the model yet.</p>`;
  },

  template(m) {
    const pieces = m.data.prompt.pieces;
    return `<p class="lead">The model sees no "you" and no "me", only one row of text. Special tokens,
      which nobody can type, mark who speaks.</p>
      <div class="pieces">${pieces.map((p) => `<bdi class="piece ${p.role}">${esc(p.text)}</bdi>`).join("")}</div>
      <p class="say">${pieces.some((p) => p.role === "system") ? "The system prompt comes first. "
        : "There is no system prompt. "}The row ends with ${bdi(pieces.at(-1).text)}: now it is the
      model's turn.</p>`;
  },

  tokens(m) {
    const list = m.data.chips.slice(0, m.data.prompt_length);
    const own = m.data.prompt.pieces.filter((p) => p.role !== "special" && p.role !== "system");
    const tokens = sum(own.map((p) => p.tokens)), letters = m.data.prompt.characters;
    return `<p class="lead">The tokenizer cuts the text into pieces it knows. From here on there are
      only their numbers.</p>
      <ul class="ids">${list.slice(-120).map((c) => `<li class="${c.role}" title="bytes ${c.bytes}">
        ${bdi(c.text)}<small>${c.id}</small></li>`).join("")}</ul>
      <p class="say">${count(list.length, "token")} of a vocabulary of ${m.data.model.vocab_size.toLocaleString("en")}${
        list.length > 120 ? ", the last 120 shown" : ""}. ${tokens ? `The text itself is ${
        count(tokens, "token")}: ${number(letters / tokens)} characters a token.` : ""}</p>`;
  },

  embedding(m) {
    const packed = inside(m).embedding, [rows, width] = packed.shape, values = real(packed);
    const [, to] = m.data.turns[m.turn].reads, chips = m.data.chips.slice(to - rows, to);
    const last = chips.at(-1), row = values.slice(-width);
    m.cells = { ...m.cells, embedding: (x, y, v) => `${chips[y].text}: number ${x + 1} is ${number(v)}` };
    return `<p class="lead">Each token's number picks one row of a table. That row, ${width} learned
      numbers, is all the model knows of it at first.</p>
      <div class="rows"><div class="names" aria-hidden="true">${chips.map((c) => bdi(c.text)).join("")}</div>
      <div>${heat(m, "embedding", values, width,
        `Embedding rows of ${rows} tokens, ${width} numbers each, ${range(values)}`, "diverging", 22)}</div></div>
      <p class="say">Row ${last.id} of ${m.data.model.vocab_size.toLocaleString("en")} is
      ${bdi(last.text)}: ${width} numbers ${range(row)}. ${signs()}${rows < to - m.data.turns[m.turn].reads[0]
        ? ` The last ${rows} rows are shown.` : ""}</p>${all(row, `The ${width} numbers of ${bdi(last.text)}`)}`;
  },

  positions(m) {
    const p = inside(m).positions, [, to] = m.data.turns[m.turn].reads;
    if (p.row) {
      const row = real(p.row);
      return `<p class="lead">A row for the place is added to the row of the token.</p>${
        heat(m, "place", row, row.length, `The row of place ${to}, ${range(row)}`, "diverging", 22)}
        <p class="say">Place ${to}: ${row.length} numbers ${range(row)}. ${signs()}</p>`;
    }
    if (!p.angles) return `<p class="say">This model adds no positions to the tokens (${
      esc(m.data.model.positions)}).</p>`;
    const D = p.angles.length * 2, head = Math.min(m.head ?? 0, m.data.model.heads - 1);
    const [a, b] = [p.before, p.after].map((packed) => real(packed).subarray(head * D, head * D + D));
    const clock = (j) => {
      const [x, y, u, v] = [a[j], a[j + D / 2], b[j], b[j + D / 2]];
      const r = 15 / Math.max(Math.hypot(x, y), 1e-6);
      return `<figure><svg viewBox="-18 -18 36 36" aria-hidden="true"><circle r="15"/>
        <line class="from" x2="${(x * r).toFixed(1)}" y2="${(-y * r).toFixed(1)}"/>
        <line class="to" x2="${(u * r).toFixed(1)}" y2="${(-v * r).toFixed(1)}"/></svg>
        <figcaption>${turns(p.angles[j])}</figcaption></figure>`;
    };
    return `<p class="lead">So that the order counts, every query and key is turned: two numbers at a
      time, by an angle that grows with the place. First pairs turn fast, last ones hardly (RoPE).</p>
      <div class="clocks" role="img" aria-label="${D / 2} pairs, each turned by its angle">${
        Array.from({ length: D / 2 }, (_, j) => clock(j)).join("")}</div>
      <p class="say">Place ${p.place} (counted from 0): the first pair of the query turns by
      ${number(p.angles[0])} radians, ${turns(p.angles[0])}, the last by ${number(p.angles.at(-1))}.
      Dashed: before. Shown is layer 1, head ${head + 1}; every layer does the same, and this time
      is that of all ${m.data.model.layers}.</p>`;
  },

  attention(m, s) {
    const layer = inside(m).layers[s.layer], { heads } = m.data.model;
    const a = attention(m, layer);
    const body = m.show === "matrix" ? matrix(m, a) : a.seen <= 20 && !m.narrow ? arcs(m, a) : list(m, a);
    const best = a.row.indexOf(Math.max(...a.row));
    const named = a.head === heads ? `On average over ${heads} heads` : `In head ${a.head + 1}`;
    const score = a.head < heads && a.asks === a.seen - 1 && m.show === "arcs" ? ` Its score there is
      ${number(a.scores[best])}: query times key, divided by \u221a${m.data.model.head_size}.` : "";
    const added = real(layer.attention), sizes = inside(m).sizes;
    return `<p class="lead">Each token asks those before it, takes in a share of each, and adds the
      mix to what it carries.</p>
      <div class="choices"><span class="with-label"><span class="quiet">Head</span>${pills([...Array(heads).keys()].map((h) => [h, `${h + 1}`]).concat([[heads, "all"]]), a.head, "head", "Head")}</span>
      ${pills([["arcs", "Arcs"], ["matrix", "Matrix"]], m.show, "show", "Picture")}</div>${body}
      <p class="say">${named}, ${query(a.chips[a.asks].text)} looks most at
      ${found(a.chips[best].text)} (${percent(a.row[best])}).${score} All shares add up to
      ${percent(sum(a.row))}.</p>
      ${heat(m, "added", added, added.length, `What attention adds, ${range(added)}`)}
      <p class="quiet">What it adds to ${bdi(a.chips.at(-1).text)}: ${added.length} numbers
      ${range(added)}. The stream goes from ${number(sizes[2 * s.layer])} to
      ${number(sizes[2 * s.layer + 1])} in length.</p>`;
  },

  mlp(m, s) {
    const { layers, lens, sizes } = inside(m), hidden = real(layers[s.layer].hidden);
    const added = real(layers[s.layer].mlp), most = hidden.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-9);
    const order = Array.from(hidden.keys()).sort((i, j) => Math.abs(hidden[j]) - Math.abs(hidden[i]));
    const loud = hidden.filter((v) => Math.abs(v) > most / 10).length;
    const columns = Math.ceil(Math.sqrt(hidden.length * (m.narrow ? 2 : 7)));
    m.cells = { ...m.cells, hidden: (x, y, v) => `unit ${y * columns + x + 1}: ${number(v)}` };
    return `<p class="lead">Now each token thinks alone: ${m.data.model.width} numbers are widened to
      ${hidden.length} units, bent, and folded back.</p>
      ${heat(m, "hidden", hidden, columns, `${hidden.length} hidden units, ${range(hidden)}`)}
      ${bars(order.slice(0, 6).map((i) => ({ label: `unit ${i + 1}`, part: Math.abs(hidden[i]) / most,
        value: number(hidden[i]), is: hidden[i] < 0 ? "down" : "up" })))}
      <p class="say">${loud} of ${hidden.length} units are at least a tenth as loud as the loudest,
      unit ${order[0] + 1} with ${number(hidden[order[0]])}. ${signs()}</p>
      <p class="quiet">It adds ${added.length} numbers ${range(added)}; the stream goes from
      ${number(sizes[2 * s.layer + 1])} to ${number(sizes[2 * s.layer + 2])} in length. If the model
      stopped here it would say ${lens[s.layer].map(([t, p]) => `${bdi(t)} ${percent(p)}`).join(", ")}.</p>`;
  },

  norm(m) {
    const { sizes, lens } = inside(m), row = real(inside(m).norm), most = Math.max(...sizes);
    const name = (i) => (i === 0 ? "as embedded" : `layer ${Math.ceil(i / 2)} ${i % 2 ? "attention" : "MLP"}`);
    return `<p class="lead">Every stage added something. Before the last step the sum is brought back
      to a standard size.</p>
      ${bars(sizes.map((v, i) => ({ label: name(i), part: v / most, value: number(v) })), "thin")}
      ${heat(m, "norm", row, row.length, `The normalized stream, ${range(row)}`)}
      <p class="say">The stream of the last token went from ${number(sizes[0])} to
      ${number(sizes.at(-1))} in length; after the norm its ${row.length} numbers go ${range(row)}.</p>
      <p class="quiet">What it would have said after each layer: ${lens.map((best, i) =>
        `layer ${i + 1} ${bdi(best[0][0])} (${percent(best[0][1])})`).join(", ")}.</p>`;
  },

  logits(m) {
    const { best, counts, low, high } = inside(m).logits, V = m.data.model.vocab_size;
    const top = best[0][2], tall = Math.max(...counts), floor = Math.min(low, 0);
    return `<p class="lead">One score for every token of the vocabulary: how well the stream matches
      that token's row.</p>
      ${bars(best.map(([id, text, v]) => ({ label: bdi(text), part: (v - floor) / (high - floor || 1), value: number(v) })))}
      <svg class="spread" viewBox="0 0 320 60" role="img" preserveAspectRatio="none"
        aria-label="How the ${V} scores are spread from ${number(low)} to ${number(high)}">${
        counts.map((c, i) => `<rect x="${i * 10 + 1}" width="8" y="${58 - (56 * c) / tall}"
          height="${(56 * c) / tall + 1}"/>`).join("")}</svg>
      <p class="say">${V.toLocaleString("en")} scores from ${number(low)} to ${number(high)}; the
      highest is that of ${bdi(best[0][1])}, ${number(top - best[1][2])} above
      ${bdi(best[1][1])}.</p>${agree(m)}`;
  },

  sampling(m) {
    const turn = m.data.turns[m.turn], active = filters(m), f = m.filter ?? active.at(-1);
    const { name, kept, held } = turn.filters[f], most = Math.max(...turn.rows.map((r) => r[3 + f]));
    const text = f === 0 ? `As the model scores them: ${turn.filters[0].kept.toLocaleString("en")} tokens share 100 %.`
      : `After ${name}: ${count(kept, "token")} left${held < 0.9999 ? `, which held ${percent(held)}
        and now share 100 %` : ""}.`;
    return `<p class="lead">Scores become probabilities, and your settings decide which tokens stay
      in the draw.</p>
      ${pills(active.map((i) => [i, i ? title(turn.filters[i].name) : "Model"]), f, "filter", "Filter")}
      ${bars(turn.rows.map((r) => ({ label: bdi(r[1]), part: r[3 + f] / most,
        value: r[3 + f] > 0 ? percent(r[3 + f]) : "cut", is: r[3 + f] > 0 ? "" : "cut" })), "sampled")}
      <p class="say">${text} Entropy of the draw: ${number(turn.bits)} bits.</p>
      <p class="quiet">${settings(m)}</p>${jump(m)}`;
  },

  draw(m) {
    const turn = m.data.turns[m.turn], still = turn.high - turn.low > 0.99999;
    const wide = turn.segments.filter(([, , a, b]) => b - a > 0);
    const other = turn.segments.filter(([id]) => id !== turn.token).length;
    return `<p class="lead">The tokens that are left lie side by side, each as wide as its
      probability. A random number between 0 and 1 points at one of them.</p>
      <div class="line" role="img" aria-label="The draw: ${esc(turn.text)} lies between
        ${turn.low.toFixed(4)} and ${turn.high.toFixed(4)}">${wide.map(([id, text, a, b]) => `<span
        class="${id === turn.token ? "hit" : ""}" style="left:${100 * a}%;width:${100 * (b - a)}%">${
        b - a > 0.06 ? bdi(text) : ""}</span>`).join("")}
        ${still ? "" : `<i style="left:${(100 * turn.u).toFixed(2)}%"></i>`}</div>
      <div class="ends quiet"><span>0</span><span>1</span></div>
      <p class="drawn">${bdi(turn.text)}</p>
      <p class="say">${still ? `Nothing to draw: ${bdi(turn.text)} holds 100 %.`
        : `The number is <b>${turn.u.toFixed(4)}</b>. It falls into ${bdi(turn.text)}, from
        ${turn.low.toFixed(4)} to ${turn.high.toFixed(4)}: a chance of ${percent(turn.probability)}.`}
      ${other ? "" : "No other token was left."}</p>
      <p class="quiet">Seed ${m.data.seed}: the same seed gives the same numbers again.</p>`;
  },

  append(m) {
    const turn = m.data.turns[m.turn], place = m.data.said_at[m.turn], last = m.turn === m.data.turns.length - 1;
    const next = m.data.turns[m.turn + 1], tool = next && next.reads[1] - next.reads[0] > 1;
    const chips = m.data.chips.slice(Math.max(0, place - 24), place + 1);
    return `<p class="lead">The new token joins the row. The model forgets everything but the row,
      and the keys and values in the cache.</p>
      <div class="pieces">${place > 24 ? "… " : ""}${chips.map((c, i) => `<bdi class="piece ${
        i === chips.length - 1 ? "hit" : c.role}">${esc(c.text)}</bdi>`).join("")}</div>
      <p class="say">${count(place + 1, "token")} now. ${last ? esc(m.data.stopped) : tool
        ? `The model asked the calculator for ${bdi(m.data.call[0])}. It says ${bdi(m.data.call[1])},
          and ${next.reads[1] - next.reads[0]} tokens go through the next pass.`
        : `Only ${bdi(turn.text)} goes through the next pass: the ${count(turn.reads[1], "token")}
          before it ${turn.reads[1] === 1 ? "is" : "are"} in the cache.`}</p>
      <p class="quiet">The cache holds ${big(turn.cache_bytes, "B")}: keys and values of
      ${count(turn.reads[1], "token")} in ${m.data.model.layers} layers.</p>`;
  },
};

const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
const title = (text) => text[0].toUpperCase() + text.slice(1);
const signs = () => `<span class="up-text">Orange</span> is above 0, <span class="down-text">blue</span>
  below; the stronger, the farther.`;
const query = (text) => `<b class="query">${bdi(text)}</b>`;
const found = (text) => `<b class="key">${bdi(text)}</b>`;
const hex = (c) => Array.from(new TextEncoder().encode(c), (b) => b.toString(16).padStart(2, "0")).join(" ");
const turns = (angle) => (angle >= 2 * Math.PI ? `${number(angle / 2 / Math.PI)} turns`
  : `${number((angle * 180) / Math.PI)}°`);
const filters = (m) => m.data.turns[m.turn].filters.flatMap((f, i) => (i === 0 || f.active ? [i] : []));

/** A character that can be seen: control characters by their picture, spaces as a dot. */
function letter(c) {
  const code = c.codePointAt(0);
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  return code === 127 ? "\u2421" : /^[\s\p{Cf}\p{Zl}\p{Zp}]$/u.test(c) ? visible(c).replace(/^[\p{Cf}\s]$/u, "\u25cc") : c;
}

function settings(m) {
  const s = m.data.settings;
  return `Temperature ${s.temperature}, top-k ${s.top_k || "off"}, top-p ${s.top_p < 1 ? s.top_p : "off"},
    min-p ${s.min_p || "off"}, repetition penalty ${s.repetition_penalty !== 1 ? s.repetition_penalty : "off"}.`;
}

/** How well the recorded scores agree with those of the fast path that spoke. */
function agree(m) {
  const fast = new Map(m.data.turns[m.turn].rows.map((r) => [r[0], r[2]]));
  const off = inside(m).logits.best.map(([id, , v]) => Math.abs(v - (fast.get(id) ?? v)));
  return `<p class="quiet">The fast path that wrote the answer has the same scores, to within
    ${Math.max(...off) < 1e-4 ? "0.0001" : number(Math.max(...off))}.</p>`;
}

/** The same text with the same settings in the chapter on sampling, where it can open it. */
function jump(m) {
  const { links, chips, said_at: places } = m.data;
  if (!links.sampling || (m.data.chat && m.turn > 0)) return "";
  const url = new URL(links.sampling, document.baseURI);
  const said = chips.slice(m.data.prompt_length, places[m.turn]).map((c) => c.plain).join("");
  url.searchParams.set("p", m.data.prompt.text + said);
  return `<p><a href="${esc(url.href)}" target="_self">Open this text in the chapter on sampling,
    with these settings</a></p>`;
}
