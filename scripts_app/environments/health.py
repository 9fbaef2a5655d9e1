"""The health of environments: looked at one by one, named when broken, built anew from their lock.

A fault is what is certainly wrong with an environment. What may be the machine's doing (no time, no memory, a full
disk) is none: it raises Unclear, and the environment is looked at again later.
"""

import contextlib
import csv
import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import uv
from django.conf import settings
from django.db.models import F, Q
from packaging.utils import canonicalize_name

from scripts_app.environments import environments
from scripts_app.models import Environment, Script
from scripts_app.packages import index, interpreters, locks
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)
TIMEOUT_S = 60.0
NICENESS = 10
MAX_TEXT = 500  # characters of a program's complaint
_START = "import sys; print('%d.%d' % sys.version_info[:2])"
_ENDED_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
_SHORTAGE_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "Cannot allocate memory",
    "MemoryError",
    "Too many open files",
    "Resource temporarily unavailable",
    "Input/output error",
)
UV_FOUND_CONFLICTS = 1  # of `uv pip check`; 2 is an error of its own


class Unclear(Exception):
    """Whether an environment is healthy could not be found out now; str() says why."""


def next_due(
    *, now: datetime, started_at: datetime, leave_out: frozenset[int] = frozenset()
) -> Environment | None:
    """The built environment that was not looked at for longest: not since the start, or not for a day."""
    long_ago = max(started_at, now - EVERY)
    rows = Environment.objects.filter(state=Environment.State.READY).exclude(pk__in=leave_out)
    due = rows.filter(Q(checked_at=None) | Q(checked_at__lt=long_ago))
    return due.order_by(F("checked_at").asc(nulls_first=True), "pk").first()


def check_environment(environment: Environment, *, now: datetime) -> str:
    """Look at an environment, record what is wrong with it, have it built anew; returns its fault, "" when healthy.

    It starts processes and may take a minute: not for a request, nor for a task of the queue. Raises Unclear.
    """
    # twice: what is seen once may be a replaced folder
    fault = examine(environment) and examine(environment)
    if record_check(environment, fault, now=now) and fault:
        rebuild(environment)
    return fault


def record_check(environment: Environment, fault: str, *, now: datetime) -> bool:
    """Store the outcome of a look, unless the environment has got another folder meanwhile; returns whether."""
    same = Environment.objects.filter(
        pk=environment.pk, state=Environment.State.READY, digest=environment.digest
    )
    if fault and fault != environment.fault:
        logger.warning("environment %s is broken: %s", environment.pk, fault)
    return bool(same.update(fault=fault, checked_at=now))


def rebuild(environment: Environment) -> None:
    """Have a broken environment built anew from its lock, where the operator wants that (PYSCHED_REBUILD_BROKEN).

    One whose Python is gone cannot be: scripts that are content with another one of the same release get that. One
    that only versions name is left to the day when somebody needs it.
    """
    if not settings.REBUILD_BROKEN:
        return
    if interpreters.is_gone(Path(environment.interpreter)):
        _change_interpreter(environment)
        return
    present = Script.objects.present()
    if present.filter(Q(environment=environment) | Q(wanted_environment=environment)).exists():
        environments.renew(environment)
    else:
        broken = Environment.objects.filter(
            pk=environment.pk, state=Environment.State.READY, upgrading_scripts=None
        )
        broken.update(state=Environment.State.STORED, digest="", size_bytes=None, fault="")


def _change_interpreter(environment: Environment) -> None:
    """Let the scripts of an environment have the same packages with another Python of the release they ask for."""
    for script in (
        Script.objects.present().filter(wanted_environment=environment).select_related("version")
    ):
        # there is none, or a requirement is refused by now: it stays marked
        with contextlib.suppress(ValueError):
            request_like(script, environment)


def request_like(script: Script, before: Environment) -> Environment:
    """Ask for a script's environment with the Python there is now, and with the lock it had where that holds for it.

    Raises InterpreterMissing and ScriptError.
    """
    wanted = environments.request(script)
    if wanted.pk != before.pk and interpreters.minor_of(wanted.python) == interpreters.minor_of(
        before.python
    ):
        unbuilt = Environment.objects.filter(
            pk=wanted.pk, state=Environment.State.WANTED, lock="", generation=0
        )
        unbuilt.update(lock=before.lock)
    return wanted


def quick_check(environment: Environment) -> str:
    """Say what a run that could not start must know of its environment: its known fault, or what stats tell."""
    try:
        return (
            environment.fault
            or _interpreter_fault(environment)
            or _folder_fault(_home(environment))
        )
    except (OSError, ValueError):
        return ""


def examine(environment: Environment) -> str:
    """Return what is wrong with a built environment, in a sentence without its full stop; "" when nothing is.

    Raises Unclear.
    """
    home = _home(environment)
    python = home / "bin" / "python"
    with _as_unclear():
        return (
            _interpreter_fault(environment)
            or _folder_fault(home)
            or _start_fault(python, environment)
            or _files_fault(home, environment)
            or _packages_fault(python)
        )


def _home(environment: Environment) -> Path:
    return environments.python_of(environment).parent.parent


@contextlib.contextmanager
def _as_unclear() -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as problem:
        raise Unclear(str(problem)) from problem


def _interpreter_fault(environment: Environment) -> str:
    if interpreters.is_gone(Path(environment.interpreter)):
        return python_is_gone(environment.python, environment.interpreter)
    return ""


def python_is_gone(version: str, path: str) -> str:
    """Say that a Python is not there any more."""
    return f"Python {version} at {path} is gone"


def _folder_fault(home: Path) -> str:
    """What a few stats tell. Raises OSError where they cannot: a volume that is away says nothing of a folder on it."""
    home.parent.stat()
    if interpreters.is_gone(home):
        return "its folder is gone"
    for name in ("READY", "bin/python", "pyvenv.cfg"):
        path = home / name
        if interpreters.is_gone(path):
            return (
                f"its Python {path.readlink()} is gone"
                if path.is_symlink()
                else f"its file {name} is gone"
            )
    return ""


def _start_fault(python: Path, environment: Environment) -> str:
    try:
        answer = _ask([str(python), "-I", "-c", _START], {"PATH": os.defpath, "LANG": "C.UTF-8"})
    except OSError as problem:
        if problem.errno in interpreters.SHORTAGES:
            raise
        return f"its Python does not start: {problem.strerror}"
    made_for = interpreters.minor_of(environment.python)
    if answer.returncode == 0:
        is_same = answer.stdout.strip() == made_for
        return (
            ""
            if is_same
            else f"it was made for Python {made_for}, and its Python is {answer.stdout.strip()} now"
        )
    return f"its Python does not start: {_complaint(answer)}"


def _files_fault(home: Path, environment: Environment) -> str:
    """Whether all packages of the lock are there, each with all of its files in the sizes it came with."""
    records = {
        _name_of(record): record
        for record in home.glob("lib/python*/site-packages/*.dist-info/RECORD")
    }
    for package in locks.packages(environment.lock):
        record = records.get(canonicalize_name(package.name))
        if record is None:
            return f"the package {package.name} is gone"
        if spoilt := _spoilt(record):
            count = f"{len(spoilt)} file{'' if len(spoilt) == 1 else 's'}"
            return (
                f"{count} of the package {package.name} gone or changed, first of all {spoilt[0]}"[
                    :MAX_TEXT
                ]
            )
    return ""


def _name_of(record: Path) -> str:
    return canonicalize_name(record.parent.name.removesuffix(".dist-info").rpartition("-")[0])


def _spoilt(record: Path) -> list[str]:
    """The files of a package, as its RECORD names them, that are not there in the size they had."""
    site = record.parent.parent
    try:
        with record.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = [row for row in csv.reader(file) if len(row) == 3]
    except csv.Error:
        return [f"{record.parent.name}/RECORD"]
    spoilt = [
        name
        for name, _, size in rows
        if not name.endswith(".pyc") and not _is_whole(site / name, size)
    ]
    return [name.encode("utf-8", "replace").decode() for name in spoilt]


def _is_whole(path: Path, size: str) -> bool:
    if interpreters.is_gone(path):
        return False
    return not size.isdecimal() or path.stat().st_size == int(size)


def _packages_fault(python: Path) -> str:
    answer = _ask([uv.find_uv_bin(), "pip", "check", "--python", str(python)], index.variables())
    if answer.returncode == 0:
        return ""
    complaint = _complaint(answer)
    if answer.returncode != UV_FOUND_CONFLICTS:
        raise Unclear(complaint)
    return f"its packages do not fit together: {complaint}"


def _ask(argv: list[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a program behind all others. Raises OSError when it does not start, Unclear when that tells nothing."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        cwd=paths.environments(),
        env=dict(env),
    ) as program:
        with contextlib.suppress(OSError):  # ended already, or not ours to slow down
            os.setpriority(os.PRIO_PROCESS, program.pid, NICENESS)
        try:
            output, errors = program.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as problem:
            program.kill()
            raise Unclear(f"{Path(argv[0]).name} took longer than {TIMEOUT_S:.0f} s") from problem
    answer = subprocess.CompletedProcess(argv, program.returncode, output, errors)
    if program.returncode in _ENDED_FROM_OUTSIDE or any(word in errors for word in _SHORTAGE_WORDS):
        raise Unclear(_complaint(answer))
    return answer


def _complaint(answer: "subprocess.CompletedProcess[str]") -> str:
    """The last lines of what a program said."""
    said = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return "; ".join(said[-3:])[:MAX_TEXT] or f"it ended with status {answer.returncode}"
