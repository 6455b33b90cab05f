"""A training run as numbers to draw: thinned lines, facts, the newest samples. Pure."""

import json
import math
from functools import cache

from microgpt.model.costs import pass_costs, total
from microgpt.model.gpt import count_parameters
from microgpt.training import scaling
from microgpt.training.live import Training
from microgpt.training.setup import Setup
from widgets import marks

POINTS = 160  # of a line, at most
SAMPLES = 5  # that are shown: the first, and the newest
LONGEST = 400  # characters of a sample


def thinned(values: list[float], steps: int) -> tuple[int, list[float]]:
    """Means over stretches of equal length: the length, and a mean for each. The length depends on
    the whole run only, so a line doesn't dance while it grows."""
    every = math.ceil(steps / POINTS)
    cut = [values[i : i + every] for i in range(0, len(values), every)]
    return every, [float(f"{math.fsum(part) / len(part):.4g}") for part in cut]


def stage_in_words(training: Training, state: str) -> str:
    """What is being done, or what has come of it."""
    if state == "running" and training.ended == "":
        return training.stage[0].upper() + training.stage[1:] + " …"
    if state == "ended":
        return {"done": "Done.", "stopped": "Stopped by you; what it has learned stays."}.get(
            training.ended, "Stopped."
        )
    return ""


def facts(training: Training) -> list[list[str]]:
    """The few numbers beside the lines."""
    history, setup = training.history, training.setup
    step, pace = history.steps, history.seconds_a_step()
    shown = [["step", f"{step:,} of {setup.steps:,}"],
             ["tokens read", f"{step * training.tokens_a_step:,}"]]  # fmt: skip
    if history.losses:
        recent = history.losses[-20:]
        shown.append(["loss", f"{math.fsum(recent) / len(recent):.2f}"])
    if history.held_out:
        shown.append(["held-out loss", f"{history.held_out[-1][1]:.2f}"])
    if pace:
        shown.append(["tokens a second", f"{training.tokens_a_step / pace:,.0f}"])
        if not training.ended:
            shown.append(["time left", marks.duration((setup.steps - step) * pace)])
    return shown


def view_of(training: Training, state: str) -> dict:
    """What the picture needs, a few kilobytes."""
    history, setup = training.history, training.setup
    step = history.steps
    every, losses = thinned(history.losses[:step], setup.steps)
    samples = list(history.samples)
    shown = samples[:1] + samples[max(1, len(samples) - SAMPLES + 1) :]
    vocabulary = training.tokenizer.vocab_size if training.tokenizer else setup.vocabulary
    return {
        "stage": stage_in_words(training, state),
        "step": step, "steps": setup.steps, "every": every, "peak": setup.rate,
        "loss": losses,
        "norm": thinned(history.norms[:step], setup.steps)[1],
        "rate": thinned(history.rates[:step], setup.steps)[1],
        "held": [[at, round(loss, 4)] for at, loss in history.held_out],
        "guess": round(math.log(vocabulary), 4),
        "facts": facts(training),
        "samples": [
            {"step": s.step, "text": s.text[:LONGEST], "known": round(s.known, 3)}
            for s in reversed(shown)
        ],
    }  # fmt: skip


def in_words(training: Training) -> str:
    """The text twin: least, most, trend."""
    history = training.history
    if history.steps < 2:
        return "No step has been taken yet."
    held, losses = history.held_out, history.losses[: history.steps]
    lowest = min(held, key=lambda pair: pair[1])
    said = (
        f"{history.steps:,} steps. The training loss begins at {losses[0]:.2f}, is lowest at "
        f"{min(losses):.2f} and is {losses[-1]:.2f} now. The held-out loss goes from "
        f"{held[0][1]:.2f} to {held[-1][1]:.2f}; its least was {lowest[1]:.2f} at step "
        f"{lowest[0]:,}. The gradient norm lies between {min(history.norms):.2g} and "
        f"{max(history.norms):.2g}, the learning rate is {history.rates[-1]:.2g}."
    )
    if history.samples:
        first, last = history.samples[0], history.samples[-1]
        said += (
            f" Of what it writes, {first.known:.0%} are words of the training text at first, "
            f"{last.known:.0%} in the newest sample."
        )
    return said


@cache
def recorded_seconds() -> dict[str, float]:
    """Seconds a token on one core, by size, from the recorded ladder."""
    record = json.loads(scaling.RECORDED.read_text())
    tokens = record["recipe"]["steps"] * record["recipe"]["batch"] * record["recipe"]["context"]
    return {name: seconds / tokens for name, seconds in record["cpu_seconds"].items()}


def seconds_a_token(setup: Setup) -> float:
    """What a token of training takes on the machine of the recorded runs: theirs, in proportion to
    the arithmetic of this vocabulary and context."""
    ladder = scaling.config_of(setup.size)
    costs = [total(pass_costs(c, c.context)) / c.context for c in (setup.config(), ladder)]
    return recorded_seconds()[setup.size] * costs[0] / costs[1]


def memory(setup: Setup) -> tuple[int, int, int]:
    """Parameters, bytes of the weights in float32, and bytes that training holds: weights,
    gradients and AdamW's two moments."""
    parameters = count_parameters(setup.config())
    return parameters, 4 * parameters, 16 * parameters
