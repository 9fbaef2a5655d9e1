"""Killed at any point, a backup is whole or absent, and a restore ends with the old data or the new, never a mix."""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from tempo_site.backups import replacing, restoring
from tempo_site.backups.archive import creation, reading, unpacking, verbs
from tempo_site.backups.archive.manifest import BackupError
from tempo_site.backups.program import BackupFailed
from tempo_site.lib import files
from tests import mounts
from tests.tempo_site.backups.conftest import KEY, PASSPHRASE, Source

# What Python tells of before it is done; a process is killed at one of these.
STEPS = frozenset(
    {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate"}
)
ALL_POINTS, SOME_POINTS = 100, 10


def killed_at(point: int, act: Callable[[], object]) -> bool:
    """Call `act` in a process that is killed before its step of this number; False where it has fewer."""
    pid = os.fork()
    if pid == 0:
        left = [point]

        def count(name: str, _: object) -> None:
            if name in STEPS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        act()
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


def steps_of(act: Callable[[], object]) -> int:
    """How many steps an act has, as a process of its own counts them."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        done = [0]

        def count(name: str, _: object) -> None:
            if name in STEPS:
                done[0] += 1

        sys.addaudithook(count)
        act()
        os.write(writer, str(done[0]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = int(pipe.read())
    os.waitpid(pid, 0)
    return found


def content(data: Path) -> dict[str, bytes]:
    """The parts of a data folder that a restore replaces."""
    found = {}
    for name in (*replacing.WHOLE, *replacing.ALWAYS_THERE, *replacing.LOGS):
        for path in [data / name, *sorted((data / name).rglob("*"))]:
            if path.is_file():
                found[str(path.relative_to(data))] = path.read_bytes()
    found.pop("held", None)
    return found


@pytest.fixture
def present(tmp_path: Path) -> Path:
    """The data folder of a Tempo, as it is before."""
    data = tmp_path / "present"
    for name in ("scripts/old/files/a", "runs/2026-10/1-x/output.log", "search/2026-10.sqlite3"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_text("old")
    for name in ("tempo.sqlite3", "tempo.sqlite3-wal", "secret_key", "time_zone"):
        (data / name).write_text(f"old {name}")
    return data


def staged(source: Source, data: Path) -> dict[str, object]:
    """Unpack a backup beside the data; return its manifest."""
    backup = source.back_up(passphrase=PASSPHRASE, logs=True)
    return unpacking.unpack(backup, replacing.new_folder(data), passphrase=PASSPHRASE)


def restored(data: Path, manifest: dict[str, object]) -> None:
    restoring.begin(data, "made", manifest, now=timezone.now())
    replacing.finish(data)


def test_the_new_data_takes_the_place_of_the_old(source: Source, present: Path) -> None:
    before = content(present)
    restored(present, staged(source, present))
    (aside,) = present.glob("before-restore-*")
    assert (present / "secret_key").read_text() == KEY
    assert (present / "scripts/hello/files/data.txt").read_text() == "some text"
    assert not (present / "scripts/old").exists()
    assert content(aside) == {name: was for name, was in before.items() if name != "time_zone"}
    assert not (present / "restore").exists()


def test_what_scripts_have_stored_is_given_to_their_users_later(
    source: Source, present: Path
) -> None:
    restored(present, staged(source, present))
    assert (present / "scripts/hello/uploaded").exists()


def test_without_a_key_in_it_the_key_stays(source: Source, present: Path) -> None:
    manifest = unpacking.unpack(source.back_up(), replacing.new_folder(present), passphrase="")
    restored(present, manifest)
    assert (present / "secret_key").read_text() == "old secret_key"


def assert_old_or_new_at(
    source: Source, present: Path, tmp_path: Path, chosen: Callable[[int], list[int]]
) -> None:
    """Kill a restore at points of its way; the next start finds the old data or the new as a whole."""
    before = content(present)
    manifest = staged(source, present)
    whole = shutil.copytree(present, tmp_path / "whole")
    count = steps_of(lambda: restored(whole, manifest))
    after = content(whole)
    assert after != before
    for point in chosen(count):
        data = shutil.copytree(present, tmp_path / f"tried{point}")
        assert killed_at(point, lambda data=data: restored(data, manifest))  # type: ignore[misc]
        if replacing.is_begun(data):
            replacing.finish(data)
        found = content(data)
        assert found in (before, after), f"a mix after a kill at step {point}"
        assert (data / "held").exists() == (found == after)


def some(count: int) -> list[int]:
    return random.Random(7).sample(range(count), min(SOME_POINTS, count))


def test_killed_on_the_way_it_is_the_old_or_the_new(
    source: Source, present: Path, tmp_path: Path
) -> None:
    assert_old_or_new_at(source, present, tmp_path, some)


@pytest.mark.chaos
def test_killed_anywhere_it_is_the_old_or_the_new(
    source: Source, present: Path, tmp_path: Path
) -> None:
    assert_old_or_new_at(
        source, present, tmp_path, lambda count: list(range(min(count, ALL_POINTS)))
    )


def test_killed_while_it_is_finished_it_is_finished_by_the_next(
    source: Source, present: Path, tmp_path: Path
) -> None:
    restoring.begin(present, "made", staged(source, present), now=timezone.now())
    whole = shutil.copytree(present, tmp_path / "whole")
    for point in some(steps_of(lambda: replacing.finish(whole))):
        data = shutil.copytree(present, tmp_path / f"tried{point}")
        assert killed_at(point, lambda data=data: replacing.finish(data))  # type: ignore[misc]
        killed_at(2, lambda data=data: replacing.finish(data))  # type: ignore[misc]
        if replacing.is_begun(data):
            replacing.finish(data)
        assert (data / "scripts/hello/files/data.txt").read_text() == "some text"
        assert (data / "secret_key").read_text() == KEY
        assert not (data / "tempo.sqlite3-wal").exists()


def test_a_killed_backup_is_whole_or_absent(source: Source) -> None:
    before = {path: path.read_bytes() for path in source.folder.rglob("*") if path.is_file()}
    for point in some(steps_of(source.back_up)):
        shutil.rmtree(source.backups)
        source.backups.mkdir()
        killed_at(point, source.back_up)
        made = source.backups / "made"
        if made.exists():
            reading.check(made, passphrase="")
        reading.check(source.back_up("next"), passphrase="")
        left = {path.name for path in source.backups.iterdir()} - {"made", "made.json"}
        assert left == {".lock", "next", "next.json"}
    assert {path: path.read_bytes() for path in before} == before


def test_killed_while_it_unpacks_it_is_the_old_and_the_next_one_is_whole(
    source: Source, present: Path
) -> None:
    backup, before = source.back_up(), content(present)

    def unpack() -> object:
        return unpacking.unpack(backup, replacing.new_folder(present), passphrase="")

    for point in some(steps_of(unpack)):
        assert killed_at(point, unpack)
        assert content(present) == before and not replacing.is_begun(present)
    restored(present, unpack())  # type: ignore[arg-type]
    assert (present / "scripts/hello/files/data.txt").read_text() == "some text"


@pytest.mark.parametrize("is_unpacked", [False, True])
def test_a_disk_that_fills_up_on_the_way_changes_nothing(
    source: Source,
    present: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_unpacked: bool,
) -> None:
    monkeypatch.setattr(unpacking, "ROOM", -(2**40))  # as if there had been room a moment ago
    backup, before = source.back_up(), content(present)
    with mounts.small_disk(tmp_path / "small", 1) as disk:
        data = disk / "data"
        shutil.copytree(present, data)
        if not is_unpacked:
            fill(disk)
        with pytest.raises(OSError, match="No space left"):
            order = {"file": str(backup), "target": str(replacing.new_folder(data))}
            manifest = verbs.VERBS["unpack"](order)
            fill(disk)
            restoring.begin(data, "made", manifest, now=timezone.now())
        assert content(data) == before and not replacing.is_begun(data)


def fill(disk: Path) -> None:
    """Leave no room for another page, nor for another folder."""
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_full_second_place_keeps_no_half_of_a_copy(source: Source, tmp_path: Path) -> None:
    (source.files / "noise").write_bytes(random.Random(6).randbytes(100_000))
    backup = source.back_up()
    with mounts.small_disk(tmp_path / "small", 1) as disk:
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            verbs.VERBS["copy"]({"file": str(backup), "place": str(disk), "remove": []})
        assert [left.name for left in disk.iterdir()] == ["filler"]


def test_a_journal_that_is_damaged_is_said(source: Source, present: Path) -> None:
    restoring.begin(present, "made", staged(source, present), now=timezone.now())
    (present / "restore" / "journal.json").write_text(json.dumps({"aside": "../elsewhere"}))
    with pytest.raises(replacing.CannotReplace, match=r"journal\.json"):
        replacing.finish(present)


def test_while_one_is_under_way_no_other_begins(source: Source, present: Path) -> None:
    restoring.begin(present, "made", staged(source, present), now=timezone.now())
    with pytest.raises(replacing.CannotReplace, match="Another restore"):
        replacing.new_folder(present)


def test_a_disk_that_is_full_changes_nothing(
    source: Source, present: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, before = source.back_up(), content(present)
    monkeypatch.setattr(unpacking, "ROOM", 2**60)
    with pytest.raises(BackupError, match="hint: make room"):
        unpacking.unpack(backup, replacing.new_folder(present), passphrase="")
    assert content(present) == before
    assert creation.WORK not in {path.name for path in present.iterdir()}


@pytest.mark.parametrize("left", [0.0, 0.5])
def test_a_damaged_backup_leaves_nothing_in_a_new_place(source: Source, left: float) -> None:
    (source.files / "noise").write_bytes(random.Random(7).randbytes(300_000))
    backup = source.back_up()
    os.truncate(backup, int(backup.stat().st_size * left))
    new, empty = source.folder.with_name("new"), source.folder.with_name("empty")
    empty.mkdir()
    for place in (new / "data", empty):
        with pytest.raises(BackupFailed):
            restoring.restore(backup, place, passphrase="", now=timezone.now())
    assert (new.exists(), list(empty.iterdir())) == (False, [])


@pytest.mark.parametrize("name", ["service.lock", "engine.lock"])
def test_a_tempo_that_runs_is_not_replaced_under_its_feet(
    source: Source, present: Path, name: str
) -> None:
    before = content(present)
    (present / "run").mkdir()
    with files.locked(present / "run" / name), pytest.raises(BackupFailed, match="stop it first"):
        restoring.restore(source.back_up(), present, passphrase="", now=timezone.now())
    assert content(present) == before


@pytest.mark.parametrize(
    "name", ["scripts", "scripts/old/files", "scripts/a b", "secret_key", "runs/2026-10"]
)
def test_a_part_that_is_mounted_by_itself_is_refused_before_anything_moves(
    present: Path, name: str
) -> None:
    part = present / name
    if not part.exists():
        part.mkdir()
    mounts.call("mount", "--bind", part, part)  # of the same disk
    try:
        with pytest.raises(replacing.CannotReplace, match=f"`{part}` is mounted by itself"):
            restoring.prepare(present / "made", present)
    finally:
        mounts.unmount(part)
    assert not (present / "restore").exists()


@pytest.mark.parametrize(
    ("file", "to", "words"),
    [
        ("x" * 300, "data", r"File name too long \(.*x\)"),
        ("made", "made/below", r"Not a directory \(.*made/below\)"),
        ("made", "made", r"File exists \(.*made\)"),
    ],
)
def test_a_place_that_cannot_be_is_said(
    source: Source, tmp_path: Path, file: str, to: str, words: str
) -> None:
    folder = source.back_up().parent
    with pytest.raises(BackupFailed, match=words):
        restoring.restore(folder / file, folder / to, passphrase="", now=timezone.now())
