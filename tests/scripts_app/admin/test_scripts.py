"""Admin of scripts and schedules: the same verbs, and refusals at their fields."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule as Alarm
from pytest_django import Settings

from runs_app.models import Run
from runs_app.states import Trigger
from scripts_app import scripts
from scripts_app.limits import LIMITS
from scripts_app.models import Environment, Folder, Schedule, Script, Version
from scripts_app.schedules import schedules
from scripts_app.versions import drafts
from tests.factories import make_schedule, make_script
from tests.rows import each_row

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
    "memory_mb": "512",
    "cpu_s": "0",
    "processes": "64",
    "output_mb": "10",
    "file_mb": "2048",
    "nice": "5",
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
INLINES = {
    f"{prefix}-{name}": "0"
    for prefix in ("schedules", "versions")
    for name in ("TOTAL_FORMS", "INITIAL_FORMS")
}
SCRIPT |= {name: value for name, value in INLINES.items() if name.startswith("schedules")}

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
    answer = desk.post(f"{SCRIPTS}add/", SCRIPT | {"folder": "Ops/Nightly"})
    script = Script.objects.select_related("version__author").get()
    assert answer.headers["Location"] == f"{SCRIPTS}{script.pk}/change/"
    folder = Folder.objects.get(path="Ops/Nightly")
    assert (script.slug, script.folder, script.tags, script.enabled) == (
        "data-backup-script",
        folder,
        ["home"],
        True,
    )
    assert script.version and (script.version.code, script.version.author) == (
        "print('hello')\n",
        staff,
    )
    assert script.wanted_environment is not None


def test_a_script_may_be_created_switched_off(desk: Client) -> None:
    desk.post(
        f"{SCRIPTS}add/", {name: value for name, value in SCRIPT.items() if name != "enabled"}
    )
    assert Script.objects.get().enabled is False


@each_row(
    ("field", "value"),
    [
        ("name", "..."),
        ("name", "x" * 300),
        ("requirements", "-e ."),
        ("python_version", "2.7"),
        ("timeout_s", "-5"),
    ],
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
    changes = {"name": "Renamed", "code": "print(2)", "folder": "Ops"}
    answer = desk.post(f"{SCRIPTS}{script.pk}/change/", SCRIPT | INLINES | changes)
    assert answer.status_code == 302
    script.refresh_from_db()
    assert script.version and (script.name, script.slug, script.version.number) == (
        "Renamed",
        "hello-world",
        2,
    )


def test_a_refused_change_changes_nothing(desk: Client) -> None:
    script = make_script("Hello World")
    answer = desk.post(
        f"{SCRIPTS}{script.pk}/change/",
        SCRIPT | INLINES | {"requirements": "-r x", "code": "print(2)"},
    )
    assert answer.status_code == 200
    script.refresh_from_db()
    assert script.version and (script.name, script.version.number) == ("Hello World", 1)


def test_the_change_form_shows_what_is_stored_and_the_machines_facts_as_text(desk: Client) -> None:
    schedule = make_schedule(make_script("Hello World", code="print('<b>')"))
    text = desk.get(f"{SCRIPTS}{schedule.script_id}/change/").content.decode()
    assert (
        "print(&#x27;&lt;b&gt;&#x27;)" in text
        and 'name="slug"' not in text
        and "hello-world" in text
    )


def test_selected_scripts_are_run_in_the_users_name(desk: Client) -> None:
    text = act(desk, "run_selected", make_script("One"), make_script("Two"))
    assert [(run.trigger, run.by) for run in Run.objects.all()] == [(Trigger.ADMIN, "root")] * 2
    assert "2 started: <code>One</code>, <code>Two</code>" in text


def test_a_refused_start_is_a_message(desk: Client, settings: Any) -> None:
    settings.MIN_FREE_MB = 10**9
    assert "are free on the disk" in act(desk, "run_selected", make_script("One"))


def test_selected_scripts_are_switched_off_and_on(desk: Client) -> None:
    schedule = make_schedule()
    for action, is_armed in (("disable_selected", False), ("enable_selected", True)):
        act(desk, action, schedule.script)
        schedule.refresh_from_db()
        assert (schedule.next_at is not None) == is_armed


def test_the_buttons_of_a_script_run_switch_and_rebuild_it_and_its_history_tells(
    desk: Client,
) -> None:
    script = make_script("One")
    Environment.objects.update(state=Environment.State.FAILED)
    answers = {
        act: desk.post(f"{SCRIPTS}{script.pk}/act/{act}/") for act in ("run", "disable", "rebuild")
    }
    run = Run.objects.get()
    assert answers["run"].headers["Location"] == f"/admin/runs_app/run/{run.pk}/change/"
    script.refresh_from_db()
    assert script.wanted_environment
    assert (script.enabled, script.wanted_environment.state) == (False, Environment.State.WANTED)
    told = desk.get(f"{SCRIPTS}{script.pk}/history/").content.decode()
    assert f"Started run <bdi>#{run.pk} of one</bdi>" in told
    assert "<bdi>enabled</bdi>: <bdi>True → False</bdi>" in told
    environment = script.wanted_environment_id
    told = desk.get(f"/admin/scripts_app/environment/{environment}/history/").content.decode()
    assert "Asked for again environment" in told
    desk.post(f"{SCRIPTS}{script.pk}/act/enable/")
    script.refresh_from_db()
    assert script.enabled


def test_selected_environments_are_rebuilt(desk: Client) -> None:
    script = make_script("One")
    Environment.objects.update(state=Environment.State.FAILED)
    assert "1 asked for its environment again" in act(desk, "rebuild_selected", script)
    assert Environment.objects.get().state == Environment.State.WANTED


def test_text_that_someone_else_changed_is_not_lost_and_the_second_try_keeps_both(
    desk: Client, user: User
) -> None:
    script = make_script("One", code="print(1)\n")
    seen = {"based_on": str(script.revision)}
    theirs = {"code": "print('theirs')\n", "requirements": "", "python_version": ""}
    drafts.save(script, **theirs, based_on=script.revision, by=user, now=timezone.now())
    mine = SCRIPT | INLINES | {"code": "print('mine')"}
    page = desk.post(f"{SCRIPTS}{script.pk}/change/", mine | seen)
    assert "changed by <code>ann</code>" in str(page.context["adminform"].form.errors["code"])
    assert (
        page.context["adminform"].form["based_on"].value() == "" and "mine" in page.content.decode()
    )
    desk.post(f"{SCRIPTS}{script.pk}/change/", mine | {"based_on": ""})
    said = list(
        Version.objects.filter(script=script).order_by("number").values_list("code", flat=True)
    )
    assert said == ["print(1)\n", "print('theirs')\n", "print('mine')"]


def test_a_draft_is_what_the_form_shows(desk: Client, user: User) -> None:
    script = make_script("One")
    text = {"code": "print('draft')\n", "requirements": "", "python_version": ""}
    drafts.save(script, **text, based_on=script.revision, by=user, now=timezone.now())
    page = desk.get(f"{SCRIPTS}{script.pk}/change/").content.decode()
    assert (
        "print(&#x27;draft&#x27;)" in page and "The text below is a draft by <bdi>ann</bdi>" in page
    )


@pytest.mark.parametrize("way", ["page", "action"])
def test_the_question_before_deleting_says_what_stays(desk: Client, way: str) -> None:
    script = make_script("One")
    if way == "page":
        answer = desk.get(f"{SCRIPTS}{script.pk}/delete/")
    else:
        answer = desk.post(SCRIPTS, {"action": "delete_selected", "_selected_action": [script.pk]})
    assert "Its runs and their output stay" in answer.content.decode()


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_is_soft_and_disarms(desk: Client, way: str) -> None:
    schedule = make_schedule(now=timezone.now())
    if way == "page":
        desk.post(f"{SCRIPTS}{schedule.script_id}/delete/", {"post": "yes"})
    else:
        data = {
            "action": "delete_selected",
            "_selected_action": [schedule.script_id],
            "post": "yes",
        }
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


def test_a_scripts_page_costs_the_same_for_one_and_many_schedules(desk: Client) -> None:
    script = make_script()

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(f"{SCRIPTS}{script.pk}/change/").status_code == 200
        return len(queries)

    make_schedule(script)
    cost()  # the first page of a process asks once for what is then kept: content types
    few = cost()
    for _ in range(10):
        make_schedule(script)
        make_script(f"Script {_}", folder=f"Folder {_}")
    assert cost() == few


# --- schedules within their script ----------------------------------------------------------------------------------
def rows(*entries: dict[str, str], stored: int = 0) -> dict[str, str]:
    """The fields of a script's schedules as its page sends them, the stored ones first."""
    counts = {"schedules-TOTAL_FORMS": str(len(entries)), "schedules-INITIAL_FORMS": str(stored)}
    fields = (
        (f"schedules-{n}-{name}", value)
        for n, row in enumerate(entries)
        for name, value in row.items()
    )
    return SCRIPT | INLINES | counts | dict(fields)


def test_a_new_script_comes_with_its_schedules(desk: Client) -> None:
    desk.post(
        f"{SCRIPTS}add/",
        rows(SCHEDULE, SCHEDULE | {"kind": "interval", "cron": "", "every_s": "60"}),
    )
    stored = Schedule.objects.select_related("alarm").order_by("pk")
    assert [(row.kind, row.next_at is not None) for row in stored] == [
        ("cron", True),
        ("interval", True),
    ]


def test_schedules_are_added_changed_and_deleted_on_the_page_of_their_script(desk: Client) -> None:
    script = make_script()
    kept, going = make_schedule(script), make_schedule(script)
    changed = SCHEDULE | {"id": str(kept.pk), "script": str(script.pk)}
    gone = {
        "id": str(going.pk),
        "script": str(script.pk),
        "DELETE": "on",
        "kind": "interval",
        "every_s": "60",
    }
    data = rows(changed, gone | {"timezone": "UTC"}, SCHEDULE | {"cron": "5 4 * * *"}, stored=2)
    assert desk.post(f"{SCRIPTS}{script.pk}/change/", data).status_code == 302
    assert list(script.schedules.order_by("pk").values_list("cron", flat=True)) == [
        "30 2 * * *",
        "5 4 * * *",
    ]
    assert Alarm.objects.filter(cluster="alarms").count() == 2


@pytest.mark.parametrize("page", ["add", "change"])
def test_a_refused_schedule_is_an_error_at_its_field_and_nothing_at_all_is_saved(
    desk: Client, page: str
) -> None:
    script = make_script("Before") if page == "change" else None
    data = rows(SCHEDULE | {"cron": "0 24 * * *"}, SCHEDULE) | {
        "name": "After",
        "code": "print('typed with care')",
    }
    answer = desk.post(f"{SCRIPTS}{script.pk}/change/" if script else f"{SCRIPTS}add/", data)
    formset = answer.context["inline_admin_formsets"][0].formset
    assert "24" in str(formset.errors[0]["cron"]) and not formset.errors[1]
    text = answer.content.decode()
    assert "typed with care" in text and 'value="After"' in text and "0 24 * * *" in text
    assert not Schedule.objects.exists()
    assert [(row.name, row.version.number) for row in Script.objects.all() if row.version] == [
        ("Before", 1)
    ] * bool(script)


def test_a_script_that_is_refused_saves_no_schedule_either(desk: Client) -> None:
    script = make_script()
    answer = desk.post(f"{SCRIPTS}{script.pk}/change/", rows(SCHEDULE) | {"requirements": "-e ."})
    assert answer.context["adminform"].form.errors["requirements"]
    assert not Schedule.objects.exists()


def test_a_schedule_that_was_deleted_meanwhile_is_said(desk: Client) -> None:
    schedule = make_schedule()
    row = SCHEDULE | {"id": str(schedule.pk), "script": str(schedule.script_id)}
    address = f"{SCRIPTS}{schedule.script_id}/change/"
    schedules.delete(schedule)
    assert "was deleted meanwhile" in desk.post(address, rows(row, stored=1)).content.decode()


# --- schedules, folders ---------------------------------------------------------------------------------------------
def test_a_schedule_is_saved_and_armed_by_the_verb(desk: Client) -> None:
    script = make_script()
    answer = desk.post(f"{SCHEDULES}add/", SCHEDULE | {"script": str(script.pk)})
    assert answer.status_code == 302
    assert Schedule.objects.select_related("alarm").get().next_at is not None


def test_a_schedule_of_the_admin_has_bounds_a_pause_and_tries_by_its_own_clock(
    desk: Client,
) -> None:
    more = {
        "start_at": "2998-01-01T08:00",
        "paused_until": "2999-01-01T08:00",
        "retries": "3",
        "retry_delay_s": "",
    }
    desk.post(f"{SCHEDULES}add/", SCHEDULE | {"script": str(make_script().pk)} | more)
    schedule = Schedule.objects.get()
    assert schedule.start_at and schedule.start_at.isoformat() == "2998-01-01T07:00:00+00:00"
    assert (
        schedule.paused_until and schedule.paused_until.isoformat() == "2999-01-01T07:00:00+00:00"
    )
    assert (schedule.retries, schedule.retry_delay_s) == (3, 60)
    shown = desk.get(f"{SCHEDULES}{schedule.pk}/change/").content.decode()
    assert 'value="2999-01-01T08:00:00"' in shown
    desk.post(
        f"{SCHEDULES}{schedule.pk}/change/", SCHEDULE | more | {"paused_until": "2001-01-01T08:00"}
    )
    schedule.refresh_from_db()
    assert schedule.paused_until.year == 2999


def test_a_bad_rhythm_is_an_error_at_its_field(desk: Client) -> None:
    answer = desk.post(
        f"{SCHEDULES}add/", SCHEDULE | {"script": str(make_script().pk), "cron": "0 24 * * *"}
    )
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
    assert [folder.path for folder in Folder.objects.all()] == ["Ops", "Ops/Nightly"]


def test_a_folder_with_scripts_in_it_stays(desk: Client) -> None:
    script = make_script(folder="Ops")
    desk.post(f"/admin/scripts_app/folder/{script.folder_id}/delete/", {"post": "yes"})
    assert Folder.objects.filter(scripts=script).exists()


def test_a_folder_of_deleted_scripts_can_go_and_a_full_one_says_how_many_it_holds(
    desk: Client,
) -> None:
    script = make_script(folder="Ops")
    address = f"/admin/scripts_app/folder/{script.folder_id}/delete/"
    assert "`Ops` holds 1 of them" in desk.get(address).content.decode()
    scripts.delete(script, now=timezone.now())
    desk.post(address, {"post": "yes"})
    assert not Folder.objects.exists()
    script.refresh_from_db()
    assert script.folder is None


def test_an_untouched_switch_does_not_undo_what_somebody_else_switched(desk: Client) -> None:
    script = make_script("Hello World")
    shown = {**SCRIPT, **INLINES, "name": "Renamed", "initial-enabled": "on"}
    scripts.update(script, by=None, now=timezone.now(), enabled=False)
    desk.post(f"{SCRIPTS}{script.pk}/change/", shown)
    script.refresh_from_db()
    assert (script.name, script.enabled) == ("Renamed", False)


def test_an_untouched_limit_is_not_set_back_nor_held_against_a_new_bound(
    desk: Client, settings: Settings
) -> None:
    script = make_script("Hello World", timeout_s=60, cpu_s=0, memory_mb=512, nice=5)
    settings.MAX_CPU_S = 30
    initial = {f"initial-{field}": SCRIPT[field] for field in LIMITS}
    desk.post(
        f"{SCRIPTS}{script.pk}/change/",
        {**SCRIPT, **INLINES, **initial, "name": "Renamed", "nice": "9"},
    )
    script.refresh_from_db()
    assert (script.name, script.nice, script.cpu_s) == ("Renamed", 9, 0)


def test_a_limit_beyond_its_bound_is_an_error_at_its_field(
    desk: Client, settings: Settings
) -> None:
    settings.MAX_PROCESSES = 8
    answer = desk.post(f"{SCRIPTS}add/", {**SCRIPT, "processes": "9"})
    assert "PYSCHED_MAX_PROCESSES" in str(answer.context["adminform"].form.errors["processes"])
    assert not Script.objects.exists()


def test_a_version_is_restored(desk: Client) -> None:
    script = make_script(code="print(1)\n")
    scripts.update(script, by=None, now=timezone.now(), code="print(2)\n")
    first = script.versions.get(number=1)
    assert (
        "restore-version"
        in desk.get(f"/admin/scripts_app/version/{first.pk}/change/").content.decode()
    )
    answer = desk.post(f"/admin/scripts_app/version/{first.pk}/act/restore/", follow=True)
    assert "is back, as v3" in answer.content.decode()
    script.refresh_from_db()
    assert script.version and (script.version.number, script.version.code) == (3, "print(1)\n")
    assert "restore-version" not in answer.content.decode()


def test_a_version_that_could_not_be_saved_today_is_not_restored(desk: Client) -> None:
    script = make_script()
    scripts.update(script, by=None, now=timezone.now(), code="print(2)\n")
    first = script.versions.get(number=1)
    script.versions.filter(number=1).update(python_version="3.99")
    answer = desk.post(f"/admin/scripts_app/version/{first.pk}/act/restore/", follow=True)
    assert "v1 was not restored" in answer.content.decode()
    assert script.versions.count() == 2


def test_selected_scripts_are_duplicated(desk: Client) -> None:
    script = make_script(folder="Ops")
    desk.post(
        "/admin/scripts_app/script/",
        {"action": "duplicate_selected", "_selected_action": [script.pk]},
    )
    assert list(Script.objects.values_list("slug", "enabled", "folder__path").order_by("pk")) == [
        ("hello-world", True, "Ops"),
        ("hello-world-copy", False, "Ops"),
    ]


# --- what else can be done from the lists -----------------------------------------------------------------------------
def act_on(desk: Client, path: str, action: str, *rows: Any) -> Any:
    """Choose an action for ticked rows of a list."""
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return desk.post(path, data, follow=True)


def test_schedules_are_switched_and_paused_many_at_once(desk: Client) -> None:
    both = [make_schedule(make_script("One")), make_schedule(make_script("Two"))]
    page = act_on(desk, SCHEDULES, "disable_selected", *both).content.decode()
    assert "Disabled: 2 schedules." in page
    assert not Schedule.objects.filter(enabled=True).exists()
    act_on(desk, SCHEDULES, "enable_selected", *both)
    act_on(desk, SCHEDULES, "pause_selected", both[0])
    first, second = Schedule.objects.order_by("pk")
    assert (first.enabled, second.enabled) == (True, True)
    assert first.paused_until and not second.paused_until
    act_on(desk, SCHEDULES, "resume_selected", first)
    assert not Schedule.objects.get(pk=first.pk).is_paused(timezone.now())


def test_two_versions_of_a_script_are_compared(desk: Client) -> None:
    script, other = make_script("One", code="1"), make_script("Two", code="1")
    scripts.update(script, by=None, now=timezone.now(), code="2")
    older, newer = Version.objects.filter(script=script).order_by("number")
    path = "/admin/scripts_app/version/"
    answer = act_on(desk, path, "compare_selected", newer, older)
    assert answer.redirect_chain == [("/scripts/one/versions/compare/?from=1&to=2", 302)]
    refused = act_on(desk, path, "compare_selected", newer, other.version)
    assert "Tick two versions of the same script" in refused.content.decode()


def test_files_versions_and_imports_are_one_step_away(desk: Client) -> None:
    script = make_script("One")
    page = desk.get(f"{SCRIPTS}{script.pk}/change/").content.decode()
    assert 'href="/scripts/one/files/"' in page and 'href="/scripts/one/versions/"' in page
    listing = desk.get(SCRIPTS).content.decode()
    assert 'href="/import/"' in listing and 'href="/new-script/import/"' in listing
    assert 'href="/pause/?next=/admin/"' in desk.get("/admin/").content.decode()


def test_what_stands_in_backticks_is_shown_as_code(desk: Client) -> None:
    make_schedule(make_script("One"))
    script = Script.objects.get()
    for path in (f"{SCRIPTS}{script.pk}/change/", f"{SCRIPTS}add/", f"{SCHEDULES}add/"):
        page = desk.get(path).content.decode()
        helps = re.findall(r'<div class="help[^>]*>(.*?)</div>', page, re.DOTALL)
        assert helps and not [text for text in helps if "`" in text]
