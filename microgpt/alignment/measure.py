"""What alignment did: the hidden true score, how far the policy went, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.preferences import MOST_TOKENS, Task
from microgpt.alignment.questions import Question, prompt_ids, questions
from microgpt.alignment.rollout import (
    Sample,
    in_batches,
    last_stream,
    pack,
    pad_token,
    sample,
    split,
)
from microgpt.alignment.scores import DIMENSIONS, Reading, score
from microgpt.autograd.ops import linear, log_softmax
from microgpt.model.checkpoint import Model
from microgpt.model.gpt import head_name


@dataclass(frozen=True)
class Evaluation:
    """Means over held-out questions: the true score, each of its dimensions (all of them, also
    those without weight), KL from the reference in nats an answer, tokens an answer, and the
    answers themselves."""

    true_score: float
    dimensions: dict[str, float]
    kl: float
    length: float
    ended: float
    questions: tuple[Question, ...]
    samples: tuple[Sample, ...]


def readings(asked: Sequence[Question], samples: Sequence[Sample]) -> list[Reading]:
    return [Reading(q, s.text, s.ended) for q, s in zip(asked, samples, strict=True)]


def judge(judgement, by_prompt: dict[tuple[int, ...], Question]):
    """A judge of readings as a reward of samples, as PPO and GRPO want it."""

    def reward(samples: Sequence[Sample]):  # -> (N,)
        asked = [by_prompt[s.prompt] for s in samples]
        return np.array([judgement(reading) for reading in readings(asked, samples)])

    return reward


def kl_per_answer(model: Model, reference: Model, samples: Sequence[Sample]):  # -> (N,)
    """KL(model || reference) along each sample of the model, in nats, exact at every token.

    Summed over the whole vocabulary at each place, so its mean has less noise than that of
    log p - log q at the tokens drawn.
    """
    pad, config = pad_token(model.tokenizer), model.config

    def read(batch):
        tokens, mask = pack(batch, pad)
        both = [
            log_softmax(linear(last_stream(m.params, tokens, mask, config),
                               m.params[head_name(config)]))
            for m in (model, reference)
        ]  # fmt: skip
        each = (np.exp(both[0]) * (both[0] - both[1])).sum(-1)
        return [tokens.sum() for tokens in split(each, mask.sum(1))]

    return np.array(in_batches(read, samples, lambda s: len(s.ids)), np.float64)


def evaluate(
    model: Model, reference: Model, task: Task, n: int = 128, seed: int = 4242, held: bool = True
) -> Evaluation:
    """Let the model answer `n` questions, at temperature 1, and measure what the task is about."""
    asked = questions(f"evaluate/{seed}", n, task.kinds, held)
    prompts = [prompt_ids(q, model.tokenizer) for q in asked]
    samples = sample(model, prompts, MOST_TOKENS, np.random.default_rng(seed))
    read = readings(asked, samples)
    return Evaluation(
        float(np.mean([score(r, task.weights) for r in read])),
        {name: float(np.mean([judge_(r) for r in read])) for name, judge_ in DIMENSIONS.items()},
        float(kl_per_answer(model, reference, samples).mean()),
        float(np.mean([len(s.completion) for s in samples])),
        float(np.mean([s.ended for s in samples])),
        tuple(asked), tuple(samples),
    )  # fmt: skip
