"""The database's log is copied back in one place, and nobody but SQLite opens the database's files."""

import ast
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tempo_site.lib import checkpoints, paths
from tests.modules import PRODUCT, Module
from tests.rows import each_row

# Who may name the files of the database, and why.
MAY_NAME = {
    "tempo_site.settings": "tells Django",
    "tempo_site.lib.paths": "closes them to others",
    "tempo_site.bootstrap.ownership": "hands them over",
    "tempo_site.lib.checkpoints": "looks how large the log is",
    "tempo_site.backups.program": "tells the program that copies it",
    "tempo_site.backups.archive.manifest": "names it in a backup",
    # Before the service runs, in processes that have no other connection open:
    "tempo_site.bootstrap.database": "judges them",
    "tempo_site.bootstrap.snapshots": "copies them",
    "tempo_site.bootstrap.before_update": "looks how large they are",
    "tempo_site.bootstrap.service_user": "looks whose they are",
    "tempo_site.bootstrap.doctor": "looks whether they are there",
    "tempo_site.backups.replacing": "moves them",
}
IN_WEB = [name for name in MAY_NAME if "bootstrap" not in name and "replacing" not in name]
OPENS = {
    "open",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
    "touch",
    "copyfile",
    "copy",
    "copy2",
}


@pytest.fixture
def file(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database in the data folder, and Django's connection on it."""
    path = paths.database()
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
    yield path
    connection.close()


def fill(file: Path, *, megabytes: int) -> None:
    """Commit so much over Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS t (x)")
        for _ in range(megabytes):
            cursor.execute("INSERT INTO t VALUES (zeroblob(1048576))")


# --- who opens what ------------------------------------------------------------------------------------------------
def test_no_connection_checkpoints_by_itself(db: None) -> None:
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_one_place_checkpoints() -> None:
    places = [module.name for module in PRODUCT if "wal_checkpoint" in module.source]
    # The index of the search is in files of its own, which one thread writes.
    assert places == ["tempo_site.lib.checkpoints", "runs_app.search.month_index"]


def names_the_database(node: ast.AST) -> bool:
    """Whether a part of a program stands for one of the files."""
    match node:
        case ast.Constant(value=str(text)):
            return text.startswith("tempo.sqlite3")
        case ast.Attribute(value=ast.Name(id="paths"), attr=name):
            return name.lower().startswith("database")
        case ast.Attribute(attr="settings_dict" | "DATABASES"):
            return True
    return False


def test_few_modules_name_the_files_of_the_database() -> None:
    found = {module.name for module in PRODUCT if any(map(names_the_database, module.nodes))}
    assert found == set(MAY_NAME)


def opening_functions(module: Module) -> Iterator[str]:
    """The text of each function of a module that opens files, and of statements outside of functions that do."""
    for statement in module.tree.body:
        calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
        names = {
            call.attr if isinstance(call, ast.Attribute) else ast.unparse(call) for call in calls
        }
        if names & OPENS:
            yield ast.unparse(statement)


@each_row("name", IN_WEB)
def test_code_of_web_that_names_them_opens_folders_alone(name: str) -> None:
    (module,) = (module for module in PRODUCT if module.name == name)
    # By O_PATH a file is named and not opened: SQLite's locks are left alone.
    opening = list(opening_functions(module))
    assert [text for text in opening if "DIRECTORY" not in text and "O_PATH" not in text] == []


# --- the log -------------------------------------------------------------------------------------------------------
def test_a_large_log_is_emptied(file: Path) -> None:
    fill(file, megabytes=5)
    assert checkpoints.when_large(now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE after (x)")  # the first commit behind it cuts the file
    assert paths.database_log().stat().st_size <= settings.DATABASE_LOG_BYTES


def test_a_small_log_is_left(file: Path) -> None:
    fill(file, megabytes=1)
    before = paths.database_log().read_bytes()
    assert not checkpoints.when_large(now=timezone.now())
    assert paths.database_log().read_bytes() == before


def test_without_a_log_there_is_nothing_to_do(file: Path) -> None:
    assert not checkpoints.when_large(now=timezone.now())


def test_a_reader_is_not_waited_for_without_end(file: Path) -> None:
    fill(file, megabytes=2)
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchone()
        fill(file, megabytes=4)
        assert not checkpoints.when_large(now=timezone.now())
    assert checkpoints.when_large(now=timezone.now())


def test_the_thread_waits_for_locks_as_long_as_before(file: Path) -> None:
    fill(file, megabytes=5)
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()
        checkpoints.when_large(now=timezone.now())
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == before


def test_the_end_closes_no_connection_under_the_hands_of_its_thread(file: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()
    found = []

    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            begun.set()
            assert may_end.wait(30)
            found.append(cursor.fetchone())
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    checkpoints.close_database(is_at_work=lambda each: each is thread)
    may_end.set()
    thread.join()
    assert found == [(1,)]


def test_the_end_leaves_one_file(file: Path) -> None:
    fill(file, megabytes=1)
    checkpoints.close_database()
    assert sorted(path.name for path in file.parent.glob("tempo.sqlite3*")) == ["tempo.sqlite3"]
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT sum(length(x)) FROM t").fetchone() == (2**20,)
