"""Chapter 15, its engine: any text becomes a run, a run becomes a file, a file becomes a model."""

import io
import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from microgpt.insight import emergence
from microgpt.model import bundle
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import gpt2_style, llama_style
from microgpt.model.gpt import init_params
from microgpt.tokens.chat import BEGIN, END
from microgpt.training import copies, data_tools, own_text
from microgpt.training.live import Training, share_known, words_of
from microgpt.training.own_text import pieces, read_text, row_of_tokens, side_by_side, windows
from microgpt.training.setup import SIZES, Setup
from microgpt.training.train import Options

SMALL = Setup(steps=12, batch=2, context=16, vocabulary=320, warmup=2)
STORY = "The old fox lived by the river. One day it met a small bird, and they ate bread.\n\n"


def text(paragraphs=60):
    words = STORY.split()
    rng = np.random.default_rng(0)
    return "\n\n".join(" ".join(rng.permutation(words)) for _ in range(paragraphs))


def go(training, most=10_000):
    for _, _ in zip(range(most), training, strict=False):
        pass
    return training


def write(model):
    return "a fox"


def trained(setup=SMALL, own=None, **more):
    return go(Training(setup, text() if own is None else own, write, **more))


# Any text ------------------------------------------------------------------------------------


def test_a_text_is_cut_into_pieces_that_give_it_back():
    for own in (text(), "word " * 3000, "x" * 9000, "🐈" * 5000, "a\r\n\r\nb" * 300):
        found = pieces(own)
        joined = "".join("".join(found).split())
        assert joined == "".join(own.split())
        assert len(found) >= own_text.PIECES - 1 and max(map(len, found)) <= own_text.PIECE


@pytest.mark.parametrize(("data", "said"), [
    (b"a", "has 1 characters"),
    (b"", "has 0 characters"),
    (b" \n" * 4000, "has 0 characters"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "no text in UTF-8"),
    (("text " * 500).encode("utf-16"), "no text in UTF-8"),
    (b"\x00\x01" * 4000, "control characters"),
    (b"a" * (own_text.LARGEST + 1), "5,000,001 bytes"),
])  # fmt: skip
def test_what_is_no_text_is_refused_in_a_sentence(data, said):
    with pytest.raises(ValueError, match=said) as error:
        read_text(data, "notes.txt")
    assert "notes.txt" in str(error.value) and str(error.value).rstrip().endswith(".")


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert read_text(b"\xef\xbb\xbf" + b"word " * 200).startswith("word")


def test_the_row_has_every_piece_between_its_marks():
    training = trained()
    tokenizer, some = training.tokenizer, pieces(text())
    row = row_of_tokens(some, tokenizer).tolist()
    begin, end = tokenizer.specials[BEGIN], tokenizer.specials[END]
    expected = [i for piece in some for i in (begin, *tokenizer.encode(piece), end)]
    assert row == expected


def test_windows_are_the_row_and_the_same_wherever_they_begin():
    row = np.arange(500, dtype=np.uint16)
    stream = windows(row, 16, 4, seed=3)
    first = [next(stream) for _ in range(3)]
    assert all(
        (b.targets == b.tokens + 1).all() and b.weights.sum() == pytest.approx(1) for b in first
    )
    again = next(windows(row, 16, 4, seed=3, start=2))
    assert (again.tokens == first[2].tokens).all()
    measured = side_by_side(row, 16, 4, 3)
    starts = [int(b.tokens[i, 0]) for b in measured for i in range(4)]
    assert len(starts) == len(set(starts)) == 12 and max(starts) > 400
    with pytest.raises(ValueError, match="hold no window"):
        next(windows(row[:16], 16, 4, seed=3))


AWKWARD = {
    "one line": "the fox met a bird and " * 60,
    "one word, again and again": "word" * 30_000,
    "all emoji": "🐈🐕🦊🐦🌳🏠" * 400,
    "short": "a b c d e f g h. " * 30,
    "odd spaces": "a\u00a0b\u2028c\t" * 400,
}


@pytest.mark.parametrize("own", AWKWARD.values(), ids=AWKWARD)
def test_awkward_texts_train_all_the_same(own):
    training = trained(own=own)
    assert training.ended == "done" and training.history.steps == SMALL.steps
    assert all(map(math.isfinite, training.history.losses))
    assert training.history.held_out[-1][0] == SMALL.steps
    assert training.notes, "what was found is said"


def test_five_megabytes_of_one_word_are_cut_and_learned_within_bounds():
    training = go(Training(SMALL, "word " * 1_000_000, write))
    assert training.ended == "done"
    assert any("nothing could be kept out" in note for note in training.notes)


# Runs ----------------------------------------------------------------------------------------


def test_a_run_measures_samples_and_learns():
    training = trained(replace(SMALL, steps=60, rate=1e-2))
    history = training.history
    assert training.ended == "done" and history.steps == 60
    assert history.held_out[0][1] == pytest.approx(
        math.log(training.tokenizer.vocab_size), rel=0.05
    )
    assert history.held_out[-1][1] < history.held_out[0][1] - 1
    assert history.samples[0].step == 0 and history.samples[-1].step == 60
    assert history.rates[0] < history.rates[1] and history.rates[-1] < history.rates[1] / 5
    assert not training.state.optimizer.state, "an ended run keeps its weights only"


def test_the_same_seed_gives_the_same_model_and_another_another():
    one, two, three = (trained(replace(SMALL, seed=s)) for s in (1, 1, 2))
    same = [(one.state.params[n] == two.state.params[n]).all() for n in one.state.params]
    assert all(same) and one.history.losses == two.history.losses
    assert one.history.losses != three.history.losses


def test_two_runs_in_turns_do_not_mix():
    alone = trained()
    one, two = Training(SMALL, text(), write), Training(replace(SMALL, seed=9), text(), write)
    for _ in range(100):
        next(one, None), next(two, None)
    assert one.history.losses == alone.history.losses != two.history.losses


def test_samples_stops_and_rates_are_taken_between_two_steps():
    training = Training(replace(SMALL, steps=200), text(), write)
    while training.history.steps < 5:
        next(training)
    before = len(training.history.samples)
    training.control.sample()
    next(training)
    assert len(training.history.samples) == before + 1 and training.history.steps == 5
    training.control.set_rate(SMALL.rate / 10)
    next(training)
    assert training.history.rates[5] == pytest.approx(
        replace(SMALL, steps=200).options().rate_at(5) / 10
    )
    training.control.stop()
    go(training)
    assert training.ended == "stopped" and training.history.steps == 6
    assert training.history.held_out[-1][0] == 6


def test_a_run_that_breaks_says_why_and_ends():
    training = Training(SMALL, text(), write)
    while training.history.steps < 3:
        next(training)
    for param in training.state.params.values():
        param *= np.float32(1e30)
    go(training)
    assert "lower the learning rate" in training.notes[-1] == training.ended


@pytest.mark.parametrize("what", [{"schedule": "constant"}, {"schedule": "linear"},
                                  {"precision": "bfloat16"}, {"cleaning": "without copies"},
                                  {"cleaning": "without copies, filtered"}])  # fmt: skip
def test_every_control_is_obeyed(what):
    plain, other = trained(), trained(replace(SMALL, **what))
    assert other.ended == "done"
    if "cleaning" not in what:
        assert plain.history.losses[-1] != other.history.losses[-1]
    if what == {"schedule": "constant"}:
        assert len(set(other.history.rates[3:])) == 1


def test_copies_are_left_out_of_a_text_that_has_them():
    own = text(30) + "\n\n" + (STORY + "\n") * 40
    training = trained(replace(SMALL, cleaning="without copies"), own=own)
    assert any("were left out" in note for note in training.notes)


def test_cosine_and_line_end_at_the_floor():
    for schedule in ("cosine", "linear"):
        options = Options(steps=100, batch=1, rate=1.0, warmup=10, hold=0.0, schedule=schedule)
        rates = [options.rate_at(step) for step in range(101)]
        assert rates[9] == 1.0 and rates[100] == pytest.approx(options.floor)
        assert rates[10:] == sorted(rates[10:], reverse=True)
    assert Options(steps=100, batch=1, rate=1.0, warmup=10, schedule="cosine").rate_at(55) == (
        pytest.approx(1.03 / 2)
    )


@pytest.mark.parametrize("what", [{"size": "huge"}, {"steps": 10**9}, {"batch": 0},
                                  {"vocabulary": 10}, {"schedule": "x"}, {"context": 4096}])  # fmt: skip
def test_what_can_not_be_trained_here_is_refused(what):
    with pytest.raises(ValueError, match=r"work here|use "):
        Setup(**what)


def test_sizes_grow():
    counts = [sum(p.size for p in init_params(Setup(size=s).config(), np.random.default_rng(0)).values())
              for s in SIZES]  # fmt: skip
    assert counts == sorted(counts) and counts[-1] < 1_000_000


def test_known_words_are_counted_by_their_letters():
    words = words_of(["The fox sees the bird."])
    assert words == {"the", "fox", "sees", "bird"}
    assert share_known("the fox bird zzz the end", words) == pytest.approx(13 / 16)
    assert share_known("", words) == 0.0


# Files ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    return trained().model()


def rezip(change, data):
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


def test_a_model_comes_back_as_it_went_and_learns_on(small):
    again = bundle.unpack(bundle.pack(small))
    assert again.config == small.config and again.tokenizer.tokens == small.tokenizer.tokens
    assert all(np.array_equal(again.params[n], small.params[n]) for n in small.params)
    assert again.card["steps"] == SMALL.steps and again.card["setup"]["size"] == SMALL.size
    more = trained(base=again)
    assert more.tokenizer is again.tokenizer and more.card()["continued"]
    assert more.history.held_out[0][1] < math.log(again.config.vocab_size) - 0.1


def card_with(**changes):
    def change(name, content):
        if name != "card.json":
            return content
        card = json.loads(content)
        card["config"].update(changes)
        return json.dumps(card).encode()

    return change


HOSTILE = {
    "no zip": (lambda d: b"PK\x03\x04 hello", "no zip"),
    "empty": (lambda d: b"", "no zip"),
    "cut short": (lambda d: d[: len(d) // 2], "no zip"),
    "too large": (lambda d: bytes(bundle.LARGEST + 1), "at most"),
    "a file more": (lambda d: rezip_with(d, "evil.py", b"x"), "nothing else"),
    "a path": (lambda d: rezip_with(d, "../../etc/passwd", b"x"), "nothing else"),
    "a file less": (lambda d: rezip(lambda n, c: None if n == "card.json" else c, d), "nothing else"),
    "a bomb": (lambda d: rezip(lambda n, c: bytes(bundle.LARGEST + 9) if n == "tokenizer.json" else c, d),
               "more than"),
    "endless layers": (lambda d: rezip(card_with(layers=10**9), d), "layers is '1000000000'"),
    "a huge table": (lambda d: rezip(card_with(vocab_size=10**12), d), "vocab_size"),
    "another kind": (lambda d: rezip(card_with(positions="learned"), d), "of the kind"),
    "odd heads": (lambda d: rezip(card_with(heads=7), d), "config|heads|of the kind"),
    "a word for a number": (lambda d: rezip(card_with(width="wide"), d), "width"),
    "true for a number": (lambda d: rezip(card_with(layers=True), d), "layers"),
    "another shape": (lambda d: rezip(card_with(hidden=104), d), "should be|fit"),
    "no card": (lambda d: rezip(lambda n, c: b"[" * 5000 if n == "card.json" else c, d), "card"),
    "other weights": (lambda d: rezip(lambda n, c: c[:-8] + bytes(8) if n.endswith("tensors") else c, d),
                      "damaged or was exchanged"),
    "no tokenizer": (lambda d: rezip(lambda n, c: b"{}" if n == "tokenizer.json" else c, d), "tokenizer"),
    "null tokenizer": (lambda d: rezip(lambda n, c: b"null" if n == "tokenizer.json" else c, d), "tokenizer"),
}  # fmt: skip


def rezip_with(data, name, content):
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(("spoil", "said"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(small, spoil, said):
    with pytest.raises(ValueError, match=said) as error:
        bundle.unpack(spoil(bundle.pack(small)))
    assert str(error.value).endswith(".") and "/tmp" not in str(error.value)


def test_both_forms_for_other_programs(small):
    name, data = bundle.exported(small, "gguf")
    assert name == "my-gpt.gguf" and data[:4] == b"GGUF"
    name, data = bundle.exported(small, "hf")
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)


def test_only_what_this_page_trains_is_taken_back(small):
    config = gpt2_style(vocab_size=small.config.vocab_size, context=16, layers=1, width=8, heads=2,
                        hidden=8)  # fmt: skip
    other = Model("x", init_params(config, np.random.default_rng(0)), config, small.tokenizer, {})
    with pytest.raises(ValueError, match="of the kind"):
        bundle.unpack(bundle.pack(other))


# Copies and copying --------------------------------------------------------------------------


def test_the_three_corpora_are_what_the_page_says():
    runners, held_out = copies.corpora(1)
    clean, ridden, mended = (runner.texts for runner in runners)
    assert len(clean) == len(ridden) == len(set(clean)) == copies.TEXTS
    assert not set(held_out) & {*clean, *ridden}
    assert len(set(ridden)) > copies.DISTINCT, "half of the copies have a word exchanged"
    assert copies.DISTINCT * 0.9 <= len(mended) <= copies.DISTINCT * 1.15
    assert data_tools.exact_duplicates(mended) == []


def test_the_experiment_trains_three_models_on_as_many_tokens(monkeypatch):
    monkeypatch.setattr(copies, "STEPS", 4)
    monkeypatch.setattr(copies, "MEASURE_EVERY", 2)
    monkeypatch.setattr(copies, "SIZE", "32 wide")
    experiment = copies.Experiment(2)
    assert list(experiment) == [0, 0, 1, 2, 3, 4]
    for runner in experiment.runners:
        assert [step for step, _ in runner.held_out] == [2, 4]
        assert 0 < runner.held_out[-1][1] < 7 and runner.readings > 0


def test_copying_is_measured_from_hard_to_soft():
    trained_model, config = load(SHIPPED / "tiny-base"), llama_style(
        vocab_size=2048, context=64, layers=1, width=16, heads=2, hidden=16)  # fmt: skip
    fresh = Model("fresh", init_params(config, np.random.default_rng(0)), config,
                  trained_model.tokenizer, {})  # fmt: skip
    good, none = (emergence.copying(m, rows=4) for m in (trained_model, fresh))
    assert good.right > 0.8 > 0.1 > none.right and good.surprise < 2 < none.surprise
    assert good.in_a_row <= good.right and none.in_a_row == 0
    assert none.surprise == pytest.approx(math.log(2048), rel=0.05)


def test_steps_of_a_curve():
    assert emergence.steepest([0, 0.1, 0.8, 0.9]) == 2
    assert emergence.share_in_one_step([0, 0.1, 0.8, 0.9]) == pytest.approx(0.7 / 0.9)
    assert emergence.share_in_one_step([1, 1]) == 0
