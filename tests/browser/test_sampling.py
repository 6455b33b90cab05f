"""Chapter 12 in a browser: what moves under a finger is what the engine says on release."""

import json
import re

import numpy as np
import pytest

from microgpt.decoding import sampling
from microgpt.decoding.sampling import Sampling
from widgets import components, engine
from widgets import sampling_link as links

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not engine.models(), reason="there is no trained model here"),
]
FIND = """name => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
    .find(s => s && s.querySelector(name))"""
IN = "document.__find = " + FIND


def module(name: str) -> str:
    """A component's file as a module of its own, for its pure functions."""
    return components.asset("shared.js") + components.asset(f"{name}.js")


def run_module(tab, name: str, expression: str, argument):
    """Evaluate `expression` of (m, argument) in the browser, m being the component's module."""
    return tab.page.evaluate(
        """async ([text, expression, argument]) => {
            const m = await import("data:text/javascript," + encodeURIComponent(text));
            return new Function("m", "argument", "return " + expression)(m, argument);
        }""",
        [module(name), expression, argument],
    )


def settings_to_try(count=60):
    rng = np.random.default_rng(1)
    yield Sampling()
    yield Sampling(temperature=0)
    for _ in range(count):
        yield Sampling(
            temperature=float(np.round(rng.choice([0, 0.01, rng.uniform(0, 2), 2]), 2)),
            top_k=int(rng.choice([0, 1, 7, 50, 1000])),
            top_p=float(rng.choice([0.01, 0.37, 0.9, 1])),
            min_p=float(rng.choice([0, 0.05, 0.5, 1])),
            repetition_penalty=float(rng.choice([1, 1.3, 5])),
        )


def test_the_browser_filters_as_the_engine_does(visit):
    tab = visit()
    rng = np.random.default_rng(0)
    for i, settings in enumerate(settings_to_try()):
        scores = rng.normal(scale=rng.choice([0.3, 3, 9]), size=512).astype(np.float32)
        if i % 3 == 0:  # equal scores, at the edges too
            scores = np.round(scores)
        previous = rng.integers(0, 512, 9).tolist()
        found = run_module(
            tab, "sampling",
            "(r => [[...r.softmax], [...r.final], r.reasons])"
            "(m.pipeline(argument[0], argument[1], argument[2]))",
            [scores.tolist(), links.as_values(settings), previous],
        )  # fmt: skip
        stages = {s.name: s for s in sampling.stages(scores, settings, previous)}
        np.testing.assert_allclose(found[0], stages["temperature"].probabilities, atol=1e-12)
        np.testing.assert_allclose(found[1], stages["min-p"].probabilities, atol=1e-12)
        assert [reason == "" for reason in found[2]] == np.isfinite(stages["min-p"].logits).tolist()


def test_the_browser_reads_the_ruler_as_the_engine_does(visit):
    tab = visit()
    rng = np.random.default_rng(0)
    p = sampling.distribution(rng.normal(size=300), Sampling(top_k=40))
    us = [*rng.random(200).tolist(), 0.0, 0.9999]
    found = run_module(
        tab, "sampling_draw", "argument[1].map(u => m.fallsOn(argument[0], u).id)", [p.tolist(), us]
    )
    sums = np.cumsum(p)
    wanted = [int(np.searchsorted(sums, u * sums[-1], side="right")) for u in us]
    assert found == wanted
    widths = run_module(
        tab, "sampling_draw", "m.stretches(argument).map(s => [s.from, s.to, s.count])", p.tolist()
    )
    assert sum(count for _, _, count in widths) == 40
    assert widths[0][0] == 0 and widths[-1][1] == pytest.approx(1)


def opened(visit, app, query="", **screen):
    tab = visit(**screen)
    tab.open(f"{app}/sampling{query}")
    tab.page.evaluate(IN)
    for root in (".knob", ".stage", ".ruler", ".tree", ".head .bits"):
        wait_for(tab, "true", root)
    tab.settle()
    return tab


def read(tab, expression: str, root: str):
    """Evaluate an expression of `root`, the shadow root that has such an element."""
    return tab.page.evaluate(f"name => {{ const root = document.__find(name); return {expression}; }}", root)


def numbers(tab):
    return read(tab, "[...root.querySelectorAll('.number, .facts')].map(e => e.innerText)", ".stage")


def origin(tab):
    return read(tab, "root.querySelector('.root').dataset.source", ".stage")


def move(tab, name: str, value, release: bool):
    """Move a knob as a finger does; without release Python must not hear of it."""
    tab.page.evaluate(
        """([name, value, release]) => {
            const input = document.__find(".knob").querySelector(`[data-name=${name}] [type=range]`);
            input.value = value;
            input.dispatchEvent(new Event("input"));
            if (release) input.dispatchEvent(new Event("change"));
        }""",
        [name, value, release],
    )


def wait_for(tab, expression: str, root: str = ".stage"):
    tab.page.wait_for_function(
        f"name => {{ const root = document.__find(name); return root && ({expression}); }}", arg=root
    )


def wait_for_engine(tab):
    wait_for(tab, "root.querySelector('.root').dataset.source === 'microgpt'")
    tab.settle()


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 0.37), ("temperature", 1.9), ("temperature", 0), ("top_k", 3), ("top_p", 0.5),
     ("min_p", 0.2), ("repetition_penalty", 1.7)],
)  # fmt: skip
def test_on_release_the_digits_stay_and_become_the_engines(visit, app, name, value):
    prompt = "Once+upon+a+time" if name == "repetition_penalty" else "One+day+Anna+went+to+the"
    tab = opened(visit, app, f"?p={prompt}&tp=0.95")
    tab.page.get_by_role("button", name="I have no idea").click()  # entropy shows
    wait_for(tab, "root.querySelector('.entropy')")
    before = numbers(tab)
    move(tab, name, value, release=False)
    wait_for(tab, "root.querySelector('.root').dataset.source === 'browser'")
    moving = numbers(tab)
    assert moving != before
    tab.page.wait_for_timeout(500)
    assert origin(tab) == "browser", "Python was told before the release"
    move(tab, name, value, release=True)
    wait_for_engine(tab)
    assert numbers(tab) == moving


def test_preset_link_and_return(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name="Hot").click()
    wait_for(tab, "root.querySelector('.root').dataset.source === 'microgpt'")
    tab.page.wait_for_url(re.compile("t=1.6"))
    tab.settle()
    shown = numbers(tab)
    other = opened(visit, app, "?" + tab.page.url.partition("?")[2])
    wait_for_engine(other)
    assert numbers(other) == shown, "the link shows another page"
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="Read the engine").click()
    tab.page.wait_for_function("document.querySelector('h1')?.innerText === 'Read the engine'")
    tab.settle()
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="12 Sampling").click()
    tab.page.wait_for_function("document.querySelector('h1')?.innerText === 'Sampling'")
    tab.settle()
    tab.page.evaluate(IN)
    wait_for_engine(tab)
    assert numbers(tab) == shown, "the settings were lost when the page was left"
    assert tab.problems == []


def test_a_number_out_of_its_limits_is_said_and_forced(visit, app):
    tab = opened(visit, app)
    field = tab.page.get_by_label("Temperature, as a number")
    field.fill("99")
    field.press("Enter")
    tab.page.get_by_text("Temperature is a number from 0 to 2; 2 is used.").wait_for()
    assert field.input_value() == "2"
    field.fill("")
    field.press("Tab")
    tab.page.get_by_text("Temperature is a number from 0 to 2; 2 is used.").wait_for()
    assert tab.problems == []


def test_the_stages_and_rows_can_be_walked_with_keys(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name=re.compile("Softmax")).focus()
    tab.page.keyboard.press("Enter")
    assert read(tab, "root.querySelector('.say').innerText", ".stage").count("over the sum of all") == 1
    read(tab, "root.querySelector('[data-row=\"0\"]').focus()", ".stage")
    first = read(tab, "root.querySelector('.say').innerText", ".stage")
    tab.page.keyboard.press("ArrowDown")
    second = read(tab, "root.querySelector('.say').innerText", ".stage")
    assert second != first
    tab.page.keyboard.press("End")
    assert read(tab, "root.activeElement.dataset.row", ".stage") == "11"


def test_play_walks_through_the_stages_and_ends(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name=re.compile("Play")).click()
    pressed = "root.querySelector('.stage[aria-pressed=true]').dataset.stage"
    for stage in ("score", "scaled", "softmax", "cut", "final"):
        wait_for(tab, f"{pressed} === '{stage}'")
    wait_for(tab, "!root.querySelector('.root').classList.contains('playing')")


def test_a_draw_falls_where_the_engine_says_and_the_ruler_moves_under_it(visit, app):
    tab = opened(visit, app, "?p=Once+upon+a+time&t=1.5&tp=1&s=11")
    tab.page.get_by_role("button", name="Draw once").click()
    wait_for(tab, "root.querySelector('.say').innerText.startsWith('Draw 1 of seed 11')", ".ruler")
    u = np.random.default_rng(11).random()
    said = read(tab, "root.querySelector('.say').innerText", ".ruler")
    assert f"u = {u:.4f}" in said
    drawn = read(tab, "root.querySelector('.drawn').innerText", ".ruler")
    assert read(tab, "root.querySelector('.recent .token').innerText", ".ruler") == drawn
    move(tab, "temperature", 0, release=True)
    wait_for_engine(tab)
    best = read(tab, "root.querySelector('[data-row=\"0\"]').innerText.split(' ')[0]", ".stage")
    wait_for(tab, f"root.querySelector('.drawn').innerText === {json.dumps(best)}", ".ruler")
    assert f"u = {u:.4f}" in read(tab, "root.querySelector('.say').innerText", ".ruler")


def test_a_thousand_draws_stand_beside_the_bars(visit, app):
    tab = opened(visit, app, "?s=3")
    tab.page.get_by_role("button", name="Draw 1,000").click()
    wait_for(tab, "root.querySelector('.test')", ".ruler")
    counts = read(
        tab, "[...root.querySelectorAll('.compare .row:not(.quiet) .number:not(.quiet)')]"
        ".map(e => +e.innerText.replace(',', ''))", ".ruler"
    )  # fmt: skip
    assert sum(counts) == 1000
    assert "Chi-square" in read(tab, "root.querySelector('.test').innerText", ".ruler")
    tab.page.get_by_role("button", name="Start again").click()
    wait_for(tab, "!root.querySelector('.test')", ".ruler")


def test_u_can_be_moved_by_hand(visit, app):
    tab = opened(visit, app)
    field = tab.page.get_by_label("u, as a number")
    field.fill("0.25")
    assert "u = 0.2500 would fall" in read(tab, "root.querySelector('.say').innerText", ".ruler")
    assert read(tab, "root.querySelector('.needle').style.left", ".ruler") == "25%"


def test_the_tree_multiplies_along_a_path_and_obeys_keys(visit, app):
    tab = opened(visit, app)
    read(tab, "root.querySelector('[aria-selected=true]').focus()", ".tree")

    def path():
        words = read(tab, "root.querySelector('.say').innerText", ".tree")
        factors = [float(x) for x in re.findall(r"\s(\d\.\d{3})", words)]
        return words, factors, float(re.search(r"= (?:< )?([\d.]+) %", words)[1])

    words, factors, product = path()
    assert len(factors) == 4 and 100 * np.prod(factors) == pytest.approx(product, abs=0.3)
    tab.page.keyboard.press("ArrowLeft")
    assert len(path()[1]) == 3
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("ArrowLeft")
    assert read(tab, "root.querySelectorAll('.node').length", ".tree") == 4
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("ArrowRight")
    assert read(tab, "root.querySelectorAll('.node').length", ".tree") in (4, 8)
    assert path()[0] != words


def test_usual_settings_can_be_tried(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name="Try Brainstorming").click()
    tab.page.wait_for_url(re.compile("t=1.2"))
    wait_for_engine(tab)
    assert read(tab, "root.querySelector('[data-name=temperature] input').value", ".knob") == "1.2"


def test_a_phone_shows_one_stage_at_a_time_with_room_for_fingers(visit, app):
    tab = opened(visit, app, width=390)
    columns = "[...root.querySelectorAll('.row')].map(r => [...r.querySelectorAll('.cell')]" \
              ".filter(c => getComputedStyle(c).display !== 'none').length)"  # fmt: skip
    assert set(read(tab, columns, ".stage")) == {1}
    for root, targets in ((".stage", "button"), (".knob", "button, summary, input"), (".ruler", "button"),
                          (".tree", ".node")):  # fmt: skip
        small = read(
            tab,
            f"[...root.querySelectorAll('{targets}')].filter(e => e.offsetHeight && e.offsetHeight < 43.5)"
            ".map(e => [e.className, e.id, e.offsetHeight])",
            root,
        )
        assert small == []


def test_without_motion_nothing_moves_by_itself(visit, app):
    tab = opened(visit, app, reduced_motion="reduce")
    styles = read(
        tab, "[...root.querySelectorAll('.bar > i')].map(e => getComputedStyle(e).transitionDuration)",
        ".stage",
    )  # fmt: skip
    assert set(styles) == {"0s"}
