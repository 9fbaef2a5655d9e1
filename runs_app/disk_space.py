"""Free space on the disk of the data folder, and the floor below which no new run starts."""

import os
import shutil
from dataclasses import dataclass

from django.conf import settings

from tempo_site.lib import paths

MAX_OF_PERCENT_MB = 10 * 1024  # 5 % of a 4 TB disk would be 200 GB
MB = 2**20
MIN_FREE_FILES = 100  # a run makes ten


@dataclass(frozen=True, kw_only=True)
class Space:
    free_mb: int
    total_mb: int

    @property
    def floor_mb(self) -> int:
        percent: int = self.total_mb * settings.MIN_FREE_PERCENT // 100
        least: int = settings.MIN_FREE_MB
        return max(least, min(percent, MAX_OF_PERCENT_MB))

    @property
    def is_low(self) -> bool:
        return self.free_mb < self.floor_mb

    def __str__(self) -> str:
        free = f"only {self.free_mb:,} MB are free on the disk of the data folder"
        return f"{free}, the floor is {self.floor_mb:,} MB"


def why_no_file() -> str:
    """Say why no file can be made on the disk of the data folder, however much space the floor asks for, or ""."""
    disk = os.statvfs(paths.data())
    if disk.f_bavail == 0:
        return "the disk of the data folder is full"
    # A file system without such a count has 0 of 0.
    if disk.f_files and disk.f_favail < MIN_FREE_FILES:
        return f"the disk of the data folder takes only {disk.f_favail} more files (inodes)"
    return ""


def look() -> Space:
    disk = shutil.disk_usage(paths.data())
    return Space(free_mb=disk.free // MB, total_mb=disk.total // MB)


def why_not_writable() -> str:
    """Say why the data folder cannot be written to; "" when writing works, and when no engine works there."""
    # A file is opened for writing and nothing is written: an idle disk may sleep on.
    try:
        os.close(os.open(paths.engine_lock(), os.O_WRONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the data folder cannot be written to: {error.strerror}"
    return ""


def why_nothing_starts() -> str:
    space = look()
    why = why_not_writable()
    if not why and space.is_low:
        why = str(space)
    return why or why_no_file()


def hard_floor_mb() -> int:
    # Half of the floor, so that new runs stop first and running ones last.
    return look().floor_mb // 2
