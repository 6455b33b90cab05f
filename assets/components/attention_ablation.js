// Take heads away, and see what the model can't do any more.

const mounted = new WeakMap();
const share = (x) => `${(100 * x).toFixed(0)} %`, tenth = (x) => `${(100 * x).toFixed(1)} %`;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    root.innerHTML = `<div class="two"><div><p class="quiet">Press a head to take it away; press again to put it back.</p>
      <div class="grid"></div><div class="buttons"><button type="button" class="all">Take a whole layer: <span></span></button>
      <button type="button" class="none">Put all back</button></div></div>
      <div><table><thead><tr><th>What the model can do</th><th>whole</th><th>now</th></tr></thead><tbody></tbody></table>
      <p class="quiet next"></p><div class="bars" role="list"></div></div></div>`;
    state = { rev: null };
    mounted.set(parentElement, state);
  }
  const $ = (selector) => root.querySelector(selector), { layers, heads } = data;
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.taken = new Set(data.taken.map(String));
    state.layer = data.taken.length ? data.taken[0][0] : 0;
  }
  const grid = $(".grid");
  if (grid.childElementCount !== layers * (heads + 1)) {
    grid.style.setProperty("--heads", heads);
    grid.innerHTML = [...Array(layers).keys()].map((l) => `<span>layer ${l + 1}</span>` + [...Array(heads).keys()].map((h) =>
      `<button type="button" data-head="${l},${h}" aria-label="layer ${l + 1}, head ${h + 1}">${heads > 5 ? h + 1 : `head ${h + 1}`}</button>`).join("")).join("");
  }
  const paint = () => {
    grid.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", state.taken.has(b.dataset.head)));
    $(".all span").textContent = state.layer + 1;
  };
  const send = () => { paint(); setStateValue("taken", [...state.taken].map((s) => s.split(",").map(Number))); };
  grid.querySelectorAll("button").forEach((b) => {
    b.onclick = () => {
      state.layer = Number(b.dataset.head.split(",")[0]);
      if (!state.taken.delete(b.dataset.head)) state.taken.add(b.dataset.head);
      send();
    };
  });
  $(".none").onclick = () => { state.taken.clear(); send(); };
  $(".all").onclick = () => { for (let h = 0; h < heads; h++) state.taken.add(`${state.layer},${h}`); send(); };
  paint();

  const line = (what, i, shown, worse) => `<tr><td>${what}</td><td>${shown(data.whole[i])}</td>
    <td class="${worse ? "worse" : ""}">${shown(data.left[i])}${worse ? (i ? " ▼" : " ▲") : ""}</td></tr>`;
  $("tbody").innerHTML = line("loss, nats a token", 0, (x) => x.toFixed(2), data.left[0] > data.whole[0] + 0.05)
    + line("copies repeated words", 1, share, data.left[1] < data.whole[1] - 0.05)
    + line("answers who is meant", 2, share, data.left[2] < data.whole[2] - 0.05);
  $(".next").textContent = "Next token after your sentence. Outlined: whole; filled: now.";
  $(".bars").innerHTML = data.tokens.map((t, i) => `<div class="bar" role="listitem"><b>${escapeHtml(t)}</b><span class="track">
    <i class="was" style="width:${100 * data.before[i]}%"></i><i class="is" style="width:${100 * data.after[i]}%"></i></span>
    <span>${tenth(data.before[i])} → ${tenth(data.after[i])}</span></div>`).join("");
  return () => mounted.delete(parentElement);
}
