"""What the chapter on sampling shows, worked out: views for the browser and their text twins.

Pure: the engine in, plain values out. The drawing is in widgets/sampling.py.
"""

import math
from collections.abc import Sequence

import numpy as np

from microgpt.decoding import sampling
from microgpt.decoding.chi_square import ChiSquare, chi_square
from microgpt.decoding.generate import Reader
from microgpt.decoding.sampling import Sampling
from widgets.components import packed
from widgets.sampling_link import LIMITS, OFF, PRESETS, as_values

ROWS = 12  # tokens with a line of their own


# The way of the scores


def next_scores(model, ids: Sequence[int]) -> np.ndarray:  # (T,) -> (V,)
    """The model's score for every token that could come next."""
    return Reader(model, len(ids)).read(list(ids))


def token_rows(scores: np.ndarray, names: Sequence[str], previous: Sequence[int]) -> list[dict]:
    """The tokens with the best scores, as the model gave them, best first."""
    best = np.argsort(-scores.astype(np.float64), kind="stable")[:ROWS]
    seen = set(previous)
    return [
        {"id": int(i), "name": names[i], "logit": float(scores[i]), "rank": rank,
         "seen": int(i) in seen}
        for rank, i in enumerate(best, start=1)
    ]  # fmt: skip


def stages_view(scores: np.ndarray, settings: Sampling, previous: Sequence[int], ids: list) -> dict:
    """`sampling.stages` for the rows shown: scores, probabilities, and what was cut by what."""
    found = {stage.name: stage for stage in sampling.stages(scores, settings, previous)}
    heated, last = found["temperature"], found["min-p"]
    reasons = np.full(len(scores), "", dtype=object)
    cutters = {"temperature": "temperature 0", "top-k": "top-k", "top-p": "top-p", "min-p": "min-p"}
    for name, reason in cutters.items():
        reasons[np.isneginf(found[name].logits) & (reasons == "")] = reason
    stays = reasons == ""
    return {
        "settings": as_values(settings),
        "score": _finite(found["repetition penalty"].logits[ids]),
        "scaled": _finite(heated.logits[ids]),
        "softmax": heated.probabilities[ids],
        "final": last.probabilities[ids],
        "reasons": list(reasons[ids]),
        "rest": {
            "softmax": 1 - float(heated.probabilities[ids].sum()),
            "final": 1 - float(last.probabilities[ids].sum()),
            "kept": int(stays.sum() - stays[ids].sum()),
        },
        "kept": last.kept,
        "stays": float(heated.probabilities[stays].sum()),
        "entropy": sampling.entropy(last.probabilities),
    }


def _finite(values: np.ndarray) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]


def pipeline_view(scores, settings, previous, names, revealed: bool) -> dict:
    """The picture of the stages: the real scores once, and microgpt's own numbers."""
    rows = token_rows(scores, names, previous)
    return {
        "logits": packed(scores.astype(np.float32)),
        "previous": sorted(set(previous)),
        "rows": rows,
        "vocabulary": len(scores),
        "engine": stages_view(scores, settings, previous, [row["id"] for row in rows]),
        "revealed": revealed,
    }


def controls_view(vocabulary: int) -> dict:
    """Limits and presets of the five knobs."""
    limits = {name: list(limit) for name, limit in LIMITS.items()}
    limits["top_k"][1] = min(limits["top_k"][1], vocabulary)
    presets = [{"label": name, "settings": as_values(s)} for name, s in PRESETS.items()]
    return {"limits": limits, "presets": presets, "off": as_values(OFF)}


def stages_in_words(view: dict) -> str:
    """The text twin of the picture."""
    engine, rows = view["engine"], view["rows"]
    kept = [(row["name"], p) for row, p, why in
            zip(rows, engine["final"], engine["reasons"], strict=True) if not why]  # fmt: skip
    best = ", ".join(f"`{name}` {100 * p:.1f} %" for name, p in kept[:5])
    cut = view["vocabulary"] - engine["kept"]
    return (
        f"Five columns for the {len(rows)} tokens with the highest scores. Scores go from "
        f"{rows[-1]['logit']:.2f} to {rows[0]['logit']:.2f}. After the temperature and the "
        f"softmax, {engine['kept']:,} tokens stay and {cut:,} are cut; those that stay held "
        f"{100 * engine['stays']:.1f} % and now hold 100 %. The likeliest: {best}. The chances "
        "fall from the first row to the last."
    )


# Drawing


def draw_many(probabilities: np.ndarray, seed: int, count: int) -> np.ndarray:  # -> (count,)
    """The first `count` tokens that a generator with this seed draws."""
    rng = np.random.default_rng(seed)
    return np.array([sampling.draw(probabilities, rng) for _ in range(count)], dtype=np.int64)


def draws_view(probabilities: np.ndarray, names: Sequence[str], seed: int, count: int) -> dict:
    """What was drawn: the last few, and from ten draws on the counts beside the expectation."""
    drawn = draw_many(probabilities, seed, count)
    view = {"seed": seed, "count": count, "last": None, "rows": [], "test": "",
            "recent": [names[i] for i in drawn[::-1][:12]]}  # fmt: skip
    if count:
        u = float(np.random.default_rng(seed).random(count)[-1])
        view["last"] = {"u": u, "id": int(drawn[-1])}
    if count < 10:
        return view
    counts = np.bincount(drawn, minlength=len(probabilities))
    shown = np.argsort(-probabilities, kind="stable")[:ROWS]
    shown = shown[probabilities[shown] > 0]
    view["rows"] = [_draw_row(names[i], counts[i], probabilities[i], count) for i in shown]
    others = 1 - probabilities[shown].sum()
    if others > 1e-9:
        rest = count - counts[shown].sum()
        view["rows"].append(_draw_row("all others", rest, others, count))
    view["test"] = test_in_words(chi_square(counts, probabilities), count)
    return view


def _draw_row(name: str, count: int, p: float, draws: int) -> dict:
    spread = 2 * math.sqrt(draws * p * (1 - p)) if p < 1 else 0.0
    return {"name": name, "count": int(count), "expected": float(draws * p), "spread": spread}


def test_in_words(test: ChiSquare, count: int) -> str:
    """The chi-square test in one or two sentences that claim no more than it does."""
    if test.degrees == 0:
        return "Only one outcome is likely enough to count, so there is nothing to test."
    freedom = f"{test.degrees} {'degree' if test.degrees == 1 else 'degrees'} of freedom"
    words = f"Chi-square {test.statistic:.1f} with {freedom}, p = {test.p_value:.3f}: "
    share = 100 * test.p_value
    often = f"{share:.0f} of 100" if share >= 1 else "fewer than 1 of 100"
    words += f"if the bars are right, {often} such samples stray at least this far. "
    if test.p_value >= 0.05:
        return words + "Nothing here speaks against the bars."
    return words + "That happens to honest draws too; try another seed before you doubt the bars."


def entropy_curve(scores: np.ndarray, most: float = 2.0, points: int = 41):  # (V,) -> (P,), (P,)
    """Entropy in bits against temperature, all other filters off."""
    temperatures = np.linspace(0, most, points)
    entropies = [sampling.entropy(sampling.distribution(scores, Sampling(temperature=float(t))))
                 for t in temperatures]  # fmt: skip
    return temperatures, np.array(entropies)


def draws_in_words(view: dict, probabilities: np.ndarray, names: Sequence[str]) -> str:
    """The text twin of the ruler and of the comparison."""
    best = np.argsort(-probabilities, kind="stable")[:5]
    widest = ", ".join(f"`{names[i]}` {100 * probabilities[i]:.1f} %" for i in best
                       if probabilities[i] > 0)  # fmt: skip
    words = [
        "A ruler from 0 to 1, on which every token that can be drawn has a stretch as long as its "
        f"chance, in the order of the token ids. The longest: {widest}."
    ]
    if view["last"]:
        drawn = names[view["last"]["id"]]
        words.append(f"The last u was {view['last']['u']:.4f}; it fell on `{drawn}`.")
    else:
        words.append("Nothing has been drawn yet.")
    if view["rows"]:
        farthest = max(view["rows"], key=lambda row: abs(row["count"] - row["expected"]))
        words.append(
            f"In {view['count']:,} draws, `{farthest['name']}` strays most from what was expected: "
            f"{farthest['count']} for {farthest['expected']:.1f}. {view['test']}"
        )
    return " ".join(words)


def entropy_in_words(temperatures: np.ndarray, entropies: np.ndarray, ceiling: float) -> str:
    """The text twin of the entropy curve."""
    at = {t: entropies[np.argmin(abs(temperatures - t))] for t in (0.0, 0.5, 1.0, 2.0)}
    rises = "rises all the way" if (np.diff(entropies) >= -1e-9).all() else "does not only rise"
    return (
        f"A curve of entropy against temperature. It {rises}: {at[0.0]:.2f} bits at temperature "
        f"0, {at[0.5]:.2f} at 0.5, {at[1.0]:.2f} at 1 and {at[2.0]:.2f} at 2. A dashed line "
        f"marks {ceiling:.2f} bits, where all tokens would be equally likely."
    )
