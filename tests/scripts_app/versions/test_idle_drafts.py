"""Idle drafts: kept among the versions after ten minutes, without becoming what runs and without disturbing anybody."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from scripts_app import scripts
from scripts_app.models import Draft, Script, Version
from scripts_app.versions import drafts
from scripts_app.versions.drafts import Conflict, Text
from tests.factories import NOW, make_script

IDLE = NOW + timedelta(minutes=10)

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="print(1)\n")


def save(script: Script, code: str, *, now: datetime = NOW, by: User | None = None) -> Text:
    """Save a draft on top of whatever is there."""
    based_on = drafts.text(script).revision
    return drafts.save(
        script, code=code, requirements="", python_version="", based_on=based_on, by=by, now=now
    )


def numbers(script: Script) -> list[tuple[int, str, bool]]:
    """(number, code, is it but a kept draft) of each version, oldest first."""
    return list(script.versions.order_by("number").values_list("number", "code", "is_draft"))


def test_a_draft_is_kept_after_ten_idle_minutes(script: Script, user: User) -> None:
    save(script, "half typed", by=user)
    assert drafts.keep_idle(now=IDLE - timedelta(seconds=1)) == 0
    assert drafts.keep_idle(now=IDLE) == 1
    kept = script.versions.get(number=2)
    assert (kept.code, kept.author, kept.saved_by, kept.is_draft) == (
        "half typed",
        user,
        "ann",
        True,
    )
    assert "10 minutes" in kept.note


def test_what_runs_is_still_the_version_of_before(script: Script) -> None:
    save(script, "half typed")
    drafts.keep_idle(now=IDLE)
    script.refresh_from_db()
    assert str(script.version) == "v1"


def test_an_open_editor_goes_on_as_if_nothing_had_happened(script: Script) -> None:
    before = save(script, "half typed")
    drafts.keep_idle(now=IDLE)
    assert drafts.text(script) == before
    assert save(script, "typed on").revision == before.revision + 1


def test_a_text_is_kept_once(script: Script) -> None:
    save(script, "half typed")
    assert [drafts.keep_idle(now=IDLE + timedelta(hours=hour)) for hour in range(3)] == [1, 0, 0]


def test_a_text_that_a_version_says_already_is_not_kept_again(script: Script) -> None:
    for code in ("half typed", "typed on", "half typed"):
        save(script, code)
        drafts.keep_idle(now=IDLE)
    assert numbers(script) == [
        (1, "print(1)\n", False),
        (2, "half typed", True),
        (3, "typed on", True),
    ]


def test_a_text_that_changed_has_its_ten_minutes_again(script: Script) -> None:
    save(script, "half typed")
    save(script, "typed on", now=IDLE)
    assert drafts.keep_idle(now=IDLE) == 0
    assert drafts.keep_idle(now=IDLE + timedelta(minutes=10)) == 1


def test_a_version_that_says_the_same_takes_the_place_of_what_was_kept(
    script: Script, user: User
) -> None:
    text = save(script, "done")
    drafts.keep_idle(now=IDLE)
    scripts.update(script, by=user, now=IDLE, code="done", based_on=text.revision)
    assert numbers(script) == [(1, "print(1)\n", False), (2, "done", False)]
    script.refresh_from_db()
    assert script.version and (script.version.code, script.version.saved_by) == ("done", "ann")


def test_another_version_leaves_what_was_kept(script: Script) -> None:
    text = save(script, "half typed")
    drafts.keep_idle(now=IDLE)
    scripts.update(script, by=None, now=IDLE, code="done", based_on=text.revision)
    assert numbers(script)[1:] == [(2, "half typed", True), (3, "done", False)]
    assert not Draft.objects.exists()


def test_a_draft_that_was_kept_already_is_not_kept_twice_when_a_version_comes_from_elsewhere(
    script: Script,
) -> None:
    save(script, "half typed")
    drafts.keep_idle(now=IDLE)
    scripts.update(script, by=None, now=IDLE, code="theirs")
    assert numbers(script)[1:] == [(2, "half typed", True), (3, "theirs", False)]


def test_the_version_that_runs_can_be_saved_again_beside_a_newer_draft(script: Script) -> None:
    save(script, "half typed")
    drafts.keep_idle(now=IDLE)
    scripts.update(script, by=None, now=IDLE, code="print(1)\n")
    script.refresh_from_db()
    assert (str(script.version), script.versions.count()) == ("v1", 2)


def test_a_deleted_script_keeps_nothing(script: Script) -> None:
    save(script, "half typed")
    scripts.delete(script, now=NOW)
    assert drafts.keep_idle(now=IDLE) == 0
    assert Version.objects.count() == 1


def test_a_conflict_names_both_texts(script: Script) -> None:
    save(script, "theirs")
    with pytest.raises(Conflict) as conflict:
        drafts.save(
            script, code="mine", requirements="", python_version="", based_on=0, by=None, now=NOW
        )
    assert (conflict.value.current.code, conflict.value.yours["code"]) == ("theirs", "mine")
