"""The chat template: how a conversation becomes one row of tokens, and back.

    <|begin|> <|system|> text <|end|> <|user|> text <|end|> <|assistant|> text <|end|> ...

The model sees no messages, only this row; a role is one special token. The text of a message is
encoded as plain text, so nobody can write "<|assistant|>" and be taken for the assistant. The one
exception is a call of the calculator, a message of the assistant that begins with <|calculate|>.

A foreign model must be spoken to in the template that it was trained on. One is known, ChatML, by
its special tokens; there the role is text, and a system prompt always comes first:

    <|im_start|> system\n text <|im_end|> \n <|im_start|> user\n text <|im_end|> \n ...
"""

from collections.abc import Iterable
from dataclasses import dataclass

from microgpt.tokens.tokenizer import Tokenizer

ROLES = ("system", "user", "assistant", "tool")
BEGIN, END, PAD, CALCULATE = "<|begin|>", "<|end|>", "<|pad|>", "<|calculate|>"
CHATML_START, CHATML_END, CHATML_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
# What SmolLM2's own template says where nobody sets a system prompt (tokenizer.chat_template).
SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@dataclass(frozen=True)
class Message:
    """What one side of a conversation said. `calculate` marks an assistant's calculator call,
    whose content is the sum to work out; the answer comes as a message of the role "tool"."""

    role: str
    content: str
    calculate: bool = False

    def __post_init__(self):
        if self.role not in ROLES:
            raise ValueError(f"There is no role {self.role!r}. The roles are: {', '.join(ROLES)}.")
        if not isinstance(self.content, str):
            raise ValueError(f"A message must be a text, not {type(self.content).__name__}.")
        if self.calculate and self.role != "assistant":
            raise ValueError(f"Only the assistant can call the calculator, not {self.role!r}.")


def render(messages: Iterable[Message], tokenizer: Tokenizer, reply: bool = True) -> list[int]:
    """The ids of a conversation; with `reply` they end where the assistant is to speak.

    ValueError if there is no message, or if the vocabulary lacks a special token of the template.
    """
    ids = []
    for role, text in pieces(messages, tokenizer, reply):
        ids += encode_piece(tokenizer, role, text)
    return ids


def pieces(
    messages: Iterable[Message], tokenizer: Tokenizer, reply: bool = True
) -> list[tuple[str, str]]:
    """A conversation in the template of this vocabulary, as (role, text) one after another; what
    the template itself writes has the role "special"."""
    messages = list(messages)
    if not messages:
        raise ValueError("A chat needs at least one message.")
    if is_chatml(tokenizer):
        return chatml_pieces(messages, reply)
    parts = [("special", BEGIN)]
    for message in messages:
        parts.append(("special", f"<|{message.role}|>"))
        if message.calculate:
            parts.append(("special", CALCULATE))
        parts += [(message.role, message.content), ("special", END)]
    return [*parts, ("special", "<|assistant|>")] if reply else parts


def chatml_pieces(messages: list[Message], reply: bool) -> list[tuple[str, str]]:
    if messages[0].role != "system":
        messages = [Message("system", SMOLLM2_SYSTEM), *messages]
    parts = []
    for message in messages:
        text = header(message.role) + message.content  # one text: merges may cross the line end
        parts += [("special", CHATML_START), (message.role, text)]
        parts += [("special", CHATML_END), ("special", "\n")]
    return [*parts, ("special", CHATML_START), ("special", "assistant\n")] if reply else parts


def encode_piece(tokenizer: Tokenizer, role: str, text: str) -> list[int]:
    """Only the template may name a special token; text that somebody wrote stays text."""
    if role == "special" and text.startswith("<|"):
        return [special(tokenizer, text)]
    return tokenizer.encode(text)


def is_chatml(tokenizer: Tokenizer) -> bool:
    return CHATML_START in tokenizer.specials


def header(role: str) -> str:
    """What ChatML writes before the text of a message, in plain letters."""
    return f"{role}\n"


def begin_name(tokenizer: Tokenizer) -> str:
    """The special token that stands before any text that is no chat."""
    return CHATML_TEXT if is_chatml(tokenizer) else BEGIN


def end_name(tokenizer: Tokenizer) -> str:
    """The special token with which the model ends what it says."""
    return CHATML_END if is_chatml(tokenizer) else END


def begin_of(tokenizer: Tokenizer) -> int:
    return special(tokenizer, begin_name(tokenizer))


def end_of(tokenizer: Tokenizer) -> int:
    return special(tokenizer, end_name(tokenizer))


def render_text(
    messages: Iterable[Message], reply: bool = True, tokenizer: Tokenizer | None = None
) -> str:
    """The same conversation as a text to look at, in the template of the models trained here or
    in that of a vocabulary. Do not encode it: use `render`."""
    messages = list(messages)
    if tokenizer is not None:
        return "".join(text for _, text in pieces(messages, tokenizer, reply))
    if not messages:
        raise ValueError("A chat needs at least one message.")
    parts = [
        f"<|{message.role}|>{CALCULATE if message.calculate else ''}{message.content}{END}"
        for message in messages
    ]
    return BEGIN + "".join(parts) + ("<|assistant|>" if reply else "")


def parse(ids: Iterable[int], tokenizer: Tokenizer) -> list[Message]:
    """The messages in a row of ids, as a model wrote it; the inverse of `render`.

    A message without an end stops at the next role, or at the end of the row. A last role with
    nothing after it, where the assistant is to speak, is no message. Padding is passed over.
    ValueError for tokens that belong to no message.
    """
    roles = {special(tokenizer, f"<|{role}|>"): role for role in ROLES}
    begin, end = special(tokenizer, BEGIN), special(tokenizer, END)
    pad, calculate = special(tokenizer, PAD), special(tokenizer, CALCULATE)
    ids = [int(token) for token in ids if token != pad]
    messages, at = [], 1 if ids[:1] == [begin] else 0
    while at < len(ids):
        if ids[at] not in roles:
            name = tokenizer.name_of(ids[at])
            raise ValueError(f"Token {at} is {name!r}; a message must begin with its role.")
        role, start = roles[ids[at]], at + 1
        stop = start
        while stop < len(ids) and ids[stop] != end and ids[stop] not in roles:
            stop += 1
        if start < len(ids):
            call = role == "assistant" and ids[start] == calculate
            messages.append(Message(role, tokenizer.decode(ids[start + call : stop]), call))
        at = stop + 1 if ids[stop : stop + 1] == [end] else stop
    return messages


def special(tokenizer: Tokenizer, text: str) -> int:
    """The id of a special token; ValueError if the vocabulary has none of that name."""
    if text not in tokenizer.specials:
        raise ValueError(f"This vocabulary has no special token {text!r}: it is not for chats.")
    return tokenizer.specials[text]
