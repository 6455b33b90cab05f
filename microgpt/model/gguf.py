"""GGUF, the file that llama.cpp reads: named facts, then named tensors. By hand, both ways.

    "GGUF", version 3, number of tensors, number of facts
    each fact:    name, type, value        (a text is its length in bytes, then UTF-8)
    each tensor:  name, shape, kind, offset
    padding, then the tensors, each at its offset

All numbers are little-endian. Shapes are stored fastest axis first; here they are NumPy's, (O, I).
Nothing in a file is trusted: every size, offset, type and count is checked before it is used.
Source: ggml/docs/gguf.md in the llama.cpp repository.
"""

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from microgpt.model import blocks
from microgpt.model.blocks import KINDS
from microgpt.tokens.files import write_atomically

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
SCALARS = {  # type of a fact: how struct calls it
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
TEXT, LIST = 8, 9
MOST_FACTS, MOST_TENSORS, MOST_ITEMS = 10_000, 10_000, 2**22
LONGEST_NAME, LONGEST_TEXT = 2**16 - 1, 2**20  # bytes
MOST_AXES, MOST_NUMBERS = 4, 2**40
LARGEST_FILE = 2**40
KIND_OF_CODE = {kind.code: kind for kind in KINDS.values()}


@dataclass(frozen=True, eq=False)
class Tensor:
    """Numbers as they lie in the file: `raw` is (rows, blocks of a row, bytes of a block)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    raw: np.ndarray = field(repr=False)

    def numbers(self):  # -> shape, float32
        """The numbers, worked out with NumPy; `block_kernels.expand` is the fast twin."""
        return blocks.dequantize(self.kind, self.raw).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class GGUF:
    """What a file holds. The tensors are mapped from the disk: reading one reads the file."""

    facts: dict[str, object]
    tensors: dict[str, Tensor] = field(repr=False)
    mapped: mmap.mmap = field(repr=False)

    def release(self) -> None:
        """Give the memory of what was read back to the system, where it lets us; reading it again
        maps it again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED)


class Cursor:
    """Reads a file from front to back and never past its end."""

    def __init__(self, data, path):
        self.data, self.path, self.at = data, path, 0
        self.bytes = memoryview(data)  # slices of it cost less than those of an array

    def refuse(self, why: str):
        raise ValueError(f"{self.path} is no usable GGUF file: {why}")

    def take(self, size: int, what: str) -> bytes:
        if size > len(self.data) - self.at:
            self.refuse(
                f"it ends inside {what}: {size:,} bytes are needed at byte {self.at:,}, "
                f"but the file has {len(self.data):,}. Perhaps it was not copied to its end."
            )
        taken = bytes(self.bytes[self.at : self.at + size])
        self.at += size
        return taken

    def number(self, form: str, what: str):
        (value,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form), what))
        return value

    def text(self, what: str, longest: int = LONGEST_TEXT) -> str:
        size = self.number("Q", what)
        if size > longest:
            self.refuse(f"{what} has {size:,} bytes, but at most {longest:,} are allowed.")
        try:
            return self.take(size, what).decode()
        except UnicodeDecodeError:
            return self.refuse(f"{what} is not UTF-8.")

    def texts(self, count: int, what: str) -> list[str]:
        """Many short texts in a row, as a vocabulary has them: `text` without its overhead."""
        size_of, data, at, found = struct.Struct("<Q").unpack_from, self.bytes, self.at, []
        try:
            for _ in range(count):
                (size,) = size_of(data, at)
                end = at + 8 + size
                if size > LONGEST_TEXT or end > len(data):
                    break  # `text` says what is wrong
                found.append(str(data[at + 8 : end], "utf-8"))
                at = end
        except (struct.error, UnicodeDecodeError):
            pass
        self.at = at
        return found if len(found) == count else [self.text(what) for _ in range(count)]


def read(path) -> GGUF:
    """The facts and tensors of a file; ValueError in a sentence for anything that is not right."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if not 0 < size <= LARGEST_FILE:
            raise ValueError(f"{path} is no usable GGUF file: it has {size:,} bytes.")
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        cursor = Cursor(np.frombuffer(mapped, np.uint8), path)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}.") from None
    if cursor.take(4, "its first word") != MAGIC:
        cursor.refuse("it does not begin with the letters GGUF.")
    version = cursor.number("I", "its version")
    if version != VERSION:
        cursor.refuse(f"it has version {version}, but this program reads version {VERSION}.")
    counts = []
    for what, most in (("tensors", MOST_TENSORS), ("facts", MOST_FACTS)):
        counts.append(cursor.number("Q", f"the number of {what}"))
        if counts[-1] > most:
            cursor.refuse(f"it claims {counts[-1]:,} {what}; at most {most:,} are allowed.")
    facts = read_facts(cursor, counts[1])
    alignment = facts.get("general.alignment", ALIGNMENT)
    whole = isinstance(alignment, int) and not isinstance(alignment, bool)
    if not whole or not 8 <= alignment <= 2**16 or alignment & (alignment - 1):
        cursor.refuse(f"its alignment is {alignment!r}, but must be a power of 2 from 8 to 65,536.")
    return GGUF(facts, read_tensors(cursor, counts[0], alignment), mapped)


def read_facts(cursor: Cursor, count: int) -> dict[str, object]:
    facts = {}
    for i in range(count):
        name = cursor.text(f"the name of fact {i + 1}", LONGEST_NAME)
        if not name or name in facts:
            cursor.refuse(f"the fact {name!r} is there twice or has no name.")
        facts[name] = read_value(cursor, cursor.number("I", f"the type of {name!r}"), repr(name))
    return facts


def read_value(cursor: Cursor, kind: int, name: str):
    """The value of a fact: a number, a text, True or False, or a list of one of them."""
    if kind == TEXT:
        return cursor.text(name)
    if kind in SCALARS:
        if kind == 7 and (byte := cursor.number("B", name)) > 1:
            cursor.refuse(f"{name} must be true or false, 1 or 0, but is {byte}.")
        return bool(byte) if kind == 7 else cursor.number(SCALARS[kind], name)
    if kind != LIST:
        cursor.refuse(f"{name} has the type {kind}, which does not exist.")
    item, count = cursor.number("I", name), cursor.number("Q", name)
    if item != TEXT and item not in SCALARS:
        cursor.refuse(f"{name} is a list of the type {item}, which is none or not read here.")
    least = 8 if item == TEXT else struct.calcsize("<" + SCALARS[item])
    if count > MOST_ITEMS or count * least > len(cursor.data) - cursor.at:
        cursor.refuse(f"{name} claims {count:,} items, more than the file can hold or is allowed.")
    if item == TEXT:
        return cursor.texts(count, name)
    if item == 7:
        return [read_value(cursor, item, name) for _ in range(count)]
    return list(struct.unpack(f"<{count}{SCALARS[item]}", cursor.take(count * least, name)))


def read_tensors(cursor: Cursor, count: int, alignment: int) -> dict[str, Tensor]:
    """The table of tensors; each is a view of the file's bytes, no two of which overlap."""
    table = {}
    for i in range(count):
        name = cursor.text(f"the name of tensor {i + 1}", LONGEST_NAME)
        if not name or name in table:
            cursor.refuse(f"the tensor {name!r} is there twice or has no name.")
        table[name] = read_layout(cursor, name, alignment)
    start = min(padded(cursor.at, alignment), len(cursor.data))
    room, end, tensors = len(cursor.data) - start, 0, {}
    for name, (kind, shape, offset) in sorted(table.items(), key=lambda item: item[1][2]):
        rows = math.prod(shape[:-1])
        across = shape[-1] // kind.numbers
        size = rows * across * kind.bytes
        if offset < end:
            cursor.refuse(f"the tensor {name!r} overlaps another.")
        if offset + size > room:
            cursor.refuse(
                f"the tensor {name!r} reaches to byte {start + offset + size:,}, but the file has "
                f"{len(cursor.data):,}. Perhaps it was not copied to its end."
            )
        raw = cursor.data[start + offset : start + offset + size]
        tensors[name] = Tensor(name, kind.name, shape, raw.reshape(rows, across, kind.bytes))
        end = offset + size
    return {name: tensors[name] for name in table}


def read_layout(cursor: Cursor, name: str, alignment: int):
    """One line of the table: (kind, shape, offset)."""
    axes = cursor.number("I", f"the shape of {name!r}")
    if not 1 <= axes <= MOST_AXES:
        cursor.refuse(f"the tensor {name!r} has {axes} axes; 1 to {MOST_AXES} are allowed.")
    shape = tuple(cursor.number("Q", f"the shape of {name!r}") for _ in range(axes))[::-1]
    if min(shape) < 1 or math.prod(shape) > MOST_NUMBERS:
        cursor.refuse(f"the tensor {name!r} has the shape {shape}, which can't be.")
    code = cursor.number("I", f"the kind of {name!r}")
    if code not in KIND_OF_CODE:
        known = ", ".join(KINDS)
        cursor.refuse(f"the tensor {name!r} is of kind {code}; this program reads {known}.")
    kind = KIND_OF_CODE[code]
    if shape[-1] % kind.numbers:
        cursor.refuse(f"rows of {shape[-1]} numbers in {name!r} can't be cut into {kind.name} "
                      f"blocks of {kind.numbers}.")  # fmt: skip
    offset = cursor.number("Q", f"the offset of {name!r}")
    if offset % alignment:
        cursor.refuse(f"the tensor {name!r} begins at {offset}, not at a multiple of {alignment}.")
    return kind, shape, offset


def padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def tensor(name: str, kind: str, array) -> Tensor:
    """Numbers of any shape, made ready to be written as `kind`."""
    array = np.asarray(array)
    raw = blocks.quantize(kind, array.reshape(-1, array.shape[-1]))
    return Tensor(name, kind, array.shape, raw)


def write(path, facts: Mapping[str, object], tensors) -> None:
    """Write a file in one move. Facts are texts, booleans, whole numbers (uint32; in lists int32),
    floats (float32) or lists of one kind; the tensors follow in their order."""
    head = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(facts))]
    for name, value in facts.items():
        head += [packed_text(name), packed_value(value)]
    offset, body = 0, []
    for one in tensors:
        shape = one.shape[::-1]
        layout = struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, KINDS[one.kind].code, offset)
        head += [packed_text(one.name), layout]
        data = one.raw.tobytes()
        body.append(data.ljust(padded(len(data), ALIGNMENT), b"\0"))
        offset += len(body[-1])
    start = b"".join(head)
    write_atomically(path, b"".join([start.ljust(padded(len(start), ALIGNMENT), b"\0"), *body]))


def packed_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def packed_value(value) -> bytes:
    """The type of a fact and its value."""
    if isinstance(value, list | tuple):
        kind = kind_of(value[0], 5) if value else 5
        if kind == TEXT:
            items = b"".join(map(packed_text, value))
        else:
            items = struct.pack(f"<{len(value)}{SCALARS[kind]}", *value)
        return struct.pack("<IIQ", LIST, kind, len(value)) + items
    kind = kind_of(value, 4)
    if kind == TEXT:
        return struct.pack("<I", TEXT) + packed_text(value)
    return struct.pack("<I" + SCALARS[kind], kind, value)


def kind_of(value, whole: int) -> int:
    """The type that a fact is stored as."""
    for python, kind in ((bool, 7), (str, TEXT), (float, 6), (int, whole)):
        if isinstance(value, python):
            return kind
    raise ValueError(f"A GGUF file holds texts and numbers, not {type(value).__name__}.")
