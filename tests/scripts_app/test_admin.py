"""Admin of scripts and schedules: the same verbs, and refusals at their fields."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Trigger
from scripts_app import scripts
from scripts_app.models import Folder, Schedule, Script
from tests.factories import make_schedule, make_script

SCRIPT = {
    "name": "Data Backup Script!",
    "folder": "",
    "enabled": "on",
    "description": "",
    "tags": "home",
    "code": "print('hello')\r\n",
    "requirements": "",
    "python_version": "",
    "timeout_s": "60",
}
SCHEDULE = {
    "kind": "cron",
    "cron": "30 2 * * *",
    "every_s": "",
    "at": "",
    "timezone": "Europe/Berlin",
    "overlap": "skip",
    "missed": "once",
    "enabled": "on",
}
SCRIPTS, SCHEDULES = "/admin/scripts_app/script/", "/admin/scripts_app/schedule/"
INLINES = {f"{prefix}-{name}": "0" for prefix in ("schedules", "versions") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A member of staff at the admin."""
    client.force_login(staff)
    return client


def act(desk: Client, action: str, *rows: Any) -> str:
    """Choose an action for some scripts; returns the page that follows."""
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return desk.post(SCRIPTS, data, follow=True).content.decode()


# --- scripts --------------------------------------------------------------------------------------------------------
def test_a_script_is_created_by_the_verb(desk: Client, staff: User) -> None:
    folder = Folder.objects.create(path="Ops")
    answer = desk.post(f"{SCRIPTS}add/", SCRIPT | {"folder": str(folder.pk)})
    assert answer.headers["Location"] == SCRIPTS
    script = Script.objects.select_related("version__author").get()
    assert (script.slug, script.folder, script.tags, script.enabled) == ("data-backup-script", folder, ["home"], True)
    assert script.version and (script.version.code, script.version.author) == ("print('hello')\n", staff)
    assert script.wanted_environment is not None


def test_a_script_may_be_created_switched_off(desk: Client) -> None:
    desk.post(f"{SCRIPTS}add/", {name: value for name, value in SCRIPT.items() if name != "enabled"})
    assert Script.objects.get().enabled is False


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "..."), ("name", "x" * 300), ("requirements", "-e ."), ("python_version", "2.7"), ("timeout_s", "-5")],
)
def test_what_the_verb_refuses_is_an_error_at_the_field_and_nothing_typed_is_lost(
    desk: Client, field: str, value: str
) -> None:
    answer = desk.post(f"{SCRIPTS}add/", SCRIPT | {field: value, "description": "typed with care"})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors[field]
    assert "typed with care" in answer.content.decode()
    assert not Script.objects.exists()


def test_changing_the_code_makes_a_version(desk: Client) -> None:
    script = make_script("Hello World", folder="Ops")
    changes = {"name": "Renamed", "code": "print(2)", "folder": str(script.folder_id)}
    answer = desk.post(f"{SCRIPTS}{script.pk}/change/", SCRIPT | INLINES | changes)
    assert answer.status_code == 302
    script.refresh_from_db()
    assert script.version and (script.name, script.slug, script.version.number) == ("Renamed", "hello-world", 2)


def test_a_refused_change_changes_nothing(desk: Client) -> None:
    script = make_script("Hello World")
    answer = desk.post(f"{SCRIPTS}{script.pk}/change/", SCRIPT | INLINES | {"requirements": "-r x", "code": "print(2)"})
    assert answer.status_code == 200
    script.refresh_from_db()
    assert script.version and (script.name, script.version.number) == ("Hello World", 1)


def test_the_change_form_shows_what_is_stored_and_the_machines_facts_as_text(desk: Client) -> None:
    schedule = make_schedule(make_script("Hello World", code="print('<b>')"))
    text = desk.get(f"{SCRIPTS}{schedule.script_id}/change/").content.decode()
    assert "print(&#x27;&lt;b&gt;&#x27;)" in text and 'name="slug"' not in text and "hello-world" in text


def test_selected_scripts_are_run_in_the_users_name(desk: Client) -> None:
    text = act(desk, "run_selected", make_script("One"), make_script("Two"))
    assert [(run.trigger, run.by) for run in Run.objects.all()] == [(Trigger.ADMIN, "root")] * 2
    assert "`One` started." in text


def test_a_refused_start_is_a_message(desk: Client, settings: Any) -> None:
    settings.MIN_FREE_MB = 10**9
    assert "are free on the disk" in act(desk, "run_selected", make_script("One"))


def test_selected_scripts_are_switched_off_and_on(desk: Client) -> None:
    schedule = make_schedule()
    for action, is_armed in (("disable", False), ("enable", True)):
        act(desk, action, schedule.script)
        schedule.refresh_from_db()
        assert (schedule.next_at is not None) == is_armed


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_is_soft_and_disarms(desk: Client, way: str) -> None:
    schedule = make_schedule(now=timezone.now())
    if way == "page":
        desk.post(f"{SCRIPTS}{schedule.script_id}/delete/", {"post": "yes"})
    else:
        data = {"action": "delete_selected", "_selected_action": [schedule.script_id], "post": "yes"}
        desk.post(SCRIPTS, data)
    schedule.refresh_from_db()
    assert Script.objects.get().deleted_at is not None and schedule.next_at is None
    assert desk.get(f"{SCRIPTS}{schedule.script_id}/change/").status_code == 302


def test_the_lists_cost_the_same_for_one_and_many(desk: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            for name in ("script", "schedule", "version", "environment", "folder"):
                desk.get(f"/admin/scripts_app/{name}/")
        return len(queries)

    make_schedule(make_script(folder="Ops"))
    few = cost()
    for number in range(20):
        make_schedule(make_script(f"Script {number}", folder=f"Folder {number}"))
    assert cost() == few


# --- schedules, folders ---------------------------------------------------------------------------------------------
def test_a_schedule_is_saved_and_armed_by_the_verb(desk: Client) -> None:
    script = make_script()
    answer = desk.post(f"{SCHEDULES}add/", SCHEDULE | {"script": str(script.pk)})
    assert answer.status_code == 302
    assert Schedule.objects.select_related("alarm").get().next_at is not None


def test_a_bad_rhythm_is_an_error_at_its_field(desk: Client) -> None:
    answer = desk.post(f"{SCHEDULES}add/", SCHEDULE | {"script": str(make_script().pk), "cron": "0 24 * * *"})
    assert "24" in str(answer.context["adminform"].form.errors["cron"])
    assert not Schedule.objects.exists()


def test_a_schedule_is_changed_and_deleted_by_the_verbs(desk: Client) -> None:
    schedule = make_schedule()
    desk.post(f"{SCHEDULES}{schedule.pk}/change/", SCHEDULE)
    schedule.refresh_from_db()
    assert (schedule.kind, schedule.cron, schedule.every_s) == ("cron", "30 2 * * *", None)
    desk.post(f"{SCHEDULES}{schedule.pk}/delete/", {"post": "yes"})
    assert not Schedule.objects.exists()


def test_schedules_of_deleted_scripts_are_not_offered(desk: Client) -> None:
    schedule = make_schedule()
    scripts.delete(schedule.script, now=timezone.now())
    assert desk.get(f"{SCHEDULES}{schedule.pk}/change/").status_code == 302


def test_a_list_with_a_schedule_that_cannot_be_read_still_opens(desk: Client) -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(kind="cron", cron="nonsense")
    assert "unreadable: " in desk.get(SCHEDULES).content.decode()


def test_a_folders_path_follows_the_rules(desk: Client) -> None:
    desk.post("/admin/scripts_app/folder/add/", {"path": " Ops / Nightly "})
    answer = desk.post("/admin/scripts_app/folder/add/", {"path": "a/../b"})
    assert answer.context["adminform"].form.errors["path"]
    assert [folder.path for folder in Folder.objects.all()] == ["Ops/Nightly"]


def test_a_folder_with_scripts_in_it_stays(desk: Client) -> None:
    script = make_script(folder="Ops")
    desk.post(f"/admin/scripts_app/folder/{script.folder_id}/delete/", {"post": "yes"})
    assert Folder.objects.filter(scripts=script).exists()
