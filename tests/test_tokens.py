"""BPE: the fast path against the readable one, and both against tiktoken, regex and rustbpe."""

import json
import os
import random
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from microgpt.tokens import bpe, kernels
from microgpt.tokens.categories import LETTER, NEWLINE, NUMBER, OTHER, SPACE, categories
from microgpt.tokens.patterns import PATTERNS, split
from microgpt.tokens.tokenizer import cut_words

TEXT = (
    "The cat sat on the mat because it was tired. The dog sat on the log; it's 1234 miles from "
    "home, isn't it? Aaaaaaa! Aaaaaa, said the cat, and the dogs' tails wagged 5678 times.\n\n"
    "  banana bandana\n"
)
NASTY = [
    "", "\0", "\0\0 \0", "\x1b[0m\x07\x1c\x1f\x7f\x85", "\r\n\r\n \r \n\n", "a\r\nb \r\n c\t\t\td",
    "1 22 333 4444 55555 ٣٤٥ ²³½ Ⅷ 一二", "  12  a  !", "it's IT'S we'll WE'LL you'Ve'Re'ſ 'l 'v ''s",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽", "e\u0301a\u0300\u0316n\u0303 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L", "日本語のテキスト、漢字。", "مرحبا بالعالم ١٢٣", "שלום",
    "ไทยภาษา", "\u3000全角\u00a0nbsp\u2028line\u2029\u200b\u200d\ufeff", "ﬀﬁ ǅ İi̇ ẞß", "\U0010ffff\U000e0001\ue000",
    "<|begin|> <|endoftext|> <| |>", " " * 50 + "x" + "\n" * 50 + " " * 33, "-" * 40 + "=" * 17 + "\n",
    "abcdefghijklmnopqrstuvwxyz" * 4, "aB'sD''T'Ll'lL", "$var_name += f(x[0])**2  # done\n\n\n\tif",
]  # fmt: skip
SURROGATES = [("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd"), ("\ud83d\ude00!", "😀!")]


# What is newer than our frozen Unicode, or than the one in `regex` or `tiktoken`, may differ.
UNICODE = unicodedata if unicodedata.unidata_version < "16.1" else unicodedata.ucd_3_2_0


def known(character):
    """Whether the character is old enough for every library to know it."""
    return UNICODE.category(character) not in ("Cn", "Cs")


def random_texts(seed, count, longest=60):
    """Short texts from alphabets in which the rules of the patterns meet each other."""
    rng = random.Random(seed)
    everywhere = [c for c in map(chr, range(0x30000)) if known(c)]
    alphabets = [
        "a 1.\n", " \t\r\n\u00a0\u3000x1!", "'sdmtlvreSDMTLVREſ ", "0123456789٣½ a", "ab", "aé日👍 \u0301",
        "".join(map(chr, range(128))), everywhere,
    ]  # fmt: skip
    for _ in range(count):
        alphabet = rng.choice(alphabets)
        yield "".join(rng.choices(alphabet, k=rng.randrange(longest)))


@pytest.fixture(scope="module")
def tokenizer():
    return bpe.train(TEXT + " ".join(NASTY), 256 + 200 + 8, pattern="gpt4")


def permuted(tokenizer, seed=0):
    """The same vocabulary as a foreign one: specials first, all other ids in disorder."""
    count = tokenizer.vocab_size - len(tokenizer.specials)
    new = len(tokenizer.specials) + np.random.default_rng(seed).permutation(count)
    move = [int(token) for token in new] + list(range(len(tokenizer.specials)))
    merges = [tuple(move[token] for token in merge) for merge in tokenizer.merges]
    specials = {text: move[token] for text, token in tokenizer.specials.items()}
    return bpe.Tokenizer(merges, tokenizer.pattern, specials, move[:256]), move


# Cutting text into words


def test_categories_are_those_of_unicode():
    table = categories()
    kinds = {"L": LETTER, "N": NUMBER}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if known(character):
            kind = kinds.get(unicodedata.category(character)[0], OTHER)
            if character.isspace() and character not in "\x1c\x1d\x1e\x1f":
                kind = NEWLINE if character in "\r\n" else SPACE
            assert table[code] == kind, hex(code)


@pytest.mark.parametrize("name", PATTERNS)
def test_split_finds_what_the_regular_expression_finds(name):
    regex = pytest.importorskip("regex")
    pattern = regex.compile(PATTERNS[name].regex)
    for text in [TEXT, *NASTY, *random_texts(1, 2000)]:
        assert split(text, name) == pattern.findall(text), repr(text)


@pytest.mark.parametrize("name", PATTERNS)
def test_the_fast_scanner_finds_the_same_words(name):
    texts = [TEXT, *NASTY, *random_texts(2, 2000), "a" * 100_000, " " * 9999 + "x", "é" * 999]
    texts += [text * 200 for text in random_texts(11, 60)]  # longer than a block
    ends = cut_words(texts, name, {}).ends
    expected = [len(word.encode()) for text in texts for word in split(text, name)]
    assert np.diff(ends, prepend=0).tolist() == expected


def test_digits_stand_alone_and_no_space_is_glued_to_them():
    assert split("at 12:30, 457+268", "digits") == (
        ["at", " ", "1", "2", ":", "3", "0", ",", " ", "4", "5", "7", "+", "2", "6", "8"]
    )
    assert split("at 12345", "gpt4") == ["at", " ", "123", "45"]


def test_an_unknown_pattern_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="gpt4, digits"):
        split("a", "gpt5")


# Training


def pairs_of(tokenizer):
    return [merge[:2] for merge in tokenizer.merges]


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize(
    "text",
    ["", "a", "aaa", "aaaaaaaa aaaaa aaa", "abababab cdcdcdcd", "ab cd ef gh", TEXT, "".join(NASTY),
     " ".join(random_texts(3, 300)), "ab" * 300 + "ba" * 300, "".join(a for a, _ in SURROGATES)],
)  # fmt: skip
def test_fast_training_finds_the_merges_of_the_readable_one(text, name):
    steps = list(bpe.train_steps(text, 400, name, specials=()))
    fast = bpe.train(text, 400, name, specials=())
    assert pairs_of(fast) == [step.pair for step in steps]
    assert [fast.token_bytes(step.token) for step in steps] == [step.token_bytes for step in steps]


def test_training_on_many_different_words_grows_its_tables():
    rng = random.Random(4)
    alphabet = "abcdefghijklmnopqrstuvwxyzäöüßéèàçñøåабвгд"
    words = ["".join(rng.choices(alphabet, k=rng.randrange(1, 30))) for _ in range(9000)]
    text = " ".join(words)
    steps = bpe.train_steps(text, 256 + 4, specials=())
    assert pairs_of(bpe.train(text, 256 + 4, specials=())) == [step.pair for step in steps]
    assert bpe.train(text, 256 + 3000, specials=()).vocab_size == 256 + 3000


def test_merges_are_those_of_rustbpe():
    # rustbpe 0.1.0 on TEXT with the pattern "digits", 60 merges.
    expected = [
        "aa", " t", "he", "an", "at", " i", " the", " b", " s", "og", "aaaa", " it", " A", " c",
        " d", " m", " o", " w", "The", "ai", "ed", "es", "om", " ti", "ana", "and", " sat",
        " Aaaaa", " cat", " dog", " on", " wa", "\n\n", " f", " h", " l", " The", " and", "'s",
        "'t", ".\n\n", "au", "cau", "ecau", "gg", "il", "ls", "mes", "red", "rom", "se", "sn",
        " tai", "anana", " isn", " band", " becau", " banana", " sai", " mat",
    ]  # fmt: skip
    trained = bpe.train(TEXT, 256 + 60, pattern="digits", specials=())
    assert [trained.token_bytes(256 + i).decode() for i in range(60)] == expected


def test_special_tokens_in_the_text_are_no_words():
    texts = ["<|user|>ab<|end|>", "<|user|>ab", "ab<|end|><|end|>ba"]
    steps = list(bpe.train_steps(texts, 300))
    assert [step.token_bytes for step in steps] == [b"ab", b"ba"] and steps[0].count == 3
    assert pairs_of(bpe.train(texts, 300)) == [step.pair for step in steps]
    assert pairs_of(bpe.train(iter(texts), 300)) == [step.pair for step in steps]


def test_ties_go_to_the_smallest_ids():
    first = next(bpe.train_steps("zb za ya", 300, specials=()))
    assert first.count == 1 and first.pair == (ord(" "), ord("y"))
    assert first.candidates[1] == ((ord(" "), ord("z")), 1)


def test_overlapping_pairs_merge_from_left_to_right():
    steps = list(bpe.train_steps("aaaaa", 258, specials=()))
    assert steps[0].count == 4 and steps[0].changed == (((97,) * 5, (256, 256, 97), 1),)
    assert steps[1].pair == (256, 97) and steps[1].tokens == 2


def test_a_step_tells_what_it_did():
    for step in bpe.train_steps(TEXT, 256 + 50, specials=()):
        assert step.candidates[0] == (step.pair, step.count)
        assert len(step.candidates) <= 10
        assert all(step.token in after and step.token not in before
                   for before, after, _ in step.changed)  # fmt: skip


def test_training_stops_when_nothing_is_left_to_merge():
    trained = bpe.train("ab ab", 1000)
    assert pairs_of(trained) == [(97, 98), (32, 256)]
    assert trained.specials["<|begin|>"] == 258 and trained.vocab_size == 266


def test_a_vocabulary_that_cannot_be_is_refused():
    for function in (bpe.train, lambda *args: list(bpe.train_steps(*args))):
        for size in (263, 3e9, 10**9, "300", None):
            with pytest.raises(ValueError, match="at least 264, and 2097151 is the most"):
                function("abc", size)
        with pytest.raises(ValueError, match="not empty"):
            function("abc", 300, "gpt4", ["<a>", ""])
        with pytest.raises(ValueError, match="same text"):
            function("abc", 300, "gpt4", ["<a>", "<a>"])


# Encoding and decoding


def as_tiktoken(tokenizer):
    tiktoken = pytest.importorskip("tiktoken")
    special = set(tokenizer.specials.values())
    ranks = {t: i for i, t in enumerate(tokenizer.tokens) if i not in special}
    return tiktoken.Encoding(
        "ours", pat_str=PATTERNS[tokenizer.pattern].regex, mergeable_ranks=ranks,
        special_tokens=tokenizer.specials,
    )  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_ids_are_those_of_tiktoken(name):
    trained = bpe.train(TEXT + " ".join(NASTY), 256 + 300, name)
    peer = as_tiktoken(trained)
    texts = [TEXT, *NASTY, *random_texts(5, 3000), "a" * 100_000, "ab" * 5000, "the" * 20_000]
    texts += [text for text, _ in SURROGATES]
    for text in texts:
        assert trained.encode(text) == peer.encode_ordinary(text), repr(text)
    for text in random_texts(6, 300):
        text = text.join(["<|end|>", "<|user|>"])
        assert trained.encode(text, allow_special=True) == peer.encode(text, allowed_special="all")


def test_documents_are_encoded_as_if_alone(tokenizer):
    texts = [*NASTY, *random_texts(7, 500), "", *(text for text, _ in SURROGATES), ""]
    ids, offsets = tokenizer.encode_documents(texts)
    assert ids.dtype == np.int32 and len(offsets) == len(texts) + 1
    for d, text in enumerate(texts):
        assert ids[offsets[d] : offsets[d + 1]].tolist() == tokenizer.encode(text), repr(text)
    ids, offsets = tokenizer.encode_documents([])
    assert len(ids) == 0 and offsets.tolist() == [0]


def test_the_word_cache_never_mixes_words_up(tokenizer):
    rng = random.Random(8)
    words = [("pre" * 6)[: rng.randrange(19)] + "".join(rng.choices("ab\0é", k=rng.randrange(1, 20)))
             for _ in range(20_000)]  # fmt: skip
    words += [word[:-1] for word in words] + words
    ids, offsets = tokenizer.encode_documents(words)
    for d in range(0, len(words), 7):
        assert ids[offsets[d] : offsets[d + 1]].tolist() == tokenizer.encode(words[d])


@pytest.mark.parametrize("size", [1, 2, kernels.SHORT_WORD, kernels.SHORT_WORD + 1, 300, 900])
def test_long_words_merge_like_short_ones(size):
    rng = random.Random(size)
    trained = bpe.train(" ".join("".join(rng.choices("ab", k=9)) for _ in range(300)), 256 + 120)
    for alphabet in ("a", "ab", "abc"):
        word = "".join(rng.choices(alphabet, k=size))
        ids = [ord(letter) for letter in word]
        for step in bpe.encode_steps(word, trained):
            ids = list(step.ids)
        assert trained.encode(word) == ids


def test_a_megabyte_without_a_space_is_no_trouble(tokenizer):
    for word in ("a" * 1_000_000, "банан" * 200_000, "\n" * 1_000_000, "=" * 1_000_000):
        assert tokenizer.decode(tokenizer.encode(word)) == word


def test_threads_do_not_disturb_each_other(tokenizer):
    texts = [text * 300 for text in [TEXT, *NASTY]]
    alone = [tokenizer.encode(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(tokenizer.encode, texts)) == alone


def test_encode_steps_apply_the_lowest_rank_first(tokenizer):
    for word in (" banana", "isn", "Aaaaaaa"):
        ids = list(word.encode())
        for step in bpe.encode_steps(word, tokenizer):
            assert step.pair == tuple(ids[step.position : step.position + 2])
            ids[step.position : step.position + 2] = [step.token]
            assert tuple(ids) == step.ids and tokenizer.merges[step.rank][2] == step.token
        assert ids == tokenizer.encode(word)


def test_the_readable_encoding_gives_the_same_ids(tokenizer):
    for text in [TEXT, *NASTY, *random_texts(12, 300)]:
        assert bpe.encode(text, tokenizer) == tokenizer.encode(text)
    for text, _ in SURROGATES:
        assert bpe.encode(text, tokenizer) == tokenizer.encode(text)


def test_decoding_gives_the_text_back(tokenizer):
    for text in [TEXT, *NASTY, *random_texts(9, 1000)]:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    for text, mended in SURROGATES:
        assert tokenizer.decode(tokenizer.encode(text)) == mended
    assert tokenizer.decode(np.array(tokenizer.encode(TEXT))) == TEXT


def test_ids_out_of_range_are_refused(tokenizer):
    for ids in ([-1], [tokenizer.vocab_size], [5, -1, 5]):
        with pytest.raises(ValueError, match="ids go from 0 to"):
            tokenizer.decode(ids)
    with pytest.raises(ValueError, match="There is no token -1"):
        tokenizer.token_bytes(-1)


def test_a_text_must_be_a_string(tokenizer):
    with pytest.raises(ValueError, match="must be a string, not bytes"):
        tokenizer.encode(b"abc")


def test_streaming_gives_whole_characters_and_the_same_text(tokenizer):
    rng = random.Random(10)
    rows = [tokenizer.encode(text) for text in NASTY]
    rows += [rng.choices(range(256), k=40) for _ in range(300)]
    rows += [list("日本👍".encode())[:cut] for cut in range(11)]
    for ids in rows:
        stream = bpe.StreamDecoder(tokenizer)
        pieces = [stream.push(token) for token in ids] + [stream.flush()]
        assert "".join(pieces) == tokenizer.decode(ids)
    stream = bpe.StreamDecoder(tokenizer)
    assert [stream.push(byte) for byte in "👍é".encode()] == ["", "", "", "👍", "", "é"]


def test_names_show_what_cannot_be_seen(tokenizer):
    name = tokenizer.name_of
    assert (name(32), name(10), name(0), name(0xE2)) == ("·", "↵", r"\x00", "<E2>")
    assert name(tokenizer.specials["<|end|>"]) == "<|end|>"
    assert all(name(token) for token in range(tokenizer.vocab_size))


# Special tokens


def test_plain_text_never_becomes_a_special_token(tokenizer):
    text = "".join(tokenizer.specials) + "<|end|><|end|>"
    assert not set(tokenizer.encode(text)) & set(tokenizer.specials.values())
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(text, allow_special=True)) == text


def test_trusted_text_has_special_tokens(tokenizer):
    begin, end = tokenizer.specials["<|begin|>"], tokenizer.specials["<|end|>"]
    ids = tokenizer.encode("<|begin|>Hi <|end|<|end|>", allow_special=True)
    assert ids == [begin, *tokenizer.encode("Hi <|end|"), end]
    ids, offsets = tokenizer.encode_documents(["<|end", "|>", "<|end|>"], allow_special=True)
    assert ids[offsets[2] :].tolist() == [end] and end not in ids[: offsets[2]]


def test_the_longest_of_several_specials_wins():
    nested = bpe.train(TEXT, 300, specials=("<a", "<ab>", "<ab"))
    ids = nested.specials
    assert nested.encode("<ab><a<abb", True) == [ids["<ab>"], ids["<a"], ids["<ab"], ord("b")]


# Foreign vocabularies


def test_a_foreign_vocabulary_has_any_ids(tokenizer):
    foreign, move = permuted(tokenizer)
    assert foreign.specials["<|begin|>"] == 0
    for text in [TEXT, *NASTY]:
        ids = tokenizer.encode(text)
        assert foreign.encode(text) == [move[token] for token in ids]
        assert foreign.decode(foreign.encode(text)) == text
    steps = list(bpe.encode_steps(" banana", foreign))
    assert list(steps[-1].ids) == foreign.encode(" banana")


def test_bytes_without_an_id():
    byte_ids = [byte if byte < 255 else -1 for byte in range(256)]
    byte_ids[0] = -1
    byte_ids = [token - 1 if token > 0 else token for token in byte_ids]
    lacking = bpe.Tokenizer([], "gpt4", {"<unk>": 254}, byte_ids)
    assert lacking.decode(lacking.encode("abc")) == "abc"
    with pytest.raises(ValueError, match="no token for"):
        lacking.encode("a\0c")
    unknown = bpe.Tokenizer([], "gpt4", {"<unk>": 254}, byte_ids, unknown=254)
    assert unknown.encode("a\0c") == [96, 254, 98]


# Files


def content(tokenizer):
    return (tokenizer.merges, tokenizer.pattern, tokenizer.specials, tokenizer.byte_ids,
            tokenizer.unknown, tokenizer.tokens)  # fmt: skip


def test_a_saved_tokenizer_comes_back(tokenizer, tmp_path):
    for original in (tokenizer, permuted(tokenizer)[0], bpe.train(TEXT, 300, specials=("é☃",))):
        original.save(tmp_path / "t.json")
        assert content(bpe.Tokenizer.load(tmp_path / "t.json")) == content(original)
    assert os.listdir(tmp_path) == ["t.json"]


def test_a_failed_save_harms_nothing(tokenizer, tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    tokenizer.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left on device")

    for function in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            with pytest.raises(OSError, match="no space"):
                bpe.train("abc", 300).save(path)
        assert path.read_bytes() == before and os.listdir(tmp_path) == ["t.json"]


BAD = {
    "no JSON": ("{", "no JSON"),
    "deep": ("[" * 100_000, "no JSON"),
    "another": ("[1, 2]", "format"),
    "version": ('{"format": "microgpt-tokenizer", "version": 99}', "version 99"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_tokenizer_is_refused(name, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(BAD[name][0])
    with pytest.raises(ValueError, match=BAD[name][1]):
        bpe.Tokenizer.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no JSON"):
        bpe.Tokenizer.load(path)


SPOILED = [
    ({"merges": None}, "list of merges"), ({"merges": [[97, 98]]}, "three ids"),
    ({"merges": [97]}, "three ids"), ({"merges": [["a", "b", 256]]}, "three ids"),
    ({"merges": [[97, True, 256]]}, "three ids"), ({"merges": [[97.0, 98, 256]]}, "three ids"),
    ({"merges": [[97, 98, 2**40]]}, "three ids"), ({"merges": [[97, 300, 256]]}, "not made yet"),
    ({"merges": [[97, 256, 256]]}, "not made yet"),
    ({"merges": [[97, 98, 256], [97, 98, 257]]}, "repeats"),
    ({"merges": [[97, 98, 99]]}, "another token"), ({"merges": [[97, 98, 999]]}, "0 to 256"),
    ({"merges": [[97, 97, 256]] + [[i, i, i + 1] for i in range(256, 300)]}, "bytes"),
    ({"pattern": "gpt5"}, "no pattern"), ({"pattern": ["gpt4"]}, "no pattern"),
    ({"bytes": None}, "256 byte ids"), ({"bytes": [0] * 256}, "Two bytes"),
    ({"bytes": list(range(255))}, "256 byte ids"), ({"bytes": [0.5] * 256}, "256 byte ids"),
    ({"specials": []}, "special texts to ids"), ({"specials": {"": 256}}, "not empty"),
    ({"specials": {"x": 5}}, "not free"), ({"specials": {"x": "256"}}, "not free"),
    ({"specials": {"x": 256, "y": 256}}, "not free"), ({"unknown": 999}, "not in the vocab"),
    ({"unknown": "x"}, "not in the vocab"),
]  # fmt: skip


@pytest.mark.parametrize("change, message", SPOILED)
def test_a_spoiled_tokenizer_file_is_refused_in_a_sentence(change, message, tmp_path):
    path = tmp_path / "t.json"
    bpe.Tokenizer([], "gpt4", {}).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message) as caught:
        bpe.Tokenizer.load(path)
    assert str(path) in str(caught.value)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "t.json"
    with open(path, "wb") as file:
        file.truncate(10**10)
    with pytest.raises(ValueError, match="at most"):
        bpe.Tokenizer.load(path)
