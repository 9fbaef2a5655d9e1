"""Progress bars of every kind, as they reach the log, and what a reader sees of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from runs_app.output import cursors, terminal
from runs_app.output.cursors import Cursors
from runs_app.output.line_index import LineIndex
from runs_app.output.line_search import search
from runs_app.output.terminal import BEGIN, MAX_CELLS, Written, plain_text, write
from tests.rows import each_row
from tests.runs_app.output.test_lines import log, record, texts

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "terminal.json").read_text()
)["cases"]


def stored(case: dict[str, Any]) -> bytes:
    return b"".join(
        record(stream, text, kind="F" if is_full else "P")
        for stream, text, is_full in case["records"]
    )


def shown(index: LineIndex) -> list[str]:
    """What a page shows of a whole log."""
    return [plain_text(text).rstrip("\r") for text in texts(index.window(1, 1000).lines)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_log_shows_what_a_terminal_would(tmp_path: Path, case: dict[str, Any]) -> None:
    assert shown(LineIndex(log(tmp_path, stored(case)))) == case["lines"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_log_that_grows_shows_the_same(tmp_path: Path, case: dict[str, Any]) -> None:
    path = log(tmp_path, b"")
    index = LineIndex(path)
    for data in stored(case).splitlines(keepends=True):
        with path.open("ab") as growing:
            growing.write(data)
        index.last(1)
    assert shown(index) == case["lines"]


def test_bars_of_several_lines_are_found_whole_over_many_blocks(tmp_path: Path) -> None:
    def round_of(number: int) -> bytes:
        bars = [record("E", f"bar {bar}: {number:05d} {'.' * 200}") for bar in range(3)]
        return record("O", f"line {number}") + record("E", "\x1b[3A", kind="P") + b"".join(bars)

    first = b"".join(record("E", f"bar {bar}") for bar in range(3))
    index = LineIndex(log(tmp_path, first + b"".join(map(round_of, range(2000)))))
    assert [text[:12] for text in texts(index.window(1, 4).lines)] == [
        "bar 0: 01999",
        "bar 1: 01999",
        "bar 2: 01999",
        "line 0",
    ]
    assert index.total == 2003
    assert search(index, "bar 1: 01999").numbers == [2]
    assert search(index, "bar 1: 00500").numbers == []


def test_what_was_written_over_is_not_found(tmp_path: Path) -> None:
    index = LineIndex(log(tmp_path, record("O", "10%\x1b[2K\x1b[1Gdone") + record("O", "at 1\b2")))
    assert search(index, "10%").numbers == []
    assert (search(index, "done").numbers, search(index, "at 2").numbers) == ([1], [2])


def test_a_page_is_told_where_each_stream_goes_on(tmp_path: Path) -> None:
    data = (
        record("E", "one") + record("E", "two\x1b[A", kind="P") + record("O", "bar 1\b", kind="P")
    )
    window = LineIndex(log(tmp_path, data)).last(10).as_json()
    assert window["cursors"] == {
        "E": {"rows": [1, 2], "at": 0, "pending": "\r"},
        "O": {"rows": [3], "at": 0, "pending": ""},
    }
    assert window["lines"][2] == {"t": 1_790_000_000_000, "s": "O", "x": "bar 1", "o": True, "b": 1}


def test_a_colour_stays_where_it_was_written() -> None:
    line = write(Written("\x1b[31mab\x1b[0mcd"), "\b\b\bX")
    assert line == Written("\x1b[0m\x1b[31ma\x1b[0mXcd", 2)


def test_a_spinner_in_colours_does_not_grow() -> None:
    line = Written("")
    lengths = set()
    for _ in range(200):
        line = write(line, "\x1b[32m|\x1b[0m\b")
        lengths.add(len(line.text))
    assert max(lengths) < 20


@each_row(
    "text",
    [
        "y\b" * 8000,
        "\b" * 16_000,
        "\x1b[9999G" * 1000 + "end",
        "\x1b[31m" * 2000 + "x",
        "\x1b[2G|" * 500,
    ],
)
def test_a_line_that_is_written_over_stays_bounded(text: str) -> None:
    line = write(Written("x" * 10_000, 5), text)
    assert len(line.text) <= 2 * MAX_CELLS + 16_000
    assert 0 <= line.back <= BEGIN + len(text)


def test_cursors_keep_no_more_than_a_screen() -> None:
    state = Cursors()
    for number in range(500):
        list(state.follow("O", b"line %d" % number, is_full=True))
    assert [piece.number for piece in state.follow("O", b"\x1b[999Atop", is_full=True)] == [
        500 - cursors.SCREEN_ROWS + 1
    ]
    assert terminal.has_moves(b"\r") and not terminal.has_moves(b"\x1b[31mred")
