"""Memory that the kernel refused where the script's own words do not name it: threads that did not start, crashes."""

import re

from runs_app.launcher.identity import limits as kernel_limits
from runs_app.launcher.spec import Limits
from runs_app.launcher.watch.verdict import Cause, ExitFacts, killed_by

_MIB = 1 << 20
_NEAR = 0.85  # of what one process may reserve
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGTRAP"})
_ERROR = re.compile(rb"^[\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
_NO_THREAD = b"RuntimeError: can't start new thread"


def cause(facts: ExitFacts, limits: Limits, stderr: bytes) -> Cause | None:
    """Return the cause of a run that failed by itself, or None when memory was not what it lacked."""
    if not limits.memory_bytes:
        return None
    sentence = ""
    ended_by = killed_by(facts.wait_status)
    if ended_by in _CRASHES and _is_near(facts, limits):
        reserved = f"{facts.reserved_bytes / _MIB:.0f} MB"
        sentence = f"Crashed when it had reserved {reserved} of memory, limit {_limit(limits)}"
    elif ended_by is None:
        sentence = refused_thread(facts, limits, stderr)
    return Cause("failed", "memory", sentence) if sentence else None


def refused_thread(facts: ExitFacts, limits: Limits, stderr: bytes) -> str:
    """Return a sentence if a thread could not start for want of memory; "" if all did, or threads were too many."""
    errors = _ERROR.findall(stderr)
    if not limits.memory_bytes or errors[-1:] != [_NO_THREAD]:
        return ""
    if not _is_near(facts, limits) and not _memory_ends_first(facts, limits):
        return ""
    stack = f"{kernel_limits.STACK_BYTES // _MIB} MB"
    return (
        f"Was refused memory for another thread, which reserves {stack} for its stack, limit {_limit(limits)}\n"
        "hint: raise the memory limit, start fewer threads, or give them less by `threading.stack_size`"
    )


def _is_near(facts: ExitFacts, limits: Limits) -> bool:
    return facts.reserved_bytes >= _NEAR * kernel_limits.data_bytes(limits)


def _memory_ends_first(facts: ExitFacts, limits: Limits) -> bool:
    # Between two looks threads can start by the hundred, so what was seen is not all that there was.
    stacks = kernel_limits.data_bytes(limits) // kernel_limits.STACK_BYTES
    return not limits.processes or stacks * facts.processes < kernel_limits.tasks(limits)


def _limit(limits: Limits) -> str:
    return f"{limits.memory_bytes // _MIB} MB"
