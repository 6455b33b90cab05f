"""The whole model: tokens in, a score for every possible next token out."""

import math

import numpy as np

from microgpt.autograd.tensor import add, array, embedding, layernorm, linear, rmsnorm
from microgpt.model.attention import attention
from microgpt.model.mlp import mlp
from microgpt.model.moe import moe, moe_shapes
from microgpt.model.positions import rope_table, sinusoidal_table
from microgpt.model.ssm import init_ssm, ssm, ssm_shapes


def normalize(x, params, name, config):  # (B, T, C) -> (B, T, C)
    weight = params[f"{name}.weight"]
    if config.norm == "rmsnorm":
        return rmsnorm(x, weight, eps=config.norm_eps)
    return layernorm(x, weight, params[f"{name}.bias"], eps=config.norm_eps)


def block(x, params, layer, config, rotation, record=None, cache=None, losses=None):
    """One layer, (B, T, C) -> (B, T, C).

    Each part reads a normalized copy and adds its answer to the residual stream.
    """
    name, kind = f"model.layers.{layer}", config.kinds[layer]
    if record:
        outer, prefix = record, f"blocks.{layer}."

        def record(part, value):
            return outer(prefix + part, value)

    normed = normalize(x, params, f"{name}.input_layernorm", config)
    if record:
        normed = record(f"{kind}.norm", normed)
    if kind == "ssm":
        mixed = ssm(normed, params, layer, config, record, cache)
    else:
        mixed = attention(normed, params, layer, config, rotation, record, cache)
    x = add(x, mixed)
    if record:
        x = record("middle", x)
    normed = normalize(x, params, f"{name}.post_attention_layernorm", config)
    if record:
        normed = record("mlp.norm", normed)
    if config.mlp == "moe":
        answer = moe(normed, params, layer, config, record, losses)
    else:
        answer = mlp(normed, params, layer, config, record)
    x = add(x, answer)
    if record:
        x = record("residual", x)
    return x


def embed(params, tokens, config, start, record=None):  # (B, T) -> (B, T, C)
    """Each token's row of the table, plus its position's row where positions are added."""
    stop = start + tokens.shape[1]
    x = embedding(params["model.embed_tokens.weight"], tokens)
    if record:
        x = record("embedding", x)
    if config.positions == "learned":
        rows = np.arange(start, stop)
        where = embedding(params["model.embed_positions.weight"], rows)
    elif config.positions == "sinusoidal":
        where = sinusoidal_table(start, stop, config)
    else:
        return x
    if record:
        where = record("positions", add(where, np.zeros_like(array(x))))
    return add(x, where)


def watched(record, edit):
    """One function for the parts of the model: it changes a value, then records it.

    None where nobody watches, so that nothing is spent on it.
    """
    if record is None and edit is None:
        return None

    def watch(name, value):
        if edit is not None:
            value = edit(name, value)
        if record is not None:
            record(name, array(value))
        return value

    return watch


def gpt(
    params, tokens, config, record=None, cache=None, edit=None, head=True, losses=None, last=None
):  # fmt: skip
    """Scores (logits) for the token after each position, (B, T) -> (B, T, V).

    `params` maps names to arrays or Tensors. `record(name, array)` is called with every value on
    the way (`trace.TRACE` lists them). `edit(name, value)` is called just before with the same
    names, and what it returns is what the model goes on with (`insight.ablation` has some): an
    array, or a Tensor where the params are. With a cache the tokens stand after those it holds,
    and join them. Without `head` the last stream (B, T, C) is returned, normalized, for other
    heads; with `last`, only that many tokens at the end get scores, (B, last, V), for arrays only.
    `losses(name, value)` is called with what a layer wants added to the training loss.

    Raises ValueError where the tokens don't fit the context or the vocabulary.
    """
    tokens = np.asarray(tokens)
    record = watched(record, edit)
    start = 0 if cache is None else cache.length
    stop = start + check_tokens(tokens, start, config)
    rotation = rope_table(start, stop, config) if config.positions == "rope" else None
    x = embed(params, tokens, config, start, record)
    for layer in range(config.layers):
        x = block(x, params, layer, config, rotation, record, cache, losses)
    if cache is not None:
        cache.length = stop
    x = normalize(x, params, "model.norm", config)
    if record:
        x = record("norm", x)
    if not head:
        return x
    if last is not None:
        x = x[:, -last:]
    logits = linear(x, params[head_name(config)])
    if record:
        logits = record("logits", logits)
    return logits


def head_name(config) -> str:
    """The weight that turns the last stream into scores: the embedding table, or one of its own."""
    return "model.embed_tokens.weight" if config.tied else "lm_head.weight"


def check_tokens(tokens, start, config) -> int:
    """Refuse tokens that the model can't read; return how many there are in a row."""
    if tokens.ndim != 2 or tokens.shape[1] == 0 or tokens.dtype.kind not in "iu":
        raise ValueError(
            f"gpt takes whole-number tokens of shape (batch, time) with at least one token each, "
            f"but got shape {tokens.shape} of {tokens.dtype}."
        )
    if start + tokens.shape[1] > config.context:
        raise ValueError(
            f"{start + tokens.shape[1]} tokens don't fit the context of {config.context}; "
            "drop the oldest ones first."
        )
    if tokens.min() < 0 or tokens.max() >= config.vocab_size:
        raise ValueError(
            f"Tokens go from 0 to {config.vocab_size - 1}, "
            f"but these go from {tokens.min()} to {tokens.max()}."
        )
    return tokens.shape[1]


def parameter_shapes(config) -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight, in reading order (names of Hugging Face's Llama)."""
    C, F, D = config.width, config.hidden, config.head_size
    shapes = {"model.embed_tokens.weight": (config.vocab_size, C)}
    if config.positions == "learned":
        shapes["model.embed_positions.weight"] = (config.context, C)

    def linear_layer(name, outputs, inputs):
        shapes[f"{name}.weight"] = (outputs, inputs)
        if config.bias:
            shapes[f"{name}.bias"] = (outputs,)

    def norm(name):
        shapes[f"{name}.weight"] = (C,)
        if config.norm == "layernorm":
            shapes[f"{name}.bias"] = (C,)

    for layer in range(config.layers):
        name = f"model.layers.{layer}"
        norm(f"{name}.input_layernorm")
        if config.kinds[layer] == "ssm":
            shapes |= {f"{name}.ssm.{part}": shape for part, shape in ssm_shapes(config).items()}
        else:
            linear_layer(f"{name}.self_attn.q_proj", config.heads * D, C)
            linear_layer(f"{name}.self_attn.k_proj", config.kv_heads * D, C)
            linear_layer(f"{name}.self_attn.v_proj", config.kv_heads * D, C)
            linear_layer(f"{name}.self_attn.o_proj", C, config.heads * D)
        norm(f"{name}.post_attention_layernorm")
        if config.mlp == "moe":
            shapes |= {f"{name}.mlp.{part}": shape for part, shape in moe_shapes(config).items()}
            continue
        if config.mlp == "swiglu":
            linear_layer(f"{name}.mlp.gate_proj", F, C)
        linear_layer(f"{name}.mlp.up_proj", F, C)
        linear_layer(f"{name}.mlp.down_proj", C, F)
    norm("model.norm")
    if not config.tied:
        shapes["lm_head.weight"] = (config.vocab_size, C)
    return shapes


def init_params(config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Fresh weights: normal with deviation 0.02, norms at 1, biases at 0 (`init_ssm` has its own).

    The two projections that write into the residual stream are scaled by 1/sqrt(2 L), so that
    the stream's size doesn't grow with depth (GPT-2, Radford et al. 2019, section 2.3).
    """
    params = {}
    for name, shape in parameter_shapes(config).items():
        if ".ssm." in name:
            params[name] = init_ssm(name.split(".ssm.")[1], shape, config, rng)
        elif name.endswith(".bias"):
            params[name] = np.zeros(shape, np.float32)
        elif "norm" in name:
            params[name] = np.ones(shape, np.float32)
        else:
            deviation = 0.02
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                deviation /= math.sqrt(2 * config.layers)
            params[name] = rng.standard_normal(shape, np.float32) * np.float32(deviation)
    return params


def count_parameters(config) -> int:
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())
