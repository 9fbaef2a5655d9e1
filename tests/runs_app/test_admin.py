"""Admin of runs."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runs_app.models import Run
from runs_app.states import Status, Trigger
from tempo_site.lib import paths
from tests.factories import make_run, make_script

RUNS = "/admin/runs_app/run/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A member of staff at the admin."""
    client.force_login(staff)
    return client


def test_selected_runs_are_cancelled_and_ended_ones_left_alone(desk: Client) -> None:
    queued = make_run(make_script())
    ended = make_run(queued.script, status=Status.SUCCEEDED, finished_at=timezone.now())
    data = {"action": "cancel_selected", "_selected_action": [queued.pk, ended.pk]}
    assert "Cancelling 1 of 2: 1 had ended." in desk.post(RUNS, data, follow=True).content.decode()
    queued.refresh_from_db()
    ended.refresh_from_db()
    assert (queued.status, queued.cancelled_by, ended.status) == (
        Status.CANCELLED,
        "root",
        Status.SUCCEEDED,
    )


def test_a_run_is_cancelled_by_its_button_and_one_goes_back_where_one_was(desk: Client) -> None:
    run = make_run(make_script())
    answer = desk.post(f"{RUNS}{run.pk}/act/cancel/", {"next": "/admin/"})
    run.refresh_from_db()
    assert (run.status, run.cancelled_by, answer.headers["Location"]) == (
        Status.CANCELLED,
        "root",
        "/admin/",
    )


def test_a_button_leads_to_no_other_host_and_does_nothing_by_get(desk: Client) -> None:
    run = make_run(make_script())
    assert desk.get(f"{RUNS}{run.pk}/act/cancel/").status_code == 405
    assert desk.post(f"{RUNS}{run.pk}/act/delete/").status_code == 404
    answer = desk.post(f"{RUNS}{run.pk}/act/cancel/", {"next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == f"{RUNS}{run.pk}/change/"


def test_a_script_is_run_again_from_a_run_with_the_same_parameters(desk: Client) -> None:
    script = make_script(parameters=[{"name": "day", "type": "int"}])
    ended = make_run(script, status=Status.FAILED, finished_at=timezone.now(), params={"day": 1})
    answer = desk.post(f"{RUNS}{ended.pk}/act/again/")
    again = Run.objects.latest("pk")
    assert (again.trigger, again.by, again.params) == (Trigger.ADMIN, "root", {"day": 1})
    assert answer.headers["Location"] == f"{RUNS}{again.pk}/change/"


def test_a_refused_start_is_said(desk: Client, settings: Settings) -> None:
    settings.MIN_FREE_MB = 10**9
    ended = make_run(make_script(), status=Status.FAILED, finished_at=timezone.now())
    page = desk.post(f"{RUNS}{ended.pk}/act/again/", follow=True).content.decode()
    assert "are free on the disk" in page and Run.objects.count() == 1


def test_a_run_shows_what_it_wrote(desk: Client) -> None:
    run = make_run(
        make_script(),
        status=Status.SUCCEEDED,
        finished_at=timezone.now(),
        folder="2026-11/1-00000000",
    )
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    (folder / "output.log").write_bytes(b"1764000000000 O F <b>hello</b>\n")
    page = desk.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "&lt;b&gt;hello&lt;/b&gt;" in page and f'href="/runs/{run.pk}/"' in page


def test_a_run_cannot_be_changed_or_deleted(desk: Client) -> None:
    run = make_run(make_script())
    assert desk.post(f"{RUNS}{run.pk}/change/", {"status": "succeeded"}).status_code == 403
    assert desk.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_runs_facts_can_be_seen(desk: Client) -> None:
    run = make_run(make_script("Hello World"))
    text = desk.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "Hello World" in text and f"Run #{run.pk}" in text


def test_the_list_costs_the_same_for_one_and_many(desk: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            desk.get(RUNS)
        return len(queries)

    make_run(make_script())
    few = cost()
    for number in range(20):
        make_run(make_script(f"Script {number}"))
    assert cost() == few
