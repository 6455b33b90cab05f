"""Who goes where: a reader's own tokens through the trained router, layer by layer."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.autograd.experts import balance_loss
from microgpt.decoding.prompt import cut_text
from microgpt.model.trace import trace
from microgpt.tokens.chat import BEGIN, special
from widgets import chapter, engine, prose
from widgets.components import component, packed

KEY = "architectures_experts"
MODEL = "tiny-moe"
MOST = 64  # tokens that are shown
TEXT = "Once upon a time there was a small dog. What is 12 + 35? The capital of France is Paris."

_mount = component(KEY, states={"layer": 0})


@dataclass(frozen=True)
class Routes:
    """Where each token goes: `router` (L, T, E) before the cut, `chosen` (L, T, K) and `shares`
    (L, T, K) after it; `loads` (L, E) is each expert's part of all choices, `balance` (L,) the
    balance loss of this text."""

    tokens: tuple[str, ...]
    router: np.ndarray
    chosen: np.ndarray
    shares: np.ndarray
    loads: np.ndarray
    balance: np.ndarray
    notices: tuple[str, ...]
    seconds: float


def routes(model, text: str) -> Routes:
    """Run the model over a text, <|begin|> in front, and keep what its routers did."""
    text, notices = cut_text(text, what="The text")
    ids = [special(model.tokenizer, BEGIN), *model.tokenizer.encode(text)]
    if len(ids) > MOST:
        notices.append(f"Of the {len(ids):,} tokens the first {MOST} are shown.")
    ids = ids[:MOST]
    began = time.perf_counter()
    values = trace(model.params, np.array([ids]), model.config)
    seconds = time.perf_counter() - began
    router, chosen, shares = (
        np.stack([values[f"blocks.{i}.mlp.{name}"][0] for i in range(model.config.layers)])
        for name in ("router", "chosen", "shares")
    )
    experts = model.config.experts
    loads = np.stack([np.bincount(c.ravel(), minlength=experts) / c.size for c in chosen])
    balance = np.array([balance_loss(p, c) for p, c in zip(router, chosen, strict=True)])
    names = tuple(model.tokenizer.name_of(token) for token in ids)
    return Routes(names, router, chosen, shares, loads, balance, tuple(notices), seconds)


def view_of(found: Routes) -> dict:
    return {
        "tokens": found.tokens,
        "layers": len(found.loads),
        "experts": found.loads.shape[1],
        "router": packed(found.router.astype(np.float32)),
        "chosen": packed(found.chosen.astype(np.int32)),
        "shares": packed(found.shares.astype(np.float32)),
        "loads": found.loads,
        "active": found.chosen.shape[2],
    }


def in_words(found: Routes, layer: int) -> str:
    load = found.loads[layer]
    most, least = int(load.argmax()), int(load.argmin())
    surest = int(found.shares[layer, :, 0].argmax())
    return (
        f"In layer {layer + 1}, expert {most + 1} gets the most, {load[most]:.0%} of the choices "
        f"of these {len(found.tokens)} tokens, and expert {least + 1} the least, "
        f"{load[least]:.0%}; an equal share is {1 / len(load):.1%}. The balance loss here is "
        f"{found.balance[layer]:.2f}, where 1 is all equal. The most one-sided token is "
        f"`{found.tokens[surest].replace('`', 'ˋ')}`: expert "
        f"{found.chosen[layer, surest, 0] + 1} gives {found.shares[layer, surest, 0]:.0%} of its "
        "answer."
    )


@st.fragment
def routing(model) -> Routes:
    """Draw the widget."""
    text = st.text_input(
        "Your text", TEXT, key=f"{KEY}_text", persist_state="session", max_chars=20_000
    )
    found = routes(model, text or "")
    for notice in found.notices:
        st.markdown(f":small[:material/info: {prose.literal(notice)}]")
    shown = _mount(view_of(found), key=KEY)
    layer = _layer(shown.layer, len(found.loads))
    chapter.mark(
        "computed", by=model.name, where=f"layer {layer + 1} of {len(found.loads)}",
        seconds=found.seconds,
    )  # fmt: skip
    chapter.text_twin(in_words(found, layer))
    return found


def _layer(value, layers: int) -> int:
    """A browser may send anything."""
    return value if isinstance(value, int) and 0 <= value < layers else 0


def router_model():
    return engine.model(MODEL)
