"""The peer of training.py: the same model and training step in PyTorch, run by a Python with torch.

    python benchmarks/torch_training.py WORK.npz eager|compile

Reads one line of JSON at a time: {"steps": n} trains n steps and answers with the seconds of
each and the losses. Fast where PyTorch is fast: one product for q, k and v,
scaled_dot_product_attention, rms_norm, fused AdamW, and a fixed number of threads.
"""

import json
import sys
import time
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def rotate(x, cos, sin):  # (..., T, D), (T, D/2), (T, D/2) -> (..., T, D)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(nn.Module):
    def __init__(self, params, layer, heads, eps):
        super().__init__()

        def take(*names):
            arrays = [params[f"model.layers.{layer}.{name}.weight"] for name in names]
            return nn.Parameter(torch.from_numpy(np.concatenate(arrays)))

        self.heads, self.eps = heads, eps
        self.norm1, self.norm2 = take("input_layernorm"), take("post_attention_layernorm")
        self.qkv = take(*(f"self_attn.{letter}_proj" for letter in "qkv"))
        self.o = take("self_attn.o_proj")
        self.gate, self.up = take("mlp.gate_proj"), take("mlp.up_proj")
        self.down = take("mlp.down_proj")

    def forward(self, x, cos, sin):  # (B, T, C) -> (B, T, C)
        B, T, C = x.shape
        h = F.rms_norm(x, (C,), self.norm1, self.eps)
        q, k, v = F.linear(h, self.qkv).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(y.transpose(1, 2).reshape(B, T, C), self.o)
        h = F.rms_norm(x, (C,), self.norm2, self.eps)
        return x + F.linear(F.silu(F.linear(h, self.gate)) * F.linear(h, self.up), self.down)


class GPT(nn.Module):
    def __init__(self, params, config):
        super().__init__()
        self.eps = config.norm_eps
        self.embed = nn.Parameter(torch.from_numpy(params["model.embed_tokens.weight"]))
        self.norm = nn.Parameter(torch.from_numpy(params["model.norm.weight"]))
        self.blocks = nn.ModuleList(
            Block(params, i, config.heads, config.norm_eps) for i in range(config.layers)
        )
        half = config.width // config.heads // 2
        frequency = config.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.outer(torch.arange(config.context, dtype=torch.float64), frequency)
        self.register_buffer("cos", angle.cos().float())
        self.register_buffer("sin", angle.sin().float())

    def forward(self, tokens, targets):  # (B, T), (B, T) -> ()
        x = F.embedding(tokens, self.embed)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = F.linear(F.rms_norm(x, x.shape[-1:], self.norm, self.eps), self.embed)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main(path, mode):
    with np.load(path, allow_pickle=False) as file:
        work = dict(file)
    settings = SimpleNamespace(**json.loads(str(work.pop("settings"))))
    tokens, targets = (torch.from_numpy(work.pop(name)) for name in ("tokens", "targets"))
    torch.set_num_threads(settings.threads)
    model = GPT(work, SimpleNamespace(**settings.config))
    loss_of = torch.compile(model) if mode == "compile" else model
    params = list(model.parameters())
    groups = [
        {"params": [p for p in params if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in params if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=settings.betas, eps=settings.eps, fused=True
    )
    done = 0

    def step():
        nonlocal done
        which = done % len(tokens)
        loss = loss_of(tokens[which], targets[which])
        loss.backward()
        nn.utils.clip_grad_norm_(params, settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        done += 1
        return loss.item()

    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(json.loads(line)["steps"]):
            start = time.perf_counter()
            losses.append(step())
            seconds.append(time.perf_counter() - start)
        answer = {"seconds": seconds, "losses": losses, "torch": torch.__version__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in ("eager", "compile"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
