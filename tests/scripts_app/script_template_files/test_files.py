"""Script templates that work on files: backup, disk space, CSV, log rotation, database dump."""

import gzip
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.scripts_app.script_template_files.conftest import Running

CSV = "id,date,product,quantity,price\na1,2026-11-03,Bread,2,1.90\na2,2026-12-24,Cake,1,20.00\n"
PASSWORD = "hush-" * 4


# --- folder backup --------------------------------------------------------------------------------------------------
@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder worth a backup."""
    folder = tmp_path / "photos"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "a.jpg").write_bytes(b"a")
    (folder / "link").symlink_to("2026/a.jpg")
    return folder


def test_a_folder_is_packed_whole_and_the_newest_archives_stay(
    run: Running, photos: Path, files: Path
) -> None:
    target = files / "backups"
    target.mkdir()
    for name in (
        "photos-2020-01-01-000000.tar.gz",
        "photos-2021-01-01-000000.tar.gz",
        "other-2020.tar.gz",
    ):
        (target / name).touch()
    done = run("folder_backup", source=photos, keep=2)
    assert done.code == 0 and "deleted photos-2020-01-01-000000.tar.gz" in done.said, done.said
    archives = sorted(path.name for path in target.iterdir())
    assert (len(archives), archives[:2]) == (
        3,
        ["other-2020.tar.gz", "photos-2021-01-01-000000.tar.gz"],
    )
    with tarfile.open(target / archives[2]) as packed:
        assert packed.getnames() == ["photos", "photos/2026", "photos/2026/a.jpg", "photos/link"]
    assert run("folder_backup", source=photos, keep=1).code == 0
    assert len(list(target.glob("photos-*"))) == 1


def test_no_backup_is_made_without_a_folder_or_into_itself(
    run: Running, photos: Path, files: Path
) -> None:
    for source in ("", "photos", photos / "gone", photos / "2026" / "a.jpg"):
        done = run("folder_backup", source=source)
        assert done.code == 1 and "has to be the full path of a folder" in done.said
    done = run("folder_backup", source=photos, target=photos / "backups")
    assert done.code == 1 and "would lie in the folder that is backed up" in done.said
    (files / "backups").write_text("in the way")
    done = run("folder_backup", source=photos)
    assert done.code == 1 and done.said.startswith("No backup was made: ")
    assert not list(photos.glob("backups"))


# --- disk space -----------------------------------------------------------------------------------------------------
def test_disks_with_room_are_fine(run: Running, tmp_path: Path) -> None:
    done = run("disk_space", paths=f"/, {tmp_path}", percent=0, gigabytes=0)
    assert done.code == 0 and done.said.count("are free") == 2 and "All have room." in done.said


@pytest.mark.parametrize(
    ("limit", "unit"), [({"percent": 100}, "100 %"), ({"gigabytes": 1e9}, "1e+09 GB")]
)
def test_a_disk_that_is_too_full_is_named(run: Running, limit: dict[str, float], unit: str) -> None:
    done = run("disk_space", **({"paths": "/", "percent": 0, "gigabytes": 0} | limit))
    assert done.code == 1 and "TOO FULL: /: " in done.said and f"less than {unit}" in done.said


def test_a_disk_that_is_not_there_is_named(run: Running, tmp_path: Path) -> None:
    done = run("disk_space", paths=f"{tmp_path}/gone, /", percent=0, gigabytes=0)
    assert (
        done.code == 1
        and "gone: cannot be looked at: No such file" in done.said
        and "/: " in done.said
    )
    assert run("disk_space", paths=" , ").code == 1


# --- CSV to SQLite --------------------------------------------------------------------------------------------------
def sales(files: Path) -> list[tuple[str, str, int, int]]:
    """What lies in the database."""
    if not (files / "sales.sqlite3").exists():
        return []
    with closing(sqlite3.connect(files / "sales.sqlite3")) as connection:
        return connection.execute(
            "SELECT id, date, quantity, cents FROM sales ORDER BY id"
        ).fetchall()


def test_lines_are_loaded_and_loading_them_again_changes_nothing(run: Running, files: Path) -> None:
    (files / "sales.csv").write_text(CSV, encoding="utf-8-sig")
    for _ in range(2):
        done = run("csv_to_sqlite")
        assert done.code == 0 and "2026-11: 1 sales, 3.80" in done.said
        assert sales(files) == [("a1", "2026-11-03", 2, 190), ("a2", "2026-12-24", 1, 2000)]
    (files / "sales.csv").write_text(CSV.replace(",2,1.90", ",3,1.90").replace(",", ";"))
    assert run("csv_to_sqlite", delimiter="semicolon").code == 0
    assert sales(files)[0] == ("a1", "2026-11-03", 3, 190)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("a3,2026-02-30,Pie,1,1.00", "line 4: day is out of range"),
        ("a3,2026-02-03,Pie,many,1.00", "line 4: invalid literal for int"),
        ("a3,2026-02-03,Pie,1,1.005", "line 4: price 1.005 has more than two decimals"),
        ("a3,2026-02-03,Pie,1,cheap", "line 4: a number or a column is missing"),
        ("a3,2026-02-03,Pie,1,NaN", "line 4: "),
        ("a3,2026-02-03", "line 4: a number or a column is missing"),
        (",2026-02-03,Pie,1,1.00", "line 4: id is empty"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_loaded(
    run: Running, files: Path, wrong: str, sentence: str
) -> None:
    (files / "sales.csv").write_text(f"{CSV}{wrong}\n")
    done = run("csv_to_sqlite")
    assert (
        done.code == 1
        and sentence in done.said
        and "Nothing was loaded: 1 bad lines in sales.csv." in done.said
    )
    assert sales(files) == []


def test_bad_lines_may_be_left_out_but_are_told(run: Running, files: Path) -> None:
    (files / "sales.csv").write_text(f"{CSV}a3,soon,Pie,1,1.00\n")
    done = run("csv_to_sqlite", skip_bad_lines=True)
    assert (
        done.code == 1
        and done.said.endswith("1 bad lines were left out.\n")
        and len(sales(files)) == 2
    )


def test_a_file_that_is_of_no_use_is_explained(run: Running, files: Path) -> None:
    done = run("csv_to_sqlite")
    assert (
        done.code == 1
        and "There is no file `sales.csv`: put it among the files of this script" in done.said
    )
    (files / "sales.csv").write_text("a,b\n1,2\n")
    assert "there is no column 'price'" in run("csv_to_sqlite").said
    (files / "sales.csv").write_bytes(b"\xff\xfe\xff")
    assert "cannot be read" in run("csv_to_sqlite").said
    (files / "sales.csv").write_text(CSV)
    (files / "sales.sqlite3").write_text("no database" * 100)
    done = run("csv_to_sqlite")
    assert (
        done.code == 1
        and "Nothing was loaded: `sales.sqlite3`: file is not a database" in done.said
    )


# --- log rotation ---------------------------------------------------------------------------------------------------
def kept(folder: Path) -> dict[str, str]:
    """What lies in a folder of logs."""
    return {
        path.name: (
            gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        ).decode()
        for path in sorted(folder.iterdir())
    }


@pytest.mark.parametrize("method", ["copy", "rename"])
def test_a_large_log_is_rotated_and_the_oldest_goes(
    run: Running, tmp_path: Path, method: str
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "small.log").write_text("s")
    for number in range(1, 5):
        (logs / "app.log").write_text(str(number) * 2000)
        done = run("log_rotation", folder=logs, megabytes=0.001, keep=2, method=method)
        assert done.code == 0 and "app.log was rotated" in done.said
    old = {"app.log.1.gz": "4" * 2000, "app.log.2.gz": "3" * 2000, "small.log": "s"}
    assert kept(logs) == old | ({"app.log": ""} if method == "copy" else {})


def test_a_program_that_keeps_its_log_open_writes_on(run: Running, tmp_path: Path) -> None:
    with (tmp_path / "app.log").open("a") as log:
        print("before", file=log, flush=True)
        assert run("log_rotation", folder=tmp_path, megabytes=0).code == 0
        print("after", file=log, flush=True)
    assert (tmp_path / "app.log").read_text() == "after\n"
    assert gzip.decompress((tmp_path / "app.log.1.gz").read_bytes()) == b"before\n"


def test_what_a_run_left_half_way_is_not_lost(run: Running, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("new")
    (tmp_path / "app.log.taken").write_text("old")
    for _ in range(2):
        assert run("log_rotation", folder=tmp_path, megabytes=0, method="rename").code == 0
    assert gzip.decompress((tmp_path / "app.log.2.gz").read_bytes()) == b"old"
    assert gzip.decompress((tmp_path / "app.log.1.gz").read_bytes()) == b"new"


def test_logs_that_are_not_there_or_cannot_be_rotated_are_named(
    run: Running, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    assert "has to be the full path of a folder" in run("log_rotation", folder=logs / "gone").said
    done = run("log_rotation", folder=logs)
    assert done.code == 1 and "is like `*.log`" in done.said
    (logs / "a.log").write_text("a")
    (logs / "b.log").write_text("b")
    (logs / "a.log.new.gz").mkdir()  # in the way
    done = run("log_rotation", folder=logs, megabytes=0)
    assert (
        done.code == 1
        and "a.log was not rotated: " in done.said
        and "b.log was rotated" in done.said
    )
    assert (logs / "a.log").read_text() == "a"


# --- database dump --------------------------------------------------------------------------------------------------
def test_a_database_in_use_is_dumped_whole(run: Running, tmp_path: Path, files: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as writer:
        writer.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (7);"
        )
        done = run("database_dump", database=tmp_path / "shop.db")
    assert done.code == 0 and "1 of at most 7 dumps are kept" in done.said
    (dump,) = (files / "dumps").iterdir()
    restored = tmp_path / "restored.db"
    restored.write_bytes(gzip.decompress(dump.read_bytes()))
    with closing(sqlite3.connect(restored)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(7,)]


def test_the_newest_dumps_stay(run: Running, tmp_path: Path, files: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE t(x)")
    (files / "dumps").mkdir()
    for name in (
        "shop-2020-01-01-000000.sqlite3.gz",
        "shop-2021-01-01-000000.sqlite3.gz",
        "other.sqlite3.gz",
    ):
        (files / "dumps" / name).touch()
    done = run("database_dump", database=tmp_path / "shop.db", keep=2)
    assert done.code == 0 and "deleted shop-2020-01-01-000000.sqlite3.gz" in done.said
    assert len(list((files / "dumps").iterdir())) == 3


def test_a_database_that_is_missing_or_damaged_leaves_no_dump(
    run: Running, tmp_path: Path, files: Path
) -> None:
    done = run("database_dump", database=tmp_path / "gone.db")
    assert (
        done.code == 1
        and "there is no such file" in done.said
        and not (tmp_path / "gone.db").exists()
    )
    (tmp_path / "shop.db").write_text("no database" * 100)
    done = run("database_dump", database=tmp_path / "shop.db")
    assert done.code == 1 and "file is not a database" in done.said
    assert run("database_dump").said == "No dump was made: the parameter `database` is empty.\n"
    assert list((files / "dumps").iterdir()) == []


def program(folder: Path, name: str, *, code: int = 0) -> str:
    """A dump program that writes its arguments and the password it was given; returns the PATH to find it by."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\necho "$*" "$PGPASSWORD$MYSQL_PWD"\nexit {code}\n')
    (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    [
        (
            "postgres",
            "pg_dump",
            "--host=db --port=15432 --username=ann --no-password --dbname=shop",
        ),
        (
            "mysql",
            "mysqldump",
            "--host=db --port=15432 --user=ann --single-transaction --routines -- shop",
        ),
    ],
)
def test_a_server_is_dumped_by_its_own_program(
    run: Running, tmp_path: Path, files: Path, kind: str, name: str, arguments: str
) -> None:
    server = {"kind": kind, "database": "shop", "host": "db", "port": 15432, "user": "ann"}
    path = program(tmp_path / "bin", name)
    done = run("database_dump", **server, DB_PASSWORD=PASSWORD, PATH=path)
    assert done.code == 0 and PASSWORD not in done.said, done.said
    (dump,) = (files / "dumps").iterdir()
    assert dump.name.startswith("shop-") and dump.name.endswith(".sql.gz")
    assert gzip.decompress(dump.read_bytes()).decode() == f"{arguments} {PASSWORD}\n"
    done = run("database_dump", **server, PATH=program(tmp_path / "bin", name, code=3))
    assert (
        done.code == 1 and f"No dump was made of `shop`: {name} ended with exit code 3" in done.said
    )
    assert list((files / "dumps").iterdir()) == [dump]


def test_a_dump_program_that_is_not_there_is_named(run: Running, tmp_path: Path) -> None:
    done = run("database_dump", kind="mysql", database="shop", PATH=tmp_path)
    assert done.code == 1 and "the program mysqldump is not on this machine" in done.said
