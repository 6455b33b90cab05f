"""A trained model to talk to, to take away and to bring back."""

import numpy as np
import streamlit as st

from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import Sampling
from microgpt.model import bundle
from microgpt.model.checkpoint import Model
from microgpt.model.gpt import count_parameters
from microgpt.tokens.chat import BEGIN, END
from microgpt.training.parallel import single_threaded_blas
from widgets import chapter, prose

BASE, PROBLEM = "pre_training:base", "pre_training:base_problem"
SAMPLE_TOKENS, MOST_TOKENS = 48, 96
MEGABYTES = bundle.LARGEST // 2**20


def write(model: Model, prompt: str = "", seed: int = 7, tokens: int = SAMPLE_TOKENS) -> str:
    """What the model writes after a prompt, drawn at temperature 0.7; always of the same seed, so
    that only the weights change from sample to sample."""
    ids = [model.tokenizer.specials[BEGIN], *model.tokenizer.encode(prompt)]
    end = model.tokenizer.specials[END]
    rng = np.random.default_rng(seed)
    with single_threaded_blas():
        steps = generate(model, ids, Sampling(temperature=0.7), tokens, rng, [end])
        found = [step.token for step in steps]
    return prompt + model.tokenizer.decode([token for token in found if token != end])


def talk(model: Model, key: str) -> None:
    """A prompt, and what the model makes of it."""
    with (
        st.form(key=f"{key}_form", border=False),
        st.container(horizontal=True, gap="small", vertical_alignment="bottom"),
    ):
        prompt = st.text_input("Let it go on from", "Once upon a time", max_chars=200,
                               key=f"{key}_prompt", width=420)  # fmt: skip
        asked = st.form_submit_button("Write", icon=":material/edit:")
    if asked:
        st.session_state[f"{key}:seed"] = st.session_state.get(f"{key}:seed", 0) + 1
        seed = st.session_state[f"{key}:seed"]
        st.session_state[f"{key}:text"] = write(model, prompt, seed, MOST_TOKENS)
    if text := st.session_state.get(f"{key}:text"):
        st.code(text, language=None, wrap_lines=True)
        chapter.mark("computed", by="the model that you trained", where="temperature 0.7")


def downloads(model: Model) -> None:
    """Three forms of the same weights."""
    forms = {
        "hf": ("For Hugging Face", "my-gpt-hf.zip"), "gguf": ("For llama.cpp", "my-gpt.gguf"),
    }  # fmt: skip
    with st.container(horizontal=True, gap="small", key="pre_training_downloads"):
        st.download_button("Download the model", lambda: bundle.pack(model), "my-gpt.zip",
                           "application/zip", key="pre_training_zip", on_click="ignore",
                           icon=":material/download:")  # fmt: skip
        for form, (label, file) in forms.items():
            st.download_button(label, lambda form=form: bundle.exported(model, form)[1], file,
                               "application/octet-stream", key=f"pre_training_{form}",
                               on_click="ignore", type="tertiary")  # fmt: skip
    st.markdown(":small[:gray[The first is a zip of weights (safetensors, float16), tokenizer and "
                "card, which this page reads again. The second opens in `transformers`, the third "
                "in llama.cpp.]]")  # fmt: skip


def bring_back() -> Model | None:
    """A model that was downloaded here; the page goes on from it until it is put away."""
    with st.expander("Bring back a model that you downloaded", type="compact",
                     key="pre_training_back"):  # fmt: skip
        st.file_uploader(f"The zip from this page, at most {MEGABYTES} MB", type="zip",
                         key="pre_training_model", max_upload_size=MEGABYTES,
                         on_change=_brought)  # fmt: skip
        if problem := st.session_state.get(PROBLEM):
            st.warning(prose.literal(problem))
        model = st.session_state.get(BASE)
        if model is None:
            return None
        trained = model.card.get("tokens_seen")
        read = f", which has read {trained:,} tokens" if isinstance(trained, int) else ""
        config = model.config
        chapter.explain(
            f"A model of {count_parameters(config):,} weights is back{read}: {config.layers} "
            f"layers, {config.width} wide, {config.vocab_size:,} tokens. The next run goes on from "
            "it, with its own tokenizer and shape, and with fresh moments in the optimizer."
        )
        talk(model, "pre_training_base")
        st.button("Put it away", key="pre_training_away", type="tertiary", on_click=forget)
    return model


def forget() -> None:
    for name in (BASE, PROBLEM, "pre_training_base:text"):
        st.session_state.pop(name, None)


def _brought() -> None:
    file = st.session_state["pre_training_model"]
    if file is None:
        return
    try:
        st.session_state[BASE] = bundle.unpack(file.getvalue())
        st.session_state[PROBLEM] = ""
    except ValueError as error:
        st.session_state[PROBLEM] = f"{file.name[:80]}: {error}"
