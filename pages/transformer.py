"""Chapter 10: The transformer."""


from microgpt.insight import ablation, cells, lens, switchboard
from microgpt.model import gpt
from widgets import chapter, engine, prose
from widgets import transformer as show
from widgets import transformer_counts as counting
from widgets import transformer_lines as reading
from widgets import transformer_more as more
from widgets import transformer_switchboard as board


def main() -> None:
    chapter.begin("transformer")
    chapter.question(
        "What happens to a word between the first layer and the last?",
        "[[attention|Attention]] is one part. The [[transformer]] is that part and a few others, "
        "stacked. Here is all of it, open, with every number that it works out for your sentence.",
    )
    name = show.choose_model()
    if name is None:
        return
    model = engine.model(name)
    the_map(model)
    show.desk(name)
    stream(model)
    switches(model)
    counts(model)
    line_by_line(model)
    code(model)
    check(model)
    real_models()


def the_map(model) -> None:
    config = model.config
    chapter.heading("The map")
    chapter.explain(
        "A map to zoom into: choose a station, then a [[tensor]], then a cell, by pointing at it "
        "or with Tab and the arrow keys; plus and minus zoom. Under the table stands the sum that "
        "made the cell. Its terms are cells too: open one, and you walk back towards the "
        f"[[token|tokens]], sum by sum. There is nothing else in it: {config.layers} times the "
        "same two parts, between a table that is read and a table that is compared with."
    )


def stream(model) -> None:
    chapter.heading("The stream")
    chapter.explain(
        "A token's row is never replaced. Each part reads a copy and **adds** what it has to say: "
        "the row is a :residual[**stream**] that runs through the whole model, the "
        "[[residual stream]]. So it can be asked at any depth. Put it through the last norm and "
        "the head early, and you see what the model would say if it stopped there: the "
        "[[logit lens]]."
    )
    found = more.stream(model)
    at, last = more.streams.settled_at(found), found.readings[-1]
    says = prose.literal(more.name_of(model, int(last.tokens[-1, 0])))
    where = found.places[at] if at else "the embedding"
    grown = found.lengths[-1, -1] / found.lengths[0, -1]
    chapter.explain(
        f"At the end of your text, **{says}** is the best guess from {where} on, with "
        f":probability[**{last.probabilities[-1, 0]:.0%}**] at the end. Meanwhile the stream has "
        f"grown to {grown:.1f} times its length. The lens is a reading, not the whole truth: the "
        "middle of the model is not trained to be read by the head."
    )


def switches(model) -> None:
    chapter.heading("Take a part away")
    guess = chapter.predict(chapter.Choice(
        "The [[causal mask]] hides the future. You take it away and train a small model anew. "
        "What happens to its [[loss]] on the text that it learns from?",
        ["It rises: the model is confused by words that come later",
         "It hardly changes: the past is all it needs",
         "It falls to nearly nothing"],
        answer=2,
        explain=more.mask_answers(),
    ))  # fmt: skip
    if guess:
        more.recorded()
    chapter.explain(
        "Now you. Both models start from the same weights and read the same text; only the parts "
        "differ. Take away one part or several. The dashed line is the loss on text that neither "
        "has read, with nothing to see but what comes before: that is what counts."
    )
    board.switchboard(model)


def counts(model) -> None:
    chapter.heading("What it weighs, and what a pass costs")
    chapter.explain(
        "Every size follows from a few numbers. Each [[parameter]] is used about once for each "
        "token, by one multiplication and one addition: that is where the rule of **2** "
        "[[FLOP|FLOPs]] for each weight and token comes from. What grows faster is attention: "
        "every token meets all those before it."
    )
    counting.counts(model)


def line_by_line(model) -> None:
    chapter.heading("Line by line")
    chapter.explain(
        "This is a whole GPT. It runs, on your sentence and with the weights of the model above, "
        "and says the same as the engine: a test holds the two together. Step through it with the "
        "arrow keys; the values beside it are those that each line made."
    )
    found = reading.lines(model, show.text_of(model, show.text_now()).ids)
    if found is not None:
        chapter.explain(
            f"{len(found.steps):,} lines ran. The largest difference from what `gpt` says, over "
            f"all {len(found.probabilities):,} chances: **{found.off:.0e}**."
        )


def code(model) -> None:
    chapter.heading("Read the code")
    text = show.text_of(model, show.text_now())
    chapter.read_code(gpt.block, focus="x", live={"x": text.streams[1:2]})
    chapter.read_code(gpt.gpt, focus=("x", "logits"), opened=False)
    chapter.read_code(cells.product, focus="total", opened=False)
    chapter.read_code(lens.read_out, focus="x", opened=False)
    chapter.read_code(ablation.without_residuals, focus="return", opened=False)
    chapter.read_code(switchboard.held_out_loss, focus="logits", opened=False)


def check(model) -> None:
    config = model.config
    C, F, V, L = config.width, config.hidden, config.vocab_size, config.layers
    matrices = 3 if config.mlp == "swiglu" else 2
    chapter.check(
        chapter.Number(
            f"The stream of {model.name} is {C} numbers wide, and its MLP has {F} hidden units and "
            f"{matrices} matrices. How many weights do the MLPs of all {L} layers have, without "
            "norms?",
            answer=L * matrices * C * F, tolerance=0.005 * L * matrices * C * F,
            explain=f"{L} · {matrices} · {C} · {F} = **{L * matrices * C * F:,}**.",
        ),
        chapter.Number(
            f"How many FLOPs does the head take for one token, with {V:,} tokens to score?",
            answer=2 * C * V, tolerance=0.005 * 2 * C * V,
            explain=f"{V:,} sums of {C} products: 2 · {C} · {V:,} = **{2 * C * V:,}**.",
        ),
        chapter.Choice(
            "You change one token of the text. Where does the row of the *next* token first "
            "change?",
            ["In its embedding", "In the mixed values of the first layer's attention",
             "In the first layer's MLP", "In the head"],
            answer=1,
            explain="Norms, projections, the MLP and the head work on each row alone. Only the mix "
            "of values takes something from another row.",
        ),
        chapter.Choice(
            "Of one token's attention weights, over what do they add up to 1?",
            ["Over all tokens of the text", "Over itself and those before it",
             "Over all heads of the layer"],
            answer=1,
            explain="The softmax goes over what the mask leaves: the token itself and those before "
            "it, in each head on its own.",
            earlier="attention",
        ),
    )  # fmt: skip


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("Transformer", "the first: attention, feed-forward, norm and residual, "
                         "stacked", "Vaswani et al.", 2017),
        chapter.Reported("GPT-3", "175 billion parameters in 96 layers, a context of 2,048 tokens",
                         "Brown et al.", 2020),
        chapter.Reported("Llama 3", "8 to 405 billion parameters; RoPE, 8 key and value heads, a "
                         "vocabulary of 128K", "Llama Team", 2024),
        chapter.Reported("GPT-4", "about 1.8 trillion parameters, 96 to 120 layers",
                         "not disclosed by the maker", 2023, status="estimated"),
        chapter.Reported("Claude 3", "a context of 200,000 tokens; size and kind are not "
                         "disclosed, and what is written of them contradicts itself",
                         "Anthropic, and documents about it", 2024, status="disputed"),
        chapter.Reported("Large models", "a stream of about 4,096 to 16,384 numbers for each "
                         "token", "an order of magnitude", 2024, status="estimated"),
    )  # fmt: skip


main()
chapter.end()
