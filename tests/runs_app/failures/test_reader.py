"""Reading the end of stderr: whatever bytes it holds, in a time in proportion to its length."""

import random
import sys
from pathlib import Path

import pytest

from runs_app.failures import error_output
from runs_app.states import Status
from tests.corpus.tracebacks import make_logs
from tests.corpus.tracebacks.reading import explain, explain_records, records, run_end
from tests.rows import each_row
from tests.runs_app.history.finished_runs import ended

KB = 1024
MAX_CALLS = 40_000  # 20 for each of the lines that are read
LOGS = sorted((Path(make_logs.HERE) / "logs").iterdir())
HOSTILE = {
    "headers": b"Traceback (most recent call last):\n",
    "words in a line": b"Traceback ",
    "short lines": b"x\n",
    "joints": b"During handling of the above exception, another exception occurred:\nTraceback\n\n",
    "rulers": b"  +-+---------------- 1 ----------------\n    | E\n",
    "margins": b"  | " * 20 + b"\n",
    "dashes": b"  +-" + b"-+" * 100,
    "quotes": b'  File "' + b'"' * 100 + b"\n",
    "escapes": b"\x1b[0;",
    "spaces": b"  ",
    "any bytes": bytes(range(256)),
    "tracebacks": LOGS[0].read_bytes(),
}


def calls_for(stderr: bytes) -> int:
    """How many functions are called to explain this, C's among them."""
    log, end = records(stderr), run_end(1)
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        explain_records(log, end)
    finally:
        sys.setprofile(before)
    return count


@each_row("piece", HOSTILE.values())
def test_the_work_is_bounded(piece: bytes) -> None:
    small = calls_for((piece * (64 * KB))[: 64 * KB])
    large = calls_for((piece * (512 * KB))[: 512 * KB])
    assert large <= 9 * small
    assert large < MAX_CALLS


def test_any_mixture_of_lines_is_explained() -> None:
    chance = random.Random(17)
    endings: list[int | str] = [1, "SIGSEGV"]
    lines = [line for log in LOGS for line in log.read_bytes().split(b"\n")]
    for _ in range(300):
        mixed = b"\n".join(chance.choices(lines, k=30))
        found = explain(mixed, chance.choice(endings))
        assert found and found.title and found.fingerprint


def test_of_much_output_the_end_is_read() -> None:
    found = error_output.last_lines(records(b"early\n" + b"x\n" * 3000 + b"last\r"))
    assert len(found) == error_output.MAX_LINES
    assert found[-2:] == ["last", ""]


@pytest.mark.django_db
def test_of_a_large_log_only_the_end_is_read() -> None:
    run, folder = ended(status=Status.FAILED)
    stdout = b"1764000000000 O F Traceback (most recent call last):\n" * 4000
    log = records(b"early") + stdout * 5 + records(b"first\r\nsecond") + stdout
    (folder / "output.log").write_bytes(log)
    assert error_output.last_lines_of_run(run) == ["first", "second", ""]


def test_pieces_of_a_line_are_put_together() -> None:
    log = b"1 E P Value\n2 O F between\n3 E F Error: x\n4 S F Tempo's own\n"
    assert error_output.last_lines(log) == ["ValueError: x", ""]
