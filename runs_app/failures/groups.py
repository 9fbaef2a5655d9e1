"""Failures grouped: a row for each fingerprint of a script, counted in the transaction in which a run ends."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    PositiveBigIntegerField,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Greatest

from runs_app.failures import beginnings
from runs_app.history.recent_runs import VERDICTS
from runs_app.models import FailureGroup, Run
from runs_app.states import Status
from scripts_app import lookup
from scripts_app.models import Script

GONE_AFTER = 20  # runs without it
NEW_FOR = timedelta(days=1)
MAX_OF_SCRIPT = 200  # the newest are kept
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
MAX_PLACE = 300  # characters
LONG_TEXTS = (
    "first_version__code",
    "first_version__requirements",
    "last_version__code",
    "last_version__requirements",
)
NEW, AGAIN, GONE, GOING_ON = "new", "again", "gone", "going_on"
STATE_WORDS = {
    NEW: "new",
    AGAIN: "again",
    GONE: f"gone for {GONE_AFTER} runs",
    GOING_ON: "",
}


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """A group with what a page says of it; `others` are the other scripts that fail in the same way."""

    group: FailureGroup
    state: str
    since: str
    others: list[Script]

    @property
    def state_words(self) -> str:
        return STATE_WORDS[self.state]

    @property
    def look(self) -> str:
        """The status whose colour and shape the state has."""
        return "succeeded" if self.state == GONE else "failed"

    @property
    def versions(self) -> str:
        first, last = self.group.first_version, self.group.last_version
        if first is None or last is None:
            return ""
        return str(first) if first == last else f"{first} to {last}"


def count_failure(run: Run) -> None:
    """Count a run that has just failed, in the transaction in which it ends: one statement, two for a new group."""
    if run.fingerprint is None or run.script_id is None or run.finished_at is None:
        return
    rows = FailureGroup.objects.filter(script=run.script_id, fingerprint=run.fingerprint)
    seen = _as_seen_last(run)
    this_run = Value(run.pk, output_field=PositiveBigIntegerField())
    counted = rows.update(
        count=F("count") + 1,
        since_run=Case(When(_succeeded_since(run), then=this_run), default=F("since_run")),
        last_run=Greatest(F("last_run"), this_run),
        **seen,
    )
    if counted:
        return
    FailureGroup.objects.create(
        script_id=run.script_id,
        fingerprint=run.fingerprint,
        first_run=run.pk,
        first_at=run.finished_at,
        first_version_id=run.version_id,
        since_run=run.pk,
        last_run=run.pk,
        **seen,
    )


def _as_seen_last(run: Run) -> dict[str, Any]:
    explanation: dict[str, Any] = run.explanation or {}
    frame = explanation["frame"]
    place = ""
    if frame:
        place = frame["file"]
        if frame["function"]:
            place += f", in {frame['function']}"
    return {
        "kind": explanation["kind"],
        "title": explanation["title"],
        "place": place[:MAX_PLACE],
        "last_at": run.finished_at,
        "last_version_id": run.version_id,
    }


def _succeeded_since(run: Run) -> Exists:
    between = Run.objects.filter(
        script=OuterRef("script"),
        status=Status.SUCCEEDED,
        pk__gt=OuterRef("last_run"),
        pk__lt=run.pk,
    )
    return Exists(between)


def page(
    *,
    now: datetime,
    limit: int,
    script: str = "",
    before: tuple[int, int] | None = None,
    among: Q | None = None,
) -> list[FailureRow]:
    """Return groups, the last one to happen first, behind a `cursor`; a few queries in all.

    With `among` those groups, and those other scripts, that it is true for. Without it raises Http404 for a script
    that is not there.
    """
    seen = among or Q()
    rows = _chosen(seen, script=script, before=before)
    rows = _with_twentieth_run(rows.select_related("script", "first_version", "last_version"))
    groups = list(rows.defer(*LONG_TEXTS)[:limit])
    if not groups and not among:
        lookup.require_known(script=script)
    scripts = _scripts_by_fingerprint(groups, seen)
    since = beginnings.describe([group.first_run for group in groups])
    found = []
    for group in groups:
        others = [other for other in scripts[group.fingerprint] if other.pk != group.script_id]
        began = since.get(group.first_run, "")
        row = FailureRow(group=group, state=_state(group, now), since=began, others=others)
        found.append(row)
    return found


def _chosen(seen: Q, *, script: str, before: tuple[int, int] | None) -> QuerySet[FailureGroup]:
    rows = FailureGroup.objects.filter(seen, script__deleted_at=None)
    if script:
        rows = rows.filter(script__slug=script)
    if before:
        last_run, pk = before
        rows = rows.filter(Q(last_run__lt=last_run) | Q(last_run=last_run, pk__lt=pk))
    return rows


def cursor(group: FailureGroup) -> str:
    """Return where a page ends, for the next page to begin behind."""
    return f"{group.last_run}-{group.pk}"


def position_in(text: str) -> tuple[int, int] | None:
    """Return what `cursor` wrote; None for any other text, which means the first page."""
    found = _CURSOR.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def _with_twentieth_run(rows: QuerySet[FailureGroup]) -> QuerySet[Any]:
    # Counted from the script's newest run: what was last seen before it is gone. A walk over 20 rows of an index.
    verdicts = Run.objects.filter(script=OuterRef("script"), status__in=VERDICTS)
    newest = verdicts.order_by("-pk").values("pk")
    return rows.annotate(twentieth_run=Subquery(newest[GONE_AFTER - 1 : GONE_AFTER]))


def _scripts_by_fingerprint(groups: list[Any], seen: Q) -> dict[str, list[Script]]:
    fingerprints = [group.fingerprint for group in groups]
    rows = FailureGroup.objects.filter(seen, fingerprint__in=fingerprints, script__deleted_at=None)
    rows = rows.select_related("script").only("fingerprint", "script__slug", "script__name")
    found: dict[str, list[Script]] = {}
    for group in rows:
        found.setdefault(group.fingerprint, []).append(group.script)
    return found


def _state(group: Any, now: datetime) -> str:
    if group.twentieth_run is not None and group.last_run < group.twentieth_run:
        return GONE
    if group.since_run != group.first_run:
        return AGAIN
    if now - group.first_at < NEW_FOR:
        return NEW
    return GOING_ON


def prune(*, now: datetime, keep: timedelta) -> int:
    """Delete the groups that were last seen so long ago, and of each script those beyond the newest 200."""
    count, _ = FailureGroup.objects.filter(last_at__lt=now - keep).delete()
    scripts = FailureGroup.objects.order_by().values("script").annotate(groups=Count("pk"))
    for crowded in scripts.filter(groups__gt=MAX_OF_SCRIPT):
        of_script = FailureGroup.objects.filter(script=crowded["script"])
        kept = list(of_script.values_list("pk", flat=True)[:MAX_OF_SCRIPT])
        deleted, _ = of_script.exclude(pk__in=kept).delete()
        count += deleted
    return count
