// One number of the map: the two rows that were multiplied, the largest terms, and what was done with their sum.

const mounted = new WeakMap();

/** Bars above and below a line, one for each number. */
function paintBars(canvas, values, color, colors, chosen) {
  const width = canvas.clientWidth || 300, height = canvas.clientHeight || 40, ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d"), largest = values.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-12), step = width / values.length;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const low = values.some((v) => v < 0), zero = low ? height / 2 : height - 1, room = low ? height / 2 - 1 : height - 2;
  context.fillStyle = `rgb(${colors.line.join(" ")})`;
  context.fillRect(0, zero, width, 1);
  values.forEach((v, i) => {
    const tall = Math.max(0.5, (Math.abs(v) / largest) * room);
    context.fillStyle = `rgb(${(chosen.has(i) ? colors.text : color).join(" ")})`;
    context.fillRect(i * step, v < 0 ? zero : zero - tall, Math.max(0.7, step - (step > 3 ? 1 : 0)), tall);
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root"), colors = colorsOf(root);
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);
  const { kind, sources, terms } = data, product = kind === "product", many = data.count > 2;
  const open = (source) => (source ? `<span class="where">${escapeHtml(source.label)}${source.shape ? ` <span class="quiet">(${source.shape})</span>` : ""}</span>${
    source.go ? `<button type="button" class="open" data-go='${escapeHtml(JSON.stringify(source.go))}'>Open</button>` : ""}` : "");
  const strip = (id, words, source) => `<div class="strip"><p>${words} ${open(source)}</p><canvas data-id="${id}" role="img" aria-label="${words}: ${data.count} numbers"></canvas></div>`;
  const [one, two] = { product: ["Take", "times"], squares: ["Square", ""], plain: ["Take", ""], none: ["", ""] }[kind];
  const more = data.count > data.drawn ? `, the first ${data.drawn.toLocaleString("en")} drawn` : "";

  root.innerHTML = `<h3><b>${data.value}</b> <span class="of">${escapeHtml(data.title)}, ${escapeHtml(data.row)}, ${escapeHtml(data.column)}</span></h3>
    <p class="formula">${escapeHtml(data.formula)}</p>
    ${kind !== "none" && many ? strip("left", kind === "plain" && data.formula.startsWith("e^") ? "Take e to each of" : one, sources[0]) : ""}
    ${product && many ? strip("right", two, sources[1]) : ""}
    ${kind !== "none" && many && kind !== "plain" ? strip("terms", `${product ? "The products" : "The squares"}, ${data.count.toLocaleString("en")} in all${more}; those below are dark`) : ""}
    ${kind === "none" ? sources.map((s) => `<p class="from">From ${open(s)}</p>`).join("") : ""}
    ${kind !== "none" && !many ? `<p class="from">${sources.map((s) => open(s)).join("<br>")}</p>` : ""}
    ${kind !== "none" ? `<table><thead><tr><th>term</th>${product || kind === "squares" ? "<th>factor</th><th>× factor</th>" : ""}<th>adds</th></tr></thead><tbody>${
      terms.map(([name, left, right, value, go]) => `<tr><td>${go ? `<button type="button" class="term" data-go='${escapeHtml(JSON.stringify(go))}' title="Go to this number">${
        escapeHtml(name)}</button>` : escapeHtml(name)}</td>${product || kind === "squares" ? `<td>${number(left, 4)}</td><td>${number(right, 4)}</td>` : ""}<td>${number(value, 4)}</td></tr>`).join("")}${
      data.rest[0] ? `<tr class="rest"><td>${data.rest[0].toLocaleString("en")} smaller</td>${product || kind === "squares" ? "<td></td><td></td>" : ""}<td>${number(data.rest[1], 4)}</td></tr>` : ""}
      <tr class="total"><td>together</td>${product || kind === "squares" ? "<td></td><td></td>" : ""}<td>${number(data.total, 4)}</td></tr></tbody></table>` : ""}
    <ol>${data.steps.map(([words, x]) => `<li>${escapeHtml(words)}: <b>${x}</b></li>`).join("")}</ol>
    <p class="quiet check">${data.exact ? `The model had ${data.exact.replace("-", "−")}; added up again in double precision it is ${data.again.replace("-", "−")}. They differ by ${
      data.off === 0 ? "0" : minus(powerOfTen(data.off.toExponential(0)))}.` : "Minus infinity, as the model had it: e to this is 0."}</p>`;
  root.querySelectorAll("[data-go]").forEach((b) => (b.onclick = () => setTriggerValue("go", JSON.parse(b.dataset.go))));

  const paint = () => {
    const left = kind === "none" ? [] : [...unpack(data.left)], right = kind === "none" ? [] : [...unpack(data.right)];
    const dark = new Set(data.chosen);
    const show = { left: [left, colors.down], right: [right, colors.up], terms: [left.map((x, i) => x * right[i]), colors.quiet] };
    root.querySelectorAll("canvas").forEach((c) => paintBars(c, show[c.dataset.id][0], show[c.dataset.id][1], colors, c.dataset.id === "terms" || kind === "plain" ? dark : new Set()));
  };
  paint();
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(() => { if (root.clientWidth !== state.wide) { state.wide = root.clientWidth; paint(); } });
  state.sizes.observe(root);
  root.dataset.value = data.exact || data.value;
  return () => { state.sizes.disconnect(); mounted.delete(parentElement); };
}
