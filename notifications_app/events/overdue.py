"""Runs that take longer than they should, or wait longer than they may: looked at while they are under way."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from notifications_app.events import incidents, outbox
from notifications_app.models import Event, Rule
from notifications_app.rules import book, nearest
from runs_app.figures import script_overview
from runs_app.models import Run
from runs_app.new_runs import schedule_updates
from runs_app.states import Kind, Status
from tempo_site.lib import humanize

SHORTEST_S = 10.0  # a run that takes less is never slow
LEAST_RUNS = 5  # fewer are not usual
FACTOR, MARGIN_S = 2.0, 30.0  # beyond both of these a run takes longer than usual


def look(*, now: datetime) -> None:
    rules = book.current().rules
    if any(Event.SLOW in rule.events for rule in rules):
        for run in _going_since(now):
            with transaction.atomic():
                _look_at_going(run, rules, now)
    waits = [rule.late_s for rule in rules if Event.DID_NOT_RUN in rule.events and rule.late_s]
    if waits:
        for run in _waiting_since(now - timedelta(seconds=min(waits))):
            with transaction.atomic():
                _look_at_waiting(run, rules, now)


def _going_since(now: datetime) -> Sequence[Run]:
    begun = now - timedelta(seconds=SHORTEST_S)
    runs = Run.objects.filter(kind=Kind.SCRIPT, status=Status.RUNNING, started_at__lte=begun)
    return list(runs.select_related("script__folder", "schedule__script"))


def _waiting_since(due: datetime) -> Sequence[Run]:
    runs = Run.objects.filter(kind=Kind.SCRIPT, status=Status.QUEUED, due_at__lte=due)
    return list(runs.select_related("script__folder"))


def _look_at_going(run: Run, rules: Sequence[Rule], now: datetime) -> None:
    assert run.script and run.started_at
    asking = [rule for rule in _rules_of(run, rules) if Event.SLOW in rule.events]
    if not asking or incidents.open_incident(Event.SLOW, run.script):
        return
    elapsed_s = (now - run.started_at).total_seconds()
    usually = _longer_than(run, elapsed_s, now)
    told: dict[str, list[Rule]] = {}
    for rule in asking:
        than = usually
        if rule.slow_s:
            than = humanize.whole_span(rule.slow_s) if elapsed_s > rule.slow_s else ""
        if than:
            told.setdefault(than, []).append(rule)
    if not told:
        return
    incident = incidents.note_bad_run(Event.SLOW, run, now=now)
    for than, listeners in told.items():
        facts = {"elapsed_s": elapsed_s, "than": than, "streak": incident.streak}
        outbox.tell_of_run(Event.SLOW, run, listeners, now=now, facts=facts, incident=incident)


def _longer_than(run: Run, elapsed_s: float, now: datetime) -> str:
    # What a run has outlasted: its interval, what it usually takes, or nothing.
    assert run.script
    if schedule_updates.outlasts_interval(run, at=now):
        return "its interval"
    if elapsed_s < MARGIN_S:
        return ""
    usual = script_overview.usual_duration_s(run.script, now=now, min_runs=LEAST_RUNS)
    if usual is None or elapsed_s < usual * FACTOR or elapsed_s < usual + MARGIN_S:
        return ""
    return f"usual ({humanize.span(usual)})"


def _look_at_waiting(run: Run, rules: Sequence[Rule], now: datetime) -> None:
    assert run.script and run.due_at
    late_s = (now - run.due_at).total_seconds()
    told = []
    for rule in _rules_of(run, rules):
        if Event.DID_NOT_RUN in rule.events and rule.late_s and late_s > rule.late_s:
            told.append(rule)
    known = incidents.open_incident(Event.DID_NOT_RUN, run.script)
    if not told or (known and known.last_run_id == run.pk):
        return
    incident = incidents.note_bad_run(Event.DID_NOT_RUN, run, now=now)
    facts = {"late_s": late_s, "streak": incident.streak}
    outbox.tell_of_run(Event.DID_NOT_RUN, run, told, now=now, facts=facts, incident=incident)


def _rules_of(run: Run, rules: Sequence[Rule]) -> list[Rule]:
    if run.script is None or run.script.deleted_at is not None:
        return []
    return nearest.rules_of_script(run.script, rules)
