"""Why a run failed, on its page and in the list of failures, and what the buttons do."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs_app.models import FailureGroup, Run
from runs_app.states import Reason, Status
from scripts_app import scripts
from scripts_app.models import Environment, Script, Variable
from tests.factories import NOW, make_run, make_script

pytestmark = pytest.mark.django_db

FINGERPRINT = "f" * 16
EXPLANATION: dict[str, Any] = {
    "title": "ModuleNotFoundError: no module `requests`",
    "detail": "It came from <b>KeyError</b>",
    "frame": {"file": "main.py", "line": 2, "function": "load", "code": "import requests"},
    "kind": "missing_module",
    "fingerprint": FINGERPRINT,
    "hint": "list `requests` under Packages",
    "actions": [{"kind": "add_package", "label": "Add `requests`", "package": "requests"}],
    "last_line": "ModuleNotFoundError: No module named 'requests'",
}


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="def load():\n    import requests\nload()\n")


def make_failed(script: Script, explanation: dict[str, Any] = EXPLANATION, **fields: Any) -> Run:
    """A run that has failed so, and its group."""
    fields.setdefault("environment", script.environment)
    run = make_run(
        script,
        status=Status.FAILED,
        reason=Reason.EXIT_CODE,
        exit_code=1,
        finished_at=NOW,
        explanation=explanation,
        fingerprint=explanation["fingerprint"],
        **fields,
    )
    FailureGroup.objects.create(
        script=script,
        fingerprint=explanation["fingerprint"],
        kind=explanation["kind"],
        title=explanation["title"],
        place="main.py, in load",
        first_run=run.pk,
        first_at=NOW,
        last_run=run.pk,
        last_at=NOW,
        since_run=run.pk,
        first_version=run.version,
        last_version=run.version,
    )
    return run


def have_built(run: Run) -> None:
    assert run.environment
    Environment.objects.filter(pk=run.environment.pk).update(state=Environment.State.READY)


def page_of(client: Client, run: Run) -> str:
    return client.get(reverse("run-detail", args=[run.pk])).content.decode()


def test_the_page_says_why(admin_client: Client, script: Script) -> None:
    page = page_of(admin_client, make_failed(script))
    assert "ModuleNotFoundError: no module <code>requests</code>" in page
    assert "It came from &lt;b&gt;KeyError&lt;/b&gt;" in page
    assert f'href="/scripts/{script.slug}/edit/#L2"' in page
    assert "list <code>requests</code> under Packages" in page


def test_a_line_of_an_older_version_is_shown_in_that_version(
    admin_client: Client, script: Script
) -> None:
    run = make_failed(script)
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    page = page_of(admin_client, run)
    address = f"/scripts/{script.slug}/versions/1/?line=2"
    assert f'href="{address}#L2"' in page
    version = admin_client.get(address).content.decode()
    assert '<mark id="L2"\n    >    import requests</mark>' in version
    assert "run-add-package" not in page and "Add <code>" not in page


@pytest.mark.parametrize("line", ["0", "99", "x", ""])
def test_a_line_that_is_not_there_is_not_marked(
    admin_client: Client, script: Script, line: str
) -> None:
    page = admin_client.get(f"/scripts/{script.slug}/versions/1/?line={line}").content.decode()
    assert "import requests" in page
    assert "<mark" not in page


def test_the_button_adds_the_package(admin_client: Client, script: Script) -> None:
    run = make_failed(script)
    assert "Add <code>requests</code>" in page_of(admin_client, run)
    admin_client.post(reverse("run-add-package", args=[run.pk]))
    script.refresh_from_db()
    assert script.version and script.version.requirements == "requests\n"
    assert script.version.number == 2


def test_the_package_goes_beside_those_of_the_codes_block(script: Script) -> None:
    code = '# /// script\n# dependencies = ["rich"]\n# ///\nimport requests\n'
    scripts.update(script, by=None, now=NOW, code=code)
    version = scripts.add_requirement(script, "requests", by=None, now=NOW)
    assert version.requirements == "rich\nrequests\n"


def test_a_run_that_lacked_no_package_adds_none(admin_client: Client, script: Script) -> None:
    run = make_failed(script, {**EXPLANATION, "actions": []})
    admin_client.post(reverse("run-add-package", args=[run.pk]))
    script.refresh_from_db()
    assert script.version and script.version.number == 1


def test_a_limit_leads_to_its_field(admin_client: Client, script: Script) -> None:
    action = {"kind": "raise_limit", "label": "Raise the limit", "limit": "memory_mb"}
    page = page_of(admin_client, make_failed(script, {**EXPLANATION, "actions": [action]}))
    assert f'href="/scripts/{script.slug}/settings/#id_memory_mb"' in page
    settings = admin_client.get(f"/scripts/{script.slug}/settings/").content.decode()
    assert 'id="id_memory_mb"' in settings


def test_paths_in_tmp_are_put_below_the_runs_own_folder_in_a_draft(admin_client: Client) -> None:
    script = make_script("Hello", code='open("/tmp/x", "w")\n')
    action = {"kind": "use_tmpdir", "label": "Use `$TMPDIR`"}
    run = make_failed(script, {**EXPLANATION, "actions": [action]})
    assert "Use <code>$TMPDIR</code>" in page_of(admin_client, run)
    editor = admin_client.post(reverse("run-use-tmpdir", args=[run.pk]), follow=True)
    assert editor.context["text"].code == 'import os\nopen(os.environ["TMPDIR"] + "/x", "w")\n'
    assert "Save a version to use it" in editor.content.decode()
    script.refresh_from_db()
    assert script.version and script.version.number == 1
    again = admin_client.post(reverse("run-use-tmpdir", args=[run.pk]), follow=True)
    assert "No text of the code begins with" in again.content.decode()


def test_what_changed_since_the_last_good_run_is_named(
    admin_client: Client, script: Script
) -> None:
    good = make_run(script, status=Status.SUCCEEDED, environment=script.environment)
    scripts.update(script, by=None, now=NOW, code="import requests\n")
    Variable.objects.create(script=script, name="API_URL", value="http://x")
    page = page_of(admin_client, make_failed(script))
    assert f'<a href="/runs/{good.pk}/">#{good.pk}</a>:' in page
    assert "<code>main.py</code>: +1 −3 lines" in page
    assert "Variable <code>API_URL</code> was changed" in page


def test_the_last_good_version_can_be_restored(admin_client: Client, script: Script) -> None:
    make_run(script, status=Status.SUCCEEDED)
    scripts.update(script, by=None, now=NOW, code="import requests\n")
    run, button = make_failed(script), f'action="/scripts/{script.slug}/versions/1/restore/"'
    assert button in page_of(admin_client, run)
    admin_client.post(f"/scripts/{script.slug}/versions/1/restore/")
    assert button not in page_of(admin_client, run)


def test_a_run_is_repeated_with_the_same_code_packages_and_inputs(
    admin_client: Client, script: Script
) -> None:
    run = make_failed(script, params={"day": "monday"})
    other = Environment.objects.create(interpreter="/x", python="3.12.1", state="ready")
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    Script.objects.filter(pk=script.pk).update(environment=other)
    have_built(run)
    admin_client.post(reverse("run-rerun", args=[run.pk]))
    again = Run.objects.first()
    assert again and again.pk != run.pk
    assert again.version_id == run.version_id
    assert again.environment_id == run.environment_id
    assert again.params == {"day": "monday"}


def test_a_repeated_run_waits_for_its_packages(admin_client: Client, script: Script) -> None:
    run = make_failed(script)
    Environment.objects.update(state=Environment.State.STORED, digest="")
    assert "Run again with the same code" in page_of(admin_client, run)
    page = admin_client.post(reverse("run-rerun", args=[run.pk]), follow=True).content.decode()
    assert "It waits for its environment." in page


def test_a_deleted_script_has_no_buttons(admin_client: Client, script: Script) -> None:
    run = make_failed(script)
    scripts.delete(script, now=NOW)
    page = page_of(admin_client, run)
    assert "no module <code>requests</code>" in page
    assert "Add <code>requests</code>" not in page


def test_lists_say_the_same(admin_client: Client, script: Script) -> None:
    make_failed(script)
    for address in ("/runs/", "/", f"/scripts/{script.slug}/runs/", "/failures/"):
        assert "no module" in admin_client.get(address).content.decode(), address


def test_the_page_of_failures_can_be_narrowed_to_a_script(
    admin_client: Client, script: Script
) -> None:
    make_failed(script)
    make_failed(make_script("Other"), {**EXPLANATION, "title": "KeyError: 'x'"})
    page = admin_client.get(f"/failures/?script={script.slug}").content.decode()
    assert "no module" in page and "KeyError" not in page
    assert 'href="?script=other"' in page  # it fails in the same way


def test_without_a_failure_the_page_says_so(admin_client: Client) -> None:
    assert "No failure is kept." in admin_client.get("/failures/").content.decode()
