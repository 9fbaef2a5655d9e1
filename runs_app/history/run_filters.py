"""What a list of runs may be narrowed by: one filter for the page, its files and the API."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from runs_app import states
from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Kind
from scripts_app import folders
from scripts_app.models import Script

BAD, ACTIVE = "bad", "active"  # of several statuses
STATUSES = {BAD: history.BAD, ACTIVE: tuple(states.ACTIVE)}


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """ "" and None filter nothing, and so does `kind` "". Runs count that went on between `since` and `until`; `min_s`
    and `max_s` are bounds of the duration in seconds; `text` is a search of the output, for `search/run_lists.py`.
    """

    text: str = ""
    script: str = ""
    status: str = ""
    kind: str = Kind.SCRIPT
    trigger: str = ""
    since: datetime | None = None
    until: datetime | None = None
    folder: str = ""
    tag: str = ""
    reason: str = ""
    version: int | None = None
    min_s: float | None = None
    max_s: float | None = None

    def page(
        self, *, before: int | None = None, limit: int, among: Collection[int] | None = None
    ) -> list[Run]:
        """Return the runs of the filter but for its text, newest first; with `among` only those of these ids."""
        more = self.as_query()
        if among is not None:
            more &= Q(pk__in=among)
        return history.page(
            before=before,
            limit=limit,
            script=self.script,
            status=self._statuses(),
            kind=self.kind,
            trigger=self.trigger,
            since=self.since,
            scripts=self.scripts(),
            more=more,
        )

    def _statuses(self) -> str | Collection[str]:
        # Successes are nearly all of the history and need not be read for a reason.
        if not self.status and self.reason:
            return states.WITH_REASON
        return STATUSES.get(self.status, self.status)

    def as_query(self) -> Q:
        """Return the condition for runs, but for the one on `scripts`."""
        query = Q()
        if self.reason:
            query &= Q(reason=self.reason)
        if self.version is not None:
            query &= Q(version__number=self.version)
        if self.min_s is not None:
            query &= Q(duration_s__gte=self.min_s)
        if self.max_s is not None:
            query &= Q(duration_s__lte=self.max_s)
        if self.until is not None:
            query &= Q(created_at__lt=self.until)
        return query

    def scripts(self) -> list[int] | None:
        """Return the scripts of the folder and the tag; None where all scripts are asked for."""
        if not (self.folder or self.tag):
            return None
        rows = Script.objects.all()
        if self.folder:
            rows = rows.filter(folders.within(self.folder, field="folder__path"))
        # A list of texts: SQLite cannot look into it by itself.
        chosen = []
        for pk, tags in rows.values_list("pk", "tags"):
            if not self.tag or self.tag in tags:
                chosen.append(pk)
        return chosen
