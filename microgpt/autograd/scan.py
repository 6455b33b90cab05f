"""A state space layer's operations in readable NumPy, each with its derivative right below it.

Letters: B batch, T time, I inner channels, N numbers of state a channel, K taps of the convolution.
`scan_kernels.py` holds Numba twins with the same names and signatures.
"""

import numpy as np

from microgpt.autograd.arithmetic import sigmoid


def softplus(x):  # (...) -> (...)
    """log(1 + exp(x)) without overflow: a smooth way to make a number positive."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(grad, out, x):
    return (grad * sigmoid(x),)


def silu(x):  # (...) -> (...)
    """x * sigmoid(x) (Elfwing et al. 2017)."""
    return x * sigmoid(x)


def silu_backward(grad, out, x):
    opening = sigmoid(x)
    return (grad * (opening + x * opening * (1 - opening)),)


def causal_convolution(x, weight, bias, tail=None):  # (B, T, I), (I, K), (I,) -> (B, T, I)
    """Each channel's weighted sum over the last K tokens, the present one with weight[:, -1].

    `tail` (B, K-1, I) holds the inputs before these, zeros if it isn't given; it is brought up to
    date in place, so that the next tokens can follow.
    """
    T, K = x.shape[1], weight.shape[1]
    before = np.zeros_like(x[:, :1]).repeat(K - 1, axis=1) if tail is None else tail
    padded = np.concatenate([before, x], axis=1)
    out = sum(padded[:, k : k + T] * weight[:, k] for k in range(K)) + bias
    if tail is not None:
        tail[...] = padded[:, T:]
    return out


def causal_convolution_backward(grad, out, x, weight, bias, tail=None):
    refuse_state(tail)
    T, K = x.shape[1], weight.shape[1]
    padded = np.pad(x, [(0, 0), (K - 1, 0), (0, 0)])
    d_padded, d_weight = np.zeros_like(padded), np.zeros_like(weight)
    for k in range(K):
        d_padded[:, k : k + T] += grad * weight[:, k]
        d_weight[:, k] = (grad * padded[:, k : k + T]).sum((0, 1))
    return d_padded[:, K - 1 :], d_weight, grad.sum((0, 1))


def refuse_state(state):
    if state is not None:
        raise ValueError("A pass that goes on from a cache has no gradient; train without one.")


def scan_states(x, delta, A, B, state=None):  # -> (B, T, I, N)
    """The state after each token: h[t] = exp(delta A) h[t-1] + delta B x (Gu & Dao 2023, eq. 2).

    x and delta are (B, T, I), A (I, N) below 0, B (B, T, N). Every channel has N numbers of
    state; exp(delta A) between 0 and 1 is how much of each stays, delta B x is what comes in.
    """
    h = np.zeros_like(x[:, 0, :, None] * A) if state is None else state
    states = []
    for t in range(x.shape[1]):
        kept = np.exp(delta[:, t, :, None] * A)  # (B, I, N)
        incoming = (delta[:, t] * x[:, t])[..., None] * B[:, t, None]
        h = kept * h + incoming
        states.append(h)
    return np.stack(states, axis=1)


def selective_scan(x, delta, A, B, C, D, state=None):  # -> (B, T, I)
    """What is read from the states, and a skip: y = C . h + D x (Gu & Dao 2023, algorithm 2).

    C is (B, T, N) and D (I,). `state` (B, I, N) is the state before these tokens, zeros if it
    isn't given; it is brought up to date in place, so that the next tokens can follow.
    """
    states = scan_states(x, delta, A, B, state)
    if state is not None:
        state[...] = states[:, -1]
    return (states * C[:, :, None]).sum(-1) + D * x


def selective_scan_backward(grad, out, x, delta, A, B, C, D, state=None):
    refuse_state(state)
    states = scan_states(x, delta, A, B)
    d_delta, d_B = np.zeros_like(delta), np.zeros_like(B)
    dx, d_A, d_state = grad * D, np.zeros_like(A), np.zeros_like(states[:, 0])
    d_C = (grad[..., None] * states).sum(2)
    for t in reversed(range(x.shape[1])):
        kept = np.exp(delta[:, t, :, None] * A)
        before = states[:, t - 1] if t else np.zeros_like(d_state)
        d_state = d_state + grad[:, t, :, None] * C[:, t, None]  # this output, and what follows
        d_exponent = d_state * kept * before
        d_incoming = (d_state * B[:, t, None]).sum(-1)  # (B, I): of delta x
        d_delta[:, t] = (d_exponent * A).sum(-1) + d_incoming * x[:, t]
        dx[:, t] += d_incoming * delta[:, t]
        d_A += (d_exponent * delta[:, t, :, None]).sum(0)
        d_B[:, t] = (d_state * (delta[:, t] * x[:, t])[..., None]).sum(1)
        d_state = d_state * kept
    return dx, d_delta, d_A, d_B, d_C, (grad * x).sum((0, 1))


def chunked_scan(x, delta, A, B, C, D, state=None, chunk=16):  # -> (B, T, I)
    """`selective_scan`, `chunk` tokens at once: within a chunk every pair of tokens is weighed.

    What token s put in has faded to exp(l[t] - l[s]) when t reads it, where l adds up delta A
    within the chunk. Only such differences are taken, and for s <= t they are at most 0: products
    of many decays, which underflow, or their inverses, which overflow, are never formed.
    """
    h = np.zeros_like(x[:, 0, :, None] * A) if state is None else state.copy()
    parts = []
    for start in range(0, x.shape[1], chunk):
        rows = slice(start, start + chunk)
        levels = np.cumsum(delta[:, rows, :, None] * A, axis=1)  # (B, t, I, N), falling
        incoming = (delta[:, rows] * x[:, rows])[..., None] * B[:, rows, None]
        t = np.arange(levels.shape[1])
        fading = levels[:, :, None] - levels[:, None]  # (B, t, s, I, N)
        past = (t[:, None] >= t)[:, :, None, None]
        faded = np.exp(np.where(past, fading, -np.inf)) * incoming[:, None]
        states = faded.sum(2) + np.exp(levels) * h[:, None]
        parts.append((states * C[:, rows, None]).sum(-1) + D * x[:, rows])
        h = states[:, -1]
    if state is not None:
        state[...] = h
    return np.concatenate(parts, axis=1)
