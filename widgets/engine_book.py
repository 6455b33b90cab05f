"""The engine as a book: a house of modules to open, and a card and the source of what is open.

Everything is read from the source tree when the page is drawn. Views above, drawing below.
"""

import importlib
import re
from functools import cached_property

import streamlit as st

from widgets import chapter, components, engine_examples, engine_scan, prose
from widgets.components import component
from widgets.engine_names import Function
from widgets.engine_scan import Book, Module, Test, Use

_house = component("engine_book", states={"open": ""})
_card = component("engine_card")
GROUPS = (  # where a use stands: (title, beginning of the path)
    ("In the engine", "microgpt/"),
    ("In the widgets", "widgets/"),
    ("In the pages", "pages/"),
    ("In the tests", "tests/"),
    ("In the benchmarks", "benchmarks/"),
)


def house_view(book: Book) -> dict:
    """Floors, their modules in reading order, and every function for the search."""
    floors: dict[str, list] = {}
    for module in book.modules:
        entries = [
            {"name": f.name, "short": f.short, "module": module.name, "summary": f.summary}
            for f in module.functions
            if not f.short.rsplit(".")[-1].startswith("__")
        ]
        floors.setdefault(module.floor, []).append({
            "name": module.name, "lines": module.lines, "imports": list(module.imports),
            "functions": entries,
        })  # fmt: skip
    return {"floors": [{"name": name, "modules": rows} for name, rows in floors.items()]}


def card_view(book: Book, name: str) -> dict:
    """The card of a module or of a function."""
    known = book.by_name
    module = book.by_name[name if name in known else book.functions[name].module]
    at = book.modules.index(module)
    view = {
        "name": name,
        "place": f"{at + 1} of {len(book.modules)}",
        "previous": book.modules[at - 1].name if at else None,
        "next": book.modules[at + 1].name if at + 1 < len(book.modules) else None,
    }
    if name in known:
        return view | _module_card(book, module)
    return view | _function_card(book, book.functions[name])


def _module_card(book: Book, module: Module) -> dict:
    prefix = f"{module.name}."
    tests = [t for t in book.tests if any(target.startswith(prefix) for target in t.targets)]
    functions = [
        {"name": f.name, "short": f.short, "kind": f.kind, "lines": f.lines,
         "summary": f.summary, "tests": len(tests_reaching(book, f.name))}
        for f in module.functions
        if not f.short.rsplit(".")[-1].startswith("__")
    ]  # fmt: skip
    files = sorted({test.path for test in tests})
    note = (
        f"{_many(len(tests), 'test')} in {_many(len(files), 'file')} "
        f"{'reaches' if len(tests) == 1 else 'reach'} into it: {', '.join(files)}."
        if tests
        else "No test names anything of it directly."
    )
    return {
        "title": module.name,
        "module": None,
        "facts": f"{module.path}, {_many(module.lines, 'line')}, "
        f"{_many(len(functions), 'function, class or method', 'functions, classes and methods')}.",
        "purpose": paragraphs(module.purpose),
        "functions": functions,
        "note": note,
        "uses": [],
    }


def _function_card(book: Book, function: Function) -> dict:
    uses = uses_of(book, function.name)
    tests = tests_of(book, function.name)
    module = book.by_name[function.module]
    if uses or tests:
        note = tests_in_words(book, function.name)
    elif function.kind == "method":
        owner = function.name.rpartition(".")[0]
        note = (
            "A method is called on an object, which the text alone does not show. Its class is "
            f"used in {_many(len(uses_of(book, owner)), 'place')}."
        )
    else:
        note = "Nothing in the tree calls it by name: it is passed along, or meant for you."
    return {
        "title": function.short,
        "facts": f"{function.kind} in {module.path}, line {function.line}, "
        f"{_many(function.lines, 'line')}.",
        "module": module.name,
        "purpose": [{"code": True, "text": function.signature},
                    *([{"code": False, "text": function.summary}] if function.summary else [])],
        "functions": [],
        "note": note,
        "uses": grouped(book, function.name),
    }  # fmt: skip


def tests_reaching(book: Book, name: str) -> list[Test]:
    """The tests that name a definition, or something that can lead to it."""
    leading = book.reaching(name)
    return [test for test in book.tests if leading & test.targets]


def tests_in_words(book: Book, name: str) -> str:
    """How many tests name a definition, and how many come to it through others."""
    named = len(tests_of(book, name))
    others = len(tests_reaching(book, name)) - named
    verb = "names" if named == 1 else "name"
    who = f"{_many(named, 'test')} {verb} it" if named else "No test names it"
    if not others:
        return f"{who}, and none comes to it through others."
    return f"{who}; {others:,}{' more' if named else ''} can come to it through others."


def uses_of(book: Book, name: str) -> list[Use]:
    """Where a definition is used outside itself."""
    return [use for use in book.uses.get(name, ())
            if not (use.path == book.by_name[book.functions[name].module].path
                    and _inside(book.functions[name], use.line))]  # fmt: skip


def _inside(function: Function, line: int) -> bool:
    return function.line <= line < function.line + function.lines


def tests_of(book: Book, name: str) -> list[Test]:
    return [test for test in book.tests if name in test.targets]


def grouped(book: Book, name: str) -> list[dict]:
    """The uses of a definition by part of the house, one entry for each function around them."""
    groups = []
    for title, beginning in GROUPS:
        items: dict[tuple[str, str], dict] = {}
        for use in uses_of(book, name):
            if use.path.startswith(beginning):
                opens = use.path.removesuffix(".py").replace("/", ".") + f".{use.inside}"
                item = {"path": use.path, "inside": use.inside, "lines": [],
                        "opens": opens if opens in book.functions else None}  # fmt: skip
                items.setdefault((use.path, use.inside), item)["lines"].append(use.line)
        if items:
            groups.append({"title": title, "items": list(items.values())})
    return groups


def paragraphs(text: str) -> list[dict]:
    """A docstring as paragraphs; what is indented stays as it is."""
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    indented = [all(line.startswith("    ") for line in block.split("\n")) for block in blocks]
    return [
        {"code": code, "text": block if code else " ".join(block.split())}
        for block, code in zip(blocks, indented, strict=True)
    ]


def shortest_test(book: Book, name: str) -> Test | None:
    """The test that shows a function at work in the fewest lines."""
    return min(tests_of(book, name), key=lambda test: (test.lines, test.name), default=None)


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def find_object(book: Book, name: str):
    """The live object of a name that the scan has found; nothing else is ever imported."""
    if name not in book.functions:
        return importlib.import_module(book.by_name[name].name)
    function = book.functions[name]
    found = importlib.import_module(function.module)
    for part in function.short.split("."):
        found = vars(found).get(part) or getattr(found, part)
    if isinstance(found, property):
        return found.fget
    if isinstance(found, cached_property):
        return found.func
    return getattr(found, "__func__", found)


# Drawing


def house(book: Book) -> str:
    """The house and its search; returns the name that is open, which the address keeps."""
    known = book.by_name.keys() | book.functions.keys()
    _adopt_address(known)
    if book.unreadable:
        files = ", ".join(book.unreadable)
        st.markdown(f":small[:material/info: Left out, because they are no readable Python: "
                    f"{prose.literal(files)}]")  # fmt: skip
    first = book.modules[0].name
    shown = _house({**house_view(book), "opened": first}, key="engine_book")
    name = shown.open if shown.open in known else first
    if shown.open and st.query_params.get("f") != name:
        st.query_params["f"] = name
    st.session_state["engine_book:address"] = st.query_params.get("f")
    return name


def _adopt_address(known: set[str]) -> None:
    wanted = st.query_params.get("f")
    if wanted is None or wanted == st.session_state.get("engine_book:address"):
        return
    if wanted in known:
        components.force("engine_book", open=wanted)
    else:
        st.markdown(
            f":small[:material/info: The engine has nothing called {prose.literal(wanted[:80])}. "
            "Search for it below.]"
        )


def card(book: Book, name: str) -> None:
    """What is open: its card, its source, a live run, and a test that shows it at work."""
    _card(card_view(book, name), key="engine_card")
    chapter.mark("computed", by="widgets.engine_scan", where="from the source on this disk")
    try:
        found = find_object(book, name)
        chapter.read_code(found)
    except (ImportError, SyntaxError, OSError) as error:
        st.warning(f"The source of {name} can't be shown: {prose.literal(str(error))}")
        return
    if name in engine_examples.BY_TARGET:
        st.markdown(f"**Try it.** `{name.rpartition('.')[2]}` runs here, on what you choose.")
        engine_examples.draw(name, found)
    test = shortest_test(book, name) if name in book.functions else None
    if test:
        lines = (engine_scan.ROOT / test.path).read_text(encoding="utf-8").split("\n")
        with st.expander(f"The shortest test that reaches it: {test.name}, {test.path}"):
            st.code("\n".join(lines[test.line - 1 : test.line - 1 + test.lines]), wrap_lines=False)


def lines_by_floor(book: Book) -> None:
    """How long each floor is."""
    from widgets import engine, look

    alt = engine.altair()
    floors: dict[str, int] = {}
    for module in book.modules:
        floors[module.floor] = floors.get(module.floor, 0) + module.lines
    rows = [{"floor": name, "lines": lines} for name, lines in floors.items()]
    y = alt.Y("floor:N", sort=None, title=None)
    bars = alt.Chart(alt.Data(values=rows)).encode(y, alt.X("lines:Q", title="lines"))
    words = f"Bars of lines of source for {len(rows)} floors in reading order: " + ", ".join(
        f"{row['floor']} {row['lines']:,}" for row in rows
    )
    longest = max(rows, key=lambda row: row["lines"])
    words += f". The longest is {longest['floor']}."
    st.altair_chart(
        bars.mark_bar(color=look.color("probability"))
        + bars.mark_text(align="left", dx=4, fontSize=13, color=look.color("quiet")).encode(
            text=alt.Text("lines:Q", format=",")
        ),
        height=60 + 26 * len(rows),
        alt=words,
    )
    chapter.mark("computed", by="widgets.engine_scan", where="from the source on this disk")
    chapter.text_twin(words)
