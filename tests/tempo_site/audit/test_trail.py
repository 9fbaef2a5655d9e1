"""The audit: who did what, from where; never a secret, never without an end."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from runs_app import tasks
from runs_app.states import Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.variables import variables
from tempo_site.accounts import rate_limits
from tempo_site.audit import net, trail
from tempo_site.models import AuditEntry
from tempo_site.stored_settings import store
from tests.calling import send
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def last() -> AuditEntry:
    found = AuditEntry.objects.first()
    assert found
    return found


def test_a_user_on_a_page_is_named_with_the_address(browser: Client) -> None:
    script = make_script()
    sent = {"enabled": "0"}
    browser.post(f"/scripts/{script.slug}/switch/", sent, REMOTE_ADDR="192.0.2.7")
    entry = last()
    assert (entry.actor, entry.name, entry.address) == ("user", "ann", "192.0.2.7")
    assert (entry.verb, entry.kind, entry.object_name) == ("changed", "script", "Hello World")
    assert entry.changes == {"enabled": [True, False]}


def test_a_key_is_named_and_a_run_that_it_starts(program: Client) -> None:
    make_script()
    run = send(program, "POST", "/scripts/hello-world/runs", {"confirm": True})[1]
    entry = last()
    assert (entry.actor, entry.name, entry.verb) == ("key", "tests", "started")
    assert entry.object_name == f"#{run['id']} of hello-world"


def test_what_nobody_asked_for_is_tempos_own() -> None:
    scripts.update(make_script(), by=None, now=NOW, enabled=False)
    assert (last().actor, last().name, last().address) == ("system", "", "")


def test_a_run_of_a_schedule_is_in_the_history_and_not_in_the_audit() -> None:
    script = make_script()
    AuditEntry.objects.all().delete()
    triggers.start(script, trigger=Trigger.SCHEDULE, by="", now=NOW)
    assert not AuditEntry.objects.exists()


def test_an_act_that_is_undone_leaves_no_row() -> None:
    script = make_script()
    AuditEntry.objects.all().delete()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        scripts.update(script, by=None, now=NOW, enabled=False)
        raise ZeroDivisionError
    assert not AuditEntry.objects.exists()


def test_of_a_variable_there_is_the_name_alone() -> None:
    for is_secret in (False, True):
        variables.save(None, name="TOKEN", value="hunter2", is_secret=is_secret, by="ann")
    variables.remove(None, "TOKEN")
    rows = list(AuditEntry.objects.order_by("pk").values("verb", "object_name", "changes"))
    assert [row["verb"] for row in rows] == ["created", "changed", "deleted"]
    assert "TOKEN" in rows[0]["object_name"] and "hunter2" not in str(rows)


def test_of_a_setting_there_are_both_values_and_of_a_secret_one_the_name() -> None:
    store.save({"FROM_EMAIL": "tempo@example.org", "SMTP_PASSWORD": "hunter2"}, by="ann")
    rows = {row.object_name: row.changes for row in AuditEntry.objects.filter(kind="setting")}
    assert rows == {"FROM_EMAIL": {"value": ["", "tempo@example.org"]}, "SMTP_PASSWORD": {}}


def test_what_is_kept_of_an_act_is_bounded() -> None:
    changes: dict[str, Any] = {f"field {number}": ["x" * 5000, None] for number in range(100)}
    trail.record("changed", kind="x" * 5000, name="y" * 5000, changes=changes)
    entry = last()
    assert len(entry.object_name) == 200 and len(entry.kind) == 40
    assert len(entry.changes) == trail.MAX_CHANGES
    assert {len(before) for before, _ in entry.changes.values()} == {trail.MAX_VALUE}


# --- log-ins --------------------------------------------------------------------------------------------------------
def test_log_ins_are_recorded_good_and_failed(client: Client, user: User) -> None:
    client.post("/login/", {"username": "ann", "password": "wrong"}, REMOTE_ADDR="192.0.2.1")
    client.post("/login/", {"username": "ann", "password": "correct horse"})
    rows = AuditEntry.objects.order_by("pk")
    assert [(row.actor, row.verb, row.object_name) for row in rows] == [
        ("stranger", "failed to log in", "ann"),
        ("user", "logged in", "ann"),
    ]
    assert rows[0].address == "192.0.2.1"


def test_a_name_that_nobody_has_is_not_kept_as_it_may_be_a_password(client: Client) -> None:
    client.post("/login/", {"username": "my-secret-password", "password": ""})
    assert last().verb == "failed to log in" and last().object_name == ""


def test_a_flood_of_failed_log_ins_writes_a_bounded_number_of_rows(client: Client) -> None:
    for _ in range(rate_limits.FAILED_LOG_INS_IN_AUDIT.count):
        rate_limits.take(rate_limits.FAILED_LOG_INS_IN_AUDIT, "all")
    client.post("/login/", {"username": "ann", "password": "wrong"})
    assert not AuditEntry.objects.exists()


# --- the net --------------------------------------------------------------------------------------------------------
def test_a_request_that_writes_and_records_nothing_is_caught(rf: RequestFactory) -> None:
    request, response = rf.post("/somewhere/"), HttpResponse(status=302)
    with trail.serving(request):
        net.begin(request)
        assert not net.is_silent_act(request, response)
        make_run(None)
        assert net.is_silent_act(request, response)
        trail.record("changed", kind="thing")
        assert not net.is_silent_act(request, response)


# --- the page, the API, the admin -----------------------------------------------------------------------------------
def test_the_page_and_the_api_show_the_newest_first_and_filter(
    admin_client: Client, program: Client
) -> None:
    script = make_script("Report")
    scripts.update(script, by=None, now=NOW, enabled=False)
    page = admin_client.get("/audit/", {"verb": "changed", "q": "rep"})
    assert [entry.verb for entry in page.context["entries"]] == ["changed"]
    assert "True → False" in page.content.decode()
    items = send(program, "GET", "/audit?kind=script")[1]["items"]
    assert [item["verb"] for item in items] == ["changed", "created"]
    assert send(program, "GET", "/audit?limit=1&kind=script")[1]["next_cursor"] == str(
        items[0]["id"]
    )
    assert " audit entries" in admin_client.get("/admin/tempo_site/auditentry/").content.decode()
    row = f"/admin/tempo_site/auditentry/{items[0]['id']}/change/"
    assert "enabled: True → False" in admin_client.get(row).content.decode()


def test_a_page_of_the_audit_costs_the_same_number_of_queries_however_long(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(150):
        trail.record("changed", kind="thing", name=str(number))
    with django_assert_max_num_queries(5):
        page = admin_client.get("/audit/")
    assert page.context["older"] and len(page.context["entries"]) == 100


def test_what_you_changed_last_is_true_wherever_you_changed_it(
    admin_client: Client, admin_user: User
) -> None:
    script = make_script("Report")
    admin_client.post(f"/scripts/{script.slug}/switch/", {"enabled": "0"})
    page = admin_client.get("/admin/")
    assert [entry.object_name for entry in page.context["changes"]] == ["Report"]
    admin_client.post(
        f"/admin/auth/user/{admin_user.pk}/change/",
        {"username": "admin", "email": "a@example.org", "is_active": "on", "is_staff": "on"},
    )
    assert (last().verb, last().kind, last().name) == ("changed", "user", "admin")


# --- retention ------------------------------------------------------------------------------------------------------
def test_entries_are_kept_for_a_year_and_so_many() -> None:
    AuditEntry.objects.all().delete()
    for days in (400, 364, 3, 2, 1):
        AuditEntry.objects.create(at=NOW - timedelta(days=days), actor="system", verb="changed")
    assert trail.keep_for(days=365, rows=100, now=NOW) == 1
    assert trail.keep_for(days=365, rows=3, now=NOW) == 1
    assert AuditEntry.objects.count() == 3


def test_retention_takes_what_the_settings_say(settings: Any) -> None:
    settings.KEEP_AUDIT_DAYS = 10
    AuditEntry.objects.create(at=NOW - timedelta(days=11), actor="system", verb="changed")
    tasks.prune()
    assert not AuditEntry.objects.filter(at__lt=NOW - timedelta(days=10)).exists()
