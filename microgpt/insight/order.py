"""How a model knows the order of words: by positions, by the causal mask, or not at all.

Take away the positions, and one layer of attention adds up the same words whichever way they
stand. The second layer still notices: the mask lets each token see only those before it, so the
first layer has already written something else into "man" when "dog" stands before it. Only with
the mask gone too is a sentence a bag of words (Haviv et al. 2022 measure this in large models).
"""

from dataclasses import dataclass, replace

import numpy as np

from microgpt.autograd import ops
from microgpt.model.gpt import gpt, normalize

WITHOUT_TABLE = ("rope", "alibi", "sinusoidal", "none")  # what a model can be switched to


def streams(params, tokens, config):  # (T,) -> (L + 1, T, C)
    """The residual stream before the first layer and after each."""
    stream = []

    def record(name, value):
        if name == "positions":
            stream[0] = stream[0] + value
        elif name == "embedding" or name.endswith(".residual"):
            stream.append(value)

    gpt(params, np.asarray(tokens)[None], config, record, head=False)
    return np.stack(stream)[:, 0]


@dataclass(frozen=True)
class Comparison:
    """Two orders of the same tokens, read at the last one."""

    positions: str
    causal: bool
    distance: np.ndarray  # (L + 1,) between the two vectors of the last token, over their length
    predictions: np.ndarray  # (2, V) what would come next


def compare_orders(model, one, other, positions: str, causal: bool = True) -> Comparison:
    """Run both orders with the model's weights, its positions switched to another kind.

    ValueError where the two are not the same bag of tokens with the same last one.
    """
    if sorted(one) != sorted(other) or one[-1] != other[-1]:
        raise ValueError("Only two orders of the same tokens, with the same last one, compare.")
    if positions != model.config.positions and positions not in WITHOUT_TABLE:
        known = ", ".join(WITHOUT_TABLE)
        raise ValueError(f"{positions!r} needs weights of its own; {known} don't.")
    config = replace(model.config, positions=positions, causal=causal)
    a, b = (streams(model.params, ids, config)[:, -1] for ids in (one, other))
    distance = np.sqrt(((a - b) ** 2).sum(-1) / ((a * a).sum(-1) * (b * b).sum(-1)) ** 0.5)
    last = normalize(np.stack([a[-1], b[-1]])[None], model.params, "model.norm", config)[0]
    head = model.params["model.embed_tokens.weight" if config.tied else "lm_head.weight"]
    return Comparison(positions, causal, distance, ops.softmax(ops.linear(last, head)))
