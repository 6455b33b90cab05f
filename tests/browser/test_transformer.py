"""Chapter 10 in a browser: the map, its tour, the sums, the stream, the switchboard, the program."""

import numpy as np
import pytest

from microgpt.autograd import ops
from microgpt.insight import cells
from microgpt.model.gpt import gpt
from widgets import engine
from widgets import transformer_cell as cell_views
from widgets import transformer_counts as counts
from widgets import transformer_map as maps
from widgets import transformer_tour as tours

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("tiny-base" not in engine.models(), reason="there is no trained model here"),
]
FIND = """name => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
    .find(s => s && s.querySelector(name))"""
MAP, CELL, STREAM, LINES, COUNTS = "canvas.cells", "p.check", ".guesses", ".code pre", "table.costs"


def opened(shared):
    tab = shared("transformer")
    tab.page.evaluate("document.__find = " + FIND)
    for root in (MAP, CELL, STREAM, LINES, COUNTS):
        wait_for(tab, "true", root)
    return tab


def read(tab, expression: str, root: str = MAP):
    return tab.page.evaluate(f"name => {{ const root = document.__find(name); return {expression}; }}", root)


def wait_for(tab, expression: str, root: str = MAP):
    tab.page.wait_for_function(
        f"name => {{ const root = document.__find(name); return root && ({expression}); }}", arg=root
    )


@pytest.fixture(scope="module")
def base():
    return engine.load("tiny-base")


def write(tab, text: str, tokens: int):
    tab.page.get_by_role("textbox", name="Your sentence").fill(text)
    wait_for(tab, f"root.querySelector('.root').dataset.text === {text[:1000]!r}")
    wait_for(tab, f"Number(root.querySelector('.cells').dataset.row) === {tokens - 1}")


def here(tab) -> tuple[int, int]:
    return tuple(read(tab, "[Number(root.querySelector('.cells').dataset.row), Number(root.querySelector('.cells').dataset.column)]"))


def choose(tab, station: str, tile: str):
    tab.page.get_by_role("button", name=station, exact=True).first.click()
    wait_for(tab, f"[...root.querySelectorAll('.strip button')].find(b => b.getAttribute('aria-label') === '{station}').getAttribute('aria-pressed') === 'true'")
    tab.page.locator(f".tiles button[data-name='{tile}']").click()
    wait_for(tab, f"root.querySelector('.root').dataset.tensor === '{tile}'")


def value_of(base, text, tensor, row, column):
    at = maps.read(base, text)
    station = tensor.split(".")[1] if tensor.startswith("blocks") else "in" if tensor == "embedding" else "out"
    values = maps.station_values(base, at.ids, station)
    return at, values, float(cells.flat(tensor, values[tensor])[row, column])


def agreed(tab, base, text, tensor):
    """The sum that stands below is that of the cell that is marked, and its number the engine's."""
    row, column = here(tab)
    at, values, value = value_of(base, text, tensor, row, column)
    wait_for(tab, f"root.querySelector('.root').dataset.value === '{value:.7g}'", CELL)
    made = cells.cell(base, at.ids, values, tensor, row, column)
    steps = read(tab, "[...root.querySelectorAll('ol li b')].map(b => b.innerText)", CELL)
    assert steps == [cell_views.number(x) for _, x in made.steps]


def test_stations_tensors_and_cells_by_mouse_and_keys(shared, base):
    tab = opened(shared)
    text = maps.PRESETS[0]
    choose(tab, "Layer 2", "blocks.1.mlp.up")
    agreed(tab, base, text, "blocks.1.mlp.up")
    canvas = tab.page.locator("canvas.cells")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.4)
    first = here(tab)
    agreed(tab, base, text, "blocks.1.mlp.up")
    tab.page.mouse.move(5, 5)
    canvas.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowDown")
    assert here(tab) == (first[0] + 1, first[1] + 1)
    agreed(tab, base, text, "blocks.1.mlp.up")
    wide = float(read(tab, "root.querySelector('.cells').dataset.width"))
    for _ in range(4):
        tab.page.keyboard.press("+")
    assert float(read(tab, "root.querySelector('.cells').dataset.width")) == 58 > wide
    assert here(tab) == (first[0] + 1, first[1] + 1), "zooming keeps the place"
    tab.page.keyboard.press("Home")
    assert here(tab)[1] == 0 and read(tab, "Number(root.querySelector('.cells').dataset.x)") == 0
    tab.page.get_by_role("button", name="Zoom out").click(click_count=4)
    tab.page.locator(".strip button").first.focus()
    tab.page.keyboard.press("ArrowRight")
    assert read(tab, "root.activeElement.getAttribute('aria-label')") == "Layer 1"
    assert tab.problems == []


def test_a_sum_is_walked_back(shared, base):
    tab = opened(shared)
    choose(tab, "Layer 1", "blocks.0.mlp.output")
    wait_for(tab, "root.querySelector('.of').innerText.includes('MLP says')", CELL)
    term = tab.page.locator("button.term").first
    go = tab.page.evaluate("b => JSON.parse(b.dataset.go)", term.element_handle())
    term.press("Enter")
    wait_for(tab, f"root.querySelector('.root').dataset.tensor === '{go[0]}'")
    wait_for(tab, f"Number(root.querySelector('.cells').dataset.column) === {go[2]}")
    assert here(tab) == tuple(go[1:])
    agreed(tab, base, maps.PRESETS[0], go[0])
    assert tab.problems == []


def test_the_guided_tour(shared, base):
    tab = opened(shared)
    stops = tours.stops(base.config)
    tab.page.get_by_role("button", name=f"Guided tour, {len(stops)} stops").click()
    for number, (stop, name) in enumerate(stops):
        wait_for(tab, f"root.querySelector('.stop').innerText.startsWith('{number + 1} of {len(stops)}: {stop.title}')")
        wait_for(tab, f"root.querySelector('.root').dataset.tensor === '{name}'")
        if number < len(stops) - 1:
            tab.page.get_by_role("button", name="Next", exact=True).press("Enter")
    at = maps.read(base, maps.PRESETS[0])
    best = ops.softmax(gpt(base.params, np.array([at.ids]), base.config)[0, -1]).max()
    assert f"{best:.1%}" in read(tab, "root.querySelector('.stop').innerText")
    tab.page.get_by_role("button", name="Leave the tour").click()
    wait_for(tab, "root.querySelector('.leave').hidden")
    assert tab.problems == []


def test_own_text(shared, base):
    tab = opened(shared)
    for text in ("Hello 🐈 猫 قطة", "", " cat" * 80, "def f(x):", maps.PRESETS[4]):
        at = maps.read(base, text)
        write(tab, text, len(at.ids))
        assert ("first 64" in read(tab, "root.querySelector('.notices').innerText")) == bool(at.notices)
    # The stream below follows when the reader has stopped typing.
    wait_for(tab, f"root.querySelectorAll('.tokens button').length === {len(at.ids)}", STREAM)
    said = ops.softmax(gpt(base.params, np.array([at.ids]), base.config)[0, -1])
    best = base.tokenizer.name_of(int(said.argmax()))
    wait_for(tab, f"root.querySelector('.say .p').innerText === '{best}'", STREAM)
    read(tab, "root.querySelector('.tokens button[tabindex=\"0\"]').focus()", STREAM)
    tab.page.keyboard.press("ArrowLeft")
    assert read(tab, "root.querySelector('.root').dataset.token", STREAM) == str(len(at.ids) - 2)
    said = ops.softmax(gpt(base.params, np.array([at.ids]), base.config)[0, -2])
    final = float(read(tab, "root.querySelector('.root').dataset.final", STREAM).split(" ")[-1])
    assert final == pytest.approx(float(said.max()), abs=1e-3)
    tab.page.get_by_role("button", name=maps.PRESETS[0]).click()
    wait_for(tab, f"root.querySelector('.root').dataset.text === '{maps.PRESETS[0]}'")
    tab.settle()
    assert tab.problems == []


def test_the_program_is_stepped_with_keys(shared, base):
    tab = opened(shared)
    code = tab.page.locator(".code")
    code.focus()
    first = int(read(tab, "root.querySelector('.root').dataset.line", LINES))
    for _ in range(3):
        tab.page.keyboard.press("ArrowDown")
    assert read(tab, "root.querySelector('.root').dataset.step", LINES) == "3"
    assert int(read(tab, "root.querySelector('.root').dataset.line", LINES)) > first
    assert "x" in read(tab, "root.querySelector('.value.new b').innerText", LINES)
    tab.page.keyboard.press("PageDown")
    assert "layer 1 of 4" in read(tab, "root.querySelector('.say').innerText", LINES)
    tab.page.get_by_role("button", name="Next layer").click()
    assert "layer 2 of 4" in read(tab, "root.querySelector('.say').innerText", LINES)
    code.focus()
    tab.page.keyboard.press("End")
    assert "The answer" in read(tab, "root.querySelector('.say').innerText", LINES)
    tab.page.keyboard.press("Home")
    assert tab.problems == []


def test_the_costs_follow_the_slider(shared, base):
    tab = opened(shared)
    slider = tab.page.get_by_role("slider", name="Tokens in one pass")
    slider.focus()
    tab.page.keyboard.press("ArrowRight")
    wait_for(tab, "root.querySelector('.letters').innerText.includes('T = 16')", COUNTS)
    view = counts.as_data(base.config, 16, "float32")
    cells_ = read(tab, "[...root.querySelectorAll('.costs .total td')].map(td => td.innerText.trim())", COUNTS)
    assert [c for c in cells_ if c] == view["total"]
    tab.page.keyboard.press("ArrowLeft")
    assert tab.problems == []


def test_the_switchboard_trains_and_tells_the_damage(shared):
    tab = opened(shared)
    page = tab.page
    page.get_by_role("button", name="I have no idea").click()
    page.get_by_text("The answer stands in its input").first.wait_for()
    tab.settle()
    page.get_by_role("button", name="residuals", exact=True).click()
    page.get_by_role("button", name="MLP", exact=True).press("Enter")
    page.get_by_text("no token works on what it has heard").wait_for()
    page.get_by_role("button", name="Train both").click()
    chart = page.locator(".st-key-transformer_switchboard_chart")
    page.get_by_role("cell", name="without MLP", exact=True).wait_for()
    chart.get_by_text("without MLP: never read").wait_for()
    chart.locator(".root > svg").press("Home")
    chart.get_by_text("intact: learned from: step 1, loss").wait_for()
    points = "+root.querySelector('[data-points]').dataset.points"
    before = read(tab, points, "[data-points]")
    wait_for(tab, f"{points} > {before + 4}", "[data-points]")
    assert chart.get_by_text("intact: learned from: step 1, loss").is_visible()
    assert chart.locator("svg .mark.on").count() == 1, "what is read stays while the run goes on"
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on").wait_for()
    page.get_by_text("Paused,").wait_for()
    tab.settle()
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("Ended,").wait_for()
    tab.settle()
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="without MLP", exact=True))
    loss = float(row.get_by_role("cell").nth(1).inner_text())
    assert 0 < loss < 9
    assert tab.problems == []


def test_a_phone_in_the_dark(shared, base):
    tab = shared("transformer", width=390, scheme="dark", has_touch=True)
    tab.page.evaluate("document.__find = " + FIND)
    wait_for(tab, "true", LINES)
    for root in (MAP, CELL, STREAM, LINES):
        small = read(
            tab, "[...root.querySelectorAll('button, input, textarea')].filter(e => e.offsetHeight && "
            "e.offsetHeight < 43.5).map(e => [e.className, e.innerText, e.offsetHeight])", root,
        )  # fmt: skip
        assert small == []
    tab.page.locator(".tiles button").nth(1).tap()
    wait_for(tab, "root.querySelectorAll('.tiles button')[1].getAttribute('aria-pressed') === 'true'")
    sideways = tab.page.evaluate("(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))")
    assert sideways <= 0 and tab.problems == []
