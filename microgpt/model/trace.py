"""The recorder's table: every value of a forward pass by name, shape, meaning and origin."""

from dataclasses import dataclass

from microgpt.autograd import ops, scan
from microgpt.model import attention, gpt, mlp, moe, ssm
from microgpt.model.config import BLOCKS


@dataclass(frozen=True)
class Entry:
    """What one recorded name holds; `focus` is the variable in `function` that holds it.

    `only` names the kinds of positions or MLP that have it (all, if it is empty).
    """

    shape: str
    meaning: str
    function: object
    focus: str
    only: str = ""


# In the order in which a pass writes them; "blocks.{i}." stands for every layer.
TRACE = {
    "embedding": Entry("B T C", "each token's row of the embedding table", gpt.embed, "x"),
    "positions": Entry(
        "B T C", "the row added for each position", gpt.embed, "where", "learned sinusoidal"
    ),
    "blocks.{i}.attention.norm": Entry(
        "B T C", "the residual stream, normalized, as attention reads it", gpt.block, "normed"
    ),
    "blocks.{i}.attention.query": Entry(
        "B T H D", "what each token asks for", attention.attention, "q"
    ),
    "blocks.{i}.attention.key": Entry(
        "B T G D", "what each token offers to be found by", attention.attention, "k"
    ),
    "blocks.{i}.attention.value": Entry(
        "B T G D", "what each token hands over when found", attention.attention, "v"
    ),
    "blocks.{i}.attention.query_rotated": Entry(
        "B T H D", "the query turned by its position", attention.attention, "q", "rope"
    ),
    "blocks.{i}.attention.key_rotated": Entry(
        "B T G D", "the key turned by its position", attention.attention, "k", "rope"
    ),
    "blocks.{i}.attention.scores": Entry(
        "B H T S", "query . key / sqrt(D), -inf for the future", ops.masked_scores, "scores"
    ),
    "blocks.{i}.attention.weights": Entry(
        "B H T S", "how much each token takes from each earlier one", attention.attend, "weights"
    ),
    "blocks.{i}.attention.mixed": Entry(
        "B T H*D", "the weighted mix of values, heads side by side", attention.attend, "mixed"
    ),
    "blocks.{i}.attention.output": Entry(
        "B T C", "what attention adds to the stream", attention.attention, "output"
    ),
    "blocks.{i}.ssm.norm": Entry(
        "B T C", "the residual stream, normalized, as the state space reads it", gpt.block, "normed"
    ),
    "blocks.{i}.ssm.inner": Entry("B T I", "the widened copy", ssm.ssm, "inner"),
    "blocks.{i}.ssm.gate": Entry("B T I", "how far each channel opens", ssm.ssm, "gate"),
    "blocks.{i}.ssm.mixed": Entry(
        "B T I", "each channel's last few tokens, blended", ssm.ssm, "mixed"
    ),
    "blocks.{i}.ssm.delta": Entry(
        "B T I", "the step: how much each channel forgets and takes in", ssm.ssm, "delta"
    ),
    "blocks.{i}.ssm.write": Entry(
        "B T N", "B: where in the state each token writes", ssm.ssm, "B"
    ),
    "blocks.{i}.ssm.look": Entry(
        "B T N", "C: where in the state each token looks", ssm.ssm, "C"
    ),
    "blocks.{i}.ssm.state": Entry(
        "B T I N", "the memory after each token", scan.scan_states, "h"
    ),
    "blocks.{i}.ssm.read": Entry("B T I", "what each token reads from it", ssm.ssm, "y"),
    "blocks.{i}.ssm.output": Entry(
        "B T C", "what the state space adds to the stream", ssm.ssm, "output"
    ),
    "blocks.{i}.middle": Entry(
        "B T C", "the residual stream after the tokens were mixed", gpt.block, "x"
    ),
    "blocks.{i}.mlp.norm": Entry(
        "B T C", "the residual stream, normalized, as the MLP reads it", gpt.block, "normed"
    ),
    "blocks.{i}.mlp.up": Entry("B T F", "the widened copy", mlp.mlp, "up", "swiglu gelu"),
    "blocks.{i}.mlp.gate": Entry(
        "B T F", "how far each hidden unit opens", mlp.mlp, "gate", "swiglu"
    ),
    "blocks.{i}.mlp.router": Entry(
        "B T E", "each expert's share before any is left out", moe.moe, "probabilities", "moe"
    ),
    "blocks.{i}.mlp.chosen": Entry(
        "B T K", "the experts a token goes to, the likeliest first", moe.moe, "chosen", "moe"
    ),
    "blocks.{i}.mlp.shares": Entry(
        "B T K", "how much of the answer each of them gives", moe.moe, "shares", "moe"
    ),
    "blocks.{i}.mlp.hidden": Entry(
        "B T F", "what each hidden unit says", mlp.mlp, "hidden", "swiglu gelu"
    ),
    "blocks.{i}.mlp.expert_hidden": Entry(
        "B T K F", "what each chosen expert's hidden units say", moe.moe, "each", "moe"
    ),
    "blocks.{i}.mlp.output": Entry("B T C", "what the MLP adds to the stream", mlp.mlp, "output"),
    "blocks.{i}.residual": Entry("B T C", "the residual stream after the layer", gpt.block, "x"),
    "norm": Entry("B T C", "the last stream, normalized", gpt.gpt, "x"),
    "logits": Entry("B T V", "a score for every possible next token", gpt.gpt, "logits"),
}


def names(config) -> list[str]:
    """Every name that one pass of such a model records, each exactly once."""
    kinds = {config.positions, config.mlp}
    used = [n for n, e in TRACE.items() if not e.only or kinds & set(e.only.split())]
    first = [n for n in used if n in ("embedding", "positions")]
    each = [n for n in used if n.startswith("blocks")]
    last = [n for n in used if n in ("norm", "logits")]
    blocks = [
        n.replace("{i}", str(i))
        for i, kind in enumerate(config.kinds)
        for n in each
        if n.split(".")[2] not in BLOCKS or n.split(".")[2] == kind
    ]
    return first + blocks + last


def entry(name: str) -> Entry:
    """The table's line for a recorded name such as "blocks.2.attention.weights"."""
    parts = name.split(".")
    if parts[0] == "blocks":
        parts[1] = "{i}"
    return TRACE[".".join(parts)]


def trace(params, tokens, config, cache=None) -> dict:
    """Run the model once and return every value it computed, by name."""
    values = {}

    def record(name, value):
        if name in values:
            raise ValueError(f"{name} was recorded twice in one pass.")
        values[name] = value

    gpt.gpt(params, tokens, config, record, cache)
    return values
