"""What queued runs wait for: each condition is one row, as a query for admission and as a sentence for people.

Admission lets those runs begin for which no condition holds; `explain` words the first one that holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Q
from django.utils import timezone

from runs_app import disk_space, states
from runs_app.models import Run
from runs_app.states import Trigger
from scripts_app.environments import environments
from scripts_app.models import Environment, Schedule
from scripts_app.schedules import global_pause

ONE_BY_ONE = (Schedule.Overlap.SKIP, Schedule.Overlap.QUEUE_ONE, Schedule.Overlap.REPLACE)
NO_RUN = Q(pk__in=[])
EVERY_RUN = ~NO_RUN


class Situation:
    """What all conditions of one look at the queue share; each fact costs at most one query, when it is needed."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now

    @cached_property
    def disk(self) -> str:
        """What keeps every run from starting, as a part of a sentence; "" when nothing does."""
        return disk_space.why_nothing_starts()

    @cached_property
    def is_paused(self) -> bool:
        """Whether all schedules are paused."""
        return global_pause.current_pause(self.now) is not None

    @cached_property
    def under_way(self) -> list[Run]:
        """The runs of scripts that take a place."""
        rows = Run.objects.scripts().under_way().order_by("pk")
        return list(rows.only("script_id", "memory_mb", "handed_over_at"))

    @cached_property
    def own_programs(self) -> list[Run]:
        """The active runs of Tempo's own programs: the one under way, then the queued ones in their order."""
        rows = Run.objects.own_programs().active()
        found = list(rows.only("kind", "status", "environment_id", "created_at"))
        found.sort(key=lambda run: (run.status not in states.UNDER_WAY, run.created_at, run.pk))
        return found


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that queued runs wait for."""

    name: str
    waiting: Callable[[Situation], Q]  # the runs that have to wait for it
    sentence: Callable[[Run, Situation], str]  # what is said of one of these


# --- the moment of a further try ------------------------------------------------------------------------------------
def _before_their_moment(situation: Situation) -> Q:
    return Q(not_before__gt=situation.now)


def _moment_sentence(run: Run, situation: Situation) -> str:
    moment = timezone.localtime(run.not_before)
    is_today = moment.date() == timezone.localdate(situation.now)
    clock = f"{moment:%H:%M:%S}" if is_today else f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"It waits until {clock}: {run.which_try}."


# --- a pause, which further tries wait for --------------------------------------------------------------------------
def _paused(situation: Situation) -> Q:
    tries = Q(trigger=Trigger.RETRY)
    return tries if situation.is_paused else tries & Q(schedule__paused_until__gt=situation.now)


def _pause_sentence(run: Run, _: Situation) -> str:
    return f"It waits for the end of the pause: {run.which_try}."


# --- a run of the same script which it is to follow -----------------------------------------------------------------
def _behind_another(situation: Situation) -> Q:
    # Scripts are named one by one: a subquery would look through the whole history of each script that waits.
    busy = {run.script_id for run in situation.under_way}
    return Q(schedule__overlap__in=ONE_BY_ONE, script__in=busy) if busy else NO_RUN


def _behind_another_sentence(run: Run, situation: Situation) -> str:
    before = next(other for other in situation.under_way if other.script_id == run.script_id)
    return f"It waits for run #{before.pk} of its script to end."


# --- space on the disk ----------------------------------------------------------------------------------------------
def _without_space(situation: Situation) -> Q:
    return EVERY_RUN if situation.disk else NO_RUN


def _disk_sentence(_: Run, situation: Situation) -> str:
    return f"It waits for the disk: {situation.disk}."


# --- its environment ------------------------------------------------------------------------------------------------
def _without_environment(_: Situation) -> Q:
    is_ready = Q(script__environment__state=Environment.State.READY)
    is_built_anew = Q(script__wanted_environment__state__in=environments.UNFINISHED)
    return ~is_ready | is_built_anew


def _environment_sentence(run: Run, situation: Situation) -> str:
    build = build_awaited(run, situation)
    if build is not None:
        return f"It waits for its environment: run #{build.pk} builds it."
    if situation.own_programs:
        other = situation.own_programs[0]
        return f"It waits for its environment: run #{other.pk} builds another one first."
    return "It waits for its environment."


def build_awaited(run: Run, situation: Situation) -> Run | None:
    """Return the active build of the environment that the script of a run asks for."""
    wanted = run.script.wanted_environment_id if run.script else None
    for build in situation.own_programs:
        if build.environment_id is not None and build.environment_id == wanted:
            return build
    return None


# --- the program of Tempo's own before it ---------------------------------------------------------------------------
def _behind_an_own_program(situation: Situation) -> Q:
    return ~Q(pk=situation.own_programs[0].pk) if situation.own_programs else NO_RUN


def _own_program_sentence(_: Run, situation: Situation) -> str:
    first = situation.own_programs[0]
    return f"It waits for run #{first.pk}: environments are built one at a time."


MOMENT = Condition(name="moment", waiting=_before_their_moment, sentence=_moment_sentence)
PAUSE = Condition(name="pause", waiting=_paused, sentence=_pause_sentence)
ONE_BEFORE = Condition(
    name="run of its script", waiting=_behind_another, sentence=_behind_another_sentence
)
DISK = Condition(name="disk", waiting=_without_space, sentence=_disk_sentence)
ENVIRONMENT = Condition(
    name="environment", waiting=_without_environment, sentence=_environment_sentence
)
ONE_AT_A_TIME = Condition(
    name="own program", waiting=_behind_an_own_program, sentence=_own_program_sentence
)
