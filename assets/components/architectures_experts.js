// Tokens as they stand in the text; under each, one small column for every expert of the layer.
// One token is looked at (mouse, finger or arrow keys): its chances, and who takes it.

const mounted = new WeakMap();
const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;

const PAGE = `
  <div class="tabs" role="group" aria-label="Layer"></div>
  <div class="text" role="listbox" aria-label="Tokens, and the experts that take them"></div>
  <p class="say" aria-live="polite"></p>
  <div class="experts" role="table" aria-label="The experts of this layer"></div>`;

/** What one token does in one layer: [{ expert, share }], the largest share first. */
export function visits(chosen, shares, layer, token, tokens, active) {
  const start = (layer * tokens + token) * active;
  return Array.from({ length: active }, (_, k) => ({
    expert: chosen[start + k], share: shares[start + k],
  }));
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { layer: 0, token: 1, expert: null, rev: null };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.layer = Math.min(data.layers - 1, Math.max(0, Number(data.initial.layer) || 0));
  }
  const $ = (selector) => root.querySelector(selector);
  const [router, chosen, shares] = [data.router, data.chosen, data.shares].map(unpack);
  const { experts, active, tokens } = data;
  state.token = Math.min(state.token, tokens.length - 1);
  const of = (token) => visits(chosen, shares, state.layer, token, tokens.length, active);

  function tabs() {
    $(".tabs").innerHTML = Array.from({ length: data.layers }, (_, i) =>
      `<button type="button" data-layer="${i}" aria-pressed="${i === state.layer}">Layer ${i + 1}</button>`).join("");
    root.querySelectorAll("[data-layer]").forEach((button) => {
      button.onclick = () => {
        state.layer = Number(button.dataset.layer);
        setStateValue("layer", state.layer);
        draw();
        root.querySelector(`[data-layer="${state.layer}"]`).focus();
      };
    });
  }

  function text() {
    $(".text").innerHTML = tokens.map((name, i) => {
      const taken = of(i);
      const columns = Array.from({ length: experts }, (_, e) => {
        const visit = taken.find((one) => one.expert === e);
        return `<i style="height:${visit ? 3 + 15 * visit.share : 1}px" class="${visit ? "in" : ""}"></i>`;
      }).join("");
      const here = taken.some((one) => one.expert === state.expert);
      const words = taken.filter((one) => one.share > 0)
        .map((one) => `expert ${one.expert + 1} ${percent(one.share)}`).join(", ");
      return `<span role="option" class="chip${here ? " here" : ""}" data-token="${i}" id="t${i}"
        aria-selected="${i === state.token}" tabindex="${i === state.token ? 0 : -1}"
        aria-label="${escapeHtml(`${name}: ${words}`)}"><b>${escapeHtml(visible(name))}</b><span class="columns">${columns}</span></span>`;
    }).join("");
    root.querySelectorAll(".chip").forEach((chip) => {
      const look = () => show(Number(chip.dataset.token), false);
      chip.onpointerenter = look;
      chip.onclick = look;
      chip.onkeydown = (event) => {
        const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const place = { Home: 0, End: tokens.length - 1 }[event.key];
        if (move === undefined && place === undefined) return;
        event.preventDefault();
        show(Math.min(tokens.length - 1, Math.max(0, place ?? state.token + move)), true);
      };
    });
  }

  function show(token, focus) {
    state.token = token;
    root.querySelectorAll(".chip").forEach((chip, i) => {
      chip.setAttribute("aria-selected", i === token);
      chip.tabIndex = i === token ? 0 : -1;
      if (i === token && focus) chip.focus();
    });
    detail();
  }

  function detail() {
    const taken = of(state.token);
    const start = (state.layer * tokens.length + state.token) * experts;
    const load = data.loads[state.layer];
    const said = taken.filter((one) => one.share > 0)
      .map((one) => `expert ${one.expert + 1} gives ${percent(one.share)} of the answer`).join(" and ");
    $(".say").innerHTML = `<b class="name">${escapeHtml(visible(tokens[state.token]))}</b> in layer ${state.layer + 1}: ${said || "every expert was full, so it passes by"}.`;
    const head = `<div role="row" class="row quiet"><span role="columnheader">expert</span><span role="columnheader">router,
      before the cut</span><span role="columnheader" class="number">after</span><span role="columnheader">load: all tokens here</span></div>`;
    const most = Math.max(0.4, ...load);
    $(".experts").innerHTML = head + Array.from({ length: experts }, (_, e) => {
      const p = router[start + e];
      const visit = taken.find((one) => one.expert === e && one.share > 0);
      return `<div role="row" class="row${visit ? " taken" : ""}">
        <span role="rowheader"><button type="button" data-expert="${e}" aria-pressed="${e === state.expert}" title="Show its tokens">${e + 1}</button></span>
        <span role="cell" class="bar"><span class="track"><i style="width:${100 * p}%"></i></span><em>${percent(p)}</em></span>
        <span role="cell" class="number">${visit ? percent(visit.share) : "–"}</span>
        <span role="cell" class="bar load"><span class="track"><i style="width:${(100 * load[e]) / most}%"></i><u style="left:${100 / experts / most}%"></u></span><em>${percent(load[e])}</em></span></div>`;
    }).join("");
    root.querySelectorAll("[data-expert]").forEach((button) => {
      button.onclick = () => {
        const expert = Number(button.dataset.expert);
        state.expert = state.expert === expert ? null : expert;
        draw();
        root.querySelector(`[data-expert="${expert}"]`).focus();
      };
    });
  }

  function draw() {
    tabs();
    text();
    detail();
  }
  draw();
  return () => mounted.delete(parentElement);
}
