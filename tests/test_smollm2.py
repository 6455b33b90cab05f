"""SmolLM2-135M-Instruct, where its file is: the packed path against `gpt` in float32."""

import numpy as np
import pytest

from microgpt.decoding import pipeline
from microgpt.decoding.decoders import decoder_for, reads_packed
from microgpt.decoding.generate import Reader, generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.fetch import SMOLLM2
from microgpt.model.gpt import count_parameters, gpt

pytestmark = pytest.mark.smollm2

PROMPTS = (
    "The capital of France is", "What is gravity?", "def add(a, b):\n    return",
    "Once upon a time, in a village by the sea,", "The cat sat on the mat because it",
)  # fmt: skip


@pytest.fixture(scope="module")
def references(smollm2):
    """Scores after each prompt by the readable path, all weights in float32."""
    ids = [smollm2.tokenizer.encode(prompt) for prompt in PROMPTS]
    return [(i, gpt(smollm2.params, np.array([i]), smollm2.config)[0, -1]) for i in ids]


def test_it_is_the_model_of_the_card(smollm2):
    assert count_parameters(smollm2.config) == SMOLLM2.parameters
    config = smollm2.config
    assert (config.layers, config.width, config.heads, config.kv_heads) == (30, 576, 9, 3)
    assert config.rope_base == 1e5 and config.context == SMOLLM2.context and reads_packed(smollm2)


def test_whole_numbers_stay_near_float32(smollm2, references):
    """Rounding activations to 8 bits at 121 products moves the scores by a few hundredths of their
    spread: all of them together, which changes no probability and depends on the processor's order
    of sums (0 to 0.09), and each by itself (0.02 to 0.035 on 12 prompts and two processors; with the
    common part llama.cpp, which rounds too, 0.04 to 0.12). A wrong weight, position or mask moves
    scores by the whole spread."""
    most = 0.08
    for ids, reference in references:
        reader = Reader(smollm2, 64)
        reader.read(ids[:-1])
        for scores in (reader.read(ids[-1:]), Reader(smollm2, 64).read(ids)):
            off = (scores - reference) / reference.std()
            assert off.std() < most and np.abs(off - off.mean()).max() < 6 * most
            assert abs(off.mean()) < 3 * most
            assert scores.argmax() == reference.argmax()


def test_cached_equals_uncached(smollm2, references):
    ids, whole = references[3]
    for cut in (2, len(ids) // 2):
        session = decoder_for(smollm2).session(room=32)
        session.read(ids[:cut])
        scores = session.read(ids[cut:]) if cut < len(ids) - 1 else whole
        assert np.abs(scores - whole).max() < 0.3 * whole.std()
    one_by_one = decoder_for(smollm2).session(room=32)
    for token in ids:
        scores = one_by_one.step(token)
    assert (scores - whole).std() < 0.1 * whole.std()


def test_it_answers_in_words(smollm2):
    prompt = pipeline.read_prompt(smollm2, "What is gravity?")
    events = list(pipeline.answer(smollm2, prompt, GREEDY, 60))
    text = "".join(event.text for event in events if isinstance(event, pipeline.Said))
    assert "gravit" in text.lower() and "<|im_end|>" not in text
    assert isinstance(events[-1], pipeline.Stopped)


def test_a_long_prompt_loses_its_beginning_but_not_its_role(smollm2):
    prompt = pipeline.read_prompt(smollm2, "word " * 3000 + "end", reserve=100)
    assert len(prompt.ids) <= smollm2.config.context - 100
    assert prompt.notices and any("dropped" in notice for notice in prompt.notices)
    user = next(piece for piece in prompt.pieces if piece.role == "user")
    assert user.text.startswith("user\n") and user.text.endswith("end")
    text = smollm2.tokenizer.decode(prompt.ids)
    assert text.startswith("<|im_start|>system\nYou are a helpful") and text.endswith("assistant\n")


@pytest.mark.parametrize("text", ["", "\0\x04", "🎉" * 40, "שלום", "<|im_end|>" * 3, "x" * 5000])
def test_any_prompt_is_read(smollm2, text):
    prompt = pipeline.read_prompt(smollm2, text)
    step = next(generate(smollm2, prompt.ids, GREEDY, 1, None))
    assert np.isfinite(step.logits).all()
