"""The Pythons of this machine: found by looking into known places, each asked once for its version."""

import errno
import functools
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from packaging.version import InvalidVersion, Version

from tempo_site.lib import paths

logger = logging.getLogger(__name__)

OLDEST = (3, 8)
NEWEST = (3, 14)
PROBE_TIMEOUT_S = 10.0
# A program that does not start for one of these is not to blame for it.
SHORTAGES = frozenset(
    {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO}
)
_PROBE = "import platform; print(platform.python_version())"
_WANTED = re.compile(r"3\.\d{1,2}(\.\d{1,2})?", re.ASCII)
_HOME_PATTERNS = (".pyenv/versions/*/bin/python", ".local/share/uv/python/*/bin/python")


class _NoAnswerYet(Exception):
    """A Python was not heard in time, or could not be started for want of something."""


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
    named = (
        Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    )
    path = named if named.exists() else Path(sys.executable)
    return Interpreter(version=platform.python_version(), path=path.resolve())


def discover() -> list[Interpreter]:
    """Return all usable Pythons from 3.8 to 3.14, newest first; broken ones are left out.

    Equal versions come in the order of the places: Tempo's own, `PYSCHED_PYTHON_PATHS`, PATH, those Tempo installed,
    pyenv, uv, /opt/pythons.
    """
    answered = {
        path: Interpreter(version=version, path=path)
        for path, version in _asked()
        if _is_of_use(version)
    }
    found = {own().path: own()} | answered
    return sorted(found.values(), key=lambda interpreter: interpreter.release, reverse=True)


def silent() -> list[Path]:
    """Return the programs in the known places that should be Pythons and do not answer as one: broken ones."""
    return [path for path, version in _asked() if not version]


def is_gone(path: Path) -> bool:
    """Whether there is certainly nothing at a path: one that cannot be looked at just now is not gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def minor_of(version: str) -> str:
    """The `3.12` of `3.12.1`."""
    return ".".join(version.split(".")[:2])


def versions_of(found: Iterable[Interpreter]) -> str:
    """Their versions as people read them, each once: `3.12.1, 3.11.7`."""
    return ", ".join(dict.fromkeys(interpreter.version for interpreter in found))


def choose(python_version: str) -> Interpreter:
    """Return the Python for a script: "" = Tempo's own, `3.12` = the newest 3.12, `3.12.1` = exactly that.

    Raises InterpreterMissing with the versions there are.
    """
    if not python_version:
        return own()
    if not _WANTED.fullmatch(python_version):
        raise InterpreterMissing(
            f"`{python_version}` is no Python version\nhint: write it as `3.12` or `3.12.1`"
        )
    available = discover()
    for interpreter in available:
        if interpreter.version == python_version or _is_release_of(interpreter, python_version):
            return interpreter
    there = versions_of(available)
    raise InterpreterMissing(
        f"Python {python_version} is not on this machine\nhint: there is {there}"
    )


def _is_release_of(interpreter: Interpreter, minor: str) -> bool:
    release = interpreter.release
    return f"{release.major}.{release.minor}" == minor and not release.is_prerelease


def _asked() -> Iterator[tuple[Path, str]]:
    for path in dict.fromkeys(_real_paths()):
        try:
            status = path.stat()
            yield path, _version_of(path, status.st_mtime_ns, status.st_size)
        except _NoAnswerYet as problem:
            logger.warning("interpreter left out for now path=%s reason=%s", path, problem)
        except OSError:
            continue  # gone since it was found


def _is_of_use(version: str) -> bool:
    return bool(version) and OLDEST <= Version(version).release[:2] <= NEWEST


def _real_paths() -> Iterator[Path]:
    for candidate in _candidates():
        try:
            path = candidate.resolve()
            is_base = _is_base(path)
        except (
            OSError,
            RuntimeError,
        ) as problem:  # a closed folder, a link to itself: as if it were not there
            logger.info("interpreter left out path=%s reason=%s", candidate, problem)
            continue
        if is_base:
            yield path


def _is_base(path: Path) -> bool:
    """Whether environments can be made of it: shims choose by the current folder, a virtual environment is no base.

    A Python 2, as pyenv may have one, is not asked at all: it would not understand, and not be broken for that.
    """
    is_candidate = path.parent.name != "shims" and not path.name.startswith("python2")
    is_program = is_candidate and os.access(path, os.X_OK) and path.is_file()
    return is_program and not (path.parent.parent / "pyvenv.cfg").exists()


def _candidates() -> Iterator[Path]:
    for place in map(Path, settings.PYTHON_PATHS):
        yield from _at(place.expanduser())
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    yield from (Path(found) for name in names if (found := shutil.which(name)))
    yield from _listed(paths.pythons(), "*/bin/python")
    for pattern in _HOME_PATTERNS:
        yield from _listed(_home(), pattern)
    yield from _listed(Path("/opt/pythons"), "*/bin/python")


def _at(place: Path) -> Iterator[Path]:
    """The Pythons of a configured place: the program itself, or those of a folder; nothing where it is closed to us."""
    try:
        is_folder = place.is_dir()
    except OSError as problem:
        logger.warning("PYSCHED_PYTHON_PATHS: place left out path=%s reason=%s", place, problem)
        return
    yield from _inside(place) if is_folder else (place,)


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # closed to us
        return []


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a container's user may have neither HOME nor a line in /etc/passwd
        return Path("/nonexistent")


def _inside(folder: Path) -> Iterator[Path]:
    """The Pythons of a folder: its own, an installation's `bin/`, or those of several installations side by side."""
    for pattern in ("python3*", "bin/python3*", "*/bin/python3*"):
        yield from (
            path for path in _listed(folder, pattern) if re.fullmatch(r"python3(\.\d+)?", path.name)
        )


@functools.lru_cache(maxsize=256)
def _version_of(path: Path, _mtime_ns: int, _size: int) -> str:
    """Ask a Python for its full version, once for each state of its file; "" when it does not answer properly.

    Raises _NoAnswerYet, which is not remembered, where that may be the machine's fault.
    """
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
    except subprocess.TimeoutExpired as problem:
        raise _NoAnswerYet(str(problem)) from problem
    except (OSError, subprocess.SubprocessError, InvalidVersion, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in SHORTAGES:
            raise _NoAnswerYet(str(error)) from error
        logger.info("interpreter left out path=%s reason=%s", path, error)
        return ""
    return answer
