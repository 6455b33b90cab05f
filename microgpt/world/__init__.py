"""The tiny world: a generator of training text, and of questions that show what was learned.

Read in this order: `dice` and `document`, the words (`lexicon`, `plots`), the kinds of text
(`stories`, `sentences`, `facts`, `skills`, `conversations`), the `corpus`, the `probes`.
"""

from microgpt.world.corpus import MIX, chat_documents, documents
from microgpt.world.document import Document, Piece
from microgpt.world.examples import EXAMPLES, Example
from microgpt.world.probes import ABILITIES, Probe, probes, score

__all__ = [
    "ABILITIES", "EXAMPLES", "MIX", "Document", "Example", "Piece", "Probe", "chat_documents",
    "documents", "probes", "score",
]
