"""What a learner decides before a run: size, steps, schedule, tokenizer, precision; with limits."""

from dataclasses import dataclass

from microgpt.model.config import GPTConfig, llama_style
from microgpt.training import scaling
from microgpt.training.train import Options

SIZES = ("32 wide", "48 wide", "64 wide", "80 wide", "112 wide")  # of the ladder of `scaling`
SCHEDULES = ("cosine", "linear", "constant")
PRECISIONS = ("float32", "bfloat16")
CLEANING = ("as it is", "without copies", "without copies, filtered")
MOST_STEPS = 5000


@dataclass(frozen=True)
class Setup:
    """What the learner decides. ValueError, a sentence, for what can't be trained here."""

    size: str = "32 wide"
    vocabulary: int = 1024
    context: int = 128
    batch: int = 16
    steps: int = 800
    rate: float = 4e-3
    warmup: int = 40
    schedule: str = "cosine"
    decay: float = 0.1
    precision: str = "float32"
    cleaning: str = "as it is"
    seed: int = 1

    def __post_init__(self):
        named = {"size": SIZES, "schedule": SCHEDULES, "precision": PRECISIONS,
                 "cleaning": CLEANING}  # fmt: skip
        for name, allowed in named.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; use {', '.join(allowed)}.")
        limits = {"vocabulary": (264, 4096), "context": (16, 256), "batch": (1, 64),
                  "steps": (1, MOST_STEPS), "warmup": (0, MOST_STEPS)}  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; from {low} to {high} work here."
                )

    def config(self, vocabulary: int | None = None, context: int | None = None) -> GPTConfig:
        layers, width, heads, hidden, _ = scaling.SIZES[self.size]
        return llama_style(vocab_size=vocabulary or self.vocabulary, layers=layers, width=width,
                           context=context or self.context, heads=heads, hidden=hidden)  # fmt: skip

    def options(self) -> Options:
        """One thread: the cores are for the other learners, and for the page."""
        return Options(
            steps=self.steps, batch=self.batch, rate=self.rate, warmup=self.warmup,
            hold=1.0 if self.schedule == "constant" else 0.0,
            schedule="cosine" if self.schedule == "cosine" else "linear",
            decay=self.decay, threads=1, micro=8,
        )  # fmt: skip
