"""What chapter 10 asks of the engine: models without mask or scale, the switchboard, one page."""

import json
from dataclasses import replace

import numpy as np
import pytest

from microgpt.autograd import ops
from microgpt.autograd.tensor import Tensor, backend, cross_entropy
from microgpt.decoding.decoder import Decoder, supported
from microgpt.insight import lens, lines, switchboard
from microgpt.model import one_page
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import GPTConfig, llama_style
from microgpt.model.export import export
from microgpt.model.gpt import gpt, init_params
from microgpt.model.trace import trace
from microgpt.training.data import Batch
from microgpt.training.parallel import single_threaded_blas
from microgpt.training.train import fresh_state, train_steps
from tests.test_model import CONFIGS, SIZES, example

OPEN = {
    "no mask": llama_style(**SIZES, causal=False),
    "no mask, grouped": llama_style(**SIZES, kv_heads=2, causal=False),
    "no mask under ALiBi": llama_style(**SIZES, positions="alibi", causal=False),
    "no scale": llama_style(**SIZES, scale=1.0),
}
each_open = pytest.mark.parametrize("config", OPEN.values(), ids=OPEN)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded_blas():
        yield


@pytest.fixture(scope="module")
def base():
    return load(SHIPPED / "tiny-base")


# Without the mask, with another scale ----------------------------------------------------------


@each_open
def test_readable_and_fast_agree(config):
    params, tokens = example(config)
    with backend("readable"):
        readable = gpt(params, tokens, config)
    np.testing.assert_allclose(gpt(params, tokens, config), readable, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("positions", ["none", "alibi"])
def test_gradients_are_finite_differences(positions):
    config = llama_style(**{**SIZES, "layers": 1}, positions=positions, causal=False, scale=0.7)
    params, tokens = example(config)
    params = {name: p.astype(np.float64) for name, p in params.items()}
    targets = np.roll(tokens, -1, 1)

    def loss(params):
        return cross_entropy(gpt(params, tokens, config), targets)

    boxed = {name: Tensor(p) for name, p in params.items()}
    loss(boxed).backward()
    rng = np.random.default_rng(0)
    for part in ("q_proj", "k_proj", "v_proj"):
        name = f"model.layers.0.self_attn.{part}.weight"
        direction = rng.standard_normal(params[name].shape)
        up, down = (loss({**params, name: params[name] + s * 1e-6 * direction}) for s in (1, -1))
        assert (boxed[name].grad * direction).sum() == pytest.approx((up - down) / 2e-6, rel=2e-4)


def test_without_the_mask_every_token_hears_of_every_other():
    config = OPEN["no mask"]
    params, tokens = example(config)
    weights = trace(params, tokens, config)["blocks.1.attention.weights"]
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert (weights > 0).all()
    changed = tokens.copy()
    changed[:, -1] = (changed[:, -1] + 1) % config.vocab_size
    moved = np.abs(gpt(params, changed, config) - gpt(params, tokens, config)).max((0, 2))
    assert (moved > 1e-4).all()


def test_the_scale_takes_the_place_of_the_root():
    params, tokens = example(CONFIGS["llama"])
    plain = trace(params, tokens, CONFIGS["llama"])["blocks.0.attention.scores"]
    other = trace(params, tokens, OPEN["no scale"])["blocks.0.attention.scores"]
    seen = np.isfinite(plain)
    np.testing.assert_allclose(other[seen], plain[seen] * np.sqrt(8), rtol=1e-4, atol=1e-5)
    same = replace(CONFIGS["llama"], scale=1 / np.sqrt(8))
    np.testing.assert_allclose(gpt(params, tokens, same), gpt(params, tokens, CONFIGS["llama"]), atol=1e-5)


def test_what_makes_no_sense_is_refused_in_a_sentence(tmp_path, base):
    with pytest.raises(ValueError, match="only look back"):
        llama_style(**SIZES, causal=False, window=3)
    with pytest.raises(ValueError, match="only look back"):
        llama_style(**SIZES, causal=False, blocks="ssm")
    with pytest.raises(ValueError, match="True or False"):
        llama_style(**SIZES, causal=0)
    for scale in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite number above 0"):
            llama_style(**SIZES, scale=scale)
    with pytest.raises(ValueError, match="nothing to keep"):
        KVCache.empty(OPEN["no mask"])
    for config in (OPEN["no mask"], OPEN["no scale"]):
        assert not supported(config) and supported(CONFIGS["llama"])
        params, _ = example(config)
        model = Model("open", params, config, base.tokenizer, {})
        with pytest.raises(ValueError, match="compiled step"):
            Decoder(model)
        with pytest.raises(ValueError, match="no Llama"):
            export(model, tmp_path, "gguf")


def test_a_config_comes_back_from_its_card():
    for config in OPEN.values():
        assert GPTConfig(**config.as_dict()) == config
    assert not {"causal", "scale"} & set(CONFIGS["llama"].as_dict()), "cards of before stay as they are"


# The logit lens --------------------------------------------------------------------------------


def test_the_lens_follows_what_is_said_in_the_end(base):
    ids = [0, *base.tokenizer.encode("The capital of France is")]
    readings = list(lens.lens(base, ids, best=3, middle=True))
    said = ops.softmax(gpt(base.params, np.array([ids]), base.config)[0])
    np.testing.assert_allclose(readings[-1].final, said.max(-1), atol=1e-5)
    assert all(((r.final >= 0) & (r.final <= 1)).all() for r in readings)
    for whole, part in zip(readings, lens.lens(base, ids, best=3, middle=True, last=2), strict=True):
        np.testing.assert_array_equal(part.tokens, whole.tokens[-2:])
        np.testing.assert_allclose(part.final, whole.final[-2:], atol=1e-6)


# The switchboard -------------------------------------------------------------------------------

QUICK = replace(switchboard.OPTIONS, steps=6, warmup=2)


def quick(tokenizer, parts, **more):
    return list(switchboard.race(tokenizer, [(), parts] if parts else [()], every=2, look=6, options=QUICK, **more))


def test_both_start_alike_and_the_same_seed_gives_the_same_run(base):
    one, two = quick(base.tokenizer, ["norms"]), quick(base.tokenizer, ["norms"])
    assert one == two
    assert [both[0].step for both in one] == [1, 2, 4, 6]
    assert one[0][0].loss == pytest.approx(np.log(base.config.vocab_size), rel=0.05)
    assert one[0][0].loss != one[0][1].loss, "one of them has no norms"
    last = one[-1]
    assert all(m.held_out > 0 and m.text.startswith(switchboard.PROMPT) for m in last)
    intact = [moments[0] for moments in one]
    assert intact == [moments[0] for moments in quick(base.tokenizer, [])]


@pytest.mark.parametrize("part", switchboard.PARTS)
def test_every_part_can_be_taken_away_alone_and_with_another(base, part):
    config = switchboard.small_model(base.tokenizer.vocab_size)
    for parts in ((part,), (part, "mlp")):
        less, edit = switchboard.without(parts, config)
        params, _ = example(config, batch=1, time=4)
        tokens = np.array([[5, 9, 2, 7]])
        logits = gpt(params, tokens, less, edit=edit())
        assert np.isfinite(logits).all()
        assert np.abs(logits - gpt(params, tokens, config)).max() > 1e-4, "nothing changed"


def test_a_part_that_is_not_there_is_refused(base):
    with pytest.raises(ValueError, match="no part 'soul'"):
        switchboard.without(["soul"], switchboard.small_model(50))


def test_held_out_loss_gives_only_what_comes_before(base):
    """Token by token, for a model that would look ahead if it could."""
    config = replace(OPEN["no mask"], positions="none")
    params, tokens = example(config, batch=2, time=5)
    targets, weights = np.roll(tokens, -1, 1), np.full(tokens.shape, 0.1, np.float32)
    batch = Batch(tokens, targets, weights)
    each = [
        -np.log(ops.softmax(gpt(params, tokens[b : b + 1, : t + 1], config)[0, -1])[targets[b, t]])
        for b in range(2) for t in range(5)
    ]  # fmt: skip
    found = switchboard.held_out_loss(params, config, batch, lambda: None)
    assert found == pytest.approx(np.mean(each), rel=1e-4)
    causal = replace(config, causal=True)
    with_mask = switchboard.held_out_loss(params, causal, batch, lambda: None)
    assert with_mask == pytest.approx(float(cross_entropy(gpt(params, tokens, causal), targets, weights)), rel=1e-5)


def test_a_model_that_sees_its_answers_learns_to_copy_them():
    """A text of random tokens can't be predicted, only seen: the loss falls below ln V without
    the mask, and on what comes before alone it does not."""
    config = llama_style(vocab_size=16, context=12, layers=2, width=32, heads=2, hidden=64)
    rng = np.random.default_rng(0)
    found = {}
    for causal in (True, False):
        less = replace(config, causal=causal)

        def text():
            while True:
                tokens = rng.integers(0, 16, (32, 13))
                yield Batch(tokens[:, :-1], tokens[:, 1:], np.full((32, 12), 1 / 384, np.float32))

        options = replace(switchboard.OPTIONS, steps=150, warmup=10, rate=1e-2)
        state = fresh_state(init_params(less, np.random.default_rng(1)), options)
        *_, report = train_steps(state, less, text(), options)
        honest = switchboard.held_out_loss(state.params, less, next(text()), lambda: None)
        found[causal] = report.loss, honest
    chance = np.log(16)
    assert found[True][0] > 0.9 * chance and found[True][1] < 1.2 * chance
    assert found[False][0] < 0.5 * chance and found[False][1] > 0.95 * chance


def test_the_record_is_whole_and_of_this_recipe():
    record = json.loads(switchboard.RECORD.read_text(encoding="utf-8"))
    assert [run["parts"] for run in record["runs"]] == [[], *([part] for part in switchboard.PARTS)]
    assert record["recipe"]["steps"] == switchboard.OPTIONS.steps
    small = switchboard.small_model(record["recipe"]["model"]["vocab_size"])
    assert record["recipe"]["model"] == small.as_dict()
    by = {"".join(run["parts"]): run for run in record["runs"]}
    # What the page says of it: only the mask's loss misleads.
    assert by["mask"]["loss"] < 0.5 < by[""]["loss"] < by[""]["held_out"] + 0.5
    assert by["mask"]["held_out"] > by[""]["held_out"] + 1
    assert all(run["held_out"] >= by[""]["held_out"] - 0.05 for run in record["runs"])


# A GPT on one page -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "grouped-query", "multi-query", "untied"])
def test_the_page_of_code_is_the_engine(kind):
    config = CONFIGS[kind]
    params, tokens = example(config, batch=1)
    said = one_page.next_token(params, tokens[0].tolist(), config)
    np.testing.assert_allclose(said, ops.softmax(gpt(params, tokens, config)[0, -1]), atol=1e-6)


def test_the_page_of_code_is_tiny_base(base):
    ids = [0, *base.tokenizer.encode("Ann is a cook and Tom is a pilot. She works at the")]
    said = one_page.next_token(base.params, ids, base.config)
    np.testing.assert_allclose(said, ops.softmax(gpt(base.params, np.array([ids]), base.config)[0, -1]), atol=1e-5)


def steps_of(config, **more):
    params, tokens = example(config, batch=1)
    names = one_page.next_token.__code__.co_varnames
    watch = [name for name in names if name not in ("weights", "tokens", "config")]
    return params, tokens[0].tolist(), lines.run(one_page.next_token, params, tokens[0].tolist(), config,
                                                 watch=watch, loops=("layer", "head"))  # fmt: skip


def test_watching_changes_nothing_and_sees_every_line():
    config = CONFIGS["grouped-query"]
    params, ids, (said, steps) = steps_of(config)
    np.testing.assert_array_equal(said, one_page.next_token(params, ids, config))
    ran = {}
    for step in steps:
        ran[step.line] = ran.get(step.line, 0) + 1
    assert max(ran.values()) == config.layers * (config.heads + 1), "the inner loop's head line"
    made = {value.name for step in steps for value in step.made}
    assert {"x", "scores", "attention", "mixed", "hidden", "logits", "probabilities"} <= made
    assert steps[-1].made == () and steps[-2].made[0].name == "probabilities"
    np.testing.assert_allclose(steps[-2].made[0].first, said[: lines.FIRST])


def test_values_are_those_of_the_pass():
    config = CONFIGS["llama"]
    params, ids, (_, steps) = steps_of(config)
    values = trace(params, np.array([ids]), config)
    second = [s for s in steps if dict(s.loops) == {"layer": 1, "head": 2}]
    attention = next(v for s in second for v in s.made if v.name == "attention")
    np.testing.assert_allclose(attention.first, values["blocks.1.attention.weights"][0, 2, -1][:6], atol=1e-5)
    mixed = next(v for s in second for v in s.made if v.name == "mixed")
    assert mixed.start == 16, "what this head wrote, not where the row begins"
    np.testing.assert_allclose(mixed.first, values["blocks.1.attention.mixed"][0, -1, 16:22], atol=1e-5)


def test_a_tracer_that_was_there_comes_back():
    import sys

    before = sys.gettrace()
    with pytest.raises(TypeError):
        lines.run(one_page.normalize, None)
    assert sys.gettrace() is before
