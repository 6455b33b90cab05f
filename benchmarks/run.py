"""Measure speed side by side with the peers and write it down.

    python benchmarks/run.py [NAME ...] [--json]

Without names all benchmarks run. The table goes to the screen and to benchmarks/results.md; a row
that did not run now keeps what was measured before (results.json holds it).
"""

import argparse
import importlib
import inspect
import json
import os
import platform
import signal
import sys
import tempfile
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    sys.path[0] = str(FOLDER.parent)  # so that `benchmarks` and `microgpt` are found

from benchmarks.peer import Skip  # noqa: E402 (after the path is set)

MODULES = ("training", "tokens", "decode", "smollm2", "app", "chapters", "part_3",
           "pre_training")  # fmt: skip
PACKAGES = ("numpy", "numba", "streamlit")
RESULTS = FOLDER / "results.json"


def benchmarks() -> dict:
    """Every benchmark by name, in the order of MODULES."""
    found = {}
    for module in MODULES:
        found |= importlib.import_module(f"benchmarks.{module}").BENCHMARKS
    return found


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def blas() -> str:
    from threadpoolctl import threadpool_info

    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    return ", ".join(f"{p['internal_api']} {p['version']} ({p['architecture']})" for p in pools)


def circumstances() -> dict:
    """Where and with what a row was measured."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions,
        "blas": blas(),
    }


def load() -> float | None:
    """Programs that want a processor, averaged over the last minute; None where unknown."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def measure(benchmark) -> dict:
    before = load()
    try:
        row = benchmark()
    except Skip as reason:
        return {"skipped": str(reason)}
    if "skipped" in row:
        return row
    here = circumstances() | {"load_before": before, "load_after": load()}
    # The benchmark before this one may have left a load of one program a core, but no more.
    if before is not None and before > 1.5 * here["cores"]:
        warning = "CROWDED MACHINE, not to be quoted"
        row["note"] = f"{warning}; {row['note']}" if row.get("note") else warning
    return row | {"how": " ".join(inspect.getdoc(benchmark).split()), "where": here}


def read_results() -> dict:
    try:
        return json.loads(RESULTS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write(path: Path, text: str) -> None:
    """Write the whole file or leave the old one."""
    with tempfile.NamedTemporaryFile("w", dir=FOLDER, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def number(x) -> str:
    return "" if x is None else f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def cells(name, row) -> list[str]:
    if "skipped" in row:
        return [name, "", "", "", "", f"skipped: {row['skipped']}"]
    ratio = f"{row['ratio']:.2f}" if row.get("ratio") is not None else ""
    values = [number(row["ours"]), number(row.get("peer")), ratio]
    return [name, *values, row["unit"], row.get("note", "")]


def table(rows: dict) -> str:
    """The rows for the screen, columns lined up."""
    lines = [["name", "ours", "peer", "ratio", "unit", "note"]]
    lines += [cells(name, row) for name, row in rows.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(line[i].rjust(widths[i]) for i in (1, 2, 3)),
                line[4].ljust(widths[4]),
                line[5],
            ]
        ).rstrip()
        for line in lines
    )


def place(where: dict) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return (
        f"{where['processor']}, {where['cores']} cores, {where['system']}; {versions}; "
        f"BLAS {where['blas']}; engine backend: NumPy with BLAS products and Numba kernels"
    )


def report(results: dict) -> str:
    """results.md: the table, the machines, and how each row was measured."""
    places = list(dict.fromkeys(place(row["where"]) for row in results.values()))
    lines = [
        "# Results",
        "",
        "Written by `python benchmarks/run.py`; `results.json` holds the numbers. A ratio above 1",
        "means that the engine is ahead of its peer (or inside its budget, for the app), except",
        "where the note calls it a cost. Load is the number of programs that wanted a processor,",
        "before and after. A row that says CROWDED was measured while other programs held the",
        "processors: its ratio tells who waits worse, not who is faster.",
        "",
        "| name | ours | peer | ratio | unit | note | machine | date | load |",
        "|---|---:|---:|---:|---|---|---|---|---|",
    ]
    for name, row in results.items():
        where = row["where"]
        machine = str(places.index(place(where)) + 1)
        weather = f"{where['load_before']} to {where['load_after']}"
        lines.append("| " + " | ".join([*cells(name, row), machine, where["date"], weather]) + " |")
    lines += ["", "## Machines", ""]
    lines += [f"{i}. {text}." for i, text in enumerate(places, 1)]
    lines += ["", "## How each was measured", ""]
    lines += [f"- `{name}`: {row['how']}" for name, row in results.items()]
    return "\n".join(lines) + "\n"


def keep(name: str, row: dict, known) -> None:
    """Write a row down as soon as it is there: a later one may fail or be stopped."""
    if "skipped" in row:
        return
    results = read_results() | {name: row}
    results = {name: results[name] for name in known if name in results}
    write(RESULTS, json.dumps(results, indent=1, allow_nan=False) + "\n")
    write(FOLDER / "results.md", report(results))


def main(arguments=None) -> int:
    known = benchmarks()
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--json", action="store_true", help="print the rows as JSON only")
    options = parser.parse_args(arguments)

    def means(name):
        return [row for row in known if row == name or row.startswith(f"{name}_")]

    unknown = [name for name in options.names if not means(name)]
    if unknown:
        parser.error(f"There is no benchmark {unknown[0]!r}. There are: {', '.join(known)}.")
    rows, failed = {}, False
    for name in dict.fromkeys(row for one in options.names or known for row in means(one)):
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows[name] = measure(known[name])
        except Exception as error:
            print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr)
            failed = True
        else:
            keep(name, rows[name], known)
    print(json.dumps(rows, indent=1, allow_nan=False) if options.json else table(rows))
    return int(failed)


if __name__ == "__main__":
    # A polite end, so that peers, servers and browsers end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
