// A formula as a graph. Python has run it forward and backward and sent every node and every step;
// this walks: first the values from left to right, then the gradients from right to left.

const mounted = new WeakMap();
const [BOX_W, BOX_H] = [84, 54];
const SIGNS = { "*": "×", "/": "÷", "**": "^", neg: "−", "-": "−" };
const fixed = (v) => {
  const text = v !== 0 && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3) ? powerOfTen(v.toExponential(2)) : String(Number(v.toFixed(3)));
  return text.replaceAll("-", "−");
};
const inside = (v) => (v < 0 ? `(${fixed(v)})` : fixed(v));

function build(m) {
  m.root.innerHTML = `<div class="bar"><button type="button" class="play">Play</button><button type="button" class="back">Back</button><button type="button" class="step">Step</button>
      <button type="button" class="all">All at once</button><button type="button" class="reset">Reset</button></div>
    <input type="range" class="at" min="0" step="1" aria-label="Step of the walk"><p class="say" role="status"></p><div class="graph"></div>`;
  const go = (at) => { stop(m); m.at = Math.min(m.last, Math.max(0, at)); show(m); };
  m.$(".play").onclick = () => {
    if (m.timer) stop(m);
    else play(m);
    show(m);
  };
  m.$(".step").onclick = () => go(m.at + 1);
  m.$(".back").onclick = () => go(m.at - 1);
  m.$(".all").onclick = () => go(m.last);
  m.$(".reset").onclick = () => go(0);
  m.$(".at").oninput = (event) => go(Number(event.target.value));
}

function stop(m) {
  clearTimeout(m.timer);
  m.timer = 0;
}

function play(m) {
  if (m.at >= m.last) m.at = 0;
  const next = () => {
    m.at += 1;
    m.timer = m.at < m.last ? setTimeout(next, reducedMotion() ? 0 : 900) : 0;
    show(m);
  };
  m.timer = setTimeout(next, 50);
}

/** The walk: a step for every node that is computed, one for the result, one for every edge back. */
function plan(m) {
  const { nodes, steps } = m.data;
  m.forward = nodes.map((node, i) => i).filter((i) => nodes[i].parents.length);
  m.first = m.forward.length + 1; // the step at which the result gets its gradient, 1
  m.last = m.first + steps.length;
  m.$(".at").max = m.last;
}

function layout(m) {
  const { nodes } = m.data;
  const columns = Math.max(...nodes.map((n) => n.column)) + 1;
  const all = nodes.flatMap((n) => [n.row, ...n.ways.flat()]);
  const rows = Math.max(...all.map(Math.abs)) * 2 + 1;
  m.narrow = m.root.clientWidth < 600;
  const [along, aside] = m.narrow ? [92, 92] : [128, 76];
  const at = (column, row) => {
    const [a, b] = [(column + 0.5) * along, ((rows - 1) / 2 + row + 0.5) * aside];
    return m.narrow ? [b, a] : [a, b];
  };
  const place = (n) => at(n.column, n.row);
  m.size = m.narrow ? [rows * aside, columns * along] : [columns * along, rows * aside];
  const half = (m.narrow ? BOX_H : BOX_W) / 2;
  const shift = ([x, y], by, aside) => (m.narrow ? [x + aside, y + by] : [x + by, y + aside]);
  const edges = [];
  nodes.forEach((node, i) => node.parents.forEach((p, k) => {
    const twin = node.parents.length === 2 && node.parents[0] === node.parents[1] ? (k ? 12 : -12) : 0;
    const stops = [shift(place(nodes[p]), half, twin), ...node.ways[k].map((row, n) => at(nodes[p].column + 1 + n, row)), shift(place(node), -half, twin)];
    const d = stops.slice(1).map(([x, y], n) => {
      const [x0, y0] = stops[n];
      return m.narrow ? `C${x0},${(y0 + y) / 2} ${x},${(y0 + y) / 2} ${x},${y}` : `C${(x0 + x) / 2},${y0} ${(x0 + x) / 2},${y} ${x},${y}`;
    });
    edges.push(`<path data-edge="${i}.${k}" d="M${stops[0]}${d.join("")}"/>`);
  }));
  m.$(".graph").innerHTML = `<svg viewBox="0 0 ${m.size.join(" ")}" style="max-width:${m.size[0]}px" role="group" aria-label="The graph of the formula, inputs first">${edges.join("")}
    ${nodes.map((node, i) => `<g class="node" data-node="${i}" tabindex="0" role="img" transform="translate(${place(node)})"><rect x="${-BOX_W / 2}" y="${-BOX_H / 2}" width="${BOX_W}" height="${BOX_H}" rx="8"/>
      <text class="op" y="-11">${node.op || node.label ? escapeHtml(SIGNS[node.op] || node.name) : ""}</text><text class="value" y="5"></text><text class="gradient" y="20"></text></g>`).join("")}</svg>`;
}

function sentence(m) {
  const { nodes, steps, words } = m.data;
  if (m.at === 0) return "The inputs are known. Step forward, and every node is worked out from those before it.";
  if (m.at < m.first) {
    const node = nodes[m.forward[m.at - 1]];
    const parts = node.parents.map((p) => inside(nodes[p].value));
    const sign = SIGNS[node.op] || node.op;
    const formula = parts.length === 2 && !["max", "min"].includes(node.op) ? `${parts[0]} ${sign} ${parts[1]}` : `${sign}(${node.parents.map((p) => fixed(nodes[p].value)).join(", ")})`;
    return `<b>Forward</b>: ${formula} = <b>${fixed(node.value)}</b>`;
  }
  if (m.at === m.first) return `<b>Now back.</b> How much does the result change when the result changes? By as much: its gradient is <b class="gradient">1</b>.`;
  const step = steps[m.at - m.first - 1];
  const node = nodes[step.node], parent = nodes[step.parent];
  const which = whichParent(m, m.at - m.first - 1);
  const why = words[node.op]?.[which];
  const sum = gradientAt(m, step.parent);
  const before = sum - step.product;
  const twice = steps.slice(0, m.at - m.first - 1).some((s) => s.parent === step.parent);
  return `<b>Back</b> from ${name(node)} to ${name(parent)}: incoming <b class="gradient">${fixed(step.incoming)}</b> × local <b>${fixed(step.local)}</b>${why ? ` (${why})` : ""} = <b class="gradient">${fixed(step.product)}</b>.${twice ? ` It is used more than once, so gradients add: ${fixed(before)} + ${inside(step.product)} = <b class="gradient">${fixed(sum)}</b>.` : ""}`;
}

const name = (node) => escapeHtml(SIGNS[node.op] || node.name);

/** Which of its node's parents a step goes to: the edges of a node come one after the other. */
function whichParent(m, at) {
  const { steps } = m.data;
  let k = 0;
  while (at - k > 0 && steps[at - k - 1].node === steps[at].node) k += 1;
  return k;
}

function gradientAt(m, i) {
  if (m.at < m.first) return null;
  const taken = m.data.steps.slice(0, m.at - m.first).filter((s) => s.parent === i);
  if (i === m.data.nodes.length - 1) return 1;
  return taken.length ? taken.reduce((sum, s) => sum + s.product, 0) : null;
}

function show(m) {
  const { nodes, steps } = m.data;
  const done = new Set(m.forward.slice(0, Math.min(m.at, m.forward.length)));
  const now = m.at > 0 && m.at < m.first ? m.forward[m.at - 1] : null;
  const step = m.at > m.first ? steps[m.at - m.first - 1] : null;
  m.root.querySelectorAll("[data-node]").forEach((g, i) => {
    const known = !nodes[i].parents.length || done.has(i);
    const grad = gradientAt(m, i);
    g.querySelector(".value").textContent = known ? fixed(nodes[i].value) : "";
    g.querySelector(".gradient").textContent = grad === null ? "" : `∂ ${fixed(grad)}`;
    g.setAttribute("class", `node${known ? "" : " waiting"}${now === i ? " forward" : ""}${step && (step.node === i || step.parent === i) ? " backward" : ""}${m.at === m.first && i === nodes.length - 1 ? " backward" : ""}`);
    g.setAttribute("aria-label", `${nodes[i].name}${known ? `, value ${fixed(nodes[i].value)}` : ", not known yet"}${grad === null ? "" : `, gradient ${fixed(grad)}`}`);
  });
  const lit = step ? `${step.node}.${whichParent(m, m.at - m.first - 1)}` : "";
  m.root.querySelectorAll("[data-edge]").forEach((edge) => {
    const to = Number(edge.dataset.edge.split(".")[0]);
    edge.setAttribute("class", edge.dataset.edge === lit ? "backward" : to === now ? "forward" : "");
  });
  m.$(".say").innerHTML = sentence(m);
  m.$(".at").value = m.at;
  m.$(".at").setAttribute("aria-valuetext", `step ${m.at} of ${m.last}`);
  m.$(".play").textContent = m.timer ? "Pause" : "Play";
  m.$(".step").disabled = m.$(".all").disabled = m.at >= m.last;
  m.$(".back").disabled = m.at === 0;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    m = { root, $: (s) => root.querySelector(s) };
    mounted.set(parentElement, m);
    build(m);
    m.observer = new ResizeObserver(() => { if (m.narrow !== (root.clientWidth < 600)) { layout(m); show(m); } });
  }
  if (m.run !== data.run) {
    stop(m);
    const finished = m.at !== undefined && m.at === m.last;
    Object.assign(m, { data, run: data.run });
    plan(m);
    m.at = finished ? m.last : 0;
    layout(m);
    show(m);
    m.observer.observe(root);
  }
  return () => {
    stop(m);
    m.observer.disconnect();
    mounted.delete(parentElement);
  };
}
