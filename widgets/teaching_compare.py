"""The chapter on alignment, drawn: methods on the same pairs, several scores, and the tax."""

import json

import streamlit as st

from microgpt.alignment.experiments import METHODS, RECORDED
from microgpt.alignment.preferences import find_task
from microgpt.alignment.scores import DIMENSIONS
from widgets import chapter, components, engine, teaching
from widgets import teaching_measure as measures
from widgets import teaching_policies as policies
from widgets import teaching_runs as runs
from widgets import teaching_view as views
from widgets.components import component
from widgets.teaching_runs import Result

WEIGHTS = "teaching_weights"
_weights = component(WEIGHTS, states={"weights": None})
NAMES = {"ppo": "PPO", "dpo": "DPO", "grpo": "GRPO"}


def methods(taste: Result | None, ppo: Result | None) -> Result | None:
    """DPO and GRPO on the pairs of section 3, beside PPO."""
    chat = engine.model("tiny-chat")
    work = (lambda: iter(())) if taste is None else (
        lambda: runs.compare(chat, policies.prepared(taste)))  # fmt: skip
    teaching.button("teaching_compare", "Train with DPO, then with GRPO", work,
                    "teaching_compare_go", disabled=taste is None, kind="primary")  # fmt: skip
    if taste is None:
        chapter.explain("They need the pairs of section 3 too.")

    def charts(moments):
        of = {m: [one for one in moments if one.says == m] for m in ("dpo", "grpo")}
        return views.pair_charts(of["dpo"], of["grpo"])

    run = teaching.follow("teaching_compare", METHODS["dpo"].steps, charts, "teaching_compare_run",
                          of=METHODS["dpo"].steps + METHODS["grpo"].steps)  # fmt: skip
    if run.moments:
        chapter.text_twin(views.charts_in_words(charts(run.moments)))
    if run.result is None:
        return None
    found = dict(run.result.measured)
    if ppo and taste and ppo.about["taste"] == taste.about["taste"]:
        found["ppo"] = ppo.measured
    st.markdown(views.methods_table(found["dpo"]["before"],
                                    [(NAMES[m], one) for m, one in found.items()]))  # fmt: skip
    chapter.mark("measured", by="microgpt.alignment",
                 where=f"{measures.ANSWERS} held-out questions; "
                 f"{len(taste.about['pairs']) if taste else 0} pairs")  # fmt: skip
    return run.result


@st.cache_resource(max_entries=1, show_spinner=False)
def recorded() -> dict:
    """The recorded comparison over three seeds."""
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def recorded_comparison() -> None:
    """What the methods came to in the recorded runs."""
    data = recorded()
    before = data["compared"][0]["before"]
    said = "; ".join(
        f"{NAMES[row['method']]} **{row['mean']:.2f}** ({row['low']:.2f} to {row['high']:.2f}) at "
        f"{row['kl']:.1f} nats"
        for row in views.recorded_scores(data)
    )
    chapter.explain(
        f"One run is luck. In three recorded ones, each on {data['pairs']} pairs of a simulated "
        f"rater, the true score went from {before:.2f} to: {said}."
    )
    chapter.mark("measured", where="recorded, seeds 1 to 3", by="python -m microgpt align-report")


def recorded_hacking() -> None:
    """The same run on record, for three seeds."""
    runs_ = recorded()["hacked"]
    said = []
    for name, label in (("free", "without a leash"), ("leashed", "with the leash at 0.5")):
        ends = [(entry[name][0], entry[name][-1]) for entry in runs_]
        said.append(label + " " + ", ".join(
            f"{a['true_score']:.2f} → {b['true_score']:.2f}" for a, b in ends))  # fmt: skip
    steps = len(runs_[0]["free"])
    chapter.explain(
        f"Is it luck? In three recorded runs of {steps} steps the true score went, "
        f"{said[0]}; {said[1]}."
    )
    chapter.mark("measured", where="recorded, seeds 1 to 3", by="python -m microgpt align-report")


# Several scores ------------------------------------------------------------------------------


def shipped() -> list[tuple[str, dict]]:
    """The scores of tiny-chat and tiny-aligned, from the card of the latter."""
    facts = engine.load("tiny-aligned").card["alignment"]["dimensions"]
    return [
        (name, {d: facts[d][i] for d in DIMENSIONS})
        for i, name in enumerate(("tiny-chat", "tiny-aligned"))
    ]


def mine() -> list[tuple[str, dict]]:
    """The measurements of this reader's policies, by name."""
    found = []
    for name, label in (("teaching_ppo", "yours: PPO"), ("teaching_free", "yours: hacked"),
                        ("teaching_weights", "yours: your weights")):  # fmt: skip
        if result := teaching.run_of(name).result:
            found.append((label, result.measured))
    if result := teaching.run_of("teaching_compare").result:
        found += [(f"yours: {NAMES[m]}", one) for m, one in result.measured.items()]
    return found


def weights_now() -> dict[str, float]:
    """The reader's weights, whatever the browser sent."""
    start = dict.fromkeys(DIMENSIONS, 0.0) | find_task("assistant").weights
    sent = components.state_of(WEIGHTS, "weights", None)
    sent = sent if isinstance(sent, dict) else {}
    good = {n: float(v) for n, v in sent.items()
            if n in start and type(v) in (int, float) and 0 <= v <= 1}  # fmt: skip
    return start | good


@st.fragment
def dimensions() -> None:
    """How much each side of "good" counts, and who is best then."""
    models = [*shipped(), *((name, m["dimensions"]) for name, m in mine())]
    view = {
        "names": list(DIMENSIONS),
        "start": weights_now(),
        "models": [{"name": name, "scores": scores} for name, scores in models],
    }
    _weights(view, key=WEIGHTS)
    weights = weights_now()
    chapter.mark("measured", where="held-out questions, wishes kind and mean among them: 512 for "
                 f"the models that ship, {measures.ANSWERS} for yours")  # fmt: skip
    if sum(weights.values()) > 0:
        total = sum(weights.values())
        ranked = sorted(
            ((sum(w * scores[d] for d, w in weights.items()) / total, name)
             for name, scores in models), reverse=True)  # fmt: skip
        said = "; ".join(f"{name} {score:.2f}" for score, name in ranked)
        chapter.text_twin(f"With these weights, best first: {said}.")


def follow_weights() -> None:
    """GRPO with the weighted scores for a reward."""
    chat = engine.model("tiny-chat")
    teaching.button(
        "teaching_weights", "Train with GRPO on these weights",
        lambda: runs.follow_weights(chat, weights_now()), "teaching_weights_go",
    )  # fmt: skip
    run = teaching.follow(
        "teaching_weights", runs.WEIGHED.steps,
        lambda moments: [
            views.chart("GRPO: your weighted score",
                        [views.line(moments, "reward", "score", "value")]),
            views.chart("KL from tiny-chat, nats an answer",
                        [views.line(moments, "kl", "KL", "gradient")], (0, 1)),
        ],
        "teaching_weights_chart",
    )  # fmt: skip
    if run.result:
        told = ", ".join(f"{n} {w:g}" for n, w in run.result.about["weights"].items() if w)
        chapter.explain(f"Trained on {told}. Its line stands in the table above.")
        chapter.mark("measured", by="microgpt.alignment.grpo",
                     seconds=run.result.measured["seconds"])  # fmt: skip


# The tax -------------------------------------------------------------------------------------


def tax() -> None:
    """What the reader's own runs cost, in held-out loss."""
    rows = [(name, m["losses"], m["before"]["losses"]) for name, m in mine()]
    for kind, label in (("full", "all weights"), ("lora", "LoRA")):
        if result := teaching.run_of(f"teaching_{kind}").result:
            m = result.measured
            rows.append((f"yours: {label}, from tiny-base", m["losses"], m["before"]["losses"]))
    if not rows:
        chapter.explain("Yours will stand here as soon as you have trained one.")
        return
    st.markdown(views.tax_table(rows))
    batches = measures.LOSS_BATCHES
    chapter.mark("measured", where=f"nats a token, {batches} held-out batches of each")


@st.fragment
def ask_all() -> None:
    """One question to every model there is, the reader's own among them."""
    asked = st.text_input(
        "Ask them all", key="teaching_ask_all", max_chars=teaching.LONGEST, width=420,
        persist_state="session", placeholder="How do I help the queen?",
    )  # fmt: skip
    asked = " ".join((asked or "").split())
    if not asked:
        return
    models = {name: engine.model(name) for name in teaching.NEEDED}
    models |= {name: measures.usable(model) for name, model in own_models().items()}
    rows = [(name, [teaching.ask(model, asked)]) for name, model in models.items()]
    teaching.show_answers(f"Answers to {asked}", ["says"], rows, "teaching_all")
    chapter.mark("computed", by=f"{len(models)} models", where="the likeliest token each time")


def own_models() -> dict:
    """The reader's models whose weights the server still has."""
    found = {}
    for name in teaching.SECONDS:
        run = teaching.run_of(name)
        if run.result:
            found |= run.result.models
    return found
