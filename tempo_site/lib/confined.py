"""The command line of a program of Tempo's own that reads what others wrote: Landlock keeps it to what it needs."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.conf import settings

from tempo_site.lib import paths

# By its path, as it is started: the launcher's code is no library for the others.
_PROGRAM = settings.BASE_DIR / "runs_app" / "launcher" / "identity" / "confined.py"


def command(
    argv: Sequence[str], *, read: Iterable[str | Path] = (), write: Iterable[str | Path] = ()
) -> list[str]:
    """Return the command that runs `argv`, whose first part is a path, with these places beside the system's."""
    lists = [json.dumps([str(path) for path in places]) for places in (read, write, _closed())]
    return [sys.executable, "-I", "-S", str(_PROGRAM), *lists, *argv]


def can_open(folder: Path) -> bool:
    """Return whether a folder can be one of the places: not one around Tempo's data or code."""
    return not any(closed.resolve().is_relative_to(folder.resolve()) for closed in _closed())


def _closed() -> list[Path]:
    return [paths.data(), settings.BASE_DIR]


def own_python() -> list[str]:
    """Return what Tempo's own Python has to read to start."""
    return [sys.prefix, sys.base_prefix]
