"""The source panel: real functions, their real lines, the ones that matter lit.

Lines are found by what they do, through the syntax tree, never by number: `"weights"` are the
statements that assign `weights`, `"softmax()"` those that call `softmax`, `"return"` those
that return.
"""

import ast
import builtins
import inspect
import io
import keyword
import textwrap
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from widgets.components import component

ROOT = Path(__file__).resolve().parent.parent
_mount = component("source")
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Passage:
    """The source of one function: where it stands, its lines, and those to look at."""

    name: str
    path: str
    first: int  # line number of lines[0] in the file
    lines: tuple[str, ...]
    focus: tuple[int, ...]  # line numbers in the file


def passage(function: Callable, focus: str | tuple[str, ...] | None = None) -> Passage:
    """Read a function's source; Numba dispatchers and wrappers give what they wrap."""
    function = getattr(function, "py_func", function)
    function = inspect.unwrap(function)
    raw, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(raw))
    path = Path(inspect.getsourcefile(function)).resolve()
    shown = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    wanted = (focus,) if isinstance(focus, str) else focus or ()
    lit = sorted({first - 1 + line for want in wanted for line in find(text, want)})
    lines = tuple(text.rstrip("\n").split("\n"))
    return Passage(function.__name__, shown, max(first, 1), lines, tuple(lit))


def find(text: str, focus: str) -> list[int]:
    """Line numbers (from 1) of the statements that do what `focus` says.

    ValueError when no statement does: a page must not point at nothing.
    """
    tree = ast.parse(text)
    lines: set[int] = set()
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and _does(statement, focus):
            lines.update(_header(statement))
    if not lines:
        raise ValueError(
            f"No statement there assigns, calls or returns {focus!r}. "
            'Name a variable that is assigned, a call as "name()", or "return".'
        )
    return sorted(lines)


def _header(statement: ast.stmt) -> range:
    """The lines of a statement; of a compound one those before its body."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _does(statement: ast.stmt, focus: str) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    if focus == "return":
        return isinstance(statement, ast.Return)
    own = list(_own(statement))
    if focus.endswith("()"):
        return any(isinstance(n, ast.Call) and _last(n.func) == focus[:-2] for n in own)
    return any(_written(n) == focus for n in own)


def _own(statement: ast.stmt):
    """The nodes of a statement without those of the statements inside it."""
    pending = [n for n in ast.iter_child_nodes(statement) if not isinstance(n, ast.stmt)]
    while pending:
        node = pending.pop()
        yield node
        pending += [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt)]


def _written(node: ast.AST) -> str | None:
    """The name that a target writes to: `a` in a = 1, x.a = 1 and a[i] = 1."""
    if not isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    while isinstance(node, ast.Subscript):
        node = node.value
    return _last(node)


def _last(node: ast.AST) -> str | None:
    """The name of a name, or the last part of a.b.c."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def highlight(lines: tuple[str, ...]) -> list[list[list[str]]]:
    """Per line its pieces as [class, text]; joined, the texts of a line are that line."""
    kinds = [[""] * len(line) for line in lines]
    previous = ""
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        kind = _kind(token, previous)
        if token.string.strip():
            previous = token.string
        if not kind:
            continue
        (row, start), (last_row, end) = token.start, token.end
        for r in range(row, last_row + 1):
            a = start if r == row else 0
            b = end if r == last_row else len(lines[r - 1])
            kinds[r - 1][a:b] = [kind] * (b - a)
    return [_pieces(line, kind) for line, kind in zip(lines, kinds, strict=True)]


def _kind(token: tokenize.TokenInfo, previous: str) -> str:
    if token.type == tokenize.NAME:
        if previous in ("def", "class"):
            return "defined"
        if keyword.iskeyword(token.string):
            return "keyword"
        return "builtin" if token.string in _BUILTINS and previous != "." else ""
    if token.type == tokenize.OP:
        return "decorator" if token.string == "@" and token.start[1] == 0 else ""
    names = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "literal"}
    return names.get(token.type, "string" if "FSTRING" in tokenize.tok_name[token.type] else "")


def _pieces(line: str, kinds: list[str]) -> list[list[str]]:
    pieces: list[list[str]] = []
    for letter, kind in zip(line, kinds, strict=True):
        if pieces and pieces[-1][0] == kind:
            pieces[-1][1] += letter
        else:
            pieces.append([kind, letter])
    return pieces


def describe(name: str, array: np.ndarray) -> str:
    """Shape, type, least and most of an array: "(8, 8) float32, from 0.00 to 0.94"."""
    array = np.asarray(array)
    words = f"{tuple(array.shape)} {array.dtype}"
    if array.size == 0 or array.dtype.kind not in "iufb":
        return words
    return f"{words}, from {_number(array.min())} to {_number(array.max())}"


def _number(value) -> str:
    if isinstance(value, np.integer | np.bool_):
        return str(int(value))
    value = float(value)
    if np.isneginf(value):
        return "−∞"
    return f"{value:.3g}".replace("-", "−").replace("inf", "∞")


def panel(function, focus, live, fast, fast_focus, ran, opened: bool, key: str) -> None:
    """Draw the panel; the arguments are those of `chapter.read_code`."""
    if ran not in (None, "readable", "fast"):
        raise ValueError(f'`ran` is "readable" or "fast", not {ran!r}.')
    parts = [("Readable", passage(function, focus))]
    if fast is not None:
        parts.append(("Fast", passage(fast, fast_focus or focus)))
    tabs = [
        {
            "label": label,
            "ran": ran == label.lower(),
            "name": part.name,
            "path": part.path,
            "first": part.first,
            "lines": highlight(part.lines),
            "focus": list(part.focus),
        }
        for label, part in parts
    ]
    facts = [[name, describe(name, array)] for name, array in (live or {}).items()]
    _mount({"tabs": tabs, "live": facts, "opened": opened}, key=key)
