// Two real answers to one question: click the better one, or press 1 / left, 2 / right, 0 for no
// difference, Backspace to go back. All pairs are here; Python only hears what was chosen.

const mounted = new WeakMap();
const STORE = "press-enter-clicks"; // of this tab: a reload must not cost twenty clicks
const PAGE = `<div class="desk" role="group" tabindex="-1">
    <p class="question"></p>
    <div class="two">
      <button type="button" data-side="0"><span class="key">1</span><span class="text"></span></button>
      <button type="button" data-side="1"><span class="key">2</span><span class="text"></span></button>
    </div>
    <div class="bar"><button type="button" class="small" data-side="-1">No difference</button>
      <button type="button" class="small back">Back</button>
      <button type="button" class="small main more">20 more pairs</button>
      <span class="track"><i></i></span><span class="count" aria-hidden="true"></span></div>
    <p class="quiet keys">Keys: 1 or ← for the left answer, 2 or → for the right one, 0 for no difference, Backspace to go back.</p>
    <p class="say hidden-text" aria-live="polite"></p></div>`;

/** What is kept of a tab's earlier clicks: only picks of pairs that exist. */
export function restored(text, view) {
  let kept = null;
  try { kept = JSON.parse(text); } catch { return null; }
  if (!kept || kept.view !== view || typeof kept.picks !== "object" || !Number.isInteger(kept.rounds)) return null;
  return { rounds: kept.rounds, picks: kept.picks };
}

const answerHtml = (answer) => escapeHtml(answer.text || "(it says nothing)") + (answer.ended ? "" : ' <i class="quiet">… it does not stop</i>');

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state || state.rev !== data.rev) {
    const known = data.initial.clicks || { rounds: 1, picks: {} };
    state = { rev: data.rev, rounds: known.rounds, picks: { ...known.picks }, at: 0, length: 0 };
    mounted.set(parentElement, state);
    if (!root.firstElementChild) root.innerHTML = PAGE;
    if (!data.rev && !Object.keys(state.picks).length) {
      let kept = null;
      try { kept = restored(sessionStorage.getItem(STORE), data.view); } catch { /* no storage */ }
      if (kept) { Object.assign(state, kept); setStateValue("clicks", kept); }
    }
  }
  if (state.length !== data.pairs.length) { // new pairs: on to the first that is not judged
    state.length = data.pairs.length;
    state.at = data.pairs.findIndex((pair) => !(pair.name in state.picks));
    if (state.at < 0) state.at = data.pairs.length;
  }
  const $ = (selector) => root.querySelector(selector);
  const { pairs } = data;

  function tell() {
    const clicks = { rounds: state.rounds, picks: state.picks };
    try { sessionStorage.setItem(STORE, JSON.stringify({ ...clicks, view: data.view })); } catch { /* no storage */ }
    setStateValue("clicks", { rounds: state.rounds, picks: { ...state.picks } });
  }
  function draw() {
    const done = state.at >= pairs.length, pair = pairs[Math.min(state.at, pairs.length - 1)];
    $(".desk").classList.toggle("done", done);
    $(".question").innerHTML = done ? `You have judged all ${pairs.length} pairs.` : `<span class="quiet">Somebody asks</span> ${escapeHtml(pair.question)}`;
    root.querySelectorAll(".two button").forEach((button, side) => {
      button.querySelector(".text").innerHTML = answerHtml(pair.answers[side]);
      button.setAttribute("aria-pressed", state.picks[pair.name] === side);
      button.setAttribute("aria-label", `Answer ${side + 1}: ${pair.answers[side].text || "it says nothing"}`);
    });
    $(".track i").style.width = `${(100 * Object.keys(state.picks).length) / pairs.length}%`;
    $(".count").textContent = done ? `${pairs.length} of ${pairs.length}` : `pair ${state.at + 1} of ${pairs.length}`;
    $(".desk").setAttribute("aria-label", done ? "All pairs judged" : `Pair ${state.at + 1} of ${pairs.length}. Which answer is better?`);
    $(".back").disabled = state.at === 0;
    $(".more").hidden = !done || state.rounds >= data.most;
  }
  function choose(side) {
    if (state.at >= pairs.length) return;
    state.picks[pairs[state.at].name] = side;
    state.at += 1;
    draw();
    const next = pairs[state.at];
    $(".say").textContent = next ? `Pair ${state.at + 1} of ${pairs.length}. ${next.question} One: ${next.answers[0].text}. Two: ${next.answers[1].text}.`
      : `All ${pairs.length} pairs are judged.`;
    if (!next) $(".desk").focus({ preventScroll: true });
    tell();
  }
  root.querySelectorAll("[data-side]").forEach((button) => { button.onclick = () => choose(Number(button.dataset.side)); });
  const back = () => { state.at = Math.max(0, state.at - 1); draw(); };
  $(".back").onclick = back;
  $(".more").onclick = () => { state.rounds += 1; tell(); };
  $(".desk").onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const side = { 1: 0, ArrowLeft: 0, 2: 1, ArrowRight: 1, 0: -1 }[event.key];
    if (side === undefined && event.key !== "Backspace") return;
    event.preventDefault();
    if (side === undefined) back();
    else choose(side);
  };
  draw();
  return () => mounted.delete(parentElement);
}
