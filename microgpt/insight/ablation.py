"""Take a part of a model away and see what breaks: edits for `gpt(..., edit=...)`.

    logits = gpt(params, tokens, config, edit=without_heads([(2, 3)], config))

Each function here returns a fresh edit for one pass (the last two remember the stream as it goes
by). They work on arrays and on Tensors alike, so a model can be trained without a part as well.
To take positions away, run it with `without_positions(config)`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from microgpt.autograd.tensor import multiply, reshape
from microgpt.model.config import GPTConfig

Edit = Callable[[str, object], object]


def without_heads(heads: Iterable[tuple[int, int]], config: GPTConfig) -> Edit:
    """Heads, as (layer, head) counted from 0, add nothing to the stream: their mix is set to 0.

    ValueError for a head that the model hasn't got.
    """
    keep = {}
    for layer, head in heads:
        if not (0 <= layer < config.layers and 0 <= head < config.heads):
            raise ValueError(
                f"There is no head {head} in layer {layer}: layers go from 0 to "
                f"{config.layers - 1}, heads from 0 to {config.heads - 1}."
            )
        name = f"blocks.{layer}.attention.mixed"
        keep.setdefault(name, np.ones((config.heads, 1), np.float32))[head] = 0

    def edit(name, value):
        if name not in keep:
            return value
        B, T, _ = value.shape
        heads = multiply(reshape(value, (B, T, config.heads, config.head_size)), keep[name])
        return reshape(heads, value.shape)

    return edit


def without_parts(part: str, layers: Iterable[int], config: GPTConfig) -> Edit:
    """Layers without their "attention" or their "mlp": it adds 0 to the stream."""
    if part not in ("attention", "mlp"):
        raise ValueError(f"A layer has the parts 'attention' and 'mlp', not {part!r}.")
    names = {f"blocks.{_layer(layer, config)}.{part}.output" for layer in layers}
    return lambda name, value: multiply(value, np.float32(0)) if name in names else value


def without_layers(layers: Iterable[int], config: GPTConfig) -> Edit:
    """Whole layers are passed by: the stream leaves them as it came."""
    layers = list(layers)
    return chain(
        without_parts("attention", layers, config), without_parts("mlp", layers, config)
    )


def without_norms() -> Edit:
    """Every part reads the stream as it is, not a normalized copy."""
    stream = [None]

    def edit(name, value):
        if name.endswith("norm"):
            return stream[0]
        _remember(stream, name, value)
        return value

    return edit


def without_residuals() -> Edit:
    """Each part's answer takes the place of the stream instead of being added to it."""
    answer = [None]

    def edit(name, value):
        if name.endswith(("attention.output", "mlp.output")):
            answer[0] = value
        return answer[0] if name.endswith((".middle", ".residual")) else value

    return edit


def without_positions(config: GPTConfig) -> GPTConfig:
    """The same model told nothing about where a token stands (only the mask still knows order)."""
    return replace(config, positions="none")


def chain(*edits: Edit) -> Edit:
    """Several edits, one after the other."""

    def edit(name, value):
        for one in edits:
            value = one(name, value)
        return value

    return edit


def _remember(stream: list, name: str, value) -> None:
    """Keep the residual stream as it stands before the next part reads it."""
    if name == "embedding" or name.endswith((".middle", ".residual")):
        stream[0] = value
    elif name == "positions":
        stream[0] = stream[0] + value


def _layer(layer: int, config: GPTConfig) -> int:
    if not 0 <= layer < config.layers:
        raise ValueError(f"There is no layer {layer}: they go from 0 to {config.layers - 1}.")
    return layer
