"""What a schedule means, in words, moments and a week of hours."""

from datetime import UTC, datetime, timedelta

import pytest

from scripts_app.schedules import preview
from scripts_app.timing import rule
from scripts_app.timing.rule import Timing
from tests.rows import each_row

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 0, 0, tzinfo=UTC)  # the day before Berlin's clocks go back
SPRING = datetime(2026, 3, 28, 0, 0, tzinfo=UTC)


def cron(text: str, zone: str = "UTC") -> Timing:
    """A cron rhythm."""
    return Timing(kind="cron", cron=text, timezone=zone)


def counts(rhythm: Timing, now: datetime) -> list[list[int]]:
    """The grid's numbers."""
    return [[hour.count for hour in day.hours] for day in preview.week(rhythm, now=now)]


def test_moments_are_local_relative_and_utc() -> None:
    first = preview.preview_of(cron("0 21 * * *", "Asia/Tokyo"), now=MONDAY_NOON).moments[0]
    assert (first.local.isoformat(), first.relative, first.weekday) == (
        "2026-11-24T21:00:00+09:00",
        "in 1 d",
        "Tue",
    )
    assert first.utc.isoformat() == "2026-11-24T12:00:00+00:00"


def test_notes_hold_the_clocks_changes_and_the_calendars_gaps() -> None:
    notes = preview.preview_of(cron("30 2 31 * *", "Europe/Berlin"), now=MONDAY_NOON).notes
    assert any("Months without a day 31" in note for note in notes)
    assert any(
        "2027-03-28" in note
        for note in preview.preview_of(cron("30 2 * * *", "Europe/Berlin"), now=MONDAY_NOON).notes
    )


def test_the_week_begins_with_what_is_left_of_today() -> None:
    grid = counts(cron("30 * * * *"), MONDAY_NOON)
    assert len(grid) == 7 and all(len(day) == 24 for day in grid)
    assert grid[0] == [0] * 12 + [1] * 12
    assert grid[6] == [1] * 24


def test_a_moment_at_the_full_hour_belongs_to_the_hour_it_opens() -> None:
    grid = counts(cron("0 0 * * *", "Europe/Berlin"), MONDAY_NOON)
    assert [day[0] for day in grid] == [0, 1, 1, 1, 1, 1, 1]
    assert sum(map(sum, grid)) == 6


def test_a_schedule_of_every_second_is_counted_and_not_walked() -> None:
    grid = counts(Timing(kind="interval", every_s=1, anchor=MONDAY_NOON), MONDAY_NOON)
    assert grid[1] == [3600] * 24


@pytest.mark.parametrize(
    ("now", "hour", "count"),
    [
        (AUTUMN, 2, 4),  # both passes of a wildcard schedule
        (SPRING, 2, 0),  # an hour that is not
    ],
)
def test_an_hour_that_the_clocks_touch_holds_what_happens_in_it(
    now: datetime, hour: int, count: int
) -> None:
    sunday = counts(cron("*/30 * * * *", "Europe/Berlin"), now)[1]
    assert sunday[hour] == count
    assert sunday[hour + 1] == 2


def test_what_a_gap_skips_is_shown_where_it_is_made_up_for() -> None:
    sunday = counts(cron("30 2 * * *", "Europe/Berlin"), SPRING)[1]
    assert (sunday[2], sunday[3]) == (0, 1)


def test_a_level_grows_with_the_count() -> None:
    assert [
        preview.PreviewHour(hour=0, count=count).level for count in (0, 1, 2, 5, 6, 59, 60, 3600)
    ] == [*(0, 1, 2, 2, 3, 3, 4, 4)]


def test_where_two_hours_are_skipped_no_hour_is_counted_twice() -> None:
    rhythm = Timing(
        kind="interval",
        every_s=1800,
        timezone="Antarctica/Troll",
        anchor=datetime(2027, 1, 1, tzinfo=UTC),
    )
    begin = datetime(2027, 3, 27, 0, 0, tzinfo=UTC)
    counted = sum(hour.count for day in preview.week(rhythm, now=begin) for hour in day.hours)
    end = datetime(2027, 4, 2, 22, 0, tzinfo=UTC)  # midnight there, two hours ahead by then
    assert counted == rule.count_between(rhythm, begin, end - timedelta(seconds=1))


def test_terms_are_bounds_jitter_and_delay_by_the_rhythms_clock() -> None:
    rhythm = Timing(
        kind="cron",
        cron="0 9 * * *",
        timezone="Asia/Tokyo",
        start_at=MONDAY_NOON,
        end_at=AUTUMN.replace(year=2027),
    )
    assert preview.terms(rhythm) == ["From 2026-11-23 21:00 JST on", "Until 2027-10-24 09:00 JST"]
    jittered = Timing(kind="interval", every_s=60, jitter_s=5, seed="x")
    assert preview.terms(jittered) == ["Each start up to 5 s later, the same each time"]
    assert preview.terms(Timing(kind="startup"), delay_s=90) == [
        "1 min 30 s after Tempo has started"
    ]


@each_row(
    ("rhythm", "is_told"),
    [
        (Timing(kind="once", at=AUTUMN), True),
        (Timing(kind="cron", cron="0 9 * * *", end_at=AUTUMN), True),
        (Timing(kind="cron", cron="0 9 * * *"), False),
        (Timing(kind="startup"), False),
    ],
)
def test_it_says_when_nothing_is_due_any_more(rhythm: Timing, is_told: bool) -> None:
    assert (
        any("never happens" in note for note in preview.preview_of(rhythm, now=MONDAY_NOON).notes)
        == is_told
    )
