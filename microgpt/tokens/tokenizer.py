"""The tokenizer: text to ids and back, exactly, for any vocabulary of byte-pair merges."""

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from microgpt.tokens import kernels
from microgpt.tokens.files import write_atomically
from microgpt.tokens.patterns import find_pattern
from microgpt.tokens.scanner import PADDING, scan, scan_tables

FORMAT, VERSION = "microgpt-tokenizer", 1
LARGEST_FILE = 64 * 2**20  # bytes
LARGEST_VOCABULARY = 64 * 2**20  # bytes of all tokens together: merges can double at every step
MOST_IDS = kernels.NOTHING
LEAVE_OUT = -1  # for `Tokenizer.unknown`
VISIBLE = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}  # for `Tokenizer.name_of`


def to_bytes(text: str) -> bytes:
    """The UTF-8 bytes of `text`. Two surrogates that belong together become their character, and
    a lone one, which no UTF-8 can hold, becomes U+FFFD (as `tiktoken` does)."""
    if not isinstance(text, str):
        raise ValueError(f"A text must be a string, not {type(text).__name__}.")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


@dataclass(frozen=True)
class Words:
    """Texts laid out for the kernels, cut at their special tokens and into words."""

    data: np.ndarray  # (N,) uint8, all texts one after another, then padding
    eights: np.ndarray  # (N - 7,) uint64, element i is the eight bytes that begin at byte i
    segments: np.ndarray  # (segments + 1,) where special tokens and the text between them begin
    special: np.ndarray  # (segments,) the id of a special token, -1 for plain text
    first: np.ndarray  # (texts + 1,) the first segment of every text
    ends: np.ndarray  # (words,) where each word ends


def cut_words(texts: Iterable[str], pattern: str, specials: Mapping[str, int]) -> Words:
    """Cut `texts` for encoding or training; what is called in `specials` is no word."""
    parts = [to_bytes(text) for text in texts]
    joined = b"".join([*parts, bytes(PADDING)])
    data = np.frombuffer(joined, np.uint8)
    eights = np.ndarray((len(joined) - 7,), np.uint64, joined, strides=(1,))
    bounds = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    segments, special, first = bounds, np.full(len(parts), -1, np.int32), np.arange(len(bounds))
    if specials:
        names = [to_bytes(name) for name in specials]
        segments, special, first = kernels.segment(
            data, bounds, np.frombuffer(b"".join(names), np.uint8),
            np.cumsum([0, *map(len, names)]), np.array(list(specials.values()), np.int32),
        )  # fmt: skip
    ends = scan(data, segments, special, *scan_tables(pattern))
    return Words(data, eights, segments, special, first, ends)


def leave_out(words: Words, missing: np.ndarray) -> Words:  # missing: (256,) bool
    """The same words without the bytes that are `missing`; a word may vanish with them."""
    kept = ~missing[words.data]
    kept[-PADDING:] = True
    place = np.concatenate([[0], np.cumsum(kept)])  # where what stood at an index stands now
    data = words.data[kept]
    eights = np.ndarray((len(data) - 7,), np.uint64, data.data, strides=(1,))
    ends = np.unique(place[words.ends])
    segments = place[words.segments]
    return Words(data, eights, segments, words.special, words.first, ends[ends > 0])


class Tokenizer:
    """A byte-level BPE vocabulary: bytes, merges in the order of their rank, and specials.

    The tokenizers trained here give the bytes the ids 0 to 255, then come the merges in order,
    then the specials. A foreign vocabulary fits too: `byte_ids` says which id each byte has (-1:
    none), each merge names the id it makes, so that its rank, its place in `merges`, is not its
    id, and specials may have any ids. All ids from 0 to `vocab_size` - 1 must have a meaning.

    merges: (left id, right id, new id), lowest rank first. specials: text -> id.
    unknown: the id for bytes without one, or LEAVE_OUT to drop them, as `tokenizers` does; without
    it such bytes are a ValueError.
    """

    def __init__(
        self,
        merges: Sequence[Sequence[int]],
        pattern: str,
        specials: Mapping[str, int],
        byte_ids: Sequence[int] = range(256),
        unknown: int | None = None,
    ):
        self.pattern = find_pattern(pattern).name
        self.tokens = vocabulary(merges, specials, byte_ids, unknown)
        self.merges = [tuple(merge) for merge in merges]
        self.specials = dict(specials)
        self.byte_ids = list(byte_ids)
        self.unknown = unknown
        self._complete = -1 not in self.byte_ids
        self._names = {token: text for text, token in self.specials.items()}

    @cached_property
    def _merge_tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `kernels.encode` wants: ids of the bytes, hash table of the merges, their ids."""
        missing = [kernels.NOTHING if token < 0 else token for token in self.byte_ids]
        merges = np.array(self.merges, np.int64).reshape(-1, 3)
        return np.array(missing, np.int32), kernels.merge_table(merges), merges[:, 2].astype("i4")

    @property
    def vocab_size(self) -> int:
        """How many ids there are: 0 to `vocab_size` - 1."""
        return len(self.tokens)

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """The ids of `text`. Text that looks like a special token is plain text, unless
        `allow_special`: use that only for text you wrote yourself, never for a user's."""
        return self.encode_documents([text], allow_special)[0].tolist()

    def encode_documents(
        self, texts: Iterable[str], allow_special: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:  # n texts -> (ids,) int32, (n + 1,) int64
        """Encode many texts at once, without the GIL: all ids in a row, and their offsets. Text
        number d has the ids `ids[offsets[d] : offsets[d + 1]]`."""
        words = cut_words(texts, self.pattern, self.specials if allow_special else {})
        if self.unknown == LEAVE_OUT and not self._complete:
            words = leave_out(words, np.array(self.byte_ids) < 0)
        ids = np.empty(len(words.data), np.int32)
        twos = np.ndarray((len(ids) - 1,), np.uint64, ids, strides=(4,))
        offsets = kernels.encode(
            words.data, words.eights, words.segments, words.special, words.first, words.ends,
            self._merge_tables, ids, twos,
        )  # fmt: skip
        return self._known(ids[: offsets[-1]]), offsets

    def _known(self, ids: np.ndarray) -> np.ndarray:
        """The same ids, with `unknown` for every byte that has none."""
        if not self._complete and (ids == kernels.NOTHING).any():
            if self.unknown is None:
                raise ValueError("The text has bytes that this vocabulary has no token for.")
            ids[ids == kernels.NOTHING] = self.unknown
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD. Specials give their text."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of `ids`, whether they are text or not."""
        ids = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
        if ids:
            self._check(min(ids))
            self._check(max(ids))
        tokens = self.tokens
        return b"".join([tokens[token] for token in ids])

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one id stands for."""
        self._check(token)
        return self.tokens[token]

    def name_of(self, token: int) -> str:
        """A name for display: spaces and line ends made visible, bytes that are no text in hex."""
        data = self.token_bytes(token)
        if token in self._names:
            return self._names[token]
        try:
            return "".join(VISIBLE.get(c, c if c.isprintable() else ascii(c)[1:-1])
                           for c in data.decode())  # fmt: skip
        except UnicodeDecodeError:
            return "".join(f"<{byte:02X}>" for byte in data)

    def _check(self, token: int) -> None:
        if not 0 <= token < len(self.tokens):
            last = len(self.tokens) - 1
            raise ValueError(f"There is no token {token}: ids go from 0 to {last}.")

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON in UTF-8. A failure leaves the file that was there."""
        content = {
            "format": FORMAT, "version": VERSION, "pattern": self.pattern,
            "specials": self.specials, "bytes": self.byte_ids, "unknown": self.unknown,
            "merges": self.merges,
        }  # fmt: skip
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        write_atomically(path, text.encode())

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read what `save` wrote; ValueError in a sentence for anything else."""
        path = Path(path)
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ValueError(f"{path} has {size} bytes; a tokenizer has at most {LARGEST_FILE}.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not a tokenizer: it is no JSON text ({error}).") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path} is not a tokenizer: its format is not {FORMAT!r}.")
        if content.get("version") != VERSION:
            raise ValueError(
                f"{path} has version {content.get('version')!r}; this program reads {VERSION}."
            )
        try:
            return cls(
                content.get("merges"), content.get("pattern"), content.get("specials"),
                content.get("bytes"), content.get("unknown"),
            )  # fmt: skip
        except ValueError as error:
            raise ValueError(f"{path} is not a usable tokenizer: {error}") from None


class StreamDecoder:
    """Turns ids into text as they come; a character is given out when its last byte is there.

    What all pushes and the `flush` return, joined, is `tokenizer.decode` of all ids.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this id completes; "" while a character is still open."""
        return self._decoder.decode(self.tokenizer.token_bytes(token))

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that was never finished."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text


def vocabulary(merges, specials, byte_ids, unknown) -> list[bytes]:
    """The bytes of every id, after checking that the parts fit together; ValueError if not."""
    tokens: dict[int, bytes] = {}
    if not isinstance(merges, Sequence) or not isinstance(specials, Mapping):
        raise ValueError("There must be a list of merges and a map of special texts to ids.")
    is_row = isinstance(byte_ids, Sequence) and len(byte_ids) == 256
    if not is_row or not all(is_id(token, least=-1) for token in byte_ids):
        raise ValueError("There must be 256 byte ids, whole numbers from -1 up.")
    for byte, token in enumerate(byte_ids):
        if token >= 0:
            if token in tokens:
                raise ValueError(f"Two bytes have the id {token}.")
            tokens[token] = bytes([byte])
    add_merges(tokens, merges)
    for text, token in specials.items():
        if not isinstance(text, str) or not text or text != to_bytes(text).decode():
            raise ValueError(f"The special token {text!r} must be a text, and not empty.")
        if not is_id(token) or token in tokens:
            raise ValueError(f"The special token {text!r} has the id {token!r}, which is not free.")
        tokens[token] = text.encode()
    named = is_id(unknown, least=LEAVE_OUT) and (unknown == LEAVE_OUT or unknown in tokens)
    if unknown is not None and not named:
        raise ValueError(f"The id for unknown bytes, {unknown!r}, is not in the vocabulary.")
    if max(tokens, default=-1) != len(tokens) - 1:
        raise ValueError(f"The {len(tokens)} tokens must have the ids 0 to {len(tokens) - 1}.")
    return [tokens[token] for token in range(len(tokens))]


def add_merges(tokens: dict[int, bytes], merges) -> None:
    """Enter what the merges make into `tokens`, lowest rank first."""
    seen, size = set(), 0
    for rank, merge in enumerate(merges):
        if not is_merge(merge):
            raise ValueError(f"Merge {rank} is {merge!r}; it must be three ids: left, right, new.")
        left, right, new = merge
        if left not in tokens or right not in tokens:
            raise ValueError(f"Merge {rank} is {merge!r}, but uses an id that is not made yet.")
        if (left, right) in seen:
            raise ValueError(f"Merge {rank} repeats the pair {left}, {right}.")
        size += len(tokens[left]) + len(tokens[right])
        if size > LARGEST_VOCABULARY:
            raise ValueError(f"All tokens together have more than {LARGEST_VOCABULARY} bytes.")
        made = tokens[left] + tokens[right]
        if tokens.setdefault(new, made) != made:
            raise ValueError(f"Merge {rank} makes the id {new}, which is another token already.")
        seen.add((left, right))


def is_merge(merge) -> bool:
    """Whether `merge` is a row of three ids."""
    return isinstance(merge, list | tuple) and len(merge) == 3 and all(map(is_id, merge))


def is_id(value, least: int = 0) -> bool:
    """Whether `value` is a whole number that can be an id."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < MOST_IDS
