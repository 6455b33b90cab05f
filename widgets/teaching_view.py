"""The charts of the chapter on alignment as plain values, and the same in words. Pure."""

from collections.abc import Sequence

import numpy as np

from microgpt.alignment.reward import LN2
from widgets.teaching_runs import Moment, Result

SMOOTH = 0.8  # of a noisy loss, for the eye; the raw one stays behind it


def line(moments: Sequence[Moment], number: str, name: str, color: str, dash: str = "",
         faint: bool = False) -> dict:  # fmt: skip
    """One number of the moments that have it, against their step."""
    known = [m for m in moments if number in m.numbers]
    return {
        "name": name, "color": color, "dash": dash, "faint": faint,
        "x": [m.step for m in known], "y": [float(m.numbers[number]) for m in known],
    }  # fmt: skip


def smoothed(moments: Sequence[Moment], number: str, name: str, color: str, dash: str = "") -> dict:
    """Its running mean."""
    found, mean = line(moments, number, name, color, dash), None
    values = []
    for y in found["y"]:
        mean = y if mean is None else SMOOTH * mean + (1 - SMOOTH) * y
        values.append(mean)
    return {**found, "y": values}


def chart(title: str, lines: Sequence[dict], domain=None, rule: tuple[str, float] | None = None):
    return {
        "title": title,
        "lines": [entry for entry in lines if entry["x"]],
        "domain": list(domain) if domain else None,
        "rule": {"name": rule[0], "y": rule[1]} if rule else None,
    }


def tuning_charts(runs: dict[str, Sequence[Moment]]) -> list[dict]:
    """The loss of fine-tuning, all weights and corrections in one picture."""
    looks = {"full": ("all weights", "loss", ""), "lora": ("LoRA", "query", "6 4")}
    lines = []
    for kind, moments in runs.items():
        name, color, dash = looks[kind]
        lines += [line(moments, "loss", name, color, faint=True),
                  smoothed(moments, "loss", name, color, dash)]  # fmt: skip
    return [chart("Loss on what the assistant says, running mean", lines, (0, 0.5))]


def reward_charts(moments: Sequence[Moment]) -> list[dict]:
    return [
        chart("Loss of the reward model", [line(moments, "loss", "loss", "loss")], (0, 0.8),
              ("ln 2, no idea", LN2)),
        chart("Its batch's pairs in the right order",
              [line(moments, "accuracy", "share", "value")], (0, 1), ("a coin", 0.5)),
    ]  # fmt: skip


def ppo_charts(moments: Sequence[Moment], before: Sequence[tuple[str, Sequence[Moment]]] = ()):
    """Reward and true score, the distance, and how hard each step pulls. `before` are earlier
    runs to compare with, by name."""
    scores = [line(moments, "reward", "learned reward", "value")]
    truths = [line(moments, "true", "true score", "probability")]
    ways = [line(moments, "kl", "KL", "gradient")]
    for name, earlier in before:
        scores.append(line(earlier, "reward", name, "value", "5 4"))
        truths.append(line(earlier, "true", name, "probability", "5 4"))
        ways.append(line(earlier, "kl", name, "gradient", "5 4"))
    return [
        chart("Learned reward, in deviations", scores),
        chart("Hidden true score, 0 to 1", truths, (0, 1)),
        chart("KL from tiny-chat, nats an answer", ways, (0, 1)),
    ]


def ppo_insides(moments: Sequence[Moment]) -> list[dict]:
    return [
        chart("Value: the reward expected before the first token",
              [line(moments, "value", "expected", "query"),
               line(moments, "reward", "what came", "value", "5 4")]),
        chart("Clip fraction: tokens whose ratio left 0.8 to 1.2",
              [line(moments, "clipped_first", "first minibatch", "token", "2 3"),
               line(moments, "clipped", "mean of all", "gradient")], (0, 0.1)),
        chart("Tokens an answer", [line(moments, "length", "tokens", "token")]),
    ]  # fmt: skip


def pair_charts(dpo: Sequence[Moment], grpo: Sequence[Moment]) -> list[dict]:
    """DPO's loss and what it moves; GRPO's reward and distance."""
    return [
        chart("DPO: loss", [line(dpo, "loss", "loss", "loss")], (0, 0.75), ("ln 2", LN2)),
        chart("DPO: log-probability moved, nats an answer",
              [line(dpo, "better", "liked answers", "value"),
               line(dpo, "worse", "the others", "gradient", "5 4")], None, ("start", 0.0)),
        chart("GRPO: learned reward, in deviations",
              [line(grpo, "reward", "reward", "value")]),
        chart("GRPO: KL from tiny-chat, nats an answer", [line(grpo, "kl", "KL", "gradient")],
              (0, 1)),
    ]  # fmt: skip


def charts_in_words(charts: Sequence[dict]) -> str:
    """The text twin: of every line its first and last value, least, most and trend."""
    said = []
    for one in charts:
        for entry in one["lines"]:
            if entry["faint"]:
                continue
            y = entry["y"]
            trend = ("rises" if y[-1] > y[0] + 1e-9 else "falls" if y[-1] < y[0] - 1e-9
                     else "stays")  # fmt: skip
            said.append(
                f"{one['title']}, {entry['name']}: {trend} from {y[0]:.2f} to {y[-1]:.2f} over "
                f"{len(y)} steps (least {min(y):.2f}, most {max(y):.2f})."
            )
    return " ".join(said) or "Nothing has been drawn yet."


def answers(label: str, columns: Sequence[str], rows) -> dict:
    """A table of answers; a row is a question and one text for each column."""
    return {
        "label": label,
        "columns": list(columns),
        "rows": [
            {"question": question,
             "answers": [t if isinstance(t, dict) else {"text": t, "note": ""} for t in texts]}
            for question, texts in rows
        ],
    }  # fmt: skip


# Tables --------------------------------------------------------------------------------------


def tuning_table(results: Sequence[Result]) -> str:
    """All weights beside LoRA, as Markdown."""
    before = results[0].measured["before"]
    rows = ["| | Trained weights | Right on held-out questions | Seconds |", "|---|---|---|---|",
            f"| tiny-base, given the bare text | 0 | {before['bare']:.0%} | |",
            f"| tiny-base, asked as an assistant | 0 | {before['answered']:.0%} | |"]  # fmt: skip
    names = {"full": "all weights", "lora": "LoRA, rank 8"}
    for result in results:
        m = result.measured
        rows.append(f"| {names[result.about['kind']]} | {m['trained']:,} | "
                    f"**{m['answered']:.0%}** | {m['seconds']:.1f} |")  # fmt: skip
    return "\n".join(rows)


def methods_table(before: dict, rows: Sequence[tuple[str, dict]]) -> str:
    """Methods beside each other: what they gained, how far they went, what it took."""
    head = ["| | True score | Learned reward | KL, nats | Tokens an answer | Seconds |",
            "|---|---|---|---|---|---|"]  # fmt: skip

    def row(name, m, seconds):
        reward = "" if m["reward"] is None else f"{m['reward']:+.2f}"
        return (f"| {name} | **{m['true_score']:.2f}** | {reward} | {m['kl']:.2f} | "
                f"{m['length']:.1f} | {seconds} |")  # fmt: skip

    body = [row("tiny-chat", before, "")]
    body += [row(name, m, f"{m['seconds']:.1f}") for name, m in rows]
    return "\n".join(head + body)


def tax_table(rows: Sequence[tuple[str, dict[str, float], dict[str, float]]]) -> str:
    """Held-out losses before and after: (name, losses, those of the model it began as)."""
    table = ["| Model | Conversations | Change | Texts of the tiny world | Change |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name, after, start in rows:
        changes = [after[k] - start[k] for k in ("chats", "texts")]
        table.append(f"| {name} | {after['chats']:.3f} | {changes[0]:+.3f} | "
                     f"{after['texts']:.3f} | {changes[1]:+.3f} |")  # fmt: skip
    return "\n".join(table)


def hacked_in_words(moments: Sequence[Moment]) -> str:
    """What happened to the learned reward and to the true score, without taking sides."""
    first, last = moments[0].numbers, moments[-1].numbers

    def moved(name):
        gap = last[name] - first[name]
        how = "rises" if gap > 0.02 else "falls" if gap < -0.02 else "stays"
        return f"{how} from {first[name]:.2f} to {last[name]:.2f}"

    return (
        f"In {len(moments)} steps the learned reward {moved('reward')}, and the hidden true score "
        f"{moved('true')}. The model ends up {last['kl']:.1f} nats an answer away from tiny-chat."
    )


def recorded_scores(data: dict) -> list[dict]:
    """The recorded comparison as rows: method, mean true score over the seeds, and its range."""
    rows = []
    for method in ("dpo", "grpo", "ppo"):
        scores = np.array([entry[method]["true_score"] for entry in data["compared"]])
        kls = np.array([entry[method]["kl"] for entry in data["compared"]])
        rows.append({"method": method, "mean": float(scores.mean()), "low": float(scores.min()),
                     "high": float(scores.max()), "kl": float(kls.mean())})  # fmt: skip
    return rows


def was_hacked(moments: Sequence[Moment]) -> bool:
    """Whether the learned reward rose while the true score fell."""
    if len(moments) < 2:
        return False
    first, last = moments[0].numbers, moments[-1].numbers
    return last["reward"] > first["reward"] + 0.1 and last["true"] < first["true"] - 0.02
