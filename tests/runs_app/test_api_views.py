"""Saved views of the list of runs, by the API: each user's own, also by the key that a user made."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs_app.history import saved_views
from tempo_site.models import ApiKey
from tests.calling import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def anns(user: User) -> Client:
    """A program with a key that Ann has made."""
    token = ApiKey.issue(name="ann's", created_by=user)[1]
    return Client(headers={"host": "localhost", "x-api-key": token})


def test_a_view_is_saved_listed_and_forgotten(anns: Client, user: User, staff: User) -> None:
    saved_views.save(staff, name="Theirs", query="status=lost")
    status, view = send(anns, "PUT", "/views/Bad ones", {"query": "?status=failed&tag=a b"})
    assert (status, view["name"], view["query"]) == (200, "Bad ones", "status=failed&tag=a+b")
    send(anns, "PUT", "/views/Bad ones", {"query": "status=lost"})
    [listed] = send(anns, "GET", "/views")[1]["items"]
    assert listed["query"] == "status=lost"
    assert send(anns, "DELETE", "/views/Theirs")[0] == 404
    assert send(anns, "DELETE", "/views/Bad ones")[0] == 204
    assert not saved_views.views_of(user).exists()


def test_a_key_that_no_user_made_has_no_views(program: Client) -> None:
    assert send(program, "GET", "/views")[1]["items"] == []
    status, told = send(program, "PUT", "/views/x", {"query": "status=lost"})
    assert status == 409 and told["error"]["message"] == "A view belongs to a user."


def test_a_view_of_nothing_is_refused(anns: Client) -> None:
    assert send(anns, "PUT", "/views/x", {"query": ""})[0] == 422
