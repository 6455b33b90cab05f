"""What the chapter on alignment trains: runs as generators of small moments, one `Result` last.

Pure: no screen. Every run takes copies; the models it starts from stay as they are. A run can be
paused between any two moments.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from microgpt.alignment import sft
from microgpt.alignment.experiments import METHODS, Preferences, run_method
from microgpt.alignment.grpo import GRPOOptions, grpo
from microgpt.alignment.measure import judge
from microgpt.alignment.policy import Policy
from microgpt.alignment.ppo import PPOOptions
from microgpt.alignment.preferences import Pair, Task, find_task, rated_pairs, weighted
from microgpt.alignment.questions import prompt_ids, questions
from microgpt.alignment.reward import LengthBaseline, RewardModel, RewardOptions, train_reward
from microgpt.alignment.scores import score
from microgpt.model.checkpoint import Model
from microgpt.training.lora import LoRA
from widgets.teaching_measure import (
    ASKED,
    SHOWN,
    before,
    first_wrong,
    held_out,
    kept,
    losses,
    measure,
    untuned,
    usable,
)

TUNING = replace(sft.OPTIONS, steps=40, micro=1)  # one at a time: a server has little memory
LORA_TUNING = replace(TUNING, rate=3e-3)
ADAPTER = LoRA(rank=8)
EVERY = 8  # steps of fine-tuning between two looks at what it says
LIVE = RewardOptions(steps=6, batch=8, rate=3e-4)  # on clicks: within two seconds of the last
HELPED = RewardOptions()
RATED = 200  # pairs, when a simulated rater clicks the rest
HELD = 60  # more of its pairs, that nothing is trained on
CHUNK = 20  # pairs between two words about how many there are
HACK_PAIRS = 100
HACK_REWARD = RewardOptions(steps=20)
HACKING = PPOOptions(steps=12, rows=48)
LEASHES = {"free": 0.0, "leashed": 0.5, "careful": 0.05}  # what a nat costs in each variant
WEIGHED = GRPOOptions(steps=8)  # on the scores themselves


@dataclass(frozen=True)
class Moment:
    """After a step: numbers by name, and what the model says then, where it was asked. A moment
    with a `note` only tells what is being prepared."""

    step: int
    numbers: dict[str, float]
    says: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """What is left of a run: its settings and measurements, plain values both, the models it made
    by name, with weights in half precision, and the reward it followed."""

    about: dict
    measured: dict
    models: dict[str, Model] = field(default_factory=dict, repr=False)
    reward: RewardModel | None = field(default=None, repr=False)


# Supervised fine-tuning ----------------------------------------------------------------------


def fine_tune(base: Model, kind: str, seed: int = 1, asked: int = ASKED) -> Iterator:
    """Fine-tune all weights ("full") or corrections ("lora"), and look at it as it learns."""
    if kind not in ("full", "lora"):
        raise ValueError(f"Fine-tuning is 'full' or 'lora', not {kind!r}.")
    lora, options = (ADAPTER, LORA_TUNING) if kind == "lora" else (None, TUNING)
    tuning = sft.FineTuning.of(base, options, lora, seed)
    questions_, watched = held_out(asked), first_wrong(base, asked)
    yield Moment(0, {}, sft.answer(base, watched)[0])
    for step in tuning.steps():
        look = step.step % EVERY == 0
        text = sft.answer(tuning.model, watched)[0] if look else ""
        yield Moment(step.step, {"loss": step.loss, "seconds": tuning.state.seconds}, text)
    model = kept(tuning.model, f"yours, {kind}")
    ready = usable(model)
    yield Result(
        {"kind": kind, "steps": options.steps, "rate": options.rate, "question": watched.text},
        {
            "answered": sft.answered(ready, questions_),
            "asked": len(questions_),
            "trained": tuning.trained_weights,
            "seconds": tuning.state.seconds,
            "loss": step.loss,
            "losses": losses(ready),
            "says": [sft.answer(ready, q)[0] for q in questions_[:SHOWN]],
            "before": untuned(base, asked),
        },
        {model.name: model},
    )


# A reward model ------------------------------------------------------------------------------


def learn_taste(
    chat: Model, train: Sequence[Pair], held: Sequence[Pair], about: dict, seed: int = 1
) -> Iterator:
    """A reward model from clicks, judged on clicks that were kept back."""
    yield from _fit(chat, list(train), list(held), LIVE, about, seed)


def learn_with_help(
    chat: Model, task: Task, clicks: Sequence[Pair], held: Sequence[Pair], about: dict,
    pairs: int = RATED, seed: int = 1,
) -> Iterator:  # fmt: skip
    """The same after a simulated rater has clicked the rest: `pairs` in all, and a judgement on
    others of its pairs too."""
    rest = yield from _rate(chat, task, task.rater(), max(1, pairs - len(clicks)), seed)
    others = yield from _rate(chat, task, task.rater(), HELD, seed, held=True)
    fit = _fit(chat, [*clicks, *rest], list(held), HELPED, about, seed)
    for event in fit:
        if isinstance(event, Result):
            both = {
                "rated_held": len(others),
                "rated_accuracy": event.reward.accuracy(others),
                "rated_length": event.measured["baseline"].accuracy(others),
            }
            event = replace(event, measured=event.measured | both)
        yield event


def _rate(chat, task, rater, n: int, seed: int, held: bool = False) -> Iterator:
    """Pairs that a rater clicks, told a few at a time; the generator's value is the list."""
    pairs: list[Pair] = []
    kept_back = ", which are kept back" if held else ""
    while len(pairs) < n:
        yield Moment(0, {}, note=f"The model answers, the simulated rater clicks: {len(pairs)} "
                     f"of {n} pairs{kept_back} ...")  # fmt: skip
        some = min(CHUNK, n - len(pairs))
        pairs += rated_pairs(chat, task, rater, some, 1000 * seed + len(pairs), held)
    return pairs


def _fit(chat, train, held, options, about, seed) -> Iterator:
    reward, began = RewardModel.fresh(chat), time.perf_counter()
    for step in train_reward(reward, train, options, np.random.default_rng(seed)):
        yield Moment(step.step, {"loss": step.loss, "accuracy": step.accuracy})
    baseline = LengthBaseline.fit(train)
    measured = {
        "clicks": len(train),
        "held": len(held),
        "trained_accuracy": reward.accuracy(train),
        "accuracy": reward.accuracy(held) if held else None,
        "length": baseline.accuracy(held) if held else None,
        "baseline": baseline,
        "seconds": time.perf_counter() - began,
    }
    yield Result({**about, "pairs": tuple(train)}, measured, {}, reward)


# Policies ------------------------------------------------------------------------------------

SHOW = {  # what a report of each method is drawn from
    "ppo": ("reward", "kl", "value", "explained", "entropy", "length"),
    "grpo": ("reward", "kl", "flat", "length"),
    "dpo": ("loss", "margin", "accuracy", "better", "worse"),
}


def numbers_of(method: str, report) -> dict[str, float]:
    """The report's numbers as a moment keeps them; of the minibatches the first and the mean."""
    numbers = {name: float(getattr(report, name)) for name in SHOW[method]}
    if method != "dpo":
        numbers["ratio_first"] = report.ratio[0]
        numbers["clipped_first"] = report.clipped[0]
        numbers["clipped"] = float(np.mean(report.clipped))
    return numbers


def improve(
    chat: Model, prepared: Preferences, method: str, options=None, about: dict | None = None,
    name: str | None = None,
) -> Iterator:  # fmt: skip
    """Train a policy with one method, then measure it."""
    policy, began = Policy.of(chat), time.perf_counter()
    options = options or METHODS[method]
    true = judge(prepared.task.true_score, prepared.prompts) if method != "dpo" else None
    for report in run_method(policy, prepared, method, options):
        numbers = numbers_of(method, report)
        if true:
            numbers["true"] = float(true(report.samples).mean())
        yield Moment(report.step, numbers)
    seconds = time.perf_counter() - began
    model = kept(policy.model, name or f"yours, {method.upper()}")
    measured = measure(usable(model), chat, prepared.task, prepared.reward)
    measured["before"] = before(chat, prepared.task.name)
    about = {"method": method, "steps": options.steps, "beta": options.beta,
             "taste": prepared.task.name, **(about or {})}  # fmt: skip
    yield Result(about, {**measured, "seconds": seconds}, {model.name: model})


def hack(chat: Model, variant: str, seed: int = 1, options: PPOOptions = HACKING) -> Iterator:
    """A reward that counts words, followed without a leash ("free") and with a short one
    ("leashed"), and a reward from a rater who reads, with the usual leash ("careful")."""
    if variant not in LEASHES:
        raise ValueError(f"There is no run {variant!r}; use {', '.join(LEASHES)}.")
    task, flawed = find_task("polite"), variant != "careful"
    rater = task.flawed_rater() if flawed else task.rater()
    pairs = yield from _rate(chat, task, rater, HACK_PAIRS, seed)
    reward = RewardModel.fresh(chat)
    for step in train_reward(reward, pairs, HACK_REWARD, np.random.default_rng(seed)):
        yield Moment(0, {}, note="The reward model learns from them: step "
                     f"{step.step} of {HACK_REWARD.steps} ...")  # fmt: skip
    prepared = Preferences(task, seed, tuple(pairs), (), reward)
    options = replace(options, beta=LEASHES[variant])
    about = {"variant": variant, "seed": seed}
    yield from improve(chat, prepared, "ppo", options, about, f"yours, {variant}")


def follow_weights(
    chat: Model, weights: dict[str, float], seed: int = 1, options: GRPOOptions | None = None
) -> Iterator:
    """GRPO with the weighted scores themselves for a reward: no rater, no reward model."""
    task, options = weighted(find_task("assistant"), weights), options or WEIGHED
    asked = questions(f"practice/{seed}", 512, task.kinds)
    prompts = {prompt_ids(q, chat.tokenizer): q for q in asked}
    reward = judge(lambda reading: score(reading, task.weights), prompts)
    policy, began = Policy.of(chat), time.perf_counter()
    for report in grpo(policy, list(prompts), reward, options, np.random.default_rng(seed)):
        yield Moment(report.step, numbers_of("grpo", report))
    seconds = time.perf_counter() - began
    model = kept(policy.model, "yours, weights")
    measured = measure(usable(model), chat, task, None)
    measured["before"] = before(chat, "assistant")
    about = {"method": "grpo", "weights": dict(weights), "steps": options.steps}
    yield Result(about, {**measured, "seconds": seconds}, {model.name: model})


def moments_of(events) -> list[Moment]:
    """The steps among the events."""
    return [e for e in list(events) if isinstance(e, Moment) and not e.note]


def result_of(events) -> Result | None:
    """The result, once there is one."""
    last = list(events)[-1:] or [None]
    return last[0] if isinstance(last[0], Result) else None


def compare(
    chat: Model, prepared: Preferences, methods: Sequence[str] = ("dpo", "grpo")
) -> Iterator:
    """Several methods one after another on the same pairs; the last event holds all results."""
    results = {}
    for method in methods:
        for event in improve(chat, prepared, method):
            if isinstance(event, Result):
                results[method] = event
            else:
                yield replace(event, says=method)
    yield Result(
        {"methods": tuple(methods), "taste": prepared.task.name},
        {m: {**r.about, **r.measured} for m, r in results.items()},
        {name: model for r in results.values() for name, model in r.models.items()},
    )
