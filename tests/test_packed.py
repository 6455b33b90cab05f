"""Weights in 4 and 8 bits: kernels against NumPy, decoding against `gpt`, prompts cut anywhere."""

from dataclasses import replace

import numpy as np
import pytest

from microgpt.decoding import batch_kernels, kernels, packed
from microgpt.decoding.decoder import Decoder, Session
from microgpt.decoding.decoders import decoder_for, reads_packed, weights_of
from microgpt.decoding.generate import Reader, generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model import blocks, gguf
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import Model
from microgpt.model.config import llama_style
from microgpt.model.gguf_model import LAYER_NAMES, NAMES, Packed, half_split
from microgpt.model.gpt import gpt, init_params
from microgpt.model.trace import names, trace
from microgpt.tokens.bpe import train

CONFIG = llama_style(
    vocab_size=320, context=64, layers=2, width=128, heads=4, kv_heads=2, hidden=192, rope_base=1e5
)
# Another order of sums can push an activation over the edge between two of its 255 codes.
ALMOST = 0.05
each_kind = pytest.mark.parametrize("kind", ["Q4_1", "Q4_0", "Q8_0"])


def packed_model(kind="Q4_1", table="Q8_0", config=CONFIG, scale=6):
    """A random model, as it would come out of a GGUF file."""
    tensors = {}
    theirs = {v: k for k, v in {**NAMES, **LAYER_NAMES}.items()}
    assert len(theirs) == 12
    for name, array in init_params(config, np.random.default_rng(1)).items():
        array = array * np.float32(scale if array.ndim == 2 else 1)
        for part, heads in (("q_proj", config.heads), ("k_proj", config.kv_heads)):
            if part in name:  # GGUF's order of rows
                back = np.argsort(half_split(heads, config.head_size))
                array = array[back]
        stored = "F32" if array.ndim == 1 else table if "embed" in name else kind
        tensors[name] = gguf.tensor(name, stored, array)
    tokenizer = train("the cat sat on the mat " * 20, 300)
    return Model("packed", Packed(tensors, config), config, tokenizer, {})


@pytest.fixture(scope="module", params=["Q4_1", "Q4_0", "Q8_0"])
def model(request):
    return packed_model(request.param)


def random_blocks(kind, rows, groups, seed=0):
    rng = np.random.default_rng(seed)
    raw = blocks.quantize(kind, rng.standard_normal((rows, 32 * groups)).astype(np.float32))
    raw[..., -16:] = rng.integers(0, 256, (rows, groups, 16), np.uint8)
    return raw


def compiled(kind, raw, x):
    out = np.empty(len(raw), np.float32)
    if kind == "Q8_0":
        weights = packed.pack8(raw)
        assert kernels.product8(weights, 0, x, out) == raw.shape[0] // 64 * raw.shape[1]
    else:
        weights = packed.pack4(kind, raw)
        assert kernels.product4(weights, 0, x, out) == weights.size
    return out


@each_kind
@pytest.mark.parametrize("shape", [(64, 1), (128, 3), (192, 18)])
def test_the_kernels_are_the_numpy_in_whole_numbers(kind, shape):
    raw = random_blocks(kind, *shape)
    for seed, size in ((0, 1.0), (1, 1e-6), (2, 1e6)):
        x = np.random.default_rng(seed).standard_normal(32 * shape[1]).astype(np.float32) * np.float32(size)
        expected = packed.product(kind, raw, x)
        assert np.allclose(compiled(kind, raw, x), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
    assert not compiled(kind, raw, np.zeros(32 * shape[1], np.float32)).any()


@each_kind
def test_the_largest_sums_do_not_overflow(kind):
    raw = random_blocks(kind, 64, 2)
    raw[..., 2 if kind != "Q4_1" else 4 :] = 0xFF if kind != "Q8_0" else 0x80  # 15, or -128
    for sign in (1, -1):
        x = np.full(64, sign, np.float32)
        assert np.allclose(compiled(kind, raw, x), packed.product(kind, raw, x), rtol=1e-5)


@each_kind
def test_scales_of_nothing_and_below_the_normal_ones(kind):
    raw = random_blocks(kind, 64, 2)
    halves = np.array([0, 6e-8, -3e-5, 6.1e-5], np.float16).view(np.uint8).reshape(4, 2)
    raw[:, 0, :2] = halves[np.arange(64) % 4]
    if kind == "Q4_1":
        raw[:, 1, 2:4] = halves[np.arange(64) // 4 % 4]
    x = np.random.default_rng(3).standard_normal(64).astype(np.float32) * 100
    expected = packed.product(kind, raw, x)
    assert np.allclose(compiled(kind, raw, x), expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def many(multiply, kind, raw, x):
    """The product for many tokens, as the matrix that `gpt` is given has it."""
    weights = packed.pack(kind, raw)
    weights = weights if len(weights) > 1 else weights[0]
    return multiply(x, packed.Rows(weights, 0, (len(raw), 32 * raw.shape[1])))


in_whole_numbers = pytest.param(packed.in_whole_numbers, marks=pytest.mark.skipif(
    not batch_kernels.lanes_of_bytes(), reason="this processor's instructions are not known",
))  # fmt: skip


def some_tokens(tokens, groups):
    x = np.random.default_rng(9).standard_normal((tokens, 32 * groups)).astype(np.float32)
    x *= np.tile(np.float32([1, 1e-6, 1e6, 1e-30]), 2)[:tokens, None]
    x[-1, :32] = 0
    return x


each_shape = pytest.mark.parametrize(("rows", "groups", "tokens"), [(64, 1, 2), (128, 3, 4), (320, 18, 7)])


@each_kind
@each_shape
@pytest.mark.parametrize("multiply", [in_whole_numbers])
def test_many_tokens_are_the_numpy_in_whole_numbers(multiply, kind, rows, groups, tokens):
    raw, x = random_blocks(kind, rows, groups), some_tokens(tokens, groups)
    found = many(multiply, kind, raw, x)
    assert found.shape == (tokens, rows)
    for row, one in zip(found, x, strict=True):
        expected = packed.product(kind, raw, one)
        assert np.allclose(row, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
        exact = blocks.dequantize(kind, raw) @ one
        assert np.linalg.norm(row - exact) <= 0.012 * np.linalg.norm(exact)


@each_kind
@each_shape
def test_many_tokens_in_floats_are_the_product(kind, rows, groups, tokens):
    raw, x = random_blocks(kind, rows, groups), some_tokens(tokens, groups)
    found = many(packed.in_floats, kind, raw, x)
    assert found.shape == (tokens, rows)
    for row, one in zip(found, x, strict=True):
        exact = blocks.dequantize(kind, raw).astype(float) @ one
        assert np.allclose(row, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())


@each_kind
def test_any_number_of_axes(kind):
    raw, x = random_blocks(kind, 64, 2), some_tokens(6, 2)
    found = many(lambda x, rows: x @ rows.T, kind, raw, x)
    again = many(lambda x, rows: x @ rows.T, kind, raw, x.reshape(2, 3, 64))
    assert again.shape == (2, 3, 64) and np.array_equal(again.reshape(6, 64), found)


@each_kind
@pytest.mark.parametrize("multiply", [in_whole_numbers, packed.in_floats])
def test_the_largest_sums_of_many_tokens_do_not_overflow(multiply, kind):
    raw = random_blocks(kind, 64, 2)
    raw[..., 2 if kind != "Q4_1" else 4 :] = 0xFF if kind != "Q8_0" else 0x80  # 15, or -128
    x = np.ones((2, 64), np.float32) * np.float32([[1], [-1]])
    for row, one in zip(many(multiply, kind, raw, x), x, strict=True):
        assert np.allclose(row, packed.product(kind, raw, one), rtol=1e-5)


def test_half_floats_by_a_product_are_exact():
    from numba import njit

    bits, wide = np.arange(65536, dtype=np.uint16), batch_kernels.wide
    finite = bits[np.isfinite(bits.view(np.float16))]

    @njit
    def every(bits, out):
        for i in range(len(bits)):
            out[i] = wide(bits[i])

    out = np.empty(len(finite), np.float32)
    every(finite, out)
    assert np.array_equal(out, finite.view(np.float16).astype(np.float32))


def test_half_by_fields_is_float16():
    from numba import njit

    bits = np.arange(65536, dtype=np.uint16)
    finite = np.isfinite(bits.view(np.float16))
    fields = kernels.half_by_fields
    values = np.array([njit(lambda b: fields(b))(np.int32(b)) for b in bits[finite][::257]])
    assert np.array_equal(values, bits[finite][::257].view(np.float16).astype(np.float32))


@each_kind
def test_rounding_the_inputs_costs_little(kind):
    raw = random_blocks(kind, 128, 18)
    x = np.random.default_rng(5).standard_normal(576).astype(np.float32)
    exact = blocks.dequantize(kind, raw) @ x
    assert np.linalg.norm(compiled(kind, raw, x) - exact) < 0.01 * np.linalg.norm(exact)


def test_each_look_up_is_a_fresh_read_only_array_in_hugging_faces_order(model):
    original = packed_model("F32", "F32").params
    for name, array in model.params.items():
        assert array.dtype == np.float32 and not array.flags.writeable
        assert array.shape == original[name].shape
        assert np.abs(array - original[name]).max() < 0.2 * np.abs(original[name]).max()
    assert len(model.params) == len(list(model.params)) == 2 * 9 + 2
    with pytest.raises(KeyError):
        model.params["model.layers.9.mlp.up_proj.weight"]


def logits_of(model, tokens):
    return gpt(model.params, np.array([tokens]), model.config)[0, -1]


def tolerance(model):
    """The rounding of inputs to 8 bits, layer by layer: a few hundredths of the spread."""
    return 0.12 * logits_of(model, [1, 2, 3]).std()


def test_a_prompt_is_read_as_gpt_reads_it_and_tokens_nearly(model):
    tokens = np.random.default_rng(2).integers(0, 320, 40).tolist()
    session = decoder_for(model).session()
    assert reads_packed(model)
    assert np.abs(session.read(tokens[:30]) - logits_of(model, tokens[:30])).max() < tolerance(model)
    for i in range(30, 40):
        logits = session.read(tokens[i : i + 1])
        assert np.abs(logits - logits_of(model, tokens[: i + 1])).max() < tolerance(model)


@pytest.mark.parametrize("cut", [1, 7, 8, 16, 17, 31, 39])
def test_cached_equals_uncached_wherever_the_prompt_is_cut(model, cut):
    tokens = np.random.default_rng(4).integers(0, 320, 40).tolist()
    whole, parts = Reader(model, 64), Reader(model, 64)
    expected = whole.read(tokens)
    parts.read(tokens[:cut])
    assert np.abs(parts.read(tokens[cut:]) - expected).max() < tolerance(model)
    if 1 < cut < 39 and batch_kernels.lanes_of_bytes():  # all by the same rounding
        other = Reader(model, 64)
        other.read(tokens[:cut])
        assert np.abs(other.read(tokens[cut:]) - expected).max() < ALMOST


def test_batches_of_a_long_prompt_do_not_change_it(model, monkeypatch):
    tokens = np.random.default_rng(6).integers(0, 320, 50).tolist()
    expected = decoder_for(model).session().read(tokens)
    monkeypatch.setattr(packed, "BATCH", 16)
    assert np.abs(decoder_for(model).session().read(tokens) - expected).max() < ALMOST


def test_two_threads_read_what_one_reads(model, monkeypatch):
    tokens = np.random.default_rng(11).integers(0, 320, 45).tolist()
    decoder, found = decoder_for(model), []
    for threads in (1, 2):
        monkeypatch.setattr(decoder, "threads", threads)
        session = decoder.session()
        found.append([session.read(tokens[:n]) for n in (3, 4, 1)] + [session.read(tokens[8:])])
        assert session.position == 45
    for one, two in zip(*found, strict=True):
        assert np.abs(one - two).max() < ALMOST


@pytest.mark.parametrize("team", [2, 3])
def test_threads_that_share_a_token_read_it_as_one_does(model, monkeypatch, team):
    decoder, tokens = decoder_for(model), [5, 9, 300, 0, 7, 7]
    alone = decoder.session()
    monkeypatch.setattr(decoder, "step_threads", team)
    together = decoder.session()
    assert (alone.team, together.team) == (1, team)
    for token in tokens * 3:
        assert np.array_equal(alone.step(token), together.step(token))
    assert np.array_equal(alone.keys, together.keys) and together.position == 18


def test_a_text_whose_threads_waited_too_long_goes_on_alone(model, monkeypatch):
    decoder = decoder_for(model)
    monkeypatch.setattr(decoder, "step_threads", 2)
    session, expected = decoder.session(), decoder.session()
    monkeypatch.setattr("microgpt.decoding.decoder.PATIENCE", -1)
    first = session.step(5)
    assert session.team == 1 and np.array_equal(first, expected.step(5))
    assert np.array_equal(session.step(6), expected.step(6))


def test_heads_that_share_a_block_are_left_to_one_thread(monkeypatch):
    model = packed_model(config=replace(CONFIG, heads=16, kv_heads=16))
    decoder = decoder_for(model)
    monkeypatch.setattr(decoder, "step_threads", 2)
    assert decoder.session().team == 1
    assert np.isfinite(decoder.session().step(5)).all()


def test_a_stretch_that_fails_leaves_nobody_waiting(model, monkeypatch):
    decoder = decoder_for(model)
    monkeypatch.setattr(decoder, "threads", 2)
    session, store = decoder.session(), Session.store

    def fail(self, layer, start, key, value):
        if (layer, start) == (1, 0):
            raise MemoryError("no more")
        store(self, layer, start, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "store", fail)
        with pytest.raises(MemoryError):
            session.read([1] * 40)
    assert session.position == 0
    assert np.isfinite(session.read([1] * 40)).all()


def test_the_weights_by_name_are_those_of_the_file(model):
    parts = weights_of(model)
    assert set(parts) == set(model.params)
    table = parts["model.embed_tokens.weight"]
    tokens = np.array([[0, 63, 64], [319, 5, 0]])
    assert np.array_equal(table[tokens], model.params["model.embed_tokens.weight"][tokens])
    x = np.random.default_rng(12).standard_normal((3, 128)).astype(np.float32)
    for name in ("model.layers.0.self_attn.v_proj.weight", "model.layers.1.mlp.up_proj.weight"):
        exact = x @ model.params[name].T
        assert np.linalg.norm(x @ parts[name].T - exact) < 0.012 * np.linalg.norm(exact)
    values = trace(parts, tokens[:1], model.config)
    whole = trace(model.params, tokens[:1], model.config)
    assert np.abs(values["logits"] - whole["logits"]).max() < tolerance(model)


def test_only_the_last_scores_where_no_others_are_asked_for(model):
    tokens = np.arange(30)[None]
    whole = gpt(model.params, tokens, model.config)
    last = gpt(model.params, tokens, model.config, last=4)
    assert last.shape == (1, 4, 320) and np.allclose(last, whole[:, -4:], atol=1e-4)


def test_what_is_stored_is_recalled(model):
    session, rng = decoder_for(model).session(), np.random.default_rng(7)
    key, value = rng.standard_normal((2, 37, 2, 32)).astype(np.float32)
    session.store(1, 5, key, value)
    for stored, found in zip((key, value), session.recall(1, 42), strict=True):
        assert found.shape == (42, 2, 32)
        assert np.array_equal(found[5:], stored) and not found[:5].any()


def test_what_does_not_fit_is_a_sentence(model):
    session = decoder_for(model).session(room=10)
    with pytest.raises(ValueError, match="room for 10 tokens"):
        session.read([1] * 11)
    for wrong in (-1, 320):
        with pytest.raises(ValueError, match="Tokens go from 0 to 319"):
            session.read([wrong, 1])
    session.read([1] * 10)
    with pytest.raises(ValueError, match="room for 10"):
        session.read([1])


def test_it_generates_records_and_branches_like_any_model(model):
    from microgpt.decoding.generate import continuations

    steps = list(generate(model, [5, 6, 7], GREEDY, 8, None))
    again = list(generate(model, [5, 6, 7], GREEDY, 8, None))
    assert [s.token for s in steps] == [s.token for s in again] and len(steps) == 8
    recorded = list(generate(model, [5, 6, 7], GREEDY, 3, None, record=True))
    assert set(recorded[0].values) == set(names(model.config))
    assert np.abs(recorded[0].logits - steps[0].logits).max() < tolerance(model)
    assert len(continuations(model, [5, 6, 7], 2, 2)) == 2
    cache = KVCache.empty(model.config)
    values = trace(model.params, np.array([[5, 6, 7]]), model.config, cache)
    assert values["logits"].shape == (1, 3, 320) and cache.length == 3


def test_the_decoder_is_made_once_and_shared(model):
    decoder = decoder_for(model)
    assert isinstance(decoder, packed.PackedDecoder) and decoder is decoder_for(model)
    arrays = decoder.weights if isinstance(decoder.weights, tuple) else (decoder.weights,)
    assert not any(array.flags.writeable for array in (*arrays, *decoder.embedding))


@pytest.mark.parametrize(("kind", "table"), [("F16", "F16"), ("F32", "Q8_0"), ("Q8_0", "F16")])
def test_other_files_run_as_float32(kind, table):
    model = packed_model(kind, table)
    assert not reads_packed(model) and type(decoder_for(model)) is Decoder
    step = decoder_for(model).session().step(3)
    assert np.allclose(step, logits_of(model, [3]), atol=1e-3)


def test_windows_and_other_sizes():
    config = replace(CONFIG, window=9, heads=2, kv_heads=1, hidden=64, layers=1)
    model = packed_model(config=config)
    tokens = np.random.default_rng(8).integers(0, 320, 30).tolist()
    session = decoder_for(model).session()
    session.read(tokens[:20])
    for token in tokens[20:]:
        logits = session.read([token])
    assert np.abs(logits - logits_of(model, tokens)).max() < tolerance(model)
