"""Chapter 12: what it shows is what the engine says, for any prompt, link or setting."""

import json
import math

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.decoding import pipeline, sampling
from microgpt.decoding.chi_square import ChiSquare
from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY, Sampling
from microgpt.model import checkpoint
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.tokens.bpe import train
from widgets import book, components
from widgets import sampling_link as links
from widgets import sampling_text_view as texts
from widgets import sampling_view as views

NAME = "sampling-page-test"


@pytest.fixture(scope="module")
def model():
    """A model that has learned nothing, with scores far enough apart to be told from each other."""
    tokenizer = train("the capital of the moon is a cat and the cat is a king " * 20, 300)
    config = llama_style(vocab_size=300, context=48, layers=2, width=32, heads=2, hidden=64)
    params = init_params(config, np.random.default_rng(3))
    params["model.norm.weight"] = params["model.norm.weight"] * 6
    return checkpoint.Model(NAME, params, config, tokenizer, {"sha256": "random"})


@pytest.fixture(scope="module")
def names(model):
    known = [model.tokenizer.name_of(i) for i in range(model.tokenizer.vocab_size)]
    return known + ["(unused)"] * (model.config.vocab_size - len(known))


@pytest.fixture(scope="module")
def ids(model):
    return pipeline.read_prompt(model, "the cat is").ids


@pytest.fixture(scope="module")
def scores(model, ids):
    return views.next_scores(model, ids)


def some_settings(count=40, seed=0):
    rng = np.random.default_rng(seed)
    yield Sampling()
    yield GREEDY
    for _ in range(count):
        yield Sampling(
            temperature=float(np.round(rng.choice([0, 0.01, rng.uniform(0, 2)]), 2)),
            top_k=int(rng.choice([0, 1, 5, 1000])),
            top_p=float(rng.choice([0.01, 0.5, 0.9, 1])),
            min_p=float(rng.choice([0, 0.1, 1])),
            repetition_penalty=float(rng.choice([1, 1.5, 5])),
        )


# --- the address -------------------------------------------------------------------------------

HOME = links.Link("Once", "a")


def test_an_address_brings_another_reader_to_the_same_page():
    for i, settings in enumerate(some_settings()):
        settings = links.clamp(links.as_values(settings))
        link = links.Link(f"prompt & so ? {i} \u00e9\u4e2d", "ab"[i % 2], settings, i)
        found = links.read_link(links.write_link(link, HOME), HOME, ["a", "b"])
        assert found == link and found.notices == ()


def test_the_page_as_it_opens_has_a_bare_address():
    assert links.write_link(HOME, HOME) == {}
    assert links.read_link({}, HOME, ["a"]) == HOME


def test_a_prompt_too_long_for_an_address_is_left_out_of_it():
    assert "p" not in links.write_link(links.Link("x" * 401, "a"), HOME)
    assert links.write_link(links.Link("x" * 400, "a"), HOME)["p"] == "x" * 400


@pytest.mark.parametrize(("name", "value"), [
    ("t", "banana"), ("t", "-1"), ("t", "nan"), ("t", "1e999"), ("t", ""), ("t", "2.5"),
    ("k", "1.5"), ("k", "-3"), ("k", "1" * 400), ("tp", "0"), ("tp", "inf"), ("mp", "2"),
    ("rp", "0"), ("s", "\u0000"), ("s", "-1"), ("s", "1e9"), ("m", "../../etc/passwd"),
    ("t", "<script>" * 500),
])  # fmt: skip
def test_nonsense_in_an_address_is_said_and_not_used(name, value):
    found = links.read_link({name: value}, HOME, ["a"])
    assert found == HOME
    assert len(found.notices) == 1
    assert found.notices[0].endswith("is used.") and len(found.notices[0]) < 200
    assert found.notices[0].isprintable()


@pytest.mark.parametrize("sent", [
    None, {}, "x", [], {"temperature": "hot"}, {"temperature": math.nan}, {"top_k": math.inf},
    {"temperature": -9, "top_k": -1, "top_p": 0, "min_p": 7, "repetition_penalty": 0},
])  # fmt: skip
def test_settings_from_a_browser_are_forced_into_their_limits(sent):
    clean = links.clamp(sent)
    for name, (low, high, _) in links.LIMITS.items():
        assert low <= getattr(clean, name) <= high
    assert isinstance(clean.top_k, int)


@pytest.mark.parametrize("sent", [None, {}, {"seed": "x", "count": math.nan}, {"count": 1e12, "seed": -4}])
def test_draws_from_a_browser_are_forced_into_their_limits(sent):
    clean = links.clamp_draws(sent)
    assert 0 <= clean["seed"] <= links.LAST_SEED and 0 <= clean["count"] <= links.MOST_DRAWS


# --- the picture -------------------------------------------------------------------------------


def test_the_scores_are_those_of_the_model(model, ids, scores):
    assert scores.shape == (model.config.vocab_size,)
    expected = gpt(model.params, np.array([ids]), model.config)[0, -1]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-6)  # other shapes, other sums


def test_the_picture_shows_what_the_filters_do(scores, ids, names):
    for settings in some_settings():
        view = views.pipeline_view(scores, settings, ids, names, True)
        engine, shown = view["engine"], [row["id"] for row in view["rows"]]
        final = sampling.distribution(scores, settings, ids)
        np.testing.assert_allclose(engine["final"], final[shown], rtol=0, atol=1e-15)
        assert engine["kept"] == np.count_nonzero(final)
        assert engine["rest"]["final"] == pytest.approx(1 - final[shown].sum(), abs=1e-12)
        assert sum(engine["softmax"]) + engine["rest"]["softmax"] == pytest.approx(1)
        assert engine["entropy"] == pytest.approx(sampling.entropy(final))
        cut = [bool(reason) for reason in engine["reasons"]]
        assert cut == [p == 0 for p in final[shown]]
        for before, after, reason in zip(engine["softmax"], engine["final"], engine["reasons"], strict=True):
            if not reason:
                assert after == pytest.approx(before / engine["stays"])


def test_the_rows_are_the_best_tokens_as_the_model_gave_them(scores, ids, names):
    rows = views.token_rows(scores, names, ids)
    assert [row["logit"] for row in rows] == sorted(scores.tolist(), reverse=True)[: views.ROWS]
    assert all(row["name"] == names[row["id"]] for row in rows)
    assert [row["seen"] for row in rows] == [row["id"] in set(ids) for row in rows]


def test_a_cut_names_the_filter_that_made_it():
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.04, 0.01]))
    order = list(range(5))

    def reasons(**settings):
        return views.stages_view(scores, Sampling(**settings), (), order)["reasons"]

    assert reasons() == [""] * 5
    assert reasons(top_k=2) == ["", "", "top-k", "top-k", "top-k"]
    assert reasons(top_p=0.6) == ["", "", "top-p", "top-p", "top-p"]
    assert reasons(min_p=0.2) == ["", "", "", "min-p", "min-p"]
    assert reasons(top_k=4, top_p=0.9, min_p=0.4) == ["", "", "min-p", "top-p", "top-k"]
    assert reasons(temperature=0) == ["", *["temperature 0"] * 4]


def test_the_views_are_plain_finite_and_small():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=49_152).astype(np.float32)
    names = [f"token {i}" for i in range(len(scores))]
    for settings in (Sampling(), GREEDY, Sampling(top_k=3)):
        view = views.pipeline_view(scores, settings, range(200), names, False)
        size = len(json.dumps(components.payload(view), allow_nan=False))
        assert size < components.BUDGET
    probabilities = sampling.distribution(scores, Sampling())
    drawn = views.draws_view(probabilities, names, 1, 1000)
    packed = components.packed(probabilities.astype(np.float32))
    components.payload({"names": names, "probabilities": packed, "draws": drawn})


def test_the_words_say_the_numbers_of_the_picture(scores, ids, names):
    view = views.pipeline_view(scores, Sampling(top_k=3), ids, names, True)
    words = views.stages_in_words(view)
    assert "3 tokens stay and 297 are cut" in words
    assert f"{100 * view['engine']['final'][0]:.1f} %" in words


# --- the draw ----------------------------------------------------------------------------------


def test_draws_are_those_of_the_engine_and_of_the_seed(scores, names):
    p = sampling.distribution(scores, Sampling(temperature=1.5))
    view = views.draws_view(p, names, 5, 300)
    rng = np.random.default_rng(5)
    drawn = [sampling.draw(p, rng) for _ in range(300)]
    assert view["last"]["id"] == drawn[-1]
    assert view["recent"] == [names[i] for i in drawn[::-1][:12]]
    sums = np.cumsum(p)
    assert np.searchsorted(sums, view["last"]["u"] * sums[-1], side="right") == drawn[-1]
    assert sum(row["count"] for row in view["rows"]) == 300
    assert sum(row["expected"] for row in view["rows"]) == pytest.approx(300)
    again = views.draws_view(p, names, 5, 300)
    assert again == view and views.draws_view(p, names, 6, 300) != view
    assert views.draws_view(p, names, 5, 301)["recent"][1:] == view["recent"][:11]


def test_few_draws_are_not_tested_and_one_outcome_needs_no_test(names):
    p = np.zeros(len(names))
    p[7] = 1.0
    assert views.draws_view(p, names, 0, 0)["last"] is None
    assert views.draws_view(p, names, 0, 9)["rows"] == []
    view = views.draws_view(p, names, 0, 500)
    assert [(row["count"], row["expected"], row["spread"]) for row in view["rows"]] == [(500, 500.0, 0.0)]
    assert "nothing to test" in view["test"]


def test_the_chi_square_is_told_without_claiming_too_much():
    fine = views.test_in_words(ChiSquare(8.5, 15, 0.904), 1000)
    assert "15 degrees of freedom" in fine and "90 of 100" in fine and "Nothing here" in fine
    odd = views.test_in_words(ChiSquare(40.0, 1, 0.004), 1000)
    assert "1 degree of freedom" in odd and "fewer than 1 of 100" in odd
    assert "another seed" in odd and "Nothing" not in odd


def test_draws_that_do_not_fit_the_bars_are_found(names, monkeypatch):
    p = np.zeros(len(names))
    p[:4] = 0.25
    monkeypatch.setattr(views, "draw_many", lambda p, seed, n: np.arange(n) % 2)
    assert "p = 0.000" in views.draws_view(p, names, 0, 1000)["test"]


def test_entropy_rises_with_temperature_from_zero_to_the_ceiling(scores):
    temperatures, entropies = views.entropy_curve(scores)
    assert entropies[0] == 0 and (np.diff(entropies) > -1e-12).all()
    assert entropies[-1] < np.log2(len(scores))
    one = np.argmin(abs(temperatures - 1))
    assert entropies[one] == pytest.approx(sampling.entropy(sampling.softmax(scores.astype(float))))
    words = views.entropy_in_words(temperatures, entropies, 8.0)
    assert "rises all the way" in words and f"{entropies[one]:.2f} at 1" in words
    assert "does not only rise" in views.entropy_in_words(temperatures, entropies[::-1], 8.0)


# --- texts -------------------------------------------------------------------------------------


def test_a_text_depends_on_the_seed_but_not_at_temperature_zero(model, ids):
    warm = {texts.write(model, ids, Sampling(), seed, 12).text for seed in range(6)}
    cold = {texts.write(model, ids, GREEDY, seed, 12).text for seed in range(6)}
    assert len(warm) > 1 and len(cold) == 1
    assert texts.write(model, ids, Sampling(), 4, 12) != texts.write(model, ids, Sampling(), 5, 12)
    one, two = (texts.write(model, ids, Sampling(), 4, 12) for _ in range(2))
    assert one.pieces == two.pieces


def test_a_text_begins_with_the_first_draw_of_its_seed(model, ids, scores, names):
    settings = Sampling(temperature=1.4, top_k=40)
    p = sampling.distribution(scores, settings, ids)
    for seed in range(8):
        view = views.draws_view(p, names, seed, 1)
        step = next(generate(model, ids, settings, 1, np.random.default_rng(seed)))
        assert step.token == view["last"]["id"]
        assert texts.write(model, ids, settings, seed, 1).bits == pytest.approx(
            -math.log2(sampling.softmax(scores.astype(float))[step.token]), rel=1e-4
        )


def test_the_surprise_of_a_text_is_the_models_own(model, ids):
    written = texts.write(model, ids, GREEDY, 0, 5)
    row = list(ids)
    for _, p in written.pieces:
        plain = sampling.softmax(gpt(model.params, np.array([row]), model.config)[0, -1].astype(float))
        row.append(int(plain.argmax()))
        assert p == pytest.approx(plain.max(), rel=1e-4)
    bits = np.mean([-math.log2(p) for _, p in written.pieces])
    assert written.bits == pytest.approx(bits) and bits > 0


def test_nothing_invisible_is_shown():
    assert texts.readable("a\x00\x1b b\n\u202e") == "a\\x00\\x1b b\n\\u202e"


def test_a_text_ends_where_the_context_does(model, ids):
    written = texts.write(model, ids, GREEDY, 0, 500)
    assert written.reason in ("context full", "stop token")
    assert len(written.pieces) <= model.config.context


def test_the_tree_multiplies_and_never_holds_more_than_everything(model, ids, names):
    view = texts.tree_view(model, ids, names)
    assert len(view["children"]) == texts.WIDTH

    def check(node, above):
        assert sum(child["p"] for child in node["children"]) <= 1 + 1e-9
        assert [c["p"] for c in node["children"]] == sorted((c["p"] for c in node["children"]), reverse=True)
        for child in node["children"]:
            assert child["path"] == pytest.approx(above * child["p"])
            check(child, child["path"])

    check(view, 1.0)
    every = texts.paths(view)
    assert every[0][1] == max(p for _, p in every)
    way, p = texts.greedy_path(view)
    assert (way, p) in every
    words = texts.tree_in_words(view)
    assert f"{len(every)} paths" in words
    assert ("likelier path exists" in words) == (every[0][0] != way)


def test_a_tree_with_a_likelier_side_path_says_so():
    def node(name, p, path, *children):
        return {"name": name, "p": p, "path": path, "end": False, "children": list(children)}

    view = {"children": [node("a", 0.6, 0.6, node("b", 0.5, 0.3)), node("c", 0.4, 0.4, node("d", 1.0, 0.4))]}
    assert texts.greedy_path(view) == (("a", "b"), 0.3)
    assert "A likelier path exists: `cd` with 40.00 %" in texts.tree_in_words(view)


def test_answers_are_judged_by_the_facts_of_the_tiny_world(model):
    told = texts.ask_capital(model, " france ")
    assert told["truth"] == "Paris" and told["question"] == "The capital of france is"
    made_up = texts.ask_capital(model, "the moon")
    assert made_up["truth"] is None and not made_up["right"]
    for row in (told, made_up):
        assert 0 <= row["p"] <= 1 and row["entropy"] >= 0
    long = texts.ask_capital(model, "x" * 10_000 + "\n")
    assert len(long["place"]) == texts.LONGEST_PLACE


def test_the_words_about_answers_follow_from_the_numbers():
    def row(place, p, truth=None, right=False, entropy=1.0):
        return {"place": place, "answer": "Rome.", "p": p, "truth": truth, "right": right, "entropy": entropy}

    known = [row("Italy", 0.9, "Rome", True), row("Japan", 0.8, "Tokyo")]
    sure = texts.answers_in_words([*known, row("Mars", 0.7)])
    assert "Of 2 places" in sure and "1 right" in sure and "Mars" in sure and "70.0 %" in sure
    assert "about as sure" in sure
    unsure = texts.answers_in_words([*known, row("Mars", 0.1, entropy=3.21)])
    assert "less sure" in unsure and "3.2 bits" in unsure and "about as sure" not in unsure
    assert "says nothing" not in texts.answers_in_words(known)


def test_the_usual_settings_are_measured(model, ids):
    rows = texts.uses_table(model, ids, 0, samples=4, most=5)
    assert [row["name"] for row in rows] == list(texts.USES)
    assert rows[0]["entropy"] < rows[-1]["entropy"]
    for row in rows:
        assert 1 <= row["distinct"] <= 4 and row["kept"] >= 1 and 1 <= row["times"] <= 4
    greedy = texts.uses_table(model, ids, 0, samples=1, most=5)
    assert all(row["distinct"] == 1 for row in greedy)


# --- the page ----------------------------------------------------------------------------------


@pytest.fixture
def opened(model, tmp_path_factory, monkeypatch):
    """`opened(**address)` is the page as one session sees it, with the untrained model."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint.save(folder / NAME, model)
    monkeypatch.setenv("MICROGPT_MODELS", str(folder))

    def open_page(**address):
        at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=300)
        at.run()
        at.switch_page("pages/sampling.py")
        for name, value in address.items():
            at.query_params[name] = value
        return at.run()

    return open_page


def view_of(at, name):
    return next(json.loads(c.proto.json) for c in at.get("bidi_component")
                if c.proto.component_name == f"press_enter_{name}")[0]  # fmt: skip


def words_of(at):
    return "\n".join(element.value for element in at.markdown)


def test_a_link_sets_the_whole_page_and_the_page_writes_it_back(opened):
    at = opened(p="the moon", t="0.5", k="3", tp="1", s="9")
    assert not at.exception
    assert at.text_input(key="sampling_prompt").value == "the moon"
    engine = view_of(at, "sampling")["engine"]
    assert engine["settings"]["temperature"] == 0.5 and engine["kept"] == 3
    assert view_of(at, "sampling_controls")["initial"]["settings"]["top_k"] == 3
    assert view_of(at, "sampling_draw")["draws"]["seed"] == 9
    assert {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()} == {
        "p": "the moon", "t": "0.5", "k": "3", "tp": "1", "s": "9",
    }  # fmt: skip


def test_a_link_with_nonsense_is_answered_with_a_sentence(opened):
    at = opened(t="banana", m="nobody")
    assert not at.exception
    assert "The address says t" in words_of(at) and "There is no model" in words_of(at)


def test_what_the_browser_sets_reaches_the_page_and_the_address(opened):
    at = opened()
    settings = links.as_values(Sampling(temperature=0.25, top_k=2))
    at.session_state["sampling_controls"] = {"settings": settings}
    at.session_state["sampling_draw"] = {"draws": {"seed": 4, "count": 1000}}
    at.run()
    assert not at.exception
    assert view_of(at, "sampling")["engine"]["kept"] == 2
    draws = view_of(at, "sampling_draw")["draws"]
    assert draws["count"] == 1000 and sum(row["count"] for row in draws["rows"]) == 1000
    assert at.query_params["t"] in ("0.25", ["0.25"]) and at.query_params["s"] in ("4", ["4"])


@pytest.mark.parametrize("prompt", [
    "", " \n\t", "\U0001f600\U0001f44d\U0001f3fd\u200d\U0001f525", "\x00\x01\x7f\x1b[31m", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "<|end|><|assistant|>`**[x](y)$$:red[", "\u202e\ufeff\ufffd", "a" * 1_000_000,
], ids=["empty", "blank", "emoji", "control", "right-to-left", "markup", "marks", "huge"])  # fmt: skip
def test_any_prompt_gives_a_picture(opened, prompt):
    at = opened()
    at.session_state["sampling_prompt"] = prompt
    at.run()
    assert not at.exception and not at.error
    view = view_of(at, "sampling")
    assert sum(view["engine"]["final"]) + view["engine"]["rest"]["final"] == pytest.approx(1)
    assert len(view["previous"]) <= 48
    if len(prompt) > 1000:
        assert "Only its last" in words_of(at) and "are dropped" in words_of(at)
    if not prompt:
        assert "The prompt is empty" in words_of(at)


def test_two_sessions_do_not_mix(opened):
    first, second = opened(t="0"), opened(t="2", p="a king")
    first.run()
    assert view_of(first, "sampling")["engine"]["settings"]["temperature"] == 0
    assert view_of(second, "sampling")["engine"]["settings"]["temperature"] == 2
    assert first.text_input(key="sampling_prompt").value != "a king"


def test_entropy_stays_hidden_until_the_prediction(opened):
    at = opened()
    assert not view_of(at, "sampling")["revealed"]
    assert "rises all the way" not in words_of(at)
    next(b for b in at.button if "no idea" in b.label).click().run()
    assert not at.exception
    assert view_of(at, "sampling")["revealed"]
    assert "A curve of entropy" in words_of(at)


def test_without_a_model_the_page_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=300).run()
    at.switch_page("pages/sampling.py").run()
    assert not at.exception
    assert "python -m microgpt train tiny-base" in at.warning[0].value


def test_a_damaged_model_is_said_in_a_sentence(opened, monkeypatch):
    from widgets import engine

    def damaged(name):
        raise ValueError("The file is cut short.")

    monkeypatch.setattr(engine, "model", damaged)
    at = opened()
    assert not at.exception
    assert any("The file is cut short." in error.value for error in at.error)
