"""SmolLM2-135M-Instruct, 4-bit, against llama.cpp on the same file.

The peer is not part of this repository. Set LLAMA_CPP to a folder of its sources (for the headers)
and LLAMA_CPP_LIBRARIES to one with libllama and libggml, such as that in the npm package
`@node-llama-cpp/linux-x64`, which has a library for each kind of processor. The file comes from
`python -m microgpt fetch smollm2`.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.peer import Peer, Skip, compare, take_turns
from microgpt.decoding.decoders import decoder_for
from microgpt.model.checkpoint import load
from microgpt.model.fetch import cache_folder
from microgpt.training.parallel import single_threaded_blas

ROUNDS, SAYS, READS = 9, 64, 128
AVX2, AMX = "haswell", "sapphirerapids"  # how llama.cpp calls its CPU backends


def tokens(count: int) -> list[int]:
    """Made-up tokens, the same as llama_timer.c reads."""
    return [100 + i * 7919 % 40_000 for i in range(count)]


def model_file() -> Path:
    path = cache_folder() / "smollm2" / "model.gguf"
    if not path.exists():
        raise Skip("SmolLM2 is not here: python -m microgpt fetch smollm2.")
    return path


def library(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(f"lib{name}.*"))
    if not found:
        raise Skip(f"There is no lib{name} in {folder}.")
    return found[0]


def built(folder: Path) -> tuple[Path, Path]:
    """The timer, compiled, and the folder of llama.cpp's libraries."""
    places = [os.environ.get(name) or "" for name in ("LLAMA_CPP", "LLAMA_CPP_LIBRARIES")]
    if not all(place and Path(place).is_dir() for place in places) or not shutil.which("gcc"):
        raise Skip("Set LLAMA_CPP and LLAMA_CPP_LIBRARIES (see smollm2.py), and install gcc.")
    source, libraries = map(Path, places)
    binary = folder / "llama_timer"
    needed = [library(libraries, name) for name in ("llama", "ggml", "ggml-base")]
    command = [
        "gcc", "-O2", str(Path(__file__).with_name("llama_timer.c")), "-o", str(binary),
        f"-I{source / 'include'}", f"-I{source / 'ggml' / 'include'}", *map(str, needed),
        f"-Wl,-rpath,{libraries.resolve()}", "-Wl,--allow-shlib-undefined",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f"gcc can't build the timer: {done.stderr.strip().splitlines()[-1]}")
    return binary, libraries


def our_decode(decoder) -> tuple[float, np.ndarray]:
    session = decoder.session()
    scores = session.read(tokens(5))
    start = time.perf_counter()
    for _ in range(SAYS):
        scores = session.step(int(scores.argmax()))
    return SAYS / (time.perf_counter() - start), scores


def our_prefill(decoder) -> tuple[float, np.ndarray]:
    session = decoder.session()
    start = time.perf_counter()
    scores = session.read(tokens(READS))
    return READS / (time.perf_counter() - start), scores


def against(backend: str, what: str, ours, threads: int = 1) -> dict:
    path = model_file()
    decoder = decoder_for(load("smollm2"))
    decoder.threads = decoder.step_threads = threads
    with tempfile.TemporaryDirectory() as folder, single_threaded_blas():
        binary, libraries = built(Path(folder))
        cpu = library(libraries, f"ggml-cpu-{backend}")
        with Peer(binary, path, cpu, threads) as peer:
            theirs = np.array(peer.ask(what="prefill")["scores"])
            _, scores = our_prefill(decoder)
            off = np.sqrt(((scores[: len(theirs)] - theirs) ** 2).mean()) / theirs.std()
            if off > 0.25:
                raise RuntimeError(f"The scores differ by {off:.2f} of their spread.")
            contestants = {
                "ours": lambda: [ours(decoder)[0]],
                "peer": lambda: [peer.ask(what=what)["rate"]],
            }
            rates = take_turns(contestants, ROUNDS)
    each = "1 thread" if threads == 1 else f"{threads} threads"
    note = f"{each} each; llama.cpp with its {backend} backend; scores part by {off:.3f}"
    return compare(rates["ours"], rates["peer"], "tokens/s", of="rates", note=note)


def smollm2_decode_avx2():
    """SmolLM2-135M-Instruct Q4_1, batch 1, after 5 tokens: 64 tokens, the best each time, with
    llama.cpp's AVX2 build (haswell) in its own process on the same file, one thread each. Before
    the race both read the same 128 tokens and their scores must agree within a quarter of their
    spread, for both round activations to 8 bits."""
    return against(AVX2, "decode", our_decode)


def smollm2_decode_amx():
    """As smollm2_decode_avx2, with llama.cpp's build for AMX (sapphirerapids)."""
    return against(AMX, "decode", our_decode)


def smollm2_prefill_avx2():
    """A prompt of 128 tokens at once, otherwise as smollm2_decode_avx2."""
    return against(AVX2, "prefill", our_prefill)


def smollm2_prefill_amx():
    """A prompt of 128 tokens at once, otherwise as smollm2_decode_amx."""
    return against(AMX, "prefill", our_prefill)


def smollm2_decode_avx2_2_threads():
    """As smollm2_decode_avx2, with 2 threads each."""
    return against(AVX2, "decode", our_decode, 2)


def smollm2_decode_amx_2_threads():
    """As smollm2_decode_amx, with 2 threads each."""
    return against(AMX, "decode", our_decode, 2)


def smollm2_prefill_avx2_2_threads():
    """As smollm2_prefill_avx2, with 2 threads each."""
    return against(AVX2, "prefill", our_prefill, 2)


def smollm2_prefill_amx_2_threads():
    """As smollm2_prefill_amx, with 2 threads each."""
    return against(AMX, "prefill", our_prefill, 2)


BENCHMARKS = {
    "smollm2_decode_avx2": smollm2_decode_avx2,
    "smollm2_decode_amx": smollm2_decode_amx,
    "smollm2_prefill_avx2": smollm2_prefill_avx2,
    "smollm2_prefill_amx": smollm2_prefill_amx,
    "smollm2_decode_avx2_2_threads": smollm2_decode_avx2_2_threads,
    "smollm2_decode_amx_2_threads": smollm2_decode_amx_2_threads,
    "smollm2_prefill_avx2_2_threads": smollm2_prefill_avx2_2_threads,
    "smollm2_prefill_amx_2_threads": smollm2_prefill_amx_2_threads,
}
