"""The lesson on the pronoun: what "it" can know, and where the right word is looked at. Pure."""

from dataclasses import dataclass

import numpy as np

from microgpt.insight import ablation, answers, worth
from microgpt.insight.heads import attention_weights
from microgpt.tokens.chat import BEGIN, special
from microgpt.training.parallel import single_threaded_blas
from widgets.attention_view import percentages
from widgets.components import packed

TRAITS = ("tired", "soft")
SENTENCE = "The cat sat on the mat because it was {0}. What was {0}? The"
HELD_OUT = 100  # sentences of each kind
NAMES = {"coreference_story": "cat-and-mat sentences", "coreference_job": "job sentences"}


@dataclass(frozen=True)
class Case:
    """One sentence: its tokens, what it says next, and whole percentages from "it" and from the
    last token."""

    text: str
    names: tuple[str, ...]
    says: str
    pronoun: int
    at_pronoun: np.ndarray
    at_answer: np.ndarray


@dataclass(frozen=True)
class Kind:
    """One kind of held-out sentence, and the heads that look at its right word at the answer.

    Of `n` sentences: in how many nothing gets more than the right word in the first of the heads,
    or than the token just after it there; in how many the word is first in at least one of them;
    and in how many the first head has it before the wrong word, at the answer and at the pronoun.
    Mean weights on the right word and the wrong one, at both. `whole`, `without_first` and
    `without` are the shares answered right with all heads, without the first, and without these.
    """

    name: str
    heads: tuple[tuple[int, int], ...]
    n: int
    strongest: int
    just_after: int
    in_any: int
    before: int
    early: int
    at_answer: tuple[float, float]
    at_pronoun: tuple[float, float]
    whole: float
    without_first: float
    without: float

    def named(self) -> str:
        words = [f"layer {layer + 1} head {head + 1}" for layer, head in self.heads]
        return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


@dataclass(frozen=True)
class Lesson:
    """The head that looks at the cat or the mat, what it does in two sentences, and in many."""

    layer: int
    head: int
    cases: tuple[Case, ...]
    difference: float  # the largest between the weights of both sentences up to "it", all heads
    kinds: tuple[Kind, ...]


def compute(model) -> Lesson:
    with single_threaded_blas():
        kinds = tuple(_kind(model, ability) for ability in worth.ABILITIES)
        layer, head = kinds[0].heads[0]
        cases, weights = zip(*(_case(model, t, layer, head) for t in TRAITS), strict=True)
        seen = cases[0].pronoun + 1
        first, second = (w[:, :, :seen, :seen] for w in weights)
        return Lesson(layer, head, cases, float(np.abs(first - second).max()), kinds)


def _case(model, trait: str, layer: int, head: int):
    text, tokenizer = SENTENCE.format(trait), model.tokenizer
    ids = [special(tokenizer, BEGIN), *tokenizer.encode(text)]
    weights, logits = attention_weights(model, np.array([ids]))
    pronoun = answers.find_word(tokenizer, ids, " it")
    rows = percentages(weights[0, layer, head])
    names = tuple(tokenizer.name_of(i) for i in ids)
    says = tokenizer.name_of(int(logits[0, -1].argmax()))
    case = Case(text, names, says, pronoun, rows[pronoun, : pronoun + 1], rows[-1])
    return case, weights[0]


def _kind(model, ability: str) -> Kind:
    heads = answers.answer_heads(model, ability)
    asked = answers.questions(model.tokenizer, ability, HELD_OUT)
    there, early = (answers.looks(model, asked, at) for at in ("answer", "pronoun"))
    layer, head = heads[0]
    most = there.right >= there.largest
    any_of_them = np.any([most[:, i, j] for i, j in heads], axis=0)
    means = [
        tuple(float(w[:, layer, head].mean()) for w in (seen.right, seen.wrong))
        for seen in (there, early)
    ]
    less = [ablation.without_heads(some, model.config) for some in (heads[:1], heads)]
    after = (there.after >= there.largest)[:, layer, head]
    return Kind(
        NAMES[ability], tuple(heads), len(asked), int(most[:, layer, head].sum()),
        int(after.sum()), int(any_of_them.sum()),
        *(round(seen.preferred()[layer, head] * len(asked)) for seen in (there, early)), *means,
        *(worth.sentences(model, e, (ability,)) for e in (None, *less)),
    )  # fmt: skip


def as_data(lesson: Lesson) -> dict:
    return {
        "place": [lesson.layer, lesson.head],
        "cases": [
            {
                "text": case.text,
                "names": case.names,
                "says": case.says,
                "pronoun": case.pronoun,
                "rows": {"pronoun": packed(case.at_pronoun), "answer": packed(case.at_answer)},
            }
            for case in lesson.cases
        ],
        "difference": lesson.difference,
    }


def figures(lesson: Lesson) -> str:
    """The held-out sentences as a Markdown list."""
    lines = []
    for kind in lesson.kinds:
        there, early = (f"{a:.2f} and {b:.2f}" for a, b in (kind.at_answer, kind.at_pronoun))
        layer, head = kind.heads[0]
        more = ""
        if kind.just_after:
            more = f", the token just after it in {kind.just_after}"
        if kind.heads[1:]:
            more += f", and in one of {kind.named()} in {kind.in_any}"
        left = f"without this head **{kind.without_first:.0%}**"
        if kind.heads[1:]:
            left += f", without all {len(kind.heads)} of them **{kind.without:.0%}**"
        lines.append(
            f"- **{kind.n} {kind.name}**, at the answer: in layer {layer + 1} head {head + 1} the "
            f"right word gets more than any other token in **{kind.strongest} of {kind.n}**{more}; "
            f"it is ahead of the wrong one in {kind.before} (mean weights {there}). At the "
            f"pronoun: ahead in {kind.early} of {kind.n} ({early}). Answered right: "
            f"{kind.whole:.0%}; {left}."
        )
    return "\n".join(lines)


def in_words(lesson: Lesson) -> str:
    """The text twin of the two pictures."""
    parts = []
    for case in lesson.cases:
        early, late = int(case.at_pronoun.argmax()), int(case.at_answer.argmax())
        parts.append(
            f"“{case.text}”: at “it” the head takes most from “{case.names[early]}” "
            f"({case.at_pronoun[early]} %), at the last token from “{case.names[late]}” "
            f"({case.at_answer[late]} %), and the model says “{case.says}”."
        )
    return " ".join(parts)
