"""Chapter 9 in a browser: arcs, matrix, blanks, hand-made vectors, heads to take away."""

import re

import numpy as np
import pytest

from widgets import attention_hand as hands
from widgets import attention_view as views
from widgets import components, engine

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("tiny-base" not in engine.models(), reason="there is no trained model here"),
]
FIND = """name => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
    .find(s => s && s.querySelector(name))"""
ARCS, ARC, HAND, ABLATION = ".picture .arcs", ".steps", ".handle", ".grid button"
PERCENTS = "[...root.querySelectorAll('.tok')].map(t => t.getAttribute('aria-label'))"


def opened(visit, app, **screen):
    tab = visit(**screen)
    tab.open(f"{app}/attention")
    tab.page.evaluate("document.__find = " + FIND)
    for root in (ARCS, ARC, HAND, ABLATION):
        wait_for(tab, "true", root)
    tab.settle()
    return tab


def read(tab, expression: str, root: str = ARCS):
    return tab.page.evaluate(f"name => {{ const root = document.__find(name); return {expression}; }}", root)


def wait_for(tab, expression: str, root: str = ARCS):
    tab.page.wait_for_function(
        f"name => {{ const root = document.__find(name); return root && ({expression}); }}", arg=root
    )


def shown(tab) -> list[int]:
    """The percentages of the tokens that can be seen, as their labels say them."""
    found = [re.search(r", (\d+) percent$", label) for label in read(tab, PERCENTS)]
    return [int(match[1]) for match in found if match]


@pytest.fixture(scope="module")
def base():
    return engine.load("tiny-base")


def head_of(tab) -> tuple[int, int]:
    return tuple(read(tab, "[...root.querySelectorAll('select')].map(s => Number(s.value))"))


def test_mouse_and_keys_ask_and_the_numbers_are_the_engines(visit, app, base):
    tab = opened(visit, app)
    view, (layer, head) = views.compute(base, views.PRESETS[0]), head_of(tab)
    last = len(view.ids) - 1
    assert shown(tab) == view.row(layer, head, last).tolist()
    tab.page.locator(".picture .tok").nth(6).hover()
    assert shown(tab) == view.row(layer, head, 6).tolist()
    assert "8 tokens after it are hidden" in read(tab, "root.querySelector('.say').innerText")
    tab.page.mouse.move(5, 5)
    assert shown(tab) == view.row(layer, head, last).tolist(), "what is pinned comes back"
    read(tab, "root.querySelector('.tok[tabindex=\"0\"]').focus()")
    tab.page.keyboard.press("ArrowLeft")
    tab.page.keyboard.press("ArrowLeft")
    assert shown(tab) == view.row(layer, head, last - 2).tolist() and sum(shown(tab)) == 100
    tab.page.keyboard.press("Home")
    assert shown(tab) == [100]
    wait_for(tab, "root.querySelector('.head b').innerText === '<|begin|>'", ARC)  # it is opened below
    tab.page.get_by_label("Layer", exact=True).select_option(index=4)
    tab.page.keyboard.press("Tab")
    read(tab, "root.querySelector('.tok[tabindex=\"0\"]').focus()")
    tab.page.keyboard.press("End")
    assert shown(tab) == view.row(4, 4, last).tolist()
    tab.page.get_by_role("button", name="layer 2, head 1", exact=True).first.click()
    assert head_of(tab) == (1, 0) and shown(tab) == view.row(1, 0, last).tolist()
    read(tab, "root.querySelector('.matrix').focus()")
    tab.page.keyboard.press("ArrowUp")
    assert shown(tab) == view.row(1, 0, last - 1).tolist()
    assert tab.problems == []


def test_own_text_is_read_as_it_is_typed(visit, app, base):
    tab = opened(visit, app)
    line = tab.page.get_by_role("textbox", name="Your sentence")
    for text, notice in (("Hello 🐈 猫 قطة", None), ("", None), (" cat" * 80, "The first 64 are shown")):
        line.fill(text)
        view = views.compute(base, text)
        wait_for(tab, f"root.querySelectorAll('.tok').length === {len(view.names)}")
        assert sum(shown(tab)) == 100
        assert (notice or "") in read(tab, "root.querySelector('.notices').innerText")
    line.fill("")
    line.press_sequentially("The cat sat on the mat because", delay=15)
    for _ in range(len(" because")):
        line.press("Backspace", delay=5)
    wait_for(tab, "root.querySelector('.root').dataset.text === 'The cat sat on the mat'")
    assert line.input_value() == "The cat sat on the mat"
    tab.page.get_by_role("button", name="The cat moon door").click()
    tokens = len(views.compute(base, views.PRESETS[3]).ids)
    wait_for(tab, f"root.querySelectorAll('.tok').length === {tokens}")
    # The sections below follow when the reader has stopped typing.
    wait_for(tab, f"root.querySelectorAll('.cells')[0].childElementCount === {4 * tokens}", ".cells")
    assert tab.problems == []


def test_blanks_are_filled_in_and_marked(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name="Leave one blank").click()
    field = tab.page.locator("input[data-id=product]")
    field.wait_for()
    numbers = [float(n.replace("−", "-")) for n in re.findall(r"[−\d.]+", field.get_attribute("aria-label"))]
    field.fill("99")
    field.press("Enter")
    wait_for(tab, "root.querySelector('.verdict').innerText.includes('✗')", ARC)
    field.fill(f"{numbers[0] * numbers[1]:.2f}")
    field.press("Enter")
    wait_for(tab, "root.querySelector('.verdict').innerText.startsWith('✓ Right')", ARC)
    tab.page.get_by_role("button", name="Leave three blank").click()
    wait_for(tab, "root.querySelectorAll('[data-id]').length === 3", ARC)
    assert tab.problems == []


def test_one_head_by_hand(visit, app):
    tab = opened(visit, app)
    text = components.asset("shared.js") + components.asset("attention_hand.js")
    rng = np.random.default_rng(0)
    cases = [{"q": rng.normal(size=2).tolist(), "k": rng.normal(size=(3, 2)).tolist(),
              "v": rng.normal(size=3).tolist()} for _ in range(20)]  # fmt: skip
    found = tab.page.evaluate(
        """async ([text, cases]) => {
            const m = await import("data:text/javascript," + encodeURIComponent(text));
            return cases.map((c) => m.attend(c));
        }""",
        [text, cases],
    )
    for case, one in zip(cases, found, strict=True):
        hand = hands.compute(case)
        assert one["weights"] == pytest.approx(hand.weights)
        assert one["mixed"] == pytest.approx(hand.mixed)
    weights = "[...root.querySelectorAll('.weight')].map(e => parseFloat(e.innerText))"
    before = read(tab, weights, HAND)
    query = tab.page.locator(".handle[data-id=q]")
    query.scroll_into_view_if_needed()
    box = query.locator(".dot").bounding_box()
    tab.page.mouse.move(box["x"] + 8, box["y"] + 8)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] - 80, box["y"] - 60, steps=4)
    moved = read(tab, weights, HAND)
    tab.page.mouse.up()
    assert moved != before and sum(moved) == pytest.approx(100, abs=0.2)
    read(tab, "root.querySelector('.handle[data-id=k1]').focus()", HAND)
    tab.page.keyboard.press("ArrowUp")
    assert read(tab, weights, HAND) != moved
    field = tab.page.get_by_label("value of cat")
    field.fill("50")
    field.press("Enter")
    vectors = read(tab, "[...root.querySelectorAll('[data-in]')].map(i => Number(i.value))", HAND)
    expected = hands.compute({"q": vectors[:2], "k": [vectors[2:4], vectors[5:7], vectors[8:10]],
                              "v": [vectors[4], vectors[7], vectors[10]]})  # fmt: skip
    assert float(read(tab, "root.querySelector('.mixed').innerText", HAND).replace("−", "-")) == (
        pytest.approx(expected.mixed, abs=0.006)
    )
    assert tab.problems == []


def test_the_pronoun_after_the_prediction(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name="I have no idea").click()
    cases = "[...root.querySelectorAll('.case .end')].map(e => e.innerText)"
    wait_for(tab, "root.querySelectorAll('.case').length === 2", ".case")
    at_pronoun = read(tab, cases, ".case")
    assert at_pronoun[0] == at_pronoun[1]
    tab.page.get_by_role("button", name="From the token that must answer").click()
    tired, soft = read(tab, cases, ".case")
    assert "·cat" in tired and "·mat" in soft and "goes on" in tired
    assert tab.problems == []


def test_heads_are_shown_and_taken_away(visit, app):
    tab = opened(visit, app)
    card = tab.page.get_by_label("previous token head", exact=True)
    facts = card.locator(".facts").inner_text()
    layer, head = map(int, re.search(r"Layer (\d+), head (\d+)", facts).groups())
    card.get_by_role("button").click()
    wait_for(tab, f"root.querySelector('.layer').value === '{layer - 1}'")
    assert head_of(tab) == (layer - 1, head - 1)
    now = "[...root.querySelectorAll('tbody tr')].map(r => r.cells[1].innerText === r.cells[2].innerText)"
    tab.page.get_by_role("button", name="Put all back").click()
    wait_for(tab, f"{now}.every(Boolean)", ABLATION)
    tab.page.locator(f".grid [data-head='{layer - 1},{head - 1}']").press("Enter")
    wait_for(tab, f"!{now}[1]", ABLATION)
    assert "▼" in read(tab, "root.querySelector('tbody').innerText", ABLATION)
    assert tab.problems == []


def test_a_phone_has_a_list_with_arcs_and_room_for_fingers(visit, app):
    tab = opened(visit, app, width=390, scheme="dark", has_touch=True)
    assert read(tab, "root.querySelectorAll('.beside .tok').length") > 10
    tab.page.locator(".beside .tok").nth(3).tap()
    assert sum(shown(tab)) == 100 and len(shown(tab)) == 4
    for root in (ARCS, ARC, HAND, ABLATION, ".card canvas"):
        small = read(
            tab, "[...root.querySelectorAll('button, select, input, .tok')].filter(e => e.offsetHeight && "
            "e.offsetHeight < 43.5).map(e => [e.className, e.innerText, e.offsetHeight])", root,
        )  # fmt: skip
        assert small == []
    sideways = tab.page.evaluate("(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))")
    assert sideways <= 0 and tab.problems == []
