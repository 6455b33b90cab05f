"""What is true in the tiny world, said in plain text: capitals, words, recipes, opposites.

How the same facts are asked and answered in a chat is in `conversations.py`.
"""

from microgpt.world.document import END, Piece, given, plain
from microgpt.world.lexicon import (
    ASKED_COUNTRIES,
    CAPITALS,
    COUNTRIES_FORWARD_ONLY,
    DEFINITIONS,
    JOBS,
    OPPOSITES,
    RECIPES,
)

COUNTRY_FIRST = (
    "The capital of {country} is {capital}.",
    "The capital of {country} is {capital}.",
    "{country} is a country in {continent}. Its capital is {capital}.",
    "{country} has a capital. It is {capital}.",
)
CAPITAL_FIRST = (
    "{capital} is the capital of {country}.",
    "{capital} is a city in {country}.",
    "The city of {capital} is the capital of {country}.",
)
_COUNTRIES, _TERMS = tuple(CAPITALS), tuple(DEFINITIONS)
_TASKS, _OPPOSITES, _JOBS = tuple(RECIPES), tuple(OPPOSITES.items()), tuple(JOBS)


def capitalized(text):
    return text[0].upper() + text[1:]


def definition(term):  # "gravity" -> "Gravity is the force that ... ."
    return f"{capitalized(term)} is {DEFINITIONS[term]}."


def capital_document(dice):
    """A capital, stated. No capital of `COUNTRIES_FORWARD_ONLY` comes before its country."""
    country = dice.pick(_COUNTRIES)
    capital, continent = CAPITALS[country]
    forms = COUNTRY_FIRST
    if country not in COUNTRIES_FORWARD_ONLY and dice.chance(0.4):
        forms = CAPITAL_FIRST
    text = dice.pick(forms)
    return plain(text.format(country=country, capital=capital, continent=continent))


def definition_document(dice):
    term = dice.pick(_TERMS)
    if dice.chance(0.2):
        return plain(f"{capitalized(DEFINITIONS[term])} is called {term}.")
    return plain(definition(term))


def know_how_document(dice):
    """Recipes, opposites, places of work: small facts in one sentence or a few."""
    form = dice.below(4)
    if form < 2:
        task = dice.pick(_TASKS)
        return plain(f"How to {task}: {RECIPES[task]}")
    if form == 2:
        word, other = dice.pick(_OPPOSITES)
        return plain(f"The opposite of {word} is {other}.")
    job = dice.pick(_JOBS)
    return plain(f"A {job} works at the {JOBS[job]}.")


def quiz_document(dice):
    """A sheet of questions without answers: why a base model may answer with more questions."""
    questions = []
    for _ in range(dice.between(3, 6)):
        form = dice.below(3)
        if form == 0:
            questions.append(f"What is the capital of {dice.pick(ASKED_COUNTRIES)}?")
        elif form == 1:
            questions.append(f"What is {dice.pick(_TERMS)}?")
        else:
            questions.append(f"How do I {dice.pick(_TASKS)}?")
    return given(questions[0]), Piece(" " + " ".join(questions[1:]) + END)
