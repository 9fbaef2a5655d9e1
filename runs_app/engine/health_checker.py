"""The thread that checks the health of environments, one at a time, and measures their disk usage.

No task of the queue, as a check may take a minute; not before the service has started, and never in a hurry: each check
is followed by a pause longer than most checks.
"""

import logging
import threading
import time
from datetime import datetime

from django.db import connections
from django.utils import timezone

from scripts_app.environments import disk_usage, health

logger = logging.getLogger(__name__)

FIRST_S = 5.0  # after the start
PAUSE_S = 2.0  # between two checks
IDLE_S = 20.0  # when there was nothing to check
AGAIN_S = 600.0  # after a check without a result


class HealthChecker:
    def __init__(self, *, started_at: datetime) -> None:
        self._started_at = started_at
        # Environment -> when to try again, of time.monotonic().
        self._put_off: dict[int, float] = {}

    def run(self, stopping: threading.Event) -> None:
        wait_s = FIRST_S
        while not stopping.wait(wait_s):
            wait_s = IDLE_S
            try:
                if self.step(now=timezone.now()):
                    wait_s = PAUSE_S
            finally:
                connections.close_all()  # a connection for a few checks a day would only take memory

    def step(self, *, now: datetime) -> bool:
        """Check an environment, or measure; returns whether there was anything to do."""
        due = health.next_due(
            now=now,
            started_at=self._started_at,
            leave_out=self._still_put_off(),
        )
        if due is None:
            return disk_usage.is_due(now=now) and disk_usage.measure(now=now)
        try:
            health.check_environment(due, now=now)
        except health.Unclear as problem:
            self._put_off[due.pk] = time.monotonic() + AGAIN_S
            logger.warning("environment %s could not be looked at: %s", due.pk, problem)
        return True

    def _still_put_off(self) -> frozenset[int]:
        for pk, until in list(self._put_off.items()):
            if until <= time.monotonic():
                del self._put_off[pk]
        return frozenset(self._put_off)
