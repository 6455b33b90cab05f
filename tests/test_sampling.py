"""Sampling: every filter, their order, drawing, entropy and the chi-square test."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from microgpt.decoding.chi_square import chi_square, upper_gamma
from microgpt.decoding.sampling import (
    GREEDY,
    Sampling,
    distribution,
    draw,
    entropy,
    penalize,
    stages,
)

SCORES = np.log(np.array([0.5, 0.25, 0.125, 0.0625, 0.0625]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "hot"},
        {"temperature": True},
        {"top_k": -1},
        {"top_k": 2.5},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": math.nan},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": -1.0},
        {"repetition_penalty": 1e9},
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=rf"^{name} is .*, but must be .*\.$") as error:
        Sampling(**wrong)
    assert repr(value) in str(error.value)


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Sampling().temperature = 2.0


def test_defaults_are_the_models_own_distribution():
    np.testing.assert_allclose(distribution(SCORES, Sampling()), np.exp(SCORES), rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 2.0, 10.0])
def test_temperature_is_a_power_of_the_probabilities(temperature):
    expected = np.exp(SCORES) ** (1 / temperature)
    got = distribution(SCORES, Sampling(temperature=temperature))
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-12)


def test_temperature_0_is_the_best_token_and_the_lowest_id_of_equal_ones():
    logits = np.array([1.0, 3.0, 3.0, -2.0])
    np.testing.assert_array_equal(distribution(logits, GREEDY), [0, 1, 0, 0])
    everything = Sampling(temperature=0.0, top_k=3, top_p=0.5, min_p=0.5)
    np.testing.assert_array_equal(distribution(logits, everything), [0, 1, 0, 0])


@pytest.mark.parametrize("temperature", [1e-320, 1e-300, 1e-5, 1e300])
def test_absurd_temperatures_stay_finite(temperature):
    logits = np.array([-700.0, 700.0, 699.0, -np.inf])
    p = distribution(logits, Sampling(temperature=temperature))
    assert np.isfinite(p).all() and abs(p.sum() - 1) < 1e-12 and p[3] == 0
    assert p.argmax() == 1 if temperature < 1 else p[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("k", "kept"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (99, range(5))])
def test_top_k_keeps_exactly_k_and_breaks_ties_by_id(k, kept):
    p = distribution(SCORES, Sampling(top_k=k))
    assert np.flatnonzero(p).tolist() == list(kept)
    expected = np.exp(SCORES[list(kept)])
    np.testing.assert_allclose(p[list(kept)], expected / expected.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "kept"),
    [(1e-9, 1), (0.49, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.7501, 3), (0.95, 5), (1.0, 5)],
)
def test_top_p_keeps_the_token_that_crosses_and_at_least_one(p, kept):
    assert np.count_nonzero(distribution(SCORES, Sampling(top_p=p))) == kept


def test_top_p_does_not_depend_on_the_order_of_ids():
    rng = np.random.default_rng(0)
    order = rng.permutation(5)
    shuffled = distribution(SCORES[order], Sampling(top_p=0.8))
    np.testing.assert_allclose(shuffled, distribution(SCORES, Sampling(top_p=0.8))[order])


@pytest.mark.parametrize(("p", "kept"), [(0.0, 5), (0.125, 5), (0.1251, 3), (0.5, 2), (1.0, 1)])
def test_min_p_is_relative_to_the_best(p, kept):
    assert np.count_nonzero(distribution(SCORES, Sampling(min_p=p))) == kept


def test_repetition_penalty_lowers_positive_and_negative_scores_once_each():
    logits = np.array([2.0, -2.0, 1.0, -1.0])
    penalized = penalize(logits, [0, 1, 1, 0], 2.0)
    np.testing.assert_array_equal(penalized, [1.0, -4.0, 1.0, -1.0])
    np.testing.assert_array_equal(logits, [2.0, -2.0, 1.0, -1.0])
    p = distribution(logits, Sampling(repetition_penalty=2.0), previous=[0])
    assert p[0] == p[2]


def test_order_penalty_then_temperature_then_top_k_then_top_p_then_min_p():
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    sampling = Sampling(2.0, top_k=3, top_p=0.6, min_p=0.01, repetition_penalty=3.0)
    got = stages(logits, sampling, previous=[0])
    assert [s.name for s in got] == [
        "scores", "repetition penalty", "temperature", "top-k", "top-p", "min-p",
    ]  # fmt: skip
    assert all(s.active for s in got)
    # 0.4 ** 3 falls to the last place, so top-k drops it; top-p looks at what temperature left
    assert got[3].kept == 3 and got[3].probabilities[0] == 0
    flat = np.sqrt([0.3, 0.2, 0.1])
    np.testing.assert_allclose(got[3].probabilities[1:], flat / flat.sum(), rtol=1e-12)
    assert got[4].kept == 2
    # cutting before the temperature would have kept only one
    assert np.array([0.3, 0.2, 0.1]).cumsum()[0] / 0.6 < 0.6 < flat.cumsum()[1] / flat.sum()


@pytest.mark.parametrize("seed", range(20))
def test_every_stage_is_a_distribution_and_the_best_token_is_never_cut(seed):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal(50).astype(np.float32) * rng.choice([0.1, 3, 100])
    sampling = Sampling(
        rng.choice([0.0, 0.3, 1.0, 3.0]), int(rng.integers(0, 60)), rng.uniform(0.01, 1),
        rng.uniform(0, 1), rng.choice([1.0, 1.3]),
    )  # fmt: skip
    previous = rng.integers(0, 50, 10)
    kept = 51
    for stage in stages(logits, sampling, previous):
        assert stage.probabilities.sum() == pytest.approx(1, abs=1e-12)
        assert 1 <= stage.kept <= kept
        kept = stage.kept
        if stage.name == "temperature":
            best = stage.logits.argmax()
        if stage.name not in ("scores", "repetition penalty"):
            assert stage.probabilities[best] == stage.probabilities.max() > 0
    np.testing.assert_array_equal(stage.probabilities, distribution(logits, sampling, previous))


def test_stages_that_are_off_change_nothing_and_say_so():
    for stage in stages(SCORES, Sampling())[1:]:
        assert not stage.active
        np.testing.assert_array_equal(stage.logits, SCORES)


@pytest.mark.parametrize(
    "logits",
    [[1.0, np.nan], [np.inf, 0.0], [-np.inf, -np.inf], [], [[1.0, 2.0]]],
)
def test_broken_scores_are_refused(logits):
    with pytest.raises(ValueError, match="Sampling takes one row of scores"):
        distribution(np.array(logits), Sampling())


def test_draw_inverts_the_running_sums_with_one_uniform():
    class Fixed:
        def __init__(self, u):
            self.u = u

        def random(self):
            return self.u

    p = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniforms = [0.0, 0.2499, 0.25, 0.7499, 0.75, np.nextafter(1, 0)]
    assert [draw(p, Fixed(u)) for u in uniforms] == [1, 1, 3, 3, 4, 4]
    assert draw(p * (1 + 2**-52), Fixed(np.nextafter(1, 0))) == 4
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    draw(p, rng)
    other.random()
    assert rng.random() == other.random()
    with pytest.raises(ValueError, match="Nothing can be drawn"):
        draw(np.zeros(3), rng)


def test_draws_are_repeatable_and_fit_the_distribution():
    p = distribution(SCORES, Sampling(temperature=1.5, top_p=0.95))
    draws = [[draw(p, rng) for _ in range(4000)] for rng in map(np.random.default_rng, (1, 1))]
    assert draws[0] == draws[1]
    fit = chi_square(np.bincount(draws[0], minlength=5), p)
    assert fit.degrees == np.count_nonzero(p) - 1 and 0.001 < fit.p_value < 1
    assert chi_square(np.bincount(draws[0], minlength=5), np.full(5, 0.2)).p_value < 1e-10


def test_entropy():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(3)
    assert entropy(np.full(8, 1 / 8), "nats") == pytest.approx(3 * math.log(2))
    assert entropy(np.exp(SCORES)) == pytest.approx(1.875)
    assert entropy([1.0, 0.0]) == 0
    with pytest.raises(ValueError, match="bits"):
        entropy([1.0], "bytes")


@pytest.mark.parametrize(
    ("degrees", "statistic", "p_value"),
    [  # standard tables of the chi-square distribution, to the digits given there
        (1, 3.841458820694124, 0.05),
        (1, 10.827566170662733, 0.001),
        (2, 5.991464547107979, 0.05),
        (10, 18.307038053275146, 0.05),
        (10, 3.940299136, 0.95),
        (30, 29.33603151, 0.5),
        (100, 124.342113404004, 0.05),
        (1000, 1074.679449, 0.05),
    ],
)
def test_incomplete_gamma_at_known_points(degrees, statistic, p_value):
    assert upper_gamma(degrees / 2, statistic / 2) == pytest.approx(p_value, rel=1e-6)


def test_incomplete_gamma_in_closed_form():
    for x in (0.0, 0.1, 1.0, 1.999, 2.001, 10.0, 300.0):
        assert upper_gamma(1, x) == pytest.approx(math.exp(-x), rel=1e-12, abs=1e-300)
        assert upper_gamma(0.5, x) == pytest.approx(math.erfc(math.sqrt(x)), rel=1e-11, abs=1e-300)
    for a, x in ((0, 1), (-1, 1), (1, -1), (1, math.nan)):
        with pytest.raises(ValueError, match="needs a > 0"):
            upper_gamma(a, x)


def test_chi_square_by_hand_and_pooled():
    fit = chi_square([12, 8], [0.5, 0.5])
    assert (fit.statistic, fit.degrees) == (pytest.approx(0.8), 1)
    assert fit.p_value == pytest.approx(0.371093369522, rel=1e-9)
    # 100 draws: cells with 1 % each are pooled into one of 10
    pooled = chi_square([50, 40] + [1] * 10, [0.5, 0.4] + [0.01] * 10)
    assert (pooled.statistic, pooled.degrees) == (pytest.approx(0, abs=1e-12), 2)
    tiny = chi_square([1, 0], [0.5, 0.5])
    assert (tiny.degrees, tiny.p_value) == (0, 1.0)
    assert chi_square([9, 1], [1.0, 0.0]).p_value == 0
    with pytest.raises(ValueError, match="at least one draw"):
        chi_square([0, 0], [0.5, 0.5])
    with pytest.raises(ValueError, match="one count for each"):
        chi_square([1, 2, 3], [0.5, 0.5])
