// The map of the book: its parts and chapters, what has been opened, and where the reader stopped.

const mounted = new WeakMap();

function note(chapter, record) {
  const total = record.total[chapter.slug];
  const right = record.right[chapter.slug] || 0;
  if (total && right) return right >= total ? "all questions right" : `${right} of ${total} questions right`;
  return record.opened.includes(chapter.slug) ? "opened" : "";
}

function row(chapter, record) {
  const here = chapter.slug === record.last ? ' <span class="here">you stopped here</span>' : "";
  const done = note(chapter, record);
  return `<li><a href="${escapeHtml(chapter.slug)}" data-go="${escapeHtml(chapter.slug)}">
      <span class="number">${chapter.number}</span>
      <span class="words"><span class="title">${escapeHtml(chapter.title)}</span>${here}
        <span class="question">${escapeHtml(chapter.question)}</span></span>
      <span class="quiet done">${done}</span></a></li>`;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || {};
  mounted.set(parentElement, state);

  const show = () => {
    const record = readProgress();
    const last = data.chapters.find((chapter) => chapter.slug === record.last);
    const next = last || data.chapters[0];
    const parts = [...new Set(data.chapters.map((chapter) => chapter.part))];
    const words = last ? `Go on with ${last.title}` : "Start reading";
    root.innerHTML = `${next ? `<p><a class="go-on" href="${escapeHtml(next.slug)}" data-go="${escapeHtml(next.slug)}">${escapeHtml(words)}</a></p>` : ""}
      ${parts.map((part) => `<section><h3>${escapeHtml(part)}</h3><ol>${data.chapters
        .filter((chapter) => chapter.part === part)
        .map((chapter) => row(chapter, record))
        .join("")}</ol></section>`).join("")}`;
    for (const link of root.querySelectorAll("a")) {
      link.onclick = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        setTriggerValue("go", link.dataset.go);
      };
    }
  };
  show();
  removeEventListener("press-enter-progress", state.show);
  state.show = show;
  addEventListener("press-enter-progress", show);
  return () => {
    removeEventListener("press-enter-progress", state.show);
    mounted.delete(parentElement);
  };
}
