"""Freeze PyTorch's answers into the .npz files of this folder; the tests then need no PyTorch.

    python tests/golden/make_golden.py [NAME ...]      (needs torch; the others need only NumPy)

Each case is a tiny GPT with random parameters, written here a second time in plain torch functions
and differentiated by torch. `llama` and `gpt2` hold everything (logits, loss, every gradient, ten
steps of clipped AdamW, the parameters after them); the other cases hold logits, loss and gradients.
All numbers are float32 from one thread; float64 twins of the losses are stored beside them, and the
distance between the two runs is printed: what is left of the tolerance belongs to the engine.
Seeds were chosen to make that distance small, because Adam divides by the size of a gradient: where
one is nearly zero, rounding alone decides its sign.

Choices that an implementation could make otherwise: RoPE pairs x[j] with x[j + D/2]; GELU is the
tanh approximation, as in GPT-2; sinusoidal positions interleave sine and cosine and are added
without scaling; a window of W lets token t see t-W+1 ... t; ALiBi slopes are 2**(-8 h / H) for
h = 1 ... H; weight decay acts on matrices (embeddings included), never on norms and biases.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = Path(__file__).parent
BATCH, TIME, STEPS = 3, 16, 10
OPTIMIZER = {
    "learning_rate": 1e-2,
    "beta1": 0.9,
    "beta2": 0.95,
    "eps": 1e-8,
    "weight_decay": 0.1,
    "clip_norm": 1.0,
}

LLAMA = {
    "vocab_size": 64, "context": 16, "layers": 2, "width": 32, "heads": 4, "kv_heads": 2,
    "hidden": 40, "positions": "rope", "rope_base": 10000.0, "norm": "rmsnorm", "norm_eps": 1e-5,
    "mlp": "swiglu", "tied": True, "bias": False, "window": None,
}  # fmt: skip
GPT2 = LLAMA | {
    "kv_heads": 4, "hidden": 64, "positions": "learned", "norm": "layernorm", "mlp": "gelu",
    "tied": False, "bias": True,
}  # fmt: skip
SMALL = LLAMA | {"width": 16, "hidden": 24, "vocab_size": 32}
CASES = {  # name: (config, seed, with ten steps of AdamW)
    "llama": (LLAMA, 73, True),
    "gpt2": (GPT2, 124, True),
    "window": (SMALL | {"window": 5}, 7, False),
    "multi_query": (SMALL | {"kv_heads": 1}, 29, False),
    "alibi": (SMALL | {"positions": "alibi", "kv_heads": 4}, 23, False),
    "sinusoidal": (SMALL | {"positions": "sinusoidal"}, 18, False),
    "no_positions": (SMALL | {"positions": "none", "tied": False}, 4, False),
}


def shapes(c: dict) -> dict[str, tuple[int, ...]]:
    """Every parameter's name and shape, in the order of the forward pass."""
    width, hidden, size = c["width"], c["hidden"], c["width"] // c["heads"]
    linear = {
        "self_attn.q_proj": (c["heads"] * size, width),
        "self_attn.k_proj": (c["kv_heads"] * size, width),
        "self_attn.v_proj": (c["kv_heads"] * size, width),
        "self_attn.o_proj": (width, c["heads"] * size),
        "mlp.gate_proj": (hidden, width),
        "mlp.up_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
    }
    if c["mlp"] == "gelu":
        del linear["mlp.gate_proj"]
    out = {"model.embed_tokens.weight": (c["vocab_size"], width)}
    if c["positions"] == "learned":
        out["model.embed_positions.weight"] = (c["context"], width)
    modules = {}
    for i in range(c["layers"]):
        layer = f"model.layers.{i}."
        modules |= {
            f"{layer}{n}": (width,) for n in ("input_layernorm", "post_attention_layernorm")
        }
        modules |= {layer + name: shape for name, shape in linear.items()}
    modules["model.norm"] = (width,)
    if not c["tied"]:
        modules["lm_head"] = (c["vocab_size"], width)
    for name, shape in modules.items():
        out[f"{name}.weight"] = shape
        if c["bias"] and name != "lm_head":
            out[f"{name}.bias"] = shape[:1]
    return out


def initial_parameters(c: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random parameters, lively enough that attention is far from uniform and no gain is 1."""
    params = {}
    for name, shape in shapes(c).items():
        draw = rng.standard_normal(shape)
        if "norm" in name and name.endswith("weight"):
            draw = 1 + 0.2 * draw
        elif len(shape) == 1:
            draw = 0.2 * draw
        elif "embed" in name:
            draw = 0.3 * draw
        else:
            draw = draw * (1.5 / math.sqrt(shape[1]))
        params[name] = draw.astype(np.float32)
    return params


def linear(p, name, x):  # (..., in) -> (..., out)
    return F.linear(x, p[f"{name}.weight"], p.get(f"{name}.bias"))


def norm(p, name, x, c):  # (..., C) -> (..., C)
    weight = p[f"{name}.weight"]
    if c["norm"] == "layernorm":
        return F.layer_norm(x, weight.shape, weight, p.get(f"{name}.bias"), c["norm_eps"])
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + c["norm_eps"]) * weight


def rotate(x, base):  # (B, heads, T, D) -> (B, heads, T, D)
    time, half = x.shape[-2], x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.outer(torch.arange(time, dtype=torch.float64), frequency)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def attention_bias(c, time, dtype):  # -> (H or 1, T, T)
    distance = torch.arange(time)[:, None] - torch.arange(time)[None, :]
    hidden = distance < 0
    if c["window"]:
        hidden = hidden | (distance >= c["window"])
    bias = torch.zeros(1, time, time, dtype=dtype)
    if c["positions"] == "alibi":
        slopes = 2.0 ** (-8.0 * torch.arange(1, c["heads"] + 1, dtype=torch.float64) / c["heads"])
        bias = -(slopes[:, None, None] * distance).to(dtype)
    return bias.masked_fill(hidden, -math.inf)


def attention(p, layer, x, c):  # (B, T, C) -> (B, T, C)
    batch, time, width = x.shape
    heads, groups, size = c["heads"], c["kv_heads"], width // c["heads"]
    q, k, v = (
        linear(p, f"{layer}.self_attn.{letter}_proj", x).view(batch, time, n, size).transpose(1, 2)
        for letter, n in (("q", heads), ("k", groups), ("v", groups))
    )
    if c["positions"] == "rope":
        q, k = rotate(q, c["rope_base"]), rotate(k, c["rope_base"])
    k, v = (z.repeat_interleave(heads // groups, 1) for z in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(size) + attention_bias(c, time, x.dtype)
    mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, time, width)
    return linear(p, f"{layer}.self_attn.o_proj", mixed)


def mlp(p, layer, x, c):  # (B, T, C) -> (B, T, C)
    up = linear(p, f"{layer}.mlp.up_proj", x)
    if c["mlp"] == "gelu":
        hidden = F.gelu(up, approximate="tanh")
    else:
        hidden = F.silu(linear(p, f"{layer}.mlp.gate_proj", x)) * up
    return linear(p, f"{layer}.mlp.down_proj", hidden)


def sinusoids(time, width, dtype):  # -> (T, C)
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.outer(torch.arange(time, dtype=torch.float64), frequency)
    return torch.stack((angle.sin(), angle.cos()), -1).reshape(time, width).to(dtype)


def gpt(p, tokens, c):  # (B, T) -> (B, T, V)
    x = F.embedding(tokens, p["model.embed_tokens.weight"])
    time = tokens.shape[1]
    if c["positions"] == "learned":
        x = x + p["model.embed_positions.weight"][:time]
    elif c["positions"] == "sinusoidal":
        x = x + sinusoids(time, c["width"], x.dtype)
    for i in range(c["layers"]):
        layer = f"model.layers.{i}"
        x = x + attention(p, layer, norm(p, f"{layer}.input_layernorm", x, c), c)
        x = x + mlp(p, layer, norm(p, f"{layer}.post_attention_layernorm", x, c), c)
    x = norm(p, "model.norm", x, c)
    return F.linear(x, p["model.embed_tokens.weight" if c["tied"] else "lm_head.weight"])


def masked_loss(logits, targets, learn):
    """Mean cross-entropy in nats over the positions where learn is True."""
    return F.cross_entropy(logits[learn], targets[learn])


def run(c, params, tokens, targets, learn, with_steps, dtype):
    """One forward and backward pass, then perhaps ten steps; everything as NumPy arrays."""
    p = {name: torch.tensor(a, dtype=dtype).requires_grad_() for name, a in params.items()}
    tokens, targets, learn = (torch.from_numpy(a) for a in (tokens, targets, learn))
    logits = gpt(p, tokens, c)
    loss = masked_loss(logits, targets, learn)
    loss.backward()
    out = {"logits": logits, "loss": loss}
    out |= {f"gradients/{name}": t.grad.clone() for name, t in p.items()}
    if with_steps:
        out |= train(c, p, tokens, targets, learn)
    return {name: t.detach().numpy() for name, t in out.items()}


def train(c, p, tokens, targets, learn):
    """Ten steps on one batch: losses and gradient norms before each, parameters after all."""
    o = OPTIMIZER
    matrices = [t for t in p.values() if t.ndim == 2]
    vectors = [t for t in p.values() if t.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
        lr=o["learning_rate"], betas=(o["beta1"], o["beta2"]), eps=o["eps"],
        weight_decay=o["weight_decay"], foreach=False,
    )  # fmt: skip
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = masked_loss(gpt(p, tokens, c), targets, learn)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(list(p.values()), o["clip_norm"]))
        optimizer.step()
        losses.append(loss.detach())
    after = {f"after/{name}": t for name, t in p.items()}
    return {"losses": torch.stack(losses), "norms": torch.stack(norms)} | after


def make(name: str) -> None:
    config, seed, with_steps = CASES[name]
    rng = np.random.default_rng(seed)
    params = initial_parameters(config, rng)
    text = rng.integers(0, config["vocab_size"], (BATCH, TIME + 1))
    tokens, targets = text[:, :-1].copy(), text[:, 1:].copy()
    learn = rng.random((BATCH, TIME)) < 0.75
    batch = (tokens, targets, learn)
    single = run(config, params, *batch, with_steps, torch.float32)
    double = run(config, params, *batch, with_steps, torch.float64)
    worst = sorted(
        (float(np.abs(a - double[key]).max() / np.abs(double[key]).max()), key)
        for key, a in single.items()
        if "k_proj.bias" not in key  # its gradient is 0 in exact arithmetic
    )
    note = {"config": config, "seed": seed, "optimizer": OPTIMIZER, "torch": torch.__version__}
    arrays = {"note": np.array(json.dumps(note)), "tokens": tokens, "targets": targets}
    arrays |= {"learn": learn} | {f"params/{key}": a for key, a in params.items()} | single
    arrays |= {f"{key}64": double[key] for key in ("loss", "losses") if key in double}
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    print(f"{name}: {path.stat().st_size / 1000:.0f} kB, loss {single['loss']:.6f}")
    for distance, key in worst[-3:]:
        print(f"    float32 against float64: {distance:.1e} in {key}")
    if with_steps:
        print("    norms", np.round(single["norms"], 2), "losses", np.round(single["losses"], 3))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        if case not in CASES:
            sys.exit(f"There is no case {case!r}. The cases are: {', '.join(CASES)}.")
        make(case)
