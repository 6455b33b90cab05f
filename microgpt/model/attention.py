"""Attention: each token asks a question of those before it and takes in what they answer."""

from microgpt.autograd import ops
from microgpt.autograd.tensor import (
    array,
    attention_mix,
    attention_scores,
    causal_softmax,
    linear,
    reshape,
    rotate,
)
from microgpt.model.positions import alibi_slopes


def project(x, params, name, heads):  # (B, T, C) -> (B, T, heads, D)
    """One linear layer, its output cut into heads."""
    B, T, _ = x.shape
    out = linear(x, params[f"{name}.weight"], params.get(f"{name}.bias"))
    return reshape(out, (B, T, heads, out.shape[-1] // heads))


def attend(q, k, v, config, record):  # (B, T, H, D), (B, S, G, D) twice -> (B, T, H*D)
    """Compare every query with every key before it, and mix the values by how well they match."""
    slopes = alibi_slopes(config.heads) if config.positions == "alibi" else None
    scores = attention_scores(q, k, scale=config.scale)
    hidden = {"window": config.window, "slopes": slopes, "causal": config.causal}
    if record:
        visible = ops.masked_scores(array(scores), **hidden)
        record("attention.scores", visible)  # to look at: the softmax masks its own
    weights = causal_softmax(scores, **hidden)
    if record:
        weights = record("attention.weights", weights)
    mixed = attention_mix(weights, v)
    if record:
        mixed = record("attention.mixed", mixed)
    return mixed


def attention(x, params, layer, config, rotation, record=None, cache=None):
    """One layer's attention, (B, T, C) -> (B, T, C).

    `rotation` holds RoPE's cosines and sines for these positions, or None. With a cache, keys and
    values of earlier tokens are read from it and those of the new ones added.
    """
    name = f"model.layers.{layer}.self_attn"
    q = project(x, params, f"{name}.q_proj", config.heads)
    k = project(x, params, f"{name}.k_proj", config.kv_heads)
    v = project(x, params, f"{name}.v_proj", config.kv_heads)
    if record:
        q = record("attention.query", q)
        k = record("attention.key", k)
        v = record("attention.value", v)
    if rotation is not None:
        q, k = rotate(q, *rotation), rotate(k, *rotation)
        if record:
            q = record("attention.query_rotated", q)
            k = record("attention.key_rotated", k)
    if cache is not None:
        k, v = cache.extend(layer, k, v)
    mixed = attend(q, k, v, config, record)
    output = linear(mixed, params[f"{name}.o_proj.weight"], params.get(f"{name}.o_proj.bias"))
    if record:
        output = record("attention.output", output)
    return output
