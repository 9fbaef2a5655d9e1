"""The verdict on a run, `exit.json`, and its state while it runs, `state.json`."""

import json
import os
import signal
import time
from typing import NamedTuple, TypedDict

from runs_app.launcher import files
from runs_app.launcher.identity.isolation import NOTHING, IsolationResult
from runs_app.launcher.watch import procfs

EXIT = "exit.json"
STATE = "state.json"
_STATE_BYTES = 64 * 1024
_MESSAGE_LENGTH = 500  # exit.json has to fit into the room reserved for it


class RunnerState(TypedDict):
    """`state.json`: the processes of a run, for another launcher to find. Start times in clock ticks since boot."""

    v: int
    runner_pid: int
    runner_start: int | None
    script_pid: int
    script_start: int | None
    boot_id: str
    started_at: float
    isolation: dict[str, object]


class Exit(TypedDict):
    """`exit.json`: the end of the run. Times in seconds since the epoch, durations in seconds."""

    v: int
    status: str  # succeeded | failed | timed_out | cancelled
    reason: str  # "" | one of the reasons in runs_app.states that a runner can know
    exit_code: int | None
    signal: str | None
    message: str
    started_at: float | None
    finished_at: float
    duration_s: float
    cpu_s: float
    peak_memory_mb: float
    processes: int  # the most that were seen at once
    output_bytes: int  # what the script wrote
    output_lines: int  # records in the log
    output_dropped: int  # bytes that the log leaves out
    log_bytes: int  # size of the log
    leftovers_killed: int
    isolation: dict[str, object]  # see isolation.IsolationResult


class Cause(NamedTuple):
    status: str
    reason: str
    sentence: str


class ExitFacts(NamedTuple):
    cause: Cause | None
    wait_status: int | None = None  # None: no program ran, or it could not be killed
    message: str = ""
    started_at: float | None = None
    duration_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    is_peak_exact: bool = True  # pages that processes share are counted once
    reserved_bytes: int = 0  # the most that was seen of one process
    processes: int = 0
    output_bytes: int = 0
    output_lines: int = 0
    output_dropped: int = 0
    log_bytes: int = 0
    leftovers_killed: int = 0
    isolation: IsolationResult = NOTHING
    was_out_of_memory: bool = False  # the kernel had killed somebody for want of memory meanwhile


def write_state(
    folder_fd: int, *, script_pid: int, started_at: float, isolation: IsolationResult
) -> None:
    runner_pid = os.getpid()
    runner_start = procfs.start_time(runner_pid)
    # Of a script that has ended and left processes behind, the time is not known any more: none of them is older.
    script_start = procfs.start_time(script_pid) or runner_start
    state = RunnerState(
        v=1,
        runner_pid=runner_pid,
        runner_start=runner_start,
        script_pid=script_pid,
        script_start=script_start,
        boot_id=procfs.boot_id(),
        started_at=started_at,
        isolation=isolation._asdict(),
    )
    files.write(STATE, json.dumps(state).encode(), dir_fd=folder_fd)


def read_state(folder_fd: int) -> dict[str, object]:
    """Return the unchecked content of `state.json`; empty when the file is missing, torn or no object."""
    try:
        state = json.loads(files.read(STATE, dir_fd=folder_fd, max_bytes=_STATE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def reserve(folder_fd: int) -> None:
    """Make sure that the verdict can be written on a full disk. Raise OSError when the disk is full already."""
    files.reserve(EXIT, dir_fd=folder_fd)


def write_exit(folder_fd: int, facts: ExitFacts) -> None:
    files.write(EXIT, json.dumps(_exit(facts)).encode(), dir_fd=folder_fd)


def secure_exit(folder_fd: int) -> None:
    """Make the verdict outlive a power cut. Raise OSError."""
    # Called after the announcement, as a disk takes milliseconds. Cut off in between, the run is what it would be a
    # moment earlier: final in the database, or lost.
    files.secure(EXIT, dir_fd=folder_fd)


def could_not_start(sentence: str, *, output_lines: int = 0, log_bytes: int = 0) -> ExitFacts:
    cause = Cause("failed", "could_not_start", sentence)
    return ExitFacts(cause, output_lines=output_lines, log_bytes=log_bytes)


def _exit(facts: ExitFacts) -> Exit:
    exit_code, ended_by = _exit_code_and_signal(facts.wait_status)
    status, reason, sentence = facts.cause or _cause_by_itself(exit_code, ended_by)
    message = "; ".join(filter(None, (sentence, facts.message)))
    return Exit(
        v=1,
        status=status,
        reason=reason,
        exit_code=exit_code,
        signal=ended_by,
        message=message[:_MESSAGE_LENGTH],
        started_at=facts.started_at,
        finished_at=time.time(),
        duration_s=round(facts.duration_s, 6),
        cpu_s=round(facts.cpu_s, 6),
        peak_memory_mb=round(facts.peak_bytes / 2**20, 2),
        processes=facts.processes,
        output_bytes=facts.output_bytes,
        output_lines=facts.output_lines,
        output_dropped=facts.output_dropped,
        log_bytes=facts.log_bytes,
        leftovers_killed=facts.leftovers_killed,
        isolation=facts.isolation._asdict(),
    )


def _exit_code_and_signal(wait_status: int | None) -> tuple[int | None, str | None]:
    if wait_status is None:
        return None, None
    code = os.waitstatus_to_exitcode(wait_status)
    if code < 0:
        return None, signal_name(-code)
    return code, None


def killed_by(wait_status: int | None) -> str | None:
    """Return the name of the signal that ended a process, or None when the process ended by itself."""
    return _exit_code_and_signal(wait_status)[1]


def describe_end(wait_status: int) -> str:
    code, ended_by = _exit_code_and_signal(wait_status)
    if ended_by:
        return f"signal={ended_by}"
    return f"code={code}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _cause_by_itself(exit_code: int | None, ended_by: str | None) -> Cause:
    if ended_by:
        return Cause("failed", "signal", "")
    if exit_code is None:
        return Cause("failed", "signal", "The script could not be killed")
    if exit_code:
        return Cause("failed", "exit_code", "")
    return Cause("succeeded", "", "")
