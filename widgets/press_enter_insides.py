"""What the stages of the machine open with: the numbers of recorded passes, small enough to send.

Pure: `inside` turns one pass into plain data for the component, `affordable` keeps as many as fit.
Arrays go as 16-bit whole numbers with a scale; of what a pass computed for many tokens, mostly the
last token's row, the one that will speak.
"""

from collections.abc import Iterable

import numpy as np

from microgpt.decoding.decoders import weights_of
from microgpt.decoding.pipeline import Pass
from microgpt.insight.lens import read_out
from microgpt.model.costs import pass_costs
from widgets.components import packed

EMBEDDING_ROWS = 24  # of the tokens that a pass reads, the last ones
ATTENTION_NUMBERS = 60_000  # of all weights of one pass, before fewer rows are sent
ATTENTION_ROWS = 48
BEST = 12  # scores that are shown one by one
BINS = 32
HIDDEN = -32_768  # stands for a score of -inf


def token_name(tokenizer, token: int) -> str:
    """How a token is shown; a vocabulary may be padded with ids that mean nothing."""
    return tokenizer.name_of(token) if token < tokenizer.vocab_size else f"<unused {token}>"


def numbers(array: np.ndarray) -> dict:
    """An array as 16-bit whole numbers and the scale that makes them real again (JS `real`)."""
    array = np.asarray(array, np.float32)
    finite = np.isfinite(array)
    largest = float(np.abs(array[finite]).max(initial=0)) or 1.0
    whole = np.rint(np.where(finite, array, 0) / largest * 32_767).astype("<i2")
    whole[~finite] = HIDDEN
    return {
        "scale": largest / 32_767,
        "shape": list(array.shape),
        "data": packed(whole.ravel().view(np.uint8)),
    }


def affordable(
    insides: Iterable[tuple[int, dict]], needed: int, budget: int
) -> dict[int, dict]:
    """Insides of consecutive passes, up to number `needed` and beyond while they fit the budget.

    Where those before it do not fit, the first are left out.
    """
    found, costs = {}, {}
    for index, one in insides:
        cost = size(one)
        if index > needed and sum(costs.values()) + cost > budget:
            break
        found[index], costs[index] = one, cost
        while index <= needed and sum(costs.values()) > budget and len(found) > 1:
            first = next(iter(found))
            del found[first], costs[first]
    return found


def rows_shown(config, seen: int) -> int:
    """How many of the last tokens of a pass are ever shown, when it sees so many in all."""
    attention = ATTENTION_NUMBERS // (config.layers * config.heads * seen)
    return max(EMBEDDING_ROWS, min(ATTENTION_ROWS, attention))


def inside(model, recorded: Pass) -> dict:
    """The numbers of one pass that its stages open with; of the last token where they are many."""
    config = model.config
    rows = min(len(recorded.tokens), EMBEDDING_ROWS)
    seconds = {(stage.kind, stage.layer): stage.seconds for stage in recorded.stages}
    order = [(cost.kind, cost.layer) for cost in pass_costs(config, 1)]
    return {
        "seconds": [seconds.get(key, 0.0) for key in order],
        "embedding": numbers(recorded.value("embedding")[0, -rows:]),
        "positions": positions_inside(config, recorded),
        "layers": [layer_inside(config, recorded, i) for i in range(config.layers)],
        "lens": lens(model, recorded),
        "sizes": sizes(config, recorded),
        "norm": numbers(recorded.value("norm")[0, -1]),
        "logits": logits_inside(model.tokenizer, recorded.value("logits")[0, -1]),
    }


def positions_inside(config, recorded: Pass) -> dict:
    """RoPE: the last token's query in layer 1, each pair before and after its turn."""
    if config.positions == "rope":
        place = recorded.start + len(recorded.tokens) - 1
        turns = place * config.rope_base ** (-np.arange(0, config.head_size, 2) / config.head_size)
        before = recorded.value("blocks.0.attention.query")[0, -1]
        after = recorded.value("blocks.0.attention.query_rotated")[0, -1]
        return {
            "place": place,
            "angles": [round(float(a), 4) for a in turns],
            "before": numbers(before),
            "after": numbers(after),
        }
    if config.positions in ("learned", "sinusoidal"):
        return {"row": numbers(recorded.value("positions")[0, -1])}
    return {}


def layer_inside(config, recorded: Pass, layer: int) -> dict:
    """Attention weights of the last tokens in every head, and what the MLP did with the last."""

    def value(part):
        return recorded.value(f"blocks.{layer}.{part}")[0]

    weights = value("attention.weights")  # (H, T, S)
    heads, tokens, seen = weights.shape
    affordable = ATTENTION_NUMBERS // (config.layers * heads * seen)
    rows = max(1, min(tokens, ATTENTION_ROWS, affordable))
    return {
        "weights": numbers(weights[:, -rows:]),
        "scores": numbers(value("attention.scores")[:, -1]),
        "attention": numbers(value("attention.output")[-1]),
        "hidden": numbers(value("mlp.hidden")[-1]),
        "mlp": numbers(value("mlp.output")[-1]),
    }


def sizes(config, recorded: Pass) -> list[float]:
    """Length of the last token's residual stream: as embedded, then after each half layer."""
    names = ["embedding"]
    for layer in range(config.layers):
        names += [f"blocks.{layer}.middle", f"blocks.{layer}.residual"]
    rows = [recorded.value(name)[0, -1] for name in names]
    return [round(float(np.linalg.norm(row)), 4) for row in rows]


def lens(model, recorded: Pass, best: int = 3) -> list[list]:
    """What the model would say if it stopped after each layer (logit lens, nostalgebraist 2020)."""
    config = model.config
    stream = np.stack([recorded.value(f"blocks.{i}.residual")[0, -1] for i in range(config.layers)])
    scores = read_out(stream, weights_of(model), config)  # (L, V)
    odds = np.exp(scores - scores.max(-1, keepdims=True))
    odds /= odds.sum(-1, keepdims=True)
    return [
        [
            [token_name(model.tokenizer, int(i)), round(float(row[i]), 4)]
            for i in np.argsort(-row)[:best]
        ]
        for row in odds
    ]


def logits_inside(tokenizer, logits: np.ndarray) -> dict:
    """The best scores, and how all of them are spread."""
    best = np.argsort(-logits, kind="stable")[:BEST]
    counts, edges = np.histogram(logits, BINS)
    return {
        "best": [[int(i), token_name(tokenizer, int(i)), round(float(logits[i]), 4)] for i in best],
        "counts": counts.tolist(),
        "low": float(edges[0]),
        "high": float(edges[-1]),
    }


def size(value) -> int:
    """Bytes that a view takes as JSON, near enough."""
    if isinstance(value, dict):
        return sum(len(k) + 4 + size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return 2 + sum(1 + size(v) for v in value)
    return len(value) + 2 if isinstance(value, str) else 8
