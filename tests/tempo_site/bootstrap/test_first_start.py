"""The one-time address of the first start, and the page behind it."""

import re
import stat
import threading
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from scripts_app.models import Script
from tempo_site.accounts import attempts
from tempo_site.bootstrap import first_start
from tempo_site.lib import paths, zone
from tests.factories import NOW, make_script

PASSWORD = "correct horse"
GOOD = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "time_zone": "Asia/Tokyo"}


@pytest.fixture(autouse=True)
def own_zone(settings: Settings) -> Iterator[None]:
    """A zone is the process's: put it back; attempts count from nothing."""
    attempts.forget_all()
    before = settings.TIME_ZONE
    yield
    zone.apply(before)


@pytest.fixture
def page(db: None) -> str:
    """The path of the set-up page."""
    return f"/setup/{first_start.token()}/"


# --- the token -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_token_is_the_same_until_it_is_used() -> None:
    token = first_start.token()
    assert len(token) >= 32
    assert first_start.token() == token


@pytest.mark.django_db
def test_the_token_is_for_its_owner_alone() -> None:
    first_start.token()
    assert stat.S_IMODE(paths.setup_token().stat().st_mode) == 0o600


def test_there_is_none_where_an_admin_is(staff: User) -> None:
    assert first_start.token() == ""
    assert not paths.setup_token().exists()


@pytest.mark.django_db
def test_ordinary_users_and_scripts_do_not_end_the_set_up(user: User) -> None:
    make_script()
    assert first_start.token()


# --- the page ------------------------------------------------------------------------------------------------------
def test_the_page_asks_for_name_password_and_zone(client: Client, page: str) -> None:
    answer = client.get(page)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert [f'name="{name}"' in text for name in GOOD] == [True] * 4
    assert '<option value="Europe/Berlin">' in text and 'value="UTC"' in text
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("shown", ["x", "x" * 32, "%00", "%C3%BC", "a" * 10_000])
def test_there_is_no_page_at_any_other_address(client: Client, page: str, shown: str) -> None:
    assert client.get(f"/setup/{shown}/").status_code == 404
    assert client.post(f"/setup/{shown}/", GOOD).status_code == 404
    assert not User.objects.exists()


@pytest.mark.django_db
def test_there_is_no_page_before_a_token_was_made(client: Client) -> None:
    assert client.get("/setup/x/").status_code == 404


def test_a_wrong_token_costs_no_query(
    client: Client, page: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/setup/x/")


def test_it_makes_the_admin_logs_in_and_leads_to_the_dashboard(client: Client, page: str) -> None:
    answer = client.post(page, GOOD)
    user = User.objects.get()
    assert answer.headers["Location"] == "/"
    assert user.is_superuser and user.is_staff and user.check_password(PASSWORD)
    assert client.get("/").status_code == 200


def test_the_page_is_gone_when_it_was_used(client: Client, page: str) -> None:
    client.post(page, GOOD)
    assert client.get(page).status_code == 404
    assert Client().post(page, {**GOOD, "username": "eve"}).status_code == 404
    assert not paths.setup_token().exists()
    assert User.objects.count() == 1


def test_the_page_is_gone_when_an_admin_came_another_way(client: Client, page: str) -> None:
    User.objects.create_superuser("root", password=PASSWORD)
    assert client.get(page).status_code == 404
    assert not paths.setup_token().exists()


def test_the_starter_script_is_the_new_admins(client: Client, page: str) -> None:
    client.post(page, GOOD)
    script = Script.objects.select_related("version").get()
    assert script.version is not None
    assert (script.name, script.version.author) == ("Hello Tempo", User.objects.get())


def test_the_chosen_zone_is_the_servers_from_then_on(client: Client, page: str) -> None:
    client.post(page, GOOD)
    assert django_settings.TIME_ZONE == "Asia/Tokyo"
    assert zone.choose("", paths.data())[0] == "Asia/Tokyo"


def test_the_operators_zone_is_shown_and_stays(
    client: Client, page: str, settings: Settings
) -> None:
    settings.CONFIGURED_TIME_ZONE = settings.TIME_ZONE = "Europe/Berlin"
    text = client.get(page).content.decode()
    assert "PYSCHED_TIME_ZONE" in text and 'value="Europe/Berlin"' in text and "disabled" in text
    client.post(page, GOOD)
    assert User.objects.exists()
    assert django_settings.TIME_ZONE == "Europe/Berlin"
    assert not zone.file_in(paths.data()).exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time_zone": "Mars/Base"}, "There is no time zone `Mars/Base`"),
        ({"time_zone": "<script>alert(1)</script>"}, "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ({"time_zone": ""}, "This field is required."),
        ({"password1": "short", "password2": "short"}, "This password is too short."),
        ({"password1": "password", "password2": "password"}, "This password is too common."),
        ({"password2": "another horse"}, "The two password fields didn’t match."),
        ({"username": "a b"}, "Enter a valid username."),
        ({"username": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_the_rest_is_kept(
    client: Client, page: str, changes: dict[str, str], sentence: str
) -> None:
    text = client.post(page, {**GOOD, **changes}).content.decode()
    assert re.sub("`(.+)`", r"<code>\1</code>", sentence) in text
    assert "<script>alert" not in text
    for name in {"username", "time_zone"} - changes.keys():
        assert f'value="{GOOD[name]}"' in text
    assert not User.objects.exists()


def test_the_name_of_a_user_who_is_there_is_refused(client: Client, page: str, user: User) -> None:
    assert "already exists" in client.post(page, {**GOOD, "username": "ANN"}).content.decode()


def test_the_eleventh_try_in_a_minute_is_refused(client: Client, page: str) -> None:
    for _ in range(10):
        assert client.post(page, {}).status_code == 200
    assert client.post(page, GOOD).status_code == 429
    assert not User.objects.exists()


def test_it_asks_for_the_forms_own_token(page: str) -> None:
    assert Client(enforce_csrf_checks=True).post(page, GOOD).status_code == 403


def test_the_admin_is_made_even_where_the_zone_cannot_be_stored(client: Client, page: str) -> None:
    zone.file_in(paths.data()).mkdir()
    assert client.post(page, GOOD).status_code == 302
    assert User.objects.exists() and django_settings.TIME_ZONE == "Asia/Tokyo"


@pytest.mark.django_db(transaction=True)
def test_of_several_who_finish_at_once_one_becomes_the_admin() -> None:
    refused, gate = [], threading.Barrier(4)

    def finish(name: str) -> None:
        gate.wait()
        try:
            first_start.finish(username=name, password=PASSWORD, time_zone="UTC", now=NOW)
        except first_start.AlreadySetUp:
            refused.append(name)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=finish, args=(f"user{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (User.objects.count(), len(refused), Script.objects.count()) == (1, 3, 1)


# --- the log-in page -----------------------------------------------------------------------------------------------
def test_the_login_page_says_where_the_address_is_and_not_what_it_is(
    client: Client, page: str
) -> None:
    text = client.get("/login/").content.decode()
    assert "set-up address" in text
    assert paths.setup_token().read_text() not in text


def test_the_login_page_says_nothing_of_it_later(client: Client, page: str, staff: User) -> None:
    assert "set-up address" not in client.get("/login/").content.decode()
