"""What /proc says about processes, read straight: a process that is gone is None, never an exception."""

import os
from typing import NamedTuple

from runs_app.launcher.identity import prctl

_READ_BYTES = 4096
_MAX_OPEN_FILES = 200
_open_files: dict[str, int] = {}  # descriptors by path
_LINKS_OF_ONE_THREAD = 3
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
ENDED = "ZX"  # the states of a process that runs no more and only waits for its parent to notice


class Process(NamedTuple):
    """One line of /proc/<pid>/stat, as far as it matters here."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    cpu_ticks: int  # its own, and of the children it has waited for
    start_ticks: int  # clock ticks since boot: with pid and boot id it names a process for ever


def read(pid: int) -> Process | None:
    """The process `pid`, zombies included."""
    return _parse(pid, _read_file(f"/proc/{pid}/stat"))


def cpu_ticks(pid: int) -> int:
    """Clock ticks that `pid` and the children it has waited for were on a core; 0 when it is gone."""
    process = _parse(pid, _read_open_file(f"/proc/{pid}/stat"))
    return process.cpu_ticks if process else 0


def _parse(pid: int, line: bytes) -> Process | None:
    if not line:
        return None
    # The command's name stands in brackets and may itself hold brackets and spaces: the last one counts.
    fields = line[line.rindex(b")") + 2 :].split()
    cpu_ticks = sum(map(int, fields[11:15]))
    return Process(
        pid,
        chr(fields[0][0]),
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        cpu_ticks,
        int(fields[19]),
    )


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
    return b"\nNoNewPrivs:\t1\n" in _read_file(f"/proc/{pid}/status")


def boot_id() -> str:
    """The kernel's name for the time since the last boot: pids and start times mean nothing beyond it."""
    return _read_file("/proc/sys/kernel/random/boot_id").decode().strip()


def environment_value(pid: int, name: str) -> str | None:
    """The value that `name` had in the environment `pid` was started with; None if unset or not ours to read."""
    prefix = os.fsencode(name) + b"="
    for entry in _read_file_as_owner(f"/proc/{pid}/environ", pid).split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return None


def children(pid: int) -> list[int]:
    """The children of `pid`, zombies included; cheap, but one that changes parents right now may be missing."""
    # Children belong to the thread that made them; most processes have but one, as the link count tells for less.
    try:
        is_single = os.stat(f"/proc/{pid}/task").st_nlink == _LINKS_OF_ONE_THREAD
        if is_single:
            return [
                int(child) for child in _read_open_file(f"/proc/{pid}/task/{pid}/children").split()
            ]
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    lists = (_read_file(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return [int(child) for found in lists for child in found.split()]


def knows_children() -> bool:
    """Whether this kernel has the lists that `children()` reads (CONFIG_PROC_CHILDREN)."""
    return os.access(f"/proc/self/task/{os.getpid()}/children", os.R_OK)


def resident_bytes(pid: int) -> int:
    """Memory of `pid` that is in RAM, shared pages in full; 0 when it is gone."""
    fields = _read_open_file(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 else 0


def proportional_bytes(pid: int) -> int | None:
    """Memory of `pid` with shared pages divided among those who share them; None when it is not ours to read."""
    kilobytes = _value(_read_file_as_owner(f"/proc/{pid}/smaps_rollup", pid), b"Pss:")
    return None if kilobytes is None else int(kilobytes) * 1024


def written_bytes(pid: int) -> int:
    """What `pid` has written so far, to whatever; 0 when that is not ours to read."""
    return int(_value(_read_file_as_owner(f"/proc/{pid}/io", pid), b"wchar:") or 0)


def handles(pid: int, signum: int) -> bool:
    """Whether `pid` has a handler for a signal, which then does not end it."""
    return bool(_bits(f"/proc/{pid}/status", b"SigCgt:") >> (signum - 1) & 1)


def effective_capabilities() -> int:
    """The capabilities that this process may use now, as bits (capabilities(7))."""
    return _bits("/proc/self/status", b"CapEff:")


def oom_kills() -> int:
    """How often the kernel has killed a process for want of memory since boot, in any cgroup."""
    return int(_value(_read_file("/proc/vmstat"), b"oom_kill") or 0)


def _bits(path: str, name: bytes) -> int:
    return int(_value(_read_file(path), name) or b"0", 16)


def _value(content: bytes, name: bytes) -> bytes | None:
    """What stands behind a name at the begin of a line."""
    for line in content.splitlines():
        if line.startswith(name) and (words := line.split(maxsplit=2))[0] == name:
            return words[1]
    return None


def _read_file_as_owner(path: str, pid: int) -> bytes:
    """Root without CAP_SYS_PTRACE, as in a container, reads another user's process only as that user."""
    content = _read_file(path)
    if content or os.geteuid() != 0:
        return content
    try:
        owner = os.stat(f"/proc/{pid}")
    except OSError:
        return b""
    before = prctl.use_files_as(owner.st_uid, owner.st_gid)
    try:
        return _read_file(path)
    finally:
        prctl.use_files_as(*before)


def _read_open_file(path: str) -> bytes:
    """`_contents()` of what is read again and again: through a file kept open, for a fifth of the price.

    Such a file means the process that it was opened for, also when its number has passed on to another.
    """
    try:
        if (fd := _open_files.get(path)) is None:
            if len(_open_files) >= _MAX_OPEN_FILES:
                _close_files(*_open_files)
            fd = _open_files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        content = os.pread(fd, _READ_BYTES, 0)
    except OSError:
        _close_files(path)
        return b""
    return content if len(content) < _READ_BYTES else _read_file(path)


def _close_files(*paths: str) -> None:
    for path in paths:
        if (fd := _open_files.pop(path, None)) is not None:
            os.close(fd)


def _read_file(path: str) -> bytes:
    # Not by a file object: that asks the kernel eight times for what takes three.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        content = part = os.read(fd, _READ_BYTES)
        while len(part) == _READ_BYTES:
            part = os.read(fd, _READ_BYTES)
            content += part
        return content
    except OSError:
        return b""
    finally:
        os.close(fd)
