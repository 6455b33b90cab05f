"""Chapter 9 without a browser: the views that its widgets draw, and the page through Streamlit."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.insight import heads, snapshots, worth
from microgpt.model.checkpoint import SHIPPED, Model, load, save
from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params
from microgpt.model.trace import trace
from microgpt.training.parallel import single_threaded_blas
from widgets import attention_arc as arcs
from widgets import attention_gallery_view as galleries
from widgets import attention_hand as hands
from widgets import attention_link as links
from widgets import attention_pronoun as pronouns
from widgets import attention_sharing as sharing
from widgets import attention_training as training
from widgets import attention_view as views
from widgets import book
from widgets.components import BUDGET, payload

TEXTS = {
    "empty": "", "one letter": "a", "emoji": "cats 🐈‍⬛ and 👩‍👩‍👧 dogs", "code": "for (i = 0; i < n; i++) { x[i] *= 2; }",
    "Chinese": "猫坐在垫子上，因为它累了。", "Arabic": "جلست القطة على الحصيرة", "control": "a\x00b\x1b[31m\u202ec",
    "markup": "<b>bold</b> [[token]] :red[x] $x$", "special": "<|begin|><|end|>",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded_blas():
        yield


@pytest.fixture(scope="module")
def base():
    return load(SHIPPED / "tiny-base")


@pytest.fixture(scope="module")
def grouped(base):
    """A model with fewer key heads than query heads and the shipped tokenizer."""
    config = llama_style(vocab_size=base.config.vocab_size, context=96, layers=3, width=36, heads=9,
                         kv_heads=3, hidden=24)  # fmt: skip
    params = init_params(config, np.random.default_rng(3))
    return Model("grouped", {n: 3 * p for n, p in params.items()}, config, base.tokenizer, {})


# Shares -----------------------------------------------------------------------------------------


def test_percentages_add_up_to_100_and_are_less_than_one_off():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 7, 64):
        weights = rng.dirichlet(np.full(n, rng.choice([0.02, 0.3, 5])), 200).astype(np.float32)
        shares = views.percentages(weights)
        assert (shares.sum(-1, dtype=int) == 100).all()
        assert np.abs(shares - 100.0 * weights).max() < 1 + 1e-4
    np.testing.assert_array_equal(views.percentages(np.array([0.5, 0.25, 0.25])), [50, 25, 25])
    np.testing.assert_array_equal(views.percentages(np.full(3, 1 / 3)), [34, 33, 33])
    assert not views.percentages(np.zeros(4)).any()


def test_the_view_shows_what_the_engine_computed(base):
    view = views.compute(base, "The cat sat on the mat because it was tired")
    values = trace(base.params, np.array([view.ids]), base.config)
    weights = np.stack([values[f"blocks.{i}.attention.weights"][0] for i in range(4)])
    assert view.shares.shape[0] == 4 * 5 + 1 and view.shares.dtype == np.uint8
    for query in range(len(view.ids)):
        for layer in range(4):
            for head in range(4):
                row = view.row(layer, head, query)
                assert row.sum() == 100 and len(row) == query + 1
                assert np.abs(row - 100 * weights[layer, head, query, : query + 1]).max() < 1
            mean = 100 * weights[layer, :, query, : query + 1].mean(0)
            assert np.abs(view.row(layer, 4, query) - mean).max() < 1
        mean = 100 * weights[:, :, query, : query + 1].mean((0, 1))
        assert np.abs(view.row(4, 4, query) - mean).max() < 1


def test_what_is_written_later_changes_nothing_before(base):
    short = views.compute(base, "The cat sat on the mat")
    long = views.compute(base, "The cat sat on the mat because it was tired")
    assert long.ids[: len(short.ids)] == short.ids
    for query in range(len(short.ids)):
        for layer, head in ((0, 0), (2, 3), (3, 4), (4, 4)):
            a, b = (v.row(layer, head, query).astype(int) for v in (short, long))
            assert np.abs(a - b).max() <= 1  # a sum in another order may tip a rounding


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_can_be_looked_at(base, name):
    view = views.compute(base, TEXTS[name])
    assert len(view.names) == len(view.ids) >= 1
    assert (view.shares[:, : len(view.ids)].size > 0) and view.names[0] == "<|begin|>"
    sums = [view.row(2, 3, q).sum() for q in range(len(view.ids))]
    assert set(sums) == {100}
    payload(views.as_data(view))
    choice = views.clamp(None, view, {"layer": 2, "head": 3, "query": -1, "key": -1})
    assert "100 %" in views.in_words(view, choice)


def test_64_tokens_and_too_many(base):
    word = " cat"
    exact = views.compute(base, word * 63)
    assert len(exact.ids) == 64 and exact.notices == ()
    more = views.compute(base, word * 70)
    assert len(more.ids) == 64 and "71 tokens" in more.notices[0]
    huge = views.compute(base, "cat " * 250_000)
    assert "1,000,000 characters" in huge.notices[0] and len(huge.ids) == 64
    assert len(huge.text) == views.LONGEST


def test_thirty_layers_of_nine_heads_fit_a_component():
    T, rng = 64, np.random.default_rng(0)
    weights = np.tril(rng.random((30, 9, T, T))).astype(np.float32)
    weights /= weights.sum(-1, keepdims=True)
    shares = views.triangles(views.percentages(views.with_averages(weights)))
    names = tuple("·token" * 3 for _ in range(T))
    view = views.View("x" * 1000, tuple(range(T)), names, 30, 9, shares, (), 0.0)
    import json

    assert len(json.dumps(payload(views.as_data(view)))) < BUDGET
    assert view.row(29, 8, 63).sum() == view.row(30, 9, 63).sum() == 100


def test_choices_are_forced_into_what_there_is(base):
    view = views.compute(base, "The cat sat")
    start = {"layer": 2, "head": 3, "query": -1, "key": -1}
    last = len(view.ids) - 1
    assert views.clamp({"layer": 99, "head": 99, "query": 99, "key": 99}, view, start)["query"] == last
    for nonsense in (None, 7, [], {"layer": "x"}, {"layer": True, "query": 1.5}):
        chosen = views.clamp(nonsense, view, start)
        assert (chosen["layer"], chosen["head"], chosen["query"]) == (2, 3, last)
        assert 0 <= chosen["key"] <= last
    chosen = views.clamp({"layer": 1, "head": 0, "query": 2, "key": 3}, view, start)
    assert chosen["key"] == view.row(1, 0, 2).argmax(), "a key after the query can't be looked at"
    assert views.place(view, 4, 4) == "all 16 heads, averaged"
    assert views.place(view, 1, 4) == "layer 2, its 4 heads averaged"


# One arc ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["base", "grouped"])
def test_every_number_of_an_arc_follows_from_those_before(which, request):
    model = request.getfixturevalue(which)
    view = views.compute(model, "Ann is a cook and Tom is a pilot. She works at the")
    for layer, head, query, key in ((0, 0, 3, 1), (2, 3, 9, 9), (1, model.config.heads - 1, 14, 5)):
        arc = arcs.compute(model, view.ids, layer, head, query, key)
        D = model.config.head_size
        assert arc.size == D
        scores = arc.keys @ arc.query_vector / math.sqrt(D)
        np.testing.assert_allclose(arc.scores, scores, rtol=1e-4, atol=1e-4)
        powers = np.exp(scores - scores.max())
        np.testing.assert_allclose(arc.weights, powers / powers.sum(), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(arc.mixed, arc.weights @ arc.values, rtol=1e-4, atol=1e-5)
        shown = view.row(layer, head, query)
        assert np.abs(shown - 100 * arc.weights).max() < 1
        payload(arcs.as_data(arc, view.names, arcs.clamp(None, len(view.ids))))
        assert f"{arc.weights[key]:.3f}" in arcs.in_words(arc, view.names)


def rounded(x, digits=2):
    return round(float(x), digits)


def test_blanks_are_marked_by_the_engine_and_forgive_rounding(base):
    view = views.compute(base, views.PRESETS[0])
    for key in (2, 4, 9):
        arc = arcs.compute(base, view.ids, 2, 3, 14, key)
        i, j, c = arc.largest, arc.key, 5
        by_hand = {
            "product": rounded(arc.query_vector[i]) * rounded(arc.keys[j, i]),
            "scaled": rounded(arc.products.sum()) / rounded(math.sqrt(arc.size)),
            "power": math.exp(rounded(arc.scores[j]) - rounded(arc.scores.max())),
            "part": rounded(arc.weights[j], 3) * rounded(arc.values[j, c]),
        }
        for level, names in ((1, ["product"]), (3, ["scaled", "power", "part"]), (0, [])):
            assert list(arcs.blanks(arc, level, c)) == names
            work = {"level": level, "answers": {n: rounded(by_hand[n], 3) for n in names}}
            assert all(arcs.marks(arc, work, c).values()), (key, level)
            work = {"level": level, "answers": {n: by_hand[n] + 0.3 for n in names}}
            assert not any(arcs.marks(arc, work, c).values())
        assert arcs.marks(arc, {"level": 3, "answers": {}}, c) == {}


def test_work_from_the_browser_is_not_trusted():
    fresh = {"key": -1, "level": 0, "channel": 0, "answers": {}}
    for nonsense in (None, 3, {"level": 2}, {"answers": [1]}, {"key": "x", "channel": -5}):
        assert arcs.clamp(nonsense, 9) == fresh
    given = {"key": 99, "level": 3, "answers": {"scaled": 1, "other": 2, "power": math.nan, "part": "x"}}
    assert arcs.clamp(given, 9) == {"key": 8, "level": 3, "channel": 0, "answers": {"scaled": 1.0}}


# By hand ----------------------------------------------------------------------------------------


def test_the_hand_made_head_is_the_formula():
    hand = hands.compute(hands.clamp(hands.START))
    scores = [(1.2 * x + 0.8 * y) / math.sqrt(2) for x, y in hands.START["k"]]
    powers = [math.exp(s) for s in scores]
    weights = [p / sum(powers) for p in powers]
    assert hand.scores == pytest.approx(scores) and hand.weights == pytest.approx(weights)
    assert hand.mixed == pytest.approx(sum(w * v for w, v in zip(weights, hands.START["v"], strict=True)))
    assert f"{hand.mixed:.2f}" in hands.in_words(hand)


@pytest.mark.parametrize(
    "vectors", [None, [], {"q": "x"}, {"q": [math.nan, True], "k": [1, 2, 3], "v": [None] * 3}]
)
def test_vectors_from_the_browser_are_not_trusted(vectors):
    assert hands.clamp(vectors) == hands.START


def test_vectors_stay_in_the_plane():
    kept = hands.clamp({"q": [9, -9], "k": [[5, 0], [0, -5], [1, 1]], "v": [1e9, -1e9, 0]})
    assert kept["q"] == [2, -2] and kept["k"][0] == [2, 0] and kept["v"] == [99, -99, 0]


# The pronoun, the gallery, ablation, sharing --------------------------------------------------


def test_the_lesson_on_the_pronoun_says_what_is_so(base):
    lesson = pronouns.compute(base)
    tired, soft = lesson.cases
    assert (tired.says, soft.says) == ("·cat", "·mat")
    np.testing.assert_array_equal(tired.at_pronoun, soft.at_pronoun)
    assert lesson.difference < 1e-5
    for case, word in ((tired, "·cat"), (soft, "·mat")):
        assert case.names[case.at_answer.argmax()] == word and case.at_answer.max() >= 40
        assert case.names[case.pronoun] == "·it" and case.at_answer.sum() == 100
    for kind in lesson.kinds:
        assert kind.n == 100 and kind.before >= 95 and kind.in_any >= 95 and 20 < kind.early < 80
        assert kind.in_any >= kind.strongest and kind.whole >= 0.95 and kind.without < 0.5
        assert kind.without <= kind.without_first <= kind.whole
    payload(pronouns.as_data(lesson))
    assert f"**{lesson.kinds[0].strongest} of 100**" in pronouns.figures(lesson)
    alone = replace(lesson.kinds[0], heads=((2, 3),), without_first=0.25)
    assert pronouns.figures(replace(lesson, kinds=(alone,))).endswith("without this head **25%**.")


@pytest.fixture(scope="module")
def gallery(base):
    return galleries.compute(base)


def test_the_gallery_names_heads_by_their_scores_and_what_they_cost(base, gallery):
    found = {p.kind: p for p in gallery.portraits}
    scores = heads.score_heads(base)
    for kind, portrait in found.items():
        assert portrait.best == scores[kind][0]
    assert found["induction"].verdict == found["previous token"].verdict == "clearly one"
    for kind in ("induction", "previous token"):
        portrait = found[kind]
        assert portrait.without_all.copying < 0.3 < 0.9 < gallery.whole.copying
        assert portrait.without_all.loss >= portrait.without.loss > gallery.whole.loss + 0.1
        certain = [s for s in scores[kind] if s.score >= heads.CERTAIN]
        assert portrait.peers == tuple((s.layer, s.head) for s in certain)
    weak = replace(found["induction"], best=replace(found["induction"].best, score=0.1))
    assert weak.verdict == "no such head here"
    payload(galleries.as_data(gallery))
    assert f"{gallery.whole.loss:.2f}" in galleries.in_words(gallery)


def test_taking_nothing_away_changes_nothing(base, gallery):
    view = views.compute(base, views.PRESETS[0])
    same = galleries.ablate(base, view.ids, (), gallery.whole)
    assert same.before == same.after and same.left == gallery.whole
    less = galleries.ablate(base, view.ids, ((2, 3),), gallery.whole)
    assert less.before == pytest.approx(tuple(sorted(less.before, reverse=True)))
    assert less.left == worth.worth(base, galleries.ablation.without_heads([(2, 3)], base.config))
    payload(galleries.ablated_data(less, base.config))
    assert f"{less.left.loss:.3f}" in galleries.ablated_in_words(less)


def test_heads_from_the_browser_are_not_trusted(base):
    given = [[2, 3], [2, 3], [9, 0], [0, -1], [True, 0], "x", [1], [0.0, 1], [0, 1]]
    assert galleries.clamp(given, base.config) == ((0, 1), (2, 3))
    assert galleries.clamp(None, base.config) == ()


def test_the_cache_is_counted(base):
    view = views.compute(base, views.PRESETS[0])
    T = len(view.ids)
    many, two, one, window = sharing.compute(base, view.ids, 2, 3)
    assert [v.kv_heads for v in (many, two, one, window)] == [4, 2, 1, 4]
    assert many.numbers == 2 * 4 * 4 * 32 * T and two.numbers * 2 == one.numbers * 4 == many.numbers
    assert window.kept == 8 and window.numbers == 2 * 4 * 4 * 32 * 8
    assert many.loss == pytest.approx(worth.loss(base)) and min(two.loss, one.loss, window.loss) > many.loss
    rows, columns = np.tril_indices(T)
    assert not window.shares[rows - columns >= 8].any() and many.shares[rows - columns >= 8].any()
    payload(sharing.as_data((many, two, one, window), view.names, 4, 2, 3))
    few, full = sharing.at_scale()
    assert few == pytest.approx(2 * 80 * 8 * 128 * 8192 * 2 / 1e9) and full == 8 * few


def test_a_grouped_model_is_shared_further(grouped):
    variants = sharing.compute(grouped, [0, 1, 2, 3], 0, 0)
    assert [v.name for v in variants] == ["Grouped-query, 3 groups", "Multi-query", "Sliding window"]


# While it learns --------------------------------------------------------------------------------


def test_a_recorded_run_is_found_and_measured(base, tmp_path):
    fresh = init_params(base.config, np.random.default_rng(0))
    for folder, params, tokens in (("tiny-base-09.00M", base.params, 9_000_000), ("tiny-base-00.25M", fresh, 250_000)):
        save(tmp_path / "run" / folder, Model(folder, params, base.config, base.tokenizer,
                                              {"tokens": tokens, "loss": 1.5}))  # fmt: skip
    (tmp_path / "run" / "tiny-base-broken").mkdir()
    (tmp_path / "run" / "tiny-base-broken" / "card.json").write_text("{")
    stored = snapshots.snapshots("tiny-base", tmp_path)
    assert [s.tokens for s in stored] == [250_000, 9_000_000]
    assert snapshots.snapshots("tiny", tmp_path / "run" / "nothing") == []
    run = training.compute((snapshots.measure(s, m), m) for s in stored for m in [s.load()])
    before, after = training.jump(run)
    assert before.copying < 0.1 < 0.9 < after.copying
    assert before.induction.score < 0.3 and after.induction.score >= 0.7
    assert run.shares.shape == (2, 16, len(run.names) * (len(run.names) + 1) // 2)
    payload(training.as_data(run))
    assert "9.00 million" in training.in_words(run)


# The page ---------------------------------------------------------------------------------------


def opened(**state) -> AppTest:
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=600)
    for name, value in state.items():
        at.session_state[name] = value
    at.run()
    at.switch_page("pages/attention.py")
    return at.run()


def words(at) -> str:
    return "\n".join(element.value for element in at.markdown)


def components(at) -> list[str]:
    return [c.proto.component_name.removeprefix("press_enter_") for c in at.get("bidi_component")]


def test_the_page_reveals_the_lesson_and_has_no_slider_without_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr(snapshots, "RECORDED", tmp_path)
    at = opened()
    assert not at.exception and "attention_pronoun" not in components(at)
    assert "attention_training" not in components(at)
    at.session_state["attention:prediction"] = None
    at.run()
    assert not at.exception and "attention_pronoun" in components(at)
    said = words(at)
    assert "about as often as with a coin" in said and "tiny-chat went on from tiny-base" in said
    assert "same arcs, another answer" in " ".join(h.value for h in at.header)


@pytest.mark.parametrize("text", [TEXTS["empty"], TEXTS["markup"], "x" * 1_000_000])
def test_the_page_survives_any_text(text):
    at = opened(attention_arcs={"text": text})
    assert not at.exception and not at.error
    assert "add up to **100 %**" in words(at)


def test_the_page_on_another_model():
    at = opened(attention_model="tiny-chat")
    assert not at.exception and not at.error
    assert "computed now by tiny-chat" in words(at)


START = links.Link(views.PRESETS[0], "tiny-base")


@pytest.mark.parametrize(("text", "layer", "head"), [
    (views.PRESETS[0], 0, 0), ("hello there", 3, 1), (TEXTS["markup"], 4, 0), ("", 2, 4),
])  # fmt: skip
def test_an_address_brings_another_reader_to_the_same_picture(text, layer, head):
    choice = {"layer": layer, "head": head, "query": -1, "key": -1}
    here = links.Link(text, "tiny-chat", *links.counted(choice, 4, 4))
    address = links.write_link(here, START)
    link = links.read_link(address, START, ["tiny-base", "tiny-chat"])
    assert link == here and not link.notices
    assert links.chosen(link, 4, 4) == (choice, [])


def test_the_page_as_it_opens_has_a_bare_address_and_long_texts_stay_out_of_it():
    assert links.write_link(START, START) == {} and links.chosen(START, 4, 4) == (None, [])
    long = links.Link("x" * (links.LONGEST_LINK + 1), "tiny-base", 1, 2)
    assert links.write_link(long, START) == {"l": "1", "h": "2"}


@pytest.mark.parametrize("address", [
    {"l": "-1"}, {"h": "two"}, {"l": "1e3"}, {"l": "9" * 5000}, {"h": "\u0664"}, {"m": "<b>nobody"},
    {"l": "12"}, {"h": "99"},
])  # fmt: skip
def test_nonsense_in_an_address_is_said_and_not_used(address):
    link = links.read_link(address, START, ["tiny-base"])
    choice, notices = links.chosen(link, 4, 4)
    assert choice is None and link.model == "tiny-base"
    assert len(notices) + len(link.notices) == 1


def arcs_of(at) -> dict:
    (found,) = [c for c in at.get("bidi_component") if c.proto.component_name.endswith("_arcs")]
    return json.loads(found.proto.json)[0]


def followed(**address) -> AppTest:
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=600).run()
    at.switch_page("pages/attention.py")
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def shown_address(at) -> dict:
    return {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()}


def test_a_link_opens_the_picture_and_the_page_writes_it_back():
    address = {"text": "The dog ran", "l": "3", "h": "2"}
    at = followed(**address)
    assert not at.exception and not at.error
    view = arcs_of(at)
    assert view["text"] == "The dog ran"
    assert view["initial"]["choice"] == {"layer": 2, "head": 1, "query": -1, "key": -1}
    assert "layer 3, head 2" in words(at) and shown_address(at) == address
    at.session_state["attention_arcs"] = {
        "text": "A cat", "settled": "A cat", "choice": {"layer": 4, "head": 4, "query": -1, "key": -1},
    }  # fmt: skip
    at.run()
    assert shown_address(at) == {"text": "A cat", "l": "0", "h": "0"}


def test_a_link_with_nonsense_is_answered_with_a_sentence():
    at = followed(l="40", m="nobody")
    assert not at.exception and not at.error
    assert "There is no model" in words(at) and "is not among them" in words(at)
    assert shown_address(at) == {}
