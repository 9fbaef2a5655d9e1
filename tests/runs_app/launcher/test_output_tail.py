"""A runner that died in the middle of a flood leaves a tail: the log gets it, whatever state it is in."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runs_app.launcher.output import log_file, tail
from runs_app.output import log as output_log
from tests.runs_app.launcher.harness import Record, joined, parse_log, wait_for

CAP = 10_000
LOST = b"Output was left out here"


def killed(folder: Path, lines: int) -> Path:
    """A folder whose runner was killed after so many lines of 100 bytes."""
    folder.mkdir(exist_ok=True)
    log = log_file.Log(os.open(folder, os.O_RDONLY), CAP)
    for first in range(0, lines, 37):
        log.add(b"O", b"F", [b"%099d" % number for number in range(first, min(lines, first + 37))])
        log.flush()
    return folder


def stored_in(folder: Path) -> list[Record]:
    return parse_log((folder / "output.log").read_bytes())


def dropped_in(found: list[Record]) -> int:
    """The number in the gap's sentence; 0 when there is none."""
    said = [record.text.decode() for record in found if record.stream == "S"]
    counts = [
        int(sentence.split()[0].replace(",", ""))
        for sentence in said
        if sentence.endswith("left out here")
    ]
    return sum(counts)


def leaves_no_tail(folder: Path) -> bool:
    return not any((folder / name).is_file() or (folder / name).is_symlink() for name in tail.NAMES)


@pytest.mark.parametrize("lines", [100, 2000, 4000, 10_000])
def test_the_log_gets_what_its_runner_would_have_given_it(tmp_path: Path, lines: int) -> None:
    folder = killed(tmp_path, lines)
    output_log.append_tail(folder)
    found = stored_in(folder)

    assert len(joined(found)) + dropped_in(found) == lines * 100
    assert int(found[-1].text) == lines - 1
    assert leaves_no_tail(folder)


def test_a_log_below_its_cap_stays_as_it_is(tmp_path: Path) -> None:
    before = (killed(tmp_path, 10) / "output.log").read_bytes()
    output_log.append_tail(tmp_path)

    assert (tmp_path / "output.log").read_bytes() == before


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    output_log.append_tail(killed(tmp_path, 10_000))
    before = (tmp_path / "output.log").read_bytes()
    output_log.append_tail(tmp_path)

    assert (tmp_path / "output.log").read_bytes() == before


@pytest.mark.parametrize(  # its files are removed behind the last byte
    ("share", "stays"),
    [(0.0, tail.NAMES), (0.3, tail.NAMES), (1.0, tail.NAMES), (1.0, ("tail",)), (1.0, ("tail.2",))],
)
def test_a_crash_while_it_is_put_back_is_made_good(
    tmp_path: Path, share: float, stays: tuple[str, ...]
) -> None:
    folder = killed(tmp_path / "run", 10_000)
    before = shutil.copytree(folder, tmp_path / "before")
    output_log.append_tail(folder)
    whole, head = (folder / "output.log").read_bytes(), (before / "output.log").read_bytes()
    for name in stays:
        shutil.copy(before / name, folder / name)
    (folder / "output.log").write_bytes(whole[: len(head) + int(share * (len(whole) - len(head)))])
    output_log.append_tail(folder)

    assert (folder / "output.log").read_bytes() == whole
    assert leaves_no_tail(folder)


WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from runs_app.launcher.output import log_file
log, n = log_file.Log(os.open(sys.argv[2], os.O_RDONLY), 10_000), 0
while True:
    log.add(b"O", b"F", [b"%099d" % number for number in range(n, n + 300)])
    log.flush()
    n += 300
"""


@pytest.mark.parametrize("after_bytes", [0, 1_000_000, 5_000_000, 20_000_000])
def test_a_kill_at_any_moment_loses_nothing_but_what_the_gap_says(
    tmp_path: Path, after_bytes: int
) -> None:
    root = str(Path(output_log.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WRITER, root, str(tmp_path)]
    ) as writer:
        try:
            wait_for(
                lambda: (tmp_path / "tail.2").exists() and seen_before_tail(tmp_path) >= after_bytes
            )
        finally:
            writer.kill()
    output_log.append_tail(tmp_path)
    found = stored_in(tmp_path)
    numbers = [int(record.text) for record in found if record.stream == "O"]
    head = CAP // 118

    assert numbers[:head] == list(range(head))
    assert numbers[head:] == list(range(numbers[head], numbers[-1] + 1))
    assert dropped_in(found) == (numbers[head] - head) * 100


def seen_before_tail(folder: Path) -> int:
    """Bytes of output that came before what the file `tail` holds; 0 while it is being made."""
    try:
        return int((folder / "tail").read_bytes().split()[1])
    except (FileNotFoundError, IndexError):
        return 0


def torn_by_zeros(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def torn_at_its_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def a_directory(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent / "other")


def a_lie(path: Path) -> None:
    path.write_bytes(b"999999999999999 1 \n1000 O F x\n")


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(3_000_000))


DAMAGE = [torn_by_zeros, torn_at_its_end, empty, gone, a_directory, a_pipe, a_link, a_lie, garbage]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "names", [("tail",), ("tail.2",), tail.NAMES, ("output.log",), (*tail.NAMES, "output.log")]
)
def test_damaged_files_cost_output_and_never_a_verdict(
    tmp_path: Path, names: tuple[str, ...], damage: Callable[[Path], None]
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    folder = killed(tmp_path / "run", 10_000)
    for name in names:
        damage(folder / name)
    output_log.append_tail(folder)
    once = contents(folder)
    output_log.append_tail(folder)

    assert other.read_bytes() == b"precious"
    assert contents(folder) == once
    assert len(once) < 5_000_000


def contents(folder: Path) -> bytes:
    log = folder / "output.log"
    return log.read_bytes() if log.is_file() and not log.is_symlink() else b""


def test_where_the_number_is_not_known_the_log_says_that_something_is_missing(
    tmp_path: Path,
) -> None:
    folder = killed(tmp_path, 10_000)
    for name in tail.NAMES:
        torn_by_zeros(folder / name)
    output_log.append_tail(folder)

    assert stored_in(folder)[-1].text == LOST


def test_a_record_torn_by_a_power_cut_is_not_mixed_with_the_tail(tmp_path: Path) -> None:
    folder = killed(tmp_path, 10_000)
    torn_at_its_end(folder / "output.log")
    output_log.append_tail(folder)

    assert LOST in [record.text for record in stored_in(folder) if record.stream == "S"]
    assert int(stored_in(folder)[-1].text) == 9_999


def test_a_folder_that_is_gone_or_a_link_is_let_be(tmp_path: Path) -> None:
    folder = killed(tmp_path / "run", 10_000)
    (tmp_path / "link").symlink_to(folder)
    before = (folder / "output.log").read_bytes()

    output_log.append_tail(tmp_path / "nowhere")
    output_log.append_tail(tmp_path / "link")

    assert (folder / "output.log").read_bytes() == before
