"""A backup holds what it says, and says so when a single bit of it is another one."""

import json
import os
import random
import resource
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tempo_site.backups.archive import (
    creation,
    packing,
    reading,
    sealing,
    sources,
    unpacking,
    verbs,
)
from tempo_site.backups.archive.manifest import BackupError
from tempo_site.backups.archive.members import MemberWriter
from tests import mounts
from tests.tempo_site.backups.conftest import KEY, PASSPHRASE, Source

FLIPS = 60


def unpacked(backup: Path, target: Path, passphrase: str = "") -> Path:
    target.mkdir()
    unpacking.unpack(backup, target, passphrase=passphrase)
    return target


def names(backup: Path) -> list[str]:
    with packing.zstd.open(backup) as opened, tarfile.open(fileobj=opened, mode="r|") as tar:
        return [info.name for info in tar]


def test_any_program_reads_it_and_the_manifest_comes_first(source: Source) -> None:
    found = names(source.back_up())
    assert found[:2] == ["manifest.json", "tempo.sqlite3"]
    assert "scripts/hello/files/data.txt" in found


@pytest.mark.parametrize("kind", ["zst", "gz"])
def test_what_was_in_it_comes_out(source: Source, tmp_path: Path, kind: str) -> None:
    folder = unpacked(source.back_up(kind=kind, logs=True), tmp_path / "new")
    assert (folder / "scripts/hello/files/data.txt").read_text() == "some text"
    assert (folder / "runs/2026-11/1-abc/output.log").read_text() == "1 O F hello\n"
    with closing(sqlite3.connect(folder / "tempo.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM runs_app_run").fetchone() == (5,)


def test_logs_are_in_it_where_they_are_asked_for(source: Source) -> None:
    assert not [name for name in names(source.back_up()) if name.startswith("runs/")]


def test_the_secret_key_is_in_it_with_a_passphrase_only(source: Source, tmp_path: Path) -> None:
    plain = unpacked(source.back_up("plain"), tmp_path / "plain")
    sealed = source.back_up("sealed", passphrase=PASSPHRASE)
    opened = unpacked(sealed, tmp_path / "opened", PASSPHRASE)
    assert not (plain / "secret_key").exists()
    assert (opened / "secret_key").read_text() == KEY
    assert KEY.encode() not in sealed.read_bytes() and b"SQLite" not in sealed.read_bytes()


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_one_flipped_bit_anywhere_is_found(source: Source, passphrase: str) -> None:
    backup = source.back_up(passphrase=passphrase)
    content = backup.read_bytes()
    chosen = random.Random(1).sample(range(len(content) * 8), FLIPS)
    missed = []
    for bit in [*chosen, 0, 70, len(content) * 8 - 1]:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        backup.write_bytes(changed)
        try:
            reading.check(backup, passphrase=passphrase)
            missed.append(bit)
        except BackupError:
            pass
    assert missed == []


def test_the_damaged_file_is_named(source: Source) -> None:
    (source.files / "noise").write_bytes(random.Random(2).randbytes(500_000))
    backup = source.back_up()
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 4
    backup.write_bytes(content)
    with pytest.raises(BackupError, match="scripts/hello/files/noise"):
        reading.check(backup, passphrase="")


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
def test_one_that_was_cut_off_is_refused(source: Source, passphrase: str, left: float) -> None:
    (source.files / "noise").write_bytes(random.Random(3).randbytes(300_000))
    backup = source.back_up(passphrase=passphrase)
    os.truncate(backup, int(backup.stat().st_size * left))
    with pytest.raises(BackupError):
        reading.check(backup, passphrase=passphrase)


def test_pieces_that_change_places_are_refused(source: Source) -> None:
    (source.files / "noise").write_bytes(random.Random(4).randbytes(400_000))
    backup = source.back_up(passphrase=PASSPHRASE)
    content = backup.read_bytes()
    begin, size = content.index(b"}\n") + 2, sealing.PIECE + sealing.TAG
    first, second = content[begin : begin + size], content[begin + size : begin + 2 * size]
    backup.write_bytes(content[:begin] + second + first + content[begin + 2 * size :])
    with pytest.raises(BackupError):
        reading.check(backup, passphrase=PASSPHRASE)


@pytest.mark.parametrize("passphrase", ["", "another one entirely"])
def test_without_its_passphrase_it_is_not_opened(source: Source, passphrase: str) -> None:
    backup = source.back_up(passphrase=PASSPHRASE)
    with pytest.raises(BackupError, match="passphrase"):
        reading.check(backup, passphrase=passphrase)


def test_what_cannot_be_kept_is_named(source: Source) -> None:
    (source.files / "large").write_bytes(bytes(2**20 + 1))
    os.mkfifo(source.files / "pipe")
    facts = json.loads(Path(f"{source.back_up()}.json").read_text())
    assert [(left["name"], left["reason"]) for left in facts["left_out"]] == [
        ("scripts/hello/files/large", "it has 1 MB, 1 is the most"),
        ("scripts/hello/files/pipe", "it is no file"),
    ]


def test_a_link_is_kept_as_a_link(source: Source, tmp_path: Path) -> None:
    (source.files / "link").symlink_to("/etc/passwd")
    folder = unpacked(source.back_up(), tmp_path / "new")
    assert (folder / "scripts/hello/files/link").readlink() == Path("/etc/passwd")


@pytest.mark.parametrize(
    "name", ["é".encode(), "e\u0301".encode(), b"\xff\xfe", b"a\nb", b"l" * 200]
)
def test_names_stay_as_they_are(source: Source, tmp_path: Path, name: bytes) -> None:
    (source.files / os.fsdecode(name)).write_text("here")
    folder = unpacked(source.back_up(), tmp_path / "new")
    assert os.fsdecode(name) in {path.name for path in (folder / "scripts/hello/files").iterdir()}


def test_each_backup_is_of_one_moment_while_others_write(source: Source, tmp_path: Path) -> None:
    is_over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source.folder / "tempo.sqlite3")) as database:
            while not is_over.is_set():
                database.execute("INSERT INTO runs_app_run (text) VALUES ('a')")
                database.execute("INSERT INTO runs_app_run (text) VALUES ('b')")
                database.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for number in range(30):
            backup = source.back_up(f"made{number}")
            folder = unpacked(
                backup, tmp_path / f"new{number}"
            )  # compares the rows with the manifest
            with closing(sqlite3.connect(folder / "tempo.sqlite3")) as database:
                rows = database.execute("SELECT sum(text = 'a'), sum(text = 'b') FROM runs_app_run")
                counts.append(rows.fetchone())
    finally:
        is_over.set()
        writer.join()
    assert all(a == b for a, b in counts) and counts == sorted(counts)


def test_a_second_one_at_the_same_time_is_refused(source: Source) -> None:
    with creation._work_folder(source.backups), pytest.raises(BackupError, match="Another backup"):
        source.back_up()


def test_what_a_killed_one_left_goes(source: Source) -> None:
    (source.backups / ".tempo-x.part").touch()
    (source.backups / ".making").mkdir()
    source.back_up()
    assert sorted(path.name for path in source.backups.iterdir()) == [".lock", "made", "made.json"]


def test_one_of_a_newer_format_is_refused_with_its_version(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_site.backups.archive.manifest.FORMAT", 2)
    backup = source.back_up()
    monkeypatch.undo()
    with pytest.raises(BackupError, match=r"newer Tempo, 1\.2\.3, in format 2"):
        reading.check(backup, passphrase="")


def test_a_damaged_database_is_no_backup(source: Source) -> None:
    path = source.folder / "tempo.sqlite3"
    content = bytearray(path.read_bytes())
    content[2 * 4096 : 2 * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    with pytest.raises((BackupError, sqlite3.Error)):
        source.back_up()
    assert [left.name for left in source.backups.iterdir()] == [".lock"]


def test_on_a_full_disk_nothing_half_is_left(source: Source, tmp_path: Path) -> None:
    with mounts.small_disk(tmp_path / "small", 1) as disk:
        (source.files / "noise").write_bytes(random.Random(5).randbytes(900_000))
        source.backups = disk
        with pytest.raises(OSError, match="No space left"):
            source.back_up()
        assert [left.name for left in disk.iterdir()] == [".lock"]


def test_a_backup_larger_than_the_disk_is_refused(source: Source, tmp_path: Path) -> None:
    backup = source.back_up()
    with (
        mounts.small_disk(tmp_path / "small", 1) as disk,
        pytest.raises(BackupError, match="are free"),
    ):
        unpacking.unpack(backup, disk, passphrase="")


@pytest.mark.parametrize(
    "name", ["../out", "/etc/x", "scripts/../../x", "envs/x", "secret_key/x", "scripts//x"]
)
def test_a_name_that_leads_elsewhere_is_refused(source: Source, tmp_path: Path, name: str) -> None:
    add_tree = sources.add_tree

    def add_another(writer: MemberWriter, folder: Path, of: str, *, max_bytes: int) -> None:
        add_tree(writer, folder, of, max_bytes=max_bytes)
        writer.add_bytes(name, b"x")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "add_tree", add_another)
        backup = source.back_up()
    with pytest.raises(BackupError, match="no place of a backup"):
        unpacked(backup, tmp_path / "new")


@pytest.mark.parametrize("is_full", [False, True])
def test_a_look_leaves_nothing_but_its_facts(
    source: Source, capsys: pytest.CaptureFixture[str], is_full: bool
) -> None:
    backup = source.back_up(facts="")
    facts = source.backups / "facts.json"
    order = {"file": str(backup), "work": str(source.backups / ".unpacked"), "facts": str(facts)}
    verbs.VERBS["verify"]({**order, "is_full": is_full})
    assert json.loads(facts.read_text())["verified_at"]
    assert "Every byte is as it was" in capsys.readouterr().out
    left = {path.name for path in source.backups.iterdir()}
    assert left == {".lock", "made", "facts.json"}


def test_a_copy_is_in_the_second_place_and_what_went_here_goes_there(
    source: Source, tmp_path: Path
) -> None:
    place = tmp_path / "second"
    place.mkdir()
    (place / "old").touch()
    (place / "another").touch()
    backup = source.back_up()
    verbs.VERBS["copy"]({"file": str(backup), "place": str(place), "remove": ["old", "gone"]})
    assert (place / "made").read_bytes() == backup.read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["another", "made"]


def test_a_second_place_that_is_not_there_is_said(source: Source, tmp_path: Path) -> None:
    order = {"file": str(source.back_up()), "place": str(tmp_path / "away"), "remove": []}
    with pytest.raises(BackupError, match="The backup is made, but the second place"):
        verbs.VERBS["copy"](order)


def test_what_could_not_be_unpacked_is_removed(source: Source, tmp_path: Path) -> None:
    backup = source.back_up()
    os.truncate(backup, backup.stat().st_size - 1)
    (tmp_path / "new").mkdir()
    with pytest.raises(BackupError):
        verbs.VERBS["unpack"]({"file": str(backup), "target": str(tmp_path / "new")})
    assert list((tmp_path / "new").iterdir()) == []


def test_too_many_files_for_the_memory_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_order: object) -> None:
        raise MemoryError

    monkeypatch.setattr(os, "nice", lambda _by: 0)
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setitem(verbs.VERBS, "look", fail)
    assert verbs.main("look", "{}") == 1
    assert "hint: leave the logs out" in capsys.readouterr().err
