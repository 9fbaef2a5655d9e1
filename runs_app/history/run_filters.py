"""What a list of runs may be narrowed by: one filter for the page, its files and the API."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Q

from runs_app import states
from runs_app.history import history
from runs_app.models import LONG_S, Run, RunQuerySet
from runs_app.states import Kind
from scripts_app import folders, lookup
from scripts_app.models import Script, Version

Row = TypeVar("Row")

BAD, ACTIVE = "bad", "active"  # of several statuses
SCAN_S = 0.03  # for runs that no index leads to; what is left is said
FIRST_WINDOW, MAX_WINDOW = 10_000, 80_000  # ids that are looked at together
MAX_ID = 2**53
MAX_FEW = 1000  # runs that are named to the database one by one
STATUSES = {BAD: history.BAD, ACTIVE: tuple(states.ACTIVE)}


@dataclass(frozen=True, kw_only=True)
class Scan(Generic[Row]):
    """Runs of a page, and the id below which nothing was looked at yet, where the time was over."""

    rows: list[Row]
    goes_on_below: int | None = None


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
    within: Q = field(default_factory=Q)  # what the caller may see

    def page(self, **chosen: Any) -> list[Run]:
        """Return the runs that `newest` chooses with all that a page shows of them."""
        return history.loaded(self.newest(**chosen))

    def newest(
        self, *, before: int | None = None, limit: int, among: Collection[int] | None = None
    ) -> RunQuerySet:
        """Choose the runs of the filter but for its text, newest first; with `among` only those of these ids."""
        return history.newest(limit=limit, **self._for_history(before=before, among=among))

    def scan(
        self,
        load: Callable[[RunQuerySet], list[Row]],
        *,
        before: int | None,
        limit: int,
        budget_s: float,
    ) -> Scan[Row]:
        """Load what `newest` chooses. Where no index leads to it, this ends when the time is over."""
        if not self._is_without_index or self._few() is not None:
            return Scan(rows=load(self.newest(before=before, limit=limit)))
        asked = self._for_history(before=before, among=None)
        deadline = time.monotonic() + budget_s
        rows: list[Row] = []
        top, window = before or MAX_ID, FIRST_WINDOW
        oldest, newest = _first_and_last()
        while top > oldest:
            floor = max(oldest, min(top, newest + 1) - window)
            bounded = {**asked, "before": top, "more": asked["more"] & Q(pk__gte=floor)}
            rows += load(history.newest(limit=limit - len(rows), **bounded))
            top, window = floor, min(2 * window, MAX_WINDOW)
            if len(rows) == limit:
                break
            if time.monotonic() >= deadline and top > oldest:
                return Scan(rows=rows, goes_on_below=top)
        return Scan(rows=rows)

    def require_known(self) -> None:
        """Raise Http404 where it names a script or a folder that is not there. Asked where nothing was found: a name
        that is typed wrong looks like good news. A key with limits is not told which others there are.
        """
        if not self.within:
            lookup.require_known(script=self.script, folder=self.folder)

    @property
    def _is_without_index(self) -> bool:
        return bool(self.trigger or self.until or self.max_s is not None or self.min_s is not None)

    def ids(self, *, among: Collection[int]) -> list[int]:
        """Return which of these runs the filter has, its text aside, newest first."""
        found = self.newest(limit=len(among), among=among)
        return list(found.values_list("pk", flat=True))

    def _for_history(self, *, before: int | None, among: Collection[int] | None) -> dict[str, Any]:
        more, scripts = self.as_query(), self.scripts()
        few = self._few() if among is None else among
        if few is not None:
            more &= Q(pk__in=few)
        if scripts is not None and (few is not None or self.reason):
            # These lead to the runs, whatever the number of scripts.
            more, scripts = more & Q(script__in=scripts), None
        return {
            "before": before,
            "script": self.script,
            "status": self._statuses(),
            "kind": self.kind,
            "trigger": self.trigger,
            "since": self.since,
            "scripts": scripts,
            "more": more,
        }

    def _statuses(self) -> str | Collection[str]:
        return STATUSES.get(self.status, self.status)

    def as_query(self) -> Q:
        """Return the condition for runs, but for the one on `scripts`."""
        query = self.within
        if self.reason:
            query &= Q(reason=self.reason) & ~Q(reason="")  # as the index has it
        if self.version is not None:
            query &= self._of_version(self.version)
        if self.min_s is not None:
            query &= Q(duration_s__gte=self.min_s)
        if self.max_s is not None:
            query &= Q(duration_s__lte=self.max_s)
        if self.until is not None:
            query &= Q(created_at__lt=self.until)
        return query

    def _of_version(self, number: int) -> Q:
        rows = Version.objects.filter(number=number)
        if self.script:
            rows = rows.filter(script__slug=self.script)
        versions = list(rows.values_list("pk", flat=True)[:2])
        if len(versions) < 2:
            return Q(version__in=versions)
        return Q(
            version__number=number
        )  # with all of them the database sorts their runs for the newest few

    def _few(self) -> list[int] | None:
        # Where few runs have the reason or took so long, the newest of them would be looked for in all of the history.
        runs = Run.objects.order_by()
        if self.reason:
            runs = runs.filter(reason=self.reason).exclude(reason="")
        elif self.min_s is not None and self.min_s >= LONG_S:
            runs = runs.filter(duration_s__gte=self.min_s).filter(duration_s__gte=LONG_S)
        else:
            return None
        found = list(runs.values_list("pk", flat=True)[: MAX_FEW + 1])
        return found if len(found) <= MAX_FEW else None

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


def _first_and_last() -> tuple[int, int]:
    ids = Run.objects.values_list("pk", flat=True)
    return ids.order_by("pk").first() or 0, ids.order_by("-pk").first() or 0
