"""What a run used while it went: a sample a second, from its folder. Whatever lies there, reading it never fails."""

import contextlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
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
        """As people read it."""
        return round(self.memory_kb / 1024, 1)


def samples_of_run(run: Run) -> list[Sample]:
    """The samples of a run, oldest first, at most 600; none of what never began."""
    if not run.folder:
        return []
    folder = paths.run_folder(run.folder)
    return live(folder) or thinned(list(_valid(_folded(folder))))


def live(folder: Path) -> list[Sample]:
    """Those that the runner wrote, while its file is there. A torn line is left out, as is what is no sample."""
    rows = (
        line.groups()
        for line in map(_LINE.fullmatch, _content(folder, LIVE).splitlines(keepends=True))
        if line
    )
    return thinned(
        [
            Sample(int(at), float(cpu), int(kb), int(count), int(size))
            for at, cpu, kb, count, size in rows
        ]
    )


def thinned(samples: Sequence[Sample], most: int = MAX_SAMPLES) -> list[Sample]:
    """At most so many: of neighbours the one with the most memory, so that a peak stays."""
    if len(samples) <= most:
        return list(samples)
    edges = [len(samples) * index // most for index in range(most + 1)]
    parts = (samples[start:end] for start, end in itertools.pairwise(edges))
    return [max(part, key=lambda sample: sample.memory_kb) for part in parts]


def _folded(folder: Path) -> Iterator[object]:
    try:
        content = json.loads(_content(folder, ARCHIVE))
    except (ValueError, RecursionError):
        return
    found = content.get("samples") if isinstance(content, dict) else None
    yield from found if isinstance(found, list) else ()


def _valid(rows: Iterator[object]) -> Iterator[Sample]:
    for row in rows:
        if isinstance(row, list) and len(row) == len(Sample._fields) and all(map(_is_number, row)):
            at, cpu, *rest = row
            if at < _TOO_LATE_MS:
                yield Sample(int(at), float(cpu), *map(int, rest))


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _TOO_LARGE
    )


def _content(folder: Path, name: str) -> bytes:
    """What a file says; nothing where it is none, or longer than it may be."""
    with contextlib.suppress(OSError), run_folder.opened(folder) as descriptor:
        return (
            run_folder.read(descriptor, name, max_bytes=MAX_BYTES)
            if descriptor is not None
            else None
        ) or b""
    return b""
