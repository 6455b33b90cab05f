// The glossary of the margin, and the cards that the terms of the page open.
// A term is a link to #term-<slug>, anywhere on the page. Its card opens on hover, on a tap and
// on keyboard focus; Escape closes it. The card hangs outside of the margin, so that it is there
// when the margin is folded away.

const TERM = 'a[href^="#term-"]';
const THEME = [
  "--st-font", "--st-heading-font", "--st-text-color", "--st-link-color",
  "--st-background-color", "--st-border-color", "--st-primary-color",
];
const mounted = new WeakMap();

function describe(entry, chapters) {
  const here = location.pathname.split("/").pop();
  const go = chapters[entry.chapter] && entry.chapter !== here
    ? `<p><button type="button" class="go" data-go="${escapeHtml(entry.chapter)}">See it live:
        ${escapeHtml(chapters[entry.chapter])}</button></p>`
    : "";
  return `<p>${escapeHtml(entry.plain)}</p>
    <p><b>In AI.</b> ${escapeHtml(entry.meaning)}</p>
    <p><b>Scale.</b> ${escapeHtml(entry.scale)}</p>${go}`;
}

/** The card and what opens and closes it. `find(slug)` gives an entry, `html(entry)` its words. */
class Card {
  constructor(styles, find, html) {
    this.find = find;
    this.html = html;
    this.link = null;
    this.pinned = false; // by a click or a tap: then leaving the term does not close it
    this.timer = 0;
    this.host = document.createElement("div");
    this.host.className = "press-enter-card";
    const shadow = this.host.attachShadow({ mode: "open" });
    shadow.innerHTML = `<style>${styles}</style><div class="card" role="dialog" hidden></div>`;
    this.card = shadow.querySelector(".card");
    // Inside the app, which knows whether it is light or dark.
    (document.querySelector('[data-testid="stApp"]') || document.body).append(this.host);
    this.listeners = {
      mouseover: (event) => this.enter(event),
      mouseout: (event) => this.leave(event),
      focusin: (event) => this.focus(event),
      click: (event) => this.click(event),
      keydown: (event) => this.key(event),
      scroll: () => this.follow(),
    };
    for (const [name, f] of Object.entries(this.listeners)) document.addEventListener(name, f, true);
  }

  /** The card stands outside of the component, so it is handed the theme. */
  dress(component) {
    const style = getComputedStyle(component);
    for (const name of THEME) this.host.style.setProperty(name, style.getPropertyValue(name));
  }

  term(event) {
    return event.target.closest?.(TERM);
  }

  inside(event) {
    return event.composedPath().includes(this.card);
  }

  show(link) {
    const entry = this.find(link.getAttribute("href").slice("#term-".length));
    if (!entry) return;
    clearTimeout(this.timer);
    this.link = link;
    this.card.innerHTML = `<h2>${escapeHtml(entry.term)}</h2>${this.html(entry)}`;
    this.card.setAttribute("aria-label", entry.term);
    link.setAttribute("aria-description", entry.plain);
    this.card.hidden = false;
    this.place();
  }

  place() {
    const at = this.link.getBoundingClientRect();
    const wide = Math.min(360, innerWidth - 32);
    const left = Math.max(16, Math.min(at.left, innerWidth - wide - 16));
    this.card.style.width = `${wide}px`;
    this.card.style.left = `${left}px`;
    const high = this.card.offsetHeight;
    const below = at.bottom + 6 + high < innerHeight || at.top < high + 16;
    this.card.style.top = `${below ? at.bottom + 6 : at.top - high - 6}px`;
  }

  hide() {
    clearTimeout(this.timer);
    this.card.hidden = true;
    this.link = null;
    this.pinned = false;
  }

  enter(event) {
    const link = this.term(event);
    if (link && !this.pinned) this.show(link);
    else if (this.inside(event)) clearTimeout(this.timer);
  }

  leave(event) {
    if (this.pinned || !(this.term(event) || this.inside(event))) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hide(), 200);
  }

  focus(event) {
    const link = this.term(event);
    if (link) this.show(link);
    else if (!this.inside(event)) this.hide();
  }

  click(event) {
    const link = this.term(event);
    if (!link) {
      if (!this.inside(event)) this.hide();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const again = this.pinned && this.link === link;
    if (again) this.hide();
    else {
      this.show(link);
      this.pinned = true;
    }
  }

  key(event) {
    if (this.card.hidden) return;
    const go = this.card.querySelector(".go");
    if (event.key === "Escape") {
      const link = this.link;
      if (this.inside(event)) link.focus();
      this.hide();
    } else if (event.key === "Tab" && !event.shiftKey && this.term(event) && go) {
      event.preventDefault();
      this.pinned = true;
      go.focus();
    }
  }

  follow() {
    if (!this.link) return;
    if (this.link.isConnected) this.place();
    else this.hide();
  }

  remove() {
    for (const [name, f] of Object.entries(this.listeners)) document.removeEventListener(name, f, true);
    clearTimeout(this.timer);
    this.host.remove();
  }
}

function list(root, data) {
  const words = root.querySelector("input").value.trim().toLowerCase();
  const texts = (entry) => [entry.term, ...entry.aliases, entry.plain];
  const rank = (entry) => texts(entry).findIndex((text) => text.toLowerCase().includes(words));
  const found = data.terms
    .map((entry) => [entry, words && entry.term.toLowerCase().startsWith(words) ? -1 : rank(entry)])
    .filter(([entry]) => rank(entry) >= 0)
    .sort((a, b) => a[1] - b[1]);
  root.querySelector(".count").textContent = words ? `${found.length} found` : "";
  root.querySelector(".list").innerHTML = found
    .map(([entry]) => `<details class="entry"><summary>${escapeHtml(entry.term)}</summary>
      ${describe(entry, data.chapters)}</details>`)
    .join("");
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  let state = mounted.get(parentElement);
  if (!state) {
    const styles = [...parentElement.querySelectorAll("style")].map((s) => s.textContent).join("\n");
    state = {};
    state.card = new Card(
      styles,
      (slug) => state.data.terms.find((entry) => entry.slug === slug),
      (entry) => describe(entry, state.data.chapters),
    );
    mounted.set(parentElement, state);
    root.innerHTML = `<details><summary>Glossary</summary>
      <label class="hidden-text" for="search">Search the glossary</label>
      <input id="search" type="search" placeholder="Search ${data.terms.length} terms" autocomplete="off">
      <div class="count quiet" role="status"></div><div class="list"></div></details>`;
  }
  state.data = data;
  state.card.dress(parentElement.host || parentElement);

  const go = (event) => {
    const button = event.target.closest("[data-go]");
    if (!button) return;
    state.card.hide();
    setTriggerValue("go", button.dataset.go);
  };
  state.card.card.onclick = go;
  root.onclick = go;
  root.querySelector("input").oninput = () => list(root, data);
  list(root, data);

  return () => {
    state.card.remove();
    mounted.delete(parentElement);
  };
}
