"""Chapter 8 in a browser: pieces, merges, the map, the orders and the clocks, read back."""

import re
import time

import numpy as np
import pytest

from microgpt.tokens import bpe
from widgets import (
    embeddings_map,
    engine,
    positions_rope,
    tokens_text,
    tokens_tiktoken,
    tokens_training,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("tiny-base" not in engine.models(), reason="there is no trained model here"),
]


def number(text: str) -> float:
    return float(re.sub(r"[^\d.−-]", "", text).replace("−", "-"))


def soon(tab, check, seconds=60) -> None:
    """Wait until `check()` holds: the server answers in its own time."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it never happened"
        tab.page.wait_for_timeout(50)


def opened(visit, app, query="", **screen):
    tab = visit(**screen)
    tab.open(f"{app}/tokens{query}")
    soon(tab, lambda: tab.page.locator(".clocks figure").count() > 0)
    tab.settle()
    return tab


def fine(tab) -> None:
    assert tab.problems == []
    assert tab.page.get_by_text("BidiComponent Error").count() == 0
    assert tab.page.locator("[data-testid=stException]").count() == 0


def rows(tab) -> dict[str, int]:
    """How many tokens each tokenizer shows."""
    names = tab.page.locator("section .title span").all_inner_texts()
    counts = tab.page.locator("section .title .count").all_inner_texts()
    return {name: int(number(count)) for name, count in zip(names, counts, strict=True)}


def type_into(tab, label: str, text: str) -> None:
    field = tab.page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Control+Enter" if label.startswith("Your") else "Enter")
    tab.settle()


def test_pieces_by_mouse_keys_and_examples(visit, app):
    tab = opened(visit, app)
    read = tab.page.locator("p.read")
    own = engine.load("tiny-base").tokenizer
    ids = own.encode(tokens_tiktoken.QUOTED)
    shown = tab.page.locator(".chips").first.locator(".chip i").all_inner_texts()
    assert [int(i) for i in shown] == ids
    chip = tab.page.locator(".chips").first.locator(".chip").nth(2)
    chip.hover()
    assert "·how" in read.inner_text() and "20 68 6F 77" in read.inner_text()
    same = tab.page.locator(".chips").last.locator(".chip.same b").all_inner_texts()
    assert same == ["·", "h", "o", "w"]
    chip.focus()
    tab.page.keyboard.press("ArrowRight")
    assert "·many" in read.inner_text()
    tab.page.keyboard.press("End")
    assert f"token {len(ids)} of {len(ids)}" in read.inner_text()
    tab.page.keyboard.press("ArrowDown")
    assert "for tiny-base" not in read.inner_text() and "?" in read.inner_text()
    for label, text in tokens_text.PRESETS.items():
        tab.page.get_by_role("button", name=label, exact=True).click()
        soon(tab, lambda text=text: rows(tab)["Bytes"] == len(text.encode()))
        assert rows(tab)["Characters"] == len(text)
    fine(tab)


def test_own_text_of_any_kind(visit, app):
    tab = opened(visit, app)
    for text in ("x", "🐈" * 30, "سلام دنیا", "if (a<b) { **x** [[y]] }\n", "a" * 30_000):
        type_into(tab, "Your text", text)
        size = len(text[: tokens_text.MOST].encode())
        soon(tab, lambda size=size: rows(tab).get("Bytes") == size)
    assert tab.page.get_by_text("stays in the box").count() == 1
    more = tab.page.get_by_role("button", name=re.compile("Show .* more")).first
    before = tab.page.locator(".chip").count()
    more.click()
    assert tab.page.locator(".chip").count() > before
    type_into(tab, "Your text", "")
    soon(tab, lambda: tab.page.get_by_text("An empty text has no tokens").count() == 1)
    fine(tab)


def test_a_link_brings_the_text_and_the_settings(visit, app):
    tab = opened(visit, app, "?text=Twelve%20cats&tokens_scheme=ALiBi")
    assert tab.page.get_by_label("Your text", exact=True).input_value() == "Twelve cats"
    assert rows(tab)["Characters"] == 11
    assert tab.page.get_by_text("A score is lowered by the distance").count() == 1
    type_into(tab, "Your text", "Other words")
    soon(tab, lambda: "text=Other" in tab.page.url)
    fine(tab)


def test_training_is_stepped_played_and_scrubbed(visit, app):
    tab = opened(visit, app)
    run = tokens_training.compute(tokens_training.CORPUS, 40)
    say = tab.page.locator("p.say").first
    player = tab.page.locator(".root", has=tab.page.locator(".pairs"))
    field = player.get_by_label("Merge", exact=True)
    for at in (0, 3, 40):
        field.fill(str(at))
        field.press("Enter")
        merges = [(*s.pair, s.token) for s in run.steps[:at]]
        ids = bpe.Tokenizer(merges, "digits", {}).encode(tokens_training.CORPUS)
        assert player.locator(".piece").count() == len(ids)
        if at:
            assert f"now has {len(ids)} tokens" in say.inner_text()
    player.get_by_role("button", name="Back to the start").click()
    assert "No merge yet" in say.inner_text()
    player.get_by_role("button", name="One merge").click()
    first = run.steps[0]
    assert f"{first.count} times" in say.inner_text()
    assert player.locator(".count").first.inner_text() == str(run.steps[1].count)
    player.get_by_role("button", name="Play").click()
    soon(tab, lambda: "Merge 3" in say.inner_text())
    player.get_by_role("button", name="Pause").click()
    player.get_by_label("Merges done").focus()
    tab.page.keyboard.press("End")
    assert "Merge 40:" in say.inner_text()
    assert tab.page.get_by_text("the very same ids").count() == 1
    type_into(tab, "A word to encode", "lowers")
    soon(tab, lambda: tab.page.locator(".rows .line").last.locator(".piece b").all_inner_texts()
         == [tokens_text.name_of(run.tokenizer.tokens[i]) for i in run.tokenizer.encode("lowers")])  # fmt: skip
    type_into(tab, "Your corpus", "ab ab ab")
    soon(tab, lambda: tab.page.get_by_text("nothing more to merge").count() >= 1)
    fine(tab)


def test_a_file_becomes_the_corpus_or_a_sentence(visit, app):
    tab = opened(visit, app)
    chooser = tab.page.locator("input[type=file]")
    field = tab.page.get_by_label("Your corpus", exact=True)

    def choose(name: str, data: bytes) -> None:
        chooser.set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})

    choose("own.txt", "zwei Katzen, drei Katzen 🐈".encode())
    soon(tab, lambda: field.input_value() == "zwei Katzen, drei Katzen 🐈")
    choose("picture.png", bytes(range(256)))
    soon(tab, lambda: tab.page.get_by_text("is no text in UTF-8").count() == 1)
    choose("large.txt", b"x" * 1_000_001)
    soon(tab, lambda: tab.page.get_by_text("a file may have 1,000,000").count() == 1)
    assert field.input_value() == "zwei Katzen, drei Katzen 🐈"
    choose("long.txt", b"ab " * 10_000)
    soon(tab, lambda: tab.page.get_by_text("has 30,000 characters").count() == 1)
    soon(tab, lambda: len(field.input_value()) == tokens_training.MOST)
    fine(tab)


def test_the_map_is_searched_clicked_and_keyed(visit, app):
    tab = opened(visit, app)
    model = engine.load("tiny-base")
    names, table = embeddings_map.names_of(model), embeddings_map.table_of(model)
    board = tab.page.locator(".root", has=tab.page.locator("svg.map"))
    field = board.get_by_label("Find a token")
    field.fill("dog")
    field.press("Enter")
    soon(tab, lambda: "·dog" in board.locator(".say").inner_text())
    token = names.index("·dog")
    likeness = table @ table[token] / np.linalg.norm(table, axis=1)
    best = int(np.argsort(-likeness)[1])
    assert board.locator(".near .name").first.inner_text() == names[best]
    board.locator(".near button").first.click()
    soon(tab, lambda: names[best] in board.locator(".say").inner_text())
    board.get_by_label("or by its id").fill("51")
    board.get_by_label("or by its id").press("Enter")
    soon(tab, lambda: "Token 51," in board.locator(".say").inner_text())
    board.locator(".points text").first.scroll_into_view_if_needed()
    point = board.locator(".points text").first.bounding_box()
    tab.page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    soon(tab, lambda: board.locator(".hover text").count() == 1)
    tab.page.mouse.down()
    tab.page.mouse.up()
    soon(tab, lambda: "Token 51," not in board.locator(".say").inner_text())
    type_into(tab, "plus", "Schwarzenegger")
    soon(tab, lambda: tab.page.get_by_text("is not one token for").count() == 1)
    fine(tab)


def test_positions_are_switched_off_and_the_orders_become_one(visit, app):
    tab = opened(visit, app)
    tab.page.get_by_role("button", name="I have no idea: show me").click()
    soon(tab, lambda: tab.page.get_by_text("part in layer 1").count() >= 1)
    tab.page.get_by_role("radio", name="None", exact=True).click()
    soon(tab, lambda: tab.page.get_by_text("part in layer 2").count() >= 1)
    tab.page.get_by_text("Causal mask", exact=True).click()
    soon(tab, lambda: tab.page.get_by_text("the two vectors stay the same").count() >= 1)
    assert "tokens_order_positions=" in tab.page.url
    type_into(tab, "Another order", "no dog")
    soon(tab, lambda: tab.page.get_by_text("Write the same words in both boxes").count() == 1)
    tab.page.get_by_role("button", name="Train five models").click()
    soon(tab, lambda: tab.page.get_by_text("it was never above 50 %").count() >= 1)
    fine(tab)


def test_the_clocks_are_turned_by_drag_keys_and_number(visit, app):
    tab = opened(visit, app)
    found = positions_rope.compute(engine.load("tiny-base"), positions_rope.TEXT, 1, 0)
    clocks = tab.page.locator(".root", has=tab.page.locator(".clocks"))
    say = clocks.locator(".score")

    def score() -> float:
        return number(say.inner_text())

    n, m = found.at
    assert score() == pytest.approx(positions_rope.score_at(found, n - m), abs=6e-4)
    before = clocks.locator("figure").first.inner_html()
    clocks.get_by_role("button", name="Both one later").click()
    assert score() == pytest.approx(positions_rope.score_at(found, n - m), abs=6e-4)
    assert clocks.locator("figure").first.inner_html() != before, "the hands turned"
    hand = clocks.get_by_label("Query hand of clock 1", exact=True)
    hand.focus()
    tab.page.keyboard.press("ArrowRight")
    assert score() == pytest.approx(positions_rope.score_at(found, n - m + 1), abs=6e-4)
    field = clocks.get_by_label("Key position, as a number")
    field.fill("0")
    field.press("Enter")
    position = int(clocks.get_by_label("Query position, as a number").input_value())
    assert score() == pytest.approx(positions_rope.score_at(found, position), abs=6e-4)
    hand.scroll_into_view_if_needed()
    box = hand.bounding_box()
    face = clocks.locator("figure svg").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    cx, cy = face["x"] + face["width"] / 2, face["y"] + face["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    turn = 1.1  # radians counterclockwise: a little more than one position of the first clock
    for part in np.linspace(0, turn, 8):
        c, s = np.cos(part), np.sin(part)
        dx, dy = x - cx, cy - y
        tab.page.mouse.move(cx + c * dx - s * dy, cy - (s * dx + c * dy))
    tab.page.mouse.up()
    after = int(clocks.get_by_label("Query position, as a number").input_value())
    assert after == position + 1
    assert score() == pytest.approx(positions_rope.score_at(found, after), abs=6e-4)
    fine(tab)


def test_a_phone_has_room_for_fingers_and_nothing_scrolls_sideways(visit, app):
    tab = opened(visit, app, width=390, scheme="dark", has_touch=True)
    wide = tab.page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(e => !e.closest('pre') && e.scrollWidth > e.clientWidth + 2
                && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
            .map(e => [e.className, e.dataset.testid, e.scrollWidth])"""
    )
    assert wide == []
    for part in (".chips .chip", ".bar button", ".near button", ".controls input", ".more"):
        heights = [box["height"] for e in tab.page.locator(part).all() if (box := e.bounding_box())]
        assert all(height >= 43.5 for height in heights), part
    tab.page.locator(".chips").first.locator(".chip").nth(1).tap()
    assert "token 2 of" in tab.page.locator("p.read").inner_text()
    fine(tab)
