"""Measures what environments, uv's cache and installed Pythons take on the disk. A program of its own.

`python -I -S measure_environments.py ENVIRONMENTS CACHE PYTHONS` prints a Measured as JSON. Standard library only:
looking at some hundred thousand files would make the pages of the web process wait.
"""

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

BLOCK = 512  # bytes; what st_blocks counts, whatever the file system's own blocks are


class Size(TypedDict):
    """Bytes on the disk: `all` files of an environment, and its `own`: what removing it frees."""

    all: int
    own: int


class Measured(TypedDict):
    """Bytes on the disk; a file with several names counts once, and the `cache` only beyond what others have."""

    environments: dict[str, Size]  # by digest
    shared: int  # of the total: what several of them, or one and the cache, have in common
    cache: int
    pythons: int
    total: int


def main(environments: str, cache: str, pythons: str) -> None:
    """Measure and print."""
    seen: set[tuple[int, int]] = set()
    sizes: dict[str, Size] = {}
    own = 0
    in_environments = 0
    for folder in sorted(Path(environments).glob("[!.]*")):
        sizes[folder.name] = size_of(folder)
        own += sizes[folder.name]["own"]
        in_environments += new_bytes(folder, seen)
    of_cache, of_pythons = (new_bytes(Path(place), seen) for place in (cache, pythons))
    measured: Measured = {
        "environments": sizes,
        "shared": in_environments - own,
        "cache": of_cache,
        "pythons": of_pythons,
        "total": in_environments + of_cache + of_pythons,
    }
    sys.stdout.write(json.dumps(measured))


def size_of(folder: Path) -> Size:
    """Measure one environment."""
    links: Counter[tuple[int, int]] = Counter()
    whole, own = 0, 0
    for status in statuses(folder):
        links[key_of(status)] += 1
        if links[key_of(status)] == 1:
            whole += status.st_blocks * BLOCK
        if links[key_of(status)] == status.st_nlink or is_folder(status):
            own += status.st_blocks * BLOCK
    return {"all": whole, "own": own}


def new_bytes(place: Path, seen: set[tuple[int, int]]) -> int:
    """Measure what was not seen before, and remember what others may have as well."""
    total = 0
    for status in statuses(place):
        if status.st_nlink > 1 and not is_folder(status):
            if key_of(status) in seen:
                continue
            seen.add(key_of(status))
        total += status.st_blocks * BLOCK
    return total


def statuses(place: Path) -> Iterator[os.stat_result]:
    """The status of everything in a folder, the folder too; what goes away meanwhile is left out."""
    for parent, folders, names in os.walk(place):
        inside = (Path(parent, name) for name in (*names, *folders))
        for path in (place, *inside) if Path(parent) == place else inside:
            with contextlib.suppress(OSError):
                yield path.lstat()


def key_of(status: os.stat_result) -> tuple[int, int]:
    """What all names of a file have in common."""
    return status.st_dev, status.st_ino


def is_folder(status: os.stat_result) -> bool:
    """Whether it is a folder: these have one name only, however many links they count."""
    return (status.st_mode & 0o170000) == 0o040000


if __name__ == "__main__":
    main(*sys.argv[1:4])
