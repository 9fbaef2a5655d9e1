"""When a channel sends: alone at once, then collected, outside of quiet hours and within its cap."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from notifications_app.delivery import grouping
from notifications_app.models import Channel
from tests.rows import each_row

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def due_s(
    *, oldest: float = 0, last: float | None = None, sent: tuple[float, ...] = (), **fields: Any
) -> float:
    """When a message is due, in seconds after noon: what waits is from `oldest`, the last message from `last`."""
    channel = Channel(last_message_at=None if last is None else after(last), **fields)
    due = grouping.due_at(channel, oldest=after(oldest), sent=[after(each) for each in sent])
    return (due - NOON).total_seconds()


@each_row(
    ("given", "expected"),
    [
        ({}, 0),
        ({"last": -299}, 1),  # the interval is nearly over
        ({"last": -300}, 0),
        ({"last": -100}, 30),
        ({"last": -280}, 20),  # not longer than the interval
        ({"last": -100, "is_collecting": True}, 200),
        ({"last": -300, "is_collecting": True}, 0),
        ({"last": -10, "group_wait_s": 5}, 5),
        ({"last": -10, "group_interval_s": 60, "is_collecting": True}, 50),
        ({"last": -10, "group_interval_s": 0}, 0),
        ({"last": 4000}, 0),  # the clock was set back
        ({"max_per_hour": 2, "sent": (-3000, -100)}, 600),
        ({"max_per_hour": 2, "sent": (-100,)}, 0),
        ({"max_per_hour": 2, "sent": (-3500, -3000, -100)}, 600),
        ({"max_per_hour": 0, "sent": (-3, -2, -1)}, 0),
    ],
)
def test_a_message_is_due(given: dict[str, Any], expected: float) -> None:
    assert due_s(**given) == expected


@each_row(("oldest", "collects"), [(100, True), (299, True), (300, False), (900, False)])
def test_what_was_collected_is_followed_by_the_whole_interval(oldest: int, collects: bool) -> None:
    channel = Channel(last_message_at=NOON)
    assert grouping.collects_next(channel, oldest=after(oldest)) == collects


@each_row(
    ("begin", "end", "moment", "expected"),
    [
        ("22:00", "07:00", "2026-11-23T23:00+00:00", "2026-11-24T07:00+00:00"),
        ("22:00", "07:00", "2026-11-23T06:59+00:00", "2026-11-23T07:00+00:00"),
        ("22:00", "07:00", "2026-11-23T07:00+00:00", "2026-11-23T07:00+00:00"),
        ("22:00", "07:00", "2026-11-23T21:59+00:00", "2026-11-23T21:59+00:00"),
        ("12:00", "13:00", "2026-11-23T12:30+00:00", "2026-11-23T13:00+00:00"),
        ("07:00", "07:00", "2026-11-23T07:00+00:00", "2026-11-23T07:00+00:00"),
    ],
)
def test_quiet_hours_hold_until_their_end(begin: str, end: str, moment: str, expected: str) -> None:
    channel = Channel(
        quiet_from=time.fromisoformat(begin),
        quiet_until=time.fromisoformat(end),
        timezone="UTC",
    )
    found = grouping.behind_quiet_hours(channel, datetime.fromisoformat(moment))
    assert found == datetime.fromisoformat(expected)


NOON = datetime(2026, 10, 24, 12, tzinfo=UTC)


def test_a_zone_that_the_machine_does_not_know_any_more_keeps_nothing_from_being_sent() -> None:
    channel = Channel(quiet_from=time(22), quiet_until=time(7), timezone="Atlantis/City")
    assert grouping.behind_quiet_hours(channel, NOON) == NOON


def test_quiet_hours_are_those_of_the_channels_zone_also_over_a_clock_change() -> None:
    channel = Channel(quiet_from=time(22), quiet_until=time(7), timezone="Europe/Berlin")
    # Clocks went back at 01:00 UTC: seven in the morning is 06:00 UTC, and was 05:00 the day before.
    found = grouping.behind_quiet_hours(channel, datetime(2026, 10, 24, 22, 0, tzinfo=UTC))
    assert found == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
