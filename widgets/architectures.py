"""The measured table of architectures, and its curves against length."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from microgpt.decoding.compare import NAMES
from microgpt.model.config import GPTConfig, llama_style
from widgets import chapter, engine, look

KEY = "architectures"
RECORDED = Path(__file__).resolve().parent.parent / "assets" / "recorded" / "architectures.json"
KINDS = {  # what is different about each
    "tiny-base": "dense", "tiny-moe": "experts", "tiny-ssm": "states",
    "tiny-hybrid": "3 of 4 states",
}  # fmt: skip
STYLE = """<style>
.architectures-table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: clamp(0.75rem, 2.4vw, 0.9375rem); }
.architectures-table th, .architectures-table td { padding: 0.3rem 0.25rem; text-align: right;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.architectures-table th:first-child { text-align: left; font-weight: 400; }
</style>"""
DASHES = {"tiny-base": [1, 0], "tiny-moe": [8, 2], "tiny-ssm": [6, 3], "tiny-hybrid": [2, 2]}
COLORS = {"tiny-base": "query", "tiny-moe": "gradient", "tiny-ssm": "cache",
          "tiny-hybrid": "value"}  # fmt: skip
LEGEND = {"symbolType": "stroke", "orient": "top", "columns": 2}
PROBES = ("coreference", "recall", "copy", "facts", "sum_scratchpad")
CURVES = {  # what is drawn -> (key, factor, unit, axis)
    "Read a whole text": ("read_seconds", 1e3, "ms", "milliseconds for the whole text"),
    "One more token": ("step_seconds", 1e3, "ms", "milliseconds for one token"),
    "Memory": ("memory_bytes", 1 / 1024, "KB", "kilobytes of cache and state"),
}
MIXTRAL = llama_style(  # Jiang et al. 2024, table 1
    vocab_size=32_000, context=32_768, layers=32, width=4_096, heads=32, kv_heads=8,
    hidden=14_336, mlp="moe", experts=8, active=2, tied=False,
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """What `python -m microgpt compare` measured: when, where, and a row for each model."""

    measured: str
    machine: dict
    models: dict[str, dict]

    def curve(self, what: str) -> dict[str, list[tuple[int, float]]]:
        """For each model, (length, value) in the unit of `CURVES`."""
        key, factor, _, _ = CURVES[what]
        return {
            name: [(one["length"], one[key] * factor) for one in row["lengths"]]
            for name, row in self.models.items()
        }


@cache
def recorded(path: Path = RECORDED) -> Table:
    """The recorded comparison; ValueError, in a sentence, where it is missing or incomplete."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        table = Table(report["measured"], report["machine"], report["models"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            "The architectures have not been compared here yet: "
            "`python -m microgpt compare` measures them."
        ) from None
    missing = [name for name in NAMES if name not in table.models]
    if missing:
        raise ValueError(f"The comparison lacks {missing[0]}; run `python -m microgpt compare`.")
    return table


def rows_of(table: Table) -> list[dict]:
    return [
        {
            "Model": name,
            "Kind": KINDS[name],
            "Weights": f"{row['parameters'] / 1e6:.2f} M",
            "for one token": f"{row['active_parameters'] / 1e6:.2f} M",
            "MFLOP a token": f"{row['flops_per_token'] / 1e6:.2f}",
            "Held-out loss": f"{row['held_out_loss']:.4f}",
            **{ability: f"{row['abilities'][ability]:.0%}" for ability in PROBES},
            "Tokens/s, learning": f"{row['training_tokens_per_second']:,}",
            "Tokens/s, speaking": f"{row['decoding_tokens_per_second']:,}",
        }
        for name, row in table.models.items()
    ]


def in_html(rows: list[dict]) -> str:
    """The table turned on its side, a column for each model, and small enough for a phone."""
    names = "".join(f'<th scope="col">{row["Model"]}</th>' for row in rows)
    lines = [f'<tr><th scope="col">Model</th>{names}</tr>']
    for field in list(rows[0])[1:]:
        cells = "".join(f"<td>{row[field]}</td>" for row in rows)
        lines.append(f'<tr><th scope="row">{field.replace("_", " ")}</th>{cells}</tr>')
    return f'{STYLE}<table class="architectures-table">{"".join(lines)}</table>'


def in_words(table: Table, what: str) -> str:
    _, _, unit, axis = CURVES[what]
    said = []
    for name, points in table.curve(what).items():
        (first, low), (last, high) = points[0], points[-1]
        said.append(f"{name} from {low:,.3g} {unit} at {first} tokens to {high:,.3g} {unit} at "
                    f"{last:,}, {high / low:.1f} times as much")  # fmt: skip
    return f"{axis[0].upper()}{axis[1:]}: {'; '.join(said)}."


def chart_of(table: Table, what: str):
    alt = engine.altair()
    _, _, unit, axis = CURVES[what]
    rows = [
        {"model": name, "length": length, "value": value}
        for name, points in table.curve(what).items()
        for length, value in points
    ]
    order = list(table.models)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            alt.X("length:Q", title="tokens", scale=alt.Scale(type="log", base=2),
                  axis=alt.Axis(values=sorted({row["length"] for row in rows}))),
            alt.Y("value:Q", title=axis, scale=alt.Scale(type="log")),
            color=alt.Color("model:N", sort=order, title=None, legend=LEGEND, scale=alt.Scale(
                domain=order, range=[look.color(COLORS[name]) for name in order])),
            strokeDash=alt.StrokeDash(
                "model:N", sort=order, title=None, legend=LEGEND,
                scale=alt.Scale(domain=order, range=[DASHES[name] for name in order])),
            tooltip=["model:N", "length:Q", alt.Tooltip("value:Q", format=",.4g", title=unit)],
        )
        .properties(height=380)
    )  # fmt: skip


def table() -> Table | None:
    """The recorded comparison; None, with a sentence on the page, where there is none."""
    try:
        return recorded()
    except ValueError as error:
        st.warning(str(error))
        return None


def table_in_words(table: Table) -> str:
    """Which kind guesses best, and what its weights cost."""
    losses = {name: row["held_out_loss"] for name, row in table.models.items()}
    best, worst = min(losses, key=losses.get), max(losses, key=losses.get)
    flops = [row["flops_per_token"] for row in table.models.values()]
    speeds = {name: row["training_tokens_per_second"] for name, row in table.models.items()}
    fast, slow = max(speeds, key=speeds.get), min(speeds, key=speeds.get)
    return (
        f"On text that none of them has read, **{best}** guesses best: its [[held-out loss]] is "
        f"{losses[best]:.3f}, that of {worst} {losses[worst]:.3f}. Their arithmetic for a token "
        f"differs by {max(flops) / min(flops) - 1:.0%} at most; how well this engine's code for it "
        f"runs differs more: {fast} learns {speeds[fast] / speeds[slow]:.1f} times as many tokens "
        f"a second as {slow}."
    )


def experts_in_words(table: Table, config: GPTConfig) -> str:
    """Whether the weights that a token does not meet were of use, in a mixture of this shape."""
    dense, mixture = (table.models[name] for name in ("tiny-base", "tiny-moe"))
    better = mixture["held_out_loss"] < dense["held_out_loss"]
    times = mixture["parameters"] / dense["parameters"]
    why = (
        f" On average an expert learns from {config.active / config.experts:.0%} of the tokens; "
        "whether that is the reason was not measured."
    )
    return (
        f"Is it better for that? Here {'yes' if better else 'not yet'}: with {times:.1f} times the "
        f"weights its [[held-out loss]] is {mixture['held_out_loss']:.3f}, that of tiny-base "
        f"{dense['held_out_loss']:.3f}."
        + ("" if better else why)
    )


def lengths_in_words(table: Table) -> str:
    """How time and memory grow, for the two that differ most."""
    read, memory = table.curve("Read a whole text"), table.curve("Memory")
    (first, _), (last, _) = read["tiny-base"][0], read["tiny-base"][-1]
    grown = {name: points[-1][1] / points[0][1] for name, points in read.items()}
    held = {name: points[-1][1] for name, points in memory.items()}
    return (
        f"From {first} tokens to {last:,} the text is {last / first:.0f} times as long. Reading it "
        f"takes tiny-ssm {grown['tiny-ssm']:.0f} times the time, and tiny-base "
        f"**{grown['tiny-base']:.0f} times**: every token looks at all before it. For one more "
        f"token after {last:,}, tiny-base keeps {held['tiny-base']:,.0f} KB, tiny-ssm "
        f"**{held['tiny-ssm']:,.0f} KB**, as at the start. tiny-hybrid attends in one layer of "
        f"four and keeps {held['tiny-hybrid']:,.0f} KB."
    )


def numbers_a_token(table: Table) -> int:
    """Numbers in float32 that the dense model's cache grows by with each token."""
    (first, low), (last, high) = (
        (one["length"], one["memory_bytes"])
        for one in (table.models["tiny-base"]["lengths"][i] for i in (0, -1))
    )
    return (high - low) // (last - first) // 4


def comparison(table: Table) -> None:
    st.html(in_html(rows_of(table)))
    mark(table)


def worth_of_experts(table: Table, config: GPTConfig) -> None:
    chapter.explain(experts_in_words(table, config))
    mark(table)


@st.fragment
def curves(table: Table) -> None:
    what = st.segmented_control(
        "Against length", list(CURVES), default="Read a whole text", required=True,
        key=f"{KEY}_curve", persist_state="session",
    )  # fmt: skip
    st.altair_chart(chart_of(table, what), alt=in_words(table, what))
    mark(table)
    chapter.text_twin(in_words(table, what))


def mark(table: Table, where: str = "") -> None:
    """Where the recorded numbers come from; a time needs its machine."""
    where = where or f"{table.machine['processor']}, one thread for reading and speaking"
    chapter.mark("measured", by="python -m microgpt compare", where=f"{where}, {table.measured}")


def millions(config: GPTConfig) -> tuple[float, float]:
    """All weights and those of one token, in millions."""
    from microgpt.model.costs import active_parameters
    from microgpt.model.gpt import count_parameters

    return count_parameters(config) / 1e6, active_parameters(config) / 1e6
