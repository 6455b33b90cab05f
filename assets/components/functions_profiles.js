// Two cuts through a surface: along x while y is held, and along y while x is held. They follow
// the point of the surface of the same name ("surface-at"); with slopes, each has its tangent.

const mounted = new WeakMap();
const HEIGHT = 132;
const fixed = (v, digits = 2) => (Number.isFinite(v) ? v.toFixed(digits).replace("-", "−") : "no value");

/** One cut: its curve, the point on it and, where the slope is known, the tangent there. */
function cutSvg(values, place, slope, half, W, kind) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = 0.12 * (high - low || 1);
  const X = (t) => 8 + ((t + half) / (2 * half)) * (W - 16);
  const Y = (v) => HEIGHT - 8 - ((v - low + air) / (high - low + 2 * air || 1)) * (HEIGHT - 16);
  const step = (2 * half) / (values.length - 1);
  const d = Array.from(values, (v, i) => `${X(-half + i * step).toFixed(1)} ${Y(v).toFixed(1)}`).join("L");
  const here = values[Math.round((place + half) / step)];
  const tangent = Number.isFinite(slope)
    ? `<path class="tangent" d="M${X(-half)} ${Y(here + slope * (-half - place))}L${X(half)} ${Y(here + slope * (half - place))}"/>` : "";
  return `<svg viewBox="0 0 ${W} ${HEIGHT}" style="height:${HEIGHT}px" aria-hidden="true">
    <rect class="ground" x="0" y="0" width="${W}" height="${HEIGHT}" rx="6"/>
    <path class="curve ${kind}" d="M${d}"/>${tangent}<circle class="dot" cx="${X(place)}" cy="${Y(here)}" r="6"/></svg>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = `<div class="cuts"></div><div class="sum"></div>`;

  function draw() {
    const at = state.point;
    const width = root.clientWidth;
    if (!at || !width) return;
    const W = width > 520 ? (width - 16) / 2 : width;
    const part = (axis, held, values, place, slope) => {
      const name = slope === undefined ? `f along ${axis}` : `<span class="slope">∂f/∂${axis} = <b>${fixed(slope, 4)}</b></span>`;
      const line = axis === "x" ? "solid line" : "dashed line";
      return `<div class="cut" data-axis="${axis}"><div>${name} <span class="quiet">${held}, ${line}</span></div>
        ${cutSvg(values, place, slope, at.half, W, `along-${axis}`)}</div>`;
    };
    const [gx, gy] = at.slopes ?? [];
    root.querySelector(".cuts").innerHTML = part("x", `y held at ${fixed(at.y)}`, at.row, at.x, gx)
      + part("y", `x held at ${fixed(at.x)}`, at.column, at.y, gy);
    root.querySelector(".sum").innerHTML = at.slopes
      ? `<span class="slope">gradient = (${fixed(gx, 4)}, ${fixed(gy, 4)})</span>,
        length <b class="slope">${fixed(Math.hypot(gx, gy), 4)}</b>` : "";
  }
  removeEventListener("surface-at", state.listen);
  state.listen = ({ detail }) => {
    if (detail.name !== data.name) return;
    state.point = detail;
    draw();
  };
  addEventListener("surface-at", state.listen);
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(draw);
  state.sizes.observe(root);
  dispatchEvent(new CustomEvent("surface-hello", { detail: { name: data.name } }));
  draw();
  return () => {
    removeEventListener("surface-at", state.listen);
    state.sizes.disconnect();
    mounted.delete(parentElement);
  };
}
