"""A selective state space layer: a fixed-size memory that each token fades and writes into.

Mamba (Gu & Dao 2023). Where attention looks back at every token, this layer keeps a state of N
numbers a channel, and decides from each token how much of it stays and what comes in.
"""

import math

import numpy as np

from microgpt.autograd import scan
from microgpt.autograd.tensor import (
    array,
    causal_convolution,
    exp,
    linear,
    selective_scan,
    silu,
    softplus,
    swiglu,
)


def ssm(x, params, layer, config, record=None, cache=None):  # (B, T, C) -> (B, T, C)
    """One layer's mixing of tokens. With a cache it goes on from the state of earlier tokens."""
    name = f"model.layers.{layer}.ssm"
    tail, state = (None, None) if cache is None else cache.memory(layer)

    def project(x, part):
        return linear(x, params[f"{name}.{part}.weight"], params.get(f"{name}.{part}.bias"))

    inner, gate = project(x, "in_proj"), project(x, "gate_proj")  # (B, T, I) each
    if record:
        inner, gate = record("ssm.inner", inner), record("ssm.gate", gate)
    filters = params[f"{name}.conv.weight"], params[f"{name}.conv.bias"]
    mixed = silu(causal_convolution(inner, *filters, tail=tail))  # the last few tokens, blended
    if record:
        mixed = record("ssm.mixed", mixed)
    delta = softplus(project(project(mixed, "delta_down"), "delta_up"))  # (B, T, I), above 0
    B, C = project(mixed, "B_proj"), project(mixed, "C_proj")  # (B, T, N) each
    A = exp(params[f"{name}.A_log"]) * -1.0  # (I, N), below 0: states fade and never grow
    if record:
        delta = record("ssm.delta", delta)
        B, C = record("ssm.write", B), record("ssm.look", C)
        before = None if state is None else state.copy()
        states = scan.scan_states(*map(array, (mixed, delta, A, B)), before)
        record("ssm.state", states)  # to look at: the scan below has its own
    y = selective_scan(mixed, delta, A, B, C, params[f"{name}.D"], state=state)
    if record:
        y = record("ssm.read", y)
    output = project(swiglu(gate, y), "out_proj")
    return record("ssm.output", output) if record else output


def ssm_shapes(config) -> dict[str, tuple[int, ...]]:
    """The weights of one layer, without the layer's name."""
    C, I, N, R = config.width, config.inner, config.state, config.rank
    return {
        "in_proj.weight": (I, C),
        "gate_proj.weight": (I, C),
        "conv.weight": (I, config.taps),
        "conv.bias": (I,),
        "delta_down.weight": (R, I),
        "delta_up.weight": (I, R),
        "delta_up.bias": (I,),
        "B_proj.weight": (N, I),
        "C_proj.weight": (N, I),
        "A_log": (I, N),
        "D": (I,),
        "out_proj.weight": (C, I),
    }


def init_ssm(part, shape, config, rng: np.random.Generator):
    """Fresh weights as in Mamba's code: each channel has memories from short to long.

    A = -1, -2, ... -N in every channel, D = 1, and step sizes (softplus of the bias) spread evenly
    by their logarithm from 0.001 to 0.1. Matrices are uniform within 1/sqrt(inputs); what writes
    into the residual stream is scaled by 1/sqrt(2 L) as in every layer here.
    """
    if part == "A_log":
        return np.log(np.tile(np.arange(1, shape[1] + 1, dtype=np.float32), (shape[0], 1)))
    if part == "D":
        return np.ones(shape, np.float32)
    if part == "delta_up.bias":
        steps = np.exp(rng.uniform(math.log(0.001), math.log(0.1), shape))
        return np.log(np.expm1(steps)).astype(np.float32)  # softplus turns it back
    if part == "conv.bias":
        return np.zeros(shape, np.float32)
    limit = 1 / math.sqrt(shape[1])
    if part == "out_proj.weight":
        limit /= math.sqrt(2 * config.layers)
    return rng.uniform(-limit, limit, shape).astype(np.float32)
