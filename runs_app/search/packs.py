"""Packs: small logs that share a document of the index. Each of their groups of letters is then stored once.

A pack is known by its newest run. It names all its runs, and how their folders end: `2026-11/<run>-<ending>`.
"""

import heapq
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

PACK_LENGTH = 16 * 1024  # characters of text
SMALL_LENGTH = 4 * 1024  # a longer log gains little, and would be read in vain more often
# Numbers from the oldest run to the newest, so that the pack of a run can be looked for.
MAX_SPAN = 256

_STORED = struct.Struct(">BI")  # how far below the newest run of the pack, and how its folder ends
_ENDING = re.compile(r"[0-9a-f]{8}")
ANY_PART = -1


class Place(NamedTuple):
    """Where words may be: a run, and a part of its log or any."""

    run: int
    part: int


class SmallLog(NamedTuple):
    run: int
    ending: str  # of its folder
    text: str


class Pack:
    """Small logs, the oldest first."""

    def __init__(self) -> None:
        self.logs: list[SmallLog] = []
        self._length = 0

    @property
    def newest(self) -> int:
        return self.logs[-1].run

    def has_place_for(self, log: SmallLog) -> bool:
        if not self.logs:
            return True
        is_near = log.run - self.logs[0].run < MAX_SPAN
        return is_near and self._length + len(log.text) <= PACK_LENGTH

    def add(self, log: SmallLog) -> None:
        self.logs.append(log)
        self._length += len(log.text)

    def stored(self) -> bytes:
        """Return the runs and the endings of their folders, five bytes a run."""
        return b"".join(
            [_STORED.pack(self.newest - log.run, int(log.ending, 16)) for log in self.logs]
        )


def folders_of(newest: int, stored: bytes, month: str) -> dict[int, str]:
    """Return the folders of a stored pack by run, the newest first."""
    folders = {}
    for offset, ending in reversed(list(_STORED.iter_unpack(stored))):
        run = newest - offset
        folders[run] = f"{month}/{run}-{ending:08x}"
    return folders


def places(newest: int, stored: bytes) -> list[Place]:
    """Return the runs of a stored pack as places, the newest first."""
    return [Place(newest - offset, 0) for offset, _ in reversed(list(_STORED.iter_unpack(stored)))]


def ending_of(folder: str, run: int, month: str) -> str:
    """Return what a pack stores of the folder of a run; "" where it is named otherwise."""
    ending = folder.removeprefix(f"{month}/{run}-")
    return ending if _ENDING.fullmatch(ending) else ""


def newest_first(groups: Iterable[Sequence[Place]]) -> Iterator[Place]:
    """Yield the places of groups in one order, the newest run first. The groups come so, by their newest runs; they
    may reach into each other.
    """
    waiting: list[Place] = []  # a heap of what later groups may still come between
    for group in groups:
        newest = group[0].run
        while waiting and -waiting[0].run > newest:
            yield _popped(waiting)
        for run, part in group:
            heapq.heappush(waiting, Place(-run, part))
    while waiting:
        yield _popped(waiting)


def _popped(waiting: list[Place]) -> Place:
    run, part = heapq.heappop(waiting)
    return Place(-run, part)
