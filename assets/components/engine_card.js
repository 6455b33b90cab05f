// One module or one function: what it is for, who uses it, which tests reach it. Every name of
// the engine on the card opens it ("engine-open").

const shown = new WeakMap(); // the name that each card showed last
const whole = (n) => n.toLocaleString("en-US");
const short = (name) => name.replace(/^microgpt\.?/, "") || "microgpt";
const words = (text) => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
const link = (name, label) => `<button type="button" class="link" data-open="${escapeHtml(name)}"><code>${escapeHtml(label ?? short(name))}</code></button>`;

function usesHtml(uses) {
  if (!uses.length) return "";
  const item = (use) => `<li>${use.opens ? link(use.opens, use.inside) : `<code>${escapeHtml(use.inside || "top level")}</code>`}
    <span class="quiet">${escapeHtml(use.path)}, line ${use.lines.join(", ")}</span></li>`;
  return uses.map((group) => `<details ${group.items.length <= 8 ? "open" : ""}><summary>${escapeHtml(group.title)}
    <span class="quiet">${whole(group.items.length)}</span></summary><ul>${group.items.map(item).join("")}</ul></details>`).join("");
}

function functionsHtml(functions) {
  if (!functions.length) return "";
  const tested = (n) => (n ? `${whole(n)} test${n > 1 ? "s" : ""}` : "no test");
  const row = (f) => `<li class="${f.kind}">${link(f.name, f.short)} <span class="quiet">${whole(f.lines)} lines, ${
    tested(f.tests)}</span>${f.summary ? `<br>${words(f.summary)}` : ""}</li>`;
  return `<details ${functions.length <= 16 ? "open" : ""}><summary>What is in it <span class="quiet">${whole(functions.length)}</span></summary>
    <ul class="functions">${functions.map(row).join("")}</ul></details>`;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const before = shown.get(parentElement);
  shown.set(parentElement, data.name);
  const turn = (name, arrow) => (name ? link(name, `${arrow}${short(name)}`) : "<span></span>");
  root.innerHTML = `<nav aria-label="Reading order">${turn(data.previous, "← ")}<span class="quiet">${data.place} <button type="button" class="link house">↑ house</button></span>${turn(data.next, "→ ")}</nav>
    <h3 tabindex="-1"><code>${escapeHtml(data.title)}</code></h3>
    <p class="quiet facts">${escapeHtml(data.facts)} ${data.module ? `${link(data.module)} · ` : ""}<a href="?f=${encodeURIComponent(data.name)}">Link to this</a></p>
    <div class="purpose">${data.purpose.map((p) => (p.code ? `<pre tabindex="0">${escapeHtml(p.text)}</pre>` : `<p>${words(p.text)}</p>`)).join("")}</div>
    ${functionsHtml(data.functions)}<p class="note">${escapeHtml(data.note)}</p>${usesHtml(data.uses)}`;
  root.querySelectorAll("[data-open]").forEach((button) => {
    button.onclick = () => dispatchEvent(new CustomEvent("engine-open", { detail: button.dataset.open }));
  });
  root.querySelector(".house").onclick = () => dispatchEvent(new CustomEvent("engine-house"));
  if (before && before !== data.name) {
    root.scrollIntoView({ block: "start", behavior: reducedMotion() ? "auto" : "smooth" });
    root.querySelector("h3").focus({ preventScroll: true });
  }
}
