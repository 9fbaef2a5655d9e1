"""A run's output by line number."""

import random
from pathlib import Path

import pytest

from runs_app.output import line_index, line_search
from runs_app.output import lines as output_lines
from runs_app.output.line_index import Line, LineIndex
from runs_app.output.line_search import search, search_back
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run

NOW = 1_790_000_000_000


def log(tmp_path: Path, data: bytes) -> Path:
    """A stored log."""
    path = tmp_path / "output.log"
    path.write_bytes(data)
    return path


def record(stream: str, text: str | bytes, *, kind: str = "F", at: int = NOW) -> bytes:
    """One stored record."""
    return b"%d %s %s %s\n" % (
        at,
        stream.encode(),
        kind.encode(),
        text if isinstance(text, bytes) else text.encode(),
    )


def texts(lines: list[Line]) -> list[str]:
    """What the lines say."""
    return [line.text for line in lines]


def as_written(data: bytes) -> list[tuple[str, str]]:
    """(stream, text) of each line, joined in the plainest way: what every window must agree with."""
    found: list[list[str]] = []
    unfinished: dict[str, list[str]] = {}
    for stored in data.decode().splitlines():
        _, stream, kind, text = stored.split(" ", 3)
        line = unfinished.pop(stream, None)
        if line is None:
            line = [stream, ""]
            found.append(line)
        line[1] += text
        if kind == "P":
            unfinished[stream] = line
    return [(stream, text) for stream, text in found]


def mixed_log(seed: int, records: int, *, share_of_pieces: float) -> bytes:
    """Streams that interleave, pieces among full lines, some lines long."""
    dice = random.Random(seed)
    return b"".join(
        record(
            dice.choice("OOOES"),
            f"{number} " + "x" * dice.choice([0, 5, 60, 3000]),
            kind="P" if dice.random() < share_of_pieces else "F",
            at=NOW + number,
        )
        for number in range(records)
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share_of_pieces", [0.0, 0.02, 0.5])
def test_windows_joined_are_the_whole(tmp_path: Path, seed: int, share_of_pieces: float) -> None:
    data = mixed_log(seed, 1500, share_of_pieces=share_of_pieces)
    index, whole = LineIndex(log(tmp_path, data)), as_written(data)
    found: list[Line] = []
    while window := index.window(len(found) + 1, 1 + seed * 77).lines:
        found.extend(window)
    assert [(line.stream, line.text) for line in found] == whole
    assert [line.number for line in found] == list(range(1, len(whole) + 1))
    assert texts(index.last(10).lines) == [text for _, text in whole[-10:]]


@pytest.mark.parametrize("step", [13, 1000, 70_000])
def test_a_log_that_grows_is_counted_as_one_that_is_whole(tmp_path: Path, step: int) -> None:
    data = mixed_log(7, 40 if step == 13 else 600, share_of_pieces=0.1)
    path = log(tmp_path, b"")
    index = LineIndex(path)
    for end in range(0, len(data) + step, step):
        path.write_bytes(data[:end])  # records may be half written
        index.last(1)
    whole = as_written(data)
    assert index.last(1).total == len(whole)
    assert texts(index.window(1, len(whole)).lines) == [text for _, text in whole]


def test_a_line_that_goes_on_far_behind_a_flood_of_the_other_stream_is_found_whole(
    tmp_path: Path,
) -> None:
    flood = b"".join(record("E", f"flood {number}") for number in range(20_000))
    data = (
        record("O", "begin ", kind="P")
        + flood
        + record("O", "middle ", kind="P")
        + flood
        + record("O", "end")
    )
    index = LineIndex(log(tmp_path, data))
    window = index.window(1, 2)
    assert texts(window.lines) == ["begin middle end", "flood 0"]
    assert not window.lines[0].is_open
    assert search(index, "MIDDLE END").numbers == [1]
    assert index.last(1).lines[0].number == window.total == 40_001


def test_an_open_line_is_told_with_its_stream(tmp_path: Path) -> None:
    window = LineIndex(log(tmp_path, record("E", "ok") + record("O", "half", kind="P"))).last(10)
    assert window.open == {"O": 2}
    assert [line.as_json() for line in window.lines] == [
        {"t": NOW, "s": "E", "x": "ok"},
        {"t": NOW, "s": "O", "x": "half", "o": True},
    ]


def test_what_stands_before_a_carriage_return_is_gone(tmp_path: Path) -> None:
    data = record("O", b"10%\r50%\r100%\r") + record("O", b"20%\r40%\r", kind="P")
    assert texts(LineIndex(log(tmp_path, data)).last(2).lines) == [
        "100%",
        "40%\r",
    ]  # what follows replaces the 40%


def test_a_long_line_is_cut_and_says_so(tmp_path: Path) -> None:
    pieces = [record("O", "x" * 16_384, kind="P")] * 8
    (line,) = LineIndex(log(tmp_path, b"".join(pieces) + record("O", "end"))).window(1, 5).lines
    assert line.as_json()["c"] and len(line.text) == line_index.MAX_LINE_BYTES


def test_a_progress_bar_of_an_hour_shows_its_last_state(tmp_path: Path) -> None:
    data = b"".join(
        record("E", f"\r{number:06d}", kind="P") + record("O", f"line {number} {'.' * 200}")
        for number in range(40_000)
    )
    assert LineIndex(log(tmp_path, data)).window(1, 1).lines[0].text == "039999"


def test_bytes_that_are_no_text_and_torn_records_do_no_harm(tmp_path: Path) -> None:
    data = record("O", b"\xff\xfeok") + b"\0" * 200_000 + b"lost with it\n" + record("O", "after")
    index = LineIndex(log(tmp_path, data))
    assert texts(index.last(5).lines) == ["\ufffd\ufffdok", "after"]
    assert search(index, "after").numbers == [2]


def test_times_of_long_ago_are_read_as_well(tmp_path: Path) -> None:
    index = LineIndex(log(tmp_path, b"1000 O F old\n1001 O F older\n"))
    assert texts(index.last(5).lines) == ["old", "older"]
    assert search(index, "older").numbers == [2]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("red fox", [1]),  # colours stand within it
        ("RED", [1, 2]),
        ("31m", []),  # a control sequence is no text
        ("179000", []),  # nor is the clock
        ("ÄRGER", [3]),
        ("10%", [3]),
        ("5%", []),  # overwritten
        ("a.c", [4]),
        ("nowhere", []),
    ],
)
def test_search_finds_what_a_reader_sees(tmp_path: Path, text: str, numbers: list[int]) -> None:
    data = (
        record("O", "a \x1b[31mred\x1b[0m fox")
        + record("E", "Red")
        + record("O", "5%\r10% ärger")
        + record("O", "abc a.c")
    )
    assert search(LineIndex(log(tmp_path, data)), text).numbers == numbers
    padded = LineIndex(
        log(tmp_path, data.replace(b"5%\r", b""))
    )  # without a carriage return it goes the fast way
    assert search(padded, text).numbers == numbers


def test_search_gives_the_numbers_of_lines_far_in_a_long_log(tmp_path: Path) -> None:
    data = b"".join(
        record("O", f"line {number} {'needle' if number % 9999 == 0 else ''}")
        for number in range(30_000)
    )
    found = search(LineIndex(log(tmp_path, data)), "NEEDLE")
    assert found.numbers == [1, 10_000, 19_999, 29_998]
    assert not found.is_cut


def test_search_stops_at_ten_thousand_and_says_so(tmp_path: Path) -> None:
    found = search(LineIndex(log(tmp_path, record("O", "same") * 10_500)), "same")
    assert len(found.numbers) == line_search.MAX_MATCHES and found.is_cut


def test_a_search_begins_at_a_line_and_goes_either_way(tmp_path: Path) -> None:
    data = b"".join(
        record("O", f"line {number} {'needle' if number % 10 == 0 else ''}")
        for number in range(1, 40_001)
    )
    index = LineIndex(log(tmp_path, data))
    assert search(index, "needle", first=39_975).numbers == [39_980, 39_990, 40_000]
    assert search(index, "needle", first=50_000).numbers == []
    assert search_back(index, "needle", before=31).numbers == [10, 20, 30]
    back = search_back(index, "line", before=30_000)
    assert (back.numbers[0], back.numbers[-1], back.is_cut) == (20_000, 29_999, True)
    assert search_back(index, "needle", before=1) == search_back(index, "needle", before=5)
    assert not search_back(index, "needle", before=31).is_cut


@pytest.mark.parametrize(
    "line",
    [
        b"a" + (b"\x1b]" + b"\x01" * 20) * 500 + b"c",
        b"a" * 60_000,
        b"\x1b[" * 30_000,
        b"\x1b[" + b"0" * 60_000,
    ],
)
def test_no_line_makes_a_search_slow(tmp_path: Path, line: bytes) -> None:
    data = b"".join(
        record("O", line[at : at + 16_384], kind="P") for at in range(0, len(line), 16_384)
    ) + record("O", "")
    # Without a bound on the work each line would take minutes; a busy machine gets more time than people do.
    found = search(LineIndex(log(tmp_path, data * 20)), "a" * 199 + "b", timeout_s=30)
    assert (found.numbers, found.searched, found.is_cut) == ([], 20, False)


def test_a_search_without_time_says_how_far_it_came(tmp_path: Path) -> None:
    found = search(LineIndex(log(tmp_path, record("O", "needle") * 10)), "needle", timeout_s=0)
    assert (found.numbers, found.searched, found.is_cut) == ([], 0, True)


def test_a_line_is_searched_beyond_what_is_kept_of_it(tmp_path: Path) -> None:
    parts = ["x" * 16_384] * 8 + ["nee", "dle", "x" * 16_384, "\x1b[31mfar\x1b[0m"]
    data = (
        b"".join(record("O", part, kind="P") for part in parts)
        + record("O", "end")
        + record("O", "needle")
    )
    index = LineIndex(log(tmp_path, data))
    assert search(index, "needle").numbers == [1, 2]
    assert search(index, "xfarend").numbers == [1]


def test_a_window_of_long_lines_ends_early_but_gives_fifty(tmp_path: Path) -> None:
    long = b"".join([record("O", "x" * 16_384, kind="P")] * 5) + record("O", "")
    window = LineIndex(log(tmp_path, long * 300)).window(1, 1000)
    assert 50 <= len(window.lines) <= 70
    assert (
        sum(len(line.kept) for line in window.lines)
        <= line_index.MAX_WINDOW_BYTES + 2 * line_index.MAX_LINE_BYTES
    )


def test_much_of_a_line_takes_no_more_than_what_is_kept(tmp_path: Path) -> None:
    data = b"".join([record("O", "x" * 16_384, kind="P")] * 1000) + record("O", "\rlast")
    (line,) = LineIndex(log(tmp_path, data)).last(1).lines
    assert (line.text, line.is_cut, len(line.kept)) == ("last", False, 4)


@pytest.mark.django_db
def test_the_index_of_a_run_is_kept_until_its_file_is_another_one() -> None:
    run = make_run(status=Status.RUNNING, folder="2026-11/1-abcdef12")
    assert output_lines.index_of_log(run) is None
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    log(folder, record("O", "one"))
    first = output_lines.index_of_log(run)
    assert first is not None and first.last(1).total == 1
    assert output_lines.index_of_log(run) is first
    (folder / "output.log").rename(folder / "old.log")
    log(folder, record("O", "two"))
    again = output_lines.index_of_log(run)
    assert again is not None and texts(again.last(1).lines) == ["two"]
    (folder / "output.log").unlink()
    assert output_lines.index_of_log(run) is None
    assert output_lines.last(run, 1) == output_lines.NO_LINES
    with pytest.raises(FileNotFoundError):
        again.last(1)
