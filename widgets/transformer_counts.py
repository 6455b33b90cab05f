"""What a model weighs and what a pass costs, with the formulas; and the parts it is made of. Pure,
but for the drawing at the end."""

from dataclasses import dataclass

import streamlit as st

from microgpt.model.config import GPTConfig
from microgpt.model.costs import LLAMA_3_70B, StageCost, cache_bytes, pass_costs, total
from microgpt.model.gpt import count_parameters
from widgets import chapter
from widgets.components import component

KEY = "transformer_counts"
_mount = component(KEY)
NAMES = {"embedding": "Embedding", "positions": "Positions", "attention": "Attention",
         "mlp": "MLP", "norm": "Last norm", "logits": "Head"}  # fmt: skip
BYTES = {"float32": 4.0, "float16": 2.0, "8 bits": 1.0, "4 bits": 0.5}


@dataclass(frozen=True)
class Row:
    """One kind of stage, all layers of it together."""

    kind: str
    times: int
    weights: str  # formula, in letters
    parameters: int
    flops_formula: str
    flops: int
    bytes: int


def weight_formula(config: GPTConfig, kind: str) -> str:
    """How many weights one such stage has, in letters; `weight_count` fills them in."""
    norm = "C" if config.norm == "rmsnorm" else "2 C"
    matrices = 3 if config.mlp == "swiglu" else 2
    bias = config.bias
    return {
        "embedding": "V C",
        "positions": "N C" if config.positions == "learned" else "0",
        "attention": f"2 C (H + G) D + {norm}" + (" + H D + 2 G D + C" if bias else ""),
        "mlp": f"{matrices} C F + {norm}" + (f" + {matrices - 1} F + C" if bias else ""),
        "norm": norm,
        "logits": "0 (the embedding table again)" if config.tied else "V C",
    }[kind]


def weight_count(config: GPTConfig, kind: str) -> int:
    """The same formula with this model's numbers."""
    C, H, G, D = config.width, config.heads, config.kv_heads, config.head_size
    F, V = config.hidden, config.vocab_size
    norm = C if config.norm == "rmsnorm" else 2 * C
    matrices = 3 if config.mlp == "swiglu" else 2
    return {
        "embedding": V * C,
        "positions": config.context * C if config.positions == "learned" else 0,
        "attention": 2 * C * (H + G) * D + norm + config.bias * (H * D + 2 * G * D + C),
        "mlp": matrices * C * F + norm + config.bias * ((matrices - 1) * F + C),
        "norm": norm,
        "logits": 0 if config.tied else V * C,
    }[kind]


def rows(config: GPTConfig, tokens: int, weight_bytes: float) -> list[Row]:
    """The stages of one pass over so many tokens, by kind, in order."""
    found: dict[str, list[StageCost]] = {}
    for cost in pass_costs(config, tokens):
        found.setdefault(cost.kind, []).append(cost)
    return [
        Row(kind, len(costs), weight_formula(config, kind), total(costs, "parameters"),
            costs[0].formula, total(costs), sum(c.bytes(weight_bytes) for c in costs))
        for kind, costs in found.items()
    ]  # fmt: skip


def short(n: float) -> str:
    """A large number as people say it: "1.12 M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.3g} {letter}"
    return f"{n:.3g}"


def in_bytes(n: float) -> str:
    return f"{short(n)}B" if n >= 1e3 else f"{n:.0f} B"


def letters(config: GPTConfig) -> list[list]:
    """What the letters stand for, in this model."""
    sizes = [("L", config.layers, "layers"), ("C", config.width, "width of the stream"),
             ("H", config.heads, "query heads"), ("G", config.kv_heads, "key and value heads"),
             ("D", config.head_size, "numbers a head"), ("F", config.hidden, "hidden units"),
             ("V", config.vocab_size, "tokens it knows"),
             ("N", config.context, "longest text")]  # fmt: skip
    return [list(size) for size in sizes]


def parts(config: GPTConfig) -> list[list[str]]:
    """The component table: part, what it does, its weights in this model."""
    count = {kind: config.layers * weight_count(config, kind) for kind in ("attention", "mlp")}
    whole = count_parameters(config)
    norm = config.width * (2 if config.norm == "layernorm" else 1)
    norms = (2 * config.layers + 1) * norm
    count = {kind: n - config.layers * norm for kind, n in count.items()}

    def share(n: int) -> str:
        return f"{n:,} ({n / whole:.1%})" if n else "none"

    return [
        ["Tokenizer", "cuts the text into tokens it knows; trained before, never with it",
         f"none; {config.vocab_size:,} tokens"],
        ["Embedding", "a row of numbers for each token"
         + (", and again the head that scores them" if config.tied else ""),
         share(weight_count(config, "embedding"))],
        ["Attention", "each token takes in what it needs from those before it",
         share(count["attention"])],
        ["Feed-forward (MLP)", "each token works on what it has taken in, alone",
         share(count["mlp"])],
        ["Norm", "gives every part a copy of even size", share(norms)],
        ["Residual", "adds what a part says to the stream, and so keeps all that was said before",
         "none: it is a sum"],
        ["Softmax", "turns scores into shares of 1: in attention, and at the very end",
         "none: it is a formula"],
    ]  # fmt: skip


def as_data(config: GPTConfig, tokens: int, form: str) -> dict:
    table = rows(config, tokens, BYTES[form])
    whole = max(1, sum(r.flops for r in table))
    return {
        "letters": letters(config),
        "rows": [
            [NAMES[r.kind] + (f" × {r.times}" if r.kind in ("attention", "mlp") else ""),
             r.weights, f"{r.parameters:,}", r.flops_formula, short(r.flops), r.flops / whole,
             in_bytes(r.bytes)]
            for r in table
        ],
        "total": [f"{sum(r.parameters for r in table):,}", short(sum(r.flops for r in table)),
                  in_bytes(sum(r.bytes for r in table))],
        "parts": parts(config),
        "tokens": tokens,
        "form": form,
    }  # fmt: skip


def in_words(config: GPTConfig, tokens: int, form: str) -> str:
    """The text twin: every stage with its weights and its work."""
    table = rows(config, tokens, BYTES[form])
    said = "; ".join(f"{NAMES[r.kind]} {r.parameters:,} weights, {short(r.flops)} FLOPs"
                     for r in table)  # fmt: skip
    most = max(table, key=lambda r: r.flops)
    return (
        f"A pass over {tokens} {'token' if tokens == 1 else 'tokens'}: {said}. Most of the work, "
        f"{most.flops / sum(r.flops for r in table):.0%}, is that of {NAMES[most.kind]}."
    )


def at_scale(config: GPTConfig, tokens: int) -> str:
    """The same formulas for a model that people use."""
    big = LLAMA_3_70B
    costs = pass_costs(big, 1, 8_191)
    whole, own = count_parameters(big), total(pass_costs(config, 1, tokens - 1))
    here = count_parameters(config)
    return (
        f"The same formulas with the sizes of Llama 3 70B give **{whole:,}** weights: "
        f"{2 * whole / 1e9:.0f} GB in float16. One more token after 8,191 others takes "
        f"**{short(total(costs))}** FLOPs there, {total(costs) / whole:.1f} for each weight; one "
        f"more after {tokens - 1} takes {short(own)} here, {own / here:.1f} for each. The cache of "
        f"8,192 tokens has {cache_bytes(big, 8_192, 2) / 1e9:.1f} GB there."
    )


@st.fragment
def counts(model) -> None:
    """Draw the widget."""
    config = model.config
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        tokens = st.slider("Tokens in one pass", 1, min(config.context, 2_048), min(
            15, config.context), key=f"{KEY}_tokens", persist_state="session", width=320)
        form = st.segmented_control(
            "Each weight in", list(BYTES), default="float32", required=True, key=f"{KEY}_form",
            persist_state="session",
        )  # fmt: skip
    _mount(as_data(config, tokens, form), key=KEY)
    chapter.mark("computed", by="microgpt.model.costs", where=f"{model.name}, {tokens} tokens")
    chapter.text_twin(in_words(config, tokens, form))
    chapter.explain(at_scale(config, tokens))
