"""The ledger and the stale notice on a script's Schedule tab."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.models import Run
from runs_app.scheduler import schedule_history
from runs_app.states import Reason, Status, Trigger
from scripts_app.models import Schedule
from tests.factories import NOW, make_run, make_schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule() -> Schedule:
    """A schedule of every minute."""
    return make_schedule()


def served(schedule: Schedule, minute: int, **fields: object) -> Run:
    """The row of a due moment that was served in time."""
    due = NOW + timedelta(minutes=minute)
    ready = {
        "status": Status.SUCCEEDED,
        "trigger": Trigger.SCHEDULE,
        "due_at": due,
        "started_at": due,
        "late_ms": 0,
    }
    return make_run(schedule.script, schedule=schedule, **ready | fields)


def tab(browser: Client, schedule: Schedule, query: str = "") -> str:
    """The Schedule tab from the ledger on."""
    page = browser.get(reverse("script-schedule", args=[schedule.script.slug]) + query)
    return page.content.decode().partition('id="ledger"')[2]


def test_each_moment_is_a_row_with_its_run(browser: Client, schedule: Schedule) -> None:
    run = served(schedule, 0)
    text = tab(browser, schedule)
    assert "2026-11-23 12:00:00 UTC" in text and "succeeded" in text and "on time" in text
    assert f'<a href="/runs/{run.pk}/">#{run.pk}</a>' in text


def test_a_gap_that_one_run_stands_for_is_told_with_its_length(
    browser: Client, schedule: Schedule
) -> None:
    gap = {
        "missed_count": 11,
        "missed_since": NOW,
        "late_ms": 1000,
        "due_at": NOW + timedelta(hours=3),
    }
    served(schedule, 0, **gap, started_at=NOW + timedelta(hours=3, minutes=12))
    assert "late by 3 h 12 min, 11 missed" in tab(browser, schedule)


def test_what_was_skipped_or_missed_says_why_and_how_much(
    browser: Client, schedule: Schedule
) -> None:
    nothing = {"started_at": None, "late_ms": None}
    served(
        schedule,
        9,
        status=Status.MISSED,
        message="Tempo was away.",
        missed_count=4,
        missed_since=NOW,
        **nothing,
    )
    served(schedule, 10, status=Status.SKIPPED, reason=Reason.OVERLAP, **nothing)
    text = tab(browser, schedule)
    assert "Tempo was away." in text and "and 4 before it, from" in text
    assert "The run before it was still going." in text


def test_further_tries_stand_in_the_row_of_their_moment(
    browser: Client, schedule: Schedule
) -> None:
    first = served(schedule, 0, status=Status.FAILED)
    second = make_run(
        schedule.script, schedule=schedule, parent=first, attempt=2, status=Status.LOST
    )
    text = tab(browser, schedule)
    assert (
        f'<span class="quiet">try 2</span> <a href="/runs/{second.pk}/">#{second.pk}</a> lost'
        in text
    )
    assert text.count("<tr>") == 2  # the head and one row


def test_older_moments_are_a_page_away(browser: Client, schedule: Schedule) -> None:
    runs = [served(schedule, minute) for minute in range(25)]
    first = tab(browser, schedule)
    assert first.count("on time") == 20 and f"before={runs[5].pk}#ledger" in first
    second = tab(browser, schedule, f"?before={runs[5].pk}")
    assert second.count("on time") == 5 and "Newest" in second and ">Older<" not in second


def test_one_schedules_moments_are_shown_alone_when_asked_for(
    browser: Client, schedule: Schedule
) -> None:
    other = make_schedule(schedule.script, every_s=7200)
    mine, others = served(schedule, 0), served(other, 1)
    both, alone = tab(browser, schedule), tab(browser, schedule, f"?schedule={other.pk}")
    assert all(f"#{run.pk}</a>" in both for run in (mine, others)) and "Every 2 hours" in both
    assert f"#{others.pk}</a>" in alone and f"#{mine.pk}</a>" not in alone


@pytest.mark.parametrize(
    "query", ["?schedule=x&before=-1", "?schedule=99", f"?before={'9' * 40}", "?before=\u0665"]
)
def test_an_impossible_page_is_the_first_one(
    browser: Client, schedule: Schedule, query: str
) -> None:
    served(schedule, 0)
    assert "on time" in tab(browser, schedule, query)


def test_it_costs_the_same_for_1_and_for_100_schedules_with_their_tries(
    browser: Client, schedule: Schedule
) -> None:
    costs = []
    for count in (1, 100):
        while Schedule.objects.count() < count:
            make_schedule(schedule.script)
        for row in Schedule.objects.select_related("script"):
            first = served(row, count, status=Status.FAILED)
            make_run(row.script, schedule=row, parent=first, attempt=2)
        with CaptureQueriesContext(connection) as asked:
            tab(browser, schedule)
        costs.append(len(asked))
    assert costs[0] == costs[1]


def test_a_page_of_the_ledger_is_one_query_in_the_order_of_an_index(schedule: Schedule) -> None:
    runs = [served(schedule, minute) for minute in range(3)]
    with CaptureQueriesContext(connection) as asked:
        assert schedule_history.history_page(schedule, limit=2) == runs[:0:-1]
    assert len(asked) == 1
    plan = (
        Run.objects.filter(script=schedule.script)
        .newest_first()
        .filter(schedule=schedule)
        .explain()
    )
    assert "run_of_script" in plan and "TEMP B-TREE" not in plan


def test_a_schedule_without_success_for_too_long_says_since_when(
    browser: Client, schedule: Schedule
) -> None:
    address = reverse("script-schedule", args=[schedule.script.slug])
    assert "No success" not in browser.get(address).content.decode()
    last = timezone.now() - timedelta(minutes=4, seconds=30)
    facts = {"last_success_at": last, "stale_since": timezone.now()}
    Schedule.objects.filter(pk=schedule.pk).update(**facts, anchor=last + timedelta(seconds=10))
    text = browser.get(address).content.decode()
    assert "No success since <time" in text and "5 starts have passed" in text
