"""Reading a run's log by byte offset."""

import pytest

from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import log, records
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run

FOLDER = "2026-11/1-abcdef12"
STORED = b"".join(
    [
        b"1000 O F first\n",
        b"1001 E F caf\xe9 \0\n",
        b"1002 S F Cancelled\n",
        b"1003 O P half \n",
        b"1004 O F and half\n",
        b"1005 O F \n",
        b"1006 O P last",
        b"\n",
    ]
)
WRITTEN = b"first\ncaf\xe9 \0\nhalf and half\n\nlast"

pytestmark = pytest.mark.django_db


def run_with(content: bytes | None) -> Run:
    """A run with this log; None: it has a folder and no log yet."""
    run = make_run(status=Status.RUNNING, folder=FOLDER)
    folder = paths.run_folder(FOLDER)
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "output.log").write_bytes(content)
    return run


def test_a_slice_is_what_is_stored() -> None:
    assert log.read_slice(run_with(STORED), 0) == (STORED, len(STORED))


def test_a_slice_ends_at_a_line_end() -> None:
    assert log.read_slice(run_with(STORED), 0, limit=20) == (b"1000 O F first\n", 15)


def test_slices_from_offset_to_offset_are_the_whole() -> None:
    run, offset, parts = run_with(STORED), 0, []
    while True:
        data, following = log.read_slice(run, offset, limit=25)
        if following == offset:
            break
        parts.append(data)
        offset = following
    assert (b"".join(parts), offset, len(parts) > 3) == (STORED, len(STORED), True)


def test_a_record_that_is_still_being_written_waits() -> None:
    assert log.read_slice(run_with(STORED + b"1007 O F un"), 0) == (STORED, len(STORED))


def test_at_the_end_there_is_nothing_and_the_offset_stays() -> None:
    assert log.read_slice(run_with(STORED), len(STORED)) == (b"", len(STORED))


def test_an_offset_beyond_the_end_gets_nothing() -> None:
    assert log.read_slice(run_with(STORED), 10_000) == (b"", 10_000)


def test_a_slice_always_holds_a_whole_record() -> None:
    longest = b"1795411695242 O P " + b"x" * 16 * 1024 + b"\n"
    data, _ = log.read_slice(run_with(longest * 10), 0)
    assert len(data) == len(longest) * (records.SLICE_BYTES // len(longest))


@pytest.mark.parametrize("content", [None, b""])
def test_without_a_log_there_is_nothing_and_no_error(content: bytes | None) -> None:
    run = run_with(content)
    assert log.read_slice(run, 0) == (b"", 0)
    assert (log.size(run), b"".join(log.script_bytes(run))) == (0, b"")


def test_a_run_that_never_began_has_no_log() -> None:
    run = make_run()
    assert (log.log_path(run), log.size(run), log.read_slice(run, 0)) == (None, 0, (b"", 0))


def test_records_tell_time_stream_and_whether_the_line_is_full() -> None:
    assert list(record_format.parse(b"1000 O F a b\n1001 E P \xff\n")) == [
        (1000, "O", True, b"a b"),
        (1001, "E", False, b"\xff"),
    ]


def test_what_the_script_wrote_comes_back_without_our_own_words() -> None:
    assert b"".join(log.script_bytes(run_with(STORED))) == WRITTEN


def test_what_the_script_wrote_comes_back_whole_when_it_is_longer_than_a_slice() -> None:
    count = 30_000
    stored = b"".join(b"1000 O F line %d\n" % number for number in range(count))
    chunks = list(log.script_bytes(run_with(stored)))
    assert b"".join(chunks) == b"".join(b"line %d\n" % number for number in range(count))
    assert len(chunks) > 1
