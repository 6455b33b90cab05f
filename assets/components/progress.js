// How many chapters have been opened, in the margin; opening one is noted here. Also keeps the random
// name by which a reload finds the training it has left behind.

/** A page has been turned: fold the margin away where it covers the page, and start at the top. */
function turned() {
  const main = document.querySelector('[data-testid="stMain"]');
  const fold = document.querySelector('[data-testid="stSidebarCollapseButton"] button');
  if (innerWidth < 768 && fold) fold.click();
  if (main) main.scrollTop = 0;
}

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const state = mounted.get(parentElement) || { here: null };
  mounted.set(parentElement, state);

  document.cookie = `${data.cookie}=${data.learner}; path=/; SameSite=Lax`;
  if (state.here !== data.here) {
    const chapter = data.chapters.some((c) => c.slug === data.here);
    const record = readProgress();
    if (chapter) {
      if (!record.opened.includes(data.here)) record.opened.push(data.here);
      record.last = data.here;
      writeProgress(record);
    }
    if (state.here !== null) turned();
    state.here = data.here;
  }

  const show = () => {
    const record = readProgress();
    const opened = data.chapters.filter((c) => record.opened.includes(c.slug)).length;
    const all = data.chapters.length;
    root.innerHTML = `
      <div class="words" id="words">${opened} of ${all} chapters opened</div>
      <div class="bar" role="progressbar" aria-labelledby="words" aria-valuemin="0"
        aria-valuemax="${all}" aria-valuenow="${opened}">
        <div style="width:${all ? (100 * opened) / all : 0}%"></div></div>`;
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
