// Stands before the components of the chapter on the transformer: numbers as colors and as text.

const HIDDEN = -2e38; // what is below stands for minus infinity

const minus = (text) => text.replace("-", "−");
function number(x, digits = 3) {
  if (x < HIDDEN) return "−∞";
  const size = Math.abs(x);
  if (size !== 0 && size < 0.5 * 10 ** -digits) return minus(x.toExponential(1));
  return minus(size >= 1000 ? x.toFixed(0) : size >= 100 ? x.toFixed(1) : x.toFixed(digits));
}

/** The colors of the page as it is now, light or dark: [red, green, blue]. */
function colorsOf(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (css) => {
    probe.style.color = css;
    return (getComputedStyle(probe).color.match(/[\d.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
  };
  const found = { paper: read("var(--st-background-color)"), text: read("var(--st-text-color)"), up: read("var(--key)"),
    down: read("var(--query)"), share: read("var(--key)"), chance: read("var(--probability)"), quiet: read("var(--quiet)"),
    line: read("var(--st-border-color)") };
  probe.remove();
  return found;
}

const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));

/** A color for a number between -1 and 1 of what is largest: paper is 0. */
function colorOf(share, colors) {
  const t = Math.min(1, Math.sqrt(Math.abs(share)));
  return mix(colors.paper, share < 0 ? colors.down : colors.up, t);
}

/** A small picture: bytes, 128 is zero. */
function paintThumb(canvas, packedBytes, colors) {
  const bytes = unpack(packedBytes), [rows, columns] = packedBytes.shape;
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < bytes.length; i++) {
    const t = (bytes[i] - 128) / 127;
    const color = mix(colors.paper, t < 0 ? colors.down : colors.up, Math.min(1, Math.abs(t)));
    image.data.set([...color, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}
