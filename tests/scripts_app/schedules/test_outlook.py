"""The next start of a schedule: what is promised is what the ticker then does, and every door says the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app.history import overview
from runs_app.history.overview import ScriptFilter
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Status
from scripts_app import lookup, scripts
from scripts_app.models import Pause, Schedule
from scripts_app.schedules import global_pause, outlook, schedules
from tests.factories import NOW, make_schedule, make_script

pytestmark = pytest.mark.django_db

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
YEARLY: dict[str, Any] = {"kind": "cron", "cron": "0 3 1 1 *"}
HOURLY: dict[str, Any] = {"kind": "interval", "every_s": 3600}
KEPT_FROM_RUNNING = (Status.SKIPPED, Status.MISSED)


def stored(schedule: Schedule) -> Schedule:
    """The schedule as the database has it."""
    return outlook.with_pause(Schedule.objects.all()).get(pk=schedule.pk)


def pause(schedule: Schedule, *, since: datetime, until: datetime) -> None:
    """Pause one schedule at a moment."""
    schedule.refresh_from_db()
    schedule.paused_until = until
    schedules.save(schedule, now=since)


def start_by_ticker(schedule: Schedule, *, now: datetime, looks: int = 20) -> datetime | None:
    """When the ticker really starts the first run, if it is let go on from `now`; None when it comes to rest before."""
    for _ in range(looks):
        while ticker.step(now=now):
            pass
        runs = Run.objects.filter(schedule=schedule).exclude(status__in=KEPT_FROM_RUNNING)
        if runs.exists():
            return now
        paused = Schedule.objects.filter(pk=schedule.pk).values_list("paused_until", flat=True)
        moments = [ticker.next_moment_at(now=now), paused.get()]
        to_come = [moment for moment in moments if moment is not None and moment > now]
        if not to_come:
            return None
        now = min(to_come)
    raise AssertionError("the ticker never comes to rest")


# --- one schedule ---------------------------------------------------------------------------------------------------
def test_the_next_start_of_a_paused_schedule_is_its_first_moment_behind_the_pause() -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    schedule = make_schedule(**YEARLY, now=now)
    pause(schedule, since=now, until=now + timedelta(days=100))
    assert outlook.next_start(stored(schedule), now) == datetime(2028, 1, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize("fields", [HOURLY, HOURLY | {"jitter_s": 600}])
def test_the_next_start_is_skipped_and_the_one_behind_it_is_not(fields: dict[str, Any]) -> None:
    schedule = make_schedule(**fields, now=NOW)
    first = outlook.next_start(stored(schedule), NOW)
    assert first is not None
    outlook.skip_next(stored(schedule), now=NOW)
    second = outlook.next_start(stored(schedule), NOW)
    assert second is not None and second > first
    assert start_by_ticker(schedule, now=NOW) == second
    assert [run.due_at for run in Run.objects.filter(status=Status.SKIPPED)] == [first]


def test_where_nothing_is_to_come_nothing_is_skipped(program: Client) -> None:
    schedule = make_schedule(kind="startup", now=NOW)
    answer = program.post(f"/api/v1/schedules/{schedule.pk}/skip-next")
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["schedule"])


@pytest.mark.parametrize(
    "fields",
    [
        HOURLY,
        HOURLY | {"jitter_s": 600},
        HOURLY | {"missed": "skip"},
        HOURLY | {"missed": "all", "overlap": "parallel"},
        {"kind": "cron", "cron": "30 12 * * *"},
        {"kind": "cron", "cron": "0 12 * * *", "end_at": NOW + timedelta(days=1, hours=1)},
        {"kind": "once", "at": NOW + 90 * MINUTE},
        {"kind": "once", "at": NOW + 10 * HOUR},
        {"kind": "once", "at": NOW + 30 * MINUTE, "missed": "skip"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "own", [None, (HOUR, 3 * HOUR), (75 * MINUTE, 76 * MINUTE), (HOUR, 9 * HOUR)]
)
@pytest.mark.parametrize("all_of_them", [None, (2 * HOUR, 5 * HOUR), (70 * MINUTE, 71 * MINUTE)])
def test_what_is_promised_is_what_the_ticker_does(
    fields: dict[str, Any],
    own: tuple[timedelta, timedelta] | None,
    all_of_them: tuple[timedelta, timedelta] | None,
) -> None:
    """Also of what was due before the pauses and could not be served: no step was made since noon."""
    schedule = make_schedule(**fields)
    now = max(NOW + pause[0] for pause in (own, all_of_them, (timedelta(),)) if pause)
    if own:
        pause(schedule, since=NOW + own[0], until=NOW + own[1])
    if all_of_them:
        global_pause.pause_all(by="ann", now=NOW + all_of_them[0], until=NOW + all_of_them[1])
    promised = outlook.next_start(stored(schedule), now)
    happened = start_by_ticker(schedule, now=now)
    if promised is not None and promised <= now:
        assert happened == now, "it was due and is served at once"
    else:
        assert promised == happened


def test_a_moment_of_its_own_that_lies_in_the_pause_starts_nothing() -> None:
    schedule = make_schedule(kind="once", at=NOW + HOUR)
    pause(schedule, since=NOW, until=NOW + 2 * HOUR)
    assert outlook.next_start(stored(schedule), NOW) is None
    assert start_by_ticker(schedule, now=NOW) is None


def test_a_pause_of_everything_counts_as_much_as_its_own() -> None:
    schedule = make_schedule(**YEARLY)
    global_pause.pause_all(by="ann", now=NOW, until=NOW + timedelta(days=100))
    assert outlook.next_start(stored(schedule), NOW) == datetime(2028, 1, 1, 3, tzinfo=UTC)
    global_pause.pause_all(by="ann", now=NOW)
    assert outlook.next_start(stored(schedule), NOW) is None, "until further notice"


def test_what_is_disabled_deleted_or_broken_starts_nothing() -> None:
    schedule = make_schedule(enabled=False)
    assert outlook.next_start(stored(schedule), NOW) is None
    other = make_schedule(make_script("Other"))
    assert outlook.next_start(stored(other), NOW) == NOW + MINUTE
    scripts.update(other.script, by=None, now=NOW, enabled=False)
    assert outlook.next_start(stored(other), NOW) is None
    third = make_schedule(make_script("Third"))
    scripts.delete(third.script, now=NOW)
    assert outlook.next_start(stored(third), NOW) is None
    broken = make_schedule(make_script("Broken"), kind="cron", cron="0 3 * * *")
    pause(broken, since=NOW, until=NOW + timedelta(days=3))
    Schedule.objects.filter(pk=broken.pk).update(cron="what")
    assert outlook.next_start(stored(broken), NOW) is None


def test_a_start_up_schedule_has_a_moment_only_while_its_delay_lasts() -> None:
    schedule = make_schedule(kind="startup", delay_s=60)
    assert outlook.next_start(stored(schedule), NOW) is None
    ticker.at_start(service_started_at=NOW, now=NOW)
    assert outlook.next_start(stored(schedule), NOW) == NOW + MINUTE
    global_pause.pause_all(by="ann", now=NOW, until=NOW + HOUR)
    assert outlook.next_start(stored(schedule), NOW) is None
    assert start_by_ticker(schedule, now=NOW) is None


def test_a_row_that_comes_without_the_pause_asks_for_it() -> None:
    schedule = make_schedule(every_s=60)
    global_pause.pause_all(by="ann", now=NOW, until=NOW + HOUR)
    schedule.refresh_from_db()
    assert outlook.next_start(schedule, NOW) == NOW + HOUR


# --- staleness ------------------------------------------------------------------------------------------------------
def test_a_stale_schedule_counts_what_passed_since_its_last_success() -> None:
    schedule = make_schedule(every_s=60)
    schedule.last_success_at = NOW
    assert outlook.stale_moments(schedule, NOW + 5 * MINUTE) == 0
    schedule.stale_since = NOW + 4 * MINUTE
    assert outlook.stale_moments(schedule, NOW + 5 * MINUTE) == 5


# --- every door -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_for_all", [False, True])
def test_every_door_names_the_same_moment(
    client: Client, staff: User, program: Client, is_for_all: bool
) -> None:
    client.force_login(staff)
    now = timezone.now()
    schedule = make_schedule(make_script("Yearly"), **YEARLY, now=now)
    assert schedule.next_at is not None
    until = schedule.next_at + timedelta(days=2)  # so the pause swallows the first of January
    if is_for_all:
        global_pause.pause_all(by="ann", now=now, until=until)
    else:
        pause(schedule, since=now, until=until)
    expected = schedule.next_at.replace(year=schedule.next_at.year + 1)

    [row] = overview.listed_scripts(ScriptFilter(), now=now)
    head = client.get("/scripts/yearly/").context["script"]
    [entry] = client.get("/scripts/yearly/schedule/").context["entries"]
    by_id = program.get(f"/api/v1/schedules/{schedule.pk}").json()
    [listed] = program.get("/api/v1/scripts/yearly/schedules").json()["items"]
    found = [row.script.next_at, head.next_at, entry.next_at]
    found += [datetime.fromisoformat(answer["next_at"]) for answer in (by_id, listed)]
    assert found == [expected] * 5
    for page in ("", f"{schedule.pk}/change/"):
        text = client.get(f"/admin/scripts_app/schedule/{page}").content.decode()
        assert f"{expected:%Y-%m-%d %H:%M:%S}" in text
    text = client.get(f"/admin/scripts_app/script/{schedule.script_id}/change/").content.decode()
    assert f"next {expected:%Y-%m-%d %H:%M:%S}" in text


def test_while_everything_is_paused_the_pages_say_so(client: Client, staff: User) -> None:
    client.force_login(staff)
    make_schedule(make_script("Clock"))
    global_pause.pause_all(by="ann", now=timezone.now())
    assert "paused with all others" in client.get("/scripts/clock/").content.decode()
    assert ">paused</span>" in client.get("/scripts/").content.decode()


def test_a_script_starts_with_the_first_of_its_schedules() -> None:
    script = make_script()
    daily = make_schedule(script, kind="cron", cron="0 13 * * *")
    pause(make_schedule(script, every_s=60), since=NOW, until=NOW + 2 * HOUR)
    assert lookup.script_for_page(script.slug, now=NOW).next_at == daily.next_at
    pause(daily, since=NOW, until=NOW + 3 * HOUR)
    assert lookup.script_for_page(script.slug, now=NOW).next_at == NOW + 2 * HOUR


def test_a_list_costs_one_query_more_however_many_schedules_are_paused() -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            overview.listed_scripts(ScriptFilter(), now=NOW)
        return len(queries)

    made = [make_schedule(make_script(f"Script {number}"), **HOURLY) for number in range(4)]
    without = cost()
    pause(made[0], since=NOW, until=NOW + 9 * HOUR)
    assert cost() == without + 1
    global_pause.pause_all(by="ann", now=NOW, until=NOW + 2 * HOUR)
    assert Pause.objects.count() == 1 and cost() == without + 1
