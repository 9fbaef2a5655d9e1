"""The broker that rings when a task is committed."""

import threading

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from django_q.brokers import get_broker
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from tempo_site.lib import waking_broker
from tempo_site.lib.waking_broker import WakingBroker
from tests.service import wait_for

TASK = SignedPackage.dumps({"id": "1", "name": "n", "func": "f", "args": (), "kwargs": {}})


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each ring."""
    heard: list[str] = []
    monkeypatch.setattr(waking_broker, "ring", lambda: heard.append("ring"))
    return heard


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken by the poll: only by the bell."""
    monkeypatch.setattr(waking_broker, "POLL_S", 3600.0)


class Pusher:
    """One dequeue in a thread, as django-q2's pusher does it."""

    def __init__(self) -> None:
        self.tasks: list[tuple[int, str]] | None = None
        self.thread = threading.Thread(target=self.dequeue, daemon=True)
        self.thread.start()

    def dequeue(self) -> None:
        """Wait for tasks once."""
        self.tasks = WakingBroker().dequeue()
        connections.close_all()

    def has_returned(self) -> bool:
        """Whether it is done waiting."""
        return not self.thread.is_alive()


@pytest.mark.django_db
def test_it_is_the_broker_of_the_settings() -> None:
    assert isinstance(get_broker(), WakingBroker)


@pytest.mark.django_db
def test_a_poll_that_finds_nothing_is_one_statement_whose_sql_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waking_broker, "POLL_S", 0.0)
    assert WakingBroker().dequeue() is None
    built: list[object] = []
    monkeypatch.setattr(SQLCompiler, "as_sql", lambda compiler: built.append(compiler))
    with CaptureQueriesContext(connection) as queries:
        assert WakingBroker().dequeue() is None
    assert (built, len(queries)) == ([], 1)


@pytest.mark.django_db(transaction=True)
def test_a_committed_task_rings(rings: list[str]) -> None:
    with transaction.atomic():
        WakingBroker().enqueue(TASK)
        assert rings == []
    assert rings == ["ring"]


@pytest.mark.django_db(transaction=True)
def test_a_task_that_is_rolled_back_does_not_ring_and_is_gone(rings: list[str]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        WakingBroker().enqueue(TASK)
        raise RuntimeError
    assert rings == []
    assert not OrmQ.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_task_outside_a_transaction_rings_at_once(rings: list[str]) -> None:
    WakingBroker().enqueue(TASK)
    assert rings == ["ring"]


@pytest.mark.django_db(transaction=True)
def test_it_returns_a_task_that_is_there_without_waiting(patient: None) -> None:
    pk = WakingBroker().enqueue(TASK)
    assert WakingBroker().dequeue() == [(pk, TASK)]


@pytest.mark.django_db(transaction=True)
def test_it_returns_as_soon_as_the_bell_rings(patient: None) -> None:
    pusher = Pusher()

    def ring_until_heard() -> bool:
        waking_broker.ring()  # more than once: a ring before it listens is meant to be lost, as it then reads the queue
        return pusher.has_returned()

    wait_for(ring_until_heard, what="the pusher to wake", limit_s=10)
    assert not pusher.tasks


@pytest.mark.django_db(transaction=True)
def test_a_task_committed_while_it_waits_wakes_it(patient: None) -> None:
    pusher = Pusher()
    WakingBroker().enqueue(TASK)
    wait_for(pusher.has_returned, what="the pusher to wake", limit_s=10)


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_cannot_be_read_does_not_end_the_pusher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: ORM) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(ORM, "dequeue", fail)
    monkeypatch.setattr(waking_broker, "POLL_S", 0.0)
    assert WakingBroker().dequeue() is None


def test_a_batch_rings_once_behind_itself() -> None:
    waking_broker._bell.clear()
    with waking_broker.held():
        waking_broker.ring()
        waking_broker.ring()
        assert not waking_broker._bell.is_set()
    assert waking_broker._bell.is_set()


def test_a_batch_without_a_ring_is_silent() -> None:
    waking_broker._bell.clear()
    with waking_broker.held():
        pass
    assert not waking_broker._bell.is_set()


def test_other_threads_ring_through_a_batch() -> None:
    waking_broker._bell.clear()
    with waking_broker.held():
        thread = threading.Thread(target=waking_broker.ring)
        thread.start()
        thread.join()
        assert waking_broker._bell.is_set()
