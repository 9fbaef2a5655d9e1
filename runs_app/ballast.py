"""A file of some megabytes in the data folder that is given up when the disk is full, so that the database can commit.

Ends of runs and what is cleaned up behind them have to be stored before any space comes back.
"""

import errno
import logging
import os
from contextlib import suppress
from datetime import datetime

from django.db import OperationalError

from tempo_site.lib import paths

logger = logging.getLogger(__name__)

MB = 2**20
SIZE_MB = 4
FULL_BYTES = 1 * MB  # free: with less than this the ballast goes
ROOM_BYTES = 16 * MB  # free: with this much it is made again
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def tend(*, now: datetime) -> None:
    """Give the ballast up on a full disk, make it where there is room; a disk that refuses has none."""
    disk = os.statvfs(paths.data())
    free = disk.f_bavail * disk.f_frsize
    if free < FULL_BYTES:
        give_up()
    elif free >= ROOM_BYTES and not _is_whole():
        _make()


def give_up() -> None:
    with suppress(OSError):
        paths.ballast().unlink()
        logger.warning("the disk is full: the ballast of %s MB was given up", SIZE_MB)


def give_up_if_full(error: BaseException) -> None:
    """Give the ballast up where an error says that there was no space: a quota is not seen in the free space."""
    is_full = isinstance(error, OSError) and error.errno in _FULL
    if is_full or (isinstance(error, OperationalError) and "disk is full" in str(error)):
        give_up()


def _is_whole() -> bool:
    # One that was cut short, by the end of the process, is as good as none.
    try:
        return paths.ballast().stat().st_size >= SIZE_MB * MB
    except FileNotFoundError:
        return False


def _make() -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        descriptor = os.open(paths.ballast(), flags, 0o600)
    except OSError:
        return
    try:
        # Random bytes: file systems that compress would keep nothing of zeros.
        missing = SIZE_MB * MB
        while missing:
            missing -= os.write(descriptor, os.urandom(min(missing, MB)))
    except OSError:
        give_up()
    finally:
        os.close(descriptor)
