"""New runs that need not wait: born `starting`, without a place in the queue, and handed over behind the commit.

Who may is decided as of queued runs: by the conditions of their program, and by `admission.fit`.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from runs_app import hot_statements, launcher_client
from runs_app.admission import admission
from runs_app.execution import execution
from runs_app.models import Run
from runs_app.programs import registry
from runs_app.programs.matching import matches
from runs_app.programs.wait_conditions import Situation
from runs_app.states import Kind, Status
from scripts_app.models import Script
from tempo_site.stored_settings import limits, store

logger = logging.getLogger(__name__)


def begin(runs: Sequence[Run], *, now: datetime) -> None:
    """Turn new runs that are not stored yet into `starting` as far as nothing keeps them; the others stay queued.

    Within a transaction, in which their scripts and schedules were read: behind the commit they are handed over.
    """
    if not launcher_client.is_connected():
        return  # as in a command: another process hands them over
    state = hot_statements.queue_state(now=now)
    for pk, run in enumerate(runs, state.next_pk):
        run.pk = pk  # known before the row is written, as the folder is named after it
    if len(state.under_way) >= store.number(limits.RUNS_AT_ONCE):
        return
    situation = Situation(now=now)
    situation.under_way = state.under_way
    situation.is_paused = state.is_paused
    # No run overtakes one that is queued, unless that has to wait for more than a place and memory.
    if state.is_anyone_queued and admission.ready(Kind.SCRIPT, situation).exists():
        return
    begun = admission.fit(_ready(runs, situation), situation).begin
    for run in begun:
        admission.set_begun(run, now)
    if begun:
        transaction.on_commit(lambda: _hand_over(begun, now))


def _ready(runs: Sequence[Run], situation: Situation) -> list[Run]:
    waiting = {kind: _waiting(kind, situation) for kind in {Kind(run.kind) for run in runs}}
    ready = []
    for run in runs:
        conditions = waiting[Kind(run.kind)]
        if run.status == Status.QUEUED and not any(matches(each, run) for each in conditions):
            ready.append(run)
    return sorted(ready, key=lambda run: (run.due_at or run.created_at, run.pk))


def _waiting(kind: Kind, situation: Situation) -> list[Q]:
    return [condition.waiting(situation) for condition in registry.PROGRAMS[kind].WAITS_FOR]


def _hand_over(runs: Sequence[Run], now: datetime) -> None:
    for run in runs:
        try:
            execution.hand_over_new(run, now=now)
        except Exception:  # the run is stored: the sweep hands it over again
            logger.exception("run %s could not be handed over", run.pk)


def is_unchanged(script: Script) -> bool:
    """Whether a script is still as it was read, as far as admission is concerned. For transactions."""
    if not launcher_client.is_connected():
        return False
    facts = (
        script.deleted_at is not None,
        script.version_id,
        script.environment_id,
        script.environment and script.environment.state,
        script.wanted_environment_id,
        script.wanted_environment and script.wanted_environment.state,
        script.one_at_a_time,
    )
    return facts == hot_statements.script_facts(script.pk)
