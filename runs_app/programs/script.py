"""A person's script: code, environment, limits and isolation."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app import disk_space, payloads
from runs_app.failures import groups
from runs_app.launcher import folders
from runs_app.models import Run
from runs_app.new_runs import schedule_updates
from runs_app.programs import wait_conditions
from runs_app.programs.program import NothingToRun, ProgramSpec
from runs_app.run_folder import TEMPORARY
from runs_app.states import Reason
from scripts_app import limits
from scripts_app.environments import environments
from scripts_app.files import open_paths, users
from scripts_app.inputs import parameters
from scripts_app.models import Environment
from scripts_app.variables.variables import RunVariables, for_run
from tempo_site.lib import files, network_access, paths

WAITS_FOR = (
    wait_conditions.UNWANTED,
    wait_conditions.RESTORE,
    wait_conditions.MOMENT,
    wait_conditions.PAUSE,
    wait_conditions.ONE_BEFORE,
    wait_conditions.DISK,
    wait_conditions.ENVIRONMENT,
)
CODE, INPUTS = "main.py", "params.json"
PASSED_ON = ("TZ", "LC_ALL")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_NAME = 32  # of a user
OUTPUT_OF_PYTHON = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}
MB = 2**20


def title(run: Run) -> str:
    if run.script is None:
        return "-"
    return run.script.name


def variables(run: Run) -> RunVariables:
    assert run.script
    return for_run(run.script)


def spec(run: Run, folder: Path, plain: Mapping[str, str]) -> ProgramSpec:
    assert run.script and run.version  # admission saw to it
    environment = _usable_environment(run)
    inputs = json.dumps(run.params, ensure_ascii=False)
    payload = payloads.put_into(folder, run)
    files.write_unseen(f"{folder}/{CODE}", run.version.code)
    files.write_unseen(f"{folder}/{INPUTS}", inputs)
    working = paths.script_files(run.script.slug)
    paths.make_passable(working.parent)
    paths.make_closed(working)
    python = environments.python_of(environment)
    start = environments.start_file(python.parent.parent) or f"{folder}/{CODE}"
    given = [f"{folder}/{INPUTS}"]
    if payload:
        given.append(payload[payloads.VARIABLE])
    return {
        "limits": script_limits(run),
        "isolation": isolation(run, folder, given, python=python, working=working),
        "argv": [str(python), str(start)],
        "cwd": str(working),
        "env": {
            **script_environment(run, folder, plain, python=python, working=working),
            **payload,
        },
    }


def _usable_environment(run: Run) -> Environment:
    if run.environment is None or not run.environment.digest:
        raise NothingToRun(
            "Its environment is not there any more.\nhint: save the script to have it built again",
            Reason.ENVIRONMENT,
        )
    if run.environment.fault:
        raise NothingToRun(broken_environment(run.environment.fault), Reason.ENVIRONMENT)
    return run.environment


def finished(run: Run, *, now: datetime) -> None:
    schedule_updates.note_end(run, now=now)
    groups.count_failure(run)
    payloads.forget(run)


def broken_environment(fault: str) -> str:
    return f"Its environment is broken: {fault}.\nhint: have it built again, or wait until Tempo has done so"


def script_limits(run: Run) -> dict[str, int]:
    assert run.script
    own = limits.limits_of_script(run.script)
    kill_mb = settings.OUTPUT_KILL_MB
    if kill_mb:  # a script that may keep more is not stopped before
        kill_mb = max(kill_mb, own["output_mb"])
    found = {
        "memory_mb": limits.LIMITS["memory_mb"].within(run.memory_mb),
        "cpu_s": own["cpu_s"],
        "processes": own["processes"],
        "output_bytes": own["output_mb"] * MB,
        "output_kill_bytes": kill_mb * MB,
        "file_mb": own["file_mb"],
        "open_files": settings.OPEN_FILES,
        "nice": own["nice"],
        "min_free_mb": disk_space.hard_floor_mb(),
    }
    if settings.UMASK is not None:
        found["umask"] = settings.UMASK
    return found


def isolation(
    run: Run, folder: Path, given: Sequence[str], *, python: Path, working: Path
) -> dict[str, Any]:
    assert run.script
    uid, why = users.assign(run.script)
    opened = open_paths.open_to(run.script)
    prefix = Path(folders.real_path(str(python))).parent.parent
    environment = python.parent.parent
    return {
        "uid": uid,
        "uid_why": why,
        "name": f"tempo-{run.script.slug}"[:MAX_NAME],
        "read": [
            str(prefix),
            str(environment),
            *given,
            *network_access.certificate_paths(),
            *settings.EXTRA_READ_PATHS,
        ],
        "write": [
            str(working),
            f"{folder}/{TEMPORARY}",
            *settings.EXTRA_WRITE_PATHS,
        ],
        "closed": [str(paths.data()), str(settings.BASE_DIR)],
        "shared_read": opened.read,
        "shared_write": opened.write,
        "refused": open_paths.refused_roots() if opened.read or opened.write else [],
        "require": settings.REQUIRE_ISOLATION,
    }


def script_environment(
    run: Run,
    folder: Path,
    plain: Mapping[str, str],
    *,
    python: Path,
    working: Path,
) -> dict[str, str]:
    """Return the complete environment of a script: an allow-list, so that no variable of Tempo's own leaks in."""
    # `plain`, the script's variables, replace what the server has; nothing replaces what Tempo sets.
    assert run.script
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **passed,
        **network_access.variables(),
        **plain,
        "PATH": f"{python.parent}:{SYSTEM_PATH}",
        "VIRTUAL_ENV": str(python.parent.parent),
        "HOME": str(working),
        "PYTHONPATH": str(working),  # modules beside the script's data are importable
        "TMPDIR": f"{folder}/{TEMPORARY}",
        **OUTPUT_OF_PYTHON,
        "TEMPO_RUN_ID": str(run.pk),
        "TEMPO_FILES": str(working),
        "TEMPO_SCRIPT": run.script.slug,
        "TEMPO_PARAMS_FILE": f"{folder}/{INPUTS}",
        **parameters.environment(run.params),
    }
