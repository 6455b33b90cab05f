"""Numba twins of `scan`: the scan with its state kept in the processor's nearest memory.

The flags are those of `kernels.py`, for the same reasons. The exponential stands here again
because Numba's cache on disk does not see changes in another file.
"""

import numpy as np
from numba import njit

from microgpt.autograd.scan import refuse_state

kernel = njit(
    cache=True,
    nogil=True,
    error_model="numpy",
    fastmath={"reassoc", "contract", "arcp", "nsz"},
)
f4 = np.float32
i4 = np.int32
BLOCK = 128  # channels whose whole history of states is kept at once on the way back


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _exp(x):
    """exp(x) for float32 without a branch; see `kernels.py`."""
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
def _silu(x, out):
    for j in range(x.shape[0]):
        out[j] = x[j] / (f4(1) + _exp(-x[j]))


def silu(x):
    out = np.empty(x.shape, np.float32)
    _silu(np.ascontiguousarray(x).ravel(), out.ravel())
    return out


@kernel
def _silu_backward(grad, x, dx):
    for j in range(x.shape[0]):
        opening = f4(1) / (f4(1) + _exp(-x[j]))
        dx[j] = grad[j] * (opening + x[j] * opening * (f4(1) - opening))


def silu_backward(grad, out, x):
    dx = np.empty(x.shape, np.float32)
    _silu_backward(np.ascontiguousarray(grad).ravel(), np.ascontiguousarray(x).ravel(), dx.ravel())
    return (dx,)


@kernel
def _convolution(x, taps, bias, tail, out):
    """`taps` is (K, I): channels side by side, so that they fill vectors."""
    K, reach = taps.shape[0], tail.shape[1]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            y = out[b, t]
            for i in range(x.shape[2]):
                y[i] = bias[i]
            for k in range(K):
                s = t - reach + k
                row = x[b, s] if s >= 0 else tail[b, reach + s]
                tap = taps[k]
                for i in range(x.shape[2]):
                    y[i] += row[i] * tap[i]


def causal_convolution(x, weight, bias, tail=None):
    x, K = np.ascontiguousarray(x), weight.shape[1]
    before = np.zeros((x.shape[0], K - 1, x.shape[2]), np.float32) if tail is None else tail
    out = np.empty(x.shape, np.float32)
    _convolution(x, np.ascontiguousarray(weight.T), bias, np.ascontiguousarray(before), out)
    if tail is not None:
        tail[...] = np.concatenate([before, x], axis=1)[:, x.shape[1] :]
    return out


@kernel
def _convolution_backward(grad, x, taps, dx, d_taps, d_bias):
    K, T = taps.shape[0], x.shape[1]
    for b in range(x.shape[0]):
        for t in range(T):
            g, d = grad[b, t], dx[b, t]
            for i in range(x.shape[2]):
                d_bias[i] += g[i]
                d[i] = f4(0)
            for k in range(K):
                later, earlier = t + K - 1 - k, t - K + 1 + k
                tap, d_tap = taps[k], d_taps[k]
                if later < T:
                    after = grad[b, later]
                    for i in range(x.shape[2]):
                        d[i] += after[i] * tap[i]
                if earlier >= 0:
                    row = x[b, earlier]
                    for i in range(x.shape[2]):
                        d_tap[i] += g[i] * row[i]


def causal_convolution_backward(grad, out, x, weight, bias, tail=None):
    refuse_state(tail)
    taps = np.ascontiguousarray(weight.T)
    dx, d_taps, d_bias = np.empty(x.shape, np.float32), np.zeros_like(taps), np.zeros_like(bias)
    _convolution_backward(*contiguous(grad, x), taps, dx, d_taps, d_bias)
    return dx, np.ascontiguousarray(d_taps.T), d_bias


@kernel
def _scan(x, delta, A, B, C, D, state, incoming, out):
    """A is (N, I) and the state (B, N, I): channels side by side, so that they fill vectors."""
    I = x.shape[2]
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            row, step, y = x[b, t], delta[b, t], out[b, t]
            for i in range(I):
                incoming[i] = step[i] * row[i]
            for i in range(I):
                y[i] = D[i] * row[i]
            for n in range(A.shape[0]):
                h, rate, enters, leaves = state[b, n], A[n], B[b, t, n], C[b, t, n]
                for i in range(I):
                    h[i] = _exp(step[i] * rate[i]) * h[i] + incoming[i] * enters
                for i in range(I):
                    y[i] += h[i] * leaves


def contiguous(*arrays):
    return [np.ascontiguousarray(a) for a in arrays]


def selective_scan(x, delta, A, B, C, D, state=None):
    x, delta, A, B, C = contiguous(x, delta, A.T, B, C)
    if state is None:
        h = np.zeros((len(x), *A.shape), np.float32)
    else:
        h = np.ascontiguousarray(state.swapaxes(1, 2))
    out = np.empty(x.shape, np.float32)
    _scan(x, delta, A, B, C, D, h, np.empty(x.shape[2], np.float32), out)
    if state is not None:
        state[...] = h.swapaxes(1, 2)
    return out


@kernel
def _scan_again(x, delta, A, B, first, incoming, kept, states):
    """What stays (T, N, W) and states (T + 1, N, W) of the W channels from `first` on."""
    W = kept.shape[2]
    states[0] = f4(0)
    for t in range(x.shape[0]):
        row, step = x[t, first : first + W], delta[t, first : first + W]
        for i in range(W):
            incoming[i] = step[i] * row[i]
        for n in range(A.shape[0]):
            rate, enters = A[n, first : first + W], B[t, n]
            decay, before, after = kept[t, n], states[t, n], states[t + 1, n]
            for i in range(W):
                decay[i] = _exp(step[i] * rate[i])
            for i in range(W):
                after[i] = decay[i] * before[i] + incoming[i] * enters


@kernel
def _token_backward(g, step, A, d_A, kept, states, t, B, C, rest, work, d_B, d_C):
    """Back through one token's states; `work` holds rows: incoming, d_state, entered, faded.

    One array is written in each loop: only then does the compiler see that nothing overlaps and
    makes vectors of it.
    """
    incoming, d_state, entered, faded = work[0], work[1], work[2], work[3]
    W = incoming.shape[0]
    for n in range(A.shape[0]):
        rate, d_rate, decay, h = A[n], d_A[n], kept[t, n], rest[n]
        before, after, enters, leaves = states[t, n], states[t + 1, n], B[t, n], C[t, n]
        d_enters = f4(0)
        d_leaves = f4(0)
        for i in range(W):
            d_leaves += g[i] * after[i]
        for i in range(W):
            d = h[i] + g[i] * leaves
            d_state[i] = d
            d_enters += d * incoming[i]
        for i in range(W):
            entered[i] += d_state[i] * enters
        for i in range(W):
            h[i] = d_state[i] * decay[i]
        for i in range(W):
            d_state[i] = h[i] * before[i]  # from here on the gradient of the exponent
        for i in range(W):
            faded[i] += d_state[i] * rate[i]
        for i in range(W):
            d_rate[i] += d_state[i] * step[i]
        d_B[t, n] += d_enters
        d_C[t, n] += d_leaves


@kernel
def _scan_backward(grad, x, delta, A, B, C, D, first, kept, states, rest, work, grads):
    """One sequence, the W channels from `first` on; `grads` are those of the inputs, added to."""
    dx, d_delta, d_A, d_B, d_C = grads
    W = kept.shape[2]
    stop = first + W
    _scan_again(x, delta, A, B, first, work[0], kept, states)
    rest[:] = f4(0)
    rates, d_rates = A[:, first:stop], d_A[:, first:stop]
    for t in range(x.shape[0] - 1, -1, -1):
        g, row, step = grad[t, first:stop], x[t, first:stop], delta[t, first:stop]
        work[1:] = f4(0)
        for i in range(W):
            work[0, i] = step[i] * row[i]
        _token_backward(g, step, rates, d_rates, kept, states, t, B, C, rest, work, d_B, d_C)
        entered, faded = work[2], work[3]
        d_step, d_row = d_delta[t, first:stop], dx[t, first:stop]
        for i in range(W):
            d_step[i] = faded[i] + entered[i] * row[i]
        for i in range(W):
            d_row[i] = entered[i] * step[i] + g[i] * D[first + i]


def selective_scan_backward(grad, out, x, delta, A, B, C, D, state=None):
    refuse_state(state)
    (T, I), N = x.shape[1:], A.shape[1]
    grad, x, delta, A, B, C = contiguous(grad, x, delta, A.T, B, C)
    dx, d_delta = np.empty(x.shape, np.float32), np.empty(x.shape, np.float32)
    d_A, d_B, d_C = np.zeros_like(A), np.zeros_like(B), np.zeros_like(C)
    for first in range(0, I, BLOCK):
        W = min(BLOCK, I - first)
        kept, states = np.empty((T, N, W), np.float32), np.empty((T + 1, N, W), np.float32)
        rest, work = np.empty((N, W), np.float32), np.empty((4, W), np.float32)
        for b in range(len(x)):
            grads = dx[b], d_delta[b], d_A, d_B[b], d_C[b]
            _scan_backward(
                grad[b], x[b], delta[b], A, B[b], C[b], D, first, kept, states, rest, work, grads
            )
    d_D = np.einsum("bti,bti->i", grad, x)
    return dx, d_delta, np.ascontiguousarray(d_A.T), d_B, d_C, d_D
