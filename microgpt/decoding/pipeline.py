"""From the Enter key to the answer, as data: each stage of the way is one small record.

`read_prompt` makes tokens of what was typed (prompt.py). `answer` streams the tokens that the
model says, on the fast path. `record_passes` goes through the same passes again with the recorder
on, and cuts each into its stages with the seconds they took and the values they made.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.decoding.decoders import weights_of
from microgpt.decoding.generate import generate
from microgpt.decoding.prompt import MOST_CHARACTERS, Piece, Prompt, cut_text, is_chat, read_prompt
from microgpt.decoding.sampling import Sampling
from microgpt.decoding.sampling import Stage as Filtered
from microgpt.decoding.sampling import stages as sampling_stages
from microgpt.model.cache import KVCache
from microgpt.model.gpt import gpt
from microgpt.model.trace import entry
from microgpt.tokens import chat
from microgpt.tokens.tokenizer import StreamDecoder

__all__ = [
    "MOST_CHARACTERS", "Dice", "Inserted", "Pass", "Piece", "Prompt", "Said", "Stage", "StageClock",
    "Stopped", "answer", "calculate", "cut_text", "is_chat", "read_prompt", "record_pass",
    "record_passes", "stage_of",
]  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One token of the answer, and how it was chosen.

    `stages` are the filters of `sampling.stages` on the model's scores; the number `u` fell
    between `low` and `high`, this token's share of the running sums. `text` is what the token
    completes (a character may take several tokens). Seconds: of the model, and of the choosing.
    """

    index: int
    token: int
    text: str
    stages: tuple[Filtered, ...]
    u: float
    low: float
    high: float
    model_seconds: float
    sampling_seconds: float

    @property
    def probability(self) -> float:
        return float(self.stages[-1].probabilities[self.token])


@dataclass(frozen=True)
class Inserted:
    """What the calculator was asked, what it said, and the tokens put in for it."""

    expression: str
    result: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Stopped:
    """The answer has ended, and why."""

    reason: str


@dataclass(frozen=True)
class Stage:
    """One stage of one pass: how long it took and every value it recorded, by name."""

    kind: str  # "embedding", "positions", "attention", "mlp", "norm" or "logits"
    layer: int | None
    seconds: float
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class Pass:
    """One run through the whole model: pass 0 reads the prompt, each later one a single token."""

    index: int
    start: int  # tokens that stand before, in the cache
    tokens: tuple[int, ...]
    stages: tuple[Stage, ...]

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    def value(self, name: str) -> np.ndarray:
        """A recorded value, such as "blocks.0.attention.weights"."""
        for stage in self.stages:
            if name in stage.values:
                return stage.values[name]
        raise KeyError(name)


class Dice:
    """A random generator that remembers the last number it gave, so that a page can show it."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.last = 0.0

    def random(self) -> float:
        self.last = self.rng.random()
        return self.last


def answer(
    model, prompt: Prompt, sampling: Sampling, max_tokens: int, seed: int = 0
) -> Iterator[Said | Inserted | Stopped]:
    """The answer token by token, as it is made, and at the end why it ended.

    Where a chat model calls the calculator, the result is put in and the model reads on: a tool
    is no more than that.
    """
    ids, said, dice = list(prompt.ids), 0, Dice(seed)
    decoder, end = StreamDecoder(model.tokenizer), chat.end_of(model.tokenizer)
    while True:
        begin = len(ids)
        room = min(max_tokens - said, model.config.context + 1 - begin)
        for step in generate(model, ids, sampling, max(room, 0), dice, stop=(end,)):
            yield chosen(said, step, sampling, ids, decoder, dice.last)
            ids.append(step.token)
            said += 1
        if ids[-1] != end or len(ids) == begin:
            yield Stopped(full(model, len(ids), max_tokens))
            return
        call = calculator_call(model, ids[begin:]) if is_chat(model) else None
        if call is None:
            name = model.tokenizer.name_of(end)
            yield Stopped(f"The model drew {name}: it stops by itself.")
            return
        inserted = call_calculator(model, call)
        ids += inserted.ids
        yield inserted


def chosen(index, step, sampling, ids, decoder, u) -> Said:
    """How the token of this step was chosen: the filters again, and where `u` fell."""
    stages = tuple(sampling_stages(step.logits, sampling, ids))
    probabilities = stages[-1].probabilities
    high = float(probabilities[: step.token + 1].sum())
    low = high - float(probabilities[step.token])
    return Said(
        index=index,
        token=step.token,
        text=decoder.push(step.token),
        stages=stages,
        u=u,
        low=max(low, 0.0),
        high=high,
        model_seconds=step.seconds,
        sampling_seconds=step.sampling_seconds,
    )


def full(model, length: int, max_tokens: int) -> str:
    """Why an answer ended without the token for it."""
    if length > model.config.context:
        return f"The context of {model.config.context} tokens is full."
    return f"The limit of {max_tokens} new tokens is reached."


def calculator_call(model, message: Sequence[int]) -> str | None:
    """The expression, if a message of the assistant is a call of the calculator."""
    if message[0] != model.tokenizer.specials.get(chat.CALCULATE):
        return None
    return model.tokenizer.decode(message[1:-1])


def call_calculator(model, expression: str) -> Inserted:
    """Work out an expression and write the result as the tool's message."""
    result = calculate(expression)
    special = [chat.special(model.tokenizer, s) for s in ("<|tool|>", chat.END, "<|assistant|>")]
    ids = (special[0], *model.tokenizer.encode(result), *special[1:])
    return Inserted(expression, result, ids)


def calculate(expression: str) -> str:
    """The calculator: two whole numbers and one of + - *; "error" for anything else."""
    match = re.fullmatch(r"(\d{1,9})([-+*])(\d{1,9})", expression, re.ASCII)
    if match is None:
        return "error"
    left, right = int(match[1]), int(match[3])
    return str({"+": left + right, "-": left - right, "*": left * right}[match[2]])


def stage_of(name: str) -> tuple[str, int | None]:
    """The stage that a recorded value belongs to. RoPE's turns count as positions.

    "middle" is the sum after attention, or after the state space: `StageClock` knows which.
    """
    parts = name.split(".")
    if parts[0] != "blocks":
        return parts[0], None
    if parts[-1].endswith("_rotated"):
        return "positions", None
    kind = {"residual": "mlp", "middle": "attention"}.get(parts[2], parts[2])
    return kind, int(parts[1])


class StageClock:
    """A recorder that also looks at the clock: a stage's time is the time up to its records.

    With `rows` it keeps only the last tokens' part of what each layer but the first computed, and
    of the scores: a deep model's pass over a long prompt would fill hundreds of megabytes.
    """

    def __init__(self, rows: int | None = None):
        self.rows = rows
        self.seconds: dict[tuple[str, int | None], float] = {}
        self.values: dict[tuple[str, int | None], dict[str, np.ndarray]] = {}
        self.stage = None
        self.last = time.perf_counter()

    def __call__(self, name: str, value: np.ndarray) -> None:
        now = time.perf_counter()
        stage = self.stage if name.endswith(".middle") else stage_of(name)
        self.stage = stage
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.last
        if self.rows is not None and not name.startswith("blocks.0."):
            value = last_rows(name, value, self.rows)
        self.values.setdefault(stage, {})[name] = value
        self.last = time.perf_counter()

    def stages(self) -> tuple[Stage, ...]:
        found = [Stage(*key, self.seconds[key], self.values[key]) for key in self.seconds]
        return tuple(found)


def last_rows(name: str, value: np.ndarray, rows: int) -> np.ndarray:
    """A recorded value of the last `rows` tokens alone, in memory of its own."""
    axis = entry(name).shape.split().index("T")
    kept = [slice(None)] * value.ndim
    kept[axis] = slice(-rows, None)
    return value[tuple(kept)].copy() if value.shape[axis] > rows else value


def record_pass(
    model, tokens: Sequence[int], cache: KVCache, index: int = 0, rows: int | None = None
) -> Pass:
    """Run the model once over `tokens`, after those in the cache, and keep everything, or what
    `StageClock` keeps of the last `rows` tokens."""
    start, clock, weights = cache.length, StageClock(rows), weights_of(model)
    gpt(weights, np.array([tokens]), model.config, record=clock, cache=cache, last=rows)
    return Pass(index, start, tuple(tokens), clock.stages())


def record_passes(
    model, ids: Sequence[int], said_at: Sequence[int], first: int = 0, rows: int | None = None
) -> Iterator[Pass]:
    """The passes that said the tokens at the places `said_at`, from pass number `first` on.

    Each reads all that the one before it did not. What stands before the first one asked for is
    read in one go, so that any pass can be looked at without those before it.
    """
    if not 0 <= first < len(said_at):
        raise ValueError(f"There are {len(said_at)} passes, counted from 0; none is {first}.")
    cache = KVCache.empty(model.config, length=said_at[-1])
    if first > 0:
        before = np.array([ids[: said_at[first - 1]]])
        gpt(weights_of(model), before, model.config, cache=cache, head=False)
    for index in range(first, len(said_at)):
        yield record_pass(model, ids[cache.length : said_at[index]], cache, index, rows)
