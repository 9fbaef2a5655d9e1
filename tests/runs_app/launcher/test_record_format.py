"""The format of `output.log`: its one definition, and everything that reads or writes it agree.

There are four readers: `record_format.parse`, the lines of a run, the script in the page, and the harness of these
tests, which shares no code with the others.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest

from runs_app.launcher.output import log_file, record_format
from runs_app.launcher.output.record_format import FULL, PIECE, STDERR, STDOUT, SYSTEM
from runs_app.output.line_index import LineIndex
from tests.rows import each_row
from tests.runs_app.launcher.harness import parse_log

SCRIPTS = Path(__file__).parents[3] / "static" / "js"
# Playwright brings the Node that it runs on: the suite needs no other.
NODE = Path(playwright.__file__).parent / "driver" / "node"
LINES_BY_THE_PAGE = """
import { text } from "node:stream/consumers";
import { Lines } from "./js/log-lines.js";
const lines = new Lines(1, { changed() {} });
const stored = await text(process.stdin);
lines.add(stored, stored.length);
process.stdout.write(JSON.stringify(lines.get(0)));
"""

# One of each kind: streams, pieces, a clock of few and of many digits, and text that looks like something else.
RECORDS = [
    (1_790_000_000_000, "O", True, b"hello"),
    (1_790_000_000_001, "E", False, b"half of "),
    (1_790_000_000_001, "O", True, b""),
    (1_790_000_000_002, "S", True, b"Cancelled"),
    (1_790_000_000_003, "E", True, b"a line"),
    (7, "O", True, b" 1790000000004 E P not a head "),
    (123_456_789_012_345, "O", False, b"caf\xc3\xa9 \xff\0"),
]
STORED = (
    b"1790000000000 O F hello\n"
    b"1790000000001 E P half of \n"
    b"1790000000001 O F \n"
    b"1790000000002 S F Cancelled\n"
    b"1790000000003 E F a line\n"
    b"7 O F  1790000000004 E P not a head \n"
    b"123456789012345 O P caf\xc3\xa9 \xff\0\n"
)
FIRST = STORED.splitlines(keepends=True)[0]
LINES = [
    (1_790_000_000_000, "O", "hello"),
    (1_790_000_000_001, "E", "half of a line"),
    (1_790_000_000_001, "O", ""),
    (1_790_000_000_002, "S", "Cancelled"),
    (7, "O", " 1790000000004 E P not a head "),
    (123_456_789_012_345, "O", "caf\xe9 \N{REPLACEMENT CHARACTER}\0"),
]
TORN = [
    b"\0" * 40,
    b"1790000000000 O F",
    b"1790000000000 X F text",
    b"1790000000000 O Q text",
    b"1790000000000 O text",
    b"-1 O F text",
    b" 1 O F text",
    b"1234567890123456 O F text",
    b"O F text",
    b"",
]


def lines_of_the_index(tmp_path: Path, stored: bytes) -> list[tuple[int, str, str]]:
    path = tmp_path / "output.log"
    path.write_bytes(stored)
    return [
        (line.epoch_ms, line.stream, line.text) for line in LineIndex(path).window(1, 100).lines
    ]


def lines_of_the_page(tmp_path: Path, stored: bytes) -> list[tuple[int, str, str]]:
    """What the page makes of these records; it gets them as text, as from a WebSocket."""
    shutil.copytree(SCRIPTS, tmp_path / "js")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "lines.js").write_text(LINES_BY_THE_PAGE)
    text = stored.decode(errors="replace")
    answer = subprocess.run(
        [NODE, "lines.js"], input=text.encode(), cwd=tmp_path, capture_output=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr.decode()
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return [(line["t"], line["s"], line["x"]) for line in found]


def test_the_definition_reads_every_record() -> None:
    assert list(record_format.parse(STORED)) == RECORDS


def test_the_definition_writes_every_record() -> None:
    written = b""
    for epoch_ms, stream, is_full, text in RECORDS:
        kind = FULL if is_full else PIECE
        written += record_format.head(epoch_ms, stream.encode(), kind) + text + b"\n"
    assert written == STORED


def test_the_harness_reads_every_record() -> None:
    found = [(at, stream, kind == "F", text) for at, stream, kind, text in parse_log(STORED)]
    assert found == RECORDS


def test_the_lines_of_a_run_are_those_of_its_records(tmp_path: Path) -> None:
    assert lines_of_the_index(tmp_path, STORED) == LINES


def test_the_page_shows_the_lines_of_its_records(tmp_path: Path) -> None:
    assert lines_of_the_page(tmp_path, STORED) == LINES


def test_every_reader_skips_what_a_power_cut_has_torn(tmp_path: Path) -> None:
    torn = b"".join(line + b"\n" + FIRST for line in TORN)
    whole = FIRST * len(TORN)
    assert list(record_format.parse(torn)) == list(record_format.parse(whole))
    expected = [LINES[0]] * len(TORN)
    assert lines_of_the_index(tmp_path, torn) == expected
    assert lines_of_the_page(tmp_path, torn) == expected


@pytest.mark.parametrize("at_ms", [1_000_000_000_000, 9_999_999_999_999])
@each_row("stream", [STDOUT, STDERR, SYSTEM])
def test_the_usual_head_is_that_of_a_full_line_of_today(at_ms: int, stream: bytes) -> None:
    head = record_format.head(at_ms, stream, FULL)
    assert len(head) == record_format.USUAL_HEAD_BYTES
    assert re.fullmatch(record_format.USUAL_HEAD_PATTERN, head)
    assert not re.match(record_format.USUAL_HEAD_PATTERN, record_format.head(at_ms, stream, PIECE))


def test_what_the_runner_writes_is_read_by_all(tmp_path: Path) -> None:
    log = log_file.Log(os.open(tmp_path, os.O_RDONLY))
    log.add(STDOUT, FULL, [b"one", b"two"])
    log.add(STDERR, PIECE, [b"three"])
    log.say("four")
    log.flush()
    stored = (tmp_path / "output.log").read_bytes()
    texts = [("O", "one"), ("O", "two"), ("E", "three"), ("S", "four")]
    parsed = [(stream, text.decode()) for _, stream, _, text in record_format.parse(stored)]
    assert parsed == texts
    assert [(record.stream, record.text.decode()) for record in parse_log(stored)] == texts
    assert [line[1:] for line in lines_of_the_index(tmp_path, stored)] == texts
    assert [line[1:] for line in lines_of_the_page(tmp_path, stored)] == texts
