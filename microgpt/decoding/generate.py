"""Generation: read the prompt, draw a token, read it, draw the next."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from microgpt.decoding.decoder import supported
from microgpt.decoding.decoders import decoder_for, reads_packed, weights_of
from microgpt.decoding.sampling import (
    GREEDY,
    Sampling,
    Stage,
    distribution,
    draw,
    softmax,
    stages,
)
from microgpt.model.cache import KVCache
from microgpt.model.gpt import gpt
from microgpt.model.trace import trace
from microgpt.tokens.chat import begin_name, begin_of, end_name, end_of
from microgpt.training.parallel import single_threaded_blas

MOST_BRANCHES = 256


@dataclass(frozen=True, eq=False)
class Step:
    """One new token and how it came about.

    It stands at `position` (counted from 0) and was drawn with `probability` from the scores
    `logits` (V,) after the filters. `seconds` went into the model's pass, of the `phase` "prefill"
    (the whole prompt) or "decode" (one token), and `sampling_seconds` into choosing. `dropped`
    tokens of the prompt had no place in the context. `reason` says why this is the last token:
    "stop token", "max_tokens" or "context full"; it is None while there are more to come.
    With `record`, `stages` are the filters' and `values` everything that the pass computed.
    """

    position: int
    token: int
    probability: float
    logits: np.ndarray
    phase: str
    seconds: float
    sampling_seconds: float
    dropped: int = 0
    reason: str | None = None
    stages: list[Stage] | None = None
    values: dict[str, np.ndarray] | None = None


def fit_context(
    ids: Sequence[int], context: int, room: int = 1, keep: int = 0
) -> tuple[list[int], int]:
    """Drop the oldest tokens until `room` places of the context are free: (ids, how many dropped).

    The first `keep` tokens stay, such as <|begin|>.
    """
    if not 0 <= room < context or not 0 <= keep <= context - room:
        raise ValueError(
            f"A context of {context} tokens can't keep {keep} and leave room for {room}."
        )
    ids = list(ids)
    dropped = max(0, len(ids) - (context - room))
    return ids[:keep] + ids[keep + dropped :], dropped


class Reader:
    """Reads tokens and gives the scores of the next: `gpt` with a cache for several at once, the
    compiled step for one, where it knows the architecture, and for weights of few bits their own
    decoder for both. With `record`, always `gpt`."""

    def __init__(self, model, room: int, record: bool = False):
        self.model, self.record, self.room = model, record, min(room, model.config.context)
        self.many = not record and reads_packed(model)
        self.cache = None if self.many else KVCache.empty(model.config, length=self.room)
        self.session = None
        self.values = None

    def read(self, tokens: Sequence[int]):  # (T,) -> (V,)
        """The scores after the last of these tokens; they follow those read before."""
        model = self.model
        one = len(tokens) == 1 and not self.record and supported(model.config)
        fast = one or self.many
        if fast and self.session is None:
            self.session = decoder_for(model).session(self.cache, self.room)
        if self.session is not None:
            return self.session.read(tokens)
        batch = np.array([tokens])
        if self.record:
            self.values = trace(weights_of(model), batch, model.config, self.cache)
            return self.values["logits"][0, -1]
        return gpt(model.params, batch, model.config, cache=self.cache, last=1)[0, -1]


def choose(logits, sampling: Sampling, previous, rng) -> tuple[int, float]:
    """A token, and its probability among those that could be drawn."""
    if sampling.temperature == 0:
        if sampling.repetition_penalty != 1:
            logits = distribution(logits, sampling, previous)
        token = int(np.argmax(logits))  # nan, if there is one
        if not np.isfinite(logits[token]):
            raise ValueError(f"The model's best score is {logits[token]}: its weights are broken.")
        return token, 1.0
    probabilities = distribution(logits, sampling, previous)
    token = draw(probabilities, rng)
    return token, float(probabilities[token])


def generate(
    model,
    prompt_ids: Sequence[int],
    sampling: Sampling,
    max_tokens: int,
    rng: np.random.Generator | None,
    stop: Sequence[int] = (),
    record: bool = False,
) -> Iterator[Step]:
    """Continue a prompt, one Step a token; a stop token is the last Step.

    An empty prompt starts from <|begin|>. Of one longer than the context the oldest tokens are
    dropped (but <|begin|>), so that a quarter of it is free. At temperature 0 nothing is drawn, so
    `rng` may be None. Sessions share nothing but the model's read-only weights.
    Raises ValueError for tokens that the model can't read.
    """
    if not isinstance(max_tokens, int) or max_tokens < 0:
        raise ValueError(f"max_tokens is {max_tokens!r}, but must be a whole number from 0 up.")
    context, vocab_size = model.config.context, model.config.vocab_size
    ids = [int(token) for token in prompt_ids] or [begin_of(model.tokenizer)]
    wrong = [token for token in ids if not 0 <= token < vocab_size]
    if wrong:
        raise ValueError(f"Tokens go from 0 to {vocab_size - 1}, but the prompt has {wrong[0]}.")
    dropped = 0
    if len(ids) > context:
        keep = int(ids[0] == model.tokenizer.specials.get(begin_name(model.tokenizer)))
        ids, dropped = fit_context(ids, context, min(max_tokens, context // 4), keep)
    return _steps(model, ids, dropped, sampling, max_tokens, rng, frozenset(stop), record)


def _steps(model, ids, dropped, sampling, max_tokens, rng, stop, record):
    reader = Reader(model, len(ids) + max_tokens, record)
    unread, phase = list(ids), "prefill"
    for count in range(1, max_tokens + 1):
        start = time.perf_counter()
        logits = reader.read(unread)
        read = time.perf_counter()
        token, probability = choose(logits, sampling, ids, rng)
        chosen = time.perf_counter()
        position = len(ids)
        reason = None
        if token in stop:
            reason = "stop token"
        elif count == max_tokens:
            reason = "max_tokens"
        elif position >= model.config.context:
            reason = "context full"
        yield Step(
            position, token, probability, logits, phase, read - start, chosen - read, dropped,
            reason, stages(logits, sampling, ids) if record else None, reader.values,
        )  # fmt: skip
        if reason:
            return
        ids.append(token)
        unread, phase = [token], "decode"


def complete(model, prompts: Sequence[str], max_tokens, threads: int = 2) -> list[str]:
    """Greedy completions of many prompts: text with special tokens, up to and with <|end|>.

    Prompts are trusted: special tokens in them count, and <|begin|> is put before each.
    `max_tokens` is one number for all or one for each. A prompt that leaves less room than that
    in the context loses its oldest tokens, but at most half of the context is made free.
    """
    most = [max_tokens] * len(prompts) if isinstance(max_tokens, int) else list(max_tokens)
    tokenizer, context = model.tokenizer, model.config.context
    begin, end = begin_of(tokenizer), end_of(tokenizer)

    def one(prompt, most):
        ids = [begin, *tokenizer.encode(prompt, allow_special=True)]
        ids, _ = fit_context(ids, context, min(most, context // 2), keep=1)
        steps = generate(model, ids, GREEDY, most, None, [end])
        return tokenizer.decode([step.token for step in steps])

    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, prompts, most))


@dataclass(frozen=True)
class Branch:
    """A token that may come next, its probability there, that of the whole path, and what may
    follow it."""

    token: int
    probability: float
    path_probability: float
    children: tuple["Branch", ...]


def continuations(model, ids: Sequence[int], width: int, depth: int) -> tuple[Branch, ...]:
    """The tree of likely continuations: at each place the `width` best tokens, `depth` deep.

    Probabilities are the model's own, at temperature 1. No <|end|> is gone beyond.
    """
    if width < 1 or depth < 1 or width**depth > MOST_BRANCHES:
        raise ValueError(
            f"A tree {width} wide and {depth} deep has {width}^{depth} ends; "
            f"from 1 to {MOST_BRANCHES} are allowed."
        )
    ids = list(ids) or [begin_of(model.tokenizer)]
    ids, _ = fit_context(ids, model.config.context, depth)
    cache = KVCache.empty(model.config, length=len(ids) + depth)
    unread, levels = np.array([ids]), []
    for _ in range(depth):
        scores = gpt(weights_of(model), unread, model.config, cache=cache, last=1)[:, -1]
        scores = scores.astype(np.float64)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :width]
        likely = [softmax(row)[tokens] for row, tokens in zip(scores, best, strict=True)]
        levels.append((best, likely))
        every = np.repeat(np.arange(len(best)), best.shape[1])  # each path goes on in `width` ways
        cache = cache.rows(every)
        unread = best.reshape(-1, 1)
    end = model.tokenizer.specials.get(end_name(model.tokenizer))
    return _grow(levels, 0, 0, 1.0, end)


def _grow(levels, depth, place, path_probability, end):
    """The branches that leave one place of the tree; the places of a level count from the left."""
    best, likely = levels[depth][0][place], levels[depth][1][place]
    branches = []
    for i, (token, probability) in enumerate(zip(best.tolist(), likely.tolist(), strict=True)):
        path, below = path_probability * probability, place * len(best) + i
        leaf = token == end or depth + 1 == len(levels)
        children = () if leaf else _grow(levels, depth + 1, below, path, end)
        branches.append(Branch(token, probability, path, children))
    return tuple(branches)
