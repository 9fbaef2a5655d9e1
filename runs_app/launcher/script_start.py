"""Starting the script's process: every step between the runner's fork and the script's exec."""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from runs_app.launcher import files, forking
from runs_app.launcher.identity import keyring, landlock, limits, names, prctl, users
from runs_app.launcher.identity.isolation import Plan
from runs_app.launcher.spec import Spec

_REPORT_BYTES = 1000
_UMASK = 0o022
_OWN_USER_UMASK = 0o007  # its group is web's in its working folder, and nobody else's
_GROUP = 0o070


class StartError(Exception):
    """A script whose program never began; the message names the step and the system's error."""


class Pipes(NamedTuple):
    stdout: int
    stderr: int


def start(spec: Spec, pipes: Pipes, *, run_folder: str, plan: Plan) -> int:
    """Start the script and close `pipes`; return the pid once the program has begun. Raise StartError, OSError."""
    runner_pid = os.getpid()
    # Close-on-exec: a report that ends without a word says that exec worked.
    report_read, report_write = os.pipe()
    try:
        pid = forking.fork(lambda: _become(spec, pipes, run_folder, plan, runner_pid, report_write))
    finally:
        for fd in (report_write, *pipes):
            os.close(fd)
    try:
        failure = files.read_open(report_read, max_bytes=_REPORT_BYTES).decode()
    finally:
        os.close(report_read)
    if failure:
        os.waitpid(pid, 0)
        raise StartError(failure)
    return pid


def _become(
    spec: Spec, pipes: Pipes, run_folder: str, plan: Plan, runner_pid: int, report_fd: int
) -> int:
    uid = plan.user.uid if plan.user else ""
    folder = {b"TEMPO_RUN_FOLDER": os.fsencode(run_folder)}
    env = names.with_name(spec.env, plan.naming, run_folder) | folder
    _show_own_tmp(plan, run_folder)
    failure = (
        _try("session", lambda: _begin_session(pipes))
        or _try("limits", lambda: limits.apply(spec.limits, has_own_user=plan.has_own_user))
        or _try(f"user {uid} could not be set", lambda: _change_user(spec, plan))
        or _try("session keyring", keyring.begin_a_new_one)
        or _try("isolation", lambda: _isolate(plan, run_folder, runner_pid))
        or _try(f"working folder {os.fsdecode(spec.cwd)}", lambda: os.chdir(spec.cwd))
        or _try(f"interpreter {os.fsdecode(spec.argv[0])}", lambda: _execute(spec, env))
    )
    os.write(report_fd, failure.encode(errors="backslashreplace")[:_REPORT_BYTES])
    return 127


def _show_own_tmp(plan: Plan, run_folder: str) -> None:
    # Still working on files as web's user: no link that web might plant leads further than web itself may go.
    if plan.has_own_tmp:
        with contextlib.suppress(OSError):  # $TMPDIR is there all the same
            prctl.mount_for_itself(os.path.join(run_folder, "tmp"), "/tmp")


def _try(step: str, act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return f"{step}: {error.strerror}"
    return ""


def _begin_session(pipes: Pipes) -> None:
    os.setsid()
    prctl.use_files_as(os.geteuid(), os.getegid())
    # Descriptor 0 is /dev/null already, all others close on exec.
    os.dup2(pipes.stdout, 1)
    os.dup2(pipes.stderr, 2)


def _change_user(spec: Spec, plan: Plan) -> None:
    os.umask(_umask(spec.limits.umask, has_own_user=plan.has_own_user))
    if plan.user:
        # Else the script could not open its own /dev/stdout.
        os.fchown(1, *plan.user)
        os.fchown(2, *plan.user)
        users.become(plan.user)


def _umask(wanted: int | None, *, has_own_user: bool) -> int:
    if wanted is None:
        return _OWN_USER_UMASK if has_own_user else _UMASK
    # The group of a script with a user of its own is web's, which shows and deletes what it writes.
    return wanted & ~_GROUP if has_own_user else wanted


def _isolate(plan: Plan, run_folder: str, runner_pid: int) -> None:
    prctl.die_with_parent(signal.SIGKILL, runner_pid)
    prctl.forbid_new_privileges()
    if plan.is_script:
        prctl.drop_capabilities()
    if plan.landlock is None:
        return
    given = ["main.py"]
    if plan.naming.library:
        given += (names.PASSWD, names.GROUP)
    read = [*plan.landlock.read, *(os.path.join(run_folder, name) for name in given)]
    write = list(plan.landlock.write)
    if plan.has_own_user:
        write += landlock.TERMINALS
    wanted = plan.landlock
    shared = landlock.Shared(wanted.shared_read, wanted.shared_write, wanted.refused)
    rules_fd = landlock.make(read=read, write=write, closed=wanted.closed, shared=shared)
    landlock.enter(rules_fd)


def _execute(spec: Spec, env: dict[bytes, bytes]) -> None:
    forking.reset_handlers()
    forking.unblock_signals()
    os.execve(spec.argv[0], spec.argv, limits.variables(spec.limits) | env)
