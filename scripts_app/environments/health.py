"""The health checks of environments, and the rebuilding of broken environments from their locks."""

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

INTERVAL = timedelta(days=1)
TIMEOUT_S = 60.0
NICENESS = 10
MAX_TEXT = 500  # characters of a program's complaint
_PRINT_MINOR = "import sys; print('%d.%d' % sys.version_info[:2])"
_KILLED_STATUSES = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
_SHORTAGE_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "Cannot allocate memory",
    "MemoryError",
    "Too many open files",
    "Resource temporarily unavailable",
    "Input/output error",
)
UV_FOUND_CONFLICTS = 1  # status of `uv pip check`; 2 is an error of uv itself


class Unclear(Exception):
    """Trouble of the machine (no time, no memory, a full disk) hides the health of an environment; str() says which."""


def next_due(
    *, now: datetime, started_at: datetime, leave_out: frozenset[int] = frozenset()
) -> Environment | None:
    """Return the environment with the oldest check, if not checked since the start or for a day."""
    latest_check = max(started_at, now - INTERVAL)
    rows = Environment.objects.filter(state=Environment.State.READY).exclude(pk__in=leave_out)
    due = rows.filter(Q(checked_at=None) | Q(checked_at__lt=latest_check))
    return due.order_by(F("checked_at").asc(nulls_first=True), "pk").first()


def check_environment(environment: Environment, *, now: datetime) -> str:
    """Record the fault of an environment, have a broken environment built again, and return the fault or "".

    Starts processes and may take a minute: neither for a request nor for a queued task. Raises Unclear.
    """
    fault = examine(environment)
    if fault:
        fault = examine(environment)  # again, as the folder may have been replaced during the check
    if record_check(environment, fault, now=now) and fault:
        rebuild_broken(environment)
    return fault


def record_check(environment: Environment, fault: str, *, now: datetime) -> bool:
    """Store the result of a check; False when the environment has got another folder in the meantime."""
    same = Environment.objects.filter(
        pk=environment.pk, state=Environment.State.READY, digest=environment.digest
    )
    if fault and fault != environment.fault:
        logger.warning("environment %s is broken: %s", environment.pk, fault)
    return bool(same.update(fault=fault, checked_at=now))


def rebuild_broken(environment: Environment) -> None:
    """Have a broken environment built again from its lock, unless PYSCHED_REBUILD_BROKEN is off."""
    if not settings.REBUILD_BROKEN:
        return
    if interpreters.is_gone(Path(environment.interpreter)):
        _change_interpreter(environment)
        return
    present = Script.objects.present()
    if present.filter(Q(environment=environment) | Q(wanted_environment=environment)).exists():
        environments.renew(environment)
    else:  # only versions refer to the environment: built when a script needs it
        broken = Environment.objects.filter(
            pk=environment.pk, state=Environment.State.READY, upgrading_scripts=None
        )
        broken.update(
            state=Environment.State.STORED,
            digest="",
            size_bytes=None,
            fault="",
        )


def _change_interpreter(environment: Environment) -> None:
    scripts = Script.objects.present().filter(wanted_environment=environment)
    for script in scripts.select_related("version"):
        # Without such a Python, or with a requirement that is refused by now, the environment stays broken.
        with contextlib.suppress(ValueError):
            request_like(script, environment)


def request_like(script: Script, previous: Environment) -> Environment:
    """Request an environment with an existing Python, and the lock if the minor release is the same."""
    wanted = environments.request(script)
    if wanted.pk == previous.pk:
        return wanted
    if interpreters.minor_of(wanted.python) == interpreters.minor_of(previous.python):
        unbuilt = Environment.objects.filter(
            pk=wanted.pk, state=Environment.State.WANTED, lock="", generation=0
        )
        unbuilt.update(lock=previous.lock)
    return wanted


def quick_check(environment: Environment) -> str:
    """Return the recorded fault of an environment, or a fault that file stats show; "" without a fault."""
    if environment.fault:
        return environment.fault
    try:
        return _interpreter_fault(environment) or _folder_fault(_home(environment))
    except (OSError, ValueError):
        return ""


def examine(environment: Environment) -> str:
    """Return the fault of a built environment as a sentence without full stop; "" without a fault. Raises Unclear."""
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
    except (OSError, UnicodeError) as error:
        raise Unclear(str(error)) from error


def _interpreter_fault(environment: Environment) -> str:
    if interpreters.is_gone(Path(environment.interpreter)):
        return python_is_gone(environment.python, environment.interpreter)
    return ""


def python_is_gone(version: str, path: str) -> str:
    return f"Python {version} at {path} is gone"


def _folder_fault(home: Path) -> str:
    home.parent.stat()  # raises OSError if the volume is away, which is no fault of the folder
    if interpreters.is_gone(home):
        return "its folder is gone"
    for name in ("READY", "bin/python", "pyvenv.cfg"):
        path = home / name
        if not interpreters.is_gone(path):
            continue
        if path.is_symlink():
            return f"its Python {path.readlink()} is gone"
        return f"its file {name} is gone"
    return ""


def _start_fault(python: Path, environment: Environment) -> str:
    try:
        variables = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        answer = _run([str(python), "-I", "-c", _PRINT_MINOR], variables)
    except OSError as error:
        if error.errno in interpreters.SHORTAGES:
            raise
        return f"its Python does not start: {error.strerror}"
    if answer.returncode != 0:
        return f"its Python does not start: {_complaint(answer)}"
    expected = interpreters.minor_of(environment.python)
    actual = answer.stdout.strip()
    if actual != expected:
        return f"it was made for Python {expected}, and its Python is {actual} now"
    return ""


def _files_fault(home: Path, environment: Environment) -> str:
    records = {}
    for record in home.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        records[_package_name(record)] = record
    for package in locks.packages(environment.lock):
        package_record = records.get(canonicalize_name(package.name))
        if package_record is None:
            return f"the package {package.name} is gone"
        damaged = _damaged_files(package_record)
        if damaged:
            count = "1 file" if len(damaged) == 1 else f"{len(damaged)} files"
            fault = f"{count} of the package {package.name} gone or changed"
            return f"{fault}, first of all {damaged[0]}"[:MAX_TEXT]
    return ""


def _package_name(record: Path) -> str:
    name_and_version = record.parent.name.removesuffix(".dist-info")
    return canonicalize_name(name_and_version.rpartition("-")[0])


def _damaged_files(record: Path) -> list[str]:
    site = record.parent.parent
    try:
        with record.open(
            newline="",
            encoding="utf-8",
            errors="surrogateescape",
        ) as file:
            rows = [row for row in csv.reader(file) if len(row) == 3]
    except csv.Error:
        return [f"{record.parent.name}/RECORD"]
    damaged = []
    for name, _, size in rows:
        if name.endswith(".pyc") or _is_intact(site / name, size):
            continue
        damaged.append(name.encode("utf-8", "replace").decode())
    return damaged


def _is_intact(path: Path, size: str) -> bool:
    if interpreters.is_gone(path):
        return False
    return not size.isdecimal() or path.stat().st_size == int(size)


def _packages_fault(python: Path) -> str:
    argv = [uv.find_uv_bin(), "pip", "check", "--python", str(python)]
    answer = _run(argv, index.variables())
    if answer.returncode == 0:
        return ""
    complaint = _complaint(answer)
    if answer.returncode != UV_FOUND_CONFLICTS:
        raise Unclear(complaint)
    return f"its packages do not fit together: {complaint}"


def _run(argv: list[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    # Raises OSError when the program does not start, Unclear when the machine ended the program.
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
        with contextlib.suppress(OSError):  # the program has ended, or no right to do so
            os.setpriority(os.PRIO_PROCESS, program.pid, NICENESS)
        try:
            output, errors = program.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            program.kill()
            raise Unclear(f"{Path(argv[0]).name} took longer than {TIMEOUT_S:.0f} s") from error
    answer = subprocess.CompletedProcess(argv, program.returncode, output, errors)
    is_shortage = any(words in errors for words in _SHORTAGE_WORDS)
    if is_shortage or program.returncode in _KILLED_STATUSES:
        raise Unclear(_complaint(answer))
    return answer


def _complaint(answer: "subprocess.CompletedProcess[str]") -> str:
    output = answer.stderr or answer.stdout
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    how_it_ended = str(subprocess.CalledProcessError(answer.returncode, answer.args[0]))
    return "; ".join(lines[-3:])[:MAX_TEXT] or how_it_ended
