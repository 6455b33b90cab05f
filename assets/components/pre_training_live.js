// A training run as it goes: loss, held-out loss, gradient, learning rate, and what the model writes.

const mounted = new WeakMap();
const count = (n) => Math.round(n).toLocaleString("en-US");

/** The points of a line: stretch i of `values` ends at step (i + 1) * every, the last at `step`. */
export function points(values, every, step, x, y) {
  return values.map((v, i) => `${x(Math.min(step, (i + 1) * every)).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
}

/** About four round numbers from low to high. */
export function ticks(low, high) {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step / 1e6; t += step) found.push(Number(t.toPrecision(12)));
  return found;
}

function chart(svg, { title, W, H, data, lines, low, high, text, rules = [] }) {
  const left = 46, right = W - 8, top = 22, bottom = H - 20;
  const x = (s) => left + ((right - left) * s) / data.steps;
  const y = (v) => bottom - ((bottom - top) * (v - low)) / (high - low || 1);
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.style.height = `${H}px`;
  svg.innerHTML = `<text x="0" y="12" class="title">${title}</text>`
    + ticks(low, high).map((t) => `<path class="grid" d="M${left},${y(t)}H${right}"/><text x="${left - 6}" y="${y(t) + 4}" text-anchor="end">${text(t)}</text>`).join("")
    + rules.map(([v, name]) => (v > high ? "" : `<path class="rule" d="M${left},${y(v)}H${right}"/><text x="${right}" y="${y(v) - 5}" text-anchor="end">${name}</text>`)).join("")
    + lines.map((l) => `<polyline class="${l.name}" points="${l.dots ? l.values.map(([s, v]) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`).join(" ") : points(l.values, data.every, data.step, x, y)}"/>${
      l.dots ? l.values.map(([s, v]) => `<circle cx="${x(s).toFixed(1)}" cy="${y(v).toFixed(1)}" r="3"/>`).join("") : ""}`).join("")
    + `<text x="${left}" y="${H - 5}">0</text><text x="${right}" y="${H - 5}" text-anchor="end">step ${count(data.steps)}</text>`;
  return { x, left, right };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    state = { draws: 0, at: null };
    mounted.set(parentElement, state);
    root.innerHTML = `<div class="bar" role="progressbar" aria-label="Steps done" aria-valuemin="0" aria-valuemax="100"><i></i></div>
      <p class="stage"></p><dl class="facts"></dl>
      <div class="keys"><span><i class="loss"></i>training loss</span><span><i class="held"></i>held-out loss</span></div>
      <svg class="main" role="img" tabindex="0"></svg><p class="say quiet"></p>
      <div class="two"><svg class="norm" role="img"></svg><svg class="rate" role="img"></svg></div>
      <ol class="samples"></ol>`;
    state.observer = new ResizeObserver(() => state.draw && state.draw());
    state.observer.observe(root);
  }
  const $ = (selector) => root.querySelector(selector);
  state.draw = () => {
    const W = Math.max(280, Math.floor(root.clientWidth)), half = W < 560 ? W : Math.floor((W - 24) / 2);
    const all = [...data.loss, ...data.held.map(([, v]) => v)], held = data.held[data.held.length - 1];
    const low = Math.min(data.guess, ...all), high = Math.max(data.guess, ...all);
    const lines = [{ name: "loss", values: data.loss }, { name: "held", values: data.held, dots: true }];
    const now = data.loss[data.loss.length - 1];
    const about = now === undefined ? "no step yet" : `step ${data.step} of ${data.steps}, training loss ${now.toFixed(2)}${held ? `, held-out loss ${held[1].toFixed(2)} after step ${held[0]}` : ""}`;
    $(".main").setAttribute("aria-label", `Loss against steps: ${about}. Arrow keys read it.`);
    const { x, left, right } = chart($(".main"), {
      title: "loss, nats a token", W, H: W < 560 ? 210 : 260, data, lines, low: Math.max(0, Math.floor(2 * low) / 2),
      high: high + 0.3, text: (t) => t.toFixed(1), rules: [[data.guess, "guessing"]],
    });
    state.read = (at) => {
      state.at = Math.max(0, Math.min(data.loss.length - 1, at));
      if (!data.loss.length) return;
      const step = Math.min(data.step, (state.at + 1) * data.every), before = data.held.filter(([s]) => s <= step).pop();
      $(".say").textContent = `Step ${count(step)}: training loss ${data.loss[state.at].toFixed(3)}${before ? `, held-out ${before[1].toFixed(3)} (step ${count(before[0])})` : ""}, gradient ${
        data.norm[state.at].toPrecision(3)}, learning rate ${data.rate[state.at].toPrecision(2)}.`;
    };
    $(".main").onpointermove = (event) => {
      const box = $(".main").getBoundingClientRect(), step = ((event.clientX - box.left - left) / (right - left)) * data.steps;
      state.read(Math.floor(step / data.every));
    };
    $(".main").onkeydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
      if (!move) return;
      event.preventDefault();
      state.read((state.at ?? data.loss.length) + move);
    };
    const norms = data.norm, rates = data.rate, last = norms[norms.length - 1];
    chart($(".norm"), { title: "gradient norm", W: half, H: 120, data, lines: [{ name: "gradient", values: norms }], low: 0, high: Math.max(1.2, ...norms), text: (t) => t.toFixed(1), rules: [[1, "clipped above"]] });
    $(".norm").setAttribute("aria-label", `Gradient norm${last === undefined ? "" : `, now ${last.toPrecision(3)}`}`);
    chart($(".rate"), { title: "learning rate", W: half, H: 120, data, lines: [{ name: "pace", values: rates }], low: 0, high: Math.max(data.peak, ...rates) * 1.1, text: (t) => (t ? t.toExponential(0) : "0") });
    $(".rate").setAttribute("aria-label", `Learning rate${rates.length ? `, now ${rates[rates.length - 1].toPrecision(2)}` : ""}`);
    const share = (100 * data.step) / data.steps;
    $(".bar i").style.width = `${share}%`;
    $(".bar").setAttribute("aria-valuenow", Math.round(share));
    $(".stage").textContent = data.stage;
    $(".facts").innerHTML = data.facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("");
    const written = data.samples.map((s) => `<li><p class="quiet">${s.step ? `after step ${count(s.step)}` : "before the first step"}: ${Math.round(100 * s.known)} % of it are words of the training text</p><p class="text">${escapeHtml(s.text)}</p></li>`).join("");
    if (state.written !== written) $(".samples").innerHTML = state.written = written;
    root.dataset.draws = state.draws += 1;
    root.dataset.step = data.step;
  };
  state.draw();
  return () => { state.observer.disconnect(); mounted.delete(parentElement); };
}
