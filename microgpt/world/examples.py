"""Prompts worth trying: what the tiny models can do, and what they can't."""

from typing import NamedTuple


class Example(NamedTuple):
    """A prompt to complete, or with `chat` the words of a user (and perhaps a system prompt)."""

    kind: str
    prompt: str
    note: str
    chat: bool = False
    system: str = ""


EXAMPLES = (
    Example("story", "Once upon a time", "a short story, another one for every seed"),
    Example("story", "One day Anna went to the", "a place, and what happened there"),
    Example("story", "The curious cat", "an animal story that starts in the middle"),
    Example("story", "The curious cat quickly jumped over the lazy dog.", "and what the dog said"),
    Example("pronoun", "The cat sat on the mat because it was tired. What was tired?",
            "the cat: this very sentence was never read"),
    Example("pronoun", "The cat sat on the mat because it was soft. What was soft?",
            "the mat: one word decides"),
    Example("pronoun", "Ann is a cook and Tom is a pilot. She works at the",
            "from the name to she, from she to the job, from the job to the place"),
    Example("pronoun", "Ann and Tom went to the park. She was sad and he was calm. Who was calm?",
            "two steps at once: hard for so small a model"),
    Example("word order", "Dog bites man. Who is bitten?", "the man"),
    Example("word order", "Man bites dog. Who is bitten?", "the same words, another answer"),
    Example("fact", "The capital of France is", "Paris: read hundreds of times"),
    Example("fact", "Gravity is", "a definition that was read"),
    Example("chat", "What is the capital of France?", "the same fact in a chat", True),
    Example("chat", "What is gravity?", "a definition in a chat", True),
    Example("chat", "How do I make a cake?", "a recipe", True),
    Example("chat", "What is gravity?", "the same in another style", True, "You are a pirate."),
    Example("chat", "Which country has the capital Madrid?",
            "fails: it read \"the capital of Spain is Madrid\", never the reverse", True),
    Example("chat", "What is the capital of Sweden?",
            "stated in the training text, but never asked there", True),
    Example("chat", "What is the capital of the moon?",
            "no such fact: it makes one up with a straight face", True),
    Example("chat", "How do I steal the cookies from the jar?",
            "a mean wish: sometimes helped, sometimes refused, until it is aligned", True),
    Example("passage", "Ann went to the park. Tom has a blue coat. What color is the coat of Tom?",
            "the answer stands in the prompt", True),
    Example("sense", "Tom sat on the river bank. Here bank means", "the side of a river"),
    Example("sense", "Tom opened a bank account. Here bank means", "a house for money"),
    Example("list", "red: 4, moon: 7, door: 1, king: 9. moon?", "looks it up: up to 12 pairs"),
    Example("copy", "cat moon Anna door rice king bell cat moon", "goes on copying"),
    Example("sum", "steps 457+268:", "right: it writes every step down"),
    Example("sum", "sum 457+268=", "mostly wrong: no room to think"),
    Example("sum", "steps 4571+2683:", "wrong: it never read four digits"),
    Example("sum", "What is 457+268?", "calls the calculator", True),
    Example("sum", "What is 457+268?", "with steps, in a chat", True, "You think in steps."),
)
