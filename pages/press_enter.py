"""Chapter 20: Press Enter."""

from microgpt.decoding import generate as generation
from microgpt.decoding import sampling
from microgpt.model import attention, gpt
from widgets import chapter, fetch_card
from widgets import press_enter as show
from widgets import press_enter_words as words

chapter.begin("press_enter")
chapter.question(
    "What happens between the Enter key and the answer?",
    "Every chapter so far took one part. Here they run in a row, on a real model, for your own "
    "words. Type a [[prompt]], press Enter, and go through the machine stage by stage.",
)
here = show.desk()
fetch_card.offer()
if here:
    show.machine(here)
    chapter.text_twin(words.run_in_words(here.built))
    work = words.work(here.built)

    guess = chapter.predict(chapter.Choice(
        "You have seen the stages of one pass. Which of them do most of the arithmetic?",
        [group.name for group in work],
        answer=words.hardest(work),
        explain="Counted by formula, for the last pass above; the times beside the stages are "
        "measured, and small stages take longer than their arithmetic.",
    ))
    if guess:
        chapter.heading("Where the work goes")
        chapter.explain(words.work_table(work, here.model.name))
        chapter.mark("computed", by="microgpt.model.costs", where="from the sizes of both models")

    chapter.heading("One token at a time")
    chapter.explain(words.loop(here.built))
    chapter.heading("The same at 70 billion weights")
    chapter.explain(words.at_70b(here.built, show.flops_per_second(here)))
    chapter.mark("computed", by="microgpt.model.costs", where="Llama 3 70B, 2 bytes a number")

    chapter.heading("Read the code")
    chapter.explain("These functions made the pictures: one pass, one look back, one draw, and "
                    "the loop around them.")
    chapter.read_code(gpt.gpt, focus=("x", "logits"), live={"logits": here.live["logits"]})
    chapter.read_code(attention.attend, focus="weights",
                      live={"weights": here.live["weights"]}, opened=False)
    chapter.read_code(sampling.distribution, focus="return", opened=False)
    chapter.read_code(generation._steps, focus=("token", "unread"), opened=False)

    chapter.check(
        chapter.Number(
            words.ask_tokens_read(here.built), answer=lambda: words.tokens_read(here.built),
            tolerance=0, unit="tokens", explain=words.why_tokens_read(here.built),
        ),
        chapter.Number(
            words.ask_cache(here.model), answer=lambda: words.cache_numbers(here.model.config),
            tolerance=0, unit="numbers", explain=words.why_cache(here.model.config),
        ),
        chapter.Choice(
            "You press Enter again and change nothing. What will be different?",
            ["The tokens: a model never says the same thing twice", "Only the times",
             "Only the random numbers"],
            answer=1,
            explain=[
                "With the same seed the same random numbers come, so the same tokens are drawn. "
                "Change the seed under the prompt and see.",
                "Same prompt, same seed, same tokens: nothing in the machine is left to chance "
                "but the draw, and the seed fixes that.",
                "The random numbers come from the seed, which you did not change.",
            ],
        ),
        chapter.Choice(
            "Temperature 0. Where does the random number point?",
            ["At the most likely token, wherever it falls", "At the token in the middle",
             "At any token that is left: each is equally likely"],
            answer=0,
            explain="At temperature 0 one token is left and it holds 100 %: every number between "
            "0 and 1 points at it, so none is drawn.",
            earlier="sampling",
        ),
    )

chapter.real_models(
    chapter.Reported("GPT-3", "175 billion weights in 96 layers, a context of 2,048 tokens: the "
                     "same stages, each layer 96 times over", "Brown et al.", 2020),
    chapter.Reported("Llama 3 70B", "8 key and value heads shared by all query heads, 128K "
                     "vocabulary, RoPE: the sizes used above", "Llama Team", 2024),
    chapter.Reported("A 70B model on a tuned server", "100 to 300 tokens per second",
                     "overview articles that name no measurement", 2026, status="claimed"),
    chapter.Reported("Hosted chat", "the first token after 200 to 500 ms, then 50 to 100 a second",
                     "overview articles that name no measurement", 2026, status="claimed"),
)
chapter.end()
