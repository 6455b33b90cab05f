"""Chapter 1: Functions."""

from microgpt.basics import expressions
from widgets import chapter
from widgets import functions as show

chapter.begin("functions")
chapter.question(
    "What does a machine do that turns one thing into another?",
    "Everything in this book is made of one idea: something goes in, something comes out, and the "
    "same input always gives the same output. That is a [[function]]. A GPT is one.",
)
guess = chapter.predict(chapter.Choice(
    "The machine squares its input: f(x) = x². You raise the input by 0.5, once from 0.5 and once "
    "from 2. Where does the output change more?",
    ["From 0.5", "From 2", "The same in both places: the nudge is the same"],
    answer=1,
    explain="From 0.5 to 1 the output goes from 0.25 to 1, a change of 0.75. From 2 to 2.5 it goes "
    "from 4 to 6.25, a change of 2.25: three times as much. Move the two places below.",
))  # fmt: skip

chapter.heading("One input")
expression = show.formula()
show.curve(expression)
chapter.explain(
    "Move along the curve: the number below is what the machine gives back. Left to right is what "
    "goes in, up and down is what comes out, and the curve is the whole machine at a glance. Type "
    "a function of your own. It is read sign by sign, never executed."
)

chapter.heading("Steep and flat")
if guess:
    show.nudge(expression)
    chapter.explain(
        "The same small push on the input, in two places. Where the curve is steep the "
        ":gradient[output changes much]; where it is flat, hardly at all. Drag A and B to find a "
        "place where the push does nothing. How steep a curve is in one single point is the "
        "[[derivative]], the next chapter."
    )
else:
    chapter.explain(":quiet[Commit to your prediction at the top, and the picture appears here.]")

chapter.heading("Two inputs")
show.surface()
chapter.explain(
    "With two inputs the curve becomes a landscape: east and north are what goes in, height is "
    "what comes out. Bright is high, dark is low. Hold one input still and turn the other, and "
    "you walk along one of the two cuts."
)

chapter.heading("Many knobs: one neuron")
show.neuron()
chapter.explain(
    "A [[neuron]] takes three numbers, multiplies each by a [[weight]], adds them up with a "
    "[[bias]], and bends the sum. The inputs are what it is told; the weights and the bias are "
    "its knobs. Turn a knob and you have another function. Learning is nothing but turning knobs."
)

chapter.heading("From text to text")
show.text_machine()
chapter.explain(
    "And this is how your formula is read: every part asks the parts inside it what they stand "
    "for. The same few lines give one number, a whole curve, or the graph of its slopes."
)
chapter.read_code(expressions.meaning, focus=("left", "function"))

chapter.check(
    chapter.Number(
        "What does 2 sin(x) + 0.3 x give for x = 2? Read it off the curve, to two decimals.",
        answer=lambda: float(expressions.evaluate(expressions.parse("2*sin(x) + 0.3*x"), x=2.0)),
        tolerance=0.006,
        explain="2 · sin(2) + 0.3 · 2 = 2.4186. Choose that function above and type 2 for x.",
    ),
    chapter.Choice(
        "ReLU gives x for positive x, and 0 for the rest. You nudge its input by 0.5 at x = −3. "
        "How much does the output change?",
        ["By 0.5", "By −0.5", "Not at all"],
        answer=2,
        explain=["Only where ReLU lets the input through, right of 0.",
                 "ReLU never falls.",
                 "At −3 and at −2.5 it gives 0: the ground is flat there."],
    ),
    chapter.Choice(
        "Which of these is not a function of the text you type?",
        ["The probabilities of the next token", "The number of letters in it",
         "A token drawn at random from the probabilities"],
        answer=2,
        explain=["The same text always gives the same probabilities.",
                 "The same text always has the same number of letters.",
                 "The same text can give another token each time. The machine is a function; the "
                 "draw after it is not."],
    ),
)  # fmt: skip
chapter.real_models(
    chapter.Reported("GPT-3", "one function from up to 2,048 tokens to the next, with 175 billion "
                     "knobs", "Brown et al., Language models are few-shot learners", 2020),
    chapter.Reported("Llama 3.1", "405 billion knobs; 128 thousand numbers come out, one for each "
                     "token", "Grattafiori et al., The Llama 3 herd of models", 2024),
    chapter.Reported("GPT-4", "more than a trillion knobs", "press reports; not disclosed", 2023,
                     status="estimated"),
)  # fmt: skip
chapter.end()
