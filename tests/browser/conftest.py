"""A real server and a real browser. Without Chromium these tests are skipped, unless
REQUIRE_BROWSER=1 says that they must run."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
START = 120  # seconds that a server or a page may take before the test gives up


def chromium() -> str | None:
    """Path of a Chromium or Chrome: $CHROME, one on the PATH, or where they usually are."""
    found = (shutil.which(name) for name in NAMES)
    places = (place for place in PLACES if Path(place).exists())
    return os.environ.get("CHROME") or next(filter(None, found), None) or next(places, None)


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests; every test opens its own context."""
    required = os.environ.get("REQUIRE_BROWSER") == "1"
    path = chromium()
    if path is None or not _importable("playwright"):
        missing = "Chromium" if path is None else "playwright"
        message = f"{missing} is not installed, so nothing is tested in a browser"
        (pytest.fail if required else pytest.skip)(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


def _importable(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True


@contextlib.contextmanager
def serve(log: Path, script: str = "app.py"):
    """Start the app on a free port; yields its address and ends it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"--server.port {port} --server.address 127.0.0.1 --server.headless true"
    command = [sys.executable, "-m", "streamlit", "run", script, *options.split()]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--server.fileWatcherType", "none"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/_stcore/health", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1)
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"The app did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """Address of a server that all tests share."""
    with serve(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture(scope="module")
def frame_page(tmp_path_factory):
    """Address of a page of nothing but the frame."""
    log = tmp_path_factory.mktemp("frame") / "log.txt"
    with serve(log, str(Path(__file__).with_name("frame_page.py"))) as url:
        yield url


@pytest.fixture
def fresh_app(tmp_path):
    """Address of a server that nobody has visited."""
    with serve(tmp_path / "log.txt") as url:
        yield url


class Visit:
    """A browser tab, and everything that went wrong in it."""

    def __init__(self, context):
        context.set_default_timeout(START * 1000)
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message) -> None:
        # Streamlit looks for itself below the page's own address first and gets a 404.
        own = "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not own:
            self.problems.append(f"{message.text} ({message.location.get('url')})")

    def open(self, address: str) -> None:
        """Go there. A page that doesn't come in a minute is loaded once more, with a warning."""
        from playwright.sync_api import TimeoutError as TooLate

        self.page.goto(address)
        try:
            self.settle(START / 2)
        except TooLate:
            warnings.warn(f"{address} had to be loaded again: {self.state()}", stacklevel=2)
            self.page.reload()
            self.settle()

    def state(self) -> str:
        """Where a page stands that has not come, for the message of a test."""
        drawn = self.page.evaluate(
            """() => {
                const all = (name) => document.querySelectorAll(`[data-testid=${name}]`)
                const app = all("stApp")[0]?.dataset.testScriptState
                return `${app}, ${all("stElementContainer").length} elements, ` +
                    `${all("stSkeleton").length} skeletons, ` +
                    `title ${document.querySelector("h1")?.innerText}`
            }"""
        )
        return f"{drawn}; problems: {self.problems}"

    def settle(self, seconds: float = START) -> None:
        """Wait until the script has run and the page has been drawn."""
        idle = "[data-testid=stApp][data-test-script-state=notRunning]"
        self.page.wait_for_selector(f"{idle} h1", timeout=1000 * seconds)
        self.page.wait_for_function(
            "!document.querySelector('[data-testid=stSpinner], [data-testid=stSkeleton]')"
        )
        self.page.wait_for_selector(idle)
        self.page.wait_for_timeout(200)

    def title(self) -> str:
        return self.page.locator("h1").first.inner_text()


@pytest.fixture
def visit(browser):
    """`visit(width=1280, scheme="light")` opens a tab of its own."""
    contexts = []

    def make(width: int = 1280, scheme: str = "light", **options) -> Visit:
        viewport = {"width": width, "height": 900}
        context = browser.new_context(color_scheme=scheme, viewport=viewport, **options)
        contexts.append(context)
        return Visit(context)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def shared(browser, app):
    """`shared(slug, width=1280, scheme="light")`: a tab that the tests of a file use in turn. Opening
    a page takes longest, so it is opened once; a test puts it into the state that it needs."""
    tabs: dict[tuple, Visit] = {}

    def make(slug: str, width: int = 1280, scheme: str = "light", **options) -> Visit:
        name = slug, width, scheme
        if name not in tabs:
            viewport = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=viewport, **options)
            tabs[name] = Visit(context)
        if tabs[name].page.url.split("?")[0] != f"{app}/{slug}":
            tabs[name].open(f"{app}/{slug}")
        return tabs[name]

    yield make
    for tab in tabs.values():
        tab.page.context.close()
