"""The figures of a script as its page and the API show them, and all scripts beside each other."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from runs_app.figures import (
    all_scripts,
    counting,
    duration_chart,
    peaks,
    reading,
    script_overview,
    year_calendar,
)
from runs_app.figures.tally import Tally
from runs_app.models import Run
from runs_app.states import Reason, Status
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TODAY = NOW.date()


def ended(
    script: Script, status: Status = Status.SUCCEEDED, days_ago: int = 0, **fields: Any
) -> Run:
    """A run that ended so many days before now."""
    at = NOW - days_ago * DAY
    fields = {"duration_s": 1.0, "finished_at": at, "created_at": at, **fields}
    return make_run(script, status=status, **fields)


def table(shown: all_scripts.Rankings, title: str) -> list[tuple[str, str]]:
    """The rows of a ranking: name of the script, and its figure in words."""
    rows = next(ranking.rows for ranking in shown.tables if ranking.title == title)
    return [(row.script.name, row.figure) for row in rows]


# --- a script -------------------------------------------------------------------------------------------------------
def test_success_is_told_for_four_periods() -> None:
    script = make_script()
    ended(script)
    for days_ago in (3, 20, 80):
        ended(script, Status.FAILED, days_ago)
    shown = script_overview.overview(script, now=NOW)
    assert [(period.name, period.good, period.bad) for period in shown.periods] == [
        ("24 h", 1, 0),
        ("7 days", 1, 1),
        ("30 days", 1, 2),
        ("90 days", 1, 3),
    ]


def test_the_trend_compares_with_as_many_days_before() -> None:
    script = make_script()
    ended(script, days_ago=40, duration_s=10.0)
    ended(script, days_ago=70, duration_s=1000.0)  # too long ago to be compared
    ended(script, duration_s=15.0)
    shown = script_overview.overview(script, now=NOW)
    assert shown.trend_percent == pytest.approx(50)
    assert shown.trend_words == "50 % slower than the 30 days before"


def test_streaks_reach_over_days() -> None:
    script = make_script()
    for days_ago in (9, 8, 7):
        ended(script, days_ago=days_ago)
    ended(script, Status.FAILED, days_ago=6)
    ended(script, days_ago=5)
    counting.count_all()
    ended(script, days_ago=1)
    streak = script_overview.overview(script, now=NOW).streak
    assert (streak.good, streak.bad, streak.longest_good) == (2, 0, 3)


def test_it_costs_as_many_queries_for_a_year_as_for_a_day(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    script = make_script()
    for days_ago in range(60):
        ended(script, days_ago=days_ago)
    counting.count_all()
    with django_assert_num_queries(
        4
    ):  # days with durations, earlier days, the mark, runs behind it
        script_overview.overview(script, now=NOW)


def test_a_long_history_is_read_from_the_rows_of_days_and_by_index() -> None:
    script = make_script()
    ended(script)
    counting.count_all()
    with CaptureQueriesContext(connection) as queries:
        script_overview.overview(script, now=NOW)
    plans = [plan(query["sql"]) for query in queries]
    assert not [step for steps in plans for step in steps if step.startswith("SCAN runs_app_run")]
    assert any("run_of_script (script_id=? AND id>?)" in step for step in plans[-1])


def plan(sql: str) -> list[str]:
    """How the database would answer this query."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


# --- charts ---------------------------------------------------------------------------------------------------------
def day_of(seconds: float) -> Tally:
    """A day with one good run of this duration."""
    return Tally(
        succeeded=1,
        durations={},
        duration_min_s=seconds,
        duration_max_s=seconds,
        duration_s=seconds,
    )


def test_durations_are_a_line_from_the_first_day_to_the_last() -> None:
    script = make_script()
    ended(script, days_ago=4, duration_s=50.0)
    ended(script, duration_s=100.0)
    days = reading.days_of_script(script.pk, since=TODAY - 10 * DAY)
    chart = duration_chart.duration_chart(days, first=TODAY - 4 * DAY, last=TODAY)
    assert chart is not None
    assert chart.median == "M0.0 53.7L600.0 7.4"
    assert chart.highest == "1 min 40 s"


def test_one_day_is_no_line() -> None:
    script = make_script()
    ended(script)
    days = reading.days_of_script(script.pk, since=TODAY)
    assert duration_chart.duration_chart(days, first=TODAY - DAY, last=TODAY) is None


def test_a_bad_day_of_the_calendar_differs_in_shape_and_says_so() -> None:
    days = {TODAY - DAY: Tally(succeeded=2), TODAY: Tally(succeeded=1, failed=1)}
    calendar = year_calendar.year_calendar(days, today=TODAY)
    good, bad = calendar.squares
    assert (good.kind, bad.kind) == ("is-3", "is-bad")
    assert bad.title == "2026-11-23: 2 runs, 1 bad"
    assert bad.path.count("h6") == 1 and "h6" not in good.path
    assert calendar.empty.count("M") == 52 * 7 + TODAY.weekday() + 1 - 2


# --- all scripts ----------------------------------------------------------------------------------------------------
def test_scripts_are_ranked_by_what_they_take() -> None:
    slow, flaky = make_script("Slow"), make_script("Flaky")
    ended(slow, duration_s=90.0, peak_memory_mb=10.0, log_bytes=10)
    ended(flaky, duration_s=2.0, peak_memory_mb=300.0, log_bytes=2048)
    ended(flaky, Status.FAILED)
    counting.count_all()
    shown = all_scripts.rankings(now=NOW, days=30)
    assert table(shown, "Slowest") == [("Slow", "1 min 30 s"), ("Flaky", "2.00 s")]
    assert table(shown, "Flakiest") == [("Flaky", "50.0 %")]
    assert table(shown, "Hungriest")[0] == ("Flaky", "300 MB")
    assert table(shown, "Most output")[0] == ("Flaky", "2.0\xa0KB")
    assert (shown.hours[12].ended, shown.hours[12].bad) == (3, 1)


def test_a_ranking_is_of_its_days_and_disk_of_all_that_is_kept() -> None:
    script = make_script()
    ended(script, days_ago=40, log_bytes=100)
    counting.count_all()
    [row] = all_scripts.figures_of_scripts(now=NOW, days=30)
    assert (row.runs, row.kept_runs, row.kept_bytes) == (0, 1, 100)


# --- doors ----------------------------------------------------------------------------------------------------------
def test_the_api_tells_the_figures_of_a_script(program: Client) -> None:
    script = make_script(memory_mb=512)
    at = timezone.now()
    for status, seconds in ((Status.SUCCEEDED, 42.0), (Status.FAILED, 1.0)):
        ended(script, status, finished_at=at, duration_s=seconds, peak_memory_mb=99.5, late_ms=7)
    shown = program.get(f"/api/v1/scripts/{script.slug}/statistics?days=7").json()
    assert (shown["runs"], shown["duration"]["median_s"], shown["memory_limit_mb"]) == (
        2,
        42.0,
        512,
    )
    assert shown["success"][0] == {"period": "24 h", "good": 1, "bad": 1, "rate": 50.0}
    assert shown["punctuality"]["rate"] == 100.0
    assert shown["streak"] == {"good": 0, "bad": 1, "longest_good": 1}
    assert [(day["succeeded"], day["failed"]) for day in shown["items"]] == [(1, 1)]


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_a_span_that_is_none_is_refused(program: Client, days: str) -> None:
    address = f"/api/v1/scripts/{make_script().slug}/statistics"
    assert program.get(address, {"days": days}).status_code == 422


def test_the_api_lists_the_figures_of_all_scripts(program: Client) -> None:
    script = make_script()
    ended(script, finished_at=timezone.now())
    counting.count_all()
    [item] = program.get("/api/v1/statistics").json()["items"]
    assert (item["script"], item["runs"], item["rate"]) == (script.slug, 1, 100.0)


def test_the_page_of_a_script_says_how_it_is_doing(browser: Client) -> None:
    script = make_script()
    ended(script, finished_at=timezone.now(), duration_s=42.0)
    ended(script, Status.FAILED, finished_at=timezone.now())
    page = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert "50<small> %</small>" in page and "42 s" in page and "1<small> bad</small>" in page


def test_what_is_not_known_is_no_figure(browser: Client) -> None:
    script = make_script()
    ended(script, Status.MISSED, finished_at=timezone.now(), reason=Reason.SERVICE_DOWN)
    overview = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert "none succeeded or failed" in overview and "none was good in a year" in overview
    assert "0 MB" not in overview and "0<small> good</small>" not in overview
    statistics = browser.get(reverse("statistics")).content.decode()
    assert "No run ended in these days." in statistics and "hour-bars" not in statistics


def test_a_live_run_says_how_long_it_usually_takes(browser: Client) -> None:
    script = make_script()
    ended(script, finished_at=timezone.now(), duration_s=42.0)
    live = make_run(script, status=Status.RUNNING, started_at=timezone.now())
    page = browser.get(reverse("run-detail", args=[live.pk])).content.decode()
    assert "usually 42 s" in page


def test_the_list_of_scripts_leads_to_the_overview(browser: Client) -> None:
    script = make_script()
    page = browser.get(reverse("script-list")).content.decode()
    assert reverse("script-overview", args=[script.slug]) in page


def test_the_page_of_statistics_takes_a_span_and_ignores_nonsense(browser: Client) -> None:
    ended(make_script("Fine name"), finished_at=timezone.now())
    counting.count_all()
    for days in ("7", "nonsense"):
        page = browser.get(reverse("statistics"), {"days": days})
        assert page.status_code == 200 and "Fine name" in page.content.decode()


def test_peaks_are_the_most_that_runs_of_the_last_year_took() -> None:
    script = make_script()
    ended(script, days_ago=400, peak_memory_mb=900)
    ended(script, days_ago=40, peak_memory_mb=120, duration_s=95)
    ended(script, status=Status.FAILED, peak_memory_mb=80, cpu_s=12)
    counting.count_all()
    assert peaks.peaks_of(script, now=NOW) == {
        "timeout_s": "1 min 35 s",
        "memory_mb": "120 MB",
        "cpu_s": "12 s",
    }
    assert peaks.peaks_of(make_script("New"), now=NOW) == {}
