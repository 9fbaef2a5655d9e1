"""URL triggers on the page of a script, in the API and in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs_app.models import Run, RunPayload
from runs_app.url_triggers import call_log, calls, secrets_in_use
from runs_app.url_triggers.models import UrlTrigger
from scripts_app.models import Script
from scripts_app.variables import rotation
from tempo_site.accounts import tokens
from tests.calling import send
from tests.factories import make_script
from tests.runs_app.url_triggers.sending import call, new_key, signed, switched_on

pytestmark = pytest.mark.django_db
PAGE = "/scripts/deploy/trigger/"
FORM = {"enabled": "on", "scheme": "", "tolerance_s": "300", "rules": "", "headers": ""}


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "_notes", {})
    monkeypatch.setattr(secrets_in_use, "_plain", None)


@pytest.fixture
def script() -> Script:
    return make_script("Deploy")


def key_on(page: Any) -> str:
    """The key that a page shows."""
    text: str = page.content.decode()
    return text.partition('readonly value="')[2].partition('"')[0]


# --- the page --------------------------------------------------------------------------------------------------------
def test_the_tab_shows_address_and_curl_of_a_trigger_that_is_off(
    browser: Client, script: Script
) -> None:
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert b'value="http://testserver/trigger/deploy"' in page.content
    assert b"Nobody has called yet." in page.content
    assert UrlTrigger.objects.count() == 0


def test_it_is_switched_on_and_a_key_is_shown_once(browser: Client, script: Script) -> None:
    assert browser.post(PAGE, FORM).status_code == 302
    shown = browser.post(f"{PAGE}key")
    key = key_on(shown)
    assert tokens.is_well_formed(key, prefix="tempo_t_")
    assert "no-store" in shown["Cache-Control"]
    assert call("deploy", key=key).status_code == 202
    page = browser.get(PAGE)
    assert key.encode() not in page.content and key[:14].encode() in page.content
    assert b"1 started, 0 ignored, 0 refused" in page.content


def test_keys_are_replaced_and_revoked(browser: Client, script: Script) -> None:
    trigger = switched_on(script)
    first = new_key(trigger)
    second = key_on(browser.post(f"{PAGE}key", {"act": "rotate"}))
    assert [call("deploy", key=key).status_code for key in (first, second)] == [202, 202]
    pk = trigger.keys.get(prefix=second[:14]).pk
    browser.post(f"{PAGE}keys/{pk}/revoke")
    assert [call("deploy", key=key).status_code for key in (first, second)] == [202, 404]


def test_a_secret_is_set_or_made(browser: Client, script: Script) -> None:
    switched_on(script, scheme="github")
    made = key_on(browser.post(f"{PAGE}secret", {"act": "make"}))
    assert signed("deploy", b"1", secret=made).status_code == 202
    browser.post(f"{PAGE}secret", {"act": "set", "secret": "one of GitHub's"})
    assert signed("deploy", b"2", secret="one of GitHub's").status_code == 202
    assert signed("deploy", b"3", secret=made).status_code == 404


def test_a_secret_that_nothing_decrypts_is_told_and_opens_nothing(
    browser: Client, script: Script
) -> None:
    switched_on(script, scheme="github")
    UrlTrigger.objects.update(secret="of another key")
    assert b"set it again" in browser.get(PAGE).content
    assert signed("deploy", b"{}").status_code == 404


def test_another_secret_key_encrypts_the_secrets_anew(script: Script) -> None:
    switched_on(script, scheme="github")
    before = UrlTrigger.objects.get().secret
    rotated = rotation.rotate()
    assert (rotated.count, rotated.unreadable) == (1, [])
    assert UrlTrigger.objects.get().secret != before
    assert signed("deploy", b"{}").status_code == 202


def test_a_wrong_rule_is_told_at_its_field(browser: Client, script: Script) -> None:
    page = browser.post(PAGE, {**FORM, "rules": "ref is main"})
    assert b"is no rule" in page.content
    assert UrlTrigger.objects.count() == 0


def test_the_test_button_starts_a_run_as_a_call_would(browser: Client, script: Script) -> None:
    browser.post(f"{PAGE}test")
    run = Run.objects.get()
    assert (run.trigger, run.by) == ("url", "ann")
    assert bytes(RunPayload.objects.get(run=run.pk).body) == calls.TEST_PAYLOAD


def test_the_page_costs_the_same_for_one_call_and_for_fifty(
    browser: Client, script: Script, django_assert_num_queries: Any
) -> None:
    trigger = switched_on(script)
    key = new_key(trigger)
    call("deploy", key=key)
    browser.get(PAGE)
    with django_assert_num_queries(8):
        browser.get(PAGE)
    for _ in range(20):
        call("deploy")
    browser.get(PAGE)
    with django_assert_num_queries(8):
        browser.get(PAGE)


# --- the API ---------------------------------------------------------------------------------------------------------
def test_the_api_sets_a_trigger_up(program: Client, script: Script) -> None:
    path = "/scripts/deploy/trigger"
    changes = {"enabled": True, "rules": ["ref == refs/heads/main"], "scheme": "github"}
    status, told = send(program, "PUT", path, {**changes, "secret": "one of GitHub's"})
    assert status == 200 and "one of GitHub's" not in str(told)
    assert told | changes == told and told["has_secret"] and told["url"].endswith("/trigger/deploy")
    assert send(program, "GET", path)[1] == told
    status, key = send(program, "POST", f"{path}/keys")
    assert status == 201
    assert call("deploy", key=key["key"], body=b'{"ref": "refs/heads/main"}').status_code == 202
    assert [row["status"] for row in send(program, "GET", f"{path}/calls")[1]["items"]] == [202]
    assert send(program, "POST", "/scripts/deploy/trigger-key")[0] == 201
    assert send(program, "DELETE", f"{path}/keys/{key['id']}")[0] == 204
    assert send(program, "DELETE", f"{path}/keys/{key['id']}")[0] == 404
    assert call("deploy", key=key["key"]).status_code == 404


def test_a_script_says_what_its_trigger_allows(program: Client, script: Script) -> None:
    off = {"enabled": False, "get": False, "key_in_url": False}
    assert send(program, "GET", "/scripts/deploy")[1]["trigger"] == off
    switched_on(script, allow_get=True)
    expected = {"enabled": True, "get": True, "key_in_url": False}
    assert send(program, "GET", "/scripts/deploy")[1]["trigger"] == expected


def test_put_leaves_what_it_does_not_name(program: Client, script: Script) -> None:
    switched_on(script, allow_get=True, rules="ref == a")
    _, told = send(program, "PUT", "/scripts/deploy/trigger", {"key_in_url": True})
    assert (told["enabled"], told["get"], told["key_in_url"]) == (True, True, True)
    assert told["rules"] == ["ref == a"]


@pytest.mark.parametrize(
    "wrong",
    [{"rules": ["ref"]}, {"headers": ["Cookie"]}, {"secret": "short"}, {"nothing": 1}],
    ids=str,
)
def test_the_api_refuses_what_no_trigger_can_have(
    program: Client, script: Script, wrong: dict[str, Any]
) -> None:
    status, told = send(program, "PUT", "/scripts/deploy/trigger", {"enabled": True, **wrong})
    assert (status, list(told["error"]["fields"])) == (422, list(wrong))
    assert not UrlTrigger.objects.filter(enabled=True).exists()


# --- the admin -------------------------------------------------------------------------------------------------------
def test_staff_switches_a_trigger_on_in_the_admin(
    client: Client, staff: User, script: Script
) -> None:
    client.force_login(staff)
    address = "/admin/runs_app/urltrigger/add/"
    refused = client.post(address, {**FORM, "script": script.pk, "rules": "ref is main"})
    assert b"is no rule" in refused.content
    client.post(address, {**FORM, "script": script.pk, "rules": "ref == main"})
    trigger = UrlTrigger.objects.get(script=script)
    assert (trigger.enabled, trigger.rules) == (True, "ref == main")
    change = client.get(f"/admin/runs_app/urltrigger/{trigger.pk}/change/")
    assert b"/scripts/deploy/trigger/" in change.content
