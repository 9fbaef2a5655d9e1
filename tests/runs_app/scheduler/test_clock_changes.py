"""The clock is set back, or a time zone gets other rules: schedules go on, and nothing runs twice."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest
from django_q.models import Schedule as Alarm
from pytest_django import DjangoAssertNumQueries

from runs_app.engine import housekeeping
from runs_app.models import Run
from runs_app.scheduler import clock_changes, schedule_history, ticker
from runs_app.scheduler.clock_changes import ClockWatch
from runs_app.states import Reason, Status
from scripts_app.models import Schedule
from scripts_app.timing import zones
from tests.factories import NOW, make_schedule, make_script

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
AHEAD = NOW + 8 * HOUR  # by a clock that is set back to NOW


def compute_anew(now: datetime = NOW) -> int:
    """As after each of the reasons."""
    return clock_changes.compute_anew("The clock was set back", now=now)


def tick(now: datetime) -> None:
    """Serve all that is due."""
    while ticker.step(now=now):
        pass


def next_at(schedule: Schedule) -> datetime | None:
    """What its alarm holds."""
    return Schedule.objects.select_related("alarm").get(pk=schedule.pk).next_at


def clock_rows() -> list[Run]:
    """The rows that say that something was computed anew."""
    return list(Run.objects.filter(reason=Reason.CLOCK))


def test_a_moment_too_far_away_is_computed_anew() -> None:
    schedule = make_schedule(every_s=3600, now=NOW)
    tick(AHEAD)
    assert next_at(schedule) == AHEAD + HOUR
    assert compute_anew(NOW + timedelta(minutes=1)) == 1
    assert next_at(schedule) == NOW + HOUR


def test_a_row_says_so_in_the_ledger() -> None:
    schedule = make_schedule(kind=Schedule.Kind.CRON, cron="0 * * * *", timezone="Europe/Berlin")
    tick(AHEAD)
    compute_anew()
    row = schedule_history.moments_page(schedule.script)[0]
    assert (row.status, row.due_at) == (Status.SKIPPED, None)
    assert row.explain() == (
        "The clock was set back: its next start was 2026-11-23 22:00:00 CET, now it is 2026-11-23 14:00:00 CET."
    )


def test_a_moment_that_has_its_row_never_gets_another() -> None:
    schedule = make_schedule(every_s=3600, now=NOW)
    for hours in range(1, 4):
        tick(NOW + hours * HOUR)  # each of them had its run
    compute_anew()
    assert next_at(schedule) == NOW + 4 * HOUR
    assert clock_rows() == []
    tick(NOW + 4 * HOUR)
    assert Run.objects.filter(due_at__isnull=False).count() == 4


def test_the_moment_that_ran_by_the_wrong_clock_does_not_run_again_when_it_comes() -> None:
    make_schedule(every_s=3600, now=NOW, missed=Schedule.Missed.ONCE)
    tick(AHEAD)  # one run for all of them, in the row of the last
    compute_anew()
    for hours in range(1, 9):
        tick(NOW + hours * HOUR)
    dues = (
        Run.objects.filter(due_at__isnull=False).order_by("due_at").values_list("due_at", flat=True)
    )
    assert list(dues) == [NOW + hours * HOUR for hours in range(1, 9)]


def test_a_single_moment_that_ran_is_not_armed_again() -> None:
    schedule = make_schedule(kind=Schedule.Kind.ONCE, at=NOW + HOUR)
    tick(AHEAD)
    compute_anew()
    assert next_at(schedule) is None


def test_a_schedule_that_ended_by_the_wrong_clock_goes_on() -> None:
    schedule = make_schedule(every_s=3600, end_at=NOW + 4 * HOUR)
    tick(AHEAD)
    assert next_at(schedule) is None
    compute_anew()
    assert next_at(schedule) == NOW + HOUR


def test_an_interval_that_was_saved_by_the_wrong_clock_keeps_its_minute() -> None:
    schedule = make_schedule(every_s=3600, now=AHEAD + timedelta(minutes=20))
    compute_anew()
    assert next_at(schedule) == NOW + timedelta(minutes=20)


def test_an_interval_that_is_to_begin_later_does() -> None:
    schedule = make_schedule(every_s=3600, start_at=AHEAD)
    assert compute_anew() == 0
    assert next_at(schedule) == AHEAD


def test_a_moment_that_is_due_is_not_jumped_over() -> None:
    schedule = make_schedule(every_s=3600)
    assert compute_anew(NOW + 3 * HOUR) == 0
    assert next_at(schedule) == NOW + HOUR


def test_what_is_put_aside_or_switched_off_stays_so() -> None:
    aside = make_schedule(every_s=3600)
    Schedule.objects.filter(pk=aside.pk).update(message="Put aside: made up", alarm=None)
    off = make_schedule(make_script("Off"), every_s=3600, enabled=False)
    assert compute_anew() == 0
    assert next_at(aside) is next_at(off) is None


def test_it_is_done_at_the_start() -> None:
    schedule = make_schedule(every_s=3600)
    Alarm.objects.update(next_run=NOW + 9 * HOUR)
    ticker.at_start(service_started_at=NOW, now=NOW)
    assert next_at(schedule) == NOW + HOUR
    assert clock_rows()[0].message.startswith(clock_changes.AT_START)


def test_all_is_well_for_many_schedules_in_two_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    script = make_script()
    for seconds in range(60, 80):
        make_schedule(script, every_s=seconds)
    with django_assert_num_queries(2):
        compute_anew()


def test_housekeeping_does_not_wait_for_the_wrong_clock() -> None:
    housekeeping.ensure_schedules(now=AHEAD)
    housekeeping.ensure_schedules(now=NOW)
    tasks = Alarm.objects.filter(name__in=housekeeping.TASKS)
    assert min(tasks.values_list("next_run", flat=True)) == NOW + timedelta(minutes=1)


# --- the clock -----------------------------------------------------------------------------------------------------
def test_a_clock_that_is_set_back_is_noticed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockWatch()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert [watch.was_set_back(), watch.was_set_back()] == [True, False]


def test_a_clock_that_is_set_forward_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockWatch()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert not watch.was_set_back()


# --- time zones ----------------------------------------------------------------------------------------------------
@pytest.fixture
def zone_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The rules of Europe/Berlin, which a test may replace; those of today to begin with."""
    file = tmp_path / "zoneinfo" / "Europe" / "Berlin"
    file.parent.mkdir(parents=True)
    file.write_bytes(rules_of("Europe/Berlin"))
    monkeypatch.setattr(zones, "TZPATH", (str(tmp_path / "zoneinfo"),))
    monkeypatch.setattr(zones, "ZoneInfo", read_from(tmp_path / "zoneinfo"))
    zones.zone_of.cache_clear()
    yield file
    zones.zone_of.cache_clear()


def rules_of(name: str) -> bytes:
    """What this machine knows of a zone."""
    folders = [*TZPATH, *zones._folders_of_package()]
    found = [Path(f"{folder}/{name}") for folder in folders]
    return next(file for file in found if file.exists()).read_bytes()


def read_from(folder: Path) -> type[ZoneInfo]:
    """Python's class for zones, for files of this folder."""

    class FromFolder(ZoneInfo):
        def __new__(cls, key: str) -> ZoneInfo:  # type: ignore[misc]  # a plain zone will do
            with (folder / key).open("rb") as file:
                return ZoneInfo.from_file(file, key)

    return FromFolder


def test_other_rules_of_a_zone_move_what_is_to_come(zone_file: Path) -> None:
    schedule = make_schedule(kind=Schedule.Kind.CRON, cron="0 9 * * *", timezone="Europe/Berlin")
    assert next_at(schedule) == datetime(2026, 11, 24, 8, tzinfo=UTC)
    clock_changes.look_at_zones(now=NOW)
    assert clock_rows() == []

    zone_file.write_bytes(rules_of("Europe/Athens"))
    clock_changes.look_at_zones(now=NOW)
    assert next_at(schedule) == datetime(2026, 11, 24, 7, tzinfo=UTC)
    assert clock_rows()[0].message.startswith("The rules of its time zone have changed: ")
    clock_changes.look_at_zones(now=NOW)
    assert len(clock_rows()) == 1
