"""Where does a model look when it says who is meant? Measured on sentences it never read.

At a pronoun nothing is decided yet: the word that decides comes later, and a token sees nothing
later. At the token that must produce the answer everything is there to be looked at.
"""

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from microgpt.insight.heads import attention_weights
from microgpt.insight.worth import ABILITIES, pad_rows
from microgpt.model.gpt import gpt
from microgpt.tokens.chat import begin_of
from microgpt.world.lexicon import JOBS
from microgpt.world.probes import probes

SEED = 11  # of the sentences
LOOKING = 0.3  # mean weight on a word from which a head is said to look at it
JOB_OF = {place: job for job, place in JOBS.items()}


@dataclass(frozen=True)
class Question:
    """One sentence as tokens up to the one that must produce the answer (`answer`, the last).

    `right` and `wrong` are where the two words stand that could be meant, `pronoun` where "it",
    "She" or "He" does.
    """

    ids: tuple[int, ...]
    pronoun: int
    right: int
    wrong: int

    @property
    def answer(self) -> int:
        return len(self.ids) - 1


@dataclass(frozen=True)
class Looks:
    """Weights (N, L, H) on the right and on the wrong word, on the token just after the right one
    (into which an earlier layer may have copied it), and the largest on any token."""

    right: np.ndarray
    wrong: np.ndarray
    after: np.ndarray
    largest: np.ndarray

    def strongest(self) -> np.ndarray:  # -> (L, H)
        """The share of sentences in which the right word gets more than any other token."""
        return ((self.right >= self.largest) & (self.largest > 0)).mean(0)

    def preferred(self) -> np.ndarray:  # -> (L, H)
        """The share in which the right word gets more than the wrong one."""
        return (self.right > self.wrong).mean(0)


def questions(tokenizer, ability: str, n: int = 100, seed: int = SEED) -> list[Question]:
    """Held-out cat-and-mat ("coreference_story") or job sentences ("coreference_job")."""
    if ability not in ABILITIES:
        raise ValueError(f"There are questions of {' and '.join(ABILITIES)}, not {ability!r}.")
    read = _story if ability == "coreference_story" else _job
    return [read(tokenizer, probe) for probe in probes(ability, n, seed)]


def _story(tokenizer, probe) -> Question:
    """'... because it was tired. What was tired? The' -> cat"""
    ids = [begin_of(tokenizer), *tokenizer.encode(f"{probe.prompt} The")]
    words = (probe.answer, probe.wrong[0])
    right, wrong = (find_word(tokenizer, ids, w.removeprefix(" The").rstrip(".")) for w in words)
    return Question(tuple(ids), find_word(tokenizer, ids, " it"), right, wrong)


def _job(tokenizer, probe) -> Question:
    """'Ann is a cook and Tom is a pilot. She works at the' -> cook, whose place it must say"""
    ids = [begin_of(tokenizer), *tokenizer.encode(probe.prompt)]
    places = (probe.answer[1:-1], probe.wrong[0][1:-1])
    right, wrong = (find_word(tokenizer, ids, f" {JOB_OF[place]}") for place in places)
    pronoun = " She" if " She " in probe.prompt else " He"
    return Question(tuple(ids), find_word(tokenizer, ids, pronoun), right, wrong)


def find_word(tokenizer, ids, word: str) -> int:
    """Where a word's last token stands, the first time it does. ValueError if it doesn't."""
    wanted = list(tokenizer.encode(word))
    for start in range(len(ids) - len(wanted) + 1):
        if list(ids[start : start + len(wanted)]) == wanted:
            return start + len(wanted) - 1
    raise ValueError(f"The word {word!r} does not stand there.")


def looks(model, asked: list[Question], at: str = "answer", edit=None) -> Looks:
    """Where every head looks from each question's "answer" or "pronoun" token."""
    if at not in ("answer", "pronoun"):
        raise ValueError(f"Looks go from the 'answer' or the 'pronoun', not from {at!r}.")
    tokens = pad_rows([list(q.ids) for q in asked])
    weights, _ = attention_weights(model, tokens, edit)
    n = np.arange(len(asked))
    rows = weights[n, :, :, [getattr(q, at) for q in asked]]  # (N, L, H, T)
    right = rows[n, :, :, [q.right for q in asked]]
    wrong = rows[n, :, :, [q.wrong for q in asked]]
    after = rows[n, :, :, [q.right + 1 for q in asked]]
    return Looks(right, wrong, after, rows.max(-1))


def answer_heads(model, ability: str, n: int = 50) -> list[tuple[int, int]]:
    """The heads (layer, head) that look at the right word from the token that must answer: they
    put 0.3 of their weight there or more, and at least twice what the wrong word gets.

    In order of how often nothing gets more; the best one where none gets so far. They are found
    on other sentences (another seed) than those that they are judged on.
    """
    seen = looks(model, questions(model.tokenizer, ability, n, SEED + 1))
    right, wrong, first = seen.right.mean(0), seen.wrong.mean(0), seen.strongest()
    order = sorted(np.ndindex(right.shape), key=lambda at: (-first[at], -right[at]))
    good = [at for at in order if right[at] >= LOOKING and right[at] >= 2 * wrong[at]]
    return good or [max(order, key=lambda at: right[at] - wrong[at])]


@dataclass(frozen=True)
class Twins:
    """Two sentences one word apart whose arcs are all but the same and whose outputs are not.

    `moved` is the largest share of weight, over all heads, that goes elsewhere at the last token.
    `transplanted` is what the second one says with every weight of the first put in its place.
    """

    first: str
    second: str
    says: tuple[int, int]
    moved: float
    transplanted: int


def twins(model) -> Twins | None:
    """The pair with the most alike arcs among sentences that differ in one job; None if no two
    such sentences end in different guesses."""
    jobs = list(JOBS)[:8]
    texts = [f"Ann is a {a} and Ben is a {b}. She works at the" for a, b in permutations(jobs, 2)]
    begin, encode = begin_of(model.tokenizer), model.tokenizer.encode
    rows = {text: [begin, *encode(text)] for text in texts}
    usual = np.bincount([len(row) for row in rows.values()]).argmax()
    texts = [text for text in texts if len(rows[text]) == usual]
    tokens = np.array([rows[text] for text in texts])
    weights, logits = attention_weights(model, tokens)
    last, says = weights[:, :, :, -1], logits[:, -1].argmax(-1)
    best = None
    for i, j in combinations(range(len(texts)), 2):
        if says[i] != says[j] and (tokens[i] != tokens[j]).sum() == 1:
            moved = float(0.5 * np.abs(last[i] - last[j]).sum(-1).max())
            best = min(best or (moved, i, j), (moved, i, j))
    if best is None:
        return None
    moved, i, j = best
    said = gpt(model.params, tokens[j : j + 1], model.config, edit=with_weights(weights[i]))
    return Twins(texts[i], texts[j], (int(says[i]), int(says[j])), moved, int(said[0, -1].argmax()))


def with_weights(weights):  # (L, H, T, T)
    """An edit that puts these attention weights in the place of the model's own."""

    def edit(name, value):
        if name.endswith("attention.weights"):
            return weights[None, int(name.split(".")[1])]
        return value

    return edit
