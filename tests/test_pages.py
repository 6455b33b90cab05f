"""Every page of the table of contents, run as Streamlit runs it, through app.py."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from widgets import book, engine, next_token

APP = str(book.ROOT / "app.py")
SECONDS = 120  # a cold compiler may need them; nothing here is timed


def opened(chapter: book.Chapter) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=SECONDS)
    at.run()
    if chapter.number:
        at.switch_page(chapter.file)
        at.run()
    return at


def components(at: AppTest) -> list[str]:
    return [c.proto.component_name.removeprefix("press_enter_") for c in at.get("bidi_component")]


@pytest.mark.parametrize("chapter", book.contents(), ids=lambda chapter: chapter.slug)
def test_page_runs_inside_the_frame(chapter):
    at = opened(chapter)
    assert not at.exception
    assert [title.value for title in at.title] == [chapter.title if chapter.number else book.TITLE]
    assert {"progress", "glossary"} <= set(components(at)), "the page ran without app.py"
    assert not at.error


@pytest.mark.parametrize(
    "chapter", [c for c in book.contents() if c.number], ids=lambda chapter: chapter.slug
)
def test_page_has_the_anatomy_of_a_chapter(chapter):
    at = opened(chapter)
    words = "\n".join(element.value for element in at.markdown)
    assert f"Part {chapter.part} · {book.PARTS[chapter.part]}" in words
    frame = at.session_state["frame"]
    assert frame["asked"] == 1, "a chapter answers one question"
    assert frame["checks"] == 1, "a chapter has questions to check yourself"
    assert frame["panels"] >= 1, "a chapter shows its source"
    assert frame["ends"] == 1, "a chapter ends with the one before and the one after"
    assert any(kind in words for kind in ("computed now", "measured", "reported"))
    before, after = book.neighbors(chapter)
    links = [link.proto.label for link in at.main.get("page_link")]
    wanted = [f"Back: {before.title}"] if before else []
    wanted += [f"Next: {after.title}"] if after else []
    assert links[-len(wanted) :] == wanted


def test_two_sessions_keep_apart():
    first, second = (opened(chapter) for chapter in (book.contents()[-1], book.contents()[-1]))
    first.session_state["mine"] = 1
    first.run()
    second.run()
    assert not first.exception and not second.exception
    assert "mine" not in second.session_state


def test_what_is_typed_on_the_cover_lasts():
    at = opened(book.contents()[0])
    at.session_state["next_token"] = {"text": "Once upon"}
    at.run()
    assert not at.exception
    view = next(
        c.proto.json for c in at.get("bidi_component")
        if c.proto.component_name == "press_enter_next_token"
    )  # fmt: skip
    assert '"text": "Once upon"' in view


def test_a_damaged_model_is_said_in_a_sentence(monkeypatch):
    from widgets import engine

    def damaged(name):
        raise ValueError(f"The file of {name} is cut short.")

    monkeypatch.setattr(engine, "load", damaged)
    monkeypatch.setattr(engine, "models", lambda: ["tiny-base"])
    at = opened(book.contents()[0])
    assert not at.exception
    assert [error.value for error in at.error] == ["The file of tiny-base is cut short."]


def test_the_line_says_the_same_before_the_kernels_are_compiled():
    model = engine.load("tiny-base")
    for text in ("", "The curious cat", "sum 457+268= \u00e9\u4e2d" * 30):
        fast, readable = (next_token.compute(model, text, fast) for fast in (True, False))
        assert readable.names == fast.names and readable.dropped == fast.dropped
        np.testing.assert_allclose(readable.probabilities, fast.probabilities, rtol=1e-3)
