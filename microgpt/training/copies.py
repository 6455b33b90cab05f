"""What copies do: three corpora of the tiny world, one model each, trained side by side.

One corpus is of different texts. One is as long, but a few texts stand in it again and again, half
of the copies with a word exchanged, as copies on the web are. The third is the second after
MinHash has thrown the copies out. All three are read for as many tokens, and what was kept out
judges them: repeated text costs more than it gives (Lee et al. 2022; Hernandez et al. 2022).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from microgpt.model.gpt import init_params
from microgpt.tokens import bpe
from microgpt.training import data_tools, own_text
from microgpt.training.live import texts_of
from microgpt.training.setup import Setup
from microgpt.training.train import Options, evaluate_loss, fresh_state, train_steps
from microgpt.world.corpus import documents

KINDS = {"story": 1.0}  # of a tiny world text; short kinds would repeat by themselves
TEXTS, DISTINCT, COPIED, HELD_OUT = 800, 120, 12, 120
SIZE, CONTEXT, BATCH, STEPS, RATE = "48 wide", 64, 8, 600, 3e-3
MEASURE_EVERY = 30


@dataclass
class Runner:
    """One corpus and the model that reads it."""

    name: str
    texts: list[str]
    tokens: int = 0
    held_out: list[tuple[int, float]] = field(default_factory=list)
    training: list[tuple[int, float]] = field(default_factory=list)

    @property
    def readings(self) -> float:
        """How often each text is read in the whole run."""
        return STEPS * BATCH * CONTEXT / max(1, self.tokens)


def corpora(seed: int) -> tuple[list[Runner], list[str]]:
    """The three corpora, and the texts that are kept out of all."""
    writer = texts_of(documents(f"copies/{seed}", KINDS))
    texts = list(dict.fromkeys(islice(writer, 2 * TEXTS + HELD_OUT)))
    held_out, texts = texts[:HELD_OUT], texts[HELD_OUT:][:TEXTS]
    rng = np.random.default_rng(seed)
    ridden = list(texts[:DISTINCT])
    while len(ridden) < len(texts):
        text = texts[int(rng.integers(COPIED))]
        ridden.append(altered(text, texts, rng) if len(ridden) % 2 else text)
    ridden = [ridden[i] for i in rng.permutation(len(ridden))]
    mended = [ridden[i] for i in data_tools.without_duplicates(ridden)]
    names = ("all different", "with copies", "copies thrown out")
    return [Runner(n, t) for n, t in zip(names, (texts, ridden, mended), strict=True)], held_out


def altered(text: str, texts: Sequence[str], rng: np.random.Generator) -> str:
    """The text with one of its words exchanged for one of another text."""
    words, others = text.split(" "), texts[int(rng.integers(len(texts)))].split(" ")
    words[int(rng.integers(len(words)))] = others[int(rng.integers(len(others)))]
    return " ".join(words)


class Experiment:
    """The steps of all three runs, in turns; only one thread may take them."""

    def __init__(self, seed: int = 1):
        self.seed, self.runners, self.step = seed, [], 0
        self._steps = self._go()

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._steps)

    def _go(self) -> Iterator[int]:
        yield 0
        runners, held_out = corpora(self.seed)
        yield 0
        tokenizer = bpe.train(runners[0].texts, 512)
        setup = Setup(size=SIZE, context=CONTEXT)
        config = setup.config(tokenizer.vocab_size)
        options = Options(steps=STEPS, batch=BATCH, rate=RATE, warmup=30, schedule="cosine",
                          threads=1, micro=8)  # fmt: skip
        judged = own_text.side_by_side(
            own_text.row_of_tokens(held_out, tokenizer), CONTEXT, BATCH, 12
        )
        races = []
        for runner in runners:
            row = own_text.row_of_tokens(runner.texts, tokenizer)
            runner.tokens = len(row)
            state = fresh_state(init_params(config, np.random.default_rng(self.seed)), options)
            stream = own_text.windows(row, CONTEXT, BATCH, self.seed)
            races.append((runner, state, train_steps(state, config, stream, options)))
        self.runners = runners
        recent: dict[str, list[float]] = {runner.name: [] for runner in runners}
        for step in range(1, STEPS + 1):
            for runner, state, steps in races:
                recent[runner.name].append(next(steps).loss)
                if step % MEASURE_EVERY == 0:
                    runner.held_out.append((step, evaluate_loss(state.params, config, judged)))
                    runner.training.append((step, float(np.mean(recent[runner.name]))))
                    recent[runner.name].clear()
            self.step = step
            yield step
