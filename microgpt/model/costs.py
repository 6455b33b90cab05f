"""What one pass costs, stage by stage: weights, arithmetic and bytes, by formula.

Letters: T new tokens, S tokens looked at (those in the cache and the new ones), and the sizes of
the configuration (I inner channels, N numbers of state, R rank, E experts, K of them active).
A multiply and an add count as two floating-point operations (FLOPs). Counted is what `gpt` does:
with several new tokens, the scores that the mask throws away are computed too.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from microgpt.model.config import GPTConfig, llama_style
from microgpt.model.gpt import count_parameters, parameter_shapes

# Llama 3 70B (Llama Team 2024, table 3); its published weights count 70,553,706,496.
LLAMA_3_70B = llama_style(
    vocab_size=128_256,
    context=8_192,
    layers=80,
    width=8_192,
    heads=64,
    kv_heads=8,
    hidden=28_672,
    rope_base=500_000.0,
    tied=False,
)

# Operations per number outside the matrix products, as `autograd/ops.py` writes them down.
NORM_OPS = {"rmsnorm": 4, "layernorm": 7}  # square, mean, divide, weight (center, shift, bias)
ACTIVATION_OPS = {"swiglu": 5, "gelu": 9}
SCORE_OPS = 6  # scale, then softmax: maximum, subtract, exp, sum, divide
ROTATION_OPS = 3  # a pair takes four products and two sums
SCAN_OPS = 7  # step times rate, exp, keep, write, add, look, sum: for each number of state


@dataclass(frozen=True)
class StageCost:
    """The cost of one stage of one pass.

    `parameters` are the weights that belong to the stage, `weights_read` those that this pass
    touches, `cache_numbers` the keys and values that it reads from the cache or writes to it.
    `formula` tells the FLOPs in letters, without the small terms.
    """

    kind: str
    formula: str
    layer: int | None = None
    parameters: int = 0
    weights_read: int = 0
    cache_numbers: int = 0
    matmul_flops: int = 0
    other_flops: int = 0

    @property
    def flops(self) -> int:
        return self.matmul_flops + self.other_flops

    def bytes(self, weight_bytes: float = 4, cache_bytes: float = 4) -> int:
        """Bytes to fetch or store, at so many bytes a weight and a cached number."""
        return round(self.weights_read * weight_bytes + self.cache_numbers * cache_bytes)


def pass_costs(config: GPTConfig, new: int, past: int = 0) -> list[StageCost]:
    """The stages of one pass over `new` tokens with `past` tokens in the cache, in order."""
    if new < 1 or past < 0:
        raise ValueError(
            f"A pass reads one new token or more, after none or more; not {new} after {past}."
        )
    looked_at = new + past
    costs = [embedding_cost(config, new), positions_cost(config, new, looked_at)]
    for layer in range(config.layers):
        scans = config.kinds[layer] == "ssm"
        mixing = ssm_cost(config, new) if scans else attention_cost(config, new, looked_at)
        costs.append(replace(mixing, layer=layer))
        answer = moe_cost(config, new) if config.mlp == "moe" else mlp_cost(config, new)
        costs.append(replace(answer, layer=layer))
    return [*costs, norm_cost(config, new), logits_cost(config, new)]


def total(costs: Iterable[StageCost], what: str = "flops") -> int:
    """The sum of one number (`parameters`, `flops`, ...) over stages."""
    return sum(getattr(cost, what) for cost in costs)


def cache_bytes(config: GPTConfig, tokens: int, bytes_per_number: float = 4) -> int:
    """Bytes of the keys and values of so many tokens, 2 L G D numbers a token, and of states.

    L counts the layers that attend; a state space layer's memory doesn't grow with the tokens.
    """
    attending = len(config.layers_of("attention"))
    numbers = 2 * attending * config.kv_heads * config.head_size * tokens
    numbers += len(config.layers_of("ssm")) * state_numbers(config)
    return round(numbers * bytes_per_number)


def state_numbers(config: GPTConfig) -> int:
    """Numbers that one state space layer keeps: the state, and the last inputs it blends."""
    return config.inner * (config.state + config.taps - 1) if "ssm" in config.kinds else 0


def active_parameters(config: GPTConfig) -> int:
    """The weights that one token meets: all but those of the experts it doesn't visit."""
    if config.mlp != "moe":
        return count_parameters(config)
    resting = config.layers * (config.experts - config.active)
    return count_parameters(config) - resting * 3 * config.width * config.hidden


@functools.lru_cache(maxsize=256)
def weights_named(config: GPTConfig, *parts: str) -> int:
    """How many weights have one of these parts in their name."""
    shapes = parameter_shapes(config).items()
    return sum(math.prod(shape) for name, shape in shapes if any(part in name for part in parts))


def embedding_cost(config: GPTConfig, T: int) -> StageCost:
    """Each token's row is fetched: no arithmetic at all."""
    return StageCost(
        kind="embedding",
        formula="0",
        parameters=weights_named(config, "embed_tokens"),
        weights_read=T * config.width,
    )


def positions_cost(config: GPTConfig, T: int, S: int) -> StageCost:
    """RoPE turns queries and keys in every layer that attends; here is the work of all of them."""
    L, H = len(config.layers_of("attention")), config.heads
    G, D = config.kv_heads, config.head_size
    learned = config.positions == "learned"
    flops, formula = {
        "rope": (L * T * ROTATION_OPS * (H + G) * D, "3 L T (H + G) D"),
        "alibi": (2 * L * H * T * S, "2 L H T S"),
        "learned": (T * config.width, "T C"),
        "sinusoidal": (T * config.width, "T C"),
        "none": (0, "0"),
    }[config.positions]
    return StageCost(
        kind="positions",
        formula=formula,
        parameters=weights_named(config, "embed_positions") if learned else 0,
        weights_read=T * config.width if learned else 0,
        other_flops=flops,
    )


def attention_cost(config: GPTConfig, T: int, S: int) -> StageCost:
    """One layer's: norm, four projections, scores, softmax, mix and the residual sum."""
    C, H, G, D = config.width, config.heads, config.kv_heads, config.head_size
    name = f".layers.{config.layers_of('attention')[0]}"
    parameters = weights_named(config, f"{name}.self_attn", f"{name}.input_layernorm")
    biases = T * (H * D + 2 * G * D + C) if config.bias else 0
    return StageCost(
        kind="attention",
        formula="4 T C (H + G) D + 4 T S H D",
        parameters=parameters,
        weights_read=parameters,
        cache_numbers=2 * S * G * D,
        matmul_flops=4 * T * C * (H + G) * D + 4 * T * S * H * D,
        other_flops=T * C * (NORM_OPS[config.norm] + 1) + SCORE_OPS * H * T * S + biases,
    )


def ssm_cost(config: GPTConfig, T: int) -> StageCost:
    """One layer's: norm, projections, convolution, step sizes, scan, gate and the residual sum.

    Nothing here depends on how many tokens came before.
    """
    C, I, N, R = config.width, config.inner, config.state, config.rank
    name = f".layers.{config.layers_of('ssm')[0]}"
    parameters = weights_named(config, f"{name}.ssm", f"{name}.input_layernorm")
    # Of each channel: blend, silu, bias and softplus, what comes in and out of the scan, gate.
    rates = 2 * I * N  # exp and sign, once a pass
    channel = 2 * config.taps + 1 + ACTIVATION_OPS["swiglu"] + 6 + 3 + ACTIVATION_OPS["swiglu"]
    return StageCost(
        kind="ssm",
        formula="6 T C I + 4 T I (N + R)",
        parameters=parameters,
        weights_read=parameters,
        cache_numbers=state_numbers(config),
        matmul_flops=6 * T * C * I + 4 * T * I * (N + R),
        other_flops=T * C * (NORM_OPS[config.norm] + 1) + T * I * (channel + SCAN_OPS * N) + rates,
    )


def moe_cost(config: GPTConfig, T: int) -> StageCost:
    """One layer's: norm, router, K experts a token, their weighted sum and the residual sum.

    `weights_read` are those of the most experts that so many tokens can visit.
    """
    C, F, E, K = config.width, config.hidden, config.experts, config.active
    parameters = weights_named(config, ".layers.0.mlp", ".layers.0.post_attention_layernorm")
    resting = max(0, E - K * T) * 3 * C * F
    routing = T * (5 * E + 2 * K)
    return StageCost(
        kind="mlp",
        formula="2 T C E + 6 T K C F",
        parameters=parameters,
        weights_read=parameters - resting,
        matmul_flops=2 * T * C * E + 6 * T * K * C * F,
        other_flops=T * C * (NORM_OPS[config.norm] + 1 + 2 * K) + routing + 5 * T * K * F,
    )


def mlp_cost(config: GPTConfig, T: int) -> StageCost:
    """One layer's: norm, up (and gate), activation, down and the residual sum."""
    C, F = config.width, config.hidden
    parameters = weights_named(config, ".layers.0.mlp", ".layers.0.post_attention_layernorm")
    matrices = 3 if config.mlp == "swiglu" else 2
    biases = T * (F * (matrices - 1) + C) if config.bias else 0
    bends = ACTIVATION_OPS[config.mlp] * T * F
    return StageCost(
        kind="mlp",
        formula=f"{2 * matrices} T C F",
        parameters=parameters,
        weights_read=parameters,
        matmul_flops=2 * matrices * T * C * F,
        other_flops=T * C * (NORM_OPS[config.norm] + 1) + bends + biases,
    )


def norm_cost(config: GPTConfig, T: int) -> StageCost:
    parameters, operations = weights_named(config, "model.norm."), NORM_OPS[config.norm]
    return StageCost(
        kind="norm",
        formula=f"{operations} T C",
        parameters=parameters,
        weights_read=parameters,
        other_flops=operations * T * config.width,
    )


def logits_cost(config: GPTConfig, T: int) -> StageCost:
    """One dot product a vocabulary entry. A tied head reads the embedding table, owns nothing."""
    C, V = config.width, config.vocab_size
    return StageCost(
        kind="logits",
        formula="2 T C V",
        parameters=weights_named(config, "lm_head"),
        weights_read=V * C,
        matmul_flops=2 * T * C * V,
    )
