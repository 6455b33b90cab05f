"""The chapter on sampling, drawn: the prompt, the stages of the scores, the draw."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.decoding import pipeline, sampling
from microgpt.decoding.sampling import Sampling
from widgets import chapter, components, engine, look, prose
from widgets import sampling_link as links
from widgets import sampling_view as views
from widgets.components import component, packed

_controls = component("sampling_controls", states={"settings": links.as_values(links.START)})
_picture = component("sampling")
_draw = component("sampling_draw", states={"draws": {"seed": 0, "count": 0}})

PROMPT, MODEL = "sampling_prompt", "sampling_model"  # keys of the widgets


@dataclass(frozen=True)
class Desk:
    """What the whole page looks at: a model, what it reads, and its scores for what comes next."""

    model: object
    text: str
    ids: tuple[int, ...]
    notices: tuple[str, ...]
    scores: np.ndarray  # (V,)
    seconds: float
    names: tuple[str, ...]  # (V) tokens as they are shown


def desk() -> Desk | None:
    """The model and the prompt; None, with a sentence on the page, when there is no model."""
    models = engine.models()
    if not models:
        st.warning("There is no trained model here yet. `python -m microgpt train tiny-base` "
                   "makes one; then this page comes to life.")  # fmt: skip
        return None
    start = opening(models)
    notices = _adopt_address(start, models)
    if st.session_state.get(MODEL) not in models:
        st.session_state[MODEL] = start.model
    st.session_state.setdefault(PROMPT, start.prompt)
    columns = st.columns([3, 1], vertical_alignment="bottom")
    text = columns[0].text_input("Your prompt", key=PROMPT, persist_state="session")
    name = columns[1].selectbox("Model", models, key=MODEL, persist_state="session")
    try:
        model = engine.model(name)
    except ValueError as error:
        st.error(f"The model {name} can't be used: {error}")
        return None
    _examples(model)
    prompt = pipeline.read_prompt(model, text or "")
    scores, seconds = scores_of(model, prompt.ids)
    here = Desk(model, prompt.text, prompt.ids, prompt.notices, scores, seconds, names_of(model))
    for notice in (*notices, *here.notices):
        st.markdown(f":small[:material/info: {prose.literal(notice)}]")
    return here


def opening(models: list[str]) -> links.Link:
    """The page as it opens: the model that continues text, where there is one."""
    name = next((name for name in ("tiny-base", "tiny-chat") if name in models), models[0])
    return links.Link(links.PROMPTS[False][0], name)


def _adopt_address(start: links.Link, models: list[str]) -> tuple[str, ...]:
    """A link that was followed sets everything on the page; its faults are said once."""
    address = {k: st.query_params[k] for k in links.NAMES if k in st.query_params}
    if not address or address == st.session_state.get("sampling:address"):
        return st.session_state.get("sampling:notices", ()) if address else ()
    link = links.read_link(address, start, models)
    st.session_state[PROMPT], st.session_state[MODEL] = link.prompt, link.model
    components.force("sampling_controls", settings=links.as_values(link.settings))
    components.force("sampling_draw", draws={"seed": link.seed, "count": 0})
    st.session_state["sampling:address"] = address
    st.session_state["sampling:notices"] = link.notices
    return link.notices


def write_address(here: Desk, settings: Sampling, seed: int) -> None:
    """Keep the address such that it brings another reader to this very page."""
    link = links.Link(here.text, here.model.name, settings, seed)
    address = links.write_link(link, opening(engine.models()))
    shown = {k: st.query_params[k] for k in links.NAMES if k in st.query_params}
    if shown != address:
        others = {k: v for k, v in st.query_params.items() if k not in links.NAMES}
        st.query_params.from_dict({**others, **address})
        st.session_state["sampling:notices"] = ()
    st.session_state["sampling:address"] = address


def _examples(model) -> None:
    def take(prompt: str) -> None:
        st.session_state[PROMPT] = prompt

    with st.container(horizontal=True, gap="small", key="sampling_examples"):
        for prompt in links.PROMPTS[pipeline.is_chat(model)]:
            label = prose.literal(prompt if len(prompt) < 34 else f"{prompt[:32]} …")
            st.button(label, key=f"sampling_example_{prompt}", on_click=take, args=(prompt,))


def scores_of(model, ids: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Scores for the token after `ids`, and the seconds they took when they were worked out."""
    return _scores(model.name, model.card.get("sha256", ""), tuple(ids))


@st.cache_resource(max_entries=512, show_spinner=False)
def _scores(name: str, sha256: str, ids: tuple[int, ...]) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    scores = np.array(views.next_scores(engine.model(name), ids))
    scores.setflags(write=False)
    return scores, time.perf_counter() - began


def opening_scores(model) -> tuple[str, np.ndarray]:
    """The first of the prompts worth trying, and the model's scores after it."""
    prompt = links.PROMPTS[pipeline.is_chat(model)][0]
    return prompt, scores_of(model, pipeline.read_prompt(model, prompt).ids)[0]


def names_of(model) -> tuple[str, ...]:
    """Every token of a model as it is shown."""
    return _names(model.name, model.card.get("sha256", ""))


@st.cache_resource(max_entries=8, show_spinner=False)
def _names(name: str, sha256: str) -> tuple[str, ...]:
    model = engine.model(name)
    known = [model.tokenizer.name_of(i) for i in range(model.tokenizer.vocab_size)]
    return tuple(known + ["(unused)"] * (model.config.vocab_size - len(known)))


def stages(here: Desk, revealed: bool) -> Sampling:
    """The knobs, and the scores on their way through the filters; returns the settings."""
    shown = _controls(views.controls_view(len(here.scores)), key="sampling_controls")
    settings = links.clamp(shown.settings)
    began = time.perf_counter()
    view = views.pipeline_view(here.scores, settings, here.ids, here.names, revealed)
    seconds = here.seconds + time.perf_counter() - began
    _picture(view, key="sampling_picture")
    chapter.mark("computed", by=here.model.name, where="then microgpt.decoding.sampling",
                 seconds=seconds)  # fmt: skip
    chapter.text_twin(views.stages_in_words(view))
    return settings


def draw(here: Desk, settings: Sampling) -> int:
    """The ruler, one draw, a thousand draws; returns the seed."""
    state = _known("sampling_draw", "draws")
    probabilities = sampling.distribution(here.scores, settings, here.ids)
    began = time.perf_counter()
    wanted = links.clamp_draws(state)
    drawn = views.draws_view(probabilities, here.names, **wanted)
    seconds = time.perf_counter() - began
    _draw({
        "names": here.names, "probabilities": packed(probabilities.astype(np.float32)),
        "draws": drawn, "u": 0.5, "most": links.MOST_DRAWS,
    }, key="sampling_draw")  # fmt: skip
    if wanted["count"]:
        chapter.mark("computed", by="numpy.random.default_rng",
                     where=f"seed {wanted['seed']}, {wanted['count']:,} draws", seconds=seconds)
    chapter.text_twin(views.draws_in_words(drawn, probabilities, here.names))
    return wanted["seed"]


def _known(key: str, state: str):
    """A state of a component before it is mounted in this run; None at the very first time."""
    if key in st.session_state:
        return st.session_state[key].get(state)
    return st.session_state.get(f"{key}:memory", {}).get("values", {}).get(state)


def entropy_chart(here: Desk) -> None:
    """Entropy against temperature for this prompt, all filters off."""
    alt = engine.altair()

    temperatures, entropies = views.entropy_curve(here.scores)
    ceiling = float(np.log2(len(here.scores)))
    rows = [{"temperature": float(t), "entropy": float(h)} for t, h in
            zip(temperatures, entropies, strict=True)]  # fmt: skip
    x = alt.X("temperature:Q", title="temperature", scale=alt.Scale(domain=[0, 2]))
    y = alt.Y("entropy:Q", title="entropy, bits", scale=alt.Scale(domain=[0, ceiling * 1.05]))
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2.5).encode(
        x, y, color=alt.value(look.color("probability")),
        tooltip=[alt.Tooltip(f"{field}:Q", format=".2f") for field in rows[0]],
    )
    top = alt.Chart(alt.Data(values=[{"entropy": ceiling}])).mark_rule(strokeDash=[4, 4]).encode(
        y, color=alt.value(look.color("quiet"))
    )
    marked = [row | {"label": f"{row['entropy']:.2f} bits"} for row in rows
              if row["temperature"] in (0.0, 1.0, 2.0)]  # fmt: skip
    dots = alt.Chart(alt.Data(values=marked)).mark_point(filled=True, size=70, opacity=1).encode(
        x, y, color=alt.value(look.color("probability"))
    )
    sides = zip(marked, (36, 0, -28), strict=True)  # inside the frame at both ends
    words = [
        alt.Chart(alt.Data(values=[row])).mark_text(dy=-14, dx=dx, fontSize=13).encode(
            x, y, text="label:N", color=alt.value(look.color("probability"))
        )
        for row, dx in sides
    ]
    summary = views.entropy_in_words(temperatures, entropies, ceiling)
    st.altair_chart(alt.layer(top, line, dots, *words).properties(height=230), alt=summary)
    chapter.mark("computed", by=here.model.name, where="entropy at 41 temperatures")
    chapter.text_twin(summary)


