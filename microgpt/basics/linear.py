"""The smallest machine that learns from answers: a straight line between two kinds of points."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.autograd.arithmetic import sigmoid


@dataclass(frozen=True)
class Step:
    """The line w · x + b = 0 before a step, and how well it parts the points."""

    number: int
    weight: np.ndarray  # (2,)
    bias: float
    loss: float
    accuracy: float


def logistic_regression(x, label, rate: float, steps: int) -> Iterator[Step]:  # (N, 2), (N,)
    """Gradient descent on the cross-entropy of a line, all points in every step.

    The probability of label 1 is sigmoid(w · x + b). The derivative of the loss by the score of
    a point is its error, probability minus label, so the gradient is a mean of errors.
    """
    weight, bias = np.zeros(2), 0.0
    for number in range(steps + 1):
        score = x @ weight + bias
        # The cross-entropy log(1 + e^-s) or log(1 + e^s), without overflow.
        loss = float(np.logaddexp(0, np.where(label == 1, -score, score)).mean())
        accuracy = float(((score > 0) == label).mean())
        yield Step(number, weight.copy(), float(bias), loss, accuracy)
        error = (sigmoid(score) - label) / len(label)
        weight -= rate * (error @ x)
        bias -= rate * error.sum()
