"""A run that cannot be settled is tried a few times and then ended; what is the machine's fault ends nobody."""

import asyncio
import errno
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from runs_app import disk_space, launcher_client
from runs_app.engine import reconcile, unsettled
from runs_app.execution import execution, finish
from runs_app.history import history, retention
from runs_app.launcher import files
from runs_app.models import Run
from runs_app.output import lines, live, log
from runs_app.states import Reason, Status
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

Make = Callable[[Path], object]


def a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


STRANGE: list[Make] = [os.mkfifo, a_link, Path.mkdir]


@pytest.fixture
def runs() -> list[Run]:
    """Two runs under way."""
    script = make_script()
    made = []
    for number in (1, 2):
        run = make_run(
            script,
            status=Status.STARTING,
            folder=f"2026-11/{number}-abcdef12",
            handed_over_at=timezone.now(),
        )
        paths.run_folder(run.folder).mkdir(parents=True)
        made.append(run)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def fail_for(run: Run, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = reconcile._look_into_folder

    def failing(other: Run, now: datetime) -> reconcile.End | bool:
        if other == run:
            raise error
        return honest(other, now)

    monkeypatch.setattr(reconcile, "_look_into_folder", failing)


def sweep(clock: list[float], times: int) -> None:
    for _ in range(times):
        reconcile.sweep(now=timezone.now())
        clock[0] += 2


def status_of(run: Run) -> Status:
    run.refresh_from_db()
    return Status(run.status)


def test_its_last_try_ends_it_with_the_reason_and_the_processes_with_it(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[str] = []
    monkeypatch.setattr(launcher_client.launcher, "cancel", cancelled.append)
    fail_for(runs[0], PermissionError(errno.EACCES, "Permission denied"), monkeypatch)
    sweep(clock, unsettled.MAX_TRIES - 1)
    assert status_of(runs[0]) == Status.STARTING
    sweep(clock, 1)
    assert status_of(runs[0]) == Status.LOST
    assert "(Permission denied)" in runs[0].explain() and "not known" in runs[0].explain()
    assert cancelled == [runs[0].folder]
    assert status_of(runs[1]) == Status.STARTING


def test_tries_that_come_together_are_one(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(runs[0], PermissionError(errno.EACCES, "Permission denied"), monkeypatch)
    for _ in range(20):
        reconcile.reconcile_all(now=timezone.now())
    assert status_of(runs[0]) == Status.STARTING


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
        OperationalError("database is locked"),
        launcher_client.LauncherError("no answer"),
        MemoryError(),
    ],
)
def test_what_is_the_machine_s_fault_ends_nobody(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail_for(runs[0], error, monkeypatch)
    sweep(clock, 3 * unsettled.MAX_TRIES)
    assert status_of(runs[0]) == Status.STARTING


def test_a_disk_that_fails_as_a_whole_ends_nobody(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(runs[0], OSError(errno.EIO, "Input/output error"), monkeypatch)
    monkeypatch.setattr(disk_space, "why_not_writable", lambda: "it cannot be written to")
    sweep(clock, 3 * unsettled.MAX_TRIES)
    assert status_of(runs[0]) == Status.STARTING
    monkeypatch.setattr(disk_space, "why_not_writable", lambda: "")
    sweep(clock, unsettled.MAX_TRIES)
    assert status_of(runs[0]) == Status.LOST, "its folder alone is broken"


def test_an_end_that_its_program_cannot_take_is_an_end(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> bool:
        raise ValueError("a row that nobody foresaw")

    monkeypatch.setattr(finish, "end", failing)
    fail_for(runs[0], ValueError("as well"), monkeypatch)
    sweep(clock, unsettled.MAX_TRIES)
    assert status_of(runs[0]) == Status.LOST


def test_an_end_that_can_never_be_stored_is_given_up(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = finish.end_in_transaction

    def failing(run: Run, status: Status, **more: Any) -> bool:
        if run == runs[0] and more["reason"] == Reason.USER:
            raise ValueError("a value that nobody foresaw")
        return honest(run, status, **more)

    monkeypatch.setattr(finish, "end_in_transaction", failing)
    for run in runs:
        (paths.run_folder(run.folder) / "claim").write_bytes(execution.CLAIMED_BY_CANCEL)
    sweep(clock, 1)
    assert [status_of(run) for run in runs] == [Status.STARTING, Status.CANCELLED]
    for _ in range(unsettled.MAX_TRIES):
        sweep(clock, 1)
        reconcile.reconcile_all(now=timezone.now())
    assert status_of(runs[0]) == Status.LOST


def test_a_run_that_no_runner_ever_begins_ends(
    runs: list[Run], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def start(folder: str, **_: object) -> int:
        started.append(folder)
        return 1

    monkeypatch.setattr(launcher_client.launcher, "start", start)
    (paths.run_folder(runs[0].folder) / "spec.json").touch()
    Run.objects.filter(pk=runs[1].pk).delete()
    Run.objects.update(handed_over_at=timezone.now() - 2 * reconcile.HAND_OVER_AGAIN)
    while status_of(runs[0]) == Status.STARTING:
        reconcile.hand_over_again(runs[0], now=timezone.now())
        clock[0] += 7
        assert len(started) < 20
    assert (runs[0].status, runs[0].reason) == (Status.FAILED, Reason.COULD_NOT_START)
    assert runs[0].explain() == reconcile.NEVER_BEGAN
    assert not execution.take_claim(runs[0]), "no runner can begin it any more"


def test_a_verdict_that_was_written_and_not_renamed_is_taken(runs: list[Run]) -> None:
    folder = paths.run_folder(runs[0].folder)
    (folder / "claim").touch()
    (folder / "exit.json.tmp").write_text('{"status": "failed", "reason": "memory"}')
    reconcile.reconcile(runs[0], now=timezone.now())
    assert (status_of(runs[0]), runs[0].reason) == (Status.FAILED, Reason.MEMORY)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("", "or could not write down the end, or the machine went down"),
        ('{"boot_id": "another"}', "The machine went down"),
        (
            f'{{"boot_id": "{reconcile.BOOT_ID.read_text().strip()}"}}',
            "or could not write down the end, so",
        ),
    ],
)
def test_a_lost_run_blames_the_machine_only_where_it_went_down(
    runs: list[Run], state: str, words: str
) -> None:
    folder = paths.run_folder(runs[0].folder)
    (folder / "claim").touch()
    (folder / "state.json").write_text(state)
    reconcile.reconcile(runs[0], now=timezone.now())
    assert words in runs[0].explain()


# --- each step that touches its folder -----------------------------------------------------------------------------
@pytest.mark.parametrize("make", STRANGE)
def test_a_log_that_is_none_is_read_as_empty_and_holds_nobody_up(
    runs: list[Run], make: Make
) -> None:
    run = runs[0]
    make(paths.run_folder(run.folder) / "output.log")
    assert (log.log_path(run), log.size(run), log.read_slice(run, 0)) == (None, 0, (b"", 0))
    assert b"".join(log.script_bytes(run)) == b""
    assert lines.last(run, 10) == lines.NO_LINES
    tail = live.LiveTail(run.folder)
    assert (tail.size(), tail.read(0)) == (0, b"")


@pytest.mark.parametrize("make", STRANGE)
def test_a_folder_that_is_none_is_deleted_and_what_it_leads_to_is_not(
    runs: list[Run], make: Make
) -> None:
    run = runs[0]
    folder = paths.run_folder(run.folder)
    folder.rmdir()
    make(folder)
    finish.end(run, Status.LOST, now=timezone.now())
    history.archive_finished(now=timezone.now())
    assert retention._is_removed(run.pk, run.folder)
    assert not os.path.lexists(folder)
    assert Path("/etc/passwd").exists()


def test_a_cancel_is_kept_where_the_folder_cannot_be_used(runs: list[Run]) -> None:
    folder = paths.run_folder(runs[0].folder)
    folder.rmdir()
    os.mkfifo(folder)
    assert execution.cancel(runs[0], by="ann", now=timezone.now())
    assert status_of(runs[0]) == Status.STARTING and runs[0].cancel_requested_at
    reconcile.sweep(now=timezone.now())
    assert status_of(runs[0]) == Status.LOST


def test_an_answer_that_fails_on_its_way_ends(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths.run_folder(runs[0].folder) / "output.log").write_bytes(b"1000 O F line\n")
    honest = log.read_slice

    def failing(run: Run, offset: int, limit: int) -> tuple[bytes, int]:
        if offset:
            raise OSError(errno.EIO, "Input/output error")
        return honest(run, offset, limit)

    monkeypatch.setattr(log, "read_slice", failing)

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in log.script_stream(runs[0])])

    assert asyncio.run(collect()) == b"line\n" + log.UNREADABLE


@pytest.mark.parametrize("make", STRANGE)
def test_nothing_but_a_regular_file_is_opened(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "name")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError):
            files.read("name", dir_fd=folder, max_bytes=10)
        with pytest.raises(OSError):
            files.open_or_create("name", dir_fd=folder)
        with pytest.raises(OSError):
            files.create("name", dir_fd=folder)
    finally:
        os.close(folder)
