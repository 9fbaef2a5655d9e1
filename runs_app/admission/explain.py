"""Why queued runs wait: a sentence for each run, in a constant number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Q, Value, When

from runs_app.admission import admission
from runs_app.admission.admission import NextRuns
from runs_app.models import Run, RunQuerySet
from runs_app.programs import registry, wait_conditions
from runs_app.programs.wait_conditions import Condition, Situation
from runs_app.states import Kind
from tempo_site.stored_settings import limits, store

LONG_TEXTS = (
    "script__environment__lock",
    "script__environment__requirements",
    "script__wanted_environment__lock",
    "script__wanted_environment__requirements",
)
ABOUT_TO_BEGIN = "It is about to begin."


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A queued run, the place in the queue (1 is next, 0 for Tempo's own programs), and why the run waits."""

    run: Run
    position: int
    waits_for: str
    build: Run | None = None  # of its environment


def queue_page(
    *,
    now: datetime,
    after: int | None = None,
    limit: int = 50,
    among: Q | None = None,
) -> list[Waiting]:
    """Return queued runs in their order, with `among` those it is true for, and their places among these."""
    queue = admission.queued(Kind.SCRIPT)
    if among is not None:
        queue = queue.filter(among)
    rows = queue
    before = 0
    last = None
    if after:
        last = Run.objects.filter(pk=after).first()
    if last is not None:
        rows = _behind(rows, last)
        before = queue.count() - rows.count()
    rows = rows.select_related("schedule", "script__environment", "script__wanted_environment")
    runs = list(rows.defer(*LONG_TEXTS)[:limit])
    return _explain(runs, Kind.SCRIPT, position=before + 1, now=now)


def explain_waiting(run: Run, *, now: datetime) -> Waiting:
    kind = Kind(run.kind)
    position = 0
    if kind == Kind.SCRIPT:
        queue = admission.queued(kind)
        position = queue.count() - _behind(queue, run).count()
    return _explain([run], kind, position=position, now=now)[0]


def _behind(rows: RunQuerySet, run: Run) -> RunQuerySet:
    moment = run.due_at or run.created_at
    behind = rows.alias(turn=admission.QUEUE_ORDER).filter(turn__gte=moment)
    return behind.exclude(turn=moment, pk__lte=run.pk)


def _explain(
    runs: Sequence[Run],
    kind: Kind,
    *,
    position: int,
    now: datetime,
) -> list[Waiting]:
    if not runs:
        return []
    situation = Situation(now=now)
    holding = holding_conditions(runs, kind, situation)
    next_runs = None
    if kind == Kind.SCRIPT:
        next_runs = admission.choose_next(situation)
    found = []
    for number, run in enumerate(runs, position):
        condition = holding.get(run.pk)
        build = None
        if condition is wait_conditions.ENVIRONMENT:
            build = wait_conditions.build_awaited(run, situation)
        sentence = ABOUT_TO_BEGIN
        if condition is not None:
            sentence = condition.sentence(run, situation)
        elif next_runs is not None:
            sentence = _turn_sentence(run, next_runs)
        found.append(Waiting(run=run, position=number, waits_for=sentence, build=build))
    return found


def holding_conditions(
    runs: Sequence[Run],
    kind: Kind,
    situation: Situation,
) -> dict[int, Condition]:
    """Return the first condition that holds for a run, by the run's id. All runs must be of this kind."""
    # The database decides it, by the very expressions that keep these runs from admission.
    table = registry.PROGRAMS[kind].WAITS_FOR
    cases = []
    for number, condition in enumerate(table):
        cases.append(When(condition.waiting(situation), then=Value(number)))
    first = Case(*cases, default=None, output_field=IntegerField())
    rows = Run.objects.filter(pk__in=[run.pk for run in runs]).order_by()
    holding: dict[int, Condition] = {}
    for pk, number in rows.values_list("pk", first):
        if number is not None:
            holding[pk] = table[number]
    return holding


def _turn_sentence(run: Run, next_runs: NextRuns) -> str:
    places = store.number(limits.RUNS_AT_ONCE)
    if next_runs.taken >= places:
        return f"It waits for a free place: {next_runs.taken} of {places} are taken."
    if run.pk in [other.pk for other in next_runs.begin]:
        return ABOUT_TO_BEGIN
    blocked = next_runs.blocked
    if blocked is None:
        return "It waits for its turn: those before it are about to begin."
    if blocked.pk != run.pk:
        return f"It waits for its turn: run #{blocked.pk} before it waits for memory."
    need = f"it may need {next_runs.need_mb:,} MB, {next_runs.free_mb:,} MB are available"
    return f"It waits for memory: {need}."
