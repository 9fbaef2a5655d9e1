"""What all schedules will start: by the hour, in the same minute, all the time."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from scripts_app.models import Schedule
from scripts_app.schedules import agenda, global_pause, schedules
from tests.factories import NOW, make_schedule, make_script

BERLIN = ZoneInfo("Europe/Berlin")

pytestmark = pytest.mark.django_db


def nightly(name: str, minute: int = 30) -> Schedule:
    """A schedule that starts each night, UTC."""
    return make_schedule(make_script(name), kind="cron", cron=f"{minute} 2 * * *")


def test_a_week_has_the_starts_of_all_scripts_by_the_clock_of_the_zone() -> None:
    nightly("Backup")
    week = agenda.week(NOW, BERLIN)
    assert [day.count for day in week.days] == [0, 1, 1, 1, 1, 1, 1]
    assert week.days[1].hours[3].count == 1  # 02:30 UTC is 03:30 there


def test_scripts_that_start_in_the_same_minute_clash() -> None:
    nightly("Backup")
    nightly("Photos")
    nightly("Mail", minute=31)
    week = agenda.week(NOW, BERLIN)
    (clash, other) = week.days[1].minutes
    assert clash.is_clash
    assert not other.is_clash
    assert week.clashes == 6


def test_two_schedules_of_one_script_are_no_clash() -> None:
    script = nightly("Backup").script
    make_schedule(script, kind="cron", cron="30 2 * * *")
    assert agenda.week(NOW, BERLIN).clashes == 0


def test_what_starts_all_the_time_is_named_and_not_drawn() -> None:
    schedule = make_schedule(make_script("Sensor"), every_s=60)
    week = agenda.week(NOW, BERLIN)
    assert week.count == 0
    (frequent,) = week.frequent
    assert frequent.schedule == schedule
    assert frequent.count > 6 * 1440


def test_what_is_paused_or_damaged_is_left_out() -> None:
    paused = nightly("Paused")
    paused.paused_until = NOW + timedelta(days=3)
    schedules.save(paused, now=NOW)
    Schedule.objects.filter(pk=nightly("Damaged").pk).update(cron="what")
    assert [day.count for day in agenda.week(NOW, BERLIN).days] == [0, 0, 0, 0, 1, 1, 1]


def test_nothing_starts_while_all_schedules_are_paused_until_further_notice() -> None:
    nightly("Backup")
    global_pause.pause_all(by="ann", now=NOW)
    assert agenda.week(NOW, BERLIN).count == 0


def test_many_schedules_are_one_query_and_a_bounded_number_of_starts(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        nightly(f"Script {number}")
    monkeypatch.setattr(agenda, "MAX_STARTS", 15)
    with django_assert_num_queries(1):
        week = agenda.week(NOW, BERLIN)
    assert week.count == 12
    assert len(week.frequent) == 1
