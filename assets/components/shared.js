// Stands before every component: the few helpers that all of them need.

const _ARRAYS = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };

/** The typed array that Python's packed(array) sent; its shape is packed.shape. */
function unpack(packed) {
  const text = atob(packed.packed), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // from() takes ten times as long
  return new _ARRAYS[packed.dtype](bytes.buffer);
}

/** Text made safe for innerHTML and for attributes. */
function escapeHtml(text) {
  const names = { "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "#39" };
  return String(text).replace(/[&<>"']/g, (c) => `&${names[c]};`);
}

/** A token as it is shown: a space as a dot, line breaks and tabs as arrows, nothing invisible. */
function visible(text) {
  return text.replace(/ /g, "\u00b7").replace(/\n/g, "\u21b5").replace(/\t/g, "\u21e5");
}

/** "1.35e-6" as people write it: 1.35·10⁻⁶. */
function powerOfTen(text) {
  return text.replace(/e([+-]?)(\d+)/, (_, sign, digits) =>
    `·10${sign === "-" ? "⁻" : ""}${[...digits].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("")}`);
}

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Calls f once, `ms` after the last call. `.cancel()` forgets a call that waits. */
function debounce(f, ms) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...values), ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** The first button plays the moments up to `last`, the first input chooses one. `state.i` is the
 *  moment that `draw` shows; `state.timer` runs while they play, and is the caller's to clear. */
function playMoments(root, state, last, pause, draw) {
  const button = root.querySelector("button");
  const stop = () => {
    clearInterval(state.timer);
    state.timer = 0;
    button.textContent = "Play";
  };
  button.onclick = () => {
    if (state.timer) return stop();
    if (state.i === last) state.i = 0;
    draw();
    button.textContent = "Stop";
    state.timer = setInterval(() => {
      state.i += 1;
      draw();
      if (state.i >= last) stop();
    }, pause);
  };
  root.querySelector("input").oninput = (event) => {
    stop();
    state.i = Number(event.target.value);
    draw();
  };
  draw();
}

const _RECORD = "press-enter";

/**
 * What the reader has opened and answered, kept in this browser:
 * { opened: [slug], last: slug, right: { slug: n }, total: { slug: n } }.
 * Whatever else stands there is as good as nothing.
 */
function readProgress() {
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(_RECORD));
  } catch {
    // No storage, or not what was written.
  }
  const plain = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
  const { opened, last, right, total } = plain(kept);
  return {
    opened: Array.isArray(opened) ? opened : [],
    last: typeof last === "string" ? last : "",
    right: plain(right),
    total: plain(total),
  };
}

/** Keeps the record and tells every component that shows it. */
function writeProgress(record) {
  try {
    localStorage.setItem(_RECORD, JSON.stringify(record));
  } catch {
    // A private window may refuse; then nothing is kept.
  }
  dispatchEvent(new CustomEvent("press-enter-progress"));
}

const _followed = new WeakMap();
const _PAUSE = 180; // milliseconds between two looks for a newer view

/**
 * Draws a component as Python says; where that names a source, it goes on by itself and draws the
 * views that are newer, until the job rests or nothing comes. What Python says next begins it anew.
 */
function following(draw, { data: [view, source], ...component }) {
  const place = component.parentElement;
  let state = _followed.get(place);
  if (state?.path !== source?.path) {
    if (state) state.over = true;
    state = null;
  }
  if (!state) _followed.set(place, state = { path: source?.path, part: source?.part, count: -1 });
  if (source && source.count >= state.count) {
    state.count = source.count;
    state.newer = null; // Python's view is as new as that, or newer
  }
  state.draw = () => { state.clean = draw({ ...component, data: { ...view, ...state.newer } }); };
  state.rested = () => component.setTriggerValue("rested", true);
  state.draw();
  if (source && !state.looking) _look(state);
  return () => {
    state.over = true;
    _followed.delete(place);
    state.clean?.();
  };
}

async function _look(state) {
  state.looking = true;
  try {
    for (let rests = false; !rests && !state.over; ) {
      await new Promise((done) => setTimeout(done, _PAUSE));
      if (document.hidden) continue;
      const answer = await fetch(`./component/${state.path}?${state.count}`, { cache: "no-store" });
      if (state.over || !answer.ok) break;
      const news = await answer.json();
      if (state.over || news.count <= state.count) continue;
      state.count = news.count;
      state.newer = state.part ? news.view[state.part] : news.view;
      state.draw();
      rests = news.rests;
      if (rests) state.rested();
    }
  } catch {
    // No connection, or none for this: Python draws too.
  }
  state.looking = false;
}
