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
W = 128  # channels that go back together; a number the compiler knows, so it makes vectors


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
def _softplus(x, out):
    """log(1 + u) = 2 artanh(s) with s = u / (2 + u): at most 1/3, so seven terms are enough."""
    for j in range(x.shape[0]):
        u = _exp(-abs(x[j]))
        s = u / (f4(2) + u)
        z = s * s
        p = f4(1 / 13) * z + f4(1 / 11)
        p = p * z + f4(1 / 9)
        p = p * z + f4(1 / 7)
        p = p * z + f4(1 / 5)
        p = p * z + f4(1 / 3)
        out[j] = max(x[j], f4(0)) + f4(2) * (p * z * s + s)


def softplus(x):
    out = np.empty(x.shape, np.float32)
    _softplus(np.ascontiguousarray(x).ravel(), out.ravel())
    return out


@kernel
def _softplus_backward(grad, x, dx):
    for j in range(x.shape[0]):
        dx[j] = grad[j] / (f4(1) + _exp(-x[j]))


def softplus_backward(grad, out, x):
    dx = np.empty(x.shape, np.float32)
    _softplus_backward(*(a.ravel() for a in contiguous(grad, x)), dx.ravel())
    return (dx,)


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


# On the way back W channels have their rows side by side in three arrays: all rows of a token in
# one, all of a state number in another, what both have met in the third. Rows at fixed distances
# can't overlap, which is what lets a loop that writes several of them be made of vectors.
GRAD, INCOMING, STEP, ENTERED, FADED = 0, W, 2 * W, 3 * W, 4 * W  # of a token
STATE, RATE, D_RATE = 0, W, 2 * W  # of a number; backwards, STATE is the gradient of the state
KEPT, BEFORE = 0, W  # of a number at a token


@kernel
def _token_forward(token, number, past, enters):
    """One number of the state through one token; `past` remembers what was before."""
    for i in range(W):
        kept = _exp(token[STEP + i] * number[RATE + i])
        past[KEPT + i] = kept
        past[BEFORE + i] = number[STATE + i]
        number[STATE + i] = kept * number[STATE + i] + token[INCOMING + i] * enters


@kernel
def _token_backward(token, number, past, enters, leaves):
    """The same number back through the token; returns the gradients of `enters` and `leaves`."""
    d_enters = f4(0)
    d_leaves = f4(0)
    for i in range(W):
        g, incoming = token[GRAD + i], token[INCOMING + i]
        kept, before = past[KEPT + i], past[BEFORE + i]
        d = number[STATE + i] + g * leaves
        d_enters += d * incoming
        d_leaves += g * (kept * before + incoming * enters)
        token[ENTERED + i] += d * enters
        number[STATE + i] = d * kept
        d_exponent = d * kept * before
        token[FADED + i] += d_exponent * number[RATE + i]
        number[D_RATE + i] += d_exponent * token[STEP + i]
    return d_enters, d_leaves


@kernel
def _gather(grad, x, delta, A, first, width, tokens, numbers):
    """The rows of `width` channels from `first` on; the rest of W stays 0."""
    tokens[:] = f4(0)
    numbers[:] = f4(0)
    for t in range(x.shape[0]):
        for i in range(width):
            tokens[t, GRAD + i] = grad[t, first + i]
            tokens[t, STEP + i] = delta[t, first + i]
            tokens[t, INCOMING + i] = delta[t, first + i] * x[t, first + i]
    for n in range(A.shape[0]):
        for i in range(width):
            numbers[n, RATE + i] = A[n, first + i]


@kernel
def _scan_backward(grad, x, delta, A, B, C, D, first, tokens, numbers, past, grads):
    """One sequence, the W channels from `first` on; `grads` are those of the inputs, added to."""
    dx, d_delta, d_A, d_B, d_C = grads
    T, N, width = x.shape[0], A.shape[0], min(W, x.shape[1] - first)
    _gather(grad, x, delta, A, first, width, tokens, numbers)
    for t in range(T):
        for n in range(N):
            _token_forward(tokens[t], numbers[n], past[t, n], B[t, n])
    numbers[:, STATE : STATE + W] = f4(0)
    for t in range(T - 1, -1, -1):
        for n in range(N):
            enters, leaves = _token_backward(tokens[t], numbers[n], past[t, n], B[t, n], C[t, n])
            d_B[t, n] += enters
            d_C[t, n] += leaves
    for t in range(T):
        for i in range(width):
            entered, step, row = tokens[t, ENTERED + i], delta[t, first + i], x[t, first + i]
            d_delta[t, first + i] = tokens[t, FADED + i] + entered * row
            dx[t, first + i] = entered * step + grad[t, first + i] * D[first + i]
    for n in range(N):
        for i in range(width):
            d_A[n, first + i] += numbers[n, D_RATE + i]


def selective_scan_backward(grad, out, x, delta, A, B, C, D, state=None):
    refuse_state(state)
    (T, I), N = x.shape[1:], A.shape[1]
    grad, x, delta, A, B, C = contiguous(grad, x, delta, A.T, B, C)
    dx, d_delta = np.empty(x.shape, np.float32), np.empty(x.shape, np.float32)
    d_A, d_B, d_C = np.zeros_like(A), np.zeros_like(B), np.zeros_like(C)
    tokens, numbers = np.empty((T, 5 * W), np.float32), np.empty((N, 3 * W), np.float32)
    past = np.empty((T, N, 2 * W), np.float32)
    for first in range(0, I, W):
        for b in range(len(x)):
            grads = dx[b], d_delta[b], d_A, d_B[b], d_C[b]
            _scan_backward(
                grad[b], x[b], delta[b], A, B[b], C[b], D, first, tokens, numbers, past, grads
            )
    d_D = np.einsum("bti,bti->i", grad, x)
    return dx, d_delta, np.ascontiguousarray(d_A.T), d_B, d_C, d_D
