"""The chapter frame without a browser: colors, prose, source, questions, marks, glossary."""

import ast
import functools
import gc
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
import weakref
from pathlib import Path

import numba
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from widgets import (
    book,
    chapter,
    components,
    engine,
    glossary,
    look,
    marks,
    prose,
    questions,
    source,
)

ROOT = Path(__file__).resolve().parent.parent
PROSE = [path for folder in ("pages", "widgets") for path in sorted((ROOT / folder).glob("*.py"))]


# --- Colors ---------------------------------------------------------------------------------


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(a: str, b: str) -> float:
    dark, light = sorted([luminance(a), luminance(b)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_standard_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("concept", look.CONCEPTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_concept_reads_as_text_on_both_surfaces(concept, theme):
    color = look.CONCEPTS[concept][theme == "dark"]
    for surface in look.SURFACES[theme]:
        assert contrast(color, surface) >= 4.5


def test_concepts_are_told_apart():
    for theme in (0, 1):
        assert len({pair[theme] for pair in look.CONCEPTS.values()}) == len(look.CONCEPTS)


def test_streamlit_is_themed_with_the_same_surfaces():
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))["theme"]
    for name, (page, panel) in look.SURFACES.items():
        assert theme[name]["backgroundColor"] == page
        assert theme[name]["secondaryBackgroundColor"] == panel
        assert contrast(theme[name]["textColor"], panel) >= 7
        for color in ("primaryColor", "linkColor", "grayTextColor"):
            assert contrast(theme[name][color], panel) >= 4.5, (name, color)
        assert contrast(theme[name]["primaryColor"], page) >= 4.5, "text on primary buttons"
    assert tuple(theme["chartSequentialColors"]) == look.SEQUENTIAL
    assert tuple(theme["chartDivergingColors"]) == look.DIVERGING
    lightness = [luminance(color) for color in look.SEQUENTIAL]
    assert lightness == sorted(lightness)


def test_colors_in_prose():
    light = look.CONCEPTS["query"][0]
    assert look.tint("a :query[b] c") == f'a :color[b]{{foreground="{light}"}} c'
    assert look.tint(":query[[b](#x) d]").startswith(":color[[b](#x) d]{")
    assert (
        look.tint("no :blue[b], no :query without words") == "no :blue[b], no :query without words"
    )
    with pytest.raises(ValueError, match="query"):
        look.color("quarry")


# --- Prose and glossary ---------------------------------------------------------------------


def test_terms_in_prose():
    assert prose.inline("a [[token]]") == "a [token](#term-token)"
    assert prose.inline("two [[token|little words]]") == "two [little words](#term-token)"
    assert prose.inline("[[Tokens]], [[LOGITS]]") == "[Tokens](#term-token), [LOGITS](#term-logit)"
    with pytest.raises(ValueError, match=r"glossary\.json"):
        prose.inline("[[flux capacitor]]")


@pytest.mark.parametrize(
    "text", ["*a* _b_ `c`", "[[token]]", ":red[x]", "$5 < 6$", "<b>", "# a", "a\nb"]
)
def test_literal_text_is_no_markup(text):
    shown = prose.literal(text)
    assert prose.inline(shown) == shown
    assert "\n" not in shown
    assert re.sub(r"\\(.)", r"\1", shown).replace("↵", "\n") == text


def test_glossary_is_complete():
    entries = glossary.terms()
    assert len(entries) >= 60
    slugs = [entry.slug for entry in entries]
    assert len(set(slugs)) == len(slugs)
    names = [n.lower() for entry in entries for n in (entry.term, *entry.aliases)]
    assert len(set(names)) == len(names)
    known = {c.slug for c in book.CHAPTERS}
    for entry in entries:
        assert entry.chapter == "" or entry.chapter in known
        for words in (entry.plain, entry.meaning, entry.scale):
            assert 5 <= len(words) <= 240 and words.endswith("."), entry.term
        assert glossary.find(entry.term) is entry


@pytest.mark.parametrize(
    "path", [p for p in PROSE if p.stem not in ("prose", "glossary")], ids=lambda p: p.stem
)
def test_every_term_in_prose_is_in_the_glossary(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for term in re.findall(r"\[\[([^\[\]|\n]+)(?:\|[^\[\]]+)?\]\]", node.value):
                glossary.find(term)


# --- Source panel ---------------------------------------------------------------------------

SAMPLE = '''\
def attend(q, k, v):
    """weights = nothing"""
    scores = (
        q @ k
    )
    if scores.size:
        weights, total = softmax(scores), 1
        weights[0] += 1
    for row in weights:
        out = row
    for scores in []:
        pass
    def inner():
        return later(1)
    return mix(weights) @ v
'''


@pytest.mark.parametrize(
    ("focus", "lines"),
    [
        ("weights", [7, 8]),
        ("total", [7]),
        ("scores", [3, 4, 5, 11]),
        ("softmax()", [7]),
        ("mix()", [15]),
        ("row", [9]),
        ("return", [14, 15]),
    ],
)
def test_lines_are_found_by_what_they_do(focus, lines):
    assert source.find(SAMPLE, focus) == lines


@pytest.mark.parametrize("focus", ["nothing", "q", "weights()", "soft"])
def test_pointing_at_nothing_is_an_error(focus):
    with pytest.raises(ValueError, match="No statement"):
        source.find(SAMPLE, focus)


def plain(x):
    # a comment, "quoted"
    return f"{x!r:>{10}}" + 'text' + str(2.5e3)  # fmt: skip


@functools.wraps(plain)
def wrapped(x):
    return plain(x)


@numba.njit(nogil=True)
def kernel(x):
    total = x + 1
    return total


@pytest.mark.parametrize("function", [plain, wrapped])
def test_a_passage_is_the_file_at_its_line_numbers(function):
    passage = source.passage(function, "return")
    file = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert passage.path == "tests/test_frame.py"
    assert tuple(file[passage.first - 1 :][: len(passage.lines)]) == passage.lines
    assert passage.lines[0] == "def plain(x):"
    assert [file[i - 1].strip().split()[0] for i in passage.focus] == ["return"]


def test_a_compiled_function_shows_what_was_compiled():
    passage = source.passage(kernel, ("total", "return"))
    assert "def kernel(x):" in passage.lines
    assert len(passage.focus) == 2


def test_methods_lose_their_indent():
    assert source.passage(questions.Choice.right).lines[0].startswith("def right(")


def test_highlighting_changes_no_letter():
    for function in (plain, kernel, source.highlight, source.panel, test_colors_in_prose):
        passage = source.passage(function)
        marked = source.highlight(passage.lines)
        assert tuple("".join(text for _, text in line) for line in marked) == passage.lines
    kinds = {
        text: kind for line in source.highlight(source.passage(plain).lines) for kind, text in line
    }
    assert kinds["def"] == "keyword" and kinds["plain"] == "defined"
    assert kinds["str"] == "builtin" and kinds["2.5e3"] == "literal"
    assert kinds['# a comment, "quoted"'] == "comment" and kinds["'text'"] == "string"


def test_live_facts():
    array = np.array([[0.0, -np.inf], [1.5, 2.0]], np.float32)
    assert source.describe("a", array) == "(2, 2) float32, from −∞ to 2"
    assert source.describe("a", np.arange(3)) == "(3,) int64, from 0 to 2"
    assert source.describe("a", np.zeros((0, 4))) == "(0, 4) float64"


# --- Marks ----------------------------------------------------------------------------------


def test_marks():
    assert marks.line("computed", by="tiny-base", where="layer 3, head 1", seconds=0.0018) == (
        "computed now by tiny-base, layer 3, head 1, in 1.8 ms"
    )
    assert (
        marks.line("reported", source="Brown et al.", year=2020) == "reported: Brown et al., 2020"
    )
    assert marks.line("illustrative") == "illustrative"
    with pytest.raises(ValueError, match="computed"):
        marks.line("guessed")
    with pytest.raises(ValueError, match="year"):
        marks.line("reported", source="somebody")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.8e-5, "38 µs"), (0.001, "1.0 ms"), (0.0123, "12 ms"), (2.44, "2.4 s"), (200, "3 min 20 s"),
     (0.99949, "999 ms"), (0.9996, "1.0 s"), (0, "0 µs")],
)  # fmt: skip
def test_durations(seconds, words):
    assert marks.duration(seconds) == words


# --- Components -----------------------------------------------------------------------------


def test_payload_is_plain_finite_and_small():
    view = {"a": np.float32(1.5), "b": np.arange(3), "c": (1, None, True), "d": {"e": "x"}}
    plain_view = {"a": 1.5, "b": [0, 1, 2], "c": [1, None, True], "d": {"e": "x"}}
    assert components.payload(view) == plain_view
    assert json.loads(json.dumps(components.payload(view), allow_nan=False)) == plain_view


@pytest.mark.parametrize("bad", [float("nan"), np.inf, np.array([1.0, -np.inf])])
def test_payload_names_the_place_of_a_number_that_is_not_finite(bad):
    with pytest.raises(ValueError, match=r"view\.rows\[1\]"):
        components.payload({"rows": [0, bad]})


def test_payload_has_a_budget_and_knows_its_types():
    components.payload({"x": "a" * 1_000_000})
    with pytest.raises(ValueError, match="1,500,000"):
        components.payload({"x": "a" * 1_500_000})
    with pytest.raises(ValueError, match=r"view\.f is a function"):
        components.payload({"f": plain})


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int32])
def test_packed_arrays_keep_every_bit(dtype):
    import base64

    array = np.arange(24).reshape(2, 3, 4).astype(dtype)[:, ::2]
    packed = components.packed(array)
    back = np.frombuffer(base64.b64decode(packed["packed"]), packed["dtype"]).reshape(
        packed["shape"]
    )
    np.testing.assert_array_equal(back, array)


def test_packed_refuses_what_the_browser_could_not_read():
    with pytest.raises(ValueError, match="float64"):
        components.packed(np.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        components.packed(np.array([np.nan], np.float32))


# --- Questions ------------------------------------------------------------------------------


def test_questions_are_refused_when_they_cannot_be_answered():
    with pytest.raises(ValueError, match="not one of"):
        questions.Choice("?", ["a", "b"], answer=2, explain="x")
    with pytest.raises(ValueError, match="each option"):
        questions.Choice("?", ["a", "b"], answer=1, explain=["x"])
    with pytest.raises(ValueError, match="tolerance"):
        questions.Number("?", answer=1, tolerance=-1, explain="x")
    with pytest.raises(ValueError, match="nan"):
        questions.Number("?", answer=lambda: float("nan"), tolerance=1, explain="x").right(1)
    with pytest.raises(ValueError, match="published"):
        chapter.Reported("GPT", "much", "hearsay", 2026, status="certain")


@pytest.mark.parametrize(("given", "right"), [(3.0, True), (3.1, True), (3.11, False), (-3, False)])
def test_numbers_are_graded_by_their_tolerance(given, right):
    number = questions.Number("?", answer=lambda: np.float32(3), tolerance=0.1001, explain="x")
    assert number.right(given) is right


def page():
    import streamlit as st

    from widgets import chapter, progress

    st.session_state["chapter"] = "sampling"
    progress.reset_run()
    guess = chapter.predict(
        chapter.Choice("Which [[token]]?", ["one", "two"], answer=1, explain="because")
    )
    st.text("hidden" if guess is None else f"revealed {guess.value} {guess.right}")
    chapter.check(
        chapter.Choice("First?", ["yes", "no"], answer=0, explain=["of course", "it is not"]),
        chapter.Number(
            "How many?",
            answer=lambda: 7,
            tolerance=0.5,
            unit="tokens",
            explain="seven",
            earlier="sampling",
        ),
    )


def words(at) -> str:
    return "\n".join(element.value for element in at.markdown)


def score(at) -> dict:
    protos = [
        c.proto for c in at.get("bidi_component") if c.proto.component_name == "press_enter_score"
    ]
    return json.loads(protos[0].json)[0]


def test_a_prediction_is_committed_before_the_reveal():
    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    assert at.text[0].value == "hidden" and at.button[0].disabled
    at.radio[0].set_value(0).run()
    assert at.text[0].value == "hidden", "choosing is not committing"
    at.button[0].click().run()
    assert at.text[0].value == "revealed 0 False"
    assert "Not this" in words(at) and "It is: two. because" in words(at)
    at.run()
    assert at.text[0].value == "revealed 0 False", "what was committed stays"


def test_a_prediction_can_be_passed():
    at = AppTest.from_function(page, default_timeout=60).run()
    at.button[1].click().run()
    assert at.text[0].value == "revealed None False"
    assert "Here it is." in words(at) and "because" in words(at)


def test_questions_are_graded_as_they_are_answered():
    at = AppTest.from_function(page, default_timeout=60).run()
    assert score(at) == {"slug": "sampling", "total": 2, "answered": {}, "initial": {}, "rev": 0}
    at.radio[1].set_value(1).run()
    assert "it is not" in words(at)
    at.radio[1].set_value(0).run()
    assert "of course" in words(at) and "it is not" not in words(at)
    at.number_input[0].set_value(6.4).run()
    assert score(at)["answered"] == {"0": True, "1": False}
    at.number_input[0].set_value(6.6).run()
    assert score(at)["answered"] == {"0": True, "1": True}
    assert "From Sampling" in words(at)


def second_gate():
    import streamlit as st

    from widgets import chapter, progress

    st.session_state["chapter"] = "sampling"
    progress.reset_run()
    for _ in range(2):
        chapter.predict(chapter.Choice("?", ["a"], answer=0, explain="x"))


def test_a_page_has_one_gate():
    at = AppTest.from_function(second_gate, default_timeout=60).run()
    assert "one prediction at most" in at.exception[0].message


# --- Table of contents and engine -----------------------------------------------------------


def test_neighbors_are_chapters_that_exist():
    known = book.contents()
    assert book.neighbors(known[0])[0] is None
    assert book.neighbors(known[-1])[1] is None
    for before, after in itertools.pairwise(known):
        assert book.neighbors(before)[1] is after and book.neighbors(after)[0] is before
    with pytest.raises(ValueError, match="sampling"):
        book.find("astrology")


def test_waiting_for_the_engine_ends_even_when_there_is_no_model(monkeypatch):
    monkeypatch.setattr(engine, "HEAD_START", 0)
    monkeypatch.setattr(engine, "models", lambda: [])
    assert all(event.wait(10) for event in engine.warm_up.__wrapped__().values())


def test_waiting_for_the_engine_ends_even_when_a_model_is_broken(monkeypatch):
    def broken():
        raise ValueError("model.safetensors is cut short")

    monkeypatch.setattr(engine, "HEAD_START", 0)
    monkeypatch.setattr(engine, "models", broken)
    assert all(event.wait(10) for event in engine.warm_up.__wrapped__().values())


def test_what_stays_is_spared_by_the_collector_and_garbage_is_found_in_the_end():
    class Ring:
        pass

    ring = Ring()
    ring.self = ring
    gone = weakref.ref(ring)
    try:
        engine.tidy()
        assert gc.get_freeze_count() > 10_000, "the collector still looks at everything"
        del ring
        engine.tidy()
        assert gone() is None
    finally:
        gc.unfreeze()


def test_kernels_are_compiled_outside_the_server_and_found_in_the_cache(tmp_path):
    use = f"""if True:
        from microgpt.decoding import kernels, warm
        from microgpt.model.checkpoint import load
        warm.answer(load("{engine.MODEL}"))
        compiled = kernels.decode_step.stats.cache_misses
        print(sum(compiled.values()))
    """
    missed = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", use], cwd=engine.ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        )  # fmt: skip
        missed.append(int(done.stdout))
    assert missed == [1, 0]


def test_what_is_compiled_beforehand_is_all_that_a_watched_training_needs():
    use = f"""if True:
        import sys
        from microgpt.decoding import warm
        from microgpt.insight import switchboard
        from microgpt.model.checkpoint import load
        from microgpt.training.live import Training
        from microgpt.training.setup import Setup
        from widgets.pre_training_files import write

        def compiled():
            modules = [module for name, module in sys.modules.items() if name.startswith("microgpt")]
            return {{kernel.__name__: set(kernel.signatures) for module in modules
                    for kernel in vars(module).values() if hasattr(kernel, "signatures")}}

        model = load("{engine.MODEL}")
        for part in warm.PARTS.values():
            part(model)
        before = compiled()
        next(switchboard.race(model.tokenizer, ((), ("norms", "mlp")), look=1))
        for _ in Training(Setup(steps=2, context=16, vocabulary=300), None, write):
            pass
        after = compiled()
        print(len(after), [name for name in after if after[name] - before.get(name, set())])
    """
    done = subprocess.run([sys.executable, "-c", use], cwd=engine.ROOT, capture_output=True, text=True,
                          check=True)  # fmt: skip
    number, late = done.stdout.split(maxsplit=1)
    assert int(number) > 40 and late.strip() == "[]"
