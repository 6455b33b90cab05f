"""The floor of insight that chapter 9 stands on: edits, ablation, lens, heads, answers, sharing."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from microgpt.autograd import ops
from microgpt.autograd.tensor import Tensor, cross_entropy
from microgpt.insight import ablation, answers, heads, lens, sharing, worth
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt
from microgpt.model.trace import names, trace
from microgpt.training.parallel import single_threaded_blas
from tests.test_model import CONFIGS, SIZES, each_config, example


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded_blas():
        yield


@pytest.fixture(scope="module")
def base():
    return load(SHIPPED / "tiny-base")


# Recorded to be looked at: the model goes on with values of its own.
LOOKED_AT = ("scores", "ssm.state", "mlp.chosen", "mlp.shares", "mlp.expert_hidden")

# Edits ------------------------------------------------------------------------------------------


@each_config
def test_an_edit_that_changes_nothing_changes_nothing(config):
    params, tokens = example(config)
    seen = []

    def edit(name, value):
        seen.append(name)
        return value

    np.testing.assert_array_equal(
        gpt(params, tokens, config, edit=edit), gpt(params, tokens, config)
    )
    looked_at = [name for name in names(config) if not name.endswith("scores")]
    assert [name for name in seen if not name.endswith("scores")] == looked_at


@each_config
def test_what_an_edit_returns_is_recorded_and_gone_on_with(config):
    params, tokens = example(config)
    plain = gpt(params, tokens, config)
    for wanted in names(config):
        if wanted.endswith(LOOKED_AT):
            continue
        edited, recorded = {}, {}

        def edit(name, value):
            if name == wanted:  # noqa: B023
                edited[name] = value = value * np.float32(-0.5)  # noqa: B023
            return value

        logits = gpt(params, tokens, config, recorded.__setitem__, edit=edit)
        assert np.abs(logits - plain).max() > 1e-4, wanted
        np.testing.assert_array_equal(recorded[wanted], edited[wanted])


def test_a_model_can_learn_under_an_edit():
    """The gradient on the tape under an edit is that of the edited function."""
    # Without RoPE, whose table of float32 would round everything to it.
    config = llama_style(**{**SIZES, "layers": 1}, positions="none")
    params, tokens = example(config)
    params = {name: p.astype(np.float64) for name, p in params.items()}
    targets = np.roll(tokens, -1, 1)

    def loss(params):
        edit = ablation.chain(ablation.without_heads([(0, 1)], config), ablation.without_norms())
        return cross_entropy(gpt(params, tokens, config, edit=edit), targets)

    boxed = {name: Tensor(p) for name, p in params.items()}
    loss(boxed).backward()
    rng = np.random.default_rng(0)
    for name in ("model.layers.0.self_attn.v_proj.weight", "model.embed_tokens.weight"):
        direction = rng.standard_normal(params[name].shape)
        up, down = (loss({**params, name: params[name] + s * 1e-6 * direction}) for s in (1, -1))
        assert (boxed[name].grad * direction).sum() == pytest.approx((up - down) / 2e-6, rel=1e-5)


# Ablation ---------------------------------------------------------------------------------------


def zeroed(params, *names, rows=slice(None)):
    changed = {name: params[name].copy() for name in names if name in params}
    for array in changed.values():
        array[..., rows] = 0
    return {**params, **changed}


@pytest.mark.parametrize("kind", ["llama", "grouped-query", "gpt2", "alibi"])
def test_a_head_is_gone_when_its_columns_of_the_output_matrix_are(kind):
    config = CONFIGS[kind]
    params, tokens = example(config)
    name = "model.layers.1.self_attn.o_proj.weight"
    surgery = zeroed(params, name, rows=slice(16, 24))  # head 2 of size 8
    edit = ablation.without_heads([(1, 2)], config)
    np.testing.assert_allclose(
        gpt(params, tokens, config, edit=edit), gpt(surgery, tokens, config), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["llama", "llama with biases", "gpt2"])
def test_a_part_is_gone_when_its_last_matrix_is(kind):
    config = CONFIGS[kind]
    params, tokens = example(config)
    for part, matrix in (("attention", "self_attn.o_proj"), ("mlp", "mlp.down_proj")):
        name = f"model.layers.0.{matrix}"
        surgery = zeroed(params, f"{name}.weight", f"{name}.bias")
        edit = ablation.without_parts(part, [0], config)
        np.testing.assert_allclose(
            gpt(params, tokens, config, edit=edit), gpt(surgery, tokens, config), atol=1e-5
        )


def test_without_all_layers_only_the_embedding_speaks():
    config = CONFIGS["llama"]
    params, tokens = example(config)
    table = params["model.embed_tokens.weight"]
    x = ops.rmsnorm(table[tokens], params["model.norm.weight"], config.norm_eps)
    edit = ablation.without_layers(range(2), config)
    np.testing.assert_allclose(gpt(params, tokens, config, edit=edit), x @ table.T, atol=1e-5)


def by_hand(params, tokens, config, norm, residual):
    """One layer without RoPE, written out in float64: an oracle for norms and residuals."""
    p = {name: array.astype(np.float64) for name, array in params.items()}

    def normed(x, name):
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + config.norm_eps)
        return x / scale * p[f"{name}.weight"] if norm else x

    def heads(x, name):
        return (x @ p[f"{at}.self_attn.{name}.weight"].T).reshape(*x.shape[:2], 4, 8).swapaxes(1, 2)

    at, T = "model.layers.0", tokens.shape[1]
    x = p["model.embed_tokens.weight"][tokens]
    h = normed(x, f"{at}.input_layernorm")
    q, k, v = (heads(h, f"{n}_proj") for n in "qkv")
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(8) + np.triu(np.full((T, T), -np.inf), 1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mixed = (weights @ v).swapaxes(1, 2).reshape(x.shape)
    x = residual * x + mixed @ p[f"{at}.self_attn.o_proj.weight"].T
    h = normed(x, f"{at}.post_attention_layernorm")
    gate, up = (h @ p[f"{at}.mlp.{n}_proj.weight"].T for n in ("gate", "up"))
    x = residual * x + (gate / (1 + np.exp(-gate)) * up) @ p[f"{at}.mlp.down_proj.weight"].T
    return normed(x, "model.norm") @ p["model.embed_tokens.weight"].T


@pytest.mark.parametrize(("norm", "residual"), [(1, 1), (0, 1), (1, 0), (0, 0)])
def test_without_norms_and_residuals_it_is_what_a_model_by_hand_says(norm, residual):
    config = llama_style(**{**SIZES, "layers": 1})
    params, tokens = example(config)
    edits = [] if residual else [ablation.without_residuals()]
    edits += [] if norm else [ablation.without_norms()]
    logits = gpt(
        params, tokens, ablation.without_positions(config), edit=ablation.chain(*edits)
    )
    np.testing.assert_allclose(
        logits, by_hand(params, tokens, config, norm, residual), rtol=1e-4, atol=1e-4
    )


def test_parts_that_are_not_there():
    config = CONFIGS["llama"]
    for heads_ in ([(2, 0)], [(0, 4)], [(-1, 0)]):
        with pytest.raises(ValueError, match="There is no head"):
            ablation.without_heads(heads_, config)
    with pytest.raises(ValueError, match="There is no layer"):
        ablation.without_layers([2], config)
    with pytest.raises(ValueError, match="'attention' and 'mlp'"):
        ablation.without_parts("norm", [0], config)


# Lens -------------------------------------------------------------------------------------------


def test_the_lens_ends_with_what_the_model_says_and_begins_with_the_token_itself(base):
    ids = [base.tokenizer.specials["<|begin|>"], *base.tokenizer.encode("The capital of France is")]
    readings = list(lens.lens(base, ids, best=3, middle=True))
    assert [r.place for r in readings][:3] == ["embedding", "blocks.0.middle", "blocks.0.residual"]
    assert len(readings) == 1 + 2 * base.config.layers
    said = ops.softmax(gpt(base.params, np.array([ids]), base.config)[0])
    np.testing.assert_array_equal(readings[-1].tokens[:, 0], said.argmax(-1))
    np.testing.assert_allclose(readings[-1].probabilities[:, 0], said.max(-1), rtol=1e-5)
    assert (readings[0].tokens[1:, 0] == ids[1:]).mean() > 0.5  # a tied table finds itself


# Heads ------------------------------------------------------------------------------------------


def test_the_places_of_each_kind_are_where_its_name_says(base):
    tokens = heads.repeated_tokens(base, np.random.default_rng(0), 3)
    N = (tokens.shape[1] - 1) // 2
    np.testing.assert_array_equal(tokens[:, 1 : 1 + N], tokens[:, 1 + N :])
    assert all(len(set(row[1 : 1 + N])) == N for row in tokens), "a word comes twice by itself"
    for kind, places in heads.KINDS.items():
        queries, keys = places(N)
        assert len(queries) == len(keys) and (keys <= queries).all()
        assert queries.max() < tokens.shape[1] and keys.min() >= 0
        if kind == "duplicate token":
            np.testing.assert_array_equal(tokens[:, keys], tokens[:, queries])
            assert (keys < queries).all()
        if kind == "induction":
            np.testing.assert_array_equal(tokens[:, keys - 1], tokens[:, queries])
            np.testing.assert_array_equal(tokens[:, keys], tokens[:, queries + 1])


def test_heads_that_were_put_there_are_found(monkeypatch):
    config = llama_style(vocab_size=300, context=64, layers=2, width=16, heads=2, hidden=16)
    model = Model("planted", {}, config, load(SHIPPED / "tiny-base").tokenizer, {})
    T, at = 49, np.arange(49)
    planted = np.zeros((16, 2, 2, T, T), np.float32)
    planted[:, 0, 1, at, np.maximum(at - 1, 0)] = 0.75
    planted[::2, 1, 0, at, np.maximum(at - 23, 0)] = 0.8  # in every second row only
    planted[1::2, 1, 0, at, np.maximum(at - 23, 0)] = 0.4
    planted[1::2, 1, 0, at, at] = 0.5
    monkeypatch.setattr(heads, "attention_weights", lambda *_: (planted, None))
    found = heads.score_heads(model)
    assert found["previous token"][0] == heads.HeadScore(0, 1, 0.75, 0.0, 1.0)
    best = found["induction"][0]
    assert (best.layer, best.head) == (1, 0)
    assert (best.score, best.spread, best.first) == pytest.approx((0.6, 0.2, 0.5))
    assert found["duplicate token"][0].score == 0


def test_the_shipped_model_has_the_heads_it_is_known_for(base):
    found = heads.score_heads(base)
    for kind in ("previous token", "induction"):
        assert found[kind][0].score >= heads.CERTAIN and found[kind][0].first >= 0.9
        assert found[kind][1].score < found[kind][0].score
    assert all(len(scores) == 16 for scores in found.values())


def test_attention_weights_are_those_of_a_trace(base):
    tokens = np.array([[0, 5, 6, 7], [0, 9, 8, 7]])
    weights, logits = heads.attention_weights(base, tokens)
    values = trace(base.params, tokens, base.config)
    for layer in range(4):
        np.testing.assert_array_equal(weights[:, layer], values[f"blocks.{layer}.attention.weights"])
    np.testing.assert_array_equal(logits, values["logits"])


# What ablation costs, and where the answer comes from --------------------------------------------


def test_sentences_are_what_a_greedy_answer_gets_right(base):
    from microgpt.decoding.generate import complete
    from microgpt.world.probes import probes

    asked = [p for a in worth.ABILITIES for p in probes(a, worth.SENTENCES, heads.SEED)]
    said = complete(base, [p.prompt for p in asked], 6)
    right = np.mean([p.is_right(s) for p, s in zip(asked, said, strict=True)])
    assert worth.sentences(base) == right >= 0.95


@pytest.mark.parametrize("ability", worth.ABILITIES)
def test_at_the_answer_named_heads_look_at_the_right_word_and_are_the_cause(base, ability):
    named = answers.answer_heads(base, ability)
    asked = answers.questions(base.tokenizer, ability, 100)
    at_answer, at_pronoun = (answers.looks(base, asked, at) for at in ("answer", "pronoun"))
    first = named[0]
    assert at_answer.preferred()[first] >= 0.95, "in one named head, the right word before the wrong"
    strongest = at_answer.right >= at_answer.largest
    assert np.any([strongest[:, i, j] for i, j in named], axis=0).mean() >= 0.95
    assert at_answer.right.mean(0)[first] > 8 * at_answer.wrong.mean(0)[first]
    assert 0.2 < at_pronoun.preferred().mean() < 0.8, "at the pronoun nothing is decided yet"
    assert at_pronoun.preferred()[first] < 0.75
    whole = worth.sentences(base, abilities=(ability,))
    left = worth.sentences(base, ablation.without_heads(named, base.config), (ability,))
    assert whole >= 0.95 and left < 0.5, "without them the answer is lost"


@pytest.mark.parametrize("ability", worth.ABILITIES)
def test_in_tiny_chat_the_strongest_in_one_named_head_is_the_right_word(ability):
    chat = load(SHIPPED / "tiny-chat")
    first = answers.answer_heads(chat, ability)[0]
    for seed in (answers.SEED, 2024):
        asked = answers.questions(chat.tokenizer, ability, 300, seed)
        assert answers.looks(chat, asked).strongest()[first] >= 0.95
    without = ablation.without_heads([first], chat.config)
    lost = worth.sentences(chat, abilities=(ability,)) - worth.sentences(chat, without, (ability,))
    assert lost > 0.2 if ability == "coreference_story" else 0 <= lost < 0.2, "another does it too"


def test_a_layer_that_looks_nowhere_has_no_strongest():
    nothing, some = np.zeros((3, 2, 1)), np.array([[[0.0], [0.5]]] * 3)
    seen = answers.Looks(some, nothing, nothing, some)
    np.testing.assert_array_equal(seen.strongest(), [[0], [1]])


def test_questions_point_at_the_words_they_mean(base):
    names = base.tokenizer.name_of
    for ability, pronouns in (("coreference_story", {" it"}), ("coreference_job", {" She", " He"})):
        for q in answers.questions(base.tokenizer, ability, 20):
            words = [base.tokenizer.decode([i]) for i in q.ids]
            assert words[q.pronoun] in pronouns
            assert q.right != q.wrong and max(q.right, q.wrong) < q.pronoun < q.answer
            assert names(q.ids[q.answer]).endswith(("The", "the"))
    with pytest.raises(ValueError, match="questions of"):
        answers.questions(base.tokenizer, "copy")
    with pytest.raises(ValueError, match="does not stand there"):
        answers.find_word(base.tokenizer, [1, 2, 3], " cat")


def test_a_pronoun_cannot_know_what_comes_later(base):
    """Up to the word that decides, the two sentences are the same, and so is every weight."""
    encode = base.tokenizer.encode
    tired, soft = ([0, *encode(f"The cat sat on the mat because it was {w}.")]
                   for w in ("tired", "soft"))  # fmt: skip
    same = next(i for i, (a, b) in enumerate(itertools.zip_longest(tired, soft)) if a != b)
    one, two = (heads.attention_weights(base, np.array([ids]))[0][0] for ids in (tired, soft))
    np.testing.assert_allclose(one[..., :same, :same], two[..., :same, :same], atol=1e-6)
    assert same > tired.index(encode(" it")[0])


def test_the_same_arcs_go_with_different_outputs(base):
    twins = answers.twins(base)
    assert twins.says[0] != twins.says[1]
    assert twins.moved < 0.25
    first, second = twins.first.split(), twins.second.split()
    assert sum(a != b for a, b in zip(first, second, strict=True)) == 1
    assert twins.transplanted == twins.says[1], "the first one's arcs bring the first one's answer"


# Shared heads -----------------------------------------------------------------------------------


def small(config):
    params, tokens = example(config)
    return Model("small", params, config, None, {}), tokens


def test_heads_that_are_equal_can_be_shared_at_no_loss():
    """A grouped model, written out with a copy for each query head, shares back to itself."""
    grouped, _ = small(CONFIGS["grouped-query"])
    params = dict(grouped.params)
    for name in params:
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            params[name] = np.repeat(params[name].reshape(2, 8, 32), 2, axis=0).reshape(32, 32)
    full = replace(grouped, params=params, config=CONFIGS["llama"])
    shared = sharing.share_heads(full, 2)
    assert shared.config == CONFIGS["grouped-query"]
    for name, array in grouped.params.items():
        np.testing.assert_allclose(shared.params[name], array, atol=1e-6)


def test_sharing_averages_and_keeps_the_rest():
    model, tokens = small(CONFIGS["llama with biases"])
    one = sharing.share_heads(model, 1)
    name = "model.layers.1.self_attn.k_proj"
    weight = model.params[f"{name}.weight"].reshape(4, 8, 32)
    np.testing.assert_allclose(one.params[f"{name}.weight"], weight.mean(0), atol=1e-6)
    assert one.params[f"{name}.bias"].shape == (8,) and one.params[f"{name}.weight"].dtype == np.float32
    assert gpt(one.params, tokens, one.config).shape == (2, 11, 50)
    same = sharing.share_heads(model, 4)
    np.testing.assert_array_equal(
        gpt(same.params, tokens, same.config), gpt(model.params, tokens, model.config)
    )
    for wrong in (0, 3, 8):
        with pytest.raises(ValueError, match="averaged"):
            sharing.share_heads(model, wrong)


def test_a_window_looks_no_further_and_keeps_no_more():
    model, tokens = small(CONFIGS["llama"])
    near = sharing.look_back(model, 3)
    weights, _ = heads.attention_weights(near, tokens)
    assert not weights[..., *np.tril_indices(11, -3)].any()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert sharing.cached_tokens(near.config, 11) == 3
    assert sharing.cached_tokens(near.config, 2) == 2
    assert sharing.cached_tokens(model.config, 11) == 11
