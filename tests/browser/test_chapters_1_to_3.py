"""Chapters 1 to 3 by mouse, keyboard and touch: what is read off the page is what Python says."""

import re

import numpy as np
import pytest

from microgpt.autograd import optim
from microgpt.basics import descent, expressions, landscapes
from microgpt.basics.landscapes import LANDSCAPES
from widgets import descent_race, engine, functions_figures, functions_neuron, next_token
from widgets.functions_figures import figure

pytestmark = pytest.mark.browser
SLUGS = ("functions", "derivatives", "gradient_descent")
# The label of a compact expander, which Streamlit draws at 60 % opacity.
STREAMLITS_OWN = ("color-contrast", "<p>The same in words</p>")


def part(tab, key: str):
    """What a component has drawn."""
    return tab.page.locator(f".st-key-{key} .root")


def f(text: str, **at) -> float:
    return float(expressions.evaluate(expressions.parse(text), **at))


def reveal(tab) -> None:
    """Let the prediction go, if that has not been done yet."""
    button = tab.page.get_by_text("I have no idea: show me")
    if button.count():
        button.click()
        button.wait_for(state="detached")
        tab.settle()


def wait_for_text(locator, pattern: str) -> str:
    """The text of an element once it matches."""
    page = locator.page
    for _ in range(600):
        text = locator.inner_text()
        if re.search(pattern, text):
            return text
        page.wait_for_timeout(50)
    raise AssertionError(f"{pattern!r} never came; there is {locator.inner_text()!r}")


def handle_at(handle) -> tuple[float, float]:
    x, y = re.findall(r"-?[\d.]+", handle.get_attribute("transform"))
    return float(x), float(y)


def drag(tab, handle, dx: float, dy: float = 0.0) -> None:
    handle.scroll_into_view_if_needed()
    box = handle.locator(".dot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    for t in np.linspace(0, 1, 12):
        tab.page.mouse.move(x + t * dx, y + t * dy)
    tab.page.mouse.up()


def put(field, value) -> None:
    """Type a number and press Enter."""
    field.fill(str(value))
    field.press("Enter")


def curve_of(tab, key: str, preset: str, written: str, x=None):
    """The curve of a preset, with its dot at x."""
    tab.page.locator(f".st-key-{key}_formula_presets").get_by_text(preset, exact=True).click()
    tab.page.get_by_label(f"Curve of f(x) = {written}, x").first.wait_for()
    curve = part(tab, f"{key}_curve")
    if x is not None:
        put(curve.locator("input[data-at=x]"), x)
    return curve


# --- Chapter 1 -------------------------------------------------------------------------------

WAVE = ("functions", "2 sin x + 0.3 x", "2 · sin(x) + 0.3 · x")


def test_hovering_reads_the_curve_without_asking_python(visit, app):
    tab = visit()
    tab.open(f"{app}/functions")
    curve = part(tab, "functions_curve")
    svg = curve.locator("svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    # With the server out of reach the numbers must come from the browser alone.
    tab.page.context.set_offline(True)
    seen = set()
    for share in (0.3, 0.5, 0.8):
        tab.page.mouse.move(box["x"] + share * box["width"], box["y"] + 100)
        tab.page.wait_for_timeout(60)
        text = curve.locator(".words").inner_text()
        x, y = re.match(r"f\((−?[\d.]+)\) = .* (?:=|≈) (−?[\d.]+)$", text).groups()
        assert y == figure(f("2*sin(x) + 0.3*x", x=float(x.replace("−", "-"))))
        seen.add(x)
    assert len(seen) == 3


def test_python_answers_with_the_same_digits(shared):
    tab = shared("functions")
    curve = curve_of(tab, *WAVE, x=2)
    dot = curve.locator("[data-handle=x]")
    dot.focus()
    for _ in range(7):
        tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("Shift+ArrowLeft")
    curve.locator("[data-handle=x][aria-valuenow='2.69']").wait_for()
    expected = figure(f("2*sin(x) + 0.3*x", x=2.69))
    assert curve.locator(".out").inner_text() == expected
    tab.page.get_by_text(f"f(2.69) = {expected}").first.wait_for()
    assert dot.get_attribute("aria-valuetext") == f"x 2.69, f(x) {expected}"


def test_a_number_between_two_samples_is_marked_until_python_has_it(shared):
    tab = shared("functions")
    curve = curve_of(tab, *WAVE)
    number = curve.locator("input[data-at=x]")
    number.fill("1.2345")
    wait_for_text(curve.locator(".words"), r"f\(1\.2345\) = .* ≈ ")
    number.press("Enter")
    text = wait_for_text(curve.locator(".words"), r"\) = .* = ")
    assert text.endswith(figure(f("2*sin(x) + 0.3*x", x=1.2345)))


def test_an_own_formula_and_one_that_is_none(shared):
    tab = shared("functions")
    line = tab.page.locator(".st-key-functions_formula input")
    put(line, "sin(x) + 0.3*x")
    mine = tab.page.get_by_label("Curve of f(x) = sin(x) + 0.3 · x, x")
    mine.first.wait_for()
    mine.first.evaluate("e => { e.stays = true; }")
    put(line, "__import__('os').system('id')")
    tab.page.get_by_text("Allowed are numbers").wait_for()
    tab.page.get_by_text("Still drawn: sin(x) + 0.3*x").wait_for()
    assert mine.first.evaluate("e => e.stays"), "the picture was built anew"
    tab.page.get_by_role("button", name="ReLU", exact=True).click()
    tab.page.get_by_label("Curve of f(x) = relu(x), x").first.wait_for()
    tab.page.get_by_text("Allowed are numbers").wait_for(state="detached")
    assert "functions_formula=relu" in tab.page.url
    assert tab.problems == []


def test_the_same_nudge_in_two_places(shared):
    tab = shared("functions")
    assert part(tab, "functions_nudge").count() == 0
    reveal(tab)
    nudge = part(tab, "functions_nudge")
    text = nudge.locator(".words").inner_text()
    assert "+0.7500" in text and "+2.2500" in text and "3.00 times as much" in text
    drag(tab, nudge.locator("[data-handle=a]"), 150)
    a = float(nudge.locator("[data-handle=a]").get_attribute("aria-valuenow"))
    assert a > 1.5
    change = f("x**2", x=a + 0.5) - f("x**2", x=a)
    assert f"+{figure(change)}" in nudge.locator(".words").inner_text()


def test_a_surface_by_click_key_and_number_and_in_3d(shared):
    tab = shared("functions")
    surface = part(tab, "functions_surface")
    canvas = surface.locator("svg").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.25 * box["width"], "y": 0.25 * box["height"]})

    def read():
        here = surface.locator(".here").inner_text().replace("−", "-")
        x, y, z = re.match(r"f\((.*), (.*)\) = (.*)", here).groups()
        return float(x), float(y), float(z)

    x, y, z = read()
    assert (x, y) == pytest.approx((-1.5, 1.5), abs=0.06)
    assert z == pytest.approx(f("sin(2*x) + cos(2*y)", x=x, y=y), abs=6e-5)
    surface.locator(".handle").focus()
    tab.page.keyboard.press("ArrowUp")
    tab.page.keyboard.press("Shift+ArrowRight")
    tab.page.wait_for_timeout(100)
    moved = read()
    assert moved[:2] == pytest.approx((x + 0.5, y + 0.05), abs=1e-9)
    surface.locator("input[data-at=y]").fill("-2")
    tab.page.wait_for_timeout(100)
    assert read()[1] == -2
    assert "y held at −2.00" in part(tab, "functions_profiles").inner_text()
    surface.get_by_role("button", name="3-D").click()
    before = canvas.evaluate("e => e.previousElementSibling.toDataURL()")
    surface.get_by_label("Turn").focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_timeout(100)
    assert canvas.evaluate("e => e.previousElementSibling.toDataURL()") != before
    assert read()[1] == -2, "turning the view moves nothing"
    assert tab.problems == []


def test_the_knobs_of_the_neuron(shared):
    tab = shared("functions")
    neuron = part(tab, functions_neuron.KEY)
    put(neuron.locator("input[type=number][data-part=w][data-i='0']"), -2.5)
    start = functions_neuron.START
    _, z, out = functions_neuron.neuron(start["x"], [-2.5, *start["w"][1:]], start["b"], "sigmoid")
    words = neuron.locator(".words")
    text = wait_for_text(words, r"\) = ")
    assert f"= {functions_figures.decimals(z)}" in text and text.endswith(figure(out))
    neuron.get_by_role("button", name="relu").click()
    assert wait_for_text(words, r"relu.* = ").endswith(figure(max(0.0, z)))
    knob = neuron.locator("input[type=range][data-part=b]")
    knob.focus()
    tab.page.keyboard.press("End")
    _, z, out = functions_neuron.neuron(
        start["x"], [-2.5, *start["w"][1:]], float(knob.input_value()), "relu"
    )
    assert wait_for_text(words, r"relu.* = ").endswith(figure(out))


def test_from_text_to_text(shared):
    if "tiny-base" not in engine.models():
        pytest.skip("tiny-base is not here")
    tab = shared("functions")
    rows = tab.page.locator(".bars li")
    assert rows.count() == 8
    knobs = sum(p.size for p in engine.load("tiny-base").params.values())
    assert tab.page.get_by_text(f"{knobs:,}").count() >= 1
    for text in ("The capital of France is", ""):
        tab.page.get_by_label("Type something").fill(text)
        found = next_token.compute(engine.load("tiny-base"), text)
        tab.page.locator(f".bars li:first-child[data-token='{found.tokens[0]}']").wait_for()
        percent = float(re.search(r"[\d.]+", rows.first.locator(".percent").inner_text())[0])
        assert percent == pytest.approx(100 * found.probabilities[0], abs=0.51)


def tapped(curve, share: float, down: int) -> float:
    """Where the dot stands after a finger has touched the left half of the picture."""
    svg = curve.locator("svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    curve.page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + down)
    dot = curve.locator("[data-handle=x][aria-valuenow^='-']")
    dot.wait_for()
    return float(dot.get_attribute("aria-valuenow"))


def test_touch_moves_the_dot(shared):
    curve = part(shared("functions", 390, "dark", has_touch=True), "functions_curve")
    x = tapped(curve, 0.25, 150)
    assert -5 < x < -2
    assert curve.locator(".out").inner_text() == figure(f("2*sin(x) + 0.3*x", x=x))


# --- Chapter 2 -------------------------------------------------------------------------------

PARABOLA = ("derivatives", "x²", "x²")


def test_at_3_on_x_squared_the_slope_is_6(shared):
    tab = shared("derivatives")
    curve = curve_of(tab, *PARABOLA, x=0.5)
    assert curve.locator(".slope.read").inner_text() == "= 1.0000"
    put(curve.locator("input[data-at=x]"), 3)
    assert curve.locator(".slope.read").inner_text() == "= 6.0000"
    tab.page.get_by_text("f′(3.00) = 6.0000, in").first.wait_for()


def test_the_tangent_follows_the_dragged_dot(shared):
    tab = shared("derivatives")
    curve = curve_of(tab, *PARABOLA, x=3)
    dot = curve.locator("[data-handle=x]")
    drag(tab, dot, -260)
    x = float(dot.get_attribute("aria-valuenow"))
    assert x < 0
    slope = figure(expressions.slope(expressions.parse("x**2"), x=x)[1]["x"])
    assert curve.locator(".slope.read").inner_text() == f"= {slope}"
    tab.page.get_by_text(f"= {slope}, in").first.wait_for()
    path = curve.locator("path.tangent").get_attribute("d")
    ends = [tuple(map(float, p.split())) for p in re.findall(r"[ML]([-\d.]+ [-\d.]+)", path)]
    (x1, y1), (x2, y2) = ends
    px, py = handle_at(dot)
    on_the_line = y1 + (y2 - y1) * (px - x1) / (x2 - x1)
    assert py == pytest.approx(on_the_line, abs=0.6), "it goes through the dot"


def test_the_error_chart_is_revealed_and_follows_h(shared):
    tab = shared("derivatives")
    curve = curve_of(tab, *PARABOLA, x=3)
    assert part(tab, "derivatives_error").count() == 0
    reveal(tab)
    chart = part(tab, "derivatives_error")
    curve.locator("input[data-at=k]").focus()
    tab.page.keyboard.press("Home")
    wait_for_text(chart, "h = 2")
    tab.page.keyboard.press("ArrowRight")
    wait_for_text(chart, "h = 1\n")
    tab.page.keyboard.press("ArrowRight")
    wait_for_text(chart, "h = 0.5")
    assert re.search(r"off by 5.0 · 10⁻¹", chart.inner_text())


def test_h_shrinks_until_float64_breaks(shared):
    tab = shared("derivatives")
    curve = curve_of(tab, *PARABOLA, x=3)
    curve.locator("input[data-at=k]").focus()
    tab.page.keyboard.press("End")
    for _ in range(8):
        tab.page.keyboard.press("ArrowLeft")
    curve.get_by_role("button", name="Shrink h").click()
    text = wait_for_text(curve.locator(".words"), r"h = 1 · 10⁻¹⁶[\s\S]*differ by\s*= ")
    assert re.search(r"secant over h = 1 · 10⁻¹⁶\s*= 0.0000", text)
    assert re.search(r"differ by\s*= 6.0000", text)
    tab.page.get_by_text("1 · 10⁻¹⁶ apart, says 0.0000").wait_for()


def test_flat_places_are_marked(shared):
    tab = shared("derivatives")
    curve = curve_of(tab, "derivatives", *WAVE[1:])
    tab.page.get_by_text(re.compile("^The slope is 0 here: a maximum at x = −4.56")).wait_for()
    marks = curve.locator(".mark").all_text_contents()
    assert marks == ["maximum", "minimum", "maximum", "minimum"]


def test_the_gradient_arrow_and_its_numbers(shared):
    tab = shared("derivatives")
    surface = part(tab, "derivatives_surface")
    surface.locator("input[data-at=x]").fill("1")
    put(surface.locator("input[data-at=y]"), -1)
    profiles = part(tab, "derivatives_profiles").inner_text()
    assert "∂f/∂x = 0.2000" in profiles and "∂f/∂y = −4.0000" in profiles
    tab.page.get_by_text("gradient (0.2000, −4.0000)").wait_for()
    assert surface.locator(".arrow.gradient").count() == 1
    assert surface.locator(".arrow.partial").count() == 2


def test_a_tap_shows_the_slope_on_a_phone(shared):
    curve = part(shared("derivatives", 390, "dark", has_touch=True), "derivatives_curve")
    x = tapped(curve, 0.4, 100)
    assert x < 0
    assert curve.locator(".slope.read").inner_text() == f"= {figure(2 * x)}"


# --- Chapter 3 -------------------------------------------------------------------------------


def set_number(tab, player, name: str, value: str) -> None:
    put(player.locator(f"[data-number={name}]"), value)
    tab.page.get_by_text(re.compile(f"yours, {re.escape(value)}, is")).wait_for()


def player_at_the_start(tab):
    """The ball where the page first puts it, with the knobs as they are then."""
    player, surface = part(tab, "descent_player"), part(tab, "descent_map")
    set_number(tab, player, "rate", "0.1")
    put(player.locator("[data-number=stride]"), 1)
    for axis, value in zip("xy", LANDSCAPES["Ravine"].start, strict=True):
        put(surface.locator(f"input[data-at={axis}]"), value)
    player.get_by_role("button", name="Reset").click()
    wait_for_text(player.locator(".where"), r"^\(−2\.600, 1\.400\)")
    return player


def play_to_the_end(tab, player) -> str:
    put(player.locator("[data-number=stride]"), 20)
    player.get_by_role("button", name="Reset").click()
    player.get_by_role("button", name="Play").click()
    wait_for_text(player.locator(".next"), "ends here")
    return player.locator(".status").inner_text()


def test_steps_show_the_numbers_of_the_engine(shared):
    tab = shared("gradient_descent")
    player = player_at_the_start(tab)
    for _ in range(3):
        player.get_by_role("button", name="Step").click()
    place = LANDSCAPES["Ravine"]
    walk = descent.run(place, place.start, optim.SGD(), descent.constant(0.1, 3), 3)
    assert player.locator(".height").inner_text() == figure(walk.heights[3])
    x, y = walk.points[3]
    assert player.locator(".where").inner_text() == f"({x:.3f}, {y:.3f})".replace("-", "−")
    assert part(tab, "descent_map").locator(".foot").count() == 4
    player.get_by_role("button", name="Reset").click()
    assert player.locator(".n").inner_text().startswith("0 of")


def test_the_limit_of_the_learning_rate_is_where_the_walk_falls_apart(shared):
    tab = shared("gradient_descent")
    player = player_at_the_start(tab)
    assert tab.page.get_by_text("= 0.5000").count() >= 1
    set_number(tab, player, "rate", "0.49")
    assert play_to_the_end(tab, player).startswith("Arrived")
    set_number(tab, player, "rate", "0.51")
    assert play_to_the_end(tab, player).startswith("It diverges")
    assert tab.problems == []


def test_the_ball_is_placed_by_click_and_by_key(shared):
    tab = shared("gradient_descent")
    player, surface = player_at_the_start(tab), part(tab, "descent_map")
    canvas = surface.locator("svg").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.75 * box["width"], "y": 0.75 * box["height"]})
    where = wait_for_text(player.locator(".where"), r"^\(1\.")
    x, y = (float(v) for v in re.findall(r"-?[\d.]+", where.replace("−", "-")))
    assert (x, y) == pytest.approx((1.5, -1.5), abs=0.05)
    height = float(LANDSCAPES["Ravine"].measure((x, y))[0])
    assert player.locator(".height").inner_text() == figure(height)
    surface.locator(".handle").focus()
    tab.page.keyboard.press("Shift+ArrowLeft")
    wait_for_text(player.locator(".where"), rf"^\({x - 0.3:.3f}")


def test_a_tap_places_the_ball_on_a_phone(shared):
    tab = shared("gradient_descent", 390, "dark", has_touch=True)
    canvas = part(tab, "descent_map").locator("svg").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])
    wait_for_text(part(tab, "descent_player").locator(".where"), r"^\(−?0\.0\d\d, 1\.")


def test_the_race(shared):
    tab = shared("gradient_descent")
    assert part(tab, "descent_race").count() == 0
    reveal(tab)
    race = part(tab, "descent_race")
    rows = race.locator("tbody tr").all_inner_texts()
    racers = descent_race.first_race()
    for row, racer in zip(rows, racers, strict=True):
        assert racer.name in row and f"{racer.rate:g}" in row
        assert ("not at all" if racer.arrived is None else f"step {racer.arrived}") in row
    scrub = race.locator(".scrub")
    scrub.focus()
    tab.page.keyboard.press("Home")
    assert race.locator("output").inner_text() == "step 0 of 300"
    assert part(tab, "descent_race_map").locator(".way").count() == 5
    race.get_by_role("button", name="Play the race").click()
    wait_for_text(race.locator("output"), r"step \d\d")
    race.get_by_role("button", name="Pause").click()
    chart = race.locator("svg[role=img]")
    assert chart.get_attribute("aria-label").startswith("On Rosenbrock")
    lines = [line.get_attribute("d") for line in chart.locator(".line").all()]
    tab.page.locator(".st-key-descent_race_landscape").get_by_text("Bowl", exact=True).click()
    race.get_by_label(re.compile("^On Bowl")).wait_for()
    others = [line.get_attribute("d") for line in chart.locator(".line").all()]
    assert len(lines) == len(others) == 5 and not set(lines) & set(others)
    assert tab.problems == []


def test_places_and_knobs_last_when_the_page_is_left(shared):
    tab = shared("gradient_descent")
    set_number(tab, part(tab, "descent_player"), "rate", "0.25")
    sidebar = tab.page.get_by_test_id("stSidebar")
    for number, title in ((2, "Derivatives"), (3, "Gradient descent")):
        sidebar.get_by_role("link", name=f"{number} {title}").click()
        tab.page.wait_for_function(f"document.querySelector('h1')?.innerText === '{title}'")
        tab.settle()
    assert part(tab, "descent_player").locator("[data-number=rate]").input_value() == "0.25"


def test_another_landscape_brings_its_own_start_and_limit(visit, app):
    tab = visit()
    tab.open(f"{app}/gradient_descent?descent_landscape=Rosenbrock")
    player = part(tab, "descent_player")
    limit = landscapes.largest_rate(landscapes.curvatures(LANDSCAPES["Rosenbrock"], (1.0, 1.0))[1])
    assert tab.page.get_by_text(f"= {figure(limit)}").count() >= 1
    assert player.locator(".where").inner_text() == "(−1.400, 1.600)"
    saddle = tab.page.get_by_role("button", name="Saddle")
    saddle.or_(tab.page.get_by_text("Saddle", exact=True)).first.click()
    wait_for_text(player.locator(".where"), r"^\(−1\.700, 0\.000\)")


# --- All three -------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_revealed_is_accessible_and_large_enough(shared, slug, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    phone = width < 600
    tab = shared(slug, width, scheme, **({"has_touch": True} if phone else {}))
    reveal(tab)
    tab.page.get_by_role("button", name="3-D").first.click()
    tab.page.wait_for_timeout(700)  # what has just come fades in
    assert tab.page.get_by_text("BidiComponent Error").count() == 0
    overflow = tab.page.evaluate(
        """[...document.querySelectorAll('html, [data-testid=stMain]')]
            .map((e) => e.scrollWidth - e.clientWidth)"""
    )
    assert max(overflow) <= 1
    found = Axe().run(tab.page).response["violations"]
    added = [(v["id"], n["html"], n["failureSummary"]) for v in found for n in v["nodes"]]
    assert [a for a in added if a[:2] != STREAMLITS_OWN] == []
    small = tab.page.evaluate("""() => {
        const roots = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean);
        const own = '.controls, .knobs, .rows, .tools, .scrub';
        return roots.filter((r) => r.querySelector(own))
            .flatMap((r) => [...r.querySelectorAll('button, input')])
            .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.5)
            .map((e) => e.outerHTML.slice(0, 80));
    }""")
    assert not phone or small == []
    assert tab.problems == []


def test_no_page_of_these_loads_the_big_chart_library(shared):
    for slug in SLUGS:
        loaded = shared(slug).page.evaluate(
            "performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        assert len(loaded) > 5
        assert not [url for url in loaded if "lotly" in url]
