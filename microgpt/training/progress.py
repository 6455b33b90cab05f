"""How far a training run is, said in a terminal."""

import sys
import time


class ProgressBar:
    """One line on a terminal that is written over; elsewhere a line now and then."""

    def __init__(self):
        self.start, self.shown, self.tokens, self.loss = time.monotonic(), 0.0, 0, None

    def __call__(self, step, recipe) -> None:
        self.tokens += step.tokens
        self.loss = step.loss if self.loss is None else 0.95 * self.loss + 0.05 * step.loss
        now, total = time.monotonic(), recipe.options.steps
        terminal = sys.stderr.isatty()
        if step.step < total and now - self.shown < (0.2 if terminal else 30):
            return
        self.shown = now
        speed = self.tokens / (now - self.start)
        left = (total - step.step) * step.tokens / speed
        done = int(24 * step.step / total)
        line = (
            f"[{'=' * done}{' ' * (24 - done)}] step {step.step}/{total}  loss {self.loss:.4f}  "
            f"{speed:,.0f} tokens/s  {left / 60:.1f} min left"
        )
        end = "\n" if step.step == total or not terminal else ""
        print(f"\r{line}" if terminal else line, end=end, file=sys.stderr, flush=True)
