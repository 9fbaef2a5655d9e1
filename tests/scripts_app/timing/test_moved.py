"""Rhythms moved on the clock."""

from datetime import timedelta

import pytest

from scripts_app.timing.moved import moved
from scripts_app.timing.rule import Timing, TimingError
from tests.factories import NOW
from tests.rows import each_row


@each_row(
    ("line", "minutes", "then"),
    [
        ("0 2 * * *", 15, "15 2 * * *"),
        ("50 2 * * 1-5", 15, "5 3 * * 1-5"),
        ("50 23 * * *", 15, "5 0 * * *"),
        ("5 0 * * *", -10, "55 23 * * *"),
        ("@daily", 30, "30 0 * * *"),
        ("50 * * * *", 15, "5 * * * *"),
        ("30 6,18 1 * *", 45, "15 7,19 1 * *"),
    ],
)
def test_a_line_is_moved(line: str, minutes: int, then: str) -> None:
    assert moved(Timing(kind="cron", cron=line), minutes).cron == then


@each_row(
    ("line", "minutes"),
    [
        ("*/5 * * * *", 15),
        ("0 9-17 * * *", 15),
        ("50 23 * * 1-5", 15),  # it would start on other days
        ("0 0 2 * * *", 15),
        ("0 2 * * *", 0),
        ("0 2 * * *", 721),
    ],
)
def test_a_line_without_a_moment_of_its_own_is_left(line: str, minutes: int) -> None:
    with pytest.raises(TimingError):
        moved(Timing(kind="cron", cron=line), minutes)


def test_a_single_moment_and_an_interval_with_a_start_are_moved() -> None:
    later = NOW + timedelta(minutes=15)
    assert moved(Timing(kind="once", at=NOW), 15).at == later
    assert moved(Timing(kind="interval", every_s=3600, start_at=NOW), 15).start_at == later
