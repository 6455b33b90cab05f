"""The corpus: an endless row of documents in given shares, the same for the same seed."""

from functools import lru_cache
from itertools import accumulate

from microgpt.world import conversations, facts, sentences, skills, stories
from microgpt.world.dice import Dice
from microgpt.world.document import Document, estimated_tokens

WRITERS = {  # kind -> function of a Dice that gives the pieces of one document
    "story": stories.story_document,
    "coreference_story": sentences.coreference_story_document,
    "coreference_job": sentences.coreference_job_document,
    "gender": sentences.gender_document,
    "he_or_she": sentences.he_or_she_document,
    "word_order": sentences.word_order_document,
    "sense": sentences.sense_document,
    "capital": facts.capital_document,
    "definition": facts.definition_document,
    "know_how": facts.know_how_document,
    "quiz": facts.quiz_document,
    "chat": conversations.chat_document,
    "passage": skills.passage_document,
    "recall": skills.recall_document,
    "copy": skills.copy_document,
    "sum": skills.sum_document,
    "calculator": skills.calculator_document,
}
MIX = {  # kind -> share of the tokens, in percent
    "story": 22, "coreference_story": 5, "coreference_job": 6, "gender": 3, "he_or_she": 2.5,
    "word_order": 1.5, "sense": 1.5, "capital": 2, "definition": 2, "know_how": 2, "quiz": 1,
    "chat": 12, "passage": 8, "recall": 10, "copy": 8, "sum": 9, "calculator": 4.5,
}


@lru_cache
def mean_tokens(kind, n=400):
    """Mean length of a document of this kind, in estimated tokens (fixed sample of n)."""
    dice, write = Dice(20250101), WRITERS[kind]
    texts = ("".join(piece.text for piece in write(dice)) for _ in range(n))
    return sum(map(estimated_tokens, texts)) / n + 1  # one more for <|begin|>


def document_weights(mix):  # share of tokens by kind -> weight of documents by kind
    """How often each kind must be drawn for its share of the tokens; refuses unknown kinds."""
    unknown = sorted(set(mix) - set(WRITERS))
    if unknown:
        raise ValueError(f"The mix names {', '.join(unknown)}, which the tiny world can't write. "
                         f"It can write: {', '.join(WRITERS)}.")
    if not mix or min(mix.values()) < 0 or not sum(mix.values()) > 0:
        raise ValueError("A mix needs shares of 0 or more, at least one of them above 0.")
    return {kind: share / mean_tokens(kind) for kind, share in mix.items()}


def documents(seed, mix=MIX):  # int or str, {kind: share of tokens} -> endless Document iterator
    """The training text. Chunk i of a corpus can be drawn on its own: seed it with "7/i".

    A document ends with `<|end|>`; `<|begin|>` is for whoever packs it.
    """
    dice = Dice(seed)
    weights = document_weights(mix)
    kinds, limits = tuple(weights), tuple(accumulate(weights.values()))
    while True:
        point, i = dice.random() * limits[-1], 0
        while point >= limits[i]:
            i += 1
        yield Document(kinds[i], tuple(WRITERS[kinds[i]](dice)))


def chat_documents(seed, refuse=0.5):  # int or str, probability -> endless Document iterator
    """The fine-tuning set of tiny-chat; `refuse` of the mean wishes are refused.

    As in the corpus, `learn` marks all that could be learned; who trains only on the assistant's
    words masks the rest by role.
    """
    dice = Dice(seed)
    while True:
        yield Document("chat", tuple(conversations.fine_tuning_document(dice, refuse)))


def with_old(new, old, share, seed):  # two endless Document iterators -> a third
    """New documents with a `share` of old ones in between: who reads only new ones forgets."""
    dice = Dice(seed)
    while True:
        yield next(old if dice.chance(share) else new)
