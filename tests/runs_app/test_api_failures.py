"""Why runs failed, as the API says it."""

from typing import Any

import pytest
from django.test import Client

from runs_app.models import Run
from runs_app.states import Status
from scripts_app import scripts
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_script
from tests.runs_app.views.test_failures import EXPLANATION, have_built, make_failed

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="import requests\n")


def get(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_run_is_shown_with_its_explanation(admin_client: Client, script: Script) -> None:
    run = make_failed(script)
    found = get(admin_client, f"/runs/{run.pk}")["explanation"]
    assert found["frame"] == EXPLANATION["frame"]
    assert found["title"] == EXPLANATION["title"]
    assert [action["kind"] for action in found["actions"]] == ["add_package", "rerun"]


def test_a_list_has_the_explanations_as_they_are_stored(
    admin_client: Client, script: Script
) -> None:
    make_failed(script)
    make_run(script, status=Status.SUCCEEDED)
    newest, failed = get(admin_client, "/runs")["items"]
    assert newest["explanation"] is None
    assert failed["explanation"]["fingerprint"] == EXPLANATION["fingerprint"]


def test_a_run_can_be_repeated(admin_client: Client, script: Script) -> None:
    run = make_failed(script)
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    have_built(run)
    answer = admin_client.post(f"/api/v1/runs/{run.pk}/rerun")
    assert answer.status_code == 202
    assert Run.objects.get(pk=answer.json()["id"]).version_id == run.version_id


def test_failures_are_listed_page_by_page(admin_client: Client, script: Script) -> None:
    make_failed(script, {**EXPLANATION, "fingerprint": "1" * 16, "title": "first"})
    make_failed(script, {**EXPLANATION, "fingerprint": "2" * 16, "title": "second"})
    page = get(admin_client, "/failures?limit=1")
    assert [item["title"] for item in page["items"]] == ["second"]
    page = get(admin_client, f"/failures?limit=1&cursor={page['next_cursor']}")
    assert [item["title"] for item in page["items"]] == ["first"]
    assert page["next_cursor"] is None
    assert page["items"][0]["script"] == script.slug


def test_another_cursor_is_refused(admin_client: Client) -> None:
    assert admin_client.get("/api/v1/failures?cursor=x").status_code == 422
