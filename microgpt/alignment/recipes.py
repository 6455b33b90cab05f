"""The recipe of tiny-aligned: which method, on which preferences, and what it cost.

python -m microgpt align
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from microgpt.alignment.dpo import DPOOptions, dpo
from microgpt.alignment.measure import Evaluation, evaluate, readings
from microgpt.alignment.policy import Policy
from microgpt.alignment.preferences import Task, find_task, rated_pairs
from microgpt.alignment.rollout import policy as with_weights
from microgpt.decoding.evaluate import evaluate as measure_abilities
from microgpt.model.checkpoint import Model, load, models_folder, save
from microgpt.model.gpt import count_parameters
from microgpt.training.recipes import RECIPES, held_out_loss

ANSWERS = 512  # to held-out questions, that before and after are measured on


@dataclass(frozen=True)
class AlignmentRecipe:
    """Everything that decides what an alignment gives: the model it starts from, the task whose
    true score the simulated rater has for a taste, and how DPO is run.

    It goes in `rounds`, each on `pairs` of what the policy says by then. On tiny-chat's answers
    alone it would learn to refuse kind wishes as well: tiny-chat never does, so no pair says that
    it is wrong.
    """

    name: str
    summary: str
    start: str
    task: str
    rounds: int
    pairs: int
    options: DPOOptions
    seed: int = 1
    corpus: str = "chat"  # of the model it starts from, on which the held-out loss is measured


TINY_ALIGNED = AlignmentRecipe(
    name="tiny-aligned",
    summary="tiny-chat after preferences: it answers kindly, and refuses what would hurt.",
    start="tiny-chat",
    task="assistant",
    rounds=4,
    pairs=240,
    options=DPOOptions(steps=15, batch=16, beta=0.1, rate=7e-5),
)


def align(recipe: AlignmentRecipe, say: Callable[[str], None] = lambda line: None) -> Model:
    """Follow a recipe; the model comes with a card that says what changed, good and bad."""
    start, task = load(recipe.start), find_task(recipe.task)
    before = evaluate(start, start, task, ANSWERS)
    policy, rng, began = Policy.of(start), np.random.default_rng(recipe.seed), time.perf_counter()
    for round_ in range(recipe.rounds):
        seed = recipe.seed * 100 + round_
        pairs = rated_pairs(policy.model, task, task.rater(), recipe.pairs, seed)
        step = list(dpo(policy, pairs, recipe.options, rng))[-1]
        say(f"round {round_ + 1}/{recipe.rounds}  loss {step.loss:.4f}  better answers "
            f"{step.better:+.2f} nats, worse ones {step.worse:+.2f}")  # fmt: skip
    seconds = time.perf_counter() - began
    rounded = {
        name: p.astype(np.float16).astype(np.float32) for name, p in policy.model.params.items()
    }
    model = with_weights(start, rounded)
    after = evaluate(model, start, task, ANSWERS)
    card = make_card(recipe, start, model, task, before, after, seconds)
    return Model(recipe.name, rounded, start.config, start.tokenizer, card)


def make(
    recipe: AlignmentRecipe = TINY_ALIGNED, say: Callable[[str], None] = lambda line: None
) -> dict:
    """Follow a recipe, measure the model, and put it where the others are; its card."""
    model = align(recipe, say)
    report = measure_abilities(model, progress=say)
    card = model.card | {k: v for k, v in report.items() if k not in ("model", "loss")}
    save(models_folder() / model.name, replace(model, card=card))
    return card


def make_card(
    recipe: AlignmentRecipe, start: Model, model: Model, task: Task, before: Evaluation,
    after: Evaluation, seconds: float,
) -> dict:  # fmt: skip
    """What anyone should know about an aligned model; measured, not claimed."""
    losses = [round(held_out_loss(m, RECIPES[recipe.start]), 4) for m in (start, model)]
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "license": "MIT",
        "chat": True,
        "parameters": count_parameters(start.config),
        "recipe": asdict(recipe),
        "start_sha256": start.card.get("sha256"),
        "training_seconds": round(seconds, 1),
        "held_out_loss": losses[1],
        "alignment": {
            "method": "DPO",
            "preferences": f"{recipe.rounds} times {recipe.pairs} pairs of the policy's own "
            f"answers, compared by a simulated rater who wants to {task.summary}",
            "weights": task.weights,
            "answers": ANSWERS,
            "kl": round(after.kl, 3),
            "true_score": [round(before.true_score, 4), round(after.true_score, 4)],
            "held_out_loss": losses,
            "answered": answered_by_kind(before, after),
            "dimensions": {
                name: [round(before.dimensions[name], 4), round(after.dimensions[name], 4)]
                for name in before.dimensions
            },
        },
    }  # fmt: skip


def answered_by_kind(before: Evaluation, after: Evaluation) -> dict[str, list[float]]:
    """For each kind of question the share that was answered rather than refused or missed."""
    shares = {}
    for kind in sorted({q.kind for q in before.questions}):
        shares[kind] = [
            round(float(np.mean([r.answered for r in readings(e.questions, e.samples)
                                 if r.question.kind == kind])), 4)
            for e in (before, after)
        ]  # fmt: skip
    return shares
