"""The machine of chapter 20: the prompt, the answer as it streams, and every stage of the way.

compute (`run`) -> view (press_enter_view, press_enter_insides) -> render (`desk`, `machine`).
"""

import html
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import streamlit as st

from microgpt.decoding import pipeline
from microgpt.decoding.sampling import Sampling
from microgpt.training.parallel import single_threaded_blas
from widgets import engine, look, marks, prose
from widgets import press_enter_insides as insides
from widgets import press_enter_link as links
from widgets import press_enter_view as views
from widgets.components import BUDGET, asset, payload
from widgets.press_enter_link import LONGEST_SYSTEM, MOST_TOKENS, Request
from widgets.sampling_link import ADDRESS

# One component of several scripts, so that each can be read.
SCRIPTS = ("shared", "press_enter_drawing", "press_enter_attention", "press_enter_stages",
           "press_enter_costs", "press_enter")  # fmt: skip
_machine = st.components.v2.component(
    "press_enter_machine",
    html='<div class="root"></div>',
    css="\n".join([look.variables(":host"), asset("shared.css"), asset("press_enter.css")]),
    js="\n".join(asset(f"{script}.js") for script in SCRIPTS),
)

KEY = "press_enter_machine"
PREFIX = "press_enter_"
CONTROLS = ("prompt", "model", "system", "temperature", "top_k", "top_p", "min_p",
            "repetition_penalty", "seed", "tokens")  # fmt: skip
NAMES = {"prompt": "prompt", "system": "system prompt"}
PAINT_EVERY = 0.03  # seconds between two pictures of the growing answer
SPARE = 50_000  # bytes of a message left for what the frame adds


@dataclass
class Run:
    """One answer and what was recorded of its passes so far."""

    request: Request
    built: views.Builder
    stamp: str = ""  # tells one press of Enter from another
    start: tuple[int, str] = (0, "text")  # the pass and stage to open at
    autoplay: bool = False
    seconds: float = 0.0  # from the first stage to the last token
    first_seconds: float = 0.0  # to the first token
    insides: dict[int, dict] = field(default_factory=dict)
    live: dict = field(default_factory=dict)  # arrays of the first pass, for the source panels

    @property
    def model(self):
        return self.built.model

    @property
    def tokens_per_second(self) -> float:
        return len(self.built.turns) / self.seconds


def run(model, request: Request, paint: Callable[[str], None] = lambda text: None) -> Run:
    """Answer a request; `paint` is given the text so far, at once and then at times."""
    begin = time.perf_counter()
    room = min(request.tokens, model.config.context // 2)
    with single_threaded_blas():
        prompt = pipeline.read_prompt(model, request.prompt, request.system, reserve=room)
        done, painted = Run(request, views.Builder(model, prompt)), 0.0
        steps = pipeline.answer(model, prompt, request.settings, request.tokens, request.seed)
        for event in steps:
            done.built.add(event)
            now = time.perf_counter()
            done.first_seconds = done.first_seconds or now - begin
            done.seconds = now - begin
            if now - painted > PAINT_EVERY:
                paint(done.built.text)
                painted = now
    return done


def record(done: Run, first: int, needed: int, budget: int) -> dict[int, dict]:
    """The insides of a stretch of passes that fits the budget, recorded where they are not yet."""
    if not done.live:
        _keep(done, next(_recorded(done, 0)))

    def passes():
        fresh = None
        for index in range(first, len(done.built.turns)):
            if index not in done.insides:
                fresh = fresh or _recorded(done, index)
                _keep(done, next(one for one in fresh if one.index == index))
            yield index, done.insides[index]

    with single_threaded_blas():
        return insides.affordable(passes(), needed, budget)


def _keep(done: Run, one: pipeline.Pass) -> None:
    """Of a recorded pass only what is shown is kept: the whole may have a hundred megabytes."""
    done.insides[one.index] = insides.inside(done.model, one)
    if one.index == 0:
        done.live = {
            "weights": one.value("blocks.0.attention.weights"),
            "logits": one.value("logits")[:, -1:].copy(),  # the last token's: those that speak
        }


def _recorded(done: Run, first: int):
    built = done.built
    rows = insides.rows_shown(done.model.config, built.said_at[-1])
    return pipeline.record_passes(done.model, built.ids, built.said_at, first, rows)


def desk() -> Run | None:
    """The prompt, its settings and the streamed answer; None where there is no model."""
    models = engine.dense_models()  # whose insides the machine can open
    if not models:
        st.warning("There is no trained model here yet. `python -m microgpt train tiny-base` "
                   "makes one; then this page comes to life.")  # fmt: skip
        return None
    notices = _adopt_address(models)
    request = _controls(models)
    model = engine.model(request.model)
    engine.wait("answering")
    try:
        done = _answer(model, request)
    except ValueError as error:
        st.error(str(error))
        return None
    for notice in (*notices, *done.built.prompt.notices):
        st.markdown(f":small[:material/info: {prose.literal(notice)}]")
    _write_address(request, models)
    return done


def _controls(models: list[str]) -> Request:
    """The prompt and Enter; who answers; and, folded, everything else."""
    if _get("model") not in models:
        _put(links.opening(models))
    with st.form(PREFIX + "form", border=False):
        box, button = st.columns([5, 1], vertical_alignment="bottom")
        box.text_input("Your prompt", key=PREFIX + "prompt", persist_state="session")
        button.form_submit_button("Enter ⏎", type="primary", width="stretch", on_click=_enter)
    model = engine.model(_get("model"))
    chats = pipeline.is_chat(model)
    with st.container(horizontal=True, gap="small", key=PREFIX + "presets"):
        for i, preset in enumerate(links.presets(model.name, chats)):
            st.button(preset.label, key=f"{PREFIX}preset_{i}", help=preset.expect,
                      on_click=_take, args=(preset,))  # fmt: skip
        with st.popover(_settings_label(chats), icon=":material/tune:"):
            _settings(models, chats)
    settings = Sampling(**{name: _get(name) for name in CONTROLS[3:8]})
    return Request(_get("prompt") or "", _get("model"), _get("system") if chats else "", settings,
                   int(_get("seed")), int(_get("tokens")))  # fmt: skip


def _settings(models: list[str], chats: bool) -> None:
    def keys(name):
        return {"key": PREFIX + name, "persist_state": "session"}

    left, right = st.columns([1, 2])
    left.selectbox("Model", models, **keys("model"))
    right.text_input("System prompt", disabled=not chats, on_change=_cut, args=("system",),
                     help=None if chats else "Only a model that chats has one.",
                     **keys("system"))  # fmt: skip
    a, b, c = st.columns(3)
    a.slider("Temperature", 0.0, 2.0, step=0.05, **keys("temperature"))
    b.slider("Top-p", 0.01, 1.0, step=0.01, **keys("top_p"))
    c.slider("Min-p", 0.0, 1.0, step=0.01, **keys("min_p"))
    d, e, f, g = st.columns(4)
    d.number_input("Top-k (0: off)", 0, 1000, step=1, **keys("top_k"))
    e.number_input("Repetition penalty", 1.0, 5.0, step=0.05, **keys("repetition_penalty"))
    f.number_input("Seed", 0, 999_999, step=1, **keys("seed"))
    g.number_input("New tokens, at most", 1, MOST_TOKENS, step=1, **keys("tokens"))


def _settings_label(chats: bool) -> str:
    words = [f"{_get('model')}", f"temperature {_get('temperature'):g}"]
    return ", ".join([*words, "a system prompt"] if chats and _get("system") else words)


def _answer(model, request: Request) -> Run:
    """The answer of this request: streamed when Enter was pressed or anything has changed."""
    stamp = (request, model.card.get("sha256"), st.session_state.get(PREFIX + "entered", 0))
    place = st.empty()
    known = st.session_state.get(PREFIX + "run")
    if known is None or known[0] != stamp:
        done = run(model, request, lambda text: _paint(place, text))
        done.stamp = f"{abs(hash(stamp)):x}"
        done.start = st.session_state[PREFIX + "address"].pop("moment", done.start)
        done.autoplay = known is not None and known[0][2] != stamp[2]
        known = st.session_state[PREFIX + "run"] = (stamp, done)
    done = known[1]
    _paint(place, done.built.text)
    said = len(done.built.turns)
    st.markdown(
        f":small[:gray[:material/timer: {marks.line('measured', by=model.name)}: {said} "
        f"{'token' if said == 1 else 'tokens'} in {marks.duration(done.seconds)}, the first after "
        f"{marks.duration(done.first_seconds)}; {done.tokens_per_second:,.0f} tokens per second]]"
    )
    return done


def _paint(place, text: str) -> None:
    shown = html.escape(text) or "…"
    place.html(f'<p class="answer" dir="auto" style="white-space: pre-wrap; font-size: 1.25rem; '
               f'line-height: 1.5; margin: 0; color: var(--probability); '
               f'overflow-wrap: anywhere">{shown}</p>')  # fmt: skip


@st.fragment
def machine(done: Run) -> None:
    """Every stage of every pass; asks the engine only for passes that were not sent yet."""
    stamp, start = done.stamp, done.start
    last = len(done.built.turns) - 1
    wanted = (st.session_state.get(KEY) or {}).get("wanted")
    needed = min(start[0], last)
    if isinstance(wanted, list) and wanted[:1] == [stamp] and isinstance(wanted[-1], int):
        needed = min(max(wanted[-1], 0), last)
    request = done.request
    outline = views.machine(done.built, {}, request.settings, request.seed, start, done.autoplay)
    budget = BUDGET - SPARE - insides.size(outline)
    found = record(done, max(0, needed - 4), needed, budget)
    view = {**outline, "run": stamp, "insides": {str(i): one for i, one in found.items()},
            "links": {"sampling": _sampling_link(done)}}  # fmt: skip
    # A list of one: Streamlit looks for data frames in a dict, and would import pandas for that.
    _machine(key=KEY, data=[payload(view)], default={"wanted": None}, on_wanted_change=_nothing)


def _nothing() -> None:
    pass


def flops_per_second(done: Run) -> float:
    """Operations a second over the whole answer on the fast path, by formula and clock."""
    flops = sum(flops for turn in done.built.turns for flops, _ in turn.costs)
    return flops / sum(turn.model_seconds for turn in done.built.turns)


def _sampling_link(done: Run) -> str:
    """The chapter on sampling with these settings; the component adds the text so far.

    Empty where that chapter could not show the same: it has no system prompt, and drops other
    tokens of a text that is too long.
    """
    request, prompt = done.request, done.built.prompt
    shortened = sum(len(piece.text) for piece in prompt.pieces if piece.role != "special")
    if request.system or shortened < len(prompt.text):
        return ""
    settings = {short: f"{getattr(request.settings, name):g}" for name, short in ADDRESS.items()}
    return "sampling?" + urlencode({"m": request.model, **settings, "s": request.seed})


# What the reader set, kept under the keys of the widgets ---------------------------------------


def _get(name: str):
    return st.session_state.get(PREFIX + name)


def _put(request: Request) -> None:
    settings = {name: getattr(request.settings, name) for name in CONTROLS[3:8]}
    values = {"prompt": request.prompt, "model": request.model, "system": request.system,
              "seed": request.seed, "tokens": request.tokens, **settings}  # fmt: skip
    for name, value in values.items():
        st.session_state[PREFIX + name] = value


def _cut(name: str) -> None:
    """Keep no more of a huge text than is read, and say so."""
    most = LONGEST_SYSTEM if name == "system" else pipeline.MOST_CHARACTERS
    text, notices = pipeline.cut_text(_get(name) or "", most, f"The {NAMES[name]}")
    st.session_state[PREFIX + name] = text
    st.session_state[PREFIX + "cut"] = tuple(notices)


def _enter() -> None:
    """Enter was pressed: answer again."""
    _cut("prompt")
    st.session_state[PREFIX + "entered"] = st.session_state.get(PREFIX + "entered", 0) + 1


def _take(preset: links.Preset) -> None:
    st.session_state[PREFIX + "prompt"] = preset.prompt
    st.session_state[PREFIX + "system"] = preset.system
    _enter()


def _adopt_address(models: list[str]) -> tuple[str, ...]:
    """A link that was followed sets everything on the page; its faults are said once."""
    address = {k: st.query_params[k] for k in links.NAMES if k in st.query_params}
    memory = st.session_state.setdefault(PREFIX + "address", {"seen": {}, "notices": ()})
    if address and address != memory["seen"]:
        request, moment, notices = links.read_address(address, models)
        _put(request)
        memory.update(seen=address, notices=notices, moment=moment)
    return (*memory["notices"], *st.session_state.pop(PREFIX + "cut", ()))


def _write_address(request: Request, models: list[str]) -> None:
    """Keep the address such that it brings another reader to this very page."""
    memory, address = st.session_state[PREFIX + "address"], links.write_address(request, models)
    shown = {k: st.query_params[k] for k in links.NAMES if k in st.query_params and k != "at"}
    if shown != address:
        others = {k: v for k, v in st.query_params.items() if k not in links.NAMES}
        st.query_params.from_dict({**others, **address})
        memory.update(seen=address, notices=())
