"""The settings of the chapter on sampling: limits, presets, and the address that holds them.

Pure. What comes from a browser or an address is never trusted: it is forced into its limits, and
what can't be used is said in a sentence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from microgpt.decoding.sampling import Sampling

MOST_DRAWS, LAST_SEED = 20_000, 999_999
LONGEST_LINK = 400  # characters of a prompt that still go into the address
START = Sampling(top_p=0.9)
OFF = Sampling()
LIMITS = {  # control: (least, most, step)
    "temperature": (0, 2, 0.01),
    "top_k": (0, 1000, 1),
    "top_p": (0.01, 1, 0.01),
    "min_p": (0, 1, 0.01),
    "repetition_penalty": (1, 5, 0.01),
}
ADDRESS = {  # control: its name in the address
    "temperature": "t", "top_k": "k", "top_p": "tp", "min_p": "mp", "repetition_penalty": "rp",
}  # fmt: skip
NAMES = ("p", "m", *ADDRESS.values(), "s")
PROMPTS = {  # whether the model chats: prompts worth trying; the page opens with the first
    False: (
        "One day Anna went to the",
        "Once upon a time",
        "The capital of France is",
        "red: 4, moon: 7, door: 1, king: 9. moon?",
        "sum 457+268=",
        "Tom sat on the river bank. Here bank means",
    ),
    True: (
        "What is the capital of France?",
        "What is gravity?",
        "How do I make a cake?",
        "What is 457+268?",
        "Tell me a story.",
        "What is the capital of the moon?",
    ),
}
PRESETS = {
    "As trained": OFF,
    "Greedy": Sampling(temperature=0.0),
    "Cool": Sampling(temperature=0.5),
    "Hot": Sampling(temperature=1.6),
    "Top-k 5": Sampling(top_k=5),
    "Top-p 0.9": Sampling(top_p=0.9),
    "Min-p 0.1": Sampling(min_p=0.1),
}


@dataclass(frozen=True)
class Link:
    """Everything of the page that its address holds."""

    prompt: str
    model: str
    settings: Sampling = START
    seed: int = 0
    notices: tuple[str, ...] = field(default=(), compare=False)


def read_link(address: Mapping[str, str], fallback: Link, models: Sequence[str]) -> Link:
    """The page that an address asks for; what it asks in vain is said in `notices`."""
    notices = []

    def number(name: str, low: float, high: float, whole: bool, default: float) -> float:
        if name not in address:
            return default
        try:
            value = float(address[name])
        except ValueError:
            value = math.nan
        if not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            notices.append(
                f"The address says {name}={_short(address[name])}, but it must be {kind} from "
                f"{low:g} to {high:g}; {default:g} is used."
            )
            return default
        return int(value) if whole else value

    settings = {
        name: number(short, *LIMITS[name][:2], name == "top_k", getattr(fallback.settings, name))
        for name, short in ADDRESS.items()
    }
    seed = int(number("s", 0, LAST_SEED, True, fallback.seed))
    model = address.get("m", fallback.model)
    if model not in models:
        notices.append(f"There is no model {_short(model)} here; {fallback.model} is used.")
        model = fallback.model
    return Link(address.get("p", fallback.prompt), model, Sampling(**settings), seed,
                tuple(notices))  # fmt: skip


def write_link(link: Link, fallback: Link) -> dict[str, str]:
    """The address of the page: only what differs from the page as it opens."""
    parts = {}
    if link.prompt != fallback.prompt and len(link.prompt) <= LONGEST_LINK:
        parts["p"] = link.prompt
    if link.model != fallback.model:
        parts["m"] = link.model
    for name, short in ADDRESS.items():
        value = getattr(link.settings, name)
        if value != getattr(fallback.settings, name):
            parts[short] = f"{value:g}"
    if link.seed != fallback.seed:
        parts["s"] = str(link.seed)
    return parts


def _short(text: str, most: int = 30) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    return f"“{text[:most]}…”" if len(text) > most else f"“{text}”"


def clamp(values: Mapping) -> Sampling:
    """Settings as the browser sent them, forced into their limits; nonsense becomes `START`."""
    clean = {}
    for name, (low, high, _) in LIMITS.items():
        value = values.get(name) if isinstance(values, Mapping) else None
        usable = isinstance(value, int | float) and math.isfinite(value)
        value = min(high, max(low, value)) if usable else getattr(START, name)
        clean[name] = int(value) if name == "top_k" else float(value)
    return Sampling(**clean)


def as_values(settings: Sampling) -> dict[str, float]:
    return {name: getattr(settings, name) for name in LIMITS}


def clamp_draws(values: Mapping) -> dict[str, int]:
    """Seed and number of draws as the browser sent them, forced into their limits."""
    clean = {}
    for name, most in (("seed", LAST_SEED), ("count", MOST_DRAWS)):
        value = values.get(name) if isinstance(values, Mapping) else None
        usable = isinstance(value, int | float) and math.isfinite(value)
        clean[name] = int(min(most, max(0, value))) if usable else 0
    return clean
