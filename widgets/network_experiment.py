"""One training that can be asked for any step, with weights set by hand on the way. Pure."""

import time
from dataclasses import dataclass

import numpy as np

from microgpt.basics import network
from microgpt.basics.datasets import Points
from microgpt.basics.network import Training
from widgets import network_link as links

CELLS = 50  # the picture is worked out on CELLS by CELLS points


@dataclass(frozen=True)
class Burst:
    """Some steps in a row. `frames` (F, P) all parameters, `scores` (F, 4) train loss, train
    accuracy, test loss, test accuracy (0 without a test set); `steps` the step of each frame."""

    steps: tuple[int, ...]
    frames: np.ndarray
    scores: np.ndarray
    diverged: bool
    seconds: float


class Experiment:
    """A setup and its points; remembers where it stands, so that going on costs only new steps."""

    def __init__(self, setup: links.Setup, train: Points, test: Points):
        self.setup, self.train, self.test = setup, train, test
        self.trouble = trouble(train)
        self.live = self._fresh()
        self.kept = self.live.copy()  # where the last burst began
        self.applied: tuple = ()

    def _fresh(self) -> Training:
        rng = np.random.default_rng(self.setup.seed)
        points = self.train if len(self.train) else Points(np.zeros((1, 2)), np.zeros(1, int))
        return Training(self.setup.settings, points, rng)

    def stand_at(self, step: int, edits) -> Training:
        """The training after `step` steps, by the shortest way from what is remembered."""
        wanted = tuple(edit for edit in edits if edit[0] <= step)
        if self.live.number == step and self._only_adds(wanted, step):
            for edit in wanted:
                if edit[0] == step:
                    set_weight(self.live.params, *edit[1:])
            self.applied = wanted
            return self.live
        for known in (self.live, self.kept):
            earlier = tuple(edit for edit in wanted if edit[0] <= known.number)
            if known.number <= step and earlier == self._edits_of(known):
                training = known if known is self.live else known.copy()
                break
        else:
            training, earlier = self._fresh(), ()
        for edit in wanted[len(earlier) :]:
            list(training.steps(edit[0] - training.number))
            set_weight(training.params, *edit[1:])
        list(training.steps(step - training.number))
        self.live, self.applied = training, wanted
        return training

    def _only_adds(self, wanted, step: int) -> bool:
        """Whether `wanted` differs from what was applied only in weights set at this very step."""
        now, before = ({e[1] for e in w if e[0] == step} for w in (wanted, self.applied))
        earlier = (tuple(e for e in w if e[0] < step) for w in (wanted, self.applied))
        return before <= now and next(earlier) == next(earlier)

    def _edits_of(self, known: Training) -> tuple:
        return tuple(edit for edit in self.applied if edit[0] <= known.number)

    def burst(self, start: int, steps: int, every: int, edits=()) -> Burst:
        """The frame at `start` and then one every `every` steps, `steps` in all."""
        began = time.perf_counter()
        training = self.stand_at(start, edits)
        self.kept = training.copy()
        numbers, frames, scores = [training.number], [flat(training)], [self.scores(training)]
        while training.number < start + steps and training.finite():
            before = training.number
            list(training.steps(min(every, start + steps - before)))
            if not training.finite():
                break
            numbers.append(training.number)
            frames.append(flat(training))
            scores.append(self.scores(training))
        frames, scores = np.array(frames), np.array(scores)
        diverged = not training.finite()
        return Burst(tuple(numbers), frames, scores, diverged, time.perf_counter() - began)

    def scores(self, training: Training) -> list[float]:
        activation = self.setup.activation
        train = network.evaluate(training.params, training.points, activation)
        held = (0.0, 0.0)
        if len(self.test):
            held = network.evaluate(training.params, self.test, activation)
        return [min(value, 1e6) if value == value else 1e6 for value in (*train, *held)]

    def surface(self, training: Training) -> np.ndarray:
        """The probability of label 1 all over the picture, from the top: (CELLS, CELLS)."""
        middle = (np.arange(CELLS) + 0.5) / CELLS * 2 * links.EDGE - links.EDGE
        x, y = np.meshgrid(middle, -middle)
        points = np.stack([x.ravel(), y.ravel()], axis=1)
        scores = network.forward(training.params, points, self.setup.activation)
        return network.probabilities(scores).reshape(CELLS, CELLS)

    def inside(self, training: Training, probe) -> list[list[float]]:
        """What every neuron makes of one point, layer by layer, the probability last."""
        seen = {}
        scores = network.forward(
            training.params,
            np.array([probe], dtype=float),
            self.setup.activation,
            record=seen.__setitem__,
        )
        hidden = [seen[f"layers.{i}.out"][0].tolist() for i in range(len(self.setup.hidden))]
        return [*hidden, [float(network.probabilities(scores)[0])]]


def trouble(train: Points) -> str:
    """Why nothing can be learned from these points; empty when something can."""
    if not len(train):
        return "There are no points yet."
    if len(set(train.label.tolist())) < 2:
        return "All points are of one kind; add some of the other."
    return ""


def flat(training: Training) -> np.ndarray:
    """All parameters in one row, layer by layer, the weights of a layer before its biases."""
    return np.concatenate([p.ravel() for p in training.params.values()])


def set_weight(params, slot: int, value: float) -> None:
    """Set one number, counted as in `flat`; a slot that does not exist changes nothing."""
    for p in params.values():
        if slot < p.size:
            p.flat[slot] = value
            return
        slot -= p.size
