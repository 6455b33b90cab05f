"""Quantization: rounding, packing, sizes, products, and what it does to a model."""

import numpy as np
import pytest

from microgpt.decoding.quantize import (
    BITS,
    Quantized,
    dequantize,
    fake_quantize,
    pack,
    product,
    quantize,
    quantize_params,
    size,
    unpack,
)
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params


def matrix(shape, seed=0, scale=0.1):
    return np.random.default_rng(seed).standard_normal(shape, np.float32) * np.float32(scale)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 32), (4, 33), (2, 344)])
def test_packing_gives_the_codes_back(bits, shape):
    top = 2 ** (bits - 1) - 1
    codes = np.random.default_rng(1).integers(-top - 1, top + 1, shape).astype(np.int8)
    packed = pack(codes, bits)
    assert packed.dtype == np.uint8 and packed.shape == (shape[0], -(-shape[1] * bits // 8))
    np.testing.assert_array_equal(unpack(packed, bits, shape[1]), codes)


def test_the_low_nibble_comes_first_in_twos_complement():
    np.testing.assert_array_equal(pack(np.array([[1, -1, 7]]), 4), [[0xF1, 0x07]])
    np.testing.assert_array_equal(pack(np.array([[1, -1, 0, 1, -1]]), 2), [[0b01001101, 0b11]])
    np.testing.assert_array_equal(pack(np.array([[-127, 5]]), 8), [[129, 5]])
    np.testing.assert_array_equal(pack(np.array([[3, -3, 1]]), 3), [[0b01101011, 0]])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group", [1, 16, 32, 64, 1000])
@pytest.mark.parametrize("scale", [1e-7, 0.02, 300.0])
def test_no_weight_moves_by_more_than_half_a_stored_scale(bits, group, scale):
    weights = matrix((6, 83), scale=scale)
    quantized = quantize(weights, bits, group)
    top = 2 ** (bits - 1) - 1
    assert quantized.scales.shape == (6, -(-83 // group)) and quantized.scales.dtype == np.float16
    assert np.abs(quantized.codes).max() <= top
    wide = np.repeat(quantized.scales.astype(np.float64), group, 1)[:, :83]
    back = dequantize(quantized)
    assert back.dtype == np.float32
    assert (np.abs(back.astype(np.float64) - weights) <= wide * 0.500001).all()
    # computed with the stored scale, not with the one before it was rounded
    np.testing.assert_array_equal(quantized.codes, np.rint(weights / wide.astype(np.float32)))


def test_groups_lie_along_the_inputs():
    weights = np.ones((2, 64), np.float32)
    weights[0, :32] = 100  # a large weight spoils its own group of its own row, and no other
    back = dequantize(quantize(weights, 4, 32))
    np.testing.assert_allclose(back, weights, rtol=1e-3)
    assert abs(dequantize(quantize(weights, 4, 64))[0, 40] - 1) > 0.9


def test_halves_round_to_the_even_code():
    weights = np.array([[7.0, 0.5, 1.5, 2.5, -0.5, -1.5]], np.float32)
    np.testing.assert_array_equal(quantize(weights, 4, 6).codes, [[7, 0, 2, 2, 0, -2]])


def test_zeros_stay_zeros():
    weights = matrix((3, 64))
    weights[1], weights[2, :32] = 0, 0
    quantized = quantize(weights, 4, 32)
    assert (dequantize(quantized)[weights == 0] == 0).all() and quantized.scales[1].sum() == 0


def test_what_was_quantized_quantizes_to_itself():
    back = dequantize(quantize(matrix((8, 70)), 4, 32))
    np.testing.assert_array_equal(dequantize(quantize(back, 4, 32)), back)


@pytest.mark.parametrize(
    ("bits", "group", "per_weight"), [(8, 32, 8.5), (4, 32, 4.5), (4, 64, 4.25), (2, 32, 2.5)]
)
def test_bytes(bits, group, per_weight):
    quantized = quantize(matrix((16, 128)), bits, group)
    assert quantized.nbytes * 8 == 16 * 128 * per_weight


@pytest.mark.parametrize("bits", BITS)
def test_product_in_whole_numbers(bits):
    weights, x = matrix((9, 75)), matrix((4, 75), 1, 2.0)
    quantized = quantize(weights, bits, 32)
    got = product(x, quantized)
    assert got.dtype == np.float32 and got.shape == (4, 9)
    rounded = dequantize(quantize(x, 8, 32)).astype(np.float64)
    np.testing.assert_allclose(got, rounded @ dequantize(quantized).T, rtol=1e-4, atol=1e-5)


def test_sums_do_not_overflow_int32():
    width = 130_000
    quantized = quantize(np.ones((1, width), np.float32), 8, width)
    assert product(np.ones((1, width), np.float32), quantized)[0, 0] == pytest.approx(width, 3e-3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(5, np.float32), "Only a matrix"),
        (np.array([[1.0, np.nan]]), "Only a matrix"),
        (np.array([[1.0, np.inf]]), "Only a matrix"),
        (np.array([[1, 2]]), "Only a matrix"),
        (np.array([[1e9]]), "float16 scales"),
    ],
)
def test_what_cannot_be_quantized_is_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        quantize(weights, 4, 32)


def test_unknown_bits_and_groups_are_refused():
    for bits in (0, 1, 5, 16, "4"):
        with pytest.raises(ValueError, match="Weights come in 2, 3, 4, 8 bits"):
            quantize(matrix((2, 2)), bits)
    for group in (0, -1, 2.5):
        with pytest.raises(ValueError, match="group is"):
            quantize(matrix((2, 2)), 4, group)


@pytest.mark.parametrize("kinds", [{}, {"mlp": "moe", "blocks": "attention ssm"}])
def test_a_whole_model(kinds):
    config = llama_style(
        vocab_size=50, context=16, layers=2, width=32, heads=2, hidden=48, **kinds
    )
    params = init_params(config, np.random.default_rng(0))
    params = {n: p * np.float32(4) if p.ndim == 2 and "A_log" not in n else p for n, p in params.items()}
    before = {n: p.copy() for n, p in params.items()}
    tokens = np.random.default_rng(1).integers(0, 50, (2, 16))
    exact = gpt(params, tokens, config)
    errors, sizes = [], []
    for bits in (8, 4, 3, 2):
        quantized = quantize_params(params, bits)
        matrices = {n for n, p in params.items() if p.ndim > 1 and not n.endswith("A_log")}
        assert {n for n, p in quantized.items() if isinstance(p, Quantized)} == matrices
        fake = fake_quantize(params, bits)
        assert all(
            fake[n].shape == p.shape and fake[n].dtype == np.float32 for n, p in params.items()
        )
        errors.append(np.abs(gpt(fake, tokens, config) - exact).mean())
        sizes.append(size(quantized))
    most = 0.05 if kinds else 0.02  # a token at the border between two experts may change sides
    assert errors == sorted(errors) and errors[0] < most * np.abs(exact).mean() < errors[-1]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] < size(params) / 3
    assert all((params[n] == before[n]).all() for n in params)
