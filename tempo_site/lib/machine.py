"""Memory, processors and open files from /proc: for these figures alone psutil would take half a megabyte of `web`."""

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
MAX_BYTES = 64 * 1024
_IDLE = slice(3, 5)  # idle, and waiting for a disk
_WITHOUT_GUESTS = slice(8)  # guests are counted in `user` as well


class MachineMemory(NamedTuple):
    total: int  # bytes
    available: int


class ProcessorMeter:
    """How busy all cores together are, between one look and the next."""

    def __init__(self) -> None:
        self._total = self._idle = 0

    def percent(self) -> float | None:
        """Return how busy they were since the last look; None at the first. Raise OSError."""
        fields = (PROC / "stat").read_text().split("\n", 1)[0].split()
        ticks = [int(field) for field in fields[1:]]
        is_first = not self._total
        total = sum(ticks[_WITHOUT_GUESTS]) - self._total
        idle = sum(ticks[_IDLE]) - self._idle
        self._total += total
        self._idle += idle
        if is_first or total <= 0:
            return None
        # A core's idle time may go back by a tick.
        return round(min(100.0, max(0.0, (total - idle) / total * 100)), 1)


def read_figures(path: Path) -> str:
    """Return what a file of the kernel says, which has no size of its own. Raise OSError."""
    # Every run asks: by `read_text` it takes twice the system calls.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, MAX_BYTES).decode()
    finally:
        os.close(fd)


def memory() -> MachineMemory:
    """Return what the machine has and what processes can still take without swapping. Raise OSError."""
    text = read_figures(PROC / "meminfo")
    total = _bytes_of("MemTotal", text)
    # A container may be shown its own total and the available memory of the whole machine.
    return MachineMemory(total=total, available=min(_bytes_of("MemAvailable", text), total))


def _bytes_of(name: str, text: str) -> int:
    _, _, rest = text.partition(f"{name}:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def open_files() -> int:
    """Return how many files this process has open. Raise OSError."""
    return sum(1 for _ in (PROC / "self" / "fd").iterdir())
