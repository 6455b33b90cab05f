"""The chapter on the transformer, its later parts drawn: stream and recorded switchboard."""

import json

import streamlit as st

from microgpt.insight.switchboard import RECORD
from widgets import chapter, engine, look, prose
from widgets import transformer as show
from widgets import transformer_stream as streams
from widgets.components import component
from widgets.press_enter_insides import token_name
from widgets.transformer_switchboard import named

_stream = component("transformer_stream")


def name_of(model, token: int) -> str:
    return token_name(model.tokenizer, token)


def stream(model):
    """The stream of the reader's text, drawn; what was found."""
    text = show.text_of(model, show.text_now())
    found = _found(model.name, model.card.get("sha256", ""), text.text)
    _stream(streams.as_data(model, text, found), key="transformer_stream")
    chapter.mark("computed", by=model.name, where=f"{len(found.places)} places",
                 seconds=found.seconds)  # fmt: skip
    chapter.text_twin(streams.in_words(model, text, found))
    return found


@st.cache_resource(max_entries=32, show_spinner=False)
def _found(name: str, sha256: str, text: str) -> streams.Stream:
    model = engine.model(name)
    return streams.compute(model, show.text_of(model, text))


@st.cache_data(max_entries=1, show_spinner=False)
def record() -> dict:
    """What was measured once of every part: `python -m microgpt.insight.switchboard`."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def run_without(*parts: str) -> dict:
    return next(run for run in record()["runs"] if run["parts"] == list(parts))


def mask_answers() -> list[str]:
    """Why each answer to the prediction is right or wrong, with what was measured."""
    whole, open_ = run_without(), run_without("mask")
    figures = (
        f"It fell to **{open_['loss']:.2f}**, where the intact model had {whole['loss']:.2f}. On "
        "text where the future is not there yet it lost "
        f":loss[**{open_['held_out']:.2f}**] nats a token, the intact one {whole['held_out']:.2f}."
    )
    return [
        f"It is not confused, it is helped too much: the answer stands in its input. {figures}",
        f"Then it would not look. But the answer stands in its input, and that is quickly found. "
        f"{figures}",
        f"The answer stands in its input, one place to the right. {figures}",
    ]


def recorded() -> None:
    """The damage of every part, measured once with the same seed."""
    runs = record()["runs"]
    alt = engine.altair()
    rows = [{"part": named(run["parts"]), "loss": run["held_out"], "kind": kind(run)}
            for run in runs if run["held_out"] is not None]  # fmt: skip
    order = [row["part"] for row in sorted(rows, key=lambda row: row["loss"])]
    bars = alt.Chart(alt.Data(values=rows)).mark_bar(height=16).encode(
        alt.X("loss:Q", title="loss on unread text, nats a token"),
        alt.Y("part:N", title=None, sort=order, axis=alt.Axis(labelLimit=220)),
        alt.Color("kind:N", legend=None, scale=alt.Scale(
            domain=["whole", "without"], range=[look.color("query"), look.color("loss")])),
        tooltip=["part:N", alt.Tooltip("loss:Q", format=".2f")],
    )  # fmt: skip
    words = recorded_in_words(runs)
    st.altair_chart(bars.properties(height=210), alt=words)
    recipe = record()["recipe"]
    where = f"a recorded run of {recipe['steps']} steps, seed {recipe['seed']}"
    chapter.mark("measured", by="microgpt.insight.switchboard", where=where)
    chapter.text_twin(words)
    worst = max((run for run in runs if "mask" not in run["parts"]), key=lambda r: r["held_out"])
    least = min((run for run in runs if run["parts"]), key=lambda r: r["held_out"])
    most, little = (named(run["parts"]).removeprefix("without ") for run in (worst, least))
    chapter.explain(
        f"Apart from the mask, **{most}** are missed most: without them the loss is "
        f"{worst['held_out']:.2f}, and the model writes “{prose.literal(worst['text'])}”. "
        f"**{little}** is missed least, {least['held_out']:.2f}: what it guards against comes with "
        "larger heads and longer training."
    )


def kind(run: dict) -> str:
    return "without" if run["parts"] else "whole"


def recorded_in_words(runs) -> str:
    """The text twin of the bars."""
    said = [
        f"{named(run['parts'])}: {run['held_out']:.2f} on unread text, {run['loss']:.2f} on what "
        "it learned from" if run["held_out"] is not None else f"{named(run['parts'])}: it broke"
        for run in runs
    ]  # fmt: skip
    return f"Loss in nats a token after {record()['recipe']['steps']} steps. {'; '.join(said)}."
