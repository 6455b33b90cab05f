"""The guided tour of the map: the places to stop at, in the order of a pass, and what to see. Pure.

Each stop names a tensor; its sentence is made from the numbers of the text that is read.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microgpt.insight.cells import PROBABILITIES, flat
from microgpt.model.trace import names
from widgets.press_enter_insides import token_name
from widgets.transformer_map import Text
from widgets.transformer_names import station_of


@dataclass(frozen=True, eq=False)
class View:
    """What a stop can speak of: the model, the text, the values of the station, the last row."""

    model: object
    text: Text
    values: dict
    tensor: str

    @property
    def table(self) -> np.ndarray:
        return flat(self.tensor, self.values[self.tensor])

    @property
    def row(self) -> np.ndarray:
        return self.table[-1]

    @property
    def last(self) -> str:
        return f"“{self.text.names[-1]}”"

    def other(self, part: str) -> np.ndarray:
        """Another tensor of the same layer, its last row."""
        name = f"{'.'.join(self.tensor.split('.')[:2])}.{part}"
        return flat(name, self.values[name])[-1]


@dataclass(frozen=True)
class Stop:
    part: str
    title: str
    say: Callable[[View], str]


def embedding(v: View) -> str:
    return (
        f"The text is {len(v.text.ids)} tokens. Each picks its row of the embedding table: "
        f"{v.last} has the id {v.text.ids[-1]:,}, and its row is {len(v.row)} learned numbers, "
        f"from {v.row.min():.2f} to {v.row.max():.2f}. Nothing has been worked out yet."
    )


def norm(v: View) -> str:
    size = float(np.sqrt((v.values["before"][-1].astype(np.float64) ** 2).mean()))
    return (
        f"The stream is not touched; attention gets a copy, made even in size. The row of {v.last} "
        f"had a root mean square of {size:.3f} and is divided by it, then each number is weighted "
        "by what training found."
    )


def query(v: View) -> str:
    config = v.model.config
    return (
        f"Three matrices make three rows of it. This is the query: what {v.last} asks for, "
        f"{config.heads} heads of {config.head_size} numbers side by side. Key and value are made "
        "in the same way, from other weights."
    )


def turned(v: View) -> str:
    return (
        f"So far no number knew where its token stands. Now each pair of numbers is turned by an "
        f"angle that grows with the position: {v.last} stands at {len(v.text.ids) - 1}."
    )


def scores(v: View) -> str:
    finite = v.row[np.isfinite(v.row)]
    hidden = int(np.isneginf(v.table).sum())
    return (
        f"Every query meets every key. {v.last} gives scores from {finite.min():.2f} to "
        f"{finite.max():.2f}. The {hidden:,} empty cells are the future: the mask makes them −∞."
    )


def weights(v: View) -> str:
    heads = v.row.reshape(v.model.config.heads, -1)
    head, token = np.unravel_index(int(heads.argmax()), heads.shape)
    return (
        f"The softmax turns each row of scores into shares of 1. The strongest look of {v.last} in "
        f"this layer: head {head + 1} gives {heads[head, token]:.0%} to "
        f"“{v.text.names[token]}” (token {token + 1})."
    )


def mixed(v: View) -> str:
    return (
        "Each head adds up the values of the tokens, each times its weight. Here the tokens have "
        f"met: what stands in the row of {v.last} now comes from all that it looked at."
    )


def output(v: View) -> str:
    stream = np.linalg.norm(v.other("middle") - v.row)
    return (
        f"One more matrix mixes the heads. This row is what attention says about {v.last}: "
        f"{np.linalg.norm(v.row):.2f} long, beside a stream of length {stream:.2f}."
    )


def middle(v: View) -> str:
    return (
        "And it is added: number by number, stream plus answer. Open a cell: two terms, no more. "
        "This sum is the residual connection; all that one part tells another goes through it."
    )


def hidden(v: View) -> str:
    small = float((np.abs(v.row) < 0.01).mean())
    return (
        f"The MLP reads a normalized copy too and widens it to {len(v.row):,} hidden units. Each "
        f"opens or stays shut: for {v.last} {small:.0%} of them say less than 0.01. Nothing here "
        "looks at another token."
    )


def mlp_output(v: View) -> str:
    return (
        f"What the open units say is written back as {len(v.row)} numbers, "
        f"{np.linalg.norm(v.row):.2f} long."
    )


def residual(v: View) -> str:
    L = v.model.config.layers
    return (
        f"Added again: the stream after the first of {L} layers. The next layer does the very same "
        f"with weights of its own, and so on {L - 1} more times: choose any layer above."
    )


def last_norm(v: View) -> str:
    return (
        f"After the last layer the stream is normalized once more. Only the row of {v.last} is "
        "needed now: it must say what comes next. The other rows say what came after their tokens."
    )


def logits(v: View) -> str:
    best = int(v.row.argmax())
    return (
        f"It is compared with the row of every token that the model knows: {len(v.row):,} sums, "
        f"one score each. The highest is {v.row[best]:.2f}, for "
        f"“{token_name(v.model.tokenizer, best)}”."
    )


def chances(v: View) -> str:
    best = int(v.row.argmax())
    return (
        f"The softmax makes chances of the scores. “{token_name(v.model.tokenizer, best)}” gets "
        f"{v.row[best]:.1%}. One token is drawn, put behind the text, and all of this begins again."
    )


STOPS = (
    Stop("embedding", "A row for each token", embedding),
    Stop("attention.norm", "A copy of even size", norm),
    Stop("attention.query", "Query, key, value", query),
    Stop("attention.query_rotated", "Where it stands", turned),
    Stop("attention.scores", "Every query meets every key", scores),
    Stop("attention.weights", "Shares of attention", weights),
    Stop("attention.mixed", "Values, mixed", mixed),
    Stop("attention.output", "What attention says", output),
    Stop("middle", "Added to the stream", middle),
    Stop("mlp.hidden", "Hidden units", hidden),
    Stop("mlp.output", "What the MLP says", mlp_output),
    Stop("residual", "Added again", residual),
    Stop("norm", "The last norm", last_norm),
    Stop("logits", "A score for every token", logits),
    Stop(PROBABILITIES, "Chances", chances),
)


def stops(config) -> list[tuple[Stop, str]]:
    """The stops of a model, each with the tensor it stops at; layers are seen in the first."""
    known = {*names(config), PROBABILITIES}
    found = []
    for stop in STOPS:
        inside = "." in stop.part or stop.part in ("middle", "residual")
        name = f"blocks.0.{stop.part}" if inside else stop.part
        if name in known:
            found.append((stop, name))
    return found


def place_of(config, number: int) -> dict:
    """Where the stop stands on the map."""
    _, name = stops(config)[number]
    return {"station": station_of(name), "tensor": name, "row": -1, "column": -1, "first": 0,
            "tour": number}  # fmt: skip


def as_data(model, text: Text, values: dict, place: dict) -> dict:
    """The stop at which the reader is, or only how many there are."""
    route = stops(model.config)
    places = [place_of(model.config, i) for i in range(len(route))]
    number = place["tour"]
    if not 0 <= number < len(route) or route[number][1] != place["tensor"]:
        return {"number": -1, "places": places, "title": "", "text": ""}
    stop, name = route[number]
    said = stop.say(View(model, text, values, name))
    return {"number": number, "places": places, "title": stop.title, "text": said}
