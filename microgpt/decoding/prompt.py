"""From what was typed to what the model reads: text -> chat template -> tokens."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from microgpt.decoding.generate import fit_context
from microgpt.tokens import chat

MOST_CHARACTERS = 4_000  # of a prompt; far more than a context of a few hundred tokens can hold


@dataclass(frozen=True)
class Piece:
    """A stretch of what the model reads: a special token, or text that somebody wrote."""

    role: str  # "special", or who wrote it: "system", "user", "text" (no chat)
    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Prompt:
    """What the model will read, how it came about, and what had to be left out."""

    text: str
    pieces: tuple[Piece, ...]
    notices: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)  # of "template" and "tokens"

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(token for piece in self.pieces for token in piece.ids)


def cut_text(
    text: str, most: int = MOST_CHARACTERS, what: str = "The prompt"
) -> tuple[str, list[str]]:
    """The end of a text that is too long, and a sentence that says so."""
    if len(text) <= most:
        return text, []
    return text[-most:], [f"{what} has {len(text):,} characters. Only its last {most:,} are read."]


def read_prompt(model, text: str, system: str = "", reserve: int = 1) -> Prompt:
    """Text -> template -> tokens, keeping `reserve` places of the context for the answer.

    A model that was taught to chat gets the template with the system prompt in front; any other
    reads the bare text after <|begin|>. Where the context is too short, the beginning of the text
    is left out and a notice says how much.
    """
    text, notices = cut_text(text)
    begin = time.perf_counter()
    tokenizer = model.tokenizer
    begins = tokenizer.name_of(chat.begin_of(tokenizer))
    parts = [("special", begins), ("text", text)]
    if is_chat(model):
        parts = template(text, system, tokenizer)
    middle = time.perf_counter()
    pieces = [
        Piece(role, part, tuple(chat.encode_piece(tokenizer, role, part)))
        for role, part in parts
        if part
    ]
    pieces, more = fit(model, pieces, model.config.context - reserve)
    end = time.perf_counter()
    if not text:
        says = "answers a message without words" if is_chat(model) else "makes it all up"
        notices.append(f"The prompt is empty: the model starts from {pieces[0].text} and {says}.")
    seconds = {"template": middle - begin, "tokens": end - middle}
    return Prompt(text, tuple(pieces), tuple(notices + more), seconds)


def is_chat(model) -> bool:
    """Whether the model was taught the chat template: its card says so, or names such a corpus."""
    recipe = model.card.get("recipe")
    taught = isinstance(recipe, dict) and recipe.get("corpus") == "chat"
    return bool(model.card.get("chat", taught))


def template(text: str, system: str, tokenizer) -> list[tuple[str, str]]:
    """The chat template around one message, as (role, text); `chat.render` gives the same ids."""
    messages = [chat.Message("system", system)] if system else []
    return chat.pieces([*messages, chat.Message("user", text)], tokenizer)


def fit(model, pieces: Sequence[Piece], room: int) -> tuple[list[Piece], list[str]]:
    """Shorten what people wrote until it fits `room` tokens: the user's beginning goes first."""
    notices = []
    for role in ("user", "text", "system"):
        over = sum(len(piece.ids) for piece in pieces) - room
        place = next((i for i, piece in enumerate(pieces) if piece.role == role), None)
        if over <= 0 or place is None:
            continue
        head, ids = split_header(model.tokenizer, pieces[place])
        kept = ids[min(over, len(ids)) :]
        pieces = [*pieces]
        text = model.tokenizer.decode([*head, *kept])
        pieces[place] = Piece(role, text, (*head, *kept))
        notices.append(
            f"{model.name} reads {model.config.context} tokens at most, the answer included. "
            f"Of the {len(ids):,} tokens of the {'system prompt' if role == 'system' else 'prompt'}"
            f" the first {len(ids) - len(kept):,} are dropped."
        )
    return [piece for piece in pieces if piece.ids], notices


def split_header(tokenizer, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that name the role where the template writes it as text, and those of the rest."""
    if piece.role == "text" or not chat.is_chatml(tokenizer):
        return (), piece.ids
    head = chat.header(piece.role)
    rest = piece.text.removeprefix(head)
    return tuple(tokenizer.encode(head)), tuple(tokenizer.encode(rest))


def fit_conversation(
    model, messages: list[chat.Message], reserve: int
) -> tuple[list[int], int, int]:
    """Ids of as much of a conversation as fits: (ids, messages dropped, tokens dropped).

    The oldest question goes first, with its answer; the system prompt goes last. A message that
    is too long by itself loses its oldest tokens.
    """
    room, kept = model.config.context - reserve, list(messages)
    while len(ids := chat.render(kept, model.tokenizer)) > room and len(kept) > 1:
        first = int(kept[0].role == "system" and len(kept) > 2)
        del kept[first]
        while kept[first].role != "user":
            del kept[first]
    last = chat.render([*kept[:-1], replace(kept[-1], content="")], model.tokenizer, reply=False)
    closing = len(last) - 1 - last[::-1].index(chat.end_of(model.tokenizer))
    ids, tokens = fit_context(ids, model.config.context, reserve, keep=closing)
    return ids, len(messages) - len(kept), tokens
