"""A run that ends badly is explained in the UPDATE that stores its end."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs_app.engine import reconcile
from runs_app.execution import finish
from runs_app.failures import ends, error_output
from runs_app.models import FailureGroup, Run
from runs_app.states import Reason, Status
from scripts_app.models import Script
from tempo_site.lib import paths
from tests.corpus.tracebacks.reading import records
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

TRACEBACK = """Traceback (most recent call last):
  File "{files}/main.py", line 3, in <module>
    load("seven")
  File "{files}/main.py", line 2, in load
    return int(name)
ValueError: invalid literal
"""


@pytest.fixture
def script() -> Script:
    return make_script("Hello")


def run_with_log(script: Script, stderr: str, **verdict: Any) -> Run:
    """A run under way whose runner has left this log and a verdict."""
    run = make_run(script, status=Status.RUNNING, started_at=NOW)
    run.folder = f"2026-11/{run.pk}-abcdef12"
    run.save()
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    text = stderr.format(files=paths.script_files(script.slug))
    (folder / "output.log").write_bytes(records(text.encode()))
    for name in ("claim", "lock"):
        (folder / name).write_text("")
    (folder / "exit.json").write_text(verdict_json(**verdict))
    return run


def verdict_json(**fields: Any) -> str:
    return json.dumps({"v": 1, "status": "failed", "reason": "exit_code", "exit_code": 1, **fields})


def test_a_failed_run_is_explained_by_its_traceback(script: Script) -> None:
    run = run_with_log(script, TRACEBACK, message="Exit code 1: ValueError: invalid literal")
    assert reconcile.reconcile(run, now=NOW)
    run.refresh_from_db()
    assert run.explanation
    assert run.explanation["title"] == run.why == "ValueError: invalid literal"
    assert run.explanation["frame"] == {
        "file": "main.py",
        "line": 2,
        "function": "load",
        "code": "return int(name)",
    }
    assert run.fingerprint == run.explanation["fingerprint"]
    assert ends.reason_and_last_line(run) == (run.why, "ValueError: invalid literal")


def test_a_missing_module_comes_with_its_package(script: Script) -> None:
    stderr = TRACEBACK.replace(
        "ValueError: invalid literal", "ModuleNotFoundError: No module named 'yaml'"
    )
    run = run_with_log(script, stderr, message="No module named `yaml`")
    reconcile.reconcile(run, now=NOW)
    run.refresh_from_db()
    assert run.message == "No module named `yaml`\nhint: list `pyyaml` under Packages"
    assert run.explanation
    assert run.explanation["title"] == "ModuleNotFoundError: no module `yaml`"
    assert run.explanation["hint"] == "list `pyyaml` under Packages"
    assert run.explanation["actions"][0]["package"] == "pyyaml"


def test_a_limit_can_be_raised(script: Script) -> None:
    message = "Used 70 MB of memory, limit 64 MB"
    run = run_with_log(script, "", reason="memory", message=message)
    reconcile.reconcile(run, now=NOW)
    run.refresh_from_db()
    assert run.explanation
    assert (run.explanation["title"], run.explanation["kind"]) == (message, "limit")
    assert run.explanation["actions"][0]["limit"] == "memory_mb"


def test_a_path_in_the_folder_for_temporary_files_is_told_with_what_to_use(script: Script) -> None:
    stderr = TRACEBACK.replace(
        "ValueError: invalid literal", "PermissionError: [Errno 13] '/tmp/x'"
    )
    message = "`/tmp/x`: of the folder for temporary files a script has a part of its own\nhint: use `$TMPDIR`"
    run = run_with_log(script, stderr, message=message)
    reconcile.reconcile(run, now=NOW)
    run.refresh_from_db()
    assert run.explanation
    assert run.explanation["detail"].startswith("`/tmp/x`: of the folder")
    assert [action["kind"] for action in run.explanation["actions"]] == ["use_tmpdir"]


def test_what_never_began_is_explained_by_its_row(script: Script) -> None:
    run = make_run(script)
    message = (
        "Its environment was not built: no version of `reqests`\nhint: did you mean `requests`?"
    )
    finish.end(run, Status.FAILED, now=NOW, reason=Reason.ENVIRONMENT, message=message)
    assert run.explanation
    assert run.explanation["kind"] == "environment"
    assert run.explanation["hint"] == "did you mean `requests`?"


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.CANCELLED])
def test_a_run_that_did_not_fail_has_no_explanation(script: Script, status: Status) -> None:
    run = make_run(script, status=Status.RUNNING)
    finish.end(run, status, now=NOW)
    assert (run.explanation, run.fingerprint) == (None, None)
    assert not FailureGroup.objects.exists()


def test_an_error_that_a_good_run_logged_is_told_by_its_page_and_the_api(
    script: Script, admin_client: Client
) -> None:
    logged = run_with_log(
        script, f"ERROR:root:no luck\n{TRACEBACK}", status="succeeded", reason="", exit_code=0
    )
    silent = run_with_log(script, "WARNING: slow\n", status="succeeded", reason="", exit_code=0)
    for run in (logged, silent):
        assert reconcile.reconcile(run, now=NOW)
    logged.refresh_from_db()
    assert (logged.status, logged.explanation, logged.fingerprint) == (Status.SUCCEEDED, None, None)
    found = admin_client.get(f"/api/v1/runs/{logged.pk}").json()["explanation"]
    assert (found["kind"], found["title"]) == ("logged", "ValueError: invalid literal")
    assert (found["frame"]["line"], found["actions"]) == (2, [])
    note = "It succeeded, but logged an error"
    page = admin_client.get(f"/runs/{logged.pk}/").content.decode()
    assert note in page and "ValueError: invalid literal" in page and "Why it failed" not in page
    assert admin_client.get(f"/api/v1/runs/{silent.pk}").json()["explanation"] is None
    assert note not in admin_client.get(f"/runs/{silent.pk}/").content.decode()


def test_a_log_that_cannot_be_read_does_not_keep_a_run_from_its_end(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Run) -> list[str]:
        raise OSError("input/output error")

    monkeypatch.setattr(error_output, "last_lines_of_run", fail)
    run = run_with_log(script, TRACEBACK)
    assert reconcile.reconcile(run, now=NOW)
    run.refresh_from_db()
    assert run.status == Status.FAILED


def test_a_failure_costs_two_statements_at_most(script: Script) -> None:
    def statements(status: Status, **fields: Any) -> int:
        run = Run.objects.select_related("script").get(
            pk=make_run(script, status=Status.RUNNING).pk
        )
        with CaptureQueriesContext(connection) as queries:
            finish.end(run, status, now=NOW, **fields)
        return len(queries)

    success = statements(Status.SUCCEEDED)
    first = statements(Status.FAILED, reason=Reason.EXIT_CODE, exit_code=1)
    second = statements(Status.FAILED, reason=Reason.EXIT_CODE, exit_code=1)
    assert second <= success + 1
    assert first <= success + 2


def test_a_failure_of_an_older_tempo_is_explained_when_it_is_looked_at(script: Script) -> None:
    run = run_with_log(script, TRACEBACK)
    Run.objects.filter(pk=run.pk).update(status=Status.FAILED, reason=Reason.EXIT_CODE, exit_code=1)
    run.refresh_from_db()
    found = ends.explanation_of_run(run)
    assert found and found["title"] == "ValueError: invalid literal"
