"""Log in, log out, change the password."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tempo_site.accounts import attempts
from tempo_site.stored_settings import security, store

GOOD = {"username": "ann", "password": "correct horse"}
BAD = {"username": "ann", "password": "wrong"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_attempts_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test counts log-in attempts from nothing, and no minute ends meanwhile."""
    attempts.forget_all()
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_800_000_000.5)


def test_the_right_password_leads_to_where_one_wanted_to_go(client: Client, user: User) -> None:
    answer = client.post("/login/?next=/runs/", {**GOOD, "next": "/runs/"})
    assert answer.headers["Location"] == "/runs/"


def test_a_log_in_holds_as_long_as_the_settings_say(client: Client, user: User) -> None:
    store.save({security.SESSION_DAYS: 3}, by="ann")
    answer = client.post("/login/", GOOD)
    assert answer.cookies["sessionid"]["max-age"] == 3 * 86_400
    assert client.session.get_expiry_age() == 3 * 86_400


def test_a_login_does_not_lead_to_another_site(client: Client, user: User) -> None:
    answer = client.post("/login/", {**GOOD, "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_told_and_the_name_kept(client: Client, user: User) -> None:
    text = client.post("/login/", BAD).content.decode()
    assert "Please enter a correct username and password" in text and 'value="ann"' in text


def test_without_any_user_a_failed_try_is_told_how_to_make_one(client: Client) -> None:
    assert "manage.py createsuperuser" in client.post("/login/", BAD).content.decode()


def test_where_there_are_users_a_failed_try_is_told_nothing_of_that(
    client: Client, user: User
) -> None:
    assert "createsuperuser" not in client.post("/login/", BAD).content.decode()


def test_the_sixth_attempt_in_a_minute_is_refused_even_with_the_right_password(
    client: Client, user: User
) -> None:
    for _ in range(5):
        assert client.post("/login/", BAD).status_code == 200
    answer = client.post("/login/", GOOD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Too many requests" in answer.content.decode()


def test_the_eleventh_attempt_from_an_address_is_refused_whatever_the_account(
    client: Client, user: User
) -> None:
    for number in range(10):
        assert client.post("/login/", {**BAD, "username": f"user-{number}"}).status_code == 200
    answer = client.post("/login/", GOOD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Too many attempts failed" in answer.content.decode()


def test_another_address_may_still_log_in(client: Client, user: User) -> None:
    for _ in range(11):
        client.post("/login/", BAD)
    assert client.post("/login/", GOOD, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_device_that_is_known_may_log_in_while_others_wait(client: Client, user: User) -> None:
    client.post("/login/", GOOD)
    client.post("/logout/")
    for _ in range(11):
        Client().post("/login/", BAD)
    assert Client().post("/login/", GOOD).status_code == 429
    assert client.post("/login/", GOOD).status_code == 302


def test_a_form_from_an_old_page_is_told_so() -> None:
    answer = Client(enforce_csrf_checks=True).post("/login/", GOOD)
    assert answer.status_code == 403 and "The form was too old" in answer.content.decode()


def test_a_form_that_a_proxy_makes_foreign_names_the_variables() -> None:
    strict = Client(enforce_csrf_checks=True, headers={"origin": "https://tempo.example.org"})
    text = strict.post("/login/", GOOD).content.decode()
    assert "PYSCHED_PUBLIC_URL" in text and "PYSCHED_TRUSTED_PROXIES" in text
    assert "too old" not in text


def test_the_admins_login_is_the_same_page(client: Client) -> None:
    assert (
        client.get("/admin/login/?next=/admin/auth/").headers["Location"]
        == "/login/?next=/admin/auth/"
    )


def test_staff_is_led_on_from_the_admins_login(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert (
        client.get("/admin/login/?next=https://elsewhere.example/").headers["Location"] == "/admin/"
    )


def test_ordinary_users_are_told_that_the_admin_is_for_staff(browser: Client) -> None:
    answer = browser.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "The admin is for staff" in answer.content.decode()


def test_logging_out_needs_a_post(browser: Client) -> None:
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/").headers["Location"] == "/login/"


# --- one's own password ----------------------------------------------------------------------------------------------
NEW = {
    "old_password": "correct horse",
    "new_password1": "battery staple",
    "new_password2": "battery staple",
}


def test_everybody_changes_their_own_password_and_stays_logged_in_here_alone(
    browser: Client, user: User
) -> None:
    elsewhere = Client()
    elsewhere.force_login(user)
    answer = browser.post("/password/", NEW, follow=True)
    assert "Your password is changed." in answer.content.decode()
    user.refresh_from_db()
    assert user.check_password("battery staple")
    assert browser.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"old_password": "wrong"}, "old password was entered incorrectly"),
        ({"new_password2": "another"}, "password fields didn"),
        ({"new_password1": "password", "new_password2": "password"}, "too common"),
    ],
)
def test_a_new_password_that_will_not_do_is_explained_and_nothing_changes(
    browser: Client, user: User, changed: dict[str, str], sentence: str
) -> None:
    assert sentence in browser.post("/password/", {**NEW, **changed}).content.decode()
    user.refresh_from_db()
    assert user.check_password("correct horse")


def test_the_old_password_cannot_be_guessed_for_long(browser: Client) -> None:
    for _ in range(10):
        assert browser.post("/password/", {**NEW, "old_password": "wrong"}).status_code == 200
    assert browser.post("/password/", NEW).status_code == 429


def test_the_admins_password_page_is_the_same_one(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert client.get("/admin/password_change/").headers["Location"] == "/password/"
