"""Chapter 12: Sampling."""

import numpy as np
import streamlit as st

from microgpt.decoding import generate, sampling
from microgpt.decoding.chi_square import chi_square
from microgpt.decoding.sampling import Sampling
from widgets import chapter, fetch_card, prose, sampling_text
from widgets import sampling as show


def main() -> None:
    chapter.begin("sampling")
    chapter.question(
        "The model gives a probability to every token. Which one does it say?",
        "The [[transformer]] ends with one [[score]] for every [[token]] it knows, and says "
        "nothing. Somebody must choose. That choice is called [[sampling]], and here it is yours.",
    )
    here = show.desk()
    fetch_card.offer()
    if here is None:
        return
    guess = predict(here)
    settings = play(here, guess is not None)
    tree(here)
    facts(here)
    code(here, settings)
    check(here)
    real_models()


@st.fragment
def play(here, revealed: bool) -> Sampling:
    """All that follows the knobs, so that a knob makes the server draw no more than this."""
    settings = stages(here, revealed)
    seed = draw(here, settings)
    show.write_address(here, settings, seed)
    texts(here, settings, seed)
    usual(here, seed)
    return settings


def predict(here):
    plain = [sampling.entropy(sampling.distribution(here.scores, Sampling(temperature=t)))
             for t in (1.0, 2.0)]  # fmt: skip
    numbers = f"For this prompt it goes from **{plain[0]:.2f}** to **{plain[1]:.2f}** bits."
    guess = chapter.predict(chapter.Choice(
        "You turn the [[temperature]] up from 1 to 2. What happens to the [[entropy]], the "
        "uncertainty about which token will be drawn?",
        ["It falls: a hot model is surer of itself",
         "It stays: no token overtakes another",
         "It rises: the chances move closer together"],
        answer=2,
        explain=[
            f"Heat shrinks the gaps between the scores, so the favorite loses its lead. {numbers}",
            "The order does stay, but entropy is about how far apart the chances are, and they "
            f"move together. {numbers}",
            f"Every gap between two scores is halved, so the favorite loses its lead. {numbers}",
        ],
    ))  # fmt: skip
    if guess:
        show.entropy_chart(here)
    return guess


def stages(here, revealed: bool) -> Sampling:
    chapter.heading("From scores to chances")
    settings = show.stages(here, revealed)
    heated = sampling.distribution(
        here.scores, Sampling(settings.temperature, 0, 1.0, 0.0, settings.repetition_penalty),
        here.ids,
    )  # fmt: skip
    final = sampling.distribution(here.scores, settings, here.ids)
    best = int(np.argmax(final))
    stays = float(heated[final > 0].sum())
    chapter.explain(
        "Move a knob and follow one row from left to right. The marks are scores; only the gaps "
        "between them count, and the [[temperature]] stretches or squeezes those. [[Softmax]] "
        "makes :probability[chances] of them. Then the unlikely are cut: by rank ([[top-k]]), by "
        "what the better ones already hold ([[top-p]]), or beside the best ([[min-p]]). Right now "
        f"the tokens that stay hold **{100 * stays:.1f} %**, so each is divided by that: "
        f"`{_name(here, best)}` goes from {100 * heated[best]:.1f} % to "
        f":probability[**{100 * final[best]:.1f} %**]."
    )
    return settings


def draw(here, settings) -> int:
    chapter.heading("The draw")
    chapter.explain(
        "Chances are not yet a choice. Lay them end to end on a ruler from 0 to 1 and throw one "
        "random number *u* at it: where it falls, that [[token]] is said. *u* is the only "
        "randomness there is; the same [[seed]] throws the same *u*. Leave it where it is and "
        "move the temperature: the ruler changes under it."
    )
    return show.draw(here, settings)


def texts(here, settings, seed) -> None:
    chapter.heading("One prompt, many texts")
    chapter.explain(
        "A text is this draw again and again: what was drawn becomes part of the [[prompt]]. All "
        "six start from your prompt and your seed; only the settings differ, and the last text "
        "begins with the token that the first draw above gives. The thicker the :loss[line] under "
        "a token, the more it surprised the model itself."
    )
    sampling_text.side_by_side(here, settings, seed)


def usual(here, seed) -> None:
    chapter.heading("Settings for the work at hand")
    chapter.explain(
        "Where one answer is right, people cut and cool. Where many are welcome, they heat, and "
        "cut only the nonsense. What that means for **your** prompt, measured:"
    )
    sampling_text.usual_settings(here, seed)


def tree(here) -> None:
    chapter.heading("The tree it walks through")
    sampling_text.tree(here)
    chapter.explain(
        "Chances along a path are multiplied, so even a likely text is rare. Taking the best "
        "token each time is [[greedy decoding]]; it need not find the likeliest path, because a "
        "modest token can open the way to a sure one. Open the branches and look."
    )


def facts(here) -> None:
    chapter.heading("A likely answer can be wrong")
    chapter.explain(
        "Sampling must say something, whether or not there is anything to know. "
        + sampling_text.views.places_in_words(here.model)
    )
    rows = sampling_text.missing_facts(here)
    chapter.explain(
        sampling_text.views.answers_in_words([
            {**row, "place": prose.literal(row["place"]), "answer": prose.literal(row["answer"])}
            for row in rows
        ])
        + " That is a [[hallucination]]: not a lie and not a bug in the draw, but the likeliest "
        "continuation of a sentence that begins like a fact."
    )  # fmt: skip


def code(here, settings) -> None:
    chapter.heading("Read the code")
    last = sampling.stages(here.scores, settings, here.ids)[-1]
    live = {"logits": last.logits}
    chapter.read_code(sampling.filters, focus="logits", live=live)
    chapter.read_code(
        sampling.draw, focus="drawn", live={"probabilities": last.probabilities}, opened=False
    )
    chapter.read_code(chi_square, focus="statistic", opened=False)
    chapter.read_code(generate.continuations, focus="likely", opened=False)


def check(here) -> None:
    prompt, scores = show.opening_scores(here.model)
    plain = sampling.distribution(scores, Sampling())
    order = np.argsort(-plain, kind="stable")
    two = sampling.distribution(scores, Sampling(top_k=2))
    first, second = (f"`{_name(here, i)}` {100 * plain[i]:.1f} %" for i in order[:2])
    pair = np.array([1.0, 0.0])
    odds = [sampling.distribution(pair, Sampling(temperature=t)) for t in (1.0, 0.5)]
    chapter.check(
        chapter.Number(
            f"After “{prose.literal(prompt)}”, uncut and at temperature 1, the two best tokens "
            f"are {first} and {second}. What is the chance of the first after [[top-k]] with "
            "k = 2?",
            answer=100 * float(two[order[0]]), tolerance=0.6, unit="%",
            explain="Divide it by the sum of both: "
            f"{100 * plain[order[0]]:.1f} ÷ {100 * plain[order[:2]].sum():.1f} = "
            f"**{100 * two[order[0]]:.1f} %**.",
        ),
        chapter.Number(
            "One token's score is 1 above another's, which makes it "
            f"{odds[0][0] / odds[0][1]:.2f} times as likely. How many times as likely is it at "
            "temperature 0.5?",
            answer=float(odds[1][0] / odds[1][1]), tolerance=0.06,
            explain="Dividing by 0.5 makes the gap 2, and e² = "
            f"**{odds[1][0] / odds[1][1]:.2f}**: the odds are squared.",
        ),
        chapter.Choice(
            "You set the temperature to 0 and press the button twice, with two different seeds. "
            "What do you get?",
            ["Two different texts", "The same text twice", "An error: nothing divides by 0"],
            answer=1,
            explain=[
                "The seed only decides where *u* falls. At temperature 0 one token holds the "
                "whole ruler, so every *u* falls on it.",
                "At temperature 0 the best token holds the whole ruler; every *u* falls on it. "
                "Nothing is divided: it is defined as taking the best.",
                "It would be a division by 0, so it is defined otherwise: take the best score. "
                "The seed no longer matters.",
            ],
        ),
        chapter.Choice(
            "Somebody adds 5 to every score of the model. What happens to the bars after the "
            "[[softmax]], at temperature 1 and with nothing cut?",
            ["Nothing", "They all grow", "The best one gains"],
            answer=0,
            explain="Only gaps count: e⁵ multiplies every term and the sum alike, and cancels. "
            "The engine uses this: it subtracts the highest score before it takes e to anything.",
        ),
    )  # fmt: skip


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("GPT-2", "samples shown uncut, with temperature 0.7, and with top-k 40",
                         "OpenAI, gpt-2 repository", 2019),
        chapter.Reported("Llama 3", "temperature 0.6 and top-p 0.9 unless you say otherwise",
                         "Meta, llama3 repository", 2024),
        chapter.Reported("GPT (API)", "temperature from 0 to 2, or top-p; the maker advises to "
                         "change one of the two, not both", "OpenAI, API reference", 2023),
        chapter.Reported("Claude (API)", "temperature from 0 to 1, 1 unless you say otherwise; "
                         "even 0 is not fully repeatable", "Anthropic, API reference", 2024),
    )  # fmt: skip


def _name(here, token: int) -> str:
    return here.names[token].replace("`", "ˋ")


main()
chapter.end()
