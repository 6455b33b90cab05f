"""Chapter 2: Derivatives."""

from microgpt.autograd.scalar import Value
from microgpt.basics import expressions
from widgets import chapter
from widgets import derivatives as show

chapter.begin("derivatives")
chapter.question(
    "How steep is a curve in one single point?",
    "A nudge of the input changes the output, more in one place and less in another. Make the "
    "nudge smaller and smaller, and what is left is the [[derivative]]: the slope in a point.",
)
guess = chapter.predict(chapter.Choice(
    "You take the slope from two points of the curve, h apart, and make h smaller: 0.1, 0.01, down "
    "to 0.000 000 000 000 000 1. What happens to the difference from the true slope?",
    ["It shrinks all the way: the smaller h, the better",
     "It shrinks, then grows again: a computer has only so many digits",
     "It stays about the same"],
    answer=1,
    explain="The two points become so alike that their 16 digits agree almost to the last, and "
    "what is left of their difference is rounding. At the smallest h it can be off entirely.",
))  # fmt: skip

chapter.heading("The tangent")
chapter.explain(
    "Drag the dot. The :gradient[solid red line] is the tangent: it touches the curve and has its "
    "slope in that point. The :key[dashed line] goes through two points that are h apart; shrink "
    "h, and it turns into the tangent."
)
expression = show.formula()
show.tangent(expression, revealed=guess is not None)
chapter.explain("What the dashed line turns into, in a formula:")
chapter.explain(r"$$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h}$$")
chapter.explain(
    "No such quotient is taken for the red line. Its slope comes from [[autograd]]: the engine "
    "that trains the GPT follows your formula sign by sign and multiplies the slopes of its parts. "
    "It is exact, for any function you type, and needs no h at all."
)

chapter.heading("Where it is flat")
show.flat_places(expression)
chapter.explain(
    "At the bottom of a valley the slope is 0, and so it is on top of a hill, and on a level place "
    "in between. That makes the slope a guide: it says which way is down, and when you have "
    "arrived. Left of a minimum it is negative, right of it positive."
)

chapter.heading("More than one input: the gradient")
show.surface()
chapter.explain(
    "Hold y still and walk along x: the slope of that cut is the [[partial derivative]] "
    ":gradient[∂f/∂x]. Hold x still for :gradient[∂f/∂y]. The two together are the [[gradient]], "
    "an arrow on the map. It points where the ground rises fastest, and the steeper the ground the "
    "longer it is. On a ravine it points across, to the near wall, not along the valley: "
    "remember that for the next chapter."
)
chapter.read_code(expressions.slope, focus=("result", "backward()"))
chapter.explain(
    "Every sign of the formula knows its own slope. A product, for one: change the first factor a "
    "little, and the product changes by the second factor times as much."
)
chapter.read_code(Value.__mul__, focus="return")

chapter.check(
    chapter.Number(
        "What is the slope of x² at x = −1.5?",
        answer=lambda: expressions.slope(expressions.parse("x**2"), x=-1.5)[1]["x"],
        tolerance=1e-6,
        explain="The slope of x² is 2x, so −3: at x = 3 it is 6, at −1.5 it is −3.",
    ),
    chapter.Number(
        "f(x, y) = x² + 3y. What is ∂f/∂y at x = 1, y = 2?",
        answer=lambda: expressions.slope(expressions.parse("x**2 + 3*y"), x=1.0, y=2.0)[1]["y"],
        tolerance=1e-6,
        explain="Hold x still, and f changes by 3 for every 1 that y changes: 3, everywhere.",
    ),
    chapter.Choice(
        "The slope is 0 in a point. What do you know?",
        ["It is the lowest point of the curve", "The curve is level there, and nothing more",
         "The function has no value there"],
        answer=1,
        explain=["It may be a maximum, or a level place on a slope: look at x³ at 0.",
                 "Minimum, maximum, or a level place in between: x³ at 0 is the third kind.",
                 "A slope of 0 is a slope; only where there is no value is there none."],
    ),
    chapter.Choice(
        "The same nudge changes the output by 0.2 at A and by −1 at B. Where is the curve steeper?",
        ["At A", "At B", "That can't be said"],
        answer=1,
        explain="Steep down is as steep as steep up: 1 is more than 0.2. The sign says which way.",
        earlier="functions",
    ),
)  # fmt: skip
chapter.real_models(
    chapter.Reported("GPT-3", "175 billion knobs: every training step needs as many derivatives, "
                     "and one backward pass gives them all",
                     "Brown et al., Language models are few-shot learners", 2020),
    chapter.Reported("16-bit training", "many gradients are too small for 16-bit numbers and would "
                     "become 0; so the loss is multiplied before and the gradient divided after",
                     "Micikevicius et al., Mixed precision training", 2018),
    chapter.Reported("DeepSeek-V3", "671 billion knobs, trained largely with 8-bit numbers",
                     "DeepSeek-AI, DeepSeek-V3 technical report", 2024),
)  # fmt: skip
chapter.end()
