"""Optimizers: what to do with a gradient. Each is written out, from the plainest to AdamW.

Every optimizer has `update(params, grads, rate)`, which changes the arrays in `params` in place.
`params` and `grads` are dicts of arrays by name. State (velocity, moments) is kept in
`state[name]`, plain arrays that a checkpoint can store.
"""

import math

import numpy as np


class SGD:
    """Stochastic gradient descent: a step against the gradient."""

    def __init__(self):
        self.state, self.steps = {}, 0

    def update(self, params, grads, rate):
        self.steps += 1
        for name, grad in grads.items():
            params[name] -= rate * grad


class Momentum:
    """Keep a velocity: v = beta v + g, then step along it (Polyak 1964; PyTorch's form)."""

    def __init__(self, beta=0.9):
        self.beta, self.state, self.steps = beta, {}, 0

    def update(self, params, grads, rate):
        self.steps += 1
        for name, grad in grads.items():
            velocity = self.state.setdefault(name, np.zeros_like(params[name]))
            velocity *= self.beta
            velocity += grad
            params[name] -= rate * velocity


class RMSProp:
    """Divide each step by the gradient's running size (Tieleman & Hinton 2012)."""

    def __init__(self, beta=0.99, eps=1e-8):
        self.beta, self.eps, self.state, self.steps = beta, eps, {}, 0

    def update(self, params, grads, rate):
        self.steps += 1
        for name, grad in grads.items():
            square = self.state.setdefault(name, np.zeros_like(params[name]))
            square *= self.beta
            square += (1 - self.beta) * grad * grad
            params[name] -= rate * grad / (np.sqrt(square) + self.eps)


class AdamW:
    """Adam with weight decay outside the moments (Kingma & Ba 2015; Loshchilov & Hutter 2019).

    m = b1 m + (1 - b1) g and v = b2 v + (1 - b2) g^2 start at 0, so both are too small at first:
    the step uses m / (1 - b1^t) and v / (1 - b2^t). Decay pulls matrices toward 0, but not norms
    or biases, which have one dimension, nor the logarithms in A_log. With decay 0 this is Adam.
    """

    def __init__(self, beta1=0.9, beta2=0.95, eps=1e-8, decay=0.1):
        self.beta1, self.beta2, self.eps, self.decay = beta1, beta2, eps, decay
        self.state, self.steps = {}, 0

    def update(self, params, grads, rate):
        self.steps += 1
        corrections = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        for name, grad in grads.items():
            param = params[name]
            if name not in self.state:
                self.state[name] = np.zeros_like(param), np.zeros_like(param)
            decays = np.ndim(param) > 1 and not name.endswith("A_log")
            decay = self.decay if decays else 0.0
            step = self._kernel if param.dtype == np.float32 else self._readable
            step(param, grad, *self.state[name], rate, decay, *corrections)

    def _readable(self, param, grad, first, second, rate, decay, correction1, correction2):
        first *= self.beta1
        first += (1 - self.beta1) * grad
        second *= self.beta2
        second += (1 - self.beta2) * grad * grad
        update = (first / correction1) / (np.sqrt(second / correction2) + self.eps)
        param -= rate * (update + decay * param)

    def _kernel(self, param, grad, first, second, rate, decay, correction1, correction2):
        from microgpt.autograd import kernels

        flat = [np.ascontiguousarray(a).reshape(-1) for a in (grad, first, second)]
        numbers = rate, self.beta1, self.beta2, self.eps, decay, correction1, correction2
        kernels.adam(param.reshape(-1), *flat, *map(np.float32, numbers))


def clip_gradients(grads: dict, limit: float) -> float:
    """Scale all gradients so that their joint length is at most `limit`; return the length."""
    length = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if length > limit:
        for name in grads:
            grads[name] = grads[name] * np.float32(limit / (length + 1e-6))
    return length


def constant(step: int, peak: float) -> float:
    return peak


def warmup_cosine(step, peak, total, warmup, floor=0.1):
    """Rise in a line for `warmup` steps, then fall along half a cosine to `floor * peak`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def warmup_linear(step, peak, total, warmup, floor=0.0, hold=0.0):
    """Rise for `warmup` steps, hold the peak for a share of the run, fall in a line to floor."""
    if step < warmup:
        return peak * (step + 1) / warmup
    start = warmup + hold * (total - warmup)
    progress = min(1.0, max(0.0, (step - start) / max(1, total - start)))
    return peak * (1 - (1 - floor) * progress)
