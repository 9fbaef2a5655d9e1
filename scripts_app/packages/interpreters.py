"""The Pythons of this machine: searched in known places, and started once to learn the version."""

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
# Reasons of the machine, not of the program, that a program does not start.
SHORTAGES = frozenset(
    {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO}
)
# The version, and behind it what makes this Python another one than the packages of scripts are for.
_PROBE = """
import platform, sys
kind = platform.python_implementation()
if "t" in getattr(sys, "abiflags", ""):
    kind = "free-threaded " + kind
print(platform.python_version(), "" if kind == "CPython" else kind)
"""
_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,2})?", re.ASCII)
_HOME_PATTERNS = (".pyenv/versions/*/bin/python", ".local/share/uv/python/*/bin/python")


class _NoAnswerYet(Exception):
    """A Python did not answer in time, or did not start because of a shortage."""


class InterpreterMissing(ValueError):
    """No Python of the requested version is on this machine; str() lists the available versions."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    version: str  # full: `3.12.1`
    path: Path  # absolute, without links
    kind: str = "CPython"

    @property
    def release(self) -> Version:
        return Version(self.version)


def own() -> Interpreter:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    path = Path(sys.base_prefix) / "bin" / name
    if not path.exists():
        path = Path(sys.executable)
    return Interpreter(version=platform.python_version(), path=path.resolve())


def discover() -> list[Interpreter]:
    """Return all usable Pythons (CPython from 3.8 to 3.14), newest first.

    Equal versions come in the order of the places: Tempo's own, `PYSCHED_PYTHON_PATHS`, PATH, installed by Tempo,
    pyenv, uv, /opt/pythons.
    """
    tempos_own = own()
    found = {tempos_own.path: tempos_own}
    for path, found_python in _probe_all():
        if found_python and found_python.kind == "CPython" and _is_supported(found_python):
            found[path] = found_python
    return sorted(
        found.values(),
        key=lambda interpreter: interpreter.release,
        reverse=True,
    )


def silent() -> list[Path]:
    """Return the broken Pythons: programs in the known places that do not tell their version."""
    return [path for path, found in _probe_all() if found is None]


def others() -> list[Interpreter]:
    """Return the Pythons that are not plain CPython, such as PyPy: no script runs on them."""
    return [found for _, found in _probe_all() if found and found.kind != "CPython"]


def unused_places() -> list[tuple[str, str]]:
    """Return the places of PYSCHED_PYTHON_PATHS where no Python can be, each with the reason."""
    unused = []
    for place in settings.PYTHON_PATHS:
        path = Path(place).expanduser()
        if is_gone(path):
            unused.append((place, "is not there"))
        elif not any(True for _ in _bases(_configured(path))):
            unused.append((place, "holds no Python"))
    return unused


def _is_supported(interpreter: Interpreter) -> bool:
    return OLDEST <= interpreter.release.release[:2] <= NEWEST


def is_gone(path: Path) -> bool:
    """Tell whether nothing exists at a path; False when the path cannot be read now."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def minor_of(version: str) -> str:
    return ".".join(version.split(".")[:2])


def versions_of(available: Iterable[Interpreter]) -> str:
    versions = [interpreter.version for interpreter in available]
    return ", ".join(dict.fromkeys(versions))


def choose(python_version: str) -> Interpreter:
    """Return the Python for `3.12` (the newest 3.12), `3.12.1` or "" (Tempo's own). Raises InterpreterMissing."""
    if not python_version:
        return own()
    if not _VERSION.fullmatch(python_version):
        raise InterpreterMissing(
            f"`{python_version}` is no Python version\nhint: write it as `3.12` or `3.12.1`"
        )
    for interpreter in discover():
        if interpreter.version == python_version or _is_release_of(interpreter, python_version):
            return interpreter
    raise InterpreterMissing(
        f"Python {python_version} is not on this machine\nhint: {what_there_is(python_version)}"
    )


def what_there_is(python_version: str = "") -> str:
    """Return what a hint says of the Pythons of this machine where one is missing."""
    parts = [f"there is {versions_of(discover())}"]
    for other in others():
        if python_version in (other.version, minor_of(other.version)):
            parts.append(f"{other.path} is {other.kind}, which scripts do not run on")
    parts += [f"`{place}` of PYSCHED_PYTHON_PATHS {why}" for place, why in unused_places()]
    return "; ".join(parts)


def _is_release_of(interpreter: Interpreter, minor: str) -> bool:
    release = interpreter.release
    return f"{release.major}.{release.minor}" == minor and not release.is_prerelease


def _probe_all() -> Iterator[tuple[Path, Interpreter | None]]:
    for path in dict.fromkeys(_bases(_candidates())):
        try:
            status = path.stat()
            yield path, _probe(path, status.st_mtime_ns, status.st_size)
        except _NoAnswerYet as error:
            logger.warning("interpreter left out for now path=%s reason=%s", path, error)
        except OSError:  # removed in the meantime
            continue


def _bases(candidates: Iterable[Path]) -> Iterator[Path]:
    for candidate in candidates:
        try:
            path = candidate.resolve()
            is_base = _is_base(path)
        except (OSError, RuntimeError) as error:  # a closed folder, a link to itself
            logger.info("interpreter left out path=%s reason=%s", candidate, error)
            continue
        if is_base:
            yield path


def _is_base(path: Path) -> bool:
    if path.parent.name == "shims":  # a shim chooses a Python by the current folder
        return False
    if path.name.startswith("python2"):  # of pyenv: fails the probe without being broken
        return False
    if not os.access(path, os.X_OK) or not path.is_file():
        return False
    is_virtual_environment = (path.parent.parent / "pyvenv.cfg").exists()
    return not is_virtual_environment


def _candidates() -> Iterator[Path]:
    for place in settings.PYTHON_PATHS:
        yield from _configured(Path(place).expanduser())
    minors = range(OLDEST[1], NEWEST[1] + 1)
    for name in ("python3", *(f"python3.{minor}" for minor in minors)):
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from _glob(paths.pythons(), "*/bin/python")
    for pattern in _HOME_PATTERNS:
        yield from _glob(_home(), pattern)
    yield from _glob(Path("/opt/pythons"), "*/bin/python")


def _configured(place: Path) -> Iterator[Path]:
    # A place is a program, an installation, or a folder of installations.
    try:
        is_folder = place.is_dir()
    except OSError as error:
        logger.warning("PYSCHED_PYTHON_PATHS: place left out path=%s reason=%s", place, error)
        return
    if not is_folder:
        yield place
        return
    for pattern in ("python3*", "bin/python3*", "*/bin/python3*"):
        for path in _glob(place, pattern):
            if re.fullmatch(r"python3(\.\d+)?", path.name):
                yield path


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # no right to read the folder
        return []


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a container's user may have neither HOME nor a line in /etc/passwd
        return Path("/nonexistent")


# The cache holds an answer until the file changes. _NoAnswerYet, perhaps the machine's fault, is not cached.
@functools.lru_cache(maxsize=256)
def _probe(path: Path, _mtime_ns: int, _size: int) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout.strip()
        version, _, kind = answer.partition(" ")
        Version(version)
    except subprocess.TimeoutExpired as error:
        raise _NoAnswerYet(str(error)) from error
    except (OSError, subprocess.SubprocessError, InvalidVersion, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in SHORTAGES:
            raise _NoAnswerYet(str(error)) from error
        logger.info("interpreter left out path=%s reason=%s", path, error)
        return None
    return Interpreter(version=version, path=path, kind=kind or "CPython")
