"""The inspector: a thread that looks at the health of environments, one at a time, and measures what they take.

No task of the queue, as a look may take a minute; not before the service has started, and never in a hurry: each look
is followed by a pause longer than most of them.
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
PAUSE_S = 2.0  # between two looks
IDLE_S = 20.0  # when there was nothing to look at
AGAIN_S = 600.0  # after a look that told nothing


class Inspector:
    """Knows what it could not look at lately; all else is in the rows."""

    def __init__(self, *, started_at: datetime) -> None:
        self._started_at = started_at
        self._put_off: dict[
            int, float
        ] = {}  # environment -> when to try again, of time.monotonic()

    def run(self, stopping: threading.Event) -> None:
        """Look until the engine stops."""
        wait_s = FIRST_S
        while not stopping.wait(wait_s):
            try:
                wait_s = PAUSE_S if self.step(now=timezone.now()) else IDLE_S
            finally:
                connections.close_all()  # a connection for a few looks a day would only take memory

    def step(self, *, now: datetime) -> bool:
        """Look at one environment, or measure; returns whether there was anything to do."""
        self._put_off = {
            pk: until for pk, until in self._put_off.items() if until > time.monotonic()
        }
        due = health.next_due(
            now=now, started_at=self._started_at, leave_out=frozenset(self._put_off)
        )
        if due is None:
            return disk_usage.is_due(now=now) and disk_usage.measure(now=now)
        try:
            health.check_environment(due, now=now)
        except health.Unclear as problem:
            self._put_off[due.pk] = time.monotonic() + AGAIN_S
            logger.warning("environment %s could not be looked at: %s", due.pk, problem)
        return True
