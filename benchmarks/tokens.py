"""Byte-pair encoding of 10 MB of text: training against rustbpe, encoding against tiktoken.

The peers are looked for in this Python, or in the one that TORCH_PYTHON names
(`pip install rustbpe tiktoken`).
"""

import hashlib
import importlib.util
import os
import site
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peer import Peer, Skip, compare, take_turns
from microgpt.tokens import bpe
from microgpt.tokens.patterns import PATTERNS

SIZE = 10_000_000  # bytes
VOCABULARY = 256 + 4096
PATTERN = PATTERNS["gpt4"]
TIMES = 3  # samples in a turn of encoding


def some_text() -> str:
    """The first 10 MB of Python sources and documents found on this machine, file by file."""
    folders = [Path(sysconfig.get_paths()["stdlib"]), *map(Path, site.getsitepackages())]
    parts, size = [], 0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix not in (".py", ".md", ".rst", ".txt") or size >= SIZE:
                continue
            try:
                data = path.read_bytes()
                data.decode()
            except (OSError, UnicodeDecodeError):
                continue
            parts.append(data[:300_000])
            size += len(parts[-1])
    if size < SIZE:
        raise Skip(f"There are only {size:,} bytes of Python sources here, not {SIZE:,}.")
    return b"".join(parts)[:SIZE].decode(errors="ignore")


@contextmanager
def against(library: str):
    """The peer's process, and the text in a file that it reads."""
    python = sys.executable
    if not importlib.util.find_spec(library):
        python = os.environ.get("TORCH_PYTHON")
        if not python:
            raise Skip(f"{library} is not installed here; set TORCH_PYTHON to a Python with it.")
    text = some_text()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_bytes(text.encode())
        with Peer(python, Path(__file__).parent / "tokens_peer.py", library) as peer:
            yield peer, text, {"text": str(path), "regex": PATTERN.regex}


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def bpe_train() -> dict:
    """Time to learn 4,096 merges from 10 MB of Python sources with GPT-4's pattern, text in memory
    to merges in memory; the merges must be the same. rustbpe cuts the text with all its threads,
    ours is one thread."""
    with against("rustbpe") as (peer, text, question):
        question |= {"vocab_size": VOCABULARY}

        def train():
            return bpe.train(text, VOCABULARY, PATTERN.name, specials=())

        if [token.hex() for token in train().tokens] != peer.ask(**question)["tokens"]:
            raise AssertionError("rustbpe learned other merges.")
        turns = take_turns(
            {"ours": lambda: [seconds(train)], "peer": lambda: peer.ask(**question)["seconds"]}, 7
        )
    return compare(turns["ours"], turns["peer"], "s", note="10 MB, 4,096 merges, same merges")


def bpe_encode() -> dict:
    """Time to encode the same 10 MB with those 4,096 merges on one thread, text to ids; the ids
    must be the same. Ours gives an array (`encode_documents`), tiktoken a list
    (`encode_ordinary`, the faster of its two ways)."""
    with against("tiktoken") as (peer, text, question):
        tokenizer = bpe.train(text, VOCABULARY, PATTERN.name, specials=())
        tokens = [token.hex() for token in tokenizer.tokens]
        ids, _ = tokenizer.encode_documents([text])
        if hashlib.sha256(ids.tobytes()).hexdigest() != peer.ask(**question, tokens=tokens)["hash"]:
            raise AssertionError("tiktoken gives other ids.")

        def encode():
            return [seconds(lambda: tokenizer.encode_documents([text])) for _ in range(TIMES)]

        turns = take_turns(
            {"ours": encode, "peer": lambda: peer.ask(times=TIMES)["seconds"]}, 7
        )  # fmt: skip
    rate = f"{len(text.encode()) / 1e6 / min(map(min, turns['ours'])):.0f} MB/s at best"
    return compare(turns["ours"], turns["peer"], "s", note=f"10 MB, same ids, {rate}")


BENCHMARKS = {"bpe_train": bpe_train, "bpe_encode": bpe_encode}
