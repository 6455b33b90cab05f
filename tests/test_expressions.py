"""Formulas: what is refused and why, and that all four readings of one formula agree."""

import ast
import math

import numpy as np
import pytest

from microgpt.autograd.scalar import Value
from microgpt.autograd.tensor import Tensor
from microgpt.basics import expressions
from microgpt.basics.expressions import evaluate, graph, parse, slope, slopes, written

HOSTILE = """
__import__('os').system('id')|__import__("os")|eval("1")|exec("1")|compile("1","","eval")|open("/etc/passwd")
globals()|locals()|vars()|dir()|getattr(x,"y")|setattr(x,1,2)|type(x)|object|super()|help()|input()|print(x)
x.__class__|x.real|(1).__class__.__bases__|sin.__globals__|x.y|().__class__|"".join(x)|''.format(x)|f"{x}"
[x for x in (1,2)]|{x for x in y}|{x: y}|(x for x in y)|[1,2,3]|[]|{}|()|x[0]|x[0:1]|lambda: 1|lambda x: x
x if y else 1|x and y|x or y|not x|x < y|x == y|x != y|x is y|x in y|x := 1|(x:=1)|x = 1|x; y|import os
from os import *|def f(): pass|class A: pass|while True: pass|for x in y: x|del x|assert x|raise x|yield x
await x|async|global x|nonlocal x|with x: y|try: x|return x|pass|break|None|True|False|Ellipsis|...|NotImplemented
9**9**9|9**9**9**9|x**1000|x**(10**5)|2**(3**7)|x**-101|x**(1/0)|(9**9)**(9**9)|x**1e9|10**101
1e999|-1e999|1e9999999|0x10|0b11|0o7|1_000|1j|2+3j|١٢|x²|x³|√x|π|∞|２*x|ｘ|ѕin(x)|sіn(x)|x·2|x×2|x÷2|2−x
sin|sin()|sin(x,y)|sin(x)(x)|sin(*x)|sin(**x)|sin(x=1)|max()|max(x)|max(*x,*y)|min(x=1,y=2)|pow(x,2)|abs|abs(x,)(1)
x y|2 x|2x|x2|xy|x(2)|(x)(y)|2(x)|pi(2)|e(x)|x**|**x|x+|*x|x*|/x|x//y|x%2|x@y|x&y|x|y|x^2|~x|x<<2|x>>1|x,|,x|x,y
(|)|()()|((x)|(x))|sin(x|sin x|+|-|**|.|..|1..2|1.2.3|1e|e1|1e+|#x|x # y|`x`|$x|?x|!x|@x|\\x|x\\|"x"|'x'|b"x"|r"x"
z|a|X|Y|PI|E|Sin(x)|SIN(x)|sinh(x)|ln(x)|sqr(x)|relu|x__|_x|_|__|x_1|sum(x)|map(x)|numpy|np.sin(x)|math.sin(x)
"""
CONTROL = ["", " ", "\n", "\t\t", "x\0", "\0", "x\ny", "x\r\ny", "\u202ex", "x\u200b", "\ufeffx", "\x1b[2J", "x\x07",
           "sin(\u00a0x)", "𝒙", "e\u0301", "x" + "\u0300" * 50, "🙂", "مرحبا", "()" * 80]  # fmt: skip
HUGE = ["x" * 1_000_000, "(" * 90 + "x" + ")" * 9, "-" * 150 + "x", "sin(" * 45 + "x" + ")" * 45,
        "x" + "+x" * 99, "x" + "+x" * 100_000, "9" * 1000, "1" + "0" * 400, "[" * 199, "(" * 200]  # fmt: skip
OTHERS = [None, 5, 1.5, b"x", ["x"], {"x": 1}]


def hostile() -> list:
    lines = [piece for line in HOSTILE.strip().split("\n") for piece in line.split("|")]
    # The separator itself cannot stand in the list.
    return [*lines, "x|y", "x||y", *CONTROL, *HUGE, *OTHERS]


REFUSED = [text for text in hostile() if text not in ("x", "y")]


def test_there_are_enough_hostile_strings():
    assert len({str(text) for text in REFUSED}) >= 100


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:40])
def test_what_is_no_formula_is_refused_with_a_sentence_that_says_what_is_allowed(text):
    with pytest.raises(ValueError) as caught:
        parse(text)
    words = str(caught.value)
    assert words.endswith(expressions.ALLOWED)
    complaint = words.removesuffix(expressions.ALLOWED).strip()
    assert complaint.endswith(".") and complaint[:1].strip()
    assert len(words) < 500, "a long input must not come back"


@pytest.mark.parametrize("text", ["x" * 10**6, "(" * 10**6, "9" * 10**6, "x**" * 10**6, "\0" * 10**6])
def test_a_megabyte_is_refused_before_anything_reads_it(text, monkeypatch):
    def never(*_):
        raise AssertionError("it was parsed")

    monkeypatch.setattr(ast, "parse", never)
    monkeypatch.setattr(expressions, "_check_pieces", never)
    with pytest.raises(ValueError, match="characters, too many"):
        parse(text)


def test_python_s_parser_sees_only_words_of_the_language(monkeypatch):
    seen = []
    real = ast.parse
    monkeypatch.setattr(ast, "parse", lambda text, mode: seen.append(text) or real(text, mode=mode))
    for text in REFUSED:
        with pytest.raises(ValueError):
            parse(text)
    known = {*expressions.VARIABLES, *expressions.CONSTANTS, *expressions.FUNCTIONS}
    for text in seen:
        assert len(text) <= expressions.LONGEST
        names = expressions.re.findall(r"(?<![\w.])[A-Za-z_]\w*", text)
        assert set(names) <= known, text
        assert not expressions.re.search(r"[^\w\s.+\-*/(),]", text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("x^2", "two stars"), ("x²", "two stars"), ("2x", "needs its star"), ("f(x)", "“f” is not known"),
     ("sin", "write sin(x)"), ("sin x", "side by side"), ("x**101", "too large"), ("y = x", "behind the equals"),
     ("max(x)", "two numbers or more"), ("sin(x, x)", "one number"), ("2 · x", "a star")],
)  # fmt: skip
def test_common_slips_get_their_own_hint(text, hint):
    with pytest.raises(ValueError, match=expressions.re.escape(hint)):
        parse(text)


def test_a_function_of_x_alone_says_so():
    with pytest.raises(ValueError, match="Only x is at hand"):
        parse("x + y", ("x",))


VALUES = {
    "2*sin(x) + 0.3*x": lambda x, y: 2 * math.sin(x) + 0.3 * x,
    "x**2": lambda x, y: x**2,
    "-x**2": lambda x, y: -(x**2),
    "2**-x": lambda x, y: 2**-x,
    "x**y": lambda x, y: x**y,
    "x - y - 1": lambda x, y: x - y - 1,
    "x / y / 2": lambda x, y: x / y / 2,
    "2**3**0.5": lambda x, y: 2 ** (3**0.5),
    "e**x + pi": lambda x, y: math.e**x + math.pi,
    "max(x, y, 0) - min(x, 1, y)": lambda x, y: max(x, y, 0) - min(x, 1, y),
    "tan(x) + cos(y)": lambda x, y: math.tan(x) + math.cos(y),
    "log(x) * sqrt(y) + exp(-x)": lambda x, y: math.log(x) * math.sqrt(y) + math.exp(-x),
    "abs(-x) + relu(x - 1) + relu(-y)": lambda x, y: abs(x) + max(0, x - 1) + max(0, -y),
    "tanh(x) + sigmoid(y)": lambda x, y: math.tanh(x) + 1 / (1 + math.exp(-y)),
    " 1.5e-1 * (x) ": lambda x, y: 0.15 * x,
    ".5*x + 3.": lambda x, y: 0.5 * x + 3,
    "7": lambda x, y: 7.0,
}


@pytest.mark.parametrize("text", VALUES)
def test_numbers_arrays_values_and_tensors_agree_with_python(text):
    expression = parse(text)
    for x, y in ((1.3, 2.1), (0.4, 0.9)):
        expected = VALUES[text](x, y)
        assert float(evaluate(expression, x=x, y=y)) == pytest.approx(expected, rel=1e-14)
        assert graph(expression, x=x, y=y)[0].data == pytest.approx(expected, rel=1e-14)
        heights, _ = slopes(expression, x=np.array([x, x]), y=np.array([y, y]))
        assert heights == pytest.approx([expected] * 2, rel=1e-14)
    got = evaluate(expression, x=np.array([1.3, 0.4]), y=np.array([2.1, 0.9]))
    assert np.broadcast_to(got, 2) == pytest.approx([VALUES[text](1.3, 2.1), VALUES[text](0.4, 0.9)])


def random_formula(rng: np.random.Generator, depth: int) -> str:
    if depth == 0 or rng.random() < 0.15:
        return str(rng.choice(["x", "y", "x", "y", f"{rng.uniform(-3, 3):.2f}", "pi", "e", "2"]))
    kind = rng.choice(["+", "-", "*", "/", "**", "call", "pair", "neg"])
    part = lambda: random_formula(rng, depth - 1)  # noqa: E731
    if kind == "call":
        names = [name for name, f in expressions.FUNCTIONS.items() if not f.pairwise]
        return f"{rng.choice(names)}({part()})"
    if kind == "pair":
        return f"{rng.choice(['min', 'max'])}({part()}, {part()})"
    if kind == "neg":
        return f"(-{part()})"
    if kind == "**":
        return f"({part()})**{rng.choice(['2', '3', '0.5', '(-1)', 'x'])}"
    return f"({part()} {kind} {part()})"


def generated(count: int) -> list[str]:
    rng = np.random.default_rng(20260101)
    found = []
    while len(found) < count:
        text = random_formula(rng, 4)
        if len(text) <= expressions.LONGEST and ("x" in text or "y" in text) and text not in found:
            found.append(text)
    return found


def usable(function, at: dict, name: str) -> float | None:
    """A central difference that three step sizes agree on; None near kinks, poles and edges."""
    found = []
    for h in (1e-4, 3e-5, 1e-5):
        high, low = (float(function(**{**at, name: at[name] + s * h})) for s in (1, -1))
        found.append((high - low) / (2 * h))
    if not np.isfinite(found).all() or np.ptp(found) > 1e-5 * (1 + abs(found[0])):
        return None
    return found[-1]


def test_200_generated_formulas_against_finite_differences():
    rng = np.random.default_rng(7)
    compared, formulas = 0, set()
    for text in generated(200):
        expression = parse(text)
        for _ in range(6):
            at = {"x": float(rng.uniform(-3, 3)), "y": float(rng.uniform(-3, 3))}
            value, exact = slope(expression, **at)
            many, tape = slopes(expression, **{n: np.full(3, v) for n, v in at.items()})
            for name in at:
                estimate = usable(lambda **place: evaluate(expression, **place), at, name)  # noqa: B023
                if estimate is None or not np.isfinite(value) or abs(estimate) > 1e6:
                    continue
                where = f"d/d{name} of {text} at {at}"
                assert exact[name] == pytest.approx(estimate, rel=2e-4, abs=2e-4), where
                assert tape[name] == pytest.approx([exact[name]] * 3, rel=1e-5, abs=1e-9), where
                assert many == pytest.approx([value] * 3, rel=1e-5), where
                compared += 1
                formulas.add(text)
    assert len(formulas) >= 180 and compared >= 1200


def test_generated_formulas_are_written_so_that_they_mean_the_same():
    """What is shown, read back with the signs of the keyboard, has the same value."""
    back = {" · ": "*", " − ": "-", "−": "-", "π": "pi", "^": "**"}
    powers = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    checked = 0
    for text in generated(200):
        shown = written(parse(text))
        shown = expressions.re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"**({m[0].translate(powers)})", shown)
        for sign, key in back.items():
            shown = shown.replace(sign, key)
        if len(shown) > expressions.LONGEST:
            continue
        values = [float(evaluate(parse(t), x=1.37, y=0.61)) for t in (text, shown)]
        if np.isfinite(values).all():
            assert values[0] == pytest.approx(values[1], rel=1e-6), (text, shown)
            checked += 1
    assert checked > 120


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2*sin(x)+0.3*x", "2 · sin(x) + 0.3 · x"), ("x**2", "x²"), ("x**-2", "x⁻²"), ("-(-x)", "−(−x)"),
     ("x-(2-y)", "x − (2 − y)"), ("(x+1)**2", "(x + 1)²"), ("x**0.5", "x^0.5"), ("pi*x", "π · x"),
     ("(-x)**2", "(−x)²"), ("-x**2", "−x²"), ("x/(y*2)", "x / (y · 2)")],
)  # fmt: skip
def test_formulas_are_written_as_people_write_them(text, shown):
    assert written(parse(text)) == shown


def test_numbers_stand_in_place_of_names():
    assert written(parse("2*x - x**2"), x="−1.50") == "2 · (−1.50) − (−1.50)²"


def test_where_there_is_no_value_there_is_nan_and_no_noise(recwarn):
    for text, x in (("log(x)", -1.0), ("1/x", 0.0), ("sqrt(x)", -2.0), ("x**0.5", -1.0), ("exp(x)", 1e4), ("log(x)", 0.0)):
        value, exact = slope(parse(text), x=x)
        assert not math.isfinite(value) and math.isnan(exact["x"]), text
        slopes(parse(text), x=np.array([x, 1.0]))
    assert len(recwarn) == 0


def test_kinks_follow_the_conventions_of_the_autograd():
    for text, expected in (("abs(x)", 0.0), ("relu(x)", 0.0), ("max(x, -x)", 0.0), ("min(x, 0)", 0.5)):
        assert slope(parse(text), x=0.0)[1]["x"] == expected
        assert slopes(parse(text), x=np.zeros(2))[1]["x"].tolist() == [expected] * 2


def test_a_variable_used_twice_gets_both_gradients():
    assert slope(parse("x*x + x"), x=3.0) == (12.0, {"x": 7.0})


def test_the_graph_has_named_leaves():
    result, leaves = graph(parse("x*y + x"), x=2.0, y=5.0)
    assert isinstance(result, Value) and result.data == 12
    assert {name: leaf.label for name, leaf in leaves.items()} == {"x": "x", "y": "y"}
    result.backward()
    assert (leaves["x"].grad, leaves["y"].grad) == (6.0, 2.0)


def test_a_constant_is_flat_and_an_unused_variable_has_slope_0():
    assert slope(parse("7"), x=1.0) == (7.0, {"x": 0.0})
    heights, by = slopes(parse("x*2"), x=np.ones(3), y=np.ones(3))
    assert heights.tolist() == [2, 2, 2] and by["y"].tolist() == [0, 0, 0]
    assert parse("y + 1").variables == ("y",) and parse("2").variables == ()


def test_a_tensor_goes_through_a_formula():
    x = Tensor(np.array([1.0, 2.0]))
    result = evaluate(parse("sin(x)**2 + cos(x)**2"), x=x)
    assert isinstance(result, Tensor) and result.data == pytest.approx([1, 1])
