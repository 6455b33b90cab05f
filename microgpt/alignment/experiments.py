"""Experiments that start from the same pairs, so that methods can be compared.

`run_method` is one learner's evening in a few seconds: preferences, perhaps a reward model, and a
policy trained on them. `report` repeats it over seeds and writes down what came of the hidden true
score, which none of the methods saw.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from microgpt.alignment.dpo import DPOOptions, dpo
from microgpt.alignment.grpo import GRPOOptions, grpo
from microgpt.alignment.measure import evaluate, judge
from microgpt.alignment.policy import Policy
from microgpt.alignment.ppo import PPOOptions, ppo
from microgpt.alignment.preferences import Pair, Task, find_task, rated_pairs
from microgpt.alignment.questions import prompt_ids, questions
from microgpt.alignment.reward import LengthBaseline, RewardModel, RewardOptions, train_reward
from microgpt.model.checkpoint import Model, load
from microgpt.tokens.files import write_atomically

RECORDED = Path(__file__).resolve().parents[2] / "assets" / "recorded" / "alignment.json"
PAIRS, HELD_OUT_PAIRS, PROMPTS = 200, 150, 512
METHODS = {
    "dpo": DPOOptions(steps=18),
    "grpo": GRPOOptions(steps=10),
    "ppo": PPOOptions(steps=10),
}
HACKING = PPOOptions(steps=16, beta=0.0)  # no leash
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Preferences:
    """Pairs to learn from and to check with, and a reward model that has learned from them."""

    task: Task
    seed: int
    pairs: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    reward: RewardModel

    @property
    def prompts(self) -> dict:
        """Questions to practise on, by their ids."""
        asked = questions(f"practice/{self.seed}", PROMPTS, self.task.kinds)
        return {prompt_ids(q, self.reward.model.tokenizer): q for q in asked}


def prepare(
    model: Model, task: Task, seed: int, flawed: bool = False, pairs: int = PAIRS,
    held_out: int = HELD_OUT_PAIRS, options: RewardOptions | None = None,
) -> Preferences:  # fmt: skip
    """Let the model answer, a rater compare (a `flawed` one by the task's flaw), and a reward
    model learn from it."""
    rater = task.flawed_rater() if flawed else task.rater()
    train = rated_pairs(model, task, rater, pairs, seed)
    held = rated_pairs(model, task, rater, held_out, seed, held=True)
    reward = RewardModel.fresh(model)
    for _ in train_reward(reward, train, options or RewardOptions(), np.random.default_rng(seed)):
        pass
    return Preferences(task, seed, tuple(train), tuple(held), reward)


def run_method(policy: Policy, prepared: Preferences, method: str, options=None) -> Iterator:
    """The steps of one method ("dpo", "grpo" or "ppo") on prepared preferences."""
    if method not in METHODS:
        raise ValueError(f"There is no method {str(method)[:40]!r}; use {', '.join(METHODS)}.")
    options = options or METHODS[method]
    rng = np.random.default_rng((prepared.seed, len(method)))
    if method == "dpo":
        return dpo(policy, prepared.pairs, options, rng)
    train = grpo if method == "grpo" else ppo
    return train(policy, list(prepared.prompts), prepared.reward.score, options, rng)


def hack(policy: Policy, prepared: Preferences, options: PPOOptions = HACKING) -> Iterator:
    """PPO with these options: for each step, its report and the mean true score of its samples."""
    true_score = judge(prepared.task.true_score, prepared.prompts)
    for step in run_method(policy, prepared, "ppo", options):
        yield step, float(true_score(step.samples).mean())


def compare(model: Model, task: Task, seed: int, say: Callable[[str], None]) -> dict:
    """All three methods on the same 200 pairs of one seed, measured on held-out questions."""
    prepared = prepare(model, task, seed)
    entry = {
        "seed": seed,
        "reward_accuracy": round(prepared.reward.accuracy(prepared.held_out), 4),
        "length_accuracy": round(LengthBaseline.fit(prepared.pairs).accuracy(prepared.held_out), 4),
        "before": round(evaluate(model, model, task).true_score, 4),
    }
    for method in METHODS:
        start, policy = time.process_time(), Policy.of(model)
        for _ in run_method(policy, prepared, method):
            pass
        seconds = time.process_time() - start
        after = evaluate(policy.model, model, task)
        entry[method] = {"true_score": round(after.true_score, 4), "kl": round(after.kl, 3),
                         "cpu_seconds": round(seconds, 1)}  # fmt: skip
        say(f"{task.name}, seed {seed}, {method}: true score {entry['before']:.3f} -> "
            f"{after.true_score:.3f} at KL {after.kl:.2f} nats an answer")  # fmt: skip
    return entry


def hacking(model: Model, task: Task, seed: int, say: Callable[[str], None]) -> dict:
    """A flawed rater's reward model followed without a leash, and then with one."""
    prepared, entry = prepare(model, task, seed, flawed=True), {"seed": seed}
    for name, options in (("free", HACKING), ("leashed", replace(HACKING, beta=0.5))):
        steps = [
            {"reward": round(step.reward, 4), "true_score": round(true, 4), "kl": round(step.kl, 3)}
            for step, true in hack(Policy.of(model), prepared, options)
        ]
        entry[name] = steps
        say(f"{task.name}, seed {seed}, flawed reward, {name}: reward {steps[0]['reward']:.2f} -> "
            f"{steps[-1]['reward']:.2f}, true score {steps[0]['true_score']:.3f} -> "
            f"{steps[-1]['true_score']:.3f}, KL {steps[-1]['kl']:.1f}")  # fmt: skip
    return entry


def report(
    path: Path = RECORDED, seeds=SEEDS, task: str = "polite",
    say: Callable[[str], None] = lambda line: None,
) -> dict:  # fmt: skip
    """Everything above for some seeds, written with its recipe to `path`, which is kept up to date
    as it grows."""
    model, chosen = load("tiny-chat"), find_task(task)
    data = {
        "command": "python -m microgpt align-report", "model": model.name, "task": chosen.name,
        "weights": chosen.weights, "flaw": chosen.flaw_summary, "pairs": PAIRS,
        "options": {name: asdict(options) for name, options in METHODS.items()},
        "hacking_options": asdict(HACKING), "compared": [], "hacked": [],
    }  # fmt: skip
    for seed in seeds:
        data["compared"].append(compare(model, chosen, seed, say))
        data["hacked"].append(hacking(model, chosen, seed, say))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(data, indent=1, allow_nan=False).encode())
    return data
