"""GGUF: equal to the format's own package, back and forth, and no damage gets through."""

import struct
from pathlib import Path

import numpy as np
import pytest

from microgpt.model import block_kernels, blocks, gguf

GOLDEN = Path(__file__).parent / "golden" / "gguf" / "golden.gguf"
NUMBERS = np.load(GOLDEN.with_suffix(".npz"))
each_kind = pytest.mark.parametrize("kind", blocks.KINDS)


def fast(tensor):
    if tensor.kind not in block_kernels.TWINS:
        return tensor.numbers()
    out = np.empty((len(tensor.raw), tensor.shape[-1]), np.float32)
    block_kernels.TWINS[tensor.kind](tensor.raw, out)
    return out.reshape(tensor.shape)


@each_kind
def test_what_the_gguf_package_wrote_is_read_as_it_reads_it(kind):
    tensor = gguf.read(GOLDEN).tensors[f"t.{kind}"]
    assert tensor.shape == (6, 96) and tensor.kind == kind
    assert np.array_equal(tensor.numbers(), NUMBERS[f"{kind}_numbers"])
    assert np.array_equal(fast(tensor), NUMBERS[f"{kind}_numbers"])


@each_kind
def test_numbers_are_rounded_to_the_same_bytes(kind):
    raw = blocks.quantize(kind, NUMBERS[f"{kind}_weights"])
    assert np.array_equal(raw.reshape(6, -1), NUMBERS[f"{kind}_raw"].reshape(6, -1))


def test_facts_of_the_gguf_package():
    facts = gguf.read(GOLDEN).facts
    assert facts == {
        "general.architecture": "llama", "a.uint32": 4_000_000_000, "a.uint64": 2**63,
        "a.int8": -5, "a.int64": -(2**40), "a.float32": float(np.float32(0.1)), "a.float64": 0.1,
        "a.bool": True, "a.text": "grün 🎉 \n", "a.texts": ["", "Ġthe", "שלום"],
        "a.numbers": [1, -2, 3], "a.floats": [0.5, -0.25],
    }  # fmt: skip
    assert gguf.read(GOLDEN).tensors["t.axis"].numbers().tolist() == list(range(7))


def test_every_bit_pattern_of_a_block_means_the_same_to_both_twins():
    rng = np.random.default_rng(0)
    for kind in block_kernels.TWINS:
        raw = rng.integers(0, 256, (50, 3, blocks.KINDS[kind].bytes), np.uint8)
        raw[:, :, [1, 3] if kind == "Q4_1" else [1]] &= 0b1011_1111  # no infinities
        out = np.empty((50, 96), np.float32)
        block_kernels.TWINS[kind](raw, out)
        assert np.array_equal(out, blocks.dequantize(kind, raw))


@each_kind
def test_a_rounded_number_moves_by_half_a_step_at_most(kind):
    weights = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
    moved = np.abs(blocks.dequantize(kind, blocks.quantize(kind, weights)) - weights)
    spread = np.ptp(weights.reshape(5, -1, 32), axis=-1)[..., None]
    most = {"F32": 0, "F16": 0.002, "Q8_0": 0.006, "Q4_0": 0.15, "Q4_1": 0.04}[kind]
    assert (moved.reshape(5, -1, 32) <= most * spread).all()


FACTS = {"general.architecture": "llama", "n": 7, "x": 0.5, "yes": True, "no": False,
         "texts": ["a", "bc"], "numbers": [3, -1], "floats": [0.5], "none": []}  # fmt: skip


def small_file(path, facts=FACTS):
    rng = np.random.default_rng(2)
    shapes = {"F32": (5,), "F16": (3, 4), "Q8_0": (2, 64), "Q4_0": (2, 3, 32), "Q4_1": (4, 96)}
    arrays = {kind: rng.standard_normal(shape).astype(np.float32) for kind, shape in shapes.items()}
    gguf.write(path, facts, [gguf.tensor(f"t.{k}", k, array) for k, array in arrays.items()])
    return arrays


def test_what_is_written_is_read_back(tmp_path):
    arrays = small_file(tmp_path / "small.gguf")
    found = gguf.read(tmp_path / "small.gguf")
    assert found.facts == FACTS and list(found.tensors) == [f"t.{kind}" for kind in arrays]
    for kind, array in arrays.items():
        tensor = found.tensors[f"t.{kind}"]
        assert tensor.shape == array.shape
        assert np.allclose(tensor.numbers(), array, atol=0 if kind == "F32" else 0.3)
        assert np.array_equal(fast(tensor), tensor.numbers())
        assert not tensor.raw.flags.writeable
        again = gguf.tensor("again", kind, tensor.numbers())
        if kind != "Q4_0":  # where the largest is not hit again, another scale is chosen
            assert np.allclose(again.numbers(), tensor.numbers(), atol=1e-3)


def test_the_gguf_package_reads_what_we_write(tmp_path):
    package = pytest.importorskip("gguf")
    arrays = small_file(tmp_path / "small.gguf")
    reader = package.GGUFReader(tmp_path / "small.gguf")
    assert {name: reader.fields[name].contents() for name in FACTS if FACTS[name] != []} == {
        name: value for name, value in FACTS.items() if value != []
    }
    for tensor in reader.tensors:
        kind = tensor.name[2:]
        assert tuple(int(n) for n in tensor.shape)[::-1] == arrays[kind].shape
        theirs = package.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(
            theirs.ravel(), gguf.read(tmp_path / "small.gguf").tensors[tensor.name].numbers().ravel()
        )


# Damage ----------------------------------------------------------------------------------------


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def fact(name, kind, data):
    return text(name) + struct.pack("<I", kind) + data


def layout(name="t", shape=(32, 2), code=0, offset=0, axes=None):
    return text(name) + struct.pack(
        f"<I{len(shape)}QIQ", len(shape) if axes is None else axes, *shape, code, offset
    )


LAYOUT = layout()


def file(facts=(), tensors=(LAYOUT,), body=256, magic=b"GGUF", version=3, counts=None):
    counts = counts or (len(tensors), len(facts))
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join([*facts, *tensors])
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + bytes(body)


DAMAGE = {  # what is wrong: (the file, words of the sentence)
    "nothing": (b"", "0 bytes"),
    "one byte": (b"G", "ends inside"),
    "another kind of file": (b"PK\x03\x04" + bytes(100), "letters GGUF"),
    "lower case": (file(magic=b"gguf"), "letters GGUF"),
    "version 1": (file(version=1), "version 1"),
    "version 2": (file(version=2), "version 2"),
    "big-endian": (file(version=3 << 24), "version 50331648"),
    "only the magic": (b"GGUF", "ends inside its version"),
    "no counts": (file()[:12], "the number of tensors"),
    "half a count": (file()[:20], "the number of facts"),
    "endless tensors": (file(counts=(2**63, 0)), "tensors; at most"),
    "endless facts": (file(counts=(1, 2**64 - 1)), "facts; at most"),
    "more tensors than there are": (file(tensors=[], counts=(5, 0), body=0), "has no name"),
    "more facts than there are": (file(tensors=[], counts=(0, 9), body=0), "has no name"),
    "an endless name": (file([struct.pack("<Q", 2**62)]), "at most 65,535"),
    "an endless text": (file([text("a") + struct.pack("<IQ", 8, 2**40)]), "at most 1,048,576"),
    "a name past the end": (file([struct.pack("<Q", 60_000)]), "ends inside"),
    "a name without letters": (file([fact("", 4, bytes(4))]), "has no name"),
    "a name that is no text": (file([fact(b"\xff\xfe", 4, bytes(4))]), "not UTF-8"),
    "a value that is no text": (file([fact("a", 8, text(b"\xc3"))]), "not UTF-8"),
    "a fact twice": (file([fact("a", 4, bytes(4))] * 2), "there twice"),
    "a type that does not exist": (file([fact("a", 13, bytes(8))]), "type 13"),
    "a huge type": (file([fact("a", 2**32 - 1, bytes(8))]), "does not exist"),
    "neither true nor false": (file([fact("a", 7, b"\x02")]), "true or false"),
    "a list of lists": (file([fact("a", 9, struct.pack("<IQ", 9, 1))]), "list of the type 9"),
    "a list of no type": (file([fact("a", 9, struct.pack("<IQ", 99, 1))]), "list of the type 99"),
    "an endless list": (file([fact("a", 9, struct.pack("<IQ", 4, 2**61))]), "items"),
    "an endless list of texts": (file([fact("a", 9, struct.pack("<IQ", 8, 2**50))]), "items"),
    "a list longer than the file": (file([fact("a", 9, struct.pack("<IQ", 12, 900))]), "items"),
    "a list with a wrong truth": (
        file([fact("a", 9, struct.pack("<IQ", 7, 2) + b"\1\7")]), "true or false"),
    "no alignment": (file([fact("general.alignment", 4, struct.pack("<I", 0))]), "alignment is 0"),
    "an odd alignment": (file([fact("general.alignment", 4, struct.pack("<I", 24))]), "power of 2"),
    "a huge alignment": (
        file([fact("general.alignment", 4, struct.pack("<I", 2**31))]), "power of 2"),
    "an alignment in words": (file([fact("general.alignment", 8, text("32"))]), "alignment is '32'"),
    "an alignment that is true": (file([fact("general.alignment", 7, b"\1")]), "alignment is True"),
    "a tensor twice": (file(tensors=[layout(), layout(offset=256)], body=512), "there twice"),
    "a tensor without a name": (file(tensors=[layout("")]), "has no name"),
    "no axes": (file(tensors=[layout(shape=())]), "0 axes"),
    "five axes": (file(tensors=[layout(shape=(1,) * 5)]), "5 axes"),
    "endless axes": (file(tensors=[layout(axes=2**31)]), "axes"),
    "an empty axis": (file(tensors=[layout(shape=(32, 0))]), "can't be"),
    "an endless axis": (file(tensors=[layout(shape=(2**63,))]), "can't be"),
    "a product that would overflow": (file(tensors=[layout(shape=(2**32, 2**32))]), "can't be"),
    "a kind not known": (file(tensors=[layout(code=12)]), "of kind 12"),
    "a kind that is none": (file(tensors=[layout(code=2**31)]), "this program reads"),
    "half a block": (file(tensors=[layout(shape=(48, 2), code=8)]), "can't be cut"),
    "a crooked offset": (file(tensors=[layout(offset=8)]), "multiple of 32"),
    "an offset past the end": (file(tensors=[layout(offset=2**50)]), "reaches to byte"),
    "an offset that would overflow": (file(tensors=[layout(offset=2**64 - 32)]), "reaches to byte"),
    "two in one place": (file(tensors=[layout("a"), layout("b", offset=128)]), "overlaps"),
    "the same place": (file(tensors=[layout("a"), layout("b")]), "overlaps"),
    "cut in the tensors": (file(body=255), "not copied to its end"),
    "no tensors after the table": (file(body=0), "not copied to its end"),
    "cut in the table": (file()[:40], "ends inside"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_a_sentence(tmp_path, damage):
    data, words = DAMAGE[damage]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words) as refused:
        gguf.read(path)
    assert str(refused.value).startswith(str(path)) and str(refused.value).endswith(".")


def test_the_file_that_the_damage_was_done_to_is_fine(tmp_path):
    path = tmp_path / "fine.gguf"
    path.write_bytes(file([fact("a", 7, b"\1"), fact("general.alignment", 4, struct.pack("<I", 32))]))
    assert gguf.read(path).tensors["t"].shape == (2, 32)


def test_cut_anywhere_it_is_refused(tmp_path):
    whole = tmp_path / "whole.gguf"
    small_file(whole)
    data = whole.read_bytes()
    padding = 31  # the last tensor ends before the file does
    for size in range(0, len(data) - padding, 7):
        path = tmp_path / "cut.gguf"
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match="GGUF"):
            gguf.read(path)


def test_one_wrong_byte_is_refused_or_read_without_harm(tmp_path):
    path = tmp_path / "changed.gguf"
    small_file(path)
    data = bytearray(path.read_bytes())
    rng, refused = np.random.default_rng(3), 0
    for _ in range(400):
        at = int(rng.integers(0, 700))
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            for tensor in gguf.read(path).tensors.values():
                assert tensor.numbers().shape == tensor.shape
        except ValueError as error:
            refused += str(error).endswith(".")
    assert refused > 100


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(ValueError, match=r"can't be read|no usable"):
            gguf.read(path)


def test_what_can_not_be_written_is_refused(tmp_path):
    for kind, array in (("Q8_0", np.ones((2, 33))), ("F16", np.full((1, 2), 1e6)),
                        ("Q4_1", np.full((1, 32), np.nan))):  # fmt: skip
        with pytest.raises(ValueError, match=r"blocks of|can't"):
            gguf.tensor("t", kind, array)
    with pytest.raises(ValueError, match="texts and numbers"):
        gguf.write(tmp_path / "no.gguf", {"a": {}}, [])
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_found():
    raw = blocks.quantize("Q8_0", np.ones((1, 32), np.float32))
    blocks.check("Q8_0", raw, "t")
    raw[0, 0, 1] = 0x7C
    with pytest.raises(ValueError, match="tensor t holds"):
        blocks.check("Q8_0", raw, "t")
