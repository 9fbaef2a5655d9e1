"""What database and disk say is told by its name: on real disks that are full, read-only, without inodes, damaged."""

import errno
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError
from pytest_django import Settings

from tempo_site.lib import storage_trouble
from tempo_site.lib.storage_trouble import Trouble
from tests import mounts
from tests.rows import each_row

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.01)
    connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(x)")
    return connection


def told_of(act: Callable[[], object]) -> Trouble | None:
    """What is told of the error that an act ends with, wrapped as Django wraps it."""
    with pytest.raises(sqlite3.Error) as raised:
        act()
    error = DatabaseError(str(raised.value))
    error.__cause__ = raised.value
    return storage_trouble.trouble_of(error)


@pytest.fixture
def disk(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_PATH = tmp_path / "disk"
    return tmp_path / "disk"


def test_a_lock_that_is_held_is_busy(disk: Path) -> None:
    disk.mkdir()
    holder, other = opened(disk / "db"), opened(disk / "db")
    holder.execute("BEGIN IMMEDIATE")

    assert told_of(lambda: other.execute("INSERT INTO t VALUES(1)")) == storage_trouble.BUSY


@needs_root
def test_a_full_disk_is_full(disk: Path) -> None:
    with mounts.small_disk(disk, 2):
        connection = opened(disk / "db")
        mounts.fill(disk)
        text = "x" * 2**20
        told = told_of(lambda: connection.execute("INSERT INTO t VALUES(?)", [text]))
        connection.close()

    assert told == storage_trouble.FULL and told.status == 507


@needs_root
def test_a_disk_without_inodes_is_that_and_not_unopenable(disk: Path) -> None:
    with mounts.small_folder(disk, "size=2m,nr_inodes=2"):
        told = told_of(lambda: opened(disk / "db"))

    assert told == storage_trouble.NO_INODES


@needs_root
def test_a_read_only_disk_is_read_only(disk: Path) -> None:
    disk.mkdir()
    opened(disk / "db").close()
    with mounts.read_only(disk):
        connection = sqlite3.connect(disk / "db", isolation_level=None)
        told = told_of(lambda: connection.execute("INSERT INTO t VALUES(1)"))
        connection.close()

    assert told == storage_trouble.READ_ONLY


def test_no_descriptors_is_that_and_not_unopenable(disk: Path) -> None:
    disk.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        told = told_of(lambda: opened(disk / "db"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert told == storage_trouble.NO_DESCRIPTORS


def test_a_folder_that_is_gone_is_unreachable(disk: Path) -> None:
    assert told_of(lambda: opened(disk / "db")) == storage_trouble.UNREACHABLE


def test_a_file_that_is_no_database_is_damaged(disk: Path) -> None:
    disk.mkdir()
    (disk / "db").write_bytes(b"no database" * 100)

    assert told_of(lambda: opened(disk / "db")) == storage_trouble.DAMAGED


def test_a_torn_database_is_damaged(disk: Path) -> None:
    disk.mkdir()
    connection = opened(disk / "db")
    connection.execute("INSERT INTO t VALUES(?)", ["x" * 100_000])
    connection.close()
    with (disk / "db").open("r+b") as file:
        file.truncate(8192)

    connection = sqlite3.connect(disk / "db")
    assert told_of(lambda: connection.execute("SELECT x FROM t").fetchall()) == (
        storage_trouble.DAMAGED
    )


def error_with(code: int) -> OperationalError:
    """As SQLite would say it, of what cannot be made to happen here."""
    error, cause = OperationalError("disk I/O error"), sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = code
    error.__cause__ = cause
    return error


def test_an_error_of_the_disk_is_a_failing_disk(disk: Path) -> None:
    disk.mkdir()
    for code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC):
        assert storage_trouble.trouble_of(error_with(code)) == storage_trouble.FAILING


@needs_root
def test_an_error_for_want_of_room_is_a_full_disk(disk: Path) -> None:
    with mounts.small_disk(disk, 1):
        mounts.fill(disk)
        told = storage_trouble.trouble_of(error_with(sqlite3.SQLITE_IOERR_SHMSIZE))

    assert told == storage_trouble.FULL


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, storage_trouble.FULL),
        (errno.EDQUOT, storage_trouble.OVER_QUOTA),
        (errno.EROFS, storage_trouble.READ_ONLY),
        (errno.EIO, storage_trouble.FAILING),
        (errno.EMFILE, storage_trouble.NO_DESCRIPTORS),
        (errno.EPIPE, None),
        (errno.ENOENT, None),
    ],
)
def test_a_file_that_could_not_be_written_is_told_alike(
    disk: Path, number: int, told: Trouble | None
) -> None:
    disk.mkdir()
    assert storage_trouble.trouble_of(OSError(number, os.strerror(number))) == told


@each_row(
    "error",
    [
        None,
        ValueError("x"),
        IntegrityError("UNIQUE constraint failed"),
        error_with(sqlite3.SQLITE_ERROR),
    ],
)
def test_a_defect_is_no_trouble(error: Exception | None) -> None:
    assert storage_trouble.trouble_of(error) is None


def test_no_sentence_but_one_says_busy() -> None:
    troubles = [value for value in vars(storage_trouble).values() if isinstance(value, Trouble)]
    assert len(troubles) >= 9
    assert [trouble for trouble in troubles if "busy" in str(trouble)] == [storage_trouble.BUSY]
