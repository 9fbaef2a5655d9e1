"""Statements that failed are given back by their own thread, and the threads of a process write in turns."""

import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext

from tempo_site.lib.sqlite.base import DatabaseWrapper
from tempo_site.lib.sqlite.prepared import ask
from tests.calls import calls_of
from tests.service import wait_for

pytestmark = pytest.mark.django_db

BEGIN = "BEGIN IMMEDIATE"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of its own."""
    path = tmp_path / "own.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
    return path


@pytest.fixture
def wrapper(file: Path) -> Iterator[BaseDatabaseWrapper]:
    """Django's connection to it, which may wait for the write lock for as long as a test takes."""
    opened = DatabaseWrapper({**connection.settings_dict, "NAME": file}, alias="own")
    opened.inc_thread_sharing()
    yield opened
    opened.close()


def failure(wrapper: BaseDatabaseWrapper) -> OperationalError:
    """What a transaction raises that does not get the write lock."""
    wrapper.cursor().execute("PRAGMA busy_timeout=1")
    with pytest.raises(OperationalError, match="locked") as caught:
        wrapper.cursor().execute(BEGIN)
    wrapper.cursor().execute("PRAGMA busy_timeout=20000")
    return caught.value


def test_an_exception_that_goes_waits_for_nobody(file: Path, wrapper: BaseDatabaseWrapper) -> None:
    got_lock = []
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(BEGIN)
        kept = [failure(wrapper)]
        is_waiting = threading.Event()

        def write() -> None:
            is_waiting.set()
            wrapper.cursor().execute(BEGIN)
            got_lock.append(True)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        wait_for(is_waiting.is_set, what="the writer")
        kept.clear()
        gc.collect()  # would wait here until the writer has given up
        other.execute("ROLLBACK")
    writer.join(30)
    assert got_lock == [True]


def test_the_cursor_of_a_failure_is_closed(file: Path, wrapper: BaseDatabaseWrapper) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other, wrapper.cursor() as cursor:
        other.execute(BEGIN)
        cursor.execute("PRAGMA busy_timeout=1")
        with pytest.raises(OperationalError):
            cursor.execute(BEGIN)
        with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
            cursor.cursor.fetchone()


def test_many_rows_that_fail_together_close_their_cursor(wrapper: BaseDatabaseWrapper) -> None:
    with wrapper.cursor() as cursor:
        with pytest.raises(OperationalError, match="no such table"):
            cursor.executemany("INSERT INTO absent VALUES (%s)", [(1,), (2,)])
        with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
            cursor.cursor.fetchone()


@pytest.fixture
def other(file: Path, wrapper: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """Another thread's connection, which does not wait."""
    wrapper.cursor().execute("CREATE TABLE row (id INTEGER PRIMARY KEY)")
    opened = DatabaseWrapper({**connection.settings_dict, "NAME": file}, alias="own")
    opened.inc_thread_sharing()
    opened.cursor().execute("PRAGMA busy_timeout=0")
    yield opened
    opened.close()


def begin(wrapper: BaseDatabaseWrapper) -> None:
    wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def insert(wrapper: BaseDatabaseWrapper) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("INSERT INTO row VALUES (1)")


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
@pytest.mark.parametrize("write", [begin, insert])
def test_a_turn_lasts_as_long_as_the_transaction(
    wrapper: BaseDatabaseWrapper,
    other: BaseDatabaseWrapper,
    end: str,
    write: Callable[[BaseDatabaseWrapper], None],
) -> None:
    begin(wrapper)
    # Not SQLite's: as if it had not yet been asked for the lock.
    wrapper.connection.execute("ROLLBACK")
    with pytest.raises(OperationalError, match="locked"):
        write(other)
    assert list(other.connection.execute("SELECT * FROM row")) == []
    getattr(wrapper, end)()
    write(other)


def test_a_statement_alone_has_the_turn_for_itself_also_when_it_fails(
    wrapper: BaseDatabaseWrapper, other: BaseDatabaseWrapper
) -> None:
    insert(wrapper)
    with pytest.raises(IntegrityError):
        insert(wrapper)
    begin(other)


def test_a_transaction_that_does_not_begin_has_no_turn(
    file: Path, wrapper: BaseDatabaseWrapper, other: BaseDatabaseWrapper
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as process:
        process.execute(BEGIN)
        with pytest.raises(OperationalError, match="locked"):
            begin(other)
        process.execute("ROLLBACK")
    begin(wrapper)


def test_threads_wait_for_their_turn_and_none_of_them_in_vain(
    wrapper: BaseDatabaseWrapper, other: BaseDatabaseWrapper
) -> None:
    other.cursor().execute("PRAGMA busy_timeout=60000")
    begin(wrapper)
    writer = threading.Thread(target=insert, args=(other,), daemon=True)
    writer.start()
    insert(wrapper)
    wrapper.rollback()
    writer.join(30)
    assert list(other.connection.execute("SELECT * FROM row")) == [(1,)]


# --- the short way ---------------------------------------------------------------------------------------------------
def test_a_statement_takes_a_third_of_the_calls() -> None:
    sql = "SELECT name FROM scripts_app_script WHERE id = %s"

    def as_django_does() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, [1])
            cursor.fetchall()

    ask(sql, [1]).fetchall()
    assert calls_of(lambda: ask(sql, [1]).fetchall()) * 2 < calls_of(as_django_does)


def test_places_and_percent_signs_are_as_in_django() -> None:
    sql = "SELECT %s, 'a%%', %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, ["x", None])
        expected = cursor.fetchone()
    assert ask(sql, ["x", None]).fetchone() == expected == ("x", "a%", None)


def test_its_errors_are_of_django() -> None:
    with pytest.raises(OperationalError, match="no such table"):
        ask("SELECT * FROM nowhere")
    with pytest.raises(IntegrityError), transaction.atomic():
        ask("INSERT INTO tempo_site_setting (name) VALUES (NULL)")


def test_a_broken_transaction_takes_no_statement() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            ask("SELECT 1")
        transaction.set_rollback(False)


def test_whoever_counts_queries_finds_it() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert ask("SELECT %s", [7]).fetchone() == (7,)
    assert [query["sql"] for query in queries] == ["SELECT 7"]
