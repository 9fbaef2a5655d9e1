"""A run is born whole or not at all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from runs_app import tasks
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.models import Environment
from tests.factories import make_script

pytestmark = pytest.mark.django_db


def start(**fields: Any) -> Run:
    """Start a new script by hand."""
    return triggers.start(
        make_script(**fields), trigger=Trigger.MANUAL, by="ann", now=timezone.now()
    )


def test_a_run_is_queued_with_its_version_and_limit() -> None:
    run = start(timeout_s=7)
    assert run.script
    version = run.script.version
    assert (run.status, run.version, run.timeout_s, run.by) == (Status.QUEUED, version, 7, "ann")


def test_row_and_queue_entry_are_one_transaction() -> None:
    script = make_script()
    with pytest.raises(RuntimeError), transaction.atomic():
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
        raise RuntimeError
    assert (Run.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_it_costs_few_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    script = make_script()
    # version, savepoint, is the queue full, last run, run, is anything waiting, queue row, audit, release
    with django_assert_num_queries(9):
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())


def test_a_deleted_script_is_refused() -> None:
    script = make_script()
    scripts.delete(script, now=timezone.now())
    with pytest.raises(triggers.Refused, match="was deleted"):
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())


def test_a_version_that_python_cannot_read_is_refused_with_its_line() -> None:
    script = make_script(code="x = 1\ndef f(:\n")
    with pytest.raises(
        triggers.Refused, match="line 2: invalid syntax\\.\nhint: correct it"
    ) as refused:
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    assert (refused.value.reason, Run.objects.count()) == (Reason.SYNTAX, 0)


def test_below_the_floor_of_free_space_nothing_starts(settings: Settings) -> None:
    script = make_script()
    settings.MIN_FREE_MB = 10**12
    with pytest.raises(triggers.Refused, match="hint: free some space"):
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())


def test_a_script_without_environment_says_what_it_waits_for() -> None:
    assert start(is_ready=False).reason == Reason.ENVIRONMENT


def test_a_build_is_a_run_of_its_own_kind() -> None:
    environment = Environment.objects.create(python="3.12.1", interpreter="/usr/bin/python3")
    assert triggers.start_build(environment, now=timezone.now()).kind == Kind.BUILD


def test_a_burst_of_runs_costs_one_task() -> None:
    script = make_script()
    for _ in range(5):
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    assert (Run.objects.count(), OrmQ.objects.count()) == (5, 1)


def test_a_task_that_was_taken_already_is_not_relied_on() -> None:
    script = make_script()
    triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    OrmQ.objects.update(lock=timezone.now() + timedelta(seconds=60))
    triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    assert OrmQ.objects.count() == 2


@pytest.mark.parametrize("task", [tasks.prune, tasks.collect_environments])
def test_every_task_admits(task: Callable[[], None]) -> None:
    run = start()
    task()
    run.refresh_from_db()
    assert run.status == Status.STARTING
