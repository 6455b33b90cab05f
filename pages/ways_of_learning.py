"""Chapter 4: AI, machine learning, deep learning."""

from microgpt.basics import clusters, gridworld, linear
from widgets import chapter, learning_boundary, learning_clusters, learning_grid, learning_map
from widgets.learning_page import grid_answer, kmeans_cost, tour
from widgets.learning_words import words

chapter.begin("ways_of_learning")
chapter.question(
    "What does it mean that a machine learns?",
    "In the last chapter a ball rolled to the lowest place of a landscape. Put the error of a "
    "machine on the vertical axis, and its numbers on the others, and that is "
    "[[training|learning]]: nobody writes the rule, the numbers slide to where the error is "
    "small.",
)
learning_map.learning_map()

live = tour()
chapter.heading("With answers: supervised learning")
chapter.explain(
    "Each point comes with its answer: square or circle. The machine is a line, "
    "$w_1 x + w_2 y + b = 0$, and it starts with all three numbers at 0. At every step it looks "
    "how wrong it is, the [[loss]], and moves the three numbers a little downhill. Press Play. "
    "Then click into the picture and make it harder."
)
learning_boundary.boundary()
chapter.explain(
    f"From two clouds of {live.points} points it learned **3 numbers** and got "
    f"**{live.line_right:.0%}** of the points right. Try *A disc in a ring*: after {live.steps} "
    f"steps the line gets **{live.ring_right:.0%}**, and at no rate and no step more than "
    f"**{live.ring_best:.0%}**. A line cannot bend; chapter 5 can."
)
chapter.read_code(
    linear.logistic_regression,
    focus=("error", "weight", "bias"),
    live={"weight": live.weight},
    ran="readable",
)

chapter.heading("Without answers: unsupervised learning")
chapter.explain(
    "Now the same kind of points, and nobody says what is what. Can a machine find the groups? "
    "[[k-means]] drops a few centers by chance. Then two moves in turn: every point joins the "
    "nearest center, every center goes to the middle of its points. That is all."
)
learning_clusters.kmeans("learning_clusters", learning_clusters.SETS, 3)
chapter.explain(
    "Neither move can raise the [[loss|cost]]: a point only changes to a nearer center, and the "
    "middle is where squared distances add up to least. So it always comes to rest, but where "
    f"depends on the start: of {live.starts} random starts on *Three clouds*, **{live.stuck}** get "
    f"stuck at a cost of up to {live.worst_cost:.1f}, the others end at {live.best_cost:.1f}. Drag "
    "the centers and get it stuck. On *Two moons* with two groups it puts "
    f"**{live.moons_wrong:.0%}** of the points with the wrong moon: it knows nothing but distance."
)
guess = chapter.predict(
    chapter.Choice(
        "You give k-means 90 points strewn evenly, without any groups, and ask for three. "
        "What does it do?",
        ["It goes on for ever", "It says that there are no groups", "It finds three groups"],
        answer=2,
        explain=f"It comes to rest after **{live.noise_steps}** steps with groups of "
        f"**{live.noise_sizes}** points. It answers what it was asked; whether the question made "
        "sense is for you to judge.",
    )
)
if guess:
    learning_clusters.kmeans("learning_noise", {"No groups at all": "none"}, 3)
chapter.read_code(
    clusters.kmeans,
    focus=("nearest", "argmin()", "mean()"),
    ran="readable",
    live={"centers": live.centers, "nearest": live.nearest},
)

chapter.heading("With rewards: reinforcement learning")
chapter.explain(
    "No points and no answers: an agent stands in the corner of a grid and may go up, right, down "
    "or left. Every move costs 0.02, a pit costs 1, the goal pays 1. It does not know the map. "
    "For each cell and each move it keeps one estimate: what it will earn from here on. After each "
    "move that one number shifts toward what it just saw."
)
learning_grid.grid()
chapter.explain(
    f"Blue is good, orange is bad, and the arrow is the best move it knows. The first walk takes "
    f"**{live.first_walk}** moves of wandering; after walk **{live.found}** it knows a way of "
    f"**{live.shortest}** moves, and there is no shorter one. Watch how the blue spreads back from "
    "the goal: a good cell makes its neighbors good. Click cells to build walls and pits."
)
chapter.read_code(
    gridworld.q_learning, focus=("best_next", "after"), ran="readable", live={"values": live.values}
)

chapter.heading("One idea, three teachers")
chapter.explain(
    "- **[[supervised|Supervised]]**: questions with answers; it learns to answer new ones. "
    "The line learned 3 numbers.\n"
    "- **[[unsupervised|Unsupervised]]**: only the questions; it learns how they hang together. "
    f"The centers are {live.centers.size} numbers.\n"
    "- **[[reinforcement|Reinforcement]]**: a reward now and then; it learns what to do. "
    f"The agent's table has {live.values.size} numbers.\n\n"
    "A language model uses all three teachers. Reading, it predicts the next [[token]]: the text "
    "itself is the answer, so nobody needs to label it. Then it is shown good answers. Then it is "
    "rewarded."
)
chapter.heading("Nine words")
words(live.here)

chapter.check(
    chapter.Choice(
        "A program sorts a million unlabeled photos into 20 heaps of photos that look alike. "
        "What kind of learning is that?",
        ["Supervised", "Unsupervised", "Reinforcement"],
        answer=1,
        explain=[
            "Nobody told it which photo belongs where: there are no answers.",
            "Only the photos, no answers and no rewards.",
            "Nothing pays it for a heap, good or bad.",
        ],
    ),
    chapter.Number(
        "Two centers stand at (0, 0) and (4, 0). Points lie at (1, 0), (3, 0) and (4, 1). What is "
        "the cost, once each point has joined its nearest center?",
        answer=kmeans_cost,
        tolerance=0.001,
        explain="(1, 0) joins the first, squared distance 1; (3, 0) the second, 1; (4, 1) the "
        "second, 1. Together 3.",
    ),
    chapter.Number(
        "An estimate is 0. A move earns −0.02 and leads to a cell whose best estimate is 0.4. "
        "With learning rate 0.5 and discount 0.95, what is the estimate now?",
        answer=grid_answer,
        tolerance=0.001,
        explain="0 + 0.5 · (−0.02 + 0.95 · 0.4 − 0) = 0.18.",
    ),
    chapter.Choice(
        "The gradient of the loss by the weight is +2. Which way does the weight go?",
        ["Up", "Down", "It stays"],
        answer=1,
        earlier="gradient_descent",
        explain=[
            "Up is where the loss grows.",
            "The gradient points uphill; the step goes the other way.",
            "It stays only where the gradient is 0.",
        ],
    ),
)
chapter.real_models(
    chapter.Reported(
        "GPT-3",
        "175 billion parameters, learned from 300 billion tokens of text",
        "Brown et al.",
        2020,
    ),
    chapter.Reported(
        "InstructGPT",
        "after reading, about 13,000 prompts with answers written by "
        "people, then rewards learned from their rankings",
        "Ouyang et al.",
        2022,
    ),
    chapter.Reported(
        "AlphaGo Zero",
        "learned Go from rewards alone, by 4.9 million games against itself in 3 days",
        "Silver et al.",
        2017,
    ),
)
chapter.end()
