"""What the page on tokens says beside its pictures: sentences with live numbers, and answers."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.model.positions import alibi_slopes
from microgpt.tokens.bpe import Tokenizer
from microgpt.tokens.patterns import split
from widgets import chapter, engine, prose, tokens_tiktoken
from widgets.embeddings_map import Shown, names_of, table_of
from widgets.embeddings_senses import Baseline, Compared
from widgets.positions_order import ONE, OTHER, SAME, Orders, measure
from widgets.positions_rope import Clocks, score_at
from widgets.tokens_text import Cut
from widgets.tokens_training import Check, Run

NUMBERS = ("12345", "123456", "1234567")


def choose_model():
    """The model whose table and layers the page looks at; None, with a sentence, without one."""
    names = engine.dense_models()
    if not names:
        st.warning("There is no trained model here yet. `python -m microgpt train tiny-base` "
                   "makes one; then the rest of this page comes to life.")  # fmt: skip
        return None
    if st.session_state.get("tokens_model", names[0]) not in names:
        del st.session_state["tokens_model"]
    first = names.index("tiny-base") if "tiny-base" in names else 0
    name = st.selectbox("Model", names, index=first, key="tokens_model", width=280,
                        persist_state="session", bind="query-params")  # fmt: skip
    return engine.model(name)


def quoted(cuts: list[Cut]) -> str:
    """Whether the ids that are quoted for GPT-4's tokenizer are those computed here."""
    loaded = tokens_tiktoken.load("cl100k_base")
    ids = ", ".join(map(str, tokens_tiktoken.QUOTED_IDS))
    said = (f"For “{tokens_tiktoken.QUOTED}” nine ids are reported under cl100k_base: {ids}. ")
    if loaded.encoding is None:
        return said + "The vocabulary is not here, so nobody has checked that on this computer."
    found = loaded.encoding.encode_ordinary(tokens_tiktoken.QUOTED)
    if found == tokens_tiktoken.QUOTED_IDS:
        return said + "Computed here, just now: **the same nine**."
    return said + f"Computed here: {found}. **They differ.**"


def numbers_table() -> str:
    """Markdown: how two rules cut numbers, by the engine's own scanner."""
    rows = ["| Number | a token for each digit (tiny-base) | up to three digits (GPT-4's rule) |",
            "|--:|:--|:--|"]  # fmt: skip
    for number in NUMBERS:
        cells = [" ".join(f"`{piece}`" for piece in split(number, rule))
                 for rule in ("digits", "gpt4")]  # fmt: skip
        rows.append(f"| {number} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def worth(number: str) -> int:
    """What the first token of a number is worth there, under the rule of three digits."""
    first = split(number, "gpt4")[0]
    return int(first) * 10 ** (len(number) - len(first))


def checked_in_words(run: Run, check: Check) -> str:
    """Our tokenizer beside tiktoken's, in a sentence."""
    if check.same is None:
        return "tiktoken can't be asked here, so this run was not compared with it."
    verdict = "**the very same ids**" if check.same else "**other ids**, which is a fault of ours"
    return (
        f"Is it right? These {len(run.steps)} merges were also given to tiktoken, OpenAI's own "
        f"library. It cuts your corpus into {check.tokens:,} tokens, {verdict}."
    )


def spaces_in_words(tokenizer: Tokenizer, word: str) -> str:
    """What a space before a word changes, for the tokenizer just trained."""
    word = word.strip() or "slowest"
    bare, spaced = (
        [prose.literal(tokenizer.name_of(i)) for i in tokenizer.encode(text)]
        for text in (word, f" {word}")
    )
    return (
        f"A space belongs to the word after it. *{prose.literal(word)}* alone is {len(bare)} "
        f"{_tokens(len(bare))} ({', '.join(bare)}); with a space before it, {len(spaced)} "
        f"{_tokens(len(spaced))} ({', '.join(spaced)})."
    )


def _tokens(count: int) -> str:
    return "token" if count == 1 else "tokens"


def map_in_words(shown: Shown, model) -> str:
    drawn = shown.map
    if drawn.purity is not None:
        return (
            f"Nobody told the model what an animal is. Yet of the {len(drawn.tokens)} words on "
            f"this map **{100 * drawn.purity:.0f} %** have their nearest neighbor in their own "
            f"group, in all {model.config.width} directions; by chance it would be "
            f"{100 * drawn.chance:.0f} %. The map shows the two in which the rows "
            f"differ most; they hold only **{100 * drawn.shares.sum():.0f} %** of the differences, "
            "so two points that touch need not be alike."
        )
    order, names = np.argsort(drawn.places[:, 0], kind="stable"), names_of(model)
    left, right = (
        ", ".join(prose.literal(names[drawn.tokens[i]]) for i in end)
        for end in (order[:5], order[::-1][:5])
    )
    return (
        f"The first direction alone holds **{100 * drawn.shares[0]:.0f} %** of all differences. At "
        f"its left end stand {left}; at its right end {right}. Which of them does the model read "
        "all the time, and which hardly ever?"
    )


def senses_in_words(found: Compared, base: Baseline | None) -> str:
    word = prose.literal(found.word)
    if found.same_before:
        return (
            f"Up to *{word}* both sentences are the same tokens, and the model reads from left to "
            "right: what comes later cannot change what stands before. The two vectors are the "
            "same **in every layer**. A cue that stands after the word can only change the vectors "
            "of later tokens."
        )
    lowest = int(found.likeness.argmin())
    text = (
        f"Before the first layer it is one row of the table, the same in both: cosine "
        f"**{found.likeness[0]:.3f}**. The layers mix in the words before it, and after layer "
        f"{lowest} the two are down to **{found.likeness[lowest]:.3f}**."
    )
    if base is not None:
        gap = int((base.within - base.across).argmax())
        text += (
            " Other words around it always change a vector, so compare the averages: after layer "
            f"{gap} it is {base.within[gap]:.3f} when the sense is the same and "
            f"{base.across[gap]:.3f} when it is not. The sense accounts for that gap, not for all "
            "of the way."
        )
    return text


def clocks_in_words(found: Clocks) -> str:
    distance = found.at[0] - found.at[1]
    return (
        f"In the text they stand {distance} apart, and the score is "
        f":probability[**{score_at(found, distance):.3f}**]. Press *Both one later*: all hands "
        "turn, the score stays, for each hand of the :query[query] turned as far as that of the "
        f":key[key]. Over all positions the score of a distance varies by {found.spread:.0e}, "
        "which is rounding. Fast clocks tell neighbors apart; slow ones hardly move and carry what "
        "should not depend on the place."
    ).replace("e-0", "e−").replace("[**-", "[**−")


@dataclass(frozen=True)
class Answers:
    """What the questions at the end need, worked out on a real model."""

    orders: Orders  # without positions
    row: np.ndarray  # one row of the table, for its shape
    numbers: int  # in the table


@st.cache_resource(max_entries=8, show_spinner=False)
def answers(name: str, sha256: str) -> Answers:
    table = table_of(engine.load(name))
    return Answers(measure(name, sha256, ONE, OTHER, "none", True), table[0], table.size)


def parts_at(found: Orders) -> int:
    """The first layer after which two orders differ; 0 where they never do."""
    differing = [i for i, d in enumerate(found.chosen.distance) if d >= SAME]
    return differing[0] if differing else 0


def order_question(found: Orders) -> chapter.Choice:
    """The one prediction of the page; which answer is right is measured."""
    steps = ", ".join(f"{d:.3f}" for d in found.chosen.distance)
    parts = parts_at(found)
    why = (
        f"Measured, layer by layer: {steps}. One layer sees the same bag whichever way it stands. "
        "But in it each token looked only at those before it, so *man* after *dog* already holds "
        "something else than *man* at the start, and the next layer finds that."
    )
    return chapter.Choice(
        "Take a trained model and switch its positions off. Can it still tell *the dog bites the "
        "man* from *the man bites the dog*?",
        ["No: to it they are the same bag of words", "Yes, but not in its first layer",
         "Yes, from the first layer on"],
        answer={0: 0, 1: 2}.get(parts, 1),
        explain=why,
    )  # fmt: skip


def alibi_answer() -> float:
    """By how much ALiBi's steepest of 8 heads lowers a score at distance 6."""
    return float(alibi_slopes(8)[0] * 6)
