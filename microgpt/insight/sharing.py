"""The same model with fewer key and value heads, or a shorter look back.

Grouped-query attention (Ainslie et al. 2023) lets several query heads read one key and value head,
multi-query attention (Shazeer 2019) lets all of them read one. What is kept of every token then
shrinks in proportion. A trained model is converted by averaging the heads of each group; what the
conversion breaks, a little more training mends (they spend 5 % of the first).
"""

from dataclasses import replace

from microgpt.model.checkpoint import Model


def share_heads(model: Model, kv_heads: int) -> Model:
    """The model with `kv_heads` key and value heads, each the mean of those it stands for."""
    config = model.config
    if kv_heads < 1 or config.kv_heads % kv_heads:
        raise ValueError(
            f"{config.kv_heads} key and value heads can't be averaged into {kv_heads}; "
            "it must divide them evenly."
        )
    params = dict(model.params)
    for name in params:
        if name.split(".")[-2] in ("k_proj", "v_proj"):
            params[name] = _pooled(params[name], kv_heads, config.head_size)
    return replace(model, params=params, config=replace(config, kv_heads=kv_heads))


def _pooled(array, kv_heads, head_size):  # (G*D, ...) -> (kv_heads*D, ...)
    groups = array.reshape(kv_heads, -1, head_size, *array.shape[1:])
    return groups.mean(1, dtype=array.dtype).reshape(kv_heads * head_size, *array.shape[1:])


def look_back(model: Model, window: int | None) -> Model:
    """The model with a sliding window: each token sees only the last `window`, itself included."""
    return replace(model, config=replace(model.config, window=window))


def cached_tokens(config, tokens: int) -> int:
    """How many tokens' keys and values must be kept: a window lets the oldest ones go."""
    return tokens if config.window is None else min(tokens, config.window)
