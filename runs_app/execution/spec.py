"""What the launcher is told of a run: program, environment, limits and isolation, as `spec.json` holds them."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app import disk_space, launcher_client
from runs_app.execution import environment_check
from runs_app.models import Run
from scripts_app import limits
from scripts_app.environments import builds, environments, python_installation
from scripts_app.files import users
from scripts_app.inputs import parameters
from scripts_app.models import Environment
from scripts_app.packages import index
from tempo_site.lib import files, paths

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON = (
    "TZ",
    "LC_ALL",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    *PROXIES,
    *(name.lower() for name in PROXIES),
)
PARAMS = "params.json"
BUILD_MEMORY_MB, BUILD_PROCESSES = 4096, 256
MB = 2**20
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class EnvironmentGone(Exception):
    """The environment was removed between admission and hand-over."""


def write_spec(run: Run, folder: Path, plain: Mapping[str, str]) -> dict[str, Any]:
    """Return the spec of a run, and write beside it what it names: the code, or the orders of a build.

    `plain`: the script's variables that are no secrets.
    """
    return _build_spec(run, folder) if run.is_build else _script_spec(run, folder, plain)


def _script_spec(run: Run, folder: Path, plain: Mapping[str, str]) -> dict[str, Any]:
    assert run.script and run.version  # admission saw to it
    if run.environment is None or not run.environment.digest:
        raise EnvironmentGone(
            "Its environment is not there any more.\nhint: save the script to have it built again"
        )
    if run.environment.fault:
        raise EnvironmentGone(environment_check.sentence(run.environment.fault))
    files.write_atomic(folder / "main.py", run.version.code, mode=0o600, durable=False)
    _write_params(run, folder)
    working = paths.script_files(run.script.slug)
    paths.make_passable(working.parent)
    paths.make_closed(working)
    python = environments.python_of(run.environment)
    return {
        **_spec(run),
        "limits": script_limits(run),
        "isolation": isolation(run, python=python, working=working, temporary=folder / "tmp"),
        "argv": [str(python), str(folder / "main.py")],
        "cwd": str(working),
        "env": script_environment(
            run, plain, python=python, working=working, temporary=folder / "tmp"
        ),
    }


def _write_params(run: Run, folder: Path) -> None:
    """Write the run's inputs beside its code, where its script can read them."""
    files.write_atomic(
        folder / PARAMS, json.dumps(run.params, ensure_ascii=False), mode=0o600, durable=False
    )


def _build_spec(run: Run, folder: Path) -> dict[str, Any]:
    if run.installs:
        return _installation_spec(run, folder)
    if run.environment is None:
        raise EnvironmentGone("The environment it was to build is not wanted any more.")
    config = folder / "build.json"
    if not config.exists():  # begun by a process that died before it wrote this
        Environment.objects.filter(pk=run.environment.pk, state=Environment.State.BUILDING).update(
            state=Environment.State.WANTED
        )
    builds.begin(run.environment, config_path=config, isolation_support=_powers())
    isolation = build_isolation(run.environment, folder) if run.environment.allows_source else None
    argv = builds.driver_argv(config)
    return _driver_spec(run, folder, argv, index.variables()) | {"isolation": isolation}


def _installation_spec(run: Run, folder: Path) -> dict[str, Any]:
    paths.make_passable(paths.pythons())
    return _driver_spec(
        run, folder, python_installation.argv(run.installs, folder), python_installation.variables()
    )


def _driver_spec(
    run: Run, folder: Path, argv: list[str], variables: Mapping[str, str]
) -> dict[str, Any]:
    """What the programs of Tempo's own have in common: they work in their run's `tmp/`."""
    temporary = str(folder / "tmp")
    return {
        **_spec(run),
        "limits": build_limits(),
        "isolation": None,
        "argv": argv,
        "cwd": temporary,
        "env": {**variables, "TMPDIR": temporary, "TEMPO_RUN_ID": str(run.pk)},
    }


def _powers() -> dict[str, Any]:
    """What keeps scripts of this installation from what is not theirs; empty when the launcher does not say."""
    try:
        found = launcher_client.launcher.ping().get("isolation")
    except launcher_client.LauncherError:
        return {}
    return found if isinstance(found, dict) else {}


def _spec(run: Run) -> dict[str, Any]:
    return {
        "v": 1,
        "run_id": run.pk,
        "kind": run.kind,
        "timeout_s": run.timeout_s,
        "grace_s": settings.STOP_GRACE_S,
    }


def script_limits(run: Run) -> dict[str, int]:
    """What a run of a script may use; time has its own field. The memory limit is that of when it was queued."""
    assert run.script
    own = limits.limits_of_script(run.script)
    return {
        "memory_mb": limits.LIMITS["memory_mb"].within(run.memory_mb),
        "cpu_s": own["cpu_s"],
        "processes": own["processes"],
        "output_bytes": own["output_mb"] * MB,
        "output_kill_bytes": max(settings.OUTPUT_KILL_MB, own["output_mb"]) * MB
        if settings.OUTPUT_KILL_MB
        else 0,
        "file_mb": own["file_mb"],
        "open_files": settings.OPEN_FILES,
        "nice": own["nice"],
        "min_free_mb": disk_space.hard_floor_mb(),
    }


def build_limits() -> dict[str, int]:
    """What a build may use: room for large wheels and for uv's threads, and an end for one that runs wild."""
    return {
        "memory_mb": BUILD_MEMORY_MB,
        "cpu_s": 0,
        "processes": BUILD_PROCESSES,
        "output_bytes": settings.DEFAULT_OUTPUT_MB * MB,
        "output_kill_bytes": settings.OUTPUT_KILL_MB * MB,
        "file_mb": 0,
        "open_files": 0,
        "nice": settings.DEFAULT_NICE,
        "min_free_mb": disk_space.hard_floor_mb(),
    }


def isolation(run: Run, *, python: Path, working: Path, temporary: Path) -> dict[str, Any]:
    """Who a run is, and what it may read and write beside the system's folders and its own code."""
    assert run.script
    uid, why = users.assign(run.script)
    prefix = python.resolve().parent.parent
    return {
        "uid": uid,
        "uid_why": why,
        "read": [
            str(prefix),
            str(python.parent.parent),
            str(temporary.parent / PARAMS),
            *settings.EXTRA_READ_PATHS,
        ],
        "write": [str(working), str(temporary), *settings.EXTRA_WRITE_PATHS],
        "closed": [str(paths.data()), str(settings.BASE_DIR)],
        "require": settings.REQUIRE_ISOLATION,
    }


def build_isolation(environment: Environment, folder: Path) -> dict[str, Any]:
    """What the building of packages from source may read and write, as it runs whatever their authors wrote.

    It stays Tempo's own user, who has to own what comes of it; so only Landlock keeps it from the rest of the data.
    """
    own = [sys.prefix, sys.base_prefix, str(settings.BASE_DIR / "scripts_app")]
    prefix = Path(environment.interpreter).resolve().parent.parent
    local = [
        place
        for place in (settings.PACKAGE_FIND_LINKS, os.environ.get("SSL_CERT_FILE", ""))
        if place[:1] == "/"
    ]
    return {
        "uid": None,
        "uid_why": "environments are built by Tempo's own user",
        "read": [*own, str(prefix), *local],
        "write": [str(paths.environments()), str(folder)],
        "closed": [str(paths.data()), str(settings.BASE_DIR)],
        "require": "",
    }


def script_environment(
    run: Run, plain: Mapping[str, str], *, python: Path, working: Path, temporary: Path
) -> dict[str, str]:
    """Return the complete environment of a script: an allow-list, nothing of Tempo's own leaks in.

    `plain`, its variables, replace what the server has; nothing replaces what Tempo sets.
    """
    assert run.script
    home = python.parent.parent
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **passed,
        **plain,
        "PATH": f"{python.parent}:{SYSTEM_PATH}",
        "VIRTUAL_ENV": str(home),
        "HOME": str(working),
        "PYTHONPATH": str(working),  # helpers beside the script's data are importable
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "TEMPO_RUN_ID": str(run.pk),
        "TEMPO_SCRIPT": run.script.slug,
        "TEMPO_PARAMS_FILE": str(temporary.parent / PARAMS),
        **parameters.environment(run.params),
    }
