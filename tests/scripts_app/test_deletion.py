"""Deleted scripts come back for 30 days; after that they are emptied, and only their names stay."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from runs_app.models import Run
from scripts_app import deletion, scripts
from scripts_app.models import Draft, Environment, Script, Variable, Version
from scripts_app.scripts import ScriptError
from scripts_app.versions import drafts
from tests.factories import NOW, make_run, make_schedule, make_script

LATER = NOW + timedelta(days=31)

pytestmark = pytest.mark.django_db


def test_a_restored_script_is_what_it_was() -> None:
    script = make_script(folder="Ops", tags=["a"], code="1")
    scripts.delete(script, now=NOW)
    deletion.restore(script, now=NOW)
    assert script.folder and script.version
    assert (script.folder.path, script.tags, script.version.code, script.deleted_at) == (
        "Ops",
        ["a"],
        "1",
        None,
    )


def test_a_restored_script_that_was_disabled_fires_nothing() -> None:
    schedule = make_schedule(scripts.update(make_script(), by=None, now=NOW, enabled=False))
    scripts.delete(schedule.script, now=NOW)
    deletion.restore(schedule.script, now=NOW)
    schedule.refresh_from_db()
    assert schedule.next_at is None


def test_a_restored_script_asks_for_the_environment_that_was_collected_meanwhile() -> None:
    script = make_script()
    scripts.delete(script, now=NOW)
    Script.objects.filter(pk=script.pk).update(environment=None, wanted_environment=None)
    Version.objects.update(environment=None)
    Environment.objects.all().delete()
    deletion.restore(script, now=NOW)
    assert script.wanted_environment and script.wanted_environment.state == "wanted"


def test_a_script_whose_python_is_gone_is_restored_all_the_same() -> None:
    script = make_script()
    Version.objects.update(python_version="3.99")
    scripts.delete(script, now=NOW)
    assert deletion.restore(script, now=NOW).deleted_at is None


def test_restoring_what_is_present_changes_nothing() -> None:
    assert deletion.restore(make_script(folder="Ops"), now=NOW).folder is not None


def test_nothing_is_taken_before_thirty_days_are_over() -> None:
    scripts.delete(make_script(), now=NOW)
    make_script("Present")
    assert deletion.claim_expired(NOW + timedelta(days=30)) == []


def test_what_was_taken_cannot_be_restored() -> None:
    script = make_script()
    scripts.delete(script, now=NOW)
    assert deletion.claim_expired(LATER) == [script]
    with pytest.raises(ScriptError, match="deleted for good"):
        deletion.restore(script, now=LATER)


def test_it_is_emptied_but_for_what_its_runs_show(user: User) -> None:
    script = make_script(code="1")
    run = make_run(script, status="succeeded")
    scripts.update(script, by=user, now=NOW, code="2")
    make_schedule(script)
    Variable.objects.create(script=script, name="TOKEN", value="x", is_secret=True)
    drafts.save(
        script,
        code="3",
        requirements="",
        python_version="",
        based_on=script.revision,
        by=user,
        now=NOW,
    )
    scripts.delete(script, now=NOW)
    deletion.claim_expired(LATER)
    assert deletion.empty(ran=Run.objects.exclude(version=None).values("version")) == 1
    script.refresh_from_db()
    assert list(script.versions.all()) == [run.version]
    assert (Variable.objects.count(), Draft.objects.count(), script.schedules.count()) == (0, 0, 0)
    assert (script.version, script.environment, script.name) == (None, None, "Hello World")


def test_present_scripts_keep_everything() -> None:
    script = make_script()
    make_schedule(script)
    assert deletion.empty(ran=Run.objects.none().values("version")) == 0
    assert (script.versions.count(), script.schedules.count()) == (1, 1)


def test_neither_its_slug_nor_its_user_is_given_to_another() -> None:
    script = make_script()
    scripts.delete(script, now=NOW)
    deletion.claim_expired(LATER)
    deletion.empty(ran=Run.objects.none().values("version"))
    assert make_script().slug == "hello-world-2"
