"""The dashboard: its figures, what needs a person, the week by the hour, the first steps."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications_app.channels import channels
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment, Schedule, Script
from tempo_site.pages import dashboard
from tempo_site.pages.week import count_week
from tests.factories import make_run, make_schedule, make_script
from tests.notifications_app.telling import make_channel

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def ended(script: Script, status: Status, at: datetime, **fields: Any) -> Run:
    """A run that ended at this moment."""
    return make_run(
        script,
        status=status,
        started_at=at,
        finished_at=at,
        created_at=at,
        **{"duration_s": 1.0, **fields},
    )


def text_of(browser: Client, address: str = "/") -> str:
    """The page's text."""
    return browser.get(address).content.decode()


# --- figures --------------------------------------------------------------------------------------------------------
def test_it_counts_what_runs_what_waits_and_what_failed_lately() -> None:
    script = make_script()
    make_run(script, status=Status.RUNNING, started_at=NOW)
    make_run(script, status=Status.STARTING)
    make_run(script)
    ended(script, Status.FAILED, NOW - timedelta(hours=23))
    ended(script, Status.LOST, NOW - timedelta(hours=1))
    ended(script, Status.FAILED, NOW - timedelta(hours=25))
    make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, status=Status.FAILED, finished_at=NOW)
    shown = dashboard.dashboard_context(NOW)
    assert (shown["running_count"], shown["waiting_count"], shown["failed_today"]) == (2, 1, 2)


def test_the_rate_counts_verdicts_of_seven_days_and_100_means_all() -> None:
    script = make_script()
    assert count_week(NOW).rate is None
    for _ in range(199):
        ended(script, Status.SUCCEEDED, NOW - timedelta(days=2))
    ended(script, Status.SKIPPED, NOW - timedelta(days=1))
    ended(script, Status.FAILED, NOW - timedelta(days=8))
    assert count_week(NOW).rate == 100
    ended(script, Status.TIMED_OUT, NOW - timedelta(days=1))
    assert count_week(NOW).rate == 99


def test_the_week_is_told_by_the_hours_of_the_servers_zone() -> None:
    script = make_script()
    # 02:05 of the next day in Kathmandu
    ended(script, Status.SUCCEEDED, datetime(2026, 11, 23, 20, 20, tzinfo=UTC))
    ended(script, Status.FAILED, datetime(2026, 11, 23, 20, 10, tzinfo=UTC))  # 01:55
    with timezone.override(ZoneInfo("Asia/Kathmandu")):
        week = count_week(NOW)
    today = week.days[-1]
    assert [day.on.isoformat() for day in week.days][::6] == ["2026-11-18", "2026-11-24"]
    assert (today.hours[2].ended, today.hours[2].bad, today.hours[1].ended, today.hours[1].bad) == (
        1,
        0,
        1,
        1,
    )
    assert (today.ended, today.bad, week.most) == (2, 1, 1)


def test_memory_and_disk_are_parts_of_a_whole() -> None:
    for gauge in (dashboard.memory(), dashboard.disk()):
        assert 0 < gauge.used <= gauge.total and 0 <= gauge.percent <= 100
    assert (
        dashboard.Gauge(used=9, total=10).is_high and not dashboard.Gauge(used=8, total=10).is_high
    )


# --- attention ------------------------------------------------------------------------------------------------------
def test_a_script_whose_last_run_ended_badly_needs_attention_until_it_succeeds(
    browser: Client,
) -> None:
    script, now = make_script("Nightly backup"), timezone.now()
    for _ in range(2):
        ended(script, Status.FAILED, now, reason=Reason.EXIT_CODE, exit_code=3)
    text = text_of(browser)
    assert "Needs attention" in text and "2 times in a row." in text and "Exit code 3." in text
    ended(script, Status.SUCCEEDED, now)
    assert "Needs attention" not in text_of(browser)


def test_broken_environments_and_schedules_put_aside_need_attention(browser: Client) -> None:
    script, schedule = (
        make_script("Broken", requirements="reqests"),
        make_schedule(make_script("Aside")),
    )
    broken = Environment.objects.filter(waiting_scripts=script)
    broken.update(state=Environment.State.FAILED, message="no version of `reqests` was found")
    Schedule.objects.filter(pk=schedule.pk).update(message="`Mars/Olympus` is no time zone")
    text = text_of(browser)
    assert "no version of <code>reqests</code> was found" in text and "is no time zone" in text
    for each in (script, Script.objects.get(slug="aside")):
        scripts.delete(each, now=timezone.now())
    assert "Needs attention" not in text_of(browser)


def test_many_failing_scripts_are_a_few_rows_and_a_link(browser: Client) -> None:
    for number in range(dashboard.MAX_TROUBLES + 2):
        ended(make_script(f"Script {number}"), Status.FAILED, timezone.now())
    text = text_of(browser)
    assert "2 more</a>" in text and "/scripts/?state=failing" in text


def test_the_first_line_says_that_all_are_fine_or_how_many_need_a_person(browser: Client) -> None:
    assert 'class="verdict' not in text_of(browser)
    now = timezone.now()
    good, bad = make_script("Good"), make_script("Bad", requirements="reqests")
    assert "All 2 fine" in text_of(browser)
    ended(bad, Status.FAILED, now)
    Environment.objects.filter(waiting_scripts=bad).update(state=Environment.State.FAILED)
    assert ">1 needs you</a>" in text_of(browser)  # one script, whatever is wrong with it
    ended(good, Status.FAILED, now)
    channels.suspend(make_channel("Team chat"), "404", now=now)
    assert ">3 need you</a>" in text_of(browser)


def test_the_next_24_hours_are_drawn_with_what_starts_together() -> None:
    for name in ("Backup", "Photos"):
        make_schedule(make_script(name), kind="cron", cron="30 2 * * *", now=NOW)
    make_schedule(make_script("Now"), kind="once", at=NOW + timedelta(minutes=29), now=NOW)
    make_schedule(make_script("Sensor"), every_s=60, now=NOW)
    day = dashboard.dashboard_context(NOW)["next_day"]
    drawn = {hour.hour: hour.count for hour in day.hours if hour.count}
    assert drawn == {10: 1, 2: 2}
    assert [hour.hour for hour in day.hours if hour.has_clash] == [2]
    assert len(day.frequent) == 1


# --- lists ----------------------------------------------------------------------------------------------------------
def test_it_shows_what_runs_with_a_way_to_cancel_it_and_what_is_due(browser: Client) -> None:
    script, now = make_script("Nightly backup"), timezone.now()
    make_schedule(script, now=now, every_s=90)
    run = make_run(script, status=Status.RUNNING, started_at=now - timedelta(seconds=5))
    done = ended(script, Status.SUCCEEDED, now)
    text = text_of(browser)
    assert f">#{done.pk}<" in text
    assert text.count(f'href="/runs/{run.pk}/"') == 1  # no list has it twice
    assert "Every 90 seconds" in text and "data-until-s=" in text and "data-elapsed-s=" in text
    assert f'action="/runs/{run.pk}/cancel"' in text


def test_the_live_part_comes_alone(browser: Client) -> None:
    text = text_of(browser, "/?part=live")
    assert text.lstrip().startswith("<div data-part>") and "<html" not in text


def test_an_empty_dashboard_says_what_to_do(browser: Client) -> None:
    text = text_of(browser)
    assert (
        "Nothing is running." in text and "Nothing is to start." in text and "No run yet." in text
    )
    assert "No run ended in the last 7 days." in text and "Needs attention" not in text


def test_a_schedule_that_cannot_be_read_does_not_break_it(browser: Client) -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(kind="cron", cron="nonsense")
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "unreadable: " in answer.content.decode()


def test_it_costs_the_same_for_one_and_a_hundred_scripts(browser: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get("/")
        return len(queries)

    now = timezone.now()

    def fill(name: str) -> None:
        script = make_schedule(make_script(name)).script
        ended(script, Status.FAILED, now)
        make_run(script, status=Status.RUNNING, started_at=now)

    fill("First")
    cost()  # reads the rules of telling into memory
    few = cost()
    for number in range(100):
        fill(f"Script {number}")
    assert cost() == few


# --- first steps ----------------------------------------------------------------------------------------------------
def test_first_steps_are_ticked_from_facts_and_go_when_all_are_done(browser: Client) -> None:
    starter = make_script("Hello Tempo")
    text = text_of(browser)
    assert (
        "First steps" in text
        and 'action="/scripts/hello-tempo/run/"' in text
        and "Done:" not in text
    )
    ended(starter, Status.SUCCEEDED, timezone.now())
    text = text_of(browser)
    assert text.count("Done:") == 1 and "Run it now" not in text
    own = make_script("My own")
    text = text_of(browser)
    assert text.count("Done:") == 2 and 'href="/scripts/my-own/schedule/"' in text
    make_schedule(own)
    assert "First steps" not in text_of(browser)


def test_staff_are_offered_to_be_told_until_somebody_is(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert "Choose how" in text_of(client)
    make_run(make_schedule(make_script()).script)
    make_script("My own")
    assert "Nobody is told when a run fails." in text_of(client)
    make_channel()
    assert "Nobody is told when a run fails." not in text_of(client)


def test_a_channel_that_is_put_aside_needs_attention(browser: Client) -> None:
    channel = make_channel("Team chat")
    channels.suspend(channel, "404: no such webhook", now=timezone.now())
    assert "Team chat" in text_of(browser) and "404: no such webhook" in text_of(browser)


def test_first_steps_do_without_the_starter_script(browser: Client) -> None:
    scripts.delete(make_script("Hello Tempo"), now=timezone.now())
    text = text_of(browser)
    assert "Run a script" in text and "Run it now" not in text
