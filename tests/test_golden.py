"""The engine against PyTorch's frozen answers (tests/golden/make_golden.py made them).

The distance of a tensor from its golden is max|a - b| / max|b|, and 1e-5 is allowed: the reference
is float32 too, and torch's own float32 lies up to 2e-6 from its float64.

One kind of tensor is judged by an absolute measure. A bias on the keys adds the same number to all
scores of a query, which softmax ignores: its gradient is 0, and what any program computes is its
own rounding error. Adam divides that by its own size, so where the bias drifts means nothing.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from microgpt.autograd.optim import AdamW, clip_gradients
from microgpt.autograd.tensor import Tensor, array, backend, backward, cross_entropy
from microgpt.model.config import GPTConfig
from microgpt.model.gpt import gpt

FOLDER = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in FOLDER.glob("*.npz"))
TOLERANCE = 1e-5
BACKENDS = ("readable", "fast")


class Golden:
    """One .npz file, its arrays grouped by the folder in their names."""

    def __init__(self, name):
        with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
            self.arrays = dict(file)
        self.note = json.loads(str(self.arrays["note"]))
        self.config = GPTConfig(**self.note["config"])
        self.tokens, self.targets = self.arrays["tokens"], self.arrays["targets"]
        learn = self.arrays["learn"].astype(np.float32)
        self.weights = learn / learn.sum()  # the loss is the mean over the learned positions

    def group(self, folder):
        prefix = folder + "/"
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}


@cache
def golden(name):
    return Golden(name)


def distance(ours, theirs):
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def assert_close(ours, theirs):
    """Every tensor within the tolerance; the message names the worst."""
    assert ours.keys() == theirs.keys()
    distances = {name: distance(ours[name], theirs[name]) for name in theirs}
    worst = max(distances, key=distances.get)
    print(f"worst of {len(distances)}: {worst} {distances[worst]:.1e}")
    assert distances[worst] < TOLERANCE, f"{worst} is {distances[worst]:.1e} from the golden"


def without_key_biases(tensors):
    return {name: t for name, t in tensors.items() if not name.endswith("k_proj.bias")}


def loss_and_gradients(params, case):
    tensors = {name: Tensor(a) for name, a in params.items()}
    logits = gpt(tensors, case.tokens, case.config)
    loss = cross_entropy(logits, case.targets, case.weights)
    backward(loss)
    return logits.data, loss.data, {name: t.grad for name, t in tensors.items()}


def test_the_cases_that_must_exist():
    assert {"llama", "gpt2", "window", "multi_query", "alibi", "sinusoidal"} <= set(CASES)
    assert golden("llama").config.kv_heads < golden("llama").config.heads
    assert not golden("gpt2").config.tied


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("which", BACKENDS)
def test_logits_loss_and_every_gradient(name, which):
    case = golden(name)
    with backend(which):
        logits, loss, gradients = loss_and_gradients(case.group("params"), case)
    theirs = case.group("gradients")
    assert_close({"logits": logits}, {"logits": case.arrays["logits"]})
    assert float(loss) == pytest.approx(float(case.arrays["loss"]), rel=TOLERANCE)
    assert float(loss) == pytest.approx(float(case.arrays["loss64"]), rel=TOLERANCE)
    assert_close(without_key_biases(gradients), without_key_biases(theirs))
    scale = max(np.abs(g).max() for g in theirs.values())
    for parameter in gradients.keys() - without_key_biases(gradients).keys():
        assert np.abs(gradients[parameter]).max() < 1e-6 * scale
    assert all(g.dtype == np.float32 for g in gradients.values())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("which", BACKENDS)
def test_arrays_and_tensors_give_the_same_logits(name, which):
    case = golden(name)
    with backend(which):
        plain = gpt(case.group("params"), case.tokens, case.config)
    assert isinstance(plain, np.ndarray) and plain.dtype == np.float32
    assert_close({"logits": plain}, {"logits": case.arrays["logits"]})


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("which", BACKENDS)
def test_ten_steps_of_clipped_adamw(name, which):
    case = golden(name)
    settings = dict(case.note["optimizer"])
    rate, limit = settings.pop("learning_rate"), settings.pop("clip_norm")
    optimizer = AdamW(decay=settings.pop("weight_decay"), **settings)
    if which == "readable":
        optimizer._kernel = optimizer._readable  # float32 would otherwise take the kernel
    params = {name: a.copy() for name, a in case.group("params").items()}
    losses, norms = [], []
    with backend(which):
        for _ in case.arrays["losses"]:
            _, loss, gradients = loss_and_gradients(params, case)
            norms.append(clip_gradients(gradients, limit))
            optimizer.update(params, gradients, rate)
            losses.append(float(loss))
    assert losses == pytest.approx(case.arrays["losses"].tolist(), rel=TOLERANCE)
    assert losses == pytest.approx(case.arrays["losses64"].tolist(), rel=TOLERANCE)
    assert_close({"norms": np.array(norms)}, {"norms": case.arrays["norms"]})
    assert_close(without_key_biases(params), without_key_biases(case.group("after")))


def test_a_golden_notices_a_small_change():
    case = golden("llama")
    params = {name: a.copy() for name, a in case.group("params").items()}
    params["model.layers.1.mlp.up_proj.weight"][0, 0] += 0.01
    logits = array(gpt(params, case.tokens, case.config))
    assert distance(logits, case.arrays["logits"]) > TOLERANCE
