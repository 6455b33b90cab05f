"""Chapter 16 in a browser: twenty clicks by mouse and by key, a reward model, PPO, and a look at
what came of it."""

import re

import pytest

from widgets import components, engine
from widgets import teaching_clicks as clicks

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("tiny-aligned" not in engine.models(), reason="there is no model here"),
]
FIND = """name => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
    .find(s => s && s.querySelector(name))"""
RUN = 240_000  # milliseconds that a run may take on a machine with other work


def read(tab, expression: str, root: str):
    """Evaluate an expression of `root`, the shadow root that has such an element."""
    return tab.page.evaluate(
        f"name => {{ const root = ({FIND})(name); return {expression}; }}", root
    )


def wait(tab, expression: str, root: str, timeout=60_000):
    tab.page.wait_for_function(
        f"name => {{ const root = ({FIND})(name); return root && ({expression}); }}", arg=root,
        timeout=timeout,
    )  # fmt: skip


def count(tab) -> str:
    return read(tab, "root.querySelector('.count').textContent", ".desk")


def opened(visit, app, **screen):
    tab = visit(**screen)
    tab.open(f"{app}/teaching")
    wait(tab, "root.querySelector('.count').textContent", ".desk")
    return tab


def judge_all(tab) -> None:
    """Half of the pairs with the mouse, the others with keys; the longer answer is better."""
    pick = """side => { const root = (FIND)('.desk');
        const texts = [...root.querySelectorAll('.two .text')].map(e => e.textContent.length);
        return texts[1] > texts[0] ? 1 : 0; }""".replace("FIND", FIND)
    desk = tab.page.locator(".desk")
    for number in range(clicks.ROUND):
        side = tab.page.evaluate(pick)
        if number % 2:
            desk.press(("1", "2")[side] if number % 4 == 1 else ("ArrowLeft", "ArrowRight")[side])
        else:
            tab.page.locator(f'.two [data-side="{side}"]').click()
    wait(tab, "root.querySelector('.desk.done')", ".desk")


def test_from_twenty_clicks_to_a_model_that_is_better_liked(visit, app):
    tab = opened(visit, app)
    page = tab.page
    assert count(tab) == f"pair 1 of {clicks.ROUND}"
    page.locator('.two [data-side="0"]').click()
    assert count(tab) == f"pair 2 of {clicks.ROUND}"
    page.locator(".desk").press("Backspace")
    assert count(tab) == f"pair 1 of {clicks.ROUND}", "a click can be taken back"
    judge_all(tab)
    page.get_by_text(re.compile("kept back it is right in")).wait_for(timeout=60_000)
    tab.settle()
    page.get_by_label("What does it think of your answer?").fill("Of course, my friend.")
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="yours").wait_for()

    # Another learner has none of it; a reload keeps it.
    other = opened(visit, app)
    assert count(other) == f"pair 1 of {clicks.ROUND}"
    assert other.page.get_by_text(re.compile("kept back it is right in")).count() == 0
    assert other.page.get_by_role("button", name=re.compile("Train with PPO")).is_disabled()
    other.page.close()
    page.reload()
    tab.settle()
    page.get_by_text(re.compile("kept back it is right in")).wait_for()
    wait(tab, "root.querySelector('.desk.done')", ".desk")

    # PPO, seen as it goes on, then compared.
    page.get_by_role("button", name=re.compile("Train with PPO")).click()
    seen = page.locator(".progress .words").filter(has_text=re.compile("Step|Measuring|Running"))
    seen.first.wait_for()
    page.get_by_text(re.compile("on questions it never practised on")).wait_for(timeout=RUN)
    tab.settle()
    heads = page.get_by_role("columnheader", name="after PPO")
    assert heads.count() == 1
    page.get_by_label("Ask them all").fill("What is the opposite of hot?")
    page.keyboard.press("Enter")
    page.get_by_role("rowheader", name="yours, PPO").wait_for()
    assert tab.problems == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_accessible_and_fits(visit, app, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab = opened(visit, app, width=width, scheme=scheme)
    page = tab.page
    page.get_by_role("button", name="I have no idea: show me").click()
    page.get_by_role("button", name=re.compile("Take the leash off")).wait_for()
    tab.settle()
    overflow = page.evaluate(
        "[...document.querySelectorAll('html, [data-testid=stMain]')].map(e => e.scrollWidth - e.clientWidth)"
    )
    assert max(overflow) <= 1, "the page scrolls sideways"
    found = Axe().run(page).response["violations"]
    assert not [(v["id"], [n["failureSummary"] for n in v["nodes"]]) for v in found]
    assert tab.problems == []


def test_what_a_tab_kept_is_checked_before_it_is_used(visit):
    tab = visit()
    script = components.asset("shared.js") + components.asset("teaching_pairs.js")
    found = tab.page.evaluate(
        """async text => {
            const m = await import("data:text/javascript," + encodeURIComponent(text));
            const good = JSON.stringify({ view: "v", rounds: 1, picks: { "0-0": 1 } });
            return [m.restored(good, "v"), m.restored(good, "w"), m.restored("{", "v"), m.restored(null, "v"),
              m.restored('{"view":"v","rounds":"1","picks":{}}', "v"), m.restored('{"view":"v","rounds":1}', "v")];
        }""",
        script,
    )
    assert found == [{"rounds": 1, "picks": {"0-0": 1}}, None, None, None, None, None]
