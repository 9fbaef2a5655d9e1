"""A copy of a backup in another place: whole or absent, and read back from there."""

import os
from pathlib import Path

from tempo_site.backups.archive import reading
from tempo_site.backups.archive.manifest import BackupError

PIECE = 2**20


def copy(path: Path, place: Path) -> None:
    """Copy a file under its name. Raise BackupError and OSError."""
    if not place.is_dir():
        raise BackupError(
            f"The backup is made, but the second place, `{place}`, is not there.\n"
            "hint: mount it, or change it on the page Backups"
        )
    part = place / f".{path.name}.part"
    try:
        with path.open("rb") as source, part.open("wb") as target:
            while piece := source.read(PIECE):
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        with path.open("rb") as source, part.open("rb") as target:
            if reading.digest_of(source) != reading.digest_of(target):
                raise BackupError(f"The copy in {place} is not what was written.")
        part.replace(place / path.name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
