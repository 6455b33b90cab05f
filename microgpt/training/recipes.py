"""The recipes of the models that ship: data, size, schedule; one command each.

python -m microgpt train tiny-base
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from microgpt.model.checkpoint import Model, load, save
from microgpt.model.config import GPTConfig, llama_style
from microgpt.model.gpt import count_parameters, init_params
from microgpt.tokens.bpe import Tokenizer, train
from microgpt.training.data import batches
from microgpt.training.train import (
    Options,
    StepReport,
    describe,
    evaluate_loss,
    fresh_state,
    load_state,
    save_state,
    train_steps,
)
from microgpt.world.corpus import chat_documents, documents, with_old

CORPORA = {"world": documents, "chat": chat_documents}
SAVE_EVERY = 60.0  # seconds of training between stored states
HELD_OUT_BATCHES = 16


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run gives.

    `corpus` names one of CORPORA; `start` the model whose weights and tokenizer it begins with
    (None: fresh weights, and a tokenizer trained on the corpus), `again` the share of documents
    that are drawn from what that model has read. `snapshots` are the token counts (in millions) at
    which the weights are kept beside the run.
    """

    name: str
    summary: str
    corpus: str
    config: GPTConfig
    options: Options
    seed: int = 1
    start: str | None = None
    again: float = 0.0
    only_replies: bool = False
    snapshots: tuple[float, ...] = ()

    @property
    def tokens(self) -> int:
        return self.options.steps * self.options.batch * self.config.context


SIZES = dict(vocab_size=2048, context=256, layers=4, width=128, heads=4)
TINY = llama_style(**SIZES, hidden=384)
# Two of eight experts of half the size, and states of twice the width: the arithmetic for a token
# is that of TINY within a few percent (`microgpt.model.costs`).
EXPERTS = llama_style(**SIZES, hidden=192, mlp="moe", experts=8, active=2)
STATES = llama_style(**SIZES, hidden=384, blocks="ssm", positions="none")
HYBRID = llama_style(**SIZES, hidden=384, blocks="ssm ssm attention ssm")
# Four kinds of model read the same batches in the same order, and are compared.
READING = Options(steps=7500, batch=16, rate=1.5e-3, warmup=200, hold=0.15)
ALONE = replace(READING, threads=1)  # so that several can be trained at once

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="tiny-base",
            summary="A GPT of one million weights that has read the tiny world, and continues it.",
            corpus="world",
            config=TINY,
            options=READING,
            snapshots=(0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30),
        ),
        Recipe(
            name="tiny-chat",
            summary="tiny-base after fine-tuning on conversations: it answers, and stops.",
            corpus="chat",
            config=TINY,
            options=Options(steps=400, batch=16, rate=4e-4, warmup=20, hold=0.2),
            start="tiny-base",
            again=0.1,  # with 0 it forgets much of whom a word stands for
            only_replies=True,
        ),
        Recipe(
            name="tiny-moe",
            summary="tiny-base with eight experts a layer, of which each token visits two.",
            corpus="world",
            config=EXPERTS,
            options=ALONE,
        ),
        Recipe(
            name="tiny-ssm",
            summary="tiny-base with a state of fixed size in place of attention.",
            corpus="world",
            config=STATES,
            options=ALONE,
        ),
        Recipe(
            name="tiny-hybrid",
            summary="tiny-base with attention in one layer of four and states in the others.",
            corpus="world",
            config=HYBRID,
            options=ALONE,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name[:60]!r}. The recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]


def train_tokenizer(recipe: Recipe, count=20_000) -> Tokenizer:
    """A tokenizer of the recipe's vocabulary size, from the first documents of its corpus."""
    writer = CORPORA[recipe.corpus](f"{recipe.seed}/tokenizer")
    text = "\n".join(document.text for document in islice(writer, count))
    return train(re.sub(r"<\|\w+\|>", "\n", text), recipe.config.vocab_size)


def recipe_batches(recipe: Recipe, tokenizer, start=0, part="train") -> Iterator:
    """The recipe's batches from number `start` on; another `part` than "train" gives other
    documents, all of the recipe's own corpus."""
    write = CORPORA[recipe.corpus]
    if recipe.again and part == "train":
        write = partial(_with_what_was_read, recipe)
    return batches(
        write, tokenizer, recipe.config.context, recipe.options.batch,
        f"{recipe.seed}/{part}", start, recipe.only_replies,
    )  # fmt: skip


def _with_what_was_read(recipe: Recipe, seed: str) -> Iterator:
    old = CORPORA[RECIPES[recipe.start].corpus](f"{seed}/again")
    return with_old(CORPORA[recipe.corpus](seed), old, recipe.again, f"{seed}/mix")


def held_out_loss(model: Model, recipe: Recipe) -> float:
    """Mean loss on documents the training never drew, in nats per learned token."""
    held_out = recipe_batches(recipe, model.tokenizer, part="held-out")
    return evaluate_loss(model.params, model.config, islice(held_out, HELD_OUT_BATCHES))


def data_hash(recipe: Recipe, tokenizer) -> str:
    """SHA-256 over the recipe's first 32 batches: the same hash, the same data."""
    digest = hashlib.sha256()
    for batch in islice(recipe_batches(recipe, tokenizer), 32):
        digest.update(batch.tokens.astype("<u2").tobytes())
    return digest.hexdigest()


def run(
    recipe: Recipe,
    work: Path,
    resume: bool = True,
    report: Callable[[StepReport, Recipe], None] = lambda report, recipe: None,
) -> Model:
    """Follow a recipe to the end; return the trained model.

    `work` is a folder for what the run needs to be resumed: killed at any point and started again
    it ends with the very same weights.
    """
    work.mkdir(parents=True, exist_ok=True)
    if recipe.start is None:
        tokenizer = train_tokenizer(recipe)
        params = init_params(recipe.config, np.random.default_rng(recipe.seed))
    else:
        base = load(recipe.start)
        params, tokenizer = base.params, base.tokenizer
    about = {"recipe": as_dict(recipe), "data": data_hash(recipe, tokenizer)}
    path = work / "state.safetensors"
    if resume and path.exists():
        state = load_state(path, recipe.options, about)
    else:
        state = fresh_state(params, recipe.options)
    row_tokens = recipe.options.batch * recipe.config.context
    keep = {max(1, round(m * 1e6 / row_tokens)): m for m in recipe.snapshots}
    last_saved = time.monotonic()
    stream = recipe_batches(recipe, tokenizer, state.step)
    for step in train_steps(state, recipe.config, stream, recipe.options):
        report(step, recipe)
        if step.step in keep:
            card = {"tokens": step.step * row_tokens, "loss": step.loss}
            name = f"{recipe.name}-{keep[step.step]:05.2f}M"
            save(work / name, Model(name, state.params, recipe.config, tokenizer, card))
        if time.monotonic() - last_saved > SAVE_EVERY:
            save_state(path, state, about)
            last_saved = time.monotonic()
    save_state(path, state, about)
    rounded = {n: p.astype(np.float16).astype(np.float32) for n, p in state.params.items()}
    model = Model(recipe.name, rounded, recipe.config, tokenizer, {})
    return Model(recipe.name, rounded, recipe.config, tokenizer, make_card(model, recipe, state))


def as_dict(recipe: Recipe) -> dict:
    entries = asdict(recipe)
    entries["config"] = recipe.config.as_dict()
    entries["options"] = describe(recipe.options)
    if recipe.config.mlp != "moe":  # there is nothing that these would weigh
        del entries["options"]["balance"], entries["options"]["router_z"]
    if recipe.options.schedule == "linear":  # as in the cards that ship
        del entries["options"]["schedule"]
    if not recipe.again:
        del entries["again"]
    return entries


def make_card(model: Model, recipe: Recipe, state) -> dict:
    """What anyone should know about a trained model; measured, not claimed."""
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "license": "MIT",
        "parameters": count_parameters(recipe.config),
        "recipe": as_dict(recipe),
        "data_sha256": data_hash(recipe, model.tokenizer),
        "tokens_seen": recipe.tokens,
        "training_seconds": round(state.seconds, 1),
        "held_out_loss": round(held_out_loss(model, recipe), 4),
    }
