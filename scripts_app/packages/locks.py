"""The packages in the text of a lock, and the differences of two locks."""

import re
from dataclasses import dataclass, replace

_PACKAGE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(==|@)\s*([^\s;\\]+)")


@dataclass(frozen=True, kw_only=True)
class Package:
    name: str
    version: str  # or the address of a direct URL
    hashes: int  # number of allowed hashes


@dataclass(frozen=True, kw_only=True)
class Change:
    """The versions of a package in two locks; `before` is "" for an added, `after` for a removed package."""

    name: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        if not self.before:
            return "added"
        if not self.after:
            return "removed"
        return "changed"


def packages(lock: str) -> list[Package]:
    """Return the packages of a lock in the order of the lock, which is by name."""
    found: list[Package] = []
    for line in lock.splitlines():
        match = _PACKAGE.match(line)
        if match:
            found.append(
                Package(
                    name=match[1],
                    version=match[3],
                    hashes=0,
                )
            )
        hashes = line.count("--hash=")
        if found and hashes:  # of the package above
            found[-1] = replace(found[-1], hashes=found[-1].hashes + hashes)
    return found


def difference(before: str, after: str) -> list[Change]:
    """Return the changes from one lock to another, ordered by name."""
    old = _versions(before)
    new = _versions(after)
    changes = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            change = Change(
                name=name,
                before=old.get(name, ""),
                after=new.get(name, ""),
            )
            changes.append(change)
    return changes


def _versions(lock: str) -> dict[str, str]:
    return {package.name: package.version for package in packages(lock)}
