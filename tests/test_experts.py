"""Mixtures of experts: who goes where, what it costs to be unfair, and what is left out."""

import math

import numpy as np
import pytest

from microgpt.autograd import experts
from microgpt.autograd.tensor import backend
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.model.moe import moe
from microgpt.model.trace import trace
from microgpt.training.data import Batch
from microgpt.training.parallel import gradients
from microgpt.training.train import Options, fresh_state, loss_function, train_steps

SIZES = dict(vocab_size=50, context=16, layers=2, width=16, heads=2, hidden=12)
CONFIG = llama_style(**SIZES, mlp="moe", experts=6, active=2)


def example(config=CONFIG):
    rng = np.random.default_rng(3)
    params = {n: p * 5 for n, p in init_params(config, rng).items()}
    return params, rng.integers(0, 50, (2, 9))


def test_the_layer_is_the_sum_that_mixtral_writes_down():
    """softmax over the best K scores, each expert's SwiGLU times its share, in plain loops."""
    params, _ = example()
    x = np.random.default_rng(0).standard_normal((2, 3, 16), np.float32)
    part = {n.split(".mlp.")[1]: p for n, p in params.items() if "layers.1.mlp" in n}
    out = moe(x, params, 1, CONFIG)
    for b, t in np.ndindex(2, 3):
        scores = part["router.weight"] @ x[b, t]
        best = sorted(range(6), key=lambda e: (-scores[e], e))[:2]
        shares = np.exp(scores[best] - scores[best].max())
        shares /= shares.sum()
        expected = np.zeros(16)
        for e, share in zip(best, shares, strict=True):
            gate, up = (part[f"experts.{m}_proj.weight"][e] @ x[b, t] for m in ("gate", "up"))
            hidden = gate / (1 + np.exp(-gate)) * up
            expected += share * (part["experts.down_proj.weight"][e] @ hidden)
        np.testing.assert_allclose(out[b, t], expected, rtol=1e-4, atol=1e-5)


def test_shares_add_up_and_the_likeliest_comes_first():
    params, tokens = example()
    values = trace(params, tokens, CONFIG)
    router, chosen, shares = (values[f"blocks.0.mlp.{n}"] for n in ("router", "chosen", "shares"))
    np.testing.assert_allclose(router.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    assert (shares[..., 0] >= shares[..., 1]).all()
    np.testing.assert_array_equal(chosen[..., 0], router.argmax(-1))


def test_ties_go_to_the_lower_number():
    same = np.full((3, 5), 0.2, np.float32)
    assert experts.best_experts(same, 2).tolist() == [[0, 1]] * 3
    some = np.array([[0.1, 0.4, 0.1, 0.4]])
    assert experts.best_experts(some, 3).tolist() == [[1, 3, 0]]


def test_the_balance_loss_is_1_when_all_are_equal_and_E_when_one_takes_all():
    uniform = np.full((12, 6), 1 / 6)
    everyone = np.arange(12).reshape(12, 1) % 6
    assert experts.balance_loss(uniform, everyone) == pytest.approx(1)
    one = np.zeros((12, 6))
    one[:, 2] = 1
    assert experts.balance_loss(one, np.full((12, 1), 2)) == pytest.approx(6)


def test_the_z_loss_is_the_square_of_the_log_of_the_sum():
    assert experts.router_z_loss(np.zeros((4, 8))) == pytest.approx(math.log(8) ** 2)


def test_each_layer_has_its_own_losses():
    params, tokens = example()
    noted = []
    gpt(params, tokens, CONFIG, losses=lambda name, value: noted.append(name))
    assert noted == ["balance", "z"] * 2


def test_the_trainer_adds_them_and_reports_the_surprise_alone():
    """Over threads and micro-batches; what is reported is the loss without them."""
    params, tokens = example()
    rng = np.random.default_rng(1)
    tokens, targets = rng.integers(0, 50, (2, 8, 9))
    weights = np.full((8, 9), 1 / 72, np.float32)
    one = [tuple(a for a in (tokens, targets, weights))]
    plain, _ = gradients(loss_function(CONFIG), params, one, 1)
    parts = {"balance": [], "z": []}
    gpt(params, tokens, CONFIG, losses=lambda name, value: parts[name].append(float(value)))
    options = Options(steps=1, batch=8, rate=0.0, warmup=1, balance=0.5, router_z=0.25, micro=8)
    both, _ = gradients(loss_function(CONFIG, options), params, one, 1)
    expected = plain + 0.5 * np.mean(parts["balance"]) + 0.25 * np.mean(parts["z"])
    assert both == pytest.approx(expected, rel=1e-5)

    batch = Batch(tokens, targets, weights)
    (report,) = train_steps(fresh_state(params, options), CONFIG, [batch], options)
    assert report.loss == pytest.approx(plain, rel=1e-5)
    assert report.added == pytest.approx(both - plain, rel=1e-4)


def test_every_weight_of_the_whole_model_has_its_finite_difference():
    rng = np.random.default_rng(0)
    config = llama_style(
        vocab_size=20, context=9, layers=2, width=16, heads=4, hidden=12,
        blocks="ssm attention", mlp="moe", experts=3, capacity=0.9,
    )  # fmt: skip
    params = {
        n: (p + 0.3 * rng.standard_normal(p.shape)).astype(np.float64)
        for n, p in init_params(config, rng).items()
    }
    shard = *rng.integers(0, 20, (2, 2, 9)), np.full((2, 9), 1 / 18)
    loss = loss_function(config, Options(1, 1, 1.0, balance=0.5, router_z=0.3))
    with backend("readable"):
        _, grads = gradients(loss, params, [shard], 1)
        assert set(grads) == set(params)
        for name, grad in grads.items():
            direction = rng.standard_normal(grad.shape)
            ends = [
                float(np.asarray(loss({**params, name: params[name] + step * direction}, *shard)))
                for step in (1e-6, -1e-6)
            ]
            numeric = (ends[0] - ends[1]) / 2e-6
            assert (grad * direction).sum() == pytest.approx(numeric, rel=1e-5, abs=1e-8), name


def test_beyond_the_capacity_the_first_choice_and_the_earlier_token_win():
    chosen = np.array([[0, 1], [0, 1], [1, 0]])
    order, counts = experts.sort_by_expert(chosen, 3, capacity=2)
    # Pairs are numbered choice by choice: 0, 1, 2 are first choices, 3, 4, 5 second ones.
    assert order.tolist() == [0, 1, 2, 3] and counts.tolist() == [2, 2, 0]
    assert experts.capacity_of(tokens=8, experts=4, k=2, factor=1.25) == 5


def test_a_dropped_token_passes_by_on_the_residual_stream():
    """With room for one token an expert, a repeated token's later copies get nothing added."""
    config = llama_style(**{**SIZES, "layers": 1}, mlp="moe", experts=2, active=1, capacity=0.25,
                         positions="none")  # fmt: skip
    params, _ = example(config)
    tokens = np.full((1, 8), 7)  # all want the same expert, which takes one
    values = trace(params, tokens, config)
    output, shares = values["blocks.0.mlp.output"], values["blocks.0.mlp.shares"]
    assert np.abs(output[0, 0]).max() > 1e-3 and not output[0, 1:].any()
    assert shares[0, :, 0].tolist() == [1.0] + [0.0] * 7
    np.testing.assert_array_equal(values["blocks.0.residual"][0, 1:], values["blocks.0.middle"][0, 1:])
    unlimited = llama_style(**{**SIZES, "layers": 1}, mlp="moe", experts=2, active=1,
                            positions="none")  # fmt: skip
    assert trace(params, tokens, unlimited)["blocks.0.mlp.output"].any(-1).all()


def test_without_the_balance_loss_the_router_favours_few():
    """Trained to repeat its input: the loads differ more where nothing keeps them even."""
    config = llama_style(**{**SIZES, "layers": 1}, mlp="moe", experts=8, active=2)
    spread = {}
    for balance in (0.0, 1.0):
        rng = np.random.default_rng(5)
        options = Options(steps=120, batch=8, rate=1e-2, warmup=5, balance=balance, threads=1)
        state = fresh_state(init_params(config, rng), options)
        for _ in train_steps(state, config, copies(rng, 120), options):
            pass
        tokens = rng.integers(0, 50, (16, 16))
        chosen = trace(state.params, tokens, config)["blocks.0.mlp.chosen"]
        load = np.bincount(chosen.ravel(), minlength=8) / chosen.size
        spread[balance] = load.std() * 8
    assert spread[0.0] > 1.5 * spread[1.0] and spread[1.0] < 0.3


def copies(rng, count):
    for _ in range(count):
        tokens = rng.integers(0, 50, (8, 16))
        yield Batch(tokens, tokens, np.full((8, 16), 1 / 128, np.float32))
