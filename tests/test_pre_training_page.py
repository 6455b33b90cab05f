"""Chapter 15 without a browser: what its widgets draw, and the page through Streamlit."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.model import bundle
from microgpt.training import copies
from microgpt.training import setup as setups
from microgpt.training.live import Training
from microgpt.training.setup import Setup
from widgets import book, jobs
from widgets import pre_training as show
from widgets import pre_training_data as data
from widgets import pre_training_files as files
from widgets import pre_training_scaling as laws
from widgets import pre_training_text as texts
from widgets import pre_training_view as views
from widgets.components import payload

SMALL = Setup(steps=30, batch=2, context=16, vocabulary=320, warmup=2)
TEXT = "\n\n".join(f"The old fox number {i} met a small bird by the river." for i in range(60))


def trained(setup=SMALL):
    training = Training(setup, TEXT, files.write)
    for _ in training:
        pass
    return training


@pytest.fixture(scope="module")
def ended():
    return trained()


# Views ---------------------------------------------------------------------------------------


def test_lines_are_thinned_to_means_and_do_not_dance():
    values = np.random.default_rng(0).random(5000).tolist()
    every, whole = views.thinned(values, 5000)
    assert len(whole) <= views.POINTS and whole[0] == pytest.approx(
        np.mean(values[:every]), rel=1e-3
    )
    _, half = views.thinned(values[:2500], 5000)
    assert half[:-1] == whole[: len(half) - 1], "points that were drawn moved"
    assert views.thinned([], 100) == (1, [])


def test_the_view_is_small_finite_and_says_where_the_run_is(ended):
    view = views.view_of(ended, "ended")
    assert len(json.dumps(payload(view))) < 12_000
    assert view["step"] == view["steps"] == 30 and view["held"][-1][0] == 30
    assert view["stage"] == "Done." and len(view["samples"]) <= views.SAMPLES
    assert view["samples"][0]["step"] == 30 and view["samples"][-1]["step"] == 0
    names = [name for name, _ in view["facts"]]
    assert {"loss", "held-out loss", "tokens a second"} <= set(names) and "time left" not in names
    fresh = views.view_of(Training(SMALL, TEXT, files.write), "waiting")
    assert payload(fresh)["loss"] == [] and fresh["step"] == 0


def test_a_long_run_makes_no_large_view(ended):
    long = Training(replace(SMALL, steps=setups.MOST_STEPS), TEXT, files.write)
    for name in ("losses", "norms", "rates", "clock"):
        getattr(long.history, name).extend(
            np.random.default_rng(1).random(setups.MOST_STEPS).tolist()
        )
    long.history.samples.extend(ended.history.samples * 300)
    assert len(json.dumps(payload(views.view_of(long, "running")))) < 12_000


def test_words_say_what_the_picture_shows(ended):
    words = views.in_words(ended)
    first, last = ended.history.held_out[0][1], ended.history.held_out[-1][1]
    assert f"from {first:.2f} to {last:.2f}" in words and "30 steps" in words
    assert "No step" in views.in_words(Training(SMALL, TEXT, files.write))


def test_the_estimate_follows_the_recorded_runs_and_then_this_server(ended):
    pace = [views.seconds_a_token(Setup(size=size, vocabulary=512)) for size in setups.SIZES]
    assert pace == sorted(pace)
    recorded = views.recorded_seconds()
    assert pace == pytest.approx([recorded[size] for size in setups.SIZES])
    assert views.seconds_a_token(Setup(vocabulary=2048)) > views.seconds_a_token(
        Setup(vocabulary=512)
    )
    parameters, weights, held = views.memory(Setup())
    assert weights == 4 * parameters and held == 4 * weights


def test_samples_follow_the_prompt_and_the_seed_only(ended):
    model = ended.model()
    assert files.write(model, "The old", 3) == files.write(model, "The old", 3)
    assert files.write(model, "The old", 3).startswith("The old")
    assert len({files.write(model, "The old", seed) for seed in range(6)}) > 1


def test_the_survey_counts_what_was_put_in():
    own = "\n\n".join(
        [
            f"Story {i}: " + " ".join(np.random.default_rng(i).permutation(TEXT.split()[:60]))
            for i in range(30)
        ]
    )
    doubled = own + "\n\n" + own.split("\n\n")[3]
    near = own + "\n\n" + own.split("\n\n")[3].replace("river", "lake", 1)
    assert (data.survey(own, 0.7).copies, len(data.survey(own, 0.7).near)) == (0, 0)
    assert data.survey(doubled, 0.7).copies == 1
    found = data.survey(near, 0.7)
    assert found.copies == 0 and len(found.near) == 1 and 0.7 <= found.near[0][2] < 1
    assert found.train + found.held_out == found.pieces
    rubbish = own + "\n\n" + "%$&/ " * 40
    assert sum(data.survey(rubbish, 0.7).lost.values()) == 1
    world = data.survey(None, 0.7)
    assert world.pieces == texts.SHOWN and world.near


def test_tables_hold_any_text():
    own = TEXT + "\n\n" + "| a | [[b]] <script> $x$ `c` " * 30
    table = data.filters_table(data.survey(own, 0.7))
    assert "<script>" not in table.replace("\\<script\\>", "")
    assert all(line.replace("\\|", "").count("|") == 5 for line in table.split("\n"))


def test_mixtures_add_up():
    for source in (texts.Source("x", TEXT), texts.Source(texts.WORLD, None)):
        sizes = data.sizes_of(source)
        assert min(sizes.values()) > 0 and len(sizes) <= 6


# The law -------------------------------------------------------------------------------------


def test_the_page_says_where_the_large_run_fell():
    every, late = laws.result(0), laws.result(laws.EARLY)
    assert every.used == 48 and late.used == 30
    for found in (every, late):
        f = found.forecast
        assert f.point.loss == laws.last_of("112 wide").loss
        assert ("outside" in laws.verdict(found)) != (f.low <= f.point.loss <= f.high)
    words = laws.forecast_in_words()
    for found in (every, late):
        assert f"{found.forecast.predicted:.3f}" in words and f"{found.forecast.low:.3f}" in words


def test_the_large_run_is_hidden_until_the_reader_has_guessed():
    assert "112 wide" not in json.dumps(laws.ladder_view(None))
    shown = payload(laws.ladder_view(0))
    assert (
        "112 wide" in json.dumps(shown)
        and shown["bands"][0]["points"][-1][1] < shown["bands"][0]["points"][-1][2]
    )
    assert laws.guess().true() == pytest.approx(0.916, abs=0.001)


def test_a_budget_is_spent_best_at_the_lowest_of_the_runs():
    law = laws.result(0).fitted.law
    for best in laws.frontier(laws.points(), laws.BUDGETS):
        _, spent, own, _ = laws.budget_view(best.compute, law)
        assert own == (best.N, pytest.approx(best.loss))
        assert len(spent) >= 2 and own[1] == min(loss for _, loss in spent)
    assert laws.marks_of(3.15e23) == "3.1 · 10²³" or laws.marks_of(3.15e23) == "3.2 · 10²³"


def test_reported_models_are_those_of_the_table():
    words = laws.scale_in_words()
    assert "175 billion" in words and "**1.7** a weight" in words and "**20.0** a weight" in words


# The page ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def own_desk(monkeypatch):
    """Jobs of a test are nobody else's."""
    desk = jobs.Desk(places=2, active=lambda session: True)
    monkeypatch.setattr(jobs, "desk", lambda: desk)
    monkeypatch.setattr(jobs, "_session", lambda: "test")
    yield desk
    for job in list(desk.jobs):
        desk.stop(job)


def opened(**state):
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=120)
    for name, value in {"pre_training_steps": 20, "pre_training_batch": 1, **state}.items():
        at.session_state[name] = value
    at.run()
    at.switch_page("pages/pre_training.py")
    at.run()
    assert not at.exception
    return at


def wait(desk, state="ended"):
    end = time.monotonic() + 240
    while desk.jobs[-1].state != state:
        assert time.monotonic() < end, f"the job is {desk.jobs[-1].state}"
        time.sleep(0.01)
    return desk.jobs[-1]


def press(at, key):
    at.button(key=key).click()
    at.run()
    assert not at.exception


def test_train_and_take_away(own_desk):
    at = opened()
    assert not at.get("download_button")
    press(at, "pre_training_start")
    job = wait(own_desk)
    assert not job.error and job.steps.history.steps == 20 and not job.steps.own
    at.run()
    assert len(at.get("download_button")) == 3
    again = bundle.unpack(bundle.pack(job.steps.model()))
    assert again.card["setup"]["steps"] == 20


def test_own_text_is_taken_or_refused_in_a_sentence(own_desk):
    at = opened(pre_training_source=texts.MINE)
    assert at.button(key="pre_training_start").disabled
    at.text_area(key="pre_training_pasted").set_value("Too short.")
    at.run()
    assert any("10 characters" in w.value for w in at.warning)
    assert at.button(key="pre_training_start").disabled
    at.text_area(key="pre_training_pasted").set_value(TEXT)
    at.run()
    assert not at.warning and not at.exception
    press(at, "pre_training_start")
    job = wait(own_desk)
    assert not job.error and job.steps.own and job.steps.history.steps == 20


def test_pause_and_stop_and_a_second_run_in_place_of_the_first(own_desk):
    at = opened(pre_training_steps=4000)
    press(at, "pre_training_start")
    while own_desk.jobs[-1].steps.history.steps < 3:
        time.sleep(0.01)
    press(at, "pre_training_pause")
    job = wait(own_desk, "paused")
    steps = job.steps.history.steps
    at.run()
    assert len(at.get("download_button")) == 3, "what rests can be taken away"
    press(at, "pre_training_resume")
    while job.steps.history.steps <= steps:
        time.sleep(0.01)
    job.steps.control.set_rate(1e-5)
    press(at, "pre_training_stop")
    wait(own_desk)
    press(at, "pre_training_start")
    assert own_desk.jobs[-1] is not job and job not in own_desk.jobs


def test_a_run_that_would_take_too_long_is_refused(own_desk):
    at = opened(pre_training_size="112 wide", pre_training_steps=5000, pre_training_batch=64)
    assert any("minutes" in w.value for w in at.warning)
    assert at.button(key="pre_training_start").disabled


def test_a_server_that_was_busy_refuses_nothing(own_desk, monkeypatch):
    monkeypatch.setattr(show, "_pace", lambda: {"factor": 1000.0})
    at = opened()
    assert not at.warning and not at.button(key="pre_training_start").disabled
    assert any("this server's own speed" in m.value for m in at.markdown)


def test_the_queue_is_shown(own_desk):
    own_desk.places = 0
    at = opened()
    press(at, "pre_training_start")
    assert any("number 1 in the queue" in m.value for m in at.markdown)


def test_the_copies_are_trained_and_judged(own_desk, monkeypatch):
    for name, value in {"STEPS": 30, "TEXTS": 150, "DISTINCT": 40, "HELD_OUT": 30}.items():
        monkeypatch.setattr(copies, name, value)
    at = opened()
    press(at, "pre_training_copies_start")
    wait(own_desk)
    at.run()
    assert not at.exception
    assert any("same number of tokens" in m.value for m in at.markdown)


def test_a_model_that_was_brought_back_is_trained_on(own_desk, ended):
    at = opened(**{files.BASE: ended.model()})
    assert any("is back" in m.value for m in at.markdown)
    press(at, "pre_training_start")
    job = wait(own_desk)
    assert job.steps.base is not None and not job.error
    assert show.estimate(Setup())[0] > 0
