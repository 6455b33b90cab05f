"""Chapter 21 in a browser: search, open, walk from name to name."""

import re

import pytest

from widgets import engine_scan

pytestmark = pytest.mark.browser
SOFTMAX = "microgpt.autograd.ops.softmax"
FIND = """document.__find = name => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
    .find(s => s && s.querySelector(name))"""


def opened(visit, app, query="", **screen):
    tab = visit(**screen)
    tab.open(f"{app}/read_the_engine{query}")
    tab.page.evaluate(FIND)
    for root in (".house .floor", "h3"):
        wait_for(tab, "true", root)
    tab.settle()
    return tab


def read(tab, expression: str, root: str = "h3"):
    return tab.page.evaluate(f"n => {{ const root = document.__find(n); return {expression}; }}", root)


def wait_for(tab, expression: str, root: str = "h3"):
    tab.page.wait_for_function(
        f"n => {{ const root = document.__find(n); return root && ({expression}); }}", arg=root
    )


def title(tab) -> str:
    return read(tab, "root.querySelector('h3').innerText")


def wait_for_title(tab, name: str):
    wait_for(tab, f"root.querySelector('h3').innerText === '{name}'")
    tab.settle()


def test_the_book_opens_at_its_first_module(visit, app):
    first = engine_scan.read().modules[0].name
    tab = opened(visit, app)
    assert title(tab) == first
    assert read(tab, "root.querySelector('.brick.at').dataset.open", ".floor") == first
    assert tab.page.url.endswith("/read_the_engine")
    assert tab.problems == []


def test_a_search_finds_opens_and_changes_the_address(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_label("Find a function").fill("causal softmax")
    found = read(tab, "[...root.querySelectorAll('.found code:first-child')].map(e => e.innerText)", ".floor")
    assert "causal_softmax" in found[:3]
    assert read(tab, "root.querySelectorAll('.brick.hit').length", ".floor") >= 1
    tab.page.get_by_label("Find a function").fill("softmax")
    tab.page.keyboard.press("Enter")
    wait_for_title(tab, "softmax")
    assert tab.page.url.endswith("?f=microgpt.autograd.ops.softmax")
    tab.page.get_by_label("Find a function").fill("no such thing at all")
    assert "None of the" in read(tab, "root.querySelector('.count').innerText", ".floor")
    tab.page.keyboard.press("Escape")
    assert read(tab, "root.querySelector('.count').innerText", ".floor") == ""
    assert tab.problems == []


def test_a_search_is_walked_with_the_arrow_keys(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_label("Find a function").fill("cache")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("ArrowDown")
    name = read(tab, "root.activeElement.dataset.open", ".floor")
    assert name
    tab.page.keyboard.press("ArrowUp")
    tab.page.keyboard.press("ArrowUp")
    assert read(tab, "root.activeElement.id", ".floor") == "search"


def test_a_brick_opens_and_tells_what_it_stands_on(visit, app):
    book = engine_scan.read()
    tab = opened(visit, app)
    name = "microgpt.model.gpt"
    read(tab, f"root.querySelector('[data-open=\"{name}\"]').focus()", ".floor")
    below = read(tab, "[...root.querySelectorAll('.brick.below')].map(e => e.dataset.open)", ".floor")
    above = read(tab, "[...root.querySelectorAll('.brick.above')].map(e => e.dataset.open)", ".floor")
    assert set(below) == {m for m in book.by_name[name].imports if m in book.by_name}
    assert set(above) == {m.name for m in book.modules if name in m.imports}
    tab.page.keyboard.press("Enter")
    wait_for_title(tab, name)
    assert read(tab, "document.activeElement.shadowRoot.activeElement.tagName") == "H3", "focus follows"


def test_names_on_the_card_lead_on_and_back_to_the_house(visit, app):
    tab = opened(visit, app, f"?f={SOFTMAX}")
    assert title(tab) == "softmax"
    read(tab, "root.querySelector('details .link').click()")
    wait_for(tab, "root.querySelector('h3').innerText !== 'softmax'")
    tab.settle()
    opened_name = re.search(r"f=([\w.]+)", tab.page.url)[1]
    assert opened_name in engine_scan.read().functions
    read(tab, "root.querySelector('.house').click()")
    tab.page.wait_for_timeout(800)
    assert read(tab, "root.querySelector('.house').getBoundingClientRect().top < innerHeight", ".floor")
    assert tab.problems == []


def test_next_and_previous_go_through_the_whole_order(visit, app):
    names = [module.name for module in engine_scan.read().modules]
    tab = opened(visit, app)
    for name in names[1:3]:
        read(tab, "root.querySelector('nav > :last-child').click()")
        wait_for_title(tab, name)
    read(tab, "root.querySelector('nav > :first-child').click()")
    wait_for_title(tab, names[1])


def test_a_live_example_runs_on_what_is_typed(visit, app):
    tab = opened(visit, app, f"?f={SOFTMAX}")
    tab.page.get_by_text("[0.09003, 0.2447, 0.6652]").wait_for()
    tab.page.get_by_label("a", exact=True).fill("3")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_text("[0.4223, 0.1554, 0.4223]").wait_for()
    assert tab.problems == []


def test_what_is_open_survives_another_page(visit, app):
    tab = opened(visit, app, f"?f={SOFTMAX}")
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="Sampling").click()
    tab.page.wait_for_function("document.querySelector('h1')?.innerText === 'Sampling'")
    tab.settle()
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="Read the engine").click()
    tab.page.wait_for_function("document.querySelector('h1')?.innerText === 'Read the engine'")
    tab.settle()
    tab.page.evaluate(FIND)
    wait_for_title(tab, "softmax")
    assert SOFTMAX in tab.page.url


def test_a_phone_has_room_for_fingers(visit, app):
    tab = opened(visit, app, f"?f={SOFTMAX}", width=390)
    for root, targets in ((".floor", ".brick, input"), ("h3", "nav .link, summary, details .link")):
        small = read(
            tab, f"[...root.querySelectorAll('{targets}')].filter(e => e.offsetHeight && e.offsetHeight < 43.5)"
            ".map(e => [e.innerText, e.offsetHeight])", root,
        )  # fmt: skip
        assert small == []
    overflow = tab.page.evaluate("(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))")
    assert overflow <= 1
