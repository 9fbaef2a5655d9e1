"""Failures grouped: counted as runs end, and what is said of each group."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_app.execution import finish
from runs_app.failures import groups
from runs_app.history import retention
from runs_app.models import FailureGroup, Run
from runs_app.states import Reason, Status
from scripts_app import scripts
from scripts_app.models import Environment, Script
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=2)


@pytest.fixture
def script() -> Script:
    return make_script("Hello")


def fail(script: Script, code: int = 1, **fields: Any) -> Run:
    run = make_run(script, status=Status.RUNNING, **fields)
    finish.end(run, Status.FAILED, now=NOW, reason=Reason.EXIT_CODE, exit_code=code)
    return run


def succeed(script: Script, times: int = 1) -> None:
    for _ in range(times):
        finish.end(make_run(script, status=Status.RUNNING), Status.SUCCEEDED, now=NOW)


def row_of(script: Script, **fields: Any) -> groups.FailureRow:
    (row,) = groups.page(now=fields.pop("now", NOW), limit=10, script=script.slug)
    return row


def test_equal_failures_are_one_group(script: Script) -> None:
    first = fail(script)
    last = fail(script)
    group = row_of(script).group
    assert (group.count, group.first_run, group.last_run) == (2, first.pk, last.pk)
    assert group.title == "Exit code 1."


def test_other_failures_are_other_groups(script: Script) -> None:
    fail(script, 1)
    fail(script, 2)
    assert [row.group.title for row in groups.page(now=NOW, limit=10)] == [
        "Exit code 2.",
        "Exit code 1.",
    ]


def test_a_failure_is_new_for_a_day(script: Script) -> None:
    fail(script)
    assert row_of(script).state == groups.NEW
    assert row_of(script, now=LATER).state == groups.GOING_ON


def test_a_failure_behind_a_success_is_there_again(script: Script) -> None:
    fail(script)
    fail(script)
    assert row_of(script).state == groups.NEW
    succeed(script)
    again = fail(script)
    assert row_of(script).state == groups.AGAIN
    fail(script)
    assert row_of(script).group.since_run == again.pk


def test_a_failure_is_gone_after_twenty_runs_without_it(script: Script) -> None:
    fail(script)
    succeed(script, 19)
    assert row_of(script).state == groups.NEW
    fail(script, 2)
    gone = groups.page(now=NOW, limit=10)[1]
    assert (gone.state, gone.state_words) == (groups.GONE, "gone for 20 runs")


def test_a_run_that_ends_late_does_not_set_the_group_back(script: Script) -> None:
    early = make_run(script, status=Status.RUNNING)
    last = fail(script)
    finish.end(early, Status.FAILED, now=NOW, reason=Reason.EXIT_CODE, exit_code=1)
    assert row_of(script).group.last_run == last.pk


def test_the_version_since_which_it_fails_is_named(script: Script) -> None:
    succeed(script)
    script = scripts.update(script, by=None, now=NOW, code="print(2)\n")
    fail(script)
    row = row_of(script)
    assert (row.since, row.versions) == ("v2", "v2")


def test_the_package_since_which_it_fails_is_named(script: Script) -> None:
    fields = {"interpreter": "/usr/bin/python3", "python": "3.12.1", "state": "ready"}
    old = Environment.objects.create(requirements="requests", lock="requests==2.31.0\n", **fields)
    new = Environment.objects.create(requirements="requests>2", lock="requests==2.32.0\n", **fields)
    make_run(script, status=Status.SUCCEEDED, environment=old)
    fail(script, environment=new)
    assert row_of(script).since == "requests 2.31.0 → 2.32.0"


def test_without_a_change_the_page_says_so(script: Script) -> None:
    succeed(script)
    fail(script)
    assert row_of(script).since == "no change of code or packages"


def test_other_scripts_with_the_same_failure_are_named(script: Script) -> None:
    other = make_script("Other")
    fail(script)
    fail(other)
    assert row_of(script).others == [other]


def test_a_page_costs_the_same_queries_for_many_groups(script: Script) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            groups.page(now=NOW, limit=100)
        return len(captured)

    succeed(script)
    fail(script)
    few = queries()
    for code in range(2, 30):
        fail(script, code)
    assert queries() == few
    assert few <= 5


def test_pages_follow_each_other(script: Script) -> None:
    for code in range(1, 6):
        fail(script, code)
    first = groups.page(now=NOW, limit=3)
    rest = groups.page(now=NOW, limit=3, before=groups.position_in(groups.cursor(first[-1].group)))
    titles = [row.group.title for row in [*first, *rest]]
    assert titles == [f"Exit code {code}." for code in (5, 4, 3, 2, 1)]


def test_groups_that_nobody_has_seen_for_long_go(script: Script) -> None:
    fail(script)
    assert groups.prune(now=NOW + timedelta(days=31), keep=timedelta(days=30)) == 1


def test_of_a_script_with_ever_new_failures_the_newest_are_kept(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MAX_OF_SCRIPT", 2)
    for code in range(1, 5):
        fail(script, code)
    assert groups.prune(now=NOW, keep=timedelta(days=30)) == 2
    assert {row.group.title for row in groups.page(now=NOW, limit=9)} == {
        "Exit code 4.",
        "Exit code 3.",
    }


def test_retention_keeps_the_first_run_of_a_group(script: Script) -> None:
    first = fail(script, created_at=NOW - timedelta(days=90))
    second = fail(script, created_at=NOW - timedelta(days=89))
    fail(script)
    retention.prune(now=NOW)
    assert Run.objects.filter(pk=first.pk).exists()
    assert not Run.objects.filter(pk=second.pk).exists()
    assert FailureGroup.objects.get().count == 3
