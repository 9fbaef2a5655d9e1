"""The runs that a search asks the database for: little of each candidate, all that lists show of those with hits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models.functions import Coalesce

from runs_app.history import history
from runs_app.models import Run
from runs_app.search.query import Query
from scripts_app import folders


class CandidateRun(NamedTuple):
    """What is read of each run that may have a hit."""

    pk: int
    folder: str
    began: datetime


def rows_for(query: Query, ids: Sequence[int]) -> dict[int, CandidateRun]:
    """Return those of the runs that the query may find."""
    rows = Run.objects.of_kind(query.kind).filter(query.among, pk__in=ids)
    if query.script:
        rows = rows.filter(script__slug=query.script)
    if query.folder:
        rows = rows.filter(folders.within(query.folder, field="script__folder__path"))
    if query.statuses:
        rows = rows.filter(status__in=query.statuses)
    if query.after:
        rows = rows.exclude(finished_at__lt=query.after)
    if query.before:
        rows = rows.exclude(created_at__gte=query.before)
    began = Coalesce("started_at", "created_at")
    return {values[0]: CandidateRun(*values) for values in rows.values_list("pk", "folder", began)}


def runs_by_id(ids: Sequence[int]) -> dict[int, Run]:
    """Return the runs as their list would show them."""
    if not ids:
        return {}
    return {run.pk: run for run in history.loaded(Run.objects.filter(pk__in=ids))}


def created_at(run: int) -> datetime | None:
    """Return when a run was born; where it is gone, the next one."""
    later = Run.objects.filter(pk__gte=run).order_by("pk")
    return later.values_list("created_at", flat=True).first()
