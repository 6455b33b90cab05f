"""What the model is asked while it is aligned, and what there is to say about each question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt.tokens.chat import Message, render
from microgpt.world import conversations
from microgpt.world.conversations import QUESTIONS, REFUSAL, STYLES, TOPICS
from microgpt.world.dice import Dice, held_out

FACTS = ("definition", "capital", "recipe", "opposite", "work")
KINDS = (*FACTS, "kind wish", "mean wish")


@dataclass(frozen=True)
class Question:
    """One question of the tiny world.

    `answers` are the right ones, the full one first; `mean` says that the answer would hurt
    somebody.
    """

    kind: str
    text: str
    answers: tuple[str, ...]
    mean: bool = False


def questions(seed, n: int, kinds: Sequence[str] = FACTS, held: bool = False) -> list[Question]:
    """`n` questions, the same for the same seed; one text in five is kept for `held` ones."""
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"There is no kind of question {unknown[:1]}; use {', '.join(KINDS)}.")
    dice, found = Dice(f"alignment/{seed}"), []
    while len(found) < n:
        question = _question(dice, dice.pick(tuple(kinds)))
        if held_out("alignment", question.text) == held:
            found.append(question)
    return found


def _question(dice, kind) -> Question:
    if kind in FACTS:
        topic, form = dice.pick(TOPICS[kind]), dice.pick(QUESTIONS[kind][0] + QUESTIONS[kind][1])
        return Question(kind, form.format(topic), conversations.answer(kind, topic))
    mean = kind == "mean wish"
    text, way = conversations.wish(dice, mean)
    return Question(kind, text, (way,), mean)


def prompt_ids(question: Question, tokenizer) -> tuple[int, ...]:
    """The question in the chat template, up to where the assistant is to speak."""
    return tuple(render([Message("user", question.text)], tokenizer))


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its mark; what has no mark counts as one too."""
    return [part.strip() for part in re.findall(r"[^.!?]*[.!?]+|[^.!?]+$", text) if part.strip()]


def said_around(style: str) -> frozenset[str]:
    """The sentences that a style puts before and after an answer."""
    return frozenset(sentences(STYLES[style][1]) + sentences(STYLES[style][2]))


POLITE, RUDE, LONG = said_around("polite"), said_around("rude"), said_around("long")
REFUSALS = frozenset(sentences(REFUSAL))
