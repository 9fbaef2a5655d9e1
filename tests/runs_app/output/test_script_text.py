"""Parts of a text: from a line on, the last lines, bytes."""

import pytest

from runs_app.output import script_text
from runs_app.output.script_text import OutOfRange
from tests.rows import each_row

PARTS = [b"one\ntw", b"", b"o\nthree\nfo", b"ur"]


@each_row(
    ("first", "left"),
    [
        (1, b"one\ntwo\nthree\nfour"),
        (2, b"two\nthree\nfour"),
        (3, b"three\nfour"),
        (4, b"four"),
        (5, b""),
        (2**53, b""),
    ],
)
def test_it_begins_with_a_line(first: int, left: bytes) -> None:
    assert b"".join(script_text.from_line(PARTS, first)) == left


@each_row(
    ("parts", "count", "first"),
    [
        (PARTS, 1, 4),
        (PARTS, 3, 2),
        (PARTS, 100, 1),
        ([b"one\ntwo\n"], 1, 2),
        ([b"one\ntwo\n", b""], 1, 2),
        ([], 5, 1),
    ],
)
def test_it_knows_where_the_last_lines_begin(parts: list[bytes], count: int, first: int) -> None:
    assert script_text.first_of_last(parts, count) == first


@each_row(
    ("header", "said"),
    [
        ("bytes=0-0", "bytes 0-0/10"),
        ("bytes=2-5", "bytes 2-5/10"),
        ("bytes=4-", "bytes 4-9/10"),
        ("bytes=-3", "bytes 7-9/10"),
        ("bytes=-30", "bytes 0-9/10"),
        ("bytes=9-99", "bytes 9-9/10"),
        ("bytes=5-2", "None"),
        ("bytes=-", "None"),
        ("bytes=0-1,3-4", "None"),
        ("lines=1-2", "None"),
        ("bytes=x-", "None"),
    ],
)
def test_it_reads_a_range(header: str, said: str) -> None:
    assert str(script_text.parse_range(header, 10)) == said


@pytest.mark.parametrize(
    ("header", "total"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end_is_refused(header: str, total: int) -> None:
    with pytest.raises(OutOfRange):
        script_text.parse_range(header, total)


@each_row("header", ["bytes=0-3", "bytes=2-7", "bytes=5-5", "bytes=6-", "bytes=-1"])
def test_a_range_is_cut_from_the_parts(header: str) -> None:
    whole = b"".join(PARTS)
    asked = script_text.parse_range(header, len(whole))
    assert asked is not None
    assert b"".join(asked.of(PARTS)) == whole[asked.first : asked.last + 1]
