"""Alignment at work: every method raises a true score that it never saw; a flawed reward ruins it.

Margins were fixed from seeds 1, 2 and 3. The longer runs are in `python -m microgpt align-report`.
"""

import json
from dataclasses import asdict, replace

import pytest

from microgpt.alignment import experiments
from microgpt.alignment.dpo import DPOOptions
from microgpt.alignment.experiments import hack, prepare, run_method
from microgpt.alignment.grpo import GRPOOptions
from microgpt.alignment.measure import evaluate
from microgpt.alignment.policy import Policy
from microgpt.alignment.ppo import PPOOptions
from microgpt.alignment.preferences import TASKS
from microgpt.alignment.reward import RewardOptions
from microgpt.model.checkpoint import load

POLITE = TASKS["polite"]
SEEDS = (1, 2, 3)
QUICK = {
    "dpo": DPOOptions(steps=9),
    "grpo": GRPOOptions(steps=5),
    "ppo": PPOOptions(steps=5, rows=48),
}
MARGIN, LONGEST_WAY = 0.15, 8.0  # of the true score; nats an answer


@pytest.fixture(scope="module")
def chat():
    return load("tiny-chat")


@pytest.fixture(scope="module")
def before(chat):
    return evaluate(chat, chat, POLITE, n=48)


@pytest.fixture(scope="module", params=SEEDS)
def prepared(chat, request):
    return prepare(chat, POLITE, request.param, held_out=60, options=RewardOptions(steps=20))


def test_the_reward_model_knows_the_taste_from_200_pairs(prepared):
    assert len(prepared.pairs) == 200
    assert prepared.reward.accuracy(prepared.held_out) >= 0.85
    scores = prepared.reward.score([s for p in prepared.pairs for s in p.samples])
    assert scores.mean() == pytest.approx(0, abs=1e-4) and scores.std() == pytest.approx(1, abs=1e-3)
    train, held = ({p.question.text for p in pairs} for pairs in (prepared.pairs, prepared.held_out))
    assert not train & held


@pytest.mark.parametrize("method", QUICK)
def test_the_hidden_true_score_rises(chat, before, prepared, method):
    policy = Policy.of(chat)
    for _ in run_method(policy, prepared, method, QUICK[method]):
        pass
    after = evaluate(policy.model, chat, POLITE, n=48)
    print(f"{method}, seed {prepared.seed}: true score {before.true_score:.3f} -> "
          f"{after.true_score:.3f}, KL {after.kl:.2f} nats an answer")
    assert after.true_score - before.true_score > MARGIN
    assert 0 < after.kl < LONGEST_WAY and before.kl == pytest.approx(0, abs=1e-9)


def test_without_a_leash_a_flawed_reward_is_hacked_and_always_in_the_same_way(chat):
    flawed = prepare(chat, POLITE, 1, flawed=True, pairs=100, held_out=1)
    options = PPOOptions(steps=8, rows=48, beta=0.0, rate=2e-4)
    steps = list(hack(Policy.of(chat), flawed, options))
    rewards, truths = [s.reward for s, _ in steps], [true for _, true in steps]
    assert rewards[-1] > rewards[0] + 0.8, "the learned reward rises"
    assert truths[-1] < truths[0] - 0.1, "what it stood for falls"
    again = list(hack(Policy.of(chat), flawed, replace(options, steps=2)))
    assert [s.samples for s, _ in again] == [s.samples for s, _ in steps[:2]]
    assert [s.reward for s, _ in again] == rewards[:2]


def test_the_recorded_comparison_is_of_this_recipe_and_shows_what_it_is_there_for():
    data = json.loads(experiments.RECORDED.read_text(encoding="utf-8"))
    assert data["options"] == {n: asdict(o) for n, o in experiments.METHODS.items()}
    assert data["hacking_options"] == asdict(experiments.HACKING)
    assert data["weights"] == POLITE.weights and data["pairs"] == 200
    assert [entry["seed"] for entry in data["compared"]] == list(experiments.SEEDS)
    for entry in data["compared"]:
        assert entry["reward_accuracy"] >= 0.85 and entry["reward_accuracy"] > entry["length_accuracy"]
        for method in experiments.METHODS:
            assert entry[method]["true_score"] - entry["before"] > MARGIN
            assert 0 < entry[method]["kl"] < LONGEST_WAY
    for entry in data["hacked"]:
        free, leashed = entry["free"], entry["leashed"]
        assert free[-1]["reward"] - free[0]["reward"] > 1
        assert free[-1]["true_score"] - free[0]["true_score"] < -0.1
        assert leashed[-1]["true_score"] > free[-1]["true_score"] + 0.1
        assert leashed[-1]["kl"] < free[-1]["kl"]
