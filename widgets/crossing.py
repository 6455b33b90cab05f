"""Pages and jobs share the processor; where they meet, pages go first."""

import contextlib
import threading
from collections.abc import Iterator

MANNERS = 0.15  # seconds that a job waits before a step while somebody's page is being drawn


class Crossing:
    """Pages go first. Whoever opens one waits until all of it is drawn; a job waits for that
    before each step, but only a moment, however many pages are opened."""

    def __init__(self):
        self._drawn, self._pages = threading.Condition(), 0

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        with self._drawn:
            self._pages += 1
        try:
            yield
        finally:
            with self._drawn:
                self._pages -= 1
                self._drawn.notify_all()

    def wait(self, most: float = MANNERS) -> None:
        with self._drawn:
            self._drawn.wait_for(lambda: not self._pages, most)
