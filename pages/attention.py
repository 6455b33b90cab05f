"""Chapter 9: Attention."""

import math

from microgpt.autograd import ops
from microgpt.insight import ablation, heads
from microgpt.model import attention
from widgets import attention as show
from widgets import attention_more as more
from widgets import attention_pronoun as pronouns
from widgets import attention_sharing as sharing
from widgets import chapter, engine, prose


def main() -> None:
    chapter.begin("attention")
    chapter.question(
        "How does a word know which other words matter?",
        "Every [[token]] is a row of numbers now, but each still stands alone. [[Attention]] lets "
        "it look back at those before it and take in what it needs.",
    )
    name = show.choose_model()
    if name is None:
        return
    show.desk(name)
    model = engine.model(name)
    by_hand()
    measured = show.measured_model(model)
    if measured is not model:
        other = f"The next sections look into {measured.name} instead." if measured else ""
        chapter.explain(
            f"{name} reads your sentence in the arcs above. What follows takes hundreds of passes, "
            f"and so large a model would need minutes for them. {other}"
        )
    if measured:
        pronoun(measured)
        gallery = kinds(measured)
        more.ablation(measured.name, gallery.whole)
        variants(measured)
        learning(measured)
    code(model)
    if measured:
        check(measured)
    real_models()


def by_hand() -> None:
    chapter.heading("One head by hand")
    chapter.explain(
        "Think of a library. You come with a question: the :query[**query**]. Every book has a "
        "label on its spine: its :key[**key**]. What is written inside is its :value[**value**]. "
        "A librarian would fetch the one book whose label fits best. [[Attention]] takes a little "
        "of every book instead, the more the better its label fits. In a real model nobody writes "
        "the labels: three matrices make them from each token's numbers, and training finds the "
        "matrices."
    )
    more.by_hand()


def pronoun(model) -> None:
    chapter.heading("When does it know who was tired?")
    guess = chapter.predict(chapter.Choice(
        "“The cat sat on the mat because it was tired. What was tired? The …” At which token does "
        "the model find out that it must say *cat* and not *mat*?",
        ["At *it*, the word that stands for the cat",
         "At the first *tired*: now the sentence is complete",
         "At the last *The*, where it must answer"],
        answer=2,
        explain=[
            "*it* stands before *tired*. To a model that can't look ahead, the sentence could "
            "still end in *soft*.",
            "There it could begin to know. But nothing asks yet: the word is looked up where it "
            "is needed.",
            "There everything has been read, and the word is needed.",
        ],
    ))  # fmt: skip
    if not guess:
        return
    lesson = more.pronoun(model)
    first = lesson.kinds[0]
    chapter.explain(
        "Every picture that shows *it* pointing at *cat* because the cat was *tired* is wrong for "
        "a GPT. Up to *it* both sentences are the same, so every weight in every head is the same "
        f"(largest difference here: {lesson.difference:.1g}). Is that luck? On sentences that the "
        "model never read:"
    )
    chapter.explain(pronouns.figures(lesson))
    chapter.explain(
        f"At the pronoun the right word is ahead in {first.early} of {first.n}: about as often as "
        f"with a coin. At the answer it is in **{first.before} of {first.n}**. And this is more "
        f"than looking: take {first.named()} away, and of the {first.name} the model answers "
        f"{first.without:.0%} instead of {first.whole:.0%}."
    )
    if later := more.later_than(model):
        lesson, seconds = more.lesson_of(later)
        chapter.explain(
            f"How clearly a head points is not fixed: training moves it. {later.name} went on from "
            f"{model.name}, and there:\n\n{pronouns.figures(lesson)}"
        )
        chapter.mark("computed", by=later.name, where="the same sentences", seconds=seconds)
    twins(model)


def twins(model) -> None:
    found, seconds = more.twins_of(model)
    chapter.heading("The same arcs, another answer")
    if found is None:
        chapter.explain("This model ends all sentences of the search in the same way.")
        return
    says = [prose.literal(model.tokenizer.name_of(token)) for token in found.says]
    same = found.transplanted == found.says[1]
    chapter.explain(
        "Arcs show from where a token takes, not what it gets. Two prompts, found by search, that "
        f"differ in one word:\n\n- “{found.first}” → **{says[0]}**\n- “{found.second}” → "
        f"**{says[1]}**\n\nAt the last token, in none of the "
        f"{model.config.layers * model.config.heads} heads does more than "
        f"**{100 * found.moved:.0f} %** of the weight go to another place. "
        + ("Force every weight of the first onto the second, and it still says "
           f"**{says[1]}**." if same else "Forced onto the second, the first one's weights do "
           "change its answer.")
        + " The answer is in the :value[values] and in the layers that turn a job into its place. "
        "[[Attention]] is not an explanation; it is one half of the sum."
    )  # fmt: skip
    chapter.mark("computed", by=model.name, where="56 sentences compared", seconds=seconds)


def kinds(model):
    chapter.heading("What heads are for")
    chapter.explain(
        "Nobody told any [[head]] what to do. Still the same kinds turn up in many models. They "
        "are found by a test: random words that come twice, where nothing but copying can predict, "
        "and the share of its weight that a head puts where its kind would."
    )
    found = more.gallery(model)
    chapter.explain(
        "Induction takes two heads in a row: a previous-token head in an earlier [[layer]] writes "
        "into each token what stood before it; the [[induction head]] looks for a token that has "
        "*me* written there. Take the first away, and the second finds nothing. Where two heads do "
        "the same, taking one away costs little: the other is still there."
    )
    chapter.heading("Take heads away")
    chapter.explain(
        "A head is taken away by setting what it hands on to 0. What the model can't do any more "
        "is what the head was needed for; what stays, other heads can do too."
    )
    return found


def variants(model) -> None:
    chapter.heading("What must be remembered")
    chapter.explain(
        "The :key[keys] and :value[values] of all tokens are kept, so that a new token only has "
        "to ask: the :cache[[[KV cache]]]. It grows with every token, and it is what long chats "
        "pay for. So let several queries share one key and value head, or let tokens look back "
        "only so far. This is the same model with its trained heads averaged; it was **not** "
        "trained on after that, so the [[loss]] shows what the conversion alone breaks. Models "
        "that are built this way, or trained on, lose little."
    )
    more.variants(model.name)
    few, full = sharing.at_scale()
    chapter.explain(
        f"In large models it decides what fits: Llama 3 70B keeps {few:.1f} GB for 8,192 tokens "
        f"with its 8 key and value heads. With one for each of its 64 queries it would be "
        f"**{full:.1f} GB** (2 bytes a number)."
    )


def learning(model) -> None:
    run = more.recorded(model)
    if run is None:
        return
    chapter.heading("Attention while the model learns")
    chapter.explain(
        "The weights of this model were kept at moments of its training. Move through them: the "
        "heads are not there at first, and then they are."
    )
    more.slider(run, model.name)


def code(model) -> None:
    chapter.heading("Read the code")
    view, choice = show.reading(model)
    live = show.live_weights(model, view, choice)
    chapter.read_code(attention.attend, focus="weights", live={"weights": live})
    chapter.read_code(ops.attention_scores, focus="return", opened=False)
    chapter.read_code(ops.masked_scores, focus="return", opened=False)
    chapter.read_code(heads.induction, focus="return", opened=False)
    chapter.read_code(ablation.without_heads, focus="heads", opened=False)


def check(model) -> None:
    gallery, size = more.gallery_of(model)[0], model.config.head_size
    induction = next(p for p in gallery.portraits if p.kind == "induction")
    chapter.check(
        chapter.Number(
            f"A query and a key of {size} numbers each give q · k = 12. What is the score that "
            "goes into the softmax?",
            answer=12 / math.sqrt(size), tolerance=0.02,
            explain=f"12 ÷ √{size} = 12 ÷ {math.sqrt(size):.2f} = **{12 / math.sqrt(size):.2f}**.",
        ),
        chapter.Choice(
            "You add a sentence at the end of your text. Which weights of the tokens before it "
            "change?",
            ["All of them, a little: shares must add up to 100 %", "None",
             "Only those of the last token before it"],
            answer=1,
            explain="No token sees what comes after it, so nothing about it can change. That is "
            "why keys and values can be kept.",
        ),
        chapter.Choice(
            f"This model's best induction head scores {induction.best.score:.2f}. What does the "
            "score say?",
            ["How much the model needs this head",
             "Which share of its weight goes, on repeated random words, to the token after the "
             "earlier copy",
             "How often the model copies right"],
            answer=1,
            explain="The score says where the head looks. What it is needed for only ablation can "
            f"say: without the heads of this kind, copying goes from "
            f"{induction_costs(gallery, induction)}.",
        ),
        chapter.Choice(
            "Where does a weight of the key matrix get its value from?",
            ["Somebody chose it", "From its gradient, step by step, down the loss",
             "From a dictionary of words"],
            answer=1,
            explain="Like every weight: backpropagation says how the loss changes with it, and "
            "each step moves it a little.",
            earlier="backpropagation",
        ),
    )  # fmt: skip


def induction_costs(gallery, portrait) -> str:
    return f"{gallery.whole.copying:.0%} to {portrait.without_all.copying:.0%}"


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("Transformer", "8 heads in each of 6 layers, the division by √D, and "
                         "the sentence that it is all you need", "Vaswani et al.", 2017),
        chapter.Reported("GPT-3", "96 heads in each of 96 layers", "Brown et al.", 2020),
        chapter.Reported("Llama 3 70B", "grouped queries: 64 query heads share 8 key and value "
                         "heads", "Llama Team", 2024),
        chapter.Reported("Mistral 7B", "a sliding window of 4,096 tokens and 8 key and value "
                         "heads", "Jiang et al.", 2023),
        chapter.Reported("Models of many sizes", "induction heads form early in training, at the "
                         "same time as copying in context", "Olsson et al.", 2022),
        chapter.Reported("GPT, Claude, Gemini", "which kind of attention the newest ones use is "
                         "not disclosed", "no publication of the makers", 2025,
                         status="disputed"),
    )  # fmt: skip


main()
chapter.end()
