"""Chapter 20: the view of the machine, its sentences, its address, and the page itself."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.decoding import pipeline
from microgpt.decoding.sampling import GREEDY, Sampling
from microgpt.model import checkpoint
from microgpt.model.config import GPTConfig, gpt2_style, llama_style
from microgpt.model.costs import LLAMA_3_70B, pass_costs, total
from microgpt.model.gpt import gpt, init_params
from microgpt.tokens import bpe
from microgpt.tokens.tokenizer import Tokenizer
from widgets import book, components, engine, press_enter
from widgets import press_enter_insides as insides
from widgets import press_enter_link as links
from widgets import press_enter_view as views
from widgets import press_enter_words as words

TOKENIZER = Tokenizer([], "digits", {text: 256 + i for i, text in enumerate(bpe.SPECIALS)})
SIZES = dict(vocab_size=264, context=64, layers=2, width=16, heads=2, hidden=24)
CONFIGS = {
    "llama": llama_style(**SIZES),
    "grouped": llama_style(**{**SIZES, "heads": 4}, kv_heads=2, window=4),
    "gpt2": gpt2_style(**SIZES),
    "alibi": GPTConfig(**SIZES, positions="alibi"),
}


def make(name="enter-base", chats=False, config=None, seed=0):
    params = init_params(config or CONFIGS["llama"], np.random.default_rng(seed))
    for weight, array in params.items():
        if "norm" not in weight:
            array *= 12
    return checkpoint.Model(
        name, params, config or CONFIGS["llama"], TOKENIZER, {"chat": chats, "sha256": name}
    )


BASE, CHAT = make(), make("enter-chat", chats=True, seed=1)


def answer(model=BASE, text="Hey cat", system="", settings=Sampling(), tokens=8, seed=3):  # noqa: B008
    request = links.Request(text, model.name, system, settings, seed, tokens)
    return press_enter.run(model, request)


def decoded(packed):
    """What the browser makes of an array."""
    whole = np.frombuffer(base64.b64decode(packed["data"]["packed"]), "<i2")
    values = np.where(whole == insides.HIDDEN, -np.inf, whole * packed["scale"])
    return values.reshape(packed["shape"])


# The view --------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_inside_of_a_pass_holds_the_numbers_of_the_pass(config):
    model = make(config=config)
    done = answer(model)
    built = done.built
    last = list(pipeline.record_passes(model, built.ids, built.said_at))[-1]
    view = insides.inside(model, last)
    for i, layer in enumerate(view["layers"]):
        value = last.value(f"blocks.{i}.attention.weights")[0]
        np.testing.assert_allclose(decoded(layer["weights"]), value, atol=1e-4)
        np.testing.assert_allclose(decoded(layer["weights"]).sum(-1), 1, atol=1e-3)
        scores = last.value(f"blocks.{i}.attention.scores")[0, :, -1]
        np.testing.assert_allclose(decoded(layer["scores"]), scores, rtol=1e-3, atol=1e-2)
        hidden = last.value(f"blocks.{i}.mlp.hidden")[0, -1]
        np.testing.assert_allclose(decoded(layer["hidden"]), hidden, atol=1e-3 * abs(hidden).max())
    assert len(view["seconds"]) == len(pass_costs(config, 1)) == 4 + 2 * config.layers
    assert view["sizes"][0] == pytest.approx(
        np.linalg.norm(last.value("embedding")[0, -1]), rel=1e-3
    )
    best = view["logits"]["best"]
    assert best[0][0] == last.value("logits")[0, -1].argmax()
    assert sum(view["logits"]["counts"]) == config.vocab_size
    components.payload(view)  # nothing in it that JSON can't hold


def test_the_last_layer_of_the_lens_is_what_the_model_says():
    built = answer(settings=GREEDY).built
    one = next(pipeline.record_passes(BASE, built.ids, built.said_at))
    seen = insides.lens(BASE, one)
    assert len(seen) == 2
    scores = gpt(BASE.params, np.array([built.prompt.ids]), BASE.config)[0, -1].astype(float)
    odds = np.exp(scores - scores.max())
    assert seen[-1][0][0] == views.token_name(TOKENIZER, int(scores.argmax()))
    assert seen[-1][0][1] == pytest.approx(odds.max() / odds.sum(), abs=1e-3)


def test_rope_angles_grow_with_the_place():
    built = answer().built
    for one in pipeline.record_passes(BASE, built.ids, built.said_at):
        view = insides.positions_inside(BASE.config, one)
        assert view["place"] == one.start + len(one.tokens) - 1
        assert view["angles"][0] == view["place"]
        before, after = decoded(view["before"]), decoded(view["after"])
        np.testing.assert_allclose(
            np.linalg.norm(before, axis=-1), np.linalg.norm(after, axis=-1), rtol=1e-3
        )
        pair = np.array([before[0, 0], before[0, 4]])  # half-split: j and j + D/2
        angle = view["angles"][0]
        turned = [pair[0] * np.cos(angle) - pair[1] * np.sin(angle),
                  pair[0] * np.sin(angle) + pair[1] * np.cos(angle)]  # fmt: skip
        np.testing.assert_allclose([after[0, 0], after[0, 4]], turned, atol=1e-2)


def test_a_deep_pass_sends_fewer_rows_of_attention():
    ids = list(range(60))
    one = next(pipeline.record_passes(BASE, [*ids, 1], [60]))
    assert insides.inside(BASE, one)["layers"][0]["weights"]["shape"] == [2, 48, 60]
    deep = SimpleNamespace(layers=30 * 9)
    rows = insides.layer_inside(deep, one, 0)["weights"]["shape"][1]
    assert rows == 1


def test_the_outline_tells_each_choice():
    built = answer(settings=Sampling(0.9, top_k=5, top_p=0.8)).built
    for turn in built.turns:
        assert [f["active"] for f in turn.filters] == [True, False, True, True, True, False]
        kept = turn.filters[-1]["kept"]
        assert 1 <= kept <= 5
        finals = {row[0]: row[-1] for row in turn.rows}
        assert finals[turn.token] == pytest.approx(turn.probability, abs=1e-5)
        assert sum(p > 0 for p in finals.values()) == kept
        assert sum(finals.values()) == pytest.approx(1, abs=1e-4)
        low, high = next(s[2:] for s in turn.segments if s[0] == turn.token)
        assert low <= turn.u < high and (low, high) == pytest.approx((turn.low, turn.high), abs=1e-5)
        assert turn.filters[4]["held"] >= 0.8 or kept == 1


def test_passes_follow_one_another():
    built = answer().built
    assert built.turns[0].reads == (0, len(built.prompt.ids))
    for before, after in zip(built.turns, built.turns[1:], strict=False):
        assert after.reads == (before.reads[1], before.reads[1] + 1)
    assert [chip.role for chip in built.chips].count("said") == len(built.turns)
    assert [chip.id for chip in built.chips] == built.ids
    assert built.text.startswith(TOKENIZER.decode(built.ids[len(built.prompt.ids) :])[:3])


def test_costs_in_the_view_are_those_of_the_formulas():
    built = answer().built
    turn = built.turns[-1]
    costs = pass_costs(BASE.config, 1, turn.reads[0])
    assert [c[0] for c in turn.costs] == [cost.flops for cost in costs]
    large = pass_costs(LLAMA_3_70B, 1, turn.reads[0])
    assert turn.costs_70b[-1][0] == total(large)
    view = views.machine(built, {}, Sampling(), 3)
    assert len(turn.costs_70b) == len(view["kinds"]) + 1
    assert view["kinds"] == ["embedding", "positions", "attention", "mlp", "norm", "logits"]


def test_the_message_keeps_to_its_budget():
    model = make(config=replace(CONFIGS["llama"], context=256))
    done = answer(model, "x" * 100, settings=Sampling(3.0), tokens=150)
    assert len(done.built.turns) > 60
    outline = views.machine(done.built, {}, Sampling(), 3)
    whole = press_enter.record(done, 0, 0, 10**9)
    assert len(whole) == len(done.built.turns)
    for budget in (0, 50_000, 200_000):
        found = press_enter.record(done, 40, 44, budget)
        first = next(iter(found))
        assert list(found) == list(range(first, first + len(found))) and 44 in found
        assert budget < 10_000 or first == 40 or len(found) > 1
        size = len(json.dumps(components.payload({**outline, "insides": found})))
        assert size <= insides.size(outline) + max(budget, insides.size(found[44])) * 1.1


def test_where_passes_are_large_the_first_are_left_out():
    passes = [(i, {"data": "x" * 1000}) for i in range(3, 9)]
    assert list(insides.affordable(iter(passes), 5, 10**6)) == [3, 4, 5, 6, 7, 8]
    assert list(insides.affordable(iter(passes), 5, 2500)) == [4, 5]
    assert list(insides.affordable(iter(passes), 5, 10)) == [5]


def test_cutting_the_records_of_a_long_prompt_changes_nothing_that_is_shown():
    model = make(config=replace(CONFIGS["grouped"], context=256, layers=3))
    ids = tuple(range(60, 200))
    whole = next(pipeline.record_passes(model, ids, [len(ids)]))
    rows = insides.rows_shown(model.config, len(ids))
    cut = next(pipeline.record_passes(model, ids, [len(ids)], rows=rows))
    one, other = insides.inside(model, whole), insides.inside(model, cut)
    assert {**one, "seconds": 0} == {**other, "seconds": 0} and rows < len(ids)
    assert cut.value("blocks.0.attention.weights").shape == (1, 4, 140, 140)
    assert cut.value("blocks.2.attention.weights").shape == (1, 4, rows, 140)
    assert cut.value("logits").shape[1] == rows


def test_a_foreign_chat_model_gets_the_prompts_for_a_chat():
    assert links.chats("smollm2") and links.chats("tiny-chat") and not links.chats("tiny-base")
    request, _, _ = links.read_address({"m": "smollm2"}, ["tiny-base", "smollm2"])
    foreign = links.presets("smollm2", True)
    assert [p.prompt for p in foreign] == [p.prompt for p in links.PRESETS[True]]
    assert not any("asks a calculator" in p.expect or "never taught" in p.expect for p in foreign)
    assert request.model == "smollm2" and request.prompt == links.PRESETS[True][0].prompt


def test_a_padded_vocabulary_has_names_for_all():
    assert views.token_name(TOKENIZER, 65) == "A"
    assert views.token_name(TOKENIZER, 999) == "<unused 999>"


def test_recorded_passes_are_kept_and_the_first_one_is_always_there():
    done = answer()
    found = press_enter.record(done, 3, 4, 10**6)
    assert set(done.live) == {"weights", "logits"}
    assert press_enter.record(done, 3, 4, 10**6)[3] is found[3]


# The sentences ---------------------------------------------------------------------------------


def test_the_graded_numbers_are_those_of_the_engine():
    built = answer().built
    passes = list(pipeline.record_passes(BASE, built.ids, built.said_at))
    assert words.tokens_read(built) == sum(len(one.tokens) for one in passes)
    assert words.tokens_read(built) == len(built.prompt.ids) + len(built.turns) - 1
    assert f"{words.tokens_read(built):,}" in words.why_tokens_read(built)
    key = passes[0].value("blocks.0.attention.key")
    per_token = 2 * BASE.config.layers * key.shape[2] * key.shape[3]
    assert words.cache_numbers(BASE.config) == per_token
    assert built.turns[-1].cache_bytes == 4 * per_token * built.turns[-1].reads[1]


def test_shares_of_the_work_add_up():
    groups = words.work(answer().built)
    assert sum(group.share for group in groups) == pytest.approx(1)
    assert sum(group.share_70b for group in groups) == pytest.approx(1)
    assert groups[words.hardest(groups)].flops == max(group.flops for group in groups)


def test_the_run_in_words_names_every_token_safely():
    built = answer(text="*bold* [x](y)").built
    told = words.run_in_words(built)
    assert told.count("Pass ") == len(built.turns)
    assert built.stopped in told


# The address -----------------------------------------------------------------------------------

MODELS = ["tiny-base", "tiny-chat"]


def test_an_address_brings_back_the_request():
    asked = links.Request("Hi & bye?", "tiny-base", "Be kind.", Sampling(0.3, 7, 0.5, 0.1, 1.5),
                          77, 33)  # fmt: skip
    address = links.write_address(asked, MODELS)
    assert links.read_address(address, MODELS) == (asked, (0, "text"), ())
    opening = links.opening(MODELS)
    assert opening.model == "tiny-chat" and links.write_address(opening, MODELS) == {}


@pytest.mark.parametrize("at, moment", [
    ("3.attention.2", (2, "attention.2")), ("1.text", (0, "text")), ("0.logits", (0, "logits")),
    ("", (0, "text")), ("x", (0, "text")), ("9" * 50 + ".text", (0, "text")),
    ("1.<script>", (0, "text")), ("-1.text", (0, "text")),
])  # fmt: skip
def test_a_moment_is_a_pass_and_a_stage(at, moment):
    assert links.read_moment(at) == moment


@pytest.mark.parametrize("address", [
    {"m": "nowhere"}, {"t": "-1"}, {"t": "nan"}, {"tp": "0"}, {"k": "1e99"}, {"s": "-3"},
    {"n": "0"}, {"n": "1e3"}, {"n": "999"}, {"n": ""}, {"rp": "zero"}, {"mp": "2"},
])  # fmt: skip
def test_an_absurd_address_is_said_and_not_obeyed(address):
    request, _, notices = links.read_address(address, MODELS)
    assert len(notices) == 1
    assert request == links.opening(MODELS)


# The page --------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path, monkeypatch):
    for model in (BASE, CHAT):
        checkpoint.save(tmp_path / model.name, model)
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))

    def opened(**address):
        at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=120)
        at.run()
        at.switch_page("pages/press_enter.py")
        for name, value in address.items():
            at.query_params[name] = value
        return at.run()

    return opened


def view_of(at):
    found = [c for c in at.get("bidi_component")
             if c.proto.component_name == "press_enter_machine"]  # fmt: skip
    assert len(found) == 1
    return json.loads(found[0].proto.json)[0]


def press_enter_with(at, text):
    at.text_input(key="press_enter_prompt").set_value(text)
    return at.button(key="FormSubmitter:press_enter_form-Enter ⏎").click().run()


def test_the_page_opens_with_an_answer_that_waits(page):
    at = page()
    assert not at.exception
    view = view_of(at)
    assert view["prompt"]["text"] and view["turns"] and not view["autoplay"]
    assert "0" in view["insides"]


def test_enter_answers_and_plays(page):
    at = press_enter_with(page(), "Hello there")
    assert not at.exception
    view = view_of(at)
    assert view["prompt"]["text"] == "Hello there" and view["autoplay"]
    again = at.button(key="FormSubmitter:press_enter_form-Enter ⏎").click().run()
    assert view_of(again)["run"] != view["run"], "the same prompt is answered again"
    assert view_of(again)["said_at"] == view["said_at"]
    assert [c["id"] for c in view_of(again)["chips"]] == [c["id"] for c in view["chips"]]


@pytest.mark.parametrize("text", [
    "", "a" * 1_000_000, "\0\1\x1b[31m\ufeff", "مرحبا بالعالم", "🐈‍⬛🎉", "<b>**x**</b> $1$ `c`",
    "[[no term]] :query[x", "\u202eevil",
], ids=["empty", "huge", "control", "rtl", "emoji", "markup", "brackets", "override"])  # fmt: skip
def test_any_prompt_is_answered(page, text):
    at = press_enter_with(page(), text)
    assert not at.exception and not at.error
    view = view_of(at)
    assert view["turns"]
    notes = " ".join(m.value for m in at.markdown)
    if not text:
        assert "The prompt is empty" in notes
    if len(text) > 4_000:
        assert "1,000,000 characters" in notes.replace("\\", "")
        assert len(at.text_input(key="press_enter_prompt").value) == 4_000
        assert len(json.dumps(view)) < components.BUDGET


def test_an_address_opens_the_page_in_its_state(page):
    at = page(p="Over here", m="enter-base", t="0", n="5", s="9", at="2.attention.1")
    assert not at.exception
    view = view_of(at)
    assert view["model"]["name"] == "enter-base" and view["prompt"]["text"] == "Over here"
    assert view["settings"]["temperature"] == 0 and view["seed"] == 9
    assert len(view["turns"]) <= 5
    assert view["start"] == {"turn": 1, "stage": "attention.1"}


def test_an_absurd_address_is_said_on_the_page(page):
    at = page(m="nowhere", t="hot", n="-5", at="9999.moon")
    assert not at.exception
    said = " ".join(m.value for m in at.markdown)
    assert "no model" in said and "t=" in said and "new tokens that can't be" in said
    assert view_of(at)["turns"]


def test_settings_change_the_answer(page):
    at = page(m="enter-base")
    at.slider(key="press_enter_temperature").set_value(0.0).run()
    view = view_of(at)
    assert all(turn["probability"] == 1 for turn in view["turns"])
    at.number_input(key="press_enter_tokens").set_value(3).run()
    assert len(view_of(at)["turns"]) == 3
    assert at.query_params["t"] == ["0"] or at.query_params["t"] == "0"


def test_the_system_prompt_is_read_by_models_that_chat(page):
    at = page(m="enter-chat")
    at.text_input(key="press_enter_system").set_value("Be kind.").run()
    pieces = view_of(at)["prompt"]["pieces"]
    assert ["system", "Be kind."] in [[p["role"], p["text"]] for p in pieces]
    at.selectbox(key="press_enter_model").set_value("enter-base").run()
    assert not at.exception
    assert {p["role"] for p in view_of(at)["prompt"]["pieces"]} <= {"special", "text"}


def test_a_pass_that_was_not_sent_is_sent_when_asked(page):
    at = page(m="enter-base", t="2", n="60", p="Hey")
    run, turns = view_of(at)["run"], len(view_of(at)["turns"])
    for asked, least in (([run, turns - 1], turns - 1), (["old", 5], 0), ([run, 10**9], turns - 1)):
        at.session_state["press_enter_machine"] = {"wanted": asked}
        at.run()
        assert not at.exception
        assert str(least) in view_of(at)["insides"]


def test_the_prediction_reveals_where_the_work_goes(page):
    at = page()

    def headings():
        return [heading.value for heading in (*at.header, *at.subheader)]

    assert "One token at a time" in headings() and "Where the work goes" not in headings()
    next(b for b in at.button if b.label == "I have no idea: show me").click().run()
    assert "Where the work goes" in headings()


def test_two_sessions_do_not_mix(page):
    first, second = page(), page()
    press_enter_with(first, "one")
    press_enter_with(second, "two")
    first.run()
    assert view_of(first)["prompt"]["text"] == "one"
    assert view_of(second)["prompt"]["text"] == "two"


def test_without_a_model_the_page_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=120).run()
    at.switch_page("pages/press_enter.py").run()
    assert not at.exception
    assert "python -m microgpt train" in at.warning[0].value


def test_leaving_in_the_middle_stops_the_answer(monkeypatch):
    """Streamlit ends a script by an exception out of the next st call: here, out of `paint`."""
    closed = []
    real = pipeline.generate

    def generate(*arguments, **options):
        try:
            yield from real(*arguments, **options)
        finally:
            closed.append(True)

    class Gone(BaseException):
        pass

    def paint(text):
        raise Gone

    monkeypatch.setattr(pipeline, "generate", generate)
    request = links.Request("Hey", BASE.name, "", Sampling(), 1, 60)
    with pytest.raises(Gone):
        press_enter.run(BASE, request, paint)
    assert closed == [True]


def test_models_that_the_machine_can_not_open_are_not_offered(tmp_path, monkeypatch):
    """Experts and states have no place in the machine's drawing; broken models say so themselves."""
    tokenizer = TOKENIZER
    for name, kinds in {"a": {}, "b": {"mlp": "moe"}, "c": {"blocks": "ssm attention"}}.items():
        config = llama_style(
            vocab_size=264, context=16, layers=2, width=8, heads=2, hidden=8, **kinds
        )
        params = init_params(config, np.random.default_rng(0))
        checkpoint.save(tmp_path / name, checkpoint.Model(name, params, config, tokenizer, {}))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "card.json").write_text("{}")
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    assert engine.models() == ["a", "b", "c", "d"]
    assert engine.dense_models() == ["a", "d"]
