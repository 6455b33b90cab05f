// One line to type in, and the likeliest next tokens as bars that move while you type.

const mounted = new WeakMap();
const ROW = 38; // pixels
const FIRST_HINT = "The bars are its guesses for what comes next. Press Enter, and it says the first.";

function percent(p) {
  if (p < 0.0005) return "< 0.1 %";
  return `${(100 * p).toFixed(p < 0.0995 || (p > 0.9905 && p < 0.9995) ? 1 : 0)} %`;
}

function build(root, data) {
  root.innerHTML = `
    <label for="line">Type something</label>
    <div class="line">
      <textarea id="line" rows="1" maxlength="${data.longest}" spellcheck="false" autocomplete="off"
        autocapitalize="off" aria-describedby="hint"></textarea>
      <button type="button" class="enter" title="Say the likeliest token"><span class="hidden-text">Press Enter: say the likeliest token</span><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 5v6a3 3 0 0 1-3 3H5m5-5-5 5 5 5"/></svg></button>
    </div>
    <p id="hint" class="quiet" role="status"></p>
    <div class="examples" role="group" aria-label="Lines to try">${data.examples
      .map((example, i) => `<button type="button" data-i="${i}">${escapeHtml(example.prompt)}</button>`)
      .join("")}</div>
    <ol class="bars" aria-label="Likeliest next tokens"></ol>`;
}

/** Rows keep their token, so that a bar travels to its new place instead of being redrawn. */
function drawBars(list, bars) {
  const old = new Map([...list.children].map((row) => [row.dataset.token, row]));
  bars.forEach((bar, i) => {
    let row = old.get(String(bar.token));
    if (!row) {
      row = document.createElement("li");
      row.dataset.token = bar.token;
      row.innerHTML = `<code></code><span class="track"><span class="bar"></span></span><span class="percent"></span>`;
      row.style.transform = `translateY(${bars.length * ROW}px)`;
      list.append(row);
      row.offsetTop; // so that the new row comes in from below
    }
    old.delete(String(bar.token));
    row.querySelector("code").textContent = visible(bar.name);
    row.querySelector(".bar").style.transform = `scaleX(${bar.probability})`;
    row.querySelector(".percent").textContent = percent(bar.probability);
    row.style.transform = `translateY(${i * ROW}px)`;
  });
  old.forEach((row) => row.remove());
  // The order in the document is the order on the screen, for those who listen.
  const order = bars.map((bar) => [...list.children].find((row) => row.dataset.token === String(bar.token)));
  order.forEach((row, i) => { if (list.children[i] !== row) list.insertBefore(row, list.children[i]); });
  list.style.height = `${bars.length * ROW}px`;
}

function fit(line) {
  line.style.height = "auto";
  line.style.height = `${line.scrollHeight}px`;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    state = { enters: 0 };
    mounted.set(parentElement, state);
    build(root, data);
    root.querySelector("textarea").value = data.text;
    root.querySelector("#hint").textContent = FIRST_HINT;
    state.ask = debounce((text) => state.send(text), 100);
  }
  const line = root.querySelector("textarea");
  state.send = (text) => setStateValue("text", text);
  drawBars(root.querySelector(".bars"), data.bars);

  const hint = (words) => (root.querySelector("#hint").textContent = words);
  const say = () => {
    if (line.value !== data.text) return; // the answer to the newest text is on its way
    const best = data.bars[0];
    state.enters -= 1;
    if (best.text === null || line.value.length + best.text.length > data.longest) {
      state.enters = 0;
      hint("The likeliest next token is the end: it has nothing to add. Type on.");
      return;
    }
    line.value += best.text;
    hint(`It said \u201c${visible(best.name)}\u201d, with ${percent(best.probability)}.`);
    fit(line);
    line.scrollTop = line.scrollHeight;
    state.ask.cancel();
    state.send(line.value);
  };
  const enter = () => {
    state.enters = Math.min(state.enters + 1, 3);
    say();
  };
  line.oninput = () => {
    line.value = line.value.replace(/\n/g, " ");
    state.enters = 0;
    fit(line);
    state.ask(line.value);
  };
  line.onkeydown = (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    enter();
  };
  root.querySelector(".enter").onclick = enter;
  for (const button of root.querySelectorAll(".examples button")) {
    const example = data.examples[Number(button.dataset.i)];
    button.onclick = () => {
      line.value = example.prompt;
      state.enters = 0;
      hint(`Try it to its end: ${example.note}.`);
      fit(line);
      state.ask.cancel();
      state.send(line.value);
    };
  }
  fit(line);
  if (state.enters > 0) say();

  return () => {
    state.ask.cancel();
    mounted.delete(parentElement);
  };
}
