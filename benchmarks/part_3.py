"""Chapter 9 while its sentence is typed and pointed at, and chapter 10 while its models learn.

As in app.py the "peer" is the budget that the project set itself; a ratio above 1 is within it.
"""

from functools import cache

from benchmarks.app import needs, p95, smooth, warm_page, within
from benchmarks.browser import open_tab, settle

TYPED = 20  # texts
STARTS = 10  # trainings
SWEEPS = 6  # of the mouse over the matrix and over the tokens
POINTS = "stopwatch.deep('[data-points] > svg > :is(polyline, circle:not(.mark))')"


def text_of(i: int) -> str:
    """A text of 64 tokens and more, of which the page reads 64; another for each i."""
    return f"Ann has {i} cats. " + "The cat sat on the mat because it was tired. " * 6


def typed(page, text: str) -> float:
    """Put a text where the sentence stands; milliseconds until the picture of it is painted."""
    waited = page.evaluate(
        """async (text) => {
          const line = stopwatch.deep("textarea#text"), root = line.closest(".root");
          line.value = text;
          const begin = performance.now();
          line.dispatchEvent(new Event("input", { bubbles: true }));
          return (await stopwatch.when(() => root.dataset.text === text)) - begin;
        }""",
        text,
    )
    page.wait_for_timeout(1500)  # the rest of the page reads the text when it is whole
    settle(page)
    return waited


@cache
def typing() -> tuple[list[float], float]:
    """Milliseconds of each text, and megabytes of the largest message that the server sent."""
    needs("attention")
    sent = [0]
    with warm_page("attention") as page:
        page.on("websocket", lambda socket: socket.on(
            "framereceived", lambda message: sent.append(len(message))))  # fmt: skip
        page.reload()
        settle(page)
        waited = [typed(page, text_of(i)) for i in range(TYPED + 2)][2:]
    if max(sent) == 0:
        raise RuntimeError("No message of the server was heard.")
    return waited, max(sent) / 1e6


def chapters_attention():
    """Chapter 9 with tiny-base: another text of 64 tokens each time, as if it was typed.
    Milliseconds from the input to the frame in which its arcs, its matrix and every head are
    painted; 95th percentile."""
    return within(typing()[0], p95, 400.0, "ms", "95th percentile")


def attention_payload():
    """The same texts, and the page before them. Megabytes of the largest single message that the
    server sends the browser."""
    ours = typing()[1]
    return {"ours": ours, "peer": 1.5, "ratio": 1.5 / ours, "unit": "MB",
            "note": "peer is the budget"}  # fmt: skip


def attention_hover():
    """Chapter 9 with 64 tokens: the mouse sweeps over the matrix and along the tokens, and arcs,
    percentages, cursor and sentence follow. Animation frames per second meanwhile, from the median
    gap."""
    needs("attention")
    with warm_page("attention") as page:
        typed(page, text_of(0))
        page.locator(".matrix").scroll_into_view_if_needed()
        boxes = [page.locator(name).first.bounding_box() for name in (".matrix", ".picture svg")]
        page.evaluate("""() => {
          window.moves = 0; window.over = false;
          new MutationObserver(() => moves++).observe(stopwatch.deep("p.say"), { childList: true });
          window.swept = stopwatch.frames(() => over);
        }""")
        matrix, tokens = boxes
        for _ in range(SWEEPS):
            for at in (0.98, 0.3):  # down the matrix, on the side that is not the future
                page.mouse.move(matrix["x"] + matrix["width"] * 0.25,
                                matrix["y"] + matrix["height"] * at, steps=60)  # fmt: skip
            for at in (0.02, 0.98):
                page.mouse.move(tokens["x"] + tokens["width"] * at,
                                tokens["y"] + tokens["height"] - 50, steps=60)  # fmt: skip
        page.evaluate("() => { over = true; }")
        times, moves = page.evaluate("swept.then((times) => [times, moves])")
    return smooth(times, moves, least=100)


def switchboard_first_points():
    """Chapter 10, each time in a browser that has not been there: "Train both" is pressed. Seconds
    from the click to the frame after both models' first losses stand in the chart; 95th
    percentile. A first training on the same server, which loads its kernels, is not counted."""
    needs("transformer")
    samples = []
    with warm_page("transformer") as page:
        for _ in range(STARTS + 1):
            tab = open_tab(page.context.browser)
            tab.goto(page.url)
            settle(tab)
            tab.get_by_role("button", name="I have no idea").first.click()
            button = tab.get_by_role("button", name="Train both")
            button.wait_for()
            settle(tab)
            tab.evaluate(f"() => {{ window.drawn = stopwatch.when(() => {POINTS}); }}")
            button.click()
            samples.append(tab.evaluate("drawn.then((t) => t - stopwatch.last.click)") / 1000)
            tab.get_by_role("button", name="Stop", exact=True).first.click()
            settle(tab)
            tab.context.close()
    return within(samples[1:], p95, 1.0, "s", "95th percentile")


BENCHMARKS = {
    "chapters_attention": chapters_attention,
    "attention_payload": attention_payload,
    "attention_hover": attention_hover,
    "switchboard_first_points": switchboard_first_points,
}
