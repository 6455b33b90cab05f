"""Compile the kernels of generation and training before anybody waits for them.

    python -m microgpt.decoding.warm MODEL reading|answering|learning

The compiler keeps about 100 MB for as long as its process lives. Run as a program of its own, this
leaves the compiled kernels in Numba's cache on disk, where a server finds them.
"""

import sys
from dataclasses import replace
from itertools import islice

import numpy as np

from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import load
from microgpt.model.gpt import gpt
from microgpt.tokens import bpe
from microgpt.training.data import batches
from microgpt.training.train import Options, fresh_state, train_steps
from microgpt.world.corpus import documents

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
    """Use every kernel that learning needs: a tokenizer's merges, a step on text, what a model with
    weights of full precision says meanwhile. Nothing of the model is changed."""
    bpe.train([document.text for document in islice(documents("warm"), 20)], 300)
    options = Options(steps=1, batch=2, rate=1e-3, micro=1, threads=1)
    state = fresh_state(model.params, options)
    text = islice(batches(documents, model.tokenizer, 16, 2, "warm", chunk=1), 1)
    for _ in train_steps(state, model.config, text, options):
        pass
    answer(replace(model, params=state.params))


PARTS = {"reading": read, "answering": answer, "learning": learn}

if __name__ == "__main__":
    PARTS[sys.argv[2]](load(sys.argv[1]))
