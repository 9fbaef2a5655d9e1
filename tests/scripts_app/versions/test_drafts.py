"""Drafts: saved while one types, never lost and never written over unawares."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from scripts_app import scripts
from scripts_app.models import Draft, Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import drafts
from scripts_app.versions.drafts import Conflict, Text
from tests.factories import NOW, make_script

LATER = NOW + timedelta(seconds=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="print(1)\n")


def save(
    script: Script, code: str, *, based_on: int = 0, by: User | None = None, **fields: Any
) -> Text:
    """Save a draft at NOW."""
    fields = {"requirements": "", "python_version": ""} | fields
    return drafts.save(script, code=code, based_on=based_on, by=by, now=NOW, **fields)


def release(script: Script, code: str, **fields: Any) -> Script:
    """Save a version, after NOW."""
    return scripts.update(script, by=None, now=LATER, code=code, **fields)


def editor_saves(script: Script, code: str, *, based_on: int) -> Script:
    """Save a version as the editor does: everything, and what it was made from."""
    return release(script, code, requirements="", python_version="", based_on=based_on)


# --- what a draft is ------------------------------------------------------------------------------------------------
def test_without_a_draft_the_text_is_the_versions(script: Script) -> None:
    text = drafts.text(script)
    assert (text.code, text.revision, text.is_draft) == ("print(1)\n", 0, False)


def test_a_draft_is_the_text_and_the_version_stays(script: Script, user: User) -> None:
    text = save(script, "print(2)\r\n", by=user, requirements="humanize")
    assert text == drafts.text(script)
    assert (text.code, text.requirements, text.revision, text.is_draft) == (
        "print(2)\n",
        "humanize",
        1,
        True,
    )
    assert (text.author, text.saved_at) == ("ann", NOW)
    script.refresh_from_db()
    assert script.version and script.version.code == "print(1)\n"


def test_what_says_the_same_as_the_version_is_no_draft(script: Script) -> None:
    save(script, "print(2)\n")
    text = save(script, "print(1)\n", based_on=1)
    assert (text.is_draft, text.revision) == (False, 2)
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    "code", ["def f(:", "import nothing_there", "\t\x1b[31m", "x" * 1024 * 1024]
)
def test_a_draft_may_be_wrong(script: Script, code: str) -> None:
    assert save(script, code, requirements="-r other.txt", python_version="9.9").code == code


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "\0"),
        ("code", "x" * (1024 * 1024 + 1)),
        ("requirements", "\ud800"),
        ("python_version", "3" * 11),
    ],
)
def test_what_no_version_could_hold_is_refused_at_its_field(
    script: Script, field: str, value: str
) -> None:
    typed: dict[str, Any] = {"code": "2"} | {field: value}
    with pytest.raises(ScriptError) as refusal:
        save(script, **typed)
    assert refusal.value.field == field
    assert drafts.text(script).revision == 0


def test_a_discarded_draft_leaves_the_version_and_counts(script: Script) -> None:
    save(script, "print(2)\n")
    drafts.discard(script, based_on=1)
    text = drafts.text(script)
    assert (text.code, text.is_draft, text.revision) == ("print(1)\n", False, 2)
    drafts.discard(script, based_on=1)
    assert drafts.text(script).revision == 2


def test_nobody_discards_a_draft_that_they_have_not_seen(script: Script) -> None:
    save(script, "mine", based_on=0)
    save(script, "theirs", based_on=1)
    with pytest.raises(Conflict):
        drafts.discard(script, based_on=1)
    assert drafts.text(script).code == "theirs"


def test_a_deleted_script_takes_no_draft(script: Script) -> None:
    scripts.delete(script, now=NOW)
    with pytest.raises(ScriptError, match="`hello` was deleted"):
        save(script, "2")


# --- two at once ----------------------------------------------------------------------------------------------------
def test_the_slower_one_is_told_what_the_faster_one_wrote(script: Script, user: User) -> None:
    save(script, "theirs", by=user)
    with pytest.raises(Conflict, match="changed by `ann`") as conflict:
        save(script, "mine", based_on=0)
    assert (conflict.value.current.code, conflict.value.current.revision) == ("theirs", 1)
    assert drafts.text(script).code == "theirs"


def test_on_top_of_the_other_text_it_is_saved(script: Script) -> None:
    save(script, "theirs")
    assert save(script, "mine", based_on=1).code == "mine"


def test_the_same_request_twice_is_no_conflict(script: Script) -> None:
    first = save(script, "mine", based_on=0)
    assert save(script, "mine", based_on=0) == first


def test_a_discarded_draft_is_a_conflict_for_who_goes_on_writing(script: Script) -> None:
    save(script, "mine")
    drafts.discard(script, based_on=1)
    with pytest.raises(Conflict):
        save(script, "mine, longer", based_on=1)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_saves_at_once_none_is_lost(script: Script) -> None:
    """Everyone appends a line and, told of a conflict, appends it to the newer text: all lines are there at the end."""
    gate = threading.Barrier(50)
    conflicts = []

    def one(number: int) -> None:
        gate.wait()
        text = drafts.text(script)
        while f"# {number}.\n" not in text.code:
            try:
                text = save(script, f"{text.code}# {number}.\n", based_on=text.revision)
            except Conflict as conflict:
                conflicts.append(number)
                text = conflict.current
        connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = drafts.text(script)
    assert sorted(text.code.splitlines()[1:]) == sorted(f"# {number}." for number in range(50))
    assert text.revision == 50
    assert conflicts


# --- versions -------------------------------------------------------------------------------------------------------
def test_a_version_ends_the_draft_and_counts(script: Script) -> None:
    save(script, "print(2)\n")
    saved = editor_saves(script, "print(2)\n", based_on=1)
    assert (str(saved.version), saved.revision, drafts.text(script).is_draft) == ("v2", 2, False)
    assert Version.objects.filter(script=script).count() == 2


def test_a_version_made_from_an_older_text_is_a_conflict_and_changes_nothing(
    script: Script,
) -> None:
    save(script, "theirs")
    with pytest.raises(Conflict):
        scripts.update(
            script,
            by=None,
            now=LATER,
            name="Other",
            code="mine",
            requirements="",
            python_version="",
            based_on=0,
        )
    script.refresh_from_db()
    assert (script.name, str(script.version), drafts.text(script).code) == ("Hello", "v1", "theirs")


def test_a_version_from_elsewhere_is_a_conflict_for_who_is_writing(script: Script) -> None:
    release(script, "theirs")
    with pytest.raises(Conflict) as conflict:
        save(script, "mine", based_on=0)
    assert conflict.value.current.code == "theirs"


def test_going_back_to_the_version_ends_the_draft(script: Script) -> None:
    save(script, "print(2)\n")
    editor_saves(script, "print(1)\n", based_on=1)
    assert (drafts.text(script).is_draft, Version.objects.filter(script=script).count()) == (
        False,
        1,
    )


def test_the_same_version_twice_is_no_conflict(script: Script) -> None:
    for _ in range(2):
        editor_saves(script, "print(2)\n", based_on=0)
    assert Version.objects.filter(script=script).count() == 2


def test_a_draft_that_the_author_of_a_version_had_not_seen_is_kept_as_a_version(
    script: Script, user: User
) -> None:
    save(script, "typed with care", by=user, requirements="-r refused.txt")
    saved = release(script, "print(3)\n")
    kept, current = Version.objects.filter(script=script).order_by("number")[1:]
    assert (kept.code, kept.requirements, kept.author) == (
        "typed with care",
        "-r refused.txt",
        user,
    )
    assert "Draft, kept" in kept.note
    assert (saved.version, current.number, current.code) == (current, 3, "print(3)\n")
    assert not drafts.text(script).is_draft


def test_changing_something_else_leaves_the_draft(script: Script) -> None:
    save(script, "mine")
    scripts.update(script, by=None, now=LATER, name="Other", code="print(1)\n")
    text = drafts.text(script)
    assert (text.code, text.revision) == ("mine", 1)
