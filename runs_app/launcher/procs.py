"""What /proc says about processes, read straight: a process that is gone is None, never an exception."""

import os
from typing import NamedTuple

ENDED = "ZX"  # the states of a process that runs no more and only waits for its parent to notice


class Process(NamedTuple):
    """One line of /proc/<pid>/stat, as far as it matters here."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int  # clock ticks since boot: with pid and boot id it names a process for ever


def read(pid: int) -> Process | None:
    """The process `pid`, zombies included."""
    line = _contents(f"/proc/{pid}/stat")
    if not line:
        return None
    # The command's name stands in brackets and may itself hold brackets and spaces: the last one counts.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(pid, chr(fields[0][0]), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def table() -> dict[int, Process]:
    """All processes that still run, by pid; zombies are left out. Not a snapshot: it changes while it is read."""
    found = (read(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process and process.state not in ENDED}


def start_time(pid: int) -> int | None:
    """When `pid` was started, in clock ticks since boot (field 22 of /proc/<pid>/stat)."""
    process = read(pid)
    return process.start_ticks if process else None


def has_no_new_privileges(pid: int) -> bool:
    """Whether `pid` runs with no_new_privs, which every script does and which no process can take off again."""
    return b"\nNoNewPrivs:\t1\n" in _contents(f"/proc/{pid}/status")


def boot_id() -> str:
    """The kernel's name for the time since the last boot: pids and start times mean nothing beyond it."""
    return _contents("/proc/sys/kernel/random/boot_id").decode().strip()


def environment_value(pid: int, name: str) -> str | None:
    """The value that `name` had in the environment `pid` was started with; None if unset or not ours to read."""
    prefix = os.fsencode(name) + b"="
    for entry in _contents(f"/proc/{pid}/environ").split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return None


def _contents(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
