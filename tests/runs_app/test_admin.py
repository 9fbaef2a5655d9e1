"""Admin of runs."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app.states import Status
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
    assert "Cancelling 1 of 2" in desk.post(RUNS, data, follow=True).content.decode()
    queued.refresh_from_db()
    ended.refresh_from_db()
    assert (queued.status, queued.cancelled_by, ended.status) == (Status.CANCELLED, "root", Status.SUCCEEDED)


def test_staff_that_may_only_look_cannot_cancel(client: Client, user: User) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    client.force_login(user)
    run = make_run(make_script())
    client.post(RUNS, {"action": "cancel_selected", "_selected_action": [run.pk]})
    run.refresh_from_db()
    assert run.status == Status.QUEUED


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
