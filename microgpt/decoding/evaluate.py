"""What a model can do, measured: abilities, held-out loss, the cost of rounding."""

from collections.abc import Callable
from dataclasses import replace

from microgpt.decoding.generate import complete
from microgpt.decoding.quantize import fake_quantize
from microgpt.training.recipes import RECIPES, held_out_loss
from microgpt.world.probes import ABILITIES, score
from microgpt.world.skills import STORY_WORDS

SEED = 4242  # of the probes: no training run and no look at a model in training uses it
GROUP = 32  # weights that share a scale when the cost of rounding is measured


def evaluate(
    model,
    n: int = 200,
    seed: int = SEED,
    abilities=tuple(ABILITIES),
    progress: Callable[[str], None] = lambda line: None,
) -> dict:
    """What a card says about a model (but its heads), in one dict that JSON can hold.

    "abilities": share of `n` held-out probes answered right, greedily. "loss": nats per learned
    token on held-out documents of the model's own recipe; "int8_cost" and "int4_cost": how many
    nats more after rounding the weights in groups of 32.
    """
    if n < 1:
        raise ValueError(f"An ability can't be measured with {n} probes; take at least 1.")
    unknown = sorted(set(abilities) - set(ABILITIES))
    if unknown:
        raise ValueError(
            f"There is no ability {unknown[0]!r}. The abilities: {', '.join(ABILITIES)}."
        )

    def answer(prompts, max_tokens):
        return complete(model, prompts, max_tokens)

    report = {"model": model.name, "abilities": {}}
    for name in abilities:
        progress(f"probing {name}")
        report["abilities"][name] = round(score(answer, name, n, seed), 4)
    progress("measuring the loss")
    loss = model_loss(model)
    report["loss"] = round(loss, 4)
    for bits in (8, 4):
        progress(f"measuring the loss in {bits} bits")
        rounded = replace(model, params=fake_quantize(model.params, bits, GROUP))
        report[f"int{bits}_cost"] = round(model_loss(rounded) - loss, 5)
    return report


def model_loss(model) -> float:
    """Held-out loss as in the model's card; a model without a recipe is read the whole world.

    A model that was aligned is read what the model before it was trained on.
    """
    followed = model.card.get("recipe", {})
    names = [n for n in (followed.get("name"), followed.get("start"), "tiny-base") if n in RECIPES]
    recipe = RECIPES[names[0]]
    return held_out_loss(model, replace(recipe, config=model.config))


def word_tokens(tokenizer, least: int = 48) -> list[int]:
    """The words of the tiny world that are one token; any but special tokens, if those are few."""
    encoded = [tokenizer.encode(f" {word}") for word in STORY_WORDS]
    words = sorted({ids[0] for ids in encoded if len(ids) == 1})
    if len(words) < least:
        words = sorted(set(range(tokenizer.vocab_size)) - set(tokenizer.specials.values()))
    return words
