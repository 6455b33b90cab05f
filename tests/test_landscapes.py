"""Landscapes and the walks on them: slopes, curvature, minima, and when a walk diverges."""

import math

import numpy as np
import pytest

from microgpt.autograd import optim
from microgpt.basics import descent, expressions, landscapes
from microgpt.basics.landscapes import LANDSCAPES, Measured

ALL = list(LANDSCAPES.values())
BY_NAME = pytest.mark.parametrize("place", ALL, ids=lambda place: place.name)


def bump(points):
    x, y = points[..., 0], points[..., 1]
    return 1.5 * x * x + 0.7 * y * y - 0.3 * x * y + 0.2 * x + 0.3 * np.sin(2 * x)


def bump_gradient(points):
    x, y = points[..., 0], points[..., 1]
    return np.stack([3 * x - 0.3 * y + 0.2 + 0.6 * np.cos(2 * x), 1.4 * y - 0.3 * x], axis=-1)


def measured(count=21, half=1.0) -> Measured:
    line = np.linspace(-half, half, count)
    return Measured("bump", bump(np.stack(np.meshgrid(line, line), -1)), half, (0.8, 0.8))


# --- Slopes, minima, curvature --------------------------------------------------------------


@BY_NAME
def test_gradients_against_differences(place):
    points = np.random.default_rng(0).uniform(-place.half, place.half, (50, 2))
    _, gradients = place.measure(points)
    h = 1e-6
    for axis, step in enumerate(np.eye(2) * h):
        estimate = (place.measure(points + step)[0] - place.measure(points - step)[0]) / (2 * h)
        assert gradients[:, axis] == pytest.approx(estimate, rel=1e-6, abs=1e-6)


@BY_NAME
def test_the_known_minima_are_minima_and_the_lowest_is_the_lowest(place):
    for minimum in place.minima:
        _, gradient = place.measure(minimum)
        assert np.abs(gradient).max() < 1e-12
        assert landscapes.curvatures(place, minimum)[0] > 0
        assert landscapes.settle(place, np.array(minimum) + 0.01) == pytest.approx(minimum, abs=1e-9)
    line = np.linspace(-place.half, place.half, 301)
    heights, _ = place.measure(np.stack(np.meshgrid(line, line), -1))
    lowest = min(float(place.measure(m)[0]) for m in place.minima)
    assert heights.min() >= lowest - 1e-12
    assert np.abs(place.start).max() < place.half


HESSIANS = {
    "Bowl": [[2, 0], [0, 2]],
    "Ravine": [[0.2, 0], [0, 4]],
    "Saddle": [[1, 0], [0, 2]],
    "Rosenbrock": [[82, -40], [-40, 20]],
    "Plateau": [[1, 0], [0, 1]],
}


@pytest.mark.parametrize("name", HESSIANS)
def test_curvature_has_its_closed_form(name):
    place = LANDSCAPES[name]
    expected = np.array(HESSIANS[name], float)
    for minimum in place.minima:
        assert landscapes.hessian(place, minimum) == pytest.approx(expected, rel=1e-5, abs=1e-5)
        assert landscapes.curvatures(place, minimum) == pytest.approx(
            tuple(np.linalg.eigvalsh(expected)), rel=1e-5
        )


def test_curvature_of_two_valleys_and_of_the_pass():
    place = LANDSCAPES["Two valleys"]
    for x, _ in place.minima:
        assert landscapes.curvatures(place, (x, 0.0)) == pytest.approx((1, 1.2 * x * x - 2), rel=1e-6)
    deeper, shallower = (float(place.measure(m)[0]) for m in place.minima)
    assert deeper < shallower
    assert landscapes.curvatures(LANDSCAPES["Saddle"], (0.0, 0.0)) == pytest.approx((-1, 1), rel=1e-5)


def test_quadratic_means_the_same_curvature_everywhere():
    points = np.random.default_rng(1).uniform(-2, 2, (20, 2))
    for place in ALL:
        second = landscapes.hessian(place, points)
        same = np.allclose(second, second[0], rtol=1e-6, atol=1e-6)
        assert same == place.quadratic, place.name


# --- The rate at which a walk falls apart ----------------------------------------------------


@BY_NAME
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_limit_of_the_learning_rate_is_true_in_the_simulation(place, momentum):
    for minimum in place.minima:
        limit = landscapes.largest_rate(landscapes.curvatures(place, minimum)[1], momentum)
        start = np.array(minimum) + 1e-3 * place.half * np.array([0.5, 0.8])
        for factor, settles in ((0.97, True), (1.03, False)):
            rate = descent.constant(factor * limit, 400)
            walk = descent.run(place, start, optim.Momentum(momentum), rate, 400)
            last = np.hypot(*(walk.points[-1] - minimum))
            first = np.hypot(*(start - minimum))
            assert (last <= first) if settles else not last <= 10 * first, (factor, last)


@pytest.mark.parametrize("name", [place.name for place in ALL if place.quadratic])
def test_on_a_quadratic_landscape_the_walk_diverges_from_anywhere(name):
    place = LANDSCAPES[name]
    limit = landscapes.largest_rate(landscapes.curvatures(place, (0.0, 0.0))[1])
    starts = descent.ring(place)
    walks = [
        np.stack([step.heights for step in descent.descend(
            place, starts, optim.SGD(), descent.constant(factor * limit, 400), 400)])
        for factor in (0.98, 1.05)
    ]  # fmt: skip
    assert (walks[0][-1] < 1e-3).all()
    assert (np.diff(walks[0], axis=0) <= 1e-15).all()
    assert (walks[1][-1] > 1e12).all()


@BY_NAME
def test_below_the_safe_rate_every_step_on_the_map_goes_down(place):
    safe = landscapes.largest_rate(landscapes.greatest_curvature(place))
    starts = np.random.default_rng(3).uniform(-place.half, place.half, (300, 2))
    walked = list(descent.descend(place, starts, optim.SGD(), descent.constant(0.98 * safe, 1), 1))
    onto_the_map = (np.abs(walked[1].points) <= place.half).all(-1)
    assert onto_the_map.sum() > 100
    assert (walked[1].heights <= walked[0].heights + 1e-12)[onto_the_map].all()


def test_no_curvature_no_limit():
    assert landscapes.largest_rate(0.0) == landscapes.largest_rate(-1.0) == math.inf
    assert landscapes.largest_rate(4.0) == 0.5 and landscapes.largest_rate(4.0, 0.9) == 0.95


# --- The measured surface --------------------------------------------------------------------


def test_a_measured_surface_meets_what_was_measured():
    place = measured()
    line = np.linspace(-1, 1, 21)
    grid = np.stack(np.meshgrid(line, line), -1)
    assert place.measure(grid)[0] == pytest.approx(place.heights, abs=1e-12)


def test_between_the_measured_heights_it_is_close():
    place = measured()
    points = np.random.default_rng(2).uniform(-0.8, 0.8, (400, 2))
    heights, gradients = place.measure(points)
    assert heights == pytest.approx(bump(points), abs=2e-4)
    assert gradients == pytest.approx(bump_gradient(points), abs=2e-2)


def test_its_gradient_is_that_of_the_surface_itself():
    place = measured()
    points = np.random.default_rng(4).uniform(-0.98, 0.98, (200, 2))
    _, gradients = place.measure(points)
    for axis, step in enumerate(np.eye(2) * 1e-6):
        estimate = (place.measure(points + step)[0] - place.measure(points - step)[0]) / 2e-6
        assert gradients[:, axis] == pytest.approx(estimate, abs=1e-6)


def test_neither_slope_nor_curvature_jump_at_a_measured_place():
    place = measured()
    for node in (-0.5, 0.1, 0.7):
        sides = [landscapes.hessian(place, (node + s * 2e-4, 0.33)) for s in (-1, 1)]
        assert sides[0] == pytest.approx(sides[1], abs=0.02)


def test_outside_nothing_was_measured():
    place = measured()
    heights, gradients = place.measure([(1.01, 0.0), (0.0, -1.5), (np.nan, 0.0), (1.0, -1.0)])
    assert np.isnan(heights).tolist() == [True, True, True, False]
    assert np.isnan(gradients[:3]).all() and np.isfinite(gradients[3]).all()


def test_its_minimum_is_found():
    place = measured()
    (minimum,) = place.minima
    assert np.abs(place.measure(minimum)[1]).max() < 1e-9
    assert np.abs(bump_gradient(np.array(minimum))).max() < 0.01
    walk = descent.run(place, place.start, optim.SGD(), descent.constant(0.1, 300), 300)
    assert walk.points[-1] == pytest.approx(minimum, abs=1e-3)


def test_a_ball_that_leaves_the_measured_area_ends_its_walk():
    walk = descent.run(measured(), (0.8, 0.8), optim.SGD(), descent.constant(5.0, 50), 50)
    assert walk.gone and len(walk.heights) == 2


# --- Flat places of a curve ------------------------------------------------------------------


def flat(text, low=-6, high=6):
    return landscapes.flat_points(expressions.parse(text), low, high)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**2", [("minimum", 0)]),
        ("-(x - 1.2345)**2", [("maximum", 1.2345)]),
        ("x**3", [("flat", 0)]),
        ("(x - 0.123)**3", [("flat", 0.123)]),
        ("sin(x)", [("maximum", -1.5 * math.pi), ("minimum", -math.pi / 2), ("maximum", math.pi / 2),
                    ("minimum", 1.5 * math.pi)]),
        ("2*sin(x) + 0.3*x", [("maximum", math.acos(-0.15) - 2 * math.pi), ("minimum", -math.acos(-0.15)),
                              ("maximum", math.acos(-0.15)), ("minimum", 2 * math.pi - math.acos(-0.15))]),
        ("x*x*x*x - 2*x*x*x", [("flat", 0), ("minimum", 1.5)]),
        ("abs(x - 1)", [("minimum", 1)]),
    ],
)  # fmt: skip
def test_flat_places_have_their_closed_form(text, expected):
    found = flat(text)
    assert [(p.kind) for p in found] == [kind for kind, _ in expected]
    assert [p.x for p in found] == pytest.approx([x for _, x in expected], abs=2e-6)
    for p in found:
        assert p.height == pytest.approx(float(expressions.evaluate(expressions.parse(text), x=p.x)))


@pytest.mark.parametrize("text", ["0.5*x + 1", "sigmoid(x)", "1/x", "1/x**2", "tan(x)", "log(x)", "sqrt(x)"])
def test_nothing_is_flat_where_the_slope_is_never_0(text):
    assert flat(text) == []


def test_a_flat_stretch_has_two_ends():
    (stretch,) = flat("relu(x)")
    assert (stretch.kind, stretch.x, stretch.until) == ("flat", -6, 0)
    (valley,) = flat("max(x, -x, 1)")
    assert valley.kind == "minimum" and (valley.x, valley.until) == pytest.approx((-1, 1), abs=0.011)
    assert [(p.x, p.until) for p in flat("5")] == [(-6, 6)]


# --- The walk ---------------------------------------------------------------------------------


def test_the_optimizers_are_those_that_train_the_gpt():
    for make in descent.OPTIMIZERS.values():
        assert type(make()).__module__ == optim.__name__
    assert descent.OPTIMIZERS["Adam"]().decay == 0 and descent.OPTIMIZERS["AdamW"]().decay > 0
    assert descent.constant(0.3, 10)(7) == optim.constant(7, 0.3)
    plan = descent.warmup_cosine(0.3, 100)
    assert plan(9) == pytest.approx(0.3) and plan(0) == pytest.approx(0.03)
    assert plan(99) < 0.004 and plan(55) == pytest.approx(optim.warmup_cosine(55, 0.3, 100, 10, 0.01))


def test_a_step_is_the_rate_times_the_gradient_downhill():
    walk = descent.run(LANDSCAPES["Bowl"], (3.0, -1.0), optim.SGD(), descent.constant(0.1, 2), 2)
    assert walk.points == pytest.approx(np.array([[3, -1], [2.4, -0.8], [1.92, -0.64]]))
    assert walk.gradients[0].tolist() == [6, -2]
    assert walk.heights == pytest.approx([10, 6.4, 4.096])


def test_momentum_keeps_a_velocity():
    walk = descent.run(LANDSCAPES["Bowl"], (1.0, 0.0), optim.Momentum(0.5), descent.constant(0.1, 3), 3)
    x, velocity, expected = 1.0, 0.0, [1.0]
    for _ in range(3):
        velocity = 0.5 * velocity + 2 * x
        x -= 0.1 * velocity
        expected.append(x)
    assert walk.points[:, 0] == pytest.approx(expected)


def test_many_balls_walk_as_each_would_alone():
    place = LANDSCAPES["Rosenbrock"]
    starts = descent.ring(place, 4)
    rates = np.array([[0.001], [0.002], [0.004], [0.003]])
    for make in descent.OPTIMIZERS.values():
        *_, together = descent.descend(place, starts, make(), descent.constant(rates, 40), 40)
        for i, start in enumerate(starts):
            alone = descent.run(place, start, make(), descent.constant(float(rates[i, 0]), 40), 40)
            assert together.points[i] == pytest.approx(alone.points[-1], rel=1e-9, abs=1e-12)


def test_a_walk_that_diverges_ends_and_says_so(recwarn):
    walk = descent.run(LANDSCAPES["Rosenbrock"], (-1.4, 1.6), optim.SGD(), descent.constant(1.0, 400), 400)
    assert walk.gone and len(walk.heights) < 20
    assert len(recwarn) == 0


def test_noise_is_the_same_for_the_same_seed_and_felt_by_all():
    place = LANDSCAPES["Bowl"]

    def last(seed):
        rng = np.random.default_rng(seed)
        return descent.run(place, (1.0, 1.0), optim.SGD(), descent.constant(0.1, 50), 50, 0.5, rng).points[-1]

    assert last(1).tolist() == last(1).tolist() != last(2).tolist()
    assert np.abs(last(1)).max() > 1e-3


def test_arrivals():
    points = np.array([[9.0], [0.2], [3.0], [0.3], [0.1], [0.0]])[..., None] * [1.0, 0.0]
    assert descent.arrivals(points, [(0.0, 0.0)], 0.5).tolist() == [3]
    assert descent.arrivals(points[:3], [(0.0, 0.0)], 0.5).tolist() == [-1]
    assert descent.arrivals(points, [(9.0, 0.0), (0.0, 0.0)], 0.5).tolist() == [3]
    assert descent.arrivals(np.array([[[np.nan, 0.0]]]), [(0.0, 0.0)], 0.5).tolist() == [-1]


def test_plain_descent_reaches_the_known_minima():
    # From near each minimum, at half the largest rate; Rosenbrock's valley is long.
    for place in ALL:
        for minimum in place.minima:
            limit = landscapes.largest_rate(landscapes.curvatures(place, minimum)[1])
            start = np.array(minimum) + 0.1 * place.half * np.array([0.6, -0.4])
            steps = 2500 if place.name == "Rosenbrock" else 300
            walk = descent.run(place, start, optim.SGD(), descent.constant(limit / 2, steps), steps)
            assert walk.points[-1] == pytest.approx(minimum, abs=1e-4), place.name


def test_the_saddle_holds_a_ball_that_starts_on_the_ridge_and_no_other():
    place = LANDSCAPES["Saddle"]
    rate = descent.constant(0.1, 400)
    on = descent.run(place, (-1.7, 0.0), optim.SGD(), rate, 400)
    beside = descent.run(place, (-1.7, 1e-6), optim.SGD(), rate, 400)
    assert on.points[-1] == pytest.approx((0, 0), abs=1e-9)
    assert beside.points[-1] == pytest.approx((0, 1), abs=1e-6)


def test_two_valleys_two_ends():
    place = LANDSCAPES["Two valleys"]
    rate = descent.constant(0.1, 400)
    ends = [descent.run(place, (x, 1.0), optim.SGD(), rate, 400).points[-1] for x in (-1.0, 1.0)]
    assert np.array(ends) == pytest.approx(np.array(place.minima), abs=1e-6)


def test_far_out_on_the_plateau_there_is_next_to_no_slope():
    _, gradient = LANDSCAPES["Plateau"].measure((-3.5, 3.5))
    assert np.hypot(*gradient) < 1e-4


# --- The race ---------------------------------------------------------------------------------


def test_a_race_is_run_with_the_rates_it_is_given():
    place = LANDSCAPES["Ravine"]
    rates = dict.fromkeys(descent.OPTIMIZERS, 0.05)
    racers = descent.race(place, place.start, rates, 200, 0.1)
    assert [racer.name for racer in racers] == list(descent.OPTIMIZERS)
    for racer in racers:
        alone = descent.run(place, place.start, descent.OPTIMIZERS[racer.name](), descent.constant(0.05, 200), 200)
        assert racer.run.points.tolist() == alone.points.tolist()
        if racer.arrived is not None:
            late = np.hypot(*racer.run.points[racer.arrived:].T)
            assert (late <= 0.1).all() and np.hypot(*racer.run.points[racer.arrived - 1]) > 0.1


def test_the_best_rate_is_the_best_of_those_tried():
    place = LANDSCAPES["Ravine"]
    best = descent.best_rate(place, "SGD", 200, 0.1)
    assert best in descent.RATES

    def arrived(rate):
        walked = descent.descend(place, descent.ring(place), optim.SGD(), descent.constant(rate, 200), 200)
        found = descent.arrivals(np.stack([step.points for step in walked]), place.minima, 0.1)
        return -int((found >= 0).sum()), found[found >= 0].mean() if (found >= 0).any() else 999

    scores = {rate: arrived(rate) for rate in descent.RATES}
    assert scores[best] == min(scores.values())


def test_with_noise_a_falling_rate_ends_nearer():
    """What the page says of schedules, from many starts and seeds."""
    place = LANDSCAPES["Bowl"]
    ends = {}
    for name, plan in descent.SCHEDULES.items():
        last = []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            walk = descent.run(place, (2.0, 1.0), optim.SGD(), plan(0.2, 300), 300, 1.0, rng)
            last.append(np.hypot(*walk.points[-1]))
        ends[name] = np.mean(last)
    assert ends["Warm-up and cosine"] < 0.3 * ends["Constant"]
