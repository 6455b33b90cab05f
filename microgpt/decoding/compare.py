"""Architectures side by side: one table, measured by one command.

    python -m microgpt compare

Same data, same tokenizer, about the same arithmetic for a token; what differs is what mixes the
tokens and how many feed-forward networks there are. Times are medians of rounds in which the models
take turns, so that whatever else the machine does meets all of them alike.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from microgpt.decoding.evaluate import SEED, word_tokens
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import SHIPPED, load
from microgpt.model.costs import active_parameters, cache_bytes, pass_costs, total
from microgpt.model.gpt import count_parameters, gpt
from microgpt.tokens.chat import BEGIN, special
from microgpt.tokens.files import write_atomically
from microgpt.training.parallel import single_threaded_blas
from microgpt.training.recipes import RECIPES, recipe_batches
from microgpt.training.train import fresh_state, train_steps
from microgpt.world.dice import Dice
from microgpt.world.probes import recall_probe

RECORDED = SHIPPED.parent / "recorded" / "architectures.json"
NAMES = ("tiny-base", "tiny-moe", "tiny-ssm", "tiny-hybrid")
LENGTHS = (128, 256, 512, 1024, 2048, 4096)
PAIRS = (2, 3, 4, 6, 8, 12, 16, 20)  # of a key and a value, to be remembered
LISTS = 256  # of each length
ROUNDS, TOKENS = 9, 48


def compare(
    models,
    rounds: int = ROUNDS,
    say: Callable[[str], None] = lambda line: None,
    lengths: tuple[int, ...] = LENGTHS,
) -> dict:
    """Everything the chapter's table and curves show, in one dict that JSON can hold."""
    report = {"measured": date.today().isoformat(), "machine": machine(), "models": {}}
    with single_threaded_blas():
        for model in models:
            say(f"counting and testing {model.name}")
            report["models"][model.name] = {**counted(model), **known(model)}
        for name, measure in (("training", training), ("decoding", decoding)):
            say(f"measuring {name}")
            speeds = taking_turns([measure(model) for model in models], rounds)
            for model, (seconds, tokens) in zip(models, speeds, strict=True):
                report["models"][model.name][f"{name}_tokens_per_second"] = round(tokens / seconds)
        for length in lengths:
            say(f"measuring passes at length {length:,}")
            for model, row in zip(models, passes(models, length, rounds), strict=True):
                report["models"][model.name].setdefault("lengths", []).append(row)
    return report


def record(path: Path = RECORDED, say: Callable[[str], None] = lambda line: None) -> dict:
    """Compare the models that ship, and write the report where the chapter reads it."""
    report = compare([load(name) for name in NAMES], say=say)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(report, allow_nan=False, indent=1).encode())
    say(table(report))
    return report


def passes(models, length: int, rounds: int) -> list[dict]:
    """For each model: seconds to read a text at once, seconds of one more token, memory."""
    runs = [reading(model, length) for model in models]
    reads = taking_turns([read for read, _ in runs], rounds)
    steps = taking_turns([step for _, step in runs], rounds)
    return [
        {"length": length, "read_seconds": read, "step_seconds": step,
         "memory_bytes": cache_bytes(model.config, length)}
        for model, (read, _), (step, _) in zip(models, reads, steps, strict=True)
    ]  # fmt: skip


def table(report: dict) -> str:
    """The report's first numbers for a terminal, one model a line."""
    lines = [f"{'':12}{'weights':>11}{'active':>11}{'loss':>8}{'train/s':>9}{'decode/s':>9}"]
    for name, row in report["models"].items():
        loss = "-" if row["held_out_loss"] is None else f"{row['held_out_loss']:.4f}"
        speeds = row["training_tokens_per_second"], row["decoding_tokens_per_second"]
        lines.append(
            f"{name:12}{row['parameters']:11,}{row['active_parameters']:11,}{loss:>8}"
            f"{speeds[0]:9,}{speeds[1]:9,}"
        )
    return "\n".join(lines)


def machine() -> dict:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": 1,
    }


def counted(model) -> dict:
    """What formulas tell: weights, those that a token meets, arithmetic for a token."""
    config = model.config
    return {
        "blocks": config.blocks,
        "mlp": config.mlp,
        "parameters": count_parameters(config),
        "active_parameters": active_parameters(config),
        "flops_per_token": total(pass_costs(config, config.context)) // config.context,
    }


def known(model) -> dict:
    """What the model's card says, and how well it looks up what it has just read."""
    card = model.card
    found = {name: card.get(name) for name in ("held_out_loss", "abilities", "tokens_seen")}
    found["recall"] = [
        {"pairs": n} | {k: round(v, 4) for k, v in recall(model, n)._asdict().items()}
        for n in PAIRS
    ]
    return found


class Recall(NamedTuple):
    """Of fresh lists the shares in which the answer is the value that was asked for, in which it
    is any value of the list, and in which one drawn among these would be right."""

    right: float
    listed: float
    drawn: float


def recall(model, pairs: int, rows: int = LISTS, seed: int = SEED) -> Recall:
    """The model's best guess after lists of so many pairs, as in "pear: 3, egg: 5. pear?".
    Nothing in its weights knows them."""
    asked = [recall_probe(Dice(f"{seed}/{pairs}/{row}"), pairs) for row in range(rows)]
    said = answers(model, [(probe.prompt, probe.answer) for probe in asked])
    both = list(zip(said, asked, strict=True))
    return Recall(
        float(np.mean([one == probe.answer for one, probe in both])),
        float(np.mean([one in (probe.answer, *probe.wrong) for one, probe in both])),
        float(np.mean([1 - len(probe.wrong) / pairs for probe in asked])),
    )


def answers(model, asked: Sequence[tuple[str, str]]) -> list[str]:
    """For each (prompt, answer) the model's best guess at each token of the answer, given those
    before: all of it is the answer where the model would say it by itself."""
    encode, begin = model.tokenizer.encode, special(model.tokenizer, BEGIN)
    rows = [([begin, *encode(prompt)], encode(answer)) for prompt, answer in asked]
    tokens = np.full((len(rows), max(len(p) + len(a) for p, a in rows)), begin)
    for row, (prompt, answer) in zip(tokens, rows, strict=True):
        row[: len(prompt) + len(answer)] = [*prompt, *answer]
    best = gpt(model.params, tokens, model.config).argmax(-1)
    return [
        model.tokenizer.decode(guess[len(prompt) - 1 : len(prompt) + len(answer) - 1].tolist())
        for guess, (prompt, answer) in zip(best, rows, strict=True)
    ]


def listed_twice(model, words: int, rng: np.random.Generator, rows: int):  # -> (rows, 1 + 2 words)
    """<|begin|>, random words (each once, while there are enough), and the same words again."""
    known_words = word_tokens(model.tokenizer)
    half = np.array([rng.choice(known_words, words, words > len(known_words)) for _ in range(rows)])
    begin = np.full((rows, 1), special(model.tokenizer, BEGIN))
    return np.concatenate([begin, half, half], axis=1)


def taking_turns(runs, rounds: int) -> list[tuple[float, int]]:
    """(median seconds, tokens) of each run; the first round only warms up."""
    seconds = [[] for _ in runs]
    tokens = [0] * len(runs)
    for number in range(rounds + 1):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            tokens[i] = run()
            if number:
                seconds[i].append(time.perf_counter() - start)
    return [(float(np.median(s)), t) for s, t in zip(seconds, tokens, strict=True)]


def training(model):
    """One step of the model's recipe, forward, backward and update, on a copy of its weights."""
    recipe = RECIPES[model.name]
    batches = list(islice(recipe_batches(recipe, model.tokenizer), 4))
    options = replace(recipe.options, steps=2**31, rate=0.0, threads=1)
    steps = train_steps(fresh_state(model.params, options), model.config, endless(batches), options)
    return lambda: next(steps).tokens


def endless(items):
    while True:
        yield from items


def decoding(model):
    """One token after the other through the cache, with the same general code for all."""
    prompt = listed_twice(model, 8, np.random.default_rng(SEED), 1)
    tokens = min(TOKENS, model.config.context - prompt.shape[1])

    def run():
        cache = KVCache.empty(model.config)
        logits = gpt(model.params, prompt, model.config, cache=cache)
        for _ in range(tokens):
            best = logits[:, -1:].argmax(-1)
            logits = gpt(model.params, best, model.config, cache=cache)
        return tokens

    return run


def reading(model, length: int):
    """Two runs: a whole text of `length` tokens at once, and one more token after it.

    The context is longer than the model was trained for: here only time counts.
    """
    config = replace(model.config, context=length + 8)
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(0, config.vocab_size, (1, length))
    full = KVCache.empty(config)
    gpt(model.params, tokens, config, cache=full)

    def read():
        gpt(model.params, tokens, config, cache=KVCache.empty(config))
        return length

    def step():
        full.length = length  # the state has moved on, which costs the same
        gpt(model.params, tokens[:, :1], config, cache=full)
        return 1

    return read, step
