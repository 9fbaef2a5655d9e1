"""Admission: queued runs begin in order, under the cap, and while there is memory for them."""

import functools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from runs_app import hot_statements, states
from runs_app.admission import memory
from runs_app.execution import execution, finish
from runs_app.hot_statements import RunUnderWay
from runs_app.models import Run, RunQuerySet
from runs_app.programs import registry
from runs_app.programs.wait_conditions import ONE_BY_ONE, Situation
from runs_app.states import Kind, Reason, Status
from scripts_app.environments import environments
from scripts_app.files import users
from scripts_app.models import Environment, Script
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery
from tempo_site.stored_settings import limits, store

logger = logging.getLogger(__name__)

PROMISED_FOR = timedelta(seconds=3)  # so long a run may take to touch the memory it needs
# The order of the queue, behind it the id; Run has an index of it.
QUEUE_ORDER = Coalesce("due_at", "created_at")
MAX_MESSAGE = 2000


@dataclass(frozen=True, kw_only=True)
class NextRuns:
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
            execution.hand_over_new(run, now=now)
        except Exception:  # the others must not wait for it; the sweep hands it over again
            logger.exception("run %s could not be handed over", run.pk)
    return len(admitted)


def claim(*, now: datetime) -> list[Run]:
    """Move as many queued runs as fit, in order, in a transaction; a second caller finds the runs gone."""
    kinds = _kinds_with_a_chance()  # without the write lock: most rings find nothing to do
    situation = Situation(now=now)
    if (
        not kinds or situation.disk
    ):  # the disk is a condition of every program: no need for the lock
        return []
    with transaction.atomic():
        state = hot_statements.queue_state(now=now)
        situation.under_way = state.under_way
        situation.is_paused = state.is_paused
        return [run for run in _chosen(kinds, situation) if _begin(run, now)]


def _chosen(kinds: set[Kind], situation: Situation) -> list[Run]:
    runs: list[Run] = []
    for kind in kinds - {Kind.SCRIPT}:
        runs += ready(kind, situation).select_related("environment")
    if Kind.SCRIPT in kinds:
        runs += choose_next(situation).begin
    return runs


def _kinds_with_a_chance() -> set[Kind]:
    # The kinds of which runs are queued and a place may be free.
    kinds: set[Kind] = set()
    taken = 0
    for kind, status, count in hot_statements.active_counts():
        if status == Status.QUEUED:
            kinds.add(Kind(kind))
        elif kind == Kind.SCRIPT:
            taken += count
    if taken >= store.number(limits.RUNS_AT_ONCE):
        kinds.discard(Kind.SCRIPT)
    return kinds


def queued(kind: Kind) -> RunQuerySet:
    rows = Run.objects.filter(kind=kind, status=Status.QUEUED)
    return rows.order_by(QUEUE_ORDER, "pk")


def ready(kind: Kind, situation: Situation) -> RunQuerySet:
    """Return the queued runs for which no condition of their program holds; waiting runs block no other run."""
    rows = queued(kind)
    for condition in registry.PROGRAMS[kind].WAITS_FOR:
        rows = rows.exclude(condition.waiting(situation))
    return rows


def choose_next(situation: Situation) -> NextRuns:
    """Choose as many runs as there are places, up to the first run for which there is not enough memory."""
    # That run is not overtaken, or a large run would wait for ever; where nothing is under way, it begins all the same.
    places = store.number(limits.RUNS_AT_ONCE) - len(situation.under_way)
    return fit(_candidates(situation, places=places), situation)


def fit(candidates: Sequence[Run], situation: Situation) -> NextRuns:
    """Choose those that may begin of runs, in their order, that no condition keeps: by places and memory."""
    under_way = situation.under_way
    candidates = candidates[: max(0, store.number(limits.RUNS_AT_ONCE) - len(under_way))]
    if not candidates:
        return NextRuns(begin=(), taken=len(under_way))
    recent = [run for run in under_way if _is_promised_memory(run, situation.now)]
    free_mb = memory.available_mb()
    needs = memory.needs_mb([*recent, *candidates], enough_mb=free_mb)
    free_mb = max(0, free_mb - sum(needs[run.pk] for run in recent))
    begin: list[Run] = []
    for run in candidates:
        if _follows_one_of(begin, run):
            continue
        need_mb = needs[run.pk]
        if need_mb > free_mb and (under_way or begin):
            return NextRuns(
                begin=begin,
                taken=len(under_way),
                blocked=run,
                need_mb=need_mb,
                free_mb=free_mb,
            )
        begin.append(run)
        free_mb -= need_mb
    return NextRuns(begin=begin, taken=len(under_way))


def would_begin(*, now: datetime) -> list[int]:
    """Return the ids of queued runs that nothing keeps from beginning at this moment."""
    return [run.pk for run in _chosen(_kinds_with_a_chance(), Situation(now=now))]


def _candidates(situation: Situation, *, places: int) -> Sequence[Run]:
    if places <= 0 or situation.disk or situation.is_restoring:
        return ()
    busy = list(situation.busy_scripts)
    rows = _ready_scripts(
        is_paused=situation.is_paused,
        is_any_busy=bool(busy),
        limit=1 << (places - 1).bit_length(),  # few statements serve any number of places
    )
    return rows.rows(now=situation.now, busy=json.dumps(busy))[:places]


@functools.cache
def _ready_scripts(*, is_paused: bool, is_any_busy: bool, limit: int) -> PreparedQuery[Run]:
    # `ready` with the moment and the scripts that are under way left open.
    situation: Any = Situation(now=cast(datetime, Given("now")))
    situation.disk = ""
    situation.is_restoring = False
    situation.is_paused = is_paused
    situation.busy_scripts = ()
    if is_any_busy:
        situation.busy_scripts = RawSQL("SELECT value FROM json_each(%s)", [Given("busy")])
    rows = ready(Kind.SCRIPT, situation)
    rows = rows.select_related("script", "script__environment", "version")
    rows = rows.defer("script__environment__lock", "script__environment__requirements")
    return PreparedQuery(lambda: rows[:limit])


def _is_promised_memory(run: RunUnderWay, now: datetime) -> bool:
    return run.handed_over_at is not None and abs(now - run.handed_over_at) < PROMISED_FOR


def _follows_one_of(begin: Sequence[Run], run: Run) -> bool:
    # Several runs of a script may be queued, as after a gap: where they go one by one, the first begins now.
    is_second = any(other.script_id == run.script_id for other in begin)
    if not is_second:
        return False
    if run.script is not None and run.script.one_at_a_time:
        return True
    return run.schedule is not None and run.schedule.overlap in ONE_BY_ONE


def set_begun(run: Run, now: datetime) -> None:
    """Set what a run that begins gets: status, folder and environment. The caller stores it, in a transaction.

    In there the script gets its user at its first run, which would take a commit of its own behind that.
    """
    if run.script and run.environment_id is None:  # a run that repeats another has that one's
        run.environment = run.script.environment
    run.status = Status.STARTING
    run.reason = Reason.NONE
    run.folder = execution.new_folder_name(run, now)
    run.handed_over_at = now
    if run.script:
        users.assign(run.script)


def _begin(run: Run, now: datetime) -> bool:
    # Claim one run; its folder and environment are fixed in the same UPDATE.
    set_begun(run, now)
    return hot_statements.update_run(
        run.pk,
        among=states.sources_of(Status.STARTING),
        status=Status.STARTING,
        reason="",
        folder=run.folder,
        handed_over_at=now,
        environment=run.environment_id,
    )


def fail_without_environment(*, now: datetime) -> None:
    """End the runs that wait in vain for an environment: the build failed."""
    for script in _IN_VAIN.rows():
        for run in queued(Kind.SCRIPT).filter(script=script, environment=None):
            _fail_without(run, script.wanted_environment, now)
    for run in _REPEATING_IN_VAIN.rows():
        _fail_without(run, run.environment, now)


def _fail_without(run: Run, environment: Environment | None, now: datetime) -> None:
    why = environment.message if environment else ""
    finish.end(
        run,
        Status.FAILED,
        only=Status.QUEUED,
        now=now,
        reason=Reason.ENVIRONMENT,
        message=f"Its environment was not built: {why}"[:MAX_MESSAGE],
    )


def _scripts_in_vain() -> QuerySet[Script]:
    not_ready = Q(environment=None) | ~Q(environment__state=Environment.State.READY)
    is_built_anew = Q(environment__state__in=environments.UNFINISHED)
    has_failed = ~is_built_anew & Q(wanted_environment__state=Environment.State.FAILED)
    waiting = queued(Kind.SCRIPT).order_by().values("script")  # answered by the queue's index alone
    scripts = Script.objects.filter(not_ready, has_failed, pk__in=waiting)
    return scripts.select_related("wanted_environment")


def _repeating_in_vain() -> QuerySet[Run]:
    repeating = queued(Kind.SCRIPT).filter(environment__state=Environment.State.FAILED)
    return repeating.select_related("environment")


_IN_VAIN = PreparedQuery(_scripts_in_vain)
_REPEATING_IN_VAIN = PreparedQuery(_repeating_in_vain)
