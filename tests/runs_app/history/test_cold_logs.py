"""Cold logs: the same bytes and lines everywhere, one frame read for a page, never without a readable log."""

import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from runs_app.failures import error_output
from runs_app.figures import counting, reading
from runs_app.history import cold_logs, retention
from runs_app.models import Run
from runs_app.output import cold_log, frame_codec, lines, log, stored_log
from runs_app.output.cold_log import FRAME_BYTES, ColdLog
from runs_app.output.line_index import LineIndex
from runs_app.output.live import LiveTail
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_script
from tests.service import ROOT

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
STEPS = range(1, 9)
# Compresses the log of one folder after the other, each in a child that is killed before its n-th step.
COMPRESS = """
import os, sys
from pathlib import Path
import django
django.setup()
from runs_app.history import cold_logs
left = 0
def counted(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)
        return function(*args, **kwargs)
    return call
for name in ("ftruncate", "write", "fsync", "rename", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
for left, folder in enumerate(sys.argv[1:], 1):
    child = os.fork()
    if child == 0:
        cold_logs.compress(Path(folder))
        os._exit(0)
    os.waitpid(child, 0)
"""


def records(count: int, seed: int = 1) -> bytes:
    """So many records of both streams, with words that compress about as well as real ones."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        stream = chance.choice("OOOE")
        made.append(f"{1764000000000 + number} {stream} F line {number} of {chance.random()}\n")
    return "".join(made).encode()


def logged(content: bytes, **fields: object) -> Run:
    """A run that ended two days ago, with this log."""
    at = NOW - timedelta(days=2)
    values = {"status": Status.SUCCEEDED, "finished_at": at, "created_at": at, **fields}
    run = make_run(make_script(), log_bytes=len(content), archived_at=at, **values)
    run.folder = f"2026-11/{run.pk}-abcdef12"
    run.save()
    folder_of(run).mkdir(parents=True)
    (folder_of(run) / log.LOG).write_bytes(content)
    return run


def whole(client: Client, address: str) -> bytes:
    """All that is sent from this address, piece by piece."""
    response = client.get(address)
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]  # it is a stream


def folder_of(run: Run) -> Path:
    """Where a run's files lie."""
    return paths.run_folder(run.folder)


def content_of(folder: Path) -> bytes | None:
    """The bytes that readers find in a folder."""
    stored = stored_log.open_stored(folder / log.LOG)
    if stored is None:
        return None
    try:
        return stored.pread(stored.size, 0)
    finally:
        stored.close()


def test_an_old_log_is_read_everywhere_as_before(program: Client, browser: Client) -> None:
    content = records(9000) + b"1764000009999 O P piece\n1764000009999 S F of Tempo\n"
    run = logged(content)
    asked: list[Callable[[], object]] = [
        lambda: content_of(folder_of(run)),
        lambda: log.size(run),
        lambda: log.read_slice(run, 0),
        lambda: b"".join(log.script_bytes(run)),
        lambda: lines.window(run, 4000, 100).as_json(),
        lambda: lines.last(run, 20).as_json(),
        lambda: lines.search(run, "line 777 ").numbers,
        lambda: whole(program, f"/api/v1/runs/{run.pk}/log?download=true"),
        lambda: program.get(f"/api/v1/runs/{run.pk}/output?offset=65482").content,
        lambda: browser.get(f"/runs/{run.pk}/lines?last=5").content,
        lambda: LiveTail(run.folder).read(0),
    ]
    before = [ask() for ask in asked]
    assert cold_logs.compress_old(now=NOW) == 1
    assert {entry.name for entry in folder_of(run).iterdir()} == {cold_log.NAME}
    assert [ask() for ask in asked] == before


STREAM = {"rows": [1], "at": 1, "pending": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"end": 10**9},
        {"end": float("inf")},
        {"blocks": [[-5, 0, False, [0, [], {}]]]},
        {"blocks": [[0, 0, False, [0, [], {"O": {**STREAM, "at": -7}}]]]},
        {"cursors": [9, [], {"O": {**STREAM, "rows": ["x"]}}]},
        {"spread": [[1, [77]]]},
        {"spread": [[1, ["x"]]]},
        {"blocks": [[0, 0, False, [0, [], {}]]], "end": 150_000},
    ],
)
def test_an_index_of_lines_that_a_script_invented_is_not_believed(
    tmp_path: Path, change: dict[str, object]
) -> None:
    content = records(4000) + b"1764000009000 O P a\n1764000009000 O F b\n"
    (tmp_path / log.LOG).write_bytes(content)
    plain = LineIndex(tmp_path / log.LOG)
    before, lines = plain.window(1, 5000).as_json(), {**plain.stored(), **change}
    (tmp_path / log.LOG).unlink()
    parts = [content[at : at + FRAME_BYTES] for at in range(0, len(content), FRAME_BYTES)]
    descriptor = os.open(tmp_path / cold_log.NAME, os.O_CREAT | os.O_WRONLY)
    cold_log.write(descriptor, iter(parts), identity=1, lines=lines)
    os.close(descriptor)
    assert LineIndex(tmp_path / log.LOG).window(1, 5000).as_json() == before


def test_a_late_page_of_a_cold_log_reads_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    run = logged(records(60_000))
    cold_logs.compress_old(now=NOW)
    opened: list[ColdLog] = []
    real = ColdLog.__init__

    def noting(self: ColdLog, descriptor: int) -> None:
        real(self, descriptor)
        opened.append(self)

    monkeypatch.setattr(ColdLog, "__init__", noting)
    index = LineIndex(folder_of(run) / log.LOG)
    shown = index.window(50_000, 20).lines
    assert (shown[0].number, shown[0].text.split(" of ")[0]) == (50_000, "line 49999")
    assert index.total == 60_000
    assert sum(each.frames_read for each in opened) == 1


def test_progress_bars_keep_their_lines_without_a_scan() -> None:
    bars = [f"{1764000000000 + n} O P \r{n} %\n".encode() for n in range(100)]
    content = b"".join(bars) + b"1764000000200 O F done\n" + records(50)
    run = logged(content)
    before = lines.window(run, 1, 10).as_json()
    cold_logs.compress(folder_of(run))
    index = LineIndex(folder_of(run) / log.LOG)
    assert index.end == len(content)
    assert index.window(1, 10).as_json() == before


def test_young_small_and_running_logs_stay_as_they_are() -> None:
    young = logged(records(100), finished_at=NOW - HOUR)
    small = logged(b"1764000000000 O F hello\n")
    assert cold_logs.compress_old(now=NOW) == 0
    assert all((folder_of(run) / log.LOG).exists() for run in (young, small))


def test_each_log_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_logs, "BATCH", 2)
    runs = [logged(records(100)) for _ in range(5)]  # all ended at the same moment
    assert cold_logs.compress_old(now=NOW) == 5
    assert not any((folder_of(run) / log.LOG).exists() for run in runs)
    assert cold_logs.compress_old(now=NOW) == 0


def test_a_history_without_logs_to_compress_costs_one_look(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_logs, "BATCH", 2)
    for _ in range(5):
        logged(b"1764000000000 O F hello\n")
    cold_logs.compress_old(now=NOW)
    with django_assert_num_queries(2):  # the mark, and the look
        assert cold_logs.compress_old(now=NOW) == 0


def test_a_turn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_logs, "BATCH", 1)
    monkeypatch.setattr(cold_logs, "MAX_A_TURN", 2)
    for _ in range(3):
        logged(records(100))
    turns = [cold_logs.compress_old(now=NOW) for _ in range(3)]
    assert turns == [2, 1, 0]


def test_a_folder_that_refuses_does_not_hold_up_the_others() -> None:
    gone, other = logged(records(100)), logged(records(100))
    (folder_of(gone) / log.LOG).unlink()
    (folder_of(gone) / log.LOG).mkdir()
    assert cold_logs.compress_old(now=NOW) == 1
    assert (folder_of(other) / cold_log.NAME).exists()


def test_a_log_that_is_deleted_meanwhile_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = logged(records(100))
    frames = cold_logs._frames
    monkeypatch.setattr(
        cold_logs, "_frames", lambda plain: frames_after_deletion(run, frames(plain))
    )
    assert cold_logs.compress_old(now=NOW) == 0
    assert not folder_of(run).exists() and not caplog.records


def frames_after_deletion(run: Run, frames: Iterator[bytes]) -> Iterator[bytes]:
    """The frames of a log whose folder goes before the first of them is read."""
    shutil.rmtree(folder_of(run))
    yield from frames


def test_disk_by_script_and_retention_know_the_smaller_size() -> None:
    run = logged(records(5000))
    counting.count_all()
    cold_logs.compress_old(now=NOW)
    run.refresh_from_db()
    size = (folder_of(run) / cold_log.NAME).stat().st_size
    days = reading.days_of_script(run.script_id or 0, since=NOW.date() - timedelta(days=9))
    assert (
        run.log_bytes
        == size
        == reading.total_since(days, NOW.date() - timedelta(days=9)).kept_bytes
    )
    retention.prune(now=NOW + timedelta(days=60))
    assert not folder_of(run).exists()


def test_logs_take_less_than_a_third() -> None:
    content = records(20_000)
    run = logged(content)
    assert (cold_logs.compress(folder_of(run)) or 0) < 0.3 * len(content)


@pytest.mark.parametrize("size", [1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1])
def test_frames_end_where_they_should(tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)
    (tmp_path / log.LOG).write_bytes(content)
    cold_logs.compress(tmp_path)
    stored = stored_log.open_stored(tmp_path / log.LOG)
    assert stored is not None
    assert (stored.pread(size + 9, 0), stored.pread(9, size)) == (content, b"")
    assert stored.pread(3, size - 1) == content[-1:]
    stored.close()


def test_logs_compressed_by_zlib_before_are_read_for_ever(tmp_path: Path) -> None:
    content = records(9000)
    frames = [content[at : at + FRAME_BYTES] for at in range(0, len(content), FRAME_BYTES)]
    packed = [zlib.compress(frame, 6) for frame in frames]
    ends = list(itertools.accumulate(map(len, packed)))
    known = {
        "size": len(content),
        "ends": ends,
        "checksums": [zlib.crc32(frame) for frame in frames],
        "identity": 1234,
        "lines": None,
    }
    index = zlib.compress(json.dumps(known).encode(), 6)
    foot = struct.pack("<QQ8s", ends[-1], len(index), b"TempoLg1")
    (tmp_path / "output.cold").write_bytes(b"".join(packed) + index + foot)
    assert len(frames) > 1 and content_of(tmp_path) == content


def test_without_zstandard_zlib_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = records(4000)
    (tmp_path / log.LOG).write_bytes(content)
    monkeypatch.setattr(frame_codec, "zstandard", lambda: None)
    cold_logs.compress(tmp_path)
    assert content_of(tmp_path) == content
    monkeypatch.undo()
    assert content_of(tmp_path) == content


def test_a_log_of_zstandard_without_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / log.LOG).write_bytes(records(100))
    cold_logs.compress(tmp_path)
    monkeypatch.setattr(frame_codec, "zstandard", lambda: None)
    assert content_of(tmp_path) is None
    assert "frames of zstd, which this Python cannot read" in caplog.text


def test_a_kill_at_any_step_leaves_a_readable_log(tmp_path: Path) -> None:
    content = records(4000)
    folders = [tmp_path / str(step) for step in STEPS]
    for folder in folders:
        folder.mkdir()
        (folder / log.LOG).write_bytes(content)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tempo_site.settings"}
    environment["PYSCHED_DATA_PATH"] = str(tmp_path / "data")
    command = [sys.executable, "-c", COMPRESS, *map(str, folders)]
    subprocess.run(command, cwd=ROOT, env=environment, timeout=60, check=True)
    left = [frozenset(entry.name for entry in folder.iterdir()) for folder in folders]
    assert left[0] == {log.LOG, cold_logs.TEMPORARY} and left[-1] == {cold_log.NAME}
    assert {log.LOG, cold_log.NAME} in left  # killed between the rename and the removal
    assert all(content_of(folder) == content for folder in folders)
    for folder in folders:
        cold_logs.compress(folder)  # the next turn finishes
        assert content_of(folder) == content
        assert {entry.name for entry in folder.iterdir()} == {cold_log.NAME}


def test_a_damaged_frame_reads_as_nuls_and_the_others_as_they_were(tmp_path: Path) -> None:
    content = random.Random(5).randbytes(3 * FRAME_BYTES)
    (tmp_path / log.LOG).write_bytes(content)
    cold_logs.compress(tmp_path)
    with (tmp_path / cold_log.NAME).open("r+b") as file:
        file.seek(FRAME_BYTES + 5000)
        file.write(b"spoilt")
    read = content_of(tmp_path) or b""
    assert read[:FRAME_BYTES] == content[:FRAME_BYTES]
    assert read[FRAME_BYTES : 2 * FRAME_BYTES] == b"\0" * FRAME_BYTES
    assert read[2 * FRAME_BYTES :] == content[2 * FRAME_BYTES :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 23,
        b"\0" * 100,
        cold_log._FOOT.pack(0, 2**60, cold_log._MAGIC),
        zlib.compress(b"[]") + cold_log._FOOT.pack(0, len(zlib.compress(b"[]")), cold_log._MAGIC),
    ],
    ids=["empty", "short", "nothing", "huge", "no index"],
)
def test_whatever_stands_in_its_place_is_no_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / cold_log.NAME).write_bytes(content)
    assert content_of(tmp_path) is None


def test_the_last_lines_of_stderr_are_read_without_the_frames_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = records(40_000)
    run = logged(content)
    plain = error_output.last_lines_of_run(run)
    assert cold_logs.compress_old(now=NOW) == 1
    frames = []
    unpack = ColdLog._unpack

    def counted(self: ColdLog, number: int) -> bytes:
        frames.append(number)
        return unpack(self, number)

    monkeypatch.setattr(ColdLog, "_unpack", counted)
    assert error_output.last_lines_of_run(run) == plain != []
    looked_at = error_output.MAX_LOG_BYTES // FRAME_BYTES + 1
    assert 0 < len(frames) <= looked_at < len(content) // FRAME_BYTES
