"""Scaling laws on the recorded runs: the law, its forecast, and how to spend a budget."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.training import scaling
from microgpt.training.scaling import FORETOLD, Point
from microgpt.training.scaling_fit import Fit, Forecast, fit, foretell, frontier
from widgets import chapter, marks
from widgets.plot import plot

SEED = 0
EARLY = 400_000  # tokens: points before that can be left out of the fit
COLORS = ("query", "key", "value", "probability", "cache", "gradient", "loss")
DASHES = ("none", "8 4", "2 4", "8 3 2 3", "12 4", "4 4", "none")
SHAPES = ("circle", "square", "diamond")
REPORTED = {"GPT-3": (175e9, 300e9), "Chinchilla": (70e9, 1.4e12)}  # parameters, tokens
BUDGETS = 7  # that the slider offers


@dataclass(frozen=True)
class Result:
    """A law fitted to the six smaller sizes, and what it says about the seventh."""

    fitted: Fit
    forecast: Forecast
    used: int
    curve: tuple[tuple[float, float, float, float], ...]  # tokens, loss, low, high
    seconds: float


@st.cache_resource(max_entries=1, show_spinner=False)
def points() -> tuple[Point, ...]:
    return tuple(scaling.load_points())


def last_of(name: str) -> Point:
    """Where the run of a size ended."""
    return max((p for p in points() if p.name == name), key=lambda p: p.D)


@st.cache_resource(max_entries=2, show_spinner="Fitting the law to 200 resampled ladders ...")
def result(least: int) -> Result:
    """The fit over points of at least so many tokens, and the forecast. The same seed, so the
    same numbers."""
    began = time.perf_counter()
    seen = [p for p in points() if p.name != FORETOLD and least <= p.D]
    rng = np.random.default_rng(SEED)
    fitted = fit(seen, rng)
    last = last_of(FORETOLD)
    forecast = foretell(fitted, last, rng)
    curve = []
    for tokens in np.geomspace(max(least, min(p.D for p in seen)), last.D, 16):
        one = foretell(fitted, Point(FORETOLD, last.N, int(tokens), last.loss), rng)
        curve.append((float(tokens), one.predicted, one.low, one.high))
    return Result(fitted, forecast, len(seen), tuple(curve), time.perf_counter() - began)


def rows(number: float) -> float:
    return float(f"{number:.5g}")


def ladder_view(least: int | None) -> dict:
    """Loss against tokens, one line a size; with `least`, the forecast and the run that it was
    for."""
    names = [n for n in scaling.SIZES if n != FORETOLD or least is not None]
    series = [
        {
            "name": f"{name}, {last_of(name).N:,} weights", "color": COLORS[i],
            "dash": DASHES[i], "shape": SHAPES[i % 3],
            "points": [[p.D, rows(p.loss)] for p in points() if p.name == name],
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    view = {"series": series, "label": "Held-out loss against tokens read, by size.",
            "x": {"title": "tokens read", "log": True, "unit": "tokens"},
            "y": {"title": "held-out loss, nats a token", "log": True, "unit": "loss"}}  # fmt: skip
    if least is None:
        return view
    found = result(least)
    series[-1]["line"], series[-1]["name"] = False, f"{series[-1]['name']}: measured"
    series.append({
        "name": "foretold by the six", "color": "residual", "dash": "6 4",
        "points": [[rows(d), rows(loss)] for d, loss, _, _ in found.curve],
    })  # fmt: skip
    view["bands"] = [
        {
            "name": "90 % interval",
            "color": "residual",
            "points": [[rows(d), rows(a), rows(b)] for d, _, a, b in found.curve],
        }
    ]
    return view


def verdict(found: Result) -> str:
    """Where the measured loss lies, in words."""
    f = found.forecast
    if f.inside:
        return "inside it"
    side, edge = ("below", f.low) if f.point.loss < f.low else ("above", f.high)
    near = "just " if abs(f.point.loss - edge) < 0.02 * f.point.loss else ""
    return f"**{near}outside**, {side} it"


def forecast_in_words() -> str:
    """Both fits, and what came out."""
    every, late = result(0), result(EARLY)
    f, g = every.forecast, late.forecast
    a, b = every.fitted, late.fitted
    return (
        f"Fitted to all {every.used} points of the six smaller sizes, the law foretells "
        f"**{f.predicted:.3f}** for {f.point.N:,} weights after {f.point.D / 1e6:.2f} million "
        f"tokens, with a 90 % interval from {f.low:.3f} to {f.high:.3f}. Then the run was made: "
        f"**{f.point.loss:.3f}**. That is {verdict(every)}. Without the points below "
        f"{EARLY:,} tokens, where the warm-up still shows, {late.used} points are left; the "
        f"forecast is **{g.predicted:.3f}** ({g.low:.3f} to {g.high:.3f}), and the run lies "
        f"{verdict(late)}. But that choice was made after the answer was known, so it proves "
        f"nothing; it says where to look. The exponents: α = {a.law.alpha:.2f} "
        f"({a.alpha[0]:.2f} to {a.alpha[1]:.2f}) for size and β = {a.law.beta:.2f} "
        f"({a.beta[0]:.2f} to {a.beta[1]:.2f}) for tokens; in the second fit "
        f"{b.law.alpha:.2f} and {b.law.beta:.2f}. A point strays from the law by "
        f"{100 * a.error:.1f} % and {100 * b.error:.1f} %."
    )


def guess() -> chapter.Number:
    """The forecast that the reader makes first."""
    last, before = last_of(FORETOLD), last_of("80 wide")
    return chapter.Number(
        f"The largest of the six has {before.N:,} weights and ends at {before.loss:.2f}. A seventh "
        f"has {last.N:,}, {last.N / before.N:.1f} times as many, and reads the same "
        f"{last.D / 1e6:.2f} million tokens. At which held-out loss does it end?",
        answer=last.loss, tolerance=0.05,
        explain=f"It ends at {last.loss:.3f}. Below, what the law made of the same six lines.",
    )  # fmt: skip


@st.fragment
def forecast() -> None:
    """The law beside the run that it had not seen."""
    early = st.toggle(f"Leave out the points below {EARLY:,} tokens", key="pre_training_early",
                      persist_state="session")  # fmt: skip
    least = EARLY if early else 0
    found = result(least)
    plot(ladder_view(least), key="pre_training_forecast")
    chapter.mark("measured", by="microgpt.training.scaling",
                 where=f"recorded runs; fitted just now to {found.used} points",
                 seconds=found.seconds)  # fmt: skip
    chapter.text_twin(ladder_in_words() + " " + forecast_in_words())


def ladder() -> None:
    """The six runs, before anything is foretold."""
    plot(ladder_view(None), key="pre_training_ladder")
    chapter.mark("measured", by="microgpt.training.scaling", where="recorded runs, one core")
    chapter.text_twin(ladder_in_words())


def ladder_in_words() -> str:
    said = []
    for name in scaling.SIZES:
        if name != FORETOLD:
            run = [p for p in points() if p.name == name]
            said.append(f"{run[0].N:,} weights from {run[0].loss:.2f} to {run[-1].loss:.2f}")
    return (
        f"Held-out loss from {run[0].D:,} to {run[-1].D:,} tokens: {'; '.join(said)}. Every line "
        "falls all the way, and the larger the model, the lower it lies."
    )


@st.fragment
def budget() -> None:
    """One amount of compute: a small model that reads much, or a large one that reads little."""
    best = frontier(points(), BUDGETS)
    computes = [o.compute for o in best]
    st.session_state.setdefault("pre_training_budget", computes[BUDGETS // 2])
    compute = st.select_slider("Compute, floating-point operations", computes,
                               key="pre_training_budget", format_func=lambda c: f"{c:.1e}",
                               persist_state="session", width=420)  # fmt: skip
    law = result(0).fitted.law
    view, spent, own, N = budget_view(compute, law)
    plot(view, key="pre_training_budget_chart")
    chapter.mark("measured", by="microgpt.training.scaling", where="read off the recorded runs")
    words = budget_in_words(compute, spent, own, N)
    chapter.text_twin(words)
    chapter.explain(words)


def budget_view(compute: float, law):
    """The law along one budget, and what the runs had reached when they had spent it."""
    spent = read_off(compute)
    own = min(spent, key=lambda pair: pair[1])
    N = float(law.best_size(compute))
    sizes = np.geomspace(min(min(n for n, _ in spent), N) / 1.5,
                         max(max(n for n, _ in spent), N) * 1.5, 40)  # fmt: skip
    series = [
        {"name": "the law, fitted to all six", "color": "residual", "dash": "6 4",
         "points": [[rows(n), rows(law.loss(n, compute / (6 * n)))] for n in sizes]},
        {"name": "the runs", "color": "loss", "shape": "circle", "line": False,
         "points": [[n, rows(loss)] for n, loss in spent]},
        {"name": "best by the law", "color": "gradient", "shape": "diamond", "line": False,
         "points": [[rows(N), rows(law.loss(N, compute / (6 * N)))]]},
    ]  # fmt: skip
    view = {
        "series": series,
        "label": "Held-out loss against size at one amount of compute.",
        "x": {"title": "weights in the layers", "log": True, "unit": "weights"},
        "y": {"title": "held-out loss", "log": True, "unit": "loss"},
        "height": 270,
    }
    return view, spent, own, N


def read_off(compute: float) -> list[tuple[int, float]]:
    """(weights, loss) of every run that had spent this much, between its marks."""
    found = []
    for name in scaling.SIZES:
        run = sorted((p for p in points() if p.name == name), key=lambda p: p.D)
        spent = np.log([p.compute for p in run])
        if spent[0] - 1e-9 <= np.log(compute) <= spent[-1] + 1e-9:
            loss = np.exp(np.interp(np.log(compute), spent, np.log([p.loss for p in run])))
            found.append((run[0].N, float(loss)))
    return found


def budget_in_words(compute: float, spent, own, N: float) -> str:
    tokens, by_law = compute / (6 * own[0]), compute / (6 * N)
    return (
        f"With {marks_of(compute)} operations, {len(spent)} of the runs can be compared. Best is "
        f"the one with **{own[0]:,}** weights, which could afford {tokens:,.0f} tokens: loss "
        f"{own[1]:.3f}, **{tokens / own[0]:,.0f} tokens a weight**. The law would spend it on "
        f"{N:,.0f} weights and {by_law:,.0f} tokens. Smaller models have read more and can't use "
        "it; larger ones have hardly begun."
    )


def marks_of(number: float) -> str:
    """1.2e+13 as 1.2 · 10¹³."""
    digits, power = f"{number:.1e}".split("e")
    raised = str(int(power)).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    return f"{digits} · 10{raised}"


def scale_view() -> dict:
    """Weights against tokens: our frontier, the reported models, and 20 tokens a weight."""
    best = frontier(points(), BUDGETS)
    ours = [[o.N, rows(o.D)] for o in best]
    line = [min(n for n, _ in ours), max(n for n, _ in REPORTED.values())]
    series = [
        {"name": "best of our runs (measured)", "color": "loss", "shape": "circle", "line": False,
         "points": ours},
        *({"name": f"{name} (reported)", "color": color, "shape": shape, "line": False,
           "points": [[n, d]]} for (name, (n, d)), color, shape
          in zip(REPORTED.items(), ("key", "query"), ("square", "diamond"), strict=True)),
        {"name": "20 tokens a weight", "color": "quiet", "dash": "4 4",
         "points": [[n, 20 * n] for n in line]},
    ]  # fmt: skip
    return {
        "series": series,
        "label": "Tokens read against weights, ours and reported models.",
        "x": {"title": "weights", "log": True, "unit": "weights"},
        "y": {"title": "tokens read", "log": True, "unit": "tokens"},
        "height": 270,
    }


def at_scale() -> None:
    plot(scale_view(), key="pre_training_scale")
    marks.mark("reported", source="Brown et al., 2020 (GPT-3); Hoffmann et al. (Chinchilla)",
               year=2022)  # fmt: skip
    chapter.text_twin(scale_in_words())


def scale_in_words() -> str:
    said = [
        f"{name} {n / 1e9:g} billion weights and {d / 1e9:,.0f} billion tokens, "
        f"**{d / n:.1f}** a weight and {marks_of(6 * n * d)} operations"
        for name, (n, d) in REPORTED.items()
    ]
    best = frontier(points(), BUDGETS)
    low, high = (f(o.D / o.N for o in best) for f in (min, max))
    return (
        f"Reported: {'; '.join(said)} (C = 6 N D, computed). Chinchilla read more text with fewer "
        f"weights, and was better. Our best runs read {low:.0f} to {high:.0f} tokens a weight (of "
        "the layers, without the embedding table): the same trade where text is cheap. With "
        "another tokenizer and other text the number is another."
    )
