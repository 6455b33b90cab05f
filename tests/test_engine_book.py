"""Chapter 21: the book is the source, whole and as it stands on the disk."""

import json
import os

import pytest
from streamlit.testing.v1 import AppTest

from widgets import book as contents
from widgets import components, engine_book, engine_examples, engine_scan, source
from widgets.engine_scan import Use

FILES = {
    "microgpt/__init__.py": "",
    "microgpt/autograd/__init__.py": '"""The ground. Read `tape` before `ops`."""\n',
    "microgpt/autograd/ops.py": '''
"""Operations.

    an example, kept as it is

The end of it.
"""

LIMIT = 3


def double(x):  # (N,) -> (N,)
    """Twice x.

    More words.
    """
    return x + x


def double_backward(grad):
    return double(grad)
''',
    "microgpt/autograd/kernels.py": "def double(x):\n    return x * 2\n",
    "microgpt/autograd/tape.py": '''
"""The tape."""

from . import ops


def primitive(module, name):
    return getattr(module, name)


double = primitive(ops, "double")


class Tape:
    """Remembers."""

    @property
    def size(self):
        return self.count()

    def count(self):
        return LIMIT

    @staticmethod
    def make():
        return Tape()


LIMIT = ops.LIMIT
''',
    "microgpt/model/__init__.py": "from microgpt.autograd.tape import Tape as Recorder\n",
    "microgpt/model/gpt.py": '''
"""The model."""

from microgpt.autograd import tape as t
from microgpt.autograd.tape import Tape


def helper(double):
    return double(1) + sum(helper for helper in [1])


def gpt(x):
    """Goes forward."""
    from microgpt.autograd.ops import double as twice

    tape = Tape.make()
    return helper(t.double(twice(x))), tape


TABLE = {"gpt": gpt}


def by_table(name):
    return TABLE[name]
''',
    "widgets/show.py": "import microgpt.model.gpt\n\n\ndef draw():\n    return microgpt.model.gpt.gpt(1)\n",
    "pages/one.py": "from microgpt.model import Recorder\n\nRecorder()\n",
    "tests/test_it.py": '''
import pytest

from microgpt.autograd import ops
from microgpt.model import gpt

MADE = gpt.by_table


@pytest.fixture
def answer():
    return gpt.gpt(1)


def prepare():
    return ops.double(2)


def test_through_a_fixture(answer):
    assert answer


@pytest.mark.parametrize("x", [1])
def test_through_a_helper(x):
    assert prepare()


def test_through_a_name():
    assert MADE("gpt")


def test_nothing():
    assert 1
''',
    "tests/broken.py": "def (:\n",
}


@pytest.fixture
def tree(tmp_path):
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def book():
    return engine_scan.read()


def targets(book, name):
    return {(use.path, use.inside) for use in book.uses.get(name, ())}


# --- a small tree, where every answer is known ----------------------------------------------------


def test_modules_come_in_reading_order(tree):
    names = [module.name for module in engine_scan.read(tree).modules]
    assert names == ["microgpt.autograd.ops", "microgpt.autograd.tape",
                     "microgpt.autograd.kernels", "microgpt.model.gpt"]  # fmt: skip


def test_a_floor_that_is_used_comes_first_whatever_its_name(tree):
    (tree / "microgpt/basics").mkdir()
    (tree / "microgpt/basics/play.py").write_text("from microgpt.autograd import ops\n")
    floors = [module.floor for module in engine_scan.read(tree).modules]
    assert floors == ["autograd"] * 3 + ["basics", "model"]


def test_where_there_is_a_choice_the_docstring_of_the_floor_decides(tree):
    (tree / "microgpt/autograd/tape.py").write_text("X = 1\n")
    names = [module.name for module in engine_scan.read(tree).modules][:3]
    assert names == ["microgpt.autograd.tape", "microgpt.autograd.ops", "microgpt.autograd.kernels"]


def test_modules_that_import_each_other_are_still_all_there(tree):
    (tree / "microgpt/autograd/kernels.py").write_text("from microgpt.autograd import tape\n")
    (tree / "microgpt/autograd/ops.py").write_text("from microgpt.autograd import kernels\n")
    assert len(engine_scan.read(tree).modules) == 4


def test_functions_classes_and_methods_are_found(tree):
    functions = engine_scan.read(tree).functions
    double = functions["microgpt.autograd.ops.double"]
    assert (double.kind, double.signature, double.summary) == ("function", "double(x)", "Twice x.")
    assert (double.line, double.lines, double.short) == (12, 6, "double")
    size = functions["microgpt.autograd.tape.Tape.size"]
    assert (size.kind, size.short, size.module) == ("method", "Tape.size", "microgpt.autograd.tape")
    assert size.line == 17, "a decorator belongs to what it decorates"
    assert functions["microgpt.autograd.tape.Tape"].signature == "class Tape"


def test_uses_are_seen_through_imports_of_every_kind(tree):
    book = engine_scan.read(tree)
    assert targets(book, "microgpt.model.gpt.gpt") == {
        ("widgets/show.py", "draw"), ("microgpt/model/gpt.py", ""), ("tests/test_it.py", "answer"),
    }  # fmt: skip
    assert targets(book, "microgpt.autograd.ops.double") == {
        ("microgpt/autograd/ops.py", "double_backward"),
        ("microgpt/autograd/tape.py", ""),  # looked up by name
        ("microgpt/model/gpt.py", "gpt"),
        ("tests/test_it.py", "prepare"),
    }
    lines = [use.line for use in book.uses["microgpt.autograd.ops.double"]
             if use.path == "microgpt/model/gpt.py"]  # fmt: skip
    assert len(lines) == 1, "twice in one line is one place"
    assert targets(book, "microgpt.autograd.tape.Tape.make") == {("microgpt/model/gpt.py", "gpt")}
    assert targets(book, "microgpt.autograd.tape.Tape.count") == {
        ("microgpt/autograd/tape.py", "Tape.size"),
    }
    assert ("pages/one.py", "") in targets(book, "microgpt.autograd.tape.Tape"), "re-exported"


def test_a_local_name_hides_the_modules(tree):
    book = engine_scan.read(tree)
    assert targets(book, "microgpt.model.gpt.helper") == {("microgpt/model/gpt.py", "gpt")}


def test_what_is_looked_up_by_name_brings_its_backward_and_its_twin(tree):
    book = engine_scan.read(tree)
    assert ("microgpt/autograd/tape.py", "") in targets(book, "microgpt.autograd.ops.double_backward")
    assert ("microgpt/autograd/tape.py", "") in targets(book, "microgpt.autograd.kernels.double")
    assert "microgpt.model.gpt.gpt" in book.reaching("microgpt.autograd.kernels.double")


def test_tests_are_counted_through_fixtures_helpers_and_names(tree):
    book = engine_scan.read(tree)

    def named(name):
        return [test.name for test in engine_book.tests_of(book, name)]

    assert named("microgpt.model.gpt.gpt") == ["test_through_a_fixture"]
    assert named("microgpt.autograd.ops.double") == ["test_through_a_helper"]
    assert named("microgpt.model.gpt.by_table") == ["test_through_a_name"]
    reaching = [t.name for t in engine_book.tests_reaching(book, "microgpt.model.gpt.helper")]
    assert reaching == ["test_through_a_fixture", "test_through_a_name"]
    assert engine_book.tests_in_words(book, "microgpt.model.gpt.helper") == (
        "No test names it; 2 can come to it through others."
    )
    assert engine_book.tests_in_words(book, "microgpt.model.gpt.gpt") == (
        "1 test names it; 1 more can come to it through others."
    )
    shortest = engine_book.shortest_test(book, "microgpt.autograd.ops.double")
    text = FILES["tests/test_it.py"].split("\n")
    assert text[shortest.line - 1].startswith("@pytest.mark.parametrize")
    assert shortest.lines == 3


def test_a_file_that_is_no_python_is_named_and_harms_nothing(tree):
    (tree / "pages/binary.py").write_bytes(b"\xff\x00\xfe")
    book = engine_scan.read(tree)
    assert set(book.unreadable) == {"tests/broken.py", "pages/binary.py"}
    assert len(book.modules) == 4


def test_a_change_of_the_source_is_seen_at_once(tree):
    before = engine_scan.read(tree)
    assert engine_scan.read(tree) is before
    path = tree / "microgpt/autograd/ops.py"
    path.write_text(path.read_text() + "\n\ndef triple(x):\n    return 3 * x\n")
    os.utime(path, ns=(1, 1))
    after = engine_scan.read(tree)
    assert "microgpt.autograd.ops.triple" in after.functions
    assert "microgpt.autograd.ops.triple" not in before.functions


def test_a_card_shows_purpose_uses_and_neighbors(tree):
    book = engine_scan.read(tree)
    card = engine_book.card_view(book, "microgpt.autograd.ops")
    assert card["purpose"] == [
        {"code": False, "text": "Operations."},
        {"code": True, "text": "    an example, kept as it is"},
        {"code": False, "text": "The end of it."},
    ]
    assert (card["previous"], card["next"], card["place"]) == (None, "microgpt.autograd.tape", "1 of 4")
    last = engine_book.card_view(book, "microgpt.model.gpt")
    assert (last["previous"], last["next"]) == ("microgpt.autograd.kernels", None)
    card = engine_book.card_view(book, "microgpt.autograd.ops.double")
    assert [group["title"] for group in card["uses"]] == ["In the engine", "In the tests"]
    opens = {item["opens"] for group in card["uses"] for item in group["items"]}
    assert opens == {"microgpt.autograd.ops.double_backward", "microgpt.model.gpt.gpt", None}


def test_a_package_may_name_a_function_like_its_module(tree):
    (tree / "microgpt/model/__init__.py").write_text("from microgpt.model.gpt import gpt\n")
    book = engine_scan.read(tree)
    assert ("tests/test_it.py", "answer") not in targets(book, "microgpt.model.gpt.helper")
    assert ("microgpt/model/gpt.py", "") in targets(book, "microgpt.model.gpt.gpt")
    (tree / "pages/two.py").write_text("from microgpt.model import gpt\n\nstr(gpt(1))\n")
    assert ("pages/two.py", "") in targets(engine_scan.read(tree), "microgpt.model.gpt.gpt")
    assert len(engine_scan.read(tree).uses["microgpt.model.gpt.gpt"]) < 8, "str is not gpt"


def test_a_function_does_not_use_itself(tree):
    path = tree / "microgpt/autograd/kernels.py"
    path.write_text("def again(x):\n    return again(x - 1) if x else 0\n")
    book = engine_scan.read(tree)
    assert book.uses["microgpt.autograd.kernels.again"] == (Use("microgpt/autograd/kernels.py", 2, "again"),)
    assert engine_book.uses_of(book, "microgpt.autograd.kernels.again") == []


# --- the real tree --------------------------------------------------------------------------------


def test_the_whole_engine_is_in_the_book(book):
    files = {path.relative_to(engine_scan.ROOT).as_posix()
             for path in (engine_scan.ROOT / "microgpt").rglob("*.py")}  # fmt: skip
    shown = {module.path for module in book.modules}
    assert {path for path in files - shown if not path.endswith("__init__.py")} == set()
    assert book.unreadable == ()
    assert {module.floor for module in book.modules} <= {*engine_scan.FLOORS, "microgpt"}


def test_nothing_is_used_before_it_was_read(book):
    place = {module.name: i for i, module in enumerate(book.modules)}
    for module in book.modules:
        late = [name for name in module.imports if name in place and place[name] > place[module.name]]
        assert not late, f"{module.name} stands on {late}, which come later"


def test_every_module_says_what_it_is_for(book):
    assert [module.name for module in book.modules if not module.purpose] == []


def test_everything_in_the_book_can_be_opened(book):
    for name in [*book.by_name, *book.functions]:
        card = engine_book.card_view(book, name)
        components.payload(card)
        passage = source.passage(engine_book.find_object(book, name))
        if name in book.functions and book.functions[name].kind == "function":
            assert passage.path == book.by_name[book.functions[name].module].path, name
            assert passage.first == book.functions[name].line, name
            assert len(passage.lines) == book.functions[name].lines, name


def test_every_use_points_at_a_line_that_has_it():
    texts = {}
    for name, uses in engine_scan.read().uses.items():
        for use in uses:
            if use.path not in texts:
                texts[use.path] = (engine_scan.ROOT / use.path).read_text(encoding="utf-8")
            text = texts[use.path]
            line = text.split("\n")[use.line - 1]
            word = name.rpartition(".")[2].removesuffix("_backward")
            renamed = f"{word} as " in text or f"{name.split('.')[-2]} as " in text
            assert word in line or renamed, (name, use)


def test_the_house_fits_into_one_message(book):
    view = components.payload(engine_book.house_view(book))
    assert len(json.dumps(view)) < components.BUDGET / 4
    assert sum(len(floor["modules"]) for floor in view["floors"]) == len(book.modules)


def test_most_of_the_engine_is_reached_by_a_test(book):
    functions = [f.name for f in book.functions.values() if f.kind == "function"]
    assert sum(name in book.tested for name in functions) > 0.6 * len(functions)
    for test in book.tests[:20]:
        assert test.targets <= book.tested | book.uses.keys()


def test_only_what_the_scan_found_is_ever_imported(book):
    for name in ("os", "os.system", "microgpt.nowhere", "subprocess.run"):
        with pytest.raises(KeyError):
            engine_book.find_object(book, name)


# --- live examples --------------------------------------------------------------------------------


@pytest.mark.parametrize("example", engine_examples.EXAMPLES, ids=lambda e: e.target)
def test_an_example_runs_on_anything_its_inputs_allow(book, example):
    function = engine_book.find_object(book, example.target)
    value = {one.name: one.value for one in example.inputs}
    call, answer = example.run(function, **value)
    assert call and answer
    for one in example.inputs:
        texts = ("", "\U0001f600", "\x00\x07", "'); import os", "x" * engine_examples.MOST_TEXT)
        extremes = one.options or (texts if isinstance(one.value, str) else (one.low, one.high))
        for extreme in extremes:
            try:
                _, other = example.run(function, **{**value, one.name: extreme})
                assert isinstance(other, str)
            except ValueError as error:  # a sentence for the reader
                assert str(error)[0].isupper() and len(str(error)) > 20


def test_examples_give_what_is_known(book):
    def run(target, **changes):
        example = engine_examples.BY_TARGET[target]
        value = {one.name: one.value for one in example.inputs} | changes
        return example.run(engine_book.find_object(book, target), **value)[1]

    assert "slope 6" in run("microgpt.basics.expressions.slope", formula="x**2", x=3.0)
    assert run("microgpt.autograd.ops.softmax", a=1.0, b=1.0, c=1.0) == "[0.3333, 0.3333, 0.3333]"
    assert "a.grad = 5" in run("microgpt.autograd.scalar.Value", a=2.0, b=5.0, c=0.0)
    assert "2.68 GB" in run("microgpt.model.costs.cache_bytes", tokens=8192, bytes_per_number=2)
    assert "statistic 0.000" in run("microgpt.decoding.chi_square.chi_square", sixes=10, throws=60)


# --- the page -------------------------------------------------------------------------------------


def opened(**address):
    at = AppTest.from_file(str(contents.ROOT / "app.py"), default_timeout=300).run()
    at.switch_page("pages/read_the_engine.py")
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def view_of(at, name):
    return next(json.loads(c.proto.json) for c in at.get("bidi_component")
                if c.proto.component_name == f"press_enter_{name}")[0]  # fmt: skip


def test_a_link_opens_a_function(book):
    at = opened(f="microgpt.autograd.ops.softmax")
    assert not at.exception
    assert view_of(at, "engine_card")["name"] == "microgpt.autograd.ops.softmax"
    assert view_of(at, "source")["tabs"][0]["name"] == "softmax"
    assert "[0.09003, 0.2447, 0.6652]" in [code.value for code in at.code]


@pytest.mark.parametrize("name", ["", "nobody", "os.system", "<b>" * 500, "microgpt.autograd.ops."])
def test_a_link_to_nothing_is_said_and_the_book_opens_at_its_beginning(book, name):
    at = opened(f=name)
    assert not at.exception
    assert view_of(at, "engine_card")["name"] == book.modules[0].name
    assert any("The engine has nothing called" in m.value for m in at.markdown)


def test_what_is_opened_is_in_the_address(book):
    at = opened()
    assert "f" not in at.query_params
    at.session_state["engine_book"] = {"open": "microgpt.model.gpt"}
    at.run()
    assert not at.exception
    assert at.query_params["f"] in ("microgpt.model.gpt", ["microgpt.model.gpt"])
    assert view_of(at, "engine_card")["title"] == "microgpt.model.gpt"


def test_an_example_on_the_page_follows_its_inputs():
    at = opened(f="microgpt.autograd.ops.softmax")
    for name in "abc":
        at.number_input(key=f"engine_example_microgpt.autograd.ops.softmax_{name}").set_value(0.0)
    at.run()
    assert "[0.3333, 0.3333, 0.3333]" in [code.value for code in at.code]


def test_a_formula_that_cannot_be_read_gets_a_sentence():
    at = opened(f="microgpt.basics.expressions.slope")
    key = "engine_example_microgpt.basics.expressions.slope_formula"
    at.text_input(key=key).set_value("__import__('os')").run()
    assert not at.exception
    assert any("Allowed are numbers" in m.value for m in at.markdown)


def test_the_question_about_the_tensor_is_graded_by_the_scan(book):
    at = opened()
    truth = sum("microgpt.autograd.tensor" in module.imports for module in book.modules)
    at.number_input(key="read_the_engine:question:0").set_value(float(truth)).run()
    assert any("**Right.**" in m.value for m in at.markdown)
    at.number_input(key="read_the_engine:question:0").set_value(float(truth + 1)).run()
    assert any("**Not this.**" in m.value for m in at.markdown)
