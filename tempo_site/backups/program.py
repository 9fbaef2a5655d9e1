"""How the program of backups is started: its command line, what it may reach, what it has to know."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from tempo_site.backups import backup_files
from tempo_site.backups.archive.manifest import GZIP, ZSTD
from tempo_site.lib import confined, paths

PASSPHRASE, KEY = "TEMPO_BACKUP_PASSPHRASE", "TEMPO_BACKUP_SECRET_KEY"
_PROGRAM = settings.BASE_DIR / "tempo_site" / "backups" / "archive" / "__main__.py"
_PACKAGES = Path(django.__file__).absolute().parent.parent


class BackupFailed(Exception):
    """What the program said; for people."""


@dataclass(frozen=True, kw_only=True)
class ProgramStart:
    """A start of the program: what it is to do, and the places that it needs for it."""

    verb: str
    order: Mapping[str, Any]
    read: Sequence[Path] = field(default_factory=list)
    write: Sequence[Path] = field(default_factory=list)

    def argv(self) -> list[str]:
        return [
            sys.executable,
            "-I",
            str(_PROGRAM),
            str(_PACKAGES),
            self.verb,
            json.dumps(self.order),
        ]

    def reporting_to(self, path: Path) -> "ProgramStart":
        """Return the same call that writes what came of it into a file."""
        return replace(
            self, order={**self.order, "result": str(path)}, write=[*self.write, path.parent]
        )

    def places_to_read(self) -> list[str]:
        places = [_PROGRAM.parent, _PACKAGES, *self.read]
        return [*confined.own_python(), *map(str, places)]


def compression() -> str:
    """Return how backups are compressed here, without loading the library."""
    if sys.version_info >= (3, 14):
        return ZSTD
    # Asked for `backports.zstd` alone, it raises an error where no package of that family is installed.
    is_there = importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd")
    return ZSTD if is_there else GZIP


def creation(out: Path, *, logs: bool, max_file_mb: int, version: str = "") -> ProgramStart:
    """Return the call that makes a backup, which lists show where it lies among the others.

    `version` is that of the Tempo whose data it is, where that is another one.
    """
    folder = paths.backups()
    paths.make_closed(folder)
    is_listed = out.parent == folder
    order = {
        "data": str(paths.data()),
        "folder": str(folder),
        "out": str(out),
        "facts": str(backup_files.facts_path(out)) if is_listed else "",
        "tempo": version or settings.VERSION,
        "kind": compression(),
        "logs": logs,
        "max_file_mb": max_file_mb,
    }
    data = paths.data()
    shared = [
        data / name for name in paths.DATABASE_FILES[1:]
    ]  # readers leave marks in the log's index
    return ProgramStart(
        verb="create",
        order=order,
        read=[data / paths.DATABASE, paths.scripts(), paths.runs(), data / "time_zone"],
        write=[folder, out.parent, *shared],
    )


def verification(path: Path, *, is_full: bool) -> ProgramStart:
    """Return the call that reads a backup in `backups/`, unpacks its database, or all of it, and removes that again."""
    order = {
        "file": str(path),
        "work": str(paths.backup_work()),
        "facts": str(backup_files.facts_path(path)),
        "is_full": is_full,
    }
    return ProgramStart(verb="verify", order=order, read=[path], write=[paths.backups()])


def unpacking(path: Path, target: Path) -> ProgramStart:
    order = {"file": str(path), "target": str(target)}
    return ProgramStart(verb="unpack", order=order, read=[path], write=[target])


def copying(path: Path, place: Path) -> ProgramStart:
    """Return the call that copies a backup to a second place, and removes there what is removed here."""
    beyond = [row.name for row in backup_files.beyond(backup_files.listed())]
    order = {"file": str(path), "place": str(place), "remove": beyond}
    return ProgramStart(verb="copy", order=order, read=[path], write=[place])


def look(path: Path, *, passphrase: str) -> dict[str, Any]:
    """Return the manifest of a backup, without its members. Raise BackupFailed."""
    call = ProgramStart(verb="look", order={"file": str(path)}, read=[path])
    found: dict[str, Any] = json.loads(run(call, passphrase=passphrase))
    return found


@sensitive_variables()
def run(call: ProgramStart, *, passphrase: str = "", secret_key: str = "") -> str:
    """Run the program to its end in this thread, and return what it printed. Raise BackupFailed."""
    done = subprocess.run(
        confined.command(call.argv(), read=call.places_to_read(), write=call.write),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd="/",
        env=variables(passphrase, secret_key),
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise BackupFailed(done.stderr.strip() or f"The program ended with {done.returncode}.")
    return done.stdout


@sensitive_variables()
def variables(passphrase: str, secret_key: str) -> dict[str, str]:
    found = {"LANG": "C.UTF-8", "TMPDIR": tempfile.gettempdir()}
    if passphrase:
        found |= {PASSPHRASE: passphrase}
        if secret_key:
            found |= {KEY: secret_key}
    return found


def next_path(*, passphrase: str, now: datetime, version: str = "") -> Path:
    """Return where a backup of now lies among the others; `version` as in `backup_files.new_path`."""
    return backup_files.new_path(
        paths.backups(),
        kind=compression(),
        is_sealed=bool(passphrase),
        now=now,
        version=version,
    )
