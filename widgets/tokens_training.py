"""Byte-pair encoding trained on the reader's own text, merge by merge, and a word encoded by it."""

import time
from dataclasses import dataclass
from itertools import accumulate, pairwise

import streamlit as st

from microgpt.tokens import bpe
from microgpt.tokens.patterns import split
from microgpt.tokens.tokenizer import Tokenizer, to_bytes
from widgets import chapter, prose, tokens_tiktoken
from widgets.components import component
from widgets.tokens_text import name_of

MOST = 20_000  # characters of a corpus
LARGEST_FILE = 1_000_000  # bytes
MOST_MERGES, SECONDS = 300, 3.0  # where the training ends, whichever comes first
SAMPLE = 420  # bytes of the corpus that are drawn
CANDIDATES = 8
LONGEST_WORD = 40  # bytes of a word whose merges are drawn
KEY = "tokens_corpus"
CORPUS = (
    "low lower lowest, slow slower slowest. The new show is slow now. "
    "A new owl flew low over the tower; the widest tower is the newest.\n"
    "Who knows how the wind blows? The lower the wind, the slower the flow. "
    "The owl knows: newer towers are wider, and the widest are the lowest.\n"
)

_player = component("tokens_training", scripts=("tokens_bytes",))
_replay = component("tokens_encode")
_upload = component("tokens_upload", triggers=("file",))


@dataclass(frozen=True)
class Run:
    """A training: its merges, and the tokenizer they make."""

    text: str
    steps: tuple[bpe.Merge, ...]
    tokenizer: Tokenizer
    first: tuple[int, int]  # tokens before the first merge, and different words
    ended: str  # "": as many merges as asked for; else why it ended sooner
    seconds: float


@st.cache_resource(max_entries=32, show_spinner="Counting pairs ...")
def compute(text: str, merges: int, pattern: str = "digits") -> Run:
    """Train with the readable function, for at most `SECONDS`."""
    began, steps, ended = time.perf_counter(), [], ""
    for step in bpe.train_steps(text, 256 + merges, pattern, (), CANDIDATES):
        steps.append(step)
        if time.perf_counter() - began > SECONDS and len(steps) < merges:
            ended = f"It was stopped after {SECONDS:g} s."
            break
    if not ended and len(steps) < merges:
        ended = "No word has two tokens left: there is nothing more to merge."
    tokenizer = Tokenizer([(*step.pair, step.token) for step in steps], pattern, {})
    words = split(to_bytes(text).decode(), pattern)
    first = len(to_bytes(text)), len(set(words))
    return Run(text, tuple(steps), tokenizer, first, ended, time.perf_counter() - began)


def sample_of(text: str, pattern: str) -> list[str]:
    """The first words of the corpus, about `SAMPLE` bytes."""
    words, size = [], 0
    for word in split(to_bytes(text).decode(), pattern):
        if words and size + len(word.encode()) > SAMPLE:
            break
        words.append(word[:SAMPLE])
        size += len(word.encode())
    return words


def boundaries(words: list[str], steps) -> list[int]:
    """For each byte of the words, at which merge (1 ...) the line before it disappears; 0 for a
    byte that begins a word, whose line stays, and -1 for lines that are left at the end."""
    lengths = dict.fromkeys(range(256), 1) | {s.token: len(s.token_bytes) for s in steps}
    gone = []
    for word in words:
        ids = tuple(word.encode())
        last = [0] + [-1] * (len(ids) - 1)
        for number, step in enumerate(steps, start=1):
            merged = bpe.merge_pair(ids, step.pair, step.token)
            if len(merged) < len(ids):
                for place in _starts(ids, lengths) - _starts(merged, lengths):
                    last[place] = number
                ids = merged
        gone += last
    return gone


def _starts(ids, lengths) -> set[int]:
    """Where in the word each token begins."""
    return set(accumulate((lengths[token] for token in ids[:-1]), initial=0))


def view_of(run: Run) -> dict:
    """Everything the player shows, once."""
    words = sample_of(run.text, run.tokenizer.pattern)
    names = [name_of(data) for data in run.tokenizer.tokens]
    return {
        "hex": "".join(words).encode().hex(),
        "gone": boundaries(words, run.steps),
        "bytes": run.first[0],
        "whole": len("".join(words)) == len(to_bytes(run.text).decode()),
        "steps": [
            {
                "pair": [names[i] for i in step.pair],
                "token": step.token,
                "name": names[step.token],
                "count": step.count,
                "tokens": step.tokens,
                "candidates": [[names[a], names[b], n] for (a, b), n in step.candidates],
            }
            for step in run.steps
        ],
    }


def in_words(run: Run) -> str:
    if not run.steps:
        return "Nothing was merged: the text has no two bytes side by side in a word."
    first, last = run.steps[0], run.steps[-1]
    left, right = (prose.literal(name_of(run.tokenizer.tokens[i])) for i in first.pair)
    newest = ", ".join(prose.literal(name_of(step.token_bytes)) for step in run.steps[-5:])
    return (
        f"{len(run.steps)} merges. The first joins {left} and {right}, a pair that stands "
        f"{first.count} times; the last a pair that stands {last.count} times. The text shrinks "
        f"from {run.first[0]:,} bytes to {last.tokens:,} tokens, at every step by at least one. "
        f"The newest tokens: {newest}. {run.ended}"
    )


@dataclass(frozen=True)
class Check:
    """Our tokenizer beside tiktoken with the same merges, on the same text."""

    tokens: int
    same: bool | None  # None: tiktoken is not installed or refuses


def compare(run: Run) -> Check:
    """Cut the corpus with both."""
    ours = run.tokenizer.encode(run.text)
    try:
        peer = tokens_tiktoken.same_merges(run.tokenizer)
        theirs = peer.encode_ordinary(to_bytes(run.text).decode())
    except Exception:  # a foreign library must not break the page
        return Check(len(ours), None)
    return Check(len(ours), ours == theirs)


def replay_view(word: str, tokenizer: Tokenizer) -> dict:
    """A word on its way from bytes to tokens: after each merge the pieces, and the rank of every
    pair of neighbors (None where no merge was learned)."""
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(tokenizer.merges)}
    states = [tuple(tokenizer.byte_ids[b] for b in to_bytes(word))]
    steps = list(bpe.encode_steps(word, tokenizer))
    states += [step.ids for step in steps]
    rows = []
    for i, ids in enumerate(states):
        pairs = [ranks.get(pair) for pair in pairwise(ids)]
        rows.append({
            "names": [name_of(tokenizer.tokens[token]) for token in ids],
            "ids": ids,
            "ranks": [None if rank is None else rank + 1 for rank in pairs],
            "next": steps[i].position if i < len(steps) else None,
        })  # fmt: skip
    return {"rows": rows, "merges": len(tokenizer.merges)}


def replay_in_words(view: dict) -> str:
    rows = view["rows"]
    order = [str(row["ranks"][row["next"]]) for row in rows if row["next"] is not None]
    pieces = ", ".join(f"`{name}`".replace("``", "` `") for name in rows[-1]["names"])
    return (
        f"{len(rows[0]['names'])} bytes, {len(order)} merges in the order of their rank"
        f"{' (' + ', '.join(order) + ')' if order else ''}, {len(rows[-1]['names'])} tokens at "
        f"the end: {pieces}."
    )


def train_your_own() -> Run | None:
    """Draw the corpus, the player and the check; returns the training."""
    text, merges = _controls()
    if len(text) > MOST:
        st.warning(f"Your corpus has {len(text):,} characters. The first {MOST:,} are used.")
        text = text[:MOST]
    if not text.strip():
        st.info("An empty corpus has no pairs. Paste a text, or upload one.")
        return None
    run = compute(text, merges)
    _player(view_of(run) | {"run": f"{hash(text)} {merges}"}, key="tokens_player")
    chapter.mark("computed", by="microgpt.tokens.bpe",
                 where=f"{len(run.steps)} merges", seconds=run.seconds)  # fmt: skip
    if run.ended:
        st.markdown(f":small[:material/info: {run.ended}]")
    chapter.text_twin(in_words(run))
    return run


def _controls() -> tuple[str, int]:
    st.session_state.setdefault(KEY, CORPUS)
    box = st.container()
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        with st.container(width=420):
            view = {"most": MOST, "limit": LARGEST_FILE}
            problem = adopt(_upload(view, key="tokens_upload").file)
        merges = st.number_input("Merges", 1, MOST_MERGES, 40, 10, key="tokens_merges", width=160,
                                 persist_state="session")  # fmt: skip
    text = box.text_area("Your corpus", key=KEY, height=110, persist_state="session")
    if problem:
        st.warning(prose.literal(problem))
    return text, int(merges)


def adopt(file) -> str:
    """Put what was read from a file into the box; returns what there is to say about it."""
    if not isinstance(file, dict):
        return ""
    if not isinstance(file.get("text"), str):
        return str(file.get("problem", "The file could not be read."))[:300]
    st.session_state[KEY] = file["text"][:MOST]
    characters = file.get("characters")
    if isinstance(characters, int) and characters > MOST:
        return (f"{str(file.get('name'))[:100]} has {characters:,} characters; the first {MOST:,} "
                "are your corpus now.")  # fmt: skip
    return ""


def encode_a_word(run: Run) -> dict:
    """Draw the word and its merges; returns what was shown."""
    st.session_state.setdefault("tokens_word", "slowest")
    word = st.text_input("A word to encode", key="tokens_word", max_chars=LONGEST_WORD, width=320,
                         persist_state="session")  # fmt: skip
    data = to_bytes(word)[:LONGEST_WORD]
    word = data.decode(errors="ignore")
    if not word:
        st.info("An empty word has no merges.")
        return {}
    view = replay_view(word, run.tokenizer)
    _replay(view | {"run": f"{word} {hash(run.text)} {len(run.steps)}"}, key="tokens_replay")
    chapter.mark("computed", by="microgpt.tokens.bpe.encode_steps")
    chapter.text_twin(replay_in_words(view))
    return view
