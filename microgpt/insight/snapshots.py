"""The stored moments of a recorded training run: a model at a number of tokens seen.

A run is a folder of model folders, as `training.recipes.run` leaves them: their cards say how many
tokens had been read and what the loss was. What is here is found under assets/recorded.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from microgpt.insight import heads
from microgpt.model.checkpoint import SHIPPED, Model, load

RECORDED = SHIPPED.parent / "recorded"


@dataclass(frozen=True)
class Snapshot:
    """Where a moment is stored, the tokens read by then, and the loss of that step."""

    path: Path
    tokens: int
    loss: float

    def load(self) -> Model:
        """The model of that moment. ValueError, in a sentence, when its file is damaged."""
        return load(self.path)


def snapshots(name: str, folder: Path | None = None) -> list[Snapshot]:
    """The moments of the run that made the model `name`, in order; none where none is stored."""
    found = []
    for card in (folder or RECORDED).glob("**/card.json"):
        if not card.parent.name.startswith(f"{name}-"):
            continue
        try:
            facts = json.loads(card.read_text(encoding="utf-8"))
            found.append(Snapshot(card.parent, int(facts["tokens"]), float(facts["loss"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no card of a snapshot
    return sorted(found, key=lambda s: s.tokens)


@dataclass(frozen=True)
class Moment:
    """What a snapshot can do: how well it copies, and its best heads of two kinds."""

    tokens: int
    loss: float
    copying: float
    previous: heads.HeadScore
    induction: heads.HeadScore


def measure(snapshot: Snapshot, model: Model) -> Moment:
    scores = heads.score_heads(model)
    return Moment(
        snapshot.tokens, snapshot.loss, heads.copying(model),
        scores["previous token"][0], scores["induction"][0],
    )  # fmt: skip
