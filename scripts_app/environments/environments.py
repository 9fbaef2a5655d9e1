"""Environments: asked for as rows, shared by who wishes the same, switched over in one row update.

The row is the letter: `want` writes it, `runs_app` sweeps `next_wanted` and has `environment_builds` at work.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from scripts_app.models import Environment, Script, Version
from scripts_app.packages import interpreters, resolution
from scripts_app.packages.interpreters import Interpreter
from tempo_site.lib import paths

UNFINISHED = (Environment.State.WANTED, Environment.State.BUILDING)


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """What a version needs: a Python of this machine, and requirements in their normal form."""

    interpreter: Interpreter
    requirements: str


def spec_of_text(*, code: str, requirements: str, python_version: str) -> EnvironmentSpec:
    """Work out which environment is needed. It may start processes: never call it inside a transaction.

    Raises InterpreterMissing and ScriptError.
    """
    found = resolution.resolve(code=code, requirements=requirements, python_version=python_version)
    return EnvironmentSpec(interpreter=found.interpreter, requirements=found.requirements)


def request(script: Script) -> Environment:
    """Ask for the environment of the script's current version: a ready one is used at once, a failed one tried again.

    Raises InterpreterMissing and ScriptError (both were ruled out when the version was saved).
    """
    version = Script.objects.select_related("version").get(pk=script.pk).version
    assert version is not None, "a script always has a version"
    needed = spec_of_text(
        code=version.code, requirements=version.requirements, python_version=version.python_version
    )
    with transaction.atomic():
        if Script.objects.filter(pk=script.pk, version=version).exists():
            return assign(script, needed)
    return request(script)  # another version was saved meanwhile: the wish has to be that one's


def rebuild(script: Script) -> Environment:
    """Have the environment of the script's current version built anew, even where it is ready; runs wait for it.

    Raises what `want` does.
    """
    return renew(request(script))


def renew(environment: Environment) -> Environment:
    """Have an environment built anew with the very packages of its lock; when that fails, what was there stays in use.

    One that failed is tried again; nothing happens to one that is to be built anyway.
    """
    rows = Environment.objects.filter(pk=environment.pk)
    settled = Environment.State.READY, Environment.State.FAILED
    anew = rows.filter(state=settled[0]).update(
        state=Environment.State.WANTED, is_renewal=True, message=""
    )
    if anew or rows.filter(state=settled[1]).update(state=Environment.State.WANTED, message=""):
        environment.refresh_from_db()
        environment.save(update_fields=["state"])  # rings for the sweep, as an UPDATE does not
    return environment


def assign(script: Script, needed: EnvironmentSpec) -> Environment:
    """Store what a script needs, within the transaction that read or saved its version, and with that version.

    An environment that works stays in use when its Python has become another patch release at the same path: packages
    do not depend on that, and whoever was moved to one that is still to be built could run nothing until then.
    """
    stored = Script.objects.get(pk=script.pk)
    environment = _row_for(stored, needed)
    if not is_usable(environment) or not _is_same_minor(environment, needed.interpreter):
        _ask_again(environment, interpreter=needed.interpreter)
    used = {"environment": environment} if environment.is_ready else {}
    is_outdated = stored.upgrade is not None and shared_fields(stored.upgrade) != shared_fields(
        environment
    )
    outdated = {"upgrade": None} if is_outdated else {}
    Script.objects.filter(pk=script.pk).update(wanted_environment=environment, **used, **outdated)
    Version.objects.filter(pk=stored.version_id or 0).update(environment=environment)
    # A build may have ended since the script was read.
    script.refresh_from_db(fields=["environment", "wanted_environment", "upgrade"])
    return environment


def _row_for(script: Script, needed: EnvironmentSpec) -> Environment:
    """The row of a wish: the script's own, the newest generation that is or was in use, else a new one.

    An upgrade that is still being looked at is nobody's until it is used.
    """
    wish: dict[str, object] = {
        "interpreter": str(needed.interpreter.path),
        "requirements": needed.requirements,
        "allows_source": script.allow_source,
    }
    rows = Environment.objects.filter(**wish)
    if own := rows.filter(waiting_scripts=script).first():
        return own
    in_use = (
        rows.filter(Q(waiting_scripts__isnull=False) | Q(versions__isnull=False))
        .order_by("-generation")
        .first()
    )
    return (
        in_use
        or rows.get_or_create(
            **wish, generation=0, defaults={"python": needed.interpreter.version}
        )[0]
    )


def shared_fields(environment: Environment) -> dict[str, object]:
    """What all generations of an environment have in common, by the names of its fields."""
    return {
        field: getattr(environment, field)
        for field in ("interpreter", "requirements", "allows_source")
    }


def _is_same_minor(environment: Environment, interpreter: Interpreter) -> bool:
    return interpreters.minor_of(environment.python) == interpreters.minor_of(interpreter.version)


def is_usable(environment: Environment) -> bool:
    """Whether scripts can run with it now: it is ready and not known to be broken, and its Python is still there."""
    return environment.is_ready and not environment.fault and python_of(environment).exists()


def in_trouble() -> Q:
    """Scripts that need a person for their environment: it could not be built, or is broken and nobody builds it."""
    is_broken = Q(wanted_environment__state=Environment.State.READY) & ~Q(
        wanted_environment__fault=""
    )
    return Q(wanted_environment__state=Environment.State.FAILED) | is_broken


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
    """The environment to build next: the oldest that a script waits for or uses; None while one is being built."""
    if Environment.objects.filter(state=Environment.State.BUILDING).exists():
        return None
    wanted = Environment.objects.filter(state=Environment.State.WANTED)
    present = Script.objects.present()
    needed = (
        Q(waiting_scripts__in=present) | Q(upgrading_scripts__in=present) | Q(scripts__in=present)
    )
    return wanted.filter(needed).order_by("pk").first()


def reset_interrupted(*, building: Collection[int] = ()) -> int:
    """At start-up: ask again for what was being built, and for what is ready without a folder. Returns how many.

    `building` names the environments whose build outlived the restart. One whose Python is gone cannot be built: it is
    left to the look at its health.
    """
    interrupted = Environment.objects.filter(state=Environment.State.BUILDING).exclude(
        pk__in=building
    )
    count = interrupted.update(state=Environment.State.WANTED)
    for environment in Environment.objects.filter(state=Environment.State.READY).defer(
        "lock", "requirements"
    ):
        if not is_usable(environment) and not interpreters.is_gone(Path(environment.interpreter)):
            _ask_again(environment)
            count += 1
    return count


def _ask_again(environment: Environment, *, interpreter: Interpreter | None = None) -> None:
    """Set a row back to wanted, unless it is wanted or being built already; for the Python that is there now.

    Its lock holds for what it was made for: another minor release needs packages of its own.
    """
    if interpreter is not None:
        if not _is_same_minor(environment, interpreter):
            environment.lock = ""
        environment.python = interpreter.version
    if environment.is_broken:  # else the build would find its folder there and be content with it
        environment.is_renewal = True
    if environment.state != Environment.State.BUILDING:
        environment.state = Environment.State.WANTED
    environment.save(update_fields=["state", "python", "lock", "is_renewal"])
