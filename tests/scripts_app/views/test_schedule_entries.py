"""The list of a script's schedules on its Schedule tab."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs_app.states import Status, Trigger
from scripts_app.models import Schedule, Script
from tests.factories import make_run, make_schedule, make_script
from tests.scripts_app.views.schedule_form import FORM, edit_of, tab_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    """A script without a schedule."""
    return make_script()


def test_the_tab_shows_each_schedule_with_its_next_times_zone_ways_and_last_run(
    browser: Client,
) -> None:
    schedule = make_schedule(
        kind="cron",
        cron="0 12 * * *",
        timezone="Asia/Tokyo",
        overlap="parallel",
        missed="all",
        now=timezone.now(),
    )
    day = datetime(2026, 11, 1, tzinfo=UTC)
    for status in (Status.SUCCEEDED, Status.FAILED):
        day += timedelta(days=1)
        run = make_run(
            schedule.script, schedule=schedule, trigger=Trigger.SCHEDULE, status=status, due_at=day
        )
    text = browser.get(tab_of(schedule)).content.decode().partition('id="ledger"')[0]
    assert text.count("12:00 JST") == 5 and "12:00:00 JST" in text
    assert (
        "Start another run beside it, at most 3 at once" in text
        and "A run for each of them, at most 10" in text
    )
    assert f"#{run.pk}</a>" in text and "status-failed" in text and "status-succeeded" not in text


def test_a_schedule_is_switched_off_and_on_where_it_stands(browser: Client) -> None:
    schedule = make_schedule(now=timezone.now())
    address = reverse("schedule-switch", args=[schedule.script.slug, schedule.pk])
    text = browser.post(address, {"enabled": "0"}, follow=True).content.decode()
    schedule.refresh_from_db()
    assert not schedule.enabled and schedule.alarm_id is None
    assert "Disabled: Every minute." in text and "Starts nothing while it is disabled." in text
    browser.post(address, {"enabled": "1"})
    again = Schedule.objects.get()
    assert again.enabled and again.alarm_id


def test_deleting_asks_first_and_names_the_rhythm(browser: Client) -> None:
    schedule = make_schedule(every_s=90)
    address = reverse("schedule-delete", args=[schedule.script.slug, schedule.pk])
    assert "Delete “<bdi>Every 90 seconds</bdi>”?" in browser.get(address).content.decode()
    assert browser.post(address).headers["Location"] == tab_of(schedule)
    assert not Schedule.objects.exists()


def test_a_schedule_that_cannot_be_read_can_still_be_seen_switched_and_repaired(
    browser: Client,
) -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(
        kind="cron", cron="nonsense", message="put aside"
    )
    assert "Put aside: put aside" in browser.get(tab_of(schedule)).content.decode()
    for name in ("schedule-edit", "schedule-delete"):
        assert (
            browser.get(reverse(name, args=[schedule.script.slug, schedule.pk])).status_code == 200
        )
    switch = reverse("schedule-switch", args=[schedule.script.slug, schedule.pk])
    assert "1 field" in browser.post(switch, {"enabled": "1"}, follow=True).content.decode()
    browser.post(edit_of(schedule), FORM)
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.message) == ("30 2 * * *", "")


def test_the_tab_costs_the_same_queries_for_one_schedule_and_for_twenty(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    schedule = make_schedule()
    run = make_run(schedule.script, schedule=schedule, due_at=timezone.now())
    with CaptureQueriesContext(connection) as one:
        browser.get(tab_of(schedule))
    for _ in range(19):
        other = make_schedule(schedule.script)
        make_run(schedule.script, schedule=other, due_at=run.due_at)
    with django_assert_num_queries(len(one)):
        browser.get(tab_of(schedule))


def test_a_moment_in_a_repeated_hour_stays_the_pass_it_was(browser: Client, script: Script) -> None:
    second_pass = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)  # 02:30 in Berlin, for the second time
    schedule = make_schedule(script, kind="once", at=second_pass, timezone="Europe/Berlin")
    address = reverse("schedule-edit", args=[script.slug, schedule.pk])
    shown = browser.get(address).context["form"].initial["at"]
    browser.post(address, FORM | {"kind": "once", "at": shown, "overlap": "parallel"})
    schedule.refresh_from_db()
    assert (schedule.at, schedule.overlap) == (second_pass, "parallel")


@pytest.mark.parametrize(
    "broken",
    [{"timezone": "US/Gone"}, {"kind": "once", "at": datetime(9999, 12, 31, 23, 30, tzinfo=UTC)}],
)
def test_a_row_that_this_machine_cannot_write_as_a_time_breaks_no_page(
    browser: Client, script: Script, broken: dict[str, Any]
) -> None:
    schedule = make_schedule(script, now=timezone.now())
    Schedule.objects.filter(pk=schedule.pk).update(**broken)
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        for name in ("dashboard", "script-list"):
            assert browser.get(reverse(name)).status_code == 200
        for name in ("script-edit", "script-schedule", "script-settings"):
            assert browser.get(reverse(name, args=[script.slug])).status_code == 200


def test_the_head_of_a_script_tells_of_its_start_up_schedule(
    browser: Client, script: Script
) -> None:
    make_schedule(script, kind="startup")
    assert (
        "next when Tempo starts"
        in browser.get(reverse("script-edit", args=[script.slug])).content.decode()
    )
    assert "At start-up" in browser.get(reverse("script-list")).content.decode()
