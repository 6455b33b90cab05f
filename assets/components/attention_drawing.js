// Stands before the components of the chapter on attention: shares, arcs, matrices.

const CIVIDIS = ["00204d", "00306f", "2a406c", "48526b", "5e626e", "727374", "878479", "a69d75", "c7b76b", "ffea46"]
  .map((c) => [0, 2, 4].map((i) => parseInt(c.slice(i, i + 2), 16)));
const GAP = 62; // pixels that a token needs to be written level

/** What token `query` takes from tokens 0 … query, in percent, in picture number `which`. */
function shareRow(shares, tokens, which, query) {
  const first = (which * tokens * (tokens + 1)) / 2 + (query * (query + 1)) / 2;
  return shares.subarray(first, first + query + 1);
}

function strongest(row) {
  let best = 0;
  for (let j = 1; j < row.length; j++) if (row[j] > row[best]) best = j;
  return best;
}

/** A color of the sequential scale for a share from 0 to 100. */
function shade(percent) {
  const at = (Math.sqrt(percent / 100)) * (CIVIDIS.length - 1), i = Math.min(CIVIDIS.length - 2, Math.floor(at));
  return CIVIDIS[i].map((c, k) => Math.round(c + (CIVIDIS[i + 1][k] - c) * (at - i)));
}

const SHADES = Array.from({ length: 101 }, (_, percent) => shade(percent));

/** All rows of one picture on a canvas, a pixel a weight; the future is left empty. */
function paintMatrix(canvas, shares, tokens, which) {
  canvas.width = canvas.height = tokens;
  const context = canvas.getContext("2d"), image = context.createImageData(tokens, tokens);
  for (let q = 0; q < tokens; q++) {
    const row = shareRow(shares, tokens, which, q);
    for (let k = 0, at = 4 * q * tokens; k <= q; k++) {
      const [red, green, blue] = SHADES[row[k]];
      image.data[at++] = red;
      image.data[at++] = green;
      image.data[at++] = blue;
      image.data[at++] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

const clipped = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

/**
 * Arcs over a row of tokens, or beside a list of them where it is narrow. Built once for a text;
 * `draw(row, query, key)` moves the arcs. `asks(query, pinned)` is called when the reader points
 * at a token (pinned: clicked, or moved to with keys), `takes(key)` when an arc is chosen. Without
 * `asks` nothing can be chosen.
 */
function arcsOver(box, names, asks, takes = () => {}, label = "Tokens") {
  const width = box.clientWidth || 800, narrow = width < 560, T = names.length;
  const made = narrow ? arcList(box, names, label, asks ? 44 : 28) : arcRow(box, names, width, label);
  const tokens = [...box.querySelectorAll(".tok")];
  let pinned = T - 1;
  tokens.forEach((token, i) => {
    token.setAttribute("role", asks ? "button" : "img");
    if (!asks) return;
    token.onpointerenter = (event) => event.pointerType === "mouse" && asks(i, false);
    token.onclick = () => asks(i, true);
    token.onfocus = () => token.matches(":focus-visible") && i !== pinned && asks(i, true);
    token.onkeydown = (event) => {
      const to = { ArrowLeft: i - 1, ArrowUp: i - 1, ArrowRight: i + 1, ArrowDown: i + 1, Home: 0, End: T - 1,
        Enter: i, " ": i }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = Math.min(T - 1, Math.max(0, to));
      asks(next, true);
      tokens[next].focus();
    };
  });
  if (asks) made.pane.onpointerleave = () => asks(pinned, false);
  made.pane.onclick = (event) => event.target.dataset.key && takes(Number(event.target.dataset.key));
  return {
    draw(row, query, key, isPinned) {
      if (isPinned) pinned = query;
      tokens.forEach((token, j) => {
        token.classList.toggle("asks", j === query);
        token.classList.toggle("future", j > query);
        if (asks) token.setAttribute("tabindex", j === pinned ? 0 : -1);
        if (asks) token.setAttribute("aria-pressed", j === query);
        token.setAttribute("aria-label", `${names[j]}, ${j > query ? "not there yet" : `${row[j]} percent`}`);
      });
      made.draw(row, query, key);
    },
  };
}

function arcRow(box, names, width, label) {
  const T = names.length, gap = Math.min(width / T, 150), left = (width - gap * T) / 2, upright = gap < GAP;
  const top = Math.min(190, 54 + gap * T * 0.16), y = top + 6, chip = upright ? 92 : 32, H = y + chip + (gap > 26 ? 30 : 8);
  const x = (i) => left + gap * (i + 0.5), most = Math.floor((gap - 8) / 8.2);
  box.innerHTML = `<svg class="arcs" viewBox="0 0 ${width} ${H}" width="${width}" height="${H}" role="group"
    aria-label="${label}"><g class="paths"></g>${names.map((name, i) => `<g class="tok" data-i="${i}">
      <rect x="${x(i) - gap * 0.46}" y="${y}" width="${gap * 0.92}" height="${chip}" rx="${Math.min(6, gap / 5)}"/>
      ${upright ? `<text transform="translate(${x(i) + 4.5},${y + chip - 7}) rotate(-90)">${escapeHtml(clipped(name, 10))}</text>`
        : `<text x="${x(i)}" y="${y + 21}" text-anchor="middle">${escapeHtml(clipped(name, most))}</text>`}</g>`).join("")}
    <g class="percents" aria-hidden="true">${names.map((_, i) => `<text x="${x(i)}" y="${y + chip + 19}" text-anchor="middle"></text>`)
      .join("")}</g></svg>`;
  const paths = box.querySelector(".paths"), percents = [...box.querySelectorAll(".percents text")];
  return {
    pane: box.firstElementChild,
    draw(row, query, key) {
      const order = [...row.keys()].sort((a, b) => row[a] - row[b]);
      paths.innerHTML = order.map((j) => {
        if (!row[j]) return "";
        const a = x(j), b = x(query), rise = Math.max(30, (top - 4) * 1.3 * Math.sqrt((b - a) / (gap * Math.max(1, T - 1))));
        const path = j === query ? `M${b - 9},${y} C${b - 26},${y - 46} ${b + 26},${y - 46} ${b + 9},${y}`
          : `M${b},${y} C${b},${y - rise} ${a},${y - rise} ${a},${y}`;
        return `<path class="${j === key ? "chosen" : ""}" data-key="${j}" d="${path}" stroke-width="${(1 + row[j] * 0.13).toFixed(2)}"
          opacity="${(0.28 + 0.0072 * row[j]).toFixed(2)}"/>`;
      }).join("");
      percents.forEach((text, j) => {
        const show = j <= query && gap > 26 && (gap > 40 || row[j] > 0);
        text.textContent = show ? (gap > 46 ? `${row[j]} %` : row[j]) : "";
      });
    },
  };
}

function arcList(box, names, label, H) {
  const W = 76, y = (i) => H * (i + 0.5);
  box.innerHTML = `<div class="beside" role="group" aria-label="${label}" style="--row: ${H}px">
    <svg class="arcs" width="${W}" height="${H * names.length}" aria-hidden="true"><g class="paths"></g></svg>
    <div class="rows">${names.map((name, i) => `<div class="tok" data-i="${i}"><span class="name" dir="auto">${
      escapeHtml(name)}</span><span class="track"><i></i></span><span class="percent"></span></div>`).join("")}</div></div>`;
  const paths = box.querySelector(".paths"), rows = [...box.querySelectorAll(".tok")];
  return {
    pane: box.firstElementChild,
    draw(row, query, key) {
      paths.innerHTML = [...row.keys()].map((j) => {
        if (!row[j]) return "";
        const reach = W - Math.min(W - 6, 20 + 11 * Math.sqrt(query - j) * 2);
        const path = j === query ? `M${W - 2},${y(j) - 8} C${W - 40},${y(j) - 20} ${W - 40},${y(j) + 20} ${W - 2},${y(j) + 8}`
          : `M${W - 2},${y(query)} C${reach},${y(query)} ${reach},${y(j)} ${W - 2},${y(j)}`;
        return `<path class="${j === key ? "chosen" : ""}" data-key="${j}" d="${path}" stroke-width="${(1 + row[j] * 0.1).toFixed(2)}"
          opacity="${(0.28 + 0.0072 * row[j]).toFixed(2)}"/>`;
      }).join("");
      rows.forEach((token, j) => {
        token.querySelector("i").style.width = `${j <= query ? row[j] : 0}%`;
        token.querySelector(".percent").textContent = j <= query ? `${row[j]} %` : "hidden";
      });
    },
  };
}
