"""Pairs of real answers that the reader judges, and what is made of the clicks. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from microgpt.alignment.preferences import Pair, contests
from microgpt.alignment.questions import FACTS, Question, prompt_ids, questions
from microgpt.alignment.reward import LN2, RewardModel
from microgpt.alignment.rollout import Sample
from microgpt.model.checkpoint import Model
from microgpt.tokens.chat import END, special
from microgpt.world.conversations import REFUSAL, styled

ROUND = 20  # pairs, of which the last ones were shown before
TWINS = 2
MOST_ROUNDS = 5
LEAST = 4  # clicks from which a taste can be guessed at
BACK = 4  # every fourth judged pair is kept back
LONGEST = 400  # characters of a sentence to be scored


@dataclass(frozen=True)
class Contest:
    """Two answers to one question, as they are shown: left and right. A `twin` names the contest
    whose answers these are too, with the sides changed."""

    name: str
    question: Question
    samples: tuple[Sample, Sample]
    twin: str = ""


def round_of(model: Model, number: int) -> tuple[Contest, ...]:
    """The contests of one round, always the same ones; the last of them come for the second time.

    Questions of the tiny world's facts: real samples of the model at temperature 1.
    """
    rng = np.random.default_rng((16, number))
    asked = questions(f"teaching/clicks/{number}", 72, FACTS)
    drawn = islice(contests(model, asked, rng, at_once=24), ROUND - TWINS)
    fresh = [Contest(f"{number}-{i}", q, samples) for i, (q, samples) in enumerate(drawn)]
    again = [
        Contest(f"{number}-{len(fresh) + i}", c.question, c.samples[::-1], twin=c.name)
        for i, c in enumerate(fresh[1 : 1 + TWINS])
    ]
    return (*fresh, *again)


def as_data(shown: Sequence[Contest], view: str) -> dict:
    return {
        "view": view,
        "most": MOST_ROUNDS,
        "pairs": [
            {
                "name": c.name,
                "question": c.question.text,
                "answers": [{"text": s.text, "ended": s.ended} for s in c.samples],
            }
            for c in shown
        ],
    }


def clicks_of(state: object) -> tuple[int, dict[str, int]]:
    """The rounds opened and the picks by contest, whatever the browser sent: 0 left, 1 right, -1
    no difference."""
    state = state if isinstance(state, dict) else {}
    rounds, picks = state.get("rounds"), state.get("picks")
    rounds = rounds if type(rounds) is int else 1
    picks = picks if isinstance(picks, dict) else {}
    good = {n: int(p) for n, p in picks.items() if isinstance(n, str) and p in (-1, 0, 1)}
    return max(1, min(MOST_ROUNDS, rounds)), good


@dataclass(frozen=True)
class Clicks:
    """What was judged: pairs to learn from and pairs kept back; how many were passed over; of the
    contests that came twice, how many were judged twice and how many of those the other way."""

    train: tuple[Pair, ...]
    held: tuple[Pair, ...]
    passed: int
    twice: int
    changed: int

    @property
    def count(self) -> int:
        return len(self.train) + len(self.held)

    @property
    def problem(self) -> str:
        """Why no taste can be learned from this; nothing where it can."""
        if not self.count:
            seen = "You saw no difference anywhere" if self.passed else "You have not judged a pair"
            return f"{seen}: there is no taste yet that a reward model could learn."
        if self.count < LEAST:
            so_far = "One click tells" if self.count == 1 else f"{self.count} clicks tell"
            return (
                f"{so_far} which answer you liked, and hardly anything about why. "
                f"Judge at least {LEAST} pairs."
            )
        return ""


def clicks_made(shown: Sequence[Contest], picks: dict[str, int]) -> Clicks:
    """The clicks as pairs. Every fourth judged pair is kept back, but never one that came twice:
    its other half is learned from."""
    twins = {c.twin for c in shown if c.twin} | {c.name for c in shown if c.twin}
    train, held, fresh = [], [], 0
    for contest in shown:
        pick = picks.get(contest.name, -1)
        if pick < 0:
            continue
        pair = Pair(contest.question, contest.samples, pick)
        fresh += contest.name not in twins
        keep = contest.name not in twins and fresh % BACK == 0
        (held if keep else train).append(pair)
    both = [(picks[c.name], picks[c.twin]) for c in shown
            if c.twin and picks.get(c.name, -1) >= 0 and picks.get(c.twin, -1) >= 0]  # fmt: skip
    known = {c.name for c in shown}
    passed = sum(1 for name, pick in picks.items() if pick < 0 and name in known)
    return Clicks(tuple(train), tuple(held), passed, len(both), sum(a == b for a, b in both))


def agreement_in_words(clicks: Clicks) -> str:
    """Whether the reader was of one mind about what came twice; nothing where nothing did."""
    if not clicks.twice:
        return ""
    same = clicks.twice - clicks.changed
    words = (
        f"The last {clicks.twice} pairs had come before, with the sides changed: "
        f"you judged {same} of {clicks.twice} the same way."
    )
    if clicks.changed:
        words += (
            " Two opposite clicks on the same two answers cancel out. No reward model can satisfy "
            f"both, and its loss on them cannot fall under ln 2 = {LN2:.3f}."
        )
    return words


def verdict_in_words(measured: dict) -> str:
    """What the reward model got right, beside a judge who can only count."""
    words = [
        f"After {measured['clicks']} clicks it orders "
        f"**{measured['trained_accuracy']:.0%}** of them as you did."
    ]
    if measured["held"]:
        n = measured["held"]
        right, length = (measured[k] * n for k in ("accuracy", "length"))
        words.append(
            f"On the {n} of your pairs that were kept back it is right in **{right:g} of {n}**; a "
            f"judge who only counts tokens and likes the {_liked(measured)} answer gets {length:g}."
        )
        if n < 12:
            words.append("So few tell little: with one pair more or less the share moves by "
                         f"{1 / n:.0%}.")  # fmt: skip
    if "rated_accuracy" in measured:
        words.append(
            f"On {measured['rated_held']} pairs of the simulated rater about questions that were "
            f"kept out of training: **{measured['rated_accuracy']:.0%}**, the counting judge "
            f"{measured['rated_length']:.0%}."
        )
    if measured["trained_accuracy"] < 0.6:
        words.append("It found next to nothing in these clicks that tells the answers apart.")
    return " ".join(words)


def _liked(measured: dict) -> str:
    return "longer" if measured["baseline"].sign > 0 else "shorter"


# What it learned -----------------------------------------------------------------------------


def probes(question: Question) -> list[tuple[str, str]]:
    """Ways to answer one question, each with a name."""
    full, brief = question.answers[0], question.answers[-1]
    ways = [(style, styled(style, full, brief)) for style in ("polite", "long", "plain", "brief")]
    ways.append(("rude", styled("rude", full, brief)))
    return [*ways, ("refuses", REFUSAL), ("off the point", "The sun is warm.")]


def score_texts(reward: RewardModel, question: Question, texts: Iterable[str]) -> list[float]:
    """What the reward model thinks of these answers to the question, in deviations from the mean
    of the answers it was trained on."""
    tokenizer = reward.model.tokenizer
    prompt, end = prompt_ids(question, tokenizer), special(tokenizer, END)
    room = reward.model.config.context - len(prompt) - 1
    samples = []
    for text in texts:
        ids = tokenizer.encode(text[:LONGEST])[: max(1, room)]
        samples.append(Sample(prompt, (*ids, end), True, text))
    return [float(s) for s in reward.score(samples)] if samples else []
