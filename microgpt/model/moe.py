"""A mixture of experts: many feed-forward networks, of which each token visits only a few.

The router's scores go through softmax over all experts first; then the best K are taken, and
their shares are made to add up to 1 (Mixtral, Jiang et al. 2024). That is the same as softmax over
the best K scores alone. At a tie the expert with the lower number is taken.
"""

import numpy as np

from microgpt.autograd.experts import best_experts, capacity_of, sort_by_expert
from microgpt.autograd.tensor import (
    array,
    balance_loss,
    combine,
    embedding,
    expert_linear,
    linear,
    renormalize,
    reshape,
    router_softmax,
    router_z_loss,
    swiglu,
)


def moe(x, params, layer, config, record=None, losses=None):  # (B, T, C) -> (B, T, C)
    """One layer's experts. A pair of token and expert beyond the expert's capacity is dropped:
    the token passes by it on the residual stream.

    `losses(name, value)` is called with the router's own losses "balance" and "z", which training
    adds to the surprise.
    """
    name = f"model.layers.{layer}.mlp"
    B, T, C = x.shape
    tokens = reshape(x, (B * T, C))
    scores = linear(tokens, params[f"{name}.router.weight"])  # (N, E)
    probabilities = router_softmax(scores)
    if record:
        by_place = reshape(probabilities, (B, T, config.experts))
        probabilities = reshape(record("mlp.router", by_place), scores.shape)
    chosen = best_experts(array(probabilities), config.active)  # (N, K)
    shares = renormalize(probabilities, chosen)
    if losses:
        losses("balance", balance_loss(probabilities, chosen))
        losses("z", router_z_loss(scores))
    capacity = None
    if config.capacity is not None:
        capacity = capacity_of(B * T, config.experts, config.active, config.capacity)
    order, counts = sort_by_expert(chosen, config.experts, capacity)
    hidden, answers = experts(embedding(tokens, order % (B * T)), params, name, counts)
    output = reshape(combine(answers, shares, order), (B, T, C))
    if record:
        # To look at: which experts, their shares, and what each of them says.
        record("mlp.chosen", chosen.reshape(B, T, -1))
        record("mlp.shares", kept_shares(array(shares), order).reshape(B, T, -1))
        each = by_token(array(hidden), order, chosen)
        record("mlp.expert_hidden", each.reshape(B, T, *each.shape[1:]))
        output = record("mlp.output", output)
    return output


def experts(rows, params, name, counts):  # (R, C) -> (R, F), (R, C)
    """Each row through its own expert's SwiGLU network."""
    gate = expert_linear(rows, params[f"{name}.experts.gate_proj.weight"], counts)
    up = expert_linear(rows, params[f"{name}.experts.up_proj.weight"], counts)
    hidden = swiglu(gate, up)
    return hidden, expert_linear(hidden, params[f"{name}.experts.down_proj.weight"], counts)


def kept_shares(shares, order):  # (N, K), (R,) -> (N, K)
    """The shares with 0 where an expert was full."""
    kept = np.zeros(shares.size, bool)
    kept[order] = True
    return shares * kept.reshape(shares.shape[::-1]).T


def by_token(rows, order, chosen):  # (R, F), (R,), (N, K) -> (N, K, F)
    """Rows that are sorted by expert back in the order of tokens; what was dropped is 0."""
    N, K = chosen.shape
    pairs = np.zeros((K * N, rows.shape[1]), rows.dtype)
    pairs[order] = rows
    return pairs.reshape(K, N, -1).swapaxes(0, 1)


def moe_shapes(config) -> dict[str, tuple[int, ...]]:
    """The weights of one layer, without the layer's name."""
    E, C, F = config.experts, config.width, config.hidden
    return {
        "router.weight": (E, C),
        "experts.gate_proj.weight": (E, F, C),
        "experts.up_proj.weight": (E, F, C),
        "experts.down_proj.weight": (E, C, F),
    }
