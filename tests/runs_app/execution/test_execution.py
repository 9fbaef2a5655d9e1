"""Handing over: the folder of a run."""

import json

import pytest
from django.utils import timezone

from runs_app import launcher_client, run_folder
from runs_app.execution import execution
from runs_app.launcher import runner
from runs_app.models import Run
from runs_app.states import Reason, Status, Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.models import Variable
from tempo_site.lib import paths
from tests.factories import make_run, make_script
from tests.runs_app.execution.test_spec import prepared

pytestmark = pytest.mark.django_db


def test_preparing_twice_leaves_what_a_runner_may_have_opened_already() -> None:
    """A file put in its place would be one that the script was never given: it could not read its own code."""
    run, spec = prepared()
    folder = paths.run_folder(run.folder)
    before = {name: (folder / name).stat().st_ino for name in ("main.py", "spec.json")}
    execution.prepare_folder(run)
    assert {name: (folder / name).stat().st_ino for name in before} == before
    assert json.loads((folder / "spec.json").read_text()) == spec


def test_a_folder_that_was_left_half_done_is_finished() -> None:
    run, spec = prepared()
    (paths.run_folder(run.folder) / "spec.json").unlink()
    execution.prepare_folder(run)
    assert json.loads((paths.run_folder(run.folder) / "spec.json").read_text()) == spec


def test_an_environment_that_went_away_ends_the_run_with_the_reason() -> None:
    script = make_script()
    run = make_run(script, environment=None, status=Status.STARTING, folder="2026-11/1-abcdef12")
    assert not execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, "environment")


def test_a_run_that_has_failed_is_not_begun_by_an_order_of_before() -> None:
    run, _ = prepared()
    now = timezone.now()
    assert not execution.hand_over(run, now=now), "as far as is known: the answer may be lost"
    Variable.objects.create(script=run.script, name="TOKEN", value="of another key", is_secret=True)
    assert not execution.hand_over(run, now=now)
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.COULD_NOT_START)
    assert not may_begin(run)


def test_a_run_that_a_runner_has_begun_does_not_fail_for_want_of_what_it_has() -> None:
    run, _ = prepared()
    assert may_begin(run)
    Variable.objects.create(script=run.script, name="TOKEN", value="of another key", is_secret=True)
    assert not execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.STARTING


def may_begin(run: Run) -> bool:
    """Whether a runner that gets the order now carries it out."""
    with run_folder.opened(paths.run_folder(run.folder)) as folder:
        assert folder is not None
        return runner._claim(folder)


def test_names_of_folders_cannot_be_guessed() -> None:
    run = make_run(make_script())
    assert execution.new_folder_name(run, run.created_at) != execution.new_folder_name(
        run, run.created_at
    )


def test_without_a_launcher_it_says_how_to_get_one() -> None:
    with pytest.raises(launcher_client.LauncherError, match="serve"):
        launcher_client.launcher.ping()


def test_a_run_that_waits_executes_the_version_it_was_asked_for() -> None:
    script = make_script(code="print('version 1')\n")
    run = triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    scripts.update(script, by=None, now=timezone.now(), code="print('version 2')\n")
    run.refresh_from_db()
    run.folder, run.environment = execution.new_folder_name(run, run.created_at), script.environment
    execution.prepare_folder(run)
    assert run.version and run.version.number == 1
    assert (paths.run_folder(run.folder) / "main.py").read_text() == "print('version 1')\n"
