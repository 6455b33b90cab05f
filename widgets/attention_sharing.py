"""Multi-head, grouped-query, multi-query, sliding window: one model, converted. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from microgpt.autograd import ops
from microgpt.insight import sharing, worth
from microgpt.insight.heads import attention_weights
from microgpt.model.costs import LLAMA_3_70B, cache_bytes
from microgpt.training.parallel import single_threaded_blas
from widgets.attention_view import percentages, triangles
from widgets.components import packed

WINDOW = 8  # tokens that the sliding window sees
NUMBER = 4  # bytes of a cached number in this engine: float32


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to keep keys and values: what the cache holds for this text, and what it costs."""

    name: str
    how: str
    kv_heads: int
    window: int | None
    kept: int  # tokens whose keys and values are kept
    numbers: int  # in the cache, all layers
    loss: float
    says: str
    chance: float
    shares: np.ndarray  # triangle of one head's whole percentages


def title(heads: int, kv_heads: int) -> str:
    if kv_heads == heads:
        return "Multi-head"
    return "Multi-query" if kv_heads == 1 else f"Grouped-query, {kv_heads} groups"


def compute(model, ids, layer: int, head: int) -> tuple[Variant, ...]:
    """The model as it is, with ever fewer key and value heads, and with a short look back."""
    config = model.config
    fewer = [g for g in range(config.kv_heads - 1, 0, -1) if config.kv_heads % g == 0]
    made = [(title(config.heads, config.kv_heads), f"{model.name} as it was trained", model)]
    for g in (fewer[0], fewer[-1]) if len(fewer) > 1 else fewer:
        averaged = config.kv_heads // g
        made.append((title(config.heads, g), f"each the average of {averaged} trained ones",
                     sharing.share_heads(model, g)))  # fmt: skip
    made.append(("Sliding window", f"every token sees the last {WINDOW} and no further",
                 sharing.look_back(model, WINDOW)))  # fmt: skip
    with single_threaded_blas():
        return tuple(_variant(name, how, one, ids, layer, head) for name, how, one in made)


def _variant(name, how, model, ids, layer, head) -> Variant:
    config = model.config
    weights, logits = attention_weights(model, np.array([ids]))
    chances = ops.softmax(logits[0, -1])
    best, kept = int(chances.argmax()), sharing.cached_tokens(config, len(ids))
    return Variant(
        name, how, config.kv_heads, config.window, kept, cache_bytes(config, kept, 1),
        worth.loss(model), model.tokenizer.name_of(best), float(chances[best]),
        triangles(percentages(weights[0, layer, head])[None])[0],
    )  # fmt: skip


def as_data(variants, names, heads: int, layer: int, head: int) -> dict:
    return {
        "names": names,
        "heads": heads,
        "place": [layer, head],
        "number": NUMBER,
        "variants": [
            {
                "name": v.name, "how": v.how, "kv": v.kv_heads, "kept": v.kept,
                "window": v.window, "numbers": v.numbers, "loss": v.loss, "says": v.says,
                "chance": v.chance, "shares": packed(v.shares),
            }
            for v in variants
        ],
    }  # fmt: skip


def in_words(variants, tokens: int) -> str:
    whole = variants[0].numbers
    return "\n\n".join(
        f"**{v.name}**: {v.how}. {v.kv_heads} key and value heads, {v.kept} of {tokens} tokens "
        f"kept: {v.numbers:,} numbers or {v.numbers * NUMBER:,} bytes, {v.numbers / whole:.0%} of "
        f"the first. Loss {v.loss:.2f} nats a token; after your sentence it says “{v.says}” with "
        f"{100 * v.chance:.0f} %."
        for v in variants
    )


def at_scale(tokens: int = 8_192) -> tuple[float, float]:
    """Gigabytes of cache of Llama 3 70B at 2 bytes a number: with its 8 heads, and with 64."""
    full = replace(LLAMA_3_70B, kv_heads=LLAMA_3_70B.heads)
    return tuple(cache_bytes(c, tokens, 2) / 1e9 for c in (LLAMA_3_70B, full))
