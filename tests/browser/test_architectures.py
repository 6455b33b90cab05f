"""Chapter 11 in a browser: table, routes, the race, the scan and the lists, by mouse and keyboard."""

import re

import pytest

from microgpt.model.checkpoint import load
from microgpt.training.balance import OPTIONS
from widgets import (
    architectures,
    architectures_experts,
    architectures_recall,
    architectures_scan,
    book,
    engine,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (book.ROOT / "pages" / "architectures.py").exists()
        or not {*architectures.NAMES} <= {*engine.models()},
        reason="the four architectures are not all trained here",
    ),
]


@pytest.fixture
def page(app, visit):
    def opened(width):
        tab = visit(width)
        tab.open(f"{app}/architectures")
        return tab

    return opened


def test_a_token_is_looked_at_by_mouse_and_by_keys(page):
    tab = page(1280)
    found = architectures_experts.routes(load("tiny-moe"), architectures_experts.TEXT)
    board = tab.page.locator(".st-key-architectures_experts")
    board.locator("[data-layer='2']").click()
    tab.settle()
    chip = board.locator(".chip[data-token='4']")
    chip.hover()
    best, share = found.chosen[2, 4, 0] + 1, found.shares[2, 4, 0]
    assert f"expert {best} gives {100 * share:.0f} % of" in board.locator(".say").inner_text()
    chip.focus()
    chip.press("ArrowRight")
    best, share = found.chosen[2, 5, 0] + 1, found.shares[2, 5, 0]
    assert f"expert {best} gives {100 * share:.0f} %" in board.locator(".say").inner_text()
    board.locator("[data-expert='0']").click()
    visited = int((found.chosen[2] == 0).any(-1).sum())
    assert board.locator(".chip.here").count() == visited
    assert not tab.problems


def test_the_scan_goes_step_by_step(page):
    tab = page(390)
    model = load("tiny-ssm")
    found = architectures_scan.scan(model, architectures_scan.TEXT, model.config.layers - 1)
    board = tab.page.locator(".st-key-architectures_scan")
    board.locator(".next").click()
    board.locator(".step").press("ArrowRight")
    said = board.locator(".say").inner_text()
    assert f"Δ = {found.channels[0].delta[3]:.3f}" in said
    read = float(re.findall(r"= (−?[\d.]+)\.$", said)[-1].replace("−", "-"))
    assert read == pytest.approx(found.channels[0].read[3], abs=6e-4)
    assert not tab.problems


def test_two_mixtures_learn_while_you_watch_rest_and_go_on(page):
    tab = page(1280)
    tab.page.get_by_role("button", name="Train two small mixtures").click()
    tab.page.get_by_role("button", name="Pause").click()
    tab.page.get_by_text(re.compile(r"^Paused, \d+ s of work")).wait_for()
    charts = tab.page.locator("[class*=st-key-architectures_balance_with]")
    tab.page.get_by_role("button", name="Go on").click()
    charts.nth(1).locator(".root > svg polyline").nth(7).wait_for()
    charts.nth(1).locator(".root > svg").press("Home")
    charts.nth(1).get_by_text("expert 1: step 0, share 0.").wait_for()
    tab.page.get_by_text(f"After {OPTIONS.steps} steps: without the balance loss").wait_for()
    assert tab.page.get_by_text("Without the balance loss").count() > 0
    assert tab.page.get_by_role("alert").count() == 0
    assert not tab.problems


def test_a_list_is_kept_by_some_and_lost_by_others(page):
    tab = page(390)
    tab.page.get_by_role("button", name="I have no idea: show me").click()
    tab.page.get_by_text(f"With {architectures_recall.LONGEST} pairs").wait_for()
    tab.settle()
    text = "king: 4, box: 8, tree: 1"
    field = tab.page.get_by_label(re.compile("^Your own list"))
    field.fill(text)
    field.press("Enter")
    own = architectures_recall.ask_all([load(name) for name in architectures_recall.MODELS], text)
    for name in own.said:
        header = f"{name}, {own.right(name)} of 3 right"
        tab.page.get_by_role("columnheader", name=header).wait_for()
    wrong = sum(3 - own.right(name) for name in own.said)
    assert tab.page.locator("table del").count() == wrong
    field.fill("one")
    field.press("Enter")
    tab.page.get_by_text("One is enough.").wait_for()
    assert not tab.problems


def test_the_table_and_its_curves(page):
    tab = page(1280)
    table = architectures.recorded()
    loss = table.models["tiny-ssm"]["held_out_loss"]
    assert f"{loss:.4f}" in tab.page.locator(".architectures-table").inner_text()
    tab.page.get_by_role("radio", name="Memory").click()
    tab.settle()
    said = architectures.in_words(table, "Memory")
    tab.page.locator(f"[aria-label^='{said[:30]}'], [alt^='{said[:30]}']").first.wait_for(
        state="attached"
    )
    assert not tab.problems
