"""The thread of the ticker: due alarms are served, then the thread sleeps until the next moment."""

import threading
import time
from datetime import datetime, timedelta

from django.utils import timezone
from django_q.models import OrmQ

from runs_app.admission import admission
from runs_app.engine import housekeeping
from runs_app.engine.duties import ticker_duties
from runs_app.scheduler import clock_changes, ticker
from runs_app.scheduler.clock_changes import ClockWatch
from tempo_site.lib import waking_broker

ROWS_FIRST_S = 1.0  # so long a crowd may keep the thread from all else
# Where moments come one by one and faster than each can have a transaction, they share it with those that come soon:
# every transaction keeps everybody else from the write lock.
ROUNDS_WITHOUT_REST = 3
SERVE_TOGETHER_WITHIN = timedelta(seconds=0.05)
MAX_SLEEP_S = 5.0  # so that a step of the clock is noticed


class TickerThread:
    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._woken = threading.Event()
        self._duties = ticker_duties()
        self._clock = ClockWatch()
        self._is_clock_set_back = False  # and what follows from it is not done yet
        self.last_pass_at: float | None = None  # of time.monotonic()

    def wake(self) -> None:
        self._woken.set()

    def run(self) -> None:
        rounds = 0
        slept_for: datetime | None = None
        while not self._stopping.is_set():
            self._woken.clear()
            self._look_at_clock()
            # A moment that was slept for has come: it is served before anything else is asked.
            next_at = slept_for
            if not is_past(slept_for):
                next_at = ticker.next_moment_at(now=timezone.now())
            slept_for = None
            is_due = is_past(next_at)
            if is_due:
                rounds += 1
                if rounds > ROUNDS_WITHOUT_REST and not is_past(next_at, by=SERVE_TOGETHER_WITHIN):
                    self._stopping.wait(SERVE_TOGETHER_WITHIN.total_seconds())
                self._serve()
            self.last_pass_at = time.monotonic()  # behind the work: a pass that fails is not a pass
            self._duties.do_due(now=timezone.now())
            if is_due:
                continue
            rounds = 0
            if not self._woken.wait(seconds_until(next_at, timezone.now())):
                slept_for = next_at

    def _look_at_clock(self) -> None:
        if self._clock.was_set_back():
            self._is_clock_set_back = True
        if self._is_clock_set_back:
            now = timezone.now()
            clock_changes.compute_anew(clock_changes.CLOCK_SET_BACK, now=now)
            housekeeping.ensure_schedules(now=now)
            OrmQ.objects.filter(lock__gt=now).update(
                lock=now
            )  # else queued tasks wait for that moment
            self._is_clock_set_back = False

    def _serve(self) -> None:
        # Due alarms become runs that begin at once. Of a crowd, all get their rows first: scripts that start meanwhile
        # would keep the cores from that. What was queued is admitted here: the task that is queued with it is the net,
        # and heard behind that, as a pusher that wakes meanwhile contends for the write lock.
        give_up_at = time.monotonic() + ROWS_FIRST_S
        is_crowd = True
        with waking_broker.held():
            while is_crowd and time.monotonic() < give_up_at:
                most = ticker.SERVE_TOGETHER
                is_crowd = ticker.step(now=timezone.now(), limit=most) == most
            if waking_broker.is_ring_due():
                admission.admit(now=timezone.now())


def is_past(moment: datetime | None, *, by: timedelta = timedelta()) -> bool:
    return moment is not None and moment + by <= timezone.now()


def seconds_until(moment: datetime | None, now: datetime) -> float:
    if moment is None:
        return MAX_SLEEP_S
    return min(MAX_SLEEP_S, max(0.0, (moment - now).total_seconds()))
