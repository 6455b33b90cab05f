"""The tiny world: the same for the same seed, well formed, and never a probe in the training text."""

import hashlib
import re
from collections import Counter
from itertools import islice

import pytest

from microgpt.tokens import patterns
from microgpt.world import (
    ABILITIES,
    EXAMPLES,
    MIX,
    chat_documents,
    conversations,
    documents,
    lexicon,
    plots,
    probes,
    score,
    sentences,
    skills,
    stories,
)
from microgpt.world.corpus import document_weights
from microgpt.world.dice import Dice, held_out
from microgpt.world.document import estimated_tokens
from microgpt.world.probes import Probe, passage_probe, recall_probe

SPECIAL = re.compile(r"<\|\w+\|>")
BY_NATURE_READ = {"facts"}  # facts can only be known if they were read


@pytest.fixture(scope="module")
def corpus():
    return list(islice(documents(11), 24_000))


@pytest.fixture(scope="module")
def chats():
    return list(islice(chat_documents(12), 6_000))


def test_same_seed_same_text_and_other_seed_other_text():
    first = list(islice(documents(5), 300))
    assert first == list(islice(documents(5), 300))
    assert first != list(islice(documents(6), 300))
    assert list(islice(documents("5/1"), 9)) != list(islice(documents("5/2"), 9))


def test_text_is_pinned():
    """A change here changes every shipped model's training data: it must be meant."""
    dice = Dice(1)
    assert [dice.below(100) for _ in range(6)] == [13, 84, 76, 25, 49, 44]
    text = "\n".join(d.text for d in islice(documents(0), 2000))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "315e9bf0d91be85e"


def test_dice_are_fair_and_in_range():
    dice = Dice(3)
    counts = Counter(dice.between(2, 5) for _ in range(8000))
    assert sorted(counts) == [2, 3, 4, 5]
    assert max(counts.values()) < 1.2 * min(counts.values())
    assert Counter(tuple(sorted(dice.some("abc", 2))) for _ in range(300)).keys() == {
        ("a", "b"), ("a", "c"), ("b", "c")}


def test_every_document_ends_once_and_is_short_enough(corpus, chats):
    for document in corpus + chats:
        text = document.text
        assert text.endswith("<|end|>") and "<|begin|>" not in text
        assert estimated_tokens(text) <= 200
        assert any(piece.learn for piece in document.pieces)
        assert "{" not in text and "  " not in text and " ." not in text and " ," not in text
        if "<|user|>" not in text:
            assert SPECIAL.findall(text) == ["<|end|>"]


def test_roles_of_a_chat_follow_the_template(corpus, chats):
    turn = r"<\|user\|>[^<]+<\|end\|><\|assistant\|>"
    call = r"<\|calculate\|>\d+[-+*]\d+<\|end\|><\|tool\|>\d+<\|end\|><\|assistant\|>"
    chat = re.compile(rf"(<\|system\|>[^<]+<\|end\|>)?({turn}({call})?[^<]+<\|end\|>)+")
    seen = Counter()
    for document in corpus + chats:
        if document.kind in ("chat", "passage", "calculator"):
            assert chat.fullmatch(document.text), document.text
            seen.update(SPECIAL.findall(document.text))
    assert len(seen) == 6


def test_shares_of_tokens_follow_the_mix(corpus):
    tokens = Counter()
    for document in corpus:
        tokens[document.kind] += estimated_tokens(document.text) + 1
    for kind, share in MIX.items():
        assert tokens[kind] / tokens.total() == pytest.approx(share / sum(MIX.values()), rel=0.12)


def test_a_mix_can_be_chosen_and_a_wrong_one_is_refused():
    kinds = {d.kind for d in islice(documents(1, {"sum": 1, "copy": 0, "story": 3}), 200)}
    assert kinds == {"sum", "story"}
    with pytest.raises(ValueError, match="poems"):
        document_weights({"poems": 1})
    with pytest.raises(ValueError, match="above 0"):
        document_weights({"sum": 0})


@pytest.mark.parametrize("name", [n for n in ABILITIES if n not in BY_NATURE_READ])
def test_no_probe_occurs_in_the_training_text(name, corpus, chats):
    text = "\0".join(d.text for d in corpus + (chats if name != "facts_transfer" else []))
    for probe in probes(name, 300, seed=1):
        assert probe.prompt not in text


def test_probes_are_fixed_by_name_and_seed_and_unknown_names_are_refused():
    for name in ABILITIES:
        found = probes(name, 50, seed=4)
        assert found == probes(name, 50, seed=4)
        assert found != probes(name, 50, seed=5)
        assert all(p.prompt and p.answer and p.answer not in p.wrong for p in found)
        assert all("<|begin|>" not in p.prompt for p in found)
    with pytest.raises(ValueError, match="There is no ability 'poetry'"):
        probes("poetry")


def test_sets_are_large_enough():
    for name in ABILITIES:
        assert len(probes(name, 200)) == (
            {"facts_transfer": 12, "facts_reversed": 32}.get(name, 200))


def test_facts_in_training_are_true_and_kept_apart(corpus, chats):
    text = "\0".join(d.text for d in corpus + chats)
    base_chats = "\0".join(d.text for d in corpus if d.kind == "chat")
    for country, (capital, _) in lexicon.CAPITALS.items():
        assert f"The capital of {country} is {capital}." in text
    for country in lexicon.COUNTRIES_ONLY_STATED:
        assert country not in base_chats
    for country in lexicon.COUNTRIES_FORWARD_ONLY:
        capital = lexicon.CAPITALS[country][0]
        assert not re.search(rf"{capital}[^\0]*{country}", text)
    for country, capital in re.findall(r"capital of (\w+) is (\w+)", text):
        assert lexicon.CAPITALS[country][0] == capital


def test_sums_and_calculations_are_right_and_at_most_three_digits(corpus, chats):
    found = 0
    for document in corpus + chats:
        text = document.text
        for a, sign, b, result in re.findall(
                r"calculate\|>(\d+)([-+*])(\d+)<\|end\|><\|tool\|>(\d+)", text):
            value = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
            assert value == int(result) and max(len(a), len(b)) <= 3
            found += 1
        if document.kind == "sum":
            a, b = re.search(r"(\d+)\+(\d+)", text).groups()
            assert re.search(r"(\d+)\.<\|end\|>$", text)[1] == str(int(a) + int(b))
            assert max(len(a), len(b)) <= 3 and not skills.is_held_sum(int(a), "+", int(b))
            found += 1
    assert found > 1000


def test_steps_of_an_addition():
    assert skills.addition_steps(457, 268) == "7+8+0=15, 5+6+1=12, 4+2+1=07. So 725."
    assert skills.addition_steps(5, 96) == "5+6+0=11, 0+9+1=10. So 101."
    assert skills.addition_steps(0, 0) == "0+0+0=00. So 0."


def test_random_content_is_given_and_its_answer_learned(corpus):
    for document in corpus:
        learned = "".join(p.text for p in document.pieces if p.learn)
        shown = "".join(p.text for p in document.pieces if not p.learn)
        if document.kind == "recall":
            pairs = dict(re.findall(r"(\w+):? (\w+)", shown.split(".")[0]))
            asked = re.findall(r"(\w+)", shown.split(".", 1)[1])
            assert [pairs[key] for key in asked] == re.findall(r" (\w+)", learned)
        if document.kind == "copy":
            words = document.text.removesuffix("<|end|>").split(" ")
            length = len(shown.split(" ")) - 1
            assert words == words[:length] * (len(words) // length)
            assert 6 <= length <= 30 and len(words) in (2 * length, 3 * length)
        if document.kind == "passage":
            answers = re.findall(r"<\|assistant\|>(.*?)<", learned)
            assert 1 <= len(answers) == shown.count("?") <= 4
            assert all(answer in shown for answer in answers)


def test_pieces_part_at_word_borders(corpus):
    """Encoded piece by piece or as a whole, a document is the same tokens."""
    def split(text):
        return [w for part in re.split(r"(<\|\w+\|>)", text) for w in patterns.split(part, "digits")]

    for document in corpus[:3000]:
        parts = [w for piece in document.pieces for w in split(piece.text)]
        assert [w for w in parts if w] == [w for w in split(document.text) if w]


def test_articles_agree(corpus, chats):
    for document in corpus + chats:
        if document.kind in ("copy", "recall"):
            continue
        for word in re.findall(r"\b[Aa] (\w+)", document.text):
            assert word[0] not in "aeio", document.text
        for word in re.findall(r"\b[Aa]n (?!hour)(\w+)", document.text):
            assert word[0] in "aeio", document.text


def test_pronouns_of_people_agree_with_names(corpus):
    girls, boys = "|".join(lexicon.GIRLS), "|".join(lexicon.BOYS)
    wrong = re.compile(rf"\b({girls}) lost his|\b({boys}) lost her|girl named ({boys})\b"
                       rf"|boy named ({girls})\b|\b({girls}) is a boy|\b({boys}) is a girl")
    for document in corpus:
        if document.kind in ("story", "he_or_she"):
            assert not wrong.search(document.text), document.text
    assert len(lexicon.GIRLS) == len(lexicon.BOYS) >= 50
    assert len(set(lexicon.NAMES)) == len(lexicon.NAMES) >= 100


def test_stories_are_many_and_of_four_to_a_dozen_sentences():
    dice = Dice(2)
    told = [stories.story(dice) for _ in range(2000)]
    assert len(set(told)) > 1990
    assert len({" ".join(t.split()[:12]) for t in told}) > 1500
    for text in told:
        assert 4 <= len(re.findall(r"[.!?]\"?(?: |$)", text)) <= 18
        assert text[0].isupper() and text[-1] in '.!"'
        assert text.count('"') % 2 == 0


def test_a_story_about_an_animal_is_about_it():
    dice = Dice(9)
    for animal in ("cat", "owl"):
        assert all(animal in stories.story(dice, animal) for _ in range(100))


def test_every_sentence_of_every_plot_can_be_told():
    for plot in plots.PLOTS:
        for step in plot.steps:
            for sentence in step:
                for seed in range(3):
                    told = sentence.format_map(stories.Cast(Dice(seed), plot))
                    assert not told or (told[0].isupper() or told[0] == '"'), told


def test_animal_and_person_keep_one_pronoun():
    for seed in range(400):
        dice = Dice(seed)
        cast = stories.Cast(dice, plots.LOST)
        text = "{Hero} {hero} {he} {Friend} {friend}".format_map(cast)
        assert {"girl": "she", "boy": "he"}.get(cast.hero, "it") in text.split()
        assert cast.hero != cast.friend


def test_the_world_is_small(corpus, chats):
    words = {w.lower() for d in corpus + chats
             for w in re.findall(r"[A-Za-z]+", SPECIAL.sub("", d.text))}
    assert 900 <= len(words) <= 1150
    assert len(lexicon.DEFINITIONS) >= 60 and len(lexicon.CAPITALS) >= 40


def test_the_examples_of_the_course_are_there_and_held_out_where_they_claim():
    prompts = {e.prompt for e in EXAMPLES}
    assert {"The capital of France is", "What is gravity?", "How do I make a cake?",
            "The curious cat", "Once upon a time"} <= prompts
    assert sentences.is_held_sentence("cat", "mat", "tired")
    assert sentences.is_held_sentence("cat", "mat", "soft")
    assert held_out("names", "Ann", "Tom") and skills.is_held_sum(457, "+", 268)
    assert held_out("deed by whom", "dog", "bites", "man")
    assert held_out("deed by whom", "man", "bites", "dog")


def test_mean_wishes_are_refused_as_often_as_asked():
    def refusals(refuse):
        text = [d.text for d in islice(chat_documents(4, refuse), 8000)]
        mean = [t for t in text if re.search(r"How do I (steal|scare|trick|break|hide)", t)]
        assert len(mean) > 200
        return sum(conversations.REFUSAL in t for t in mean) / len(mean)

    assert refusals(0.0) == 0 and refusals(1.0) == 1
    assert refusals(0.5) == pytest.approx(0.5, abs=0.1)


def test_lists_and_passages_of_a_chosen_length_and_place():
    for place in range(8):
        probe = recall_probe(Dice(place), pairs=8, asked=place, words=True)
        key = re.search(r"(\w+)\??$", probe.prompt)[1]
        pairs = re.findall(r"(\w+):? (\w+)", probe.prompt.split(".")[0])
        assert len(pairs) == 8 and pairs[place] == (key, probe.answer.strip(" ."))
    probe = passage_probe(Dice(1), sentences=5, asked=4)
    assert probe.prompt.split("<|user|>")[1].split(". ")[4] + "." == probe.answer[:-7]


def test_score_counts_exact_continuations():
    asked = {p.prompt: p for p in probes("recall", 40, seed=2)}

    def perfect(prompts, max_tokens):
        assert all(2 <= n <= 40 for n in max_tokens)
        return [asked[p].answer + " and more" for p in prompts]

    def half(prompts, max_tokens):
        return [asked[p].answer if i % 2 else asked[p].answer[:-1]
                for i, p in enumerate(prompts)]

    assert score(perfect, "recall", 40, seed=2) == 1
    assert score(half, "recall", 40, seed=2) == 0.5
    assert Probe("a", " b.", accepted=(" c.",)).is_right(" c. d")


def test_base_answers_in_styles_and_the_system_prompt_decides(corpus):
    texts = [d.text for d in corpus if d.kind == "chat"]
    plain = [t for t in texts if "<|system|>" not in t]
    for words in ("What a silly question.", "Of course, my friend.", "That is a good question."):
        assert sum(words in t for t in plain) > 20
    for style, (system, before, after) in conversations.STYLES.items():
        for text in texts:
            if system and text.startswith(f"<|system|>{system}") and style != "brief":
                assert text.count(before) == 1 and text.endswith(f"{after}<|end|>")


def test_tiny_chat_is_never_rude_unless_told(chats):
    for document in chats:
        if "You are rude." not in document.text:
            assert "silly" not in document.text
