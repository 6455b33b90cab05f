"""Attention while the model learns: the stored moments of a recorded run, over one text. Pure."""

from dataclasses import dataclass

import numpy as np

from microgpt.insight.heads import attention_weights
from microgpt.insight.snapshots import Moment
from microgpt.tokens.chat import BEGIN, special
from microgpt.training.parallel import single_threaded_blas
from widgets.attention_view import percentages, triangles
from widgets.components import packed

TEXT = "The cat moon door rice king bell cat moon"


@dataclass(frozen=True, eq=False)
class Run:
    """A recorded run: what each moment can do, and every head's triangle over `names` then."""

    names: tuple[str, ...]
    layers: int
    heads: int
    moments: tuple[Moment, ...]
    shares: np.ndarray  # (moments, L H, T (T + 1) / 2) whole percentages


def compute(loaded) -> Run:
    """`loaded` gives (Moment, model), in the order of training."""
    moments, shares, names, config = [], [], (), None
    with single_threaded_blas():
        for moment, model in loaded:
            config = model.config
            ids = [special(model.tokenizer, BEGIN), *model.tokenizer.encode(TEXT)]
            weights = attention_weights(model, np.array([ids]))[0][0]
            T = len(ids)
            shares.append(triangles(percentages(weights.reshape(-1, T, T))))
            names = tuple(model.tokenizer.name_of(i) for i in ids)
            moments.append(moment)
    return Run(names, config.layers, config.heads, tuple(moments), np.stack(shares))


def as_data(run: Run) -> dict:
    last = run.moments[-1]
    return {
        "names": run.names,
        "layers": run.layers,
        "heads": run.heads,
        "shares": packed(run.shares),
        "show": {"previous": [last.previous.layer, last.previous.head],
                 "induction": [last.induction.layer, last.induction.head]},
        "moments": [
            {
                "tokens": m.tokens, "loss": m.loss, "copying": m.copying,
                "previous": m.previous.score, "induction": m.induction.score,
            }
            for m in run.moments
        ],
    }  # fmt: skip


def jump(run: Run) -> tuple[Moment, Moment]:
    """The two neighbors between which copying gained most."""
    pairs = list(zip(run.moments, run.moments[1:], strict=False))
    return max(pairs, key=lambda pair: pair[1].copying - pair[0].copying)


def in_words(run: Run) -> str:
    rows = "; ".join(
        f"after {m.tokens / 1e6:.2f} million tokens loss {m.loss:.2f}, copying "
        f"{100 * m.copying:.0f} %, best previous-token score {m.previous.score:.2f}, best "
        f"induction score {m.induction.score:.2f}"
        for m in run.moments
    )
    before, after = jump(run)
    return (
        f"{len(run.moments)} stored moments: {rows}. Copying gains most between "
        f"{before.tokens / 1e6:.2f} and {after.tokens / 1e6:.2f} million tokens."
    )
