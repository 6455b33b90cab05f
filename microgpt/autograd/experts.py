"""A mixture of experts' operations in readable NumPy, each with its derivative right below it.

Letters: N tokens, E experts, K experts a token goes to, R rows: one for each pair of a token and
an expert that takes it. `experts_fast.py` holds twins with the same names and signatures.
"""

import math

import numpy as np

from microgpt.autograd.ops import softmax


def router_softmax(logits):  # (N, E) -> (N, E)
    """Each token's shares of all experts, before any is left out."""
    return softmax(logits)


def router_softmax_backward(grad, out, logits):
    return (out * (grad - (grad * out).sum(-1, keepdims=True)),)


def best_experts(probabilities, k):  # (N, E) -> (N, K)
    """The k likeliest experts of each token, the likeliest first; at a tie the lower number."""
    return np.argsort(-probabilities, axis=-1, kind="stable")[:, :k]


def renormalize(probabilities, chosen):  # (N, E), (N, K) -> (N, K)
    """The shares of the chosen experts, made to add up to 1 (Jiang et al. 2024, section 2.2)."""
    shares = np.take_along_axis(probabilities, chosen, -1)
    return shares / shares.sum(-1, keepdims=True)


def renormalize_backward(grad, out, probabilities, chosen):
    total = np.take_along_axis(probabilities, chosen, -1).sum(-1, keepdims=True)
    d_shares = (grad - (grad * out).sum(-1, keepdims=True)) / total
    d_probabilities = np.zeros_like(probabilities)
    np.put_along_axis(d_probabilities, chosen, d_shares, -1)
    return d_probabilities, None


def balance_loss(probabilities, chosen):  # (N, E), (N, K) -> ()
    """E * sum over experts of (share of the choices) * (mean probability): 1 when all are equal.

    Fedus et al. 2021, eq. 4 to 6. Only the probability has a gradient: choices are counted.
    """
    E = probabilities.shape[-1]
    load = np.bincount(chosen.ravel(), minlength=E) / chosen.size
    return np.asarray(E * (load * probabilities.mean(0)).sum(), dtype=probabilities.dtype)


def balance_loss_backward(grad, out, probabilities, chosen):
    N, E = probabilities.shape
    load = np.bincount(chosen.ravel(), minlength=E) / chosen.size
    row = (grad * E / N * load).astype(probabilities.dtype)
    return np.broadcast_to(row, (N, E)), None


def router_z_loss(logits):  # (N, E) -> ()
    """The mean of log(sum(exp(logits)))^2: keeps the router's scores small (Zoph et al. 2022)."""
    return np.square(log_sum(logits)).mean()


def router_z_loss_backward(grad, out, logits):
    per_token = 2 * log_sum(logits) / len(logits)
    return ((grad * per_token)[:, None].astype(logits.dtype) * softmax(logits),)


def log_sum(logits):  # (N, E) -> (N,)
    peak = logits.max(-1, keepdims=True)
    return (peak + np.log(np.exp(logits - peak).sum(-1, keepdims=True)))[:, 0]


def capacity_of(tokens, experts, k, factor):
    """The most rows that one expert takes: `factor` times an equal share, rounded up."""
    return math.ceil(factor * tokens * k / experts)


def sort_by_expert(chosen, experts, capacity=None):  # (N, K) -> (R,), (E,)
    """The pairs of token and choice, those of one expert side by side, and how many each has.

    Pair number c * N + n is choice c of token n. An expert with a capacity takes first choices
    before second ones, and earlier tokens before later ones; the rest is left out.
    """
    expert = chosen.T.ravel()  # choice by choice
    order = np.argsort(expert, kind="stable")
    counts = np.bincount(expert, minlength=experts)
    if capacity is not None and counts.max() > capacity:
        place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        order, counts = order[place < capacity], np.minimum(counts, capacity)
    return order, counts


def expert_linear(rows, weight, counts):  # (R, I), (E, O, I), (E,) -> (R, O)
    """Each row times its expert's matrix; the first counts[0] rows are expert 0's, and so on."""
    experts = np.repeat(np.arange(len(counts)), counts)
    out = np.zeros_like(rows, shape=(len(rows), weight.shape[1]))
    for r, expert in enumerate(experts):
        out[r] = weight[expert] @ rows[r]
    return out


def expert_linear_backward(grad, out, rows, weight, counts):
    experts = np.repeat(np.arange(len(counts)), counts)
    d_rows, d_weight = np.zeros_like(rows), np.zeros_like(weight)
    for r, expert in enumerate(experts):
        d_rows[r] = grad[r] @ weight[expert]
        d_weight[expert] += np.outer(grad[r], rows[r])
    return d_rows, d_weight, None


def combine(rows, shares, order):  # (R, C), (N, K), (R,) -> (N, C)
    """What a token's experts answered, each times its share; left-out pairs add nothing."""
    N = len(shares)
    out = np.zeros_like(rows, shape=(N, rows.shape[1]))
    for row, pair in zip(rows, order, strict=True):
        out[pair % N] += shares[pair % N, pair // N] * row
    return out


def combine_backward(grad, out, rows, shares, order):
    d_rows, d_shares = np.zeros_like(rows), np.zeros_like(shares)
    N = len(shares)
    for r, pair in enumerate(order):
        token, choice = pair % N, pair // N
        d_rows[r] = shares[token, choice] * grad[token]
        d_shares[token, choice] = grad[token] @ rows[r]
    return d_rows, d_shares, None
