"""Rollouts: what the policy writes, and how likely each of its tokens was.

Completions have different lengths. Here they stay lists of their own length for as long as
possible; only a pass through the model pads them, and takes out the completion's tokens again
before anything is averaged. So no mean ever includes padding.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from microgpt.autograd.tensor import (
    embedding,
    linear,
    matmul,
    multiply,
    reshape,
    token_log_probabilities,
)
from microgpt.decoding.decoders import decoder_for
from microgpt.decoding.sampling import draw, softmax
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import Model
from microgpt.model.gpt import gpt, head_name
from microgpt.tokens.chat import END, PAD, special
from microgpt.training.parallel import single_threaded_blas

ROWS = 8  # that go through the model together where no gradient is needed


@dataclass(frozen=True)
class Sample:
    """One completion: its ids with the end token, if that came, and its text without it."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    ended: bool
    text: str

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prompt + self.completion


def sample(
    model: Model,
    prompts: Sequence[tuple[int, ...]],
    max_tokens: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
    threads: int = 2,
) -> list[Sample]:
    """One completion of each prompt, drawn from the model at this temperature.

    Every row draws from a generator of its own, so what it says doesn't depend on its neighbours.
    Equal prompts are read once and their keys and values shared out. The weights may be those of
    a policy in training: they are packed for decoding first, which takes milliseconds.
    """
    longest = max(map(len, prompts), default=1) + max_tokens
    if max_tokens < 1 or longest > model.config.context or not temperature > 0:
        raise ValueError(
            f"Prompts and {max_tokens} new tokens need {longest} places, the context has "
            f"{model.config.context}; max_tokens must be 1 or more and the temperature above 0."
        )
    decoder = decoder_for(model)
    end = special(model.tokenizer, END)

    def read(prompt):
        cache = KVCache.empty(model.config, length=len(prompt))
        return cache, gpt(model.params, np.array([prompt]), model.config, cache=cache)[0, -1]

    def write(row):
        prompt, own = row
        cache, logits = prefixes[prompt]
        session = decoder.session(cache, len(prompt) + max_tokens)
        ids = []
        while True:
            token = draw(softmax(logits.astype(np.float64) / temperature), own)
            ids.append(token)
            if token == end or len(ids) == max_tokens:
                break
            logits = session.step(token)
        said = ids[:-1] if token == end else ids
        return Sample(prompt, tuple(ids), token == end, model.tokenizer.decode(said))

    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        distinct = list(dict.fromkeys(prompts))
        prefixes = dict(zip(distinct, pool.map(read, distinct), strict=True))
        return list(pool.map(write, zip(prompts, rng.spawn(len(prompts)), strict=True)))


def policy(model: Model, params) -> Model:
    """The same model with other weights, such as those of a policy in training."""
    return Model(model.name, params, model.config, model.tokenizer, model.card)


def pad_token(tokenizer) -> int:
    return special(tokenizer, PAD)


def pack(samples: Sequence[Sample], pad: int):  # -> tokens (B, T), mask (B, T - 1)
    """Rows padded on the right, and where a completion's token is predicted.

    `mask[b, t]` says that the scores after token t predict a token of the completion: those at the
    prompt's last token predict its first. Padding comes after everything else, so under a causal
    mask no token sees it.
    """
    T = max(len(s.ids) for s in samples)
    tokens = np.full((len(samples), T), pad, np.int32)
    mask = np.zeros((len(samples), T - 1), bool)
    for row, s in enumerate(samples):
        tokens[row, : len(s.ids)] = s.ids
        mask[row, len(s.prompt) - 1 : len(s.ids) - 1] = True
    return tokens, mask


def last_stream(params, tokens, mask, config):  # (B, T), (B, T - 1) -> (N, C)
    """The last stream at the N positions where a completion's token is predicted."""
    hidden = gpt(params, tokens[:, :-1], config, head=False)
    rows = reshape(hidden, (-1, config.width))
    return embedding(rows, np.flatnonzero(mask))  # each row as often as it is asked for: once


def log_probabilities(stream, params, tokens, mask, config, temperature=1.0):  # (N, C) -> (N,)
    """log p of every completion token, row after row, under the distribution it was drawn from."""
    logits = linear(stream, params[head_name(config)])
    if temperature != 1:
        logits = multiply(logits, np.asarray(1 / temperature, np.float32))
    return token_log_probabilities(logits, tokens[:, 1:][mask])


def completion_log_probabilities(params, tokens, mask, config, temperature=1.0):  # -> (N,)
    stream = last_stream(params, tokens, mask, config)
    return log_probabilities(stream, params, tokens, mask, config, temperature)


def sum_rows(values, mask):  # (N,), (B, T) with N marks -> (B,)
    """The sum over each row's marked positions, of values that stand row after row."""
    belongs = np.nonzero(mask)[0] == np.arange(len(mask))[:, None]  # (B, N)
    column = reshape(values, (-1, 1))
    return reshape(matmul(belongs.astype(np.float32), column), (len(mask),))


def split(values, lengths):  # (N,), B lengths -> B arrays
    """Values that stand row after row, as one array a row."""
    return np.split(values, np.cumsum(lengths)[:-1])


def in_batches(function, items: Sequence, length, threads: int = 2, rows: int = ROWS) -> list:
    """`function(batch)` gives one result an item; all results in the order of the items.

    Items of similar length go together, so that there is little padding.
    """
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    batches = [order[i : i + rows] for i in range(0, len(order), rows)]
    results = [None] * len(items)
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        answers = pool.map(lambda batch: function([items[i] for i in batch]), batches)
        for batch, answer in zip(batches, answers, strict=True):
            for i, result in zip(batch, answer, strict=True):
                results[i] = result
    return results


def token_log_probabilities_of(
    params, samples: Sequence[Sample], config, pad, temperature=1.0, threads=2
) -> list[np.ndarray]:
    """For each sample the log-probabilities of its completion's tokens; no gradient."""

    def score(batch):
        tokens, mask = pack(batch, pad)
        values = completion_log_probabilities(params, tokens, mask, config, temperature)
        return split(values, mask.sum(1))

    return in_batches(score, samples, lambda s: len(s.ids), threads)


def shuffled(rng: np.random.Generator, items: int, size: int):
    """The numbers of all items in random order, `size` at a time; the last group may be smaller."""
    order = rng.permutation(items)
    return [order[i : i + size] for i in range(0, items, size)]
