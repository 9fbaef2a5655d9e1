"""The ballast: there while there is room, gone when the disk is full."""

import errno
import os

import pytest
from django.db import OperationalError

from runs_app import ballast
from tempo_site.lib import paths
from tests.factories import NOW
from tests.rows import each_row


def test_it_is_made_where_there_is_room_and_takes_real_space() -> None:
    ballast.tend(now=NOW)
    status = paths.ballast().stat()
    assert status.st_size == ballast.SIZE_MB * ballast.MB
    assert status.st_blocks * 512 >= status.st_size
    assert status.st_mode & 0o777 == 0o600


def test_it_stays_and_is_made_once() -> None:
    ballast.tend(now=NOW)
    inode = paths.ballast().stat().st_ino
    ballast.tend(now=NOW)
    assert paths.ballast().stat().st_ino == inode


def test_one_that_was_cut_short_is_made_good() -> None:
    paths.ballast().write_bytes(b"cut short")
    ballast.tend(now=NOW)
    assert paths.ballast().stat().st_size == ballast.SIZE_MB * ballast.MB


def test_it_is_whole_where_less_is_written_than_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = os.write

    def write_less(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2 + 1])

    with monkeypatch.context() as context:
        context.setattr(os, "write", write_less)
        ballast.tend(now=NOW)
    assert paths.ballast().stat().st_size == ballast.SIZE_MB * ballast.MB


def test_it_goes_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    ballast.tend(now=NOW)
    monkeypatch.setattr(ballast, "FULL_BYTES", 2**63)
    ballast.tend(now=NOW)
    ballast.tend(now=NOW)
    assert not paths.ballast().exists()


@each_row(
    ("error", "goes"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OperationalError("database or disk is full"), True),
        (OperationalError("database is locked"), False),
        (OSError(errno.EIO, "Input/output error"), False),
    ],
)
def test_it_goes_when_something_says_that_there_is_no_space(error: Exception, goes: bool) -> None:
    ballast.tend(now=NOW)
    ballast.give_up_if_full(error)
    assert paths.ballast().exists() != goes


def test_what_cannot_be_written_whole_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "write", refuse)
        ballast.tend(now=NOW)
    assert not paths.ballast().exists()
