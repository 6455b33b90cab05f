"""The operations of a GPT in readable NumPy, each with its derivative right below it.

Every backward function receives the gradient of the output, the output, and the inputs, and
returns one gradient per input. `kernels.py` holds Numba twins with the same names and signatures.
"""

import math

import numpy as np

from microgpt.autograd.arithmetic import sigmoid


def embedding(table, tokens):  # (V, C), (...) -> (..., C)
    """Row `tokens[...]` of the table for each token."""
    return table[tokens]


def embedding_backward(grad, out, table, tokens):
    d_table = np.zeros_like(table)
    np.add.at(d_table, tokens, grad)  # += would lose all but one use of a repeated token
    return d_table, None


def linear(x, weight, bias=None):  # (..., I), (O, I), (O,) -> (..., O)
    """x @ weight.T + bias: one output per row of the weight matrix."""
    out = x @ weight.T
    return out if bias is None else out + bias


def linear_backward(grad, out, x, weight, bias=None):
    rows, grads = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
    d_bias = None if bias is None else grads.sum(0)
    return (grads @ weight).reshape(x.shape), grads.T @ rows, d_bias


def rmsnorm(x, weight, eps=1e-5):  # (..., C), (C,) -> (..., C)
    """Divide each row by its root mean square, then scale (Zhang & Sennrich 2019, eq. 4)."""
    rms = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return x / rms * weight


def rmsnorm_backward(grad, out, x, weight, eps=1e-5):
    rms = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    unit = x / rms
    d_unit = grad * weight
    dx = (d_unit - unit * (d_unit * unit).mean(-1, keepdims=True)) / rms
    d_weight = (grad * unit).reshape(-1, x.shape[-1]).sum(0)
    return dx, d_weight


def layernorm(x, weight, bias, eps=1e-5):  # (..., C), (C,), (C,) -> (..., C)
    """Shift each row to mean 0, divide by its deviation, scale and shift (Ba et al. 2016)."""
    centered = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centered * centered).mean(-1, keepdims=True) + eps)
    return centered / deviation * weight + bias


def layernorm_backward(grad, out, x, weight, bias, eps=1e-5):
    centered = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centered * centered).mean(-1, keepdims=True) + eps)
    unit = centered / deviation
    d_unit = grad * weight
    dx = d_unit - d_unit.mean(-1, keepdims=True) - unit * (d_unit * unit).mean(-1, keepdims=True)
    grads, units = grad.reshape(-1, x.shape[-1]), unit.reshape(-1, x.shape[-1])
    return dx / deviation, (grads * units).sum(0), grads.sum(0)


def rotate(x, cos, sin):  # (B, T, H, D), (T, D/2), (T, D/2) -> (B, T, H, D)
    """Turn the pair (x[j], x[j + D/2]) by the angle of its position (RoPE, Su et al. 2021).

    Half-split pairing, as in Hugging Face's Llama.
    """
    first, second = np.split(x, 2, axis=-1)
    cos, sin = cos[:, None], sin[:, None]  # (T, 1, D/2): the same for every head
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def rotate_backward(grad, out, x, cos, sin):
    return rotate(grad, cos, -sin), None, None  # a rotation is undone by turning back


def attention_scores(q, k, scale=None):  # (B, T, H, D), (B, S, G, D) -> (B, H, T, S)
    """How well each query matches each key: q . k / sqrt(D) (Vaswani et al. 2017, eq. 1).

    With fewer key heads than query heads (G < H) each key head serves H / G query heads in a
    row: grouped-query attention. `scale` takes the place of 1 / sqrt(D).
    """
    B, T, H, D = q.shape
    G = k.shape[2]
    scale = 1 / math.sqrt(D) if scale is None else scale
    queries = q.reshape(B, T, G, H // G, D).transpose(0, 2, 3, 1, 4)  # (B, G, H/G, T, D)
    keys = k.transpose(0, 2, 3, 1)[:, :, None]  # (B, G, 1, D, S)
    return (queries @ keys).reshape(B, H, T, -1) * scale


def attention_scores_backward(grad, out, q, k, scale=None):
    B, T, H, D = q.shape
    S, G = k.shape[1:3]
    scale = 1 / math.sqrt(D) if scale is None else scale
    queries = q.reshape(B, T, G, H // G, D).transpose(0, 2, 3, 1, 4)
    keys = k.transpose(0, 2, 1, 3)[:, :, None]  # (B, G, 1, S, D)
    grads = grad.reshape(B, G, H // G, T, S) * scale
    dq = (grads @ keys).transpose(0, 3, 1, 2, 4).reshape(q.shape)
    dk = (grads.swapaxes(-1, -2) @ queries).sum(2).transpose(0, 2, 1, 3)
    return dq, dk


def causal_mask(T, S, window=None):  # -> (T, S) of True where a query may look
    """Query t stands at position S - T + t; it sees that position and those before it.

    With a window it sees only the last `window` positions, its own among them.
    """
    query, key = np.arange(S - T, S)[:, None], np.arange(S)
    visible = key <= query
    return visible if window is None else visible & (key > query - window)


def masked_scores(scores, window=None, slopes=None, causal=True):  # (B, H, T, S), same out
    """The scores with -inf where a query may not look, and ALiBi's penalty if slopes are given.

    ALiBi (Press et al. 2022) lowers a score by slope * distance, one slope (H,) a head. Without
    `causal` nothing is hidden.
    """
    T, S = scores.shape[-2:]
    if slopes is not None:
        distance = np.abs(np.arange(S - T, S)[:, None] - np.arange(S))
        scores = scores - slopes[:, None, None] * distance.astype(scores.dtype)
    if not causal:
        return scores
    return np.where(causal_mask(T, S, window), scores, -np.inf).astype(scores.dtype)


def softmax(x):  # (..., N) -> (..., N)
    """exp(x) / sum(exp(x)) along the last axis; a row of only -inf gives a row of zeros."""
    peak = x.max(-1, keepdims=True)
    e = np.exp(x - np.where(np.isneginf(peak), 0, peak))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def causal_softmax(scores, window=None, slopes=None, causal=True):  # (B, H, T, S), same out
    """Attention weights: each query's scores over what it may see, made to add up to 1."""
    return softmax(masked_scores(scores, window, slopes, causal))


def causal_softmax_backward(grad, out, scores, window=None, slopes=None, causal=True):
    return (out * (grad - (grad * out).sum(-1, keepdims=True)),)


def attention_mix(weights, v):  # (B, H, T, S), (B, S, G, D) -> (B, T, H*D)
    """Each query's weighted mix of the values, heads side by side."""
    B, H, T, S = weights.shape
    G, D = v.shape[2:]
    values = v.transpose(0, 2, 1, 3)[:, :, None]  # (B, G, 1, S, D)
    mixed = weights.reshape(B, G, H // G, T, S) @ values  # (B, G, H/G, T, D)
    return mixed.transpose(0, 3, 1, 2, 4).reshape(B, T, H * D)


def attention_mix_backward(grad, out, weights, v):
    B, H, T, S = weights.shape
    G, D = v.shape[2:]
    grads = grad.reshape(B, T, G, H // G, D).transpose(0, 2, 3, 1, 4)  # (B, G, H/G, T, D)
    values = v.transpose(0, 2, 3, 1)[:, :, None]  # (B, G, 1, D, S)
    grouped = weights.reshape(B, G, H // G, T, S)
    d_weights = (grads @ values).reshape(weights.shape)
    dv = (grouped.swapaxes(-1, -2) @ grads).sum(2).transpose(0, 2, 1, 3)
    return d_weights, dv


def swiglu(gate, up):  # (..., F), (..., F) -> (..., F)
    """silu(gate) * up, where silu(z) = z * sigmoid(z) (Shazeer 2020)."""
    return gate * sigmoid(gate) * up


def swiglu_backward(grad, out, gate, up):
    opening = sigmoid(gate)
    silu = gate * opening
    return grad * up * (opening + silu * (1 - opening)), grad * silu


GELU_SCALE = math.sqrt(2 / math.pi)


def gelu(x):  # (...) -> (...)
    """x times the share of a normal distribution below x, by GPT-2's tanh approximation.

    Hendrycks & Gimpel 2016: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    """
    return 0.5 * x * (1 + np.tanh(GELU_SCALE * (x + 0.044715 * x * x * x)))


def gelu_backward(grad, out, x):
    t = np.tanh(GELU_SCALE * (x + 0.044715 * x * x * x))
    slope = (1 - t * t) * GELU_SCALE * (1 + 3 * 0.044715 * x * x)
    return (grad * (0.5 * (1 + t) + 0.5 * x * slope),)


def log_softmax(x):  # (..., V) -> (..., V)
    """log(softmax(x)) without taking the log of a rounded zero."""
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def token_log_probabilities(logits, tokens):  # (..., V), (...) -> (...)
    """The log-probability, in nats, that the logits give to each token."""
    return np.take_along_axis(log_softmax(logits), tokens[..., None], -1)[..., 0]


def token_log_probabilities_backward(grad, out, logits, tokens):
    d_logits = -softmax(logits) * grad[..., None]
    at_token = np.take_along_axis(d_logits, tokens[..., None], -1) + grad[..., None]
    np.put_along_axis(d_logits, tokens[..., None], at_token, -1)
    return d_logits, None


def cross_entropy(logits, targets, weights=None):  # (..., V), (...), (...) -> ()
    """The mean surprise -log p(target), in nats.

    `weights` (summing to 1) say how much each position counts; without them all count the same.
    """
    surprise = -token_log_probabilities(logits, targets)
    return surprise.mean() if weights is None else (surprise * weights).sum()


def cross_entropy_backward(grad, out, logits, targets, weights=None):
    if weights is None:
        weights = np.full(targets.shape, 1 / targets.size, dtype=logits.dtype)
    d_logits, _ = token_log_probabilities_backward(-weights * grad, None, logits, targets)
    return d_logits, None, None
