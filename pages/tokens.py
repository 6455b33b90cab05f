"""Chapter 8: Tokens and embeddings."""

import streamlit as st

from microgpt.autograd import ops
from microgpt.insight import embeddings
from microgpt.tokens import bpe
from widgets import chapter, engine
from widgets import tokens_page as say
from widgets.embeddings_arithmetic import arithmetic, scores
from widgets.embeddings_map import explore, table_of
from widgets.embeddings_senses import two_senses
from widgets.positions_learning import who_was_bitten
from widgets.positions_order import dog_bites_man
from widgets.positions_rope import clocks
from widgets.positions_schemes import four_ways
from widgets.tokens_splits import other_pieces
from widgets.tokens_text import side_by_side
from widgets.tokens_training import compare, encode_a_word, train_your_own


@st.fragment
def pieces() -> None:
    cuts = side_by_side()
    chapter.explain(
        "Each chip is a [[token]]; the small number is its id, and the id is all the model ever "
        "sees. Point at a chip: in the other rows the chips of the same [[byte|bytes]] light up. "
        "Characters and bytes need no learning, but many pieces. The others are learned: what is "
        "frequent is one piece. A space belongs to the word after it, and what a "
        "[[tokenizer]] has rarely seen, other alphabets or emoji, falls into bytes."
    )
    chapter.explain(say.quoted(cuts))
    chapter.mark("reported", where="the nine ids", source="overview articles", year=2026)


@st.fragment
def odd_pieces(model) -> None:
    chapter.explain(
        "Models can be poor at spelling and at sums, and the cuts have a part in it. "
        "*Schwarzenegger* arrives as a few ids; its letters are in none of them. Numbers:\n\n"
        + say.numbers_table()
    )
    chapter.explain(
        "With up to three digits a token, cut from the left, the token `123` is worth "
        f"**{say.worth('12345'):,}** in 12345 and **{say.worth('123456'):,}** in 123456: the "
        "columns of a sum no longer line up. That is why tiny-base has a token for each digit."
    )
    chapter.mark("computed", by="microgpt.tokens.patterns")
    chapter.explain(
        "How much do the pieces matter? Here is one text, cut with the model's first merges only. "
        "The bytes are the same each time, and every piece is a token the model has."
    )
    readings = other_pieces(model)
    if readings:
        first, last = readings[0], readings[-1]
        chapter.explain(
            f"In its usual pieces the text costs :loss[**{last.bits:.2f}**] bits a byte, in bytes "
            f":loss[**{first.bits:.2f}**]. Guessing among 256 bytes without reading anything would "
            "cost 8. The model does not read letters: it knows its pieces, and is lost in others."
        )


@st.fragment
def own_tokenizer() -> None:
    run = train_your_own()
    if run is None:
        return
    chapter.explain(say.checked_in_words(run, compare(run)))
    chapter.mark("computed", by="microgpt and tiktoken", where="the same merges in both")
    st.subheader("A word, encoded", anchor=False)
    chapter.explain(
        "Encoding needs no counts. Start from the bytes; among all pairs that were learned take "
        "the one with the **lowest rank**, the oldest; merge; look again. The number between two "
        "pieces is the rank of their pair."
    )
    if encode_a_word(run):
        chapter.explain(say.spaces_in_words(run.tokenizer, st.session_state["tokens_word"]))


@st.fragment
def table(model) -> None:
    shown = explore(model)
    chapter.explain(say.map_in_words(shown, model))


@st.fragment
def sums(model) -> None:
    arithmetic(model)
    family, opposites = scores(model)
    chapter.explain(
        "Does it always work? Asked for every two pairs of *king : queen, man : woman, he : she* "
        f"and their like, {model.name} is right in **{family.right} of {family.asked}**. Asked the "
        f"same of opposites, *big : small, hot : cold*, in **{opposites.right} of "
        f"{opposites.asked}**. Some relations are directions in this table. Most are not."
    )
    chapter.mark("measured", by=model.name, where="all pairs that are single tokens")


@st.fragment
def senses(model) -> None:
    measured = two_senses(model)
    if measured:
        chapter.explain(say.senses_in_words(*measured))


@st.fragment
def orders(model) -> None:
    dog_bites_man(model)


@st.fragment
def rotation(model) -> None:
    found = clocks(model)
    if found:
        chapter.explain(say.clocks_in_words(found))


def positions(model) -> None:
    chapter.heading("Where does a token stand?")
    chapter.explain(
        "A row of the table says *what*, never *where*. Attention, in the next chapter, compares "
        "every token with every other, and a comparison has no order. So the place has to be told."
    )
    known = say.answers(model.name, model.card.get("sha256", ""))
    if chapter.predict(say.order_question(known.orders)):
        orders(model)
        chapter.explain(
            "Only with positions **and** mask gone is a sentence a bag. Then every layer adds up "
            "the same numbers, and *dog bites man* is *man bites dog*. This model was trained with "
            "positions, so switching them off also hurts it. Fair is to train without from the "
            "start:"
        )
        st.fragment(who_was_bitten)()
    st.subheader("Four ways to say it", anchor=False)
    st.fragment(four_ways)(model)
    st.subheader("RoPE: turn the clocks", anchor=False)
    chapter.explain(
        "Drag a hand, or move a slider. Every clock is a pair of numbers of a real "
        ":query[query] ■ and a real :key[key] ●; a step later in the text, each hand has turned. "
        "The number under a clock is its share of the score."
    )
    rotation(model)


def code(model) -> None:
    chapter.heading("Read the code")
    chapter.read_code(bpe.train_steps, focus=("ranking", "merged"), ran="readable")
    chapter.read_code(bpe.encode_steps, focus="known", opened=False)
    chapter.read_code(embeddings.principal_axes, focus="axes", opened=False)
    chapter.read_code(
        embeddings.neighbors, focus="likeness", live={"table": table_of(model)}, opened=False
    )
    chapter.read_code(ops.rotate, focus="return", opened=False)
    chapter.read_code(ops.masked_scores, focus="return", opened=False)


def check(model) -> None:
    known = say.answers(model.name, model.card.get("sha256", ""))
    config = model.config
    chapter.check(
        chapter.Number(
            f"{model.name} has {len(table_of(model)):,} rows of {config.width} numbers. How many "
            "numbers is the table?",
            answer=known.numbers, tolerance=0,
            explain=f"{len(table_of(model)):,} × {config.width} = **{known.numbers:,}**.",
        ),
        chapter.Choice(
            "A word was never in the text that a byte-level tokenizer learned from. What happens "
            "to it?",
            ["It becomes one token for unknown words", "It becomes several tokens",
             "The text is refused"],
            answer=1,
            explain="The 256 bytes are tokens too, so there is nothing that cannot be spelled. A "
            "new word takes more pieces, at the worst one for each byte.",
        ),
        chapter.Number(
            "ALiBi lowers a score by slope times distance. With 8 heads the steepest slope is 1/2. "
            "By how much does it lower a score at a distance of 6?",
            answer=say.alibi_answer, tolerance=0.001, explain="½ · 6 = **3**.",
        ),
        chapter.Choice(
            "The rows of the table are learned. In one step of training a token does not occur in "
            "the batch, and the table is not used anywhere else. What is the gradient of its row?",
            ["Zero", "The mean of all other rows' gradients", "That of its nearest neighbor"],
            answer=0, earlier="backpropagation",
            explain="No path leads from that row to the loss, so nothing flows back to it. In our "
            "models the table is also the output head, and there every row takes part.",
        ),
    )  # fmt: skip


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("GPT-2", "50,257 tokens: 256 bytes, 50,000 merges and one that ends a "
                         "text; 1,024 learned positions", "Radford et al.", 2019),
        chapter.Reported("GPT-4, GPT-4o", "about 100,000 and 200,000 tokens (cl100k_base, "
                         "o200k_base)", "OpenAI, tiktoken", 2024),
        chapter.Reported("Llama 3", "128,256 tokens; rows of 4,096 numbers at 8 B, 16,384 at "
                         "405 B; RoPE", "Llama Team, Meta", 2024),
        chapter.Reported("BLOOM", "ALiBi, and 250,680 tokens for 46 languages",
                         "BigScience Workshop", 2022),
    )  # fmt: skip


def main() -> None:
    chapter.begin("tokens")
    chapter.question(
        "How does a sentence become numbers that a machine can learn from?",
        "A network learns numbers from numbers, said the last chapter. Text is not numbers. Cut "
        "it into pieces, number the pieces, and give every piece a row of numbers that can be "
        "learned: that is all. Type a text.",
    )
    pieces()
    chapter.heading("Learn the pieces from a text")
    chapter.explain(
        "Where do the pieces come from? Nobody wrote them down. Begin with bytes, find the pair of "
        "neighbors that stands most often in the text, make it a new token, and do it again: "
        "[[byte-pair encoding]]. Merges never cross the gap between two words."
    )
    own_tokenizer()
    chapter.heading("A row for every token")
    model = say.choose_model()
    engine.wait()
    if model is None:
        chapter.read_code(bpe.train_steps, focus=("ranking", "merged"), ran="readable")
        chapter.check(chapter.Number("ALiBi, 8 heads: by how much does the steepest lower a score "
                                     "at a distance of 6?", say.alibi_answer, 0.001, "½ · 6 = 3."))
        return
    chapter.explain(
        f"An id is only a name. What the model works with is the id's row in a table, its "
        f"[[embedding]]: here {model.config.width} numbers, learned like every other weight. "
        "Find a token, or point at the map."
    )
    table(model)
    chapter.heading("Sums with words")
    chapter.explain(
        "If *queen* differs from *king* as *woman* from *man*, then king − man + woman should end "
        "near queen. Sometimes it does."
    )
    sums(model)
    chapter.heading("One word, two senses")
    chapter.explain(
        "A word has one row, whatever it means. Whether a *bank* holds water or money has to come "
        "from the words around it."
    )
    senses(model)
    chapter.heading("What the wrong pieces do")
    odd_pieces(model)
    positions(model)
    code(model)
    check(model)
    real_models()


main()
chapter.end()
