"""The app on a real server, seen through a real browser, with a stopwatch inside the page.

Times are taken in the page by its own clock: from the event that the reader caused (or from the
start of the navigation) to the animation frame after the one in which the answer stood there.
"""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from benchmarks.peer import ROOT, Skip

TIMEOUT = 120_000  # milliseconds that a page may take

# Runs before anything else in every page. `deep` looks through shadow roots, `settled` says that
# the script is done and nothing is pending, `when` waits frame by frame.
STOPWATCH = """
(() => {
  const last = {};
  for (const kind of ["click", "pointerup", "change", "keydown"])
    addEventListener(kind, (event) => { last[kind] = event.timeStamp; }, true);
  const deep = (selector, root = document) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const host of root.querySelectorAll(".stBidiComponent, [data-testid^=stBidi], *")) {
      const inside = host.shadowRoot && deep(selector, host.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };
  const state = () => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
  const settled = () => state() === "notRunning" && title() &&
    !document.querySelector("[data-testid=stSpinner], [data-testid=stSkeleton]");
  const title = () => document.querySelector("[data-testid=stMain] h1")?.innerText ?? "";
  const when = (test) => new Promise((resolve, reject) => {
    const start = performance.now();
    const look = () => {
      if (test()) requestAnimationFrame(() => resolve(performance.now()));
      else if (performance.now() - start > 120000) reject(new Error("Two minutes, no answer."));
      else requestAnimationFrame(look);
    };
    look();
  });
  // The answer to an event: messages have come, the script is done, and no more of them come. A
  // short run begins and ends between two frames, so its state alone would not show it.
  let heard = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...where) {
      super(...where);
      this.addEventListener("message", () => { heard = performance.now(); });
    }
  };
  const answered = () => {
    const start = performance.now();
    let last = start, drawn = 0;
    return when(() => {
      if (!settled() || heard <= start) drawn = 0;
      else if (!drawn || heard > last) [last, drawn] = [heard, performance.now()];
      return drawn && performance.now() - last > 250;
    }).then(() => drawn);
  };
  const frames = async (until) => {
    const times = [];
    await when(() => { times.push(performance.now()); return until(); });
    return times;
  };
  window.stopwatch = { last, deep, settled, title, when, answered, frames, state };
})();
"""


@contextlib.contextmanager
def chromium():
    """A headless browser. Raises Skip where Playwright or Chromium is missing."""
    if not importlib.util.find_spec("playwright") or not importlib.util.find_spec("pytest"):
        raise Skip("Playwright is not installed; requirements-dev.txt has it.")
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS
    from tests.browser.conftest import chromium as path_of_chromium

    path = path_of_chromium()
    if path is None:
        raise Skip("No Chromium or Chrome was found; set CHROME to its path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Server:
    """The app on a free port, with a folder of its own for compiled kernels."""

    def __init__(self, numba_cache: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"--server.port {port} --server.address 127.0.0.1 --server.headless true"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options.split()],
            cwd=ROOT,
            env=os.environ | {"NUMBA_CACHE_DIR": str(numba_cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self):
        until = time.monotonic() + TIMEOUT / 1000
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).close()
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("The app's server did not start.")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def resident_megabytes(self) -> float:
        """Memory that the server holds now (Linux)."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            raise Skip("Resident memory is read from /proc, which this system lacks.") from None
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def open_tab(browser):
    """A tab in a context of its own (no cache, no cookies), 1280 pixels wide."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(STOPWATCH)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    return page


def settle(page):
    """Wait until the page is complete and has been so for half a second; say when it was."""
    return page.evaluate(
        """async () => {
          for (;;) {
            const then = await stopwatch.when(stopwatch.settled);
            await new Promise((resolve) => setTimeout(resolve, 500));
            if (stopwatch.settled()) return then;
          }
        }"""
    )
