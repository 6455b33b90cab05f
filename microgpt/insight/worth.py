"""What a part of a model is worth: three things it can do, measured with and without it."""

import functools
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from microgpt.autograd import ops
from microgpt.insight import heads
from microgpt.model.gpt import gpt
from microgpt.tokens.chat import BEGIN, special
from microgpt.training.recipes import RECIPES, recipe_batches
from microgpt.world.probes import probes

ROWS, LENGTH = 4, 256  # of the held-out text
SENTENCES = 25  # of each of the two kinds
ABILITIES = ("coreference_story", "coreference_job")


@dataclass(frozen=True)
class Worth:
    """`loss` in nats per learned token on held-out documents of the tiny world, `copying` the
    share of repeated random words guessed right, `sentences` that of the held-out cat-and-mat and
    job sentences answered right."""

    loss: float
    copying: float
    sentences: float


def worth(model, edit=None) -> Worth:
    """Measure a model, or with an `edit` (see `insight.ablation`) what is left of it."""
    return Worth(loss(model, edit), heads.copying(model, edit), sentences(model, edit))


def loss(model, edit=None) -> float:
    """Mean surprise on a fixed piece of held-out text, the same for every model's tokenizer."""
    batch = _held_out(model.tokenizer, min(LENGTH, model.config.context))
    logits = gpt(model.params, batch.tokens, model.config, edit=edit)
    weights = batch.weights / batch.weights.sum()
    return float(ops.cross_entropy(logits, batch.targets, weights))


@functools.lru_cache(maxsize=8)
def _held_out(tokenizer, context: int):
    recipe = RECIPES["tiny-base"]
    options = replace(recipe.options, batch=ROWS)
    config = replace(recipe.config, context=context)
    recipe = replace(recipe, config=config, options=options)
    return next(islice(recipe_batches(recipe, tokenizer, part="held-out"), 1))


def sentences(model, edit=None, abilities: tuple[str, ...] = ABILITIES) -> float:
    """The share of held-out sentences whose whole answer is the model's best guess, token by
    token: what a greedy answer would be, in one pass."""
    tokens, asked, answers = _sentences(model.tokenizer, abilities)
    logits = gpt(model.params, tokens, model.config, edit=edit)
    guesses = logits.argmax(-1)
    return float(np.mean([
        (guesses[row, at - 1 : at - 1 + len(answer)] == answer).all()
        for row, (at, answer) in enumerate(zip(asked, answers, strict=True))
    ]))  # fmt: skip


@functools.lru_cache(maxsize=8)
def _sentences(tokenizer, abilities):
    """Prompts with their answers in rows of one length, where each answer begins, the answers."""
    begin = special(tokenizer, BEGIN)
    asked = [probe for name in abilities for probe in probes(name, SENTENCES, heads.SEED)]
    prompts = [[begin, *tokenizer.encode(probe.prompt)] for probe in asked]
    answers = [tokenizer.encode(probe.answer) for probe in asked]
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    return pad_rows(rows), [len(prompt) for prompt in prompts], answers


def pad_rows(rows: list[list[int]]) -> np.ndarray:  # -> (len(rows), longest)
    """Rows of tokens made equally long by zeros at the end, which no earlier token can see."""
    longest = max(map(len, rows))
    return np.array([row + [0] * (longest - len(row)) for row in rows])
