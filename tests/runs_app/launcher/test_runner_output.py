"""The log: every byte as it was written, cut into records, indexed, and shown in time."""

import os
import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import bells
from runs_app.launcher.output import capture, log_file
from tests.runs_app.launcher.harness import LauncherHarness, Record, joined, parse_log, wait_for


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher


@pytest.fixture
def log(tmp_path: Path) -> log_file.Log:
    return log_file.Log(os.open(tmp_path, os.O_RDONLY))


def recorded(launcher: LauncherHarness, code: str) -> list[Record]:
    folder = launcher.run(code)
    assert launcher.exit_of(folder)["status"] == "succeeded", launcher.records_of(folder)
    return launcher.records_of(folder)


def written_in(tmp_path: Path) -> list[Record]:
    return parse_log((tmp_path / "output.log").read_bytes())


def pumped(tmp_path: Path, chunks: list[bytes]) -> list[Record]:
    """The records that these writes to standard output become."""
    with Pump(tmp_path) as pump:
        for chunk in chunks:
            os.write(pump.stdout, chunk)
            pump.capture.step(0)
    return written_in(tmp_path)


class Pump:
    """A capture without a script: the test writes to the pipes itself."""

    def __init__(self, tmp_path: Path) -> None:
        folder_fd = os.open(tmp_path, os.O_RDONLY)
        self.wakeup_fd, _ = os.pipe()
        self.capture = capture.Capture(
            log_file.Log(folder_fd), bells.Bells(folder_fd), self.wakeup_fd
        )
        self.stdout, self.stderr = self.capture.open_pipes()

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.stdout)
        os.close(self.stderr)
        self.capture.drain()


@pytest.mark.parametrize(
    "content",
    [
        b"x" * 5_000_000 + b"\n",
        b"x" * 5_000_000,
        b"a\0b\r\n\xff\xfe\n\n\n\x80",
        b"no newline",
        b"\n",
        bytes(range(256)) * 300,
        b"z" * 16384 + b"\n" + b"y" * 16385 + b"\n" + b"w" * 32768,
        b"".join(b"%d\n" % number for number in range(30_000)),
    ],
    ids=[
        "5 MB line",
        "5 MB without newline",
        "odd bytes",
        "no newline",
        "empty line",
        "all bytes",
        "limits",
        "many",
    ],
)
def test_every_byte_is_kept(launcher: LauncherHarness, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "content").write_bytes(content)
    folder = launcher.run_argv(["/bin/cat", str(tmp_path / "content")])
    told = launcher.exit_of(folder)
    found = launcher.records_of(folder)

    assert joined(found) == content
    assert max(len(record.text) for record in found) <= 16384
    assert (told["output_bytes"], told["output_lines"]) == (len(content), len(found))


def test_streams_are_kept_apart_however_they_are_mixed(launcher: LauncherHarness) -> None:
    found = recorded(launcher, "import os\nfor n in range(3000): os.write(1 + n % 2, b'%d\\n' % n)")

    assert joined(found, "O") == b"".join(b"%d\n" % n for n in range(0, 3000, 2))
    assert joined(found, "E") == b"".join(b"%d\n" % n for n in range(1, 3000, 2))


def test_a_long_line_is_cut_the_same_way_whatever_the_reads(tmp_path: Path) -> None:
    line = bytes(range(1, 10)) * 5000

    found = pumped(tmp_path, [*(line[at : at + 7000] for at in range(0, len(line), 7000)), b"\n"])

    assert [(record.kind, len(record.text)) for record in found] == [
        ("P", 16384),
        ("P", 16384),
        ("F", 12232),
    ]


def test_a_line_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    assert [record.kind for record in pumped(tmp_path, [b"x" * 16384, b"\n"])] == ["F"]


def test_a_question_without_newline_is_shown_while_the_script_waits(
    launcher: LauncherHarness,
) -> None:
    folder = launcher.run(
        "import sys, time; sys.stdout.write('Name? '); sys.stdout.flush(); time.sleep(60)"
    )

    launcher.wait_for_output(folder, b"Name? ")
    launcher.web.ask("cancel", folder=folder)


def test_the_rest_of_a_line_that_was_shown_early_is_its_own_record(tmp_path: Path) -> None:
    with Pump(tmp_path) as pump:
        os.write(pump.stdout, b"Name? ")
        wait_for(lambda: pump.capture.step(0.01) or written_in(tmp_path))
        os.write(pump.stdout, b"Ada\n")

    assert [(r.kind, r.text) for r in written_in(tmp_path)] == [("P", b"Name? "), ("F", b"Ada")]


def test_the_first_line_after_silence_is_not_held_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)

    with Pump(tmp_path) as pump:
        os.write(pump.stdout, b"first\n")
        pump.capture.step(1)
        assert naps == []
        os.write(pump.stdout, b"second\n")
        pump.capture.step(1)

    assert len(naps) == 1


def test_the_index_points_at_every_thousandth_record(tmp_path: Path) -> None:
    chunks = [
        b"".join(b"%d\n" % n for n in range(start, start + 700)) for start in range(0, 7000, 700)
    ]
    pumped(tmp_path, chunks)
    log, index = ((tmp_path / name).read_bytes() for name in ("output.log", "output.idx"))
    offsets = struct.unpack(f"<{len(index) // 8}Q", index)

    assert [parse_log(log[offset:])[0].text for offset in offsets] == [
        b"%d" % n for n in range(0, 7000, 1000)
    ]


@pytest.mark.parametrize(("lines", "has_index"), [(1000, False), (1001, True)])
def test_a_log_has_an_index_from_its_1001st_record_on(
    tmp_path: Path, log: log_file.Log, lines: int, has_index: bool
) -> None:
    log.add(b"O", b"F", [b"line"] * lines)
    log.finish()

    assert (tmp_path / "output.idx").exists() is has_index


def test_a_full_disk_costs_output_but_not_the_run(log: log_file.Log, tmp_path: Path) -> None:
    log.add(b"O", b"F", [b"before"])
    log.flush()
    with file_size_limit(100):
        log.add(b"O", b"F", [b"%d" % number for number in range(50)])
        log.flush()
        lost_at = log.size
        log.add(b"O", b"F", [b"all of this is lost"] * 20)
        log.flush()
    log.add(b"O", b"F", [b"after"])
    log.flush()

    found = written_in(tmp_path)
    assert lost_at <= 100
    assert log.records == len(found)
    assert log.size == (tmp_path / "output.log").stat().st_size
    assert found[0].text == b"before"
    assert [record.text for record in found[-2:]] == [
        b"Output was lost here: File too large",
        b"after",
    ]


def test_the_index_holds_after_a_full_disk(log: log_file.Log, tmp_path: Path) -> None:
    for start in range(0, 10_000, 500):
        with file_size_limit(60_000 if start % 2000 else 10_000_000):
            log.add(b"O", b"F", [b"%d" % number for number in range(start, start + 500)])
            log.flush()
    content, index = ((tmp_path / name).read_bytes() for name in ("output.log", "output.idx"))
    starts = [0] + [at + 1 for at, byte in enumerate(content) if byte == 10]

    assert list(struct.unpack(f"<{len(index) // 8}Q", index)) == starts[: log.records : 1000]


class file_size_limit:
    """Files cannot grow beyond this many bytes, as on a full disk."""

    def __init__(self, limit: int) -> None:
        self._limits = (limit, resource.getrlimit(resource.RLIMIT_FSIZE))

    def __enter__(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._limits[0], self._limits[1][1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits[1])


def test_a_pipe_held_open_from_outside_the_tree_is_not_waited_for(
    launcher: LauncherHarness,
) -> None:
    folder = launcher.run("print('on', flush=True); import time; time.sleep(60)")
    launcher.wait_for_output(folder, b"on")
    with Path(f"/proc/{launcher.state_of(folder)['script_pid']}/fd/1").open("wb"):
        launcher.web.ask("cancel", folder=folder)

        assert launcher.exit_of(folder)["status"] == "cancelled"


def test_memory_stays_flat_however_much_is_printed(launcher: LauncherHarness) -> None:
    folder = launcher.run_argv(
        ["/bin/sh", "-c", "head -c 60000000 /dev/zero; echo; echo done; exec sleep 60"]
    )
    launcher.wait_for_output(folder, b"done")

    assert _resident_mb(launcher.state_of(folder)["runner_pid"]) < 20
    launcher.web.ask("cancel", folder=folder)


def _resident_mb(pid: int) -> float:
    with Path(f"/proc/{pid}/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
