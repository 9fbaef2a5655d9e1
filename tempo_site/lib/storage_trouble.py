"""What keeps database and disk from work, in a sentence: SQLite's own words name neither the disk nor what to do."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError, OperationalError

UNAVAILABLE, NO_SPACE = 503, 507  # of HTTP


class Trouble(NamedTuple):
    status: int
    sentence: str
    hint: str

    def __str__(self) -> str:
        return f"{self.sentence}\nhint: {self.hint}"


BUSY = Trouble(UNAVAILABLE, "The database is busy.", "try again shortly")
FULL = Trouble(
    NO_SPACE,
    "The disk of the data folder is full, so nothing can be saved.",
    "free some space on it; then all goes on by itself",
)
NO_INODES = Trouble(
    NO_SPACE,
    "The disk of the data folder takes no more files (no inodes are left), so nothing can be saved.",
    "delete small files on it; then all goes on by itself",
)
OVER_QUOTA = Trouble(
    NO_SPACE,
    "The quota of Tempo's user on the disk of the data folder is used up, so nothing can be saved.",
    "raise the quota, or free some space; then all goes on by itself",
)
READ_ONLY = Trouble(
    UNAVAILABLE,
    "The data folder cannot be written to, so nothing can be saved.",
    "look whether its disk failed or was mounted read-only, and whether its files are Tempo's own",
)
FAILING = Trouble(
    UNAVAILABLE,
    "The disk of the data folder fails: it could not be read or written.",
    "look into the system's log (`dmesg`), and whether a quota is used up",
)
NO_DESCRIPTORS = Trouble(
    UNAVAILABLE,
    "Tempo may open no more files.",
    "raise the limit of open files (`ulimit -n`, `LimitNOFILE=`), and restart Tempo",
)
UNREACHABLE = Trouble(
    UNAVAILABLE,
    "The database could not be opened.",
    "look whether the data folder is there, and whether its files are Tempo's own",
)
DAMAGED = Trouble(
    UNAVAILABLE,
    "The database is damaged.",
    "stop Tempo and put a copy in its place, as from `backups/` in the data folder",
)
# By SQLite's primary code. Other codes are defects of Tempo.
_BY_CODE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_IOERR: FAILING,
    sqlite3.SQLITE_CANTOPEN: UNREACHABLE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: OVER_QUOTA,
    errno.EROFS: READ_ONLY,
    errno.EIO: FAILING,
    errno.EMFILE: NO_DESCRIPTORS,
    errno.ENFILE: NO_DESCRIPTORS,
}
_OF_MANY_CAUSES = (FULL, READ_ONLY, FAILING, UNREACHABLE)


def trouble_of(error: BaseException | None) -> Trouble | None:
    """Return what an exception means; None for what is no trouble of database and disk but a defect."""
    trouble = None
    if isinstance(error, DatabaseError):
        trouble = _trouble_of_database(error)
    elif isinstance(error, OSError) and error.errno:
        trouble = _BY_ERRNO.get(error.errno)
    if trouble in _OF_MANY_CAUSES:
        return _cause() or trouble
    return trouble


def is_unprepared(error: DatabaseError) -> bool:
    """Whether the tables are missing, as in a data folder in which Tempo was never started."""
    return str(error).startswith("no such table")


def _trouble_of_database(error: DatabaseError) -> Trouble | None:
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    if code is not None:
        return _BY_CODE.get(code & 0xFF)
    if isinstance(error, OperationalError):
        return BUSY
    return None


def _cause() -> Trouble | None:
    # SQLite says "cannot be opened" also of a disk without inodes and of a process without descriptors, and "I/O error"
    # of a disk that had no room for the shared memory.
    folder = Path(settings.DATA_PATH)
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_CLOEXEC))
        disk = os.statvfs(folder)
    except OSError as error:
        return NO_DESCRIPTORS if error.errno in (errno.EMFILE, errno.ENFILE) else None
    if disk.f_flag & os.ST_RDONLY:
        return READ_ONLY
    if disk.f_bavail == 0:
        return FULL
    if disk.f_files and disk.f_favail == 0:  # 0 of 0: a file system that has no such count
        return NO_INODES
    return None
