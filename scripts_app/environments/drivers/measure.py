"""The program that prints the disk usage as JSON: `measure ENVIRONMENTS CACHE PYTHONS`."""

import contextlib
import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

BLOCK = 512  # bytes; what st_blocks counts, whatever the file system's own blocks are


class Size(TypedDict):
    all: int  # bytes on the disk of all files of an environment
    own: int  # bytes that the removal of the environment would free


class Measured(TypedDict):
    # Bytes on the disk; a file with several names counts once.
    environments: dict[str, Size]  # by digest
    shared: (
        int  # of the total: files of two or more environments, or of an environment and the cache
    )
    cache: int  # without the files that environments share
    pythons: int
    total: int


def main(environments: str, cache: str, pythons: str) -> int:
    seen: set[tuple[int, int]] = set()
    sizes: dict[str, Size] = {}
    own = 0
    in_environments = 0
    for folder in sorted(Path(environments).glob("[!.]*")):
        sizes[folder.name] = size_of(folder)
        own += sizes[folder.name]["own"]
        in_environments += new_bytes(folder, seen)
    cache_bytes = new_bytes(Path(cache), seen)
    python_bytes = new_bytes(Path(pythons), seen)
    measured: Measured = {
        "environments": sizes,
        "shared": in_environments - own,
        "cache": cache_bytes,
        "pythons": python_bytes,
        "total": in_environments + cache_bytes + python_bytes,
    }
    sys.stdout.write(json.dumps(measured))
    return 0


def size_of(folder: Path) -> Size:
    names: Counter[tuple[int, int]] = Counter()
    all_bytes = 0
    own_bytes = 0
    for status in statuses(folder):
        key = key_of(status)
        size = status.st_blocks * BLOCK
        names[key] += 1
        if names[key] == 1:
            all_bytes += size
        if names[key] == status.st_nlink or stat.S_ISDIR(status.st_mode):
            own_bytes += size
    return {"all": all_bytes, "own": own_bytes}


def new_bytes(place: Path, seen: set[tuple[int, int]]) -> int:
    """Return the bytes of all files that are not in `seen`, and add the files with several names to `seen`."""
    total = 0
    for status in statuses(place):
        # A folder has one name only, whatever its link count.
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if key_of(status) in seen:
                continue
            seen.add(key_of(status))
        total += status.st_blocks * BLOCK
    return total


def statuses(place: Path) -> Iterator[os.stat_result]:
    for parent, folders, names in os.walk(place):
        paths = [Path(parent, name) for name in (*names, *folders)]
        if Path(parent) == place:
            paths.insert(0, place)
        for path in paths:
            with contextlib.suppress(OSError):  # removed in the meantime
                yield path.lstat()


def key_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
