"""A GPT engine written by hand in NumPy and Numba, small enough to read."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _find_room_for_kernels() -> None:
    """Numba refuses to start where it can keep compiled kernels nowhere. In a checkout that
    can't be written they go to the user's cache, and failing that to a folder that ends with
    this process."""
    if os.environ.get("NUMBA_CACHE_DIR") or _writable(Path(__file__).parent / "__pycache__"):
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "microgpt"
    if not _writable(cache):
        cache = Path(tempfile.mkdtemp(prefix="microgpt-"))
        atexit.register(shutil.rmtree, cache, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(cache)


_find_room_for_kernels()
