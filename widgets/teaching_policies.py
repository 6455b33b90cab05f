"""The chapter on alignment, drawn: PPO on a leash, a reward that is hacked, and its repair."""

from dataclasses import replace

import streamlit as st

from microgpt.alignment.experiments import METHODS, SEEDS, Preferences
from microgpt.alignment.preferences import find_task
from widgets import chapter, engine, teaching
from widgets import teaching_measure as measures
from widgets import teaching_runs as runs
from widgets import teaching_view as views
from widgets.teaching_runs import Result

LEASHES = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)
STEPS = METHODS["ppo"].steps


def prepared(taste: Result) -> Preferences:
    """The pairs and the reward model of the section before, as the methods want them."""
    task = find_task(taste.about["taste"])
    return Preferences(task, 1, taste.about["pairs"], (), taste.reward)


def whose(taste: Result) -> str:
    """Whose score the hidden true one is, said so that nobody takes it for the reader's."""
    if taste.about["by"] == "you":
        return (
            "The true score in the middle is *not* yours, for nobody can compute what you like: it "
            "is a program's, which likes kind words around a right answer."
        )
    return (
        "The true score in the middle is the simulated rater's own, which neither the reward "
        "model nor PPO ever sees."
    )


def before_and_after(columns: list[tuple[str, Result]], key: str) -> None:
    """Answers to the same held-out questions, with the same luck, before and after."""
    before = columns[0][1].measured["before"]["says"]
    rows = [(q.text, [before[i], *(r.measured["says"][i] for _, r in columns)])
            for i, q in enumerate(measures.shown_questions())]  # fmt: skip
    teaching.show_answers("Before and after", ["tiny-chat, before", *(n for n, _ in columns)], rows,
                          key)  # fmt: skip


def ppo(taste: Result | None) -> teaching.Run:
    """PPO against the reader's reward model, with the leash as the one dial."""
    chat = engine.model("tiny-chat")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        beta = st.select_slider(
            "The leash: what a nat of distance costs", LEASHES, value=0.05, key="teaching_beta",
            persist_state="session", width=320,
            format_func=lambda b: f"{b:g}" if b else "0, no leash",
        )  # fmt: skip
        if taste is None:
            teaching.button("teaching_ppo", "Train with PPO", lambda: iter(()), "teaching_ppo_go",
                            disabled=True, kind="primary")  # fmt: skip
        else:
            options = replace(METHODS["ppo"], beta=float(beta))
            teaching.button(
                "teaching_ppo", "Train with PPO",
                lambda: runs.improve(chat, prepared(taste), "ppo", options,
                                     {"by": taste.about["by"]}),
                "teaching_ppo_go", kind="primary",
            )  # fmt: skip
    if taste is None:
        chapter.explain("There is no reward model yet: judge some pairs above, or let the "
                        "simulated rater do it.")  # fmt: skip
    run = teaching.follow("teaching_ppo", STEPS, views.ppo_charts, "teaching_ppo_run")
    if not run.moments:
        return run
    chapter.text_twin(views.charts_in_words(views.ppo_charts(run.moments)))
    with st.expander("Inside PPO: value, clip fraction, length"):
        teaching.draw_run(views.ppo_insides(run.moments), STEPS, "teaching_ppo_insides")
        first = run.moments[0].numbers
        chapter.explain(
            f"In the very first minibatch nothing has moved: ratio {first['ratio_first']:.3f}, KL "
            f"{abs(first['kl']):.3f}, clip fraction {first['clipped_first']:.3f}. "
            + views.charts_in_words(views.ppo_insides(run.moments))
        )  # fmt: skip
    if run.result:
        _ppo_result(run, taste)
    return run


def _ppo_result(run: teaching.Run, taste: Result | None) -> None:
    about, measured = run.result.about, run.result.measured
    before = measured["before"]
    if taste:
        chapter.explain(whose(taste))
    chapter.explain(
        f"With leash {about['beta']:g}, on questions it never practised on: true score "
        f":probability[**{before['true_score']:.2f} → {measured['true_score']:.2f}**], learned "
        f"reward now :value[**{measured['reward']:+.2f}**], **{measured['kl']:.2f}** nats an "
        "answer away from where it began."
    )
    chapter.mark("measured", by="microgpt.alignment.ppo", seconds=measured["seconds"],
                 where=f"{about['steps']} steps of {METHODS['ppo'].rows} answers")  # fmt: skip
    before_and_after([("after PPO", run.result)], "teaching_ppo_says")


# Reward hacking ------------------------------------------------------------------------------

VARIANTS = {
    "free": "no leash, a reward that counts words",
    "leashed": f"the same reward, leash {runs.LEASHES['leashed']:g}",
    "careful": f"a rater who reads, leash {runs.LEASHES['careful']:g}",
}
LABELS = {
    "free": "Take the leash off",
    "leashed": "Repair it: put the leash back",
    "careful": "Repair it: reward what you meant",
}


def hacking() -> dict[str, teaching.Run]:
    """A flawed reward followed too far, and two ways to repair it."""
    chat = engine.model("tiny-chat")
    seed = st.segmented_control("Seed", SEEDS, default=1, key="teaching_seed",
                                persist_state="session", required=True) or 1  # fmt: skip
    done = {v: teaching.run_of(f"teaching_{v}") for v in VARIANTS}
    with st.container(horizontal=True, gap="small"):
        for variant, label in LABELS.items():
            if variant == "free" or done["free"].result:
                teaching.button(
                    f"teaching_{variant}", label,
                    lambda v=variant: runs.hack(chat, v, seed), f"teaching_{variant}_go",
                    kind="primary" if variant == "free" else "secondary",
                )  # fmt: skip
    shown = next((v for v in VARIANTS if done[v].going), None)
    shown = shown or next((v for v in reversed(VARIANTS) if done[v].result), None)
    shown = shown or next((v for v in VARIANTS if done[v].job), None)
    if shown is None:
        return done
    others = [(VARIANTS[v], done[v].moments) for v in VARIANTS if v != shown and done[v].result]

    def charts(moments):
        return views.ppo_charts(moments, others[:1])

    chapter.explain(f"Solid: {VARIANTS[shown]}."
                    + (f" Dashed: {others[0][0]}." if others else ""))  # fmt: skip
    run = teaching.follow(f"teaching_{shown}", runs.HACKING.steps, charts, "teaching_hack_run")
    if run.moments:
        chapter.text_twin(views.charts_in_words(charts(run.moments)))
    _hacking_result({v: teaching.run_of(f"teaching_{v}") for v in VARIANTS})
    return done


def _hacking_result(done: dict[str, teaching.Run]) -> None:
    finished = {v: run for v, run in done.items() if run.result}
    if not finished:
        return
    for variant, run in finished.items():
        words = views.hacked_in_words(run.moments)
        chapter.explain(f"**{VARIANTS[variant][0].upper()}{VARIANTS[variant][1:]}.** {words}")
    last = list(finished.values())[-1].result
    chapter.mark("measured", by="microgpt.alignment.ppo", seconds=last.measured["seconds"],
                 where=f"{runs.HACKING.steps} steps of {runs.HACKING.rows} answers, seed "
                 f"{last.about['seed']}, which gives the same run again")  # fmt: skip
    columns = [(VARIANTS[v], run.result) for v, run in list(finished.items())[-2:]]
    before_and_after(columns, "teaching_hack_says")
