"""Chapter 7: Backpropagation."""

from microgpt.autograd import arithmetic, optim, scalar
from widgets import chapter
from widgets.backprop_graph import formula_graph
from widgets.backprop_matrix import matrix_walk
from widgets.backprop_page import chain_answer, moment_answer, tour, weight_answer
from widgets.backprop_timing import race
from widgets.backprop_training import training_table

chapter.begin("backpropagation")
chapter.question(
    "How does each of a million weights learn its share of the blame?",
    "Gradients fade on their way back through a deep network, said the last chapter. But how "
    "do they go back at all? One step at a time, and each step is a single multiplication.",
)
live = tour()
guess = chapter.predict(
    chapter.Choice(
        "In $x \\cdot x + x$ the same $x$ is used three times. At $x = 3$, nudge it a little. How "
        "many times as much does the result change?",
        ["3", "6", "7", "12"],
        answer=2,
        explain="Each use sends its share back, and the shares add up: 3 and 3 from the product, 1 "
        "from "
        f"the sum, **{live.used_thrice:g}** in all. Choose that formula below and walk back.",
    )
)
chapter.heading("A formula, walked through")
chapter.explain(
    "Type a formula. It becomes a graph: inputs on the left, each operation a node. Step "
    "forward and the values appear. Step back and every edge multiplies: **incoming gradient × "
    "local derivative**. That is the [[chain rule]], and nothing else happens in "
    "[[backpropagation]]."
)
formula_graph()
chapter.explain(
    "The check under it knows nothing of graphs. It nudges each variable and looks what the "
    "formula does. Make h smaller and the two agree better, until h is so small that rounding "
    "spoils the difference. Walking back has no h to choose, and it finds all gradients in one "
    "go."
)
chapter.read_code(scalar.backward_steps, focus="grad", ran="readable")

chapter.heading("A whole network learns")
chapter.explain(
    "Thirteen numbers, four points, *xor*: the output should be 1 where exactly one input is 1. "
    "Every number has a [[gradient]], and Adam keeps two more for it: **m**, a running mean of its "
    "gradients, and **v**, of their squares. Nothing in the table is made up; it is the training."
)
training_table()
chapter.explain(
    f"As the page opens, the loss falls from **{live.first_loss:.3f}** to "
    f"**{live.last_loss:.3f}** in {live.steps} steps, and {live.right} of 4 points are right. "
    "Choose a [[learning rate]] of 1, or other first weights, and it may get stuck."
)
chapter.read_code(optim.AdamW._readable, focus=("first", "second", "update"), ran="readable")

chapter.heading("From numbers to tensors")
chapter.explain(
    "A network is made of matrix products. One node for every number would do, and be slow. So "
    "take the whole product as one node: its way back is two matrix products, and each cell of "
    "them is the same sum of products that single numbers would give."
)
matrix_walk()
chapter.read_code(
    arithmetic.matmul_backward,
    focus=("dx", "dy"),
    ran="readable",
    live={"dx": live.dx, "dy": live.dw},
)
chapter.heading("Why it matters: the same, timed")
race()
chapter.check(
    chapter.Number(
        "z = x · y with x = 3 and y = −2. The gradient that arrives at z is 4. What does x get?",
        answer=chain_answer,
        tolerance=0.001,
        explain="The local derivative by x is y, so 4 · (−2) = −8.",
    ),
    chapter.Number(
        "A weight is 0.5, its gradient 2, the learning rate 0.1. Plain gradient descent: what "
        "is the weight after the step?",
        answer=weight_answer,
        tolerance=0.001,
        explain="0.5 − 0.1 · 2 = 0.3.",
    ),
    chapter.Number(
        "Adam's m starts at 0 and keeps nine tenths of itself each step. After a first "
        "gradient of 2, what is m?",
        answer=moment_answer,
        tolerance=0.001,
        explain="0.9 · 0 + 0.1 · 2 = 0.2.",
    ),
    chapter.Choice(
        "Ten sigmoid layers lie between a weight and the loss. What does the chain rule do to its "
        "gradient?",
        ["Adds ten slopes", "Multiplies ten slopes, each at most 0.25", "Takes the largest slope"],
        answer=1,
        earlier="activations",
        explain=[
            "Along one path slopes multiply; only different paths add.",
            "That is why it fades.",
            "Every slope on the path counts.",
        ],
    ),
)
chapter.real_models(
    chapter.Reported(
        "The idea, for networks",
        '"Learning representations by back-propagating errors"',
        "Rumelhart, Hinton and Williams",
        1986,
    ),
    chapter.Reported(
        "GPT-3", "3.14 · 10²³ operations of training, forward and backward", "Brown et al.", 2020
    ),
    chapter.Reported(
        "Large models with Adam",
        "16 bytes a parameter while training: weight, gradient, m and v in mixed precision",
        "Rajbhandari et al.",
        2020,
    ),
)
chapter.end()
