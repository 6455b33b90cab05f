"""Read the engine's source tree: its modules in reading order, and who uses what.

Pure: text in, frozen records out. Nothing here runs or draws the code it reads, and nothing is
kept by hand, so the book that is made of it cannot fall behind the source.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from widgets.engine_names import Function, Source, read_source, relatives

ROOT = Path(__file__).resolve().parent.parent
ENGINE = "microgpt"
FLOORS = ("basics", "autograd", "tokens", "world", "model", "training", "decoding", "alignment",
          "insight")  # fmt: skip
SOURCES = (ENGINE, "widgets", "pages", "tests", "benchmarks")


@dataclass(frozen=True)
class Module:
    name: str  # microgpt.model.attention
    path: str  # microgpt/model/attention.py
    floor: str
    purpose: str
    lines: int
    functions: tuple[Function, ...]
    imports: tuple[str, ...]  # engine modules this one stands on


@dataclass(frozen=True)
class Use:
    """One place in the tree where a name of the engine is used."""

    path: str
    line: int
    inside: str  # the function around it, or "" at module level


@dataclass(frozen=True)
class Test:
    """A test function, and what of the engine it names: itself, its helpers and its fixtures."""

    path: str
    name: str
    line: int
    lines: int
    targets: frozenset[str]


@dataclass(frozen=True)
class Book:
    modules: tuple[Module, ...]
    purposes: dict[str, str]  # floor -> docstring of its package
    uses: dict[str, tuple[Use, ...]]
    callers: dict[str, frozenset[str]]  # function -> functions of the engine that use it
    tests: tuple[Test, ...]
    unreadable: tuple[str, ...]

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {f.name: f for module in self.modules for f in module.functions}

    @cached_property
    def by_name(self) -> dict[str, Module]:
        return {module.name: module for module in self.modules}

    @cached_property
    def tested(self) -> frozenset[str]:
        """Every function that some test names, or can come to through others."""
        callees: dict[str, set[str]] = {}
        for name, callers in self.callers.items():
            for caller in callers:
                callees.setdefault(caller, set()).add(name)
        queue = [target for test in self.tests for target in test.targets]
        found = set(queue)
        while queue:
            new = callees.get(queue.pop(), set()) - found
            found |= new
            queue += new
        return frozenset(found & self.functions.keys())

    def reaching(self, name: str) -> frozenset[str]:
        """The function itself and everything of the engine that can lead to it."""
        found, queue = {name}, [name]
        while queue:
            for caller in self.callers.get(queue.pop(), frozenset()) - found:
                found.add(caller)
                queue.append(caller)
        return frozenset(found)


def read(root: Path = ROOT) -> Book:
    """The whole tree as a book. A file is read again only when its size or time has changed."""
    files = [path for folder in SOURCES for path in sorted((root / folder).rglob("*.py"))]
    files += sorted(root.glob("*.py"))
    stamps = ((path.relative_to(root).as_posix(), path.stat()) for path in files)
    return _book(root, tuple((path, s.st_mtime_ns, s.st_size) for path, s in stamps))


@lru_cache(maxsize=4)
def _book(root: Path, stamps: tuple[tuple[str, int, int], ...]) -> Book:
    parsed = {path: _read(root, path, time, size) for path, time, size in stamps}
    sources = [source for source in parsed.values() if source]
    engine = [source for source in sources if source.path.startswith(f"{ENGINE}/")]
    names = Names(sources)
    uses: dict[str, list[Use]] = {}
    callers: dict[str, set[str]] = {}
    for source in sources:
        _note_uses(source, names, uses, callers)
    for name in names.definitions:
        owner = name.rpartition(".")[0]
        if owner in names.definitions:  # who makes an object can call its methods
            callers.setdefault(name, set()).add(owner)
    purposes = {floor_of(s.path): s.purpose for s in engine if s.path.endswith("__init__.py")}
    modules = [_module(s, names) for s in engine
               if s.functions or not s.path.endswith("__init__.py")]  # fmt: skip
    tests = [test for s in sources if s.path.startswith("tests/") for test in find_tests(s, names)]
    return Book(
        tuple(in_reading_order(modules, purposes)), purposes,
        {name: tuple(dict.fromkeys(found)) for name, found in uses.items()},
        {name: frozenset(found) for name, found in callers.items()}, tuple(tests),
        tuple(path for path, source in parsed.items() if source is None),
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _read(root: Path, path: str, time: int, size: int) -> Source | None:
    try:
        return read_source(path, (root / path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):  # half-saved, or not UTF-8: the page names it
        return None


def floor_of(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ENGINE


def _module(source: Source, names: "Names") -> Module:
    found = {names.module_of(target) for target in source.aliases.values()}
    return Module(source.name, source.path, floor_of(source.path), source.purpose, source.lines,
                  source.functions, tuple(sorted(found - {None, source.name})))  # fmt: skip


class Names:
    """Resolves a dotted name to a definition of the engine, through imports and re-exports."""

    def __init__(self, sources: list[Source]):
        engine = [s for s in sources if s.path.startswith(f"{ENGINE}/")]
        self.functions = {f.name for s in engine for f in s.functions}
        self.definitions = self.functions | {f"{s.name}.{c}" for s in engine for c in s.constants}
        self.modules = {s.name for s in engine}
        self.known = self.definitions | self.modules
        self.aliases = {s.name: s.aliases for s in engine}

    def canonical(self, dotted: str) -> str | None:
        """The definition or module meant; None for what is not the engine's."""
        for _ in range(8):  # no chain of re-exports is longer
            package, _, last = dotted.rpartition(".")
            again = self.aliases.get(package, {}).get(last)
            if again and again != dotted:  # a package may name a function like its module
                dotted = again
                continue
            if dotted in self.definitions or dotted in self.modules:
                return dotted
            parts = dotted.split(".")
            prefixes = (cut for cut in range(len(parts) - 1, 0, -1)
                        if ".".join(parts[:cut]) in self.known)  # fmt: skip
            cut = next(prefixes, 0)
            prefix, rest = ".".join(parts[:cut]), parts[cut:]
            if prefix in self.definitions:  # an attribute of a class or of a constant
                return prefix
            target = self.aliases.get(prefix, {}).get(rest[0]) if prefix else None
            if not target:
                return None
            dotted = ".".join([target, *rest[1:]])
        return None

    def module_of(self, dotted: str) -> str | None:
        """The engine module that a dotted name lives in."""
        parts = (self.canonical(dotted) or dotted).split(".")
        prefixes = (".".join(parts[:cut]) for cut in range(len(parts), 1, -1))
        return next((prefix for prefix in prefixes if prefix in self.modules), None)


def _note_uses(source: Source, names: Names, uses: dict, callers: dict) -> None:
    """Enter the uses that one file makes of the engine, and who is led to what by them."""
    top: dict[int, list[str]] = {}
    for reference in source.references:
        target = names.canonical(reference.dotted)
        if target not in names.definitions:
            continue
        if target in names.functions:
            use = Use(source.path, reference.line, reference.inside)
            uses.setdefault(target, []).append(use)
        around = f"{source.name}.{reference.inside or reference.bound}"
        if around in names.definitions and around != target:
            callers.setdefault(target, set()).add(around)
        if not reference.inside:
            top.setdefault(reference.line, []).append(target)
    for targets in top.values():  # operation = primitive(module, "operation")
        for name in targets:
            for twin in set(relatives(name)) & set(targets) - {name}:
                callers.setdefault(twin, set()).add(name)


def find_tests(source: Source, names: Names) -> Iterator[Test]:
    """The test functions of a file with what each names: itself, and by helpers and fixtures."""
    direct: dict[str, set[str]] = {}
    for reference in source.references:
        target = names.canonical(reference.dotted)
        if target in names.functions:
            direct.setdefault(reference.bound, set()).add(target)
    for function in source.functions:
        if function.kind != "function" or not function.short.startswith("test"):
            continue
        reached, queue = {function.short}, [function.short]
        while queue:
            for name in source.words.get(queue.pop(), frozenset()) & source.words.keys() - reached:
                reached.add(name)
                queue.append(name)
        targets = frozenset().union(*(direct.get(name, ()) for name in reached))
        yield Test(source.path, function.short, function.line, function.lines, targets)


def in_reading_order(modules: list[Module], purposes: dict[str, str]) -> list[Module]:
    """From the ground up: what a floor or a module stands on comes before it.

    Where that leaves a choice, floors come in the order of `FLOORS`, and the modules of a floor
    as its docstring names them.
    """
    floors: dict[str, list[Module]] = {}
    for module in sorted(modules, key=lambda m: m.name):
        floors.setdefault(module.floor, []).append(module)
    floor_of_module = {module.name: module.floor for module in modules}
    below = {
        floor: {floor_of_module.get(i) for module in rows for i in module.imports} - {floor}
        for floor, rows in floors.items()
    }
    rank = {floor: i for i, floor in enumerate(FLOORS)}
    ordered = []
    for floor in _topological(floors, below, lambda name: (rank.get(name, len(FLOORS)), name)):
        said = purposes.get(floor, "")
        rows = {module.name: module for module in floors[floor]}

        def wish(name: str, said: str = said) -> tuple:
            at = said.find(f"`{name.rpartition('.')[2]}`")
            return at < 0, at, name

        names = _topological(rows, {n: set(m.imports) for n, m in rows.items()}, wish)
        ordered += [rows[name] for name in names]
    return ordered


def _topological(items, below: dict[str, set[str]], wish: Callable) -> list[str]:
    """What stands on nothing that is still to come, the most wished for first."""
    rest, ordered = sorted(items, key=wish), []
    while rest:
        ready = [item for item in rest if not below[item] & set(rest) - {item}]
        ordered.append((ready or rest)[0])  # a cycle: as wished
        rest.remove(ordered[-1])
    return ordered
