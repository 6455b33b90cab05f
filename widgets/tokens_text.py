"""One text, cut by several tokenizers side by side: chips, counts, and what they cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from microgpt.tokens.tokenizer import VISIBLE, to_bytes
from widgets import chapter, engine, prose, tokens_tiktoken
from widgets.components import component

MOST = 20_000  # characters that are cut; the rest is said
CHIPS = 400  # chips that are sent for each tokenizer
PRICE = 3.0  # dollars per million tokens, as the page opens
KEY = "tokens_text"
ADDRESS, LONGEST_LINK = "text", 400  # of the text in the address of the page
PRESETS = {
    "A question": tokens_tiktoken.QUOTED,
    "Numbers": "12345 + 678 = 13023",
    "A long name": "Schwarzenegger",
    "Code": "for i in range(10):\n    print(i * i)  # squares",
    "Emoji": "I ❤️ cats 🐈 and 👩‍🚀s!",
    "Chinese": "猫坐在垫子上，因为它累了。",
    "Arabic": "جلست القطة على الحصيرة لأنها كانت متعبة.",
    "Greek": "Η γάτα κάθισε στο χαλί γιατί ήταν κουρασμένη.",
}

_mount = component("tokens_text")


@dataclass(frozen=True)
class Cutter:
    """One way to cut a text. `cut` gives the ids; `piece` the bytes that one id stands for."""

    name: str
    note: str
    vocabulary: int
    cut: Callable[[str], list[int]]
    piece: Callable[[int], bytes]


@dataclass(frozen=True)
class Cut:
    """A text as one tokenizer sees it: ids, and where in the bytes each begins and ends."""

    name: str
    note: str
    vocabulary: int
    ids: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def characters() -> Cutter:
    return Cutter(
        "Characters", "Unicode's own list", 0x110000,
        lambda text: [ord(c) for c in to_bytes(text).decode()], lambda i: chr(i).encode(),
    )  # fmt: skip


def raw_bytes() -> Cutter:
    return Cutter("Bytes", "UTF-8", 256, lambda text: list(to_bytes(text)), lambda i: bytes([i]))


def of_models(tokenizers: Mapping[str, object]) -> list[Cutter]:
    """Every different tokenizer among those of the models, named after all that share it."""
    known: dict[tuple, list[str]] = {}
    for name, tokenizer in tokenizers.items():
        same = (tokenizer.pattern, tuple(tokenizer.merges), tuple(tokenizer.byte_ids))
        known.setdefault(same, []).append(name)
    cutters = []
    for names in known.values():
        tokenizer = tokenizers[names[0]]
        shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        cutters.append(
            Cutter(shown, "byte-pair encoding, cut by microgpt", tokenizer.vocab_size,
                   tokenizer.encode, tokenizer.token_bytes)
        )  # fmt: skip
    return cutters


def of_tiktoken(loaded: tokens_tiktoken.Loaded) -> Cutter:
    encoding = loaded.encoding
    return Cutter(
        loaded.name, f"{tokens_tiktoken.USED_BY[loaded.name]}'s, cut by tiktoken",
        encoding.n_vocab, lambda text: encoding.encode_ordinary(to_bytes(text).decode()),
        encoding.decode_single_token_bytes,
    )  # fmt: skip


def cut(cutter: Cutter, text: str) -> Cut:
    """Cut a text. A vocabulary that lacks a byte leaves it out: then a piece begins where its
    bytes are next found, and the note says how many bytes are lost."""
    ids, data = tuple(cutter.cut(text)), to_bytes(text)
    starts, ends, at, kept = [], [], 0, 0
    for piece in map(cutter.piece, ids):
        start = max(at, data.find(piece, at))
        at = min(len(data), start + len(piece))
        kept += len(piece)
        starts.append(start)
        ends.append(at)
    lost = len(data) - kept
    note = cutter.note + (f"; it has no token for {lost:,} bytes of this text" if lost else "")
    return Cut(cutter.name, note, cutter.vocabulary, ids, tuple(starts), tuple(ends))


def name_of(data: bytes) -> str:
    """A piece for display: white space made visible, bytes that are no text in hex."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "".join(f"<{byte:02X}>" for byte in data)
    return "".join(VISIBLE.get(c, c if c.isprintable() else f"U+{ord(c):04X}") for c in text)


def view_of(text: str, cuts: list[Cut]) -> dict:
    """What the chips need: for every tokenizer the first pieces, and the bytes once."""
    data = to_bytes(text)
    rows, far = [], 0
    for one in cuts:
        shown = len(one.ids[:CHIPS])
        far = max([far, *one.ends[:shown]])
        rows.append({
            "name": one.name, "note": f"{one.note} · {one.vocabulary:,} ids",
            "count": len(one.ids), "ids": one.ids[:CHIPS],
            "starts": one.starts[:shown], "ends": one.ends[:shown],
            "names": [name_of(data[a:b]) for a, b in zip(one.starts[:shown], one.ends[:shown],
                                                         strict=True)],
        })  # fmt: skip
    return {"rows": rows, "hex": data[:far].hex(), "characters": len(text)}


def cost_table(text: str, cuts: list[Cut], price: float) -> str:
    """Markdown: how many tokens a word needs, and what a thousand such words cost. A word ends
    at white space, so a text without any is one word."""
    words = len(text.split())
    lines = ["| Tokenizer | Tokens a word | Dollars per 1,000 words |", "|---|--:|--:|"]
    for one in cuts:
        each, dollars = "–", "–"
        if words:
            each = f"{len(one.ids) / words:.2f}"
            dollars = f"{dollars_per_1000_words(len(one.ids), words, price):.5f}"
        lines.append(f"| {prose.literal(one.name)} | {each} | {dollars} |")
    return "\n".join(lines)


def dollars_per_1000_words(tokens: int, words: int, price: float) -> float:
    """Cost of 1,000 words like these at `price` dollars per million tokens."""
    return 1000 * tokens / words * price / 1e6


def in_words(text: str, cuts: list[Cut]) -> str:
    counts = [f"{prose.literal(one.name)} {len(one.ids):,}" for one in cuts]
    fewest = min(cuts, key=lambda one: len(one.ids))
    return (
        f"The text has {len(text):,} characters and {len(to_bytes(text)):,} bytes. Tokens: "
        f"{'; '.join(counts)}. The fewest: {prose.literal(fewest.name)}."
    )


def cutters() -> tuple[list[Cutter], list[str]]:
    """All tokenizers at hand, and sentences about those that are not."""
    loaded = {}
    for name in engine.models():
        try:
            loaded[name] = engine.load(name).tokenizer
        except (OSError, ValueError):
            continue
    encodings = tokens_tiktoken.load_all()
    found = [*of_models(loaded), *(of_tiktoken(e) for e in encodings if e.encoding)]
    return [*found, characters(), raw_bytes()], [e.problem for e in encodings if not e.encoding]


def side_by_side() -> list[Cut]:
    """Draw the text box, the chips and the table; returns the cuts."""
    if KEY not in st.session_state:  # a link that was followed brings its text
        st.session_state[KEY] = st.query_params.get(ADDRESS) or PRESETS["A question"]
    text = st.text_area("Your text", key=KEY, height=90, persist_state="session")
    _write_address(text)
    with st.container(horizontal=True, gap="small", key="tokens_presets"):
        for label, preset in PRESETS.items():
            st.button(label, key=f"tokens_preset_{label}", on_click=_take, args=(preset,))
    if len(text) > MOST:
        st.warning(f"Your text has {len(text):,} characters. The first {MOST:,} are cut below; "
                   "the rest stays in the box.")  # fmt: skip
        text = text[:MOST]
    if not text:
        st.info("An empty text has no tokens. Type something, or take one of the examples.")
        return []
    known, missing = cutters()
    began = time.perf_counter()
    cuts = [cut(one, text) for one in known]
    seconds = time.perf_counter() - began
    _mount(view_of(text, cuts), key="tokens_chips")
    chapter.mark("computed", by="microgpt and tiktoken" if len(missing) < 2 else "microgpt",
                 where=f"{len(cuts)} tokenizers", seconds=seconds)  # fmt: skip
    if missing:
        st.markdown(f":small[:material/info: Not shown: {prose.literal('; '.join(missing))}. "
                    f"`{tokens_tiktoken.COMMAND}` brings what it can; then open this page "
                    "again.]")  # fmt: skip
    _costs(text, cuts)
    chapter.text_twin(in_words(text, cuts))
    return cuts


def _write_address(text: str) -> None:
    """Keep the address such that it brings another reader to this text, if it is short."""
    worth = text != PRESETS["A question"] and 0 < len(text) <= LONGEST_LINK
    if st.query_params.get(ADDRESS) != (text if worth else None):
        if worth:
            st.query_params[ADDRESS] = text
        else:
            del st.query_params[ADDRESS]


def _take(preset: str) -> None:
    st.session_state[KEY] = preset


def _costs(text: str, cuts: list[Cut]) -> None:
    price = st.number_input("Price in dollars per million tokens", 0.0, 1000.0, PRICE, 0.5,
                            key="tokens_price", width=280, persist_state="session")  # fmt: skip
    chapter.mark("reported", where="3 dollars per million tokens read by Claude 3.5 Sonnet",
                 source="Anthropic, announcement of the model", year=2024)  # fmt: skip
    chapter.explain(cost_table(text, cuts, price))
    chapter.mark("computed", by="tokens × price", where="words counted at white space")
