"""One token at a time with the cache, batch 1, against llama2.c.

The peer is not part of this repository: set LLAMA2C to its run.c (github.com/karpathy/llama2.c),
which is then compiled with `gcc -Ofast -march=native -fopenmp` and timed from within, or to a
binary made from it, whose own figures are read.
"""

import os
import re
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.peer import Peer, Skip, compare, flat, take_turns
from microgpt.decoding.decoder import Decoder
from microgpt.model.checkpoint import Model
from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params

SHAPES = {  # name: (config, texts in a turn)
    "S": (
        llama_style(vocab_size=1024, context=128, layers=4, width=128, heads=4, hidden=344), 24,
    ),
    "M": (
        llama_style(vocab_size=4096, context=256, layers=6, width=288, heads=6, hidden=768), 2,
    ),
}  # fmt: skip
ROUNDS = 9
FIRST = 1  # the token that every text starts with, as in run.c
FLAGS = ("-Ofast", "-march=native", "-fopenmp")

# What times run.c from within: its `forward` and `sample_argmax` on whole texts, by a clock that
# is finer than the milliseconds of its own report.
TIMER = """
#define TESTING
#include LLAMA2C
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
int main(int argc, char **argv) {
  Transformer model;
  build_transformer(&model, argv[1]);
  int texts = atoi(argv[2]), length = model.config.seq_len, size = model.config.vocab_size;
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    if (strstr(line, "scores")) {
      float *logits = 0;
      for (int i = 0; i < length; i++) logits = forward(&model, i * 17 % size, i);
      printf("{\\"scores\\": [");
      for (int i = 0; i < size; i++) printf("%s%.9g", i ? ", " : "", logits[i]);
    } else {
      printf("{\\"rates\\": [");
      for (int text = 0; text < texts; text++) {
        double start = now();
        int token = 1;
        for (int i = 0; i < length; i++) token = sample_argmax(forward(&model, token, i), size);
        printf("%s%.9g", text ? ", " : "", length / (now() - start));
      }
    }
    printf("]}\\n");
    fflush(stdout);
  }
  return 0;
}
"""


def random_model(config) -> Model:
    """Random weights that float16 holds exactly, as those of every model that ships.

    The row of the first token is small, so that it is never the best score: run.c stops there.
    """
    params = init_params(config, np.random.default_rng(0))
    params["model.embed_tokens.weight"][FIRST] *= np.float32(2**-6)
    for name, p in params.items():
        p = p * np.float32(3) if p.ndim > 1 else p
        params[name] = p.astype(np.float16).astype(np.float32)
        params[name].setflags(write=False)
    return Model("random", params, config, None, {})


def interleaved(weight, heads):  # (heads * D, C) -> the same
    """Rows of a query or key matrix with RoPE's pairs side by side, as run.c turns them."""
    halves = weight.reshape(heads, 2, -1, weight.shape[1])
    return halves.transpose(0, 2, 1, 3).reshape(weight.shape)


def write_llama2c(path: Path, model: Model) -> None:
    """The weights in run.c's first checkpoint format: 7 sizes, then float32 kind by kind."""
    config, params = model.config, model.params

    def each(part, change=lambda weight: weight):
        return [change(params[f"model.layers.{i}.{part}.weight"]) for i in range(config.layers)]

    def turned(heads):
        return lambda weight: interleaved(weight, heads)

    arrays = [
        params["model.embed_tokens.weight"],
        *each("input_layernorm"),
        *each("self_attn.q_proj", turned(config.heads)),
        *each("self_attn.k_proj", turned(config.kv_heads)),
        *each("self_attn.v_proj"),
        *each("self_attn.o_proj"),
        *each("post_attention_layernorm"),
        *each("mlp.gate_proj"),
        *each("mlp.down_proj"),
        *each("mlp.up_proj"),
        params["model.norm.weight"],
        np.zeros(config.context * config.head_size, np.float32),  # tables it no longer reads
    ]
    sizes = (
        config.width, config.hidden, config.layers, config.heads, config.kv_heads,
        config.vocab_size, config.context,
    )  # fmt: skip
    with open(path, "wb") as file:
        file.write(struct.pack("<7i", *sizes))
        for array in arrays:
            file.write(np.ascontiguousarray(array, "<f4").tobytes())
    with open(path.with_suffix(".tokenizer"), "wb") as file:
        file.write(struct.pack("<i", 8))
        for token in range(config.vocab_size):
            name = f"<{token}>".encode()
            file.write(struct.pack("<fi", 0.0, len(name)) + name)


def engine(model: Model, texts: int, halves: bool = True):
    """A contestant: tokens per second of whole texts, greedily. Also the scores to agree on."""
    decoder = Decoder(model, halves)
    length, size = model.config.context, model.config.vocab_size

    def turn():
        rates = []
        for _ in range(texts):
            session, token = decoder.session(), FIRST
            start = time.perf_counter()
            for _ in range(length):
                token = int(session.step(token).argmax())
            rates.append(length / (time.perf_counter() - start))
        return rates

    session = decoder.session()
    for i in range(length):
        scores = session.step(i * 17 % size)
    return turn, scores


def compiled(source: Path, folder: Path) -> Path:
    compiler = shutil.which("gcc")
    if not compiler:
        raise Skip("There is no gcc to compile run.c with.")
    timer, binary = folder / "timer.c", folder / "timer"
    timer.write_text(TIMER)
    include = f'-DLLAMA2C="{source.resolve()}"'
    command = [compiler, *FLAGS, include, str(timer), "-o", str(binary), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f"gcc can't compile {source}: {done.stderr.strip().splitlines()[-1]}")
    return binary


def own_figures(binary: Path, checkpoint: Path, threads: int):
    """A turn of a finished binary: what it reports itself, to the millisecond."""
    command = [
        str(binary), str(checkpoint), "-t", "0", "-n", "0",
        "-z", str(checkpoint.with_suffix(".tokenizer")),
    ]  # fmt: skip

    def turn():
        rates = []
        for _ in range(8):
            done = subprocess.run(
                command, capture_output=True, text=True, check=False,
                env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            )  # fmt: skip
            found = re.search(r"tok/s: ([\d.]+)", done.stderr)
            if not found:
                raise Skip(f"{binary} reports no speed: {done.stderr.strip()[:200]}")
            rates.append(float(found[1]))
        return rates

    return turn


def peers(stack: ExitStack, source: Path, model: Model, folder: Path, texts: int):
    """One turn for each number of threads, and the scores to agree on (None from a binary)."""
    checkpoint = folder / "model.bin"
    write_llama2c(checkpoint, model)
    if source.suffix != ".c":
        return {threads: own_figures(source, checkpoint, threads) for threads in (1, 2)}, None
    binary, turns = compiled(source, folder), {}
    for threads in (1, 2):
        peer = stack.enter_context(
            Peer("env", f"OMP_NUM_THREADS={threads}", binary, checkpoint, texts)
        )
        scores = peer.ask(what="scores")["scores"]
        turns[threads] = lambda peer=peer: peer.ask(what="rates")["rates"]
    return turns, scores


def against_llama2c(shape):
    source = os.environ.get("LLAMA2C")
    if not source or not Path(source).is_file():
        raise Skip("Set LLAMA2C to run.c of github.com/karpathy/llama2.c or to its binary.")
    config, texts = SHAPES[shape]
    model = random_model(config)
    ours, scores = engine(model, texts)
    in_float32, _ = engine(model, texts, halves=False)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        turns, theirs = peers(stack, Path(source), model, Path(name), texts)
        if theirs is not None and not np.allclose(scores, theirs, rtol=0, atol=2e-3):
            raise RuntimeError(
                f"The scores differ by {np.abs(scores - theirs).max():.1e}: not the same model."
            )
        contestants = {"ours": ours, "float32": in_float32}
        contestants |= {f"peer {threads}": turn for threads, turn in turns.items()}
        rates = take_turns(contestants, ROUNDS)
    best = max(turns, key=lambda threads: statistics.median(flat(rates[f"peer {threads}"])))
    peer = rates[f"peer {best}"]
    plain = statistics.median(flat(rates["float32"])) / statistics.median(flat(peer))
    note = (
        f"ours on 1 thread, peer llama2.c on {best}, its better number of threads; "
        f"{plain:.2f} where weights must be read as float32"
    )
    return compare(rates["ours"], peer, "tokens/s", of="rates", note=note)


def decode_S():
    """Shape S (4 layers, width 128, context 128, vocabulary 1024, hidden 344), batch 1: whole
    texts of 128 tokens, the best token each time, against llama2.c in its own process with the
    same weights and equal scores, `gcc -Ofast -march=native -fopenmp`, on 1 and on 2 threads,
    whichever is faster. Arithmetic is float32 on both sides. Weights are float16 numbers, as in
    all models that ship: ours reads them as such, llama2.c knows float32 only. The note tells the
    ratio for weights that only float32 holds."""
    return against_llama2c("S")


def decode_M():
    """As decode_S, for shape M (6 layers, width 288, context 256, vocabulary 4096, hidden 768)."""
    return against_llama2c("M")


BENCHMARKS = {"decode_S": decode_S, "decode_M": decode_M}
