"""Jobs: places, queue, pausing, and what becomes of a job whose reader is gone."""

import threading
import time

import pytest

from widgets import jobs
from widgets.jobs import Desk, Job


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Gate:
    """A job's work that takes a step each time it is told to."""

    def __init__(self):
        self.turn, self.closed = threading.Semaphore(0), False

    def __iter__(self):
        for number in range(100):
            self.turn.acquire()
            yield number

    def step(self, times=1):
        self.turn.release(times)


def until(true, what="it"):
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.002)


@pytest.fixture
def browsers():
    return {"a", "b", "c"}


@pytest.fixture
def desk(browsers):
    return Desk(places=1, active=lambda session: session in browsers, clock=Clock())


def begin(desk, session="a", learner=None, name="run"):
    gate = Gate()
    job = Job(name, learner or f"learner-{session}", iter(gate), {session})
    desk.add(job)
    return job, gate


def test_a_job_runs_to_its_end_and_frees_its_place(desk):
    job = Job("run", "x", iter([1, 2, 3]), {"a"})
    desk.add(job)
    until(lambda: job.state == "ended")
    assert list(job.events) == [1, 2, 3] and not job.error and not desk.running


def test_no_more_jobs_run_than_there_are_places_and_the_others_know_their_number(desk):
    (first, gate), (second, second_gate), (third, _) = (begin(desk, s) for s in "abc")
    assert [j.state for j in (first, second, third)] == ["running", "waiting", "waiting"]
    assert [desk.place(j) for j in (first, second, third)] == [0, 1, 2]
    desk.stop(first)
    gate.step()
    until(lambda: second.state == "running")
    assert first.state == "ended" and desk.place(third) == 1
    desk.stop(third)
    assert third.state == "ended" and not desk.waiting
    second_gate.step()
    until(lambda: list(second.events) == [0])


def test_jobs_wait_until_the_engine_is_compiled(browsers, monkeypatch):
    compiled = threading.Event()
    desk = Desk(places=2, active=lambda session: session in browsers, ready=compiled.is_set)
    monkeypatch.setattr(jobs, "desk", lambda: desk)
    (first, gate), (second, _), (third, _) = (begin(desk, s) for s in "abc")
    assert {j.state for j in (first, second, third)} == {"waiting"}
    assert "engine is compiled" in jobs.in_words(first)
    desk.pause(second)
    compiled.set()
    desk.look_after()
    gate.step()
    until(lambda: list(first.events) == [0])
    assert second.state == "paused" and third.state == "running"
    assert jobs.in_words(third).startswith("Running")


def test_a_paused_job_frees_its_place_and_goes_on_where_it_was(desk):
    (first, gate), (second, second_gate) = begin(desk, "a"), begin(desk, "b")
    gate.step(2)
    until(lambda: len(first.events) == 2)
    desk.pause(first)
    gate.step()
    until(lambda: first.state == "paused" and second.state == "running")
    desk.resume(first)
    assert first.state == "waiting" and desk.place(first) == 1
    desk.stop(second)
    second_gate.step()
    until(lambda: first.state == "running")
    gate.step(2)
    until(lambda: list(first.events) == [0, 1, 2, 3, 4])


def test_what_a_job_has_set_for_its_steps_still_holds_when_it_goes_on(desk):
    from microgpt.autograd.tensor import _fast, backend

    def work():
        with backend("readable"):
            while gate.acquire():
                yield _fast.get()
                if last:
                    break

    gate, last = threading.Semaphore(1), []
    job = Job("run", "x", work(), {"a"})
    desk.add(job)
    until(lambda: len(job.events) == 1)
    desk.pause(job)
    gate.release()
    until(lambda: job.state == "paused")
    last.append(True)
    desk.resume(job)
    gate.release()
    until(lambda: job.state == "ended")
    assert not job.error and set(job.events) == {False}


def test_going_on_before_the_pause_has_come_is_no_pause(desk):
    job, gate = begin(desk)
    desk.pause(job)
    desk.resume(job)
    gate.step(3)
    until(lambda: len(job.events) == 3)
    assert job.state == "running"


def test_a_closed_tab_frees_its_job_and_the_same_browser_finds_it_again(desk, browsers):
    (job, gate), (other, _) = begin(desk, "a"), begin(desk, "b")
    browsers.discard("a")
    desk.clock.now += jobs.GRACE - 1
    desk.look_after()
    assert job.rest == ""
    desk.clock.now += 2
    desk.look_after()
    gate.step()
    until(lambda: job.state == "paused" and other.state == "running")
    browsers.add("a2")
    assert desk.find("run", "learner-b", "a2") is None, "another browser's job was given away"
    assert desk.find("run", "learner-a", "a2") is job
    assert job.state == "waiting" and "goes on" in job.notice


def test_a_job_in_the_queue_whose_tab_is_closed_leaves_the_queue(desk, browsers):
    begin(desk, "a")
    job, _ = begin(desk, "b")
    browsers.discard("b")
    desk.clock.now += jobs.GRACE + 1
    desk.look_after()
    assert job.state == "paused" and not desk.waiting


def test_a_dropped_connection_that_comes_back_disturbs_nothing(desk, browsers):
    job, gate = begin(desk, "a")
    browsers.discard("a")
    desk.clock.now += jobs.GRACE / 2
    desk.look_after()
    browsers.add("a")
    desk.look_after()
    desk.clock.now += jobs.GRACE / 2 + 1
    desk.look_after()
    gate.step()
    until(lambda: list(job.events) == [0])
    assert job.state == "running"


def test_two_tabs_of_one_browser_do_not_mix(desk):
    job, _ = begin(desk, "a", learner="same")
    assert desk.find("run", "same", "b") is None
    other, _ = begin(desk, "b", learner="same")
    assert desk.find("run", "same", "a") is job and desk.find("run", "same", "b") is other


def test_what_nobody_comes_back_to_is_forgotten(desk, browsers):
    job, gate = begin(desk)
    browsers.clear()
    desk.clock.now += jobs.FORGOTTEN + 1
    desk.look_after()
    gate.step()
    until(lambda: job.state == "ended")
    assert desk.jobs == []


def test_a_job_that_fails_says_why_and_the_next_one_runs(desk):
    def work():
        yield 1
        raise ValueError("The text has no letters.")

    job = Job("run", "x", work(), {"a"})
    desk.add(job)
    until(lambda: job.state == "ended")
    assert job.error == "The text has no letters." and list(job.events) == [1]
    after, gate = begin(desk)
    gate.step()
    until(lambda: list(after.events) == [0])


def test_a_job_that_never_ends_is_ended(desk):
    def work():
        while True:
            desk.clock.now += 60
            yield None

    job = Job("run", "x", work(), {"a"})
    desk.add(job)
    until(lambda: job.state == "ended")
    assert job.seconds == pytest.approx(jobs.LONGEST + 60) and "20 minutes" in job.notice


def test_a_full_queue_turns_away_with_a_sentence(desk):
    for _ in range(jobs.WAITING + 1):
        begin(desk)
    with pytest.raises(ValueError, match="40 runs are waiting"):
        begin(desk)


def test_old_jobs_make_room_for_new_ones(desk):
    for number in range(jobs.KEPT + 5):
        job = Job(f"run{number}", "x", iter([]), {"a"})
        desk.add(job)
        until(lambda job=job: job.state == "ended")
    assert len(desk.jobs) <= jobs.KEPT + 1 and desk.jobs[-1].name == f"run{number}"


def test_a_job_gives_way_to_a_page_but_never_stands_still(monkeypatch, desk):
    crossing = jobs.Crossing()
    monkeypatch.setattr(jobs, "crossing", crossing)
    arrived = threading.Event()
    wait = crossing.wait

    def slow_wait():
        arrived.set()
        wait(0.05)

    monkeypatch.setattr(crossing, "wait", slow_wait)
    with crossing.drawing(), crossing.drawing():
        job = Job("run", "x", iter([1, 2]), {"a"})
        desk.add(job)
        assert arrived.wait(10)
        until(lambda: job.state == "ended", "two steps beside a page that takes for ever")
    began = time.monotonic()
    wait(60)  # no page is left
    assert time.monotonic() - began < 30


def test_a_page_that_fails_lets_the_jobs_go_on():
    crossing = jobs.Crossing()
    with pytest.raises(RuntimeError), crossing.drawing():
        raise RuntimeError
    assert crossing._pages == 0
