"""Scaling laws: a known law is found again, the recorded runs are what the recipe says."""

import json

import numpy as np
import pytest

from microgpt.training import scaling
from microgpt.training.recipes import train_tokenizer
from microgpt.training.scaling import MARKS, SIZES, Point, load_points
from microgpt.training.scaling_fit import Law, fit, foretell, frontier

TRUE = Law(E=0.8, A=60.0, B=900.0, alpha=0.5, beta=0.6)


def made_up(noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Point(str(N), N, D, float(TRUE.loss(N, D) * (1 + noise * rng.standard_normal())))
        for N in (5_000, 15_000, 40_000, 100_000, 300_000)
        for D in (100_000, 200_000, 400_000, 800_000, 1_600_000)
    ]


def test_a_known_law_is_found_again():
    law = fit(made_up(), np.random.default_rng(0), resamples=1).law
    assert (law.alpha, law.beta) == pytest.approx((TRUE.alpha, TRUE.beta), abs=0.03)
    assert abs(law.E - TRUE.E) < 0.05
    assert law.loss(1e6, 3e6) == pytest.approx(TRUE.loss(1e6, 3e6), rel=0.01)


def test_the_interval_covers_the_truth_and_grows_with_the_noise():
    quiet, loud = (fit(made_up(noise), np.random.default_rng(0), 60) for noise in (0.002, 0.02))
    for fitted in (quiet, loud):
        assert fitted.alpha[0] - 0.03 <= TRUE.alpha <= fitted.alpha[1] + 0.03
    assert quiet.alpha[1] - quiet.alpha[0] < loud.alpha[1] - loud.alpha[0]
    assert quiet.error == pytest.approx(0.002, rel=0.5) and loud.error == pytest.approx(0.02, rel=0.5)


def test_forecasts_are_right_about_as_often_as_they_say():
    inside = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        fitted = fit(made_up(0.01, seed), rng, 25)
        real = float(TRUE.loss(1_000_000, 3_000_000) * (1 + 0.01 * rng.standard_normal()))
        inside.append(foretell(fitted, Point("next", 1_000_000, 3_000_000, real), rng).inside)
    assert np.mean(inside) >= 0.6


def test_the_best_size_spends_the_compute_best():
    for compute in (1e12, 1e14):
        best = float(TRUE.best_size(compute))
        losses = [TRUE.loss(N, compute / (6 * N)) for N in (best / 1.1, best, best * 1.1)]
        assert losses[1] == min(losses)


def test_the_frontier_takes_larger_models_for_more_compute():
    optima = frontier(made_up())
    assert [o.N for o in optima] == sorted(o.N for o in optima) and len({o.N for o in optima}) >= 3
    for optimum in optima:
        assert optimum.compute == pytest.approx(6 * optimum.N * optimum.D)
        assert optimum.loss == pytest.approx(TRUE.loss(optimum.N, optimum.D), rel=0.02)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="three sizes"):
        fit(made_up()[:5], np.random.default_rng(0))
    with pytest.raises(ValueError, match="no recorded runs"):
        load_points(scaling.RECORDED.with_name("nothing.json"))


def test_sizes_grow_and_marks_lie_within_the_run(monkeypatch, tmp_path):
    counts = [scaling.layer_weights(scaling.config_of(name)) for name in SIZES]
    assert counts == sorted(counts) and len(counts) >= 6 and MARKS[-1] == scaling.STEPS
    monkeypatch.setattr(scaling, "SIZES", {"16 wide": SIZES["16 wide"], scaling.FORETOLD: SIZES["16 wide"]})
    monkeypatch.setattr(scaling, "MARKS", (2, 3))
    monkeypatch.setattr(scaling, "STEPS", 3)
    monkeypatch.setattr(scaling, "HELD_OUT_BATCHES", 1)
    monkeypatch.setattr(scaling, "train_tokenizer", lambda recipe, count: train_tokenizer(recipe, 300))
    path = tmp_path / "scaling.json"
    first = scaling.record(path)
    assert [(p.name, p.D) for p in load_points(path)] == [
        (name, marked * 2048) for name in ("16 wide", scaling.FORETOLD) for marked in (2, 3)
    ]
    assert scaling.record(path) == first, "what was recorded is not run again"
    assert first["points"][1]["loss"] < first["points"][0]["loss"] < 6.5


def test_the_largest_recorded_run_was_foretold_from_the_smaller_ones():
    data = json.loads(scaling.RECORDED.read_text())
    assert set(data["cpu_seconds"]) == set(SIZES) and len(load_points()) == len(SIZES) * len(MARKS)
    smaller = [p for p in load_points() if p.name != scaling.FORETOLD]
    final = max((p for p in load_points() if p.name == scaling.FORETOLD), key=lambda p: p.D)
    rng = np.random.default_rng(0)
    forecast = foretell(fit(smaller, rng), final, rng)
    assert forecast.predicted == pytest.approx(final.loss, rel=0.1)
