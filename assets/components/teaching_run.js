// A run while it goes on, and afterwards: a few small charts over the same steps. A pointer or the
// arrow keys read all of them at one step.

const mounted = new WeakMap();
const W = 300, H = 150, LEFT = 40, RIGHT = 10, TOP = 10, BOTTOM = 22;

const short = (v) => (v === 0 ? "0" : Math.abs(v) >= 100 ? v.toFixed(0) : Math.abs(v) >= 10 ? v.toFixed(1) : v.toFixed(2));

function range(chart) {
  const all = chart.lines.flatMap((line) => line.y).concat(chart.rule ? [chart.rule.y] : []);
  let [low, high] = chart.domain || [Math.min(...all), Math.max(...all)];
  if (chart.domain) [low, high] = [Math.min(low, ...all), Math.max(high, ...all)];
  if (!all.length) [low, high] = chart.domain || [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  return [low, high];
}

function nearest(line, step) {
  let best = -1;
  line.x.forEach((x, i) => { if (best < 0 || Math.abs(x - step) < Math.abs(line.x[best] - step)) best = i; });
  return best;
}

function chartHtml(chart, steps, at) {
  const [low, high] = range(chart);
  const x = (s) => LEFT + ((W - LEFT - RIGHT) * s) / Math.max(1, steps);
  const y = (v) => H - BOTTOM - ((H - TOP - BOTTOM) * (v - low)) / (high - low);
  const line = (l) => `<polyline class="${l.faint ? "faint" : ""}" stroke="var(--${l.color})" stroke-dasharray="${l.dash || "none"}"
    points="${l.x.map((s, i) => `${x(s).toFixed(1)},${y(l.y[i]).toFixed(1)}`).join(" ")}"/>`;
  const end = (l) => {
    const i = at === null ? l.x.length - 1 : nearest(l, at);
    return i < 0 ? "" : `<circle cx="${x(l.x[i])}" cy="${y(l.y[i])}" r="3.5" fill="var(--${l.color})"/>`;
  };
  const rule = chart.rule ? `<path class="rule" d="M${LEFT},${y(chart.rule.y)}H${W - RIGHT}"/>` : "";
  const cross = at === null ? "" : `<path class="cross" d="M${x(at)},${TOP}V${H - BOTTOM}"/>`;
  return `<path class="frame" d="M${LEFT},${TOP}V${H - BOTTOM}H${W - RIGHT}"/>${rule}${cross}
    <text x="${LEFT - 5}" y="${y(high) + 9}" text-anchor="end">${short(high)}</text><text x="${LEFT - 5}" y="${y(low)}" text-anchor="end">${short(low)}</text>
    <text x="${LEFT}" y="${H - 6}">0</text><text x="${W - RIGHT}" y="${H - 6}" text-anchor="end">step ${steps}</text>
    ${chart.lines.map(line).join("")}${chart.lines.filter((l) => !l.faint).map(end).join("")}`;
}

function legendHtml(chart, at) {
  const entry = (l) => {
    const i = at === null ? l.x.length - 1 : nearest(l, at);
    const dash = l.dash ? `stroke-dasharray="${l.dash}"` : "";
    return `<span><svg viewBox="0 0 22 8" aria-hidden="true"><path d="M0,4H22" stroke="var(--${l.color})" ${dash}/></svg>${escapeHtml(l.name)}
      <b>${i < 0 ? "–" : short(l.y[i])}</b></span>`;
  };
  const rule = chart.rule ? `<span class="quiet">dotted: ${escapeHtml(chart.rule.name)} <b>${short(chart.rule.y)}</b></span>` : "";
  return chart.lines.filter((l) => !l.faint).map(entry).join("") + rule;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { at: null, count: 0 };
  mounted.set(parentElement, state);
  const { charts, steps, progress } = data;
  if (state.count !== charts.length) {
    state.count = charts.length;
    root.innerHTML = `<div class="progress"><div class="track"><i></i></div><p class="words"></p></div><div class="charts">${charts.map(() =>
      `<figure><figcaption></figcaption><svg class="plot" viewBox="0 0 ${W} ${H}" role="img" tabindex="0"></svg><div class="legend"></div></figure>`).join("")}</div>`;
  }
  const bar = root.querySelector(".progress");
  bar.hidden = !progress;
  if (progress) {
    bar.querySelector("i").style.width = `${(100 * progress.now) / Math.max(1, progress.of)}%`;
    bar.querySelector(".words").textContent = progress.words;
  }
  const figures = [...root.querySelectorAll("figure")];

  function draw() {
    figures.forEach((figure, i) => {
      const chart = charts[i], plot = figure.querySelector(".plot");
      figure.querySelector("figcaption").textContent = chart.title;
      plot.innerHTML = chartHtml(chart, steps, state.at);
      plot.setAttribute("aria-label", `${chart.title}. ${chart.lines.filter((l) => !l.faint && l.y.length).map((l) =>
        `${l.name}: from ${short(l.y[0])} to ${short(l.y[l.y.length - 1])}`).join("; ")}. Arrow keys read single steps.`);
      figure.querySelector(".legend").innerHTML = legendHtml(chart, state.at);
    });
  }
  const look = (step) => {
    state.at = step === null ? null : Math.max(0, Math.min(steps, Math.round(step)));
    draw();
  };
  figures.forEach((figure) => {
    const plot = figure.querySelector(".plot");
    plot.onpointermove = (event) => {
      const box = plot.getBoundingClientRect();
      look((((event.clientX - box.left) / box.width) * W - LEFT) / ((W - LEFT - RIGHT) / Math.max(1, steps)));
    };
    plot.onpointerleave = () => look(null);
    plot.onblur = () => look(null);
    plot.onkeydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move && event.key !== "Escape") return;
      event.preventDefault();
      look(move ? (state.at ?? steps) + move : null);
    };
  });
  draw();
  return () => mounted.delete(parentElement);
}
