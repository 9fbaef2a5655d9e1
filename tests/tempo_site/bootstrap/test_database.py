"""The database is judged before its use, and brought up to date as a whole or not at all."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from pytest_django import Settings

from tempo_site.backups.archive import unpacking
from tempo_site.bootstrap import before_update, database, snapshots
from tempo_site.lib import paths
from tests.service import ROOT, environment, manage

pytestmark = pytest.mark.slow

BEFORE = "0005"  # of runs_app
# Two migrations follow; the process is killed before the n-th of them, or between the last and the commit.
KILLED = """
import os, signal, sys
import django
django.setup()
from django.db.migrations.executor import MigrationExecutor
from tempo_site.bootstrap import bootstrap, snapshots
point = sys.argv[1]
applied = []
apply = MigrationExecutor.apply_migration
def apply_or_die(self, state, migration, **options):
    if str(len(applied)) == point:
        os.kill(os.getpid(), signal.SIGKILL)
    applied.append(migration.name)
    state = apply(self, state, migration, **options)
    if point == "broken" and len(applied) == 1:
        from django.db import connection
        connection.cursor().execute("ALTER TABLE scripts_app_draft RENAME COLUMN code TO lost")
    return state
MigrationExecutor.apply_migration = apply_or_die
if point == "commit":
    snapshots.note_version = lambda connection: os.kill(os.getpid(), signal.SIGKILL)
if point == "error":
    def fail(connection):
        raise ValueError("made up")
    snapshots.note_version = fail
bootstrap.prepare(print)
"""


def prepare(data: Path) -> subprocess.CompletedProcess[str]:
    """Try to start on a data folder."""
    command = [sys.executable, str(ROOT / "manage.py"), "prepare"]
    return subprocess.run(
        command, env=environment(data), capture_output=True, text=True, timeout=60
    )


def test_a_new_data_folder_begins_with_the_images_database(
    settings: Settings, tmp_path: Path
) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / database.EMPTY).write_bytes(b"up to date")
    paths.data().mkdir(exist_ok=True)
    database.begin()
    assert paths.database().read_bytes() == b"up to date"


def test_a_database_that_is_there_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / database.EMPTY).write_bytes(b"empty")
    paths.data().mkdir(exist_ok=True)
    paths.database().write_bytes(b"mine")
    database.begin()
    assert paths.database().read_bytes() == b"mine"


def content(data: Path) -> dict[str, bytes]:
    """The bytes of the database and of its log."""
    return {
        path.name: path.read_bytes()
        for path in data.glob("tempo.sqlite3*")
        if not path.name.endswith("-shm")
    }


def execute(data: Path, statement: str) -> list[tuple[object, ...]]:
    """Change or ask the database."""
    with closing(sqlite3.connect(data / "tempo.sqlite3")) as opened:
        rows = opened.execute(statement).fetchall()
        opened.commit()
        return rows


@pytest.fixture
def data(prepared: Path, data_folder: Path) -> Path:
    """A data folder with a script and a backup."""
    folder = data_folder
    shutil.copytree(prepared, folder, dirs_exist_ok=True, symlinks=True)
    (folder / "scripts" / "nightly").mkdir()
    (folder / "backups").mkdir()
    shutil.copy(folder / "tempo.sqlite3", folder / "backups" / "monday.sqlite3")
    return folder


# --- refused -------------------------------------------------------------------------------------------------------
def remove(data: Path) -> None:
    (data / "tempo.sqlite3").unlink()


def empty(data: Path) -> None:
    (data / "tempo.sqlite3").write_bytes(b"")


def without_tables(data: Path) -> None:
    remove(data)
    execute(data, "PRAGMA user_version=1")


def cut_off(data: Path) -> None:
    with (data / "tempo.sqlite3").open("r+b") as file:
        file.truncate(100_000)


def overwrite_beginning(data: Path) -> None:
    with (data / "tempo.sqlite3").open("r+b") as file:
        file.write(b"\0" * 100)


def overwrite_middle(data: Path) -> None:
    with (data / "tempo.sqlite3").open("r+b") as file:
        for page in range(4, 80, 3):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


def overwrite_table_of_content(data: Path) -> None:
    with (data / "tempo.sqlite3").open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 3996)


def make_newer(data: Path) -> None:
    execute(
        data,
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('runs_app', '0999_later', '2030-01-01')",
    )
    execute(data, "PRAGMA user_version=10203")


def with_a_log(data: Path) -> None:
    """Newer, as a process leaves it that was killed: the row stands in the log alone."""
    program = (
        "import os, sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        " database.execute('PRAGMA journal_mode=WAL'); database.execute(sys.argv[2]); os._exit(0)"
    )
    statement = "INSERT INTO django_migrations (app, name, applied) VALUES ('runs_app', '0999_later', '2030-01-01')"
    argv = [sys.executable, "-c", program, str(data / "tempo.sqlite3"), statement]
    subprocess.run(argv, check=True, timeout=120)
    assert (data / "tempo.sqlite3-wal").stat().st_size


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove, "is missing, but scripts/ holds 1 folder"),
        (empty, "is empty, but scripts/ holds 1 folder"),
        (without_tables, "has no tables, but scripts/ holds 1 folder"),
        (cut_off, "was cut off: it has 100000 bytes and should have"),
        (overwrite_beginning, "is no SQLite database"),
        (overwrite_middle, "is damaged: "),
        (overwrite_table_of_content, "is damaged: "),
        (make_newer, "was written by a newer version, Tempo 1.2.3: it has runs_app 0999_later"),
        (with_a_log, "was written by a newer version, Tempo 0.1.0: it has runs_app 0999_later"),
    ],
)
def test_what_must_not_be_used_is_refused_and_left_as_it_is(
    data: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(data)
    before = content(data)
    with pytest.raises(CommandError) as caught:
        database.refuse_unusable()
    assert f"The database {data}/tempo.sqlite3 {words}" in str(caught.value)
    assert f"`{data}/backups/monday.sqlite3` (Tempo 0.1.0)" in str(caught.value)
    assert content(data) == before


def test_the_start_is_refused_in_two_lines(data: Path) -> None:
    cut_off(data)
    before = content(data)
    done = prepare(data)
    assert (done.returncode, content(data)) == (1, before)
    assert "was cut off" in done.stderr and "Traceback" not in done.stderr


def test_without_a_backup_that_is_said(data: Path) -> None:
    shutil.rmtree(data / "backups")
    remove(data)
    with pytest.raises(CommandError, match=f"there is none in {data}/backups"):
        database.refuse_unusable()


@pytest.fixture
def large(data: Path) -> Path:
    """A data folder whose database has a table of a million rows, of which only the last one is wrong."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    with closing(sqlite3.connect(data / "tempo.sqlite3", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE large (i)")
        opened.execute(f"INSERT INTO large {numbers} SELECT i FROM n UNION ALL SELECT NULL")
        opened.execute("PRAGMA writable_schema=1")
        opened.execute(
            "UPDATE sqlite_master SET sql='CREATE TABLE large (i NOT NULL)' WHERE name='large'"
        )
    return data


def test_the_look_at_a_large_one_ends_in_time(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_CHECK_AFTER_STOP_S", 60.0)
    with pytest.raises(CommandError, match="is damaged"):
        database.refuse_unusable()
    monkeypatch.setattr(database, "MAX_CHECK_AFTER_STOP_S", 0.001)
    database.refuse_unusable()
    # A process that was killed leaves the log of its connections.
    monkeypatch.setattr(database, "MAX_CHECK_S", 60.0)
    with closing(sqlite3.connect(large / "tempo.sqlite3")) as opened:
        opened.execute("CREATE TABLE later (x)")
        with pytest.raises(CommandError, match="is damaged"):
            database.refuse_unusable()
        monkeypatch.setattr(database, "MAX_CHECK_S", 0.001)
        database.refuse_unusable()


def test_a_sound_one_is_left_as_it_is(data: Path) -> None:
    before = content(data)
    database.refuse_unusable()
    assert content(data) == before


def test_a_new_folder_is_begun(tmp_path: Path) -> None:
    assert prepare(tmp_path / "new").returncode == 0


def test_a_start_sees_to_it_that_a_log_is_kept(data: Path) -> None:
    assert execute(data, "PRAGMA journal_mode=DELETE") == [("delete",)]
    assert prepare(data).returncode == 0
    assert execute(data, "PRAGMA journal_mode") == [("wal",)]


def test_a_log_of_a_killed_process_is_taken_over(data: Path) -> None:
    execute(data, "CREATE TABLE kept (x)")
    program = (
        "import os, sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        " database.execute('INSERT INTO kept VALUES (1)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(data / "tempo.sqlite3")], check=True)
    assert (data / "tempo.sqlite3-wal").stat().st_size
    assert prepare(data).returncode == 0
    assert execute(data, "SELECT x FROM kept") == [(1,)]


# --- brought up to date --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def old(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of an earlier version."""
    folder = tmp_path_factory.mktemp("old") / "data"
    shutil.copytree(prepared, folder, symlinks=True)
    manage(folder, "migrate", "runs_app", BEFORE)
    return folder


def schema(file: Path) -> list[list[tuple[str, str]]]:
    """The tables, and which migrations made them."""
    with closing(sqlite3.connect(file)) as opened:
        tables = opened.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        names = opened.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
        return [tables, names]


def migrate_and_die(data: Path, point: str) -> subprocess.CompletedProcess[str]:
    """Start on it, and be killed at a point of the way."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, point],
        env=environment(data, DJANGO_SETTINGS_MODULE="tempo_site.settings"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("point", ["0", "1", "commit"])
def test_killed_on_the_way_it_is_the_old_one_and_the_next_start_brings_it_up_to_date(
    old: Path, prepared: Path, tmp_path: Path, point: str
) -> None:
    data = tmp_path / "own"
    shutil.copytree(old, data, symlinks=True)
    before = schema(data / "tempo.sqlite3")
    assert migrate_and_die(data, point).returncode == -signal.SIGKILL
    assert schema(data / "tempo.sqlite3") == before
    (backup,) = (data / "backups").glob("tempo-*.tar.zst")
    kept = tmp_path / "kept"
    kept.mkdir()
    unpacking.unpack(backup, kept, passphrase="")
    assert schema(kept / "tempo.sqlite3") == before

    assert prepare(data).returncode == 0
    after = schema(data / "tempo.sqlite3")
    assert set(after[1]) == set(schema(prepared / "tempo.sqlite3")[1])


@pytest.mark.parametrize(
    ("point", "why"), [("error", "made up"), ("broken", "no such column: scripts_app_draft.code")]
)
def test_an_error_on_the_way_leaves_the_old_one(
    old: Path, tmp_path: Path, point: str, why: str
) -> None:
    data = tmp_path / "own"
    shutil.copytree(old, data, symlinks=True)
    before = schema(data / "tempo.sqlite3")
    done = migrate_and_die(data, point)
    assert f"could not be brought up to date: {why}. It is as it was before." in done.stderr
    assert schema(data / "tempo.sqlite3") == before


def test_a_database_that_is_up_to_date_is_not_copied(data: Path) -> None:
    assert prepare(data).returncode == 0
    assert [path.name for path in (data / "backups").iterdir()] == ["monday.sqlite3"]


def test_of_too_much_data_the_database_alone_is_kept(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite3.connect(data_folder / "tempo.sqlite3").execute("CREATE TABLE t (x)")
    (data_folder / "scripts").mkdir(exist_ok=True)
    (data_folder / "scripts" / "large").write_bytes(b"x")
    said: list[str] = []
    monkeypatch.setattr(before_update, "MAX_MB", 0)
    before_update.keep(said.append)
    monkeypatch.undo()
    monkeypatch.setattr(before_update, "ROOM_MB", 2**40)
    before_update.keep(said.append)
    assert len(list((data_folder / "backups").iterdir())) == 1  # both in the same second
    assert "no whole backup: database and scripts have more than 0 MB." in said[0]
    assert "MB are free on the disk." in said[1]


def test_without_room_for_either_nothing_is_brought_up_to_date(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite3.connect(data_folder / "tempo.sqlite3").execute("CREATE TABLE t (x)")
    monkeypatch.setattr(before_update, "MAX_MB", 0)
    (data_folder / "backups").touch()  # no folder can be there
    with pytest.raises(CommandError, match="hint: make room for it in"):
        before_update.keep(print)


def test_few_copies_are_kept(data_folder: Path) -> None:
    sqlite3.connect(data_folder / "tempo.sqlite3").execute("CREATE TABLE t (x)")
    (data_folder / "backups").mkdir()
    for day in range(1, 6):
        (data_folder / "backups" / f"before-update-2020-01-0{day}.sqlite3").touch()
    (data_folder / "backups" / "mine.sqlite3").touch()
    newest = snapshots.take()
    kept = sorted(path.name for path in (data_folder / "backups").iterdir())
    days = ["before-update-2020-01-04.sqlite3", "before-update-2020-01-05.sqlite3"]
    assert kept == [*days, newest.name, "mine.sqlite3"]
