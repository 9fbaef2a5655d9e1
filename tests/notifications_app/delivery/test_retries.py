"""When a message is tried again."""

from datetime import timedelta

import pytest

from notifications_app.delivery import retries
from tests.factories import NOW


def wait_s(attempts: int, **more: float) -> float | None:
    found = retries.next_at(attempts, now=NOW, chance=lambda: 0.0, **more)
    if found is None:
        return None
    return (found - NOW).total_seconds()


def test_it_waits_longer_and_longer_and_gives_up_behind_the_eighth_attempt() -> None:
    waits = [wait_s(attempts) for attempts in range(1, 9)]
    assert waits == [5, 60, 300, 1800, 7200, 18_000, 36_000, None]


def test_waits_are_spread() -> None:
    latest = retries.next_at(1, now=NOW, chance=lambda: 1.0)
    assert latest == NOW + timedelta(seconds=6)


@pytest.mark.parametrize(("asked_s", "waited_s"), [(1, 60), (90, 90), (10**9, 86_400)])
def test_it_comes_back_when_the_receiver_wants_it_to(asked_s: float, waited_s: float) -> None:
    assert wait_s(2, retry_after_s=asked_s) == waited_s
