"""django-q2's ORM broker with a bell: a committed enqueue wakes the pusher at once instead of at its next poll."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, transaction
from django_q.brokers.orm import ORM
from django_q.models import OrmQ

from tempo_site.lib.sqlite.prepared import PreparedQuery

logger = logging.getLogger(__name__)

POLL_S = 5.0  # a bell that was never rung costs this much time, and no run is lost

# django-q2's own query is put together anew at each poll, which takes ten times as long.
_ANY_TASK = PreparedQuery(lambda: OrmQ.objects.only("pk")[:1])
_bell = threading.Event()


class _Held(threading.local):
    depth = 0
    is_due = False


_held = _Held()


def ring() -> None:
    """Wake the pusher, or note that a ring is due while this thread holds the bell."""
    if _held.depth:
        _held.is_due = True
    else:
        _bell.set()


def is_ring_due() -> bool:
    """Whether this thread, which holds the bell, has to ring it behind its block: something was queued."""
    return _held.is_due


@contextmanager
def held() -> Iterator[None]:
    """Ring once, behind the block, however often this thread rings within the block.

    A pusher that wakes in the middle of a batch of transactions contends with it for the write lock.
    """
    _held.depth += 1
    try:
        yield
    finally:
        _held.depth -= 1
        if _held.is_due and not _held.depth:
            _held.is_due = False
            _bell.set()


class WakingBroker(ORM):
    def enqueue(self, task: str) -> int:
        """Store a signed task and return the row's id; the bell rings when the transaction is committed."""
        pk: int = super().enqueue(task)
        transaction.on_commit(ring)
        return pk

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Return locked tasks, or None after at most 5 s. Never raises: the pusher ends for good on an exception."""
        _bell.clear()
        tasks: list[tuple[int, str]] | None = None
        try:
            if _ANY_TASK.first() is not None:
                tasks = super().dequeue()  # does not sleep itself: `poll: 0` in Q_CLUSTER
        except DatabaseError:
            logger.exception("queue could not be read, trying again")
        if not tasks:
            _bell.wait(POLL_S)
        return tasks
