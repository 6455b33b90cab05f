// The tree of likely continuations. Every node carries the chance of its token there; along a
// path the chances are multiplied.

const mounted = new WeakMap();
const percent = (p) => (p >= 0.0005 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");

/** The nodes of the tree by address: "0.2" is the third child of the first. */
function index(children, address, parent, all) {
  children.forEach((node, i) => {
    const key = address ? `${address}.${i}` : `${i}`;
    all.set(key, { ...node, key, parent, level: key.split(".").length });
    index(node.children, key, key, all);
  });
  return all;
}

const way = (key) => key.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."));

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);
  const shape = JSON.stringify(data.children);
  if (state.shape !== shape) {
    state.shape = shape;
    state.all = index(data.children, "", null, new Map());
    state.best = "0";
    while (state.all.has(`${state.best}.0`)) state.best += ".0";
    state.at = state.best;
    state.open = new Set(way(state.best));
  }
  const { all } = state;

  function nodeHtml(node) {
    const { key } = node;
    const inside = node.children.length > 0;
    const open = inside && state.open.has(key);
    const on = way(state.at).includes(key);
    const children = open ? `<ul role="group">${node.children.map((_, i) => nodeHtml(all.get(`${key}.${i}`))).join("")}</ul>` : "";
    return `<li role="none" class="${on ? "on" : ""}" style="--line:${(1 + 9 * node.p).toFixed(1)}px">
      <div class="node" role="treeitem" tabindex="${key === state.at ? 0 : -1}" data-key="${key}" aria-level="${node.level}"
        ${inside ? `aria-expanded="${open}"` : ""} aria-selected="${key === state.at}"
        aria-label="${escapeHtml(node.name)}, ${percent(node.p)}, path ${percent(node.path)}">
        <span class="name">${escapeHtml(node.name)}</span><span class="p">${percent(node.p)}</span>${
        inside ? `<span class="sign" aria-hidden="true">${open ? "−" : "+"}</span>` : ""}</div>${children}</li>`;
  }

  function draw(focus = false) {
    const top = data.children.map((_, i) => nodeHtml(all.get(`${i}`))).join("");
    root.innerHTML = `<ul class="tree" role="tree" aria-label="Likely continuations">${top}</ul><p class="say" aria-live="polite"></p>`;
    const path = way(state.at).map((key) => all.get(key));
    const product = path.map((node) => `<span class="name">${escapeHtml(node.name)}</span> ${node.p.toFixed(3)}`).join(" × ");
    const last = path[path.length - 1];
    root.querySelector(".say").innerHTML = `${product} = <b>${percent(last.path)}</b>${last.path < 0.5 && last.path > 0
      ? `, once in ${Math.max(1, Math.round(1 / last.path)).toLocaleString("en-US")} tries` : ""}.`;
    const nodes = [...root.querySelectorAll(".node")];
    nodes.forEach((node, i) => {
      const { key } = node.dataset;
      const entry = all.get(key);
      const go = (to) => {
        if (!to) return;
        state.at = to;
        draw(true);
      };
      node.onclick = () => {
        const again = state.at === key;
        if (again && state.open.has(key)) state.open.delete(key);
        else state.open.add(key);
        go(key);
      };
      node.onkeydown = (event) => {
        const act = {
          ArrowDown: () => go(nodes[i + 1]?.dataset.key),
          ArrowUp: () => go(nodes[i - 1]?.dataset.key),
          Home: () => go(nodes[0].dataset.key),
          End: () => go(nodes[nodes.length - 1].dataset.key),
          ArrowRight: () => {
            if (!entry.children.length) return;
            const was = state.open.has(key);
            state.open.add(key);
            go(was ? `${key}.0` : key);
          },
          ArrowLeft: () => {
            if (entry.children.length && state.open.delete(key)) go(key);
            else go(entry.parent);
          },
          Enter: () => node.onclick(),
          " ": () => node.onclick(),
        }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      };
    });
    if (focus) root.querySelector(`[data-key="${state.at}"]`).focus({ preventScroll: true });
  }
  draw();
  return () => mounted.delete(parentElement);
}
