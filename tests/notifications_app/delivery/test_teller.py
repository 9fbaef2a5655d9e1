"""When the engine's thread begins, and when it does not."""

from datetime import timedelta

import pytest

from notifications_app.delivery.teller import Teller, teller
from notifications_app.events import announcing, outbox, restarts
from notifications_app.models import Channel, Delivery
from runs_app.signals import engine_passed, run_finished
from runs_app.states import Status
from tests.factories import NOW, make_script
from tests.notifications_app.telling import FakeCourier, end_run, failing, make_rule, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who woke a teller; no thread begins."""
    calls: list[str] = []
    monkeypatch.setattr(Teller, "wake", lambda self: calls.append("wake"))
    monkeypatch.delattr(teller, "wake")  # what keeps it from beginning in other tests
    return calls


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done behind a commit is done now: the test itself is one transaction."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda function, **_: function())


def test_nothing_begins_while_there_is_no_channel(woken: list[str]) -> None:
    Teller().look(now=NOW)
    assert woken == []


def test_an_end_that_is_to_be_told_begins_it_at_once(woken: list[str], at_once: None) -> None:
    make_rule()
    end_run(make_script())
    assert woken == ["wake"]


def test_an_end_that_nobody_hears_of_does_not(woken: list[str], at_once: None) -> None:
    make_rule()
    end_run(make_script(), Status.SUCCEEDED)
    assert woken == []


def test_the_pass_finds_an_end_whose_bell_was_not_heard(woken: list[str]) -> None:
    make_rule()
    end_run(make_script())
    Channel.objects.update(enabled=False)  # so that nothing else is due
    Teller().look(now=NOW)
    assert woken == ["wake"]


def test_the_pass_waits_for_the_moment_of_the_next_try(
    courier: FakeCourier, woken: list[str]
) -> None:
    make_rule()
    end_run(make_script())
    courier.answer = failing("retry")
    other = Teller()
    other.look(now=NOW)
    other.work(clock=lambda: NOW)
    woken.clear()
    other.look(now=NOW + timedelta(seconds=4))
    assert woken == []
    other.look(now=NOW + timedelta(seconds=7))
    assert woken == ["wake"]


def test_sending_again_begins_it_at_once(
    courier: FakeCourier, woken: list[str], at_once: None
) -> None:
    make_rule()
    end_run(make_script())
    work(NOW)
    woken.clear()
    outbox.send_again(Delivery.objects.get(), now=NOW)
    assert woken == ["wake"]


def test_another_process_writes_rows_and_sends_none() -> None:
    other = Teller()
    other.wake()
    assert other._thread is None


def test_one_duty_that_fails_keeps_no_failure_from_being_told(
    courier: FakeCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(events=["failed", "disk_floor"])
    monkeypatch.setattr("runs_app.disk_space.why_nothing_starts", lambda: 1 / 0)
    end_run(make_script())
    with pytest.raises(ExceptionGroup, match="duties failed"):
        work(NOW)
    assert len(courier.letters) == 1


def test_the_engines_pass_and_its_end_are_heard(woken: list[str]) -> None:
    make_rule()
    engine_passed.send(None, now=NOW)
    assert woken == ["wake"]  # the first look at what no bell rings for
    assert announcing.step(now=NOW) is False
    assert restarts._mark().exists()


def test_a_bell_without_a_row_does_nothing(woken: list[str], at_once: None) -> None:
    make_rule()
    run = end_run(make_script(), Status.SUCCEEDED)
    run_finished.send(None, run=run)
    assert woken == []
