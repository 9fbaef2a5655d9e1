"""Facts of processes, read straight from /proc; a process that is gone is None, 0 or "", never an exception."""

import os
import re
from typing import NamedTuple

from runs_app.launcher.identity import prctl

_READ_BYTES = 4096
_ENTRY_BYTES = 64  # more than a child's number in a list of children
_MAX_OPEN_FILES = 200
_PSS = re.compile(rb"^Pss: +(\d+) kB$", re.MULTILINE)
_OOM_KILLS = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_open_files: dict[str, int] = {}  # descriptors by path
_LINKS_OF_ONE_THREAD = 3
_STATM_FIELDS = 7
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
ENDED = "ZX"  # the states of a process that runs no more and only waits for its parent to notice


class Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int
    cpu_ticks: int  # its own, and of the children it has waited for
    start_ticks: int  # clock ticks since boot: with pid and boot id it names a process for ever


class Memory(NamedTuple):
    resident: int  # in RAM, shared pages in full
    reserved: int  # its own writable pages, touched or not: RLIMIT_DATA counts these


def read(pid: int) -> Process | None:
    return _parse(pid, _read_file(f"/proc/{pid}/stat"))


def cpu_ticks(pid: int) -> int:
    """Return the CPU time of `pid` and of the children it has waited for, in clock ticks; 0 when `pid` is gone."""
    process = _parse(pid, _read_open_file(f"/proc/{pid}/stat"))
    return process.cpu_ticks if process else 0


def _parse(pid: int, line: bytes) -> Process | None:
    if not line:
        return None
    # The command's name stands in brackets and may itself hold brackets and spaces: the last bracket counts.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        state=chr(fields[0][0]),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        cpu_ticks=sum(map(int, fields[11:15])),
        start_ticks=int(fields[19]),
    )


def table() -> dict[int, Process]:
    """Return all running processes by pid, without zombies. No snapshot: processes come and go while /proc is read."""
    processes = {}
    for name in os.listdir("/proc"):
        process = read(int(name)) if name.isdigit() else None
        if process and process.state not in ENDED:
            processes[process.pid] = process
    return processes


def start_time(pid: int) -> int | None:
    """Return when `pid` was started, in clock ticks since boot (field 22 of /proc/<pid>/stat)."""
    process = read(pid)
    return process.start_ticks if process else None


def has_no_new_privileges(pid: int) -> bool:
    return b"\nNoNewPrivs:\t1\n" in _read_file(f"/proc/{pid}/status")


def boot_id() -> str:
    """Return the kernel's name for the time since the last boot, within which pids and start times are valid."""
    return _read_file("/proc/sys/kernel/random/boot_id").decode().strip()


def environment_value(pid: int, name: str) -> str | None:
    """Return the value of `name` in the environment `pid` was started with; None if unset or not ours to read."""
    prefix = os.fsencode(name) + b"="
    for entry in _read_file_as_owner(f"/proc/{pid}/environ", pid).split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return None


def children(pid: int) -> list[int]:
    """Return the children of `pid`, zombies too; cheap, but a child that changes parents right now may be missing."""
    # Children belong to the thread that made them; most processes have but one, as the link count tells for less.
    try:
        is_single = os.stat(f"/proc/{pid}/task").st_nlink == _LINKS_OF_ONE_THREAD
        if is_single:
            return list(map(int, _read_open_file(f"/proc/{pid}/task/{pid}/children").split()))
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    pids: list[int] = []
    for thread in threads:
        pids += map(int, _read_file(f"/proc/{pid}/task/{thread}/children").split())
    return pids


def knows_children() -> bool:
    """Return whether this kernel has the lists that `children()` reads (CONFIG_PROC_CHILDREN)."""
    return os.access(f"/proc/self/task/{os.getpid()}/children", os.R_OK)


def memory_bytes(pid: int) -> Memory:
    fields = _read_open_file(f"/proc/{pid}/statm").split()
    if len(fields) < _STATM_FIELDS:
        return Memory(0, 0)
    return Memory(int(fields[1]) * _PAGE_BYTES, int(fields[5]) * _PAGE_BYTES)


def proportional_bytes(pid: int) -> int | None:
    """Return the memory of `pid`, shared pages divided among their processes; None when not ours to read."""
    kilobytes = _value(_read_file_as_owner(f"/proc/{pid}/smaps_rollup", pid), b"Pss:")
    if kilobytes is not None:
        return int(kilobytes) * 1024
    # Before Linux 4.14 there is no sum: the same figure stands beside each mapping.
    mappings = _PSS.findall(_read_file_as_owner(f"/proc/{pid}/smaps", pid))
    return sum(map(int, mappings)) * 1024 if mappings else None


def written_bytes(pid: int) -> int:
    """Return the bytes that `pid` has written so far, to any file; 0 when not ours to read."""
    return int(_value(_read_file_as_owner(f"/proc/{pid}/io", pid), b"wchar:") or 0)


def handles(pid: int, signum: int) -> bool:
    return bool(_bits(f"/proc/{pid}/status", b"SigCgt:") >> (signum - 1) & 1)


def permitted_capabilities() -> int:
    # A process that touches files as another user has fewer in effect for that time.
    return _bits("/proc/self/status", b"CapPrm:")


def oom_kills() -> int:
    found = _OOM_KILLS.search(_read_file("/proc/vmstat"))
    return int(found[1]) if found else 0


def _bits(path: str, name: bytes) -> int:
    return int(_value(_read_file(path), name) or b"0", 16)


def _value(content: bytes, name: bytes) -> bytes | None:
    for line in content.splitlines():
        if not line.startswith(name):
            continue
        words = line.split(maxsplit=2)
        if words[0] == name:
            return words[1]
    return None


def _read_file_as_owner(path: str, pid: int) -> bytes:
    # Root without CAP_SYS_PTRACE, as in a container, reads another user's process only as that user.
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


def close_kept_files() -> None:
    """Close the files of processes that were kept open: behind a run, none of them means anything."""
    _close_files(*_open_files)


def _read_open_file(path: str) -> bytes:
    # For files that are read again and again: one kept open costs a fifth. It means the process that it was opened for,
    # also when the number has passed on to another.
    try:
        fd = _open_files.get(path)
        if fd is None:
            if len(_open_files) >= _MAX_OPEN_FILES:
                _close_files(*_open_files)
            fd = _open_files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        content = os.pread(fd, _READ_BYTES, 0)
    except OSError:
        _close_files(path)
        return b""
    if len(content) < _READ_BYTES - _ENTRY_BYTES:
        return content
    return _read_file(path)


def _close_files(*paths: str) -> None:
    for path in paths:
        fd = _open_files.pop(path, None)
        if fd is not None:
            os.close(fd)


def _read_file(path: str) -> bytes:
    # Not by a file object: that asks the kernel eight times for what takes three.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        content = part = os.read(fd, _READ_BYTES)
        while part:  # lists of mappings and of children come in whole entries, so a short read is not the end
            part = os.read(fd, _READ_BYTES)
            content += part
        return content
    except OSError:
        return b""
    finally:
        os.close(fd)
