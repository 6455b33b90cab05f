"""Chapter 15: does watching slow a run down, and how soon does the smallest model write words?"""

import json
import subprocess
import sys
import time

import numpy as np

from benchmarks.app import needs, warm_page
from benchmarks.browser import settle
from benchmarks.peer import ROOT

SECONDS = 12.0  # of a run that is watched
ROOT_OF = """[...document.querySelectorAll('*')].map((e) => e.shadowRoot)
    .find((s) => s?.querySelector('.samples'))?.querySelector('.root')"""
WATCH = f"""([seconds]) => new Promise((done) => {{
  const root = () => {ROOT_OF};
  const read = () => [performance.now(), +root().dataset.draws, +root().dataset.step];
  const begin = read();
  setTimeout(() => done([begin, read()]), 1000 * seconds);
}})"""
ALONE = """
import json, time
from microgpt.training.live import Training
from microgpt.training.setup import Setup
from widgets.pre_training_files import write
from widgets.pre_training_text import MIXES, STORIES
training = Training(Setup(steps=4000), None, write, mix=MIXES[STORIES])
while training.history.steps < 60:
    next(training)
began, first = time.perf_counter(), training.history.steps
while time.perf_counter() - began < SECONDS:
    next(training)
taken = time.perf_counter() - began
print(json.dumps((training.history.steps - first) / taken))
"""


def alone() -> float:
    """Steps a second of the same run, samples and all, in a process without a page."""
    code = ALONE.replace("SECONDS", str(SECONDS))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def watched() -> tuple[float, float]:
    """Steps a second, and drawings a second, of a run in a page that a browser shows."""
    needs("pre_training")
    with warm_page("pre_training") as page:
        settle(page)
        page.get_by_text("Steps, learning rate, batch, tokenizer, precision").click()
        field = page.get_by_label("Steps", exact=True)
        field.fill("4000")
        field.press("Enter")
        settle(page)
        page.get_by_role("button", name="Train it").click()
        page.wait_for_function(f"{ROOT_OF}?.dataset.step > 60")
        (t0, draws0, step0), (t1, draws1, step1) = page.evaluate(WATCH, [SECONDS])
        page.get_by_role("button", name="Stop").first.click()
    return 1000 * (step1 - step0) / (t1 - t0), 1000 * (draws1 - draws0) / (t1 - t0)


def pre_training_watched():
    """The default run of chapter 15 (32 wide, stories of the tiny world, one thread), first in a
    process of its own, then in the app with a browser that shows it, and once more alone. Steps a
    second of the watched run beside 60 % of the mean of the two others, which is the budget; the
    note has the drawings a second, which must be at least 4."""
    before = alone()
    pace, drawings = watched()
    free = (before + alone()) / 2
    return {"ours": pace, "peer": 0.6 * free, "ratio": pace / (0.6 * free), "unit": "steps/s",
            "note": f"peer is the budget, 60 % of {free:.1f} alone; {100 * pace / free:.0f} % of "
                    f"that; {drawings:.1f} drawings a second"}  # fmt: skip


def pre_training_words():
    """The default run of chapter 15 from the first press to the last step, tokenizer included, in a
    process that has compiled its kernels. Seconds; the note has the share of letters, in 20 texts
    that the model then writes, that belong to words of its training text."""
    from microgpt.training.live import Training, share_known
    from microgpt.training.setup import Setup
    from widgets.pre_training_files import write
    from widgets.pre_training_text import MIXES, STORIES

    for _ in Training(Setup(steps=3), None, write, mix=MIXES[STORIES]):
        pass
    began, used = time.perf_counter(), time.process_time()
    training = Training(Setup(), None, write, mix=MIXES[STORIES])
    for _ in training:
        pass
    seconds, used = time.perf_counter() - began, time.process_time() - used
    model = training.model()
    texts = [write(model, "", seed, 96) for seed in range(20)]
    known = np.mean([share_known(text, training.words) for text in texts])
    return {
        "ours": seconds,
        "peer": 60.0,
        "ratio": 60.0 / seconds,
        "unit": "s",
        "note": f"peer is the budget; {known:.0%} known, held-out loss "
        f"{training.history.held_out[-1][1]:.2f}, {used:.1f} s of processor",
    }


def pre_training_tokenizer():
    """The whole way of 5 MB of text to the first step: pieces, copies left out, tokenizer, tokens.
    Seconds, for text of the tiny world."""
    from itertools import islice

    from microgpt.training.live import Training, texts_of
    from microgpt.training.own_text import LARGEST
    from microgpt.training.setup import CLEANING, Setup
    from microgpt.world.corpus import documents

    text = "\n\n".join(islice(texts_of(documents("benchmark/own")), 60_000))[:LARGEST]
    cleaned = Setup(steps=1, cleaning=CLEANING[2])
    training = Training(cleaned, text, lambda model: "")
    began, slowest = time.perf_counter(), 0.0
    while training.stage != "training":
        step = time.perf_counter()
        next(training)
        slowest = max(slowest, time.perf_counter() - step)
    seconds = time.perf_counter() - began
    return {"ours": seconds, "peer": 20.0, "ratio": 20.0 / seconds, "unit": "s",
            "note": f"peer is the budget; {len(text) / 1e6:.1f} million characters; the longest "
                    f"time without a word to the page {slowest:.1f} s"}  # fmt: skip


BENCHMARKS = {
    "pre_training_watched": pre_training_watched,
    "pre_training_words": pre_training_words,
    "pre_training_tokenizer": pre_training_tokenizer,
}
