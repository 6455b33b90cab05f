"""A model's card in words: what it is, what it can and can't do, how to make it again."""

from microgpt.world.probes import ABILITIES


def readme(card: dict) -> str:
    """The README beside a model's weights, every number taken from its card."""
    config = card["config"]
    dense = not (config.get("experts") or config.get("state"))
    own_names = "" if dense else ", and names of our own for what it hasn't"
    sections = [
        f"# {card['name']}\n\n{card['summary']}",
        f"{card['parameters']:,} weights: {config['layers']} layers of width {config['width']}, "
        f"{config['heads']} heads, a vocabulary of {config['vocab_size']:,} and a context of "
        f"{config['context']} tokens. {model_kind(config)}Weights as float16 safetensors under "
        f"Hugging Face's Llama names{own_names}; license {card['license']}.",
        "## What it can do\n\n" + abilities_table(card["abilities"]),
        "It knows the tiny world (`microgpt/world`) and nothing else: about a thousand English "
        "words, short stories, some facts. Asked for what it never read, it makes something up "
        "and sounds just as sure. What the table shows as 0 is as real as the rest.",
        "## How it was made\n\n" + (aligned if "alignment" in card else trained)(card),
        f"`python -m microgpt probe {card['name']}` measures all of this again.",
    ]
    return "\n\n".join(sections) + "\n"


def trained(card: dict) -> str:
    """How a model came out of a training run."""
    recipe, options = card["recipe"], card["recipe"]["options"]
    start = f"the weights of {recipe['start']}" if recipe["start"] else "fresh weights"
    if recipe.get("again"):
        start += f" and, so that less is forgotten, {recipe['again']:.0%} of what it had read"
    cores = "one core" if options["threads"] == 1 else "two cores"
    return (
        f"`python -m microgpt train {recipe['name']}` makes it again, from seed {recipe['seed']}: "
        f"from {start}, {options['steps']:,} steps of {options['batch']} rows, "
        f"{card['tokens_seen']:,} tokens in all, AdamW with a peak learning rate of "
        f"{options['rate']:g}; {card['training_seconds'] / 60:.0f} minutes on {cores}, busy with "
        f"other work too. Loss on held-out documents: {card['held_out_loss']} nats per learned "
        f"token; {rounding(card)}."
    )


def aligned(card: dict) -> str:
    """How a model came out of preferences, and what that did to it."""
    recipe, facts = card["recipe"], card["alignment"]
    (score, better), (loss, after) = facts["true_score"], facts["held_out_loss"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in facts["weights"].items())
    shares = facts["dimensions"] | {
        f"answered: {kind}": pair for kind, pair in facts["answered"].items()
    }
    rows = [f"| {name} | {a:.1%} | {b:.1%} |" for name, (a, b) in shares.items()]
    return (
        f"`python -m microgpt align` makes it again, from seed {recipe['seed']}: {facts['method']} "
        f"with beta {recipe['options']['beta']:g}, {recipe['rounds']} rounds of "
        f"{recipe['options']['steps']} steps of {recipe['options']['batch']} pairs from the "
        f"weights of {recipe['start']}, on "
        f"{facts['preferences']} ({weights}).\n\n"
        f"On {facts['answers']} held-out questions, sampled at temperature 1, the true score that "
        f"the rater has for a taste goes from {score} to {better}, at a KL from {recipe['start']} "
        f"of {facts['kl']} nats an answer. Refusing a mean wish is not helpful, so not all of the "
        f"scores can be 100 %:\n\n| score | {recipe['start']} | {card['name']} |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nWhat it cost: the loss on held-out conversations of {recipe['start']} goes from "
        f"{loss} to {after} nats per learned token; {rounding(card)}."
    )


def rounding(card: dict) -> str:
    return (
        f"rounded to 8 bits {card['int8_cost']:+.5f}, to 4 bits {card['int4_cost']:+.5f} "
        "(groups of 32)"
    )


def model_kind(config: dict) -> str:
    """A sentence for each part that a dense model with attention in every layer hasn't."""
    said = ""
    if config.get("experts"):
        said += f"Each token visits {config['active']} of a layer's {config['experts']} experts. "
    if config.get("state"):
        kinds = ", ".join("state space" if k == "ssm" else k for k in config["blocks"].split())
        said += (
            f"The tokens are mixed layer by layer, again and again, by: {kinds}. "
            f"A state space layer has {config['inner']} channels of {config['state']} numbers. "
        )
    return said


def abilities_table(abilities: dict[str, float]) -> str:
    """A Markdown table of held-out probes: the share right, beside what chance would give."""
    lines = ["| ability | right | chance | |", "|---|---|---|---|"]
    for name, share in abilities.items():
        ability = ABILITIES[name]
        lines.append(f"| {name} | {share:.1%} | {ability.chance:.0%} | {ability.description} |")
    return "\n".join(lines)
