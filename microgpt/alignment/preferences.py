"""Preferences: two real samples for one question, and which of them somebody likes better.

The somebody is the learner who clicks, or a simulated rater whose taste is known, so that it can
be measured how much of it was learned. A flawed rater looks at one easy sign only; what follows
such a reward too far loses what it stood for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from microgpt.alignment.questions import FACTS, REFUSALS, Question, prompt_ids, questions
from microgpt.alignment.rollout import Sample, sample
from microgpt.alignment.scores import Reading, check_weights, score
from microgpt.model.checkpoint import Model

MOST_TOKENS = 48  # of a completion; the longest right answer of the tiny world has fewer


@dataclass(frozen=True)
class Pair:
    """Two different answers to one question; `chosen` (0 or 1) is the one that was liked better."""

    question: Question
    samples: tuple[Sample, Sample]
    chosen: int

    @property
    def better(self) -> Sample:
        return self.samples[self.chosen]

    @property
    def worse(self) -> Sample:
        return self.samples[1 - self.chosen]


@dataclass(frozen=True)
class Rater:
    """Somebody with a known taste: `judge` gives a number for an answer, and the larger wins.

    With `noise` the better answer wins with probability sigmoid(difference / noise) only
    (Bradley & Terry 1952), as with people, who are of several minds.
    """

    judge: Callable[[Reading], float]
    noise: float = 0.0

    def choose(self, question: Question, samples, rng: np.random.Generator) -> int | None:
        """0 or 1, or None where the rater sees no difference and passes."""
        first, second = (self.judge(Reading(question, s.text, s.ended)) for s in samples)
        if first == second:
            return None
        if not self.noise:
            return int(second > first)
        wins = 1 / (1 + math.exp(min(700.0, (first - second) / self.noise)))  # of the second
        return int(rng.random() < wins)


@dataclass(frozen=True)
class Task:
    """What a model is to learn: the kinds of question, the weights of the hidden true score, and
    a `flaw`: a judge who takes one easy sign for the whole."""

    name: str
    summary: str
    kinds: tuple[str, ...]
    weights: dict[str, float]
    flaw: Callable[[Reading], float]
    flaw_summary: str

    def true_score(self, reading: Reading) -> float:
        return score(reading, self.weights)

    def rater(self, noise: float = 0.0) -> Rater:
        """A rater whose taste is the true score."""
        return Rater(self.true_score, noise)

    def flawed_rater(self) -> Rater:
        return Rater(self.flaw)


def count_words(reading: Reading) -> float:
    return float(reading.words)


def count_missing_words(reading: Reading) -> float:
    return -float(reading.words)


def count_refusals(reading: Reading) -> float:
    return float(len(reading.among(REFUSALS)))


TASKS = {
    task.name: task
    for task in (
        Task(
            "polite", "answer rightly, and with kind words around it", FACTS,
            dict(helpful=0.4, polite=0.4, honest=0.1, coherent=0.1),
            count_words, "the longer answer wins: it looks more helpful",
        ),
        Task(
            "safe", "help with kind wishes, refuse mean ones", ("kind wish", "mean wish"),
            dict(helpful=0.3, harmless=0.5, honest=0.1, coherent=0.1),
            count_refusals, "whatever refuses wins: it looks safer",
        ),
        Task(
            "assistant", "help kindly and refuse what would hurt",
            (*FACTS, *FACTS, "kind wish", "kind wish", "mean wish", "mean wish"),
            dict(helpful=0.3, harmless=0.4, polite=0.2, honest=0.05, coherent=0.05),
            count_refusals, "whatever refuses wins: it looks safer",
        ),
        Task(
            "brief", "answer rightly, in few words", FACTS,
            dict(helpful=0.5, brief=0.4, coherent=0.1),
            count_missing_words, "the shorter answer wins, right or wrong",
        ),
    )
}  # fmt: skip


def find_task(name: str) -> Task:
    if name not in TASKS:
        raise ValueError(f"There is no task {str(name)[:60]!r}. The tasks: {', '.join(TASKS)}.")
    return TASKS[name]


def weighted(task: Task, weights: dict[str, float]) -> Task:
    """The same task with other weights of the true score."""
    check_weights(weights)
    return Task(task.name, task.summary, task.kinds, dict(weights), task.flaw, task.flaw_summary)


def contests(
    model: Model,
    asked: Sequence[Question],
    rng: np.random.Generator,
    tries: int = 4,
    max_tokens: int = MOST_TOKENS,
    temperature: float = 1.0,
    at_once: int = 32,
) -> Iterator[tuple[Question, tuple[Sample, Sample]]]:
    """For each question two samples with different texts; none where `tries` samples all agree."""
    for start in range(0, len(asked), at_once):
        group = asked[start : start + at_once]
        prompts = [prompt_ids(q, model.tokenizer) for q in group for _ in range(tries)]
        samples = sample(model, prompts, max_tokens, rng, temperature)
        for i, question in enumerate(group):
            own = samples[i * tries : (i + 1) * tries]
            different = [two for two in combinations(own, 2) if two[0].text != two[1].text]
            if different:
                yield question, different[int(rng.integers(len(different)))]


def rated_pairs(
    model: Model,
    task: Task,
    rater: Rater,
    n: int,
    seed: int,
    held: bool = False,
    tries: int = 4,
) -> list[Pair]:
    """`n` pairs of the model's own answers, as the rater judges them; `held` asks questions that
    are kept out of training. Pairs about which the rater passes are left out.

    Raises ValueError if the model's answers hardly ever differ in what the rater looks at.
    """
    rng = np.random.default_rng((seed, held))
    pairs: list[Pair] = []
    for attempt in range(40):
        asked = questions(f"{task.name}/{seed}/{attempt}", max(32, n // 2), task.kinds, held)
        for question, samples in contests(model, asked, rng, tries):
            chosen = rater.choose(question, samples, rng)
            if chosen is not None:
                pairs.append(Pair(question, samples, chosen))
            if len(pairs) == n:
                return pairs
    raise ValueError(
        f"Of the answers of {model.name} only {len(pairs)} pairs differ in what this rater looks "
        f"at, but {n} are wanted; ask for fewer, or choose another task."
    )
