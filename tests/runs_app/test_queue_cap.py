"""The cap of the queue: what would wait beyond it is refused, or skipped with the reason in the ledger."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from runs_app.models import Run
from runs_app.scheduler import due_moments
from runs_app.scheduler.due_moments import DueMoment
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.triggers import reruns, triggers
from scripts_app.models import Script
from tests.calling import send
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(settings: Settings) -> Script:
    """A script in front of a queue that is full."""
    settings.MAX_QUEUED_RUNS = 2
    script = make_script()
    make_run(script)
    make_run(script)
    return script


def test_the_api_answers_503_with_the_reason_and_queues_nothing(
    script: Script, program: Client
) -> None:
    status, body = send(program, "POST", f"/scripts/{script.slug}/runs", {"confirm": True})
    assert (status, body["error"]["code"]) == (503, "queue_full")
    assert "2 runs wait already" in body["error"]["message"]
    assert "PYSCHED_MAX_QUEUED_RUNS" in body["error"]["hint"]
    assert Run.objects.count() == 2


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.COMMAND, Trigger.ADMIN])
def test_no_door_queues_more(script: Script, trigger: Trigger) -> None:
    with pytest.raises(triggers.QueueFull, match="The queue is full"):
        triggers.start(script, trigger=trigger, by="ann", now=timezone.now())
    assert Run.objects.count() == 2


def test_a_run_repeated_as_it_was_is_refused_too(script: Script) -> None:
    earlier = make_run(script, status=Status.FAILED, environment=script.environment)
    with pytest.raises(triggers.QueueFull):
        reruns.rerun(earlier, trigger=Trigger.MANUAL, by="ann", now=timezone.now())


def test_a_due_moment_is_skipped_and_its_row_says_why(script: Script) -> None:
    schedule = make_schedule(script, overlap="parallel", max_parallel=10)
    due_moments.record([DueMoment(schedule=schedule, due_at=NOW)], now=NOW)
    row = Run.objects.get(schedule=schedule)
    assert (row.status, row.reason) == (Status.SKIPPED, Reason.QUEUE)
    assert "2 runs wait already" in row.explain()
    assert row.finished_at == NOW


def test_builds_do_not_count(settings: Settings) -> None:
    settings.MAX_QUEUED_RUNS = 1
    script = make_script()
    make_run(None, kind=Kind.BUILD)
    run = triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    assert run.status == Status.QUEUED
