"""Chapters 1 to 3: what they compute, what they say, and that both agree."""

import json
import math
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from microgpt.autograd import optim
from microgpt.basics import descent, expressions, landscapes
from microgpt.basics.expressions import parse
from microgpt.basics.landscapes import LANDSCAPES, Landscape
from microgpt.model import checkpoint
from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params
from microgpt.tokens import bpe
from widgets import (
    book,
    components,
    derivatives,
    descent_model,
    descent_race,
    functions_curve,
    functions_figures,
    functions_formula,
    functions_neuron,
    functions_surface,
)
from widgets import descent as descent_page

APP = str(book.ROOT / "app.py")
SLUGS = ("functions", "derivatives", "gradient_descent")


def opened(slug: str, reveal: bool = False, **state) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=300)
    at.run()
    at.switch_page(f"pages/{slug}.py")
    for key, value in state.items():
        at.session_state[key] = value
    at.run()
    if reveal:
        next(b for b in at.button if "no idea" in b.label).click()
        at.run()
    return at


def words(at: AppTest) -> str:
    return "\n".join(element.value for element in at.markdown)


def view(at: AppTest, name: str, nth: int = 0) -> dict:
    found = [c.proto for c in at.get("bidi_component") if c.proto.component_name == f"press_enter_{name}"]
    return json.loads(found[nth].json)[0]


def doubles(packed: dict) -> np.ndarray:
    import base64

    return np.frombuffer(base64.b64decode(packed["packed"]), np.float64)


# --- Figures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [(6.0, "6.0000"), (-1.5, "−1.5000"), (0.03125, "0.0313"), (-0.03125, "−0.0313"), (0.0, "0.0000"),
     (-0.0, "0.0000"), (12345.67891, "12345.6789"), (123456.0, "1.235 · 10⁵"), (-2.5e-7, "−2.500 · 10⁻⁷"),
     (math.nan, "no value"), (math.inf, "no value"), (2.675, "2.6750"), (99999.99999, "100000.0000")],
)  # fmt: skip
def test_figures(number, text):
    assert functions_figures.figure(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(2.0, "2.00"), (-0.5, "−0.50"), (1.2345, "1.2345"), (0.1 + 0.2, "0.30"), (-0.0, "0.00")],
)
def test_a_coordinate_has_the_digits_that_were_typed(number, text):
    assert functions_figures.coordinate(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(2.0, "2"), (0.05, "0.05"), (5e-4, "0.0005"), (2e-9, "2 · 10⁻⁹")]
)
def test_a_step_has_one_digit(number, text):
    assert functions_figures.short(number) == text


def test_doubles_reach_the_browser_bit_for_bit():
    numbers = np.array([0.1, -1e300, math.pi, math.nan, math.inf, 5e-324])
    assert doubles(functions_figures.doubles(numbers)).tobytes() == numbers.tobytes()


def test_numbers_from_a_browser_are_forced_into_their_range():
    clean = functions_figures.in_range
    assert [clean(v, 1.0, -2, 2) for v in (0.5, 9, -9, "x", None, math.nan, [1], math.inf)] == [
        0.5, 2, -2, 1, 1, 1, 1, 1,
    ]  # fmt: skip


# --- Curves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", list(functions_formula.CURVES.values()) + list(derivatives.PRESETS.values()))
def test_the_curve_holds_python_s_own_values_and_slopes(text):
    shown = functions_curve.curve_view(text)
    x = np.arange(-600, 801) / 100
    expression = parse(text)
    assert doubles(shown["f"]) == pytest.approx(expressions.evaluate(expression, x=x) + 0 * x, abs=0)
    for i in (0, 300, 737, 900, 1400):
        assert doubles(shown["slopes"])[i] == pytest.approx(expressions.slope(expression, x=x[i])[1]["x"], rel=1e-12, abs=1e-12)
    assert x[900] == 3.0 and (text != "x**2" or doubles(shown["slopes"])[900] == 6.0)


def test_the_window_shows_the_bulk_of_a_curve():
    x = np.linspace(-6, 6, 1201)
    for values, inside in ((np.tan(x), 1.0), (np.exp(x), 20.0), (x**2, 36.0), (np.sin(x), 1.0), (0 * x + 5, 5.0)):
        bottom, top = functions_curve.window(values)
        assert bottom < 0 <= inside <= top < 1e3
    assert functions_curve.window(np.full(3, np.nan)) == (-1.0, 1.0)


@pytest.mark.parametrize("text", ["log(x)", "1/x", "sqrt(x-5.99)", "log(-1-abs(x))", "exp(exp(x))", "7", "x**100"])
def test_awkward_curves_can_be_sent(text):
    shown = functions_curve.curve_view(text)
    assert components.payload(shown) and shown["bottom"] < shown["top"]
    assert functions_curve.in_words(parse(text))
    assert derivatives.flat_in_words(functions_curve.flat_points(text))


def test_places_of_a_curve_survive_nonsense(monkeypatch):
    for said in (None, [], 5, {"x": "1"}, {"x": None}, {"x": math.nan}, {"x": 1e9}):
        monkeypatch.setattr(functions_curve, "state_of", lambda *_, said=said: said)
        assert -6 <= functions_curve.places("k", {"x": 2.0}, {})["x"] <= 6


# --- Derivatives -----------------------------------------------------------------------------


def test_at_3_the_slope_of_x_squared_is_6():
    at = opened("derivatives")
    assert "At x = **3.00** the curve x² has the slope :color[**6.0000**]" in words(at)
    shown = view(at, "functions_curve")
    assert shown["point"] == {"x": 3.0, "y": 9.0, "slope": 6.0}
    assert [p["kind"] for p in shown["flat"]] == ["minimum"]


def test_difference_quotients_are_those_of_float64():
    expression = parse("x**2")
    found = derivatives.quotients(expression, 3.0, 6.0)
    for k in (0, 5, 20, 48):
        h = derivatives.HS[k]
        assert found.forward[k] == ((3.0 + h) ** 2 - 9.0) / h
        assert found.central[k] == ((3.0 + h) ** 2 - (3.0 - h) ** 2) / (2 * h)
    assert found.forward[1] == 7.0


@pytest.mark.parametrize("text", ["x**2", "sin(x)", "exp(0.3*x)", "2*sin(x) + 0.3*x"])
def test_the_error_shrinks_and_grows_again_as_the_prediction_says(text):
    expression = parse(text)
    found = derivatives.quotients(expression, 1.3, expressions.slope(expression, x=1.3)[1]["x"])
    one, two = found.errors
    best = int(np.argmin(one))
    assert 1e-10 <= derivatives.HS[best] <= 1e-6
    assert one[0] > 1e5 * one[best] and one[-1] > 1e5 * one[best]
    assert one[-1] == pytest.approx(abs(expressions.slope(expression, x=1.3)[1]["x"])), "off entirely"
    middle = derivatives.HS.index(0.01)
    assert two[middle] < one[middle] / 10, "the two-sided quotient comes closer faster"


def test_hs_shrink_from_2_to_the_last_digit():
    assert derivatives.HS[0] == 2 and derivatives.HS[-1] == 1e-16
    assert list(derivatives.HS) == sorted(set(derivatives.HS), reverse=True)
    assert max(derivatives.HS) <= functions_curve.AHEAD


def test_the_gradient_of_the_ravine_points_to_the_near_wall():
    _, by = expressions.slope(parse(derivatives.SURFACES["Ravine"]), **derivatives.SURFACE_START)
    assert abs(by["y"]) > 5 * abs(by["x"])


# --- Surfaces --------------------------------------------------------------------------------


def test_the_surface_holds_python_s_own_heights_and_slopes():
    shown = functions_surface.formula_view("test", "0.1*x**2 + 2*y**2", slopes=True)
    import base64

    heights, by_x, by_y = (
        np.frombuffer(base64.b64decode(part["packed"]), np.float32).reshape(121, 121)
        for part in (shown["heights"], *shown["slopes"])
    )
    row, column = 80, 20  # y = 1, x = -2
    assert heights[row, column] == pytest.approx(2.4)
    assert (by_x[row, column], by_y[row, column]) == (pytest.approx(-0.4), pytest.approx(4.0))
    assert len(json.dumps(components.payload(shown))) < 400_000


def test_colors_rise_with_the_height():
    for place in LANDSCAPES.values():
        heights, _ = place.measure(functions_surface.grid(place.half))
        for rings in (False, True):
            shade, _ = functions_surface.shading(heights, rings)
            order = np.argsort(heights, axis=None)
            assert (np.diff(shade.reshape(-1)[order].astype(int)) >= 0).all()
            assert shade.min() == 0 and shade.max() == 255


@pytest.mark.parametrize("text", ["log(x*y)", "1/(x*y)", "x**100", "3", "sqrt(x)+sqrt(y)", "log(-1-x*x)"])
def test_awkward_surfaces_can_be_sent(text):
    assert components.payload(functions_surface.formula_view("test", text, slopes=True))
    assert functions_surface.in_words(parse(text))


# --- The neuron ------------------------------------------------------------------------------


def test_the_neuron():
    products, z, out = functions_neuron.neuron([1, 0.5, -1], [1.2, -0.8, 0.6], 0.3, "sigmoid")
    assert products == pytest.approx([1.2, -0.4, -0.6])
    assert z == pytest.approx(0.5) and out == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert functions_neuron.neuron([1, 1, 1], [-1, -1, -1], 0.0, "relu")[2] == 0
    assert functions_neuron.neuron([1, 1, 1], [1, 1, 1], 0.0, "tanh")[2] == pytest.approx(math.tanh(3))


def test_knobs_survive_nonsense():
    assert functions_neuron.clamp(None) == functions_neuron.clamp("x") == functions_neuron.START
    odd = {"x": [99, "a", None], "w": [1, 2], "b": math.nan, "activation": "exec"}
    assert functions_neuron.clamp(odd) == {**functions_neuron.START, "x": [2.0, 0.5, -1.0]}


# --- Descent ---------------------------------------------------------------------------------


def test_walk_and_limit_in_words():
    place = LANDSCAPES["Ravine"]
    for rate, said in ((0.1, "under"), (0.6, "over")):
        text = descent_page.limit_in_words(place, {"rate": rate, "momentum": 0.0}, 0.2, 4.0)
        assert "2 ÷ 4.00 = :gradient[**0.5000**]" in text and f"**{said}**" in text
        walk = descent.run(place, place.start, optim.SGD(), descent.constant(rate, 400), 400)
        arrived = int(descent.arrivals(walk.points, place.minima, descent_page.near(place)))
        told = descent_page.in_words(place, place.start, {"rate": rate, "momentum": 0.0}, walk, arrived)
        assert ("It diverges" in told) == (said == "over")
        assert ("stays at a minimum" in told) == (said == "under")
    text = descent_page.limit_in_words(place, {"rate": 0.6, "momentum": 0.5}, 0.2, 4.0)
    assert "2 ÷ 4.00 · (1 + 0.5) = :gradient[**0.7500**]" in text and "**under**" in text


def test_settings_survive_nonsense():
    assert descent_page.settings(None) == descent_page.settings([]) == descent_page.START
    assert descent_page.settings({"rate": 1e9, "momentum": -5}) == {"rate": 10.0, "momentum": 0.0}
    assert descent_page.settings({"rate": "x", "momentum": None}) == descent_page.START


def test_the_player_is_sent_the_walk_of_the_engine():
    at = opened("gradient_descent")
    shown = view(at, "descent_player")
    place = LANDSCAPES["Ravine"]
    walk = descent.run(place, place.start, optim.SGD(), descent.constant(0.1, 400), 400)
    assert doubles(shown["path"]).reshape(-1, 2) == pytest.approx(walk.points, abs=0)
    assert shown["limit"] == pytest.approx(0.5)
    steps = np.flatnonzero(np.hypot(*walk.points.T) > descent_page.near(place))
    assert shown["arrived"] == steps.max() + 1


def test_a_moved_ball_and_another_rate_give_another_walk():
    at = opened("gradient_descent")
    at.session_state["descent_map"] = {"at": {"x": 1.0, "y": -0.5, "surface": "Ravine"}}
    at.session_state["descent_player"] = {"run": {"rate": 0.3, "momentum": 0.5}}
    at.run()
    walk = descent.run(LANDSCAPES["Ravine"], (1.0, -0.5), optim.Momentum(0.5), descent.constant(0.3, 400), 400)
    assert doubles(view(at, "descent_player")["path"]).reshape(-1, 2) == pytest.approx(walk.points, abs=0)
    assert "**under** it" in words(at)


def test_a_ball_placed_on_another_landscape_is_not_taken_over():
    at = opened("gradient_descent")
    at.session_state["descent_map"] = {"at": {"x": 1.0, "y": -0.5, "surface": "Bowl"}}
    at.run()
    assert view(at, "descent_player")["at"] == dict(zip("xy", LANDSCAPES["Ravine"].start, strict=True))


@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_landscape_can_be_walked(name):
    at = opened("gradient_descent", descent_landscape=name)
    assert not at.exception
    shown = view(at, "functions_surface")
    assert shown["surface"] == name and shown["minima"]
    assert f"**{name}** curves by" in words(at)


def test_the_winner_of_the_race_is_the_answer_of_the_prediction():
    racers = descent_race.first_race()
    best = racers[descent_race.winner(racers)]
    assert best.arrived == min(r.arrived for r in racers if r.arrived is not None)
    at = opened("gradient_descent", reveal=True)
    assert f"It is: {best.name}." in words(at)
    assert f"{best.name} at rate {best.rate:g} arrives after {best.arrived} steps" in words(at)
    shown = view(at, "descent_race")
    assert shown["first"] == best.arrived and [r["name"] for r in shown["racers"]] == list(descent.OPTIMIZERS)
    for racer, sent in zip(racers, shown["racers"], strict=True):
        assert doubles(sent["path"]).reshape(-1, 2) == pytest.approx(racer.run.points, abs=0)


def test_the_race_follows_schedule_and_noise():
    at = opened("gradient_descent", reveal=True, descent_schedule="Warm-up and cosine", descent_noise="some")
    assert not at.exception and "The rates above are the peaks" in words(at)
    place = LANDSCAPES["Rosenbrock"]
    found = descent_race.rates(place, "Warm-up and cosine", 0.3)
    plan = descent.SCHEDULES["Warm-up and cosine"]
    racers = descent.race(place, place.start, found, descent_race.STEPS, descent_page.near(place), plan, 0.3)
    sent = view(at, "descent_race")["racers"]
    assert doubles(sent[3]["path"]).reshape(-1, 2) == pytest.approx(racers[3].run.points, abs=0)


# --- The loss of a model ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    tokenizer = bpe.train("the cat sat on the mat. " * 50, 300)
    config = llama_style(vocab_size=320, context=32, layers=1, width=16, heads=2, kv_heads=2, hidden=32)
    params = init_params(config, np.random.default_rng(0))
    return checkpoint.Model("tiny-base", params, config, tokenizer, {"name": "tiny-base"})


def test_directions_are_as_long_as_the_rows_they_move(small_model):
    through = descent_model.cut(small_model)
    for along in through.directions:
        for name, move in along.items():
            sizes = [np.linalg.norm(a, axis=1) for a in (move, small_model.params[name])]
            assert sizes[0] == pytest.approx(descent_model.UNIT * sizes[1], rel=1e-4)
        assert set(along) == {n for n, p in small_model.params.items() if p.ndim == 2}
    assert through.weights(0, 0)["model.norm.weight"] is small_model.params["model.norm.weight"]


def test_the_middle_of_the_map_is_the_model_itself(small_model):
    through = descent_model.cut(small_model)
    moved = through.weights(0.0, 0.0)
    assert all(np.array_equal(moved[n], p) for n, p in small_model.params.items())
    assert through.loss(0, 0) == pytest.approx(through.loss_of(small_model.params, *through.batch))


def test_the_projected_gradient_against_differences(small_model):
    through = descent_model.cut(small_model)
    loss, slope = through.slope(0.4, -0.3)
    assert loss == pytest.approx(through.loss(0.4, -0.3), rel=1e-5)
    h = 2e-2
    estimate = [(through.loss(0.4 + a, -0.3 + b) - through.loss(0.4 - a, -0.3 - b)) / (2 * h)
                for a, b in ((h, 0), (0, h))]  # fmt: skip
    assert slope == pytest.approx(estimate, rel=0.02, abs=1e-3)


def test_rows_of_the_grid_are_losses(small_model):
    through = descent_model.cut(small_model)
    row = next(descent_model.rows(through, 3))
    places = np.linspace(-descent_model.HALF, descent_model.HALF, descent_model.COUNT)
    assert row[5] == pytest.approx(through.loss(places[5], places[3]), rel=1e-6)
    assert row.shape == (descent_model.COUNT,)


def test_the_model_is_a_landscape_on_the_page(small_model, tmp_path, monkeypatch):
    from widgets import engine

    checkpoint.save(tmp_path / "tiny-base", small_model)
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    monkeypatch.setattr(descent_model, "COUNT", 5)
    engine.load.clear()
    descent_model._known.clear()
    try:
        at = opened("gradient_descent", descent_landscape=descent_model.NAME)
        assert not at.exception
        assert "measured by tiny-base" in words(at) and "The model itself, run at this very place" in words(at)
        place, through, _ = descent_model.measured()
        assert place.heights[2, 2] == pytest.approx(through.loss(0, 0), rel=1e-6)
        assert view(at, "functions_surface")["surface"] == descent_model.NAME
    finally:
        engine.load.clear()
        descent_model._known.clear()


def test_without_the_model_the_page_does_without(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    assert descent_page.names() == list(LANDSCAPES)
    for slug in SLUGS:
        at = opened(slug)
        assert not at.exception and not at.error


# --- Pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_each_component_has_a_twin_in_words_and_a_mark(slug):
    at = opened(slug, reveal=True)
    assert not at.exception
    told = words(at)
    assert told.count("computed now") + told.count("measured") >= 3
    twins = [e for e in at.expander if e.label == "The same in words"]
    assert len(twins) >= {"functions": 4, "derivatives": 3, "gradient_descent": 2}[slug]


@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_sent_stays_small(slug):
    at = opened(slug, reveal=True)
    sizes = {c.proto.component_name: len(c.proto.json) for c in at.get("bidi_component")}
    assert max(sizes.values()) < 600_000


@pytest.mark.parametrize("slug", ["functions", "derivatives"])
def test_a_formula_of_one_s_own(slug):
    at = opened(slug, **{f"{slug}_formula": "x**3 - 2*x"})
    assert view(at, "functions_curve")["label"] == "Curve of f(x) = x³ − 2 · x, x from -6 to 6"
    at.text_input(key=f"{slug}_formula").set_value("__import__('os')").run()
    assert not at.exception
    assert "Allowed are numbers" in words(at).replace("\\", "")
    assert view(at, "functions_curve")["label"].startswith("Curve of f(x) = x³ − 2 · x")
    at.button(key=f"{slug}_formula_sin").click().run()
    assert view(at, "functions_curve")["label"].startswith("Curve of f(x) = sin(x)")
    assert "Allowed are" not in words(at)


def test_the_prediction_hides_the_nudge_until_it_is_made():
    at = opened("functions")
    modes = [json.loads(c.proto.json)[0]["mode"] for c in at.get("bidi_component")
             if c.proto.component_name == "press_enter_functions_curve"]  # fmt: skip
    assert modes == ["read"]
    at = opened("functions", reveal=True)
    assert view(at, "functions_curve", 1)["mode"] == "nudge"
    assert "by 0.7500 at A and by 2.2500 at B" in words(at), "as the prediction explains"


def test_numbers_in_the_prose_are_true():
    def f(text, x):
        return float(expressions.evaluate(parse(text), x=x))

    page = (book.ROOT / "pages" / "functions.py").read_text(encoding="utf-8")
    assert "= 2.4186" in page and round(f("2*sin(x) + 0.3*x", 2.0), 4) == 2.4186
    assert f("x**2", 1.0) - f("x**2", 0.5) == 0.75 and f("x**2", 2.5) - f("x**2", 2.0) == 2.25
    assert f("relu(x)", -2.5) == f("relu(x)", -3.0) == 0
    ravine = LANDSCAPES["Ravine"]
    assert ravine.formula == "0.1*x**2 + 2*y**2" and ravine.minima == ((0.0, 0.0),)
    assert landscapes.largest_rate(landscapes.curvatures(ravine, (0.0, 0.0))[1]) == pytest.approx(0.5)
    # "On Ravine the steps bounce from wall to wall, and momentum helps."
    plain, helped = (
        descent.run(ravine, ravine.start, optim.Momentum(beta), descent.constant(rate, 400), 400)
        for beta, rate in ((0.0, 0.45), (0.6, 0.45))
    )
    assert (np.diff(np.sign(plain.points[:20, 1])) != 0).all(), "from wall to wall"
    near = descent_page.near(ravine)
    steps = [int(descent.arrivals(w.points, ravine.minima, near)) for w in (plain, helped)]
    assert 0 < steps[1] < steps[0]


def test_the_last_landscape_is_the_model():
    assert all(isinstance(place, Landscape) for place in LANDSCAPES.values())
    assert re.search("last landscape is no formula", (book.ROOT / "pages/gradient_descent.py").read_text())
