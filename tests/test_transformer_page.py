"""Chapter 10, its views: what is sent to the browser, and every figure the page states."""

import numpy as np
import pytest

from microgpt.autograd import ops
from microgpt.insight import cells, switchboard
from microgpt.insight.switchboard import Moment
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import gpt2_style, llama_style
from microgpt.model.costs import LLAMA_3_70B, pass_costs, total
from microgpt.model.gpt import count_parameters, gpt
from microgpt.training.parallel import single_threaded_blas
from tests.test_model import SIZES, example
from widgets import transformer_cell as cell_views
from widgets import transformer_counts as counts
from widgets import transformer_lines as lines
from widgets import transformer_map as maps
from widgets import transformer_stream as streams
from widgets import transformer_switchboard as board
from widgets import transformer_tour as tours
from widgets.components import payload

TEXTS = {
    "empty": "", "one token": " cat", "emoji": "Hello 🐈 ok", "code": "for i in range(3):\n\tprint(i)",
    "Chinese": "猫坐在垫子上", "Arabic": "جلست القطة", "long": " cat" * 300, "a megabyte": "cat " * 250_000,
    "markup": "<b>*bold*</b> & `code` | [link](x)",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded_blas():
        yield


@pytest.fixture(scope="module")
def base():
    return load(SHIPPED / "tiny-base")


def opened(model, text, place=None):
    read = maps.read(model, text)
    at = maps.clamp(place, model.config, read)
    values = maps.station_values(model, read.ids, at["station"])
    return read, values, maps.settle(at, cells.flat(at["tensor"], values[at["tensor"]]))


def sent(model, read, values, place):
    """What goes to the browser for the map and the sum, as plain data within the budget."""
    tour = tours.as_data(model, read, values, place)
    view = payload({**maps.as_data(model, read, values, place), "tour": tour})
    made = cell_views.open_cell(model, read, values, place)
    return view, payload(cell_views.as_data(model, read, made)), made


# The map ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_text_has_a_map(base, text):
    read, values, place = opened(base, text)
    view, one, made = sent(base, read, values, place)
    assert 1 <= len(read.ids) <= maps.MOST_TOKENS == 64
    assert (len(read.notices) > 0) == (len(text) > 1_000 or text == TEXTS["long"])
    assert len(view["tiles"]) == 17 and len(view["strip"]) == 6
    assert one["exact"] == f"{made.value:.7g}"
    assert maps.in_words(base, read, values, place) and cell_views.in_words(base, read, made)


def test_one_two_and_sixty_four_tokens(base):
    for count in (1, 2, 64, 65):
        read = maps.read(base, " cat" * (count - 1))
        assert len(read.ids) == min(count, 64) and bool(read.notices) == (count > 64)


def test_every_tensor_of_every_station_is_sent_as_it_is(base):
    read = maps.read(base, maps.PRESETS[0])
    seen = set()
    for station in maps.stations(base.config):
        values = maps.station_values(base, read.ids, station)
        for name in values:
            if name == cells.BEFORE:
                continue
            at = maps.clamp({"station": station, "tensor": name, "row": 2}, base.config, read)
            assert at["tensor"] == name
            place = maps.settle(at, cells.flat(name, values[name]))
            view, one, made = sent(base, read, values, place)
            table, tensor = cells.flat(name, values[name]), view["tensor"]
            assert [tensor["rows"], tensor["columns"]] == list(table.shape)
            assert tensor["values"]["shape"][1] <= maps.WINDOW
            assert place["first"] <= place["column"] < place["first"] + maps.WINDOW
            assert made.value == table[2, place["column"]]
            assert len(one["terms"]) <= cell_views.SHOWN + 1
            if one["terms"]:
                shown = sum(term[3] for term in one["terms"]) + one["rest"][1]
                assert shown == pytest.approx(one["total"], rel=1e-9, abs=1e-9)
                assert one["rest"][0] + len(one["terms"]) == one["count"]
            seen.add(name)
    assert seen == {*maps.names(base.config), cells.PROBABILITIES}


def test_what_a_browser_says_is_forced_into_what_there_is(base):
    read = maps.read(base, "The cat")
    for nonsense in (None, 7, [], {"station": "9", "tensor": "soul", "row": 99, "column": "x", "first": -4},
                     {"station": "1", "tensor": "blocks.2.middle", "row": True, "column": 10**9}):  # fmt: skip
        at = maps.clamp(nonsense, base.config, read)
        values = maps.station_values(base, read.ids, at["station"])
        place = maps.settle(at, cells.flat(at["tensor"], values[at["tensor"]]))
        table = cells.flat(place["tensor"], values[place["tensor"]])
        assert 0 <= place["row"] < table.shape[0] and 0 <= place["column"] < table.shape[1]
        assert 0 <= place["first"] <= place["column"]
    assert cell_views.destination(["blocks.2.middle", 1, 3], base, read) == {
        "station": "2", "tensor": "blocks.2.middle", "row": 1, "column": 3,
    }  # fmt: skip
    for nonsense in (None, "x", ["a"], ["norm", "1", 2], ["norm", True, 2]):
        assert cell_views.destination(nonsense, base, read) is None


def test_a_jump_leads_to_the_factor_it_names(base):
    """The first factor of each term that is shown stands where its button leads."""
    read, values, place = opened(base, maps.PRESETS[1], {"station": "1", "tensor": "blocks.1.mlp.up"})
    made = cell_views.open_cell(base, read, values, place)
    for _, left, _, _, go in cell_views.as_data(base, read, made)["terms"]:
        name, row, column = go
        assert cells.flat(name, values[name])[row, column] == pytest.approx(left)


def test_a_vocabulary_comes_a_window_at_a_time(base):
    read, values, place = opened(base, "The capital of France is", {"station": "out", "tensor": "logits"})
    best = int(values["logits"][-1].argmax())
    assert place["column"] == best and place["first"] <= best < place["first"] + maps.WINDOW
    view, _, _ = sent(base, read, values, place)
    assert view["tensor"]["called"][best - place["first"]] == base.tokenizer.name_of(best)


def test_hidden_scores_are_shown_as_hidden(base):
    read, values, place = opened(base, "The cat sat", {"station": "0", "tensor": "blocks.0.attention.scores",
                                                        "row": 0, "column": 2})  # fmt: skip
    _, one, made = sent(base, read, values, place)
    assert made.value == -np.inf and one["value"] == "−∞" and "mask" in one["steps"][-1][0]


def test_smollm2_fits_the_budget(smollm2):
    """The widest layer with 64 tokens; of the head, which is as wide for any number, with five."""
    for text, tensor in (("The quick brown fox. " * 16, "blocks.17.mlp.hidden"), ("The quick fox", "probabilities")):
        place = {"station": "17" if tensor[0] == "b" else "out", "tensor": tensor}
        read, values, place = opened(smollm2, text, place)
        assert len(read.ids) == (64 if tensor[0] == "b" else 4)
        sent(smollm2, read, values, place)


# The tour --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiny-base", "gpt2"])
def test_the_tour_stops_at_every_station_and_speaks_of_its_numbers(base, kind):
    model = base
    if kind == "gpt2":
        config = gpt2_style(**{**SIZES, "vocab_size": base.config.vocab_size})
        params, _ = example(config)
        model = Model("gpt2", params, config, base.tokenizer, {})
    text = "The cat sat on"
    route = tours.stops(model.config)
    assert {maps.belongs(name, "0") for _, name in route} == {True, False}
    for number, (_, name) in enumerate(route):
        read, values, place = opened(model, text, tours.place_of(model.config, number))
        assert place["tensor"] == name and place["tour"] == number
        told = tours.as_data(model, read, values, place)
        assert told["number"] == number and len(told["text"]) > 60 and "nan" not in told["text"]
    if kind == "tiny-base":
        said = ops.softmax(gpt(base.params, np.array([read.ids]), base.config)[0, -1])
        assert f"{said.max():.1%}" in told["text"]


# The stream ------------------------------------------------------------------------------------


def test_the_stream_ends_in_what_the_model_says(base):
    read = maps.read(base, maps.PRESETS[0])
    found = streams.compute(base, read)
    view = payload(streams.as_data(base, read, found))
    assert view["places"] == ["embedding", *(f"layer {i}, {p}" for i in range(1, 5) for p in ("attention", "MLP"))]
    said = ops.softmax(gpt(base.params, np.array([read.ids]), base.config)[0])
    np.testing.assert_array_equal(found.readings[-1].tokens[:, 0], said.argmax(-1))
    np.testing.assert_allclose(found.lengths[-1], np.linalg.norm(read.streams[-1], axis=-1), rtol=1e-5)
    at = streams.settled_at(found)
    answer = found.readings[-1].tokens[-1, 0]
    assert all(r.tokens[-1, 0] == answer for r in found.readings[at:])
    assert at == 0 or found.readings[at - 1].tokens[-1, 0] != answer
    assert streams.in_words(base, read, found).count("length") == len(found.places)


# What it weighs --------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [
    llama_style(**SIZES), llama_style(**SIZES, kv_heads=2, tied=False), gpt2_style(**SIZES),
    llama_style(**SIZES, bias=True), LLAMA_3_70B,
], ids=["llama", "grouped, untied", "gpt2", "biases", "Llama 3 70B"])  # fmt: skip
def test_the_formulas_give_every_weight(config):
    table = counts.rows(config, 3, 4.0)
    for row in table:
        assert row.parameters == row.times * counts.weight_count(config, row.kind), row.kind
    assert sum(row.parameters for row in table) == count_parameters(config)
    assert sum(row.flops for row in table) == total(pass_costs(config, 3))
    parts = {name: said for name, _, said in counts.parts(config)}
    numbers = [int(said.split(" ")[0].replace(",", "")) for said in parts.values() if said[0].isdigit()]
    head = 0 if config.tied else config.vocab_size * config.width
    learned = config.context * config.width if config.positions == "learned" else 0
    assert sum(numbers) + head + learned == count_parameters(config)


def test_figures_of_the_costs(base):
    said = counts.at_scale(base.config, 15)
    assert "70,553,706,496" in said and "141 GB" in said
    assert counts.short(1_115_264) == "1.12 M" and counts.in_bytes(512) == "512 B"
    view = payload(counts.as_data(base.config, 15, "float16"))
    assert view["total"][0] == f"{count_parameters(base.config):,}" == "1,115,264"
    assert "15 tokens" in counts.in_words(base.config, 15, "float32")
    assert "1 token:" in counts.in_words(base.config, 1, "float32")


# The switchboard -------------------------------------------------------------------------------


def test_the_switchboard_says_what_was_measured():
    whole = [Moment(1, 7.6), Moment(400, 1.4, 1.5, "One day he ran.")]
    mask = [Moment(1, 7.6), Moment(400, 0.1, 9.5, "One day day | day")]
    moments = list(zip(whole, mask, strict=True))
    words = board.in_words(("mask",), moments)
    assert "0.10 on what it reads and 9.50 on text it never read" in words and "1.50" in words
    assert "sees" in board.verdict(("mask",), moments) and "9.50" in board.verdict(("mask",), moments)
    scale = [Moment(400, 1.4, 1.52, "One day")]
    assert "+0.02" in board.verdict(("scale",), [(whole[1], scale[0])])
    worse = [Moment(400, 2.4, 2.5, "One day")]
    assert "+1.00" in board.verdict(("mlp",), [(whole[1], worse[0])]) and "0.37" in board.verdict(("mlp",), [(whole[1], worse[0])])
    assert board.verdict((), [(whole[1],)]) == ""
    assert board.named(("mlp", "norms", "mask")) == "without norms, MLP and causal mask"
    assert board.named(["mask"]) == "without causal mask" and board.named(()) == "intact"
    table = board.table([("intact", whole[1], whole[1]), ("without mask", mask[1], mask[1])])
    assert len(table.splitlines()) == 4 and all(line.count("|") - line.count("\\|") == 5 for line in table.splitlines())
    broken = (whole[1], Moment(400, float("nan"), broken="The loss became nan at step 3; lower it."))
    assert "broke" in board.in_words(("norms",), [broken])


def test_the_switchboard_draws_both_losses_of_both_models():
    whole = [Moment(1, 7.6), Moment(400, 1.4, 1.5, "One day he ran.")]
    bare = [Moment(1, 7.7), Moment(400, float("inf"), 31.5, "day")]
    view = payload(board.view_of(("norms",), list(zip(whole, bare, strict=True))))
    assert [(one["name"], one["points"]) for one in view["series"]] == [
        ("intact: learned from", [[1, 7.6], [400, 1.4]]), ("intact: never read", [[400, 1.5]]),
        ("without norms: learned from", [[1, 7.7]]), ("without norms: never read", [[400, 31.5]]),
    ]  # fmt: skip
    assert view["y"]["domain"] == [0, board.TOP] and "31.50" in view["label"]
    alone = payload(board.view_of((), []))
    assert [one["points"] for one in alone["series"]] == [[], []] and alone["y"]["domain"] == [0, 8]


def test_the_job_tells_what_it_does_first(base, monkeypatch):
    monkeypatch.setattr(switchboard, "race", lambda *_: iter([("moment",)]))
    assert list(board.work(base.tokenizer, ("mlp",), 3)) == [(("mlp",), 3), ("moment",)]


# Line by line ----------------------------------------------------------------------------------


def test_the_program_is_shown_with_all_its_steps(base):
    ids = maps.read(base, maps.PRESETS[0]).ids
    found = lines.compute(base, ids)
    view = payload(lines.as_data(base, ids, found))
    first, source = lines.source()
    assert source[0].startswith("def normalize") and view["first"] == first
    for line, _, _ in view["steps"]:
        assert first <= line < first + len(source)
    made = {value[0] for _, values, _ in view["steps"] for value in values}
    assert made - {"D"} == set(lines.MEANS), "every variable is explained, D beside T"
    said = ops.softmax(gpt(base.params, np.array([ids]), base.config)[0, -1])
    assert view["answer"][0][1] == pytest.approx(float(said.max()), abs=1e-5)
    assert f"{said.max():.1%}" in lines.in_words(base, found)


def test_a_model_of_another_kind_is_refused_in_a_sentence(base):
    config = gpt2_style(**{**SIZES, "vocab_size": base.config.vocab_size})
    model = Model("gpt2", example(config)[0], config, base.tokenizer, {})
    with pytest.raises(ValueError, match="Llama's style"):
        lines.compute(model, [1, 2])


def test_smollm2_line_by_line_fits_the_budget(smollm2):
    ids = maps.read(smollm2, "The quick brown fox").ids
    found = lines.compute(smollm2, ids)
    payload(lines.as_data(smollm2, ids, found))
    assert found.off < 1e-4
    said = ops.softmax(gpt(smollm2.params, np.array([ids]), smollm2.config)[0, -1])
    np.testing.assert_allclose(found.probabilities, said, atol=1e-4)
