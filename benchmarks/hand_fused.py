"""A training step without a tape: the engine's kernels called forward and backward by hand.

This is what someone would write who knows the model beforehand and wants no bookkeeping: every
value is a local variable, every gradient is added in place. `training.py` measures what the
tape's freedom costs against it. Llama style only: RoPE, RMSNorm, SwiGLU, tied head, no bias.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from microgpt.autograd import kernels, ops
from microgpt.model.positions import rope_table


def block(x, p, heads, rotation):  # (B, T, C) -> (B, T, C), and what backward needs
    """One layer forward; `p` maps short names of the layer's weights to arrays."""
    B, T = x.shape[:2]
    h1 = kernels.rmsnorm(x, p["input_layernorm"], p["eps"])
    q, k, v = (ops.linear(h1, p[part]).reshape(B, T, heads, -1) for part in ("q", "k", "v"))
    qr, kr = kernels.rotate(q, *rotation), kernels.rotate(k, *rotation)
    scores = kernels.attention_scores(qr, kr)
    weights = kernels.causal_softmax(scores)
    mixed = kernels.attention_mix(weights, v)
    middle = ops.linear(mixed, p["o"])
    middle += x
    h2 = kernels.rmsnorm(middle, p["post_attention_layernorm"], p["eps"])
    up, gate = ops.linear(h2, p["up"]), ops.linear(h2, p["gate"])
    hidden = kernels.swiglu(gate, up)
    out = ops.linear(hidden, p["down"])
    out += middle
    return out, (x, h1, qr, kr, v, scores, weights, mixed, middle, h2, gate, up, hidden)


def product_backward(grad, x, weight, total):  # (..., O), (..., I), (O, I) -> (..., I)
    """The gradient of x in x @ weight.T; the weight's is added to `total`."""
    grads, rows = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    total += grads.T @ rows
    return (grads @ weight).reshape(x.shape)


def norm_backward(grad, x, weight, eps, total):
    dx, d_weight = kernels.rmsnorm_backward(grad, None, x, weight, eps)
    total += d_weight
    return dx


def block_backward(grad, saved, p, g, rotation):  # (B, T, C) -> (B, T, C)
    """One layer backward; the weights' gradients are added to the arrays of `g`."""
    x, h1, qr, kr, v, scores, weights, mixed, middle, h2, gate, up, hidden = saved
    d_hidden = product_backward(grad, hidden, p["down"], g["down"])
    d_gate, d_up = kernels.swiglu_backward(d_hidden, None, gate, up)
    d_h2 = product_backward(d_gate, h2, p["gate"], g["gate"])
    d_h2 += product_backward(d_up, h2, p["up"], g["up"])
    name = "post_attention_layernorm"
    d_middle = norm_backward(d_h2, middle, p[name], p["eps"], g[name])
    d_middle += grad
    d_mixed = product_backward(d_middle, mixed, p["o"], g["o"])
    d_weights, dv = kernels.attention_mix_backward(d_mixed, None, weights, v)
    (d_scores,) = kernels.causal_softmax_backward(d_weights, weights, scores)
    dq, dk = kernels.attention_scores_backward(d_scores, None, qr, kr)
    dq = kernels.rotate_backward(dq, None, qr, *rotation)[0]
    dk = kernels.rotate_backward(dk, None, kr, *rotation)[0]
    B, T = x.shape[:2]
    d_h1 = product_backward(dq.reshape(B, T, -1), h1, p["q"], g["q"])
    d_h1 += product_backward(dk.reshape(B, T, -1), h1, p["k"], g["k"])
    d_h1 += product_backward(dv.reshape(B, T, -1), h1, p["v"], g["v"])
    dx = norm_backward(d_h1, x, p["input_layernorm"], p["eps"], g["input_layernorm"])
    dx += d_middle
    return dx


def by_layer(arrays, config):
    """The arrays of each layer by short name: "q" for model.layers.0.self_attn.q_proj.weight."""
    layers = []
    for i in range(config.layers):
        prefix = f"model.layers.{i}."
        own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        short = {n.split(".")[-2].removesuffix("_proj"): a for n, a in own.items()}
        layers.append(short | {"eps": config.norm_eps})
    return layers


def work_through(params, shards, config):
    """Loss and gradients of some shards (tokens, targets, weights), summed."""
    grads = {name: np.zeros_like(p) for name, p in params.items()}
    layers, layer_grads = by_layer(params, config), by_layer(grads, config)
    table, d_table = (a["model.embed_tokens.weight"] for a in (params, grads))
    final, d_final = (a["model.norm.weight"] for a in (params, grads))
    loss = 0.0
    for tokens, targets, weights in shards:
        rotation = rope_table(0, tokens.shape[1], config)
        x, saved = ops.embedding(table, tokens), []
        for p in layers:
            x, kept = block(x, p, config.heads, rotation)
            saved.append(kept)
        normed = kernels.rmsnorm(x, final, config.norm_eps)
        logits = ops.linear(normed, table)
        loss += float(kernels.cross_entropy(logits, targets, weights))
        one = np.float32(1)
        d_logits = kernels.cross_entropy_backward(one, None, logits, targets, weights)[0]
        d_normed = product_backward(d_logits, normed, table, d_table)
        dx = norm_backward(d_normed, x, final, config.norm_eps, d_final)
        for p, g in zip(reversed(layers), reversed(layer_grads), strict=True):
            dx = block_backward(dx, saved.pop(), p, g, rotation)
        kernels._scatter_add(d_table, tokens.ravel(), dx.reshape(-1, config.width))
    return loss, grads


def gradients(params, shards, config, threads=2):
    """Loss and gradients over all shards, split over threads as the engine's trainer does."""
    with ThreadPoolExecutor(threads) as pool:
        parts = [
            pool.submit(work_through, params, shards[i::threads], config) for i in range(threads)
        ]
        (loss, grads), *others = [part.result() for part in parts]
    for other_loss, other in others:
        loss += other_loss
        for name, grad in other.items():
            grads[name] += grad
    return loss, grads
