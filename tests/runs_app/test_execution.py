"""Handing over: what a run gets to see and to work with."""

import json
from typing import Any

import pytest
from django.utils import timezone

from runs_app import control, execution
from runs_app.models import Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def prepared(code: str = "print(1)\n") -> tuple[Run, dict[str, Any]]:
    """A run whose folder is prepared, and its spec."""
    script = make_script("Hello World", code=code)
    run = make_run(
        script, environment=script.environment, status=Status.STARTING, folder="2026-11/1-abcdef12", timeout_s=7
    )
    execution.prepare_folder(run)
    return run, json.loads((paths.run_folder(run.folder) / "spec.json").read_text())


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCHED_SECRET_KEY", "do not leak me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nor me")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    _, spec = prepared()
    assert "leak me" not in json.dumps(spec) and "nor me" not in json.dumps(spec)
    assert set(spec["env"]) == {
        "HOME",
        "LANG",
        "PATH",
        "PYTHONIOENCODING",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "TEMPO_RUN_ID",
        "TEMPO_SCRIPT",
        "TMPDIR",
        "TZ",
        "VIRTUAL_ENV",
    } | {name for name in execution.PASSED_ON if name in spec["env"]}


def test_output_is_unbuffered_and_the_run_is_named() -> None:
    run, spec = prepared()
    env = spec["env"]
    assert (env["PYTHONUNBUFFERED"], env["TEMPO_RUN_ID"], env["TEMPO_SCRIPT"]) == ("1", str(run.pk), "hello-world")


def test_a_run_works_in_the_scripts_files_with_its_own_code() -> None:
    run, spec = prepared("print('mine')\n")
    assert spec["cwd"] == str(paths.script_files("hello-world"))
    assert (paths.run_folder(run.folder) / "main.py").read_text() == "print('mine')\n"


def test_the_time_limit_is_the_one_of_the_trigger() -> None:
    assert prepared()[1]["timeout_s"] == 7


def test_a_build_runs_the_driver_and_claims_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCHED_SECRET_KEY", "do not leak me")
    environment = Environment.objects.create(python="3.12.1", interpreter="/usr/bin/python3")
    run = make_run(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12")
    execution.prepare_folder(run)
    spec = json.loads((paths.run_folder(run.folder) / "spec.json").read_text())
    environment.refresh_from_db()
    assert environment.state == Environment.State.BUILDING
    assert "build_environment.py" in spec["argv"][3] and "leak me" not in json.dumps(spec)


def test_preparing_twice_is_harmless() -> None:
    run, spec = prepared()
    execution.prepare_folder(run)
    assert json.loads((paths.run_folder(run.folder) / "spec.json").read_text()) == spec


def test_an_environment_that_went_away_ends_the_run_with_the_reason() -> None:
    script = make_script()
    run = make_run(script, environment=None, status=Status.STARTING, folder="2026-11/1-abcdef12")
    assert not execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, "environment")


def test_names_of_folders_cannot_be_guessed() -> None:
    run = make_run(make_script())
    assert execution.new_folder_name(run, run.created_at) != execution.new_folder_name(run, run.created_at)


def test_without_a_launcher_it_says_how_to_get_one() -> None:
    with pytest.raises(control.LauncherError, match="serve"):
        control.launcher.ping()
