"""Chapters 4 to 7: that their prose says what the engine finds, that nothing a browser or an
address sends can harm them, and that a link opens the very same experiment."""

import json
import math
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.basics import clusters, datasets, depth, gridworld, network, pictures
from microgpt.basics.datasets import Points
from widgets import (
    activation_bend,
    activation_collapse,
    activation_curves,
    activation_depth,
    activation_page,
    backprop_graph,
    backprop_matrix,
    backprop_page,
    backprop_timing,
    backprop_training,
    book,
    components,
    functions_figures,
    learning_boundary,
    learning_clusters,
    learning_grid,
    learning_page,
    learning_words,
    network_map,
    network_neuron,
    network_page,
    network_playground,
)
from widgets import network_link as links
from widgets.network_experiment import Experiment, set_weight, trouble

APP = str(book.ROOT / "app.py")
SLUGS = ("ways_of_learning", "neural_networks", "activations", "backpropagation")
NONSENSE = [
    None, 5, "x", [], {}, [[]], {"x": "a"}, [1, 2], [[math.nan, 1, 0]], [["a", "b", "c"]],
    {"run": "", "centers": "no"}, [[1e400, 0, 1]], {"z": math.nan, "name": 5},
]  # fmt: skip


def opened(slug, **query) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=300)
    at.run()
    for name, value in query.items():
        at.query_params[name] = value
    at.switch_page(f"pages/{slug}.py")
    at.run()
    assert not at.exception
    return at


def words(at) -> str:
    return "\n".join(element.value for element in [*at.markdown, *at.warning])


def sent(at, name) -> dict:
    found = [c for c in at.get("bidi_component") if c.proto.component_name == f"press_enter_{name}"]
    assert found, f"the page has no {name}"
    return json.loads(found[0].proto.json)[0]


def unpacked(packed) -> np.ndarray:
    import base64

    raw = np.frombuffer(base64.b64decode(packed["packed"]), dtype=packed["dtype"])
    return raw.reshape(packed["shape"])


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_is_light_and_complete(slug):
    at = opened(slug)
    for component in at.get("bidi_component"):
        assert len(component.proto.json) < 300_000, component.proto.component_name
    text = words(at)
    for part in ("computed now", "measured", "reported"):
        assert part in text or (slug, part) == ("ways_of_learning", "measured")
    assert "nan" not in text and "inf " not in text
    assert len(at.main.get("expander")) >= 3, "every picture has its text twin"


# --- Chapter 4 ------------------------------------------------------------------------------


def test_the_prose_of_chapter_4_is_true():
    live = learning_page.tour()
    assert live.line_right == 1.0
    ring = learning_boundary.compute("circles", (), 1.0).steps
    assert live.ring_right == ring[-1].accuracy <= live.ring_best < 0.8
    assert len(ring) == live.steps + 1
    assert live.values.size == 4 * len("".join(learning_grid.MAP)) and live.centers.shape == (3, 2)
    assert live.shortest == 13 and live.found <= 150 and live.first_walk > 50
    assert 0 < live.stuck < live.starts / 2 and live.worst_cost > 2 * live.best_cost
    assert live.moons_wrong > 0.1
    assert f"of {live.starts} random starts" in words(opened("ways_of_learning"))
    assert learning_page.kmeans_cost() == 3
    assert learning_page.grid_answer() == pytest.approx(0.18)
    assert set(live.here) == set(learning_words.WORDS)


def test_the_wrong_moon_is_counted():
    moons = datasets.moons(learning_clusters.COUNT, 0.06, np.random.default_rng(7))
    assert np.array_equal(moons.x, learning_clusters.points_of("moons"))
    run = learning_clusters.compute("moons", 2, learning_clusters.SEED, None)
    wrong = (run.steps[-1].nearest != moons.label).mean()
    assert learning_page.tour().moons_wrong == min(wrong, 1 - wrong) > 0.1


def test_boundary_takes_points_and_drops_nonsense():
    own = learning_boundary.clean([[0.1, 0.2, 1], [9, 0, 1], [0, 0, 2], "x", [0.5, -0.5, 0]])
    assert own == ((0.1, 0.2, 1), (0.5, -0.5, 0))
    run = learning_boundary.compute("clouds", own, 1.0)
    assert len(run.points) == learning_boundary.COUNT + 2
    view = learning_boundary.view_of(run, 2)
    frames = unpacked(view["frames"])
    assert frames.shape == (learning_boundary.STEPS + 1, 5)
    assert frames[-1, 3] == pytest.approx(run.steps[-1].loss, rel=1e-6)
    assert f"{run.steps[-1].loss:.3f}" in learning_boundary.in_words(run)
    assert len(learning_boundary.clean([[0, 0, 1]] * 500)) == learning_boundary.OWN


def test_kmeans_starts_where_the_centers_were_dragged():
    state = {"run": "a", "centers": [[0, 0], [1, 1], [9, -9]]}
    starts = learning_clusters.clean(state, "a", 3)
    assert starts == ((0, 0), (1, 1), (1.3, -1.3))
    assert learning_clusters.clean(state, "b", 3) is None, "another set of points"
    assert learning_clusters.clean(state, "a", 4) is None, "another number of groups"
    run = learning_clusters.compute("three", 3, 1, starts)
    assert run.starts.tolist() == [list(s) for s in starts]
    costs = [s["cost"] for s in learning_clusters.view_of(run)["steps"]]
    assert costs == sorted(costs, reverse=True)


def test_no_groups_are_shown_only_after_the_guess():
    at = opened("ways_of_learning")
    assert "No groups at all" not in str([w.options for w in at.get("button_group")])
    assert len([c for c in at.get("bidi_component") if "clusters" in c.proto.component_name]) == 1
    next(b for b in at.button if b.label.startswith("I have no idea")).click()
    at.run()
    assert not at.exception
    assert len([c for c in at.get("bidi_component") if "clusters" in c.proto.component_name]) == 2
    assert learning_page.tour().noise_sizes in words(at)


def test_a_map_that_was_edited_is_lived_in_and_nonsense_is_not():
    signs = "".join(learning_grid.MAP)
    walled = signs[:1] + "#" + signs[2:9] + "#" + signs[10:]
    rows = learning_grid.clean(walled)
    assert "".join(rows) == walled
    run = learning_grid.compute(rows, gridworld.Settings(), 1)
    assert run.shortest is None and run.found is None
    assert len(run.moves) == learning_grid.MOST
    components.payload(learning_grid.view_of(run, gridworld.Settings()))
    assert "no way" in learning_grid.in_words(run)
    for bad in (*NONSENSE, signs[:-1], signs.replace("S", "."), "?" * len(signs)):
        assert learning_grid.clean(bad) == learning_grid.MAP


def test_the_life_that_is_sent_is_the_life_that_was_lived():
    run = learning_grid.compute(learning_grid.MAP, gridworld.Settings(), 1)
    view = learning_grid.view_of(run, gridworld.Settings())
    places, numbers = unpacked(view["places"]), unpacked(view["numbers"])
    assert len(places) == len(numbers) == len(run.moves)
    assert places[-1, 0] == 149 and len(run.paths) == 150
    for at in (0, 100, -1):
        assert places[at, 1] == run.moves[at].cell
        assert numbers[at, 3] == pytest.approx(run.moves[at].after, abs=1e-6)
    assert run.paths[run.found][-1] == run.world.goal


# --- Chapter 5 ------------------------------------------------------------------------------


def test_the_prose_of_chapter_5_is_true():
    live = network_page.tour()
    assert live.parameters == 26 and live.before < 0.6 and live.after >= 0.9
    assert 0.45 < live.flat < 0.67, "the right answer of the prediction"
    assert live.one_layer > 0.85 and live.two_layers >= 0.97
    assert network_page.parameters_answer() == 33
    assert network_page.relu_answer() == 0


def test_one_neuron_answers_with_its_own_numbers():
    found = network_neuron.answer(network_neuron.START)
    assert found["sum"] == pytest.approx(0.8 * 1.2 + 1 * 0.8 - 0.9 * 1.5 - 0.2)
    assert found["output"] == pytest.approx(1 / (1 + math.exp(-found["sum"])))
    for bad in NONSENSE:
        assert network_neuron.clean(bad) == network_neuron.START
    wild = {"x": [9, -9, math.nan], "w": [99, 0, 0], "b": -99, "activation": "tanh"}
    assert network_neuron.clean(wild) == {
        "x": [1, 0, 0], "w": [3, 0, 0], "b": -5, "activation": "tanh"
    }  # fmt: skip
    for name, preset in network_neuron.PRESETS.items():
        assert network_neuron.clean(preset) == preset, name


def test_and_or_are_what_they_are_called():
    for name, least in (("All three (and)", 3), ("At least one (or)", 1)):
        preset = network_neuron.PRESETS[name]
        for corner in np.ndindex(2, 2, 2):
            out = network_neuron.answer({**preset, "x": list(map(float, corner))})["output"]
            assert (out > 0.5) == (sum(corner) >= least)


def test_cat_or_dog_runs_for_real():
    run = network_map.compute((), None)
    picture = network_map.first_cat()
    found = network_map.answer(picture, run.frames[-1])
    assert sum(found["probabilities"]) == pytest.approx(1)
    assert found["probabilities"][0] > 0.8, "the first picture is a cat"
    pixels = np.array([int(c) for c in picture]).reshape(12, 12)
    assert found["x"] == pytest.approx(pictures.features(pixels))
    fresh = network.initialize((3, 4, 2), np.random.default_rng(0))
    row = np.arange(26.0)
    assert np.array_equal(network_map.flat(network_map.unflat(row, fresh)), row)
    edited = network_map.compute((), tuple(run.frames[-1].tolist()))
    assert edited.scores[0] == pytest.approx(run.scores[-1])
    mine = network_map.compute(((picture, 1),) * 24, None)
    assert mine.scores[-1][0] > run.scores[-1][0], "wrong labels make it harder"


def test_cat_or_dog_takes_no_nonsense():
    cat = network_map.first_cat()
    for bad in (*NONSENSE, "0" * 143, "2" * 144):
        assert network_map.clean_picture(bad) == cat
        assert network_map.clean_own(bad) == ()
        assert network_map.clean_start(bad, 26) is None
    assert network_map.clean_own([[cat, 0], [cat, 5], ["x", 1]]) == ((cat, 0),)
    assert network_map.clean_start([99.0] * 26, 26) == (20.0,) * 26
    assert network_map.clean_start([math.inf] * 26, 26) is None


def experiment(**changes) -> Experiment:
    setup = links.Setup(**changes)
    return Experiment(setup, *links.points_of(setup, None))


def test_a_training_in_bursts_is_the_training_in_one_go():
    whole = experiment().burst(0, 200, 50)
    pieces = experiment()
    parts = [pieces.burst(start, 50, 50) for start in (0, 50, 100, 150)]
    assert whole.steps == (0, 50, 100, 150, 200)
    for k, part in enumerate(parts):
        assert np.array_equal(part.frames[-1], whole.frames[k + 1])
    back = pieces.burst(60, 0, 1)  # back in time
    fresh = experiment().burst(60, 0, 1)
    assert np.array_equal(back.frames, fresh.frames)
    again = pieces.burst(200, 0, 1)
    assert np.array_equal(again.frames[0], whole.frames[-1])


@pytest.mark.parametrize(
    ("name", "least"), [("moons", 0.97), ("circles", 0.97), ("xor", 0.97), ("spiral", 0.93)]
)
def test_the_playground_as_it_opens_learns_every_set(name, least):
    burst = experiment(data=name).burst(0, 1000, 1000)
    assert burst.scores[-1][3] >= least
    assert len(experiment(data=name).test) == 200


def test_weights_set_by_hand_are_part_of_the_experiment():
    edits = ((30, 5, 2.5), (30, 7, -1.0), (60, 5, 0.25))
    fresh = experiment().burst(90, 0, 1, edits)
    alive = experiment()
    alive.burst(0, 30, 5)
    first = alive.burst(30, 0, 1, edits[:1])
    assert first.frames[0][5] == 2.5
    second = alive.burst(30, 0, 1, edits[:2])
    assert second.frames[0][[5, 7]].tolist() == [2.5, -1.0]
    alive.burst(30, 30, 5, edits[:2])
    alive.burst(60, 0, 1, edits)
    assert np.array_equal(alive.burst(90, 0, 1, edits).frames, fresh.frames)
    assert np.array_equal(alive.burst(90, 0, 1, ()).frames, experiment().burst(90, 0, 1).frames)
    params = {"a": np.zeros((2, 2)), "b": np.zeros(3)}
    set_weight(params, 3, 1.0)
    set_weight(params, 6, 2.0)
    set_weight(params, 99, 3.0)
    assert params["a"].tolist() == [[0, 0], [0, 1]] and params["b"].tolist() == [0, 0, 2]


def test_the_surface_and_the_neurons_are_those_of_the_network():
    run = experiment(hidden=(3, 2), activation="gelu")
    run.burst(0, 40, 40)
    surface = run.surface(run.live)
    inside = run.inside(run.live, [0.3, -0.2])
    assert [len(layer) for layer in inside] == [3, 2, 1]
    cells = links.EDGE * (2 * (np.arange(50) + 0.5) / 50 - 1)
    row, column = 7, 31  # from the top, from the left
    x = np.array([[cells[column], -cells[row]]])
    scores = network.forward(run.live.params, x, "gelu")
    assert surface[row, column] == pytest.approx(float(network.probabilities(scores)[0]))


def test_a_divergence_is_told_and_nothing_infinite_is_sent():
    run = experiment(optimizer="sgd", rate=3.0, activation="linear", hidden=(8, 8, 8, 8))
    ask = network_playground.clean_ask(
        {"run": "r", "n": 1, "from": 0, "steps": 900, "every": 20, "probe": [0, 0]}, "r"
    )
    burst = run.burst(0, 900, 20)
    view = network_playground.view_of(run, burst, ask)
    assert burst.diverged and view["diverged"]
    components.payload(view)
    assert "out of bounds" in network_playground.in_words(run.setup, run, burst)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": "spiral", "hidden": (8, 4, 1), "seed": 77, "noise": 0.21, "rate": 0.3},
        {"hidden": (), "activation": "gelu", "optimizer": "sgd", "batch": 1, "penalty": 0.03},
        {"data": "own", "own": links.clean_own([[0.5, -0.25, 1], [-1.25, 1.25, 0]])},
    ],
)
@pytest.mark.parametrize(("step", "edits"), [(0, ()), (150, ((20, 12, -0.5), (150, 3, 1.25)))])
def test_an_address_opens_the_very_same_place(changes, step, edits):
    link = links.Link(links.Setup(**changes), step, edits)
    address = links.write_link(link)
    assert links.read_link(address) == link
    assert not links.read_link(address).notices
    if not changes and not step:
        assert address == {}


def test_a_late_address_is_no_link_and_going_back_is(monkeypatch):
    monkeypatch.setattr(network_playground, "LAG", 0)
    at = opened("neural_networks", d="own")
    points = [[0.5, 0.5, 1], [-0.5, 0.5, 0], [0.25, -0.5, 1]]

    def address() -> str:
        given = at.query_params["p"]
        return given if isinstance(given, str) else given[0]

    def click(count, late=None) -> int:
        at.session_state[network_playground.KEY] = {"own": points[:count]}
        if late:
            at.query_params["p"] = late
        at.run()
        assert not at.exception
        return len(address()) // 4

    assert click(1) == 1
    first = address()
    assert click(2) == 2
    assert click(3, late=first) == 3, "a busy browser sent an older address with a newer click"
    at.query_params["p"] = first
    at.run()
    assert address() == first and len(sent(at, "network_playground")["initial"]["own"]) == 1


def test_own_points_fit_into_the_address():
    rng = np.random.default_rng(0)
    own = links.clean_own([[*rng.uniform(-1.2, 1.2, 2), int(rng.integers(2))] for _ in range(500)])
    assert len(own) == links.OWN
    text = links.write_points(own)
    assert len(text) == 4 * links.OWN and re.fullmatch(r"[\w-]*", text)
    link = links.Link(links.Setup(data="own", own=own))
    assert links.read_link(links.write_link(link)).setup.own == own


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("d", "rings"), ("n", "nan"), ("n", "2"), ("h", "9"), ("h", "1-2-3-4-5"), ("h", "a-b"),
        ("h", ""), ("a", "step"), ("o", "lion"), ("r", "0.02"), ("b", "7"), ("l", "-1"), ("s", "x"),
        ("s", "1e99"), ("p", "abc"), ("p", "????"), ("p", "A" * 9000), ("t", "-1"), ("t", "1e9"),
        ("e", "1.2"), ("e", "_"), ("e", "a.b.c"), ("t", "9" * 5000), ("s", "1_0\x00"),
    ],
)  # fmt: skip
def test_an_address_that_asks_in_vain_is_told_so(name, value):
    link = links.read_link({name: value})
    assert link == links.Link()
    assert len(link.notices) == 1 and f"{name}=" in link.notices[0]
    assert len(link.notices[0]) < 250


def test_the_playground_takes_no_nonsense():
    for bad in NONSENSE:
        ask = network_playground.clean_ask(bad, "r")
        assert (ask["run"], ask["from"], ask["steps"]) == ("r", 0, 0)
        assert links.clean_edits(bad) == () or bad == [[math.nan, 1, 0]]
        assert links.clean_own(bad) == ()
    wild = {"run": "r", "from": 1e9, "steps": 1e9, "every": -5, "n": math.nan, "probe": [9, -9]}
    ask = network_playground.clean_ask(wild, "r")
    assert ask["from"] == links.MOST and ask["steps"] == 0 and ask["every"] == 1
    assert ask["probe"] == [links.EDGE, -links.EDGE]
    assert links.clean_edits([[0, 0, math.inf], [0, 0, 99], [-1, 0, 0]]) == ((0, 0, 20.0),)


def test_few_or_one_sided_points_are_no_trouble():
    nothing = Points(np.zeros((0, 2)), np.zeros(0, int))
    assert trouble(nothing) == "There are no points yet."
    run = experiment(data="own")
    assert run.trouble
    network_playground.in_words(run.setup, run, run.burst(0, 0, 1))
    few = experiment(data="own", own=links.clean_own([[0, 0, 1], [1, 1, 0]]))
    assert not few.trouble and len(few.test) == 0
    assert "takes at least 20" in network_playground.in_words(few.setup, few, few.burst(0, 5, 5))


def test_the_address_sets_the_playground_and_its_faults_are_said():
    at = opened("neural_networks", d="xor", h="3-2", a="tanh", t="40", s="9", e="10.2.500", r="5")
    view = sent(at, "network_playground")
    assert view["sizes"] == [2, 3, 2, 1] and view["activation"] == "tanh"
    assert view["steps"] == [40] and view["asked"]["edits"] == [[10, 2, 0.5]]
    assert "r=“5”" in "\n".join(w.value for w in at.warning)
    setup = links.Setup(data="xor", hidden=(3, 2), activation="tanh", seed=9)
    burst = Experiment(setup, *links.points_of(setup, None)).burst(40, 0, 1, ((10, 2, 0.5),))
    assert unpacked(view["frames"])[0] == pytest.approx(burst.frames[0], abs=1e-6)
    assert at.query_params["t"] == "40"


def test_what_the_browser_asks_for_is_trained():
    at = opened("neural_networks")
    run = sent(at, "network_playground")["run"]
    ask = {"run": run, "n": 1, "from": 0, "steps": 60, "every": 20, "edits": [], "probe": [0, 0]}
    at.session_state["network_playground"] = {"ask": ask}
    at.run()
    view = sent(at, "network_playground")
    assert view["steps"] == [0, 20, 40, 60] and "surface" not in view
    assert unpacked(view["scores"])[-1, 0] < unpacked(view["scores"])[0, 0]
    at.session_state["network_playground"] = {"ask": {**ask, "n": 2, "from": 60, "steps": 0}}
    at.run()
    view = sent(at, "network_playground")
    assert view["steps"] == [60] and unpacked(view["surface"]).shape == (50, 50)
    assert at.query_params["t"] == "60"
    at.selectbox(key="network_data").set_value("csv")
    at.run()
    assert "could not" not in words(at) and "“oops” is not a number" in words(at).replace("\\", "")
    at.text_area(key="network_table").set_value("1,2,a\n3,4,a")
    at.run()
    assert "there must be two labels" in words(at)
    assert sent(at, "network_playground")["trouble"]


def test_a_pasted_table_can_be_shared():
    at = opened("neural_networks", d="csv")
    rows = "\n".join(f"{math.sin(i):.3f}, {math.cos(3 * i):.3f}, {'ab'[i % 2]}" for i in range(50))
    at.text_area(key="network_table").set_value(rows)
    at.run()
    view = sent(at, "network_playground")
    shared = dict(at.query_params)
    assert shared["d"] == "own"
    other = sent(opened("neural_networks", **shared), "network_playground")
    assert other["train"] == view["train"] and other["frames"] == view["frames"]


# --- Chapter 6 ------------------------------------------------------------------------------


def test_the_prose_of_chapter_6_is_true():
    live = activation_page.tour()
    assert (live.relu, live.relu_slope, live.sigmoid_slope) == (0, 0, 0.25)
    assert (live.gelu_low, live.silu_low) == ("−0.17", "−0.28")
    assert live.without < 0.67 < 0.97 <= live.with_relu
    assert live.sigmoid_loss == pytest.approx(math.log(2), abs=2e-3)
    assert live.tanh_right > 0.95 and 0 < live.dead < 0.5
    assert activation_page.shrink_answer() == pytest.approx(0.25**5)
    assert activation_page.product_answer() == 6 and activation_page.silu_answer() == 0
    assert activation_page.scientific(1.94e-8) == "1.9 · 10⁻⁸"
    assert activation_page.scientific(0.38) == "0.38"


def test_the_curves_that_are_sent_are_those_of_the_engine():
    z, values, slopes, _ = activation_curves.curves()
    assert z[0] == -5 and z[-1] == 5 and len(z) == 1001
    for i, name in enumerate(activation_curves.NAMES):
        for k in (0, 400, 500, 777):
            at = z[k : k + 1]
            assert values[i, k] == network.ACTIVATIONS[name](at)[0]
            assert slopes[i, k] == depth.slope(name, at)[0]
    for bad in NONSENSE:
        assert activation_curves.clean(bad) == (-1.0, "relu")
    assert activation_curves.clean({"z": 99, "name": "gelu"}) == (5.0, "gelu")


@pytest.mark.parametrize("count", activation_collapse.COUNTS)
def test_the_collapse_is_exact_and_a_bend_ends_it(count):
    plain = activation_collapse.compute(count, "linear", 1)
    assert plain.gaps.max() < 1e-12 and len(plain.products) == count
    bent = activation_collapse.compute(count, "tanh", 1)
    assert bent.gaps[-1] > 0.1
    for run, bend in ((plain, "linear"), (bent, "tanh")):
        components.payload(activation_collapse.view_of(run, bend))
        assert str(count) in activation_collapse.in_words(run, bend)


def test_the_collapse_is_the_reveal():
    at = opened("activations")
    assert not [c for c in at.get("bidi_component") if "collapse" in c.proto.component_name]
    at.radio[0].set_value(2)
    at.run()
    next(b for b in at.button if b.label == "Commit").click()
    at.run()
    assert not at.exception and "Right." in words(at)
    assert sent(at, "activation_collapse")["count"] == 10


def test_the_two_networks_differ_only_in_the_bend():
    flat, bent = (activation_bend.compute("circles", name) for name in ("linear", "relu"))
    assert flat.parameters == bent.parameters and np.array_equal(flat.points, bent.points)
    assert flat.surfaces.shape == bent.surfaces.shape == (26, 50, 50)
    assert flat.scores[-1][3] < 0.67 and bent.scores[-1][3] > 0.97


def test_deep_networks_are_measured_frame_by_frame():
    run = activation_depth.compute(8, "relu", "he", 0.003, 3)
    assert run.layers.shape == (31, 9, 3) and run.steps[-1] == activation_depth.STEPS
    fresh = activation_depth.fresh(8, "relu", "he", 0.003, 3)
    first = depth.measure(fresh.params, activation_depth.points(), "relu")
    assert run.layers[0] == pytest.approx(np.array([[x.signal, x.gradient, x.dead] for x in first]))
    words_of_it = activation_depth.in_words(run, "relu", "he")
    assert f"{functions_figures.figure(run.fade)} of it arrives" in words_of_it
    wild = activation_depth.compute(20, "relu", "large", 0.03, 3)
    assert np.isfinite(wild.layers).all() and np.isfinite(wild.scores).all()


# --- Chapter 7 ------------------------------------------------------------------------------


def test_the_prose_of_chapter_7_is_true():
    live = backprop_page.tour()
    assert live.used_thrice == 7 and live.right == 4 and live.last_loss < 0.1 * live.first_loss
    assert backprop_page.chain_answer() == -8
    assert backprop_page.weight_answer() == pytest.approx(0.3)
    assert backprop_page.moment_answer() == pytest.approx(0.2)


@pytest.mark.parametrize("text", backprop_graph.PRESETS)
def test_walking_back_and_nudging_agree(text):
    graph = backprop_graph.compute(text, 3.0, -2.0)
    at = {name: leaf.data for name, leaf in graph.leaves.items()}
    for name, nudged in backprop_graph.differences(text, at, 1e-5).items():
        assert graph.leaves[name].grad == pytest.approx(nudged, abs=1e-6)
    view = backprop_graph.view_of(graph)
    received = [0.0] * len(graph.nodes)
    for step in view["steps"]:
        assert step["product"] == pytest.approx(step["incoming"] * step["local"])
        received[step["parent"]] += step["product"]
    received[-1] = 1.0
    assert received == pytest.approx([node["gradient"] for node in view["nodes"]])
    assert all(node["op"] in backprop_graph.WORDS for node in view["nodes"] if node["op"])


@pytest.mark.parametrize("text", [*backprop_graph.PRESETS, "x*x*x*y*y*y", "max(x, y, x*y)+x/y"])
def test_nodes_stand_apart_and_edges_run_to_the_right(text):
    graph = backprop_graph.compute(text, 3.0, -2.0)
    places = graph.layout
    taken = [*zip(places.columns, places.rows, strict=True)]
    order = {id(node): i for i, node in enumerate(graph.nodes)}
    for i, node in enumerate(graph.nodes):
        for k, parent in enumerate(node.parents):
            p = order[id(parent)]
            between = range(places.columns[p] + 1, places.columns[i])
            assert places.columns[p] < places.columns[i]
            taken += zip(between, places.ways[i][k], strict=True)
    assert len(set(taken)) == len(taken), "two things in one place"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1/(x-3)", "no value, or no slope, at x = 3"),
        ("log(y)", "no value, or no slope, at y = -2"),
        ("sqrt(x-3)", "no finite"),
        ("exp(exp(exp(x)))", "no value"),
        ("*".join("x" * 40), "more than the 30"),
        ("__import__('os')", "not known|no meaning|Allowed"),
        ("x.real", "Allowed"),
        ("", "no formula"),
        ("x" * 100_000, "too many"),
    ],
)
def test_a_formula_that_cannot_be_walked(text, said):
    with pytest.raises(ValueError, match=said):
        backprop_graph.compute(text, 3.0, -2.0)


def test_the_page_takes_a_formula_from_its_address_and_refuses_in_words():
    at = opened("backpropagation", backprop_f="x*y", backprop_x="4", backprop_y="5")
    nodes = sent(at, "backprop_graph")["nodes"]
    assert [n["value"] for n in nodes] == [4, 5, 20] and [n["gradient"] for n in nodes] == [5, 4, 1]
    at.text_input(key="backprop_f").set_value("import os")
    at.run()
    said = words(at).replace("\\", "")
    assert not at.exception and "Allowed are numbers" in said
    assert "Still drawn: x*y at x = 4, y = 5" in said, "nothing is lost by a slip"
    assert sent(at, "backprop_graph")["nodes"] == nodes
    at.button(key="backprop_x*x + x").click()
    at.run()
    assert sent(at, "backprop_graph")["nodes"][0]["gradient"] == 9


def test_every_step_of_the_table_is_adam():
    found = list(backprop_training.snapshots(0.1, 12, 3))
    first = second = np.zeros(13)
    for t, step in enumerate(found, 1):
        first = 0.9 * first + 0.1 * step.gradient
        second = 0.95 * second + 0.05 * step.gradient**2
        assert step.first == pytest.approx(first) and step.second == pytest.approx(second)
        scaled = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.95**t)) + 1e-8)
        assert step.after == pytest.approx(step.before - 0.1 * scaled)
        if t < len(found):
            assert np.array_equal(step.after, found[t].before)
        p = step.outputs[:, -1]
        wanted = backprop_training.POINTS.label
        assert step.loss == pytest.approx(-np.log(np.where(wanted, p, 1 - p)).mean())
        assert step.blame[:, -1] == pytest.approx((p - wanted) / 4)
    assert len(backprop_training.NAMES) == 13
    assert backprop_training.ADAM.beta1 == 0.9 and backprop_training.ADAM.beta2 == 0.95


def test_names_of_the_table_belong_to_their_numbers():
    step = next(backprop_training.snapshots(0.1, 1, 3))
    named = dict(zip(backprop_training.NAMES, step.before, strict=True))
    x, y = backprop_training.POINTS.x[1]
    hidden = [
        math.tanh(named[f"h{j} ← x"] * x + named[f"h{j} ← y"] * y + named[f"h{j} bias"])
        for j in (1, 2, 3)
    ]
    assert step.outputs[1, :3] == pytest.approx(hidden)
    z = sum(named[f"out ← h{j}"] * h for j, h in zip((1, 2, 3), hidden, strict=True))
    assert step.outputs[1, 3] == pytest.approx(1 / (1 + math.exp(-z - named["out bias"])))


@pytest.mark.parametrize("seed", range(5))
def test_one_matrix_product_walks_back_as_its_numbers_do(seed):
    walk = backprop_matrix.compute(seed)
    assert np.array_equal(walk.y, walk.x @ walk.w)
    assert walk.dy == pytest.approx(walk.y - walk.target)
    assert walk.dw == pytest.approx(walk.x.T @ walk.dy)
    assert walk.dx == pytest.approx(walk.dy @ walk.w.T)
    assert walk.apart < 1e-12
    assert walk.loss == pytest.approx(0.5 * ((walk.y - walk.target) ** 2).sum())


def test_both_engines_find_the_same_gradients():
    found = [backprop_timing.compute(size, np.random.default_rng(0)) for size in (2, 4)]
    assert all(t.apart < 1e-9 and t.scalar > 0 and t.tensor > 0 for t in found)
    assert [t.nodes for t in found] == [29, 177]
    assert "4 by 4" in backprop_timing.in_words(found)


def test_kmeans_answer_is_the_cost_of_the_engine():
    points = np.array([[1.0, 0], [3, 0], [4, 1]])
    assert clusters.cost(points, np.array([[0.0, 0], [4, 0]]), np.array([0, 1, 1])) == 3
