"""The house: which way imports point, how long things may be, what must never be written."""

import ast
import re
from pathlib import Path

import pytest

from widgets import book

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (
    "basics", "autograd", "tokens", "world", "model", "training", "decoding", "alignment",
    "insight", "__main__",
)  # fmt: skip
SCREENS = {"streamlit", "plotly", "altair", "pandas", "tiktoken", "torch", "matplotlib"}
LONGER = {  # files that may have more than LINES lines, and why
    "microgpt/autograd/kernels.py": "kernels that call each other live in one file",
    "microgpt/decoding/kernels.py": "kernels that call each other live in one file",
    "microgpt/tokens/kernels.py": "kernels that call each other live in one file",
    "microgpt/world/plots.py": "the templates of the stories: text more than program",
}
LINES, COLUMNS, FUNCTION = 320, 100, 50

FOLDERS = ("microgpt", "widgets", "pages")
PYTHON = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PYTHON += [ROOT / "app.py", ROOT / "run.py"]
SHIPPED = PYTHON + sorted((ROOT / "assets" / "components").glob("*.*"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                inside = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                package = ".".join([*inside, *filter(None, [node.module])])
            found |= {package, *(f"{package}.{alias.name}" for alias in node.names)}
    return found


def calls(path: Path, function: str):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = node.func
            if getattr(called, "id", getattr(called, "attr", None)) == function:
                yield node


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_arrows_point_from_pages_over_widgets_to_the_engine(path):
    top = {module.split(".")[0] for module in imports(path)}
    home = name(path).split("/")[0]
    if home == "microgpt":
        assert not top & SCREENS, "the engine knows nothing of screens and oracles"
        assert not top & {"widgets", "pages", "app"}
    elif home == "widgets" or home == "pages":
        assert not top & {"pages", "app"}
    elif home == "app.py":
        assert top == {"widgets"}
    else:
        assert not top & {"microgpt", "widgets", "pages", "numpy"}, "run.py needs Python alone"


@pytest.mark.parametrize("path", [p for p in PYTHON if name(p).startswith("microgpt/")], ids=name)
def test_each_floor_of_the_engine_stands_on_those_before_it(path):
    parts = path.relative_to(ROOT / "microgpt").with_suffix("").parts
    if parts[0] == "__init__":
        return
    assert parts[0] in FLOORS, f"{parts[0]} is not a floor of the engine"
    below = set(FLOORS[: FLOORS.index(parts[0]) + 1])
    if parts[0] == "basics":
        below = {"basics", "autograd"}
    used = {m.split(".")[1] for m in imports(path) if re.match(r"microgpt\.\w", m)}
    assert used & set(FLOORS) <= below


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_files_and_functions_can_be_read(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES or name(path) in LONGER
    wide = [i for i, line in enumerate(lines, 1) if len(line) > COLUMNS]
    assert not wide, f"lines {wide} are wider than {COLUMNS} columns"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION, f"{node.name} has {length} lines"


def test_exceptions_to_the_length_are_needed():
    for path in LONGER:
        if (ROOT / path).exists():
            assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) > LINES * 0.8


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_nothing_dangerous(path):
    for function in ("eval", "exec", "compile", "__import__"):
        named = [c for c in calls(path, function) if isinstance(c.func, ast.Name)]
        assert not named, f"{function}() in line {[c.lineno for c in named]}"
    assert not {m.split(".")[0] for m in imports(path)} & {"pickle", "marshal", "shelve", "dill"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            given = (node.arg, node.value.value)
            assert given not in {
                ("shell", True), ("allow_pickle", True), ("parallel", True), ("fastmath", True),
            }, f"{given} near line {node.value.lineno}"  # fmt: skip


@pytest.mark.parametrize("path", [p for p in PYTHON if name(p).startswith("microgpt/")], ids=name)
def test_randomness_is_handed_in(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random."):
            assert node.attr in {"Generator", "default_rng", "SeedSequence", "PCG64"}, (
                f"np.random.{node.attr} in line {node.lineno} is shared by all sessions"
            )


def test_kernels_are_cached_without_the_gil_and_keep_infinities():
    found = 0
    for path in PYTHON:
        source = tree(path)
        for call in calls(path, "njit"):
            found += 1
            given = {k.arg: ast.unparse(k.value) for k in call.keywords}
            where = f"{name(path)}, line {call.lineno}"
            if None in given:  # njit(**OPTIONS): the options stand in the same file
                given = options(source, given[None])
            assert given.get("cache") == given.get("nogil") == "True", where
            assert given.get("error_model") == "'numpy'", where
            assert not re.search("nnan|ninf|'fast'|True", given.get("fastmath", "")), where
        bare = [n for n in ast.walk(source) if isinstance(n, ast.Name) and n.id == "njit"]
        decorated = [d for n in ast.walk(source) for d in getattr(n, "decorator_list", [])]
        assert not set(bare) & set(decorated), f"{name(path)} uses @njit without options"
    assert found > 0


def options(source: ast.Module, variable: str) -> dict[str, str]:
    """The keyword arguments in `variable = dict(...)` or `variable = {...}`."""
    for node in ast.walk(source):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable:
            value = node.value
            if isinstance(value, ast.Call):
                return {k.arg: ast.unparse(k.value) for k in value.keywords}
            if isinstance(value, ast.Dict):
                keys = (k.value for k in value.keys)
                return {k: ast.unparse(v) for k, v in zip(keys, value.values, strict=True)}
    return {}


def test_kernels_call_only_kernels_of_their_own_file():
    # Numba's disk cache does not see changes in another file: results would be stale.
    with_kernels = {}
    for path in PYTHON:
        functions = {
            node.name
            for node in ast.walk(tree(path))
            if isinstance(node, ast.FunctionDef)
            and any(
                "njit" in ast.unparse(d) or "kernel" in ast.unparse(d) for d in node.decorator_list
            )
        }
        if functions:
            with_kernels[path] = functions
    assert with_kernels
    for path, own in with_kernels.items():
        foreign = set().union(*(f for p, f in with_kernels.items() if p != path)) - own
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name in own:
                called = {
                    c.func.id
                    for c in ast.walk(node)
                    if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)
                }
                assert not called & foreign, f"{name(path)}: {node.name} calls {called & foreign}"


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_nothing_unfinished(path):
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"(?i)\b(?:TODO|FIXME|XXX|coming soon|lorem ipsum)\b", text)
    assert not found


@pytest.mark.parametrize("path", sorted((ROOT / "assets" / "components").glob("*")), ids=name)
def test_components_need_no_network_and_can_be_read(path):
    text = path.read_text(encoding="utf-8")
    if path.name == "shared.js":  # it alone asks, and only the server that the page came from
        assert text.count("fetch(") == text.count("fetch(`./component/${state.path}") == 1
        text = text.replace("fetch(", "")
    assert not re.search(
        r"https?://(?!www\.w3\.org/)|@import|\bimport\s*\(|fetch\(|WebSocket", text
    )
    assert "eval(" not in text and "new Function" not in text
    assert len(text.splitlines()) <= LINES + 80


def test_no_lock_file_that_displaces_the_requirements():
    assert not (ROOT / "uv.lock").exists()
    needed = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert re.search(r"^streamlit>=1\.67", needed, re.M)


def test_table_of_contents_and_pages_agree():
    slugs = [chapter.slug for chapter in book.CHAPTERS]
    numbers = [chapter.number for chapter in book.CHAPTERS]
    assert len(set(slugs)) == len(slugs)
    assert numbers == sorted(set(numbers)), "in reading order, each number once"
    assert all(chapter.part in book.PARTS for chapter in book.CHAPTERS if chapter.number)
    files = {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert files <= set(slugs), "a page without an entry in widgets/book.py is never shown"
    assert files == {chapter.slug for chapter in book.contents()}
