"""Two builds measured alternately, by these benchmarks: each figure of this one beside the other checkout's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.figures import rounded
from tests.service import ROOT

VARIABLE = "TEMPO_BENCHMARK_BASE"
ROUNDS = 3
OWN = ("tests", "data", ".venv", ".git")  # what a checkout does not lend to these benchmarks

Key = tuple[str, str]  # a benchmark and its figure
Line = dict[str, Any]
Lines = list[Line]


def lend_benchmarks(base: Path, folder: Path) -> Path:
    """Lay the base's code beside these tests, so that both builds are measured in the same way."""
    for entry in base.iterdir():
        if entry.name not in OWN:
            (folder / entry.name).symlink_to(entry)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=leave)
    return folder


def compare(names: Iterable[str], *, base: Path, folder: Path, is_long: bool) -> Iterator[Line]:
    """Measure a benchmark of the base, of this build, of the base and so on; yield a line for each of its figures."""
    lent = lend_benchmarks(base, folder)
    for name in names:
        before: list[Lines] = []
        after: list[Lines] = []
        for _ in range(ROUNDS):
            before.append(measure(name, lent, python_of(base), is_long=is_long))
            after.append(measure(name, ROOT, sys.executable, is_long=is_long))
        yield from compared(before, after)


def python_of(checkout: Path) -> str:
    """A checkout's own Python with its own packages; this one's where it has none."""
    own = checkout / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def measure(name: str, checkout: Path, python: str, *, is_long: bool) -> Lines:
    """The lines of one benchmark, measured in a process of its own."""
    command = [python, "-m", "tests.benchmarks", name, *(["--long"] if is_long else [])]
    env = {key: value for key, value in os.environ.items() if key != VARIABLE}
    done = subprocess.run(command, cwd=checkout, env=env, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def compared(before: Iterable[Lines], after: Iterable[Lines]) -> Lines:
    """A line for each figure: the medians of both builds and their ratio; None for what was not measured."""
    base, own = values_of(before), values_of(after)
    return [
        {
            "benchmark": key[0],
            "figure": key[1],
            "value": median_of(own.get(key, [])),
            "base_value": median_of(base.get(key, [])),
            "ratio": ratio(own.get(key, []), base.get(key, [])),
            "n": len(own.get(key, [])),
            "n_base": len(base.get(key, [])),
        }
        for key in {**own, **base}
    ]


def values_of(rounds: Iterable[Lines]) -> dict[Key, list[float]]:
    """The values of each figure over all rounds; of an error the key alone."""
    found: dict[Key, list[float]] = {}
    for line in (line for lines in rounds for line in lines):
        values = found.setdefault((line["benchmark"], line.get("figure", "error")), [])
        if "value" in line:
            values.append(line["value"])
    return found


def median_of(values: list[float]) -> float | None:
    """The median, or None of nothing."""
    return rounded(median(values)) if values else None


def ratio(own: list[float], base: list[float]) -> float | None:
    """How many times the base's median this build's is; None where either is missing, or the base's is 0."""
    if not own or not base or median(base) == 0:
        return None
    return rounded(median(own) / median(base))
