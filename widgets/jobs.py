"""Long work beside the pages: as many jobs at a time as there are cores, the others in a queue.

    job = jobs.start("pre_training", work)     # in a callback; `work()` is a generator of events
    job = jobs.mine("pre_training")            # in every run of the page, after a reload too
    jobs.follow(job, draw, view)               # draws job.events again and again while it goes on

A job is a generator that a thread of the server takes steps of. The thread never calls Streamlit:
pages read `job.events`. Between two steps a job can be paused, which frees its place and keeps all
that the generator knows. A job whose tab is gone is paused like that, and belongs to whoever comes
back with the same browser; after a while it is forgotten.
"""

import os
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass, field

import streamlit as st

from widgets import engine, live
from widgets.crossing import Crossing

PLACES = os.cpu_count() or 1  # jobs that run at the same time
WAITING = 40  # jobs in the queue; more are turned away
KEPT = 24  # jobs that are remembered, ended and paused ones too
EVENTS = 20_000  # events that are remembered of one job, the newest
GRACE = 8.0  # seconds after which a job whose tab is gone loses its place
FORGOTTEN = 900.0  # seconds after which a job that nobody has come back to is dropped
SWITCH = 1e-3  # seconds; training lets go of the interpreter at every product and waits for it
LONGEST = 1200.0  # seconds on a core, after which a job is ended
OFTEN = 0.25  # seconds between two drawings by Python where the browser can fetch nothing
COOKIE = "press_enter_learner"

crossing = Crossing()


@dataclass(eq=False)
class Job:
    """One piece of work. `state` is "waiting", "running", "paused" or "ended"; `error` is the
    sentence of what went wrong, `notice` one about what happened to it while nobody looked."""

    name: str
    learner: str
    steps: Iterator
    sessions: set[str] = field(default_factory=set)
    events: deque = field(default_factory=lambda: deque(maxlen=EVENTS))
    state: str = "waiting"
    error: str = ""
    notice: str = ""
    seconds: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    rest: str = ""  # what is asked of it: "paused", "ended" or nothing
    left: bool = False  # paused because its tab was gone
    context: Context = field(default_factory=Context)  # a job that goes on has another thread
    feed: live.Feed | None = None  # what its picture shows, once a page has followed it

    @property
    def going(self) -> bool:
        return self.state in ("waiting", "running")


class Desk:
    """Gives places to jobs. Every method may be called from any thread."""

    def __init__(
        self, places: int = PLACES, active=None, clock=time.monotonic, after=lambda: None,
        ready=lambda: True,
    ):  # fmt: skip
        self.places, self.clock = places, clock
        self.ready = ready  # whether jobs can begin; until then all of them wait
        self.active = active or is_active
        self.after = after  # called when a job has left its place
        self.lock = threading.RLock()
        self.waiting: list[Job] = []
        self.running: list[Job] = []
        self.jobs: list[Job] = []

    def add(self, job: Job) -> None:
        """Take a new job in. ValueError when the queue is full."""
        with self.lock:
            if len(self.waiting) >= WAITING:
                raise ValueError(
                    f"{len(self.waiting)} runs are waiting for a place already. "
                    "Try again in a few minutes."
                )
            job.seen = self.clock()
            self.jobs.append(job)
            self._make_room()
            self.waiting.append(job)
            self._fill()

    def pause(self, job: Job) -> None:
        """Free its place after the step it is at; all it has learned stays."""
        self._rest(job, "paused")

    def stop(self, job: Job) -> None:
        """End it after the step it is at."""
        self._rest(job, "ended")

    def resume(self, job: Job) -> None:
        """Back into the queue, with everything it knew."""
        with self.lock:
            if job.state == "paused":
                job.state, job.rest, job.left = "waiting", "", False
                self.waiting.append(job)
                self._fill()
            elif job.rest == "paused":
                job.rest, job.left = "", False

    def drop(self, job: Job) -> None:
        """Stop it and forget it."""
        with self.lock:
            self.stop(job)
            if job in self.jobs:
                self.jobs.remove(job)

    def place(self, job: Job) -> int:
        """0 for a job that doesn't wait, else its place in the queue, from 1."""
        with self.lock:
            return self.waiting.index(job) + 1 if job in self.waiting else 0

    def find(self, name: str, learner: str, session: str) -> Job | None:
        """The session's own newest job of that name, or one that this learner's browser has left
        behind: it belongs to the session from now on."""
        with self.lock:
            named = [job for job in reversed(self.jobs) if job.name == name]
            for job in named:
                if session in job.sessions:
                    return job
            for job in named:
                if job.learner == learner and not any(map(self.active, job.sessions)):
                    job.sessions, job.seen = {session}, self.clock()
                    if job.left:
                        job.notice = "It rested while its page was closed, and now goes on."
                        self.resume(job)
                    return job
        return None

    def look_after(self) -> None:
        """Pause what nobody watches, forget what nobody has come back to, begin what can begin."""
        now = self.clock()
        with self.lock:
            for job in list(self.jobs):
                if any(map(self.active, job.sessions)):
                    job.seen = now
                elif now - job.seen > FORGOTTEN:
                    self.drop(job)
                elif job.going and job.rest == "" and now - job.seen > GRACE:
                    job.left = True
                    self.pause(job)
            self._fill()

    def _rest(self, job: Job, how: str) -> None:
        with self.lock:
            if job.state == "running":
                job.rest = how
            elif job.state != "ended":
                if job in self.waiting:
                    self.waiting.remove(job)
                job.state = how

    def _make_room(self) -> None:
        """Forget the oldest resting jobs, those without a reader first."""
        resting = [job for job in self.jobs if not job.going]
        resting.sort(key=lambda job: (any(map(self.active, job.sessions)), job.seen))
        for job in resting[: max(0, len(self.jobs) - KEPT)]:
            self.jobs.remove(job)

    def _fill(self) -> None:
        while self.ready() and self.waiting and len(self.running) < self.places:
            job = self.waiting.pop(0)
            job.state = "running"
            self.running.append(job)
            name = f"job-{job.name}"
            threading.Thread(target=self._run, args=(job,), daemon=True, name=name).start()

    def _run(self, job: Job) -> None:
        while True:
            crossing.wait()
            began, over = self.clock(), False
            try:
                job.events.append(job.context.run(next, job.steps))
            except StopIteration:
                over = True
            except Exception as error:  # whatever a job does, the server and the queue go on
                job.error, over = str(error) or type(error).__name__, True
            job.seconds += self.clock() - began
            if not over and job.seconds > LONGEST:
                job.notice, over = f"It had run for {LONGEST / 60:.0f} minutes and was ended.", True
            with self.lock:
                rests = over or job.rest
                if rests:
                    job.state, job.rest = "ended" if over else job.rest, ""
                    self.running.remove(job)
                    self._fill()
            if job.feed:
                job.feed.step()
            if rests:
                break
        self.after()


def is_active(session: str) -> bool:
    """Whether a browser is connected to this session; without a server there is nobody to miss."""
    from streamlit import runtime

    return not runtime.exists() or runtime.get_instance().is_active_session(session)


@st.cache_resource(max_entries=1, show_spinner=False)
def desk() -> Desk:
    """The one desk of the server."""
    from microgpt.training.parallel import share_memory

    sys.setswitchinterval(SWITCH)
    share_memory()
    # A job that began before would compile the same kernels once more, inside the server.
    compiled = engine.warm_up()["learning"]
    one, views = Desk(after=share_memory, ready=compiled.is_set), live.folder()

    def watch():
        while True:
            time.sleep(1)
            one.look_after()
            live.sweep(views)

    threading.Thread(target=watch, daemon=True, name="jobs").start()
    return one


def learner() -> str:
    """A random name for this browser, kept in its cookie: whose job is whose after a reload."""
    if "jobs:learner" not in st.session_state:
        known = st.context.cookies.get(COOKIE, "")
        usable = len(known) == 32 and all(c in "0123456789abcdef" for c in known)
        st.session_state["jobs:learner"] = known if usable else secrets.token_hex(16)
    return st.session_state["jobs:learner"]


def _session() -> str:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    return context.session_id if context else ""


def start(name: str, work: Callable[[], Iterator]) -> Job:
    """Begin `work`, instead of what this session had under that name. ValueError, a sentence, when
    the server has too much to do."""
    before = mine(name)
    job = Job(name, learner(), work(), {_session()})
    desk().add(job)
    if before:
        desk().drop(before)
    return job


def mine(name: str) -> Job | None:
    """This reader's job of that name, running, resting or ended."""
    return desk().find(name, learner(), _session())


def in_words(job: Job) -> str:
    """Where a job stands, for those who wait."""
    place = desk().place(job) if job.state == "waiting" else 0
    if place and not desk().ready():
        return "Waiting until the engine is compiled, once per server; then it begins by itself."
    if place:
        before = "" if place == 1 else f", after {place - 1} other{'s' if place > 2 else ''}"
        return (
            f"Waiting for a place: number {place} in the queue{before}. This server trains "
            f"{desk().places} at a time."
        )
    said = {"running": "Running", "paused": "Paused", "ended": "Ended", "waiting": "Starting"}
    words = f"{said[job.state]}, {job.seconds:.0f} s of work."
    return f"{words} {job.notice}".strip()


def buttons(job: Job | None, key: str) -> None:
    """Pause, go on, stop. Outside of what `follow` draws: there a button would come too late."""
    going, paused = bool(job and job.going), bool(job and job.state == "paused")
    with st.container(horizontal=True, gap="small"):
        if paused:
            st.button("Go on", key=f"{key}_resume", icon=":material/play_arrow:",
                      on_click=desk().resume, args=(job,))  # fmt: skip
        else:
            st.button("Pause", key=f"{key}_pause", icon=":material/pause:", disabled=not going,
                      on_click=desk().pause, args=(job,))  # fmt: skip
        st.button("Stop", key=f"{key}_stop", icon=":material/stop:", disabled=not (going or paused),
                  on_click=desk().stop, args=(job,))  # fmt: skip


def follow(job: Job, draw: Callable[[Job], None], view: Callable[[Job], Mapping]) -> None:
    """Draw a job, and again every few moments while it goes on; then the page once more.

    `draw` shows `view(job)`, plain values that its picture needs, by `job.feed.draw(mount, key)`.
    The browser fetches the next ones itself; where it can't, Python draws more often. The thread of
    the job calls `view` too, so it must not call Streamlit."""
    job.feed = job.feed or live.Feed(job)
    job.feed.view = view
    every = live.SLOW if job.feed.path else OFTEN

    def tick():
        draw(job)
        if watching and not job.going:
            st.rerun()

    watching = job.going
    st.fragment(tick, run_every=every if watching else None)()
