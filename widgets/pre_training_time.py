"""The time machine: the stored moments of tiny-base at one slider, and what jumped when."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.insight import emergence, heads, snapshots, words
from microgpt.insight.embeddings import principal_axes, unit_rows
from microgpt.insight.emergence import Copying
from microgpt.training.parallel import single_threaded_blas
from widgets import chapter
from widgets.components import component, packed
from widgets.plot import plot
from widgets.pre_training_files import write

MODEL = "tiny-base"
GROUPS = ("animals", "colors", "foods", "feelings", "people")
EACH = 7  # words of a group on the map
PROMPTS = ("Once upon a time", "The capital of France is")
TOKENS = 40  # of a sample
KINDS = ("previous token", "induction")

_time = component("pre_training_time")


@dataclass(frozen=True, eq=False)
class Moment:
    """One stored moment: what was written then, every head's two scores, where words lie."""

    tokens: int
    loss: float
    texts: tuple[str, ...]
    scores: np.ndarray  # (2, L, H)
    places: np.ndarray  # (W, 2)
    together: float  # share of the words whose nearest among them is of their group
    copying: Copying


@dataclass(frozen=True, eq=False)
class Machine:
    """The whole run."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    moments: tuple[Moment, ...]
    seconds: float


@st.cache_resource(max_entries=1, show_spinner="Reading the stored moments ...")
def machine() -> Machine | None:
    """All moments, once per server; None where none are stored."""
    began, stored = time.perf_counter(), snapshots.snapshots(MODEL)
    if len(stored) < 3:
        return None
    with single_threaded_blas():
        last = stored[-1].load()
        tokens, groups = chosen_words(last.tokenizer)
        axes, _, _ = principal_axes(last.params["model.embed_tokens.weight"][tokens], 2)
        moments = tuple(measure(one, tokens, groups, axes) for one in stored)
    names = tuple(last.tokenizer.name_of(t).strip("·") for t in tokens)
    return Machine(names, groups, moments, time.perf_counter() - began)


def chosen_words(tokenizer) -> tuple[np.ndarray, tuple[str, ...]]:
    """The first words of some groups that are one token."""
    found = words.grouped_tokens(tokenizer)
    kept = [pair for g in GROUPS for pair in [p for p in found if p[1] == g][:EACH]]
    return np.array([token for token, _ in kept]), tuple(group for _, group in kept)


def measure(stored, tokens, groups, axes) -> Moment:
    model = stored.load()
    rows = model.params["model.embed_tokens.weight"][tokens]
    likeness = unit_rows(rows - rows.mean(0)) @ unit_rows(rows - rows.mean(0)).T
    np.fill_diagonal(likeness, -2)
    kinds = np.array(groups)
    scores = np.zeros((2, model.config.layers, model.config.heads), np.float32)
    found = heads.score_heads(model)
    for i, kind in enumerate(KINDS):
        for one in found[kind]:
            scores[i, one.layer, one.head] = one.score
    written = tuple(write(model, prompt, tokens=TOKENS) for prompt in PROMPTS)
    return Moment(
        stored.tokens, stored.loss, written,
        scores, ((rows - rows.mean(0)) @ axes.T).astype(np.float32),
        float((kinds[likeness.argmax(1)] == kinds).mean()), emergence.copying(model),
    )  # fmt: skip


def view_of(run: Machine) -> dict:
    places = np.stack([m.places for m in run.moments])
    return {
        "names": run.names, "groups": run.groups, "order": GROUPS,
        "layers": run.moments[0].scores.shape[1], "heads": run.moments[0].scores.shape[2],
        "places": packed((places / np.abs(places).max((0, 1))).astype(np.float32)),
        "moments": [
            {
                "tokens": m.tokens, "loss": m.loss, "texts": m.texts, "together": m.together,
                "copying": m.copying.right, "scores": np.round(m.scores, 3),
            }
            for m in run.moments
        ],
    }  # fmt: skip


MEASURES = {  # what is drawn: a name, how to take it from `Copying`, color, dash, shape
    "chance of the right word": (lambda c: c.chance, "probability", "none", "circle"),
    "best guess is right": (lambda c: c.right, "query", "8 4", "square"),
    "eight right in a row": (lambda c: c.in_a_row, "gradient", "2 4", "diamond"),
}


def measures_view(run: Machine) -> dict:
    series = [
        {"name": name, "color": color, "dash": dash, "shape": shape,
         "points": [[m.tokens, round(of(m.copying), 4)] for m in run.moments]}
        for name, (of, color, dash, shape) in MEASURES.items()
    ]  # fmt: skip
    return {"series": series, "label": "Copying by three measures against tokens read.",
            "x": {"title": "tokens read", "log": True, "unit": "tokens"},
            "y": {"title": "share of repeated words", "domain": [0, 1], "unit": "share"},
            "height": 260}  # fmt: skip


def surprise_view(run: Machine) -> dict:
    """The softest measure: nats, where nothing can be gained by rounding."""
    lines = {
        "surprise at a word read before": (lambda m: m.copying.surprise, "loss", "none", "circle"),
        "surprise at the first reading": (lambda m: m.copying.first, "quiet", "6 4", "square"),
        "loss on all text": (lambda m: m.loss, "residual", "2 4", "diamond"),
    }
    series = [
        {"name": name, "color": color, "dash": dash, "shape": shape,
         "points": [[m.tokens, round(of(m), 3)] for m in run.moments]}
        for name, (of, color, dash, shape) in lines.items()
    ]  # fmt: skip
    return {"series": series, "label": "Surprise against tokens read.",
            "x": {"title": "tokens read", "log": True, "unit": "tokens"},
            "y": {"title": "nats a token", "unit": "nats"}, "height": 260}  # fmt: skip


def millions(moment: Moment) -> str:
    return f"{moment.tokens / 1e6:.3g}"


def between(run: Machine, i: int) -> str:
    return f"{millions(run.moments[i - 1])} and {millions(run.moments[i])} million tokens"


def jump_in_words(run: Machine) -> str:
    """When copying appeared, and how much of its way each measure goes in one step."""
    moments = run.moments
    right = [m.copying.right for m in moments]
    best = [float(m.scores[1].max()) for m in moments]
    at, heads_at = emergence.steepest(right), emergence.steepest(best)
    shares = {
        "best guess is right": emergence.share_in_one_step(right),
        "eight right in a row": emergence.share_in_one_step([m.copying.in_a_row for m in moments]),
        "nats of surprise": emergence.share_in_one_step([m.copying.surprise for m in moments]),
    }
    said = ", ".join(f"{100 * share:.0f} % in *{name}*" for name, share in shares.items())
    return (
        f"Copying gains most between {between(run, at)}: from {right[at - 1]:.0%} to "
        f"**{right[at]:.0%}** of the words. The best [[induction head]] gains most between "
        f"{between(run, heads_at)}: from {best[heads_at - 1]:.2f} to **{best[heads_at]:.2f}**. Of "
        f"the whole way from worst to best, the largest single step takes {said}."
    )


def verdict_in_words(run: Machine) -> str:
    """Whether the softest measure jumps too, and what the hard one adds."""
    moments = run.moments
    at = emergence.steepest([m.copying.right for m in moments])
    soft = emergence.share_in_one_step([m.copying.surprise for m in moments])
    before, after = moments[at - 1], moments[at]
    whose = (
        "So this jump is the **model's**: even in nats, where nothing is rounded, it is there."
        if soft > 0.5
        else "So much of this jump is the **measure's**: in nats, where nothing is rounded, the "
        "way is longer."
    )
    return (
        f"{whose} The harder ruler comes later: after {millions(after)} million tokens "
        f"{after.copying.right:.0%} of the guesses are right, but {after.copying.in_a_row:.0%} of "
        f"all eights in a row. The :loss[loss] on all text goes from {before.loss:.2f} to "
        f"{after.loss:.2f} in the same step, for lists and passages are part of it. No weights "
        f"were stored between {between(run, at)}, so how sudden it was inside that gap can't be "
        "read off here. That abilities of large models emerge is disputed for just this reason: "
        "it depends on the measure."
    )


def at_one_slider(run: Machine) -> None:
    _time(view_of(run), key="pre_training_time")
    chapter.mark("measured", by=MODEL, where=f"{len(run.moments)} stored moments of its training",
                 seconds=run.seconds)  # fmt: skip
    chapter.text_twin(in_words(run))


def measures(run: Machine) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        plot(measures_view(run), key="pre_training_measures")
    with right:
        plot(surprise_view(run), key="pre_training_surprise")
    chapter.mark("measured", by=MODEL, where="random words that come twice")
    chapter.text_twin(measures_in_words(run))


def in_words(run: Machine) -> str:
    rows = "; ".join(
        f"after {millions(m)} million tokens loss {m.loss:.2f}, copies "
        f"{m.copying.right:.0%}, best previous-token head {m.scores[0].max():.2f}, best induction "
        f"head {m.scores[1].max():.2f}, {m.together:.0%} of the words beside one of their kind"
        for m in run.moments
    )
    return f"{len(run.moments)} moments: {rows}."


def measures_in_words(run: Machine) -> str:
    rows = "; ".join(
        f"{millions(m)} million tokens: chance {m.copying.chance:.2f}, right "
        f"{m.copying.right:.2f}, eight in a row {m.copying.in_a_row:.2f}, surprise "
        f"{m.copying.surprise:.2f} nats, at the first reading {m.copying.first:.2f}"
        for m in run.moments
    )
    return f"{rows}. {jump_in_words(run)}"
