"""A peer in a process of its own, and taking turns with it.

Two libraries with thread pools in one process fight over the cores, so a peer runs in its own
process and sleeps on its pipe while it is not its turn. Taking turns in short rounds lets both
meet the same weather on a shared machine.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAUSE = 0.3  # seconds between turns: idle pools spin for up to 0.2 s before they sleep


class Skip(Exception):
    """The benchmark can't run here; the message says why and what would help."""


def torch_python() -> str:
    """A Python that has PyTorch: $TORCH_PYTHON, or this one."""
    given = os.environ.get("TORCH_PYTHON")
    if given:
        return given
    if importlib.util.find_spec("torch"):
        return sys.executable
    raise Skip("PyTorch is not installed here; set TORCH_PYTHON to a Python that has it.")


class Peer:
    """A program that answers each line of JSON on its standard input with one line of JSON."""

    def __init__(self, *command):
        # A file, because a pipe that nobody reads could fill up.
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in __exit__)
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
        )

    def ask(self, **question):
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait(timeout=10)
            self.errors.seek(0)
            errors = self.errors.read().strip().splitlines() or ["no message"]
            raise Skip(f"The peer stopped: {errors[-1]}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def take_turns(contestants: dict, rounds: int, limit=90.0) -> dict[str, list[list[float]]]:
    """Let each contestant have one turn a round; every second round in reverse order.

    A contestant is a function without arguments that returns a list of samples. The first round
    warms up and is not counted. On a crowded machine no round begins after `limit` seconds, but
    one is always counted. Returns name -> rounds -> samples.
    """
    samples = {name: [] for name in contestants}
    start = time.perf_counter()
    for i in range(rounds + 1):
        if i > 1 and time.perf_counter() - start > limit:
            break
        order = list(contestants) if i % 2 else list(reversed(contestants))
        for name in order:
            time.sleep(PAUSE)
            taken = contestants[name]()
            if i:
                samples[name].append(list(taken))
    return samples


def flat(rounds):
    return [sample for samples in rounds for sample in samples]


def compare(ours, peer, unit, *, scale=1.0, of="times", note="") -> dict:
    """One row of the results from what `take_turns` gave for us and for the peer.

    The ratio is that of the medians over all samples. Of "times" it is peer / ours and of "rates"
    ours / peer, so that above 1 we are ahead; of "costs" it is ours / peer, what ours costs over
    the peer's. The note adds the best samples and the spread of the rounds' own ratios.
    """

    def ratio(a, b):
        return b / a if of == "times" else a / b

    best = max if of == "rates" else min
    a, b = statistics.median(flat(ours)), statistics.median(flat(peer))
    each = [
        ratio(statistics.median(x), statistics.median(y)) for x, y in zip(ours, peer, strict=True)
    ]
    spread = (
        f"best {best(flat(ours)) * scale:.4g} and {best(flat(peer)) * scale:.4g} {unit}; "
        f"ratio by round {min(each):.2f} to {max(each):.2f} ({len(each)} rounds)"
    )
    return {
        "ours": a * scale,
        "peer": b * scale,
        "ratio": ratio(a, b),
        "unit": unit,
        "note": f"{note}; {spread}" if note else spread,
    }
