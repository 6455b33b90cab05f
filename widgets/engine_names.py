"""One file of the tree, read once: what it defines, what its names stand for, what it refers to.

Pure: reads syntax trees, never runs or imports what it reads.
"""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """A function, class or method."""

    name: str  # microgpt.model.attention.attend
    kind: str  # function | class | method
    signature: str
    summary: str
    line: int
    lines: int

    @property
    def module(self) -> str:
        return self.name.rsplit(".", 2 if self.kind == "method" else 1)[0]

    @property
    def short(self) -> str:
        return self.name.removeprefix(self.module + ".")


@dataclass(frozen=True)
class Reference:
    """A dotted name as a file reads it."""

    dotted: str
    line: int
    inside: str  # the function or method around it, or ""
    bound: str  # the top-level name whose statement holds it, or ""


@dataclass(frozen=True)
class Source:
    """One file, read."""

    path: str
    name: str  # microgpt.model.attention
    purpose: str  # its docstring
    lines: int
    functions: tuple[Function, ...]
    constants: frozenset[str]
    aliases: dict[str, str]  # local name -> dotted name, for imports and definitions
    references: tuple[Reference, ...]
    words: dict[str, frozenset[str]]  # top-level name -> names and arguments in its statement


def read_source(path: str, text: str) -> Source:
    """Read one file. SyntaxError or ValueError when it is no Python."""
    tree = ast.parse(text)
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    aliases = find_aliases(tree, name, path.endswith("__init__.py"))
    bound = {b for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)
             for b in _binds(node)}  # fmt: skip
    reader = _Reader(tree, symtable.symtable(text, path, "exec"), name, aliases)
    return Source(
        path, name, ast.get_docstring(tree) or "", len(text.splitlines()),
        tuple(_functions(tree, name)), frozenset(bound - aliases.keys()), aliases,
        tuple(reader.references), {k: frozenset(v) for k, v in reader.words.items()},
    )  # fmt: skip


def _functions(tree: ast.Module, name: str) -> Iterator[Function]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield _function(name, node, "function")
        elif isinstance(node, ast.ClassDef):
            yield _function(name, node, "class")
            for child in node.body:
                if isinstance(child, ast.FunctionDef):
                    yield _function(f"{name}.{node.name}", child, "method")


def _function(prefix: str, node: ast.FunctionDef | ast.ClassDef, kind: str) -> Function:
    doc = ast.get_docstring(node) or ""
    summary = " ".join(doc.split("\n\n")[0].split())
    if kind == "class":
        signature = f"class {node.name}"
    else:
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        signature = f"{node.name}({ast.unparse(node.args)}){returns}"
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return Function(f"{prefix}.{node.name}", kind, signature, summary, first,
                    node.end_lineno - first + 1)  # fmt: skip


def find_aliases(tree: ast.Module, name: str, is_package: bool) -> dict[str, str]:
    """Local name -> dotted name, for every import and every definition of a file."""
    package = (name if is_package else name.rpartition(".")[0]).split(".")
    found = {node.name: f"{name}.{node.name}" for node in tree.body
             if isinstance(node, ast.FunctionDef | ast.ClassDef)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                found[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                found[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in tree.body:
        named = by_name(node.value, found) if isinstance(node, ast.Assign) else None
        if named:
            found |= {t.id: named for t in node.targets if isinstance(t, ast.Name)}
    return found


def by_name(node: ast.expr, table: dict[str, str]) -> str | None:
    """`module.name` for a call such as `primitive(module, "name")`, which looks a function up."""
    if isinstance(node, ast.Call) and len(node.args) == 2:
        where, what = node.args
        if isinstance(where, ast.Name) and isinstance(what, ast.Constant) and where.id in table:
            return f"{table[where.id]}.{what.value}"
    return None


def relatives(name: str) -> list[str]:
    """An operation looked up by name brings its backward function and both Numba twins."""
    module, _, last = name.rpartition(".")
    twins = [module, f"{module.rpartition('.')[0]}.kernels"]
    return [f"{twin}.{last}{suffix}" for twin in twins for suffix in ("", "_backward")]


class _Reader:
    """Walks a file once and notes every dotted name that is read, with what is around it."""

    def __init__(self, tree, table, name, aliases):
        self.name, self.aliases = name, aliases
        self.methods = {f.name for f in _functions(tree, name) if f.kind == "method"}
        self.references: dict[Reference, None] = {}
        self.words: dict[str, set[str]] = {}
        self.hidden = {}
        _find_hidden(table, self.hidden)
        for node in tree.body:
            names = _binds(node)
            self.bound = names[0] if names else ""
            self.own = self.words.setdefault(self.bound, set())
            self.visit(node, "", frozenset(), "")
            for other in names[1:]:
                self.words.setdefault(other, set()).update(self.own)

    def visit(self, node, inside: str, hidden: frozenset[str], owner: str) -> None:
        kind = type(node)
        if kind is ast.Name or kind is ast.Attribute:
            dotted = _dotted(node)
            if dotted:
                self.note(dotted, node.lineno, inside, hidden, owner)
                return
        elif kind is ast.FunctionDef or kind is ast.Lambda:
            called = "lambda" if kind is ast.Lambda else node.name
            hidden = hidden | self.hidden.get((called, node.lineno), frozenset())
            around = owner.rpartition(".")[2]
            inside = inside or ".".join(part for part in (around, called) if part)
        elif kind in _COMPREHENSIONS:
            hidden = hidden | self.hidden.get((_COMPREHENSIONS[kind], node.lineno), frozenset())
        elif kind is ast.ClassDef:
            owner = f"{self.name}.{node.name}"
        elif kind is ast.arg:
            self.own.add(node.arg)
        elif kind is ast.Call:
            for name in relatives(by_name(node, self.aliases) or ""):
                self.references[Reference(name, node.lineno, inside, self.bound)] = None
        for child in ast.iter_child_nodes(node):
            self.visit(child, inside, hidden, owner)

    def note(self, dotted: str, line: int, inside: str, hidden, owner: str) -> None:
        head, _, rest = dotted.partition(".")
        self.own.add(head)
        if head == "self" and owner:
            full = f"{owner}.{rest.partition('.')[0]}"
            if full not in self.methods:  # a plain attribute
                return
        elif head in hidden:
            return
        else:
            base = self.aliases.get(head, f"{self.name}.{head}")
            full = f"{base}.{rest}" if rest else base
        self.references[Reference(full, line, inside, self.bound)] = None


_COMPREHENSIONS = {
    ast.ListComp: "listcomp", ast.SetComp: "setcomp", ast.DictComp: "dictcomp",
    ast.GeneratorExp: "genexpr",
}  # fmt: skip


def _find_hidden(table: symtable.SymbolTable, found: dict) -> None:
    """(name, line) of each scope -> the names it binds itself, which hide the module's."""
    for scope in table.get_children():
        if scope.get_type() == "function":
            key = (scope.get_name().strip("<>"), scope.get_lineno())
            own = frozenset(s.get_name() for s in scope.get_symbols() if s.is_local())
            found[key] = found.get(key, frozenset()) | own
        _find_hidden(scope, found)


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain that is read and starts at a name, else the empty string."""
    if isinstance(node.ctx, ast.Store):
        return ""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _binds(node: ast.stmt) -> list[str]:
    """The names that a top-level statement binds, imports apart."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)]
