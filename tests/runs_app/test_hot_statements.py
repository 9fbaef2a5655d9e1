"""The statements that are written as SQL: of the tables as they are, and with the ORM's answers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Max, Min
from django_q.models import Schedule as Alarm

from runs_app import hot_statements, states
from runs_app.models import Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.environments import environments
from scripts_app.models import Environment, Pause, Schedule, Script
from scripts_app.schedules import global_pause, schedules
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MODELS = (Run, Script, Schedule, Environment, Pause, Alarm)


def test_their_tables_are_the_models() -> None:
    statements = " ".join(
        text
        for name, text in vars(hot_statements).items()
        if name.isupper() and "SELECT" in str(text)
    )
    named = {word for word in statements.split() if word.startswith(("runs_app_", "scripts_app_"))}
    assert named <= {model._meta.db_table for model in MODELS}
    for words in (states.ACTIVE, states.UNDER_WAY, states.WAITING, environments.UNFINISHED):
        assert all(f"'{word}'" in statements for word in words)


def test_the_next_number_is_the_one_that_the_database_gives() -> None:
    make_run().delete()
    expected = hot_statements.queue_state(now=NOW).next_pk
    assert make_run().pk == expected


def test_whoever_is_under_way_is_told_with_what_admission_asks_for() -> None:
    script = make_script()
    run = make_run(script, status=Status.RUNNING, memory_mb=70, handed_over_at=NOW)
    make_run(script, status=Status.SUCCEEDED)
    make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, status=Status.RUNNING)
    (found,) = hot_statements.queue_state(now=NOW).under_way
    facts = (found.pk, found.script_id, found.memory_mb, found.handed_over_at)
    assert facts == (run.pk, script.pk, 70, NOW)


@pytest.mark.parametrize(("kind", "is_queued"), [(Kind.SCRIPT, True), (Kind.BUILD, False)])
def test_only_scripts_wait_for_a_place(kind: Kind, is_queued: bool) -> None:
    make_run(kind=kind)
    assert hot_statements.queue_state(now=NOW).is_anyone_queued is is_queued


@pytest.mark.parametrize("until", [None, NOW + HOUR, NOW - HOUR])
def test_the_pause_of_all_is_the_one_that_pages_see(until: datetime | None) -> None:
    Pause.objects.create(since=NOW - 2 * HOUR, until=until)
    is_paused = hot_statements.queue_state(now=NOW).is_paused
    assert is_paused == (global_pause.current_pause(NOW) is not None)


def test_the_next_moment_is_the_earliest_of_alarms_and_tries() -> None:
    schedule = make_schedule()
    make_run(schedule.script, schedule=schedule, not_before=NOW + timedelta(seconds=3))
    expected = Run.objects.aggregate(first=Min("not_before"))["first"]
    assert hot_statements.next_moment(alarms=schedules.CLUSTER, now=NOW) == expected
    Run.objects.all().delete()
    expected = Alarm.objects.aggregate(first=Min("next_run"))["first"]
    assert hot_statements.next_moment(alarms=schedules.CLUSTER, now=NOW) == expected


def test_rows_beside_due_moments_are_the_active_ones_and_the_recorded_ones() -> None:
    schedule = make_schedule()
    script = schedule.script
    active = make_run(script, status=Status.RUNNING)
    recorded = make_run(script, schedule=schedule, due_at=NOW, status=Status.SUCCEEDED)
    make_run(script, status=Status.SUCCEEDED)
    found = hot_statements.runs_beside(scripts=[script.pk], schedules=[schedule.pk], due=[NOW])
    assert [(run.pk, run.is_active, run.due_at) for run in found] == [
        (recorded.pk, False, NOW),
        (active.pk, True, None),
    ]


def test_each_statement_finds_its_rows_by_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {hot_statements._BESIDE}", ("[1]", "[1]", "[]"))
        plan = [str(row[3]) for row in cursor.fetchall()]
    assert not [step for step in plan if step.startswith("SCAN runs_app_run")]


def test_the_largest_peak_before_a_run_is_the_orm_s() -> None:
    script = make_script()
    for peak in (10.0, 30.0, 20.0):
        make_run(script, peak_memory_mb=peak)
    last = make_run(script)
    expected = Run.objects.aggregate(largest=Max("peak_memory_mb"))["largest"]
    assert hot_statements.peaks_mb({script.pk: last.pk}, last=30) == {script.pk: expected}


def stored_row(run: Run) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM runs_app_run WHERE id = %s", [run.pk])
        (row,) = cursor.fetchall()
    return list(row[1:])


def test_a_new_run_is_stored_as_the_orm_stores_it() -> None:
    schedule = make_schedule()
    for fields in (
        {"script": schedule.script, "trigger": Trigger.MANUAL, "by": "ann", "created_at": NOW},
        {
            "schedule": schedule,
            "trigger": Trigger.RETRY,
            "status": Status.MISSED,
            "created_at": NOW + timedelta(microseconds=7),
            "due_at": NOW,
            "params": {"größe": [1, None, True]},
            "duration_s": 0.1,
            "overran": True,
        },
    ):
        by_orm, by_sql = Run(**fields), Run(**fields)
        by_orm.save()
        expected = stored_row(by_orm)
        by_orm.delete()  # one run a due moment
        by_sql.pk = hot_statements.queue_state(now=NOW).next_pk
        hot_statements.insert_runs([by_sql])
        assert stored_row(by_sql) == expected
        assert Run.objects.get(pk=by_sql.pk).params == by_sql.params


def test_what_waits_is_what_somebody_asked_for() -> None:
    assert hot_statements.what_waits() == (False, False)
    make_run(make_script(is_ready=False))
    assert hot_statements.what_waits() == (True, True)


def test_an_end_is_stored_as_the_orm_stores_it() -> None:
    fields: dict[str, Any] = {
        "status": Status.FAILED,
        "finished_at": NOW,
        "duration_s": 1,
        "exit_code": None,
        "isolation_degraded": True,
        "explanation": {"title": "a"},
    }
    by_orm, by_statement = make_run(), make_run()
    Run.objects.filter(pk=by_orm.pk).update(**fields)
    assert hot_statements.update_run(by_statement.pk, among=[Status.QUEUED], **fields)
    stored = [Run.objects.values(*fields).get(pk=run.pk) for run in (by_orm, by_statement)]
    assert stored[0] == stored[1] == fields


def test_a_row_that_has_moved_on_is_left_alone() -> None:
    run = make_run(status=Status.CANCELLED)
    among = [Status.STARTING, Status.RUNNING]
    assert not hot_statements.update_run(run.pk, among=among, status=Status.SUCCEEDED)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
