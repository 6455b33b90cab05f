"""The head gallery: which head is of which kind, how surely, and what the model loses without it;
and what is lost without the heads that the reader takes away. Pure."""

from dataclasses import dataclass

import numpy as np

from microgpt.autograd import ops
from microgpt.insight import ablation, heads, worth
from microgpt.model.gpt import gpt
from microgpt.training.parallel import single_threaded_blas
from widgets.attention_view import percentages, triangles
from widgets.components import packed

BEST = 6  # next tokens that are compared

DOES = {  # kind: what such a head does
    "previous token": "looks one step back: it tells each token what stands before it",
    "first token": "rests on the first token: where it has nothing to look for, its weight must "
                   "go somewhere",
    "duplicate token": "looks at the same token, where it stood before",
    "induction": "finds where the present token stood before, and looks at what came after it: "
                 "it copies",
}  # fmt: skip


@dataclass(frozen=True)
class Portrait:
    """The best head of one kind, the next best, how it looks at repeated words; what is left
    without it, and without all `peers` that are clearly of this kind."""

    kind: str
    best: heads.HeadScore
    second: heads.HeadScore
    shares: np.ndarray  # triangle of whole percentages over the repeated words
    without: worth.Worth
    peers: tuple[tuple[int, int], ...]
    without_all: worth.Worth

    @property
    def verdict(self) -> str:
        """How sure: a score of .7 is called by the kind's name, one below .3 is none."""
        if self.best.score >= heads.CERTAIN:
            return "clearly one"
        return "partly one" if self.best.score >= 0.3 else "no such head here"


@dataclass(frozen=True)
class Gallery:
    names: tuple[str, ...]  # the repeated words that the pictures are of
    portraits: tuple[Portrait, ...]
    whole: worth.Worth


def compute(model) -> Gallery:
    """Score every head as every kind; measure what each kind's best head is worth."""
    with single_threaded_blas():
        scores = heads.score_heads(model)
        row = heads.repeated_tokens(model, np.random.default_rng(heads.SEED))[:1]
        weights, _ = heads.attention_weights(model, row)
        portraits = tuple(
            _portrait(model, kind, ranked, weights[0]) for kind, ranked in scores.items()
        )
        names = tuple(model.tokenizer.name_of(int(i)) for i in row[0])
        return Gallery(names, portraits, worth.worth(model))


def _portrait(model, kind: str, ranked: list[heads.HeadScore], weights) -> Portrait:
    best = ranked[0]
    peers = [(s.layer, s.head) for s in ranked if s.score >= heads.CERTAIN]
    peers = peers or [(best.layer, best.head)]

    def without(some):
        return worth.worth(model, ablation.without_heads(some, model.config))

    alone = without(peers[:1])
    return Portrait(
        kind, best, ranked[1], triangles(percentages(weights[best.layer, best.head])[None])[0],
        alone, tuple(peers), without(peers) if peers[1:] else alone,
    )  # fmt: skip


def as_data(gallery: Gallery) -> dict:
    return {
        "names": gallery.names,
        "whole": worth_data(gallery.whole),
        "portraits": [
            {
                "kind": p.kind,
                "does": DOES[p.kind],
                "verdict": p.verdict,
                "head": [p.best.layer, p.best.head],
                "score": p.best.score,
                "spread": p.best.spread,
                "first": p.best.first,
                "second": [p.second.layer, p.second.head, p.second.score],
                "shares": packed(p.shares),
                "without": worth_data(p.without),
                "peers": len(p.peers),
                "without_all": worth_data(p.without_all),
            }
            for p in gallery.portraits
        ],
    }


def worth_data(measured: worth.Worth) -> list[float]:
    return [measured.loss, measured.copying, measured.sentences]


def in_words(gallery: Gallery) -> str:
    """The text twin: every portrait with its figures."""
    whole, lines = gallery.whole, []
    for p in gallery.portraits:
        lines.append(
            f"**{p.kind.capitalize()} head**: {p.verdict}. Best is layer {p.best.layer + 1}, head "
            f"{p.best.head + 1}, with a score of {p.best.score:.2f} ± {p.best.spread:.2f}; in "
            f"{100 * p.best.first:.0f} % of the places nothing gets more. Next best: layer "
            f"{p.second.layer + 1}, head {p.second.head + 1}, {p.second.score:.2f}. Without it the "
            f"loss goes from {whole.loss:.2f} to {p.without.loss:.2f}, copying from "
            f"{100 * whole.copying:.0f} % to {100 * p.without.copying:.0f} %, sentences from "
            f"{100 * whole.sentences:.0f} % to {100 * p.without.sentences:.0f} %."
            + _together(p)
        )
    return "\n\n".join(lines)


def _together(p: Portrait) -> str:
    if len(p.peers) < 2:
        return ""
    return (
        f" {len(p.peers)} heads are clearly of this kind; without all of them the loss is "
        f"{p.without_all.loss:.2f}, copying {100 * p.without_all.copying:.0f} %, sentences "
        f"{100 * p.without_all.sentences:.0f} %."
    )


@dataclass(frozen=True)
class Ablated:
    """A model with and without some heads: its worth, and what it says next after one text."""

    heads: tuple[tuple[int, int], ...]
    whole: worth.Worth
    left: worth.Worth
    tokens: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


def clamp(taken, config) -> tuple[tuple[int, int], ...]:
    """The heads that the browser says are taken away, those that there are, in order."""
    found = set()
    for pair in taken if isinstance(taken, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair):
            layer, head = pair
            if 0 <= layer < config.layers and 0 <= head < config.heads:
                found.add((layer, head))
    return tuple(sorted(found))


def ablate(model, ids, taken, whole: worth.Worth) -> Ablated:
    """Take heads away; measure, and compare the next token's chances. `whole` is the intact
    model's worth, measured once."""
    edit = ablation.without_heads(taken, model.config) if taken else None
    tokens = np.array([ids])
    with single_threaded_blas():
        before, after = (
            ops.softmax(gpt(model.params, tokens, model.config, edit=one)[0, -1])
            for one in (None, edit)
        )
        left = worth.worth(model, edit) if taken else whole
    order = np.argsort(-np.maximum(before, after), kind="stable")[:BEST]
    order = sorted(order.tolist(), key=lambda i: -before[i])
    names = tuple(model.tokenizer.name_of(i) for i in order)
    chances = [tuple(float(p[i]) for i in order) for p in (before, after)]
    return Ablated(tuple(taken), whole, left, names, *chances)


def ablated_data(done: Ablated, config) -> dict:
    return {
        "layers": config.layers,
        "heads": config.heads,
        "taken": [list(pair) for pair in done.heads],
        "whole": worth_data(done.whole),
        "left": worth_data(done.left),
        "tokens": done.tokens,
        "before": done.before,
        "after": done.after,
    }


def ablated_in_words(done: Ablated) -> str:
    named = ", ".join(f"layer {layer + 1} head {head + 1}" for layer, head in done.heads)
    best = done.tokens[int(np.argmax(done.after))]
    return (
        f"Taken away: {named or 'nothing'}. Loss {done.whole.loss:.3f}, now {done.left.loss:.3f} "
        f"nats a token. Copying {100 * done.whole.copying:.0f} %, now "
        f"{100 * done.left.copying:.0f} %. Held-out sentences {100 * done.whole.sentences:.0f} %, "
        f"now {100 * done.left.sentences:.0f} %. After your sentence it would say “{best}”, with "
        f"{100 * max(done.after):.1f} %; “{done.tokens[0]}” goes from {100 * done.before[0]:.1f} % "
        f"to {100 * done.after[0]:.1f} %."
    )
