"""Supervised fine-tuning: from continuing text to answering, by reading good conversations.

Ouyang et al. 2022, step 1. Nothing is new but the data and the mask: the model reads whole
conversations and learns only what the assistant says, up to and with its end token. With LoRA it
learns small corrections instead of its weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.alignment.questions import FACTS, Question, prompt_ids, questions
from microgpt.alignment.rollout import policy as with_weights
from microgpt.alignment.scores import Reading
from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.checkpoint import Model
from microgpt.tokens.chat import END, special
from microgpt.training.data import batches
from microgpt.training.lora import LoRA, init_lora, lora_loss, merge
from microgpt.training.train import Options, State, StepReport, fresh_state, train_steps
from microgpt.world.conversations import QUESTIONS, TOPICS, is_held_question
from microgpt.world.corpus import chat_documents

OPTIONS = Options(steps=150, batch=8, rate=6e-4, warmup=8, hold=0.2)


@dataclass
class FineTuning:
    """A base model, what is being trained (all weights, or with `lora` only the corrections), and
    the conversations it reads."""

    base: Model
    options: Options
    state: State
    lora: LoRA | None = None
    seed: int = 1

    @classmethod
    def of(cls, base: Model, options: Options = OPTIONS, lora: LoRA | None = None, seed: int = 1):
        trained = base.params
        if lora is not None:
            trained = init_lora(base.params, lora, np.random.default_rng(seed))
        return cls(base, options, fresh_state(trained, options), lora, seed)

    @property
    def loss(self):
        """The loss as a function of what is trained; None is the model's own."""
        return (
            None if self.lora is None else lora_loss(self.base.params, self.base.config, self.lora)
        )

    @property
    def batches(self) -> Iterator:
        """Conversations from where the training stands, only the assistant's words learned."""
        base, options = self.base, self.options
        return batches(
            chat_documents, base.tokenizer, base.config.context, options.batch,
            f"fine-tuning/{self.seed}", self.state.step, only_replies=True,
        )  # fmt: skip

    @property
    def model(self) -> Model:
        """The model as it is now; its weights go on changing with the training."""
        trained = self.state.params
        if self.lora is not None:
            trained = merge(self.base.params, trained, self.lora)
        return with_weights(self.base, trained)

    @property
    def trained_weights(self) -> int:
        return sum(p.size for p in self.state.params.values())

    def steps(self) -> Iterator[StepReport]:
        """Train to the end; yields after every step."""
        return train_steps(self.state, self.base.config, self.batches, self.options, self.loss)


def answer(model: Model, question: Question, max_tokens: int = 64) -> tuple[str, bool]:
    """The model's greedy answer to a question in the chat template, and whether it ended."""
    end = special(model.tokenizer, END)
    steps = list(
        generate(model, prompt_ids(question, model.tokenizer), GREEDY, max_tokens, None, [end])
    )
    ended = steps[-1].reason == "stop token"
    ids = [step.token for step in steps[: len(steps) - ended]]
    return model.tokenizer.decode(ids), ended


def answered(model: Model, asked: Sequence[Question]) -> float:
    """The share of questions to which the greedy answer is right and comes to an end."""
    right = 0
    for question in asked:
        text, ended = answer(model, question)
        right += ended and Reading(question, text, ended).answered
    return right / len(asked)


def held_out_questions(n: int, seed: int = 4242) -> list[Question]:
    """Questions of the kinds that were fine-tuned, asked in ways that were kept out of it."""
    forms = {
        form.format(topic): (kind, topic, form)
        for kind in FACTS
        for topic in TOPICS[kind]
        for form in QUESTIONS[kind][0] + QUESTIONS[kind][1]
    }
    kept = [q for q in questions(f"fine-tuning/{seed}", 12 * n) + questions(seed, 3 * n, held=True)
            if is_held_question(*forms[q.text])]  # fmt: skip
    return list(dict.fromkeys(kept))[:n]
