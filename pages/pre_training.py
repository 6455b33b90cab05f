"""Chapter 15: Pre-training."""

import math

from microgpt.autograd.optim import AdamW
from microgpt.training import control, data_tools, scaling_fit
from microgpt.training.setup import Setup
from microgpt.training.train import train_steps
from widgets import chapter
from widgets import pre_training as show
from widgets import pre_training_data as data
from widgets import pre_training_scaling as laws
from widgets import pre_training_time as moments


def main() -> None:
    chapter.begin("pre_training")
    chapter.question(
        "How does a model learn to write from nothing but text?",
        "You know all its parts, and [[sampling]] makes it speak. But fresh [[weight|weights]] are "
        "noise. [[pre-training|Pre-training]] reads text, guesses every next [[token]], and lets "
        "the :gradient[gradient] of its :loss[[[loss]]] move each weight a little, thousands of "
        "times. Here you start such a run, and watch.",
    )
    source = show.desk()
    chapter.explain(
        "At first it bets the same on every token: a loss of ln V, the dotted line. Then it learns "
        "which tokens are common, then which stand side by side, then words, then what follows "
        "what. The dashed line, the [[held-out loss]], is measured on text that is never learned "
        "from: when it stops falling while the other goes on, the model has begun to learn its "
        "text by heart."
    )
    the_data(source)
    scaling()
    time_machine()
    code()
    check()
    real_models()


def the_data(source) -> None:
    chapter.heading("The data")
    chapter.explain(
        "A model is what it read. So before a run the text is worked on: copies are looked for, "
        "rubbish is thrown out, sources are mixed, and some of it is kept out to measure with. "
        "This is your own text, if you chose one above, and else the tiny world."
    )
    data.panel(source)
    chapter.heading("What copies cost")
    chapter.explain(
        "Three corpora of the tiny world, one small model each. In the second, a few texts stand "
        "again and again, half of their copies with one word changed. In the third, those copies "
        "were thrown out."
    )
    data.experiment()


def scaling() -> None:
    chapter.heading("Scaling laws")
    chapter.explain(
        "Nobody can try a large run twice. So one makes small ones, puts a curve through them, and "
        "reads off what a larger one would reach. Six sizes read the tiny world; each dot is a "
        "[[loss]] on held-out text. On such axes a [[scaling law|power law]] falls in a line, bent "
        "where it comes near what nobody can know."
    )
    laws.ladder()
    if not chapter.predict(laws.guess()):
        return
    chapter.explain(
        "The law: loss = E + A ÷ N^α + B ÷ D^β, for N weights in the layers and D tokens. Its five "
        "numbers come from the six; the seventh was not looked at."
    )
    laws.forecast()
    chapter.explain(laws.forecast_in_words())
    chapter.heading("A larger model, or more text?")
    chapter.explain(
        "A run costs about 6 N D operations. For one amount of them you can have a larger N or a "
        "larger D, not both."
    )
    laws.budget()
    laws.at_scale()
    chapter.explain(laws.scale_in_words())


def time_machine() -> None:
    run = moments.machine()
    if run is None:
        return
    chapter.heading("The time machine")
    chapter.explain(
        "The weights of tiny-base were kept at moments of its training. Move through them: what it "
        "writes, what its [[head|heads]] do, and where words lie in the [[embedding]] table, all "
        "at the same moment."
    )
    moments.at_one_slider(run)
    chapter.heading("Did it jump, or did the ruler?")
    chapter.explain(
        "Abilities are said to emerge: not there, and then there. Some of that is the measure. If "
        "one word is right with chance p, eight in a row are with about p⁸, which stays near 0 for "
        "long and then shoots up while p only climbs. So here is one ability, copying, by measures "
        "from hard to soft, all from the same passes."
    )
    moments.measures(run)
    chapter.explain(moments.jump_in_words(run))
    chapter.explain(moments.verdict_in_words(run))


def code() -> None:
    chapter.heading("Read the code")
    chapter.read_code(train_steps, focus=("value", "norm", "rate"))
    chapter.read_code(control.run, focus=("options", "report"), opened=False)
    chapter.read_code(AdamW._readable, focus=("first", "second", "update"), opened=False)
    chapter.read_code(data_tools.MinHash.signature, focus="return", opened=False)
    chapter.read_code(scaling_fit.fit_losses, focus="factors", opened=False)


def check() -> None:
    start = Setup()
    tokens = start.steps * start.batch * start.context
    chapter.check(
        chapter.Number(
            f"A fresh model with a [[vocabulary]] of {start.vocabulary} tokens has learned "
            "nothing. At about which loss, in nats a token, does its run begin?",
            answer=math.log(start.vocabulary), tolerance=0.1,
            explain=f"It gives every token the same chance: −ln(1 ÷ {start.vocabulary}) = "
            f"**{math.log(start.vocabulary):.2f}**.",
        ),
        chapter.Number(
            f"{start.steps:,} steps, each with {start.batch} sequences of {start.context} tokens. "
            "How many million tokens does the run read?",
            answer=tokens / 1e6, tolerance=0.02, unit="million",
            explain=f"{start.steps:,} × {start.batch} × {start.context} = {tokens:,}, so "
            f"**{tokens / 1e6:.2f} million**.",
        ),
        chapter.Choice(
            "The training loss still falls, the held-out loss has begun to rise. What has "
            "happened?",
            ["The learning rate is too high",
             "The model learns its text by heart, and gets worse at other text",
             "The held-out text was too hard from the start"],
            answer=1,
            explain="That is overfitting. Too high a rate would shake both lines. More, or more "
            "different, text helps; so does stopping in time.",
        ),
        chapter.Choice(
            "The dial of the learning rate is turned up so far that the loss grows from step to "
            "step. What did the chapter on gradient descent call this?",
            ["A saddle", "Divergence: each step lands higher on the other side of the valley",
             "Momentum"],
            answer=1,
            explain="A step that is too long for the curvature overshoots by more than it gains. "
            "Here the gradient's length is clipped, which tames single steps, not all of them.",
            earlier="gradient_descent",
        ),
    )  # fmt: skip


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("GPT-3", "175 billion parameters, 300 billion training tokens, 96 layers",
                         "Brown et al.", 2020),
        chapter.Reported("Chinchilla", "70 billion parameters on 1.4 trillion tokens beat 175 "
                         "billion on 300 billion; about 20 tokens a parameter",
                         "Hoffmann et al.", 2022),
        chapter.Reported("Scaling laws", "loss falls as a power of size, data and compute",
                         "Kaplan et al.", 2020),
        chapter.Reported("Llama 3", "8 to 405 billion parameters", "Llama Team", 2024),
        chapter.Reported("A frontier model", "more than 10²⁵ floating-point operations of training "
                         "compute", "estimates of outsiders", 2026, status="estimated"),
        chapter.Reported("Emergence", "chain of thought appears near 100 billion parameters; "
                         "others find that it depends on the metric", "several papers", 2023,
                         status="disputed"),
    )  # fmt: skip


main()
chapter.end()
