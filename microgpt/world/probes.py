"""What can it do? Held-out questions for every ability, with the chance of guessing right.

A probe is a prompt and the exact greedy continuation that counts as right. No prompt ever occurs
in the training text: combinations of words and numbers are kept apart by their hash. Facts are
the exception by nature: they can only be known if they were read.
"""

from dataclasses import dataclass
from typing import NamedTuple

from microgpt.world import conversations, sentences, skills
from microgpt.world.conversations import QUESTIONS, TOPICS, is_held_question
from microgpt.world.dice import Dice
from microgpt.world.document import (
    ASSISTANT,
    CALCULATE,
    END,
    SYSTEM,
    TOOL,
    USER,
    estimated_tokens,
    message,
)
from microgpt.world.facts import capitalized
from microgpt.world.lexicon import (
    ASKED_COUNTRIES,
    CAPITALS,
    COUNTRIES_FORWARD_ONLY,
    COUNTRIES_ONLY_STATED,
    DEFINITIONS,
)


@dataclass(frozen=True)
class Probe:
    """`prompt` may hold special strings and lacks `<|begin|>`; `answer` is what must follow.

    `accepted` are further right answers, `wrong` the tempting ones (to compare probabilities).
    """

    prompt: str
    answer: str
    wrong: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    def is_right(self, completion):
        """Whether a greedy completion starts with a right answer."""
        return completion.startswith((self.answer, *self.accepted))


class Ability(NamedTuple):
    """`chance`: what a guess among the plausible answers scores; `threshold`: what must be met."""

    chance: float
    description: str
    threshold: float | None = None


def _coreference_story(dice):
    prompt, answer, wrong = sentences.coreference_story(dice, held=True)
    return Probe(prompt, answer, (wrong,))


def _coreference_job(dice):
    text, prompt, answer, wrong = sentences.coreference_job(dice, held=True)
    return Probe(text + prompt, answer, (wrong,))


def _coreference(dice):
    return dice.pick((_coreference_story, _coreference_job))(dice)


def _gender(dice):
    text, prompt, answer, wrong = sentences.gender(dice, held=True)
    return Probe(text + prompt, answer, (wrong,))


def _word_order(dice):
    prompt, answer, wrong = sentences.word_order(dice, held=True)
    return Probe(prompt, answer, (wrong,))


def _senses(dice):
    prompt, answer, wrong = sentences.sense(dice, held=True)
    return Probe(prompt, answer, (wrong,))


def _copy(dice):
    text = skills.random_sequence(dice, held=True, length=dice.between(6, 16), numbers=False)
    first, second, rest = text.split(" ", 2)
    return Probe(f"{text} {first} {second}", f" {rest}")


def recall_probe(dice, pairs=None, asked=None, words=None):
    """A list of `pairs` (by default 2 to 12) of which number `asked` is wanted."""
    pairs = pairs or dice.between(2, 12)
    colon = dice.chance(0.5)
    text, keys, values = skills.key_value_list(dice, True, pairs, ":" if colon else "", words)
    i = dice.below(pairs) if asked is None else asked
    wrong = tuple(f" {v}" for v in values if v != values[i])
    if colon:
        return Probe(f"{text} {keys[i]}?", f" {values[i]}", wrong)
    return Probe(f"{text} {keys[i]}", f" {values[i]}.", tuple(f"{w}." for w in wrong))


def passage_probe(dice, sentences=None, asked=None):
    """A passage of `sentences` (by default 2 to 7) of which number `asked` holds the answer."""
    text, question, answer = skills.passage(dice, True, sentences, asked)
    return Probe(f"{message(USER, f'{text} {question}')}{ASSISTANT}", answer + END)


def _tool(dice):
    question, expression, _ = skills.calculation(dice, held=True)
    return Probe(message(USER, question) + ASSISTANT, CALCULATE + expression + END)


def _tool_result(dice):
    question, expression, result = skills.calculation(dice, held=True)
    called = message(USER, question) + message(ASSISTANT, CALCULATE + expression)
    return Probe(f"{called}{message(TOOL, result)}{ASSISTANT}", f"It is {result}.{END}")


def _sum_direct(dice, digits=3):
    a, b = skills.addends(dice, held=True, digits=digits)
    return Probe(f"sum {a}+{b}=", f"{a + b}.")


def _sum_scratchpad(dice, digits=3):
    a, b = skills.addends(dice, held=True, digits=digits)
    return Probe(f"steps {a}+{b}:", f" {skills.addition_steps(a, b)}")


def _sum_four_digits(dice):
    return _sum_scratchpad(dice, digits=4)


def _ask(question, answer):
    return Probe(message(USER, question) + ASSISTANT, answer + END)


def _facts():
    for country in ASKED_COUNTRIES:
        capital = CAPITALS[country][0]
        yield Probe(f"The capital of {country} is", f" {capital}.")
    for term, meaning in DEFINITIONS.items():
        yield Probe(f"{capitalized(term)} is", f" {meaning}.")
    for kind in ("capital", "definition"):
        for topic in TOPICS[kind]:
            yield _fact_in_chat(kind, topic)


def _fact_in_chat(kind, topic):
    """The base model answers in any of its styles: all of them are right."""
    return _ask_in_any_style(kind, topic, QUESTIONS[kind][0][0], conversations.STYLES)


def _ask_in_any_style(kind, topic, form, styles):
    full, brief = conversations.answer(kind, topic)
    answers = [conversations.styled(style, full, brief) + END for style in styles]
    prompt = message(USER, form.format(topic)) + ASSISTANT
    return Probe(prompt, answers[0], accepted=tuple(answers[1:]))


def _facts_transfer():
    return (_fact_in_chat("capital", country) for country in COUNTRIES_ONLY_STATED)


def _facts_reversed():
    for country in COUNTRIES_FORWARD_ONLY:
        capital = CAPITALS[country][0]
        yield _ask(f"Which country has the capital {capital}?", f"{country}.")


_CHAT_KINDS = (*QUESTIONS, "memory", "passage", "tool")


def _chat(dice):
    """One held-out question of a kind that tiny-chat is taught."""
    kind = dice.pick(_CHAT_KINDS)
    if kind == "memory":
        before, question, answer = conversations.memory(dice, held=True)
        return Probe(before + message(USER, question) + ASSISTANT, answer + END)
    if kind == "passage":
        return passage_probe(dice)
    if kind == "tool":
        return _tool(dice)
    while True:
        topic, form = dice.pick(TOPICS[kind]), dice.pick(QUESTIONS[kind][0] + QUESTIONS[kind][1])
        if is_held_question(kind, topic, form):
            return _ask_in_any_style(kind, topic, form, ("plain", "polite", "long", "brief"))


def _system(dice):
    """A system prompt asks for a style in which nobody ever answered about this topic."""
    while True:
        style = dice.pick([s for s in conversations.STYLES if s != "plain"])
        kind = dice.pick(("definition", "capital"))
        topic = dice.pick(TOPICS[kind])
        if conversations.is_held_style(style, topic):
            break
    question = message(SYSTEM, conversations.STYLES[style][0]) + message(
        USER, QUESTIONS[kind][0][0].format(topic))
    answer = conversations.styled(style, *conversations.answer(kind, topic))
    return Probe(question + ASSISTANT, answer + END)


_WRITERS = {
    "coreference": (_coreference, Ability(
        0.5, "who or what an adjective or a job belongs to: held-out words", 0.95)),
    "coreference_story": (_coreference_story, Ability(
        0.5, "'The cat sat on the mat because it was tired. What was tired?'", 0.95)),
    "coreference_job": (_coreference_job, Ability(
        0.5, "'Ann is a cook and Tom is a pilot. She works at the'", 0.95)),
    "copy": (_copy, Ability(0.0, "repeat a fresh random sequence of 6 to 16 words", 0.95)),
    "recall": (recall_probe, Ability(
        0.19, "the value of a key in a fresh list of 2 to 12 pairs", 0.97)),
    "facts": (_facts, Ability(0.02, "capitals and definitions that were read and asked", 0.97)),
    "facts_transfer": (_facts_transfer, Ability(
        0.02, "capitals that were read but never asked in a chat")),
    "facts_reversed": (_facts_reversed, Ability(
        0.02, "the country of a capital that was never read in that direction")),
    "passage": (passage_probe, Ability(
        0.27, "a question about a fresh passage of 2 to 7 sentences", 0.90)),
    "tool": (_tool, Ability(0.0, "call the calculator with the right expression", 0.97)),
    "tool_result": (_tool_result, Ability(0.0, "say what the calculator returned")),
    "sum_scratchpad": (_sum_scratchpad, Ability(
        0.0, "add two numbers of three digits, writing every step", 0.95)),
    "sum_direct": (_sum_direct, Ability(0.0, "add two numbers of three digits at once")),
    "sum_four_digits": (_sum_four_digits, Ability(
        0.0, "add numbers of four digits with steps: longer than anything read")),
    "word_order": (_word_order, Ability(0.5, "'Dog bites man. Who is bitten?'")),
    "senses": (_senses, Ability(0.5, "which sense a word has in a new sentence")),
    "gender": (_gender, Ability(0.5, "'She was sad and he was calm. Who was calm?', two steps")),
    "system": (_system, Ability(0.2, "answer in the style the system prompt asks for")),
    "chat": (_chat, Ability(
        0.0, "held-out questions of the kinds tiny-chat was taught, in format, and stop", 0.95)),
}
ABILITIES = {name: ability for name, (_, ability) in _WRITERS.items()}
_FIXED = ("facts", "facts_transfer", "facts_reversed")


def probes(name, n=200, seed=0):  # str, int, int or str -> list of at most n Probes
    """`n` probes of one ability, the same for the same seed.

    The sets of facts are finite: of those come at most as many as there are, in random order.
    """
    if name not in _WRITERS:
        known = ", ".join(ABILITIES)
        raise ValueError(f"There is no ability {name!r}. The abilities are: {known}.")
    dice, write = Dice(f"probe/{name}/{seed}"), _WRITERS[name][0]
    if name in _FIXED:
        items = list(write())
        return dice.some(items, min(n, len(items)))
    return [write(dice) for _ in range(n)]


def score(complete, name, n=200, seed=0):
    """The share of probes that a model gets right.

    `complete(prompts, max_tokens)` takes a list of prompts and a list of how many tokens each may
    get, and returns the greedy completions as text, special strings included.
    """
    asked = probes(name, n, seed)
    completions = complete([p.prompt for p in asked], [_room(p) for p in asked])
    return sum(p.is_right(c) for p, c in zip(asked, completions, strict=True)) / len(asked)


def _room(probe):
    """Tokens enough for the longest right answer: two a word at most, and some to spare."""
    texts = (probe.answer, *probe.accepted)
    return max(min(len(text.encode()), 8 + 2 * estimated_tokens(text)) for text in texts)
