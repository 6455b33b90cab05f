"""The model: invariants that hold for every architecture, whatever the weights."""

import math

import numpy as np
import pytest

from microgpt.autograd.tensor import backend, cross_entropy
from microgpt.model.cache import KVCache
from microgpt.model.config import GPTConfig, gpt2_style, llama_style
from microgpt.model.gpt import count_parameters, gpt, init_params, parameter_shapes
from microgpt.model.positions import alibi_slopes, rope_table, sinusoidal_table
from microgpt.model.trace import entry, names, trace

SIZES = dict(vocab_size=50, context=16, layers=2, width=32, heads=4, hidden=48)
CONFIGS = {
    "llama": llama_style(**SIZES),
    "grouped-query": llama_style(**SIZES, kv_heads=2),
    "multi-query": llama_style(**SIZES, kv_heads=1),
    "window": llama_style(**SIZES, window=3),
    "alibi": llama_style(**SIZES, positions="alibi"),
    "sinusoidal": llama_style(**SIZES, positions="sinusoidal"),
    "no positions": llama_style(**SIZES, positions="none"),
    "untied": llama_style(**SIZES, tied=False),
    "gpt2": gpt2_style(**SIZES),
    "llama with biases": llama_style(**SIZES, bias=True),
    "experts": llama_style(**SIZES, mlp="moe", experts=5),
    "states": llama_style(**SIZES, blocks="ssm", positions="none"),
    "hybrid": llama_style(**SIZES, blocks="ssm attention", state=5, inner=24),
    "hybrid of experts": llama_style(**SIZES, blocks="ssm attention", mlp="moe", active=3),
    "states under LayerNorm": gpt2_style(**SIZES, blocks="ssm", taps=1),
}


def example(config, batch=2, time=11):
    rng = np.random.default_rng(4)
    params = init_params(config, rng)
    # Fresh norms are 1 and biases 0, which would hide mistakes in them.
    params = {n: p + 0.1 * rng.standard_normal(p.shape, np.float32) for n, p in params.items()}
    return params, rng.integers(0, config.vocab_size, (batch, time))


each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


@each_config
def test_cached_equals_uncached_for_every_split(config):
    params, tokens = example(config)
    whole = gpt(params, tokens, config)
    for cut in range(1, tokens.shape[1]):
        cache = KVCache.empty(config, batch=2)
        parts = [gpt(params, part, config, cache=cache) for part in np.split(tokens, [cut], 1)]
        np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=2e-5, atol=2e-5)
        assert cache.length == tokens.shape[1]


@each_config
def test_cached_in_three_pieces_equals_uncached(config):
    params, tokens = example(config)
    whole = gpt(params, tokens, config)
    for first in range(1, tokens.shape[1] - 1):
        for second in range(first + 1, tokens.shape[1]):
            cache = KVCache.empty(config, batch=2)
            pieces = np.split(tokens, [first, second], 1)
            parts = [gpt(params, piece, config, cache=cache) for piece in pieces]
            np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=2e-5, atol=2e-5)


@each_config
def test_one_token_at_a_time_equals_all_at_once(config):
    params, tokens = example(config)
    cache = KVCache.empty(config, batch=2)
    one_by_one = [gpt(params, tokens[:, t : t + 1], config, cache=cache) for t in range(11)]
    whole = gpt(params, tokens, config)
    np.testing.assert_allclose(np.concatenate(one_by_one, 1), whole, rtol=2e-5, atol=2e-5)


@each_config
def test_no_token_sees_the_future(config):
    params, tokens = example(config)
    before = gpt(params, tokens, config)
    for t in range(1, tokens.shape[1]):
        changed = tokens.copy()
        changed[:, t] = (changed[:, t] + 1) % config.vocab_size
        after = gpt(params, changed, config)
        if config.mlp == "moe":  # other groups of tokens, so other roundings
            np.testing.assert_allclose(after[:, :t], before[:, :t], rtol=2e-5, atol=2e-6)
        else:
            np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert np.abs(after[:, t] - before[:, t]).max() > 1e-3


@each_config
def test_readable_and_fast_agree(config):
    params, tokens = example(config)
    with backend("readable"):
        readable = gpt(params, tokens, config)
    np.testing.assert_allclose(gpt(params, tokens, config), readable, rtol=1e-5, atol=1e-5)


@each_config
def test_every_name_is_recorded_once_with_its_shape(config):
    params, tokens = example(config)
    values = trace(params, tokens, config)
    assert list(values) == sorted(values, key=names(config).index)
    assert set(values) == set(names(config))
    sizes = {"B": 2, "T": 11, "S": 11, "C": 32, "H": 4, "G": config.kv_heads, "D": 8,
             "H*D": 32, "F": 48, "V": 50, "I": config.inner, "N": config.state,
             "E": config.experts, "K": config.active}  # fmt: skip
    for name, value in values.items():
        assert value.shape == tuple(sizes[letter] for letter in entry(name).shape.split()), name
    if "attention" in config.kinds:
        weights = values["blocks.1.attention.weights"]
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
        assert not weights[..., *np.triu_indices(11, 1)].any()
    np.testing.assert_array_equal(values["logits"], gpt(params, tokens, config))


def test_recording_with_a_cache_masks_a_rectangle():
    config = CONFIGS["grouped-query"]
    params, tokens = example(config)
    cache = KVCache.empty(config, batch=2)
    gpt(params, tokens[:, :6], config, cache=cache)
    weights = trace(params, tokens[:, 6:], config, cache)["blocks.0.attention.weights"]
    assert weights.shape == (2, 4, 5, 11)
    whole = trace(params, tokens, config)["blocks.0.attention.weights"]
    np.testing.assert_allclose(weights, whole[:, :, 6:], rtol=1e-4, atol=1e-6)


def test_grouped_heads_as_many_as_queries_is_multi_head():
    """Copying each key/value head for its query heads gives the same model with G = H."""
    grouped, full = CONFIGS["grouped-query"], CONFIGS["llama"]
    params, tokens = example(grouped)
    copied = dict(params)
    for name in params:
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            heads = params[name].reshape(2, 8, 32)
            copied[name] = np.repeat(heads, 2, axis=0).reshape(32, 32)
    expected = gpt(params, tokens, grouped)
    np.testing.assert_allclose(gpt(copied, tokens, full), expected, rtol=1e-5, atol=1e-5)


def test_a_window_of_everything_is_no_window():
    params, tokens = example(CONFIGS["llama"])
    wide = llama_style(**SIZES, window=16)
    np.testing.assert_array_equal(
        gpt(params, tokens, wide), gpt(params, tokens, CONFIGS["llama"])
    )


def test_without_positions_word_order_is_lost():
    """"Dog bites man" and "man bites dog" end the same when nothing says where a token stands."""
    tokens = np.array([[7, 3, 9, 5], [9, 3, 7, 5]])
    for name, same in (("no positions", True), ("llama", False), ("alibi", False)):
        params, _ = example(CONFIGS[name])
        one_layer = llama_style(**{**SIZES, "layers": 1}, positions=CONFIGS[name].positions)
        last = gpt(params, tokens, one_layer)[:, -1]
        assert np.allclose(last[0], last[1], atol=1e-5) == same


def test_rope_depends_on_the_distance_only_and_keeps_lengths():
    config = CONFIGS["llama"]
    cos, sin = rope_table(0, 16, config)
    assert (cos[0] == 1).all() and (sin[0] == 0).all()
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 8))

    def turned(x, position):
        first, second = x[:4], x[4:]
        c, s = cos[position], sin[position]
        return np.concatenate([first * c - second * s, first * s + second * c])

    assert turned(q, 5) @ turned(k, 2) == pytest.approx(turned(q, 12) @ turned(k, 9), rel=1e-5)
    assert np.linalg.norm(turned(q, 13)) == pytest.approx(np.linalg.norm(q), rel=1e-6)
    assert cos[3, 1] == pytest.approx(math.cos(3 * 10_000 ** (-2 / 8)), rel=1e-6)


def test_other_positions_by_their_formulas():
    assert alibi_slopes(4).tolist() == [2**-2, 2**-4, 2**-6, 2**-8]
    assert len(alibi_slopes(6)) == 6 and alibi_slopes(6)[4] == pytest.approx(2**-1)
    table = sinusoidal_table(0, 16, CONFIGS["sinusoidal"])
    assert table[5, 0] == pytest.approx(math.sin(5)) and table[5, 1] == pytest.approx(math.cos(5))
    assert table[5, 2] == pytest.approx(math.sin(5 / 10_000 ** (2 / 32)))


@each_config
def test_a_fresh_model_knows_nothing(config):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 50, (4, 16))
    loss = cross_entropy(gpt(init_params(config, rng), tokens, config), rng.integers(0, 50, (4, 16)))
    assert abs(loss / math.log(50) - 1) < 0.05


def test_projections_into_the_residual_start_smaller():
    config = llama_style(**{**SIZES, "layers": 8, "width": 256, "heads": 4})
    params = init_params(config, np.random.default_rng(0))
    assert params["model.layers.0.self_attn.q_proj.weight"].std() == pytest.approx(0.02, rel=0.02)
    for name in ("self_attn.o_proj", "mlp.down_proj"):
        deviation = params[f"model.layers.3.{name}.weight"].std()
        assert deviation == pytest.approx(0.02 / math.sqrt(16), rel=0.02)


@each_config
def test_the_shapes_are_the_parameters(config):
    params = init_params(config, np.random.default_rng(0))
    assert {n: p.shape for n, p in params.items()} == parameter_shapes(config)
    assert count_parameters(config) == sum(p.size for p in params.values())
    assert all(p.dtype == np.float32 for p in params.values())


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (np.zeros((1, 17), int), "don't fit the context"),
        (np.array([[50]]), "from 0 to 49"),
        (np.array([[-1]]), "from 0 to 49"),
        (np.zeros((1, 0), int), "at least one token"),
        (np.zeros(3, int), "shape"),
        (np.zeros((1, 2)), "whole-number"),
    ],
)
def test_tokens_that_can_not_be_read(tokens, words):
    params, _ = example(CONFIGS["llama"])
    with pytest.raises(ValueError, match=words):
        gpt(params, tokens, CONFIGS["llama"])


def test_context_overflow_through_the_cache():
    config = CONFIGS["llama"]
    params, tokens = example(config)
    cache = KVCache.empty(config, batch=2)
    gpt(params, tokens, config, cache=cache)
    with pytest.raises(ValueError, match="don't fit the context"):
        gpt(params, tokens, config, cache=cache)
    assert cache.length == 11
    cache.truncate(3)
    np.testing.assert_allclose(
        gpt(params, tokens[:, 3:], config, cache=cache),
        gpt(params, tokens, config)[:, 3:], rtol=2e-5, atol=2e-5,
    )  # fmt: skip
    with pytest.raises(ValueError, match="can't keep"):
        cache.truncate(12)


def test_a_state_has_no_way_back_but_a_copy_has():
    config = CONFIGS["hybrid"]
    params, tokens = example(config)
    cache = KVCache.empty(config, batch=2)
    gpt(params, tokens[:, :5], config, cache=cache)
    kept = cache.copy()
    first = gpt(params, tokens[:, 5:], config, cache=cache)
    with pytest.raises(ValueError, match="can't be turned back to 5"):
        cache.truncate(5)
    np.testing.assert_array_equal(gpt(params, tokens[:, 5:], config, cache=kept), first)
    cache.truncate(0)
    np.testing.assert_array_equal(
        gpt(params, tokens, config, cache=cache), gpt(params, tokens, config)
    )


@each_config
def test_rows_of_a_cache_go_their_own_ways(config):
    params, tokens = example(config)
    cache = KVCache.empty(config, batch=2)
    gpt(params, tokens[:, :6], config, cache=cache)
    swapped = cache.rows([1, 0, 1])
    ends = gpt(params, tokens[[1, 0, 0], 6:], config, cache=swapped)
    np.testing.assert_allclose(ends[:2], gpt(params, tokens[::-1], config)[:, 6:], atol=2e-5)
    assert cache.length == 6  # the original has not moved


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(width=30), "evenly"),
        (dict(kv_heads=3), "divide"),
        (dict(layers=0), "at least 1"),
        (dict(heads=2.0), "whole number"),
        (dict(positions="rotary"), "use one of"),
        (dict(window=0), "itself"),
        (dict(norm_eps=0.0), "above 0"),
        (dict(width=36, heads=4), "even"),
        (dict(blocks="mamba"), "one or more of the words attention, ssm"),
        (dict(blocks=""), "one or more"),
        (dict(blocks=None), "one or more"),
        (dict(experts=4), "there is no mixture of experts"),
        (dict(mlp="moe", experts=2, active=3), "3 experts where there are 2"),
        (dict(mlp="moe", experts=0), "at least 1"),
        (dict(mlp="moe", bias=True), "no biases"),
        (dict(mlp="moe", capacity=0.0), "above 0"),
        (dict(capacity=1.0), "only experts"),
        (dict(state=16), "there is no state space layer"),
        (dict(blocks="ssm", taps=0), "at least 1"),
    ],
)
def test_shapes_that_can_not_be_built(change, words):
    with pytest.raises(ValueError, match=words):
        GPTConfig(**{**SIZES, **change})
