// The engine as a house: a row for each floor, a brick for each module, as wide as it is long.
// A search over every function. What is opened is a state; other parts ask by "engine-open".

const mounted = new WeakMap();
const SHOWN = 12; // results of a search

const whole = (n) => n.toLocaleString("en-US");
const short = (name) => name.replace(/^microgpt\.?/, "") || "microgpt";

function houseHtml(data) {
  const brick = (module) => `<button type="button" class="brick" data-open="${module.name}" style="--lines:${module.lines}">
    <span class="label">${escapeHtml(module.name.split(".").pop())}</span> <span class="lines">${whole(module.lines)}</span></button>`;
  const floor = (f) => `<div class="floor" role="group" aria-label="${escapeHtml(f.name)}"><div class="sign"><b>${escapeHtml(f.name)}</b>
    <span class="quiet">${whole(f.modules.reduce((sum, m) => sum + m.lines, 0))} lines</span></div>
    <div class="bricks">${f.modules.map(brick).join("")}</div></div>`;
  return `<div class="search"><label for="search">Find a function</label>
    <input id="search" type="search" autocomplete="off" spellcheck="false" placeholder="softmax, cache, merge …">
    <p class="quiet count" role="status"></p><ul class="found"></ul></div>
    <div class="house">${data.floors.map(floor).join("")}</div>
    <p class="say" aria-live="polite"></p>`;
}

/** How well a function answers the words of a search; 0: not at all. */
export function fits(entry, words) {
  const name = entry.name.toLowerCase(), last = entry.short.toLowerCase(), about = entry.summary.toLowerCase();
  let score = 0;
  for (const word of words) {
    if (last === word) score += 8;
    else if (last.startsWith(word)) score += 5;
    else if (last.includes(word)) score += 3;
    else if (name.includes(word)) score += 2;
    else if (about.includes(word)) score += 1;
    else return 0;
  }
  return score;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null, open: "", over: "" };
  mounted.set(parentElement, state);
  const $ = (selector) => root.querySelector(selector);
  const $$ = (selector) => [...root.querySelectorAll(selector)];
  const modules = data.floors.flatMap((floor) => floor.modules);
  const entries = modules.flatMap((module) => module.functions);

  const shape = JSON.stringify(data.floors);
  if (state.shape !== shape) {
    root.innerHTML = houseHtml(data);
    state.shape = shape;
  }
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.open = data.initial.open;
  }
  state.open ||= data.opened;
  const holder = (name) => modules.find((m) => m.name === name)
    || modules.find((m) => m.functions.some((f) => f.name === name));

  function mark() {
    const here = holder(state.over || state.open);
    const above = here ? modules.filter((m) => m.imports.includes(here.name)) : [];
    for (const brick of $$(".brick")) {
      const name = brick.dataset.open;
      brick.classList.toggle("below", !!here && here.imports.includes(name));
      brick.classList.toggle("above", above.some((m) => m.name === name));
      brick.classList.toggle("at", holder(state.open)?.name === name);
      brick.setAttribute("aria-pressed", String(holder(state.open)?.name === name));
    }
    if (!here) return;
    const list = (names) => names.map((name) => `<code>${short(name)}</code>`).join(", ");
    const stands = here.imports.length
      ? `stands on <i class="below">▼</i> ${list(here.imports)}` : "stands on nothing else of the engine";
    const carries = above.length
      ? `<i class="above">▲</i> ${list(above.map((m) => m.name))} ${above.length > 1 ? "stand" : "stands"} on it`
      : "nothing else of the engine stands on it";
    $(".say").innerHTML = `<code>${short(here.name)}</code> ${stands}; ${carries}.`;
  }

  function open(name) {
    if (!holder(name)) return;
    state.open = name;
    state.over = "";
    mark();
    setStateValue("open", name);
  }

  for (const brick of $$(".brick")) {
    const over = (name) => () => {
      state.over = name;
      mark();
    };
    brick.onpointerenter = brick.onfocus = over(brick.dataset.open);
    brick.onpointerleave = brick.onblur = over("");
    brick.onclick = () => open(brick.dataset.open);
  }

  const search = $("#search");
  search.oninput = () => {
    const words = search.value.toLowerCase().split(/[\s.()]+/).filter(Boolean).slice(0, 8);
    const found = words.length
      ? entries.map((entry) => [fits(entry, words), entry]).filter(([score]) => score).sort((a, b) => b[0] - a[0]) : [];
    const more = found.length > SHOWN ? `, the best ${SHOWN} shown` : "";
    $(".count").textContent = !words.length ? ""
      : found.length ? `${found.length} of ${entries.length} found${more}` : `None of the ${entries.length} functions fits.`;
    $(".found").innerHTML = found.slice(0, SHOWN).map(([, entry]) => `<li><button type="button" data-open="${entry.name}">
      <code>${escapeHtml(entry.short)}</code> <span class="quiet">${short(entry.module)}</span><br>${escapeHtml(entry.summary).replace(/`([^`]+)`/g, "<code>$1</code>")}</button></li>`).join("");
    const hits = new Set(found.map(([, entry]) => entry.module));
    $$(".brick").forEach((brick) => brick.classList.toggle("hit", hits.has(brick.dataset.open)));
    $$(".found button").forEach((button) => (button.onclick = () => open(button.dataset.open)));
  };
  $(".search").onkeydown = (event) => {
    if (event.key === "Escape") {
      search.value = "";
      search.oninput();
      search.focus();
    }
    const buttons = $$(".found button");
    const at = buttons.indexOf(root.getRootNode().activeElement);
    if (event.key === "Enter" && at < 0 && buttons.length) buttons[0].click();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !buttons.length) return;
    event.preventDefault();
    (at + step < 0 ? search : buttons[Math.min(buttons.length - 1, at + step)]).focus();
  };

  removeEventListener("engine-open", state.listen);
  state.listen = (event) => open(event.detail);
  addEventListener("engine-open", state.listen);
  removeEventListener("engine-house", state.home);
  state.home = () => {
    root.scrollIntoView({ block: "start", behavior: reducedMotion() ? "auto" : "smooth" });
    $(".brick.at")?.focus({ preventScroll: true });
  };
  addEventListener("engine-house", state.home);
  mark();
  return () => {
    removeEventListener("engine-open", state.listen);
    removeEventListener("engine-house", state.home);
    mounted.delete(parentElement);
  };
}
