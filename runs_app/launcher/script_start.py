"""Starting the script's process: every step between the runner's fork and the script's exec."""

# Each page of memory that the forked process touches is copied first, which takes longer than most calls. So the runner
# prepares all that it can, and the process goes through a list of calls.

import os
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

from runs_app.launcher import files, forking
from runs_app.launcher.identity import file_access, keyring, landlock, limits, names, prctl, users
from runs_app.launcher.identity.isolation import Plan
from runs_app.launcher.spec import Spec

_REPORT_BYTES = 1000
_UMASK = 0o022
_OWN_USER_UMASK = 0o007  # its group is web's in its working folder, and nobody else's
_GROUP = 0o070
# The name is for the report, should the call raise OSError; without one the script starts all the same.
_Step = tuple[str, Callable[..., object], tuple[object, ...]]


class StartError(Exception):
    """A script whose program never began; the message names the step and the system's error."""


class Pipes(NamedTuple):
    stdout: int
    stderr: int


def start(spec: Spec, pipes: Pipes, *, run_folder: str, plan: Plan) -> int:
    """Start the script and close `pipes`; return the pid once the program has begun. Raise StartError, OSError."""
    for_the_child = [*pipes]
    try:
        rules_fd = _make_rules(plan, run_folder)
        if rules_fd is not None:
            for_the_child.append(rules_fd)
        steps = list(_steps(spec, pipes, run_folder, plan, rules_fd))
        # Close-on-exec: a report that ends without a word says that exec worked.
        report_read, report_write = os.pipe()
        for_the_child.append(report_write)
        pid = forking.fork(lambda: _become(steps, report_write))
    finally:
        for fd in for_the_child:
            os.close(fd)
    try:
        failure = files.read_open(report_read, max_bytes=_REPORT_BYTES).decode()
    finally:
        os.close(report_read)
    if failure:
        os.waitpid(pid, 0)
        raise StartError(failure)
    return pid


def _become(steps: list[_Step], report_fd: int) -> int:
    for name, call, arguments in steps:
        try:
            call(*arguments)
        except OSError as error:
            if name:
                failure = f"{name}: {error.strerror}".encode(errors="backslashreplace")
                os.write(report_fd, failure[:_REPORT_BYTES])
                break
    return 127


def _steps(
    spec: Spec, pipes: Pipes, run_folder: str, plan: Plan, rules_fd: int | None
) -> Iterator[_Step]:
    if plan.has_own_tmp:
        # Still working on files as web's user: no link that web might plant leads further than web itself may go.
        # $TMPDIR is there all the same.
        yield "", prctl.mount_for_itself, (os.path.join(run_folder, "tmp"), "/tmp")
    yield "session", os.setsid, ()
    yield "session", prctl.use_files_as, (os.geteuid(), os.getegid())
    # Descriptor 0 is /dev/null already, all others close on exec.
    yield "session", os.dup2, (pipes.stdout, 1)
    yield "session", os.dup2, (pipes.stderr, 2)
    for call, arguments in limits.calls(spec.limits, has_own_user=plan.has_own_user):
        yield "limits", call, arguments
    for call, arguments in limits.manners(spec.limits):
        yield "", call, arguments
    yield from _to_change_user(spec, plan)
    yield "session keyring", keyring.begin_a_new_one, ()
    yield from _to_isolate(plan, rules_fd)
    yield f"working folder {os.fsdecode(spec.cwd)}", os.chdir, (spec.cwd,)
    program = prctl.Program(spec.argv, _env(spec, run_folder, plan))
    name = f"interpreter {os.fsdecode(spec.argv[0])}"
    for last_call in (forking.reset_handlers, forking.unblock_signals, program.begin):
        yield name, last_call, ()


def _to_change_user(spec: Spec, plan: Plan) -> Iterator[_Step]:
    name = f"user {plan.user.uid if plan.user else ''} could not be set"
    yield name, os.umask, (_umask(spec.limits.umask, has_own_user=plan.has_own_user),)
    if plan.user:
        # Else the script could not open its own /dev/stdout.
        yield name, os.fchown, (1, *plan.user)
        yield name, os.fchown, (2, *plan.user)
        yield name, users.become, (plan.user,)


def _to_isolate(plan: Plan, rules_fd: int | None) -> Iterator[_Step]:
    yield "isolation", prctl.die_with_parent, (signal.SIGKILL, os.getpid())
    yield "isolation", prctl.forbid_new_privileges, ()
    if plan.is_script:
        yield "isolation", prctl.drop_capabilities, ()
    if rules_fd is not None:
        yield "isolation", landlock.enter, (rules_fd,)


def _umask(wanted: int | None, *, has_own_user: bool) -> int:
    if wanted is None:
        return _OWN_USER_UMASK if has_own_user else _UMASK
    # The group of a script with a user of its own is web's, which shows and deletes what it writes.
    return wanted & ~_GROUP if has_own_user else wanted


def _make_rules(plan: Plan, run_folder: str) -> int | None:
    wanted = plan.landlock
    if wanted is None:
        return None
    given = ["main.py"]
    if plan.naming.library:
        given += (names.PASSWD, names.GROUP)
    read = [*wanted.read, *(os.path.join(run_folder, name) for name in given)]
    write = list(wanted.write)
    if plan.has_own_user:
        write += landlock.TERMINALS
    shared = landlock.Shared(wanted.shared_read, wanted.shared_write, wanted.refused)
    # As the user that the script becomes: of a path that is not open to this user there is no rule, as if the script
    # had made its rules itself. (The launcher's further groups stay; what only they may enter is closed to the script
    # by its mode.) A rule stands for the file that was found, in whichever namespace of mounts.
    user = plan.user or users.User(os.geteuid(), os.getegid())
    try:
        with file_access.as_user(*user):
            return landlock.make(read=read, write=write, closed=wanted.closed, shared=shared)
    except OSError as error:
        raise StartError(f"isolation: {error.strerror}") from error


def _env(spec: Spec, run_folder: str, plan: Plan) -> dict[bytes, bytes]:
    env = limits.variables(spec.limits) | names.with_name(spec.env, plan.naming, run_folder)
    return env | {b"TEMPO_RUN_FOLDER": os.fsencode(run_folder)}
