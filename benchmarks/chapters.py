"""Chapters 1 to 7 as a reader feels them, and what stands behind them (the parser, the learning).

As in app.py the "peer" is the budget that the project set itself; a ratio above 1 is within it.
"""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.app import needs, p95, warm_page, within
from benchmarks.browser import open_tab, settle
from benchmarks.peer import Skip

ROUNDS = 3  # visits of each page, each by a browser without a cache
SAMPLES = 20  # changes of a control on each page
SLUGS = (
    "functions", "derivatives", "gradient_descent", "ways_of_learning", "neural_networks",
    "activations", "backpropagation",
)  # fmt: skip


@dataclass(frozen=True)
class Control:
    """Something on a page that Python answers: how the i-th change is made, and what is dragged.

    `change(page, i)` ends with the event that counts (a key, a click). `handle` can be dragged
    to and fro by `across` pixels; `drawn` is an attribute or a text that every move changes.
    """

    slug: str
    change: Callable
    handle: str | None = None
    drawn: str | None = None
    across: int = 150


def typed(key: str, name: str, low: float, step: float) -> Callable:
    """Type another number into a component's field and press Enter."""

    def change(page, i: int) -> None:
        field = page.locator(f".st-key-{key} .root").locator(f"input[type=number]{name}").first
        field.fill(f"{low + step * i:.2f}")
        field.press("Enter")

    return change


def preset(page, i: int) -> None:
    """Another formula for the graph of chapter 7."""
    buttons = page.locator(".st-key-backprop_presets button")
    buttons.nth(i % buttons.count()).click()


def bias(page, i: int) -> None:
    """Another bias for the neuron of chapter 5."""
    page.locator("[data-handle=b]").focus()
    page.keyboard.press("ArrowLeft" if i % 2 else "ArrowRight")


def rate(page, i: int) -> None:
    """Another learning rate for the line of chapter 4."""
    page.get_by_role("slider", name="Learning rate").first.focus()
    page.keyboard.press("ArrowLeft" if i % 2 else "ArrowRight")


def layers(page, i: int) -> None:
    """A layer more or less in the deep network of chapter 6: it is trained anew."""
    page.get_by_role("slider", name="Hidden layers").focus()
    page.keyboard.press("ArrowLeft" if i % 2 else "ArrowRight")


CONTROLS = (
    Control("functions", typed("functions_curve", "[data-at=x]", -5, 0.37),
            ".st-key-functions_curve [data-handle=x]", ".st-key-functions_curve .words"),
    Control("derivatives", typed("derivatives_curve", "[data-at=x]", -5, 0.37),
            ".st-key-derivatives_curve [data-handle=x]", ".st-key-derivatives_curve .words"),
    Control("gradient_descent", typed("descent_player", "[data-number=rate]", 0.05, 0.02),
            ".st-key-descent_map .handle", ".st-key-descent_map .handle"),
    Control("ways_of_learning", rate, "[data-center='0']", "[data-center='0']"),
    Control("neural_networks", bias,
            "[data-handle=w0]", ".formula"),
    Control("activations", layers, ".plot", "[data-row=gelu]"),
    Control("backpropagation", preset),
)  # fmt: skip


@contextmanager
def warm_tabs():
    """A function that opens a page in a browser without a cache, on a server that has shown all
    of these pages before."""
    needs(*SLUGS)
    with warm_page("") as page:
        browser, address = page.context.browser, page.url.rstrip("/")
        for slug in SLUGS:
            page.goto(f"{address}/{slug}")
            settle(page)

        def visit(slug):
            tab = open_tab(browser)
            tab.goto(f"{address}/{slug}", wait_until="commit")
            return tab

        yield visit


def by_page(samples: dict, of, unit: str) -> str:
    """What each page contributed, in a few words."""
    return "; ".join(f"{slug} {of(found):.3g} {unit}" for slug, found in samples.items())


@cache
def visits():
    """Per page: seconds until complete, and bytes of the largest view of one component."""
    seconds = {slug: [] for slug in SLUGS}
    with warm_tabs() as visit:
        for _ in range(ROUNDS):
            for slug in SLUGS:
                tab = visit(slug)
                seconds[slug].append(settle(tab) / 1000)
                tab.context.close()
    return seconds


def chapters_complete():
    """Chapters 1 to 7 in turn, each visited by a browser without a cache, on a server that has
    shown them before. Seconds from the start of the navigation until the script is done and no
    spinner is left, and this lasts for half a second; the slowest page's median."""
    seconds = visits()
    worst = max(SLUGS, key=lambda slug: statistics.median(seconds[slug]))
    return within(seconds[worst], statistics.median, 3.0, "s",
                  f"slowest page ({by_page(seconds, statistics.median, 's')})")  # fmt: skip


def chapters_control():
    """On each of chapters 1 to 7 a control that Python answers is changed again and again.
    Milliseconds from the key or the click to the frame after everything that Python sends for it
    is drawn; the 95th percentile of the slowest page."""
    samples = {}
    with warm_tabs() as visit:
        for control in CONTROLS:
            tab = visit(control.slug)
            settle(tab)
            samples[control.slug] = [_answer(tab, control, i) for i in range(SAMPLES + 2)][2:]
            tab.context.close()
    worst = max(samples, key=lambda slug: p95(samples[slug]))
    return within(samples[worst], p95, 300.0, "ms",
                  f"95th percentile, slowest page ({by_page(samples, p95, 'ms')})")  # fmt: skip


def _answer(tab, control: Control, i: int) -> float:
    tab.evaluate("() => { window.done = stopwatch.answered(); }")
    control.change(tab, i)
    waited = tab.evaluate(
        "done.then((t) => t - Math.max(stopwatch.last.click ?? 0, stopwatch.last.keydown ?? 0))"
    )
    settle(tab)
    return waited


def chapters_drag():
    """On each of chapters 1 to 6 something is dragged to and fro (a dot, the ball, a center, a
    weight, the z of six curves) and its numbers follow at every move. Animation frames per second
    meanwhile, from the median gap; the slowest page."""
    rates, notes = {}, []
    with warm_tabs() as visit:
        for control in CONTROLS:
            if control.handle is None:
                continue
            tab = visit(control.slug)
            settle(tab)
            times, moves = _drag(tab, control)
            tab.context.close()
            gaps = np.diff(times)
            rates[control.slug] = float(1000 / np.median(gaps))
            notes.append(f"{control.slug} {rates[control.slug]:.1f}, {(gaps > 25).sum()} late "
                         f"of {len(gaps)}, {moves} moves drawn")  # fmt: skip
    ours = min(rates.values())
    return {"ours": ours, "peer": 60.0, "ratio": ours / 60, "unit": "frames/s",
            "note": "peer is the budget; slowest page (" + "; ".join(notes) + ")"}  # fmt: skip


def _drag(tab, control: Control) -> tuple[list[float], int]:
    handle = tab.locator(control.handle).first
    handle.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.locator(control.drawn).first.evaluate("""(drawn) => {
      const now = () => drawn.textContent + (drawn.getAttribute("transform") ?? "");
      let before = now();
      window.moves = 0;
      window.over = false;
      window.drag = stopwatch.frames(() => {
        if (now() !== before) { moves += 1; before = now(); }
        return over;
      });
    }""")
    for there in (control.across, 0, -control.across, 0):
        tab.mouse.move(x + there, y, steps=40)
    tab.evaluate("() => { over = true; }")
    times, moves = tab.evaluate("drag.then((times) => [times, moves])")
    tab.mouse.up()
    if moves < 20:
        raise RuntimeError(f"The drag on {control.slug} drew {moves} moves only.")
    return times, moves


def chapters_payload():
    """Every component of chapters 1 to 7 is drawn without a browser, the prediction let go. Bytes
    of the largest view that one component is sent."""
    from streamlit.testing.v1 import AppTest

    from benchmarks.peer import ROOT

    needs(*SLUGS)
    sizes = {}
    for slug in SLUGS:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()
        at.switch_page(f"pages/{slug}.py").run()
        for button in at.button:
            if button.label.startswith("I have no idea"):
                at = button.click().run()
                break
        for component in at.get("bidi_component"):
            view = json.loads(component.proto.json)
            size = len(json.dumps(view, separators=(",", ":")))
            sizes[f"{slug}/{component.proto.component_name}"] = size / 1e6
    name, ours = max(sizes.items(), key=lambda item: item[1])
    return {"ours": ours, "peer": 1.5, "ratio": 1.5 / ours, "unit": "MB",
            "note": f"peer is the budget; largest of {len(sizes)} components: {name}"}  # fmt: skip


def chapters_parser():
    """The strings of tests/test_expressions.py that are no formulas, some of a million characters,
    are given to the parser five times each. Milliseconds that the slowest refusal takes: the
    median of its five."""
    try:
        from tests.test_expressions import REFUSED
    except ImportError:
        raise Skip("pytest is not installed; requirements-dev.txt has it.") from None
    from microgpt.basics.expressions import parse

    slowest = []
    for text in REFUSED:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            try:
                parse(text)
            except ValueError:
                times.append(1e3 * (time.perf_counter() - began))
        slowest.append(statistics.median(times))
    return within(slowest, max, 50.0, "ms", f"the slowest of {len(REFUSED)} refusals")


def chapters_learning():
    """The playground's default network learns each of its four made sets from 200 points, in 1,000
    steps of 32 points. Seconds that the slowest takes; the note has the share of 200 held-back
    points that each gets right."""
    from widgets import network_link as links
    from widgets.network_experiment import Experiment

    seconds, right = [], []
    for name in ("moons", "circles", "spiral", "xor"):
        setup = links.Setup(data=name)
        burst = Experiment(setup, *links.points_of(setup, None)).burst(0, 1000, 1000)
        seconds.append(burst.seconds)
        right.append(f"{name} {burst.scores[-1][3]:.1%}")
    return within(seconds, max, 5.0, "s", f"the slowest set; {', '.join(right)} right")


BENCHMARKS = {
    "chapters_complete": chapters_complete,
    "chapters_control": chapters_control,
    "chapters_drag": chapters_drag,
    "chapters_payload": chapters_payload,
    "chapters_parser": chapters_parser,
    "chapters_learning": chapters_learning,
}
