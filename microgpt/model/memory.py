"""How much memory this process may still take."""

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")  # of a container; its limit is often far below the machine's memory


def available() -> int | None:
    """Bytes that are free for use, or None where the system does not say."""
    limits = []
    for line in _lines(MEMINFO):
        if line.startswith("MemAvailable:"):
            limits.append(int(line.split()[1]) * 1024)
    most, used = _lines(GROUP / "memory.max"), _lines(GROUP / "memory.current")
    if most and used and most[0].isdecimal() and used[0].isdecimal():
        limits.append(int(most[0]) - int(used[0]))
    return max(min(limits), 0) if limits else None


def require(size: int, what: str) -> None:
    """ValueError if `size` bytes are more than there are."""
    free = available()
    if free is not None and free < size:
        raise ValueError(
            f"{what} takes {size / 1e6:,.0f} MB of memory, but only {free / 1e6:,.0f} MB are free "
            "here. Close other programs, or stay with the tiny models: the course is whole on them."
        )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split("\n")
    except OSError:
        return []
