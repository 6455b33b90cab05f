"""The switchboard: a small model learns without a part, beside one that has them all.

Both start from the same weights and read the same text. What is measured is what counts when a
model is used: how surprised it is by the next token of a text it never read, when only what comes
before is there, and what it writes.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice, tee
from pathlib import Path

import numpy as np

from microgpt.autograd import ops
from microgpt.autograd.tensor import array, cross_entropy, linear
from microgpt.insight import ablation
from microgpt.model.config import GPTConfig, llama_style
from microgpt.model.gpt import gpt, head_name, init_params
from microgpt.tokens.chat import BEGIN
from microgpt.training.data import Batch, batches
from microgpt.training.parallel import single_threaded_blas
from microgpt.training.train import Options, fresh_state, train_steps
from microgpt.world.corpus import documents

PARTS = {  # what can be taken away: what is then missing
    "residuals": "each part's answer takes the place of the stream instead of joining it",
    "norms": "each part reads the stream as it is, however large or small",
    "attention": "no token hears of any other",
    "mlp": "no token works on what it has heard",
    "positions": "nothing says where a token stands",
    "mask": "while it learns, each token sees those after it too",
    "scale": "the scores are not divided by √D",
}
CONTEXT, ROWS, LOOKED_AT = 64, 8, 16
STORIES = {"story": 70, "coreference_story": 10, "capital": 10, "definition": 10}
OPTIONS = Options(
    steps=400, batch=ROWS, rate=6e-3, warmup=20, hold=0.5, micro=ROWS, threads=1,
)  # fmt: skip
PROMPT, WRITTEN = "One day", 24
RECORD = Path(__file__).resolve().parents[2] / "assets" / "recorded" / "switchboard.json"


@dataclass(frozen=True)
class Moment:
    """One model after some steps: its loss on the text it learns from (before the step), and, now
    and then, its loss on text it never read and a text of its own. Losses in nats per token;
    `broken` says why it can't go on."""

    step: int
    loss: float
    held_out: float | None = None
    text: str | None = None
    broken: str = ""


def small_model(vocab_size: int) -> GPTConfig:
    """Four layers, small enough to learn while somebody watches."""
    return llama_style(
        vocab_size=vocab_size, context=CONTEXT, layers=4, width=48, heads=2, hidden=128
    )


def without(parts, config: GPTConfig):
    """The same model without some parts: its configuration, and a maker of edits for its passes.

    ValueError for a part that is not one of `PARTS`.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ValueError(f"There is no part {unknown[0]!r}; the parts are {', '.join(PARTS)}.")
    changes = {}
    if "positions" in parts:
        changes["positions"] = "none"
    if "mask" in parts:
        changes["causal"] = False
    if "scale" in parts:
        changes["scale"] = 1.0
    layers = range(config.layers)

    def edit():
        edits = [ablation.without_parts(part, layers, config) for part in ("attention", "mlp")
                 if part in parts]  # fmt: skip
        if "residuals" in parts:
            edits.append(ablation.without_residuals())
        if "norms" in parts:
            edits.append(ablation.without_norms())
        return ablation.chain(*edits) if edits else None

    return replace(config, **changes), edit


def reading(tokenizer, seed: int) -> tuple[Iterator[Batch], Batch]:
    """Text to learn from, never the same twice, and text that is only looked at."""

    def write(seed):
        return documents(seed, STORIES)

    learned = batches(write, tokenizer, CONTEXT, ROWS, f"switchboard/{seed}", chunk=4)
    unread = batches(write, tokenizer, CONTEXT, LOOKED_AT, "switchboard/held out", chunk=1)
    return learned, next(unread)


def held_out_loss(params, config, batch: Batch, edit) -> float:
    """Mean surprise at the next token when the model is given what comes before and no more.

    With the mask one pass over a row is that for every token of it. Without it the model would see
    its answers, so each beginning of each row is read on its own.
    """
    if config.causal:
        logits = gpt(params, batch.tokens, config, edit=edit())
    else:
        last = [gpt(params, batch.tokens[:, :stop], config, edit=edit(), head=False)[:, -1:]
                for stop in range(1, batch.tokens.shape[1] + 1)]  # fmt: skip
        logits = linear(np.concatenate(last, axis=1), params[head_name(config)])
    return float(array(cross_entropy(logits, batch.targets, batch.weights)))


def write(params, config, tokenizer, edit, seed: int, most: int = WRITTEN) -> str:
    """What the model makes of the prompt: token by token, drawn at temperature 0.7.

    Nothing is kept between the tokens: without the mask there is nothing to keep.
    """
    rng = np.random.default_rng(seed)
    ids = [tokenizer.specials[BEGIN], *tokenizer.encode(PROMPT)]
    start = len(ids)
    for _ in range(most):
        scores = gpt(params, np.array([ids[-config.context :]]), config, edit=edit())[0, -1]
        chances = ops.softmax(scores.astype(np.float64) / 0.7)
        token = int(rng.choice(len(chances), p=chances / chances.sum()))
        if token in tokenizer.specials.values():
            break
        ids.append(token)
    return PROMPT + tokenizer.decode(ids[start:])


class Run:
    """One model in training, intact or without some parts."""

    def __init__(self, parts, tokenizer, start, config, options: Options, learned, looked_at):
        self.parts, self.tokenizer, self.looked_at = tuple(parts), tokenizer, looked_at
        self.config, self.edit = without(parts, config)
        self.state, self.broken, self.loss = fresh_state(start, options), "", float("nan")
        self.steps = train_steps(self.state, self.config, learned, options, self.surprise)

    def surprise(self, params, tokens, targets, weights):
        logits = gpt(params, tokens, self.config, edit=self.edit())
        return cross_entropy(logits, targets, weights)

    def step(self) -> None:
        """One step of training; one that breaks leaves the weights as they were."""
        if self.broken:
            return
        try:
            self.loss = next(self.steps).loss
        except FloatingPointError as error:
            self.broken = str(error)

    def moment(self, step: int, look: bool, seed: int) -> Moment:
        if not look or self.broken:
            return Moment(step, self.loss, broken=self.broken)
        params = self.state.params
        with np.errstate(over="ignore", invalid="ignore"), single_threaded_blas():
            loss = held_out_loss(params, self.config, self.looked_at, self.edit)
            if not np.isfinite(loss):
                self.broken = f"What it says was no longer a number at step {step}."
                return Moment(step, self.loss, broken=self.broken)
            text = write(params, self.config, self.tokenizer, self.edit, seed)
        return Moment(step, self.loss, loss, text)


def race(
    tokenizer, boards, seed: int = 0, every: int = 4, look: int = 80, options: Options = OPTIONS
) -> Iterator[tuple[Moment, ...]]:
    """Train one model for each board, side by side; a board is the parts that it goes without.

    Yields all of them after every few steps, beginning with the first; each `look` steps, and at
    the end, with their loss on unread text and a text of their own.
    """
    config = small_model(tokenizer.vocab_size)
    start = init_params(config, np.random.default_rng(seed))
    learned, looked_at = reading(tokenizer, seed)
    streams = tee(islice(learned, options.steps), len(boards))
    runs = [Run(taken, tokenizer, start, config, options, stream, looked_at)
            for taken, stream in zip(boards, streams, strict=True)]  # fmt: skip
    for step in range(1, options.steps + 1):
        for run in runs:
            run.step()
        if step == 1 or step % every == 0 or step == options.steps:
            seen = step % look == 0 or step == options.steps
            yield tuple(run.moment(step, seen, seed) for run in runs)


def measure_all(tokenizer, seed: int = 0, options: Options = OPTIONS) -> dict:
    """The intact model, and every part taken away once: the record that is shown."""
    boards = ((), *((part,) for part in PARTS))
    *_, last = race(tokenizer, boards, seed, options=options)
    found = [
        {"parts": list(parts), "loss": round(moment.loss, 4), "text": moment.text,
         "held_out": None if moment.held_out is None else round(moment.held_out, 4),
         "broken": moment.broken}
        for parts, moment in zip(boards, last, strict=True)
    ]  # fmt: skip
    recipe = asdict(options) | {"seed": seed, "model": small_model(tokenizer.vocab_size).as_dict()}
    return {"recipe": recipe, "runs": found}


def main() -> None:
    """`python -m microgpt.insight.switchboard` measures all of it and writes the record."""
    from microgpt.model.checkpoint import load
    from microgpt.tokens.files import write_atomically

    record = measure_all(load("tiny-base").tokenizer)
    write_atomically(RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
