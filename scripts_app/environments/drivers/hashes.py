"""The hashes that requirements name: of a package that has some, the lock keeps no others."""

# `uv pip compile` passes over the hashes of its input and writes all that the index tells.

import re

from scripts_app.environments.drivers.build_config import BuildError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH = re.compile(r"--hash=(\S+)")
_PACKAGE = re.compile(r"^\S.*(?:\n[ \t].*)*", re.MULTILINE)  # a line and those that go on from it


def restrict(lock: str, requirements: str) -> str:
    """Return the lock with the allowed hashes alone. Raises BuildError where none of a package's is allowed."""
    allowed = _allowed(requirements)

    def replace(package: "re.Match[str]") -> str:
        return _restricted(package[0], allowed)

    return _PACKAGE.sub(replace, lock) if allowed else lock


def _allowed(requirements: str) -> dict[str, set[str]]:
    allowed: dict[str, set[str]] = {}
    for line in requirements.splitlines():
        hashes = _HASH.findall(line)
        if hashes:
            allowed.setdefault(_name(line), set()).update(hashes)
    return allowed


def _restricted(package: str, allowed: dict[str, set[str]]) -> str:
    name = _name(package)
    if name not in allowed:
        return package
    hashes = [digest for digest in _HASH.findall(package) if digest in allowed[name]]
    pinned = package.partition(" \\\n")[0]
    if not hashes:
        raise BuildError(
            f"No file of `{pinned}` in the index has a hash that the requirements name.\n"
            "hint: take the hashes away, and Tempo locks those of the index"
        )
    return " \\\n    ".join([pinned, *(f"--hash={digest}" for digest in hashes)])


def _name(line: str) -> str:
    name = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""
