"""A log keeps the head and the end of what a script writes, and says what is missing between them."""

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import bells
from runs_app.launcher.output import capture, log_file, tail
from tests.runs_app.launcher.harness import LauncherHarness, Record, joined, parse_log, wait_for
from tests.runs_app.launcher.test_runner_output import file_size_limit

CAP = 10_000
NOTICE = re.compile(r"Output is over 10,000 bytes: of what follows only the last 256 KB are kept")
GAP = re.compile(r"([\d,]+) bytes of output \(([\d,]+) lines?\) were left out here")


def numbered(first: int, beyond: int) -> list[bytes]:
    """Lines of 99 bytes, 100 with their newline."""
    return [b"%099d" % number for number in range(first, beyond)]


def log_in(folder: Path, keep_bytes: int = CAP) -> log_file.Log:
    return log_file.Log(os.open(folder, os.O_RDONLY), keep_bytes)


def filled(folder: Path, lines: int, keep_bytes: int = CAP) -> log_file.Log:
    """A log to which so many lines of 100 bytes were written, in batches of 37."""
    log = log_in(folder, keep_bytes)
    for first in range(0, lines, 37):
        log.add(b"O", b"F", numbered(first, min(lines, first + 37)))
        log.flush()
    return log


def stored_in(folder: Path) -> list[Record]:
    return parse_log((folder / "output.log").read_bytes())


def said_in(found: list[Record]) -> list[str]:
    return [record.text.decode() for record in found if record.stream == "S"]


def tail_bytes(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in tail.NAMES if (folder / name).exists())


# --- the log ---------------------------------------------------------------------------------------------------------
def test_a_log_that_just_fits_is_like_any_other(tmp_path: Path) -> None:
    log = filled(tmp_path, 10, keep_bytes=10 * 118)

    assert (log.finish(), log.dropped, log.overflow) == (False, 0, 0)
    assert joined(stored_in(tmp_path)) == b"".join(line + b"\n" for line in numbered(0, 10))
    assert not any((tmp_path / name).exists() for name in tail.NAMES)


def test_the_log_stands_still_at_its_cap_and_says_so_once(tmp_path: Path) -> None:
    log = filled(tmp_path, 1000)
    found = stored_in(tmp_path)

    assert joined(found) == b"".join(line + b"\n" for line in numbered(0, CAP // 118))
    assert len(said_in(found)) == 1
    assert NOTICE.fullmatch(said_in(found)[0])
    assert (log.size, log.records) == ((tmp_path / "output.log").stat().st_size, len(found))


def test_what_comes_past_the_cap_is_nothing_new_in_the_log(tmp_path: Path) -> None:
    log = filled(tmp_path, 1000)
    log.add(b"O", b"F", [b"more"])

    assert not log.flush()


def test_what_the_tail_can_hold_comes_back_without_a_seam(tmp_path: Path) -> None:
    log = filled(tmp_path, 3000)

    assert log.finish()
    assert joined(stored_in(tmp_path)) == b"".join(line + b"\n" for line in numbered(0, 3000))
    assert (log.dropped, len(said_in(stored_in(tmp_path)))) == (0, 1)


def test_what_is_dropped_is_counted_and_marked_where_it_is_missing(tmp_path: Path) -> None:
    lines = 20_000
    log = filled(tmp_path, lines)
    log.finish()
    found = stored_in(tmp_path)
    numbers = [int(record.text) for record in found if record.stream == "O"]
    gap = next(at for at, record in enumerate(found) if GAP.fullmatch(record.text.decode()))

    lines_dropped = log.dropped // 100
    assert said_in(found)[1:] == [
        f"{log.dropped:,} bytes of output ({lines_dropped:,} lines) were left out here"
    ]
    assert len(joined(found)) + log.dropped == lines * 100
    assert int(found[gap + 1].text) == log.dropped // 100 + int(found[gap - 2].text) + 1
    assert numbers == [*range(CAP // 118), *range(numbers[CAP // 118], lines)]
    assert len(numbers[CAP // 118 :]) * 118 >= tail.PART_BYTES - 200


def test_the_tail_never_grows_beyond_half_a_megabyte(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    sizes = []
    for first in range(0, 20_000, 37):
        log.add(b"O", b"F", numbered(first, first + 37))
        sizes.append(tail_bytes(tmp_path))

    assert max(sizes) < 2 * tail.PART_BYTES + 500
    assert min(sizes[-4000 // 37 :]) >= tail.PART_BYTES


def test_the_tail_is_gone_at_the_end(tmp_path: Path) -> None:
    log = filled(tmp_path, 20_000)
    log.finish()
    before = (tmp_path / "output.log").read_bytes()

    assert not any((tmp_path / name).exists() for name in tail.NAMES)
    assert not log.finish()
    assert (tmp_path / "output.log").read_bytes() == before


def test_a_single_write_may_be_larger_than_cap_and_tail_together(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.add(b"O", b"F", [b""] * 200_000)
    log.add(b"O", b"F", [b"end"])
    log.finish()
    found = stored_in(tmp_path)

    assert len(joined(found)) + log.dropped == 200_004
    assert found[-1].text == b"end"
    assert log.size < CAP + 2 * tail.PART_BYTES + 1000


def test_index_and_counts_hold_with_a_gap(tmp_path: Path) -> None:
    log = filled(tmp_path, 20_000, keep_bytes=300_000)
    log.finish()
    content, index = ((tmp_path / name).read_bytes() for name in ("output.log", "output.idx"))
    starts = [0] + [at + 1 for at, byte in enumerate(content) if byte == 10]

    assert (log.size, log.records) == (len(content), len(starts) - 1)
    assert list(struct.unpack(f"<{len(index) // 8}Q", index)) == starts[: log.records : 1000]


def test_a_line_that_was_open_at_the_gap_ends_there(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.add(b"E", b"F", [b"whole"])
    log.add(b"E", b"P", [b"question? "])
    for _ in range(100):
        log.add(b"O", b"P", [b"x" * 16_000])
    log.finish()
    found = stored_in(tmp_path)
    gap = next(at for at, record in enumerate(found) if GAP.fullmatch(record.text.decode()))

    assert {(record.stream, record.kind, record.text) for record in found[gap - 2 : gap]} <= {
        ("E", "F", b""),
        ("S", "F", said_in(found)[0].encode()),
    }
    assert found[gap - 1].stream == "E"
    assert (
        len([record for record in found if record.stream == "O"]) * 16_000 + log.dropped
        == 100 * 16_000
    )


def test_a_line_that_was_open_at_the_cap_goes_on_where_nothing_is_missing(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for _ in range(10):
        log.add(b"O", b"P", [b"x" * 2_000])
    log.add(b"O", b"F", [b"end"])
    log.finish()

    assert joined(stored_in(tmp_path)) == b"x" * 20_000 + b"end\n"


def test_sentences_of_the_runner_past_the_cap_are_found_and_are_not_counted_as_output(
    tmp_path: Path,
) -> None:
    log = filled(tmp_path, 20_000)
    log.say("Stopped after 300 s (time limit)")
    log.add(b"O", b"F", [b"last"])
    log.finish()
    log.say("The script left 2 of its processes running: ended")
    found = stored_in(tmp_path)

    assert said_in(found)[-2:] == [
        "Stopped after 300 s (time limit)",
        "The script left 2 of its processes running: ended",
    ]
    assert len(joined(found)) + log.dropped == 2_000_005


def test_what_the_runner_said_stays_however_much_is_printed_behind_it(tmp_path: Path) -> None:
    log = filled(tmp_path, 20_000)
    log.say("Cancelled")
    for first in range(0, 20_000, 40):
        log.add(b"O", b"F", numbered(first, first + 40))
    log.finish()
    found = stored_in(tmp_path)

    assert said_in(found).count("Cancelled") == 1
    assert len(joined(found)) + log.dropped == 4_000_000


# --- a disk that refuses ----------------------------------------------------------------------------------------------
def test_a_full_disk_past_the_cap_costs_output_but_not_the_run(tmp_path: Path) -> None:
    with file_size_limit(100_000):
        log = filled(tmp_path, 5_000)
    log.add(b"O", b"F", [b"after"])
    log.finish()
    found = stored_in(tmp_path)

    assert log.loss == "File too large"
    assert [record.text for record in found[-2:]] == [
        b"Output was lost here: File too large",
        b"after",
    ]
    assert (log.size, log.records) == ((tmp_path / "output.log").stat().st_size, len(found))


def test_a_full_disk_at_the_end_costs_what_does_not_fit(tmp_path: Path) -> None:
    log = filled(tmp_path, 20_000)
    with file_size_limit(150_000):
        log.finish()
    log.say("Cancelled")
    found = stored_in(tmp_path)

    assert log.loss == "File too large"
    assert said_in(found)[-2:] == ["Output was lost here: File too large", "Cancelled"]
    assert (log.size, log.records) == ((tmp_path / "output.log").stat().st_size, len(found))
    assert tail_bytes(tmp_path) == 0


def test_room_that_the_tail_takes_is_given_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = filled(tmp_path, 20_000)
    write = tail.write_lines

    def refuses(fd: int, data: bytes, at: int) -> tuple[int, str]:
        return (0, "No space left on device") if tail_bytes(tmp_path) else write(fd, data, at)

    monkeypatch.setattr(tail, "write_lines", refuses)
    log.finish()

    assert log.loss == ""
    assert len(joined(stored_in(tmp_path))) + log.dropped == 2_000_000


@pytest.mark.parametrize("kind", ["file", "link", "hard link"])
def test_a_log_is_never_written_through_what_was_there_before(tmp_path: Path, kind: str) -> None:
    (tmp_path / "other").write_bytes(b"precious")
    planted(kind, tmp_path / "output.log", tmp_path / "other")

    with pytest.raises(FileExistsError):
        log_in(tmp_path)

    assert (tmp_path / "other").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["file", "link", "hard link"])
def test_an_index_is_never_written_through_what_was_there_before(tmp_path: Path, kind: str) -> None:
    (tmp_path / "other").write_bytes(b"precious")
    planted(kind, tmp_path / "output.idx", tmp_path / "other")
    log = log_in(tmp_path)
    log.add(b"O", b"F", [b"line"] * 3000)
    log.finish()

    assert (tmp_path / "other").read_bytes() == b"precious"
    assert (log.loss, log.records) == ("", len(stored_in(tmp_path)))


@pytest.mark.parametrize("kind", ["file", "link", "hard link"])
def test_a_tail_is_never_written_through_what_was_there_before(tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    for name in tail.NAMES:
        planted(kind, tmp_path / name, other)

    log = filled(tmp_path, 20_000)
    log.finish()

    assert other.read_bytes() == b"precious"
    assert len(joined(stored_in(tmp_path))) + log.dropped == 2_000_000


def planted(kind: str, path: Path, target: Path) -> None:
    if kind == "link":
        path.symlink_to(target)
    elif kind == "hard link":
        path.hardlink_to(target)
    else:
        path.write_bytes(b"something")


# --- the capture -----------------------------------------------------------------------------------------------------
class Ringer(bells.Bells):
    """Counts."""

    def __init__(self) -> None:
        self.rings = 0

    def ring(self, name: str) -> None:
        self.rings += 1


class Pump:
    """A capture whose pipes the test writes to."""

    def __init__(self, folder: Path, keep_bytes: int = CAP) -> None:
        self.wakeup_fd, self.alarm_fd = os.pipe()
        self.log = log_in(folder, keep_bytes)
        self.ringer = Ringer()
        self.capture = capture.Capture(self.log, self.ringer, self.wakeup_fd)
        self.stdout, self.stderr = self.capture.open_pipes()

    def write(self, data: bytes) -> None:
        """Write to standard output and let the capture look once."""
        os.write(self.stdout, data)
        self.capture.step(0)

    def close(self) -> None:
        os.close(self.stdout)
        os.close(self.stderr)
        self.capture.drain()


@pytest.fixture
def pump(tmp_path: Path) -> Pump:
    return Pump(tmp_path)


def test_past_the_cap_reading_is_slow(pump: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_SLOW_BYTES_S", 1)
    pump.write(b"\n" * 2000)
    before = pump.capture.byte_count
    pump.write(b"more\n")

    assert pump.capture.byte_count == before
    pump.close()
    assert pump.capture.byte_count == before + 5


def test_slow_reading_goes_on_by_itself(pump: Pump) -> None:
    pump.write(b"\n" * 2000)
    os.write(pump.stdout, b"more\n")

    wait_for(lambda: pump.capture.step(None) or pump.capture.byte_count == 2005)
    pump.close()


def test_a_signal_is_heard_at_once_however_slow_the_reading_is(
    pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_SLOW_BYTES_S", 0.1)
    pump.write(b"\n" * 2000)
    os.write(pump.stdout, b"more\n")
    os.write(pump.alarm_fd, b"\x0f")

    assert pump.capture.step(None)
    pump.close()


def test_up_to_the_cap_reading_is_not_slowed(pump: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_SLOW_BYTES_S", 0.1)
    pump.write(b"first\n")
    pump.write(b"second\n")

    assert pump.capture.byte_count == 13
    pump.close()


def test_the_bell_is_quiet_while_there_is_nothing_to_see(pump: Pump) -> None:
    pump.write(b"x" * 100 + b"\n" + b"\n" * 2000)
    before = pump.ringer.rings
    os.write(pump.stdout, b"more\n" * 1000)
    wait_for(lambda: pump.capture.step(None) or pump.capture.byte_count > 5000)
    assert pump.ringer.rings == before

    pump.close()
    assert pump.ringer.rings == before + 1


def test_the_last_of_stderr_is_known(pump: Pump) -> None:
    assert pump.capture.last_stderr == b""
    os.write(pump.stderr, b"a" * 12_000)
    os.write(pump.stdout, b"something else\n")
    pump.capture.step(0)
    os.write(pump.stderr, b"b" * 8000)
    pump.close()

    assert pump.capture.last_stderr == b"a" * (16 * 1024 - 8000) + b"b" * 8000


def test_a_child_that_floods_its_log_is_copied_to_the_end(tmp_path: Path) -> None:
    pump = Pump(tmp_path, keep_bytes=100_000)
    code = "for n in range(30_000): print('%099d' % n)"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code], stdout=pump.stdout, stderr=pump.stderr
    ) as child:
        wait_for(lambda: pump.capture.step(0.01) or child.poll() is not None)
    pump.close()
    found = stored_in(tmp_path)

    assert pump.capture.byte_count == 3_000_000 == len(joined(found)) + pump.log.dropped
    assert (int(found[0].text), int(found[-1].text)) == (0, 29_999)


# --- a run -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher


def test_a_run_tells_how_much_of_its_output_is_left_out(launcher: LauncherHarness) -> None:
    folder = launcher.run(
        "for n in range(20_000): print('%099d' % n)", limits={"output_bytes": CAP}
    )
    told, found = launcher.exit_of(folder), launcher.records_of(folder)

    assert (told["status"], told["output_bytes"]) == ("succeeded", 2_000_000)
    assert told["output_dropped"] == 2_000_000 - len(joined(found)) > 0
    assert (told["output_lines"], told["log_bytes"]) == (
        len(found),
        (launcher.path(folder) / "output.log").stat().st_size,
    )
    assert int(found[-1].text) == 19_999


def test_a_traceback_behind_a_flood_is_in_the_log(launcher: LauncherHarness) -> None:
    code = "import sys\nfor n in range(20_000): print('%099d' % n)\nsys.stdout.flush()\nraise ValueError('at the end')"
    folder = launcher.run(code, limits={"output_bytes": CAP})

    assert launcher.exit_of(folder)["exit_code"] == 1
    assert launcher.records_of(folder)[-1].text == b"ValueError: at the end"


def test_a_flood_is_cancelled_at_once(launcher: LauncherHarness) -> None:
    folder = launcher.run(
        "while True: print('x' * 99)", limits={"output_bytes": CAP, "output_kill_bytes": 0}
    )
    wait_for(lambda: (launcher.path(folder) / "tail").exists())
    launcher.web.ask("cancel", folder=folder)

    assert launcher.exit_of(folder)["reason"] == "user"
    assert "Cancelled" in said_in(launcher.records_of(folder))


def test_a_log_without_a_cap_keeps_everything(launcher: LauncherHarness) -> None:
    folder = launcher.run("for n in range(20_000): print('%099d' % n)", limits={"output_bytes": 0})

    assert launcher.exit_of(folder)["output_dropped"] == 0
    assert len(joined(launcher.records_of(folder))) == 2_000_000
