"""What the machine of chapter 20 shows: pure functions from the engine's records to a small view.

A view is plain data for one component message: the whole run in outline (every token, every
choice, every cost) and the insides of a stretch of passes, as many as fit the budget.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from microgpt.decoding.pipeline import Inserted, Prompt, Said, Stopped, is_chat
from microgpt.decoding.sampling import Sampling, entropy
from microgpt.model.costs import LLAMA_3_70B, StageCost, cache_bytes, pass_costs, total
from microgpt.tokens.tokenizer import to_bytes
from widgets import look
from widgets.press_enter_insides import token_name

CANDIDATES = 12  # tokens whose way through the filters is shown


@dataclass(frozen=True)
class Chip:
    """One token as it is shown."""

    id: int
    text: str
    bytes: str
    role: str  # "special", "system", "user", "text", "said" or "tool"
    plain: str = ""  # what a token of the answer added to its text


@dataclass(frozen=True)
class Turn:
    """One pass in outline: what it reads, what it says, and how that token was chosen.

    `rows` are the best candidates and the one drawn: (id, text, score, probability after each
    filter). `costs` are FLOPs and bytes of each stage, `costs_70b` those of a 70B model.
    """

    reads: tuple[int, int]  # places of the tokens, from and up to
    token: int
    text: str
    probability: float
    u: float
    low: float
    high: float
    bits: float  # entropy of what it was drawn from
    model_seconds: float
    sampling_seconds: float
    filters: tuple[dict, ...]
    rows: tuple[list, ...]
    segments: tuple[list, ...]  # of the running sums: id, text, from, to
    costs: tuple[tuple[int, int], ...]
    costs_70b: tuple[tuple[int, int], ...]
    cache_bytes: int


def chip(tokenizer, token: int, role: str, plain: str = "") -> Chip:
    """A token with its bytes in hex."""
    data = tokenizer.token_bytes(token) if token < tokenizer.vocab_size else b""
    return Chip(token, token_name(tokenizer, token), data.hex(" "), role, plain)


class Builder:
    """Collects the events of `pipeline.answer` as they come, into what the machine shows."""

    def __init__(self, model, prompt: Prompt):
        self.model, self.prompt = model, prompt
        self.ids = list(prompt.ids)
        self.said_at: list[int] = []
        self.turns: list[Turn] = []
        self.call: tuple[str, str] | None = None
        self.stopped = ""
        self.text = ""  # the answer so far, as a reader sees it
        self.chips = [
            chip(model.tokenizer, token, piece.role)
            for piece in prompt.pieces
            for token in piece.ids
        ]

    def add(self, event: Said | Inserted | Stopped) -> None:
        tokenizer = self.model.tokenizer
        if isinstance(event, Stopped):
            self.stopped = event.reason
        elif isinstance(event, Inserted):
            self.call = (event.expression, event.result)
            self.text += f" = {event.result} (the calculator)\n"
            self.chips += [chip(tokenizer, token, "tool") for token in event.ids]
            self.ids += event.ids
        else:
            start = self.said_at[-1] if self.said_at else 0
            self.turns.append(turn(tokenizer, self.model.config, event, (start, len(self.ids))))
            self.said_at.append(len(self.ids))
            self.chips.append(chip(tokenizer, event.token, "said", event.text))
            self.ids.append(event.token)
            if event.token not in tokenizer.specials.values():
                self.text += event.text


def turn(tokenizer, config, said: Said, reads: tuple[int, int]) -> Turn:
    """The outline of one pass, small enough to send for every token of an answer."""
    costs = pass_costs(config, reads[1] - reads[0], reads[0])
    probabilities = said.stages[-1].probabilities
    return Turn(
        reads=reads,
        token=said.token,
        text=token_name(tokenizer, said.token),
        probability=said.probability,
        u=said.u,
        low=said.low,
        high=said.high,
        bits=entropy(probabilities),
        model_seconds=said.model_seconds,
        sampling_seconds=said.sampling_seconds,
        filters=tuple(
            {"name": s.name, "active": s.active, "kept": s.kept, "held": held(said.stages, i)}
            for i, s in enumerate(said.stages)
        ),
        rows=tuple(candidate_rows(tokenizer, said)),
        segments=tuple(segments(tokenizer, probabilities)),
        costs=tuple((cost.flops, cost.bytes()) for cost in costs),
        costs_70b=tuple(costs_at_70b(*reads)),
        cache_bytes=cache_bytes(config, reads[1]),
    )


def held(stages, i: int) -> float:
    """The probability that the survivors of filter i had before it."""
    before = stages[max(i - 1, 0)].probabilities
    return float(before[np.isfinite(stages[i].logits)].sum())


def candidate_rows(tokenizer, said: Said) -> list[list]:
    """The most likely tokens by the model's own scores, then the one drawn if not among them."""
    scores = said.stages[0].logits
    best = np.argsort(-scores, kind="stable")[:CANDIDATES].tolist()
    ids = best if said.token in best else [*best, said.token]
    return [
        [
            token,
            token_name(tokenizer, token),
            round(float(scores[token]), 4),
            *(round(float(s.probabilities[token]), 6) for s in said.stages),
        ]
        for token in ids
    ]


def segments(tokenizer, probabilities: np.ndarray, most: int = 40) -> list[list]:
    """The running sums that a draw falls into, in the order of the ids, the widest `most`."""
    ids = np.flatnonzero(probabilities)
    widest = np.sort(ids[np.argsort(-probabilities[ids], kind="stable")[:most]])
    sums = np.cumsum(probabilities)
    return [
        [int(i), token_name(tokenizer, int(i)), round(float(sums[i] - probabilities[i]), 6),
         round(float(sums[i]), 6)]
        for i in widest
    ]  # fmt: skip


def costs_at_70b(start: int, stop: int) -> list[tuple[int, int]]:
    """FLOPs and bytes (2 a number) that Llama 3 70B would need for the same tokens.

    One entry each for embedding, positions, one layer's attention and MLP, norm, logits; the
    last is the whole pass with all 80 layers.
    """
    costs = pass_costs(LLAMA_3_70B, stop - start, start)
    kinds = {cost.kind: (cost.flops, cost.bytes(2, 2)) for cost in costs}
    return [*kinds.values(), (total(costs), sum(cost.bytes(2, 2) for cost in costs))]


def ledger(costs: Sequence[StageCost]) -> list[dict]:
    """The stages of a pass, in order: what never changes from pass to pass."""
    return [
        {"kind": c.kind, "layer": c.layer, "parameters": c.parameters, "formula": c.formula}
        for c in costs
    ]


def machine(
    built: Builder,
    insides: dict[int, dict],
    settings: Sampling,
    seed: int,
    start: tuple[int, str] = (0, "text"),
    autoplay: bool = False,
) -> dict:
    """The whole view, ready for the component."""
    config, prompt = built.model.config, built.prompt
    costs = pass_costs(config, 1)
    view = {
        "model": about(built.model),
        "chat": is_chat(built.model),
        "prompt": prompt_view(prompt),
        "prompt_length": len(prompt.ids),
        "seconds": prompt.seconds,
        "chips": [asdict(one) for one in built.chips],
        "said_at": built.said_at,
        "turns": [asdict(one) for one in built.turns],
        "ledger": ledger(costs),
        "kinds": list(dict.fromkeys(cost.kind for cost in costs)),
        "call": built.call,
        "stopped": built.stopped,
        "settings": asdict(settings),
        "seed": seed,
        "scale": look.SEQUENTIAL,
        "start": {"turn": start[0], "stage": start[1]},
        "autoplay": autoplay,
    }
    return {**view, "insides": {str(turn): one for turn, one in insides.items()}}


def prompt_view(prompt: Prompt) -> dict:
    return {
        "text": prompt.text,
        "characters": len(prompt.text),
        "bytes": len(to_bytes(prompt.text)),
        "pieces": [
            {"role": piece.role, "text": piece.text, "tokens": len(piece.ids)}
            for piece in prompt.pieces
        ],
    }


def about(model) -> dict:
    """The model's sizes for the component."""
    config = model.config
    facts = ("layers", "heads", "kv_heads", "head_size", "width", "hidden", "vocab_size", "context")
    return {
        "name": model.name,
        "positions": config.positions,
        "parameters": total(pass_costs(config, 1), "parameters"),
        **{fact: getattr(config, fact) for fact in facts},
    }
