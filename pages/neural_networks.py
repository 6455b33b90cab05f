"""Chapter 5: Neural networks."""

from microgpt.basics import network
from widgets import chapter
from widgets.network_map import cat_or_dog
from widgets.network_neuron import one_neuron
from widgets.network_page import parameters_answer, relu_answer, tour
from widgets.network_playground import playground

chapter.begin("neural_networks")
chapter.question(
    "How can a heap of sums tell a cat from a dog?",
    "The line of the last chapter gave up on a disc inside a ring. Put several such machines side "
    "by side, let others read what they say, and the boundary bends.",
)
chapter.heading("One neuron")
chapter.explain(
    "A [[neuron]] takes some numbers, weighs them, adds them up, and bends the sum. Here it "
    "decides whether to go out. Drag any number sideways, or use the arrow keys."
)
one_neuron()
chapter.explain(
    "Solid blue edges count for, dashed orange ones against; the thicker, the more. The "
    "[[bias]] is what it leans to when all inputs are silent. The bend at the end is its "
    "[[activation function]]; chapter 6 is about nothing else."
)
chapter.read_code(network.neuron, focus=("products", "total"), ran="readable")

live = tour()
chapter.heading("Cat or dog")
chapter.explain(
    "Four neurons read the same three numbers, and two more read those four. The numbers come "
    "from a picture: how much ink is where ears stand, where ears hang, where a muzzle is. "
    "Draw an animal, then press Train, and hover the neurons."
)
cat_or_dog()
chapter.explain(
    f"{live.parameters} [[parameter|parameters]], {live.album} pictures, {live.map_steps} "
    f"steps. Before, it gets **{live.before:.0%}** of the held-back pictures right, after it "
    f"**{live.after:.0%}**. On its own album it reaches **{live.album_right:.0%}**. Nobody told "
    "it what the four neurons in the middle should look for."
)
chapter.read_code(
    network.forward, focus=("sums", "x"), ran="readable", live={"x": live.x, "sums": live.sums}
)

chapter.heading("Train one yourself")
guess = chapter.predict(
    chapter.Choice(
        "A disc of circles inside a ring of squares. A network **without** hidden layers trains on "
        "it for 500 steps. How many of the held-back points does it get right?",
        ["About half to two thirds", "About 90 %", "All"],
        answer=0,
        explain=f"It gets **{live.flat:.1%}**: without a hidden layer it is one neuron, and that "
        f"draws a straight line. With one layer of four it gets **{live.one_layer:.1%}**, "
        f"with two layers of eight **{live.two_layers:.1%}**.",
    )
)
if guess:
    chapter.explain("Try it below: *A disc in a ring*, 0 hidden layers; then 1 layer of 4 neurons.")
chapter.explain(
    "Press Play. Each small square shows what one neuron makes of the whole picture: blue "
    "where it is above 0, orange below. The large picture is what the network answers. Hover a "
    "neuron, change its weights by hand, add your own points. The address in your browser "
    "always holds the whole experiment: send it to somebody and they see the same."
)
playground()
chapter.explain(
    "Filled points are learned from, hollow ones are held back. When the solid [[loss]] keeps "
    "falling and the dashed one rises, it learns its points by heart: [[overfitting]]. Provoke "
    "it: noise 0.3, four layers of eight, and a few thousand steps."
)
chapter.read_code(
    network.Training.step,
    focus=("batch", "scores", "loss", "backward()", "update()"),
    ran="readable",
)
chapter.check(
    chapter.Number(
        "A network has 2 inputs, one hidden layer of 8 and 1 output. How many parameters?",
        answer=parameters_answer,
        tolerance=0,
        explain="2 · 8 weights and 8 biases, then 8 · 1 weights and 1 bias: 33.",
    ),
    chapter.Number(
        "Inputs 0.5 and 1, weights 2 and −3, bias 1, activation ReLU. What comes out?",
        answer=relu_answer,
        tolerance=0.001,
        explain="2 · 0.5 − 3 · 1 + 1 = −1, and ReLU makes it 0.",
    ),
    chapter.Choice(
        "The loss on the training points is 0.001, on the held-back points 0.9 and rising. "
        "What helps?",
        [
            "More steps",
            "Fewer neurons, more points, or a penalty on large weights",
            "A larger learning rate",
        ],
        answer=1,
        explain=[
            "It already knows its points by heart; more steps make it worse.",
            "All three keep it from learning the noise.",
            "That changes how fast it learns, not what fits.",
        ],
    ),
    chapter.Choice(
        "k-means found the two moons badly. A network finds them almost perfectly. Why?",
        ["It has more parameters", "It was given the answers", "It ran longer"],
        answer=1,
        earlier="ways_of_learning",
        explain=[
            "k-means with more centers still would not know which belong together.",
            "The network saw the label of every point; k-means saw none.",
            "k-means had come to rest.",
        ],
    ),
)
chapter.real_models(
    chapter.Reported(
        "GPT-2 small",
        "in each of 12 layers a network of 3,072 hidden neurons between 768 inputs and 768 outputs",
        "Radford et al.",
        2019,
    ),
    chapter.Reported("GPT-3", "96 layers, 49,152 hidden neurons in each", "Brown et al.", 2020),
    chapter.Reported(
        "Llama 3 405B", "126 layers, 53,248 hidden neurons in each", "Grattafiori et al.", 2024
    ),
)
chapter.end()
