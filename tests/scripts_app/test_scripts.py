"""Creating, changing and deleting scripts."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection

from scripts_app import scripts, slugs
from scripts_app.crontab import importer
from scripts_app.crontab.parser import parse_crontab
from scripts_app.crontab.source_files import Sources
from scripts_app.models import Folder, Schedule, Script, Variable
from scripts_app.schedules import schedules
from scripts_app.scripts import ScriptError, StaffNeeded
from tempo_site.lib import paths
from tests.factories import NOW
from tests.rows import each_row

OnCommit = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]

pytestmark = pytest.mark.django_db


def create(name: str = "Hello World", **fields: Any) -> Script:
    return scripts.create(name=name, by=None, now=NOW, **fields)


def update(script: Script, **changes: Any) -> Script:
    return scripts.update(script, by=None, now=NOW, **changes)


def make_schedule(script: Script) -> Schedule:
    return schedules.save(Schedule(script=script, kind="interval", every_s=60), now=NOW)


# --- names ---------------------------------------------------------------------------------------------------------
@each_row(
    ("name", "slug"),
    [
        ("Data Backup Script!", "data-backup-script"),
        ("API Call #1", "api-call-1"),
        ("  Straße  nach Köln ", "strasse-nach-koln"),
        ("日本語", "script"),
        ("日本 2024", "script-2024"),
        ("42", "42"),
        ("a" * 200, "a" * 60),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_name_gets_a_safe_form(name: str, slug: str) -> None:
    assert create(name).slug == slug


def test_a_second_script_of_a_name_gets_a_number() -> None:
    assert [create("Hello World").slug for _ in range(3)] == [
        "hello-world",
        "hello-world-2",
        "hello-world-3",
    ]


def test_names_without_latin_letters_are_numbered_too() -> None:
    assert [create(name).slug for name in ("日本", "Привет")] == ["script", "script-2"]


def test_the_slug_of_a_deleted_script_stays_taken() -> None:
    scripts.delete(create(), now=NOW)
    assert create().slug == "hello-world-2"


def test_a_slug_that_was_taken_a_moment_ago_is_left_to_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create()
    monkeypatch.setattr(slugs, "free", lambda _: iter(["hello-world", "hello-world-2"]))
    assert create().slug == "hello-world-2"


@pytest.mark.django_db(transaction=True)
def test_scripts_of_one_name_created_at_once_all_get_a_slug_of_their_own() -> None:
    start = threading.Barrier(5)

    def create_one() -> None:
        start.wait(10)
        create()
        connection.close()

    threads = [threading.Thread(target=create_one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Script.objects.values_list("slug", flat=True)) == [
        "hello-world",
        *(f"hello-world-{n}" for n in range(2, 6)),
    ]


@each_row(
    ("name", "why"),
    [
        ("", "needs a name"),
        ("   ", "needs a name"),
        ("...", "no letter and no digit"),
        ("💥", "no letter and no digit"),
        ("a" * 300, "300 characters; 200 is the most"),
        ("a\nb", "control character"),
        ("a\x1bb", "control character"),
        ("a\0b", "NUL"),
        ("a\ud800b", "surrogate"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(ScriptError, match=why) as refusal:
        create(name)
    assert refusal.value.field == "name"


def test_renaming_keeps_the_slug() -> None:
    script = update(create(), name="Other")
    assert (script.name, script.slug) == ("Other", "hello-world")


# --- folders and tags ----------------------------------------------------------------------------------------------
def test_a_folder_is_made_when_it_is_missing() -> None:
    assert create(folder=" Ops / Nightly ").folder == Folder.objects.get(path="Ops/Nightly")


def test_scripts_share_a_folder() -> None:
    assert create(folder="Ops").folder == create(folder="Ops").folder


@each_row("path", ["/Ops", "Ops//Nightly", "Ops/", "../x", "a/./b", "a/\x07", "a" * 301])
def test_a_bad_folder_is_refused(path: str) -> None:
    with pytest.raises(ScriptError) as refusal:
        create(folder=path)
    assert refusal.value.field == "folder"


def test_an_empty_folder_moves_a_script_to_the_top() -> None:
    assert update(create(folder="Ops"), folder="").folder is None


def test_tags_are_trimmed_and_kept_once() -> None:
    assert create(tags=[" a", "b", "a", ""]).tags == ["a", "b"]


@each_row("tags", ["a", [1], ["a" * 51], {"a": 1}, None])
def test_bad_tags_are_refused(tags: object) -> None:
    with pytest.raises(ScriptError) as refusal:
        create(tags=tags)
    assert refusal.value.field == "tags"


# --- limits --------------------------------------------------------------------------------------------------------
def test_limits_start_with_the_configured_defaults(settings: LazySettings) -> None:
    settings.DEFAULT_TIMEOUT_S, settings.DEFAULT_MEMORY_MB = 77, 99
    script = create()
    assert (script.timeout_s, script.memory_mb) == (77, 99)


def test_limits_may_be_chosen() -> None:
    script = create(timeout_s=0, memory_mb=64, cpu_s=5, processes=2)
    assert (script.timeout_s, script.memory_mb, script.cpu_s, script.processes) == (0, 64, 5, 2)


@each_row(
    ("field", "value"),
    [
        ("timeout_s", 31 * 86400),
        ("timeout_s", -1),
        ("memory_mb", 1),
        ("cpu_s", "soon"),
        ("processes", 0),
        ("cpu_s", 2**70),
    ],
)
def test_an_impossible_limit_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ScriptError, match=field) as refusal:
        create(**{field: value})
    assert refusal.value.field == field


# --- creating and changing -----------------------------------------------------------------------------------------
def test_a_new_script_has_a_first_version_and_a_wanted_environment(user: User) -> None:
    script = scripts.create(name="Hello", by=user, now=NOW)
    assert script.version and script.wanted_environment
    assert (script.version.number, script.version.code, script.version.author) == (1, "", user)


@each_row(
    ("field", "value"),
    [
        ("code", "a\0b"),
        ("code", "#" * (1024 * 1024 + 1)),
        ("requirements", "a=1"),
        ("requirements", "a\0"),
        ("python_version", "3.1"),
        ("description", "\ud800"),
    ],
)
def test_what_cannot_be_saved_leaves_no_script_behind(field: str, value: str) -> None:
    with pytest.raises(ScriptError) as refusal:
        create(**{field: value})
    assert (refusal.value.field, Script.objects.count()) == (field, 0)


def test_new_code_makes_a_version_and_keeps_the_rest() -> None:
    script = update(create(code="1", requirements="a"), code="2")
    assert script.version
    assert (script.version.number, script.version.code, script.version.requirements) == (
        2,
        "2",
        "a",
    )


def test_other_changes_make_no_version() -> None:
    assert update(create(), name="Other", description="Why").versions.count() == 1


def test_a_change_keeps_what_others_stored_meanwhile() -> None:
    script = create()
    update(Script.objects.get(pk=script.pk), code="theirs")
    update(script, requirements="a")
    script.refresh_from_db()
    assert script.version and script.version.code == "theirs"


def test_a_refused_change_stores_nothing() -> None:
    script = create()
    with pytest.raises(ScriptError):
        update(script, name="Other", requirements="a=1")
    script.refresh_from_db()
    assert script.name == "Hello World"


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ScriptError, match="`slug` is no changeable field") as refusal:
        update(create(), slug="mine")
    assert refusal.value.field == "slug"


def test_an_unknown_limit_is_refused_by_name() -> None:
    with pytest.raises(ScriptError, match="`threads`"):
        create(threads=3)


def test_a_deleted_script_cannot_be_changed() -> None:
    script = create()
    scripts.delete(script, now=NOW)
    with pytest.raises(ScriptError, match="`hello-world` was deleted"):
        update(script, name="Other")


# --- schedules follow ----------------------------------------------------------------------------------------------
def test_switching_a_script_off_disarms_its_schedules() -> None:
    schedule = make_schedule(create())
    update(schedule.script, enabled=False)
    assert Schedule.objects.get(pk=schedule.pk).next_at is None


def test_switching_a_script_on_arms_its_schedules() -> None:
    schedule = make_schedule(update(create(), enabled=False))
    update(schedule.script, enabled=True)
    assert Schedule.objects.get(pk=schedule.pk).next_at == datetime(2026, 11, 23, 12, 1, tzinfo=UTC)


def test_deleting_a_script_disarms_its_schedules_and_keeps_its_files(
    django_capture_on_commit_callbacks: OnCommit,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        schedule = make_schedule(create())
    scripts.delete(schedule.script, now=NOW)
    assert Schedule.objects.get(pk=schedule.pk).next_at is None
    assert Script.objects.get().deleted_at == NOW
    assert (paths.script("hello-world") / "main.py").exists()


def test_deleting_twice_keeps_the_first_moment() -> None:
    script = create()
    scripts.delete(script, now=NOW)
    scripts.delete(script, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert Script.objects.get().deleted_at == NOW


# --- duplicating ---------------------------------------------------------------------------------------------------
def test_a_copy_says_and_is_set_like_its_original() -> None:
    original = create(
        folder="Ops", code="1", requirements="a", description="Why", tags=["a"], timeout_s=7, nice=3
    )
    copy = scripts.duplicate(original, by=None, now=NOW)
    assert copy.version and original.version
    assert (copy.name, copy.slug, copy.folder) == (
        "Hello World (copy)",
        "hello-world-copy",
        original.folder,
    )
    assert (copy.version.code, copy.version.requirements, copy.version.number) == ("1", "a", 1)
    assert (copy.description, copy.tags, copy.timeout_s, copy.nice) == ("Why", ["a"], 7, 3)


def test_a_copy_may_have_a_name_and_a_place_of_its_own() -> None:
    copy = scripts.duplicate(create(folder="Ops"), by=None, now=NOW, name="Other", folder="")
    assert (copy.name, copy.folder) == ("Other", None)


def test_a_copy_starts_nothing_and_can() -> None:
    copy = scripts.duplicate(make_schedule(create()).script, by=None, now=NOW)
    schedule = copy.schedules.get()
    assert (copy.enabled, schedule.every_s, schedule.next_at) == (False, 60, None)
    update(copy, enabled=True)
    schedule.refresh_from_db()
    assert schedule.next_at == datetime(2026, 11, 23, 12, 1, tzinfo=UTC)


def test_a_copy_of_a_script_from_cron_is_not_the_line_that_was_imported() -> None:
    line = "MAILTO=ann@example.org\n@daily echo hello"
    (proposal,) = importer.propose(parse_crontab(line), now=NOW, sources=Sources())
    original = importer.make(proposal, by=None, now=NOW)
    copy = scripts.duplicate(original, by=None, now=NOW)

    (again,) = importer.propose(parse_crontab(line), now=NOW, sources=Sources())
    assert again.imported_as == original.name
    assert (copy.schedules.get().cron_line, copy.schedules.get().mail_to) == ("", "")
    assert original.schedules.get().mail_to == "ann@example.org"

    scripts.delete(original, now=NOW)
    (again,) = importer.propose(parse_crontab(line), now=NOW, sources=Sources())
    assert again.imported_as == ""


def test_a_copy_has_the_variables_of_its_original() -> None:
    original = create()
    Variable.objects.create(script=original, name="TOKEN", is_secret=True, value="sealed")
    copy = scripts.duplicate(original, by=None, now=NOW)
    assert list(copy.variables.values_list("name", "is_secret", "value")) == [
        ("TOKEN", True, "sealed")
    ]


def test_the_copy_of_a_long_name_has_one_that_fits() -> None:
    assert scripts.duplicate(create("a" * 200), by=None, now=NOW).name == "a" * 193 + " (copy)"


def test_a_refused_copy_leaves_nothing() -> None:
    original = create()
    with pytest.raises(ScriptError):
        scripts.duplicate(original, by=None, now=NOW, folder="..")
    assert Script.objects.count() == 1


# --- what is set by staff ------------------------------------------------------------------------------------------
BY_STAFF = pytest.mark.parametrize("field", scripts.SET_BY_STAFF)


@BY_STAFF
def test_a_user_who_is_not_staff_changes_no_setting_of_staff(field: str, user: User) -> None:
    on: dict[str, Any] = {field: True}
    off: dict[str, Any] = {field: False}
    script = create()
    with pytest.raises(StaffNeeded, match="is set by staff") as refusal:
        scripts.create(name="Mine", by=user, now=NOW, **on)
    assert refusal.value.field == field
    with pytest.raises(StaffNeeded):
        scripts.update(script, by=user, now=NOW, **on)
    with pytest.raises(StaffNeeded):
        scripts.update(update(script, **on), by=user, now=NOW, **off)
    assert [script.name for script in Script.objects.all()] == ["Hello World"]
    assert getattr(Script.objects.get(), field) is True


@BY_STAFF
def test_the_same_value_again_is_no_change(field: str, user: User) -> None:
    script = update(create(), **{field: True})
    same: dict[str, Any] = {field: True, "description": "Mine."}
    changed = scripts.update(script, by=user, now=NOW, **same)
    assert (changed.description, getattr(changed, field)) == ("Mine.", True)


@BY_STAFF
def test_staff_and_keys_change_settings_of_staff(field: str, staff: User) -> None:
    on: dict[str, Any] = {field: True}
    assert getattr(scripts.create(name="Mine", by=staff, now=NOW, **on), field)
    script = create()
    assert getattr(scripts.update(script, by=staff, now=NOW, **on), field)
    assert not getattr(update(script, **{field: False}), field)


@BY_STAFF
def test_a_copy_has_the_settings_of_staff_if_staff_copies(
    field: str, user: User, staff: User
) -> None:
    script = update(create(), **{field: True})
    assert not getattr(scripts.duplicate(script, by=user, now=NOW), field)
    assert getattr(scripts.duplicate(script, by=staff, now=NOW), field)
