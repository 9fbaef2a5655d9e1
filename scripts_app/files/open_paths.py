"""Folders and files of the machine that staff open to scripts: checked when added, asked for at each start of a run.

The launcher refuses them by the same rule once more, when it opens them (`runs_app/launcher/identity/landlock.py`).
"""

import logging
import os
import stat
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from scripts_app.models import OpenPath, Script
from scripts_app.validation import ScriptError
from tempo_site.audit import trail
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

MAX_LENGTH = 500
SYSTEM = ("/proc", "/sys", "/run/secrets")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What is open to one script, as it was typed."""

    read: list[str]
    write: list[str]


class OpenPathRows:
    """All rows, read when they are asked for: each start of a run asks."""

    def __init__(self) -> None:
        self._rows: list[OpenPath] | None = None
        self._lock = threading.Lock()

    def rows(self) -> list[OpenPath]:
        with self._lock:
            if self._rows is None:
                self._rows = list(OpenPath.objects.all())
            return self._rows

    def forget(self) -> None:
        with self._lock:
            self._rows = None


memory = OpenPathRows()


def add(path: str, *, may_write: bool, script: Script | None, by: str, now: datetime) -> OpenPath:
    """Open a path to a script, or to all, from the next run on. Raise ScriptError where it must not be."""
    path = os.path.normpath(path.strip()) if path.strip() else ""
    sentence = why_not(path)
    if sentence:
        raise ScriptError(sentence, field="path")
    values = {"may_write": may_write, "added_by": by[:150], "added_at": now}
    with transaction.atomic():
        row, _ = OpenPath.objects.update_or_create(script=script, path=path, defaults=values)
        trail.record("opened", row, changes={"for": _whose(row), "write": may_write})
        transaction.on_commit(memory.forget)
    memory.forget()
    logger.info("path opened path=%s write=%s by=%s", path, may_write, by)
    return row


def remove(row: OpenPath) -> None:
    """Close a path again; runs that are under way keep it."""
    with transaction.atomic():
        trail.record("closed", row, changes={"for": _whose(row)})
        row.delete()
        transaction.on_commit(memory.forget)
    memory.forget()


def open_to(script: Script | None) -> Opened:
    """Return what is open to a script, or to all; without the paths of the environment."""
    own = script.pk if script else None
    rows = [row for row in memory.rows() if row.script_id in (None, own)]
    return Opened(
        read=[row.path for row in rows if not row.may_write],
        write=[row.path for row in rows if row.may_write],
    )


def why_not(path: str) -> str:
    """Return why a path must not be opened now, links followed; "" for one that may be."""
    if not path.startswith("/") or "\0" in path or len(path) > MAX_LENGTH:
        return "Give the whole path, beginning with `/`"
    real = os.path.realpath(path)
    if _is_refused(real, refused_roots()):
        return f"`{path}` cannot be opened: it is, holds or lies in what belongs to Tempo or to the system"
    try:
        kind = Path(real).stat().st_mode
    except OSError as error:
        return f"`{path}` cannot be looked at: {error.strerror}"
    if not stat.S_ISDIR(kind) and not stat.S_ISREG(kind):
        return f"`{path}` is neither a folder nor a file"
    return ""


def refused_roots() -> list[str]:
    """Return what no opened path may be, hold or lie in: the data folder, Tempo's code and Python, the system's own."""
    python = (sys.prefix, f"{sys.base_prefix}/bin", str(Path(os.__file__).parent))
    own = (paths.data(), settings.BASE_DIR, *python, *SYSTEM)
    return [os.path.realpath(path) for path in own]


def _is_refused(real: str, roots: Iterable[str]) -> bool:
    if real == "/":
        return True
    return any(_is_within(real, root) or _is_within(root, real) for root in roots)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _whose(row: OpenPath) -> str:
    return row.script.slug if row.script else "all scripts"
