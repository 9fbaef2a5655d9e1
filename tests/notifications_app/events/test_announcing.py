"""Which ends of runs are told, to whom, and how often."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications_app.events import announcing, outbox
from notifications_app.models import Channel, Delivery, Event, Incident
from notifications_app.rules import book, rules
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.notifications_app.telling import end_run, make_channel, make_rule

pytestmark = pytest.mark.django_db
F, S = Status.FAILED, Status.SUCCEEDED


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def tell(script: Script, *ends: Status) -> list[str]:
    """What is told of these ends, one a minute: the events in their order."""
    for minute, status in enumerate(ends):
        end_run(script, status, at=minutes(minute))
        announcing.step(now=minutes(minute))
    return events()


def events() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("event", flat=True))


@pytest.mark.parametrize(
    ("rule", "ends", "told"),
    [
        ({}, (F,), ["failed"]),
        ({}, (S, S), []),
        ({}, (F, F, F), ["failed"]),
        ({}, (F, F, S, S, F), ["failed", "recovered", "failed"]),
        ({}, (Status.TIMED_OUT, Status.LOST, S), ["failed", "recovered"]),
        ({}, (F, Status.CANCELLED, F, S), ["failed", "recovered"]),
        ({"after": 3}, (F, F), []),
        ({"after": 3}, (F, F, S), []),
        ({"after": 3}, (F, F, F, F, S), ["failed", "recovered"]),
        ({"every": 2}, (F, F, F, F, F), ["failed"] * 3),
        ({"after": 2, "every": 3}, (F,) * 8, ["failed"] * 3),
        ({"events": ["recovered"]}, (F, F, S), ["recovered"]),
        ({"events": ["succeeded"]}, (F, S, S), ["succeeded"] * 2),
        ({"events": []}, (F, S), []),
        ({"enabled": False}, (F, S), []),
    ],
)
def test_a_rule_is_told_of(rule: dict[str, Any], ends: tuple[Status, ...], told: list[str]) -> None:
    make_rule(**rule)
    assert tell(make_script(), *ends) == told


def test_a_recovery_says_after_how_long_and_how_many_runs() -> None:
    make_rule()
    tell(make_script("Backup"), F, F, F, S)
    row = Delivery.objects.get(event=Event.RECOVERED)
    assert row.title == "Backup recovered after 3 min (3 failed runs)"
    assert row.facts == {"streak": 3, "lasted_s": 180.0}


def test_messages_of_one_incident_are_one_thread_and_of_the_next_another() -> None:
    make_rule()
    tell(make_script(), F, S, F)
    first, recovery, second = [
        row.incident_id for row in Delivery.objects.order_by("pk").select_related("incident")
    ]
    assert first == recovery != second


def test_scripts_are_counted_apart() -> None:
    make_rule(after=2)
    one, other = make_script("One"), make_script("Other")
    assert tell(one, F) == tell(other, F) == []
    assert tell(one, F) == ["failed"]


def test_each_end_is_told_once_however_often_it_is_looked_at() -> None:
    make_rule()
    run = end_run(make_script())
    assert announcing.announce(run, now=NOW)
    assert not announcing.announce(run, now=NOW)
    assert events() == ["failed"]


def test_a_rule_that_comes_later_is_told_at_the_next_failure() -> None:
    make_rule(make_channel("first"))
    script = make_script()
    tell(script, F, F)
    make_rule(make_channel("second"))
    tell(script, F)
    told = Delivery.objects.order_by("pk").values_list("channel__name", flat=True)
    assert list(told) == ["first", "second"]


def test_a_deleted_script_is_not_told_of() -> None:
    make_rule()
    script = make_script()
    end_run(script)
    Script.objects.update(deleted_at=NOW)
    announcing.step(now=NOW)
    assert events() == []
    assert not book.unannounced().exists()


def test_a_channel_that_is_put_aside_gets_no_rows() -> None:
    rule = make_rule()
    Channel.objects.filter(pk=rule.channel.pk).update(suspended_at=NOW)
    assert tell(make_script(), F) == []


def test_one_run_that_cannot_be_told_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_rule()
    bad, good = end_run(make_script("Bad")), end_run(make_script("Good"))
    tell_of_run = outbox.tell_of_run

    def fail_for_bad(event: Event, run: Run, *args: Any, **more: Any) -> int:
        if run.pk == bad.pk:
            raise ValueError("planted")
        return tell_of_run(event, run, *args, **more)

    monkeypatch.setattr(outbox, "tell_of_run", fail_for_bad)
    announcing.step(now=NOW)
    assert [row.run_id for row in Delivery.objects.all()] == [good.pk]
    assert not book.unannounced().exists()


def test_a_failure_that_is_tried_again_soon_is_no_failure_yet() -> None:
    make_rule()
    schedule = make_schedule(every_s=3600, retries=2, retry_delay_s=60)
    run = make_run(schedule.script, schedule=schedule, status=Status.RUNNING, started_at=NOW)
    _end_try(run)
    assert events() == []
    second = Run.objects.get(attempt=2)
    _end_try(_begun(second))
    third = Run.objects.get(attempt=3)
    _end_try(_begun(third))
    assert events() == ["failed"]


def test_a_failure_whose_next_try_would_come_too_late_is_told() -> None:
    make_rule()
    schedule = make_schedule(every_s=60, retries=1, retry_delay_s=3600)
    run = make_run(schedule.script, schedule=schedule, status=Status.RUNNING, started_at=NOW)
    _end_try(run)
    assert Run.objects.filter(attempt=2).exists()
    assert events() == ["failed"]


def _begun(run: Run) -> Run:
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, started_at=NOW)
    run.refresh_from_db()
    return run


def _end_try(run: Run) -> None:
    finish.end(run, F, now=NOW, reason=Reason.EXIT_CODE, exit_code=1)
    announcing.step(now=NOW)


def _no_run(script: Script, status: Status, reason: Reason, at: datetime = NOW) -> None:
    schedule = script.schedules.first() or make_schedule(script)
    make_run(
        script,
        schedule=schedule,
        status=status,
        reason=reason,
        trigger=Trigger.SCHEDULE,
        finished_at=at,
        message="Why.",
    )
    announcing.step(now=at)


@pytest.mark.parametrize(
    ("status", "reason", "count", "told"),
    [
        (Status.MISSED, Reason.SERVICE_DOWN, 1, 1),
        (Status.MISSED, Reason.SERVICE_DOWN, 2, 2),
        (Status.SKIPPED, Reason.OVERLAP, 2, 0),
        (Status.SKIPPED, Reason.OVERLAP, 3, 1),
        (Status.SKIPPED, Reason.OVERLAP, 9, 1),
        (Status.SKIPPED, Reason.PAUSED, 9, 0),
        (Status.SKIPPED, Reason.DISABLED, 9, 0),
    ],
)
def test_what_did_not_run_is_told(status: Status, reason: Reason, count: int, told: int) -> None:
    make_rule(skipped=3)
    script = make_script()
    for _ in range(count):
        _no_run(script, status, reason)
    assert events() == ["did_not_run"] * told


def test_a_run_in_between_begins_the_count_of_skipped_ones_anew() -> None:
    make_rule(skipped=2)
    script = make_script()
    _no_run(script, Status.SKIPPED, Reason.OVERLAP)
    tell(script, S)
    _no_run(script, Status.SKIPPED, Reason.OVERLAP)
    assert events() == []
    _no_run(script, Status.SKIPPED, Reason.OVERLAP)
    assert events() == ["did_not_run"]


def test_a_rule_that_comes_later_is_told_at_the_next_skipped_start() -> None:
    rule = make_rule(skipped=9)
    script = make_script()
    for _ in range(4):
        _no_run(script, Status.SKIPPED, Reason.OVERLAP)
    rules.save(rule, {"skipped": 3})
    for _ in range(2):
        _no_run(script, Status.SKIPPED, Reason.OVERLAP)
    assert events() == ["did_not_run"]


def test_a_late_start_is_told_where_a_rule_says_how_late() -> None:
    make_rule(late_s=60)
    script = make_script("Backup")
    end_run(script, S, late_ms=59_000)
    end_run(script, S, late_ms=90_000)
    announcing.step(now=NOW)
    assert [row.title for row in Delivery.objects.all()] == ["Backup is late by 1 min 30 s"]


@pytest.mark.parametrize(("status", "announced_at"), [(S, NOW), (F, None)])
def test_the_end_of_a_run_waits_for_no_question_about_its_telling(
    status: Status, announced_at: datetime | None
) -> None:
    make_rule()
    script = make_script()
    end_run(script, S)  # the first one reads the rules
    run = make_run(script, status=Status.RUNNING, started_at=NOW)
    with CaptureQueriesContext(connection) as queries:
        finish.end(run, status, now=NOW)
    assert not [query for query in queries if "notifications_app" in query["sql"]]
    run.refresh_from_db()
    assert run.announced_at == announced_at


def test_the_end_of_a_build_is_not_told() -> None:
    make_rule(events=[Event.FAILED, Event.SUCCEEDED])
    run = make_run(kind=Kind.BUILD, status=Status.RUNNING, trigger=Trigger.BUILD)
    finish.end(run, F, now=NOW)
    run.refresh_from_db()
    assert run.announced_at == NOW


def test_an_incident_stays_open_until_the_script_succeeds() -> None:
    make_rule()
    script = make_script()
    tell(script, F, F)
    assert Incident.objects.get().streak == 2
    tell(script, S)
    assert Incident.objects.get().recovered_at == NOW


def test_a_success_right_behind_a_failure_is_a_recovery_though_nobody_told_the_failure_yet() -> (
    None
):
    make_rule()
    script = make_script()
    end_run(script, F)
    end_run(script, S, at=minutes(1))
    announcing.step(now=minutes(2))
    assert events() == ["failed", "recovered"]


def test_a_failure_that_was_not_told_before_a_restart_is_known_to_be_there() -> None:
    make_rule()
    script = make_script()
    end_run(script, F)
    book.forget()  # what a new process begins with
    end_run(script, S, at=minutes(1))
    announcing.step(now=minutes(2))
    assert events() == ["failed", "recovered"]
