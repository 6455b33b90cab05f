"""The newest view of a job where the browser can fetch it, so that a live picture needs no rerun.

Each rerun makes Streamlit's front end draw the whole page anew, which takes half of a core from
whatever trains beside it. So the job's own thread writes a view after a step, and `following` in
shared.js fetches it and draws it. Python still draws, now and then, and brings what is newer.

The files lie in a temporary folder that Streamlit serves as if it were a custom component. Not in
`static/`: Streamlit looks how long a file there is before it reads it, so one that is replaced in
between breaks the answer; and not every checkout can be written to.
"""

import contextlib
import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.components.v1 import declare_component

from widgets.components import payload

EVERY = 0.15  # seconds between two views of a job, at least
SLOW = 1.5  # seconds between two drawings by Python where the browser fetches the views
LEFT = 5.0  # seconds after Python's last drawing from which on nobody watches
OLD = 60.0  # seconds after which a file that is not written any more is removed
NAME = "views"


@st.cache_resource(max_entries=1, show_spinner=False)
def folder() -> tempfile.TemporaryDirectory | None:
    """Where the views lie until the server ends, or None where nothing can be written. The first
    call must come from a page: only then does Streamlit serve it."""
    try:
        made = tempfile.TemporaryDirectory(prefix="press_enter_", ignore_cleanup_errors=True)
    except OSError:
        return None
    declare_component(NAME, path=made.name)
    return made


def sweep(place: tempfile.TemporaryDirectory | None) -> None:
    """Remove what is not written any more: the job rests, is gone, or nobody watches it."""
    before = time.time() - OLD
    with contextlib.suppress(OSError):
        for path in Path(place.name).iterdir() if place else ():
            if path.stat().st_mtime < before:
                path.unlink()


class Feed:
    """What one job has to show, `view(job)` in plain values, and the file with the newest. The
    name of that is a secret between the server and the page of the job."""

    def __init__(self, job):
        self.job, self.view = job, None
        self.count = 0  # of the steps; tells the browser which of two views is newer
        self.seen = self.written = float("-inf")
        self.lock = threading.Lock()
        place = folder()
        self.path = place and Path(place.name) / f"{secrets.token_hex(16)}.json"

    def draw(self, mount: Callable, key: str, part: str | None = None):
        """Show it, or a part of it, through a component, which then fetches what is newer."""
        source = self.watch()  # counted first, so that the view is as new as that or newer
        view = self.view(self.job)
        if part is not None:
            view, source = view[part], source and {**source, "part": part}
        return mount(view, key=key, source=source)

    def watch(self) -> dict | None:
        """Somebody looks. Where newer views are and how old they would be; None without any."""
        if self.path is None or self.job.state != "running":
            return None
        self.seen, count = time.monotonic(), self.count
        try:
            os.utime(self.path)  # a long step is no reason to sweep it away
        except OSError:
            self._write()
        where = f"{__name__}.{NAME}/{self.path.name}"
        return {"path": where, "count": count} if self.path.exists() else None

    def step(self) -> None:
        """A step has been taken, or the job rests from now on: for the thread of the job."""
        self.count += 1
        now = time.monotonic()
        due = now - self.written >= EVERY or not self.job.going
        if self.path and due and now - self.seen < LEFT:
            self.written = now
            self._write()

    def _write(self) -> None:
        with self.lock, contextlib.suppress(Exception):  # the page says what is wrong with a view
            news = {"count": self.count, "rests": not self.job.going}
            news["view"] = payload(self.view(self.job))
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(news, separators=(",", ":")), encoding="utf-8")
            os.replace(part, self.path)
