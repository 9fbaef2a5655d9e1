"""Admin of API keys, and of django-q2's rows."""

import re
import sqlite3

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as Alarm

import tempo_site.admin_urls  # noqa: F401 - the admin is filled with its addresses
from notifications_app.models import Channel, Delivery, Incident, Rule
from runs_app.models import Run
from runs_app.states import Status
from runs_app.url_triggers.models import UrlTrigger
from scripts_app import scripts
from scripts_app.models import Environment, Folder, Schedule, Script, Variable, Version
from tempo_site.accounts import users
from tempo_site.models import ApiKey, AuditEntry, Setting
from tempo_site.stored_settings import store
from tests.factories import make_run, make_schedule, make_script

TOKEN = re.compile(r"tempo_\w{36}")
ENGINE_ROWS = [Alarm, Success, Failure, OrmQ]

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A member of staff at the admin."""
    client.force_login(staff)
    return client


def test_every_model_of_ours_is_registered() -> None:
    assert {
        Folder,
        Script,
        Version,
        Environment,
        Schedule,
        Variable,
        Run,
        UrlTrigger,
        ApiKey,
        AuditEntry,
        Setting,
        Channel,
        Rule,
        Incident,
        Delivery,
        User,
        *ENGINE_ROWS,
    } == set(admin.site._registry)


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
    assert set(model_admin.get_actions(request)) <= {"cancel_selected", "compare_selected"}


def test_an_alarm_cannot_be_edited_by_a_post(desk: Client) -> None:
    alarm = Alarm.objects.create(name="a", func="runs_app.tasks.admit", next_run=timezone.now())
    answer = desk.post(f"/admin/django_q/schedule/{alarm.pk}/change/", {"func": "os.system"})
    assert answer.status_code == 403
    alarm.refresh_from_db()
    assert alarm.func == "runs_app.tasks.admit"


def test_looking_at_engine_rows_never_loads_their_payload(desk: Client) -> None:
    OrmQ.objects.create(key="tempo", payload="not signed by anyone", lock=timezone.now())
    Success.objects.create(
        id="1" * 32,
        name="n",
        func="f",
        args=object,
        started=timezone.now(),
        stopped=timezone.now(),
        success=True,
    )
    for address in (
        "ormq/",
        "success/",
        f"success/{'1' * 32}/change/",
        f"ormq/{OrmQ.objects.get().pk}/change/",
    ):
        answer = desk.get(f"/admin/django_q/{address}")
        assert answer.status_code == 200
        assert (
            "not signed" not in answer.content.decode()
            and "class object" not in answer.content.decode()
        )


def test_a_new_keys_token_is_shown_once_and_works(desk: Client, staff: User) -> None:
    page = desk.post(
        "/admin/tempo_site/apikey/add/", {"name": "home", "scope": "run"}, follow=True
    ).content.decode()
    token = TOKEN.search(page)
    assert token
    key = ApiKey.objects.by_token(token[0])
    assert key and (key.name, key.scope, key.created_by) == ("home", "run", staff)
    assert token[0] not in desk.get("/admin/tempo_site/apikey/").content.decode()
    assert ApiKey.objects.count() == 1


def test_the_page_of_a_new_key_shows_how_to_use_it_and_is_kept_nowhere(desk: Client) -> None:
    answer = desk.post("/admin/tempo_site/apikey/add/", {"name": "<b>", "scope": "read"})
    page = answer.content.decode()
    token = TOKEN.search(page)
    assert (
        token
        and f"Authorization: Bearer {token[0]}&#x27; http://testserver/api/v1/scripts"
        in page.replace("'", "&#x27;")
    )
    assert "no-store" in answer.headers["Cache-Control"] and "&lt;b&gt;" in page
    assert token[0] not in str(dict(desk.session)) and token[0] not in str(desk.cookies)


def test_revoking_says_who_is_refused_from_then_on(desk: Client) -> None:
    key, _ = ApiKey.issue(name="old")
    page = desk.get(f"/admin/tempo_site/apikey/{key.pk}/delete/").content.decode()
    assert "Programs that use it are refused from now on" in page


def test_a_key_can_be_renamed_and_revoked_but_not_forged(desk: Client) -> None:
    key, token = ApiKey.issue(name="old")
    address = f"/admin/tempo_site/apikey/{key.pk}/"
    desk.post(
        f"{address}change/", {"name": "new", "scope": "read", "digest": "0" * 64, "prefix": "x"}
    )
    found = ApiKey.objects.by_token(token)
    assert found and (found.name, found.scope, found.prefix) == ("new", "read", key.prefix)
    desk.post(f"{address}delete/", {"post": "yes"})
    assert ApiKey.objects.by_token(token) is None


# --- users ----------------------------------------------------------------------------------------------------------
USERS = "/admin/auth/user/"


def save_user(desk: Client, user: User, **switches: bool) -> str:
    """Save a user's page with these boxes ticked; returns the errors, or nothing."""
    boxes = {name: "on" for name, is_on in switches.items() if is_on}
    answer = desk.post(
        f"{USERS}{user.pk}/change/", {"username": user.username, "email": "", **boxes}
    )
    return str(answer.context["adminform"].form.errors) if answer.status_code == 200 else ""


def test_a_user_is_created_with_a_password_and_may_be_staff(desk: Client) -> None:
    data = {
        "username": "eve",
        "password1": "correct horse",
        "password2": "correct horse",
        "is_staff": "on",
    }
    assert desk.post(f"{USERS}add/", data | {"email": "eve@example.org"}).status_code == 302
    eve = User.objects.get(username="eve")
    assert (eve.email, eve.is_staff, eve.check_password("correct horse")) == (
        "eve@example.org",
        True,
        True,
    )
    assert not eve.is_superuser  # staff is enough for everything


def test_two_different_passwords_are_refused(desk: Client) -> None:
    answer = desk.post(
        f"{USERS}add/",
        {"username": "eve", "password1": "correct horse", "password2": "another one"},
    )
    assert answer.context["adminform"].form.errors["password2"] and User.objects.count() == 1


def test_staff_may_do_everything_without_being_superuser_or_in_a_group(
    client: Client, user: User
) -> None:
    user.is_staff = True
    user.save()
    client.force_login(user)
    for model in admin.site._registry:
        assert (
            client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/").status_code
            == 200
        )
    assert (
        client.post("/admin/tempo_site/apikey/add/", {"name": "home", "scope": "run"}).status_code
        == 200
    )
    assert ApiKey.objects.count() == 1


def test_who_is_not_staff_may_not_enter_and_has_no_permission(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/admin/", follow=True).status_code == 403
    assert not user.has_perm("auth.change_user") and not user.has_module_perms("auth")


def test_a_switched_off_user_of_the_staff_may_do_nothing(user: User) -> None:
    user.is_staff, user.is_active = True, False
    assert not user.has_perm("auth.change_user")


@pytest.mark.parametrize(
    "switches", [{"is_active": True, "is_staff": False}, {"is_active": False, "is_staff": True}]
)
def test_the_last_user_of_the_staff_stays_one(
    desk: Client, staff: User, switches: dict[str, bool]
) -> None:
    with pytest.raises(users.UserRefused, match="the last active user of the staff"):
        users.check(staff, **switches, by=User(pk=0))
    assert "You cannot take the admin from yourself." in save_user(desk, staff, **switches)
    staff.refresh_from_db()
    assert staff.is_active and staff.is_staff


def test_with_another_one_of_the_staff_a_user_can_be_taken_out(
    desk: Client, staff: User, user: User
) -> None:
    assert save_user(desk, user, is_active=True, is_staff=True) == ""
    desk.force_login(user)
    assert save_user(desk, staff, is_active=True, is_staff=False) == ""
    staff.refresh_from_db()
    assert not staff.is_staff


def test_a_password_cannot_be_taken_away_as_there_is_no_other_way_in(
    desk: Client, staff: User
) -> None:
    address = f"{USERS}{staff.pk}/password/"
    assert "usable_password" not in desk.get(address).context["form"].fields
    desk.post(
        address,
        {"password1": "", "password2": "", "usable_password": "false", "unset-password": "1"},
    )
    staff.refresh_from_db()
    assert staff.check_password("correct horse")
    desk.post(address, {"password1": "battery staple", "password2": "battery staple"})
    staff.refresh_from_db()
    assert staff.check_password("battery staple")


def test_a_search_of_very_many_words_is_answered(desk: Client) -> None:
    assert desk.get(USERS, {"q": "word " * 2000}).status_code == 200


def test_one_does_not_delete_oneself(desk: Client, staff: User, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    for answer in (
        desk.post(f"{USERS}{staff.pk}/delete/", {"post": "yes"}, follow=True),
        desk.post(
            USERS,
            {"action": "delete_selected", "_selected_action": [staff.pk], "post": "yes"},
            follow=True,
        ),
    ):
        page = answer.content.decode()
        assert "You cannot delete yourself" in page and "Successfully deleted" not in page
    assert User.objects.filter(pk=staff.pk).exists()


def test_deleting_a_user_leaves_versions_runs_and_keys(desk: Client, user: User) -> None:
    script = scripts.create(name="Theirs", by=user, now=timezone.now())
    key, _ = ApiKey.issue(name="theirs", created_by=user)
    run = make_run(script, by="ann")
    assert (
        "Scripts, versions, runs, API keys and what the audit says stay"
        in desk.get(f"{USERS}{user.pk}/delete/").content.decode()
    )
    desk.post(f"{USERS}{user.pk}/delete/", {"post": "yes"})
    key.refresh_from_db()
    run.refresh_from_db()
    assert not User.objects.filter(pk=user.pk).exists()
    assert (key.created_by, run.by, Version.objects.get(script=script).saved_by) == (
        None,
        "ann",
        "ann",
    )


def test_another_users_password_is_set(desk: Client, user: User) -> None:
    passwords = {
        "password1": "battery staple",
        "password2": "battery staple",
        "usable_password": "true",
    }
    desk.post(f"{USERS}{user.pk}/password/", passwords | {"set-password": "1"})
    user.refresh_from_db()
    assert user.check_password("battery staple")


# --- the index ------------------------------------------------------------------------------------------------------
def test_the_page_system_shows_health_queue_and_versions(desk: Client, user: User) -> None:
    store.save({"PYSCHED_MAX_CONCURRENT_RUNS": 7}, by="root")
    make_run(make_script(), status=Status.RUNNING, started_at=timezone.now())
    page = desk.get("/system/").content.decode()
    assert "not running in this process" in page  # no engine in this test
    assert "1 of 7 at once" in page and f"SQLite {sqlite3.sqlite_version}" in page
    assert "The last run had less" not in page
    lowered = {
        "isolation": "good",
        "isolation_why": "no user of its own",
        "isolation_degraded": True,
    }
    make_run(make_script(), **lowered)
    make_run(make_script(as_service_user=True), **lowered | {"isolation": "basic"})
    assert (
        "The last run had less, Good: no user of its own" in desk.get("/system/").content.decode()
    )
    desk.force_login(user)
    assert desk.get("/system/").status_code == 403


def test_the_index_shows_what_runs_and_what_failed(desk: Client) -> None:
    running = make_run(make_script("Busy <b>"), status=Status.RUNNING, started_at=timezone.now())
    failed = make_run(
        make_script("Broken"), status=Status.FAILED, finished_at=timezone.now(), message="It broke."
    )
    page = desk.get("/admin/").content.decode()
    assert "Busy &lt;b&gt;" in page and f"/admin/runs_app/run/{running.pk}/act/cancel/" in page
    assert f"/admin/runs_app/run/{failed.pk}/change/" in page and "It broke." in page


def test_the_index_and_the_lists_cost_the_same_for_one_and_many(desk: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            for address in ("", "tempo_site/apikey/", "auth/user/", "django_q/schedule/"):
                assert desk.get(f"/admin/{address}").status_code == 200
        return len(queries)

    def fill(number: int) -> None:
        script = make_script(f"Script {number}")
        make_run(script)
        make_run(script, status=Status.FAILED, finished_at=timezone.now())
        ApiKey.issue(name=f"key {number}", created_by=User.objects.create_user(f"user {number}"))
        make_schedule(script)

    fill(0)
    few = cost()
    for number in range(1, 30):
        fill(number)
    assert cost() == few


def test_moments_in_the_admin_bear_their_zone(desk: Client) -> None:
    ApiKey.issue(name="one")
    assert f"{timezone.now():%Y-%m-%d} " in (
        page := desk.get("/admin/tempo_site/apikey/").content.decode()
    )
    assert re.search(r"\d\d:\d\d:\d\d UTC", page)
