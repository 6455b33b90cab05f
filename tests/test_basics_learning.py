"""What chapters 4 to 7 play with: points, k-means, the grid, lines, networks, depth, pictures."""

from itertools import pairwise

import numpy as np
import pytest

from microgpt.autograd.scalar import Value
from microgpt.autograd.tensor import Tensor
from microgpt.basics import clusters, datasets, depth, gridworld, linear, network, pictures
from microgpt.basics.datasets import Points
from microgpt.basics.gridworld import World
from microgpt.basics.network import Settings, Training


def rng(seed=0):
    return np.random.default_rng(seed)


# --- Points ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", datasets.SETS)
def test_a_set_is_balanced_inside_its_square_and_the_same_for_the_same_seed(name):
    points = datasets.make(name, 400, 0.0, rng(3))
    assert points.x.shape == (400, 2) and np.abs(points.x).max() <= 1.0001
    assert np.bincount(points.label).tolist() == [200, 200]
    again = datasets.make(name, 400, 0.0, rng(3))
    assert np.array_equal(points.x, again.x) and np.array_equal(points.label, again.label)
    assert not np.array_equal(points.label[:50], np.arange(50) % 2), "the order gives labels away"


def test_the_rules_of_the_sets():
    circles = datasets.make("circles", 300, 0, rng())
    radius = np.linalg.norm(circles.x, axis=1)
    assert radius[circles.label == 0].max() <= 0.45 and radius[circles.label == 1].min() >= 0.75
    xor = datasets.make("xor", 300, 0, rng())
    assert np.array_equal(xor.label == 0, xor.x[:, 0] * xor.x[:, 1] > 0)


def test_a_set_that_there_is_not():
    with pytest.raises(ValueError, match=r"'rings'.*moons, circles, spiral, xor"):
        datasets.make("rings", 10, 0, rng())


def test_a_split_loses_nothing():
    points = datasets.make("moons", 101, 0.1, rng())
    train, test = datasets.split(points, 0.5, rng(1))
    assert abs(len(train) - len(test)) == 1
    both = np.concatenate([train.x, test.x])
    assert sorted(map(tuple, both)) == sorted(map(tuple, points.x))
    assert [len(side) for side in datasets.split(points[:2], 0.99, rng())] == [1, 1]


def test_a_table_is_read_and_its_bad_rows_are_named():
    text = (
        "\ufeffx, y, kind\n1, 2, cat\n\n3;4,5;dog\n1\t2\tdog\n1 2 cat\n1, 2\n1, two, cat\n"
        "nan, 1, cat\n1, inf, dog\n1e99, 1, cat\n1, 2, cow\n1, 2, cat, extra\n-1e9,0, 'dog'\n"
    )
    found = datasets.read_points(text)
    assert found.names == ("cat", "dog")
    assert found.points.x.tolist() == [[1, 2], [3, 4.5], [1, 2], [1, 2], [-1e9, 0]]
    assert found.points.label.tolist() == [0, 1, 1, 0, 1]
    rows = [int(s.split(":")[0].removeprefix("Row ")) for s in found.skipped]
    assert rows == [1, 7, 8, 9, 10, 11, 12, 13]
    assert "“two” is not a number" in found.skipped[2]
    assert "“cow” is a third" in found.skipped[6]
    assert "it has 2 parts" in found.skipped[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No row has two numbers"),
        ("a,b,c\nd,e,f", "No row has two numbers.*Row 1: “a” is not a number"),
        ("\x00\x01\x02\xff", "No row"),
        ("1,2,a\n3,4,a", "All 2 points have the label “a”"),
        ("1,2,a\n" * 200_000, "1,200,000 characters and at most 200,000"),
    ],
)
def test_a_table_that_is_no_use(text, said):
    with pytest.raises(ValueError, match=said):
        datasets.read_points(text)


def test_a_long_table_is_cut_and_says_so():
    found = datasets.read_points("1,2,a\n2,1,b\n" * 900)
    assert len(found.points) == datasets.MOST
    assert found.skipped == ("Row 1001 and all after it: only 1,000 points are kept.",)


def test_a_table_is_scaled_to_the_picture():
    x = datasets.fit(np.array([[10.0, 5], [30, 5], [20, 5]]))
    assert x.tolist() == [[-1, 0], [1, 0], [0, 0]]


# --- k-means --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("groups", [1, 3, 8])
def test_kmeans_never_raises_its_cost_and_comes_to_rest(seed, groups):
    points = rng(seed).uniform(-1, 1, (60, 2)).round(1)  # rounded: ties and doubles happen
    start = clusters.random_start(points, groups, rng(seed + 100))
    steps = list(clusters.kmeans(points, start))
    costs = [step.cost for step in steps]
    assert all(b <= a + 1e-12 for a, b in pairwise(costs))
    last = steps[-1]
    assert last.kind == "choose" and last.changed == 0
    for group in range(groups):
        mine = points[last.nearest == group]
        if len(mine):
            assert last.centers[group] == pytest.approx(mine.mean(axis=0))
    best = clusters.squared_distances(points, last.centers).min(axis=1).sum()
    assert last.cost == pytest.approx(best)


def test_kmeans_finds_separate_clouds_and_keeps_an_empty_center():
    points = datasets.blobs(90, [(-1, 0), (1, 0), (0, 2)], 0.05, rng())
    last = list(clusters.kmeans(points, clusters.spread_start(points, 3, rng(1))))[-1]
    assert sorted(np.bincount(last.nearest)) == [30, 30, 30]
    steps = list(clusters.kmeans(points, [(0, 0), (50, 50)]))
    assert steps[-1].centers[1].tolist() == [50, 50]
    assert steps[0].changed == 90


# --- The grid -------------------------------------------------------------------------------

MAZE = ("S..#....", ".#.#.##.", ".#...#..", ".####.#~", "......#.", ".##~...G")


@pytest.mark.parametrize("seed", range(8))
def test_the_agent_finds_a_shortest_path(seed):
    world = World(MAZE)
    moves = list(gridworld.q_learning(world, gridworld.Settings(), rng(seed)))
    path = gridworld.greedy_path(world, gridworld.values_after(world, moves))
    shortest = gridworld.shortest_path(world)
    assert path[0] == world.start and path[-1] == world.goal
    assert len(path) == len(shortest) == 13


@pytest.mark.parametrize("seed", range(8))
def test_the_agent_finds_a_shortest_path_in_mazes_drawn_by_chance(seed):
    generator, shortest = rng(seed), None
    while shortest is None:
        cells = np.where(generator.random((5, 6)) < 0.25, "#", ".")
        cells[0, 0], cells[4, 5] = "S", "G"
        world = World("".join(row) for row in cells)
        shortest = gridworld.shortest_path(world)
    settings = gridworld.Settings(walks=300, explore=0.3)
    moves = list(gridworld.q_learning(world, settings, rng(seed)))
    path = gridworld.greedy_path(world, gridworld.values_after(world, moves))
    assert path[-1] == world.goal and len(path) == len(shortest)


def test_every_estimate_moves_by_the_rule():
    world, settings = World(MAZE), gridworld.Settings(rate=0.3, discount=0.8, walks=5)
    values = np.zeros((len(world.signs), 4))
    for move in gridworld.q_learning(world, settings, rng()):
        assert values[move.cell, move.action] == move.before
        assert move.best_next == (0 if move.ended else values[move.arrived].max())
        by_hand = 0.7 * move.before + 0.3 * (move.reward + 0.8 * move.best_next)
        assert move.after == pytest.approx(by_hand, abs=1e-15)
        values[move.cell, move.action] = move.after
    assert values.max() <= 1 and values.min() >= -1.5


def test_walls_edges_pits_and_the_goal():
    world = World(["S#", "~G"])
    assert world.move(0, 0) == (0, gridworld.STEP, False), "the edge"
    assert world.move(0, 1) == (0, gridworld.STEP, False), "the wall"
    assert world.move(0, 2) == (2, -1.0, True)
    assert world.move(2, 1) == (3, 1.0, True)
    assert gridworld.shortest_path(world) is None, "the only way leads through a pit"


@pytest.mark.parametrize("rows", [[], [""], ["S.", "G"], ["S.?G"], ["S..."], ["SSG"], ["S.GG"]])
def test_a_map_that_is_none(rows):
    with pytest.raises(ValueError, match="A map"):
        World(rows)


# --- A line ---------------------------------------------------------------------------------


def test_a_line_goes_down_the_true_gradient():
    points = datasets.clouds(40, 0.2, rng())
    first, second = list(linear.logistic_regression(points.x, points.label, 0.5, 1))
    h = 1e-6

    def loss(w, b):
        p = 1 / (1 + np.exp(-(points.x @ w + b)))
        return -np.log(np.where(points.label == 1, p, 1 - p)).mean()

    assert first.loss == pytest.approx(np.log(2))
    for i in range(2):
        nudge = np.eye(2)[i] * h
        slope = (loss(nudge, 0) - loss(-nudge, 0)) / (2 * h)
        assert second.weight[i] == pytest.approx(-0.5 * slope, rel=1e-5)
    slope = (loss(np.zeros(2), h) - loss(np.zeros(2), -h)) / (2 * h)
    assert second.bias == pytest.approx(-0.5 * slope, abs=1e-8)
    assert second.loss == pytest.approx(loss(second.weight, second.bias))


def test_a_line_parts_clouds_and_not_a_ring():
    clouds, ring = datasets.clouds(80, 0.03, rng()), datasets.circles(80, 0.03, rng())
    assert list(linear.logistic_regression(clouds.x, clouds.label, 1.0, 120))[-1].accuracy == 1
    steps = list(linear.logistic_regression(ring.x, ring.label, 1.0, 400))
    assert max(step.accuracy for step in steps) < 0.8
    huge = list(linear.logistic_regression(clouds.x * 1e4, clouds.label, 100.0, 50))
    assert all(np.isfinite(step.loss) for step in huge)


# --- Networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_gradients_are_the_finite_differences(activation, outputs):
    points = datasets.make("spiral", 12, 0.05, rng(1))
    params = network.initialize((2, 4, 3, outputs), rng(2), "he")
    params = {name: p + 0.05 for name, p in params.items()}  # no sum stands on a corner
    loss, grads, _ = network.gradients(params, points, activation)
    assert loss == pytest.approx(network.evaluate(params, points, activation)[0])
    h = 1e-6
    for name, p in params.items():
        for index in np.ndindex(p.shape):
            sides = []
            for step in (h, -h):
                moved = {n: a.copy() for n, a in params.items()}
                moved[name][index] += step
                sides.append(network.evaluate(moved, points, activation)[0])
            slope = (sides[0] - sides[1]) / (2 * h)
            assert grads[name][index] == pytest.approx(slope, abs=2e-8)


@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_one_neuron_on_single_numbers_is_one_neuron_of_a_network(activation):
    params = network.initialize((3, 1, 1), rng(5))
    params["layers.0.bias"][:] = 0.3
    x = rng(6).normal(0, 1, 3)
    seen = {}
    network.forward(params, x[None], activation, record=seen.__setitem__)
    weights, bias = params["layers.0.weight"][0], params["layers.0.bias"][0]
    products, total, output = network.neuron(x, weights, bias, activation)
    assert [p.data for p in products] == pytest.approx(list(weights * x))
    assert total.data == pytest.approx(seen["layers.0.sums"][0, 0])
    assert output.data == pytest.approx(seen["layers.0.out"][0, 0])
    assert isinstance(output, Value)


def test_a_network_computes_the_same_with_and_without_the_tape():
    params = network.initialize((2, 5, 1), rng())
    x = rng(1).normal(0, 1, (7, 2))
    plain = network.forward(params, x, "tanh")
    taped = network.forward({n: Tensor(p) for n, p in params.items()}, x, "tanh")
    assert np.array_equal(plain, taped.data)
    assert network.cross_entropy(plain * 0, np.ones(7)) == pytest.approx(np.log(2))
    two = network.cross_entropy(np.hstack([plain * 0, plain]), np.ones(7, int))
    assert two == pytest.approx(float(network.cross_entropy(plain, np.ones(7))))
    assert network.probabilities(plain) == pytest.approx(1 / (1 + np.exp(-plain[:, 0])))


def test_names_that_there_are_not():
    with pytest.raises(ValueError, match="no activation 'step'; choose one of relu"):
        network.forward(network.initialize((2, 1), rng()), np.zeros((1, 2)), "step")
    with pytest.raises(ValueError, match="no initialization 'zero'"):
        network.initialize((2, 1), rng(), "zero")
    with pytest.raises(ValueError, match="no optimizer 'lion'"):
        Training(Settings(optimizer="lion"), datasets.make("xor", 8, 0, rng()), rng())


def test_an_epoch_shows_every_point_once_and_batches_may_be_larger_than_the_set():
    points = datasets.make("xor", 50, 0, rng())
    training = Training(Settings(batch=8), points, rng())
    seen = np.concatenate([training.next_batch() for _ in range(25)])
    assert np.array_equal(np.sort(seen[:50]), np.arange(50))
    assert np.bincount(seen).tolist() == [4] * 50
    assert len(Training(Settings(batch=1000), points, rng()).next_batch()) == 50


@pytest.mark.parametrize("optimizer", network.OPTIMIZERS)
def test_a_copy_goes_on_as_the_original_would(optimizer):
    points = datasets.make("moons", 60, 0.05, rng())
    training = Training(Settings(optimizer=optimizer, rate=0.01), points, rng(1))
    list(training.steps(17))
    other = training.copy()
    list(training.steps(20))
    list(other.steps(20))
    assert other.number == training.number == 37
    for name, p in training.params.items():
        assert np.array_equal(p, other.params[name])


def test_the_penalty_pulls_weights_and_not_biases():
    points = datasets.make("moons", 40, 0.05, rng())
    free = Training(Settings(batch=40), points, rng(1)).step()
    held = Training(Settings(batch=40, penalty=0.1), points, rng(1))
    before = {name: p.copy() for name, p in held.params.items()}
    step = held.step()
    assert step.loss == free.loss
    for name, grad in step.grads.items():
        pull = 0.1 * before[name] if name.endswith("weight") else 0
        assert grad == pytest.approx(free.grads[name] + pull)


def test_a_training_that_diverges_stops():
    points = datasets.make("moons", 40, 0.05, rng())
    settings = Settings(optimizer="momentum", rate=1e6, activation="linear", batch=40)
    training = Training(settings, points, rng())
    assert len(list(training.steps(2000))) < 2000
    assert not training.finite()


@pytest.mark.parametrize(
    ("name", "least"), [("moons", 0.97), ("circles", 0.97), ("xor", 0.97), ("spiral", 0.93)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_default_settings_learn_every_set(name, least, seed):
    generator = rng(seed)
    points = datasets.make(name, 400, 0.05, generator)
    train, test = datasets.split(points, 0.5, generator)
    training = Training(Settings(activation="relu"), train, generator)
    list(training.steps(1000))
    assert network.evaluate(training.params, test, "relu")[1] >= least


# --- Depth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 10, 100])
def test_linear_layers_are_one_layer(count):
    layers = depth.turning_layers(count, 2, rng(count))
    x = rng(1).uniform(-1, 1, (30, 2))
    products = list(depth.collapse(layers))
    assert [p.count for p in products] == list(range(1, count + 1))
    for product, seen in zip(products, depth.through(layers, x), strict=True):
        assert np.abs(x @ product.weight.T + product.bias - seen).max() < 1e-12
    weight, bias = depth.best_single_layer(x, depth.through(layers, x)[-1])
    assert np.abs(weight - products[-1].weight).max() < 1e-10
    assert np.abs(bias - products[-1].bias).max() < 1e-10


def test_with_a_bend_no_single_layer_does_it():
    layers = depth.turning_layers(10, 2, rng(1), gain=1.3)
    x = rng(1).uniform(-1, 1, (60, 2))
    y = depth.through(layers, x, "tanh")[-1]
    weight, bias = depth.best_single_layer(x, y)
    assert np.abs(x @ weight.T + bias - y).max() > 0.1


@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_slopes_are_the_finite_differences(activation):
    z = np.linspace(-4.95, 4.95, 66)  # no kink among them
    bend, h = network.ACTIVATIONS[activation], 1e-6
    slopes = (bend(z + h) - bend(z - h)) / (2 * h)
    assert depth.slope(activation, z) == pytest.approx(slopes, abs=1e-8)


def deep(activation, start, hidden=12):
    points = datasets.make("moons", 100, 0.05, rng(3))
    settings = Settings(hidden=(16,) * hidden, activation=activation, initialization=start)
    training = Training(settings, points, rng(3))
    return depth.measure(training.params, points, activation)


def test_gradients_fade_through_sigmoid_and_hold_with_a_fitting_start():
    sigmoid, tanh, relu = deep("sigmoid", "xavier"), deep("tanh", "xavier"), deep("relu", "he")
    assert len(sigmoid) == 13
    assert sigmoid[0].gradient < 1e-6 * sigmoid[-1].gradient
    assert tanh[0].gradient > 0.1 * tanh[-1].gradient
    assert 0.02 < relu[-2].signal / relu[0].signal < 50
    assert deep("relu", "small")[-2].signal < 1e-9
    assert deep("relu", "large")[-2].signal > 1e3
    assert sigmoid[-1].dead == 0


def test_a_unit_that_is_silent_on_every_point_is_dead():
    points = Points(rng().uniform(-1, 1, (50, 2)), np.arange(50) % 2)
    params = network.initialize((2, 4, 1), rng(), "he")
    params["layers.0.bias"][:] = [-10, 10, -10, 10]
    dead = {name: depth.measure(params, points, name)[0].dead for name in network.ACTIVATIONS}
    assert dead["relu"] == 0.5
    assert dead["leaky_relu"] == dead["linear"] == 0
    assert dead["sigmoid"] == dead["tanh"] == 1, "saturated on both sides"
    assert dead["gelu"] == 0.5


# --- Pictures -------------------------------------------------------------------------------


def test_features_are_shares_of_ink():
    empty, full = np.zeros((12, 12)), np.ones((12, 12))
    assert pictures.features(empty).tolist() == [0, 0, 0]
    assert pictures.features(full).tolist() == [1, 1, 1]
    for i, region in enumerate(pictures.REGIONS.values()):
        assert pictures.features(region)[i] == 1
    with pytest.raises(ValueError, match="no 'cow'"):
        pictures.draw("cow", rng())


def test_cats_and_dogs_can_be_told_apart_by_three_numbers():
    generator = rng(4)
    train = pictures.as_points(*pictures.album(40, generator))
    test = pictures.as_points(*pictures.album(80, generator))
    settings = Settings(hidden=(4,), activation="relu", rate=0.05, batch=40)
    training = Training(settings, train, generator, outputs=2)
    before = network.evaluate(training.params, test, "relu")[1]
    list(training.steps(80))
    assert network.evaluate(training.params, test, "relu")[1] >= 0.85 > before
