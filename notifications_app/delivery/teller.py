"""The engine's part in telling: a thread that is there only while there is something to tell.

Each pass of the engine asks `look`, which costs a short query or two; the end of a run that is to be told rings `wake`.
The thread writes what happened into the outbox and sends what is due: no run, page or pass waits for a receiver.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import OperationalError, connections
from django.utils import timezone

from notifications_app.delivery import batches, posting, retention
from notifications_app.events import (
    announcing,
    conditions,
    heartbeats,
    overdue,
    reminders,
    restarts,
    weekly_report,
)
from notifications_app.rules import book
from runs_app.engine.duties import IN_EVERY_PASS, Duties, Duty
from tempo_site.backups import holds

logger = logging.getLogger(__name__)

WATCH = timedelta(seconds=30)  # between two looks at what no bell rings for


class Teller:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_woken = False
        self._is_at_work = False  # the engine's: another process writes rows, and sends none
        self._was_broken_off = False  # by an error, with messages under way
        self._next_at: datetime | None = None  # when the outbox has something due
        self._watched_at: datetime | None = None
        self._duties = Duties(
            [
                Duty("starts", IN_EVERY_PASS, heartbeats.signal_starts),
                Duty("sign of life", IN_EVERY_PASS, heartbeats.give_sign_of_life),
                Duty("backups", 20.0, heartbeats.signal_backups),
                Duty("overdue runs", 10.0, overdue.look),
                Duty("conditions", 20.0, conditions.look),
                Duty("reminders", 60.0, reminders.look),
                Duty("weekly report", 600.0, weekly_report.look),
                Duty("retention", 3600.0, retention.prune),
            ]
        )

    def look(self, *, now: datetime) -> None:
        """Begin to tell where there is something to tell; called in each pass of the engine."""
        if holds.is_held():
            return
        book.refresh(now=now)
        if not self._is_at_work:
            batches.free_interrupted(now=now)
            restarts.note_start(now=now)
            self._is_at_work = True
        if self._is_time_due(now) or book.has_unannounced() or heartbeats.are_starts_untold():
            self.wake()

    def wake(self) -> None:
        """Have the thread look now; for all who wrote something that is to be told."""
        with self._lock:
            self._is_woken = True
            if self._thread is None and self._is_at_work:
                self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._is_at_work = False
        restarts.note_stop()

    def work(self, *, clock: Callable[[], datetime] = timezone.now) -> None:
        """Do all that is due now; a duty that fails is raised behind the others."""
        if self._was_broken_off:
            batches.free_interrupted(now=clock())
        self._was_broken_off = True
        try:
            self._write_what_happened(clock)
        finally:
            while posting.step(now=clock(), clock=clock, meanwhile=lambda: self._go_on(clock)):
                pass
            self._next_at = batches.look(now=clock()).next_at
            self._was_broken_off = False

    def _write_what_happened(self, clock: Callable[[], datetime]) -> None:
        self._watched_at = clock()
        try:
            self._duties.do_due(now=clock())
        finally:
            while announcing.step(now=clock()):
                pass
            batches.give_up_unusable(now=clock())

    def _go_on(self, clock: Callable[[], datetime]) -> None:
        # While a receiver takes its time. What fails here must not break off what is being sent.
        try:
            self._write_what_happened(clock)
        except* Exception as failures:
            _log_all(failures)

    def _is_time_due(self, now: datetime) -> bool:
        if self._next_at is not None and self._next_at <= now:
            return True
        if not book.current().has_channels:
            return False
        return self._watched_at is None or abs(now - self._watched_at) >= WATCH

    def _run(self) -> None:
        while self._has_work():
            try:
                self.work()
            except* Exception as failures:  # the next pass begins anew
                _log_all(failures)
        connections.close_all()  # a connection for a few messages a day would only take memory

    def _has_work(self) -> bool:
        with self._lock:
            if self._is_woken and self._is_at_work:
                self._is_woken = False
                return True
            self._thread = None
            return False


def _log_all(failures: ExceptionGroup) -> None:
    # Of several duties, or the only one. A database may be away for days: that takes a line each time, and no trace.
    for error in failures.exceptions:
        trace = None if isinstance(error, OperationalError) else error
        logger.error("telling failed: %s", error, exc_info=trace)


teller = Teller()
