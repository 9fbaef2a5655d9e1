"""Limits of folders and scripts, what would go, and the page that says so."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule as Housekeeping
from pytest_django import Settings

from runs_app.engine import housekeeping
from runs_app.figures import counting, reading
from runs_app.history import retention, retention_rules
from runs_app.history.retention_rules import RetentionChange, RetentionLimits
from runs_app.models import RetentionRule, Run
from runs_app.states import Status
from scripts_app.models import Script
from tempo_site.stored_settings import store
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    """A browser of the staff."""
    client.force_login(staff)
    return client


def old(script: Script, days: int, status: Status = Status.SUCCEEDED, log_bytes: int = 0) -> Run:
    """A run of so many days ago."""
    at = NOW - days * DAY
    return make_run(script, status=status, created_at=at, finished_at=at, log_bytes=log_bytes)


def limit(**fields: object) -> None:
    """Save limits."""
    values = {"days": None, "runs": None, "mb": None, **fields}
    retention_rules.save(RetentionChange(**values), by="ann")  # type: ignore[arg-type]


def test_a_script_has_its_own_limits_else_its_folders_else_those_of_all(settings: Settings) -> None:
    settings.KEEP_DAYS, settings.KEEP_RUNS = 30, 1000
    inner, outer = make_script("Inner", folder="A/B"), make_script("Outer", folder="A")
    own, alone = make_script("Own", folder="A/B"), make_script("Alone")
    limit(folder=outer.folder, days=90, mb=5)
    limit(folder=inner.folder, runs=7)
    limit(script=own, days=1)
    found = retention_rules.rules().of_script
    assert found[outer.pk] == RetentionLimits(days=90, runs=1000, mb=5)
    assert found[inner.pk] == RetentionLimits(days=90, runs=7, mb=5)
    assert found[own.pk] == RetentionLimits(days=1, runs=7, mb=5)
    assert found[alone.pk] == RetentionLimits(days=30, runs=1000)


def test_the_limits_of_a_script_decide_what_goes() -> None:
    short, other = make_script("Short"), make_script("Other")
    limit(script=short, days=2)
    gone, kept = old(short, 3), [old(short, 1), old(other, 3)]
    retention.prune(now=NOW)
    assert set(Run.objects.all()) == set(kept)
    assert not Run.objects.filter(pk=gone.pk).exists()


def test_megabytes_of_a_script_are_those_of_its_newest_runs() -> None:
    script = make_script()
    limit(script=script, mb=2)
    old(script, 3, log_bytes=2**20)
    kept = [old(script, 2, log_bytes=2**20), old(script, 1, log_bytes=2**20)]
    retention.prune(now=NOW)
    assert set(Run.objects.all()) == set(kept)


def test_the_last_failure_stays_beyond_every_limit() -> None:
    script = make_script()
    limit(script=script, days=2)
    old(script, 9, Status.FAILED)
    failure = old(script, 8, Status.FAILED)
    old(script, 7)
    retention.prune(now=NOW)
    assert list(Run.objects.all()) == [failure]


def test_what_would_go_is_what_goes() -> None:
    script = make_script()
    for days in (50, 40, 3, 1):
        old(script, days, log_bytes=1000)
    old(script, 2, Status.FAILED)
    change = RetentionChange(days=2, runs=None, mb=None, script=script)
    now_going = retention.preview(now=NOW)
    going = retention.preview(now=NOW, change=change)
    assert (now_going.runs, going.runs, going.log_bytes) == (2, 3, 3000)
    assert not RetentionRule.objects.exists()
    retention_rules.save(change, by="ann")
    assert retention.prune(now=NOW) == going.runs


def test_the_megabytes_of_all_are_previewed_too(settings: Settings) -> None:
    script = make_script()
    for days in (3, 2, 1):
        old(script, days, log_bytes=2**20)
    change = RetentionChange(days=None, runs=None, mb=1)
    going = retention.preview(now=NOW, change=change)
    settings.KEEP_MB = 1
    assert going.runs == retention.prune(now=NOW) == 2


def test_what_goes_stays_in_the_figures() -> None:
    script = make_script()
    old(script, 40, log_bytes=1000)
    retention.prune(now=NOW)
    days = reading.days_of_script(script.pk, since=NOW.date() - 60 * DAY)
    total = reading.total_since(days, NOW.date() - 60 * DAY)
    assert (total.succeeded, total.kept_runs, total.kept_bytes) == (1, 0, 0)


def queries_of_prune() -> list[str]:
    counting.count_all()
    with CaptureQueriesContext(connection) as queries:
        retention.prune(now=NOW)
    return [query["sql"] for query in queries]


def test_nothing_to_delete_reads_by_index_and_sorts_nothing() -> None:
    script = make_script()
    for _ in range(5):
        old(script, 1)
    [sql] = [sql for sql in queries_of_prune() if "run_beyond" in sql]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall()]
    assert [step for step in steps if "run_of_script" in step]
    assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]


def test_it_asks_the_same_for_one_script_and_for_many() -> None:
    old(make_script(), 1)
    queries_of_prune()  # the limits are read once
    for_one = len(queries_of_prune())
    for number in range(5):
        old(make_script(f"Script {number}"), 1)
    assert len(queries_of_prune()) == for_one


# --- the page -------------------------------------------------------------------------------------------------------
def test_the_page_tells_what_would_go_before_anything_is_saved(admin: Client) -> None:
    script = make_script()
    at = timezone.now() - 5 * DAY
    make_run(script, status=Status.SUCCEEDED, created_at=at, finished_at=at, log_bytes=2048)
    tried = {"target": f"script:{script.pk}", "days": "2", "act": "try"}
    page = admin.post("/retention/", tried).content.decode()
    assert "<b>1 run, 2.0\xa0KB</b>" in page and not RetentionRule.objects.exists()
    admin.post("/retention/", {**tried, "act": "save"})
    rule = RetentionRule.objects.get()
    assert (rule.script, rule.days, rule.updated_by) == (script, 2, "root")
    admin.post(f"/retention/{rule.pk}/remove")
    assert not RetentionRule.objects.exists() and Run.objects.exists()


def test_the_limits_of_all_are_settings(admin: Client) -> None:
    admin.post("/retention/", {"target": "all", "days": "9", "act": "save"})
    assert (store.value("PYSCHED_KEEP_DAYS"), store.value("PYSCHED_KEEP_RUNS")) == (9, 1000)
    page = admin.get("/retention/").content.decode()
    assert "kept for 9 days, a script has" in page
    assert "1,000 runs at most" in page
    assert 'placeholder="9"' in page and 'placeholder="1000"' in page


def test_delete_now_has_the_hourly_task_begin(admin: Client) -> None:
    housekeeping.ensure_schedules(now=timezone.now())
    admin.post("/retention/now")
    assert Housekeeping.objects.get(name="retention").next_run <= timezone.now()


# --- the API --------------------------------------------------------------------------------------------------------
def send(client: Client, method: str, path: str, **body: object) -> Any:
    content = json.dumps(body) if body else ""
    answer = client.generic(method, f"/api/v1/retention{path}", content, "application/json")
    assert answer.status_code < 300, answer.content
    return answer.json() if answer.content else None


def test_the_api_tries_saves_lists_and_removes_limits(program: Client) -> None:
    script = make_script("Hello", folder="Ops")
    at = timezone.now() - 5 * DAY
    make_run(script, status=Status.SUCCEEDED, created_at=at, finished_at=at, log_bytes=2048)
    nothing, one = {"runs": 0, "log_bytes": 0}, {"runs": 1, "log_bytes": 2048}
    assert send(program, "POST", "/preview") == nothing
    assert send(program, "POST", "/preview", script="hello", days=2) == one
    assert not RetentionRule.objects.exists()
    send(program, "PUT", "", folder="Ops", mb=7)
    found = send(program, "PUT", "", script="hello", days=2)["items"]
    assert [(item["folder"], item["script"], item["days"], item["mb"]) for item in found] == [
        (None, None, 30, 2048),
        ("Ops", None, None, 7),
        (None, "hello", 2, None),
    ]
    assert send(program, "POST", "/preview") == one
    send(program, "DELETE", f"/{found[2]['id']}")
    assert [item["script"] for item in send(program, "GET", "")["items"]] == [None, None]
    assert program.delete(f"/api/v1/retention/{found[2]['id']}").status_code == 404


def test_the_api_deletes_now_and_says_what(program: Client) -> None:
    housekeeping.ensure_schedules(now=timezone.now())
    script = make_script()
    at = timezone.now() - 50 * DAY
    make_run(script, status=Status.SUCCEEDED, created_at=at, finished_at=at, log_bytes=9)
    assert send(program, "POST", "/delete-now") == {"runs": 1, "log_bytes": 9}
    assert Housekeeping.objects.get(name="retention").next_run <= timezone.now()


def test_the_api_changes_the_limits_of_all(program: Client) -> None:
    assert send(program, "PUT", "", runs=9)["items"][0]["runs"] == 9
    assert (store.value("PYSCHED_KEEP_DAYS"), store.value("PYSCHED_KEEP_RUNS")) == (30, 9)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"days": 0}, 422),
        ({"script": "hello", "folder": "Ops"}, 422),
        ({"script": "gone"}, 404),
        ({"folder": "Gone"}, 404),
    ],
)
def test_limits_that_cannot_be_are_refused(
    program: Client, body: dict[str, object], status: int
) -> None:
    answer = program.put("/api/v1/retention", body, "application/json")
    assert answer.status_code == status
    assert not RetentionRule.objects.exists()


@pytest.mark.parametrize("address", ["/retention/", "/retention/now", "/retention/1/remove"])
def test_others_than_staff_are_refused(browser: Client, address: str) -> None:
    assert browser.post(address).status_code == 403
