"""OpenAI's vocabularies, from the user's cache and from nowhere else: nothing here can hang."""

import os
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from microgpt.tokens import tiktoken_files

USED_BY = {"cl100k_base": "GPT-4", "o200k_base": "GPT-4o"}
QUOTED = "Hello, how many tokens is this sentence?"
QUOTED_IDS = [9906, 11, 1268, 1690, 11460, 374, 420, 11914, 30]  # reported for cl100k_base
COMMAND = "python -m microgpt fetch tiktoken"


@dataclass(frozen=True)
class Loaded:
    """An encoding that is here, or the sentence that says why it is not."""

    name: str
    encoding: object | None
    problem: str = ""


def load(name: str) -> Loaded:
    """An encoding, if its file is in the cache. Looked for again as long as it is missing."""
    try:
        path = tiktoken_files.cache_folder() / tiktoken_files.ENCODINGS[name].file
        stamp = (str(path), path.stat().st_mtime_ns, path.stat().st_size)
    except OSError:
        return Loaded(name, None, f"{name} is not in this computer's cache")
    return _load(name, stamp)


@st.cache_resource(max_entries=4, show_spinner=False)
def _load(name: str, stamp: tuple) -> Loaded:
    path = tiktoken_files.find(name)
    if path is None:
        return Loaded(name, None, f"the file of {name} in the cache is damaged")
    try:
        return Loaded(name, _build(name, path))
    except Exception as error:  # a foreign library: whatever goes wrong, the page goes on
        return Loaded(name, None, f"tiktoken can't use {name} ({error})")


def _build(name: str, path: Path):
    """Ask tiktoken, which reads the very file that was checked and so asks no server."""
    import tiktoken

    os.environ["TIKTOKEN_CACHE_DIR"] = str(path.parent)  # tiktoken's own default is another folder
    return tiktoken.get_encoding(name)


def load_all() -> list[Loaded]:
    return [load(name) for name in tiktoken_files.ENCODINGS]


def same_merges(tokenizer) -> object:
    """A tiktoken encoding built from our own merges, to check ours against."""
    import tiktoken

    from microgpt.tokens.patterns import find_pattern

    special = set(tokenizer.specials.values())
    ranks = {data: i for i, data in enumerate(tokenizer.tokens) if i not in special}
    return tiktoken.Encoding(
        "ours", pat_str=find_pattern(tokenizer.pattern).regex, mergeable_ranks=ranks,
        special_tokens=dict(tokenizer.specials),
    )  # fmt: skip
