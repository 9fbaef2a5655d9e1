"""The page and the API of settings: for staff, the environment shown as such, secrets never."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tempo_site.models import Setting
from tempo_site.stored_settings import store
from tests.calling import send
from tests.rows import each_row

pytestmark = pytest.mark.django_db

PAGE = "/settings/mail/"


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    """A browser of the staff."""
    client.force_login(staff)
    return client


def form_of(page: Any, **changes: str) -> dict[str, str]:
    """What a browser sends back of the page's form, with these changes."""
    form = page.context["form"]
    sent = {}
    for field in form:
        if field.field.disabled:
            continue
        sent[field.html_initial_name] = str(field.initial)
        if not isinstance(field.initial, bool):
            sent[field.html_name] = str(field.initial or "")
        elif field.initial:
            sent[field.html_name] = "on"
    return {**sent, **changes}


def test_the_page_saves_what_was_changed_and_says_who_did(admin: Client) -> None:
    sent = form_of(admin.get(PAGE), SMTP_SERVER="mail.example.org", SMTP_PASSWORD="hush")
    answer = admin.post(PAGE, sent, follow=True)
    assert "The settings are saved." in answer.content.decode()
    assert set(Setting.objects.values_list("name", flat=True)) == {"SMTP_SERVER", "SMTP_PASSWORD"}
    assert store.value("SMTP_SERVER") == "mail.example.org"
    page = answer.content.decode()
    assert "hush" not in page and "<bdi>root</bdi>" in page


def test_an_old_form_does_not_undo_what_another_person_changed(admin: Client) -> None:
    sent = form_of(admin.get(PAGE), SMTP_USERNAME="ann")
    store.save({"SMTP_SERVER": "new.example.org"}, by="bob")
    admin.post(PAGE, sent)
    assert (store.value("SMTP_SERVER"), store.value("SMTP_USERNAME")) == ("new.example.org", "ann")


def test_a_secret_stays_when_its_field_is_left_empty_and_goes_when_asked(admin: Client) -> None:
    store.save({"SMTP_PASSWORD": "hush"}, by="ann")
    page = admin.get(PAGE)
    assert "hush" not in page.content.decode()
    admin.post(PAGE, form_of(page, SMTP_USERNAME="ann"))
    assert store.value("SMTP_PASSWORD") == "hush"
    admin.post(PAGE, form_of(page, **{"forget-SMTP_PASSWORD": "on"}))
    assert store.value("SMTP_PASSWORD") == ""


def test_a_refused_value_is_an_error_at_its_field(admin: Client) -> None:
    answer = admin.post(PAGE, form_of(admin.get(PAGE), FROM_EMAIL="nobody"))
    assert "no address of a mailbox" in answer.context["form"].errors["FROM_EMAIL"][0]
    assert not Setting.objects.exists()


def test_what_the_environment_has_set_is_shown_and_cannot_be_changed(
    admin: Client, settings: LazySettings
) -> None:
    settings.GIVEN_BY_ENVIRONMENT = {"SMTP_SERVER", "SMTP_PASSWORD"}
    settings.SMTP_SERVER, settings.SMTP_PASSWORD = "env.example.org", "hush"
    page = admin.get(PAGE)
    text = page.content.decode()
    assert page.context["form"].fields["SMTP_SERVER"].disabled
    assert "env.example.org" in text and "hush" not in text
    assert "Set by the environment, as <code>SMTP_SERVER</code>." in text
    assert "Variable: <code>SMTP_PORT</code>." in text
    admin.post(PAGE, form_of(page, SMTP_SERVER="mine.example.org", SMTP_USERNAME="ann"))
    assert (store.value("SMTP_SERVER"), store.value("SMTP_USERNAME")) == ("env.example.org", "ann")


def test_settings_are_for_staff(browser: Client) -> None:
    for path in ("/settings/", PAGE):
        assert browser.get(path).status_code == 403
        assert browser.post(path, {"SMTP_SERVER": "x"}).status_code in (403, 405)
    assert browser.get("/api/v1/settings").status_code == 403
    assert send(browser, "PATCH", "/settings", {"SMTP_SERVER": "x"})[0] == 403
    assert not Setting.objects.exists()


def test_the_page_costs_no_query_of_its_own_but_the_first(
    admin: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin.get(PAGE)
    with django_assert_num_queries(3):  # session, user, pause
        admin.get(PAGE)


def test_the_page_of_security_shows_what_the_environment_says_and_how_often_one_may_come(
    admin: Client, settings: LazySettings
) -> None:
    settings.GIVEN_BY_ENVIRONMENT = {"PYSCHED_TRUSTED_PROXIES"}
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.5/32"), ip_network("172.16.0.0/12")]
    page = admin.get("/settings/security/")
    fields, text = page.context["form"].fields, page.content.decode()
    assert 'value="10.0.0.5/32, 172.16.0.0/12"' in text
    assert "Set by the environment, as <code>PYSCHED_TRUSTED_PROXIES</code>." in text
    assert "Read when Tempo starts, from <code>PYSCHED_HSTS</code>." in text
    assert [name for name in fields if not fields[name].disabled] == ["PYSCHED_SESSION_DAYS"]
    assert '<td class="number">1,000 in 10 s</td>' in text
    settings.RATELIMIT_ENABLE = False
    assert "1,000 in 10 s" not in admin.get("/settings/security/").content.decode()


def test_an_unknown_section_is_not_found(admin: Client) -> None:
    assert admin.get("/settings/nothing/").status_code == 404
    assert admin.get("/settings/").headers["Location"] == reverse("settings", args=["general"])


def test_the_admin_shows_no_secret(admin: Client) -> None:
    store.save({"SMTP_PASSWORD": "hush", "SMTP_SERVER": "mail.example.org"}, by="ann")
    page = admin.get("/admin/tempo_site/setting/").content.decode()
    assert "mail.example.org" in page
    rows = Setting.objects.all()
    pages = [
        admin.get(f"/admin/tempo_site/setting/{row.pk}/change/").content.decode() for row in rows
    ]
    assert all(
        str(row.value) not in page for row in rows for page in pages if row.name == "SMTP_PASSWORD"
    )


# --- API -------------------------------------------------------------------------------------------------------------
def named(answer: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in answer["items"] if item["name"] == name)
    return found


def test_a_program_reads_and_changes_settings_and_never_sees_a_secret(program: Client) -> None:
    changes = {"SMTP_PORT": 2525, "SMTP_PASSWORD": "hush", "PYSCHED_NOTIFY_PRIVATE": False}
    status, answer = send(program, "PATCH", "/settings", changes)
    assert status == 200
    port, password = named(answer, "SMTP_PORT"), named(answer, "SMTP_PASSWORD")
    assert (port["value"], port["source"], port["updated_by"]) == (2525, "stored", "key: tests")
    assert (password["value"], password["is_set"]) == (None, True)
    assert "hush" not in str(answer)
    assert send(program, "GET", "/settings")[1] == answer
    status, answer = send(program, "PATCH", "/settings", {"SMTP_PORT": None})
    assert named(answer, "SMTP_PORT")["source"] == "default"


@each_row(
    ("changes", "field"),
    [
        ({"SMTP_PORT": 70_000}, "SMTP_PORT"),
        ({"SMTP_PORT": 25.5}, "SMTP_PORT"),
        ({"SMTP_SERVER": ["a"]}, "SMTP_SERVER"),
        ({"SMTP_SEVER": "a"}, "SMTP_SEVER"),
        ({"PYSCHED_PUBLIC_URL": "https://a.example.org"}, "PYSCHED_PUBLIC_URL"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    program: Client, changes: dict[str, object], field: str
) -> None:
    status, answer = send(program, "PATCH", "/settings", {"SMTP_USERNAME": "ann", **changes})
    assert status == 422
    assert any(field in name for name in answer["error"]["fields"])
    assert not Setting.objects.exists()
