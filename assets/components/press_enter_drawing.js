// What the stages of press_enter.js are drawn with: numbers in words, heat strips, bars, buttons.

const esc = escapeHtml;
const sum = (list) => list.reduce((a, b) => a + b, 0);
const bdi = (text) => `<bdi class="tok">${esc(text)}</bdi>`;
const minus = (text) => text.replace("-", "\u2212");
const percent = (p) => (p >= 0.9995 ? "100" : p >= 0.0995 ? (100 * p).toFixed(0)
  : p >= 0.001 ? (100 * p).toFixed(1) : p > 0 ? "<0.1" : "0") + "\u00a0%";

function number(x) {
  if (!Number.isFinite(x)) return "\u2212\u221e";
  if (x === 0) return "0";
  const size = Math.abs(x);
  return minus(x.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.095 ? 2 : 3));
}

function big(x, unit) {
  const i = x < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(x) / 3));
  const scaled = x / 1000 ** i;
  const digits = i && scaled < 100 ? (scaled < 10 ? 2 : 1) : 0;
  return `${scaled.toFixed(digits)}\u00a0${["", "k", "M", "G", "T"][i]}${unit}`;
}

function duration(s) {
  if (s < 0.9995e-3) return `${(s * 1e6).toFixed(0)}\u00a0µs`;
  return s < 1 ? `${(s * 1e3).toFixed(s < 0.00995 ? 2 : 1)}\u00a0ms` : `${s.toFixed(2)}\u00a0s`;
}

const decoded = new WeakMap();

/** The floats of Python's `numbers(array)`; -inf where a score was masked. */
function real(packed) {
  if (!decoded.has(packed)) {
    const whole = new Int16Array(unpack(packed.data).buffer);
    decoded.set(packed, Float32Array.from(whole, (q) => (q === -32768 ? -Infinity : q * packed.scale)));
  }
  return decoded.get(packed);
}

/** A heat strip; `paint` fills it once it stands in the page. */
function heat(m, name, values, columns, label, kind = "diverging", height = 14) {
  m.heat = { ...m.heat, [name]: { values, columns, kind, label } };
  const rows = Math.ceil(values.length / columns);
  return `<canvas role="img" aria-label="${esc(label)}" data-heat="${name}" width="${columns}"
    height="${rows}" style="height:${rows * height}px"></canvas>
    <p class="read quiet" data-read="${name}"></p>`;
}

function paint(m, canvas) {
  const { values, columns, kind } = m.heat[canvas.dataset.heat];
  const context = canvas.getContext("2d");
  const most = values.reduce((a, v) => (Number.isFinite(v) ? Math.max(a, Math.abs(v)) : a), 1e-9);
  const tint = (name) => {
    m.$.machine.style.setProperty("--probe", `var(--${name})`);
    return getComputedStyle(m.$.machine, "::after").color;
  };
  const [up, down] = kind === "diverging" ? [tint("key"), tint("query")] : [];
  values.forEach((v, i) => {
    if (kind === "diverging") {
      context.globalAlpha = Math.min(1, Math.abs(v) / most);
      context.fillStyle = v > 0 ? up : down;
    } else {
      context.fillStyle = v < 0 ? "transparent"
        : m.data.scale[Math.min(9, Math.floor((v / Math.max(most, 1e-9)) * 9.999))];
    }
    context.fillRect(i % columns, Math.floor(i / columns), 1, 1);
  });
}

/** Reads out the cell of a heat strip under the pointer. */
function point(m, event) {
  const canvas = event.composedPath()[0];
  if (canvas.tagName !== "CANVAS") return;
  const { values, columns, cell } = { cell: m.cells?.[canvas.dataset.heat], ...m.heat[canvas.dataset.heat] };
  const box = canvas.getBoundingClientRect();
  const x = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
  const y = Math.floor(((event.clientY - box.top) / box.height) * canvas.height);
  const value = values[y * columns + x];
  const read = m.$.inside.querySelector(`[data-read="${canvas.dataset.heat}"]`);
  if (value !== undefined) read.textContent = (cell ?? ((c, r, v) => `number ${r * columns + c + 1}: ${number(v)}`))(x, y, value);
}

/** Rows of label, bar and value; `part` is the bar's share of the full width. */
function bars(rows, kind = "") {
  return `<div class="bars ${kind}">${rows.map((r) => `<span class="label ${r.is ?? ""}">${r.label}</span>
    <span class="bar-track"><span class="bar-fill ${r.is ?? ""}" style="width:${(100 * Math.max(0, Math.min(1, r.part))).toFixed(1)}%"></span></span>
    <span class="value ${r.is ?? ""}">${r.value}</span>`).join("")}</div>`;
}

const pills = (list, chosen, kind, name) => `<div class="pills" role="group" aria-label="${name}">${
  list.map(([value, text]) => `<button type="button" data-${kind}="${value}"
    data-key="${kind}-${value}" aria-pressed="${String(value) === String(chosen)}">${text}</button>`).join("")}</div>`;

const all = (values, what) => `<details class="all"><summary>${what}</summary><p>${
  Array.from(values, number).join("  ")}</p></details>`;

const range = (values) => {
  const finite = values.filter(Number.isFinite);
  return `from ${number(Math.min(...finite))} to ${number(Math.max(...finite))}`;
};
