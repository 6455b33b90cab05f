"""Chapter 3: Gradient descent."""

from microgpt.autograd import optim
from microgpt.basics import descent, landscapes
from widgets import chapter, descent_race
from widgets import descent as show

chapter.begin("gradient_descent")
chapter.question(
    "How do you find the lowest place when you only feel the slope under your feet?",
    "The [[gradient]] points uphill. Go the other way, one step at a time: that is "
    "[[gradient descent]], and it is how every model in this book learns.",
)
racers = descent_race.first_race()
first = descent_race.winner(racers)
guess = chapter.predict(chapter.Choice(
    "Five [[optimizer|optimizers]] start at one place in a bent valley, each with the "
    "[[learning rate]] that suits it best. Who is first at the bottom?",
    [racer.name for racer in racers],
    answer=first,
    explain=descent_race.in_words(
        landscapes.LANDSCAPES[descent_race.FIRST],
        landscapes.LANDSCAPES[descent_race.FIRST].start, racers,
    ),
))  # fmt: skip

chapter.heading("One ball")
show.player()
chapter.explain(
    "The ball knows nothing of the map. At every step it feels its height, the :loss[loss], and "
    "the :gradient[gradient] under it, and moves by the learning rate times the gradient, the "
    "other way: the red arrow points uphill, the black one is the step it takes. Drag the "
    "learning rate past the dotted line, and the walk falls apart."
)
chapter.explain(r"$$v_{t+1} = \beta\, v_t + \nabla L(\theta_t)$$")
chapter.explain(r"$$\theta_{t+1} = \theta_t - \eta\, v_{t+1}$$")
chapter.explain(
    "η is the learning rate, β the [[momentum]]: how much of the last move is kept. With β = 0 "
    "only the gradient counts. Try these: on **Ravine** the steps bounce from wall to wall, and "
    "momentum helps; on **Saddle** start exactly on the line y = 0 and the ball stops on the pass, "
    "where the ground is level, then start a hair beside it; on **Two valleys** the start decides "
    "which valley it finds; on **Plateau** there is next to no slope to feel far out."
)
chapter.explain(
    "The last landscape is no formula. It is the [[loss]] of the trained model in this book, on "
    "text it was not trained on, as all its weights move along two random directions. Training "
    "walked a surface like this one, not with two directions but with one for every weight."
)
chapter.read_code(descent.descend, focus=("heights", "update()"))
chapter.read_code(optim.Momentum.update, focus=("velocity", "params"))

chapter.heading("The race")
if guess:
    descent_race.race()
    chapter.explain(
        "**SGD** takes the gradient as it is. **Momentum** keeps going in a direction that has "
        "proved right. **RMSProp** divides every coordinate by the usual size of its gradient, so "
        "that gentle and steep directions move alike. **[[Adam]]** does both, and corrects both "
        "for having started at zero. **AdamW** adds a steady pull of the weights toward 0. With "
        "noise, a constant rate never comes to rest; a rate that first warms up and then falls "
        "along a cosine very nearly does."
    )
    chapter.read_code(optim.AdamW._readable, focus=("update", "param"))
else:
    chapter.explain(":quiet[Commit to your prediction at the top, and the race starts here.]")

chapter.check(
    chapter.Number(
        "On Ravine, height 0.1 x² + 2 y², what is the largest learning rate that still settles, "
        "without momentum?",
        answer=lambda: landscapes.largest_rate(
            landscapes.curvatures(landscapes.LANDSCAPES["Ravine"], (0.0, 0.0))[1]
        ),
        tolerance=0.005,
        explain="The second derivative of 2 y² is 4, the largest curvature; 2 ÷ 4 = 0.5.",
    ),
    chapter.Choice(
        "The height goes up at a step. What was probably wrong?",
        ["The gradient pointed the wrong way", "The step was too long and overshot the valley",
         "The ball had arrived"],
        answer=1,
        explain=["The gradient is exact; it is right, but only near the place where it was taken.",
                 "Against the gradient the ground falls at first. A long step goes past the bottom "
                 "and up the other side.",
                 "At a minimum the gradient is 0, and the ball stays where it is."],
    ),
    chapter.Number(
        "Height x² + y². The ball is at (3, 0), the learning rate is 0.1, no momentum. Which x "
        "does it have after one step?",
        answer=lambda: float(descent.run(
            landscapes.LANDSCAPES["Bowl"], (3.0, 0.0), optim.SGD(), descent.constant(0.1, 1), 1
        ).points[1, 0]),
        tolerance=0.005,
        explain="The slope at x = 3 is 6, so the step is −0.1 · 6 = −0.6, and 3 − 0.6 = 2.4.",
    ),
    chapter.Choice(
        "A curve has slope −2 at x = 1. Which way is down?",
        ["To the left", "To the right", "That depends on the learning rate"],
        answer=1,
        explain="A negative slope falls to the right. Against the gradient means x grows.",
        earlier="derivatives",
    ),
)  # fmt: skip
chapter.real_models(
    chapter.Reported("GPT-3", "Adam with β₁ 0.9 and β₂ 0.95, a peak rate of 0.00006, warm-up, then "
                     "a cosine down to a tenth",
                     "Brown et al., Language models are few-shot learners, appendix B", 2020),
    chapter.Reported("Llama 2 70B", "AdamW with the same β, a peak rate of 0.00015, 2,000 steps of "
                     "warm-up, a cosine down to a tenth, weight decay 0.1",
                     "Touvron et al., Llama 2", 2023),
    chapter.Reported("Llama 3.1 405B", "AdamW, a peak rate of 0.00008, 8,000 steps of warm-up, a "
                     "cosine over 1,200,000 steps",
                     "Grattafiori et al., The Llama 3 herd of models",
                     2024),
)  # fmt: skip
chapter.end()
