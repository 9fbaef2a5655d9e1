"""The Pythons of this machine: found by looking into known places, each asked once for its version."""

import functools
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from packaging.version import InvalidVersion, Version

logger = logging.getLogger(__name__)

OLDEST = (3, 8)
NEWEST = (3, 14)
PROBE_TIMEOUT_S = 10.0
_PROBE = "import platform; print(platform.python_version())"
_WANTED = re.compile(r"3\.\d{1,2}(\.\d{1,2})?", re.ASCII)
_HOME_PATTERNS = (".pyenv/versions/*/bin/python", ".local/share/uv/python/*/bin/python")


class InterpreterMissing(ValueError):
    """No Python of the wanted version is on this machine; str() names the ones that are."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that environments can be made of: its full version (`3.12.1`) and its real, absolute path."""

    version: str
    path: Path

    @property
    def release(self) -> Version:
        """Its version as a value that compares."""
        return Version(self.version)


def own() -> Interpreter:
    """Return the Python that Tempo itself runs on, outside its virtual environment."""
    named = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    path = named if named.exists() else Path(sys.executable)
    return Interpreter(version=platform.python_version(), path=path.resolve())


def discover() -> list[Interpreter]:
    """Return all usable Pythons from 3.8 to 3.14, newest first; broken ones are left out.

    Equal versions come in the order of the places: Tempo's own, `PYSCHED_PYTHON_PATHS`, PATH, pyenv, uv, /opt/pythons.
    """
    found = {own().path: own()} | {path: Interpreter(version=version, path=path) for path, version in _asked()}
    return sorted(found.values(), key=lambda interpreter: interpreter.release, reverse=True)


def choose(python_version: str) -> Interpreter:
    """Return the Python for a script: "" = Tempo's own, `3.12` = the newest 3.12, `3.12.1` = exactly that.

    Raises InterpreterMissing with the versions there are.
    """
    if not python_version:
        return own()
    if not _WANTED.fullmatch(python_version):
        raise InterpreterMissing(f"`{python_version}` is no Python version\nhint: write it as `3.12` or `3.12.1`")
    available = discover()
    for interpreter in available:
        if interpreter.version == python_version or _is_release_of(interpreter, python_version):
            return interpreter
    there = ", ".join(dict.fromkeys(interpreter.version for interpreter in available))
    raise InterpreterMissing(f"Python {python_version} is not on this machine\nhint: there is {there}")


def _is_release_of(interpreter: Interpreter, minor: str) -> bool:
    release = interpreter.release
    return f"{release.major}.{release.minor}" == minor and not release.is_prerelease


def _asked() -> Iterator[tuple[Path, str]]:
    for path in dict.fromkeys(_real_paths()):
        status = path.stat()
        version = _version_of(path, status.st_mtime_ns, status.st_size)
        if version and OLDEST <= Version(version).release[:2] <= NEWEST:
            yield path, version


def _real_paths() -> Iterator[Path]:
    for candidate in _candidates():
        path = candidate.resolve()
        # Shims are shell scripts that choose by the current folder; a virtual environment is no base for another one.
        is_shim = path.parent.name == "shims"
        if (
            not is_shim
            and os.access(path, os.X_OK)
            and path.is_file()
            and not (path.parent.parent / "pyvenv.cfg").exists()
        ):
            yield path


def _candidates() -> Iterator[Path]:
    for place in map(Path, settings.PYTHON_PATHS):
        yield from _inside(place.expanduser()) if place.expanduser().is_dir() else (place.expanduser(),)
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    yield from (Path(found) for name in names if (found := shutil.which(name)))
    for pattern in _HOME_PATTERNS:
        yield from sorted(_home().glob(pattern))
    yield from sorted(Path("/opt/pythons").glob("*/bin/python"))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a container's user may have neither HOME nor a line in /etc/passwd
        return Path("/nonexistent")


def _inside(folder: Path) -> Iterator[Path]:
    """The Pythons of a folder: its own, an installation's `bin/`, or those of several installations side by side."""
    for pattern in ("python3*", "bin/python3*", "*/bin/python3*"):
        yield from sorted(path for path in folder.glob(pattern) if re.fullmatch(r"python3(\.\d+)?", path.name))


@functools.lru_cache(maxsize=256)
def _version_of(path: Path, _mtime_ns: int, _size: int) -> str:
    """Ask a Python for its full version, once for each state of its file; "" when it does not answer properly."""
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout.strip()
        Version(answer)
    except (OSError, subprocess.SubprocessError, InvalidVersion, UnicodeDecodeError) as error:
        logger.info("interpreter left out path=%s reason=%s", path, error)
        return ""
    return answer
