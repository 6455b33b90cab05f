"""How the chapter on alignment measures a model: what it says, how good that is, what it lost.

Pure. What is measured of the models that ship is measured once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice

import numpy as np

from microgpt.alignment import sft
from microgpt.alignment.measure import Evaluation, evaluate, readings
from microgpt.alignment.preferences import MOST_TOKENS, Task, find_task
from microgpt.alignment.questions import FACTS, Question, prompt_ids, questions
from microgpt.alignment.reward import RewardModel
from microgpt.alignment.rollout import policy as with_weights
from microgpt.alignment.rollout import sample
from microgpt.alignment.scores import Reading
from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.checkpoint import Model
from microgpt.tokens.chat import begin_of, end_of
from microgpt.training.recipes import RECIPES, recipe_batches
from microgpt.training.train import evaluate_loss

ANSWERS = 64  # to held-out questions, on which a model is measured
ASKED = 60  # held-out questions that show whether a model answers
LOSS_BATCHES = 2
SHOWN = 5  # questions whose answers are shown before and after


def kept(model: Model, name: str) -> Model:
    """A copy that takes half the room, for as long as it only lies there."""
    halves = {n: np.asarray(p).astype(np.float16) for n, p in model.params.items()}
    return replace(with_weights(model, halves), name=name, card={})


def usable(model: Model) -> Model:
    """The kept copy, ready to run; read-only."""
    params = {n: p.astype(np.float32) for n, p in model.params.items()}
    for array in params.values():
        array.flags.writeable = False
    return with_weights(model, params)


def shown_questions(kinds: Sequence[str] = FACTS) -> list[Question]:
    """Held-out questions of different kinds, whose answers are shown before and after."""
    found: dict[str, Question] = {}
    for question in questions("teaching/shown", 60, kinds, held=True):
        found.setdefault(question.kind, question)
    return [found[kind] for kind in dict.fromkeys(kinds) if kind in found][:SHOWN]


def says(model: Model, asked: Sequence[Question], seed: int = 5) -> list[str]:
    """One answer to each, drawn at temperature 1; the same luck for every model."""
    prompts = [prompt_ids(q, model.tokenizer) for q in asked]
    drawn = sample(model, prompts, MOST_TOKENS, np.random.default_rng(seed))
    return [s.text if s.ended else f"{s.text} …" for s in drawn]


@lru_cache(maxsize=6)
def _held_out_batches(recipe: str, tokenizer, n: int) -> tuple:
    return tuple(islice(recipe_batches(RECIPES[recipe], tokenizer, part="held-out"), n))


def losses(model: Model) -> dict[str, float]:
    """Held-out loss in nats a token: on the conversations of the fine-tuning, and on the texts
    that the base model was trained on."""
    recipes = {"chats": "tiny-chat", "texts": "tiny-base"}
    return {
        name: evaluate_loss(
            model.params, model.config, _held_out_batches(recipe, model.tokenizer, LOSS_BATCHES)
        )
        for name, recipe in recipes.items()
    }


def measure(model: Model, reference: Model, task: Task, reward: RewardModel | None) -> dict:
    """Everything the page compares models by, on held-out questions, as plain values."""
    found = evaluate(model, reference, task, ANSWERS)
    whole = found
    if task.name != "assistant":
        whole = evaluate(model, reference, find_task("assistant"), ANSWERS)
    return {
        "true_score": found.true_score,
        "kl": found.kl,
        "length": found.length,
        "reward": None if reward is None else float(np.mean(reward.score(found.samples))),
        "dimensions": whole.dimensions,
        "refused": refused(whole),
        "losses": losses(model),
        "says": says(model, shown_questions()),
    }


@lru_cache(maxsize=8)
def before(chat: Model, task: str) -> dict:
    """The same of the model that every policy begins as; measured once."""
    return measure(chat, chat, find_task(task), None)


def refused(evaluation: Evaluation) -> dict[str, float]:
    """The share of wishes that were not answered, by kind."""
    read = readings(evaluation.questions, evaluation.samples)
    return {
        kind: float(np.mean([not r.answered for r in read if r.question.kind == kind]))
        for kind in ("kind wish", "mean wish")
    }


def bare(model: Model, text: str, most: int = 40) -> tuple[str, bool]:
    """How the model goes on after the bare text, as a base model is used, and whether it ended."""
    ids = [begin_of(model.tokenizer), *model.tokenizer.encode(text)]
    steps = list(generate(model, ids, GREEDY, most, None, [end_of(model.tokenizer)]))
    ended = bool(steps) and steps[-1].reason == "stop token"
    said = [step.token for step in steps[: len(steps) - ended]]
    return model.tokenizer.decode(said), ended


@lru_cache(maxsize=4)
def held_out(n: int = ASKED) -> tuple[Question, ...]:
    """Questions asked in words that no fine-tuning reads."""
    return tuple(sft.held_out_questions(n))


@lru_cache(maxsize=4)
def first_wrong(base: Model, n: int = ASKED) -> Question:
    """The first of them that the model gets wrong, so that it can be seen to learn."""
    wrong = (q for q in held_out(n) if not sft.answered(base, [q]))
    return next(wrong, held_out(n)[0])


@lru_cache(maxsize=4)
def untuned(base: Model, asked: int) -> dict:
    """Of the base model as it is: right answers when it is given the bare question and when it is
    asked as an assistant, held-out losses, and what it says. Measured once."""
    watched = held_out(asked)
    right = [Reading(q, *bare(base, q.text)).answered for q in watched]
    return {
        "bare": sum(right) / len(right),
        "answered": sft.answered(base, watched),
        "losses": losses(base),
        "says": [sft.answer(base, q)[0] for q in watched[:SHOWN]],
    }
