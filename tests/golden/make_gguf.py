"""Makes gguf/golden.gguf and gguf/golden.npz with the `gguf` package, the format's own writer.

    python -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf
    /tmp/gguf/bin/python tests/golden/make_gguf.py
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize

FOLDER = Path(__file__).parent / "gguf"


def main():
    rng = np.random.default_rng(11)
    writer = GGUFWriter(FOLDER / "golden.gguf", "llama")
    writer.add_uint32("a.uint32", 4_000_000_000)
    writer.add_uint64("a.uint64", 2**63)
    writer.add_int8("a.int8", -5)
    writer.add_int64("a.int64", -(2**40))
    writer.add_float32("a.float32", 0.1)
    writer.add_float64("a.float64", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.text", "grün 🎉 \n")
    writer.add_array("a.texts", ["", "Ġthe", "שלום"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_array("a.floats", [0.5, -0.25])
    expected = {}
    for name in ("F32", "F16", "Q8_0", "Q4_0", "Q4_1"):
        weights = rng.standard_normal((6, 96)).astype(np.float32)
        weights[0] = 0  # scales of 0
        weights[1, :32] *= 1e-6  # scales that float16 holds below its normal numbers
        weights[2, 5] = 300
        kind = GGMLQuantizationType[name]
        raw = quantize(weights, kind)
        writer.add_tensor(f"t.{name}", raw, raw_dtype=kind)
        expected[f"{name}_weights"], expected[f"{name}_raw"] = weights, raw.view(np.uint8)
        expected[f"{name}_numbers"] = dequantize(raw, kind)
    writer.add_tensor("t.axis", np.arange(7, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    np.savez_compressed(FOLDER / "golden.npz", **expected)


if __name__ == "__main__":
    main()
