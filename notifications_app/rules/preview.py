"""What a rule would have told in the last thirty days: the runs of the history, gone through by the rule.

The look is at runs alone: what is no run, and what was usual then, leaves no trace in the history.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifications_app.models import Event, Rule
from notifications_app.rules import book, nearest, words
from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Kind, Status
from scripts_app.models import Script

SPAN = timedelta(days=30)
MAX_RUNS = 10_000
MAX_EXAMPLES = 10
OF_NO_RUN = (
    Event.ENVIRONMENT_BROKEN,
    Event.SCHEDULE_SUSPENDED,
    Event.DISK_FLOOR,
    Event.BACKUP_FAILED,
    Event.RESTARTED,
)
FIELDS = (
    *("pk", "script", "status", "reason", "late_ms", "duration_s", "overran", "parent", "attempt"),
    *("created_at", "finished_at"),
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event that the rule would have told of."""

    run: int
    script: Script
    sentence: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RulePreview:
    """The number of events by kind, in words, and the newest of them. `is_cut`: the history is longer than the look.

    `unknown` are the events, in words, that the rule asks for and the history of runs does not know.
    """

    total: int
    counts: list[tuple[str, int]]
    newest: list[Told]
    scripts: int
    is_cut: bool
    unknown: list[str]


@dataclass
class Streaks:
    """What of a script is going on: bad runs in a row, skipped starts in a row."""

    failed: Counter[int] = field(default_factory=Counter)
    missing: Counter[int] = field(default_factory=Counter)


def preview(rule: Rule, *, now: datetime) -> RulePreview:
    scripts = scripts_of_rule(rule)
    runs = _runs_since(now - SPAN)
    streaks = Streaks()
    counts: Counter[Event] = Counter()
    newest: list[Told] = []
    tried_again = {(run.parent_id, run.attempt - 1) for run in runs if run.attempt > 1}
    for run in runs:
        script = scripts.get(run.script_id or 0)
        if script is None or (run.parent_id or run.pk, run.attempt) in tried_again:
            continue
        for event in events_of_run(run, rule, streaks):
            counts[event] += 1
            at = run.finished_at or run.created_at
            newest.append(Told(run=run.pk, script=script, sentence=words.EVENTS[event], at=at))
    return RulePreview(
        total=counts.total(),
        counts=[(words.EVENTS[event], counts[event]) for event in Event if counts[event]],
        newest=newest[: -MAX_EXAMPLES - 1 : -1],
        scripts=len(scripts),
        is_cut=len(runs) == MAX_RUNS,
        unknown=[words.EVENTS[event] for event in Event if _is_unknown(event, rule)],
    )


def scripts_of_rule(rule: Rule) -> dict[int, Script]:
    """Return the scripts for which the rule counts: no nearer rule has them. The rule need not be stored."""
    others = Rule.objects.filter(enabled=True).exclude(pk=rule.pk)
    rules = [*others.select_related("channel", "script", "folder"), rule]
    scripts = (
        Script.objects.present().select_related("folder").only("name", "slug", "tags", "folder")
    )
    return {
        script.pk: script for script in scripts if rule in nearest.rules_of_script(script, rules)
    }


def _is_unknown(event: Event, rule: Rule) -> bool:
    if event not in rule.events:
        return False
    # What was usual then is not kept.
    return event in OF_NO_RUN or (event == Event.SLOW and not rule.slow_s)


def _runs_since(since: datetime) -> list[Run]:
    # The newest, oldest first.
    rows = Run.objects.filter(kind=Kind.SCRIPT, created_at__gte=since).only(*FIELDS)
    return list(rows.order_by("-pk")[:MAX_RUNS])[::-1]


def events_of_run(run: Run, rule: Rule, streaks: Streaks) -> Iterator[Event]:
    """Yield the events of a run's end that the rule asks for, and go on counting."""
    for event in _events(run, rule, streaks):
        if event in rule.events:
            yield event


def _events(run: Run, rule: Rule, streaks: Streaks) -> Iterator[Event]:
    script = run.script_id or 0
    if run.status in (Status.SKIPPED, Status.MISSED):
        if run.reason not in book.NOT_MISSED:
            streaks.missing[script] += 1
            if run.status == Status.MISSED or streaks.missing[script] == rule.skipped:
                yield Event.DID_NOT_RUN
        return
    if run.status not in (*history.BAD, Status.SUCCEEDED):
        return
    streaks.missing[script] = 0
    if rule.late_s and (run.late_ms or 0) > rule.late_s * 1000:
        yield Event.DID_NOT_RUN
    if _was_slow(run, rule):
        yield Event.SLOW
    if run.status in history.BAD:
        streaks.failed[script] += 1
        if _is_told(rule, streaks.failed[script]):
            yield Event.FAILED
        return
    yield Event.SUCCEEDED
    if streaks.failed[script] >= rule.after:
        yield Event.RECOVERED
    streaks.failed[script] = 0


def _was_slow(run: Run, rule: Rule) -> bool:
    if rule.slow_s:
        return (run.duration_s or 0) > rule.slow_s
    return run.overran


def _is_told(rule: Rule, streak: int) -> bool:
    beyond = streak - rule.after
    if beyond < 0:
        return False
    return beyond == 0 or bool(rule.every and beyond % rule.every == 0)
