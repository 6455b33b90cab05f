"""The policy: the weights that are being aligned, beside the reference they began as."""

from dataclasses import dataclass, field

import numpy as np

from microgpt.alignment.rollout import pad_token
from microgpt.alignment.rollout import policy as with_weights
from microgpt.autograd.optim import AdamW, clip_gradients
from microgpt.autograd.tensor import clip, exp, minimum, multiply, subtract, total
from microgpt.model.checkpoint import Model
from microgpt.training.parallel import gradients, keep_freed_memory, single_threaded_blas


@dataclass
class Policy:
    """`reference` is a model that stays as it is; `params` are copies of its weights to be trained,
    and whatever heads an algorithm adds to them."""

    reference: Model
    params: dict[str, np.ndarray]
    optimizer: AdamW = field(default_factory=lambda: AdamW(decay=0.0))
    updates: int = 0

    @classmethod
    def of(cls, reference: Model) -> "Policy":
        keep_freed_memory()
        copies = {name: np.array(p, np.float32) for name, p in reference.params.items()}
        return cls(reference, copies)

    @property
    def config(self):
        return self.reference.config

    @property
    def pad(self) -> int:
        return pad_token(self.reference.tokenizer)

    @property
    def model(self) -> Model:
        """A model with the present weights; they go on changing with the policy's."""
        own = {name: self.params[name] for name in self.reference.params}
        return with_weights(self.reference, own)

    def improve(self, loss, shards, rate, limit=1.0, threads=2, rates=None):
        """One step of AdamW down the sum of `loss` over the shards: (loss before it, norm).

        `rates` are learning rates of single weights, where they differ.
        """
        with single_threaded_blas():
            value, grads = gradients(loss, self.params, shards, threads)
            norm = clip_gradients(grads, limit)
        if not np.isfinite(value) or not np.isfinite(norm):
            raise FloatingPointError(
                f"The loss became {value} at update {self.updates}; lower the learning rate."
            )
        self.updates += 1
        for name, grad in grads.items():
            one = (rates or {}).get(name, rate)
            # AdamW counts its steps: every weight must see the same number.
            self.optimizer.steps = self.updates - 1
            self.optimizer.update(self.params, {name: grad}, one)
        return value, norm


def clipped_policy_loss(log_new, log_old, advantages, weight, limit):  # (N,) thrice -> ()
    """-min(r A, clip(r, 1 - limit, 1 + limit) A), times `weight`, where r = p_new / p_old.

    Schulman et al. 2017, eq. 7. Where r has gone far enough in the direction that A wants, the
    minimum is the clipped one, whose gradient is 0.
    """
    ratio = exp(subtract(log_new, log_old))
    plain = multiply(ratio, advantages)
    clipped = multiply(clip(ratio, 1 - limit, 1 + limit), advantages)
    return multiply(total(minimum(plain, clipped)), np.float32(-weight))


def clip_fraction(ratio, limit) -> float:
    """The share of tokens whose ratio has left the range."""
    return float((np.abs(ratio - 1) > limit).mean())


def k1(log_policy, log_reference):
    """log p - log q for samples of p. Its mean is KL(p || q); as a loss it teaches nothing: the
    mean of its gradient is 0. It is right within a reward, where PPO has it."""
    return log_policy - log_reference


def k2(log_policy, log_reference):
    """(log p - log q)^2 / 2. Nearly KL in value; as a loss, its mean gradient is exactly that of
    the reverse KL(p || q), which keeps the policy where the reference is. GRPO has it here."""
    difference = log_policy - log_reference
    return difference * difference * 0.5


def k3(log_policy, log_reference):
    """q/p - 1 - log(q/p): KL(p || q) in value and never below 0 (Schulman 2020); as a loss, its
    mean gradient is that of the forward KL(q || p). For watching."""
    log_ratio = log_reference - log_policy
    return np.exp(log_ratio) - 1 - log_ratio
