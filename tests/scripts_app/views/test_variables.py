"""Pages of variables, and their admin: a secret is typed in and never shown again."""

import html
from typing import Any

import pytest
from django.conf import LazySettings as Settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter

from scripts_app.models import Script, Variable
from scripts_app.variables import variables
from scripts_app.views.variables import variables_for_all
from tempo_site.lib import encryption
from tempo_site.models import AuditEntry
from tests.factories import make_script

pytestmark = pytest.mark.django_db

VALUE = "s3cr3t value"
PAGE = "/scripts/hello-world/variables/"


@pytest.fixture
def script() -> Script:
    """The script whose page it is."""
    return make_script()


def save(browser: Client, path: str = PAGE, **fields: str) -> str:
    """Send the form; the page that follows, as one reads it."""
    response = browser.post(path, fields, follow=True)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_variable_is_listed_with_its_value_and_who_set_it(
    browser: Client, script: Script
) -> None:
    page = save(browser, name="GREETING", value="hello")
    assert "`GREETING`" not in page and "GREETING" in page and "hello" in page and "ann" in page
    assert variables.for_run(script).plain == {"GREETING": "hello"}


def test_a_secret_is_only_said_to_be_set(browser: Client, script: Script) -> None:
    page = save(browser, name="TOKEN", value=VALUE, is_secret="on")
    assert "secret, set" in page and VALUE not in page
    assert VALUE not in browser.get(f"{PAGE}?edit=TOKEN").content.decode()
    assert variables.for_run(script).secrets == {"TOKEN": VALUE}


def test_editing_starts_from_what_is_there(browser: Client, script: Script) -> None:
    save(browser, name="GREETING", value="hello there")
    assert ">\nhello there</textarea>" in browser.get(f"{PAGE}?edit=GREETING").content.decode()


def test_a_refused_secret_has_to_be_typed_again(browser: Client, script: Script) -> None:
    page = save(browser, name="PATH", value=VALUE, is_secret="on")
    assert "cannot be set" in page and VALUE not in page
    assert VALUE in save(browser, name="PATH", value=VALUE)


def test_pasted_line_ends_do_no_harm(browser: Client, script: Script) -> None:
    save(browser, name="ONE", value="token\r\n")
    save(browser, name="TWO", value="-----BEGIN-----\r\nabc\r\n-----END-----\r\n")
    assert variables.for_run(script).plain == {
        "ONE": "token",
        "TWO": "-----BEGIN-----\nabc\n-----END-----\n",
    }


def test_deleting_asks_first(browser: Client, script: Script) -> None:
    save(browser, name="A", value="1")
    assert "Delete A?" in browser.get(f"{PAGE}?delete=A").content.decode()
    assert "is deleted" in save(browser, name="A", act="delete")
    assert "any more" in save(browser, name="A", act="delete")


def test_a_script_tells_what_it_gets_from_those_for_all(browser: Client, script: Script) -> None:
    variables.save(None, name="SHARED", value=VALUE, by="root")
    page = browser.get(PAGE).content.decode()
    assert "SHARED" in page and VALUE not in page


def test_what_cannot_be_decrypted_is_marked(
    browser: Client, script: Script, settings: Settings
) -> None:
    save(browser, name="TOKEN", value=VALUE, is_secret="on")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # who is signed in stays it
    settings.SECRET_KEY = "another key, as long as keys have to be"
    assert "cannot be decrypted" in browser.get(PAGE).content.decode()


def test_those_for_all_are_for_staff(client: Client, user: User, staff: User) -> None:
    client.force_login(user)
    assert client.get("/variables/").status_code == 403
    assert client.post("/variables/", {"name": "A", "value": "1"}).status_code == 403
    client.force_login(staff)
    assert "SHARED" in save(client, "/variables/", name="SHARED", value="1")
    assert reverse("variables") in client.get("/scripts/").content.decode()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "{{7*7}}"])
def test_values_are_text(browser: Client, script: Script, text: str) -> None:
    browser.post(PAGE, {"name": "A", "value": text})
    page = browser.get(f"{PAGE}?edit=A").content.decode()
    assert html.escape(text) in page and (text not in page or "<" not in text)


def test_a_report_of_an_error_does_not_tell_the_value(
    rf: RequestFactory, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr(encryption, "encrypt", broken)
    request = rf.post("/variables/", {"name": "TOKEN", "value": VALUE, "is_secret": "on"})
    request.user = staff
    with pytest.raises(RuntimeError) as defect:
        variables_for_all(request)
    report = ExceptionReporter(request, defect.type, defect.value, defect.tb).get_traceback_html()
    assert "variables_for_all" in report and VALUE not in report


# --- admin ----------------------------------------------------------------------------------------------------------
def admin_save(client: Client, path: str, **fields: Any) -> str:
    """Send a form of the admin; the page that follows."""
    response = client.post(f"/admin/scripts_app/variable/{path}/", fields, follow=True)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_the_admin_takes_secrets_and_shows_none(
    client: Client, staff: User, script: Script
) -> None:
    client.force_login(staff)
    pages = [admin_save(client, "add", script=script.pk, name="TOKEN", value=VALUE, is_secret="on")]
    row = Variable.objects.get()
    pages.append(client.get(f"/admin/scripts_app/variable/{row.pk}/change/").content.decode())
    pages.append(admin_save(client, f"{row.pk}/change", value=VALUE + "2", is_secret="on"))
    pages.append(client.get(f"/admin/scripts_app/variable/{row.pk}/history/").content.decode())
    pages.append(client.get("/admin/").content.decode())
    pages.append(client.get("/admin/scripts_app/variable/").content.decode())
    assert '<span class="status status-on">secret, set</span>' in pages[-1]
    assert variables.for_run(script).secrets == {"TOKEN": VALUE + "2"}
    assert not [page for page in pages if VALUE in page or row.value in page]
    acts = AuditEntry.objects.filter(kind="variable")
    assert [entry.verb for entry in acts] == ["changed", "created"]
    assert VALUE not in str(acts.values_list("changes", "object_name"))
    assert "Changed variable" in pages[3] and not LogEntry.objects.exists()


def test_the_admin_refuses_as_everywhere_and_replaces_nothing_unasked(
    client: Client, staff: User
) -> None:
    client.force_login(staff)
    assert "cannot be set" in admin_save(client, "add", script="", name="PATH", value="1")
    admin_save(client, "add", script="", name="A", value="1")
    assert "already" in admin_save(client, "add", script="", name="A", value="2")
    assert variables.variables_of(None).get().value == "1"


def test_the_admin_forgets_a_refused_secret(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert VALUE not in admin_save(
        client, "add", script="", name="PATH", value=VALUE, is_secret="on"
    )


def test_the_admin_deletes(client: Client, staff: User) -> None:
    client.force_login(staff)
    row = variables.save(None, name="A", value="1", by="root")
    admin_save(client, f"{row.pk}/delete", post="yes")
    assert not Variable.objects.exists()
