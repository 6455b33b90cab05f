"""Chapters 4 to 7 in a browser: played, dragged, typed, tapped, and their numbers read back."""

import re
import time

import pytest

pytestmark = pytest.mark.browser
SLUGS = ("ways_of_learning", "neural_networks", "activations", "backpropagation")
# The label of a compact expander, which Streamlit draws at 60 % opacity.
STREAMLITS_OWN = ("color-contrast", "<p>The same in words</p>")

# The root of a component, wherever its shadow tree is: ROOT("network_neuron", ".formula").
ROOT = """(part) => {
  const walk = (node) => {
    for (const e of node.querySelectorAll('*')) {
      if (!e.shadowRoot) continue;
      const found = e.shadowRoot.querySelector(part);
      if (found) return found.closest('.root');
      const inner = walk(e.shadowRoot);
      if (inner) return inner;
    }
  };
  return walk(document);
}"""


def origin(tab, part) -> str:
    """Who made the numbers that are shown: "python" or "browser"."""
    return tab.page.evaluate(f"(part) => ({ROOT})(part)?.dataset.from", part)


def wait_for_python(tab, part) -> None:
    tab.page.wait_for_function(f"(part) => ({ROOT})(part)?.dataset.from === 'python'", arg=part)


def component(tab, part):
    """The outer element of the component that has `part` in it."""
    return tab.page.locator("[data-testid=stBidiComponentRegular], .stBidiComponent").filter(
        has=tab.page.locator(part)
    )


def number(text: str) -> float:
    return float(re.sub(r"[^\d.−-]", "", text).replace("−", "-"))


def soon(tab, check, seconds=30) -> None:
    """Wait until `check()` holds: the server answers in its own time."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it never happened"
        tab.page.wait_for_timeout(50)


def appears(tab, text: str) -> None:
    soon(tab, lambda: tab.page.get_by_text(text).count() >= 1)


def fine(tab) -> None:
    assert tab.problems == []
    assert tab.page.get_by_text("BidiComponent Error").count() == 0
    assert tab.page.locator("[data-testid=stException]").count() == 0


def show_me(tab) -> None:
    """Let the prediction go, if that has not been done yet."""
    button = tab.page.get_by_role("button", name="I have no idea: show me")
    if button.count():
        button.click()
        button.wait_for(state="detached")
        tab.settle()


def choose(tab, label: str, option: str) -> None:
    """Open one of Streamlit's lists by keyboard, take an option, and wait until it counts."""
    box = tab.page.get_by_role("combobox", name=label)
    box.wait_for()

    def is_open() -> bool:
        if box.get_attribute("aria-expanded") != "true":
            box.focus()
            tab.page.keyboard.press("ArrowDown")
        return box.get_attribute("aria-expanded") == "true"

    soon(tab, is_open)
    tab.page.get_by_role("option", name=option, exact=True).click()
    tab.settle()


def test_the_nested_map_answers_mouse_and_keys(shared):
    tab = shared("ways_of_learning")
    tab.page.get_by_role("button", name="k-means, below").click()
    assert "no layers" in tab.page.locator(".why").inner_text()
    assert tab.page.locator(".map .name").inner_text() == "Machine learning"
    tab.page.locator(".ring").nth(1).focus()
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.locator(".map .name").inner_text() == "Deep learning"
    fine(tab)


def test_the_line_is_learned_and_takes_points_by_mouse_keys_and_numbers(shared):
    tab = shared("ways_of_learning")
    board = tab.page.locator(".board").filter(has=tab.page.locator("canvas"))
    board.locator(".step").click()
    first = number(board.locator(".loss").inner_text())
    assert first < 0.693
    board.locator(".at").focus()
    tab.page.keyboard.press("End")
    assert number(board.locator(".loss").inner_text()) < first
    assert "Step 120 of 120" in board.locator(".say").inner_text()
    assert "= 0" in board.locator(".line").inner_text()
    canvas = board.locator("canvas")
    canvas.click(position={"x": 40, "y": 40})
    appears(tab, "120 steps over 61 points")
    canvas.focus()
    for key in ("ArrowRight", "ArrowUp", "c"):
        tab.page.keyboard.press(key)
    appears(tab, "120 steps over 62 points")
    board.locator("summary").click()
    board.locator(".add").click()
    appears(tab, "120 steps over 63 points")
    board.locator(".undo").click()
    appears(tab, "120 steps over 62 points")
    fine(tab)


def test_kmeans_steps_and_its_centers_are_dragged(shared):
    tab = shared("ways_of_learning")
    board = tab.page.locator(".board").filter(has=tab.page.locator(".plot"))
    board.scroll_into_view_if_needed()
    costs = []
    for _ in range(4):
        board.locator(".step").click()
        tab.page.wait_for_timeout(700)
        costs.append(number(board.locator(".say .loss").inner_text()))
    assert costs == sorted(costs, reverse=True)
    board.locator(".reset").click()
    center = board.locator("[data-center='0']")
    box = center.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 60, y + 30, steps=6)
    assert "the points would choose like this" in board.locator(".say").inner_text()
    tab.page.mouse.up()
    tab.settle()
    dragged = center.get_attribute("aria-label")
    center.focus()
    tab.page.keyboard.press("ArrowLeft")
    tab.page.wait_for_timeout(400)
    tab.settle()
    assert center.get_attribute("aria-label") != dragged
    board.locator("summary").click()
    field = board.get_by_label("Center 1, x")
    field.fill("-0.5")
    field.press("Enter")
    soon(tab, lambda: "Center 1 at −0.50" in center.get_attribute("aria-label"))
    fine(tab)


def test_the_agent_lives_and_its_world_can_be_built(shared):
    tab = shared("ways_of_learning")
    say = tab.page.locator(".below .say")
    tab.page.get_by_role("button", name="One walk").click()
    assert "Walk 1, move" in say.inner_text()
    tab.page.get_by_label("Move of its life").focus()
    tab.page.keyboard.press("End")
    assert "The way it would take now has 13 moves" in say.inner_text()
    assert "The shortest way has 13 moves" in say.inner_text()
    rule = tab.page.locator(".rule").inner_text()
    left, right = rule.replace("−", "-").split("=")
    a, rate, rest = re.match(r"(-?[\d.]+) \+ ([\d.]+) · \((.+)\) $", left).groups()
    reward, discount, best, before = re.match(
        r"(-?[\d.]+) \+ ([\d.]+) · \(?(-?[\d.]+)\)? - \(?(-?[\d.]+)\)?$", rest
    ).groups()
    a, rate, reward, discount, best, before = map(float, (a, rate, reward, discount, best, before))
    assert a + rate * (reward + discount * best - before) == pytest.approx(float(right), abs=2e-3)
    cell = tab.page.locator("g.cell").nth(1)
    cell.focus()
    tab.page.keyboard.press("Enter")
    soon(tab, lambda: tab.page.locator("g.cell").nth(1).locator(".wall").count() == 1)
    tab.page.get_by_role("button", name="Undo my walls").click()
    soon(tab, lambda: tab.page.locator("g.cell").nth(1).locator(".wall").count() == 0)
    fine(tab)


def test_a_neuron_is_dragged_typed_and_keyed_and_python_agrees(shared):
    tab = shared("neural_networks")
    result = tab.page.locator(".formula .result").first
    handle = tab.page.get_by_role("slider", name="weight of sun")
    handle.focus()
    before = number(result.inner_text())
    tab.page.keyboard.press("ArrowRight")
    shown = result.inner_text()
    assert number(shown) > before
    wait_for_python(tab, "[data-handle=w0]")
    assert result.inner_text() == shown, "Python's number is not the one the browser showed"
    box = handle.bounding_box()
    tab.page.mouse.move(box["x"] + 30, box["y"] + 20)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] - 60, box["y"] + 20, steps=5)
    assert float(handle.get_attribute("aria-valuenow")) < 1
    tab.page.mouse.up()
    shown = result.inner_text()
    wait_for_python(tab, "[data-handle=w0]")
    assert result.inner_text() == shown
    tab.page.get_by_text("Type the numbers").click()
    field = tab.page.get_by_role("spinbutton", name="bias", exact=True)
    field.fill("2.5")
    field.press("Enter")
    assert tab.page.get_by_role("slider", name="bias").get_attribute("aria-valuenow") == "2.5"
    tab.page.get_by_role("button", name="ReLU").first.click()
    wait_for_python(tab, "[data-handle=w0]")
    text = tab.page.locator(".formula").first.inner_text().replace("−", "-")
    products = re.findall(r"\(?(-?[\d.]+)\)?·(-?[\d.]+)", text)
    total = sum(float(w) * float(x) for w, x in products) + 2.5
    assert number(result.inner_text()) == pytest.approx(max(0, total), abs=6e-3)
    fine(tab)


def test_cat_or_dog_is_drawn_trained_and_edited(shared):
    tab = shared("neural_networks")
    board = tab.page.locator(".net").first
    board.scroll_into_view_if_needed()
    say = tab.page.locator(".say").filter(has_text="of its album")
    tab.page.get_by_label("Step of the training").focus()
    tab.page.keyboard.press("End")
    assert "Step 80 of 80" in say.inner_text()
    wait_for_python(tab, "[data-pixel]")
    verdict = tab.page.locator(".verdict")
    assert "It says: cat" in verdict.inner_text()
    tab.page.get_by_role("button", name="A dog", exact=True).click()
    soon(tab, lambda: "It says: dog" in verdict.inner_text())
    wait_for_python(tab, "[data-pixel]")
    assert "It says: dog" in verdict.inner_text()
    tab.page.get_by_role("button", name="Empty", exact=True).click()
    pixel = tab.page.locator("[data-pixel='0']")
    pixel.focus()
    for key in ("ArrowDown", "ArrowRight", " "):
        tab.page.keyboard.press(key)
    assert tab.page.locator("[data-pixel='13']").get_attribute("class") == "ink"
    tab.page.locator("g[data-neuron='1.0']").hover()
    assert tab.page.locator(".net .edges path:not(.dim)").count() == 5, "its connections stand out"
    field = tab.page.locator("[data-edit]").first
    field.fill("3")
    field.press("Enter")
    tab.settle()
    assert tab.page.locator("path[data-slot='0']").get_attribute("class").startswith("plus")
    fine(tab)


def play_until(tab, step: int) -> None:
    tab.page.wait_for_function(
        f"(step) => Number(({ROOT})('canvas.surface').querySelector('.where').textContent"
        ".match(/step ([\\d,]+)/)[1].replace(',', '')) >= step",
        arg=step,
        timeout=60_000,
    )


def test_the_playground_trains_pauses_steps_and_is_shared(visit, app):
    tab = visit()
    tab.open(f"{app}/neural_networks?d=circles&h=4&s=5")
    where = tab.page.locator(".where")
    play = tab.page.locator("button.play").last
    right = tab.page.locator(".say .right")
    assert where.inner_text().startswith("step 0")
    start = number(right.inner_text())
    play.click()
    play_until(tab, 100)
    play.click()
    wait_for_python(tab, "canvas.surface")
    step = int(re.search(r"step (\d+)", where.inner_text())[1])
    assert number(right.inner_text()) > start
    tab.page.wait_for_function("(s) => location.search.includes('t=' + s)", arg=step)
    tab.page.get_by_role("button", name="One step", exact=True).last.click()
    tab.page.wait_for_function(
        f"(s) => ({ROOT})('canvas.surface').querySelector('.where').textContent.includes('step ' + s)",
        arg=step + 1,
    )
    tab.page.locator("button.neuron").nth(3).hover()
    field = tab.page.locator(".fields input[data-slot]").first
    field.fill("2.5")
    tab.page.wait_for_function("location.search.includes('.2500')")
    wait_for_python(tab, "canvas.surface")
    tab.page.locator("canvas.dots").hover(position={"x": 40, "y": 70})
    formula = tab.page.locator(".formula").last
    estimated = formula.inner_text()
    assert origin(tab, ".losses") == "browser" and "2.50·" in estimated
    wait_for_python(tab, ".losses")
    assert formula.inner_text() == estimated, "Python's numbers are not those the browser showed"
    address, losses = tab.page.url, tab.page.locator(".say").last.inner_text()
    other = visit()
    other.open(address)
    assert other.page.locator(".where").inner_text() == where.inner_text()
    assert other.page.locator(".say").last.inner_text() == losses
    tab.page.get_by_role("button", name="Reset", exact=True).click()
    tab.page.wait_for_function("!location.search.includes('t=')")
    assert where.inner_text().startswith("step 0")
    fine(tab)
    fine(other)


def test_own_points_are_clicked_keyed_and_pasted(visit, app):
    tab = visit()
    tab.open(f"{app}/neural_networks?d=own")
    assert tab.page.get_by_text("There are no points yet.").count() >= 1
    dots = tab.page.locator("canvas.dots")
    dots.scroll_into_view_if_needed()
    for x in (60, 90, 120):
        dots.click(position={"x": x, "y": 80})
    tab.page.wait_for_function("/[?&]p=[\\w-]{12}(&|$)/.test(location.search)")
    tab.page.get_by_text("● a circle").click()
    tab.settle()
    dots.focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("c")
    tab.page.wait_for_function("/[?&]p=[\\w-]{16}(&|$)/.test(location.search)")
    tab.page.get_by_role("button", name="Add it").click()
    tab.settle()
    tab.page.wait_for_function("/[?&]p=[\\w-]{20}(&|$)/.test(location.search)")
    soon(tab, lambda: tab.page.locator("button.play").last.is_enabled())
    fine(tab)


def test_a_table_is_pasted_or_uploaded_and_its_bad_rows_are_named(visit, app):
    tab = visit()
    tab.open(f"{app}/neural_networks")
    choose(tab, "Points", "Own table")
    appears(tab, "Row 4: “oops” is not a number.")
    table = tab.page.get_by_label("Two numbers and a label a line")
    table.fill("1,1,a\n2,2,b\n3\n1,2,a\n2,1,b")
    table.press("Control+Enter")
    appears(tab, "4 points: circles are a, squares are b.")
    appears(tab, "Row 3: it needs two numbers and a label, but it has 1 part.")
    tab.page.wait_for_function("/[?&]p=[\\w-]{16}(&|$)/.test(location.search)")
    soon(tab, lambda: tab.page.locator("button.play").last.is_enabled())
    rows = "".join(f"{i};{i * i % 7};{'ja' if i % 2 else 'nein'}\n" for i in range(30))
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": f"x;y;z\n{rows}".encode()}
    tab.page.locator("input[type=file]").set_input_files(file)
    appears(tab, "30 points: circles are ja, squares are nein.")
    appears(tab, "Row 1: “x” is not a number.")
    tab.page.wait_for_function("/[?&]p=[\\w-]{120}(&|$)/.test(location.search)")
    losses = tab.page.locator(".say").last.inner_text()
    assert "Test" in losses
    other = visit()
    other.open(tab.page.url)
    assert other.page.locator(".say").last.inner_text() == losses, "the link has the points in it"
    fine(tab)
    fine(other)


def test_every_choice_of_the_playground_is_in_the_address(shared):
    tab = shared("neural_networks")
    choose(tab, "Points", "Spiral")
    choose(tab, "Activation", "tanh")
    choose(tab, "Learning rate", "0.01")
    choose(tab, "Hidden layers", "4")
    choose(tab, "Layer 4", "3")
    tab.page.get_by_text("Noise, batch, regularization, optimizer, seed").click()
    choose(tab, "Batch", "8")
    choose(tab, "L2 penalty", "0.001")
    choose(tab, "Optimizer", "Momentum")
    seed = tab.page.get_by_label("Seed")
    seed.fill("42")
    seed.press("Enter")
    wanted = {"d=spiral", "a=tanh", "r=0.01", "h=8-8-8-3", "b=8", "l=0.001", "o=momentum", "s=42"}
    soon(tab, lambda: wanted <= set(tab.page.url.split("?")[-1].split("&")))
    assert tab.page.locator("button.neuron").count() == 2 + 8 + 8 + 8 + 3 + 1
    tab.page.locator("button.step").last.click()
    soon(tab, lambda: "step 1 " in tab.page.locator(".where").inner_text())
    fine(tab)


def test_six_curves_answer_hover_keys_and_numbers(shared):
    tab = shared("activations")
    field = tab.page.get_by_label("z, as a number")
    field.fill("2")
    field.press("Enter")
    row = tab.page.locator("[data-row=sigmoid]")
    assert row.locator(".out").inner_text() == "0.881"
    assert row.locator(".slope").inner_text() == "0.105"
    tab.page.locator(".plot").first.hover(position={"x": 5, "y": 50})
    assert tab.page.locator("[data-row=relu] .out").inner_text() == "0.000"
    tab.page.locator(".slide").focus()
    tab.page.keyboard.press("End")
    assert tab.page.locator("[data-row=relu] .out").inner_text() == "5.000"
    fine(tab)


def test_layers_collapse_and_networks_run_side_by_side(shared):
    tab = shared("activations")
    show_me(tab)
    tab.page.get_by_label("Layers gone through").focus()
    tab.page.keyboard.press("End")
    gap = tab.page.locator(".gap")
    assert "rounding" in gap.inner_text()
    cells = [number(c) for c in tab.page.locator(".product .lit td").all_inner_texts()]
    assert len(cells) == 4
    tab.page.locator(".st-key-activation_collapse_bend").get_by_text("tanh").click()
    soon(tab, lambda: "of the picture" in gap.inner_text())
    tab.page.get_by_label("Step of both trainings").focus()
    tab.page.keyboard.press("End")
    flat, bent = (number(t) for t in tab.page.locator("figcaption .right").all_inner_texts())
    assert flat < 67 and bent > 97
    tab.page.get_by_label("Step of the training").focus()
    tab.page.keyboard.press("End")
    assert "step 120 of 120" in tab.page.locator(".where").last.inner_text()
    tab.page.locator("[data-layer='12'][data-kind=gradient]").hover()
    assert "Output: gradient" in tab.page.locator(".told").inner_text()
    fine(tab)


def test_a_formula_is_walked_forward_and_back(shared):
    tab = shared("backpropagation")
    graph = tab.page.locator(".graph")
    step = tab.page.get_by_role("button", name="Step", exact=True)
    say = tab.page.locator(".say").first
    step.click()
    assert "3 × (−2) = −6" in say.inner_text()
    for _ in range(4):
        step.click()
    assert "incoming 1 × local" in say.inner_text()
    tab.page.get_by_role("button", name="All at once").first.click()
    labels = [g.get_attribute("aria-label") for g in graph.locator(".node").all()]
    assert "x, value 3, gradient −10" in labels and "y, value −2, gradient 9" in labels
    field = tab.page.get_by_label("Your formula of x and y")
    field.fill("x*x + x")
    field.press("Enter")
    soon(tab, lambda: graph.locator(".node[aria-label='x, value 3, gradient 7']").count() == 1)
    assert "gradients add: 4 + 3 = 7" in say.inner_text() or "= 7" in say.inner_text()
    field.fill("x +")
    field.press("Enter")
    appears(tab, "The formula can't be read")
    fine(tab)


def test_the_table_of_the_training_adds_up(shared):
    tab = shared("backpropagation")
    table = tab.page.locator("table").filter(has_text="new value")
    table.scroll_into_view_if_needed()
    tab.page.get_by_role("button", name="Next step").click()
    after = [number(t) for t in table.locator(".after").all_inner_texts()]
    tab.page.get_by_role("button", name="Next phase").click()
    before = [number(t) for t in table.locator(".before").all_inner_texts()]
    assert len(after) == 13 and after == before, "the new value is the next step's value"
    assert "Forward" in tab.page.locator(".say").nth(1).inner_text()
    tab.page.get_by_role("button", name="Next step").click()
    assert "√" in tab.page.locator(".rule").inner_text()
    fine(tab)


def test_a_matrix_product_is_walked_cell_by_cell(shared):
    tab = shared("backpropagation")
    tab.page.get_by_role("button", name="All at once").last.click()
    cell = tab.page.locator("[data-cell='dw.1.0']")
    cell.focus()
    text = tab.page.locator(".say").last.inner_text().replace("−", "-")
    assert "∂W, row 2, column 1" in text
    products = re.findall(r"\(?(-?[\d.]+)\)?·\(?(-?[\d.]+)\)?", text)
    total = sum(float(a) * float(b) for a, b in products)
    assert number(cell.inner_text()) == pytest.approx(total, abs=1e-3)
    tab.page.get_by_role("button", name="Time both, now").click()
    appears(tab, "24 × 24")
    fine(tab)


PHONE = {"width": 390, "scheme": "dark", "has_touch": True}


def test_chapter_4_answers_a_finger(shared):
    tab = shared("ways_of_learning", **PHONE)
    tab.page.locator("canvas").first.tap(position={"x": 30, "y": 30})
    appears(tab, "120 steps over 61 points")
    groups = tab.page.locator(".board").filter(has=tab.page.locator(".plot"))
    groups.locator(".step").tap()
    soon(tab, lambda: "joins" in groups.locator(".say").inner_text())
    tab.page.locator("g.cell").nth(2).tap()
    soon(tab, lambda: tab.page.locator("g.cell").nth(2).locator(".wall").count() == 1)
    fine(tab)


def test_chapter_5_answers_a_finger(shared):
    tab = shared("neural_networks", **PHONE)
    tab.page.get_by_role("button", name="Empty", exact=True).tap()
    tab.page.locator("[data-pixel='20']").tap()
    assert tab.page.locator("[data-pixel='20']").get_attribute("class") == "ink"
    tab.page.locator("button.neuron").nth(4).tap()
    assert "neuron 1.3" in tab.page.locator(".formula").last.inner_text()
    tab.page.locator("button.play").last.tap()
    play_until(tab, 10)
    tab.page.locator("button.play").last.tap()
    wait_for_python(tab, "canvas.surface")
    fine(tab)


def test_chapter_6_answers_a_finger(shared):
    tab = shared("activations", **PHONE)
    tab.page.locator(".plot").first.tap(position={"x": 300, "y": 100})
    assert float(tab.page.locator(".type").input_value()) > 2
    tab.page.locator("[data-layer='3'][data-kind=gradient]").tap()
    assert "Layer 4: gradient" in tab.page.locator(".told").inner_text()
    fine(tab)


def test_chapter_7_answers_a_finger(shared):
    tab = shared("backpropagation", **PHONE)
    tab.page.get_by_role("button", name="Step", exact=True).tap()
    assert "3 × (−2) = −6" in tab.page.locator(".say").first.inner_text()
    tab.page.get_by_role("button", name="Next phase").tap()
    assert "Loss" in tab.page.locator(".say").nth(1).inner_text()
    tab.page.get_by_role("button", name="Next cell").tap()
    tab.page.locator("[data-cell='y.0.0']").tap()
    assert "Y, row 1, column 1" in tab.page.locator(".say").last.inner_text()
    fine(tab)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("slug", SLUGS)
def test_what_was_played_with_is_accessible_and_large_enough(shared, slug, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    phone = width < 600
    tab = shared(slug, **(PHONE if phone else {}))
    show_me(tab)
    tab.page.wait_for_timeout(500)  # what has just come fades in
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
        return roots.filter((r) => r.querySelector('.bar'))
            .flatMap((r) => [...r.querySelectorAll('.bar button, .bar select')])
            .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.5)
            .map((e) => e.outerHTML.slice(0, 80));
    }""")
    assert not phone or small == []
    fine(tab)
