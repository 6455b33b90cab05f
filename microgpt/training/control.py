"""A run that can be talked to while it goes on: pause, resume, stop, another learning rate.

The training itself is `train_steps`, unchanged; a `Controller` is the desk between the thread that
trains and whoever watches. Requests are taken between two steps.

    control = Controller()
    for event in run(state, config, batches, options, control, write):   # in a worker thread
        ...
    control.pause(); control.resume(); control.set_rate(1e-4); control.sample(); control.stop()
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from microgpt.training.train import Options, State, StepReport, train_steps


@dataclass(frozen=True)
class Sampled:
    """What the model wrote after this step, because somebody asked."""

    step: int
    text: str


@dataclass(frozen=True)
class Ended:
    """The last event: "done", "stopped", "left alone" or, where training failed, the reason."""

    step: int
    reason: str


class Controller:
    """Requests to one run; every method may be called from any thread.

    With a `lease` in seconds the run ends by itself when nobody has called `keep` for that long,
    paused or not: a closed tab must not go on using a core.
    """

    def __init__(self, lease: float | None = None, clock: Callable[[], float] = time.monotonic):
        self.changed = threading.Condition()
        self.lease, self.clock = lease, clock
        self.paused = self.stopped = self.wanted = False
        self.rate: float | None = None
        self.kept = clock()

    def _set(self, **what) -> None:
        with self.changed:
            for name, value in what.items():
                setattr(self, name, value)
            self.changed.notify_all()

    def pause(self) -> None:
        self._set(paused=True)

    def resume(self) -> None:
        self._set(paused=False)

    def stop(self) -> None:
        """End the run after the step it is at; its state stays usable."""
        self._set(stopped=True)

    def sample(self) -> None:
        """Ask for a sample as soon as the step is done; a paused run gives one too."""
        self._set(wanted=True)

    def set_rate(self, rate: float) -> None:
        """Another peak learning rate from the next step on; the schedule keeps its shape."""
        if not 0 < rate < float("inf"):
            raise ValueError(f"The learning rate is {rate!r}, but must be a number above 0.")
        self._set(rate=float(rate))

    def keep(self) -> None:
        """Somebody is still watching."""
        self._set(kept=self.clock())

    @property
    def alone(self) -> bool:
        return self.lease is not None and self.clock() - self.kept > self.lease

    def wait(self) -> None:
        """Return when there is something to do: at once, unless the run is paused."""
        with self.changed:
            while self.paused and not (self.stopped or self.wanted or self.alone):
                self.changed.wait(None if self.lease is None else min(1.0, self.lease))

    def take_sample(self) -> bool:
        """Whether a sample is wanted; it is asked for once."""
        with self.changed:
            wanted, self.wanted = self.wanted, False
        return wanted


def run(
    state: State,
    config,
    batches: Iterator,
    options: Options,
    control: Controller,
    write: Callable[[State], str],
    loss=None,
) -> Iterator[StepReport | Sampled | Ended]:
    """Train under a controller; yields what happens, and `Ended` last.

    `batches` begins with number `state.step`; no batch is lost or read twice, whatever is asked.
    `write(state)` gives a sample of the model as it is.
    """
    steps = train_steps(state, config, batches, options, loss)
    while True:
        control.wait()
        if control.stopped or control.alone:
            yield Ended(state.step, "stopped" if control.stopped else "left alone")
            return
        if control.take_sample():
            yield Sampled(state.step, write(state))
            continue
        if control.rate not in (None, options.rate):
            options = replace(options, rate=control.rate)
            steps = train_steps(state, config, batches, options, loss)
        try:
            report = next(steps, None)
        except FloatingPointError as error:
            yield Ended(state.step, str(error))
            return
        if report is None:
            yield Ended(state.step, "done")
            return
        yield report
