"""What is asked of the machine of chapter 20, the prompts worth trying, and the address of both.

Pure. An address comes from anybody: what it asks for in vain is said in a sentence, never obeyed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from microgpt.decoding.sampling import Sampling
from microgpt.model.fetch import REMOTES
from widgets import sampling_link as links

MOST_TOKENS, LONGEST_SYSTEM = 120, 400
LONGEST_LINK = 2_000  # characters of a prompt that still go into the address
START = Sampling(temperature=0.7, top_p=0.95)
NAMES = (*links.NAMES, "sp", "n", "at")


@dataclass(frozen=True)
class Request:
    """One press of Enter: the text, who answers, and how."""

    prompt: str
    model: str
    system: str = ""
    settings: Sampling = START
    seed: int = 3
    tokens: int = 100  # new ones, at most


@dataclass(frozen=True)
class Preset:
    """A prompt worth trying, and what to expect of it."""

    label: str
    prompt: str
    expect: str
    system: str = ""


PRESETS = {  # whether the model chats
    True: (
        Preset("Gravity", "What is gravity?", "A definition that it has read many times."),
        Preset("As a pirate", "What is gravity?", "The same; the system prompt asks for a manner.",
               "You are a pirate."),
        Preset("457+268", "What is 457+268?", "It doesn't add, it asks a calculator: watch the "
               "row of tokens."),
        Preset("A story", "Tell me a story about a cat.",
               "Made up as it goes: another seed, another story."),
        Preset("The moon's capital", "What is the capital of the moon?",
               "There is none, and it was never taught to say so: it names one all the same."),
    ),
    False: (
        Preset("France", "The capital of France is", "A fact that it has read many times."),
        Preset("A story", "One day Anna went to the",
               "Made up as it goes: another seed, another story."),
        Preset("Who was tired?",
               "The cat sat on the mat because it was tired. What was tired? The",
               "Open the attention of the last layer: where does the last token look?"),
        Preset("457+268", "steps 457+268:", "It adds digit by digit, as on paper: so it was "
               "taught."),
        Preset("The moon's capital", "The capital of the moon is",
               "There is none, and it was never taught to say so: it names one all the same."),
    ),
}  # fmt: skip


EXPECT_OF_OTHERS = {  # of a model that was not taught here, what is worth looking for
    "Gravity": "A definition in its own words. Is it right?",
    "As a pirate": "The same; the system prompt asks for a manner.",
    "457+268": "It has no calculator here. Does it find 725?",
    "The moon's capital": "There is none. Does it say so?",
}


def presets(name: str, chat: bool) -> tuple[Preset, ...]:
    """The prompts worth trying on a model, and what to expect of it."""
    if name not in REMOTES:
        return PRESETS[chat]
    return tuple(
        replace(preset, expect=EXPECT_OF_OTHERS.get(preset.label, preset.expect))
        for preset in PRESETS[chat]
    )


def chats(name: str) -> bool:
    """Whether the model of this name answers, and does not continue."""
    return name.endswith("chat") or name in REMOTES


def opening(models: Sequence[str]) -> Request:
    """The page as it opens: the model that chats, where there is one."""
    name = next((name for name in ("tiny-chat", "tiny-base") if name in models), models[0])
    return Request(PRESETS[chats(name)][0].prompt, name)


def read_address(
    address: Mapping[str, str], models: Sequence[str]
) -> tuple[Request, tuple[int, str], tuple[str, ...]]:
    """The request of an address, the moment to open at (pass, stage), and what can't be had."""
    first = opening(models)
    if address.get("m") in models:
        prompt = PRESETS[chats(address["m"])][0].prompt
        first = replace(first, model=address["m"], prompt=prompt)
    fallback = links.Link(first.prompt, first.model, first.settings, first.seed)
    link = links.read_link(address, fallback, models)
    notices = list(link.notices)
    tokens = address.get("n", str(first.tokens))
    if not re.fullmatch(r"\d{1,3}", tokens, re.ASCII) or not 1 <= int(tokens) <= MOST_TOKENS:
        notices.append(
            f"The address asks for a number of new tokens that can't be: it goes from 1 to "
            f"{MOST_TOKENS}; {first.tokens} is used."
        )
        tokens = str(first.tokens)
    request = Request(
        link.prompt, link.model, address.get("sp", "")[:LONGEST_SYSTEM], link.settings, link.seed,
        int(tokens),
    )  # fmt: skip
    return request, read_moment(address.get("at", "")), tuple(notices)


def read_moment(text: str) -> tuple[int, str]:
    """ "3.attention.2" is the third pass at the attention of layer 2; nonsense is the start."""
    match = re.fullmatch(r"(\d{1,4})\.([a-z]+(?:\.\d{1,3})?)", text, re.ASCII)
    return (max(int(match[1]) - 1, 0), match[2]) if match else (0, "text")


def write_address(request: Request, models: Sequence[str]) -> dict[str, str]:
    """The address of a request: only what differs from the page as it opens."""
    first, _, _ = read_address({"m": request.model}, models)
    parts = links.write_link(
        links.Link(request.prompt, request.model, request.settings, request.seed),
        links.Link(first.prompt, opening(models).model, first.settings, first.seed),
    )
    if request.prompt != first.prompt and len(request.prompt) <= LONGEST_LINK:
        parts["p"] = request.prompt
    if request.system:
        parts["sp"] = request.system
    if request.tokens != first.tokens:
        parts["n"] = str(request.tokens)
    return parts
