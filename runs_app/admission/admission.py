"""Admission: which queued runs may begin: in order, under the cap, and while there is memory for them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Coalesce

from runs_app import disk_space
from runs_app.admission import memory
from runs_app.execution import execution, finish
from runs_app.models import Run, RunQuerySet
from runs_app.states import UNDER_WAY, Kind, Reason, Status, Trigger
from scripts_app.environments import environments
from scripts_app.models import Environment, Schedule, Script
from scripts_app.schedules import global_pause

logger = logging.getLogger(__name__)

PROMISED_FOR = timedelta(seconds=3)  # so long a run may take to touch the memory it needs
ONE_BY_ONE = (Schedule.Overlap.SKIP, Schedule.Overlap.QUEUE_ONE, Schedule.Overlap.REPLACE)
# the order of the queue, behind it the id; Run has an index of it
QUEUE_ORDER = Coalesce("due_at", "created_at")


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One look at the queue: which scripts' runs may begin now, and what keeps the first of the others from it."""

    begin: Sequence[Run]
    taken: int  # places
    blocked: Run | None = None  # the first that has a place and not the memory it may need
    need_mb: int = 0
    free_mb: int = 0


def admit(*, now: datetime) -> int:
    """Move the first queued runs to `starting` while there is room, hand them over, return how many."""
    admitted = claim(now=now)
    for run in admitted:
        try:
            execution.hand_over(run, now=now)
        except Exception:  # the others must not wait for it; the sweep hands it over again
            logger.exception("run %s could not be handed over", run.pk)
    return len(admitted)


def claim(*, now: datetime) -> list[Run]:
    """Move as many queued runs as fit, in order, in one transaction; a second caller finds them gone."""
    kinds = _kinds_with_a_chance()  # without the write lock: most rings find nothing to do
    if not kinds:
        return []
    if disk_space.why_nothing_starts():
        return []
    with transaction.atomic():
        runs = [
            *(_builds() if Kind.BUILD in kinds else ()),
            *(look_for_next(now=now).begin if Kind.SCRIPT in kinds else ()),
        ]
        return [run for run in runs if _begin(run, now)]


def _kinds_with_a_chance() -> set[str]:
    """Of which kinds runs are queued and a place may be free."""
    rows = Run.objects.active().order_by().values_list("kind", "status").annotate(Count("pk"))
    counts = {(kind, status): count for kind, status, count in rows}
    kinds = {kind for kind, status in counts if status == Status.QUEUED}
    taken = sum(counts.get((Kind.SCRIPT, status), 0) for status in UNDER_WAY)
    return kinds - {Kind.SCRIPT} if taken >= settings.MAX_CONCURRENT_RUNS else kinds


def queued(kind: Kind) -> RunQuerySet:
    """The queue in its order: by due moment, or by birth where there is none."""
    return Run.objects.filter(kind=kind, status=Status.QUEUED).order_by(QUEUE_ORDER, "pk")


def look_for_next(*, now: datetime) -> Outlook:
    """See who may begin: as many as there are places, up to the first for which there is not enough memory.

    Nobody overtakes that one, or a large run would wait for ever. Where nothing is under way, the first always begins.
    """
    under_way = list(_under_way().only("script_id", "memory_mb", "handed_over_at"))
    places = settings.MAX_CONCURRENT_RUNS - len(under_way)
    candidates = (
        _ready(now, busy={run.script_id for run in under_way})[:places] if places > 0 else ()
    )
    if not candidates:
        return Outlook(begin=(), taken=len(under_way))
    recent = [
        run
        for run in under_way
        if run.handed_over_at and abs(now - run.handed_over_at) < PROMISED_FOR
    ]
    free_mb = memory.available_mb()
    needs = memory.needs_mb([*recent, *candidates], enough_mb=free_mb)
    free_mb = max(0, free_mb - sum(needs[run.pk] for run in recent))
    begin: list[Run] = []
    for run in candidates:
        if _follows_one_of(begin, run):
            continue
        if needs[run.pk] > free_mb and (under_way or begin):
            return Outlook(
                begin=begin,
                taken=len(under_way),
                blocked=run,
                need_mb=needs[run.pk],
                free_mb=free_mb,
            )
        begin.append(run)
        free_mb -= needs[run.pk]
    return Outlook(begin=begin, taken=len(under_way))


def _follows_one_of(begin: Sequence[Run], run: Run) -> bool:
    """Whether it is to follow a run that begins now: several of a script may be queued, as after a gap."""
    is_second = any(other.script_id == run.script_id for other in begin)
    return is_second and run.schedule is not None and run.schedule.overlap in ONE_BY_ONE


def _builds() -> list[Run]:
    """The next build, outside the slots and one at a time."""
    if Run.objects.filter(kind=Kind.BUILD).under_way().exists():
        return []
    return list(queued(Kind.BUILD).select_related("environment")[:1])


def _under_way() -> RunQuerySet:
    return Run.objects.filter(kind=Kind.SCRIPT).under_way().order_by()


def _ready(now: datetime, *, busy: Collection[int | None]) -> RunQuerySet:
    """Queued runs that wait for nothing but their turn; those that wait for something else block nobody.

    That is: their environment is there and not about to be another, the moment of a retry has come and no pause holds
    it, and a run that is to follow another one of its script does not find that script among the `busy` ones.
    """
    ready = queued(Kind.SCRIPT).filter(script__environment__state=Environment.State.READY)
    settled = ready.exclude(script__wanted_environment__state__in=environments.UNFINISHED).exclude(
        not_before__gt=now
    )
    if busy:  # named one by one: a subquery would look through the whole history of each script that waits
        settled = settled.exclude(schedule__overlap__in=ONE_BY_ONE, script__in=busy)
    if global_pause.current_pause(now):
        settled = settled.exclude(trigger=Trigger.RETRY)
    else:
        settled = settled.exclude(trigger=Trigger.RETRY, schedule__paused_until__gt=now)
    related = settled.select_related("script", "script__environment", "version")
    return related.defer("script__environment__lock", "script__environment__requirements")


def _begin(run: Run, now: datetime) -> bool:
    """Claim one run; its folder and environment are fixed in the same UPDATE."""
    if run.kind == Kind.SCRIPT and run.script:
        run.environment = run.script.environment
    run.status = Status.STARTING
    run.folder = execution.new_folder_name(run, now)
    run.handed_over_at = now
    return Run.objects.filter(pk=run.pk).move(
        Status.STARTING,
        reason="",
        folder=run.folder,
        handed_over_at=now,
        environment=run.environment,
    )


def fail_without_environment(*, now: datetime) -> None:
    """End the runs that wait for an environment nobody will build: it failed, or the script was deleted."""
    not_ready = Q(environment=None) | ~Q(environment__state=Environment.State.READY)
    is_built_anew = Q(environment__state__in=environments.UNFINISHED)
    hopeless = Q(~is_built_anew, wanted_environment__state=Environment.State.FAILED) | Q(
        deleted_at__isnull=False
    )
    waiting = queued(Kind.SCRIPT).order_by().values("script")  # answered by the queue's index alone
    for script in Script.objects.filter(not_ready, hopeless, pk__in=waiting).select_related(
        "wanted_environment"
    ):
        wanted = script.wanted_environment
        why = wanted.message if wanted and wanted.message else "its script was deleted."
        message = f"Its environment was not built: {why}"[:2000]
        for run in queued(Kind.SCRIPT).filter(script=script):
            finish.end(
                run,
                Status.FAILED,
                only=Status.QUEUED,
                now=now,
                reason=Reason.ENVIRONMENT,
                message=message,
            )
