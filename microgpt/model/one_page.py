"""A whole GPT on one page: plain NumPy, one text, no batches, nothing but what it takes.

`gpt` does the same for many texts at once, for every architecture here, and for training;
a test holds the two together.
"""

import numpy as np


def normalize(x, weight, eps):  # (T, C), (C,) -> (T, C)
    size = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return x / size * weight


def softmax(x):  # (..., N) -> (..., N)
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def turn(x, base):  # (T, D) -> (T, D): RoPE, each pair by the angle of its position
    half = x.shape[1] // 2
    angles = np.outer(np.arange(len(x)), base ** (-np.arange(half) / half))
    first, second = x[:, :half], x[:, half:]
    sin, cos = np.sin(angles), np.cos(angles)
    return np.hstack([first * cos - second * sin, first * sin + second * cos])


def next_token(weights, tokens, config):  # weights by name, (T,) -> (V,) probabilities
    """How likely each token is to come next. For models in Llama's style."""
    T, D = len(tokens), config.head_size
    table = weights["model.embed_tokens.weight"]
    future = np.triu(np.full((T, T), -np.inf), 1)
    x = table[tokens]
    for layer in range(config.layers):
        name = f"model.layers.{layer}"
        normed = normalize(x, weights[f"{name}.input_layernorm.weight"], config.norm_eps)
        queries = normed @ weights[f"{name}.self_attn.q_proj.weight"].T
        keys = normed @ weights[f"{name}.self_attn.k_proj.weight"].T
        values = normed @ weights[f"{name}.self_attn.v_proj.weight"].T
        mixed = np.zeros((T, config.heads * D))
        for head in range(config.heads):
            own = slice(head * D, head * D + D)
            group = head * config.kv_heads // config.heads
            shared = slice(group * D, group * D + D)
            q = turn(queries[:, own], config.rope_base)
            k = turn(keys[:, shared], config.rope_base)
            scores = q @ k.T / np.sqrt(D)
            attention = softmax(scores + future)
            mixed[:, own] = attention @ values[:, shared]
        x = x + mixed @ weights[f"{name}.self_attn.o_proj.weight"].T
        normed = normalize(x, weights[f"{name}.post_attention_layernorm.weight"], config.norm_eps)
        gate = normed @ weights[f"{name}.mlp.gate_proj.weight"].T
        up = normed @ weights[f"{name}.mlp.up_proj.weight"].T
        hidden = gate / (1 + np.exp(-gate)) * up
        x = x + hidden @ weights[f"{name}.mlp.down_proj.weight"].T
    x = normalize(x, weights["model.norm.weight"], config.norm_eps)
    head_table = table if config.tied else weights["lm_head.weight"]
    logits = x[-1] @ head_table.T
    probabilities = softmax(logits)
    return probabilities
