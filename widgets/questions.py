"""Questions: one prediction to commit to, and a few to check yourself, graded at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from widgets import book, prose


@dataclass(frozen=True)
class Choice:
    """One right answer among several. `explain` is one text, or one for each option."""

    text: str
    options: Sequence[str]
    answer: int
    explain: str | Sequence[str]
    earlier: str | None = None  # the slug of the chapter this question comes back from

    def __post_init__(self):
        if not 0 <= self.answer < len(self.options):
            raise ValueError(
                f"Answer {self.answer} of {self.text!r} is not one of its "
                f"{len(self.options)} options, counted from 0."
            )
        if not isinstance(self.explain, str) and len(self.explain) != len(self.options):
            raise ValueError(f"{self.text!r} needs one explanation, or one for each option.")

    def ask(self, key: str):
        return st.radio(
            prose.inline(self.text),
            range(len(self.options)),
            index=None,
            format_func=lambda i: prose.inline(self.options[i]),
            key=key,
            persist_state="session",
        )

    def true(self) -> int:
        return self.answer

    def right(self, given: int) -> bool:
        return given == self.answer

    def shown(self, given: int) -> str:
        return self.options[given]

    def why(self, given: int) -> str:
        return self.explain if isinstance(self.explain, str) else self.explain[given]


@dataclass(frozen=True)
class Number:
    """A number graded by what the engine computes: right within `tolerance` of the answer.

    `answer` may be a function without arguments; it is called when there is something to grade.
    """

    text: str
    answer: float | Callable[[], float]
    tolerance: float
    explain: str
    unit: str = ""
    earlier: str | None = None

    def __post_init__(self):
        if not self.tolerance >= 0:
            raise ValueError(f"The tolerance of {self.text!r} is {self.tolerance}; give 0 or more.")

    def ask(self, key: str):
        label = prose.inline(self.text) + (f" ({self.unit})" if self.unit else "")
        return st.number_input(
            label,
            value=None,
            step=None,
            format="%.6g",
            key=key,
            width=320,
            placeholder="a number, then Enter",
            persist_state="session",
        )

    def true(self) -> float:
        answer = float(self.answer() if callable(self.answer) else self.answer)
        if not math.isfinite(answer):
            raise ValueError(f"The answer of {self.text!r} is {answer}, which nobody can type.")
        return answer

    def right(self, given: float) -> bool:
        return abs(given - self.true()) <= self.tolerance

    def shown(self, given: float) -> str:
        return f"{given:.6g} {self.unit}".strip()

    def why(self, given: float) -> str:
        return self.explain


@dataclass(frozen=True)
class Prediction:
    """What the reader committed to: the index of an option or a number; None: not guessed."""

    value: int | float | None
    right: bool


def predict(slug: str, question: Choice | Number) -> Prediction | None:
    """Ask before the reveal; None until the reader commits or asks to be shown."""
    memory = f"{slug}:prediction"
    with st.container(key="predict"):
        st.markdown(":small[:gray[Predict]]")
        if memory not in st.session_state:
            given = question.ask(f"{slug}:guess")
            with st.container(horizontal=True):
                st.button(
                    "Commit",
                    type="primary",
                    disabled=given is None,
                    on_click=_remember,
                    args=(memory, f"{slug}:guess"),
                )
                st.button(
                    "I have no idea: show me", type="tertiary", on_click=_remember, args=(memory,)
                )
            return None
        given = st.session_state[memory]
        st.markdown(prose.inline(question.text))
        right = given is not None and question.right(given)
        _verdict(question, given, right, reveal=True)
    return Prediction(given, right)


def check(slug: str, questions: Sequence[Choice | Number], score: Callable) -> None:
    """2 to 4 questions, each graded as soon as it is answered, then the score."""
    if not 1 <= len(questions) <= 6:
        raise ValueError(f"A chapter asks 2 to 4 questions; this one asks {len(questions)}.")
    _check(slug, tuple(questions), score)


@st.fragment
def _check(slug: str, questions: Sequence[Choice | Number], score: Callable) -> None:
    answered = {}
    for i, question in enumerate(questions):
        with st.container(key=f"question_{i}"):
            if question.earlier:
                st.markdown(f":small[:gray[From {book.find(question.earlier).title}]]")
            given = question.ask(f"{slug}:question:{i}")
            if given is not None:
                answered[str(i)] = question.right(given)
                _verdict(question, given, answered[str(i)], reveal=False)
    score(slug, len(questions), answered)


def _verdict(question: Choice | Number, given, right: bool, reveal: bool) -> None:
    """Right or not, why, and, if it is to be revealed, what was said and what is true."""
    if given is None:
        words = ["Here it is."]
    else:
        words = [":material/check: **Right.**" if right else ":material/close: **Not this.**"]
    if reveal and not right:
        words += [] if given is None else [f"You said: {question.shown(given)}."]
        words.append(f"It is: {question.shown(question.true())}.")
    words.append(question.why(question.true() if given is None else given))
    prose.explain(" ".join(words))


def _remember(memory: str, key: str | None = None) -> None:
    st.session_state[memory] = None if key is None else st.session_state[key]
