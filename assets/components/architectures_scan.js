// The scan, one token at a time: the state fades, the token writes into it, and it is read.
// Python sends all steps at once; here is the player, the bars of one step and the whole history.

const mounted = new WeakMap();
const SLOW = 900; // milliseconds a step when it plays by itself

const signed = (x, digits = 3) => `${x < 0 ? "−" : ""}${Math.abs(x).toFixed(digits)}`;

const PAGE = `
  <div class="row"><label>Channel <select class="channel"></select></label>
    <button type="button" class="play"></button>
    <button type="button" class="back">Back</button><button type="button" class="next">Next token</button></div>
  <input type="range" class="step" min="0" step="1" aria-label="Token">
  <div class="text" aria-hidden="true"></div>
  <p class="say" aria-live="polite"></p>
  <div class="legend quiet"><span class="old">what stays of the old state</span><span class="new">what the token writes</span><span class="now">the state now</span></div>
  <div class="bars" role="img"></div>
  <div class="history" role="img"></div>
  <p class="quiet">The history: a column for each token, a row for each number of the state. Blue is below 0, orange above; the paler, the nearer to 0.</p>`;

/** One step of the scan: [{ stays, writes, now, kept }] for each number of the state. */
export function step(channel, t, numbers) {
  return Array.from({ length: numbers }, (_, n) => {
    const old = t ? channel.states[(t - 1) * numbers + n] : 0;
    const kept = channel.kept[t * numbers + n];
    const writes = channel.written[t * numbers + n];
    return { stays: kept * old, writes, now: channel.states[t * numbers + n], kept, old };
  });
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { t: 1, channel: 0, timer: 0, rev: null, run: null };
  mounted.set(parentElement, state);
  if (!root.firstElementChild) root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  const { tokens, numbers } = data;
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    state.channel = Math.min(data.channels.length - 1, Math.max(0, Number(data.initial.channel) || 0));
  }
  if (state.run !== data.run) {
    state.run = data.run;
    state.channels = data.channels.map((c) => {
      const arrays = ["x", "delta", "kept", "written", "states", "looked", "read"].map((name) => [name, unpack(c[name])]);
      return { ...c, ...Object.fromEntries(arrays) };
    });
  }
  state.t = Math.min(state.t, tokens.length - 1);
  const stop = () => {
    clearInterval(state.timer);
    state.timer = 0;
  };

  const select = $(".channel");
  select.innerHTML = data.channels.map((c, i) => `<option value="${i}">${c.number}</option>`).join("");
  select.value = state.channel;
  select.onchange = () => {
    state.channel = Number(select.value);
    setStateValue("channel", state.channel);
    draw();
  };
  const go = (t) => {
    state.t = Math.min(tokens.length - 1, Math.max(0, t));
    draw();
  };
  $(".back").onclick = () => { stop(); go(state.t - 1); };
  $(".next").onclick = () => { stop(); go(state.t + 1); };
  $(".step").max = tokens.length - 1;
  $(".step").oninput = () => { stop(); go(Number($(".step").value)); };
  $(".play").onclick = () => {
    if (state.timer) stop();
    else {
      if (state.t === tokens.length - 1) state.t = -1;
      go(state.t + 1);
      state.timer = setInterval(() => {
        if (state.t >= tokens.length - 1) stop();
        else go(state.t + 1);
        if (!state.timer) draw();
      }, SLOW);
    }
    draw();
  };

  function history(channel, most) {
    const cells = [];
    for (let t = 0; t < tokens.length; t++) {
      for (let n = 0; n < numbers; n++) {
        const share = channel.states[t * numbers + n] / most;
        const color = share < 0 ? "var(--query)" : "var(--key)";
        cells.push(`<rect x="${t}" y="${n}" width="1" height="1" fill="${color}" fill-opacity="${Math.sqrt(Math.abs(share)).toFixed(3)}"/>`);
      }
    }
    return `<svg viewBox="0 0 ${tokens.length} ${numbers}" preserveAspectRatio="none" aria-hidden="true">${cells.join("")}
      <rect class="here" x="${state.t}" y="0" width="1" height="${numbers}"/></svg>`;
  }

  function draw() {
    const channel = state.channels[state.channel];
    const { t } = state;
    const rows = step(channel, t, numbers);
    let most = 1e-9;
    for (const x of channel.states) most = Math.max(most, Math.abs(x));
    $(".play").textContent = state.timer ? "Pause" : "Play";
    $(".step").value = t;
    $(".step").setAttribute("aria-valuetext", `${visible(tokens[t])}, token ${t + 1} of ${tokens.length}`);
    $(".text").innerHTML = tokens.map((name, i) =>
      `<span class="${i === t ? "at" : i < t ? "read" : ""}">${escapeHtml(visible(name))}</span>`).join("");
    const wide = (x) => (50 * Math.min(1, Math.abs(x) / most)).toFixed(2);
    const bar = (x, name) => `<i class="${name}" style="width:${wide(x)}%;${x < 0 ? "right" : "left"}:50%"></i>`;
    $(".bars").innerHTML = rows.map((row, n) => `<div class="bar"><span>${n + 1}</span><div class="track">
      ${bar(row.stays, "old")}${bar(row.writes, "new")}<u style="left:${50 + Math.sign(row.now) * Number(wide(row.now))}%"></u></div>
      <em>${(100 * row.kept).toFixed(0)} % stays</em></div>`).join("");
    const sum = rows.reduce((total, row, n) => total + channel.looked[t * numbers + n] * row.now, 0);
    const kept = rows.reduce((total, row) => total + row.kept, 0) / numbers;
    $(".say").innerHTML = `<b class="name">${escapeHtml(visible(tokens[t]))}</b>: step Δ = ${channel.delta[t].toFixed(3)}, so on average
      ${(100 * kept).toFixed(0)} % of the state stays; input ${signed(channel.x[t])}. Read: ${signed(sum)} from the state
      ${channel.skip * channel.x[t] < 0 ? "−" : "+"} ${Math.abs(channel.skip * channel.x[t]).toFixed(3)} past it = <b>${signed(channel.read[t])}</b>.`;
    const longest = rows.reduce((best, row, n) => (row.kept > rows[best].kept ? n : best), 0);
    $(".bars").setAttribute("aria-label", `The ${numbers} numbers of the state at token ${t + 1}. Number ${longest + 1} keeps the most, ${(100 * rows[longest].kept).toFixed(0)} %.`);
    $(".history").setAttribute("aria-label", `The state after each of ${tokens.length} tokens; token ${t + 1} is marked.`);
    $(".history").innerHTML = history(channel, most);
  }
  draw();
  return () => {
    stop();
    mounted.delete(parentElement);
  };
}
