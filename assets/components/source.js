// The source panel: real lines with their real numbers, the ones that matter lit.

const mounted = new WeakMap();

function line(pieces, number, lit) {
  const code = pieces
    .map(([kind, text]) => (kind ? `<i class="${kind}">${escapeHtml(text)}</i>` : escapeHtml(text)))
    .join("");
  const said = lit ? '<span class="hidden-text">this line: </span>' : "";
  return `<span class="line${lit ? " lit" : ""}"><span class="number">${number}</span>${said}${code}\n</span>`;
}

function panel(tab) {
  const lit = new Set(tab.focus);
  return tab.lines.map((pieces, i) => line(pieces, tab.first + i, lit.has(tab.first + i))).join("");
}

function summary(tab) {
  const where = tab.focus.length ? `${tab.path}, line ${tab.focus[0]}` : tab.path;
  return `Read the code: <code>${escapeHtml(tab.name)}</code> <span class="quiet">${escapeHtml(where)}</span>`;
}

function tabButtons(tabs, chosen) {
  if (tabs.length < 2) return "";
  const button = (tab, i) =>
    `<button type="button" role="tab" id="tab${i}" aria-selected="${i === chosen}"
      aria-controls="code" tabindex="${i === chosen ? 0 : -1}">${tab.label}${tab.ran ? " · ran here" : ""}</button>`;
  return `<div role="tablist" aria-label="Version of the code">${tabs.map(button).join("")}</div>`;
}

function facts(live) {
  const row = ([name, words]) => `<li><code>${escapeHtml(name)}</code> here: ${escapeHtml(words)}</li>`;
  return live.length ? `<ul class="facts">${live.map(row).join("")}</ul>` : "";
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {
    opened: data.opened,
    chosen: Math.max(0, data.tabs.findIndex((tab) => tab.ran)),
  };
  mounted.set(parentElement, state);
  if (state.chosen >= data.tabs.length) state.chosen = 0;

  const show = (focusTab = false) => {
    const tab = data.tabs[state.chosen];
    root.innerHTML = `<details ${state.opened ? "open" : ""}>
      <summary>${summary(tab)}</summary>
      ${tabButtons(data.tabs, state.chosen)}
      <pre id="code" tabindex="0" role="region" aria-label="Source of ${escapeHtml(tab.name)}"><code>${panel(tab)}</code></pre>
      ${facts(data.live)}</details>`;
    const details = root.querySelector("details");
    const lookAtLit = () => {
      const code = root.querySelector("pre");
      const lit = root.querySelector(".lit");
      if (lit) code.scrollTop = lit.offsetTop - code.offsetTop - code.clientHeight / 3;
    };
    details.ontoggle = () => {
      state.opened = details.open;
      lookAtLit();
    };
    lookAtLit();
    const tabs = [...root.querySelectorAll("[role=tab]")];
    const choose = (i) => {
      state.chosen = (i + tabs.length) % tabs.length;
      show(true);
    };
    tabs.forEach((button, i) => {
      button.onclick = () => choose(i);
      button.onkeydown = (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        event.preventDefault();
        choose(i + step);
      };
    });
    if (focusTab) tabs[state.chosen].focus();
  };
  show();
  return () => mounted.delete(parentElement);
}
