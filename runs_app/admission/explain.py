"""What waits for what: a sentence for each queued run, in a constant number of queries however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from runs_app import disk_space
from runs_app.admission import admission
from runs_app.models import Run, RunQuerySet
from runs_app.states import Kind, Trigger
from scripts_app.environments import environments
from scripts_app.models import Environment
from scripts_app.schedules import global_pause

LONG_TEXTS = [
    f"script__{name}__{text}"
    for name in ("environment", "wanted_environment")
    for text in ("lock", "requirements")
]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A queued run, its place in the queue (1 is the next; 0 for a build, which has a way of its own), and why."""

    run: Run
    position: int
    waits_for: str
    build: Run | None = None  # the one that makes its environment


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What all sentences of one look are made of."""

    outlook: admission.Outlook
    disk: str  # what is wrong with it
    builds: dict[int | None, Run]  # by the environment they make
    under_way: dict[int | None, int]  # by script, one of its runs
    is_paused: bool  # everything is
    now: datetime


def queue_page(*, now: datetime, after: int | None = None, limit: int = 50) -> list[Waiting]:
    """Return the queue from its head, or behind the run `after`, which may have left it meanwhile."""
    rows, before = admission.queued(Kind.SCRIPT), 0
    last = Run.objects.filter(pk=after).first() if after else None
    if last is not None:
        rows = _from(rows, last)
        before = admission.queued(Kind.SCRIPT).count() - rows.count()
    related = rows.select_related(
        "schedule", "script__environment", "script__wanted_environment"
    ).defer(*LONG_TEXTS)
    runs = list(related[:limit])
    return _describe(runs, position=before + 1, now=now)


def explain_waiting(run: Run, *, now: datetime) -> Waiting:
    """Say what one queued run waits for."""
    if run.is_build:
        others = Run.objects.filter(kind=Kind.BUILD).active().exclude(pk=run.pk).order_by("pk")
        before = others.values_list("pk", flat=True).first()
        why = (
            f"It waits for run #{before}: environments are built one at a time."
            if before
            else _about_to_begin()
        )
        return Waiting(run=run, position=0, waits_for=why)
    queue = admission.queued(Kind.SCRIPT)
    return _describe([run], position=queue.count() - _from(queue, run).count(), now=now)[0]


def _from(rows: RunQuerySet, run: Run) -> RunQuerySet:
    """Those behind a run, in the order of the queue."""
    moment = run.due_at or run.created_at
    behind = rows.alias(turn=admission.QUEUE_ORDER).filter(turn__gte=moment)
    return behind.exclude(turn=moment, pk__lte=run.pk)


def _describe(runs: Sequence[Run], *, position: int, now: datetime) -> list[Waiting]:
    if not runs:
        return []
    rows = Run.objects.filter(kind=Kind.BUILD).active().order_by("-pk").only("environment_id")
    builds = {build.environment_id: build for build in rows}
    facts = _Facts(
        outlook=admission.look_for_next(now=now),
        disk=disk_space.why_nothing_starts(),
        builds=builds,
        under_way=dict(
            Run.objects.scripts().under_way().order_by("-pk").values_list("script", "pk")
        ),
        is_paused=any(run.trigger == Trigger.RETRY for run in runs)
        and global_pause.current_pause(now) is not None,
        now=now,
    )
    return [_describe_one(run, number, facts) for number, run in enumerate(runs, position)]


def _describe_one(run: Run, position: int, facts: _Facts) -> Waiting:
    wanted = environment_awaited(run)
    build = facts.builds.get(wanted.pk) if wanted else None
    if why := _own_sentence(run, facts):
        return Waiting(run=run, position=position, waits_for=why)
    why = _environment_sentence(build, facts) if wanted else _sentence(run, facts)
    return Waiting(run=run, position=position, waits_for=why, build=build)


def environment_awaited(run: Run) -> Environment | None:
    """The environment that is to be built before a run may begin; admission asks the same of the rows."""
    script = run.script
    if script is None:
        return None
    wanted = script.wanted_environment
    if wanted is not None and wanted.state in environments.UNFINISHED:
        return wanted
    return None if script.environment is not None and script.environment.is_ready else wanted


def _own_sentence(run: Run, facts: _Facts) -> str:
    """What keeps this run alone from beginning: its moment, or the run of its script which it is to follow."""
    if run.not_before is not None and run.not_before > facts.now:
        local, today = timezone.localtime(run.not_before), timezone.localdate(facts.now)
        moment = f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"
        return f"It waits until {moment}: {run.which_try}."
    if run.trigger == Trigger.RETRY and (
        facts.is_paused or (run.schedule and run.schedule.is_paused(facts.now))
    ):
        return f"It waits for the end of the pause: {run.which_try}."
    before = facts.under_way.get(run.script_id)
    if before and run.schedule and run.schedule.overlap in admission.ONE_BY_ONE:
        return f"It waits for run #{before} of its script to end."
    return ""


def _environment_sentence(build: Run | None, facts: _Facts) -> str:
    if facts.disk:
        return _disk_sentence(facts)
    if build is not None:
        return f"It waits for its environment: run #{build.pk} builds it."
    other = next(iter(facts.builds.values()), None)
    return f"It waits for its environment{f': run #{other.pk} builds another one first' if other else ''}."


def _sentence(run: Run, facts: _Facts) -> str:
    outlook = facts.outlook
    most = settings.MAX_CONCURRENT_RUNS
    if facts.disk:
        return _disk_sentence(facts)
    if outlook.taken >= most:
        return f"It waits for a free place: {outlook.taken} of {most} are taken."
    if any(run.pk == other.pk for other in outlook.begin):
        return _about_to_begin()
    if outlook.blocked is None:
        return "It waits for its turn: those before it are about to begin."
    if outlook.blocked.pk != run.pk:
        return f"It waits for its turn: run #{outlook.blocked.pk} before it waits for memory."
    return f"It waits for memory: it may need {outlook.need_mb:,} MB, {outlook.free_mb:,} MB are available."


def _disk_sentence(facts: _Facts) -> str:
    return f"It waits for the disk: {facts.disk}."


def _about_to_begin() -> str:
    return "It is about to begin."
