"""Why a queued run waits: a table of conditions, each with a query for admission and a sentence for people.

Admission lets the runs begin for which no condition holds; `explain` words the first condition that holds.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Q
from django.utils import timezone

from runs_app import disk_space, states
from runs_app.hot_statements import RunUnderWay
from runs_app.models import Run
from runs_app.states import Kind, Trigger
from scripts_app.environments import environments
from scripts_app.models import Environment, Schedule
from scripts_app.schedules import global_pause
from tempo_site.backups import replacing
from tempo_site.lib import paths

ONE_BY_ONE = (
    Schedule.Overlap.SKIP,
    Schedule.Overlap.QUEUE_ONE,
    Schedule.Overlap.REPLACE,
)
BY_SCHEDULES = (Trigger.SCHEDULE, Trigger.STARTUP, Trigger.RETRY)
NO_RUN = Q(pk__in=[])
EVERY_RUN = ~NO_RUN


class Situation:
    """The facts that all conditions of a look at the queue share; a fact costs a query, when a condition needs it."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now

    @cached_property
    def disk(self) -> str:
        return disk_space.why_nothing_starts()

    @cached_property
    def is_restoring(self) -> bool:
        return replacing.is_under_way(paths.data())

    @cached_property
    def is_paused(self) -> bool:
        return global_pause.current_pause(self.now) is not None

    @cached_property
    def under_way(self) -> list[RunUnderWay]:
        rows = Run.objects.scripts().under_way().order_by("pk")
        return [RunUnderWay(*row) for row in rows.values_list(*RunUnderWay._fields)]

    @cached_property
    def busy_scripts(self) -> Collection[int | None]:
        return {run.script_id for run in self.under_way}

    @cached_property
    def own_programs(self) -> list[Run]:
        """The active runs of Tempo's own programs: first the run under way, then the queued runs in order."""
        rows = Run.objects.own_programs().active()
        rows = rows.only("kind", "status", "environment_id", "created_at")
        in_order = sorted(rows, key=lambda run: (run.created_at, run.pk))
        under_way = [run for run in in_order if run.status in states.UNDER_WAY]
        queued = [run for run in in_order if run.status not in states.UNDER_WAY]
        return under_way + queued

    @cached_property
    def builds(self) -> list[Run]:
        """The builds and installations among them."""
        return [run for run in self.own_programs if run.kind != Kind.BACKUP]

    @cached_property
    def backups(self) -> list[Run]:
        return [run for run in self.own_programs if run.kind == Kind.BACKUP]


@dataclass(frozen=True, kw_only=True)
class Condition:
    name: str
    waiting: Callable[[Situation], Q]  # the runs that have to wait for it
    sentence: Callable[[Run, Situation], str]  # what is said of one of these


# --- nobody wants it any more: it is cancelled soon, and does not begin before that ----------------------------------
SCRIPT_DELETED = Q(script__deleted_at__isnull=False)
SCHEDULE_DELETED = Q(trigger__in=BY_SCHEDULES, schedule=None)
SCRIPT_DISABLED = Q(trigger__in=BY_SCHEDULES, script__enabled=False)
SCHEDULE_DISABLED = Q(trigger__in=BY_SCHEDULES, schedule__enabled=False)
NOT_WANTED = SCRIPT_DELETED | SCHEDULE_DELETED | SCRIPT_DISABLED | SCHEDULE_DISABLED


def _unwanted_sentence(_: Run, __: Situation) -> str:
    return "It will not begin: its script or its schedule was deleted or disabled."


# --- the moment of a further try ------------------------------------------------------------------------------------
def _before_their_moment(situation: Situation) -> Q:
    return Q(not_before__gt=situation.now)


def _moment_sentence(run: Run, situation: Situation) -> str:
    moment = timezone.localtime(run.not_before)
    words = f"{moment:%H:%M:%S}"
    if moment.date() != timezone.localdate(situation.now):
        words = f"{moment:%Y-%m-%d} {words}"
    return f"It waits until {words}: {run.which_try}."


# --- a pause, which further tries wait for --------------------------------------------------------------------------
_RETRY = Q(trigger=Trigger.RETRY)


def _paused(situation: Situation) -> Q:
    if situation.is_paused:
        return _RETRY
    return Q(trigger=Trigger.RETRY, schedule__paused_until__gt=situation.now)


def _pause_sentence(run: Run, _: Situation) -> str:
    return f"It waits for the end of the pause: {run.which_try}."


# --- a run of the same script which it is to follow -----------------------------------------------------------------
def _behind_another(situation: Situation) -> Q:
    # Scripts are named one by one: a subquery would look through the whole history of each script that waits.
    if not situation.busy_scripts:
        return NO_RUN
    is_one_by_one = Q(schedule__overlap__in=ONE_BY_ONE) | Q(script__one_at_a_time=True)
    return Q(script__in=situation.busy_scripts) & is_one_by_one


def _behind_another_sentence(run: Run, situation: Situation) -> str:
    under_way = [other.pk for other in situation.under_way if other.script_id == run.script_id]
    return f"It waits for run #{under_way[0]} of its script to end."


# --- space on the disk ----------------------------------------------------------------------------------------------
def _without_space(situation: Situation) -> Q:
    if situation.disk:
        return EVERY_RUN
    return NO_RUN


def _disk_sentence(_: Run, situation: Situation) -> str:
    return f"It waits for the disk: {situation.disk}."


# --- its environment ------------------------------------------------------------------------------------------------
_IS_READY = Q(script__environment__state=Environment.State.READY)
_IS_BUILT_ANEW = Q(script__wanted_environment__state__in=environments.UNFINISHED)
# A run that repeats another has its environment from the first, whatever the script needs today.
_HAS_OWN = Q(environment__isnull=False)
_OWN_IS_READY = Q(environment__state=Environment.State.READY)
_WITHOUT_ENVIRONMENT = (_HAS_OWN & ~_OWN_IS_READY) | (~_HAS_OWN & (~_IS_READY | _IS_BUILT_ANEW))


def _environment_sentence(run: Run, situation: Situation) -> str:
    build = build_awaited(run, situation)
    if build is not None:
        return f"It waits for its environment: {build.in_words} builds it."
    if situation.builds:
        other = situation.builds[0]
        return f"It waits for its environment: {other.in_words} builds another one first."
    return "It waits for its environment."


def build_awaited(run: Run, situation: Situation) -> Run | None:
    wanted = run.environment_id
    if wanted is None and run.script is not None:
        wanted = run.script.wanted_environment_id
    if wanted is None:
        return None
    for build in situation.builds:
        if build.environment_id == wanted:
            return build
    return None


# --- a restore: what begins now would go aside with the data ---------------------------------------------------------
def _during_a_restore(situation: Situation) -> Q:
    if situation.is_restoring:
        return EVERY_RUN
    return NO_RUN


# --- the program of Tempo's own before it ---------------------------------------------------------------------------
def _behind_an_own_program(situation: Situation) -> Q:
    return _behind_the_first(situation.builds)


def _behind_the_first(runs: list[Run]) -> Q:
    if not runs:
        return NO_RUN
    return ~Q(pk=runs[0].pk)


def _own_program_sentence(_: Run, situation: Situation) -> str:
    first = situation.builds[0]
    return f"It waits for {first.in_words}: environments are built one at a time."


# --- the backup before it -------------------------------------------------------------------------------------------
def _backup_sentence(_: Run, situation: Situation) -> str:
    return f"It waits for {situation.backups[0].in_words}: backups are made and read one at a time."


UNWANTED = Condition(
    name="unwanted",
    waiting=lambda _: NOT_WANTED,
    sentence=_unwanted_sentence,
)
MOMENT = Condition(
    name="moment",
    waiting=_before_their_moment,
    sentence=_moment_sentence,
)
PAUSE = Condition(
    name="pause",
    waiting=_paused,
    sentence=_pause_sentence,
)
RESTORE = Condition(
    name="restore",
    waiting=_during_a_restore,
    sentence=lambda _, __: "It waits: a backup is being restored.",
)
ONE_BEFORE = Condition(
    name="run of its script",
    waiting=_behind_another,
    sentence=_behind_another_sentence,
)
DISK = Condition(
    name="disk",
    waiting=_without_space,
    sentence=_disk_sentence,
)
ENVIRONMENT = Condition(
    name="environment",
    waiting=lambda _: _WITHOUT_ENVIRONMENT,
    sentence=_environment_sentence,
)
ONE_AT_A_TIME = Condition(
    name="own program",
    waiting=_behind_an_own_program,
    sentence=_own_program_sentence,
)
ONE_BACKUP = Condition(
    name="backup",
    waiting=lambda situation: _behind_the_first(situation.backups),
    sentence=_backup_sentence,
)
