// The five knobs of sampling and a few settings to try. Every move is told to the picture in the
// same frame ("sampling-settings"); Python hears of it on release.

const mounted = new WeakMap();
const KNOBS = [
  ["temperature", "Temperature", "0 takes the best · 1 as trained"],
  ["top_k", "Top-k", "keep the k best · 0 is off"],
  ["top_p", "Top-p", "keep the best that hold this much · 1 is off"],
  ["min_p", "Min-p", "keep what is this likely next to the best · 0 is off"],
  ["repetition_penalty", "Repetition penalty", "lower what stood there before · 1 is off"],
];
const SLIDER_END = { top_k: 50, min_p: 0.5, repetition_penalty: 2 };

const same = (a, b) => KNOBS.every(([name]) => a[name] === b[name]);

function knobHtml([name, label, hint], [low, high, step]) {
  return `<div class="knob" data-name="${name}">
    <label for="${name}">${label}</label>
    <input type="number" min="${low}" max="${high}" step="${step}" aria-label="${label}, as a number" inputmode="decimal">
    <input type="range" id="${name}" min="${low}" max="${SLIDER_END[name] ?? high}" step="${step}" aria-describedby="${name}-hint">
    <span class="quiet" id="${name}-hint">${hint}</span></div>`;
}

function pageHtml(data) {
  const knobs = KNOBS.map((knob) => knobHtml(knob, data.limits[knob[0]]));
  const presets = data.presets.map((p, i) =>
    `<button type="button" data-preset="${i}" aria-pressed="false">${escapeHtml(p.label)}</button>`);
  return `<div class="presets" role="group" aria-label="Settings to try">${presets.join("")}</div>
    ${knobs[0]}<details><summary>Cut and penalize <span class="quiet now"></span></summary>
    <div class="more">${knobs.slice(1).join("")}</div></details><p class="warning" role="status"></p>`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { rev: null };
  mounted.set(parentElement, state);
  const $ = (selector) => root.querySelector(selector);
  const inputs = (name) => [...root.querySelectorAll(`[data-name=${name}] input`)];
  if (!root.firstElementChild) {
    root.innerHTML = pageHtml(data);
    const cuts = KNOBS.slice(1).some(([name]) => data.initial.settings[name] !== data.off[name]);
    $("details").open = cuts && root.clientWidth > 620;
  }

  const tell = () => {
    dispatchEvent(new CustomEvent("sampling-settings", { detail: { ...state.settings } }));
  };
  const commit = () => {
    if (same(state.settings, state.sent)) return;
    state.sent = { ...state.settings };
    setStateValue("settings", state.sent);
  };
  state.commit?.cancel();
  state.commit = debounce(commit, 120);

  function show(except = null) {
    for (const [name] of KNOBS) {
      for (const input of inputs(name)) if (input !== except) input.value = state.settings[name];
    }
    const on = KNOBS.slice(1).filter(([name]) => state.settings[name] !== data.off[name]);
    $(".now").textContent = on.length
      ? on.map(([name, label]) => `${label} ${state.settings[name]}`).join(" · ") : "all off";
    root.querySelectorAll("[data-preset]").forEach((button, i) =>
      button.setAttribute("aria-pressed", same(state.settings, data.presets[i].settings)));
  }

  function adopt(name, typed, from) {
    const [low, high, step] = data.limits[name];
    const number = Number(typed);
    const usable = String(typed).trim() !== "" && Number.isFinite(number);
    const near = Math.round(Math.min(high, Math.max(low, number)) / step) * step;
    const value = usable ? Math.max(low, Number(near.toFixed(4))) : state.settings[name];
    const label = KNOBS.find((knob) => knob[0] === name)[1];
    const inside = usable && number >= low && number <= high;
    $(".warning").textContent = inside ? ""
      : `${label} is a number from ${low} to ${high}; ${value} is used.`;
    state.settings = { ...state.settings, [name]: value };
    show(from);
    tell();
  }

  for (const [name] of KNOBS) {
    const [number, range] = inputs(name);
    range.oninput = () => {
      state.commit.cancel();
      adopt(name, range.value, range);
    };
    range.onpointerdown = () => {
      state.keys = false; // in braces: a handler that returns false would forbid the drag
    };
    range.onkeydown = () => (state.keys = true);
    range.onchange = () => (state.keys ? state.commit() : commit()); // a held key repeats
    number.onchange = () => {
      adopt(name, number.value, null);
      commit();
    };
  }
  root.querySelectorAll("[data-preset]").forEach((button, i) => {
    button.onclick = () => {
      state.settings = { ...data.presets[i].settings };
      $(".warning").textContent = "";
      show();
      tell();
      commit();
    };
  });

  removeEventListener("sampling-use", state.use);
  state.use = ({ detail }) => {
    state.settings = { ...state.settings, ...detail };
    show();
    tell();
    commit();
  };
  addEventListener("sampling-use", state.use);
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.settings = { ...data.initial.settings };
    state.sent = { ...state.settings };
    show();
    tell();
  }
  return () => {
    state.commit.cancel();
    removeEventListener("sampling-use", state.use);
    mounted.delete(parentElement);
  };
}
