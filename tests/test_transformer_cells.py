"""Every number of a pass is the sum that is shown for it, for every tensor of every dense model."""

import numpy as np
import pytest

from microgpt.insight import cells
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import llama_style
from microgpt.model.trace import names
from microgpt.training.parallel import single_threaded_blas
from tests.test_model import CONFIGS, SIZES, example

DENSE = {
    name: config for name, config in CONFIGS.items()
    if config.mlp != "moe" and "ssm" not in config.kinds
} | {"no mask, no scale": llama_style(**SIZES, causal=False, scale=1.0)}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded_blas():
        yield


@pytest.fixture(scope="module")
def base():
    return load(SHIPPED / "tiny-base")


def stations(model, ids):
    return [cells.values_of(model, ids, layer) for layer in (None, *range(model.config.layers))]


def check(model, ids, rng, per_tensor):
    seen = set()
    for values in stations(model, ids):
        for name, value in values.items():
            if name == cells.BEFORE:
                continue
            seen.add(name)
            table = cells.flat(name, value)
            assert table.shape[0] == len(ids)
            for _ in range(per_tensor):
                row, column = (int(rng.integers(n)) for n in table.shape)
                made = cells.cell(model, ids, values, name, row, column)
                assert made.value == table[row, column]
                if np.isneginf(made.value):
                    assert made.made == -np.inf and name.endswith("scores")
                    continue
                size = np.abs(made.terms).sum() + np.abs([x for _, x in made.steps]).max() + 1
                assert made.made == pytest.approx(made.value, abs=3e-6 * size), (name, row, column)
                if len(made.left):
                    assert "sum" in made.steps[0][0] or made.counts in ("pair", "part")
    return seen


@pytest.mark.parametrize("config", DENSE.values(), ids=DENSE)
def test_every_cell_is_its_sum(config):
    params, tokens = example(config, batch=1)
    model = Model("example", params, config, None, {})
    seen = check(model, tokens[0].tolist(), np.random.default_rng(1), 6)
    assert seen == {*names(config), cells.PROBABILITIES}


def test_every_cell_of_a_trained_model_is_its_sum(base):
    ids = [0, *base.tokenizer.encode("The cat sat on the mat because it was tired.")]
    assert check(base, ids, np.random.default_rng(2), 4) == {*names(base.config), cells.PROBABILITIES}


def test_smollm2_too(smollm2):
    ids = smollm2.tokenizer.encode("The capital of France is")
    values = cells.values_of(smollm2, ids, 7)
    rng = np.random.default_rng(3)
    for name in set(values) - {cells.BEFORE}:
        table = cells.flat(name, values[name])
        row, column = (int(rng.integers(n)) for n in table.shape)
        made = cells.cell(smollm2, ids, values, name, row, column)
        if np.isfinite(made.value):
            size = np.abs(made.terms).sum() + np.abs(made.value) + 1
            assert made.made == pytest.approx(made.value, abs=1e-5 * size), name


def test_sources_point_at_the_very_factors(base):
    """Left and right stand where the sources say, in the tensor or in the matrix."""
    ids = [0, *base.tokenizer.encode("The cat sat on the mat")]
    values = cells.values_of(base, ids, 1)
    for part in ("attention.query", "attention.scores", "attention.mixed", "attention.output",
                 "middle", "mlp.up", "mlp.output", "residual", "attention.norm"):  # fmt: skip
        name = f"blocks.1.{part}"
        made = cells.cell(base, ids, values, name, 3, 2)
        for source, factors in zip(made.sources, (made.left, made.right), strict=False):
            table = base.params[source.name] if source.weight else cells.flat(source.name, values[source.name])
            found = table[slice(*source.rows), slice(*source.columns)].ravel()
            if made.counts == "part":
                assert found[0] in made.left
            else:
                np.testing.assert_allclose(found, factors, rtol=1e-6)


def test_a_place_outside_is_refused(base):
    values = cells.values_of(base, [1, 2, 3])
    with pytest.raises(ValueError, match="3 rows and 128 columns"):
        cells.cell(base, [1, 2, 3], values, "norm", 3, 0)
