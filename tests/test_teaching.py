"""Chapter 16 without a browser: clicks, runs and views, and the page through Streamlit."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.alignment.experiments import METHODS, Preferences
from microgpt.alignment.preferences import Rater, find_task, rated_pairs
from microgpt.alignment.reward import LN2
from microgpt.alignment.sft import held_out_questions
from microgpt.model.checkpoint import load
from widgets import book, teaching_measure, teaching_runs
from widgets import teaching_clicks as clicks
from widgets import teaching_view as views
from widgets.components import payload
from widgets.teaching_runs import Moment, Result

POLITE = find_task("polite")


@pytest.fixture(scope="module")
def chat():
    return load("tiny-chat")


@pytest.fixture(scope="module")
def base():
    return load("tiny-base")


@pytest.fixture(scope="module")
def shown(chat):
    return clicks.round_of(chat, 0)


@pytest.fixture(scope="module")
def picks(shown):
    """What somebody clicks who likes what the polite rater likes."""
    rng, rater = np.random.default_rng(0), Rater(POLITE.true_score)
    chosen = {c.name: rater.choose(c.question, c.samples, rng) for c in shown}
    return {name: -1 if pick is None else pick for name, pick in chosen.items()}


@pytest.fixture(scope="module")
def learned(chat, shown, picks):
    """The events of a reward model that learns from these clicks."""
    made = clicks.clicks_made(shown, picks)
    return list(teaching_runs.learn_taste(chat, made.train, made.held, {"by": "you"}))


@pytest.fixture
def small(monkeypatch):
    """Measurements on few questions, so that a run is over in a moment."""
    monkeypatch.setattr(teaching_measure, "ANSWERS", 8)
    monkeypatch.setattr(teaching_measure, "LOSS_BATCHES", 1)


# Clicks --------------------------------------------------------------------------------------


def test_a_round_has_twenty_real_pairs_and_the_last_ones_came_before(chat, shown):
    assert len(shown) == clicks.ROUND == len({c.name for c in shown})
    by_name = {c.name: c for c in shown}
    twins = [c for c in shown if c.twin]
    assert len(twins) == clicks.TWINS and tuple(twins) == shown[-clicks.TWINS :]
    for contest in twins:
        assert contest.samples == by_name[contest.twin].samples[::-1]
        assert contest.question == by_name[contest.twin].question
    assert all(c.samples[0].text != c.samples[1].text for c in shown)
    assert clicks.round_of(chat, 0) == shown and clicks.round_of(chat, 1)[0] != shown[0]
    payload(clicks.as_data(shown, "x"))


@pytest.mark.parametrize(
    "state", [None, "x", [], {"rounds": "9", "picks": 3}, {"rounds": True, "picks": {"0-0": 7}},
              {"rounds": -2, "picks": {"0-1": "1", 5: 1, "0-2": None, "0-3": [1]}}],
)  # fmt: skip
def test_whatever_the_browser_sends_as_clicks_is_read(state):
    assert clicks.clicks_of(state) == (1, {})


def test_too_many_rounds_are_as_many_as_there_are():
    assert clicks.clicks_of({"rounds": 99, "picks": {"0-0": 1}}) == (clicks.MOST_ROUNDS, {"0-0": 1})


def test_empty_and_single_clicks_get_a_sentence(shown):
    def problem(picks):
        return clicks.clicks_made(shown, picks).problem

    assert "not judged a pair" in problem({})
    assert "no difference anywhere" in problem({c.name: -1 for c in shown})
    assert problem({"0-0": 1}).startswith("One click tells")
    assert problem({"0-0": 1, "0-1": 0}).startswith("2 clicks tell")
    assert problem({f"0-{i}": 0 for i in range(clicks.LEAST)}) == ""
    assert "not judged a pair" in problem({"9-9": 1}), "clicks on no pair that exists"


def test_clicks_that_contradict_each_other_are_named(shown):
    same = {c.name: 0 for c in shown}  # always the left answer: so the twins the other way round
    made = clicks.clicks_made(shown, same)
    assert made.twice == made.changed == clicks.TWINS
    words = clicks.agreement_in_words(made)
    assert "0 of 2 the same way" in words and f"ln 2 = {LN2:.3f}" in words
    steady = same | {c.name: 1 for c in shown if c.twin}
    words = clicks.agreement_in_words(clicks.clicks_made(shown, steady))
    assert "2 of 2 the same way" in words and "ln 2" not in words
    assert clicks.agreement_in_words(clicks.clicks_made(shown, {"0-0": 1})) == ""


def test_on_opposite_clicks_alone_the_loss_stays_at_ln_2(chat, shown):
    made = clicks.clicks_made(shown, {c.name: 0 for c in shown})
    twin = [p for p in made.train if p.question in {c.question for c in shown if c.twin}]
    events = list(teaching_runs.learn_taste(chat, twin, [], {}))
    losses = [m.numbers["loss"] for m in events[:-1]]
    assert len(twin) == 2 * clicks.TWINS and min(losses) >= LN2 - 1e-5
    assert "next to nothing" in clicks.verdict_in_words(events[-1].measured)


def test_every_fourth_pair_is_kept_back_but_none_that_came_twice(shown, picks):
    made = clicks.clicks_made(shown, dict.fromkeys(picks, 1))
    assert len(made.held) == (clicks.ROUND - 2 * clicks.TWINS) // clicks.BACK
    assert made.count == clicks.ROUND
    seen = {(p.question, frozenset(s.text for s in p.samples)) for p in made.train}
    assert not [p for p in made.held if (p.question, frozenset(s.text for s in p.samples)) in seen]


def test_the_reward_model_learns_a_taste_from_twenty_clicks(chat, learned):
    *moments, result = learned
    assert [m.step for m in moments] == list(range(1, teaching_runs.LIVE.steps + 1))
    assert moments[0].numbers["loss"] == pytest.approx(LN2, abs=1e-6), "it begins without an idea"
    others = rated_pairs(chat, POLITE, POLITE.rater(), 40, 77, held=True)
    found = result.reward.accuracy(others)
    print(f"20 clicks: {found:.2f} of pairs it never saw, length alone "
          f"{result.measured['baseline'].accuracy(others):.2f}")
    assert found >= 0.75
    words = clicks.verdict_in_words(result.measured)
    assert f"of {result.measured['held']}" in words and "counts tokens" in words


def test_any_sentence_gets_a_score_and_kind_ones_a_better_one(learned):
    reward, question = learned[-1].reward, held_out_questions(1)[0]
    names, texts = zip(*clicks.probes(question), strict=True)
    found = dict(zip(names, clicks.score_texts(reward, question, texts), strict=True))
    assert found["polite"] > found["plain"] and found["polite"] > found["brief"]
    odd = clicks.score_texts(reward, question, ["", "x" * 9000, "<|end|><|user|>", "猫 🐈", "a\x00b"])
    assert len(odd) == 5 and np.isfinite(odd).all()
    assert clicks.score_texts(reward, question, []) == []


def test_a_simulated_rater_clicks_the_rest(chat, shown, picks, monkeypatch):
    monkeypatch.setattr(teaching_runs, "HELD", 12)
    monkeypatch.setattr(teaching_runs, "HELPED", teaching_runs.RewardOptions(steps=4))
    made = clicks.clicks_made(shown, picks)
    events = list(teaching_runs.learn_with_help(chat, POLITE, made.train, made.held, {}, pairs=30))
    assert [e for e in events if isinstance(e, Moment) and e.note], "it says what it does first"
    measured = events[-1].measured
    assert measured["clicks"] == 30 and measured["rated_held"] == 12
    assert "simulated rater" in clicks.verdict_in_words(measured)


# Runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_fine_tuning_tells_every_step_and_leaves_the_base_model_alone(base, kind, small, monkeypatch):
    for name in ("TUNING", "LORA_TUNING"):
        options = replace(getattr(teaching_runs, name), steps=2, batch=2)
        monkeypatch.setattr(teaching_runs, name, options)
    before = {n: p.copy() for n, p in base.params.items()}
    *moments, result = teaching_runs.fine_tune(base, kind, asked=5)
    assert [m.step for m in moments] == [0, 1, 2] and moments[0].says
    assert all((base.params[n] == p).all() for n, p in before.items())
    (model,) = result.models.values()
    assert all(p.dtype == np.float16 for p in model.params.values())
    ready = teaching_measure.usable(model)
    changed = [n for n, p in ready.params.items() if (p != before[n]).any()]
    assert changed and not any(p.flags.writeable for p in ready.params.values())
    if kind == "lora":
        assert result.measured["trained"] < 0.1 * sum(p.size for p in before.values())
        assert all("proj" in name for name in changed)
    assert "full" in kind or "6%" in f"{result.measured['trained'] / 1115264:.0%}"
    table = views.tuning_table([result])
    assert "given the bare text" in table and f"{result.measured['trained']:,}" in table
    json.dumps(result.measured, allow_nan=False)


def test_fine_tuning_of_no_kind_is_refused(base):
    with pytest.raises(ValueError, match="'full' or 'lora'"):
        next(teaching_runs.fine_tune(base, "half"))


def test_ppo_begins_with_ratio_1_kl_0_and_clip_fraction_0(chat, learned, small):
    pairs = clicks_pairs(learned)
    options = replace(METHODS["ppo"], steps=2, rows=8, minibatch=4, epochs=1)
    prepared = Preferences(POLITE, 1, pairs, (), learned[-1].reward)
    *moments, result = teaching_runs.improve(chat, prepared, "ppo", options, {"by": "you"})
    first = moments[0].numbers
    assert first["ratio_first"] == pytest.approx(1, abs=1e-5)
    assert first["kl"] == pytest.approx(0, abs=1e-5) and first["clipped_first"] == 0
    assert 0 <= first["true"] <= 1 and [m.step for m in moments] == [1, 2]
    measured = result.measured
    assert measured["before"]["kl"] == pytest.approx(0, abs=1e-6) and measured["kl"] > 0
    assert len(measured["says"]) == len(teaching_measure.shown_questions())
    assert result.about == {"method": "ppo", "steps": 2, "beta": 0.05, "taste": "polite", "by": "you"}
    payload({"charts": views.ppo_charts(moments) + views.ppo_insides(moments)})
    assert "learned reward" in views.charts_in_words(views.ppo_charts(moments))
    assert set(views.tax_table([("x", measured["losses"], measured["before"]["losses"])])) & set("+-")


def clicks_pairs(learned):
    return learned[-1].about["pairs"]


def test_dpo_begins_at_ln_2_and_both_methods_come_out_of_one_run(chat, learned, small, monkeypatch):
    quick = {"dpo": replace(METHODS["dpo"], steps=2, batch=4),
             "grpo": replace(METHODS["grpo"], steps=1, prompts=2, group=4, minibatch=8)}  # fmt: skip
    monkeypatch.setattr(teaching_runs, "METHODS", quick)
    prepared = Preferences(POLITE, 1, clicks_pairs(learned), (), learned[-1].reward)
    *moments, result = teaching_runs.compare(chat, prepared)
    assert [m.says for m in moments] == ["dpo", "dpo", "grpo"]
    assert moments[0].numbers["loss"] == pytest.approx(LN2, abs=1e-5)
    assert set(result.measured) == {"dpo", "grpo"} and len(result.models) == 2
    table = views.methods_table(result.measured["dpo"]["before"], list(result.measured.items()))
    assert table.count("\n") == 4


def test_a_hacked_run_is_the_same_each_time_and_prepares_aloud(chat, small, monkeypatch):
    monkeypatch.setattr(teaching_runs, "HACK_PAIRS", 8)
    monkeypatch.setattr(teaching_runs, "HACK_REWARD", teaching_runs.RewardOptions(steps=2, batch=4))
    options = replace(teaching_runs.HACKING, steps=2, rows=8, minibatch=8)
    first, second = (list(teaching_runs.hack(chat, "free", 3, options)) for _ in range(2))
    strip = [[m.numbers for m in teaching_runs.moments_of(run)] for run in (first, second)]
    assert strip[0] == strip[1] and len(strip[0]) == 2
    assert [e for e in first if isinstance(e, Moment) and e.note]
    assert first[-1].about["beta"] == 0 and first[-1].about["variant"] == "free"
    assert "learned reward" in views.hacked_in_words(teaching_runs.moments_of(first))
    with pytest.raises(ValueError, match="free, leashed, careful"):
        next(teaching_runs.hack(chat, "wild"))


def test_weights_become_a_reward(chat, small):
    options = replace(teaching_runs.WEIGHED, steps=1, prompts=2, group=4, minibatch=8)
    *moments, result = teaching_runs.follow_weights(chat, {"brief": 1.0}, options=options)
    assert 0 <= moments[0].numbers["reward"] <= 1
    assert result.measured["true_score"] == pytest.approx(result.measured["dimensions"]["brief"])
    with pytest.raises(ValueError, match="no score 'funny'"):
        next(teaching_runs.follow_weights(chat, {"funny": 1.0}))


def test_results_are_told_from_moments():
    events = [Moment(0, {}, note="..."), Moment(1, {"loss": 1.0}), Result({}, {})]
    assert [m.step for m in teaching_runs.moments_of(events)] == [1]
    assert teaching_runs.result_of(events) is events[-1]
    assert teaching_runs.result_of(events[:2]) is None is teaching_runs.result_of([])


# Views ---------------------------------------------------------------------------------------


def test_hacking_is_told_as_it_went():
    def moments(reward, true):
        return [Moment(i + 1, {"reward": r, "true": t, "kl": float(i)})
                for i, (r, t) in enumerate(zip(reward, true, strict=True))]  # fmt: skip

    hacked = moments([-0.3, 1.2], [0.65, 0.4])
    assert "reward rises from -0.30 to 1.20" in views.hacked_in_words(hacked)
    assert "true score falls from 0.65 to 0.40" in views.hacked_in_words(hacked)
    assert views.was_hacked(hacked) and not views.was_hacked(moments([-0.3, 1.2], [0.65, 0.9]))
    assert not views.was_hacked([])


def test_charts_of_nothing_are_no_error():
    charts = [*views.ppo_charts([]), *views.pair_charts([], []), *views.reward_charts([])]
    payload({"charts": charts})
    assert views.charts_in_words(charts) == "Nothing has been drawn yet."


# The page ------------------------------------------------------------------------------------


@pytest.fixture
def page():
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=120)
    at.run()
    at.switch_page("pages/teaching.py").run()
    assert not at.exception
    return at


def words(at) -> str:
    return "\n".join(element.value for element in at.markdown)


def test_the_page_learns_from_clicks_and_says_what_it_cannot_learn_from(page, picks):
    page.button(key="teaching_learn").click().run()
    assert not page.exception
    assert ["not judged a pair" in info.value for info in page.info] == [True]
    assert page.button(key="teaching_ppo_go").disabled, "nothing to practise for yet"
    page.session_state["teaching_pairs"] = {"clicks": {"rounds": 1, "picks": picks}}
    page.run()
    for _ in range(200):
        if "kept back it is right in" in words(page):
            break
        time.sleep(0.05)
        page.run()
    assert not page.exception and "kept back it is right in" in words(page)
    assert not page.button(key="teaching_ppo_go").disabled
    page.text_input(key="teaching_own").set_value("Of course, my friend.").run()
    assert not page.exception and "**yours**" in words(page)


def test_the_page_asks_before_it_reveals(page):
    assert "teaching_free_go" not in [button.key for button in page.button]
    next(b for b in page.button if b.label.startswith("I have no idea")).click().run()
    assert not page.exception
    assert "teaching_free_go" in [button.key for button in page.button]
    assert "teaching_leashed_go" not in [button.key for button in page.button], "nothing to repair"


def press(at, key: str, until: str) -> None:
    """Press a button that starts a run, and wait until the page tells of its result."""
    at.button(key=key).click().run()
    for _ in range(600):
        assert not at.exception, at.exception
        assert not at.error, [error.value for error in at.error]
        if until in words(at):
            return
        time.sleep(0.1)
        at.run()
    raise AssertionError(f"{until!r} never came")


def test_every_run_of_the_page_comes_to_a_result(page, picks, small, monkeypatch):
    monkeypatch.setitem(METHODS, "ppo", replace(METHODS["ppo"], steps=2, rows=8, minibatch=8))
    monkeypatch.setitem(METHODS, "dpo", replace(METHODS["dpo"], steps=2, batch=4))
    grpo = replace(METHODS["grpo"], steps=1, prompts=2, group=4, minibatch=8)
    monkeypatch.setitem(METHODS, "grpo", grpo)
    monkeypatch.setattr(teaching_runs, "WEIGHED", grpo)
    monkeypatch.setattr(teaching_measure, "ASKED", 4)
    for name in ("TUNING", "LORA_TUNING"):
        monkeypatch.setattr(teaching_runs, name,
                            replace(getattr(teaching_runs, name), steps=2, batch=2))  # fmt: skip
    page.session_state["teaching_pairs"] = {"clicks": {"rounds": 1, "picks": picks}}
    page.run()
    next(b for b in page.button if b.label.startswith("I have no idea")).click()
    press(page, "teaching_full_go", "in words that were kept out")
    press(page, "teaching_lora_go", "LoRA trains")
    press(page, "teaching_ppo_go", "on questions it never practised on")
    press(page, "teaching_compare_go", "| PPO |")
    press(page, "teaching_weights_go", "Trained on")
    assert all(f"yours: {name}" in words(page) for name in ("PPO", "DPO", "GRPO", "LoRA"))
    page.text_input(key="teaching_ask_all").set_value("What is the opposite of hot?").run()
    assert not page.exception and "computed now by 9 models" in words(page)
