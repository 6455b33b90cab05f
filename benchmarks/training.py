"""Training steps: forward, backward, clipping and AdamW, against PyTorch and against no tape."""

import json
import tempfile
import time
from itertools import count, islice
from pathlib import Path

import numpy as np

from benchmarks import hand_fused
from benchmarks.peer import ROOT, Peer, compare, take_turns, torch_python
from microgpt.autograd.optim import clip_gradients
from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params
from microgpt.training import parallel
from microgpt.training.data import Batch
from microgpt.training.train import Options, fresh_state, loss_function, shards, train_steps

SHAPES = {  # name: (config, sequences in a batch, sequences in a micro-batch, steps in a turn)
    "S": (
        llama_style(vocab_size=1024, context=128, layers=4, width=128, heads=4, hidden=344),
        16, 8, 8,
    ),
    "M": (
        llama_style(vocab_size=4096, context=256, layers=6, width=288, heads=6, hidden=768),
        8, 4, 3,
    ),
}  # fmt: skip
ROUNDS = 5


class Training:
    """The engine's trainer on a few random batches, at a constant learning rate."""

    def __init__(self, shape):
        self.config, size, micro, self.turn_steps = SHAPES[shape]
        self.options = Options(
            steps=10**9, batch=size, rate=1e-3, warmup=0, hold=1.0, micro=micro, threads=2
        )
        rng = np.random.default_rng(0)
        self.state = fresh_state(init_params(self.config, rng), self.options)
        text = rng.integers(0, self.config.vocab_size, (8, size, self.config.context + 1))
        weights = np.full(text[0, :, 1:].shape, 1 / text[0, :, 1:].size, np.float32)
        self.batches = [Batch(t[:, :-1].copy(), t[:, 1:].copy(), weights) for t in text]
        endless = (self.batches[i % len(self.batches)] for i in count())
        self.reports = train_steps(self.state, self.config, endless, self.options)

    def gradients(self, batch):
        micro = shards(batch, self.options.micro)
        loss = loss_function(self.config)
        return parallel.gradients(loss, self.state.params, micro, self.options.threads)

    def turn(self):
        """The seconds of each step of one turn."""
        return [report.seconds for report in islice(self.reports, self.turn_steps)]

    def save(self, path):
        """What a peer needs to train the same: weights, batches and settings."""
        options = self.options
        settings = {
            "learning_rate": options.rate,
            "betas": (options.beta1, options.beta2),
            "eps": self.state.optimizer.eps,
            "weight_decay": options.decay,
            "clip_norm": options.clip,
            "threads": options.threads,
            "config": self.config.as_dict(),
        }
        tokens, targets = (np.stack([batch[i] for batch in self.batches]) for i in (0, 1))
        settings = np.array(json.dumps(settings))
        np.savez(path, settings=settings, tokens=tokens, targets=targets, **self.state.params)


class HandFused(Training):
    """The same training by the step without a tape."""

    def gradients(self, batch):
        micro = shards(batch, self.options.micro)
        return hand_fused.gradients(self.state.params, micro, self.config, self.options.threads)

    def turn(self):
        seconds = []
        with parallel.single_threaded_blas():
            for _ in range(self.turn_steps):
                start = time.perf_counter()
                batch = self.batches[self.state.optimizer.steps % len(self.batches)]
                _, grads = self.gradients(batch)
                clip_gradients(grads, self.options.clip)
                self.state.optimizer.update(self.state.params, grads, self.options.rate)
                seconds.append(time.perf_counter() - start)
        return seconds


def must_agree(what, ours, peer, tolerance):
    """A race between programs that compute different things would mean nothing."""
    distance = np.abs(np.subtract(ours, peer)).max() / np.abs(peer).max()
    if not distance < tolerance:
        raise RuntimeError(f"{what} of the two contestants differ by {distance:.1e}.")


def against_torch(shape, mode):
    python = torch_python()
    ours = Training(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.npz"
        ours.save(path)
        with Peer(python, ROOT / "benchmarks" / "torch_training.py", path, mode) as peer:
            theirs = peer.ask(steps=2)
            losses = [report.loss for report in islice(ours.reports, 2)]
            must_agree("The first losses", losses, theirs["losses"], 1e-5)
            turn = {"ours": ours.turn, "peer": lambda: peer.ask(steps=ours.turn_steps)["seconds"]}
            times = take_turns(turn, ROUNDS)
    note = f"peer is PyTorch {theirs['torch']} {mode}"
    return compare(times["ours"], times["peer"], "ms", scale=1000, note=note)


def train_S():
    """Shape S (4 layers, width 128, context 128, vocabulary 1024, batch 16), 2 threads, float32,
    against PyTorch eager in its own process: same weights, data and first losses, turns of 8
    steps."""
    return against_torch("S", "eager")


def train_S_compile():
    """As train_S, against torch.compile; its compilation is not counted."""
    return against_torch("S", "compile")


def train_M():
    """Shape M (6 layers, width 288, context 256, vocabulary 4096, batch 8), 2 threads, float32,
    against PyTorch eager in its own process: same weights, data and first losses, turns of 3
    steps."""
    return against_torch("M", "eager")


def train_M_compile():
    """As train_M, against torch.compile; its compilation is not counted."""
    return against_torch("M", "compile")


def tape():
    """Shape S by the tape and by a step without one (benchmarks/hand_fused.py, the same kernels
    and threads, equal gradients checked), in one process, turns of 8 steps. The ratio is the
    tape's time over the hand-fused step's: lower is better."""
    tape, hand = Training("S"), HandFused("S")
    with parallel.single_threaded_blas():
        (_, ours), (_, theirs) = (one.gradients(one.batches[0]) for one in (tape, hand))
    for name in ours:
        must_agree(f"The gradients of {name}", ours[name], theirs[name], 1e-5)
    times = take_turns({"ours": tape.turn, "peer": hand.turn}, ROUNDS)
    note = "peer is the hand-fused step; the ratio is a cost, goal at most 1.2"
    return compare(times["ours"], times["peer"], "ms", scale=1000, of="costs", note=note)


BENCHMARKS = {
    "train_S": train_S,
    "train_S_compile": train_S_compile,
    "train_M": train_M,
    "train_M_compile": train_M_compile,
    "tape": tape,
}
