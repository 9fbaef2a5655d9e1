"""Making a backup in this process's stead, for commands and before an upgrade."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.views.decorators.debug import sensitive_variables

from tempo_site.audit import trail
from tempo_site.backups import program
from tempo_site.backups.program import BackupFailed
from tempo_site.lib import encryption, paths
from tempo_site.stored_settings import backup, store


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
    call = program.creation(path, logs=logs or bool(store.value(backup.LOGS)))
    connection.ensure_connection()  # for the time of the copy: without one the log would have no index
    said = program.run(call, passphrase=passphrase, secret_key=settings.SECRET_KEY)
    trail.record("made", kind="backups", name=path.name)
    return path, said


@sensitive_variables()
def stored_passphrase() -> str:
    """Return the passphrase for backups, "" without one. Raise BackupFailed."""
    try:
        return str(store.value(backup.PASSPHRASE))
    except encryption.DecryptionError as error:
        raise BackupFailed(f"The passphrase of backups cannot be read: {error}.") from None
