"""Numba twins of `ops`: same names, same signatures, same results, less memory traffic.

What memory bounds is fused here into single passes over each row: normalization, rotation,
masked softmax, gating, the loss, the optimizer. Matrix products stay with BLAS. The loops are
plain Numba that any processor can run; they release the GIL (`nogil`), so threads overlap.

Never Numba's own threads (two sessions at once would abort the process) and never all of its fast
math (it assumes there is no infinity, but the mask is made of them): only the flags below. Kernels
that call each other share this file, because Numba's disk cache can't see changes elsewhere.
"""

import math

import numpy as np
from numba import njit

from microgpt.autograd import ops

kernel = njit(
    cache=True,
    nogil=True,
    error_model="numpy",
    fastmath={"reassoc", "contract", "arcp", "nsz"},
)
f4 = np.float32
i4 = np.int32


def rows_of(x):
    """x as contiguous rows (N, C)."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _exp(x):
    """exp(x) for float32 without a branch, so that loops vectorize; relative error < 2e-7.

    x = n ln 2 + r: a polynomial for e^r (Cephes), and n goes into the exponent bits. Below the
    smallest normal number the result is 0, so exp(-inf) is 0 exactly.
    """
    y = min(max(x, f4(-87.0)), f4(88.0))
    n = np.floor(y * f4(1.44269504) + f4(0.5))
    r = y - n * f4(0.693359375) + n * f4(2.12194440e-4)
    p = f4(1.9875691500e-4) * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    p = p * r * r + r + f4(1)
    e = p * i4((i4(n) + i4(127)) << i4(23)).view(f4)
    return e if x >= f4(-87.0) else f4(0)


@kernel
def _peak(row, stop, lanes):
    """The largest of row[:stop]; 16 running maxima, since one alone would not vectorize."""
    for i in range(16):
        lanes[i] = f4(-np.inf)
    whole = stop // 16 * 16
    for j in range(0, whole, 16):
        for i in range(16):
            x = row[j + i]
            lanes[i] = x if x > lanes[i] else lanes[i]
    peak = f4(-np.inf)
    for i in range(16):
        peak = max(peak, lanes[i])
    for j in range(whole, stop):
        peak = max(peak, row[j])
    return peak


@kernel
def _scatter_add(table, tokens, grad):
    for n in range(len(tokens)):
        row, g = table[tokens[n]], grad[n]
        for j in range(g.shape[0]):
            row[j] += g[j]


def embedding_backward(grad, out, table, tokens):
    d_table = np.zeros_like(table)
    _scatter_add(d_table, np.ascontiguousarray(tokens).ravel(), rows_of(grad))
    return d_table, None


def linear(x, weight, bias=None):
    # One product over all rows: NumPy would make one for each entry of the first axis.
    out = rows_of(x) @ weight.T
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight))


@kernel
def _rmsnorm(x, weight, eps, out):
    C = x.shape[1]
    for n in range(x.shape[0]):
        row, y = x[n], out[n]
        squares = f4(0)
        for j in range(C):
            squares += row[j] * row[j]
        inverse = f4(1) / np.sqrt(squares / f4(C) + eps)
        for j in range(C):
            y[j] = row[j] * inverse * weight[j]


def rmsnorm(x, weight, eps=1e-5):
    out = np.empty(x.shape, np.float32)
    _rmsnorm(rows_of(x), weight, f4(eps), out.reshape(-1, x.shape[-1]))
    return out


@kernel
def _rmsnorm_backward(grad, x, weight, eps, dx, d_weight):
    C = x.shape[1]
    for n in range(x.shape[0]):
        row, g, d = x[n], grad[n], dx[n]
        squares = f4(0)
        dot = f4(0)
        for j in range(C):
            squares += row[j] * row[j]
            dot += g[j] * weight[j] * row[j]
        inverse = f4(1) / np.sqrt(squares / f4(C) + eps)
        pull = dot * inverse * inverse / f4(C)
        for j in range(C):
            d[j] = (g[j] * weight[j] - row[j] * pull) * inverse
        for j in range(C):
            d_weight[j] += g[j] * row[j] * inverse


def rmsnorm_backward(grad, out, x, weight, eps=1e-5):
    dx, d_weight = np.empty(x.shape, np.float32), np.zeros(weight.shape, np.float32)
    C = x.shape[-1]
    _rmsnorm_backward(rows_of(grad), rows_of(x), weight, f4(eps), dx.reshape(-1, C), d_weight)
    return dx, d_weight


@kernel
def _moments(row, eps):
    """Mean and 1 / standard deviation of a row."""
    C = row.shape[0]
    mean = f4(0)
    for j in range(C):
        mean += row[j]
    mean /= f4(C)
    squares = f4(0)
    for j in range(C):
        squares += (row[j] - mean) * (row[j] - mean)
    return mean, f4(1) / np.sqrt(squares / f4(C) + eps)


@kernel
def _layernorm(x, weight, bias, eps, out):
    for n in range(x.shape[0]):
        row, y = x[n], out[n]
        mean, inverse = _moments(row, eps)
        for j in range(x.shape[1]):
            y[j] = (row[j] - mean) * inverse * weight[j] + bias[j]


def layernorm(x, weight, bias, eps=1e-5):
    out = np.empty(x.shape, np.float32)
    _layernorm(rows_of(x), weight, bias, f4(eps), out.reshape(-1, x.shape[-1]))
    return out


@kernel
def _layernorm_backward(grad, x, weight, eps, dx, d_weight, d_bias):
    C = x.shape[1]
    for n in range(x.shape[0]):
        row, g, d = x[n], grad[n], dx[n]
        mean, inverse = _moments(row, eps)
        level = f4(0)
        dot = f4(0)
        for j in range(C):
            level += g[j] * weight[j]
            dot += g[j] * weight[j] * (row[j] - mean)
        level /= f4(C)
        pull = dot * inverse * inverse / f4(C)
        for j in range(C):
            d[j] = (g[j] * weight[j] - level - (row[j] - mean) * pull) * inverse
        for j in range(C):
            d_weight[j] += g[j] * (row[j] - mean) * inverse
            d_bias[j] += g[j]


def layernorm_backward(grad, out, x, weight, bias, eps=1e-5):
    dx, C = np.empty(x.shape, np.float32), x.shape[-1]
    d_weight, d_bias = np.zeros(C, np.float32), np.zeros(C, np.float32)
    rows = dx.reshape(-1, C)
    _layernorm_backward(rows_of(grad), rows_of(x), weight, f4(eps), rows, d_weight, d_bias)
    return dx, d_weight, d_bias


@kernel
def _rotate(x, cos, sin, direction, out):
    B, T, H, D = x.shape
    half = D // 2
    for b in range(B):
        for t in range(T):
            c, s = cos[t], sin[t]
            for h in range(H):
                row, y = x[b, t, h], out[b, t, h]
                for j in range(half):
                    turn = s[j] * direction
                    y[j] = row[j] * c[j] - row[j + half] * turn
                    y[j + half] = row[j] * turn + row[j + half] * c[j]


def rotate(x, cos, sin, direction=1):
    out = np.empty(x.shape, np.float32)
    _rotate(np.ascontiguousarray(x), cos, sin, f4(direction), out)
    return out


def rotate_backward(grad, out, x, cos, sin):
    return rotate(grad, cos, sin, -1), None, None


def _by_group(x, groups):  # (B, T, H, D) -> (B, G, H/G, T, D), a view
    B, T, H, D = x.shape
    return x.reshape(B, T, groups, H // groups, D).transpose(0, 2, 3, 1, 4)


def attention_scores(q, k, scale=None):
    B, T, H, D = q.shape
    G, scale = k.shape[2], 1 / math.sqrt(D) if scale is None else scale
    queries = _by_group(q * f4(scale), G)  # scaled here, where there is less to scale
    return (queries @ k.transpose(0, 2, 3, 1)[:, :, None]).reshape(B, H, T, -1)


def attention_scores_backward(grad, out, q, k, scale=None):
    G, scale = k.shape[2], f4(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    grads = grad.reshape(q.shape[0], G, -1, *grad.shape[2:])
    dq = np.empty(q.shape, np.float32)
    np.matmul(grads, k.transpose(0, 2, 1, 3)[:, :, None], out=_by_group(dq, G))
    dq *= scale
    return dq, _sum_groups(grads, _by_group(q * scale, G), k)


def _sum_groups(grads, rows, like):
    """grads^T @ rows, summed over the query heads that share a key/value head."""
    if grads.shape[2] > 1:
        return (grads.swapaxes(-1, -2) @ rows).sum(2).transpose(0, 2, 1, 3)
    out = np.empty(like.shape, np.float32)
    np.matmul(grads.swapaxes(-1, -2), rows, out=_by_group(out, like.shape[2]))
    return out


@kernel
def _causal_softmax(scores, H, T, window, ahead, slopes, out):
    """Rows in whole vectors of 32: shorter loops would spend their time in scalar tails.

    A query sees `window` positions back, its own among them, and `ahead` positions forward.
    """
    S = scores.shape[1]
    lanes = np.empty(16, np.float32)
    for n in range(scores.shape[0]):
        t = S - T + n % T
        end = min(S, ((t + ahead) // 32 + 1) * 32)
        slope = slopes[(n // T) % H] if len(slopes) else f4(0)
        for j in range(end):
            x = scores[n, j] - slope * f4(abs(t - j))
            out[n, j] = x if t - window < j <= t + ahead else f4(-np.inf)
        peak = _peak(out[n], end, lanes)
        if peak == f4(-np.inf):
            peak = f4(0)
        total = f4(0)
        for j in range(end):
            e = _exp(out[n, j] - peak)
            out[n, j] = e
            total += e
        inverse = f4(1) / total if total > f4(0) else f4(0)
        for j in range(end):
            out[n, j] *= inverse
        for j in range(end, S):
            out[n, j] = f4(0)


_NO_SLOPES = np.empty(0, np.float32)


def causal_softmax(scores, window=None, slopes=None, causal=True):
    H, T, S = scores.shape[1:]
    out = np.empty(scores.shape, np.float32)
    slopes = _NO_SLOPES if slopes is None else slopes
    ahead = 0 if causal else S
    _causal_softmax(rows_of(scores), H, T, window or S, ahead, slopes, out.reshape(-1, S))
    return out


@kernel
def _softmax_backward(grad, weights, out):
    """Whole rows: a masked weight is 0, so it adds nothing and receives nothing."""
    for n in range(weights.shape[0]):
        dot = f4(0)
        for j in range(weights.shape[1]):
            dot += grad[n, j] * weights[n, j]
        for j in range(weights.shape[1]):
            out[n, j] = weights[n, j] * (grad[n, j] - dot)


def causal_softmax_backward(grad, out, scores, window=None, slopes=None, causal=True):
    d_scores = np.empty(out.shape, np.float32)
    _softmax_backward(rows_of(grad), rows_of(out), d_scores.reshape(-1, out.shape[-1]))
    return (d_scores,)


def attention_mix(weights, v):
    B, H, T, S = weights.shape
    G, D = v.shape[2:]
    out = np.empty((B, T, H, D), np.float32)
    values = v.transpose(0, 2, 1, 3)[:, :, None]
    np.matmul(weights.reshape(B, G, H // G, T, S), values, out=_by_group(out, G))
    return out.reshape(B, T, H * D)


def attention_mix_backward(grad, out, weights, v):
    B, H, T, S = weights.shape
    G, D = v.shape[2:]
    grads = _by_group(grad.reshape(B, T, H, D), G)
    d_weights = (grads @ v.transpose(0, 2, 3, 1)[:, :, None]).reshape(weights.shape)
    return d_weights, _sum_groups(weights.reshape(B, G, H // G, T, S), grads, v)


@kernel
def _swiglu(gate, up, out):
    for j in range(gate.shape[0]):
        out[j] = gate[j] / (f4(1) + _exp(-gate[j])) * up[j]


def swiglu(gate, up):
    out = np.empty(gate.shape, np.float32)
    _swiglu(np.ascontiguousarray(gate).ravel(), np.ascontiguousarray(up).ravel(), out.ravel())
    return out


@kernel
def _swiglu_backward(grad, gate, up, d_gate, d_up):
    for j in range(gate.shape[0]):
        sigmoid = f4(1) / (f4(1) + _exp(-gate[j]))
        silu = gate[j] * sigmoid
        d_gate[j] = grad[j] * up[j] * (sigmoid + silu * (f4(1) - sigmoid))
        d_up[j] = grad[j] * silu


def swiglu_backward(grad, out, gate, up):
    d_gate, d_up = np.empty(gate.shape, np.float32), np.empty(gate.shape, np.float32)
    flat = [np.ascontiguousarray(x).ravel() for x in (grad, gate, up)]
    _swiglu_backward(*flat, d_gate.ravel(), d_up.ravel())
    return d_gate, d_up


GELU_SCALE = f4(ops.GELU_SCALE)


@kernel
def _gelu_tanh(x):
    """tanh of GELU's inner polynomial, as 1 - 2 / (exp(2 z) + 1)."""
    z = GELU_SCALE * (x + f4(0.044715) * x * x * x)
    return f4(1) - f4(2) / (_exp(f4(2) * z) + f4(1))


@kernel
def _gelu(x, out):
    for j in range(x.shape[0]):
        out[j] = f4(0.5) * x[j] * (f4(1) + _gelu_tanh(x[j]))


def gelu(x):
    out = np.empty(x.shape, np.float32)
    _gelu(np.ascontiguousarray(x).ravel(), out.ravel())
    return out


@kernel
def _gelu_backward(grad, x, dx):
    for j in range(x.shape[0]):
        t = _gelu_tanh(x[j])
        slope = (f4(1) - t * t) * GELU_SCALE * (f4(1) + f4(3 * 0.044715) * x[j] * x[j])
        dx[j] = grad[j] * (f4(0.5) * (f4(1) + t) + f4(0.5) * x[j] * slope)


def gelu_backward(grad, out, x):
    dx = np.empty(x.shape, np.float32)
    _gelu_backward(np.ascontiguousarray(grad).ravel(), np.ascontiguousarray(x).ravel(), dx.ravel())
    return (dx,)


@kernel
def _cross_entropy(logits, targets, weights):
    V = logits.shape[1]
    lanes = np.empty(16, np.float32)
    loss = 0.0
    for n in range(logits.shape[0]):
        if weights[n] == f4(0):
            continue
        row = logits[n]
        peak = _peak(row, V, lanes)
        total = f4(0)
        for j in range(V):
            total += _exp(row[j] - peak)
        loss += weights[n] * (peak + np.log(total) - row[targets[n]])
    return loss


@kernel
def _cross_entropy_backward(grad, logits, targets, weights, d_logits):
    V = logits.shape[1]
    lanes = np.empty(16, np.float32)
    for n in range(logits.shape[0]):
        row, d = logits[n], d_logits[n]
        scale = grad * weights[n]
        if scale == f4(0):
            for j in range(V):
                d[j] = f4(0)
            continue
        peak = _peak(row, V, lanes)
        total = f4(0)
        for j in range(V):
            e = _exp(row[j] - peak)
            d[j] = e
            total += e
        scale_row = scale / total
        for j in range(V):
            d[j] *= scale_row
        d[targets[n]] -= scale


def _even(targets):
    return np.full(targets.size, 1 / targets.size, np.float32)


def cross_entropy(logits, targets, weights=None):
    weights = _even(targets) if weights is None else np.ascontiguousarray(weights).ravel()
    return f4(_cross_entropy(rows_of(logits), np.ascontiguousarray(targets).ravel(), weights))


def cross_entropy_backward(grad, out, logits, targets, weights=None):
    weights = _even(targets) if weights is None else np.ascontiguousarray(weights).ravel()
    d_logits, rows = np.empty(logits.shape, np.float32), rows_of(logits)
    targets = np.ascontiguousarray(targets).ravel()
    _cross_entropy_backward(f4(grad), rows, targets, weights, d_logits.reshape(rows.shape))
    return d_logits, None, None


@kernel
def _token_log_probabilities(logits, tokens, out):
    V = logits.shape[1]
    lanes = np.empty(16, np.float32)
    for n in range(logits.shape[0]):
        row = logits[n]
        peak = _peak(row, V, lanes)
        total = f4(0)
        for j in range(V):
            total += _exp(row[j] - peak)
        out[n] = row[tokens[n]] - peak - np.log(total)


def token_log_probabilities(logits, tokens):
    out = np.empty(tokens.shape, np.float32)
    tokens = np.ascontiguousarray(tokens).ravel()
    _token_log_probabilities(rows_of(logits), tokens, out.reshape(-1))
    return out


@kernel
def _token_log_probabilities_backward(grad, out, logits, tokens, d_logits):
    V = logits.shape[1]
    for n in range(logits.shape[0]):
        row, d = logits[n], d_logits[n]
        token = tokens[n]
        log_total = row[token] - out[n]  # of the exponentials, as the forward pass found it
        for j in range(V):
            d[j] = -grad[n] * _exp(row[j] - log_total)
        d[token] += grad[n]


def token_log_probabilities_backward(grad, out, logits, tokens):
    d_logits, rows = np.empty(logits.shape, np.float32), rows_of(logits)
    grad, out, tokens = (np.ascontiguousarray(a).ravel() for a in (grad, out, tokens))
    _token_log_probabilities_backward(grad, out, rows, tokens, d_logits.reshape(rows.shape))
    return d_logits, None


@kernel
def adam(param, grad, first, second, rate, beta1, beta2, eps, decay, correction1, correction2):
    """One AdamW update in place, all arrays flat; `optim.AdamW` says what the numbers are."""
    for j in range(param.shape[0]):
        g = grad[j]
        m = beta1 * first[j] + (f4(1) - beta1) * g
        v = beta2 * second[j] + (f4(1) - beta2) * g * g
        first[j] = m
        second[j] = v
        update = (m / correction1) / (np.sqrt(v / correction2) + eps)
        param[j] -= rate * (update + decay * param[j])
