"""The periodic work of the engine: a table of duties for each thread, and the loop over the table."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from django_q.brokers import get_broker
from django_q.scheduler import scheduler as q2_scheduler

from runs_app import ballast
from runs_app.admission import unwanted
from runs_app.engine import nightly_backup, reconcile
from runs_app.engine.self_check import SelfCheck
from runs_app.figures import counting
from runs_app.history import history
from runs_app.scheduler import clock_changes
from runs_app.signals import engine_passed
from runs_app.url_triggers import call_log, replays
from scripts_app.mirror import mirror
from scripts_app.versions import drafts
from tempo_site.lib import checkpoints
from tempo_site.stored_settings import store

SELF_CHECK = "self check"
IN_EVERY_PASS = 0.0


class Duty(NamedTuple):
    name: str
    every_s: float
    function: Callable[..., object]  # takes `now`
    # Whether a true answer means that things are going on, so that the thread makes its next pass sooner.
    tells_activity: bool = False


class Duties:
    def __init__(self, table: Sequence[Duty]) -> None:
        self._table = table
        self._due_at = {duty.name: 0.0 for duty in table}  # of time.monotonic()

    def do_due(self, *, now: datetime) -> bool:
        """Do the duties that are due, in the order of the table; return whether things are going on.

        Each fails alone: what failed is raised behind the last one, as an ExceptionGroup.
        """
        is_active = False
        failures: list[Exception] = []
        for duty in self._table:
            if time.monotonic() < self._due_at[duty.name]:
                continue
            self._due_at[duty.name] = time.monotonic() + duty.every_s
            try:
                answer = duty.function(now=now)
            except Exception as error:
                error.add_note(f"duty: {duty.name}")
                failures.append(error)
                continue
            if duty.tells_activity and answer:
                is_active = True
        if failures:
            raise ExceptionGroup("duties failed", failures)
        return is_active

    def hurry(self, name: str) -> None:
        self._due_at[name] = 0.0


def settler_duties(self_check: SelfCheck) -> Duties:
    # For the runs that no bell was rung for, and for the house: a few short queries.

    def check_self(*, now: datetime) -> None:
        if not self_check.look(now=now):
            duties.hurry(SELF_CHECK)  # what fails is looked at in every pass

    duties = Duties(
        [
            # First, as all others may have to store something.
            Duty("ballast", IN_EVERY_PASS, ballast.tend),
            Duty(SELF_CHECK, 10.0, check_self),
            Duty("sweep", IN_EVERY_PASS, reconcile.sweep, tells_activity=True),
            Duty("cancel unwanted", IN_EVERY_PASS, unwanted.cancel_unwanted),
            Duty("follow up", IN_EVERY_PASS, reconcile.follow_up),
            Duty("keep idle drafts", 30.0, drafts.keep_idle),
            Duty("settings", 30.0, store.look_again),
            Duty("mirror", 15.0, mirror.tend),
            Duty("archive", IN_EVERY_PASS, history.archive_finished, tells_activity=True),
            Duty("store calls", IN_EVERY_PASS, call_log.store),
            Duty("forget answers", 3600.0, replays.forget_old),
            Duty("count runs", 30.0, counting.count_some),
            Duty("tell", IN_EVERY_PASS, tell),
            Duty("checkpoint", IN_EVERY_PASS, checkpoints.when_large),
        ]
    )
    return duties


def tell(*, now: datetime) -> None:
    # Whoever has something to do behind the runs of this pass.
    engine_passed.send(None, now=now)


def ticker_duties() -> Duties:
    return Duties(
        [
            Duty("housekeeping", 30.0, start_housekeeping),
            Duty("nightly backup", 60.0, nightly_backup.look),
            Duty("time zones", 300.0, clock_changes.look_at_zones),
        ]
    )


def start_housekeeping(*, now: datetime) -> None:
    # By django-q2's own clock: it queues the rows of `housekeeping` that are due.
    q2_scheduler(get_broker())
