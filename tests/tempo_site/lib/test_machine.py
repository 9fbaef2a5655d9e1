"""What /proc says of the machine, beside psutil."""

from pathlib import Path

import psutil
import pytest

from tempo_site.lib import machine


def test_memory_is_what_psutil_says() -> None:
    before = psutil.virtual_memory()
    memory = machine.memory()
    assert memory.total == before.total
    assert memory.available == pytest.approx(before.available, rel=0.2)


def test_a_container_has_no_more_available_than_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text(
        "MemTotal: 100 kB\nMemAvailable: 900 kB\nHugePages_Total: 0\n"
    )
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert machine.memory() == machine.MachineMemory(total=102_400, available=102_400)


def test_processors_are_as_busy_as_the_ticks_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    meter = machine.ProcessorMeter()
    (tmp_path / "stat").write_text("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\n")
    assert meter.percent() is None
    # 100 ticks more, of them 50 idle and 20 waiting for a disk; a guest's are the host's, too.
    (tmp_path / "stat").write_text("cpu  120 0 110 750 120 0 0 0 70 0\ncpu0 1 2 3 4\n")
    assert meter.percent() == 30.0
    assert meter.percent() is None  # no time has passed


def test_an_open_file_is_counted(tmp_path: Path) -> None:
    before = machine.open_files()
    with (tmp_path / "file").open("w"):
        assert machine.open_files() == before + 1
