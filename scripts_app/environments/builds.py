"""Builds of environments: `begin` claims a row, the `drivers` do the work, `finish` takes over the result."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import uv
from django.db import transaction
from django.db.models import F

from scripts_app.environments import environments
from scripts_app.environments.drivers import __main__ as drivers_main
from scripts_app.environments.drivers import build_config
from scripts_app.environments.drivers.build_config import BuildConfig, BuildResult
from scripts_app.environments.drivers.build_progress import BuildStep
from scripts_app.models import Environment, Script
from scripts_app.packages import uv_messages
from tempo_site.lib import files, paths

RESULT, PROGRESS = "built.json", "progress.json"
ADDED = "The environment with these packages was removed meanwhile."
STEPS: dict[str, str] = {
    "resolving": "Resolving",
    "downloading": "Downloading",
    "installing": "Installing",
    "compiling": "Compiling byte code",
    "checking": "Checking",
}
MAX_PROGRESS_BYTES = 4096
MAX_RESULT_BYTES = 16 * 2**20  # with the lock of a thousand packages
MAX_ERROR = 4000  # characters
_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class BuildProgress:
    step: str
    done: int
    total: int

    @property
    def label(self) -> str:
        return STEPS[self.step]

    @property
    def unit(self) -> str:
        return "files" if self.step == "compiling" else "packages"

    @property
    def number(self) -> int:
        return list(STEPS).index(self.step) + 1


def begin(
    environment: Environment,
    *,
    config_path: Path,
    work: Path,
    isolation_support: Mapping[str, Any] | None = None,
) -> bool:
    """Claim a wanted environment and write the drivers' config; False when not wanted any more. Raises OSError.

    `work` becomes the folder of the build alone, beside the environments.
    """
    wanted = Environment.objects.filter(pk=environment.pk, state=Environment.State.WANTED)
    if not wanted.update(state=Environment.State.BUILDING, message=""):
        return False
    environment.refresh_from_db()
    config = _config(environment, config_path, work, isolation_support or {})
    paths.make_passable(work)
    if environment.allows_source:
        _prepare_source(config, work / build_config.SOURCE)
    files.write_atomic(config_path, json.dumps(config))
    return True


def _prepare_source(config: BuildConfig, folder: Path) -> None:
    # What the code of packages may write lies in here, so Tempo's own result and progress do not.
    paths.make_closed(folder)
    own: BuildConfig = {
        **config,
        "existing": [],
        "result": str(folder / RESULT),
        "progress": str(folder / PROGRESS),
    }
    files.write_atomic(folder / build_config.CONFIG, json.dumps(own))


def _config(
    environment: Environment,
    config_path: Path,
    work: Path,
    isolation_support: Mapping[str, Any],
) -> BuildConfig:
    return {
        "uv": uv.find_uv_bin(),
        "interpreter": environment.interpreter,
        "requirements": environment.requirements,
        "lock": environment.lock,
        "refresh": environment.generation > 0,  # an upgrade needs the newest packages of the index
        "work": str(work),
        "existing": _existing(),
        "result": str(config_path.with_name(RESULT)),  # `finish` reads it
        "progress": str(config_path.with_name(PROGRESS)),
        "link_mode": link_mode(isolation_support, allows_source=environment.allows_source),
        "allows_source": environment.allows_source,
        "renew": environment.is_renewal,
    }


def _existing() -> list[str]:
    # Of sound environments alone: what a broken one was renewed for may still lie in its old folder.
    sound = Environment.objects.filter(state=Environment.State.READY, fault="").exclude(digest="")
    digests = sound.values_list("digest", flat=True).distinct()
    return [digest for digest in digests if _is_whole(paths.environments() / digest)]


def link_mode(isolation_support: Mapping[str, Any], *, allows_source: bool) -> str:
    """Return `hardlink`, to share files with uv's cache, if scripts cannot write to environments; `copy` otherwise."""
    # A script that could write to a hard-linked package would change the package for all. uv's `clone` is no third
    # way: without copy-on-write (seen on ext4) uv makes hard links.
    if allows_source:
        return "copy"
    if isolation_support.get("landlock"):
        return "hardlink"
    # Own users are enough as files are read-only even for Tempo's user, as whom a script may run; but not for root, and
    # not where the file system ignores modes.
    has_users = isolation_support.get("own_users") and isolation_support.get("keeps_modes")
    if has_users and os.geteuid() != 0:
        return "hardlink"
    return "copy"


def driver_argv(driver: str, *arguments: str | Path) -> list[str]:
    program = Path(drivers_main.__file__).absolute()
    return [sys.executable, "-I", "-S", str(program), driver, *map(str, arguments)]


def progress(folder: Path) -> BuildProgress | None:
    """Return the progress of the build in a run's folder; None before the first step is reported."""
    try:
        written = files.read_regular(folder / PROGRESS, max_bytes=MAX_PROGRESS_BYTES)
        content: BuildStep = json.loads(written)
        step = str(content["step"])
        done = int(content["done"])
        total = int(content["total"])
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return None
    if step not in STEPS:
        return None
    return BuildProgress(
        step=step,
        done=min(done, total),
        total=total,
    )


def finish(
    environment: Environment,
    *,
    folder: Path,
    work: Path,
    succeeded: bool,
    message: str,
    now: datetime,
    is_interrupted: bool = False,
) -> bool:
    """Take over what a build has left in `work` and in a run's folder; True when the environment is ready.

    `message` is the reason of a failure without a result (cancelled, out of time). An interrupted build (shutdown,
    power cut) is requested again.
    """
    result = _read_result(folder / RESULT)
    if succeeded and result.get("digest"):
        ready = move_in(work / build_config.ENVIRONMENT, result["digest"])
        if ready:
            _switch_over(environment, ready, now)
            return True
        is_interrupted, message = True, ADDED
    own_words = result or _read_result(work / build_config.SOURCE / RESULT)
    error = own_words.get("error") or message or "The build ended without a result."
    explanation = uv_messages.in_our_words(error)
    # A build that was cancelled in the queue has left the row `wanted`; only a person requests such a build again.
    unbuilt = Environment.objects.filter(pk=environment.pk).exclude(state=Environment.State.READY)
    unbuilt.update(**_after_failure(environment, explanation, is_interrupted=is_interrupted))
    return False


def _after_failure(
    environment: Environment, explanation: str, *, is_interrupted: bool
) -> dict[str, Any]:
    if is_interrupted:
        return {"state": Environment.State.WANTED, "message": explanation}
    if environment.is_renewal and environments.is_there(environments.python_of(environment)):
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
        waiting = Script.objects.filter(wanted_environment=environment)
        waiting.update(environment=F("wanted_environment"))


def move_in(built: Path, digest: str) -> BuildResult:
    # May be repeated: what was moved in is found there.
    place = paths.environments() / digest
    ready = place / build_config.READY
    if _is_whole(place):
        os.utime(ready)  # the clean-up spares what was touched within the last day
    elif (built / build_config.READY).is_file():
        if place.exists():
            place.rename(built.with_name("broken"))
        built.rename(place)
        files.sync_folder(place.parent)
    return _read_result(ready)


def _is_whole(place: Path) -> bool:
    result = _read_result(place / build_config.READY)
    return bool(result) and environments.is_there(place / "bin" / "python")


def _read_result(path: Path) -> BuildResult:
    # Packages may run code of their authors during a build: the file may be a trap, be torn or hold anything.
    try:
        written = files.read_regular(path, max_bytes=MAX_RESULT_BYTES)
        content = json.loads(written)
        if not isinstance(content, dict):
            return {}
        result = cast(BuildResult, content)
        is_valid = _is_valid(result)
        if "error" in result:
            result["error"] = result["error"][:MAX_ERROR]
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return {}
    return result if is_valid else {}


def _is_valid(result: BuildResult) -> bool:
    if "error" in result:
        return isinstance(result["error"], str)
    texts = [result.get(name, "") for name in ("digest", "lock", "python")]
    is_digest = isinstance(texts[0], str) and _DIGEST.fullmatch(texts[0]) is not None
    return is_digest and all(isinstance(text, str) for text in texts)
