"""CPU and memory of a run while it went: a sample a second, from its folder. Reading never fails."""

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from runs_app import run_folder
from runs_app.launcher.folders import ARCHIVE
from runs_app.models import Run
from tempo_site.lib import paths

LIVE = "samples.csv"
MAX_SAMPLES = 600
MAX_BYTES = 4 * 2**20
_LINE = re.compile(rb"(\d{1,13}),(\d{1,9}(?:\.\d{1,6})?),(\d{1,15}),(\d{1,9}),(\d{1,18})\n")
_TOO_LARGE = 1e18
_TOO_LATE_MS = 1e13  # the year 2286: beyond lies nonsense that a calendar may refuse


class Sample(NamedTuple):
    """A run's process tree at one moment. CPU is of one core: four busy ones are 400 %."""

    at_ms: int
    cpu_percent: float
    memory_kb: int
    processes: int
    output_bytes: int

    @property
    def memory_mb(self) -> float:
        return round(self.memory_kb / 1024, 1)


def samples_of_run(run: Run) -> list[Sample]:
    """Return the samples of a run, oldest first, at most 600; an empty list for a run that never began."""
    if not run.folder:
        return []
    with contextlib.suppress(OSError), run_folder.opened(paths.run_folder(run.folder)) as folder:
        if folder is not None:
            return live(folder) or thinned(list(_valid(_archived_rows(folder))))
    return []


def live(folder: int) -> list[Sample]:
    """Return the samples in the runner's file, as long as the file is there. Lines that are no samples are left out."""
    samples = []
    for line in _content(folder, LIVE).splitlines(keepends=True):
        found = _LINE.fullmatch(line)
        if found:
            at, cpu, memory, processes, output = found.groups()
            sample = Sample(int(at), float(cpu), int(memory), int(processes), int(output))
            samples.append(sample)
    return thinned(samples)


def thinned(samples: Sequence[Sample], limit: int = MAX_SAMPLES) -> list[Sample]:
    """Return at most `limit` samples: of neighbours the sample with the most memory, so that a peak stays."""
    if len(samples) <= limit:
        return list(samples)
    edges = [len(samples) * index // limit for index in range(limit + 1)]
    highest = []
    for start, end in itertools.pairwise(edges):
        highest.append(max(samples[start:end], key=lambda sample: sample.memory_kb))
    return highest


def _archived_rows(folder: int) -> list[object]:
    try:
        content = json.loads(_content(folder, ARCHIVE))
    except (ValueError, RecursionError):
        return []
    if not isinstance(content, dict):
        return []
    rows = content.get("samples")
    return rows if isinstance(rows, list) else []


def _valid(rows: Iterable[object]) -> Iterator[Sample]:
    for row in rows:
        if not isinstance(row, list) or len(row) != len(Sample._fields):
            continue
        if not all(map(_is_number, row)):
            continue
        at, cpu, *rest = row
        if at < _TOO_LATE_MS:
            yield Sample(int(at), float(cpu), *map(int, rest))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < _TOO_LARGE


def _content(folder: int, name: str) -> bytes:
    # Empty where there is no such file, or a file longer than it may be.
    with contextlib.suppress(OSError):
        return run_folder.read(folder, name, max_bytes=MAX_BYTES) or b""
    return b""
