"""The daily figures: each run is counted once, whatever happens in between."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_app.figures import counting, reading
from runs_app.figures.tally import Tally, total
from runs_app.models import CountedRuns, DailyFigures, Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 23)
FOREVER = date(2000, 1, 1)


def ended(script: Script, status: Status = Status.SUCCEEDED, **fields: Any) -> Run:
    """A run that ended now."""
    fields = {"duration_s": 1.0, "finished_at": NOW, "created_at": NOW, **fields}
    return make_run(script, status=status, **fields)


def stored(script: Script) -> Tally:
    """What the rows of a script add up to, without the runs that are not counted yet."""
    rows = DailyFigures.objects.filter(script=script).order_by("day")
    return total(counting.tally_of_row(row) for row in rows)


def test_a_row_for_each_script_and_day_and_one_for_all_scripts() -> None:
    one, two = make_script("One"), make_script("Two")
    ended(one)
    ended(two, Status.FAILED)
    ended(two, finished_at=NOW - timedelta(days=1))
    counting.count_all()
    rows = DailyFigures.objects.order_by("script", "day").values_list("script", "day", "succeeded")
    yesterday = TODAY - timedelta(days=1)
    assert list(rows) == [
        (None, yesterday, 1),
        (None, TODAY, 1),
        (one.pk, TODAY, 1),
        (two.pk, yesterday, 1),
        (two.pk, TODAY, 0),
    ]


def test_a_run_is_counted_once_however_often_it_is_looked_at() -> None:
    script = make_script()
    ended(script)
    for _ in range(3):
        counting.count_all()
    ended(script)
    counting.count_all()
    assert stored(script).succeeded == 2


def test_a_long_run_is_counted_when_it_ends() -> None:
    script = make_script()
    long = make_run(script, status=Status.RUNNING, started_at=NOW)
    ended(script)
    counting.count_all()
    assert stored(script).runs == 1
    Run.objects.filter(pk=long.pk).update(status=Status.FAILED, finished_at=NOW)
    counting.count_all()
    counting.count_all()
    assert (stored(script).succeeded, stored(script).failed) == (1, 1)


def test_a_crash_before_the_commit_loses_nothing_and_counts_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = make_script()
    ended(script)

    def fail(_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(counting, "_add", fail)
        with pytest.raises(OSError, match="power"):
            counting.count_all()
    assert not DailyFigures.objects.exists() and CountedRuns.objects.get().last == 0
    counting.count_all()
    assert stored(script).succeeded == 1


def test_of_two_who_count_the_slower_one_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script = make_script()
    ended(script)
    real = counting.tallies_of

    def overtaken(runs: list[Run]) -> dict[counting.Key, Tally]:
        monkeypatch.setattr(counting, "tallies_of", real)
        counting.count_all()
        return real(runs)

    monkeypatch.setattr(counting, "tallies_of", overtaken)
    assert not counting.count_batch()
    assert stored(script).succeeded == 1


def test_an_old_history_is_counted_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BATCH", 3)
    monkeypatch.setattr(counting, "MAX_BATCHES", 4)
    script = make_script()
    for _ in range(14):
        ended(script)
    assert counting.count_some(now=NOW)
    assert stored(script).runs == 12
    assert not counting.count_some(now=NOW)
    assert stored(script).runs == 14


def test_what_is_not_counted_yet_is_in_the_answer_all_the_same() -> None:
    script = make_script()
    long = make_run(script, status=Status.RUNNING)
    ended(script)
    counting.count_all()
    ended(script, Status.FAILED)
    Run.objects.filter(pk=long.pk).update(status=Status.SUCCEEDED, finished_at=NOW)
    days = reading.days_of_script(script.pk, since=FOREVER)
    assert (days[TODAY].succeeded, days[TODAY].failed) == (2, 1)
    assert reading.days_of_all(since=FOREVER)[TODAY].runs == 3


def test_builds_and_runs_under_way_are_in_no_figure() -> None:
    make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, status=Status.FAILED, finished_at=NOW)
    make_run(make_script(), status=Status.RUNNING)
    counting.count_all()
    assert not DailyFigures.objects.exists()


def test_what_retention_removes_stays_in_the_figures_and_leaves_what_is_kept() -> None:
    script = make_script()
    gone, _ = ended(script, log_bytes=100), ended(script, log_bytes=11)
    counting.count_all()
    counting.forget([gone])
    assert (stored(script).runs, stored(script).kept_runs, stored(script).kept_bytes) == (2, 1, 11)


def test_removed_runs_of_many_days_cost_one_statement_and_read_no_figures() -> None:
    # In the transaction of retention: all that is read and computed in it holds up everybody who writes.
    script = make_script()
    gone = [ended(script, finished_at=NOW - timedelta(days=days), log_bytes=7) for days in range(9)]
    ended(script, log_bytes=11)
    counting.count_all()
    assert counting.kept_bytes() == 74
    with CaptureQueriesContext(connection) as queries:
        counting.forget(gone)
    assert len(queries) == 1
    assert (stored(script).runs, stored(script).kept_runs, counting.kept_bytes()) == (10, 1, 11)


def test_what_was_not_counted_yet_is_not_taken_from_what_is_kept() -> None:
    counting.forget([ended(make_script(), log_bytes=7)])
    assert not DailyFigures.objects.filter(kept_runs__lt=0).exists()


def test_the_last_hours_go_back_over_midnight() -> None:
    script = make_script()
    ended(script, Status.FAILED, finished_at=NOW - timedelta(hours=23))
    ended(script, Status.FAILED, finished_at=NOW - timedelta(hours=25))
    days = reading.days_of_script(script.pk, since=FOREVER)
    last = reading.last_hours(days, NOW, count=24)
    assert (last.ended, last.bad) == (1, 1)


def test_a_batch_costs_as_many_statements_for_one_run_as_for_many() -> None:
    scripts = [make_script(f"Number {number}") for number in range(5)]

    def statements(runs: list[Script]) -> int:
        for script in runs:
            ended(script)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            counting.count_batch()
        return len(queries)

    statements(scripts)
    assert statements(scripts[:1]) == statements(scripts * 4)


def test_nothing_new_costs_two_reads_and_no_write() -> None:
    ended(make_script())
    counting.count_all()
    with CaptureQueriesContext(connection) as queries:
        counting.count_all()
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * len(queries)


def test_days_are_those_of_the_servers_zone() -> None:
    script = make_script()
    ended(script, finished_at=datetime(2026, 11, 23, 23, 59, tzinfo=UTC))
    assert list(reading.days_of_script(script.pk, since=FOREVER)) == [TODAY]
