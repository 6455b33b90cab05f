"""The models that ship: their cards hold what was promised, and say it truly."""

import itertools
import json
import math

import numpy as np
import pytest

from microgpt.decoding import compare
from microgpt.decoding.evaluate import evaluate
from microgpt.decoding.generate import complete
from microgpt.insight.heads import summary
from microgpt.model.card import readme
from microgpt.model.checkpoint import SHIPPED, load
from microgpt.training.recipes import RECIPES, as_dict, data_hash, recipe_batches
from microgpt.training.train import evaluate_loss
from microgpt.world.probes import ABILITIES

# What each model must reach; tiny-chat is held to what it was fine-tuned for. Copying is judged
# token by token below: the probe wants whole sequences without a slip.
PROMISED = {
    "tiny-base": ("coreference", "coreference_story", "coreference_job", "recall", "facts",
                  "passage", "tool", "sum_scratchpad"),
    "tiny-chat": ("chat", "facts", "passage", "tool"),
    "tiny-moe": ("coreference", "coreference_story", "coreference_job", "recall", "facts",
                 "passage", "tool", "sum_scratchpad"),
    "tiny-ssm": ("coreference", "coreference_story", "coreference_job", "facts", "tool",
                 "sum_scratchpad"),
    "tiny-hybrid": ("coreference", "coreference_story", "coreference_job", "recall", "facts",
                    "passage", "tool", "sum_scratchpad"),
}  # fmt: skip
each_model = pytest.mark.parametrize("name", PROMISED)


@pytest.fixture(scope="module")
def models():
    return {name: load(SHIPPED / name) for name in PROMISED}


@each_model
def test_the_card_keeps_the_promises(models, name):
    card = models[name].card
    for ability in PROMISED[name]:
        assert card["abilities"][ability] >= ABILITIES[ability].threshold, ability
    assert card["int8_cost"] < 0.005
    carried = set(models[name].config.kinds) == {"ssm"}  # what rounding does to a state goes on in it
    assert card["int4_cost"] < (0.04 if carried else 0.02)


def test_steps_beat_a_straight_answer(models):
    abilities = models["tiny-base"].card["abilities"]
    assert abilities["sum_scratchpad"] - abilities["sum_direct"] >= 0.5
    assert abilities["sum_four_digits"] <= 0.05  # no length it never read
    assert abilities["facts_reversed"] <= 0.2


def test_it_copies_with_induction_heads(models):
    heads = models["tiny-base"].card["heads"]
    assert heads["copying"] >= 0.95
    assert heads["induction"]["score"] >= 0.7 and heads["previous_token"]["score"] >= 0.7
    assert summary(models["tiny-base"]) == heads


@each_model
def test_the_card_is_of_this_recipe_and_this_data(models, name):
    model, recipe = models[name], RECIPES[name]
    assert model.card["recipe"] == json.loads(json.dumps(as_dict(recipe)))
    assert model.card["data_sha256"] == data_hash(recipe, model.tokenizer)


def test_the_models_that_are_compared_differ_in_nothing_else(models):
    cards = [models[name].card for name in compare.NAMES]
    assert len({card["data_sha256"] for card in cards}) == 1, "other batches"
    assert len({card["tokens_seen"] for card in cards}) == 1
    tokenizers = {tuple(map(tuple, models[name].tokenizer.merges)) for name in compare.NAMES}
    assert len(tokenizers) == 1
    own = "balance", "router_z", "threads"  # what a mixture adds, and how fast it went
    options = [{k: v for k, v in card["recipe"]["options"].items() if k not in own}
               for card in cards]  # fmt: skip
    assert all(one == options[0] for one in options)


def test_the_table_of_architectures_is_of_these_models(models):
    table = json.loads(compare.RECORDED.read_text(encoding="utf-8"))["models"]
    assert list(table) == list(compare.NAMES)
    for name, row in table.items():
        card = models[name].card
        assert row["parameters"] == card["parameters"]
        assert row["held_out_loss"] == card["held_out_loss"]
        assert row["abilities"] == card["abilities"]
        measured = {one["pairs"]: one["right"] for one in row["recall"]}
        assert compare.recall(models[name], 8).right == pytest.approx(measured[8], abs=0.05)
        shares = [share for pairs, share in measured.items() if 3 <= pairs <= 12]
        if name == "tiny-ssm":
            assert max(shares) < 0.5, "chapter 11 says that it has mixed the pairs together"
        else:
            assert min(shares) > 0.95


@each_model
def test_a_look_at_the_model_finds_what_the_card_says(models, name):
    """A few probes and batches again; the whole is `python -m microgpt probe`."""
    model = models[name]
    report = evaluate(model, n=24, seed=7, abilities=("coreference", "facts", "tool", "sum_scratchpad"))
    for ability, share in report["abilities"].items():
        told = model.card["abilities"][ability]
        chance = 3 * math.sqrt(told * (1 - told) / 24)  # three deviations of so few probes
        assert share >= told - max(0.15, chance), ability
    held_out = recipe_batches(RECIPES[name], model.tokenizer, part="held-out")
    loss = evaluate_loss(model.params, model.config, itertools.islice(held_out, 16))
    assert loss == pytest.approx(model.card["held_out_loss"], abs=2e-3)


@each_model
def test_its_readme_is_its_card(models, name):
    text = (SHIPPED / name / "README.md").read_text(encoding="utf-8")
    assert text == readme(models[name].card)


def test_the_examples_of_the_course(models):
    base, chat = models["tiny-base"], models["tiny-chat"]
    asked = {
        "The capital of France is": " Paris.",
        "The cat sat on the mat because it was tired. What was tired?": " The cat.",
        "The cat sat on the mat because it was soft. What was soft?": " The mat.",
        "Dog bites man. Who is bitten?": " The man.",
        "Man bites dog. Who is bitten?": " The dog.",
        "steps 457+268:": " 7+8+0=15, 5+6+1=12, 4+2+1=07. So 725.",
    }
    for prompt, answer in zip(asked, complete(base, list(asked), [40] * len(asked)), strict=True):
        assert answer.startswith(asked[prompt]), prompt
    (gravity,) = complete(chat, ["<|user|>What is gravity?<|end|><|assistant|>"], [40])
    assert "force" in gravity and gravity.endswith("<|end|>")


def test_free_prompts_give_different_stories(models):
    from microgpt.decoding.generate import generate
    from microgpt.decoding.sampling import Sampling

    model, texts = models["tiny-base"], set()
    begin, end = (model.tokenizer.specials[f"<|{n}|>"] for n in ("begin", "end"))
    ids = [begin, *model.tokenizer.encode("Once upon a time")]
    for seed in range(8):
        rng = np.random.default_rng(seed)
        steps = generate(model, ids, Sampling(temperature=0.8), 120, rng, [end])
        texts.add(model.tokenizer.decode([step.token for step in steps]))
    assert len(texts) == 8 and min(map(len, texts)) > 60


def test_every_token_the_model_can_say_has_a_text(models):
    for model in models.values():
        assert model.tokenizer.vocab_size == model.config.vocab_size
