"""A run repeated as it was has its own packages, whatever its script needs today."""

from datetime import timedelta

import pytest

from runs_app import launcher_client
from runs_app.admission import admission, explain, unwanted
from runs_app.models import Run
from runs_app.states import Reason, Status, Trigger
from runs_app.triggers import builds, reruns, triggers
from scripts_app.models import Environment, Script
from tests.factories import NOW, make_run, make_script
from tests.runs_app.admission.test_admission import Recorder

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello")


@pytest.fixture
def earlier(script: Script) -> Run:
    return make_run(script, status=Status.FAILED, environment=script.environment)


@pytest.fixture(autouse=True)
def launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_client, "launcher", Recorder())


def set_script_environment(script: Script, state: str) -> None:
    newer = Environment.objects.create(interpreter="/x", python="3.12.1", state=state)
    Script.objects.filter(pk=script.pk).update(environment=newer, wanted_environment=newer)


def set_environment(run: Run, **fields: str) -> Environment:
    """The environment of a run as it is now, changed."""
    assert run.environment
    Environment.objects.filter(pk=run.environment.pk).update(**fields)
    run.refresh_from_db()
    assert run.environment
    return run.environment


def repeat(run: Run) -> Run:
    return reruns.rerun(run, trigger=Trigger.MANUAL, by="ann", now=NOW)


def test_it_begins_with_its_own_packages(script: Script, earlier: Run) -> None:
    set_script_environment(script, Environment.State.READY)
    again = repeat(earlier)
    admission.admit(now=NOW)
    again.refresh_from_db()
    assert (again.status, again.environment) == (Status.STARTING, earlier.environment)


def test_it_does_not_wait_for_the_build_of_newer_packages(script: Script, earlier: Run) -> None:
    set_script_environment(script, Environment.State.BUILDING)
    again = repeat(earlier)
    waiting = make_run(script)
    admission.admit(now=NOW)
    again.refresh_from_db()
    waiting.refresh_from_db()
    assert (again.status, waiting.status) == (Status.STARTING, Status.QUEUED)


def test_a_failed_build_of_newer_packages_does_not_end_it(script: Script, earlier: Run) -> None:
    set_script_environment(script, Environment.State.FAILED)
    again = repeat(earlier)
    admission.fail_without_environment(now=NOW)
    again.refresh_from_db()
    assert again.status == Status.QUEUED


def test_it_waits_while_its_packages_are_built_anew(script: Script, earlier: Run) -> None:
    again = repeat(earlier)
    assert earlier.environment
    Environment.objects.filter(pk=earlier.environment.pk).update(state=Environment.State.WANTED)
    admission.admit(now=NOW + timedelta(seconds=1))
    again.refresh_from_db()
    assert again.status == Status.QUEUED


def test_packages_that_are_not_built_any_more_are_built_again_for_it(
    script: Script, earlier: Run
) -> None:
    set_script_environment(script, Environment.State.READY)
    stored = set_environment(
        earlier, state=Environment.State.STORED, digest="", lock="six==1.17.0\n"
    )
    again = repeat(earlier)
    admission.admit(now=NOW)
    build = builds.sweep(now=NOW)
    assert build is not None and build.environment == stored
    assert unwanted.cancel_unwanted(now=NOW) == 0
    again.refresh_from_db()
    assert (again.status, build.environment.lock) == (Status.QUEUED, "six==1.17.0\n")
    told = explain.explain_waiting(again, now=NOW)
    assert told.waits_for == f"It waits for its environment: {build.in_words} builds it."
    set_environment(earlier, state=Environment.State.READY, digest="1" * 32)
    admission.admit(now=NOW)
    again.refresh_from_db()
    assert (again.status, again.environment) == (Status.STARTING, stored)


def test_it_fails_with_the_reason_of_the_failed_build(script: Script, earlier: Run) -> None:
    set_script_environment(script, Environment.State.READY)
    set_environment(earlier, state=Environment.State.STORED, digest="")
    again = repeat(earlier)
    set_environment(earlier, state=Environment.State.FAILED, message="six was withdrawn")
    admission.fail_without_environment(now=NOW)
    again.refresh_from_db()
    assert (again.status, again.reason) == (Status.FAILED, Reason.ENVIRONMENT)
    assert again.message == "Its environment was not built: six was withdrawn"


def test_without_its_python_it_is_refused(earlier: Run) -> None:
    set_environment(earlier, state=Environment.State.STORED, digest="", interpreter="/gone/python")
    with pytest.raises(triggers.Refused, match="its Python is gone"):
        repeat(earlier)


def test_what_never_began_cannot_be_repeated(script: Script) -> None:
    with pytest.raises(triggers.Refused, match="never began"):
        repeat(make_run(script, status=Status.FAILED))
