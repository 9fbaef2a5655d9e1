"""A backup that a browser sends in pieces: each is appended to a file, which gets its name when all of it is there.

As one request it would lie in memory as a whole, and behind a proxy it would be too large.
"""

import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tempo_site.backups import backup_files
from tempo_site.backups.archive import manifest
from tempo_site.lib import files, paths
from tempo_site.stored_settings import backup, store

MB = 2**20
PIECE_BYTES = 4 * MB
ROOM = 64 * MB  # left free on the disk
ABANDONED = timedelta(days=1)
PREFIX = ".upload-"


class UploadRefused(Exception):
    """Why a backup is not taken; for people."""


class OtherOffset(Exception):
    """The piece does not follow what is here; `received` says where the next one has to begin."""

    def __init__(self, received: int) -> None:
        super().__init__("Another piece is next.")
        self.received = received


@dataclass(frozen=True, kw_only=True)
class UploadPiece:
    """A part of a file of `size` bytes that is called `name` where it comes from."""

    name: str
    size: int
    offset: int
    content: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.content)


def take(piece: UploadPiece, *, now: datetime) -> str:
    """Store a piece; return the name of the backup when it was the last one, else "".

    Raise UploadRefused, OtherOffset and OSError. A file that does not fit on the disk leaves nothing behind.
    """
    folder = paths.backups()
    paths.make_closed(folder)
    if piece.offset == 0:
        _refuse_unfit(piece)
        _delete_abandoned(folder, now)
    part = _part_of(folder, piece)
    try:
        return _append(part, piece, now)
    except (OSError, UploadRefused):
        part.unlink(missing_ok=True)
        raise


def _append(part: Path, piece: UploadPiece, now: datetime) -> str:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if piece.offset == 0:
            file.truncate(0)
        received = os.fstat(file.fileno()).st_size
        if received != piece.offset:
            raise OtherOffset(received)
        _refuse_without_room(piece)
        file.write(piece.content)
        file.flush()
        if piece.end < piece.size:
            return ""
        os.fsync(file.fileno())
        target = _target(part.parent, piece.name, _beginning(file.fileno()), now)
        part.rename(target)
    files.sync_folder(target.parent)
    return target.name


def _refuse_unfit(piece: UploadPiece) -> None:
    most = int(store.value(backup.MEGABYTES))
    if piece.size > most * MB:
        raise UploadRefused(
            f"It has {piece.size // MB} MB, and backups may take {most} MB together.\n"
            f"hint: put the file into `{paths.backups()}`, or raise `{backup.MEGABYTES}`"
        )
    if not _ending(piece.content):
        raise UploadRefused("It is no backup of Tempo.\nhint: they are called `tempo-...tar.zst`")
    if backup_files.is_name(piece.name) and (paths.backups() / piece.name).exists():
        raise UploadRefused(f"`{piece.name}` is here already.")


def _refuse_without_room(piece: UploadPiece) -> None:
    if piece.end > piece.size or not piece.content:
        raise UploadRefused("The file changed while it was sent.\nhint: send it again")
    missing = piece.size - piece.offset
    free = shutil.disk_usage(paths.backups()).free
    if missing + ROOM > free:
        raise UploadRefused(
            f"{missing // MB} MB are still to come, and {free // MB} MB are free on the disk.\nhint: make room"
        )


def _delete_abandoned(folder: Path, now: datetime) -> None:
    for part in folder.glob(f"{PREFIX}*"):
        if part.stat().st_mtime < (now - ABANDONED).timestamp():
            part.unlink(missing_ok=True)


def _part_of(folder: Path, piece: UploadPiece) -> Path:
    key = hashlib.sha256(f"{piece.size} {piece.name}".encode(errors="surrogatepass")).hexdigest()
    return folder / f"{PREFIX}{key[:32]}"


def _beginning(descriptor: int) -> bytes:
    return os.pread(descriptor, len(manifest.SEALED_MAGIC), 0)


def _target(folder: Path, name: str, beginning: bytes, now: datetime) -> Path:
    if backup_files.is_name(name):
        return folder / name
    return backup_files.path_of_upload(folder, _ending(beginning), now=now)


def _ending(beginning: bytes) -> str:
    if beginning.startswith(manifest.SEALED_MAGIC):
        return ".tar.zst.sealed"
    for magic, kind in manifest.MAGIC.items():
        if beginning.startswith(magic):
            return f".tar.{kind}"
    return ""
