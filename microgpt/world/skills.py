"""What can only be done by looking back at the prompt: sums, lists, copies, passages.

The random part of each text is given, not learned: predicting it is impossible, and a loss on it
would only be noise. A fresh list, sequence or passage belongs to the probes when the hash of its
whole text says so; a sum when the hash of its two numbers does.
"""

import re

from microgpt.world.dice import held_out
from microgpt.world.document import (
    ASSISTANT,
    CALCULATE,
    END,
    TOOL,
    USER,
    Piece,
    given,
    message,
)
from microgpt.world.lexicon import (
    ANIMALS,
    ANY_WORDS,
    COLORS,
    DEFINITIONS,
    FOODS,
    KEYS,
    NAMES,
    PLACES,
    THINGS,
    VALUES,
)
from microgpt.world.plots import PLOTS

_PLACES = tuple(PLACES)


# Sums ----------------------------------------------------------------------------------------

def _number(dice):
    digits = dice.pick((1, 2, 3, 3, 3))
    return dice.between(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def is_held_sum(a, sign, b):
    """The split of all sums, written or done by the calculator; 457+268 is held out."""
    return held_out("sum", a, sign, b)


def addends(dice, held, digits=None):
    """Two numbers to add: of up to three digits, or of exactly `digits` digits."""
    while True:
        if digits is None:
            a, b = _number(dice), _number(dice)
        else:
            low, high = 10 ** (digits - 1), 10**digits - 1
            a, b = dice.between(low, high), dice.between(low, high)
        if is_held_sum(a, "+", b) == held:
            return a, b


def addition_steps(a, b):  # 457, 268 -> "7+8+0=15, 5+6+1=12, 4+2+1=07. So 725."
    """Column by column from the right: digit + digit + carry = new carry, then digit."""
    steps, carry = [], 0
    top, bottom = str(a), str(b)
    width = max(len(top), len(bottom))
    for x, y in zip(top.zfill(width)[::-1], bottom.zfill(width)[::-1], strict=True):
        total = int(x) + int(y) + carry
        steps.append(f"{x}+{y}+{carry}={total:02d}")
        carry = total // 10
    return f"{', '.join(steps)}. So {a + b}."


def sum_document(dice):
    """One sum in eight is written straight away, the others with every step.

    With as many of either, straight sums come out right too in the end, long after the others.
    """
    a, b = addends(dice, held=False)
    if dice.chance(0.125):
        return Piece("sum "), given(f"{a}+{b}"), Piece(f"={a + b}.{END}")
    return Piece("steps "), given(f"{a}+{b}"), Piece(f": {addition_steps(a, b)}{END}")


# Lists of keys and values --------------------------------------------------------------------

def key_value_list(dice, held, pairs, separator=":", words=None):
    """A fresh list of `pairs` keys with words or digits as values -> text, keys, values."""
    while True:
        keys = dice.some(KEYS, pairs)
        if dice.chance(0.5) if words is None else words:
            values = dice.some(VALUES, pairs)
        else:
            values = [str(dice.below(10)) for _ in keys]
        pairs_told = zip(keys, values, strict=True)
        text = ", ".join(f"{key}{separator} {value}" for key, value in pairs_told) + "."
        if held_out(text, one_in=20) == held:
            return text, keys, values


def recall_document(dice):
    """'red: 4, moon: 7. moon? 7 red? 4', or the same without signs: '... moon 7. red 4.'"""
    pairs = dice.between(2, 12)
    if dice.chance(0.5):
        text, keys, values = key_value_list(dice, False, pairs)
        ask, answer = " {}?", " {}"
    else:
        text, keys, values = key_value_list(dice, False, pairs, separator="")
        ask, answer = " {}", " {}."
    pieces = [given(text)]
    for i in dice.some(range(pairs), min(pairs, 6)):
        pieces += given(ask.format(keys[i])), Piece(answer.format(values[i]))
    return *pieces, Piece(END)


# Copies --------------------------------------------------------------------------------------

STORY_WORDS = tuple(sorted(set(re.findall(
    r"(?<![{\w])[a-z]{2,}(?![\w}])",  # not the slots, which stand in braces
    " ".join([*DEFINITIONS.values(), *(s for plot in PLOTS for step in plot.steps for s in step)]),
))))  # fmt: skip


def random_sequence(dice, held, length=None, numbers=None):
    """A fresh sequence of different words, 6 to 30 of them; some have numbers among the words.

    Half are of the words of the lists, half of any that the stories and definitions use: what is
    to be learned is copying, not these words.
    """
    while True:
        pool = ANY_WORDS if dice.chance(0.5) else STORY_WORDS
        words = dice.some(pool, length or dice.between(6, 30))
        if dice.chance(0.15) if numbers is None else numbers:
            for i in range(0, len(words), 3):
                words[i] = str(dice.below(1000))
        text = " ".join(words)
        if held_out(text, one_in=20) == held:
            return text


def copy_document(dice):
    """A random sequence again and again: nothing but looking back can predict the repeats."""
    text = random_sequence(dice, held=False)
    words = text.count(" ") + 1
    times = 2 if words < 16 else 1
    first = text.index(" ")  # the repeat begins by chance; from its second word on it is sure
    return (given(text + " " + text[:first]),
            Piece(text[first:] + (" " + text) * (times - 1) + END))


# Passages ------------------------------------------------------------------------------------

_FACTS = (
    (_PLACES, "{name} went to the {it}.", "Where did {name} go?"),
    (FOODS, "{name} ate some {it}.", "What did {name} eat?"),
    (COLORS, "{name} has a {it} coat.", "What color is the coat of {name}?"),
    (tuple(a for a in ANIMALS if a[0] not in "aeiou"), "{name} has a {it}.",
     "Which animal does {name} have?"),
    (THINGS, "{name} lost a {it}.", "What did {name} lose?"),
)


def fresh_passage(dice, held, sentences=None):
    """A passage of 2 to 7 sentences about different people -> text, (statement, question) each."""
    while True:
        names = dice.some(NAMES, sentences or dice.between(2, 7))
        facts = []
        for name in names:
            values, statement, question = dice.pick(_FACTS)
            it = dice.pick(values)
            facts.append((statement.format(name=name, it=it), question.format(name=name)))
        text = " ".join(statement for statement, _ in facts)
        if held_out(text, one_in=20) == held:
            return text, facts


def passage(dice, held, sentences=None, asked=None):
    """A fresh passage with one question -> text, question, answer.

    `asked` is the index of the sentence that holds the answer (by default any).
    """
    text, facts = fresh_passage(dice, held, sentences)
    answer, question = facts[dice.below(len(facts)) if asked is None else asked]
    return text, question, answer


def passage_document(dice):
    """A passage and up to four questions about it: one reading, many answers to learn from."""
    text, facts = fresh_passage(dice, held=False)
    pieces, before = [], f"{text} "
    for i in dice.some(range(len(facts)), min(len(facts), 4)):
        answer, question = facts[i]
        pieces += [Piece(USER), given(f"{before}{question}{END}"),
                   Piece(message(ASSISTANT, answer))]
        before = ""
    return tuple(pieces)


# The calculator ------------------------------------------------------------------------------

CALCULATIONS = {  # sign -> how it is asked
    "+": ("What is {a}+{b}?", "What is {a} plus {b}?", "How much is {a} and {b}?"),
    "-": ("What is {a}-{b}?", "What is {a} minus {b}?"),
    "*": ("What is {a}*{b}?", "What is {a} times {b}?"),
}
_SIGNS = ("+", "+", "-", "*", "*")


def calculation(dice, held):  # -> question, expression, result
    """A question for the calculator. No result is negative."""
    while True:
        sign = dice.pick(_SIGNS)
        a, b = _number(dice), _number(dice)
        if sign == "-" and a < b:
            a, b = b, a
        if sign == "*":
            a, b = a % 100, b % 100
        if is_held_sum(a, sign, b) == held:
            break
    question = dice.pick(CALCULATIONS[sign]).format(a=a, b=b)
    return question, f"{a}{sign}{b}", {"+": a + b, "-": a - b, "*": a * b}[sign]


def calculator_pieces(question, expression, result):
    """The whole exchange; the result is the tool's, so nothing is learned from it."""
    return (Piece(USER), given(f"{question}{END}"),
            Piece(f"{message(ASSISTANT, CALCULATE + expression)}{TOOL}"), given(f"{result}{END}"),
            Piece(message(ASSISTANT, f"It is {result}.")))


def calculator_document(dice):
    return calculator_pieces(*calculation(dice, held=False))
