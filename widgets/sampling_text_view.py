"""What sampling does to whole texts, worked out: side by side, as a tree, where facts are missing.

Pure: the engine in, plain values out. The drawing is in widgets/sampling_text.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.decoding import pipeline, sampling
from microgpt.decoding.generate import Branch, continuations, generate
from microgpt.decoding.sampling import GREEDY, Sampling
from microgpt.tokens.chat import end_name
from microgpt.tokens.tokenizer import StreamDecoder
from microgpt.world.lexicon import CAPITALS

SIDE_BY_SIDE = {
    "Greedy": GREEDY,
    "Temperature 0.7": Sampling(temperature=0.7),
    "As trained": Sampling(),
    "Temperature 1.5": Sampling(temperature=1.5),
    "Top-p 0.9": Sampling(top_p=0.9),
}
USES = {  # what people set for a kind of work
    "Code and facts": Sampling(temperature=0.2, top_p=0.9),
    "Chat": Sampling(temperature=0.7, top_p=0.9),
    "Brainstorming": Sampling(temperature=1.2, min_p=0.05),
}
UNUSED = "(unused)"
WIDTH, DEPTH = 4, 4  # of the tree
PLACES = ("France", "Japan", "the moon", "Atlantis")
LONGEST_PLACE = 40  # characters


@dataclass(frozen=True)
class Written:
    """A text that the model wrote: token by token, with the model's own probability of each."""

    pieces: tuple[tuple[str, float], ...]  # text (a name in brackets for a special token), p
    bits: float  # mean surprise of a token to the model itself, at temperature 1
    reason: str
    seconds: float

    @property
    def text(self) -> str:
        return "".join(piece for piece, _ in self.pieces)


def write(model, ids: Sequence[int], settings: Sampling, seed, most: int) -> Written:
    """Continue `ids` by at most `most` tokens, up to the end token. `seed` seeds a generator."""
    end = model.tokenizer.specials.get(end_name(model.tokenizer))
    decoder = StreamDecoder(model.tokenizer)
    special = set(model.tokenizer.specials.values())
    pieces, surprise, seconds, reason = [], [], 0.0, "context full"
    for step in generate(model, ids, settings, most, np.random.default_rng(seed), stop=(end,)):
        p = float(sampling.softmax(step.logits.astype(np.float64))[step.token])
        surprise.append(-math.log2(max(p, 1e-300)))
        seconds += step.seconds + step.sampling_seconds
        reason = step.reason
        if step.token == end:
            break
        if step.token >= model.tokenizer.vocab_size:  # a place of the head without a token
            shown = UNUSED
        elif step.token in special:
            shown = model.tokenizer.name_of(step.token)
        else:
            shown = readable(decoder.push(step.token))
        pieces.append((shown, p))
    rest = readable(decoder.flush())
    if rest:
        pieces.append((rest, 1.0))
    return Written(tuple(pieces), float(np.mean(surprise or [0.0])), reason or "", seconds)


def readable(text: str) -> str:
    """A text without characters that cannot be seen: those as their escapes."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def texts_view(model, ids, named: Mapping[str, Sampling], seed: int, most: int) -> dict:
    """The same prompt at several settings, each with the same seed."""
    rows = []
    for name, settings in named.items():
        written = write(model, ids, settings, seed, most)
        rows.append({
            "name": name, "pieces": [list(piece) for piece in written.pieces],
            "bits": written.bits, "ended": written.reason == "stop token",
            "seconds": written.seconds,
        })  # fmt: skip
    return {"rows": rows}


def spoken_prompt(model, text: str, most: int = 60) -> str:
    """What a text continues, as it is shown before it: nothing for a model that answers."""
    if pipeline.is_chat(model):
        return ""
    return text if len(text) <= most else f"… {text[-most:]}"


def texts_in_words(view: dict) -> str:
    """The text twin of the texts side by side."""
    rows = sorted(view["rows"], key=lambda row: row["bits"])
    calm, wild = rows[0], rows[-1]
    return (
        f"{len(rows)} texts from one prompt and one seed. Each token is underlined the thicker, "
        f"the less the model itself expected it. The least surprising text is "
        f"“{calm['name']}” with "
        f"{calm['bits']:.2f} bits a token, the most surprising “{wild['name']}” with "
        f"{wild['bits']:.2f}."
    )


# The tree


def tree_view(model, ids: Sequence[int], names: Sequence[str]) -> dict:
    """The likeliest continuations, four wide and four deep, each with its product."""
    end = model.tokenizer.specials.get(end_name(model.tokenizer))

    def node(branch: Branch) -> dict:
        return {
            "name": names[branch.token], "p": branch.probability, "path": branch.path_probability,
            "end": branch.token == end, "children": [node(child) for child in branch.children],
        }  # fmt: skip

    return {"children": [node(b) for b in continuations(model, ids, WIDTH, DEPTH)]}


def paths(view: dict) -> list[tuple[tuple[str, ...], float]]:
    """Every path of the tree to its leaf with its probability, the likeliest first."""
    found = []

    def walk(node: dict, way: tuple[str, ...]) -> None:
        if not node["children"]:
            found.append((way, node["path"]))
        for child in node["children"]:
            walk(child, (*way, child["name"]))

    walk(view, ())
    return sorted(found, key=lambda item: -item[1])


def greedy_path(view: dict) -> tuple[tuple[str, ...], float]:
    """The path that takes the likeliest token at every place."""
    way, node = (), view
    while node["children"]:
        node = node["children"][0]
        way += (node["name"],)
    return way, node["path"]


def tree_in_words(view: dict) -> str:
    """The text twin of the tree, and what following the best token misses, if anything."""
    every = paths(view)
    (best, p), (greedy, q) = every[0], greedy_path(view)
    words = (
        f"A tree of the {WIDTH} likeliest tokens at each of {DEPTH} places, {len(every)} paths, "
        f"which hold {100 * sum(share for _, share in every):.1f} % of all that could be said. "
        f"Always taking the likeliest token gives {_quote(greedy)} with {100 * q:.2f} %. "
    )
    if best == greedy:
        return words + "No path of the tree is likelier than that one."
    return words + f"A likelier path exists: {_quote(best)} with {100 * p:.2f} %."


def _quote(way: Sequence[str]) -> str:
    return f"`{''.join(way)}`"


# Where facts are missing


def ask_capital(model, place: str) -> dict:
    """The likeliest answer about a place, and whether the training text has one at all."""
    place = " ".join(place.split())[:LONGEST_PLACE]
    chat = pipeline.is_chat(model)
    question = f"What is the capital of {place}?" if chat else f"The capital of {place} is"
    ids = pipeline.read_prompt(model, question, reserve=24).ids
    written = write(model, ids, GREEDY, 0, 24)
    known = {name.lower(): capital for name, (capital, _) in CAPITALS.items()}
    truth = known.get(place.lower().removeprefix("the "))
    first = generate(model, ids, Sampling(), 1, np.random.default_rng(0))
    chances = sampling.softmax(next(first).logits.astype(np.float64))
    return {
        "place": place,
        "question": question,
        "answer": written.text.strip(),
        "p": math.prod(p for _, p in written.pieces),
        "entropy": sampling.entropy(chances),
        "truth": truth,
        "ours": _trained_here(model),
        "right": truth is not None and truth.lower() in written.text.lower(),
    }


def answers_in_words(rows: Sequence[dict]) -> str:
    """What the answers show, and no more than they show."""
    known = [row for row in rows if row["truth"]]
    unknown = [row for row in rows if not row["truth"]]
    right = sum(row["right"] for row in known)
    ours = all(row.get("ours", True) for row in rows)
    told = "whose capital stood in the training text" if ours else "whose capital we know"
    words = [f"Of {len(known)} places {told}, it gets {right} right."]
    if not unknown:
        return words[0]
    boldest = max(unknown, key=lambda row: row["p"])
    words.append(
        f"{_nothing_about(boldest)}, and yet it answers "
        f"“{boldest['answer']}”, a sentence to which it gives {100 * boldest['p']:.1f} %."
    )
    surest = max((row["p"] for row in known), default=0.0)
    if boldest["p"] >= 0.5 * surest:
        words.append("It is about as sure of that as of what it knows.")
    else:
        words.append(
            f"It is less sure there: {boldest['entropy']:.1f} bits of entropy before the first "
            "token. But the words on the screen sound just as certain; the doubt stays inside."
        )
    return " ".join(words)


def _nothing_about(row: dict) -> str:
    if row.get("ours", True):
        return f"About {row['place']} that text says nothing"
    return f"For {row['place']} we know of no capital"


def places_in_words(model) -> str:
    """What is known of the places before the model is asked."""
    if _trained_here(model):
        return ("Some of these places stood in the training text with their capital; of the "
                "others it says nothing.")  # fmt: skip
    return ("Nobody here can read all that this model was trained on. Some of these places have "
            "a capital that you can look up; others have none.")  # fmt: skip


def _trained_here(model) -> bool:
    return "origin" not in model.card


# Settings for a kind of work


def uses_table(model, ids: Sequence[int], seed: int, samples: int, most: int) -> list[dict]:
    """What the usual settings do to this very prompt: measured on `samples` short texts each."""
    scores = next(generate(model, ids, Sampling(), 1, np.random.default_rng(0))).logits
    rows = []
    for name, settings in USES.items():
        last = sampling.stages(scores, settings, ids)[-1]
        texts = [write(model, ids, settings, [seed, i], most) for i in range(samples)]
        counts: dict[str, int] = {}
        for written in texts:
            counts[written.text] = counts.get(written.text, 0) + 1
        rows.append({
            "name": name, "settings": settings, "entropy": sampling.entropy(last.probabilities),
            "kept": last.kept, "best": float(last.probabilities.max()), "samples": samples,
            "distinct": len(counts), "bits": float(np.mean([w.bits for w in texts])),
            "common": max(counts, key=counts.get), "times": max(counts.values()),
        })  # fmt: skip
    return rows
