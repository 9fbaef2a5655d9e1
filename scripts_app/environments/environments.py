"""Environment rows: requested by scripts, shared by scripts with equal specs, and built by `runs_app`."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.dispatch import Signal

from scripts_app.environments.drivers import build_config, start_program
from scripts_app.models import Environment, Schedule, Script, Version
from scripts_app.packages import interpreters, resolution
from scripts_app.packages.interpreters import Interpreter
from tempo_site.audit import trail
from tempo_site.lib import files, paths

# Sent without arguments after a commit that asked for environments by other ways than save().
requested = Signal()

# Environments that were seen to have their start file; each is asked once by a process.
_with_start_file: dict[Path, Path] = {}
MAX_AT_ONCE = 100  # texts of requirements in a query
UNFINISHED = (Environment.State.WANTED, Environment.State.BUILDING)


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    interpreter: Interpreter
    requirements: str


def spec_of_text(*, code: str, requirements: str, python_version: str) -> EnvironmentSpec:
    """Return the spec of a text. Starts processes: not in a transaction. Raises InterpreterMissing, ScriptError."""
    found = resolution.resolve(
        code=code,
        requirements=requirements,
        python_version=python_version,
    )
    return EnvironmentSpec(interpreter=found.interpreter, requirements=found.requirements)


def request(script: Script) -> Environment:
    """Request the environment of the current version, after a failure again. Raises InterpreterMissing, ScriptError."""
    version = Script.objects.select_related("version").get(pk=script.pk).version
    assert version is not None, "a script always has a version"
    spec = spec_of_text(
        code=version.code,
        requirements=version.requirements,
        python_version=version.python_version,
    )
    with transaction.atomic():
        if Script.objects.filter(pk=script.pk, version=version).exists():
            return assign(script, spec)
    # Another version was saved in the meantime, so the request has to be for that version.
    return request(script)


def rebuild(script: Script) -> Environment:
    """Have the environment of the current version built again; runs wait. Raises InterpreterMissing, ScriptError."""
    return renew(request(script))


def renew(environment: Environment) -> Environment:
    """Have an environment built again with the packages of its lock, unless a build is requested already."""
    rows = Environment.objects.filter(pk=environment.pk)
    ready = rows.filter(state=Environment.State.READY)
    failed = rows.filter(state=Environment.State.FAILED)
    with transaction.atomic():
        changed = ready.update(state=Environment.State.WANTED, is_renewal=True, message="")
        if not changed:
            changed = failed.update(state=Environment.State.WANTED, message="")
        trail.record("asked for again", environment)
        if changed:
            environment.refresh_from_db()
            # The signal of save() wakes the engine; update() sends none.
            environment.save(update_fields=["state"])
    return environment


def assign(script: Script, spec: EnvironmentSpec) -> Environment:
    """Store which environment a script needs, in the transaction that read or saved the script's version."""
    stored = Script.objects.get(pk=script.pk)
    environment = _row_for(stored, spec)
    if _has_to_be_built(environment, spec.interpreter):
        _request_again(environment, interpreter=spec.interpreter)
    changes: dict[str, Environment | None] = {"wanted_environment": environment}
    if environment.is_ready:
        changes["environment"] = environment
    if stored.upgrade and shared_fields(stored.upgrade) != shared_fields(environment):
        changes["upgrade"] = None
    Script.objects.filter(pk=script.pk).update(**changes)
    Version.objects.filter(pk=stored.version_id or 0).update(environment=environment)
    # A build may have ended since the script was read.
    script.refresh_from_db(fields=["environment", "wanted_environment", "upgrade"])
    return environment


def rows_for_new(locks: Mapping[EnvironmentSpec, str]) -> dict[EnvironmentSpec, Environment]:
    """Return the row of each spec, for scripts that are not stored yet and have nothing built from source.

    A row that is made here has the lock beside its spec; "" where its packages are to be locked.
    """
    with transaction.atomic():
        found = _newest_rows(locks)
        for spec, environment in found.items():
            if _has_to_be_built(environment, spec.interpreter):
                _request_again(environment, interpreter=spec.interpreter)
        made = {spec: unsaved(spec, lock=lock) for spec, lock in locks.items() if spec not in found}
        Environment.objects.bulk_create(made.values())
        transaction.on_commit(lambda: requested.send(sender=Environment), robust=True)
    return found | made


def unsaved(spec: EnvironmentSpec, *, lock: str = "") -> Environment:
    """Return a row for a spec that is not stored."""
    return Environment(
        interpreter=str(spec.interpreter.path),
        requirements=spec.requirements,
        python=spec.interpreter.version,
        lock=lock,
    )


# As _row_for() finds them one by one.
def _newest_rows(specs: Collection[EnvironmentSpec]) -> dict[EnvironmentSpec, Environment]:
    by_fields = {(str(spec.interpreter.path), spec.requirements): spec for spec in specs}
    texts = sorted({spec.requirements for spec in specs})
    found = {}
    for start in range(0, len(texts), MAX_AT_ONCE):
        some = texts[start : start + MAX_AT_ONCE]
        rows = Environment.objects.filter(requirements__in=some, allows_source=False)
        for row in _in_use_or_first(rows):
            spec = by_fields.get((row.interpreter, row.requirements))
            if spec is not None:
                found[spec] = row  # the last one is the best
    return found


# The best one last. Asked for by `Exists`: a join has a row for each script and version of an environment that many
# share.
def _in_use_or_first(rows: QuerySet[Environment]) -> QuerySet[Environment]:
    waiting = Script.objects.filter(wanted_environment=OuterRef("pk"))
    versions = Version.objects.filter(environment=OuterRef("pk"))
    known = rows.annotate(is_in_use=Exists(waiting) | Exists(versions))
    return known.filter(Q(is_in_use=True) | Q(generation=0)).order_by("is_in_use", "generation")


def _row_for(script: Script, spec: EnvironmentSpec) -> Environment:
    # The script's own row comes first, then the newest generation that is or was in use. An upgrade that was not
    # accepted yet has neither a waiting script nor a version.
    fields: dict[str, object] = {
        "interpreter": str(spec.interpreter.path),
        "requirements": spec.requirements,
        "allows_source": script.allow_source,
    }
    own = script.wanted_environment
    if own is not None and shared_fields(own) == fields:
        return own
    best = _in_use_or_first(Environment.objects.filter(**fields)).last()
    if best:
        return best
    return Environment.objects.create(**fields, python=spec.interpreter.version)


def shared_fields(environment: Environment) -> dict[str, object]:
    return {
        "interpreter": environment.interpreter,
        "requirements": environment.requirements,
        "allows_source": environment.allows_source,
    }


def _has_to_be_built(environment: Environment, interpreter: Interpreter) -> bool:
    # Another patch release at the same path needs no build: packages do not depend on it, and runs would wait.
    if not _is_same_minor(environment, interpreter):
        return True
    is_coming = environment.state in UNFINISHED
    return not is_coming and not is_usable(environment)


def _is_same_minor(environment: Environment, interpreter: Interpreter) -> bool:
    return interpreters.minor_of(environment.python) == interpreters.minor_of(interpreter.version)


def is_usable(environment: Environment) -> bool:
    return _is_sound(environment) and is_there(python_of(environment))


def is_there(python: Path) -> bool:
    """Tell whether a Python can be reached. Unlike exists() it does not raise where a folder on the way is closed."""
    return os.access(python, os.F_OK)


def can_be_required(environment: Environment) -> bool:
    """Whether an environment is built, or can be built again from its lock."""
    return _is_sound(environment) or not interpreters.is_gone(Path(environment.interpreter))


def require(environment: Environment) -> None:
    """Have an environment built again from its lock unless it is built, or being built."""
    if not _is_sound(environment):
        _request_again(environment)


def _is_sound(environment: Environment) -> bool:
    return environment.is_ready and not environment.fault


def start_file(home: Path) -> Path | None:
    """Return the program in an environment that starts a script; written now if an older Tempo built it.

    Its byte code where the build has made it: a run begins 1 ms sooner. None for an environment without a folder for
    packages: its runs start their code itself.
    """
    known = _with_start_file.get(home)
    if known and known.exists():
        return known
    for site in home.glob("lib/*/site-packages"):
        start = site / build_config.START_FILE
        wanted = build_config.START_PROGRAM.read_bytes()
        if not start.exists() or start.read_bytes() != wanted:
            files.write_atomic(start, wanted, mode=0o444, durable=False)
        _with_start_file[home] = start_program.byte_code_of(start) or start
        return _with_start_file[home]
    return None


def in_trouble() -> Q:
    """Return the condition for scripts whose environment a person has to look at: build failed, or broken."""
    failed = Q(wanted_environment__state=Environment.State.FAILED)
    ready = Q(wanted_environment__state=Environment.State.READY)
    return failed | (ready & ~Q(wanted_environment__fault=""))


def is_awaited(script: Script) -> bool:
    """Tell whether runs of the script wait for a build: new code must not run with the packages of older code."""
    # After a failed build the previous environment is used: a typing error must not stop a schedule.
    if script.environment_id is None:
        return True
    wanted = script.wanted_environment
    return wanted is not None and wanted.state in UNFINISHED


def use_one_row(script: Script) -> None:
    """Have a script that uses the environment it asks for hold one row of it: it need not be read twice."""
    if script.wanted_environment_id == script.environment_id:
        script.wanted_environment = script.environment


def python_of(environment: Environment) -> Path:
    """Return the Python of a built environment. Raises ValueError when the environment was never built."""
    if not environment.digest:
        raise ValueError(f"environment {environment.pk} was never built")
    return paths.environments() / environment.digest / "bin" / "python"


def next_wanted(*, of_runs: QuerySet[Any] | Collection[int] = ()) -> Environment | None:
    """Return the `needed` environment to build next; None during another build.

    First one that a run waits for, then by the next due moment of its scripts, then the oldest.
    """
    if Environment.objects.filter(state=Environment.State.BUILDING).exists():
        return None
    wanted = needed(of_runs=of_runs).filter(state=Environment.State.WANTED)
    by_due = wanted.annotate(due=_first_due()).order_by(F("due").asc(nulls_last=True), "pk")
    return by_due.filter(pk__in=of_runs).first() or by_due.first()


def _first_due() -> Subquery:
    of_scripts = Q(script__environment=OuterRef("pk"))
    of_scripts |= Q(script__wanted_environment=OuterRef("pk"))
    due = Schedule.objects.filter(of_scripts, script__deleted_at=None, alarm__isnull=False)
    return Subquery(due.order_by("alarm__next_run").values("alarm__next_run")[:1])


def needed(*, of_runs: QuerySet[Any] | Collection[int] = ()) -> QuerySet[Environment]:
    """Return the environments that a script uses, waits for, or may be upgraded to, and those of the keys `of_runs`."""
    present = Script.objects.present()
    of_scripts = Q(scripts__in=present) | Q(waiting_scripts__in=present)
    of_scripts |= Q(upgrading_scripts__in=present)
    return Environment.objects.filter(of_scripts | Q(pk__in=of_runs))


def reset_interrupted(*, building: Collection[int] = ()) -> int:
    """Request interrupted builds and lost folders again; `building`: keys whose build has outlived the restart."""
    interrupted = Environment.objects.filter(state=Environment.State.BUILDING)
    interrupted = interrupted.exclude(pk__in=building)
    count = interrupted.update(state=Environment.State.WANTED)
    ready = Environment.objects.filter(state=Environment.State.READY)
    for environment in ready.defer("lock", "requirements"):
        if is_usable(environment):
            continue
        if interpreters.is_gone(Path(environment.interpreter)):
            continue  # impossible to build: left to the health check
        _request_again(environment)
        count += 1
    return count


def _request_again(environment: Environment, *, interpreter: Interpreter | None = None) -> None:
    if interpreter is not None:
        if not _is_same_minor(environment, interpreter):
            environment.lock = ""  # another minor release needs other packages
        environment.python = interpreter.version
    if environment.is_broken:  # a normal build would find the folder and take it for complete
        environment.is_renewal = True
    if environment.state != Environment.State.BUILDING:
        environment.state = Environment.State.WANTED
    environment.save(update_fields=["state", "python", "lock", "is_renewal"])
