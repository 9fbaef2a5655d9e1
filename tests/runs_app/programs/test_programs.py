"""Programs: every kind of run has one, found in one place; what its end and its listing are."""

from typing import Any

import pytest
from django.utils import timezone

from runs_app.admission import unwanted
from runs_app.execution import execution, finish
from runs_app.history import history
from runs_app.models import Run
from runs_app.programs import registry
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.triggers import builds, triggers
from scripts_app import scripts
from scripts_app.environments import python_installation
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

FOLDER = "2026-11/1-abcdef12"


def make_build(**fields: Any) -> Run:
    """A run that builds an environment."""
    environment = Environment.objects.create(python="3.12.1", interpreter="/p")
    return make_run(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, **fields)


def make_installation(**fields: Any) -> Run:
    return make_run(kind=Kind.INSTALL, trigger=Trigger.BUILD, params={"python": "3.12"}, **fields)


def test_every_kind_has_a_program() -> None:
    assert set(registry.PROGRAMS) == set(Kind)


def test_titles_say_what_a_run_is_about() -> None:
    runs = [make_run(make_script("Backup")), make_build(), make_installation()]
    titles = [registry.program_of(run).title(run) for run in runs]
    assert titles == ["Backup", "Python 3.12.1", "Python 3.12"]


def test_the_end_of_a_script_s_run_is_its_schedule_s() -> None:
    schedule = make_schedule()
    run = make_run(schedule.script, schedule=schedule, status=Status.RUNNING)
    finish.end(run, Status.SUCCEEDED, now=timezone.now())
    schedule.refresh_from_db()
    assert schedule.last_success_at == run.finished_at


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("yaml", "list `pyyaml` under Packages"),
        (
            "our_own",
            "list the package that brings it under Packages; a file of your own goes to the script's files",
        ),
    ],
)
def test_a_script_that_lacks_a_module_is_told_where_to_get_it(module: str, hint: str) -> None:
    run = make_run(status=Status.RUNNING)
    finish.end(run, Status.FAILED, now=timezone.now(), message=f"No module named `{module}`")
    run.refresh_from_db()
    assert run.message == f"No module named `{module}`\nhint: {hint}"


def test_the_end_of_an_installation_is_in_uv_s_own_words() -> None:
    run = make_installation(status=Status.RUNNING, folder=FOLDER)
    folder = paths.run_folder(FOLDER)
    folder.mkdir(parents=True)
    (folder / python_installation.RESULT).write_text("error: no such Python")
    finish.end(run, Status.FAILED, now=timezone.now(), message="Exit code 2.")
    run.refresh_from_db()
    assert run.message == "error: no such Python"


def test_an_installation_does_not_wait_for_environments_to_be_wanted() -> None:
    run = builds.install_python("3.12", by="root", now=timezone.now())
    assert (run.kind, run.environment) == (Kind.INSTALL, None)


# --- reasons --------------------------------------------------------------------------------------------------------
def test_a_build_of_an_environment_that_is_gone_says_so() -> None:
    run = make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, status=Status.STARTING, folder=FOLDER)
    assert not execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.NOT_WANTED)


def test_a_queued_run_of_a_deleted_script_says_so() -> None:
    script = make_script(is_ready=False)
    run = make_run(script)
    scripts.delete(script, now=timezone.now())
    unwanted.cancel_unwanted(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.CANCELLED, Reason.DELETED)
    assert run.explain() == "Its script was deleted."


def test_a_deleted_script_is_refused_as_such() -> None:
    script = make_script()
    scripts.delete(script, now=timezone.now())
    with pytest.raises(triggers.Refused) as refused:
        triggers.start(script, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    assert refused.value.reason == Reason.DELETED


# --- lists ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("script", [Kind.SCRIPT]),
        ("build", [Kind.INSTALL, Kind.BUILD]),  # as before there were two kinds
        ("install", [Kind.INSTALL]),
        ("", [Kind.INSTALL, Kind.BUILD, Kind.SCRIPT]),
    ],
)
def test_a_list_of_builds_has_installations_too(kind: str, expected: list[Kind]) -> None:
    make_run(make_script()), make_build(), make_installation()
    assert [run.kind for run in history.page(kind=kind)] == expected


@pytest.mark.parametrize("kind", [Kind.BUILD, Kind.INSTALL])
def test_a_list_of_builds_does_not_look_through_the_history_of_scripts(kind: Kind) -> None:
    rows = Run.objects.of_kind(kind).newest_first()[:50]
    assert "run_own_programs" in rows.explain()


def test_the_builds_of_an_environment_are_found_by_their_index() -> None:
    rows = Run.objects.filter(kind=Kind.BUILD, environment=1).newest_first()[:1]
    assert "run_of_environment" in rows.explain()
