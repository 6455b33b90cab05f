"""Chapter 11: Architectures."""

from microgpt.autograd import scan as scans
from microgpt.model.moe import moe
from microgpt.model.ssm import ssm
from widgets import architectures as show
from widgets import architectures_balance as balancing
from widgets import architectures_experts as experts
from widgets import architectures_recall as lists
from widgets import architectures_scan as states
from widgets import chapter, engine


def main() -> None:
    chapter.begin("architectures")
    chapter.question(
        "Must every word look at every other, and every token meet every weight?",
        "In the [[transformer]] you have just seen, yes. There are other ways to spend the same "
        "arithmetic. Four models of this engine have read the same text in the same order, at "
        "about the same cost for a token; what differs is what is inside.",
    )
    table = show.table()
    if table is None:
        return
    show.comparison(table)
    chapter.explain(show.table_in_words(table))
    mixture = engine.model(experts.MODEL)
    routed(mixture, table)
    state = engine.model(lists.STATES)
    remembered(state, table)
    lengths(table)
    code()
    check(table, mixture, state)
    real_models()


def routed(model, table) -> None:
    config = model.config
    chapter.heading("Mixture of experts: not every token meets every weight")
    chapter.explain(
        "A hospital has many doctors, and a patient sees two of them: reception decides which. So "
        "the hospital can know more than two doctors do, and a visit costs no more. In a "
        f"[[mixture of experts]] the [[feed-forward network]] of each [[layer]] is there "
        f"{config.experts} times, each half as wide. A small matrix, the router, scores them for "
        f"each [[token]]; the best {config.active} do the work, and their answers are added in the "
        "shares that the router gave them. Nobody told them what to specialise in."
    )
    experts.routing(model)
    chapter.heading("When all go to the same doctor")
    chapter.explain(
        "An expert that is chosen more often learns more, is better, and is chosen more often. "
        "Left alone, this ends with a few busy experts and a queue of idle ones. So training adds "
        "a small [[loss]] of its own, smallest when all get the same share."
    )
    balancing.balance(model)
    total, active = show.millions(show.MIXTRAL)
    own, own_active = show.millions(config)
    chapter.explain(
        f"So there are two sizes. {model.name} has **{own:.2f} million** weights, and a token "
        f"meets **{own_active:.2f} million** of them. The same count on Mixtral 8x7B's published "
        f"shape gives **{total / 1000:.1f} billion** and **{active / 1000:.1f} billion**: memory "
        "for the first number, arithmetic for the second."
    )
    chapter.mark("computed", by="microgpt.model.costs", where="Mixtral's shape as published")
    show.worth_of_experts(table, config)


def remembered(model, table) -> None:
    chapter.heading("State space: a memory that never grows")
    chapter.explain(
        "[[Attention]] keeps everything: a [[key]] and a [[value]] for each token, in the "
        "[[KV cache]]. A [[state space model]] keeps a fixed heap of numbers instead. Each token "
        "lets a part of it fade, writes something in, and reads something out; what it sets is how "
        "much. Go through a sentence and watch one row of that memory."
    )
    states.machine(model)
    guess = chapter.predict(chapter.Choice(
        "“pear: 3, egg: 5, nose: 6. egg?” Only the list tells what comes next. Two models have "
        "read the same thousands of such lists: one attends, one keeps states. Which answers?",
        ["Both: the list is short",
         "Attention looks the value up; the state has mixed the pairs together",
         "The state has it all in one place; attention gets lost among the tokens"],
        answer=1,
        explain=[
            "Short, but new: which value belongs to which key must be kept apart until one of them "
            "is asked for.",
            "Attention still has every token as it was. The state had to choose what to keep "
            "before it knew what would be asked.",
            "All in one place is the trouble: the state had to choose what to keep before it knew "
            "what would be asked.",
        ],
    ))  # fmt: skip
    if not guess:
        return
    found = lists.recalling(table)
    chapter.explain(lists.verdict(found, model))


def lengths(table) -> None:
    chapter.heading("What a long text costs")
    show.curves(table)
    chapter.explain(show.lengths_in_words(table))


def code() -> None:
    chapter.heading("Read the code")
    chapter.read_code(moe, focus=("chosen", "shares"))
    chapter.read_code(ssm, focus=("delta", "B", "C"), opened=False)
    chapter.read_code(scans.scan_states, opened=False)
    chapter.read_code(scans.selective_scan, opened=False)


def check(table, mixture, state) -> None:
    config = mixture.config
    kept = lists.state_size(state)
    per_token = show.numbers_a_token(table)
    chapter.check(
        chapter.Number(
            f"A layer has {config.experts} experts, and each token visits {config.active}. Which "
            "share of the experts' weights does a token meet?",
            answer=100 * config.active / config.experts, tolerance=0.5, unit="%",
            explain=f"{config.active} ÷ {config.experts} = "
            f"**{100 * config.active / config.experts:.0f} %**. All of them have to lie in memory "
            "nevertheless: the next token may visit others.",
        ),
        chapter.Number(
            f"tiny-base keeps {per_token:,} numbers for each token of the text; tiny-ssm keeps "
            f"{kept:,} in its states, however long it is. From how many tokens on is the state "
            "the smaller memory?",
            answer=kept / per_token, tolerance=1.0, unit="tokens",
            explain=f"{kept:,} ÷ {per_token:,} = **{kept / per_token:.1f}**.",
        ),
        chapter.Choice(
            "Why is there a loss for an uneven load?",
            ["So that each expert is as good as the others",
             "Because an expert that is rarely chosen rarely learns, and its weights are wasted",
             "Because the router would otherwise choose more than two"],
            answer=1,
            explain="Being chosen is how an expert gets [[gradient|gradients]]. Without the loss "
            "the rich get richer.",
        ),
        chapter.Choice(
            "A model must quote a line of a contract that it read 20,000 tokens ago. Which memory "
            "suits that better?",
            ["A state: it has a summary of everything", "A cache: the line is still there as it "
             "was", "Neither can"],
            answer=1,
            explain="A summary of fixed size can't keep every line. That is why hybrids put a "
            "few layers of attention among many of states.",
            earlier="attention",
        ),
    )  # fmt: skip


def real_models() -> None:
    chapter.real_models(
        chapter.Reported("Mixtral 8x7B", "47 billion weights, about 13 billion for a token: 2 of 8 "
                         "experts", "Jiang et al.", 2024),
        chapter.Reported("DeepSeek-V3", "671 billion weights, 37 billion for a token",
                         "DeepSeek-AI", 2024),
        chapter.Reported("Kimi K2", "one trillion weights in all", "Moonshot AI", 2025),
        chapter.Reported("Mamba", "a selective state space and no attention; time that grows with "
                         "the length, not with its square", "Gu and Dao", 2023),
        chapter.Reported("GPT-4", "a mixture of experts of about 1.8 trillion weights",
                         "estimates of outsiders", 2023, status="estimated"),
        chapter.Reported("Claude 3", "dense or a mixture: its maker has not said; descriptions "
                         "contradict each other", "several texts", 2024, status="disputed"),
    )  # fmt: skip


main()
chapter.end()
