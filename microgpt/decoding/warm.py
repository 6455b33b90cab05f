"""Compile the kernels of generation and training before anybody waits for them.

    python -m microgpt.decoding.warm MODEL reading|answering|learning

The compiler keeps about 100 MB for as long as its process lives. Run as a program of its own, this
leaves the compiled kernels in Numba's cache on disk, where a server finds them.
"""

import sys

import numpy as np

from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import load
from microgpt.model.gpt import gpt
from microgpt.training.data import Batch
from microgpt.training.train import Options, fresh_state, train_steps

PROMPT = "Once upon a time"


def read(model) -> None:
    """Use every kernel that scoring a text needs, with and without a cache."""
    tokens = model.tokenizer.encode(PROMPT) or [0]
    gpt(model.params, np.array([tokens]), model.config)
    cache = KVCache.empty(model.config)
    for chunk in (tokens, tokens[:1]):
        gpt(model.params, np.array([chunk]), model.config, cache=cache)


def answer(model) -> None:
    """Use every kernel that saying one token after another needs."""
    for _ in generate(model, model.tokenizer.encode(PROMPT), GREEDY, 2, None):
        pass


def learn(model) -> None:
    """Use every kernel that a step of training needs, on copies of the weights."""
    options = Options(steps=1, batch=2, rate=1e-9, micro=1)
    state = fresh_state(model.params, options)
    rows = np.zeros((2, 8), np.int64)
    batch = Batch(rows, rows, np.full(rows.shape, 1 / rows.size, np.float32))
    for _ in train_steps(state, model.config, [batch], options):
        pass


PARTS = {"reading": read, "answering": answer, "learning": learn}

if __name__ == "__main__":
    PARTS[sys.argv[2]](load(sys.argv[1]))
