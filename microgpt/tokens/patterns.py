"""Cutting a text into words before byte-pair encoding, by hand.

Merges never cross a cut, so the cuts decide what a token can be: a word keeps the space before it,
numbers stand alone, and "dog", "dog." and "dog!" share the token for "dog". The rules are those
of GPT-4's `cl100k` vocabulary (`tiktoken`, 2023), or the older ones of GPT-2, which SmolLM2 and
many others use; `Pattern.regex` states them as the regular expression that other libraries take,
and `split` finds exactly the same words without one. `scanner.next_word` is this scanner again, on
UTF-8 bytes, for speed.
"""

from dataclasses import dataclass

from microgpt.tokens.categories import LETTER, NEWLINE, NUMBER, OTHER, SPACE, categories

REGEX = (
    r"'(?i:[sdmt]|ll|ve|re)"  # the end of a contraction: 's, 'LL
    r"|[^\r\n\p{L}\p{N}]?+\p{L}+"  # letters, with one space or mark before them
    r"|\p{N}{1,3}"  # digits, a few at a time
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*"  # marks, with a space before and line ends after
    r"|\s*[\r\n]|\s+(?!\S)|\s+"  # white space; its last character goes to the next word
)

# GPT-2's rules after every digit was set apart. A digit ends white space as the end of the text
# does, so the look-ahead lets all of the white space before it stay together.
GPT2_REGEX = (
    r"'(?:[sdmt]|ll|ve|re)"  # the end of a contraction, in small letters
    r"| ?\p{L}+"  # letters, with one space before them
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+"  # marks, with one space before them
    r"|\s+(?![^\s\p{N}])|\s+"  # white space; its last character goes to the next word
)


@dataclass(frozen=True)
class Pattern:
    """A rule for cutting text; digits come in groups of at most `digits`, or by GPT-2's rules."""

    name: str
    digits: int
    regex: str
    gpt2: bool = False

    @property
    def code(self) -> int:
        """The rule as one number, for the kernels: how many digits, 0 for GPT-2's rules."""
        return 0 if self.gpt2 else self.digits


PATTERNS = {
    "gpt4": Pattern("gpt4", 3, REGEX),
    "digits": Pattern("digits", 1, REGEX.replace("{1,3}", "")),
    "smollm": Pattern("smollm", 1, GPT2_REGEX, gpt2=True),
}


def find_pattern(name: str) -> Pattern:
    """The pattern called `name`; ValueError if there is none."""
    if not isinstance(name, str) or name not in PATTERNS:
        known = ", ".join(PATTERNS)
        raise ValueError(f"There is no pattern {name!r}. The patterns are: {known}.")
    return PATTERNS[name]


def split(text: str, pattern: str = "gpt4") -> list[str]:
    """Cut `text` into words; joined together they are the text again."""
    rule, table = find_pattern(pattern), categories()
    kinds = [int(table[ord(character)]) for character in text]
    words, start = [], 0
    while start < len(text):
        if rule.gpt2:
            end = next_gpt2_word(text, kinds, start)
        else:
            end = next_word(text, kinds, start, rule.digits)
        words.append(text[start:end])
        start = end
    return words


def next_word(text: str, kinds: list[int], start: int, digits: int) -> int:
    """Where the word that begins at `start` ends: the first rule that finds something wins."""
    end = contraction(text, start)
    if end == start:
        end = letters(kinds, start)
    if end == start:
        end = run(kinds, start, NUMBER, at_most=digits)
    if end == start:
        end = marks(text, kinds, start)
    if end == start:
        end = white_space(kinds, start)
    return end


def run(kinds: list[int], start: int, *wanted: int, at_most: int | None = None) -> int:
    """The end of the run of characters of the `wanted` kinds that begins at `start`."""
    stop = len(kinds) if at_most is None else min(len(kinds), start + at_most)
    end = start
    while end < stop and kinds[end] in wanted:
        end += 1
    return end


def contraction(text: str, start: int) -> int:
    """The end of 's 'd 'm 't 'll 've 're, in either case ("\u017f" is an old small s)."""
    if text[start] == "'":
        after = text[start + 1 : start + 3].lower().replace("\u017f", "s")
        if after[:1] in ("s", "d", "m", "t"):
            return start + 2
        if after in ("ll", "ve", "re"):
            return start + 3
    return start


def letters(kinds: list[int], start: int) -> int:
    """The end of a run of letters, before which one space or mark (no line end) may stand."""
    first = start if kinds[start] in (LETTER, NUMBER, NEWLINE) else start + 1
    end = run(kinds, first, LETTER)
    return end if end > first else start


def marks(text: str, kinds: list[int], start: int) -> int:
    """The end of a run of marks, before which one space may stand, with the line ends after it."""
    first = start + 1 if text[start] == " " else start
    end = run(kinds, first, OTHER)
    return run(kinds, end, NEWLINE) if end > first else start


def white_space(kinds: list[int], start: int) -> int:
    """The end of white space: after its last line end, or else one short of the next word."""
    end = run(kinds, start, SPACE, NEWLINE)
    for last in range(end - 1, start - 1, -1):
        if kinds[last] == NEWLINE:
            return last + 1
    if end < len(kinds) and end - start > 1:
        return end - 1
    return end


def next_gpt2_word(text: str, kinds: list[int], start: int) -> int:
    """Where the word that begins at `start` ends, by GPT-2's rules with every digit by itself."""
    if kinds[start] == NUMBER:
        return start + 1
    for ending in ("s", "d", "m", "t", "ll", "ve", "re"):
        if text.startswith("'" + ending, start):
            return start + 1 + len(ending)
    first = start + 1 if text[start] == " " else start
    for kind in (LETTER, OTHER):
        end = run(kinds, first, kind)
        if end > first:
            return end
    end = run(kinds, start, SPACE, NEWLINE)
    if end < len(kinds) and kinds[end] != NUMBER and end - start > 1:
        return end - 1
    return end
