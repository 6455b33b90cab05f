"""Scaling laws: the same text read by models of many sizes, and a curve that foretells the next.

Loss falls as a power of size and of tokens towards what no model can know (Kaplan et al. 2020;
Hoffmann et al. 2022, eq. 2): L(N, D) = E + A / N^alpha + B / D^beta. The runs of LADDER are
recorded by `python -m microgpt scaling`; the largest is left out of the fit, foretold, and then
checked.

N counts the weights of the layers, without the embedding table; D counts tokens read; the compute
is C = 6 N D floating-point operations, the usual estimate of forward and backward.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from microgpt.model.config import GPTConfig, llama_style
from microgpt.model.gpt import init_params, parameter_shapes
from microgpt.tokens.files import write_atomically
from microgpt.training.data import batches
from microgpt.training.recipes import Recipe, train_tokenizer
from microgpt.training.train import Options, evaluate_loss, fresh_state, train_steps
from microgpt.world.corpus import documents

RECORDED = Path(__file__).resolve().parents[2] / "assets" / "recorded" / "scaling.json"
VOCABULARY, CONTEXT, BATCH = 512, 128, 16
STEPS = 1000  # of each run: 2 million tokens
MARKS = (88, 125, 177, 250, 354, 500, 707, 1000)  # steps at which the held-out loss is measured
HELD_OUT_BATCHES = 12
SIZES = {  # name -> layers, width, heads, hidden, learning rate
    "16 wide": (2, 16, 2, 48, 6e-3),
    "24 wide": (2, 24, 2, 72, 5e-3),
    "32 wide": (2, 32, 2, 96, 4e-3),
    "48 wide": (3, 48, 3, 144, 3e-3),
    "64 wide": (3, 64, 4, 192, 2.5e-3),
    "80 wide": (4, 80, 4, 240, 2e-3),
    "112 wide": (4, 112, 4, 336, 1.6e-3),  # the one that is foretold
}
FORETOLD = "112 wide"


@dataclass(frozen=True)
class Point:
    """The held-out loss, in nats a token, of a model with N weights after D tokens."""

    name: str
    N: int
    D: int
    loss: float

    @property
    def compute(self) -> float:
        return 6.0 * self.N * self.D


def config_of(name: str) -> GPTConfig:
    layers, width, heads, hidden, _ = SIZES[name]
    return llama_style(vocab_size=VOCABULARY, context=CONTEXT, layers=layers, width=width,
                       heads=heads, hidden=hidden)  # fmt: skip


def options_of(name: str, steps: int = STEPS) -> Options:
    """A constant learning rate after the warm-up, so that every mark is a fair end of a run."""
    return Options(steps=steps, batch=BATCH, rate=SIZES[name][-1], warmup=40, hold=1.0,
                   decay=0.1, threads=1, micro=8)  # fmt: skip


def layer_weights(config: GPTConfig) -> int:
    """N: every weight but the embedding table's (and the head's, which is the same here)."""
    shapes = parameter_shapes(config).items()
    return sum(math.prod(shape) for name, shape in shapes if "layers" in name)


def ladder_recipe(name: str) -> Recipe:
    return Recipe(f"scaling {name}", "one run of the ladder", "world", config_of(name),
                  options_of(name))  # fmt: skip


def run_size(name: str, tokenizer, report: Callable = lambda step: None) -> Iterator[Point]:
    """Train one size of the ladder; yields its held-out loss at each mark."""
    recipe = ladder_recipe(name)
    config, options = recipe.config, recipe.options

    def stream(part):
        return batches(documents, tokenizer, CONTEXT, BATCH, f"scaling/{part}")

    held_out = list(islice(stream("held-out"), HELD_OUT_BATCHES))
    state = fresh_state(init_params(config, np.random.default_rng(1)), options)
    for step in train_steps(state, config, stream("train"), options):
        report(step)
        if step.step in MARKS:
            loss = evaluate_loss(state.params, config, held_out)
            yield Point(name, layer_weights(config), step.step * BATCH * CONTEXT, round(loss, 5))


def record(path: Path = RECORDED, say: Callable[[str], None] = lambda line: None) -> dict:
    """Run the whole ladder and write what it gave, with the recipe; sizes that were recorded
    before under the same recipe are kept, so a run that was stopped goes on."""
    recipe = {"vocabulary": VOCABULARY, "context": CONTEXT, "batch": BATCH, "steps": STEPS,
              "marks": list(MARKS), "sizes": {n: list(s) for n, s in SIZES.items()}}  # fmt: skip
    before = json.loads(path.read_text()) if path.exists() else {}
    kept = before.get("points", []) if before.get("recipe") == recipe else []
    seconds = before.get("cpu_seconds", {}) if kept else {}
    data = {"recipe": recipe, "command": "python -m microgpt scaling", "foretold": FORETOLD,
            "cpu_seconds": seconds, "points": kept}  # fmt: skip
    tokenizer = train_tokenizer(
        Recipe("scaling", "its tokenizer", "world", config_of(FORETOLD), options_of(FORETOLD)),
        count=6000,
    )
    done = {point["name"] for point in kept}
    for name in (name for name in SIZES if name not in done):
        start = time.process_time()
        points = []
        for point in run_size(name, tokenizer):
            points.append(asdict(point))
            say(f"{name}: {point.N:,} weights, {point.D:,} tokens, loss {point.loss:.4f}")
        data["points"] = data["points"] + points
        data["cpu_seconds"][name] = round(time.process_time() - start, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(data, indent=1, allow_nan=False).encode())
    return data


def load_points(path: Path = RECORDED) -> list[Point]:
    """The recorded runs; ValueError, in a sentence, if they are not there or not readable."""
    try:
        return [Point(**point) for point in json.loads(path.read_text())["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no recorded runs ({error}); make them with 'python -m microgpt scaling'."
        ) from None
