#!/usr/bin/env python3
"""Set up and start Press Enter, on any system, with nothing but Python.

    python run.py             install what is missing (first time only), then open the book
    python run.py --port N    the same, on another port
    python run.py test ...    run the tests; what follows goes to pytest

Everything is installed into .venv beside this file; delete the folder to start afresh.
uv is used when it is there, venv and pip otherwise. Only the standard library is imported here,
and the syntax is old enough for Python 3.6 to reach the sentence that says it is too old.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
PORT = 8501


def main(arguments):
    """Run one command; returns the exit code."""
    if sys.version_info < OLDEST:
        return fail(
            "Press Enter needs Python {}.{} or newer, and this is {}. Install a newer one from "
            "python.org and start run.py with it.".format(*OLDEST, sys.version.split()[0])
        )
    if arguments[:1] == ["test"]:
        command = ["-m", "pytest", *arguments[1:]]
        needs = "requirements-dev.txt"
    elif arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    else:
        port, problem = choose_port(arguments)
        if problem:
            return fail(problem)
        options = ["--server.port", str(port), "--server.headless", str(not has_screen()).lower()]
        command = ["-m", "streamlit", "run", str(ROOT / "app.py"), *options]
        needs = "requirements.txt"
        print(f"Press Enter: http://localhost:{port}  (Ctrl+C ends it)", flush=True)
    problem = install(needs)
    if problem:
        return fail(problem)
    try:
        return subprocess.call([str(python()), *command], cwd=ROOT)
    except KeyboardInterrupt:
        return 0


def choose_port(arguments):
    """The port that was asked for, and what is wrong with it (None when nothing is)."""
    port = PORT
    if arguments:
        if arguments[0] != "--port" or len(arguments) != 2 or not arguments[1].isdecimal():
            return None, "run.py knows: no argument, --port NUMBER, test. See python run.py --help."
        port = int(arguments[1])
    if not 1 <= port <= 65535:
        return None, f"A port is between 1 and 65535, not {port}."
    with socket.socket() as probe:
        if os.name != "nt":  # there, this option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return None, (
                f"Port {port} is taken: perhaps Press Enter is running already "
                f"(http://localhost:{port}). Choose another with: python run.py --port {port + 1}"
            )
    return port, None


def has_screen():
    """Whether there is a browser to open; a server without a desktop has none."""
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(desktop) or sys.platform in ("win32", "darwin")


def python():
    """The interpreter inside .venv."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(needs):
    """Make .venv and install a requirements file, unless that is done; returns what went wrong."""
    stamp = VENV / f".{needs}.sha256"
    if python().exists() and stamp.exists() and stamp.read_text() == fingerprint(needs):
        return None
    print("Setting up .venv; the first time takes a few minutes ...", flush=True)
    uv = shutil.which("uv")
    try:
        if not works(python()):
            make_environment(uv)
        installer = [uv, "pip", "install", "--python", str(python())]
        if not uv:
            installer = [str(python()), "-m", "pip", "install", "--disable-pip-version-check"]
        subprocess.check_call([*installer, "--quiet", "-r", str(ROOT / needs)])
    except subprocess.CalledProcessError:
        return (
            "Installing failed; the lines above say why. Without a connection to pypi.org (or "
            "your own package index) the first start can't work; try again when there is one. "
            f"If .venv was damaged, delete {VENV} and start again."
        )
    except OSError as error:
        return f"Can't write {VENV}: {error}. Copy the project to a folder that you may write to."
    for done in {needs, "requirements.txt"}:  # the development set holds the other
        (VENV / f".{done}.sha256").write_text(fingerprint(done))
    return None


def fingerprint(needs):
    """Changes whenever the requirements or this Python do."""
    files = ["requirements.txt", needs]
    content = b"".join((ROOT / name).read_bytes() for name in files) + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def works(interpreter):
    """Whether there is an environment of this very version that starts."""
    ask = [str(interpreter), "-c", "import sys; print(sys.version)"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == sys.version.strip()


def make_environment(uv):
    """An empty .venv with this Python."""
    if uv:
        quiet = [uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable]
        subprocess.check_call([*quiet, str(VENV)])
        return
    # In a process of its own: on Debian the module is there and ensurepip is not.
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        done.check_returncode()


def fail(sentence):
    """Say what is wrong; the exit code."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
