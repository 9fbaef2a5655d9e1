"""The ends of runs that are still to be told: each is taken once, with its rows of the outbox in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import DatabaseError, transaction

from notifications_app.events import heartbeats, incidents, outbox
from notifications_app.models import Event, Incident, Rule
from notifications_app.rules import book, nearest
from runs_app import states
from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Schedule

logger = logging.getLogger(__name__)

TOGETHER = 20  # runs in one transaction, which keeps all others from writing


def step(*, now: datetime) -> bool:
    """Tell the oldest ends that nobody has told; return whether there may be more."""
    related = book.unannounced().select_related("script__folder", "schedule__alarm")
    runs = list(related[:TOGETHER])
    try:
        _announce_all(runs, now)
    except DatabaseError:
        raise  # says nothing about a run: tried again in the next pass
    except Exception:
        for run in runs:
            _announce_alone(run, now)
    return len(runs) == TOGETHER


def _announce_all(runs: Sequence[Run], now: datetime) -> None:
    with transaction.atomic():
        for run in runs:
            announce(run, now=now)


def _announce_alone(run: Run, now: datetime) -> None:
    # A run that cannot be told must not keep the others from being told.
    try:
        _announce_all([run], now)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("the end of run %s could not be told, it is put aside", run.pk)
        Run.objects.filter(pk=run.pk, announced_at=None).update(announced_at=now)


def announce(run: Run, *, now: datetime) -> bool:
    """Take the end of a run and write what is to be told of it; False when it was taken before."""
    if not Run.objects.filter(pk=run.pk, announced_at=None).update(announced_at=now):
        return False
    if run.script is None or run.script.deleted_at is not None:
        return True
    rules = nearest.rules_of_script(run.script, book.current().rules)
    heartbeats.signal_end(run, now=now)
    at = min(run.finished_at or now, now)  # when it happened, though it may be told much later
    if run.status in (Status.SKIPPED, Status.MISSED):
        _did_not_run(run, rules, at)
    elif run.status in history.BAD:
        _began(run, rules, at)
        _failed(run, rules, at)
    elif run.status == Status.SUCCEEDED:
        _began(run, rules, at)
        _succeeded(run, rules, at)
    return True


def _failed(run: Run, rules: Sequence[Rule], at: datetime) -> None:
    if _is_tried_again_soon(run):
        return
    incident = incidents.note_bad_run(Event.FAILED, run, now=at)
    told = [rule for rule in rules if _asks_for_failure(rule, incident)]
    facts = {"streak": incident.streak}
    outbox.tell_of_run(Event.FAILED, run, told, now=at, facts=facts, incident=incident)


def _asks_for_failure(rule: Rule, incident: Incident) -> bool:
    if Event.FAILED not in rule.events or incident.streak < rule.after:
        return False
    beyond = incident.streak - rule.after
    if beyond == 0 or (rule.every and beyond % rule.every == 0):
        return True
    return not incidents.was_told(incident, rule.channel)  # the rule is younger than the incident


def _is_tried_again_soon(run: Run) -> bool:
    # Its schedule's next try comes before the schedule's next moment, so that the verdict is still open.
    if run.schedule is None or not run.schedule.retries:
        return False
    first = run.parent_id or run.pk
    tries = Run.objects.filter(parent=first, attempt=run.attempt + 1, status__in=states.ACTIVE)
    waiting = tries.values_list("not_before", flat=True).first()
    if waiting is None:
        return False
    return run.schedule.next_at is None or waiting < run.schedule.next_at


def _succeeded(run: Run, rules: Sequence[Rule], at: datetime) -> None:
    told = [rule for rule in rules if Event.SUCCEEDED in rule.events]
    outbox.tell_of_run(Event.SUCCEEDED, run, told, now=at, facts={})
    incident = incidents.open_incident(Event.FAILED, run.script)
    if incident is None:
        return
    incidents.close(incident, now=at)
    lasted_s = (at - incident.opened_at).total_seconds()
    facts = {"streak": incident.streak, "lasted_s": max(0.0, lasted_s)}
    told = [rule for rule in rules if _asks_for_recovery(rule, incident)]
    outbox.tell_of_run(Event.RECOVERED, run, told, now=at, facts=facts, incident=incident)


def _asks_for_recovery(rule: Rule, incident: Incident) -> bool:
    # Nobody hears of the end of what they never heard of.
    if Event.RECOVERED not in rule.events:
        return False
    if Event.FAILED in rule.events:
        return incidents.was_told(incident, rule.channel)
    return incident.streak >= rule.after


def _began(run: Run, rules: Sequence[Rule], at: datetime) -> None:
    # It did run: what kept earlier ones from it is over, and so is its own slowness. It may have been late.
    is_told = False
    for kind in (Event.DID_NOT_RUN, Event.SLOW):
        incident = incidents.open_incident(kind, run.script)
        if incident:
            incidents.close(incident, now=at)
            is_told = is_told or (kind == Event.DID_NOT_RUN and incident.last_run_id == run.pk)
    if is_told:
        return
    late_s = (run.late_ms or 0) / 1000
    told = [
        rule
        for rule in rules
        if Event.DID_NOT_RUN in rule.events and rule.late_s and late_s > rule.late_s
    ]
    outbox.tell_of_run(Event.DID_NOT_RUN, run, told, now=at, facts={"late_s": late_s})


def _did_not_run(run: Run, rules: Sequence[Rule], at: datetime) -> None:
    if run.reason in book.NOT_MISSED or not _still_wanted(run.schedule):
        return
    incident = incidents.note_bad_run(Event.DID_NOT_RUN, run, now=at)
    told = [rule for rule in rules if _asks_for_missing(rule, run, incident)]
    facts = {"streak": incident.streak}
    outbox.tell_of_run(Event.DID_NOT_RUN, run, told, now=at, facts=facts, incident=incident)


def _asks_for_missing(rule: Rule, run: Run, incident: Incident) -> bool:
    if Event.DID_NOT_RUN not in rule.events:
        return False
    if run.status == Status.MISSED or incident.streak == rule.skipped:
        return True
    if incident.streak < rule.skipped:
        return False
    return not incidents.was_told(incident, rule.channel)  # the rule is younger than the incident


def _still_wanted(schedule: Schedule | None) -> bool:
    return schedule is not None and schedule.enabled
