"""Views of a job that the browser fetches: when they are written, who may read them, what is left."""

import json
import os
import threading
import time
from types import SimpleNamespace

import pytest

from tests.test_jobs import until
from widgets import jobs, live
from widgets.jobs import Desk, Job


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setattr(live, "folder", lambda: SimpleNamespace(name=str(tmp_path)))
    return tmp_path


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still; the files have the time of the system."""
    now = SimpleNamespace(at=100.0)
    clocks = SimpleNamespace(monotonic=lambda: now.at, time=time.time)
    monkeypatch.setattr(live, "time", clocks)
    return now


def running(view=lambda job: {"step": job.step}):
    feed = live.Feed(SimpleNamespace(state="running", going=True, step=0))
    feed.view = view
    return feed


def read(feed):
    return json.loads(feed.path.read_text(encoding="utf-8"))


def step(feed):
    feed.job.step += 1
    feed.step()


def test_nothing_is_written_for_nobody(place, clock):
    feed = running()
    step(feed)
    assert not list(place.iterdir())
    source = feed.watch()
    assert source == {"path": f"widgets.live.views/{feed.path.name}", "count": 1}
    assert read(feed) == {"count": 1, "rests": False, "view": {"step": 1}}, "at once for a reader"
    step(feed)
    assert read(feed)["count"] == 2
    clock.at += live.LEFT
    step(feed)
    assert read(feed)["count"] == 2, "the reader is gone"
    assert feed.watch()["count"] == 3


def test_a_view_is_written_six_times_a_second_at_most(place, clock):
    seen = []
    feed = running(lambda job: seen.append(job.step) or {"step": job.step})
    feed.watch()
    for _ in range(1000):
        clock.at += 0.001
        step(feed)
    assert 5 <= len(seen) <= 8, "with the one at once, and the first"
    assert feed.count == 1000


def test_a_job_that_rests_says_so_at_once(place, clock):
    feed = running()
    feed.watch()
    step(feed)
    feed.job.state, feed.job.going = "paused", False
    feed.step()
    assert read(feed) == {"count": 2, "rests": True, "view": {"step": 1}}
    assert feed.watch() is None, "there is nothing to fetch any more"


def test_a_reader_never_sees_half_a_view(place, clock):
    feed = running(lambda job: {"values": [job.step] * 20_000})
    feed.watch()
    over = threading.Event()

    def write():
        for _ in range(60):
            feed.written = float("-inf")
            step(feed)
        over.set()

    threading.Thread(target=write).start()
    counts = []
    while not over.is_set():
        counts.append(read(feed)["count"])
    assert counts == sorted(counts) and read(feed)["count"] == 60
    assert [path.suffix for path in place.iterdir()] == [".json"], "parts were left"


def test_what_is_not_written_any_more_is_removed_but_not_what_is_watched(place):
    gone, slow = running(), running()
    for feed in (gone, slow):
        feed.watch()
        os.utime(feed.path, (0, time.time() - live.OLD - 1))
    slow.watch()
    live.sweep(live.folder())
    assert list(place.iterdir()) == [slow.path]
    live.sweep(None)


def test_where_nothing_can_be_written_python_draws_alone(monkeypatch, place, clock):
    lost = running()
    place.rmdir()
    drawn = []

    def mount(view, *, key, source):
        drawn.append((view, key, source))

    lost.draw(mount, "picture")
    monkeypatch.setattr(live, "folder", lambda: None)
    none = running()
    none.draw(mount, "picture")
    assert drawn == [({"step": 0}, "picture", None)] * 2
    step(lost), step(none)

    periods = []
    monkeypatch.setattr(
        jobs.st, "fragment", lambda draw, run_every: periods.append(run_every) or (lambda: None)
    )
    for feed in (none, lost):
        job = Job("run", "x", iter([]), state="running", feed=feed)
        jobs.follow(job, print, feed.view)
    assert periods == [jobs.OFTEN, live.SLOW]


def test_two_pictures_share_the_views_of_a_job(place, clock):
    feed, drawn = running(lambda job: {"one": {"step": job.step}, "two": {"step": -job.step}}), []
    step(feed)
    for part in ("one", "two"):
        feed.draw(lambda view, *, key, source: drawn.append((view, source)), "picture", part)
    source = {"path": f"widgets.live.views/{feed.path.name}", "count": 1}
    assert drawn == [
        ({"step": 1}, {**source, "part": "one"}), ({"step": -1}, {**source, "part": "two"}),
    ]  # fmt: skip
    assert read(feed)["view"] == {"one": {"step": 1}, "two": {"step": -1}}


def test_without_a_temporary_folder_there_is_none(monkeypatch):
    def full(**_):
        raise OSError("No space left on device")

    monkeypatch.setattr(live.tempfile, "TemporaryDirectory", full)
    assert live.folder.__wrapped__() is None


def test_two_learners_have_two_names_that_nobody_guesses(place):
    names = {running().path.stem for _ in range(50)}
    assert len(names) == 50 and all(len(name) == 32 for name in names)


@pytest.mark.parametrize("view", [{"x": float("nan")}, {"x": "a" * 1_500_001}, {"x": object()}])
def test_a_view_that_cannot_be_sent_is_not_written_and_harms_nothing(place, view):
    job = Job("run", "x", iter([1, 2, 3]), {"a"}, state="running")
    job.feed = live.Feed(job)
    job.feed.view = lambda job: view
    assert job.feed.watch() is None
    job.state = "waiting"
    Desk(places=1, active=lambda session: True).add(job)
    until(lambda: job.state == "ended")
    assert list(job.events) == [1, 2, 3] and not job.error
    assert not [path for path in place.iterdir() if path.suffix == ".json"]


def test_the_thread_of_a_job_writes_what_it_has_just_done(place):
    go, said = threading.Semaphore(0), []

    def work():
        for number in range(3):
            go.acquire()
            yield number

    job = Job("run", "x", work(), {"a"})
    job.feed = live.Feed(job)
    job.feed.view = lambda job: said.append(threading.current_thread().name) or {
        "events": list(job.events), "state": job.state
    }  # fmt: skip
    Desk(places=1, active=lambda session: True).add(job)
    assert job.feed.watch()["count"] == 0
    go.release(3)
    until(lambda: job.feed.count == 4)
    until(lambda: read(job.feed)["count"] == 4)
    assert read(job.feed)["view"] == {"events": [0, 1, 2], "state": "ended"}
    assert read(job.feed)["rests"] and set(said[1:]) == {"job-run"}
