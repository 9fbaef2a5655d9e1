"""Measures Tempo beside bare Python: `python -m tests.benchmarks [NAMES...]` prints a line of JSON for each figure."""

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import (
    api,
    backups,
    comparison,
    console,
    cost,
    drafts,
    environments,
    first_line,
    first_script,
    imports,
    indexing,
    isolation,
    lateness,
    live_output,
    many_lines,
    many_scripts,
    memory,
    pages,
    queue,
    restart,
    retention,
    scale,
    schedules,
    search,
    soak,
    supervision,
    throughput,
)
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting
from tests.service import ROOT, prepared_data

PACKAGES = ("tempo_site", "scripts_app", "runs_app", "notifications_app")
BENCHMARKS: dict[str, Callable[[Setting], Iterator[Figure]]] = {
    "first_line": first_line.measure,
    "cost": cost.measure,
    "lateness": lateness.measure,
    "memory": memory.measure,
    "imports": imports.measure,
    "isolation": isolation.measure,
    "restart": restart.measure,
    "live_output": live_output.measure,
    "many_lines": many_lines.measure,
    "throughput": throughput.measure,
    "queue": queue.measure,
    "schedules": schedules.measure,
    "pages": pages.measure,
    "many_scripts": many_scripts.measure,
    "first_script": first_script.measure,
    "console": console.measure,
    "drafts": drafts.measure,
    "supervision": supervision.measure,
    "environments": environments.measure,
    "search": search.measure,
    "scale": scale.measure,
    "retention": retention.measure,
    "indexing": indexing.measure,
    "api": api.measure,
    "backups": backups.measure,
    "soak": soak.measure,
}


def main() -> int:
    """Measure in sequence; 1 when a bar was missed or something could not be measured."""
    options = parsed()
    compile_byte_code()
    if os.environ.get(comparison.VARIABLE):
        return compare(options)
    with tempfile.TemporaryDirectory(prefix="tempo-benchmarks-") as folder:
        setting = Setting(prepared=prepared_data(Path(folder) / "prepared"), is_long=options.long)
        results = [measured(name, setting) for name in options.names or BENCHMARKS]
    return 0 if all(results) else 1


def compare(options: argparse.Namespace) -> int:
    """Print each figure beside that of the base; 1 when one of either build is missing."""
    base = Path(os.environ[comparison.VARIABLE]).resolve()
    is_complete = True
    with tempfile.TemporaryDirectory(prefix="tempo-benchmarks-") as folder:
        names = options.names or list(BENCHMARKS)
        for line in comparison.compare(names, base=base, folder=Path(folder), is_long=options.long):
            print(json.dumps(line), flush=True)
            is_complete = is_complete and None not in (line["value"], line["base_value"])
    return 0 if is_complete else 1


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="measure a true cron minute and 20 locks too: 25 minutes more",
    )
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(
            f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    return options


def compile_byte_code() -> None:
    """As `make run` does, both kinds: without it every start takes three times as long."""
    for package in PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=1)
    lean = ["-X", "no_debug_ranges", "-m", "compileall", "-q", "-o", "2"]
    subprocess.run([sys.executable, *lean, *PACKAGES], cwd=ROOT, check=False)


def measured(name: str, setting: Setting) -> bool:
    """Print the figures of one benchmark; whether all keep their bars. One that fails does not stop the others."""
    is_within = True
    try:
        for figure in BENCHMARKS[name](setting):
            print(figure.as_line(), flush=True)
            is_within = is_within and figure.is_within
    except Exception as error:  # the boundary: the line says what was wrong
        print(
            json.dumps({"benchmark": name, "error": f"{type(error).__name__}: {error}"}), flush=True
        )
        return False
    return is_within


if __name__ == "__main__":
    sys.exit(main())
