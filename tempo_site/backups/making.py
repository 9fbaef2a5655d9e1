"""Making a backup in this process's stead, for commands and before an upgrade."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.views.decorators.debug import sensitive_variables

from tempo_site.audit import trail
from tempo_site.backups import program
from tempo_site.backups.program import BackupFailed
from tempo_site.lib import confined, encryption, files, paths
from tempo_site.stored_settings import backup, store

WORK = ".out"
EARLY = "early"  # in the place of a version in a name


@sensitive_variables()
def make(out: Path | None, *, logs: bool, now: datetime) -> tuple[Path, str]:
    """Make a backup, and return its path and what was said. Raise BackupFailed."""
    passphrase = stored_passphrase()
    paths.make_closed(paths.backups())
    path = out or program.next_path(passphrase=passphrase, now=now)
    if path.is_dir() or not path.parent.is_dir():
        raise BackupFailed(
            f"`{path}` is no place for a file.\nhint: name a file in a folder that exists"
        )
    connection.ensure_connection()  # for the time of the copy: without one the log would have no index
    with _place_to_write(path) as place:
        call = program.creation(
            place,
            logs=logs or bool(store.value(backup.LOGS)),
            max_file_mb=store.number(backup.FILE_MB),
        )
        said = program.run(call, passphrase=passphrase, secret_key=settings.SECRET_KEY)
    trail.record("made", kind="backups", name=path.name)
    return path, said


@sensitive_variables()
def make_before_update(version: str, *, now: datetime) -> Path:
    """Make a backup of data that an earlier version has written, `Tempo 1.2.3`; return its path. Raise BackupFailed.

    Its database may not have the tables yet that settings and audit are in.
    """
    try:
        passphrase, max_file_mb = stored_passphrase(), store.number(backup.FILE_MB)
    except DatabaseError:
        passphrase, max_file_mb = str(settings.BACKUP_PASSPHRASE), int(settings.BACKUP_FILE_MB)
    number = version.removeprefix("Tempo ")
    paths.make_closed(paths.backups())
    path = program.next_path(
        passphrase=passphrase, now=now, version=number if number[0].isdigit() else EARLY
    )
    call = program.creation(path, logs=False, max_file_mb=max_file_mb, version=version)
    program.run(call, passphrase=passphrase, secret_key=settings.SECRET_KEY)
    return path


@contextmanager
def _place_to_write(path: Path) -> Iterator[Path]:
    # The program reaches no folder around Tempo's own: a backup for one is made among the others, and moved.
    if confined.can_open(path.parent) or path.parent == paths.backups():
        yield path
        return
    work = paths.backups() / WORK
    paths.make_closed(work)
    part = path.with_name(f".{path.name}.part")
    try:
        yield work / path.name
        shutil.move(work / path.name, part)
        files.sync_file(part)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BackupFailed(f"{error.strerror} ({path}).") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


@sensitive_variables()
def stored_passphrase() -> str:
    """Return the passphrase for backups, "" without one. Raise BackupFailed."""
    try:
        return str(store.value(backup.PASSPHRASE))
    except encryption.DecryptionError as error:
        raise BackupFailed(f"The passphrase of backups cannot be read: {error}.") from None
