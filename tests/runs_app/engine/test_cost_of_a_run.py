"""What a run costs: real statements, real commits and calls of functions, from the trigger to the archive."""

import json
import sqlite3
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule as Alarm

from runs_app import launcher_client
from runs_app.engine import reconcile
from runs_app.engine.ticker_thread import TickerThread
from runs_app.history import history
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Status
from scripts_app.models import Script
from tempo_site.lib import paths
from tests.calls import calls_of
from tests.factories import make_schedule, make_script

pytestmark = pytest.mark.django_db(transaction=True)

MAX_STATEMENTS, MAX_COMMITS = 12, 2
# Of the request (a tenth is the test client), the end, the archive and the sweep behind it.
MAX_CALLS = (5500, 1100, 450, 90)
TRANSACTIONS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
FRAME_HEADER_BYTES, LOG_HEADER_BYTES = 24, 32


class QuickLauncher(launcher_client.LauncherClient):
    """Stands for the launcher and for runners whose scripts are over at once."""

    def __init__(self) -> None:
        pass

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        """Leave what a runner leaves."""
        path = paths.run_folder(folder)
        now = timezone.now().timestamp()
        verdict = {
            "status": "succeeded",
            "reason": "",
            "exit_code": 0,
            "started_at": now,
            "finished_at": now,
        }
        (path / "claim").touch()
        (path / "exit.json").write_text(json.dumps(verdict))
        return 1


class Count:
    """The statements of this thread's connection, and the commits that the database's log holds."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.commits = 0


@contextmanager
def counted() -> Iterator[Count]:
    """Count what happens in the block."""
    count = Count()
    connection.ensure_connection()
    database: sqlite3.Connection = connection.connection
    before = commits_in_log()
    database.set_trace_callback(count.statements.append)
    try:
        yield count
    finally:
        database.set_trace_callback(None)
    count.statements = [sql for sql in count.statements if not sql.startswith(TRANSACTIONS)]
    count.commits = commits_in_log() - before


def commits_in_log() -> int:
    """The frames of the log that end a transaction: https://sqlite.org/fileformat2.html#walformat."""
    log = Path(f"{connection.settings_dict['NAME']}-wal").read_bytes()
    if not log:
        return 0
    (page_bytes,) = struct.unpack(">I", log[8:12])
    salt = log[16:24]
    step = FRAME_HEADER_BYTES + page_bytes
    commits = 0
    for start in range(LOG_HEADER_BYTES, len(log) - step + 1, step):
        header = log[start : start + FRAME_HEADER_BYTES]
        if header[8:16] == salt and header[4:8] != b"\0\0\0\0":
            commits += 1
    return commits


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A script that has run before, on a database whose log only grows."""
    monkeypatch.setattr(launcher_client, "launcher", QuickLauncher())
    script = make_script()
    script.uid = 50_000
    script.save()
    return script


def settle() -> None:
    """Do what the settler does behind a bell."""
    reconcile.reconcile_all(now=timezone.now())
    reconcile.follow_up(now=timezone.now())


def archive() -> None:
    """Do what the settler does every few seconds, whether or not there was a run: it costs no run a statement."""
    history.archive_finished(now=timezone.now())


def sweep() -> None:
    """Do what the settler does for runs that no bell was rung for: it has nothing to look for here."""
    reconcile.sweep(now=timezone.now())


def assert_cheap(count: Count, *, runs: int) -> None:
    """Compare with the ceilings; every run of the test was executed and is over."""
    statuses = list(Run.objects.values_list("status", flat=True))
    assert statuses == [Status.SUCCEEDED] * runs
    assert len(count.statements) <= MAX_STATEMENTS, "\n".join(count.statements)
    assert count.commits <= MAX_COMMITS


def test_a_scheduled_run_that_does_nothing(script: Script) -> None:
    schedule = make_schedule(script, now=timezone.now())
    thread = TickerThread(threading.Event())
    for _ in range(
        3
    ):  # the first is the only one without a run before it whose folder is archived by now
        Alarm.objects.filter(schedule=schedule).update(next_run=timezone.now())
        with counted() as count:
            thread._serve()
            ticker.next_moment_at(now=timezone.now())
            settle()
        archive()
    assert_cheap(count, runs=3)
    assert any("archived_at" in sql for sql in count.statements)


def test_a_run_that_is_started_through_the_api(script: Script, program: Client) -> None:
    address = f"/api/v1/scripts/{script.slug}/runs"
    for _ in range(3):
        with counted() as count:
            answer = program.post(address, {}, content_type="application/json")
            settle()
        archive()
        assert answer.status_code == 202, answer.content
    assert_cheap(count, runs=3)


def test_a_run_that_is_started_through_the_api_takes_few_calls_of_functions(
    script: Script, program: Client
) -> None:
    address = f"/api/v1/scripts/{script.slug}/runs"
    for _ in range(3):  # the first builds what the others find
        request = calls_of(lambda: program.post(address, {}, content_type="application/json"))
        found = (request, calls_of(settle), calls_of(archive), calls_of(sweep))
    assert list(Run.objects.values_list("status", flat=True)) == [Status.SUCCEEDED] * 3
    assert all(count <= most for count, most in zip(found, MAX_CALLS, strict=True)), found


def test_the_first_run_of_a_script_costs_no_commit_more(script: Script) -> None:
    Script.objects.update(uid=None)
    make_schedule(script, now=timezone.now())
    Alarm.objects.update(next_run=timezone.now())
    with counted() as count:
        TickerThread(threading.Event())._serve()
        settle()
    script.refresh_from_db()
    assert (count.commits, script.uid) == (MAX_COMMITS, settings.SCRIPT_USERS[0] + script.pk - 1)


def make_crowd(count: int) -> None:
    """Schedules that are due now, each of a script of its own that has run before."""
    for number in range(count):
        one_of_them = make_script(f"Crowd {number}")
        Script.objects.filter(pk=one_of_them.pk).update(uid=50_001 + number)
        make_schedule(one_of_them, now=timezone.now())
    Alarm.objects.update(next_run=timezone.now())


def test_a_crowd_has_all_its_rows_before_the_first_of_it_begins(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve by five: three commits for their rows, and one that begins them together behind the last."""
    make_crowd(12)
    rows_at_start: list[int] = []

    class Counting(QuickLauncher):
        def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
            rows_at_start.append(Run.objects.count())
            return super().start(folder, secrets=secrets)

    monkeypatch.setattr(launcher_client, "launcher", Counting())
    monkeypatch.setattr(ticker, "SERVE_TOGETHER", 5)
    with counted() as count:
        TickerThread(threading.Event())._serve()
    assert (rows_at_start, count.commits) == ([12] * 12, 4)


def test_runs_that_end_together_share_their_second_commit(script: Script) -> None:
    make_crowd(5)
    with counted() as count:
        TickerThread(threading.Event())._serve()
        settle()
    statuses = list(Run.objects.values_list("status", flat=True))
    assert statuses == [Status.SUCCEEDED] * 5
    assert count.commits <= MAX_COMMITS
