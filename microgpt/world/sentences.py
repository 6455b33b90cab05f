"""Short texts about who is who: pronouns, word order, words with two senses.

Each kind has one function that draws a case (`held` says from which side of the split) and one
that writes the document. A case is a prompt and its answer; the document is both.
"""

from microgpt.world.dice import held_out
from microgpt.world.document import END, Piece, given, plain
from microgpt.world.lexicon import (
    ANIMALS,
    BOYS,
    FEELINGS,
    GIRLS,
    IS_GIRL,
    JOBS,
    LIFELESS,
    LIVING,
    NAMES,
    OBJECTS,
    PLACES,
    SENSES,
    SITS,
    THINGS,
)

_JOBS = tuple(JOBS)
_PLACES = tuple(PLACES)
# verb now, verb done to somebody
DEEDS = (
    ("bites", "bitten"), ("sees", "seen"), ("follows", "followed"), ("helps", "helped"),
    ("calls", "called"), ("hears", "heard"), ("finds", "found"), ("pushes", "pushed"),
)
DOERS = ("man", "woman", "boy", "girl", "king", "queen", *ANIMALS[:14])


def is_held_sentence(animal, thing, trait):
    """The split of these sentences; the cat, the mat, "tired" and "soft" are held out."""
    return held_out("trait", animal, thing, trait)


def coreference_story(dice, held):  # -> prompt, answer, wrong answer
    """'The cat sat on the mat because it was tired. What was tired?' -> 'The cat.'"""
    while True:
        animal, thing = dice.pick(ANIMALS), dice.pick(OBJECTS)
        living = dice.chance(0.5)
        trait = dice.pick(LIVING if living else LIFELESS)
        if is_held_sentence(animal, thing, trait) == held:
            break
    text = f"The {animal} {dice.pick(SITS)} the {thing} because it was {trait}. What was {trait}?"
    right, wrong = (animal, thing) if living else (thing, animal)
    return text, f" The {right}.", f" The {wrong}."


def _woman_and_man(dice, held):
    while True:
        girl, boy = dice.pick(GIRLS), dice.pick(BOYS)
        if held_out("names", girl, boy) == held:
            return girl, boy


def coreference_job(dice, held):  # -> given, prompt, answer, wrong answer
    """'Ann is a cook and Tom is a pilot. She works at the' -> 'restaurant.'"""
    girl, boy = _woman_and_man(dice, held)
    her_job, his_job = dice.some(_JOBS, 2)
    clauses = [f"{girl} is a {her_job}", f"{boy} is a {his_job}"]
    if dice.chance(0.5):
        clauses.reverse()
    right, wrong, pronoun = her_job, his_job, "She"
    if dice.chance(0.5):
        right, wrong, pronoun = his_job, her_job, "He"
    prompt = f" {pronoun} works at the"
    return f"{' and '.join(clauses)}.", prompt, f" {JOBS[right]}.", f" {JOBS[wrong]}."


def gender(dice, held):  # -> given, prompt, answer, wrong answer
    """'Ann and Tom went to the park. She was sad and he was calm. Who was calm?' -> 'Tom.'"""
    girl, boy = _woman_and_man(dice, held)
    first, second = (girl, boy) if dice.chance(0.5) else (boy, girl)
    her_mood, his_mood = dice.some(FEELINGS, 2)
    moods = f"She was {her_mood} and he was {his_mood}."
    if dice.chance(0.5):
        moods = f"He was {his_mood} and she was {her_mood}."
    text = f"{first} and {second} went to the {dice.pick(_PLACES)}. {moods}"
    if dice.chance(0.5):
        return text, f" Who was {her_mood}?", f" {girl}.", f" {boy}."
    return text, f" Who was {his_mood}?", f" {boy}.", f" {girl}."


def word_order(dice, held):  # -> prompt, answer, wrong answer
    """'Dog bites man. Who is bitten?' -> 'The man.'"""
    while True:
        (now, done), (doer, other) = dice.pick(DEEDS), dice.some(DOERS, 2)
        if held_out("deed by whom", doer, now, other) == held:
            break
    text = f"{doer.capitalize()} {now} {other}."
    if dice.chance(0.4):
        text = f"The {doer} {now} the {other}."
    if dice.chance(0.5):
        return f"{text} Who {now}?", f" The {doer}.", f" The {other}."
    return f"{text} Who is {done}?", f" The {other}.", f" The {doer}."


def sense(dice, held):  # -> prompt, answer, wrong answer
    """'Tom put the money in the bank. Here bank means' -> 'a house for money.'"""
    word = dice.pick(_SENSE_WORDS)
    which = dice.below(2)
    meaning, *contexts = SENSES[word][which]
    context = contexts[-1] if held else dice.pick(contexts[:-1])
    text = f"{context.format(name=dice.pick(NAMES))} Here {word} means"
    return text, f" {meaning}.", f" {SENSES[word][1 - which][0]}."


_SENSE_WORDS = tuple(SENSES)


def he_or_she(dice):
    """Sentences that teach which names are she and which are he."""
    name = dice.pick(NAMES)
    she, her, child = ("She", "her", "girl") if name in IS_GIRL else ("He", "his", "boy")
    job, form = dice.pick(_JOBS), dice.below(6)
    if form == 0:
        return f"{name} is a {child}."
    if form == 1:
        return f"{name} lost {her} {dice.pick(THINGS)}. {she} was {dice.pick(FEELINGS)}."
    if form == 2:
        return f"{name} is a {job}. {she} has a {dice.pick(THINGS)}."
    if form == 3:
        return f"{name} went home. {she} was {dice.pick(FEELINGS)} and {her} mother was glad."
    return f"{name} is a {job}. {she} works at the {JOBS[job]}."


def coreference_story_document(dice):
    text, answer, _ = coreference_story(dice, held=False)
    return plain(text + answer)


def coreference_job_document(dice):
    text, prompt, answer, _ = coreference_job(dice, held=False)
    return given(text), Piece(prompt + answer + END)


def gender_document(dice):
    text, prompt, answer, _ = gender(dice, held=False)
    return given(text), Piece(prompt + answer + END)


def word_order_document(dice):
    text, answer, _ = word_order(dice, held=False)
    return plain(text + answer)


def sense_document(dice):
    text, answer, _ = sense(dice, held=False)
    return plain(text + answer)


def he_or_she_document(dice):
    return plain(he_or_she(dice))
