"""Starting the script's process: everything between the runner's fork and the script's exec."""

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from runs_app.launcher import forking, limits, prctl
from runs_app.launcher.spec import Spec


class StartError(Exception):
    """A script whose program never began: the sentence says at which step, and what the system said."""


class Pipes(NamedTuple):
    """The write ends of the script's two streams."""

    stdout: int
    stderr: int


def start(spec: Spec, pipes: Pipes, *, run_folder: str) -> int:
    """Start the script and return its pid once its program has begun. Closes the runner's copies of `pipes`.

    Raises StartError, OSError when no process can be made.
    """
    runner_pid = os.getpid()
    report_read, report_write = os.pipe()  # close-on-exec: its end without a word is the word that exec worked
    try:
        pid = forking.fork(lambda: _become(spec, pipes, run_folder, runner_pid, report_write))
    finally:
        for fd in (report_write, *pipes):
            os.close(fd)
    with open(report_read, "rb") as report:
        failure = report.read().decode()
    if failure:
        os.waitpid(pid, 0)
        raise StartError(failure)
    return pid


def _become(spec: Spec, pipes: Pipes, run_folder: str, runner_pid: int, report_fd: int) -> int:
    env = spec.env | {b"TEMPO_RUN_FOLDER": os.fsencode(run_folder)}
    program = os.fsdecode(spec.argv[0])
    failure = (
        _try("session", lambda: _stand_alone(runner_pid, pipes))
        or _try("limits", limits.apply)
        or _try(f"working folder {os.fsdecode(spec.cwd)}", lambda: os.chdir(spec.cwd))
        or _try(program, lambda: _execute(spec, env))
    )
    os.write(report_fd, failure.encode(errors="backslashreplace")[:1000])
    return 127


def _try(phase: str, act: Callable[[], None]) -> str:
    try:
        act()
    except OSError as error:
        return f"{phase}: {error.strerror}"
    return ""


def _stand_alone(runner_pid: int, pipes: Pipes) -> None:
    os.setsid()
    prctl.die_with_parent(signal.SIGKILL, runner_pid)
    # Descriptor 0 is /dev/null already, all others close on exec.
    os.dup2(pipes.stdout, 1)
    os.dup2(pipes.stderr, 2)


def _execute(spec: Spec, env: dict[bytes, bytes]) -> None:
    forking.forget_handlers()
    forking.let_signals_in()
    os.execve(spec.argv[0], spec.argv, env)
