"""What is edited on the disk is noticed, offered, and never lost."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from scripts_app import external_edits, scripts
from scripts_app.models import Script
from scripts_app.scripts import ScriptError
from scripts_app.versions import drafts, working_copy
from tempo_site.lib import paths
from tests.factories import NOW, make_script

OnCommit = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]
ADDRESS = "/api/v1/scripts/hello-world/outside-edit"

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    script = make_script(code="print(1)\n", requirements="")
    working_copy.write(script.pk)
    return script


@pytest.fixture
def main(script: Script) -> Path:
    """Its readable copy."""
    return paths.script(script.slug) / "main.py"


def found(script: Script) -> working_copy.ExternalEdit:
    edit = working_copy.find_edit(script)
    assert edit is not None
    return edit


def said(script: Script) -> list[tuple[int, str]]:
    return [(version.number, version.code) for version in script.versions.all()]


def current(script: Script) -> str:
    script.refresh_from_db()
    assert script.version is not None
    return script.version.code


# --- noticing ------------------------------------------------------------------------------------------------------
def test_copies_that_tempo_wrote_are_no_edit(script: Script, main: Path) -> None:
    main.touch()
    assert working_copy.find_edit(script) is None


def test_a_copy_that_is_gone_is_no_edit(script: Script, main: Path) -> None:
    main.unlink()
    assert working_copy.find_edit(script) is None


def test_an_edit_is_noticed(script: Script, main: Path) -> None:
    main.write_text("print(2)\n")
    edit = found(script)
    assert (edit.code, edit.requirements, list(edit.digests)) == ("print(2)\n", "", ["main.py"])


def test_an_edit_of_the_requirements_keeps_the_code(script: Script, main: Path) -> None:
    main.with_name("requirements.txt").write_text("humanize\n")
    assert (found(script).code, found(script).requirements) == ("print(1)\n", "humanize\n")


@pytest.mark.parametrize("content", [b"print(1)\r\n", b"\xef\xbb\xbfprint(1)\n"])
def test_line_ends_and_marks_of_another_system_are_no_edit(
    script: Script, main: Path, content: bytes
) -> None:
    main.write_bytes(content)
    assert working_copy.find_edit(script) is None


def test_a_copy_that_is_older_than_its_version_is_no_edit(script: Script) -> None:
    # not committed: nothing is written
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    assert working_copy.find_edit(script) is None


def test_without_a_record_a_copy_of_an_older_version_is_no_edit(script: Script, main: Path) -> None:
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    Script.objects.update(copies={})
    assert working_copy.find_edit(script) is None
    main.write_text("print(3)\n")
    assert found(script).code == "print(3)\n"


@pytest.mark.parametrize("content", [b"caf\xe9", b"a\0b", b"x" * (1024 * 1024 + 1)])
def test_what_is_no_text_is_told_and_left(script: Script, main: Path, content: bytes) -> None:
    main.write_bytes(content)
    assert "main.py" in found(script).problem
    with pytest.raises(ScriptError):
        external_edits.accept(script, seen=found(script).seen, by=None, now=NOW)
    working_copy.write(script.pk)
    assert main.read_bytes() == content


def test_a_link_is_not_followed_and_a_pipe_not_waited_for(
    script: Script, main: Path, data_folder: Path
) -> None:
    (data_folder / "secret_key").write_text("secret")
    main.unlink()
    main.symlink_to(data_folder / "secret_key")
    assert "secret" not in found(script).code + found(script).problem
    main.unlink()
    os.mkfifo(main)
    assert found(script).problem == "`main.py` is no file."


# --- taking and putting back ---------------------------------------------------------------------------------------
def test_taking_it_makes_a_version(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    main.write_text("print(2)\n")
    with django_capture_on_commit_callbacks(execute=True):
        version = external_edits.accept(script, seen=found(script).seen, by=None, now=NOW)
    assert (current(script), version.number, version.note) == (
        "print(2)\n",
        2,
        external_edits.ACCEPTED,
    )
    assert (working_copy.find_edit(script), len(said(script))) == (None, 2)


def test_taking_it_keeps_a_draft(script: Script, main: Path) -> None:
    drafts.save(
        script, code="draft", requirements="", python_version="", based_on=0, by=None, now=NOW
    )
    main.write_text("print(2)\n")
    external_edits.accept(script, seen=found(script).seen, by=None, now=NOW)
    assert (current(script), "draft" in dict(said(script)).values()) == ("print(2)\n", True)


def test_putting_it_back_keeps_its_text(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    main.write_text("print(2)\n")
    with django_capture_on_commit_callbacks(execute=True):
        external_edits.revert(script, seen=found(script).seen)
    assert (main.read_text(), current(script), said(script)[0]) == (
        "print(1)\n",
        "print(1)\n",
        (2, "print(2)\n"),
    )
    assert working_copy.find_edit(script) is None


def test_what_was_edited_again_since_it_was_seen_is_not_decided_about(
    script: Script, main: Path
) -> None:
    main.write_text("print(2)\n")
    seen = found(script).seen
    main.write_text("print(3)\n")
    for act in (
        lambda: external_edits.accept(script, seen=seen, by=None, now=NOW),
        lambda: external_edits.revert(script, seen=seen),
    ):
        with pytest.raises(ScriptError, match="edited again"):
            act()
    assert (main.read_text(), len(said(script))) == ("print(3)\n", 1)


def test_requirements_that_cannot_be_saved_change_nothing(script: Script, main: Path) -> None:
    main.with_name("requirements.txt").write_text("-r other.txt\n")
    with pytest.raises(ScriptError) as refusal:
        external_edits.accept(script, seen=found(script).seen, by=None, now=NOW)
    assert (refusal.value.field, len(said(script))) == ("requirements", 1)
    assert found(script).requirements == "-r other.txt\n"


# --- never overwritten unawares ------------------------------------------------------------------------------------
def test_a_save_keeps_what_was_edited_on_the_disk_as_a_version_before_its_own(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    main.write_text("print(2)\n")
    with django_capture_on_commit_callbacks(execute=True):
        scripts.update(script, by=None, now=NOW, code="print(3)\n")
    assert said(script) == [(3, "print(3)\n"), (2, "print(2)\n"), (1, "print(1)\n")]
    assert (current(script), main.read_text(), working_copy.find_edit(script)) == (
        "print(3)\n",
        "print(3)\n",
        None,
    )


def test_a_save_that_changes_nothing_leaves_it(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    main.write_text("print(2)\n")
    with django_capture_on_commit_callbacks(execute=True):
        scripts.update(script, by=None, now=NOW, code="print(1)\n", name="Other")
    assert (main.read_text(), len(said(script)), found(script).code) == (
        "print(2)\n",
        1,
        "print(2)\n",
    )


def test_an_edit_between_a_save_and_its_copy_stays(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        scripts.update(script, by=None, now=NOW, code="print(3)\n")
        main.write_text("just now\n")
    assert (main.read_text(), found(script).code) == ("just now\n", "just now\n")


def test_saving_what_was_edited_is_one_version(
    script: Script, main: Path, django_capture_on_commit_callbacks: OnCommit
) -> None:
    main.write_text("print(2)\n")
    with django_capture_on_commit_callbacks(execute=True):
        scripts.update(script, by=None, now=NOW, code="print(2)\n")
    assert (len(said(script)), working_copy.find_edit(script)) == (2, None)


# --- through the API -----------------------------------------------------------------------------------------------
def test_the_api_offers_it_and_takes_it(script: Script, main: Path, key: str) -> None:
    program = Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})
    assert program.get(ADDRESS).json()["exists"] is False
    main.write_text("print(2)\n")
    edit = program.get(ADDRESS).json()
    assert (edit["exists"], edit["code"], edit["files"]) == (True, "print(2)\n", ["main.py"])
    stale = program.post(ADDRESS, json.dumps({"take": True, "seen": "0"}), "application/json")
    assert (stale.status_code, list(stale.json()["error"]["fields"])) == (422, ["seen"])
    answer = program.post(
        ADDRESS, json.dumps({"take": True, "seen": edit["seen"]}), "application/json"
    )
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (
        200,
        "print(2)\n",
        2,
    )
    again = program.post(ADDRESS, json.dumps({"take": False}), "application/json")
    assert again.status_code == 422
