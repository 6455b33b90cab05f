"""What the tensors of a pass, their columns and their stations are called on the map. Pure."""

from microgpt.insight.cells import BEFORE, PROBABILITIES
from widgets.press_enter_insides import token_name

IN, OUT = "in", "out"

LABELS = {  # part: (what it is called, what is done to get it)
    "embedding": ("embedding", "look up"),
    "positions": ("positions", "look up"),
    "attention.norm": ("normalized", "norm"),
    "attention.query": ("query", "× Wq"),
    "attention.key": ("key", "× Wk"),
    "attention.value": ("value", "× Wv"),
    "attention.query_rotated": ("query, turned", "RoPE"),
    "attention.key_rotated": ("key, turned", "RoPE"),
    "attention.scores": ("scores", "q · k ÷ √D"),
    "attention.weights": ("weights", "softmax"),
    "attention.mixed": ("mixed values", "weights × v"),
    "attention.output": ("attention says", "× Wo"),
    "middle": ("stream", "+"),
    "mlp.norm": ("normalized", "norm"),
    "mlp.up": ("up", "× Wup"),
    "mlp.gate": ("gate", "× Wgate"),
    "mlp.hidden": ("hidden units", "bend"),
    "mlp.output": ("MLP says", "× Wdown"),
    "residual": ("stream", "+"),
    "norm": ("normalized", "norm"),
    "logits": ("scores of all tokens", "× Eᵀ"),
    PROBABILITIES: ("chances", "softmax"),
}
COLOR = {
    "query": "query", "key": "key", "value": "value", "query_rotated": "query",
    "key_rotated": "key", "weights": "key", "scores": "key", "probabilities": "probability",
    "logits": "probability",
}  # fmt: skip


def part_of(name: str) -> str:
    return name.split(".", 2)[2] if name.startswith("blocks.") else name


def station_of(name: str) -> str:
    if name.startswith("blocks."):
        return name.split(".")[1]
    return IN if name in ("embedding", "positions") else OUT


def station_name(station: str) -> str:
    return {IN: "Embedding", OUT: "Head"}.get(station) or f"Layer {int(station) + 1}"


def group_of(config, part: str, tokens: int) -> int:
    """How many columns of a table stand together: those of one head; 0 where there are none."""
    if part in ("attention.scores", "attention.weights"):
        return tokens
    headed = ("query", "key", "value", "query_rotated", "key_rotated", "mixed")
    return config.head_size if part.startswith("attention") and part[10:] in headed else 0


def title(name: str) -> str:
    """What a tensor is called in a sentence: "layer 3: weights"."""
    label = LABELS[part_of(name)][0] if part_of(name) in LABELS else name
    if not name.startswith("blocks."):
        return {"embedding": "embedding", BEFORE: "the stream before"}.get(name, label)
    inside = {"attention.norm": "normalized for attention", "mlp.norm": "normalized for the MLP",
              "middle": "stream after attention", "residual": "stream after the layer",
              "attention.weights": "attention weights",
              "attention.scores": "attention scores"}.get(part_of(name), label)  # fmt: skip
    return f"layer {int(name.split('.')[1]) + 1}: {inside}"


def column_name(model, text, name: str, column: int) -> str:
    """What a column stands for, in words."""
    group = group_of(model.config, part_of(name), len(text.ids))
    if name in ("logits", PROBABILITIES):
        return f"“{token_name(model.tokenizer, column)}”"
    if name.endswith((".scores", ".weights")):
        head, token = divmod(column, group)
        return f"head {head + 1}, looking at “{text.names[token]}” (token {token + 1})"
    if group:
        return f"head {column // group + 1}, number {column % group + 1}"
    unit = part_of(name) in ("mlp.up", "mlp.gate", "mlp.hidden")
    return f"{'hidden unit' if unit else 'number'} {column + 1}"
