"""Admin of API keys, and of django-q2's rows."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as Alarm

from runs_app.models import Run
from scripts_app.models import Environment, Folder, Schedule, Script, Version
from tempo_site.models import ApiKey

TOKEN = re.compile(r"tempo_[\w-]{43}")
ENGINE_ROWS = [Alarm, Success, Failure, OrmQ]

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A member of staff at the admin."""
    client.force_login(staff)
    return client


def test_every_model_of_ours_is_registered() -> None:
    assert {Folder, Script, Version, Environment, Schedule, Run, ApiKey, User, *ENGINE_ROWS} <= set(
        admin.site._registry
    )


def test_every_list_and_every_add_form_opens(desk: Client) -> None:
    for model, model_admin in admin.site._registry.items():
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert desk.get(address).status_code == 200, address
        may_add = model_admin.has_add_permission(desk.get(address).wsgi_request)
        assert desk.get(f"{address}add/").status_code == (200 if may_add else 403), address


@pytest.mark.parametrize("model", [*ENGINE_ROWS, Run, Version, Environment])
def test_what_the_machine_wrote_can_only_be_looked_at(model: type, staff: User) -> None:
    request = RequestFactory().get("/")
    request.user = staff
    model_admin = admin.site._registry[model]
    assert model_admin.has_view_permission(request)
    assert not model_admin.has_add_permission(request)
    assert not model_admin.has_change_permission(request)
    assert not model_admin.has_delete_permission(request)
    assert set(model_admin.get_actions(request)) <= {"cancel_selected"}


def test_an_alarm_cannot_be_edited_by_a_post(desk: Client) -> None:
    alarm = Alarm.objects.create(name="a", func="runs_app.tasks.admit", next_run=timezone.now())
    answer = desk.post(f"/admin/django_q/schedule/{alarm.pk}/change/", {"func": "os.system"})
    assert answer.status_code == 403
    alarm.refresh_from_db()
    assert alarm.func == "runs_app.tasks.admit"


def test_looking_at_engine_rows_never_loads_their_payload(desk: Client) -> None:
    OrmQ.objects.create(key="tempo", payload="not signed by anyone", lock=timezone.now())
    Success.objects.create(
        id="1" * 32, name="n", func="f", args=object, started=timezone.now(), stopped=timezone.now(), success=True
    )
    for address in ("ormq/", "success/", f"success/{'1' * 32}/change/", f"ormq/{OrmQ.objects.get().pk}/change/"):
        answer = desk.get(f"/admin/django_q/{address}")
        assert answer.status_code == 200
        assert "not signed" not in answer.content.decode() and "class object" not in answer.content.decode()


def test_a_new_keys_token_is_shown_once_and_works(desk: Client, staff: User) -> None:
    page = desk.post("/admin/tempo_site/apikey/add/", {"name": "home", "scope": "run"}, follow=True).content.decode()
    token = TOKEN.search(page)
    assert token
    key = ApiKey.objects.by_token(token[0])
    assert key and (key.name, key.scope, key.created_by) == ("home", "run", staff)
    assert token[0] not in desk.get("/admin/tempo_site/apikey/").content.decode()
    assert ApiKey.objects.count() == 1


def test_a_key_can_be_renamed_and_revoked_but_not_forged(desk: Client) -> None:
    key, token = ApiKey.issue(name="old")
    address = f"/admin/tempo_site/apikey/{key.pk}/"
    desk.post(f"{address}change/", {"name": "new", "scope": "read", "digest": "0" * 64, "prefix": "x"})
    found = ApiKey.objects.by_token(token)
    assert found and (found.name, found.scope, found.prefix) == ("new", "read", key.prefix)
    desk.post(f"{address}delete/", {"post": "yes"})
    assert ApiKey.objects.by_token(token) is None
