"""Since when a script fails in a way: what differs between the first such run and the run before it."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from runs_app.history.history import LONG_TEXTS
from runs_app.history.recent_runs import VERDICTS
from runs_app.models import Run
from scripts_app.models import Environment
from scripts_app.packages import locks

MAX_PACKAGES = 3  # that are named
NO_RUN_BEFORE = "the first run that is kept"
NO_CHANGE = "no change of code or packages"


def describe(first_runs: Collection[int]) -> dict[int, str]:
    """Return in words what was new in each of these runs; a few queries, however many there are."""
    runs = list(_with_run_before(_rows().filter(pk__in=first_runs)))
    before = _rows().in_bulk([run.run_before for run in runs if run.run_before])
    pairs = [(run, before.get(run.run_before)) for run in runs]
    locks_by_id = _locks(pairs)
    return {run.pk: _words(run, earlier, locks_by_id) for run, earlier in pairs}


def _rows() -> QuerySet[Run]:
    return Run.objects.select_related("version", "environment").defer(*LONG_TEXTS)


def _with_run_before(rows: QuerySet[Run]) -> QuerySet[Any]:
    earlier = Run.objects.filter(
        script=OuterRef("script"), pk__lt=OuterRef("pk"), status__in=VERDICTS
    )
    return rows.annotate(run_before=Subquery(earlier.order_by("-pk").values("pk")[:1]))


def _locks(pairs: Iterable[tuple[Any, Run | None]]) -> dict[int, str]:
    # Locks are long: those alone that are compared.
    wanted = set[int | None]()
    for run, earlier in pairs:
        if earlier and run.environment_id != earlier.environment_id:
            wanted |= {run.environment_id, earlier.environment_id}
    rows = Environment.objects.filter(pk__in=[pk for pk in wanted if pk is not None]).exclude(
        lock=""
    )
    return dict(rows.values_list("pk", "lock"))


def _words(run: Any, earlier: Run | None, locks_by_id: dict[int, str]) -> str:
    if earlier is None:
        return NO_RUN_BEFORE
    words = []
    if run.version and run.version_id != earlier.version_id:
        words.append(f"v{run.version.number}")
    words += _packages(run, earlier, locks_by_id)
    return ", ".join(words) or NO_CHANGE


def _packages(run: Any, earlier: Run, locks_by_id: dict[int, str]) -> list[str]:
    new, old = run.environment, earlier.environment
    if new is None or old is None or new.pk == old.pk:
        return []
    words = []
    if new.python != old.python:
        words.append(f"Python {new.python}")
    changes = locks.difference(locks_by_id.get(old.pk, ""), locks_by_id.get(new.pk, ""))
    words += [_change(change) for change in changes[:MAX_PACKAGES]]
    if len(changes) > MAX_PACKAGES:
        words.append(f"{len(changes) - MAX_PACKAGES} more packages")
    return words


def _change(change: locks.Change) -> str:
    match change.kind:
        case "added":
            return f"{change.name} {change.after} added"
        case "removed":
            return f"{change.name} removed"
    return f"{change.name} {change.before} → {change.after}"
