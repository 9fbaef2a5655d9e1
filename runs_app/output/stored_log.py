"""A run's log as it lies in its folder, plain or cold: read by offset, the same bytes either way."""

import logging
import os
from pathlib import Path
from typing import Any, Protocol

from runs_app import run_folder
from runs_app.output import cold_log
from runs_app.output.cold_log import ColdLog, DamagedLog

logger = logging.getLogger(__name__)


class StoredLog(Protocol):
    """An open log: `identity` stays when the log becomes cold, `lines` is a stored index of its lines or None."""

    @property
    def size(self) -> int: ...
    @property
    def identity(self) -> int: ...
    @property
    def lines(self) -> Any: ...
    def pread(self, count: int, offset: int) -> bytes: ...
    def close(self) -> None: ...


class PlainLog:
    """A log that may still grow."""

    lines = None

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def identity(self) -> int:
        return os.fstat(self.descriptor).st_ino

    def pread(self, count: int, offset: int) -> bytes:
        return os.pread(self.descriptor, count, offset)

    def close(self) -> None:
        os.close(self.descriptor)


def open_stored(path: Path) -> StoredLog | None:
    """Return the log at this path, or the cold one beside it; None when there is none to be read. Raise OSError."""
    descriptor = run_folder.open_file(path.parent, path.name)
    if descriptor is not None:
        return PlainLog(descriptor)
    descriptor = run_folder.open_file(path.parent, cold_log.NAME)
    if descriptor is None:
        return None
    try:
        return ColdLog(descriptor)
    except DamagedLog as damage:
        os.close(descriptor)
        logger.warning("%s: %s", path.parent, damage)
        return None
