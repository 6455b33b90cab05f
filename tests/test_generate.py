"""Generation: the compiled step against gpt, stopping, long prompts, threads, trees, batches."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from microgpt.decoding import kernels
from microgpt.decoding.decoder import Decoder, supported
from microgpt.decoding.decoders import decoder_for
from microgpt.decoding.generate import complete, continuations, fit_context, generate
from microgpt.decoding.sampling import GREEDY, Sampling, distribution, softmax
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import Model
from microgpt.model.config import gpt2_style, llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.tokens.bpe import train

TOKENIZER = train("the cat sat on the mat and the dog ran to the river bank. " * 20, 290)
V = TOKENIZER.vocab_size
BEGIN, END = TOKENIZER.specials["<|begin|>"], TOKENIZER.specials["<|end|>"]
SIZES = dict(vocab_size=V, context=40, layers=2, width=48, heads=4, hidden=44)
CONFIGS = {
    "multi-head": llama_style(**SIZES),
    "grouped, window": llama_style(**{**SIZES, "width": 40}, kv_heads=2, window=7),
    "multi-query, untied": llama_style(
        vocab_size=V, context=37, layers=3, width=36, heads=6, hidden=30, kv_heads=1, tied=False
    ),
    "one wide head": llama_style(**{**SIZES, "heads": 1}, rope_base=500.0, norm_eps=1e-2),
    "one narrow head": llama_style(**{**SIZES, "heads": 1, "width": 8}),
    "gpt-2": gpt2_style(**SIZES),
    "experts": llama_style(**SIZES, mlp="moe", experts=4),
    "hybrid": llama_style(**SIZES, blocks="ssm attention", mlp="moe", experts=4),
    "states": llama_style(**SIZES, blocks="ssm", positions="none"),
}
HALVES = kernels.reads_halves()
LLAMAS = [name for name, config in CONFIGS.items() if supported(config)]


def make(config, seed=0, half=False):
    """A model with weights large enough that its distribution is far from flat."""
    params = {}
    for name, p in init_params(config, np.random.default_rng(seed)).items():
        rng = np.random.default_rng(len(name))
        p = p * np.float32(1 if "A_log" in name else 5) if p.ndim > 1 else p + rng.uniform(-0.5, 0.5, p.shape).astype("f4")
        params[name] = p.astype(np.float16).astype(np.float32) if half else p
        params[name].setflags(write=False)
    return Model("test", params, config, TOKENIZER, {})


MODELS = {name: make(config) for name, config in CONFIGS.items()}


def tokens_of(steps):
    return [step.token for step in steps]


def go(model, prompt, most=20, sampling=Sampling(), seed=5, **more):  # noqa: B008
    return list(generate(model, prompt, sampling, most, np.random.default_rng(seed), **more))


def prompt_of(length, seed=1):
    return np.random.default_rng(seed).integers(0, V, length).tolist()


# The compiled step


@pytest.mark.parametrize("name", LLAMAS)
@pytest.mark.parametrize("half", [False, True])
def test_the_compiled_step_equals_gpt_at_every_position(name, half):
    model = make(CONFIGS[name], half=half)
    decoder = Decoder(model)
    assert decoder.weights.dtype == (np.int16 if half and HALVES else np.float32)
    session, tokens = decoder.session(), prompt_of(model.config.context)
    got = np.array([session.step(token) for token in tokens])
    expected = gpt(model.params, np.array([tokens]), model.config)[0]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(got.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("name", LLAMAS)
def test_a_session_goes_on_where_a_cache_ends_at_every_split(name):
    model = MODELS[name]
    tokens = prompt_of(model.config.context)
    expected = gpt(model.params, np.array([tokens]), model.config)[0]
    for split in range(1, len(tokens)):
        cache = KVCache.empty(model.config)
        gpt(model.params, np.array([tokens[:split]]), model.config, cache=cache)
        session = decoder_for(model).session(cache)
        for position in range(split, len(tokens)):
            got = session.step(tokens[position])
            scale = np.abs(expected[position]).max()
            np.testing.assert_allclose(got, expected[position], rtol=2e-5, atol=2e-5 * scale)


def test_only_weights_that_float16_holds_are_halved():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    numbers = every[np.isfinite(every)].astype(np.float32)
    assert kernels.halve(numbers).dtype == np.int16
    for misfit in (65536.0, 1 + 2**-11, 2**-25, np.nan, 1e-40):
        assert kernels.halve(np.array([0.5, misfit], np.float32)) is None


@pytest.mark.skipif(not HALVES, reason="this processor has no instruction for float16")
def test_every_float16_is_read_exactly():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    numbers = every[np.isfinite(every)].astype(np.float32)
    numbers = np.resize(numbers, kernels.pad(len(numbers), kernels.LANES))[:, None]
    packed = kernels.halve(kernels.pack(numbers))
    x, out = np.zeros(kernels.DEPTH, np.float32), np.empty(len(numbers), np.float32)
    x[0] = 1
    kernels.product(packed, 0, x, out)
    np.testing.assert_array_equal(out, numbers[:, 0])


@pytest.mark.parametrize("shape", [(1, 1), (128, 8), (129, 9), (272, 344)])
def test_product_of_packed_weights(shape):
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal(shape).astype(np.float16).astype(np.float32)
    x = np.zeros(kernels.pad(shape[1], kernels.DEPTH), np.float32)
    x[: shape[1]] = rng.standard_normal(shape[1]) * 1000
    packed = kernels.pack(matrix)
    for weights in (packed, kernels.halve(packed)) if HALVES else (packed,):
        out = np.full(kernels.pad(shape[0], kernels.LANES), np.nan, np.float32)
        end = kernels.product(weights, 0, x, out)
        assert end == len(weights)
        expected = matrix.astype(np.float64) @ x[: shape[1]].astype(np.float64)
        np.testing.assert_allclose(out[: shape[0]], expected, rtol=1e-5, atol=0.1)
        assert (out[shape[0] :] == 0).all()


def test_without_the_instruction_weights_stay_float32(monkeypatch):
    model = make(CONFIGS["multi-head"], half=True)
    monkeypatch.setattr(kernels, "reads_halves", lambda: False)
    plain = Decoder(model)
    assert plain.weights.dtype == np.float32
    scores = plain.session().step(3)
    monkeypatch.undo()
    # The compiler may order the sums of the two loops differently, so only nearly equal.
    expected = Decoder(model).session().step(3)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=5e-6)


def test_a_session_refuses_what_does_not_fit():
    session = decoder_for(MODELS["multi-head"]).session(room=2)
    for token in (-1, V):
        with pytest.raises(ValueError, match=f"from 0 to {V - 1}"):
            session.step(token)
    session.step(1), session.step(2)
    with pytest.raises(ValueError, match="room for 2 tokens"):
        session.step(3)
    cache = KVCache.empty(MODELS["multi-head"].config, batch=2)
    with pytest.raises(ValueError, match="one text"):
        decoder_for(MODELS["multi-head"]).session(cache)
    with pytest.raises(ValueError, match="architecture"):
        Decoder(MODELS["gpt-2"])


def test_packed_once_for_a_finished_model_and_anew_for_one_in_training():
    model = make(CONFIGS["multi-head"])
    assert decoder_for(model) is decoder_for(model)
    params = {name: p.copy() for name, p in model.params.items()}
    learning = replace(model, params=params)
    before = decoder_for(learning).session().step(3)
    params["model.layers.0.mlp.up_proj.weight"][:] = 0
    after = decoder_for(learning).session().step(3)
    assert np.abs(before - after).max() > 1e-3
    np.testing.assert_allclose(
        after, gpt(params, np.array([[3]]), model.config)[0, 0], rtol=1e-4, atol=1e-4
    )


# generate


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("length", [0, 1, 20, 36])
def test_fast_and_recorded_generation_give_the_same_tokens(name, length):
    model = MODELS[name]
    for sampling in (GREEDY, Sampling(0.9, 20, 0.95, 0.01, 1.2)):
        fast = go(model, prompt_of(length), sampling=sampling)
        slow = go(model, prompt_of(length), sampling=sampling, record=True)
        assert tokens_of(fast) == tokens_of(slow) and fast[-1].reason == slow[-1].reason
        for a, b in zip(fast, slow, strict=True):
            np.testing.assert_allclose(a.logits, b.logits, rtol=1e-4, atol=1e-4)
            assert a.probability == pytest.approx(b.probability, rel=1e-3)
            assert a.stages is None and a.values is None
            np.testing.assert_array_equal(b.values["logits"][0, -1], b.logits)
            assert b.stages[-1].probabilities[b.token] > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_every_step_is_what_the_whole_text_at_once_gives(name):
    model, prompt = MODELS[name], prompt_of(5)
    steps = go(model, prompt, 12, GREEDY)
    text = prompt + tokens_of(steps)
    scores = gpt(model.params, np.array([text]), model.config)[0]
    assert tokens_of(steps) == scores[4:-1].argmax(-1).tolist()
    assert [s.position for s in steps] == list(range(5, 17))
    assert [s.phase for s in steps] == ["prefill"] + ["decode"] * 11
    assert all(s.seconds > 0 and s.sampling_seconds > 0 and s.probability == 1 for s in steps)


def test_probability_is_that_of_the_sampling_distribution():
    sampling, prompt = Sampling(1.3, top_k=7, repetition_penalty=1.5), prompt_of(9)
    text = list(prompt)
    for step in go(MODELS["multi-head"], prompt, sampling=sampling):
        p = distribution(step.logits, sampling, text)
        assert step.probability == p[step.token] > 0
        text.append(step.token)


def test_the_seed_decides():
    model = MODELS["multi-head"]
    one, same, other = (tokens_of(go(model, [1, 2], seed=s)) for s in (1, 1, 2))
    assert one == same != other


def test_why_it_stops():
    model = MODELS["multi-head"]
    free = go(model, [7, 8], 15, GREEDY)
    assert [s.reason for s in free] == [None] * 14 + ["max_tokens"]
    stop = free[4].token
    first = tokens_of(free).index(stop)
    stopped = go(model, [7, 8], 15, GREEDY, stop=(stop, END))
    assert tokens_of(stopped) == tokens_of(free)[: first + 1]
    assert stopped[-1].reason == "stop token"
    full = go(model, prompt_of(30), 1000, GREEDY)
    assert len(full) == 11 and full[-1].reason == "context full" and full[-1].position == 40
    assert len(go(model, prompt_of(40), 9)) == 1  # a full context still says one token
    assert go(model, [1], 0) == []


def test_an_empty_prompt_starts_from_begin():
    model = MODELS["multi-head"]
    assert tokens_of(go(model, [])) == tokens_of(go(model, [BEGIN]))


def test_of_a_long_prompt_the_oldest_tokens_are_dropped_but_begin():
    model, prompt = MODELS["multi-head"], [BEGIN, *prompt_of(99)]
    steps = go(model, prompt, 50, GREEDY)
    assert all(step.dropped == 70 for step in steps)
    assert len(steps) == 11 and steps[0].position == 30
    assert tokens_of(steps) == tokens_of(go(model, [BEGIN, *prompt[-29:]], 50, GREEDY))
    without = go(model, prompt[1:], 5, GREEDY)
    assert without[0].dropped == 64
    assert tokens_of(without) == tokens_of(go(model, prompt[-35:], 5, GREEDY))


def test_a_prompt_that_fits_is_left_whole():
    assert go(MODELS["multi-head"], prompt_of(39), 30)[0].dropped == 0


def test_fit_context():
    assert fit_context(range(5), 10, 5) == ([0, 1, 2, 3, 4], 0)
    assert fit_context(range(8), 10, 5) == ([3, 4, 5, 6, 7], 3)
    assert fit_context(range(8), 10, 5, keep=2) == ([0, 1, 5, 6, 7], 3)
    assert fit_context([], 10) == ([], 0)
    for room, keep in ((10, 0), (-1, 0), (5, 6)):
        with pytest.raises(ValueError, match="can't keep"):
            fit_context(range(8), 10, room, keep)


@pytest.mark.parametrize(
    ("prompt", "most", "message"),
    [([V], 5, "from 0 to"), ([3, -1], 5, "from 0 to"), ([1], -1, "max_tokens"), ([1], 2.5, "max_")],
)
def test_what_cannot_be_generated_is_refused_at_once(prompt, most, message):
    with pytest.raises(ValueError, match=message):
        generate(MODELS["multi-head"], prompt, Sampling(), most, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["multi-head", "gpt-2"])
def test_broken_weights_are_said_and_not_sampled(name):
    params = {n: p.copy() for n, p in MODELS[name].params.items()}
    params["model.norm.weight"][0] = np.nan
    for sampling in (GREEDY, Sampling()):
        with pytest.raises(ValueError, match=r"broken|nan"):
            go(replace(MODELS[name], params=params), [1, 2], sampling=sampling)


@pytest.mark.parametrize(
    "text",
    ["", "🎉🎈🎂", "\x00\x01\x1b[2J\x7f", "שלום עולם", "<|end|><|assistant|>", "ab " * 350_000],
    ids=["empty", "emoji", "control", "right-to-left", "special", "1 MB"],
)
def test_any_text_can_be_a_prompt(text):
    model = MODELS["grouped, window"]
    steps = go(model, [BEGIN, *TOKENIZER.encode(text)], 4)
    assert 1 <= len(steps) <= 4 and all(np.isfinite(s.logits).all() for s in steps)


@pytest.mark.parametrize("name", ["multi-head", "gpt-2"])
def test_threads_do_not_disturb_each_other(name):
    model = make(CONFIGS[name])
    jobs = [(prompt_of(3 + i, i), i) for i in range(6)]
    alone = [tokens_of(go(model, prompt, 30, seed=seed)) for prompt, seed in jobs]
    fresh, together, errors = make(CONFIGS[name]), [None] * len(jobs), []
    start = threading.Barrier(len(jobs))

    def work(i):
        try:
            start.wait()
            together[i] = tokens_of(go(fresh, jobs[i][0], 30, seed=jobs[i][1]))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and together == alone


def test_a_generator_that_is_dropped_or_interleaved_harms_no_other():
    model = MODELS["multi-head"]
    expected = tokens_of(go(model, [1, 2], seed=1)), tokens_of(go(model, [9], seed=2))
    a = generate(model, [1, 2], Sampling(), 20, np.random.default_rng(1))
    b = generate(model, [9], Sampling(), 20, np.random.default_rng(2))
    abandoned = generate(model, [4], Sampling(), 20, np.random.default_rng(3))
    next(abandoned)
    pairs = list(zip(a, b, strict=True))
    assert tuple(map(tokens_of, zip(*pairs, strict=True))) == expected


# Many prompts, and trees


@pytest.mark.parametrize("name", CONFIGS)
def test_completions_together_equal_those_one_by_one_and_generate(name):
    model, words = MODELS[name], ["the cat", "the mat", "a", "", "<|user|>dog<|end|>", "river" * 30]
    room = [12, 3, 0, 30, 12, 12]
    together = complete(model, words, room)
    assert together == [complete(model, [w], r)[0] for w, r in zip(words, room, strict=True)]
    for word, most, got in zip(words[:5], room, together, strict=False):
        ids = [BEGIN, *TOKENIZER.encode(word, allow_special=True)]
        steps = go(model, ids, most, GREEDY, stop=[END])
        assert got == TOKENIZER.decode(tokens_of(steps))


def test_completions_stop_at_the_end_token_and_keep_it():
    params = dict(MODELS["multi-head"].params)
    head = np.zeros((V, 48), np.float32)
    head[END] = params["model.embed_tokens.weight"][BEGIN]
    config = replace(MODELS["multi-head"].config, tied=False)
    params["lm_head.weight"] = head
    model = replace(MODELS["multi-head"], params=params, config=config)
    ended = [text for text in complete(model, ["the", "cat", "dog ran"], 9) if "<|end|>" in text]
    assert ended and all(text.index("<|end|>") == len(text) - len("<|end|>") for text in ended)


def test_the_tree_of_continuations():
    model, ids = MODELS["grouped, window"], prompt_of(4)
    tree = continuations(model, ids, 3, 3)

    def check(branches, text, path):
        p = softmax(gpt(model.params, np.array([text]), model.config)[0, -1].astype(np.float64))
        assert [b.token for b in branches] == np.argsort(-p, kind="stable")[:3].tolist()
        for branch in branches:
            assert branch.probability == pytest.approx(p[branch.token], rel=1e-4)
            assert branch.path_probability == pytest.approx(path * branch.probability)
            if len(text) < 6 and branch.token != END:
                check(branch.children, [*text, branch.token], branch.path_probability)
            else:
                assert branch.children == ()

    check(tree, ids, 1.0)
    assert continuations(model, [], 2, 1)[0].token == go(model, [], 1, GREEDY)[0].token
    assert len(continuations(model, prompt_of(100), 2, 2)) == 2
    for width, depth in ((0, 1), (1, 0), (10, 9)):
        with pytest.raises(ValueError, match="A tree"):
            continuations(model, ids, width, depth)
