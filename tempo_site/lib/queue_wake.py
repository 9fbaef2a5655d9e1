"""django-q2's ORM broker with a doorbell: a committed enqueue wakes the pusher at once instead of at its next poll."""

import logging
import threading

from django.db import DatabaseError, transaction
from django_q.brokers.orm import ORM

logger = logging.getLogger(__name__)

POLL_S = 5.0  # the net below: a bell that was never rung costs this much, a run is never lost

_bell = threading.Event()


def ring() -> None:
    """Wake the pusher."""
    _bell.set()


class WakingBroker(ORM):
    """The ORM broker, waiting on an event where the original sleeps."""

    def enqueue(self, task: str) -> int:
        """Store a signed task; rings when the surrounding transaction is committed. Returns the row's id."""
        pk: int = super().enqueue(task)
        transaction.on_commit(ring)
        return pk

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Return locked tasks, or None after at most 5 s. Never raises: the pusher ends for good on an exception."""
        _bell.clear()
        try:
            tasks: list[tuple[int, str]] | None = super().dequeue()  # `poll: 0` in Q_CLUSTER: it does not sleep itself
        except DatabaseError:
            logger.exception("queue could not be read, trying again")
            tasks = None
        if not tasks:
            _bell.wait(POLL_S)
        return tasks
