"""The building of an environment: claimed, done by a driver, its end recorded. `runs_app` makes a run of it.

Between `begin` and `finish` the driver `drivers/build.py` is at work; `progress.json` says how far it is.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import uv
from django.db import transaction
from django.db.models import F

from scripts_app.environments import environments
from scripts_app.environments.drivers import build
from scripts_app.environments.drivers.build import BuildConfig, BuildResult, BuildStep
from scripts_app.models import Environment, Script
from scripts_app.packages import suggestions
from tempo_site.lib import files, paths

RESULT, PROGRESS = "built.json", "progress.json"
STEPS: dict[str, str] = {
    "resolving": "Resolving",
    "downloading": "Downloading",
    "installing": "Installing",
    "compiling": "Compiling byte code",
    "checking": "Checking",
}
MAX_PROGRESS_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class BuildProgress:
    """How far a build is: its step, and of how many packages (of byte code: files) the step is done with how many."""

    step: str
    done: int
    total: int

    @property
    def label(self) -> str:
        """The step as people read it."""
        return STEPS[self.step]

    @property
    def unit(self) -> str:
        """What is counted."""
        return "files" if self.step == "compiling" else "packages"

    @property
    def number(self) -> int:
        """Which step it is, from 1 on."""
        return list(STEPS).index(self.step) + 1


def begin(
    environment: Environment, *, config_path: Path, powers: Mapping[str, Any] | None = None
) -> bool:
    """Claim a wanted environment and write the driver's config; False when someone else was faster.

    `powers` is what the launcher says of its isolation. The driver leaves its result as `built.json` beside the config,
    where `finish` looks for it. Raises OSError.
    """
    wanted = Environment.objects.filter(pk=environment.pk, state=Environment.State.WANTED)
    if not wanted.update(state=Environment.State.BUILDING, message=""):
        return False
    environment.refresh_from_db()
    config: BuildConfig = {
        "uv": uv.find_uv_bin(),
        "interpreter": environment.interpreter,
        "requirements": environment.requirements,
        "lock": environment.lock,
        "refresh": environment.generation > 0,  # an upgrade asks for what is newest now
        "environments": str(paths.environments()),
        "result": str(config_path.with_name(RESULT)),
        "progress": str(config_path.with_name(PROGRESS)),
        "link_mode": link_mode(powers or {}, allows_source=environment.allows_source),
        "allows_source": environment.allows_source,
        "renew": environment.is_renewal,
    }
    files.write_atomic(config_path, json.dumps(config))
    return True


def link_mode(powers: Mapping[str, Any], *, allows_source: bool) -> str:
    """`hardlink` where scripts cannot write to the files of environments, so that these may be one with uv's cache.

    What keeps them out is Landlock, or a user of their own together with files that are read-only even to Tempo's user,
    as whom a script may be set to run; root is not held by that. Else `copy`: a script that writes into a package would
    change it for all. uv's `clone` is no third way, it makes hard links where there is no copy-on-write (seen on ext4).
    """
    if allows_source:
        return "copy"
    is_safe = powers.get("landlock") or (powers.get("own_users") and os.geteuid() != 0)
    return "hardlink" if is_safe else "copy"


def driver_argv(config_path: Path) -> list[str]:
    """The command line of a build."""
    return [sys.executable, "-I", "-S", str(Path(build.__file__).absolute()), str(config_path)]


def progress(folder: Path) -> BuildProgress | None:
    """How far the build in a run's folder is; None when it has not said, or is over."""
    try:
        with (folder / PROGRESS).open("rb") as file:
            told: BuildStep = json.loads(file.read(MAX_PROGRESS_BYTES))
        step, done, total = str(told["step"]), int(told["done"]), int(told["total"])
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return None
    return BuildProgress(step=step, done=min(done, total), total=total) if step in STEPS else None


def finish(
    environment: Environment,
    *,
    folder: Path,
    succeeded: bool,
    message: str,
    now: datetime,
    is_interrupted: bool = False,
) -> bool:
    """Record how a build ended, from `built.json` in the run's folder; True when the environment is ready.

    Every script that waits for it uses it from now on. After a failure scripts keep the environment they had; `message`
    explains it where the driver could not (it was cancelled, it ran out of time). A build that was interrupted, by a
    shutdown or a power cut, has not failed: it is asked for again.
    """
    result = _result_in(folder)
    digest = result.get("digest", "") if succeeded else ""
    if digest and (paths.environments() / digest).is_dir():
        _switch_over(environment, result, now)
        return True
    explanation = suggestions.with_suggestion(
        result.get("error") or message or "The build ended without a result."
    )
    # A build that was cancelled in the queue leaves it `wanted`: asked for again by a person, not by itself.
    unbuilt = Environment.objects.filter(pk=environment.pk).exclude(state=Environment.State.READY)
    unbuilt.update(**_after_failure(environment, explanation, is_interrupted=is_interrupted))
    return False


def _after_failure(
    environment: Environment, explanation: str, *, is_interrupted: bool
) -> dict[str, Any]:
    if is_interrupted:
        return {"state": Environment.State.WANTED, "message": explanation}
    if environment.is_renewal and environments.python_of(environment).exists():
        kept = f"It could not be built anew, so it stays as it was:\n{explanation}"
        return {"state": Environment.State.READY, "is_renewal": False, "message": kept}
    return {"state": Environment.State.FAILED, "message": explanation}


def _switch_over(environment: Environment, result: BuildResult, now: datetime) -> None:
    with transaction.atomic():
        Environment.objects.filter(pk=environment.pk).update(
            state=Environment.State.READY,
            message="",
            lock=result["lock"],
            python=result["python"],
            digest=result["digest"],
            size_bytes=result["size"],
            ready_at=now,
            checked_at=now,
            fault="",
            is_renewal=False,
        )
        Script.objects.filter(wanted_environment=environment).update(
            environment=F("wanted_environment")
        )


def _result_in(folder: Path) -> BuildResult:
    """What the driver left; nothing where it is torn or not what a driver writes."""
    try:
        result: BuildResult = json.loads((folder / RESULT).read_text())
        texts = (
            [result["error"]]
            if "error" in result
            else [result["digest"], result["lock"], result["python"]]
        )
        size = 0 if "error" in result else result["size"]
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return {}
    return result if all(isinstance(text, str) for text in texts) and isinstance(size, int) else {}
