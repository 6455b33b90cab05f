"""Chapter 21: Read the engine."""

import numpy as np

from microgpt.autograd import ops
from widgets import chapter, engine_book, engine_scan


def main() -> None:
    chapter.begin("read_the_engine")
    book = engine_scan.read()
    chapter.question(
        "Can you read the whole machine?",
        "You have pressed Enter and seen an answer come out, stage by stage. Everything that did "
        "it is here: no part is hidden, and none is too long for one sitting.",
    )
    guess = predict(book)
    if guess:
        engine_book.lines_by_floor(book)
    chapter.heading("The house")
    chapter.explain(
        "Each row is a floor, the ground floor first; each brick is a module, as wide as it is "
        "long. A module only uses what comes before it, so you can read from the first brick to "
        "the last and meet nothing that you have not read. Touch a brick to open it, or search."
    )
    name = engine_book.house(book)
    engine_book.card(book, name)
    explain(book)
    check(book)
    chapter.real_models(
        chapter.Reported("nanoGPT", "a GPT-2 in about 330 lines, its training in as many, on "
                         "PyTorch", "Karpathy, repository", 2025),
        chapter.Reported("llm.c", "GPT-2 trained in one C file of about 1,200 lines",
                         "Karpathy, repository", 2025),
        chapter.Reported("llama2.c", "Llama 2 speaks from one C file of 700 lines",
                         "Karpathy, README", 2023),
    )  # fmt: skip
    chapter.end()


def predict(book):
    lines = sum(module.lines for module in book.modules)
    sizes = (1_000, 20_000, 500_000)
    return chapter.predict(chapter.Choice(
        "A tokenizer, automatic derivatives, a GPT, its training, the tiny world it read, and "
        "everything that makes it speak. How many lines of Python are that?",
        ["fewer than 1,000", "1,000 to 20,000", "20,000 to 500,000", "more than 500,000"],
        answer=sum(lines >= size for size in sizes),
        explain=f"**{lines:,}** lines, comments and blank ones included, in {len(book.modules)} "
        "modules. What makes a large model large is not its program.",
    ))  # fmt: skip


def explain(book) -> None:
    chapter.heading("What holds it together")
    functions = [f for f in book.functions.values() if f.kind != "class"]
    longest = max(functions, key=lambda f: f.lines)
    reached = sum(f.name in book.tested for f in functions)
    most = max(book.functions, key=lambda name: len(engine_book.uses_of(book, name)))
    chapter.explain(
        f"**{len(functions)}** functions and methods, the longest with **{longest.lines}** lines "
        f"(`{longest.short}`). The one that the rest of the tree names most often is "
        f"`{book.functions[most].short}`, in {len(engine_book.uses_of(book, most))} places. "
        f"**{len(book.tests)}** tests name some part of the engine or another, and from them "
        f"**{100 * reached / len(functions):.0f} %** of the functions can be reached. All of "
        "this was counted in the source a moment ago, by the function below."
    )
    chapter.read_code(engine_scan.in_reading_order, opened=False)


def check(book) -> None:
    above = [m for m in book.modules if "microgpt.autograd.tensor" in m.imports]
    third = float(ops.softmax(np.array([1.0, 2.0, 3.0]))[2])
    chapter.check(
        chapter.Number(
            "How many modules of the engine import `autograd.tensor` themselves? The house shows "
            "it when you touch that brick.",
            answer=len(above), tolerance=0,
            explain=f"{len(above)}: " + ", ".join(f"`{m.name[9:]}`" for m in above) + ".",
        ),
        chapter.Number(
            "Open `autograd.ops.softmax` and run it on 1, 2, 3. What is the last number?",
            answer=third, tolerance=0.006,
            explain=f"e³ over e¹ + e² + e³ = **{third:.4f}**. Add 10 to all three: it stays.",
        ),
        chapter.Choice(
            "Why does no module of `model` import anything from `training`?",
            ["It would be slow", "A floor knows only the floors it stands on",
             "Python forbids it"],
            answer=1,
            explain=[
                "Speed has nothing to do with it. A model that is used knows nothing of how it "
                "was trained.",
                "That is what lets you read the floors in order, and use a model without its "
                "trainer. A test fails when an arrow points the other way.",
                "Python would allow it. A test of this project does not.",
            ],
        ),
        chapter.Choice(
            "In `decoding.sampling.cut_top_p`, what becomes of the token with which the sum "
            "crosses p?",
            ["It stays", "It is cut", "It depends on the seed"],
            answer=0,
            explain="`before` is what the better tokens hold, without the token itself; as long as "
            "that is below p, the token stays. So at least one always does.",
            earlier="sampling",
        ),
    )  # fmt: skip


main()
