"""Data work: copies are found, rubbish goes, mixtures and splits are what they say."""

import itertools
from collections import Counter

import numpy as np
import pytest

from microgpt.training import data_tools
from microgpt.training.data_tools import (
    FILTERS,
    MinHash,
    exact_duplicates,
    jaccard,
    mixed,
    mixture,
    near_duplicates,
    shingles,
    sift,
    split,
    without_duplicates,
)
from microgpt.world.corpus import documents

AWKWARD = ("", " ", "a", "\x00\x01", "😀" * 300, "שלום עולם", "x " * 5000, "\ud800", "١٢٣")


@pytest.fixture(scope="module")
def stories():
    written = (d.text for d in documents(5) if d.kind == "story")
    return list(itertools.islice(written, 60))


def test_copies_are_found_whatever_their_case_spaces_and_marks():
    texts = ["The cat sat.", "A dog.", "the  CAT sat!", "A bird.", "A dog.", "A dog"]
    assert exact_duplicates(texts) == [(0, 2), (1, 4, 5)]
    assert exact_duplicates(["!!", "??", ""]) == [], "texts without words are not all the same"


def test_minhash_estimates_the_overlap_without_bias():
    first, second = (" ".join(str(i) for i in range(*ends)) for ends in ((0, 300), (100, 400)))
    exact = jaccard(shingles(first), shingles(second))
    estimates = [
        (MinHash(seed=s).signature(first) == MinHash(seed=s).signature(second)).mean()
        for s in range(30)
    ]
    assert np.mean(estimates) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / (64 * 30)))
    assert exact == pytest.approx(198 / 398)


def test_texts_meet_as_often_as_the_formula_says():
    hashing = MinHash(bands=16, rows=4)
    assert hashing.meet(0) == 0 and hashing.meet(1) == 1
    assert hashing.meet(0.5) == pytest.approx(1 - (1 - 0.5**4) ** 16)
    with pytest.raises(ValueError, match="at least one band"):
        MinHash(bands=0)


def test_planted_near_duplicates_are_found_and_the_rest_left(stories):
    changed = [story.replace(" the ", " that ", 1) for story in stories[:8]]
    pairs = near_duplicates([*stories, *changed], threshold=0.75)
    found = {(p.first, p.second) for p in pairs}
    for i, (story, other) in enumerate(zip(stories, changed, strict=False)):
        if story != other and jaccard(shingles(story), shingles(other)) >= 0.75:
            assert (i, 60 + i) in found
    for pair in pairs:
        texts = [*stories, *changed]
        assert pair.overlap == jaccard(shingles(texts[pair.first]), shingles(texts[pair.second]))
        assert pair.estimate == pytest.approx(pair.overlap, abs=0.3)
    assert [p.overlap for p in pairs] == sorted((p.overlap for p in pairs), reverse=True)


def test_what_is_kept_has_every_text_once(stories):
    doubled = [*stories[:20], *(s.upper() for s in stories[:20])]
    kept = without_duplicates(doubled)
    assert max(kept) < 20 and without_duplicates([doubled[i] for i in kept]) == list(range(len(kept)))
    assert without_duplicates(["same words here"] * 500) == [0]


def test_filters_name_what_they_drop():
    good = "One day Anna went to the park. She saw a red kite and was happy."
    bad = {"length": "Too short.", "symbols": good + " #$%^&*()" * 5, "repetition": "buy it now " * 20,
           "readable": good + "\x00"}  # fmt: skip
    kept, lost = sift([good, *bad.values()])
    assert kept == [good] and lost == Counter(list(bad))
    assert [f.name for f in FILTERS] == list(bad)


def test_the_tiny_world_passes_its_own_filters(stories):
    kept, _ = sift([s.replace("<|end|>", "") for s in stories])
    assert len(kept) == len(stories)


def test_mixtures_follow_sizes_or_even_them_out():
    sizes = {"web": 900, "books": 100, "none": 0}
    assert mixture(sizes) == pytest.approx({"web": 0.9, "books": 0.1, "none": 0})
    even = mixture(sizes, 1e9)
    assert even["web"] == pytest.approx(0.5, abs=1e-6) and even["none"] == 0
    assert mixture(sizes, 2)["books"] == pytest.approx(10 / 40)
    for wrong in (({}, 1), ({"a": 0}, 1), ({"a": -1}, 1), ({"a": 1}, 0)):
        with pytest.raises(ValueError, match="A mixture needs"):
            mixture(*wrong)


def test_a_mixed_row_has_the_shares_and_reads_a_source_through_before_it_repeats():
    sources = {"web": [f"w{i}" for i in range(50)], "books": ["b0", "b1", "b2"]}
    row = list(itertools.islice(mixed(sources, {"web": 0.75, "books": 0.25}, np.random.default_rng(0)), 4000))
    assert Counter(name for name, _ in row)["web"] / 4000 == pytest.approx(0.75, abs=0.03)
    books = [text for name, text in row if name == "books"]
    assert all(set(books[i : i + 3]) == {"b0", "b1", "b2"} for i in range(0, len(books) - 3, 3))
    with pytest.raises(ValueError, match="which has none"):
        next(mixed(sources, {"poems": 1.0}, np.random.default_rng(0)))


def test_a_split_stays_as_it_is_and_keeps_copies_together(stories):
    train, held = split(stories, 0.2)
    assert sorted(train + held) == list(range(60)) and 3 <= len(held) <= 25
    more_train, more_held = split([*stories, *stories, "something new altogether"], 0.2)
    assert [i for i in more_held if i < 60] == held and [i for i in more_train if i < 60] == train
    assert {i % 60 for i in more_held if i < 120} == set(held)
    for few in (["a", "b"], ["one", "two", "three"]):
        assert all(split(few, 0.01)) and all(split(few, 0.99))
    assert split(["only"], 0.1)[0] in ([0], []) and split([], 0.1) == ([], [])
    with pytest.raises(ValueError, match="between 0 and 1"):
        split(stories, 1.0)


def test_awkward_texts_are_handled():
    assert exact_duplicates(AWKWARD) == []
    near_duplicates(AWKWARD)
    kept, lost = sift(AWKWARD)
    assert len(kept) + lost.total() == len(AWKWARD)
    assert sorted(itertools.chain(*split(AWKWARD))) == list(range(len(AWKWARD)))
    assert data_tools.word_share("") == 0 and data_tools.repetition("a b") == 0
