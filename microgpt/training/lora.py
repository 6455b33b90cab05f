"""LoRA: leave the weights alone and learn a small correction beside each matrix (Hu et al. 2022).

A correction is B @ A with few columns and rows in between (the rank), times alpha / rank. B begins
at 0, so nothing changes at first. Only A and B are trained: their gradients and Adam's moments are
all that must be kept. Here the correction is added to the matrix before it is used, which gives
the same result and the same gradients as (x A) B beside it, and keeps one definition of the model.
"""

from dataclasses import dataclass

import numpy as np

from microgpt.autograd.tensor import add, matmul, multiply
from microgpt.training.train import loss_function

TARGETS = ("q_proj", "v_proj", "gate_proj", "up_proj", "down_proj")
DOWN, UP = ".lora_A", ".lora_B"  # (rank, I) and (O, rank)


@dataclass(frozen=True)
class LoRA:
    """`rank` numbers in between, strength `alpha` / rank, on matrices with these names."""

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = TARGETS

    def __post_init__(self):
        if not isinstance(self.rank, int) or self.rank < 1:
            raise ValueError(f"The rank is {self.rank!r}, but must be a whole number from 1 up.")

    @property
    def scale(self) -> np.float32:
        return np.float32(self.alpha / self.rank)


def adapted_names(params, lora: LoRA) -> list[str]:
    """The matrices that get a correction; ValueError if there is none of those names."""
    names = [n for n in params if n.removesuffix(".weight").endswith(lora.targets)]
    if not names:
        raise ValueError(f"No weight's name ends with any of {', '.join(lora.targets)}.")
    return names


def init_lora(params, lora: LoRA, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Fresh corrections by name: A normal with variance 1 / inputs, B zero."""
    adapters = {}
    for name in adapted_names(params, lora):
        outputs, inputs = params[name].shape
        down = rng.standard_normal((lora.rank, inputs), np.float32) / np.sqrt(np.float32(inputs))
        adapters[name + DOWN] = down
        adapters[name + UP] = np.zeros((outputs, lora.rank), np.float32)
    return adapters


def merge(params, adapters, lora: LoRA) -> dict:
    """The weights with their corrections added: what the model really runs with.

    `params` are plain arrays; where `adapters` are Tensors, so are the corrected matrices.
    """
    merged = dict(params)
    for name in params:
        if name + DOWN in adapters:
            correction = matmul(adapters[name + UP], adapters[name + DOWN])
            merged[name] = add(params[name], multiply(correction, lora.scale))
    return merged


def lora_loss(params, config, lora: LoRA):
    """The model's loss as a function of the corrections alone, as `gradients` wants it."""
    loss = loss_function(config)

    def corrected_loss(adapters, *shard):
        return loss(merge(params, adapters, lora), *shard)

    return corrected_loss
