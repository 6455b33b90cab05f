"""Small live runs of real functions of the engine, with inputs that the reader chooses.

An example names its function; the page hands it the live object. What is typed is text or a
number for that function, never a program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import streamlit as st

from widgets import chapter, prose

MOST_TEXT = 300  # characters


@dataclass(frozen=True)
class Input:
    """A number (with low, high, step), a text, or a choice (with options)."""

    name: str
    label: str
    value: float | int | str
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    options: tuple[str, ...] = ()

    def ask(self, key: str):
        if self.options:
            return st.selectbox(self.label, self.options, key=key, persist_state="session")
        if isinstance(self.value, str):
            return st.text_input(self.label, self.value, max_chars=MOST_TEXT, key=key,
                                 persist_state="session")  # fmt: skip
        shown = "%d" if isinstance(self.value, int) else "%.6g"
        return st.number_input(self.label, self.low, self.high, self.value, self.step, shown,
                               key=key, persist_state="session")  # fmt: skip


@dataclass(frozen=True)
class Example:
    """`run(function, **inputs)` returns the call as one would write it, and what came of it."""

    target: str
    inputs: tuple[Input, ...]
    run: Callable[..., tuple[str, str]]


def _numbers(values) -> str:
    return "[" + ", ".join(f"{float(v):.4g}" for v in np.ravel(values)) + "]"


def _three(low: float, high: float, *values: float) -> tuple[Input, ...]:
    return tuple(Input(n, n, v, low, high, 0.5) for n, v in zip("abc", values, strict=True))


def _slope(slope, formula, x):
    from microgpt.basics.expressions import parse

    value, slopes = slope(parse(formula, ("x",)), x=x)
    return (
        f"slope(parse({formula!r}), x={x:g})",
        f"value {value:.6g}\nslope {slopes['x']:.6g}",
    )


def _value(value, a, b, c):
    x, y, z = value(a), value(b), value(c)
    result = x * y + z
    result.backward()
    return (
        f"a, b, c = Value({a:g}), Value({b:g}), Value({c:g})\n"
        "result = a * b + c\nresult.backward()",
        f"result.data = {result.data:g}\na.grad = {x.grad:g}   (b)\nb.grad = {y.grad:g}   (a)\n"
        f"c.grad = {z.grad:g}",
    )


def _row(function, a, b, c):
    return f"{function.__name__}(np.array([{a:g}, {b:g}, {c:g}]))", _numbers(
        function(np.array([a, b, c]))
    )


def _rmsnorm(rmsnorm, a, b, c):
    out = rmsnorm(np.array([a, b, c]), np.ones(3))
    return (
        f"rmsnorm(np.array([{a:g}, {b:g}, {c:g}]), np.ones(3))",
        f"{_numbers(out)}\nmean square of that: {float((out * out).mean()):.4f}",
    )


def _mask(causal_mask, tokens, window):
    mask = causal_mask(tokens, tokens, window or None)
    rows = "\n".join(" ".join("1" if look else "·" for look in row) for row in mask)
    return f"causal_mask({tokens}, {tokens}, window={window or None})", rows


def _schedule(warmup_cosine, peak, total, warmup):
    steps = [0, warmup // 2, warmup, (warmup + total) // 2, total]
    rates = [warmup_cosine(step, peak, total, warmup) for step in steps]
    lines = [f"step {step:>6}: {rate:.6f}" for step, rate in zip(steps, rates, strict=True)]
    return f"warmup_cosine(step, {peak:g}, {total}, {warmup})", "\n".join(lines)


def _split(split, text, pattern):
    return f"split({text!r}, {pattern!r})", "  ".join(repr(word) for word in split(text, pattern))


def _merges(train_steps, text, merges):
    lines = [
        f"{m.rank + 1:>2}. {m.token_bytes.decode('utf-8', 'replace')!r:<12} stood {m.count} times, "
        f"{m.tokens} tokens left"
        for m in train_steps(text, 256 + merges, specials=())
    ]
    return (f"list(train_steps({text!r}, {256 + merges}, specials=()))",
            "\n".join(lines) or "No two bytes stand side by side in a word.")  # fmt: skip


def _documents(documents, seed, number):
    document = next(islice(documents(seed), number - 1, None))
    call = f"next(islice(documents({seed}), {number - 1}, None))"
    return call, f"kind: {document.kind}\n{document.text}"


def _parameters(count_parameters, layers, width, vocabulary):
    from microgpt.model.config import llama_style

    config = llama_style(vocab_size=vocabulary, context=256, layers=layers, width=width, heads=4,
                         hidden=3 * width)  # fmt: skip
    return (
        f"count_parameters(llama_style(vocab_size={vocabulary}, context=256, layers={layers}, "
        f"width={width}, heads=4, hidden={3 * width}))",
        f"{count_parameters(config):,} parameters",
    )


def _cache(cache_bytes, tokens, bytes_per_number):
    from microgpt.model.costs import LLAMA_3_70B

    size = cache_bytes(LLAMA_3_70B, tokens, bytes_per_number)
    return (f"cache_bytes(LLAMA_3_70B, {tokens}, {bytes_per_number})",
            f"{size:,} bytes = {size / 1e9:.2f} GB")  # fmt: skip


def _distribution(distribution, temperature, top_k, top_p):
    from microgpt.decoding.sampling import Sampling

    scores = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    settings = Sampling(temperature, top_k, top_p)
    call = f"Sampling({temperature:g}, {top_k}, {top_p:g})"
    return (
        f"distribution(np.array({_numbers(scores)}), {call})",
        _numbers(distribution(scores, settings)),
    )


def _die(chi_square, sixes, throws):
    sixes = min(sixes, throws)
    rest, more = divmod(throws - sixes, 5)
    counts = np.array([rest + (face < more) for face in range(5)] + [sixes])
    test = chi_square(counts, np.full(6, 1 / 6))
    return (
        f"chi_square(np.array({_numbers(counts)}), np.full(6, 1 / 6))",
        f"statistic {test.statistic:.3f}\ndegrees   {test.degrees}\np_value   {test.p_value:.4f}",
    )


def _quantize(quantize, bits, group):
    matrix = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)
    packed = quantize(matrix, bits, group)
    from microgpt.decoding.quantize import dequantize

    error = np.abs(dequantize(packed) - matrix).max()
    return (
        f"quantize(matrix, bits={bits}, group={group})  # matrix: (4, 64) of random numbers",
        f"{matrix.nbytes} bytes -> {packed.nbytes} bytes\nlargest error {error:.4f}",
    )


EXAMPLES = (
    Example("microgpt.autograd.scalar.Value", _three(-9.0, 9.0, 2.0, 3.0, 1.0), _value),
    Example("microgpt.autograd.ops.softmax", _three(-20.0, 20.0, 1.0, 2.0, 3.0), _row),
    Example("microgpt.autograd.ops.rmsnorm", _three(-20.0, 20.0, 1.0, 2.0, 3.0), _rmsnorm),
    Example("microgpt.autograd.ops.gelu", _three(-9.0, 9.0, -1.0, 0.0, 2.0), _row),
    Example("microgpt.autograd.ops.causal_mask", (
        Input("tokens", "Tokens", 6, 1, 16, 1),
        Input("window", "Window (0: none)", 0, 0, 16, 1),
    ), _mask),
    Example("microgpt.autograd.optim.warmup_cosine", (
        Input("peak", "Peak rate", 0.001, 0.0, 1.0, 0.001),
        Input("total", "Steps", 1000, 2, 100_000, 100),
        Input("warmup", "Warm-up steps", 100, 1, 1000, 10),
    ), _schedule),
    Example("microgpt.basics.expressions.slope", (
        Input("formula", "Formula", "x**2"), Input("x", "x", 3.0, -100.0, 100.0, 0.5),
    ), _slope),
    Example("microgpt.tokens.patterns.split", (
        Input("text", "Text", "It's 12345 degrees, isn't it?"),
        Input("pattern", "Pattern", "digits", options=("digits", "gpt4")),
    ), _split),
    Example("microgpt.tokens.bpe.train_steps", (
        Input("text", "Text to learn from", "low lower lowest slow slower slowest"),
        Input("merges", "Merges", 6, 1, 20, 1),
    ), _merges),
    Example("microgpt.world.corpus.documents", (
        Input("seed", "Seed", 0, 0, 1000, 1), Input("number", "Document", 1, 1, 200, 1),
    ), _documents),
    Example("microgpt.model.gpt.count_parameters", (
        Input("layers", "Layers", 4, 1, 128, 1), Input("width", "Width", 128, 8, 16_384, 8),
        Input("vocabulary", "Vocabulary", 1536, 256, 256_000, 256),
    ), _parameters),
    Example("microgpt.model.costs.cache_bytes", (
        Input("tokens", "Tokens", 8192, 1, 1_000_000, 1024),
        Input("bytes_per_number", "Bytes a number", 2, 1, 4, 1),
    ), _cache),
    Example("microgpt.decoding.sampling.distribution", (
        Input("temperature", "Temperature", 1.0, 0.0, 10.0, 0.1),
        Input("top_k", "Top-k", 0, 0, 5, 1), Input("top_p", "Top-p", 0.9, 0.01, 1.0, 0.05),
    ), _distribution),
    Example("microgpt.decoding.chi_square.chi_square", (
        Input("sixes", "Sixes", 20, 0, 600, 1), Input("throws", "Throws", 60, 6, 600, 6),
    ), _die),
    Example("microgpt.decoding.quantize.quantize", (
        Input("bits", "Bits", 4, 2, 8, 1), Input("group", "Group", 32, 1, 64, 1),
    ), _quantize),
)  # fmt: skip
BY_TARGET = {example.target: example for example in EXAMPLES}


def draw(target: str, function: Callable) -> None:
    """The inputs of an example side by side, the call, and what the engine answers."""
    example = BY_TARGET[target]
    columns = st.columns(len(example.inputs))
    given = {}
    for one, column in zip(example.inputs, columns, strict=True):
        with column:
            given[one.name] = one.ask(f"engine_example_{target}_{one.name}")
    try:
        call, answer = example.run(function, **given)
    except ValueError as error:
        st.markdown(f":material/info: {prose.literal(str(error))}")
        return
    st.code(call, language="python", wrap_lines=True)
    st.code(answer, language=None, wrap_lines=True)
    chapter.mark("computed", by=target)
