"""The health checks of environments, and the rebuilding of broken environments from their locks."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import uv
from django.conf import settings
from django.db.models import F, Q
from packaging.utils import canonicalize_name

from scripts_app.environments import builds, cleanup, environments
from scripts_app.environments.drivers.examine import Question
from scripts_app.models import Environment, Script
from scripts_app.packages import index, interpreters, locks
from tempo_site.lib import confined, paths

logger = logging.getLogger(__name__)

INTERVAL = timedelta(days=1)
TIMEOUT_S = 60.0
NICENESS = 10
MAX_TEXT = 500  # characters of a program's complaint
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
    if interpreters.is_gone(Path(environment.interpreter)) or _kind_fault(environment):
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
    with _as_unclear():
        return (
            _interpreter_fault(environment)
            or _kind_fault(environment)
            or _folder_fault(home)
            or _examine_closely(environment, home)
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


def _kind_fault(environment: Environment) -> str:
    for other in interpreters.others():
        if str(other.path) == environment.interpreter:
            return f"its Python at {other.path} is {other.kind}, which scripts do not run on"
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


def _examine_closely(environment: Environment, home: Path) -> str:
    with tempfile.TemporaryDirectory(prefix=cleanup.HEALTH, dir=paths.cache()) as work:
        argv = builds.driver_argv("examine", json.dumps(_question(environment, home, work)))
        bases = [Path(environment.interpreter), home / "bin" / "python"]
        read = [
            *confined.own_python(),
            settings.BASE_DIR / "scripts_app",
            uv.find_uv_bin(),
            *(base.resolve().parent.parent for base in bases),
            home,
            *index.local_places(),
        ]
        variables = {**index.variables(), "UV_CACHE_DIR": f"{work}/cache", "HOME": work}
        answer = _run(confined.command(argv, read=read, write=[work]), variables)
    if answer.returncode != 0:
        raise Unclear(_complaint(answer))
    try:
        fault = str(json.loads(answer.stdout.rpartition("\n")[2])["fault"])
    except (ValueError, LookupError, TypeError) as error:
        raise Unclear("no answer") from error
    return fault[:MAX_TEXT]


def _question(environment: Environment, home: Path, work: str) -> Question:
    packages = locks.packages(environment.lock)
    return {
        "home": str(home),
        "environments": str(paths.environments()),
        "packages": [canonicalize_name(package.name) for package in packages],
        "minor": interpreters.minor_of(environment.python),
        "uv": uv.find_uv_bin(),
        "work": work,
    }


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
        start_new_session=True,
    ) as program:
        with contextlib.suppress(OSError):  # the program has ended, or no right to do so
            os.setpriority(os.PRIO_PROCESS, program.pid, NICENESS)
        try:
            output, errors = program.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            os.killpg(program.pid, signal.SIGKILL)
            raise Unclear(f"it took longer than {TIMEOUT_S:.0f} s") from error
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
