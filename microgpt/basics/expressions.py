"""Formulas that a reader types: `2*sin(x) + 0.3*x` becomes a curve, a slope, a graph.

`parse` reads a formula and refuses everything that is not one; nothing is ever executed.
`evaluate` walks the formula with whatever stands for x and y: numbers give a number, arrays a
curve, autograd Values a graph with its exact derivatives, Tensors the derivatives everywhere.
"""

import ast
import functools
import math
import re
from dataclasses import dataclass

import numpy as np

from microgpt.autograd import tensor
from microgpt.autograd.scalar import Value, as_value
from microgpt.basics.functions import FUNCTIONS, OPERATORS, SIGNS, call

LONGEST, LARGEST, DEEPEST = 200, 120, 40  # characters, parts, parts inside parts
LARGEST_POWER = 100.0
VARIABLES = ("x", "y")
CONSTANTS = {"pi": math.pi, "e": math.e}
ALLOWED = (
    f"Allowed are numbers, x, y, pi, e, + - * / ** ( ) and {' '.join(FUNCTIONS)}, "
    f"in at most {LONGEST} characters."
)


# --- Reading ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expression:
    """A formula that has been read. `variables` are those it uses, in the order x, y."""

    text: str
    tree: ast.expr
    variables: tuple[str, ...]


_PIECE = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z]\w*)|(?P<sign>\*\*|[-+*/(),]))", re.ASCII,
)  # fmt: skip
_HINTS = {
    "^": "A power is written with two stars: x**2.",
    "²": "A power is written with two stars: x**2.",
    "³": "A power is written with two stars: x**3.",
    "×": "A product is written with a star: 2*x.",
    "·": "A product is written with a star: 2*x.",
    "−": "Minus is the plain sign on the keyboard: -.",
    "=": "Write only what stands behind the equals sign.",
    ":": "A quotient is written with a slash: x/2.",
    "÷": "A quotient is written with a slash: x/2.",
}


def parse(text: str, variables: tuple[str, ...] = VARIABLES) -> Expression:
    """Read a formula. ValueError, in a sentence that says what is allowed, for anything else.

    The text is checked piece by piece before Python's own parser sees it, and the tree that
    comes back is checked part by part: only numbers, names and signs of this small language.
    """
    if isinstance(text, str) and len(text) > LONGEST:
        raise ValueError(f"The formula has {len(text):,} characters, too many. {ALLOWED}")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"There is no formula yet. {ALLOWED}")
    _check_pieces(text, variables)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(
            "The formula can't be read: a bracket or a number is missing, or two things stand "
            f"side by side without a sign (2*x, not 2 x). {ALLOWED}"
        ) from None
    if sum(1 for _ in ast.walk(tree)) > 3 * LARGEST:
        raise ValueError(f"The formula has too many parts. {ALLOWED}")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    _check_tree(tree, 0, variables)
    return Expression(text.strip(), tree, tuple(v for v in variables if v in used))


def _check_pieces(text: str, variables) -> None:
    known = {*variables, *CONSTANTS, *FUNCTIONS}
    end = len(text.rstrip())
    at = 0
    while at < end:
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(f"{_unreadable(text[at:].lstrip())} {ALLOWED}")
        name = piece["name"]
        if name and name not in known:
            other = " Only x is at hand here." if name == "y" else ""
            raise ValueError(f"The name {_short(name)} is not known here.{other} {ALLOWED}")
        at = piece.end()


def _unreadable(rest: str) -> str:
    if rest[0] in _HINTS:
        return _HINTS[rest[0]]
    if re.match(r"\d+\.?\d*[A-Za-z(]", rest, re.ASCII):
        return "A product needs its star: 2*x, not 2x."
    if rest[0].isdigit() or rest[0] == ".":
        number = re.match(r"[\w.]*", rest)[0]
        return f"{_short(number)} is not a number."
    if not rest[0].isprintable():
        return "The formula has a sign that can't be seen."
    return f"The sign {rest[0]} has no meaning in a formula."


def _short(text: str) -> str:
    return f"“{text[:24]}…”" if len(text) > 24 else f"“{text}”"


def _check_tree(node, depth: int, variables) -> None:
    if depth > DEEPEST:
        raise ValueError(f"The formula is nested more than {DEEPEST} deep. {ALLOWED}")
    match node:
        case ast.Constant(value=int() | float()) if _finite(node.value):
            return
        case ast.Name() if node.id in variables or node.id in CONSTANTS:
            return
        case ast.UnaryOp() if type(node.op) in SIGNS:
            parts = [node.operand]
        case ast.BinOp() if type(node.op) in OPERATORS:
            parts = [node.left, node.right]
        case ast.Call(func=ast.Name(), keywords=[]) if node.func.id in FUNCTIONS:
            _check_arguments(node)
            parts = node.args
        case _:
            raise ValueError(f"{_complaint(node)} {ALLOWED}")
    for part in parts:
        _check_tree(part, depth + 1, variables)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        _check_power(node.right)


def _complaint(node) -> str:
    match node:
        case ast.Constant():
            return "A number in the formula is too large."
        case ast.Name():
            return f"{node.id} is a function: write {node.id}(x)."
        case ast.Call():
            return "Only the functions named here can be called: sin(x), not 2(x)."
    return "The formula has a comma, or something else, in a place where it means nothing."


def _check_arguments(node: ast.Call) -> None:
    name, given = node.func.id, len(node.args)
    fits = given >= 2 if FUNCTIONS[name].pairwise else given == 1
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        raise ValueError(f"A star stands where it means nothing. {ALLOWED}")
    if not fits:
        wanted = "two numbers or more" if FUNCTIONS[name].pairwise else "one number"
        raise ValueError(f"{name} takes {wanted} in its brackets, not {given}. {ALLOWED}")


def _check_power(exponent) -> None:
    if any(isinstance(part, ast.Name) and part.id in VARIABLES for part in ast.walk(exponent)):
        return
    with np.errstate(all="ignore"):
        size = float(meaning(exponent, {}))
    if not abs(size) <= LARGEST_POWER:
        raise ValueError(
            f"A power of {size:.3g} is too large; use exponents from {-LARGEST_POWER:g} "
            f"to {LARGEST_POWER:g}. {ALLOWED}"
        )


def _finite(number) -> bool:
    try:
        return not isinstance(number, bool) and math.isfinite(float(number))
    except OverflowError:
        return False


# --- Meaning ---------------------------------------------------------------------------------


def evaluate(expression: Expression, **values):  # numbers, arrays, Values or Tensors -> the same
    """The formula's value where its variables stand for `values`.

    Outside a function's domain numbers and arrays give NaN or infinity; a `Value` raises what
    Python's math raises. A formula without variables gives one number, whatever is passed.
    """
    with np.errstate(all="ignore"):
        return meaning(expression.tree, values)


def meaning(node, values):
    """What one part of a formula stands for, found by asking the parts inside it."""
    match node:
        case ast.Constant():
            return np.float64(node.value)
        case ast.Name():
            return np.float64(CONSTANTS[node.id]) if node.id in CONSTANTS else values[node.id]
        case ast.UnaryOp():
            return SIGNS[type(node.op)](meaning(node.operand, values))
        case ast.BinOp():
            left, right = meaning(node.left, values), meaning(node.right, values)
            return OPERATORS[type(node.op)](left, right)
    arguments = [meaning(argument, values) for argument in node.args]
    function = FUNCTIONS[node.func.id]
    if function.pairwise:
        return functools.reduce(lambda a, b: call(function, a, b), arguments)
    return call(function, *arguments)


def graph(expression: Expression, **at: float) -> tuple[Value, dict[str, Value]]:
    """The formula as a graph of Values at one point, and the leaves of the graph by name.

    ArithmeticError, ValueError or TypeError where the formula has no value or no slope there.
    """
    leaves = {name: Value(number, label=name) for name, number in at.items()}
    return as_value(evaluate(expression, **leaves)), leaves


def slope(expression: Expression, **at: float) -> tuple[float, dict[str, float]]:
    """Value and exact derivatives at one point, by backpropagation; NaN where there are none."""
    try:
        result, leaves = graph(expression, **at)
        result.backward()
    except (ArithmeticError, ValueError, TypeError):
        return float(evaluate(expression, **at)), dict.fromkeys(at, math.nan)
    return result.data, {name: leaf.grad for name, leaf in leaves.items()}


def slopes(expression: Expression, **at: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Values and exact derivatives at many points, in one backward pass over the tape.

    The arrays in `at` have one shape, and so have all results; NaN or infinity where there is
    no value or no slope.
    """
    leaves = {name: tensor.Tensor(np.asarray(a, np.float64)) for name, a in at.items()}
    shape = next(iter(leaves.values())).shape
    result = evaluate(expression, **leaves)
    if not isinstance(result, tensor.Tensor):
        return np.full(shape, float(result)), {name: np.zeros(shape) for name in at}
    with np.errstate(all="ignore"):
        tensor.total(result).backward()
    zeros = np.zeros(shape)
    return result.data, {n: zeros if t.grad is None else t.grad for n, t in leaves.items()}


# --- Writing ---------------------------------------------------------------------------------

_RANKS = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.USub: 3, ast.UAdd: 3, ast.Pow: 4}
_SIGN_TEXT = {ast.Add: " + ", ast.Sub: " − ", ast.Mult: " · ", ast.Div: " / "}
_RAISED = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def written(expression: Expression, **numbers: str) -> str:
    """The formula as people write it: `2*x**2` is 2 · x², with `numbers` in place of names."""
    return _written(expression.tree, numbers)[0]


def _written(node, numbers) -> tuple[str, int]:
    """The text of a part, and how tightly it holds together (1: a sum ... 5: one piece)."""
    match node:
        case ast.Constant():
            return f"{node.value:g}".replace("-", "−"), 5
        case ast.Name(id="pi"):
            return "π", 5
        case ast.Name():
            text = numbers.get(node.id, node.id)
            return text, 3 if text.startswith("−") else 5
        case ast.Call():
            inside = ", ".join(_written(argument, numbers)[0] for argument in node.args)
            return f"{node.func.id}({inside})", 5
    rank = _RANKS[type(node.op)]
    if isinstance(node, ast.UnaryOp):
        sign = "−" if isinstance(node.op, ast.USub) else ""
        return sign + _bracketed(node.operand, numbers, rank), rank
    if isinstance(node.op, ast.Pow):
        base, exponent = _bracketed(node.left, numbers, 5), _written(node.right, {})[0]
        if re.fullmatch("−?[0-9]+", exponent):
            return base + exponent.translate(_RAISED), rank
        return f"{base}^{_bracketed(node.right, numbers, 5)}", rank
    left, right = _written(node.left, numbers), _bracketed(node.right, numbers, rank + 1)
    left = left[0] if left[1] >= rank else f"({left[0]})"
    return left + _SIGN_TEXT[type(node.op)] + right, rank


def _bracketed(node, numbers, least: int) -> str:
    """A part in brackets where it would be misread without: too loose, or behind two signs."""
    text, rank = _written(node, numbers)
    return text if rank >= least and not text.startswith("−") else f"({text})"
