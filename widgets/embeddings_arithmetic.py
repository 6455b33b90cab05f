"""Adding and subtracting words: a − b + c, and how often the answer is the one hoped for."""

from dataclasses import dataclass

import streamlit as st

from microgpt.insight import embeddings, words
from widgets import chapter, engine, prose
from widgets.embeddings_map import names_of, table_of

PRESETS = (
    ("king", "man", "woman"),
    ("he", "his", "her"),
    ("boy", "man", "woman"),
    ("big", "small", "hot"),
    ("red", "blue", "sad"),
)
COUNT = 6


@dataclass(frozen=True)
class Sum:
    """The rows nearest to a − b + c, the three left out, and the nearest of all with them in."""

    tokens: tuple[int, int, int]
    nearest: tuple[tuple[str, float], ...]
    with_inputs: str  # the nearest row when none is left out


@dataclass(frozen=True)
class Score:
    """Right answers among all that the pairs allow."""

    name: str
    right: int
    asked: int


def compute(model, terms: tuple[str, str, str]) -> Sum:
    """ValueError in a sentence for a word that is not one token."""
    found = []
    for word in terms:
        token = words.single_token(model.tokenizer, word.strip()) if word.strip() else None
        if token is None:
            raise ValueError(
                f"“{word.strip()[:40]}” is not one token for {model.name}, so it has no row of its "
                "own. Take a word that the map above can find."
            )
        found.append(token)
    a, b, c = found
    names, table = names_of(model), table_of(model)[: model.tokenizer.vocab_size]
    best, likeness = embeddings.analogy(table, a, b, c, COUNT)
    first, _ = embeddings.neighbors(table, table[a] - table[b] + table[c], 1)
    pairs = zip(best, likeness, strict=True)
    return Sum((a, b, c), tuple((names[i], float(x)) for i, x in pairs), names[first[0]])


def scores(model) -> tuple[Score, Score]:
    """How often it works, for two kinds of pairs."""
    return _scores(model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=8, show_spinner=False)
def _scores(name: str, sha256: str) -> tuple[Score, Score]:
    model = engine.load(name)
    table = table_of(model)[: model.tokenizer.vocab_size]
    found = []
    for kind, pairs in (("man and woman", words.GENDER), ("opposites", words.OPPOSITES)):
        turned = [pair[::-1] for pair in pairs]  # king to queen, then all of them queen to king
        both = [words.analogy_score(table, model.tokenizer, one) for one in (pairs, turned)]
        found.append(Score(kind, *map(sum, zip(*both, strict=True))))
    return tuple(found)


def in_words(terms, found: Sum) -> str:
    near = ", ".join(f"{prose.literal(name)} {x:.2f}" for name, x in found.nearest)
    a, b, c = (prose.literal(term) for term in terms)
    return (
        f"{a} − {b} + {c}. Nearest, the three themselves left out, with falling cosine: {near}. "
        f"With them it would be {prose.literal(found.with_inputs)}."
    ).replace(" -", " −")


def arithmetic(model) -> None:
    """Draw the three boxes and the nearest rows."""
    for i, word in enumerate(PRESETS[0]):
        st.session_state.setdefault(f"tokens_term_{i}", word)
    labels = ("Take", "minus", "plus")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        terms = tuple(
            st.text_input(label, key=f"tokens_term_{i}", max_chars=60, width=180,
                          persist_state="session")
            for i, label in enumerate(labels)
        )  # fmt: skip
    with st.container(horizontal=True, gap="small", key="tokens_sums"):
        for preset in PRESETS:
            st.button("{} − {} + {}".format(*preset), key="tokens_sum_" + "_".join(preset),
                      on_click=_take, args=(preset,))  # fmt: skip
    try:
        found = compute(model, terms)
    except ValueError as problem:
        st.warning(prose.literal(str(problem)))
        return
    rows = ["| Nearest row | Cosine |", "|---|--:|"]
    rows += [f"| {prose.literal(name)} | {x:.2f} |".replace("-", "−") for name, x in found.nearest]
    chapter.explain("\n".join(rows))
    chapter.mark("computed", by=model.name, where="the three words themselves left out")
    chapter.text_twin(in_words(terms, found))


def _take(preset: tuple[str, str, str]) -> None:
    for i, word in enumerate(preset):
        st.session_state[f"tokens_term_{i}"] = word
