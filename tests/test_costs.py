"""The formulas of the costs against published models and against what the engine really does."""

import math

import numpy as np
import pytest

from microgpt.autograd.tensor import backend
from microgpt.model.cache import KVCache
from microgpt.model.config import GPTConfig, gpt2_style, llama_style
from microgpt.model.costs import LLAMA_3_70B, active_parameters, cache_bytes, pass_costs, total
from microgpt.model.gpt import count_parameters, gpt, init_params
from microgpt.training.recipes import RECIPES

SIZES = dict(vocab_size=50, context=16, layers=2, width=16, heads=4, hidden=24)
CONFIGS = {
    "llama": llama_style(**SIZES),
    "grouped": llama_style(**SIZES, kv_heads=2, tied=False),
    "gpt2": gpt2_style(**SIZES),
    "alibi": GPTConfig(**SIZES, positions="alibi"),
    "none": GPTConfig(**SIZES, positions="none", mlp="gelu"),
    "experts": llama_style(**SIZES, mlp="moe", experts=5),
    "states": llama_style(**SIZES, blocks="ssm", positions="none", rank=3),
    "hybrid": llama_style(**SIZES, blocks="ssm attention", mlp="moe", experts=4, active=1),
}
PUBLISHED = {  # the counts that the makers' weight files have
    70_553_706_496: LLAMA_3_70B,
    6_738_415_616: llama_style(  # Llama 2 7B
        vocab_size=32_000, context=4_096, layers=32, width=4_096, heads=32, hidden=11_008,
        tied=False,
    ),
    124_439_808: gpt2_style(  # GPT-2
        vocab_size=50_257, context=1_024, layers=12, width=768, heads=12, hidden=3_072
    ),
    134_515_008: llama_style(  # SmolLM2-135M
        vocab_size=49_152, context=8_192, layers=30, width=576, heads=9, kv_heads=3, hidden=1_536
    ),
}  # fmt: skip


@pytest.mark.parametrize("published", PUBLISHED)
def test_parameters_are_the_published_ones(published):
    assert total(pass_costs(PUBLISHED[published], 1), "parameters") == published


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_weight_belongs_to_one_stage(config):
    assert total(pass_costs(config, 3), "parameters") == count_parameters(config)


class Counted(np.ndarray):
    """An array that counts the floating-point operations done on it."""

    matmul, other = 0, 0
    uncounted = frozenset({np.isneginf, np.less_equal, np.negative, np.equal})

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(a) for a in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counted.matmul += 2 * np.size(result) * plain[0].shape[-1]
        elif ufunc not in self.uncounted:
            Counted.other += np.size(plain[0] if method == "reduce" else result)
        return np.asarray(result).view(Counted)

    def __array_function__(self, function, types, args, options):
        result = super().__array_function__(function, types, args, options)
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def counted_pass(config, new, past):
    """FLOPs that the readable engine does for `new` tokens after `past` ones."""
    rng = np.random.default_rng(0)
    params = {name: a.view(Counted) for name, a in init_params(config, rng).items()}
    tokens = rng.integers(0, config.vocab_size, (1, past + new))
    cache = KVCache.empty(config)
    cache.keys, cache.values = cache.keys.view(Counted), cache.values.view(Counted)
    cache.tails, cache.states = cache.tails.view(Counted), cache.states.view(Counted)
    with backend("readable"):
        if past:
            gpt(params, tokens[:, :past], config, cache=cache)
        Counted.matmul = Counted.other = 0
        gpt(params, tokens[:, past:], config, cache=cache)
    return Counted.matmul, Counted.other


@pytest.mark.parametrize("new, past", [(5, 0), (1, 7), (3, 4)])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_flops_are_those_that_the_engine_does(config, new, past):
    matmul, other = counted_pass(config, new, past)
    costs = pass_costs(config, new, past)
    assert total(costs, "matmul_flops") == matmul
    # Small terms: one square root or one guard a row is not in the formulas.
    assert total(costs, "other_flops") == pytest.approx(other, rel=0.15)
    assert total(costs) == pytest.approx(matmul + other, rel=0.03)


def test_stages_come_in_the_order_of_the_pass():
    kinds = [(cost.kind, cost.layer) for cost in pass_costs(CONFIGS["llama"], 1)]
    assert kinds == [
        ("embedding", None), ("positions", None), ("attention", 0), ("mlp", 0),
        ("attention", 1), ("mlp", 1), ("norm", None), ("logits", None),
    ]  # fmt: skip


def test_a_long_model_costs_about_two_operations_a_weight():
    costs = pass_costs(LLAMA_3_70B, 1)
    weights = count_parameters(LLAMA_3_70B) - LLAMA_3_70B.vocab_size * LLAMA_3_70B.width
    assert total(costs) == pytest.approx(2 * weights, rel=0.005)
    two_byte = sum(cost.bytes(2, 2) for cost in costs)
    assert two_byte == pytest.approx(139e9, rel=0.01)  # all weights but the unused embedding rows


def test_cache_bytes_are_those_of_a_real_cache():
    config = CONFIGS["grouped"]
    cache = KVCache.empty(config)
    gpt(init_params(config, np.random.default_rng(1)), np.zeros((1, 5), int), config, cache=cache)
    assert cache_bytes(config, 5) == cache.bytes
    # Llama 3 70B in 2 bytes: 2 * 80 * 8 * 128 * 2 = 327,680 bytes a token.
    assert cache_bytes(LLAMA_3_70B, 1, 2) == 327_680


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_states_take_the_same_bytes_however_long_the_text(config):
    cache = KVCache.empty(config)
    gpt(init_params(config, np.random.default_rng(1)), np.zeros((1, 5), int), config, cache=cache)
    assert cache_bytes(config, 5) == cache.bytes
    if "attention" not in config.kinds:
        assert cache_bytes(config, 5) == cache_bytes(config, 5_000) > 0


def test_active_parameters_are_those_that_one_token_meets():
    for name in ("experts", "hybrid", "llama"):
        config = CONFIGS[name]
        read = total(pass_costs(config, 1), "weights_read")  # of a tied table: the head's reading
        assert active_parameters(config) == read - config.width
    # Mixtral 8x7B (Jiang et al. 2024): 46.7 billion weights, 12.9 of them for a token.
    mixtral = llama_style(
        vocab_size=32_000, context=32_768, layers=32, width=4_096, heads=32, kv_heads=8,
        hidden=14_336, mlp="moe", experts=8, active=2, tied=False,
    )  # fmt: skip
    assert count_parameters(mixtral) == 46_702_792_704
    assert active_parameters(mixtral) == pytest.approx(12.9e9, rel=0.002)


def test_the_architectures_that_are_compared_cost_about_the_same_arithmetic():
    dense = total(pass_costs(RECIPES["tiny-base"].config, 256))
    for name in ("tiny-moe", "tiny-ssm", "tiny-hybrid"):
        assert total(pass_costs(RECIPES[name].config, 256)) == pytest.approx(dense, rel=0.05), name


def test_one_more_cached_token_costs_only_attention():
    config = CONFIGS["llama"]
    for before, after in zip(pass_costs(config, 1, 5), pass_costs(config, 1, 6), strict=True):
        more = after.matmul_flops - before.matmul_flops
        assert more == (4 * config.width if after.kind == "attention" else 0)


def test_a_pass_needs_a_token():
    with pytest.raises(ValueError, match="one new token"):
        pass_costs(CONFIGS["llama"], 0)


def test_formulas_give_the_matmul_flops():
    """The letters that the page prints, worked out with the sizes, are the numbers beside them."""
    new, past = 2, 3
    for config in (CONFIGS["grouped"], CONFIGS["experts"], CONFIGS["states"]):
        letters = dict(
            T=new, S=new + past, C=config.width, H=config.heads, G=config.kv_heads,
            D=config.head_size, F=config.hidden, V=config.vocab_size, L=config.layers,
            I=config.inner, N=config.state, R=config.rank, E=config.experts, K=config.active,
        )  # fmt: skip
        check_formulas(config, new, past, letters)


def check_formulas(config, new, past, letters):
    for cost in pass_costs(config, new, past):
        worked_out = sum(product(term, letters) for term in split_sum(cost.formula))
        expected = cost.matmul_flops or cost.other_flops
        assert worked_out == expected, cost.kind


def split_sum(formula):
    """The terms of a formula whose inner sums stand in brackets."""
    terms, depth, start = [], 0, 0
    for i, letter in enumerate(formula):
        depth += (letter == "(") - (letter == ")")
        if letter == "+" and depth == 0:
            terms.append(formula[start:i])
            start = i + 1
    return [*terms, formula[start:]]


def product(term, letters):
    """The value of a term such as "4 T C (H + G) D"."""
    for a, b in ("HG", "NR"):
        if f"({a} + {b})" in term:
            term = term.replace(f"({a} + {b})", str(letters[a] + letters[b]))
    factors = term.split()
    return math.prod(letters[f] if f in letters else int(f) for f in factors)
