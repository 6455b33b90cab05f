"""Chapter 6: Activation functions."""

from microgpt.basics import depth
from widgets import chapter
from widgets.activation_bend import side_by_side
from widgets.activation_collapse import collapse
from widgets.activation_curves import six_curves
from widgets.activation_depth import HIDDEN, deep_network
from widgets.activation_page import product_answer, shrink_answer, silu_answer, tour

chapter.begin("activations")
chapter.question(
    "Why does a network need a bend between its sums?",
    "Each [[neuron]] of the last chapter ended in a small curve. It looks like a trifle. Take it "
    "away, and a network of any depth falls together into a single layer.",
)
live = tour()
six_curves()
chapter.explain(
    f"The same $z$ goes into all six. At $z = -2$ ReLU says **{live.relu:.0f}** and its slope is "
    f"**{live.relu_slope:.0f}**: no nudge gets through. The slope of sigmoid is never more than "
    f"**{live.sigmoid_slope:.2f}**, at $z = 0$. GELU and SiLU dip a little below 0, to "
    f"{live.gelu_low} and {live.silu_low}. None of the slopes is typed in: the "
    "[[autograd|tape]] worked them out."
)
chapter.read_code(depth.slope, focus=("leaf", "backward()"), ran="readable")

chapter.heading("Without a bend, depth is nothing")
guess = chapter.predict(
    chapter.Choice(
        "A hundred layers, each a matrix and a shift, no activation between them. What can they do "
        "that one such layer cannot?",
        ["Bend a line a hundred times", "Turn a picture by more than one layer could", "Nothing"],
        answer=2,
        explain="A matrix times a matrix is a matrix. Below, a hundred layers become one, "
        f"and no point of the picture lands more than **{live.gap}** elsewhere: rounding.",
    )
)
if guess:
    collapse()
    chapter.explain(
        "Step through it: every layer is multiplied onto the product of those before. Then choose "
        "*tanh*, and the rings no longer find the dots: no single layer does what these do."
    )
    chapter.read_code(
        depth.collapse, focus=("product", "shift"), ran="readable", live={"product": live.product}
    )
chapter.explain(
    "The same in a network that learns: two hidden layers of eight, once without and once with a "
    "bend. The points, the seed and the first weights are the same."
)
side_by_side()
chapter.explain(
    f"Without an activation all {live.parameters} [[parameter|parameters]] together draw one "
    f"straight line: **{live.without:.1%}** right. With ReLU **{live.with_relu:.1%}**."
)

chapter.heading("Gradients that fade, units that die")
chapter.explain(
    "The bend lets signals through on the way forward, and [[gradient|gradients]] on the way "
    "back. On the way back each layer multiplies by its slope. Slopes below 1, many times "
    "over, leave nothing for the first layers to learn from: the [[vanishing gradient]]. Press "
    "Train."
)
deep_network()
chapter.explain(
    f"{HIDDEN} layers of sigmoid with a Xavier [[initialization|start]]: **{live.sigmoid_fade}** "
    "of the last layer's gradient arrives at the first. After training the loss is still "
    f"**{live.sigmoid_loss:.3f}**; ln 2 = 0.693 is a pure guess. tanh, with the same start: "
    f"**{live.tanh_fade}** arrives, and it gets **{live.tanh_right:.0%}** right. For ReLU a "
    "*He* start keeps the signal as strong as it came; *small* lets it fade, *large* makes it "
    "explode. With ReLU some units are silent on every point, and a slope of 0 teaches "
    f"nothing: **{live.dead:.0%}** of the hidden units are dead after training with the *He* "
    "start. Leaky ReLU, GELU and SiLU were made against that."
)
chapter.read_code(
    depth.measure, focus=("asleep", "dead", "gradient"), ran="readable", live={"sums": live.sums}
)
chapter.check(
    chapter.Number(
        "The largest slope of sigmoid is 0.25. Through 5 such layers, with weights of 1, what "
        "share of a gradient is left at most?",
        answer=shrink_answer,
        tolerance=0.0001,
        explain="0.25 multiplied by itself five times is 0.000977, less than a thousandth.",
    ),
    chapter.Number(
        "Layer one doubles x and adds 1. Layer two triples and subtracts 2. As one layer, what "
        "is x multiplied by?",
        answer=product_answer,
        tolerance=0.001,
        explain="3 (2x + 1) − 2 = 6x + 1: the weight is 3 · 2 = 6.",
    ),
    chapter.Number(
        "SiLU is z · sigmoid(z). What is SiLU of 0?",
        answer=silu_answer,
        tolerance=0.001,
        explain="0 · 0.5 = 0, though its slope there is 0.5.",
    ),
    chapter.Choice(
        "In the playground without hidden layers, which activation of the hidden layers is best?",
        ["ReLU", "tanh", "It makes no difference"],
        answer=2,
        earlier="neural_networks",
        explain=[
            "There are no hidden layers for it to work in.",
            "There are no hidden layers for it to work in.",
            "The activation stands behind hidden neurons, and there are none.",
        ],
    ),
)
chapter.real_models(
    chapter.Reported("The first transformer", "ReLU", "Vaswani et al.", 2017),
    chapter.Reported(
        "GPT-2", "GELU, in its published code by the tanh formula used here", "Radford et al.", 2019
    ),
    chapter.Reported(
        "PaLM 540B",
        "SwiGLU, which multiplies SiLU of one sum by another sum",
        "Chowdhery et al.",
        2022,
    ),
    chapter.Reported("Llama 3", "SwiGLU", "Grattafiori et al.", 2024),
)
chapter.end()
