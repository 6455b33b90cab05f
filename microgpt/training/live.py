"""From a text to a model in small steps that somebody watches: text, tokenizer, model, samples.

    training = Training(Setup(), text, write)
    for _ in training:          # a thread takes the steps; others read its history meanwhile
        print(training.history.steps)

Without a text the tiny world is read. Between two steps nothing moves: pausing is not to take the
next one. `training.control` samples, stops and sets another learning rate.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np

from microgpt.model.checkpoint import Model
from microgpt.model.gpt import count_parameters, init_params
from microgpt.tokens import bpe
from microgpt.training import data_tools, own_text
from microgpt.training.control import Controller, Ended, Sampled, run
from microgpt.training.data import batches
from microgpt.training.precision import in_bfloat16
from microgpt.training.setup import CLEANING, Setup
from microgpt.training.train import evaluate_loss, fresh_state, loss_function
from microgpt.world.corpus import MIX, documents

WORLD_DOCUMENTS = 3000  # that the tokenizer of the tiny world is learned from
TOKENIZER_BYTES = 2_000_000  # of an own text, for the same
HELD_OUT, HELD_OUT_BATCHES = 0.08, 3
SAMPLE_SECONDS = 2.5  # of training between two samples
WORDS_FROM = 1_000_000  # characters whose words count as known


@dataclass(frozen=True)
class Sample:
    """What the model wrote after a step, and the share of its words that the training text has."""

    step: int
    text: str
    known: float


@dataclass
class History:
    """Everything that was measured: one number a step, and now and then a loss on held-out text."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)  # seconds of work by then
    held_out: list[tuple[int, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.clock)  # written last

    def seconds_a_step(self, last: int = 50) -> float | None:
        """Over the last steps, with all that was done between them."""
        clock = self.clock[-last - 1 :]
        return (clock[-1] - clock[0]) / (len(clock) - 1) if len(clock) > 1 else None


class Training:
    """The steps of one run; `write(model)` gives a sample. Only one thread may take steps.

    `stage` says what is being done, `notes` what was found on the way, in sentences. With a `base`
    the run begins with its weights and uses its tokenizer and shape.
    """

    def __init__(
        self,
        setup: Setup,
        text: str | None,
        write: Callable,
        base: Model | None = None,
        mix: dict[str, float] = MIX,
    ):
        self.setup, self.write, self.base, self._text = setup, write, base, text
        self.own, self.mix = text is not None, mix
        self.control, self.history = Controller(), History()
        self.stage, self.notes, self.ended = "reading the text", [], ""
        self.tokenizer = self.config = self.state = None
        self.words: frozenset[str] = frozenset()
        self.worked, self._since = 0.0, None
        self._steps = self._go()

    def __iter__(self):
        return self

    def __next__(self):
        self._since = time.perf_counter()
        try:
            return next(self._steps)
        finally:
            self.worked += time.perf_counter() - self._since

    @property
    def now(self) -> float:
        """Seconds of work until now; only for the thread that works."""
        return self.worked + time.perf_counter() - self._since

    @property
    def tokens_a_step(self) -> int:
        return self.setup.batch * (self.config or self.setup).context

    def model(self, name: str = "my-gpt") -> Model:
        """A copy of the model as it is, rounded as it is stored. Not while a step is taken."""
        params = {n: p.astype(np.float16).astype(np.float32) for n, p in self.state.params.items()}
        return Model(name, params, self.config, self.tokenizer, self.card())

    def card(self) -> dict:
        """What anyone should know who finds the file."""
        history = self.history
        return {
            "summary": "A small GPT that a reader of Press Enter trained.",
            "corpus": "own text" if self.own else "the tiny world",
            "parameters": count_parameters(self.config),
            "steps": self.state.step, "tokens_seen": self.state.step * self.tokens_a_step,
            "setup": asdict(self.setup),
            "held_out_loss": round(history.held_out[-1][1], 4) if history.held_out else None,
            "continued": self.base is not None,
        }  # fmt: skip

    def _go(self) -> Iterator[str]:
        yield self.stage
        stream, held_out = yield from (self._own_data() if self.own else self._world_data())
        self.config = self.base.config if self.base else self.config
        self.stage = "training"
        options = self.setup.options()
        rng = np.random.default_rng(self.setup.seed)
        start = self.base.params if self.base else init_params(self.config, rng)
        self.state = fresh_state(start, options)
        yield from self._train(stream, held_out, options)
        self.state.optimizer.state.clear()  # three quarters of what a run holds
        self._text = None

    def _train(self, stream, held_out, options) -> Iterator[str]:
        loss = (
            in_bfloat16(loss_function(self.config)) if self.setup.precision == "bfloat16" else None
        )
        every, sampled = max(10, options.steps // 40), -SAMPLE_SECONDS
        history = self.history
        history.held_out.append((0, evaluate_loss(self.state.params, self.config, held_out)))
        events = run(self.state, self.config, stream, options, self.control, self._write, loss)
        while True:
            if self.worked - sampled >= SAMPLE_SECONDS:
                sampled = self.worked
                self.control.sample()
            event = next(events)
            if isinstance(event, Sampled):
                self._keep_sample(event)
            elif isinstance(event, Ended):
                self._finish(event, held_out)
                return
            else:
                history.losses.append(event.loss)
                history.norms.append(event.gradient_norm)
                history.rates.append(event.rate)
                if event.step % every == 0:
                    held = evaluate_loss(self.state.params, self.config, held_out)
                    history.held_out.append((event.step, held))
                history.clock.append(self.now)
            yield self.stage

    def _finish(self, event: Ended, held_out) -> None:
        self.ended = event.reason
        if event.reason not in ("done", "stopped"):
            self.notes.append(event.reason)
            return
        if self.history.held_out[-1][0] != event.step:
            held = evaluate_loss(self.state.params, self.config, held_out)
            self.history.held_out.append((event.step, held))
        self._keep_sample(Sampled(event.step, self._write(self.state)))

    def _write(self, state) -> str:
        return self.write(Model("in training", state.params, self.config, self.tokenizer, {}))

    def _keep_sample(self, event: Sampled) -> None:
        known = share_known(event.text, self.words)
        self.history.samples.append(Sample(event.step, event.text, known))

    def _world_data(self):
        setup = self.setup
        self.stage = "writing the tiny world"
        texts, writer = [], texts_of(documents("live/tokenizer", self.mix))
        for _ in range(WORLD_DOCUMENTS // 100):
            texts += islice(writer, 100)
            yield self.stage
        self.words = words_of(texts)
        yield from self._learn_tokens(texts)
        self.config = setup.config(self.tokenizer.vocab_size)
        context = (self.base or self).config.context

        def written(seed):
            return documents(seed, self.mix)

        def stream(part, start=0):
            return batches(written, self.tokenizer, context, setup.batch,
                           f"live/{setup.seed}/{part}", start, chunk=8)  # fmt: skip

        held_out = list(islice(stream("held-out"), HELD_OUT_BATCHES))
        yield self.stage
        return stream("train"), held_out

    def _own_data(self):
        setup = self.setup
        texts = own_text.pieces(own_text.check_text(self._text))
        if setup.cleaning != "as it is":
            self.stage = "looking for copies"
            yield self.stage
            texts = self._cleaned(texts)
        train, held = data_tools.split(texts, HELD_OUT)
        if not train or not held:
            self.notes.append(
                "All pieces of the text are the same, so nothing could be kept out: the held-out "
                "loss is measured on what is learned."
            )
            train = held = range(len(texts))
        kept = [texts[i] for i in train]
        self.words = words_of(kept)
        yield self.stage
        yield from self._learn_tokens(kept)
        self.stage = "cutting the text into tokens"
        yield self.stage
        row, other = (own_text.row_of_tokens([texts[i] for i in side], self.tokenizer)
                      for side in (train, held))  # fmt: skip
        yield self.stage
        context = (self.base.config if self.base else setup).context
        if not self.base and len(row) // 4 < context:
            context = max(16, len(row) // 4)
            self.notes.append(
                f"The text has {len(row):,} tokens only, so the model looks at {context} at a time."
            )
        self.config = setup.config(self.tokenizer.vocab_size, context)
        if len(other) <= context:
            self.notes.append("What was kept out is short; it is measured once round.")
            other = np.resize(other, context + 1)
        self.notes.append(
            f"{len(texts):,} pieces, {len(train):,} of them to learn from: {len(row):,} tokens, "
            f"read {setup.steps * setup.batch * context / len(row):,.1f} times in this run."
        )
        held_out = own_text.side_by_side(other, context, setup.batch, HELD_OUT_BATCHES)
        return own_text.windows(row, context, setup.batch, setup.seed), held_out

    def _cleaned(self, texts):
        before = len(texts)
        copies = {i for group in data_tools.exact_duplicates(texts) for i in group[1:]}
        texts = [text for i, text in enumerate(texts) if i not in copies]
        if self.setup.cleaning == CLEANING[2]:
            texts, _ = data_tools.sift(texts)
        if not texts:
            raise ValueError("The filters leave nothing of this text; train on it as it is.")
        self.notes.append(f"{before - len(texts):,} of {before:,} pieces were left out.")
        return texts

    def _learn_tokens(self, texts):
        if self.base:
            self.tokenizer = self.base.tokenizer
            return
        self.stage = "learning a tokenizer"
        yield self.stage
        some, size, rng = [], 0, np.random.default_rng(0)
        for i in rng.permutation(len(texts)):
            size += len(texts[i].encode("utf-8", "replace"))
            if some and size > TOKENIZER_BYTES:
                break
            some.append(texts[i])
        self.tokenizer = bpe.train(some, self.setup.vocabulary)
        if self.tokenizer.vocab_size < self.setup.vocabulary:
            self.notes.append(
                f"The text has no more pairs to merge: {self.tokenizer.vocab_size} tokens."
            )
        yield self.stage


def texts_of(written) -> Iterator[str]:
    """Documents of the tiny world as plain texts, without the marks of its template."""
    for document in written:
        yield re.sub(r"<\|\w+\|>", "\n", document.text).strip()


def words_of(texts) -> frozenset[str]:
    """The words in the first `WORDS_FROM` characters of some texts."""
    words, size = set(), 0
    for text in texts:
        words.update(data_tools.words_of(text))
        size += len(text)
        if size > WORDS_FROM:
            break
    return frozenset(words)


def share_known(text: str, words: frozenset[str]) -> float:
    """The share of the letters in a text that belong to words among `words`. Letters, for a word
    of one is found by chance; the last word may be cut off, and doesn't count."""
    found = [word for word in data_tools.words_of(text)[:-1] if not word.isdecimal()]
    letters = sum(map(len, found))
    return sum(len(word) for word in found if word in words) / letters if letters else 0.0
