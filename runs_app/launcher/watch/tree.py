"""Process trees: finding all descendants of a process, and ending a tree whatever its processes do."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable

from runs_app.launcher.watch import procfs

_PASSES = 50  # a fork bomb that outruns this many looks is met again by the caller's next attempt


def family(roots: Iterable[int]) -> set[int]:
    """Return the running processes among `roots` and all their descendants."""
    table = procfs.table()
    wanted = set(roots)
    return {pid for pid in table if _descends(pid, table, wanted)}


def descendants(ancestor: int) -> set[int]:
    return family({ancestor}) - {ancestor}


def children(parent: int) -> set[int]:
    return {process.pid for process in procfs.table().values() if process.parent == parent}


def send(pids: Iterable[int], signum: signal.Signals) -> None:
    """Send `signum` to each of `pids`, except processes that are gone or not ours to signal."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def kill(find: Callable[[], set[int]]) -> set[int]:
    """Stop the processes that `find` returns until no new ones appear, then kill all; return the killed pids."""
    # A stopped process cannot fork, so none slips away between the look and the KILL. Whole process groups are
    # signalled: the kernel does that atomically, and so a fork bomb ends in one stroke.
    stopped: set[int] = set()
    for _ in range(_PASSES):
        fresh = find() - stopped
        if not fresh:
            break
        stopped |= fresh
        _send_with_groups(stopped, signal.SIGSTOP)
    _send_with_groups(stopped, signal.SIGKILL)
    return stopped


def _descends(pid: int, table: dict[int, procfs.Process], roots: set[int]) -> bool:
    # The table is read while it changes: `seen` guards against a circle made of reused pids.
    seen: set[int] = set()
    while pid in table and pid not in seen:
        if pid in roots:
            return True
        seen.add(pid)
        pid = table[pid].parent
    return False


def _send_with_groups(pids: set[int], signum: signal.Signals) -> None:
    groups = {process.group for process in map(procfs.read, pids) if process}
    for group in groups:
        if _is_inside(group, pids):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signum)
    send(pids, signum)


def _is_inside(group: int, pids: set[int]) -> bool:
    # A group with a living leader elsewhere is not ours to signal: a fresh fork still shares its parent's group.
    # Group 1 would be kill(-1), which is everybody.
    leader = procfs.read(group)
    return group > 1 and (group in pids or leader is None or leader.state in procfs.ENDED)
