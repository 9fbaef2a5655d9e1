"""Versions and the readable copies beside them."""

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from scripts_app import scripts
from scripts_app.models import Environment, Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import versions, working_copy
from tempo_site.lib import paths
from tests.factories import NOW

OnCommit = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return scripts.create(name="Hello", code="print(1)\n", by=None, now=NOW)


def save(script: Script, **content: Any) -> Version:
    note, author = content.pop("note", ""), content.pop("author", None)
    checked = versions.check(**{"code": "", "requirements": "", "python_version": ""} | content)
    return versions.save(script, checked, author=author, now=NOW, note=note)


def test_each_save_gets_the_next_number(script: Script, user: User) -> None:
    version = save(script, code="print(2)\n", author=user, note="faster")
    assert (version.number, version.author, version.note) == (2, user, "faster")
    script.refresh_from_db()
    assert (script.version, script.updated_at) == (version, max(NOW, script.created_at))


def test_a_script_is_never_changed_before_it_was_created() -> None:
    before = timezone.now()
    script = scripts.create(name="Hello", code="print(1)\n", by=None, now=before)
    script.refresh_from_db()
    assert before <= script.created_at <= script.updated_at
    later = script.created_at + timedelta(hours=1)
    content = versions.check(code="print(2)\n", requirements="", python_version="")
    versions.save(script, content, author=None, now=later)
    script.refresh_from_db()
    assert script.updated_at == later


def test_identical_content_returns_the_current_version(script: Script) -> None:
    assert save(script, code="print(1)\r\n") == script.version
    assert script.versions.count() == 1


def test_line_ends_are_normalised(script: Script) -> None:
    version = save(script, code="a\r\nb\rc\n", requirements="a\r\n# why\r\n")
    assert (version.code, version.requirements) == ("a\nb\nc\n", "a\n# why\n")


def test_numbers_go_on_from_what_is_stored(script: Script) -> None:
    stale = Script.objects.get(pk=script.pk)
    save(script, code="2")
    assert save(stale, code="3").number == 3


def test_other_requirements_ask_for_another_environment(script: Script) -> None:
    before = script.wanted_environment
    save(script, requirements="humanize")
    assert script.wanted_environment != before


def test_a_comment_in_the_requirements_asks_for_no_other_environment(script: Script) -> None:
    save(script, requirements="# nothing needed")
    assert Environment.objects.count() == 1


def test_an_unknown_python_is_refused(script: Script) -> None:
    with pytest.raises(ScriptError, match=r"Python 3\.99 is not on this machine") as refusal:
        save(script, python_version="3.99")
    assert refusal.value.field == "python_version"


def test_a_long_note_is_refused(script: Script) -> None:
    with pytest.raises(ScriptError) as refusal:
        save(script, note="a" * 201)
    assert refusal.value.field == "note"


def test_readable_copies_follow_the_commit(
    script: Script, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        save(script, code="print('ä')\n", requirements="humanize\n")
    folder = paths.script("hello")
    assert (folder / "main.py").read_text(encoding="utf-8") == "print('ä')\n"
    assert (folder / "requirements.txt").read_text() == "humanize\n"


def test_the_files_folder_is_made_and_closed_to_others(
    script: Script, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        save(script, code="2")
    assert stat.S_IMODE(paths.script_files("hello").stat().st_mode) == 0o700


def test_copies_hold_what_is_current_when_they_are_written(script: Script) -> None:
    save(script, code="new")
    working_copy.write(script.pk)
    assert (paths.script("hello") / "main.py").read_text() == "new"


def test_copies_that_cannot_be_written_do_not_undo_the_version(
    script: Script, django_capture_on_commit_callbacks: OnCommit
) -> None:
    (paths.script("hello").parent).mkdir(exist_ok=True)
    paths.script("hello").touch()
    with django_capture_on_commit_callbacks(execute=True):
        version = save(script, code="2")
    assert Version.objects.filter(pk=version.pk).exists()


@pytest.mark.parametrize("lacking", ["main.py", "requirements.txt", "both"])
def test_copies_that_are_missing_are_written_at_start_up(script: Script, lacking: str) -> None:
    working_copy.write(script.pk)
    for name in working_copy.FIELDS if lacking == "both" else [lacking]:
        (paths.script("hello") / name).unlink()
    assert versions.write_missing_copies() == 1
    assert (paths.script("hello") / "main.py").read_text() == "print(1)\n"
    assert (paths.script("hello") / "requirements.txt").exists()


def test_copies_of_an_older_version_are_written_at_start_up(script: Script) -> None:
    working_copy.write(script.pk)
    for name in working_copy.FIELDS:
        os.utime(paths.script("hello") / name, (1, 1))
    save(script, code="new")
    assert versions.write_missing_copies() == 1
    assert (paths.script("hello") / "main.py").read_text() == "new"


def test_copies_in_order_are_left_alone(script: Script) -> None:
    working_copy.write(script.pk)
    Version.objects.update(created_at=NOW - timedelta(days=365 * 10))
    assert versions.write_missing_copies() == 0


def test_copies_that_can_still_not_be_written_keep_no_other_from_it(script: Script) -> None:
    scripts.create(name="Other", code="", by=None, now=NOW)
    paths.script("hello").parent.mkdir(exist_ok=True)
    paths.script("hello").touch()
    assert versions.write_missing_copies() == 1
    assert (paths.script("other") / "main.py").exists()


def test_a_deleted_script_gets_no_copies(script: Script) -> None:
    scripts.delete(script, now=NOW)
    assert versions.write_missing_copies() == 0
