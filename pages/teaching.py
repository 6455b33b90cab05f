"""Chapter 16: Teaching it to help."""

import numpy as np

from microgpt.alignment import dpo, grpo, policy, ppo, reward, sft
from microgpt.autograd.ops import sigmoid
from microgpt.training import lora
from widgets import chapter, engine
from widgets import teaching as show
from widgets import teaching_compare as compare
from widgets import teaching_policies as policies
from widgets import teaching_runs as runs
from widgets import teaching_taste as taste
from widgets import teaching_view as views


def main() -> None:
    chapter.begin("teaching")
    chapter.question(
        "A model that continues any text is no assistant yet. How do you teach it to help?",
        "[[pre-training|Pre-training]] made a predictor of texts. An assistant takes two more "
        "lessons: first good examples, then your opinion. All of it happens here, on two cores, "
        "in seconds.",
    )
    if show.missing():
        return
    base_and_chat()
    fine_tuning()
    learned = clicks()
    aligned = leash(learned)
    hacking()
    methods(learned, aligned)
    tax()
    code()
    check()
    real_models()


def base_and_chat() -> None:
    chapter.heading("1. Predictor and assistant")
    chapter.explain(
        "Three times the same question. Given the bare text, tiny-base goes on with whatever "
        "stands after such words in its texts. Put into the [[chat template]], it plays an "
        "assistant, for it has read some conversations: polite, rude and wordy ones. tiny-chat is "
        "the same model after one more lesson."
    )
    show.base_and_chat()


def fine_tuning() -> None:
    chapter.heading("2. Learning from examples")
    chapter.explain(
        "[[supervised fine-tuning|Supervised fine-tuning]] is the training you know, with other "
        "data and a mask: the model reads whole conversations and learns only what the assistant "
        "says, up to its [[end token]]. Train tiny-base yourself. All its weights, or, with "
        "[[LoRA]], none of them: only a small correction beside each matrix."
    )
    found = show.fine_tuning()
    show.tuning_results(found)
    if len(found) == 2:
        full, small = (r.measured for r in found)
        chapter.explain(
            f"LoRA trains {small['trained']:,} weights instead of {full['trained']:,}, "
            f"{small['trained'] / full['trained']:.0%} of them. It still has to go through the "
            f"whole model, forward and backward: {small['seconds']:.1f} s beside "
            f"{full['seconds']:.1f} s. What it saves is memory: gradients and Adam's two moments "
            "are needed for the corrections only."
        )


def clicks():
    chapter.heading("3. Your opinion")
    chapter.explain(
        "For most questions nobody can write down what a good answer is, but anybody can say which "
        "of two is better. These are real answers of tiny-chat, drawn at [[temperature]] 1. Choose "
        "by your own taste, and keep to it: when you have judged them all, a [[reward model]] "
        "learns from your clicks. Every fourth is kept back to test it."
    )
    taste.judge()
    taste.rater()
    result = taste.reward_model()
    if result is None:
        return None
    chapter.explain(
        "The reward model is the GPT itself with one number for a head. It is trained so that "
        "the better answer of each pair gets the larger number. Whether it learned your taste or "
        "some easy sign of it shows on answers that you make up:"
    )
    taste.scores(result)
    return result


def leash(learned):
    chapter.heading("4. Practice, on a leash")
    chapter.explain(
        "Now the model practises. It writes answers, the reward model gives each a number, and "
        "[[PPO]] makes what was rewarded likelier, a little at a time. The reward model knows "
        "only answers like those you judged. So every step away from tiny-chat costs something: "
        "the [[KL divergence]], times the leash."
    )
    return policies.ppo(learned).result


def hacking() -> None:
    chapter.heading("5. When the reward is wrong")
    chapter.explain(
        "A rater in a hurry takes the longer answer of each pair, because it looks more helpful. A "
        "reward model learns that from its clicks. Beside it, out of sight, stands the true score: "
        "is it right, kind, honest, and does it end?"
    )
    guess = chapter.predict(chapter.Choice(
        "PPO follows this reward without a leash. The learned reward rises. What does the true "
        "score do?",
        ["It rises too, more slowly", "It stays where it was",
         "It may rise for a moment, and then falls"],
        answer=2,
        explain=[
            "At first it can: longer answers often have kind words in them. Then there is no "
            "helpful way left to get longer.",
            "The reward pulls at the words all the time, so the answers change all the time.",
            "At first length and kindness go together. Then only length is left to gain.",
        ],
    ))  # fmt: skip
    if not guess:
        return
    done = policies.hacking()
    if views.was_hacked(done["free"].moments) and done["free"].result:
        chapter.explain(
            "That is [[reward hacking]]. Nothing went wrong in the training: the model found what "
            "you rewarded instead of what you meant. A leash limits how far it can go that way, "
            "but it doesn't make the reward right. A rater who reads does."
        )
    compare.recorded_hacking()


def methods(learned, aligned) -> None:
    chapter.heading("6. Other ways, and other kinds of good")
    chapter.explain(
        "[[DPO]] needs no reward model and writes nothing: it makes the better answer of each "
        "pair likelier than the worse one, measured against tiny-chat. [[GRPO]] writes eight "
        "answers to each question and compares each with the mean of its group, so it needs no "
        "value head. Both learn here from the very pairs of section 3."
    )
    compare.methods(learned, aligned)
    compare.recorded_comparison()
    chapter.explain(
        "“Good” is several things, and they pull in different directions: refusing a mean wish is "
        "harmless and not helpful. Somebody must say what counts how much. Move the weights and "
        "see who is best:"
    )
    compare.dimensions()
    compare.follow_weights()


def tax() -> None:
    chapter.heading("7. What it costs")
    card = engine.model("tiny-aligned").card["alignment"]
    before, after = card["true_score"]
    loss = card["held_out_loss"]
    mean, kind = card["answered"]["mean wish"], card["answered"]["kind wish"]
    chapter.explain(
        f"tiny-aligned is tiny-chat after {card['method']} on {card['preferences']}. On "
        f"{card['answers']} held-out questions its true score went from {before:.2f} to "
        f"**{after:.2f}**; it tells how to do {mean[1]:.0%} of the mean wishes instead of "
        f"{mean[0]:.0%}, and still helps with {kind[1]:.0%} of the kind ones. The price, its "
        f"[[alignment tax]]: the :loss[loss] on held-out conversations rose from {loss[0]:.3f} to "
        f"**{loss[1]:.3f}** nats a token, at {card['kl']:.2f} nats an answer from tiny-chat."
    )
    chapter.mark("measured", by="python -m microgpt align", where="from the card of tiny-aligned")
    chapter.explain("Here are your own models beside it, on fewer batches:")
    compare.tax()
    compare.ask_all()


def code() -> None:
    chapter.heading("Read the code")
    chapter.read_code(reward.bradley_terry, focus="return")
    chapter.read_code(sft.FineTuning.batches.fget, focus="return", opened=False)
    chapter.read_code(lora.merge, focus="correction", opened=False)
    chapter.read_code(ppo.token_rewards, focus="rewards", opened=False)
    chapter.read_code(policy.clipped_policy_loss, focus=("ratio", "clipped"), opened=False)
    chapter.read_code(ppo.ppo, focus=("samples", "scores", "estimated", "updates"), opened=False)
    chapter.read_code(dpo.dpo_loss, focus="moved", opened=False)
    chapter.read_code(grpo.group_advantages, focus="centered", opened=False)


def check() -> None:
    matrix = {"up_proj.weight": np.zeros((384, 128), np.float32)}
    corrections = lora.init_lora(matrix, runs.ADAPTER, np.random.default_rng(0))
    trained = sum(p.size for p in corrections.values())
    wins = 100 * float(sigmoid(np.array(1.0)))
    chapter.check(
        chapter.Number(
            "One answer has the reward 1.7, another 0.7. How likely is it, by Bradley and Terry, "
            "that the first one is preferred?",
            answer=wins, tolerance=0.6, unit="%",
            explain=f"Only the difference counts: σ(1) = 1 / (1 + e⁻¹) = **{wins:.1f} %**.",
        ),
        chapter.Number(
            f"A matrix has 384 rows and 128 columns. How many weights does LoRA of rank "
            f"{runs.ADAPTER.rank} train instead of its {384 * 128:,}?",
            answer=trained, tolerance=0.5,
            explain=f"One factor of {runs.ADAPTER.rank} × 128 and one of 384 × "
            f"{runs.ADAPTER.rank}: **{trained:,}**.",
        ),
        chapter.Number(
            "What is DPO's loss at its very first step, before the model has moved?",
            answer=reward.LN2, tolerance=0.006,
            explain="Policy and reference are the same, so both log-ratios are 0, and "
            f"−log σ(0) = ln 2 = **{reward.LN2:.3f}**.",
        ),
        chapter.Choice(
            "The two answers of a pair come from the same model and the same question. Why do they "
            "differ?",
            ["The weights changed in between", "Each was drawn, token by token, with other luck",
             "The model was told to disagree"],
            answer=1,
            explain="The model gives the same probabilities both times. What differs is the draw: "
            "at temperature 0 all pairs would be two equal answers, and nobody could learn from "
            "them.",
            earlier="sampling",
        ),
    )  # fmt: skip


def real_models() -> None:
    source = "overview articles"
    chapter.real_models(
        chapter.Reported("In general", "fine-tuning sets of thousands to a million examples; then "
                         "a Bradley-Terry reward model and PPO with a KL leash",
                         source, 2026, "claimed"),
        chapter.Reported("GPT (OpenAI)", "RLHF and safety classifiers; pairs labelled by people, "
                         "many of them", source, 2026, "claimed"),
        chapter.Reported("Claude (Anthropic)", "Constitutional AI and RLHF; preferences made by an "
                         "AI with principles", "Bai et al.", 2022),
        chapter.Reported("Llama 3 (Meta)", "DPO and fine-tuning for safety, on human preferences",
                         source, 2026, "claimed"),
        chapter.Reported("DeepSeek-V3", "GRPO, with a reward model and rules", source, 2026,
                         "claimed"),
        chapter.Reported("Gemini (Google)", "RLHF, likely with constitutional parts; the data are "
                         "undisclosed", source, 2026, "estimated"),
    )  # fmt: skip


main()
chapter.end()
