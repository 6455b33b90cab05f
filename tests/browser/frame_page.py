"""A page of nothing but the frame, for test_frame.py: run by Streamlit, not by pytest."""

import numpy as np
import streamlit as st

from microgpt.autograd import kernels, ops
from widgets import chapter, glossary, look, progress, source

st.set_page_config(layout="wide")
look.apply()
progress.reset_run()
st.session_state["chapter"] = "sampling"
st.title("Frame")

chapter.predict(chapter.Choice("What comes?", ["heads", "tails"], answer=0, explain="heads"))
chapter.read_code(
    ops.causal_softmax,
    focus="return",
    live={"weights": np.array([[0.25, -np.inf]], np.float32)},
    fast=kernels.causal_softmax,
    ran="fast",
)
chapter.read_code(source.highlight, focus="kinds", opened=False)
chapter.check(
    chapter.Choice("Which [[token]]?", ["this", "that"], answer=1, explain=["no, that", "yes"]),
    chapter.Number("How many?", answer=lambda: 7, tolerance=0, explain="seven"),
)
glossary.draw()
