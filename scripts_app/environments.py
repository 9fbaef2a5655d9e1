"""Environments: asked for as rows, built as runs by a driver, switched over in one row update.

The row is the letter: `want` writes it, `runs_app` sweeps `next_wanted`, runs the driver between `begin` and `finish`.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import uv
from django.conf import settings
from django.db import transaction
from django.db.models import F

from scripts_app import build_environment, interpreters, requirements_text
from scripts_app.build_environment import BuildConfig, BuildResult
from scripts_app.interpreters import Interpreter
from scripts_app.models import Environment, Script
from tempo_site.lib import files, paths

logger = logging.getLogger(__name__)

RESULT = "built.json"
UNFINISHED = (Environment.State.WANTED, Environment.State.BUILDING)
# Private copies: a script that may write to one hard link would edit every environment and uv's cache. "clone" is no
# way out, uv makes hard links where the file system has no copy-on-write (seen with 0.13.9 on ext4).
LINK_MODE = "copy"
KEEP = timedelta(days=1)
SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "UV_SYSTEM_CERTS")
_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_PASSED_ON = (*_PROXY, *(name.lower() for name in _PROXY), *_CERTIFICATES, "REQUESTS_CA_BUNDLE", "TZ")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a version needs: a Python of this machine, and requirements in their normal form."""

    interpreter: Interpreter
    requirements: str


def wish(*, requirements: str, python_version: str) -> Wish:
    """Work out which environment is needed. It may start processes: never call it inside a transaction.

    Raises InterpreterMissing and ScriptError.
    """
    normal = requirements_text.normalise(requirements)
    return Wish(interpreter=interpreters.choose(python_version), requirements=normal)


def want(script: Script) -> Environment:
    """Ask for the environment of the script's current version: a ready one is used at once, a failed one tried again.

    Raises InterpreterMissing and ScriptError (both were ruled out when the version was saved).
    """
    version = Script.objects.select_related("version").get(pk=script.pk).version
    assert version is not None, "a script always has a version"
    needed = wish(requirements=version.requirements, python_version=version.python_version)
    with transaction.atomic():
        if Script.objects.filter(pk=script.pk, version=version).exists():
            return assign(script, needed)
    return want(script)  # another version was saved meanwhile: the wish has to be that one's


def rebuild(script: Script) -> Environment:
    """Have the environment of the script's current version built anew, even where it is ready; runs wait for it.

    When that fails, the one that was there stays in use. Raises what `want` does.
    """
    environment = want(script)
    ready = Environment.objects.filter(pk=environment.pk, state=Environment.State.READY)
    if ready.update(state=Environment.State.WANTED, is_renewal=True, message=""):
        environment.refresh_from_db()
        environment.save(update_fields=["state"])  # rings for the sweep, as an UPDATE does not
    return environment


def assign(script: Script, needed: Wish) -> Environment:
    """Store what a script needs, within the transaction that read or saved its version.

    An environment that works stays in use when its Python has become another patch release at the same path: packages
    do not depend on that, and whoever was moved to one that is still to be built could run nothing until then.
    """
    environment, _ = Environment.objects.get_or_create(
        interpreter=str(needed.interpreter.path),
        requirements=needed.requirements,
        defaults={"python": needed.interpreter.version},
    )
    if not is_usable(environment) or _minor(environment.python) != _minor(needed.interpreter.version):
        _ask_again(environment, python=needed.interpreter.version)
    used = {"environment": environment} if environment.is_ready else {}
    Script.objects.filter(pk=script.pk).update(wanted_environment=environment, **used)
    script.refresh_from_db(fields=["environment", "wanted_environment"])  # a build may have ended since it was read
    return environment


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def is_usable(environment: Environment) -> bool:
    """Whether scripts can run with it now: it is ready and its folder and its Python are still there."""
    return environment.is_ready and python_of(environment).exists()


def is_awaited(script: Script) -> bool:
    """Whether a run of the script has to wait: what its current version asks for is still to be built.

    New code with the packages of the version before it would be no run of either. Once the build has failed, the
    environment before it is used: a schedule must not stand still for a typing error.
    """
    wanted = script.wanted_environment
    return script.environment_id is None or (wanted is not None and wanted.state in UNFINISHED)


def python_of(environment: Environment) -> Path:
    """The Python of a built environment. Raises ValueError when it was never built."""
    if not environment.digest:
        raise ValueError(f"environment {environment.pk} was never built")
    return paths.environments() / environment.digest / "bin" / "python"


def next_wanted() -> Environment | None:
    """The environment to build next: the oldest that a script waits for; None while another one is being built."""
    if Environment.objects.filter(state=Environment.State.BUILDING).exists():
        return None
    wanted = Environment.objects.filter(state=Environment.State.WANTED)
    return wanted.filter(waiting_scripts__in=Script.objects.present()).order_by("pk").first()


def begin(environment: Environment, *, config_path: Path) -> bool:
    """Claim a wanted environment and write the driver's config; False when someone else was faster.

    The driver leaves its result as `built.json` beside the config, where `finish` looks for it. Raises OSError.
    """
    wanted = Environment.objects.filter(pk=environment.pk, state=Environment.State.WANTED)
    if not wanted.update(state=Environment.State.BUILDING, message=""):
        return False
    environment.refresh_from_db()
    config: BuildConfig = {
        "uv": uv.find_uv_bin(),
        "interpreter": environment.interpreter,
        "requirements": environment.requirements,
        "environments": str(paths.environments()),
        "result": str(config_path.with_name(RESULT)),
        "link_mode": LINK_MODE,
        "renew": environment.is_renewal,
    }
    files.write_atomic(config_path, json.dumps(config))
    return True


def driver_argv(config_path: Path) -> list[str]:
    """The command line of a build."""
    return [sys.executable, "-I", "-S", str(Path(build_environment.__file__).absolute()), str(config_path)]


def driver_env() -> dict[str, str]:
    """The variables of a build: of Tempo's own only proxies, certificates and the package index are passed on."""
    variables = {
        "PATH": os.defpath,
        "HOME": str(paths.cache()),  # uv would read the credentials in a ~/.netrc
        "LANG": "C.UTF-8",
        "UV_CACHE_DIR": str(paths.cache() / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }
    variables |= {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return variables | _certificate_variables() | _index_variables()


def _certificate_variables() -> dict[str, str]:
    """Let uv trust what this machine trusts: by itself it knows the public authorities only, no company's proxy."""
    if any(name in os.environ for name in _CERTIFICATES) or not any(
        Path(path).exists() for path in SYSTEM_CERTIFICATES
    ):
        return {}
    return {"UV_SYSTEM_CERTS": "true"}


def _index_variables() -> dict[str, str]:
    variables = {"UV_FIND_LINKS": settings.PACKAGE_FIND_LINKS} if settings.PACKAGE_FIND_LINKS else {}
    if settings.PACKAGE_INDEX:
        return variables | {"UV_DEFAULT_INDEX": settings.PACKAGE_INDEX}
    return variables | {name: os.environ[name] for name in _INDEX if name in os.environ}


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
    explanation = result.get("error") or message or "The build ended without a result."
    # A build that was cancelled in the queue leaves it `wanted`: asked for again by a person, not by itself.
    unbuilt = Environment.objects.filter(pk=environment.pk).exclude(state=Environment.State.READY)
    unbuilt.update(**_after_failure(environment, explanation, is_interrupted=is_interrupted))
    return False


def _after_failure(environment: Environment, explanation: str, *, is_interrupted: bool) -> dict[str, Any]:
    if is_interrupted:
        return {"state": Environment.State.WANTED, "message": explanation}
    if environment.is_renewal and python_of(environment).exists():
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
            ready_at=now,
            is_renewal=False,
        )
        Script.objects.filter(wanted_environment=environment).update(environment=F("wanted_environment"))


def reset_interrupted(*, building: Collection[int] = ()) -> int:
    """At start-up: ask again for what was being built, and for what is ready without a folder. Returns how many.

    `building` names the environments whose build outlived the restart. Their folders are locked and stay, too.
    """
    remove_temporary()
    interrupted = Environment.objects.filter(state=Environment.State.BUILDING).exclude(pk__in=building)
    count = interrupted.update(state=Environment.State.WANTED)
    for environment in Environment.objects.filter(state=Environment.State.READY):
        if not is_usable(environment):
            _ask_again(environment, python=environment.python)
            count += 1
    return count


def garbage(now: datetime, *, in_use: Collection[int] = ()) -> int:
    """Delete rows that no script refers to and folders that no row names, older than a day. Returns how many folders.

    `in_use` names the environments of runs that are under way. A folder that a living process names is kept as well:
    its row may have got another folder while the run goes on.
    """
    old = now - KEEP
    Script.objects.filter(deleted_at__lt=old).update(environment=None, wanted_environment=None)
    unreferenced = Environment.objects.filter(scripts=None, waiting_scripts=None, created_at__lt=old)
    unreferenced.exclude(pk__in=in_use).exclude(state=Environment.State.BUILDING).delete()
    named = set(Environment.objects.values_list("digest", flat=True)) | _digests_in_processes()
    folders = [folder for folder in paths.environments().glob("[!.]*") if folder.name not in named]
    return sum(_remove_older(folder, old) for folder in folders)


def remove_temporary() -> None:
    """Remove the work folders of builds that were killed; a living build holds a lock on its own."""
    for folder in paths.environments().glob(f"{build_environment.TEMPORARY}*"):
        try:
            _remove_unlocked(folder)
        except OSError as error:  # a file, a link, gone by now: it costs space, the start must not fail for it
            logger.warning("work folder not removed path=%s reason=%s", folder, error)


def _remove_unlocked(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        logger.info("work folder in use path=%s", folder)
    finally:
        os.close(descriptor)


def _digests_in_processes() -> set[str]:
    """The environments that stand on a command line or in the variables of a process, as far as they can be read."""
    pattern = re.compile(re.escape(os.fsencode(paths.environments())) + rb"/([0-9a-f]+)")
    found: set[bytes] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # ended meanwhile, or another user's
                found.update(pattern.findall((process / name).read_bytes()))
    return {digest.decode() for digest in found}


def _remove_older(folder: Path, old: datetime) -> bool:
    """Remove a folder that was neither built nor asked for since; renamed first, so that nobody meets half of it."""
    ready = folder / "READY"
    touched = (ready if ready.exists() else folder).lstat().st_mtime
    if touched >= old.timestamp():
        return False
    aside = Path(tempfile.mkdtemp(prefix=build_environment.TEMPORARY, dir=folder.parent))
    folder.rename(aside / folder.name)
    shutil.rmtree(aside)
    return True


def _ask_again(environment: Environment, *, python: str) -> None:
    """Set a row back to wanted, unless it is wanted or being built already."""
    environment.python = python
    if environment.state != Environment.State.BUILDING:
        environment.state = Environment.State.WANTED
    environment.save(update_fields=["state", "python"])


def _result_in(folder: Path) -> BuildResult:
    """What the driver left; nothing where it is torn or not what a driver writes."""
    try:
        result: BuildResult = json.loads((folder / RESULT).read_text())
        texts = [result["error"]] if "error" in result else [result["digest"], result["lock"], result["python"]]
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return {}
    return result if all(isinstance(text, str) for text in texts) else {}
