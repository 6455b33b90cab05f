"""The models, loaded once for everybody, and the kernels, compiled before anybody waits."""

import contextlib
import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
MODEL = "tiny-base"  # whose kernels most pages need
HEAD_START = 0.3  # seconds that the first page has to itself before the compiler starts
TIDY = 30.0  # seconds from one time that garbage is collected thoroughly to the next
MOST = 120  # seconds that compiling beside the server may take


@st.cache_resource(max_entries=8, show_spinner=False)
def load(name: str):
    """A model, shared by all sessions and read-only. ValueError when it is missing or damaged."""
    from microgpt.model import checkpoint

    return checkpoint.load(name)


def model(name: str):
    """A model for a page: when there is none to be had, the page says why and ends there."""
    try:
        return load(name)
    except (OSError, ValueError) as error:
        st.error(str(error))
        st.stop()


def is_large(model) -> bool:
    """Whether a pass takes so long that a page should not run dozens of them."""
    from microgpt.model.gpt import count_parameters

    return count_parameters(model.config) > 20_000_000


def models() -> list[str]:
    """Names of the models that are here."""
    from microgpt.model import checkpoint

    return checkpoint.available()


def dense_models() -> list[str]:
    """Names of the models that attend in every layer and have one MLP there. One that can't be
    read stays in the list: the page that asks for it says what is wrong."""
    return [name for name in models() if not _has_other_parts(name)]


def _has_other_parts(name: str) -> bool:
    try:
        config = load(name).config
    except (OSError, ValueError):
        return False
    return "ssm" in config.kinds or config.mlp == "moe"


@st.cache_resource(max_entries=1, show_spinner=False)
def warm_up() -> dict[str, threading.Event]:
    """Compile what most pages need and load what charts need, once per server, beside the
    first page. Returns the events that are set when "reading" and "answering" are ready, and when
    "learning" has been compiled, which whoever trains still has to load."""
    ready = {part: threading.Event() for part in ("reading", "answering", "learning")}
    threading.Thread(target=_warm, args=(ready,), daemon=True, name="warm-up").start()
    return ready


def is_ready(part: str = "reading") -> bool:
    """Whether these kernels are compiled; a page that need not wait uses NumPy until they are."""
    return warm_up()[part].is_set()


def wait(part: str = "reading") -> None:
    """Wait until these kernels are ready, and say so: nothing should be timed before."""
    ready = warm_up()[part]
    if not ready.is_set():
        with st.spinner("Compiling the engine, once per server ..."):
            ready.wait()


def _warm(ready: dict[str, threading.Event]) -> None:
    try:
        time.sleep(HEAD_START)
        if MODEL in models():
            for part in ("reading", "answering"):
                _compile(part)
                ready[part].set()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        pass  # the page that asks for the model says what is wrong with it
    finally:
        for part in ("reading", "answering"):
            ready[part].set()
    try:
        import pandas  # noqa: F401  (it takes a second, which no reader of a chart should wait for)

        from microgpt.training.parallel import share_memory

        tidy()
        share_memory()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            _compile("learning", load_too=False)  # few pages train: those find it on disk
    finally:
        ready["learning"].set()  # all jobs wait for it
    while True:
        time.sleep(TIDY)
        tidy()


def tidy() -> None:
    """Collect garbage, and keep what is left from being looked at until the next time.

    Streamlit collects after every run of a script, ten times a second where two readers watch their
    trainings, and looks at every object for it, while everybody waits. On a server that has been
    visited for a while that took all of its time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _compile(part: str, load_too: bool = True) -> None:
    """First in a process of its own, since the compiler never gives its memory back."""
    command = [sys.executable, "-m", "microgpt.decoding.warm", MODEL, part]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=MOST)
    if load_too:
        from microgpt.decoding import warm

        warm.PARTS[part](load(MODEL))


def altair():
    """Altair, when pandas is there as a whole. Altair looks into a pandas that another thread, the
    warm-up or another session, may still be importing; importing it here waits for that."""
    import pandas  # noqa: F401, I001
    import altair

    return altair
