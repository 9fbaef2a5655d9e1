"""Locks as text: which packages they name, and how two of them differ."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PACKAGE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(==|@)\s*([^\s;\\]+)")


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package of a lock: its version (of a file of the web: its address), and how many hashes it may have."""

    name: str
    version: str
    hashes: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What becomes of one package: `before` is "" for a new one, `after` for one that goes."""

    name: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        return "changed" if self.before and self.after else "added" if self.after else "removed"


def packages(lock: str) -> list[Package]:
    """The packages of a lock, in its order, which is that of their names."""
    return [
        Package(name=name, version=version, hashes=hashes) for name, version, hashes in _read(lock)
    ]


def difference(before: str, after: str) -> list[Change]:
    """How the packages of a lock differ from those of another one, by name; empty where they are the same."""
    old, new = ({name: version for name, version, _ in _read(lock)} for lock in (before, after))
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return [
        Change(name=name, before=old.get(name, ""), after=new.get(name, "")) for name in changed
    ]


def _read(lock: str) -> Iterator[tuple[str, str, int]]:
    """Name, version and number of hashes of each package: a line that names it, then lines with its hashes."""
    found: list[tuple[str, str]] = []
    hashes: list[int] = []
    for line in lock.splitlines():
        if named := _PACKAGE.match(line):
            found.append((named[1], named[3]))
            hashes.append(0)
        if hashes:
            hashes[-1] += line.count("--hash=")
    yield from (
        (name, version, count) for (name, version), count in zip(found, hashes, strict=True)
    )
