"""Models on disk: what was saved comes back; what was tampered with is refused in a sentence."""

import hashlib
import json
import shutil
import struct

import numpy as np
import pytest

from microgpt.model import checkpoint
from microgpt.model.checkpoint import Model, available, load, save
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.tokens import files
from microgpt.tokens.bpe import train

CONFIG = llama_style(vocab_size=300, context=16, layers=1, width=8, heads=2, hidden=16)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    params = init_params(CONFIG, np.random.default_rng(0))
    save(tmp_path / "little", Model("little", params, CONFIG, train("the cat sat " * 9, 270), {"x": 1}))
    return tmp_path / "little"


def forge(folder, weights: bytes | None = None, **card):
    """Exchange weights or card entries, with a hash that fits: an attacker would."""
    entries = json.loads((folder / "card.json").read_text())
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
        entries["sha256"] = hashlib.sha256(weights).hexdigest()
    (folder / "card.json").write_text(json.dumps({**entries, **card}))


def test_what_was_saved_comes_back(saved):
    model = load("little")
    assert available() == ["little"] and model.name == "little" and model.card["x"] == 1
    assert model.config == CONFIG
    exact = init_params(CONFIG, np.random.default_rng(0))
    for name, param in model.params.items():
        assert param.dtype == np.float32
        np.testing.assert_array_equal(param, exact[name].astype(np.float16))
        with pytest.raises(ValueError, match="read-only"):
            param[0] = 1
    ids = model.tokenizer.encode("the cat")
    assert gpt(model.params, [ids], model.config).shape == (1, len(ids), 300)


@pytest.mark.parametrize(
    "kinds", [dict(mlp="moe", experts=3), dict(blocks="ssm attention"), dict(blocks="ssm", mlp="moe")]
)
def test_experts_and_states_come_back_too(tmp_path, kinds):
    config = llama_style(vocab_size=300, context=16, layers=2, width=8, heads=2, hidden=16, **kinds)
    params = init_params(config, np.random.default_rng(0))
    tokenizer = train("the cat sat " * 9, 270)
    save(tmp_path / "odd", Model("odd", params, config, tokenizer, {}))
    model = load(tmp_path / "odd")
    assert model.config == config
    halved = {name: param.astype(np.float16) for name, param in params.items()}
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, halved[name])


def test_a_folder_can_be_named_too(saved):
    assert load(saved).name == "little"


@pytest.mark.parametrize("name", ["nobody", "../little", "", "a/b", "little\0", "..", "x" * 500])
def test_unknown_names(saved, name):
    with pytest.raises(ValueError, match=r"There is no model .* The models here: little"):
        load(name)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, -1])
def test_truncated_weights(saved, keep):
    data = (saved / "model.safetensors").read_bytes()[:keep]
    (saved / "model.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match="damaged or was exchanged"):
        load("little")
    forge(saved, data)
    with pytest.raises(ValueError, match="no readable safetensors"):
        load("little")


def test_one_flipped_bit_is_found(saved):
    data = bytearray((saved / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (saved / "model.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        load("little")


def test_hostile_headers(saved):
    huge = struct.pack("<Q", 2**62) + b"{}"
    pickle_like = b"\x80\x04\x95" + b"x" * 100
    overlapping = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}})
    crossing = struct.pack("<Q", len(overlapping)) + overlapping.encode() + b"\0" * 8
    for data in (huge, pickle_like, crossing, b"{}" * 50):
        forge(saved, data)
        with pytest.raises(ValueError, match="no readable safetensors"):
            load("little")


def replaced(saved, change):
    from safetensors.numpy import load as read
    from safetensors.numpy import save as write

    tensors = read((saved / "model.safetensors").read_bytes())
    change(tensors)
    forge(saved, write(tensors))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("model.norm.weight"), "model.norm.weight is missing"),
        (lambda t: t.update(extra=np.zeros(1, "f4")), "extra is missing or too much"),
        (lambda t: t.update({"model.norm.weight": np.zeros(9, "f2")}), "should be"),
        (lambda t: t.update({"model.norm.weight": np.zeros(8, "i4")}), "int32"),
        (lambda t: t.update({"model.norm.weight": np.full(8, np.nan, "f2")}), "not finite"),
        (lambda t: t.update({"model.norm.weight": np.full(8, np.inf, "f4")}), "not finite"),
    ],
)
def test_tensors_that_do_not_fit(saved, change, words):
    replaced(saved, change)
    with pytest.raises(ValueError, match=words):
        load("little")


def test_cards_that_do_not_fit(saved):
    good = (saved / "card.json").read_text()
    for text in ("", "[]", "null", "\x00\xff", "[" * 100_000):
        (saved / "card.json").write_text(text, encoding="latin-1")
        with pytest.raises(ValueError, match=r"not a model card|not the file its card"):
            load("little")
    (saved / "card.json").write_text(good)
    for config in ({}, {"layers": -1}, None, {"vocab_size": 1e9}):
        forge(saved, config=config)
        with pytest.raises(ValueError, match="no usable config"):
            load("little")
    forge(saved, config={**CONFIG.as_dict(), "vocab_size": 10**9})
    with pytest.raises(ValueError, match="should be"):
        load("little")


def test_files_that_are_missing_or_too_large(saved, monkeypatch):
    (saved / "tokenizer.json").rename(saved / "elsewhere")
    with pytest.raises((ValueError, OSError), match="tokenizer"):
        load("little")
    (saved / "elsewhere").rename(saved / "tokenizer.json")
    monkeypatch.setattr(checkpoint, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="too many to be what it claims"):
        load("little")
    shutil.rmtree(saved)
    saved.mkdir()
    with pytest.raises(ValueError, match="can't be read"):
        load("little")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomically(path, b"old")

    def full_disk(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, b"new" * 1000)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_numbers_that_float16_can_not_hold(saved):
    model = load(saved)
    params = {**model.params, "model.norm.weight": np.full(8, 1e6, np.float32)}
    with pytest.raises(ValueError, match="float16"):
        save(saved, Model("little", params, CONFIG, model.tokenizer, {}))
    assert load(saved).card["x"] == 1
