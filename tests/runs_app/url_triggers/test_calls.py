"""Calls of a trigger: who may start a run, what the run is given, and what everybody else is told."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app import payloads
from runs_app.execution import finish
from runs_app.models import Run, RunPayload
from runs_app.states import Status, Trigger
from runs_app.url_triggers import (
    call_log,
    large_bodies,
    secrets_in_use,
    trigger_keys,
    trigger_settings,
)
from runs_app.url_triggers.models import TriggerKey, UrlTrigger
from scripts_app import scripts
from scripts_app.models import Script
from tempo_site.accounts import keys, rate_limits
from tempo_site.accounts.keys import KeyLimits
from tempo_site.accounts.rate_limits import RateLimit
from tempo_site.models import ApiKey, AuditEntry
from tests.factories import make_script
from tests.runs_app.url_triggers.sending import call, new_key, noted, signed, switched_on

DAYS = [{"name": "days", "type": "int", "default": 1}]
PUSH = json.dumps({"ref": "refs/heads/main", "commits": [{"id": "a1"}]}).encode()

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "_notes", {})
    monkeypatch.setattr(secrets_in_use, "_plain", None)


@pytest.fixture
def script() -> Script:
    return make_script("Deploy")


@pytest.fixture
def trigger(script: Script) -> UrlTrigger:
    return switched_on(script)


@pytest.fixture
def token(trigger: UrlTrigger) -> str:
    return new_key(trigger)


def changed(script: Script, **changes: Any) -> None:
    trigger_settings.update(script, changes)


def runs() -> list[Run]:
    return list(Run.objects.scripts().order_by("pk"))


# --- who is let in -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_in_either_header_starts_a_run(trigger: UrlTrigger, token: str, header: str) -> None:
    shown: dict[str, Any] = {"Authorization": f"Bearer {token}", "X-API-Key": token}
    answer = call("deploy", **{header.replace("-", "_"): shown[header]})
    (run,) = runs()
    told = {"id": run.pk, "status": "queued", "url": f"http://localhost/runs/{run.pk}/"}
    assert (answer.status_code, answer.json()) == (202, {"run": told})
    assert answer["Location"] == told["url"]
    assert (run.trigger, run.by) == (Trigger.URL, f"trigger key {token[:14]}…")


@pytest.mark.parametrize(("scope", "status"), [("read", 404), ("run", 202), ("full", 202)])
def test_an_api_key_that_may_start_runs_opens_it(
    trigger: UrlTrigger, scope: str, status: int
) -> None:
    _, key = ApiKey.issue(name="ci", scope=scope)
    assert call("deploy", key=key).status_code == status


def test_a_key_of_another_script_opens_nothing(trigger: UrlTrigger) -> None:
    other = new_key(switched_on(make_script("Other")))
    assert call("deploy", key=other).status_code == 404
    assert runs() == []


def test_a_key_opens_nothing_but_its_trigger(trigger: UrlTrigger, token: str) -> None:
    client = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    assert client.get("/api/v1/scripts").status_code == 401


def test_a_session_opens_nothing(trigger: UrlTrigger, browser: Client) -> None:
    assert call("deploy", client=browser, Host="localhost").status_code == 404
    assert runs() == []


def test_several_keys_are_good_while_one_replaces_another(trigger: UrlTrigger, token: str) -> None:
    now = timezone.now()
    _, second = trigger_keys.rotate(trigger, by="ann", now=now)
    assert [call("deploy", key=key).status_code for key in (token, second)] == [202, 202]
    TriggerKey.objects.exclude(expires_at=None).update(expires_at=now - timedelta(seconds=1))
    assert [call("deploy", key=key).status_code for key in (token, second)] == [404, 202]


def test_a_key_in_the_address_is_for_triggers_that_allow_it(script: Script, token: str) -> None:
    assert call("deploy", query=f"?key={token}").status_code == 404
    changed(script, allow_query_key=True)
    assert call("deploy", query=f"?key={token}").status_code == 202


def test_get_is_for_triggers_that_allow_it_and_head_starts_nothing(
    script: Script, token: str
) -> None:
    by_get = call("deploy", key=token, method="GET")
    assert (by_get.status_code, by_get["Allow"]) == (405, "POST")
    changed(script, allow_get=True)
    assert call("deploy", key=token, method="GET").status_code == 202
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = call("deploy", key=token, method=method)
        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST")
    assert len(runs()) == 1


# --- what everybody else is told -----------------------------------------------------------------------------------
def refused_calls(script: Script, token: str) -> dict[str, dict[str, Any]]:
    """Calls that are not let in, each for another reason."""
    TriggerKey.objects.filter(prefix=token[:14]).update(revoked_at=timezone.now())
    expired = new_key(UrlTrigger.objects.get(script=script))
    TriggerKey.objects.filter(prefix=expired[:14]).update(expires_at=timezone.now())
    make_script("Never")
    switched_on(make_script("Off"), enabled=False)
    switched_on(make_script("Signed"), scheme="github")
    return {
        "unknown": {"slug": "nothing"},
        "never set up": {"slug": "never"},
        "off": {"slug": "off"},
        "no key": {"slug": "deploy"},
        "wrong key": {"slug": "deploy", "key": "tempo_t_" + "a" * 36},
        "revoked": {"slug": "deploy", "key": token},
        "expired": {"slug": "deploy", "key": expired},
        "unsigned": {"slug": "signed"},
        "wrongly signed": {"slug": "signed", "X_Hub_Signature_256": "sha256=" + "0" * 64},
        "no slug": {"slug": "a/b/../c"},
    }


def test_whoever_is_not_let_in_is_told_the_same_after_the_same_work(
    script: Script, token: str
) -> None:
    wanted = refused_calls(script, token)
    call("nothing")  # the first call reads all secrets
    answers = {}
    for name, arguments in wanted.items():
        with CaptureQueriesContext(connection) as queries:
            answer = call(body=PUSH, **arguments)
        statements = [query["sql"].partition(" WHERE ")[0] for query in queries]
        head = sorted(answer.headers.items())
        answers[name] = (answer.status_code, answer.content, head, statements)
    first = answers.pop("unknown")
    assert first[0] == 404 and len(first[3]) == 3
    assert {name: answer for name, answer in answers.items() if answer != first} == {}


def test_refused_calls_are_seen_with_their_reasons(script: Script, token: str) -> None:
    trigger = UrlTrigger.objects.get(script=script)
    call("deploy")
    call("deploy", key="tempo_t_wrong")
    call("deploy", query=f"?key={token}")
    call("deploy", key=token)
    calls_ = [(row.status, row.address, row.reason) for row in noted(trigger)]
    assert calls_ == [
        (202, "127.0.0.1", "Started."),
        (404, "127.0.0.1", "Its key stood in the address, which is not allowed."),
        (404, "127.0.0.1", "Its key may not start this script, or not any more."),
        (404, "127.0.0.1", "It showed no key."),
    ]
    trigger.refresh_from_db()
    assert (trigger.started, trigger.ignored, trigger.refused) == (1, 0, 3)
    assert trigger.keys.get().last_used_at is not None


def test_a_flood_of_refused_calls_leaves_the_last_ones_and_no_write(
    script: Script, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_log, "KEPT_CALLS", 5)
    trigger = UrlTrigger.objects.get(script=script)
    call("deploy")
    with CaptureQueriesContext(connection) as queries:
        for number in range(8):
            call("deploy")
            call(f"nothing-{number}")
    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    assert len(call_log._notes) == 2
    assert len(noted(trigger)) == 5
    call("deploy", key=token)
    assert [row.status for row in noted(trigger)[:2]] == [202, 404]
    assert trigger.calls.count() == 5
    trigger.refresh_from_db()
    assert (trigger.started, trigger.refused) == (1, 9)


# --- signed --------------------------------------------------------------------------------------------------------
def test_a_signed_call_needs_no_key(script: Script) -> None:
    switched_on(script, scheme="github")
    assert signed("deploy", PUSH).status_code == 202
    assert signed("deploy", b"{}", secret="another secret").status_code == 404
    assert [run.by for run in runs()] == ["signed: GitHub, Gitea, Forgejo"]


def test_two_secrets_are_good_at_a_time(script: Script) -> None:
    switched_on(script, scheme="github")
    trigger_settings.set_secret(script, "the second secret", keeps_older=True)
    assert signed("deploy", b"1").status_code == 202
    assert signed("deploy", b"2", secret="the second secret").status_code == 202
    trigger_settings.end_rotation(script)
    assert signed("deploy", b"3").status_code == 404


def test_secrets_are_stored_encrypted(script: Script) -> None:
    switched_on(script, scheme="github")
    assert "Secret to Everybody" not in UrlTrigger.objects.get().secret


def test_what_is_signed_starts_one_run_and_is_answered_alike(script: Script) -> None:
    switched_on(script, scheme="github")
    first = signed("deploy", PUSH, X_GitHub_Delivery="1")
    again = signed("deploy", PUSH, X_GitHub_Delivery="2")
    by_delivery = signed("deploy", b'{"other": 1}', X_GitHub_Delivery="1")
    assert again.content == by_delivery.content == first.content
    assert [answer.status_code for answer in (first, again, by_delivery)] == [202, 202, 202]
    assert again["Idempotency-Replayed"] == "true"
    assert len(runs()) == 1


def test_an_answer_that_is_given_again_is_listed_and_is_no_start(script: Script) -> None:
    trigger = switched_on(script, scheme="github")
    for _ in range(3):
        signed("deploy", b"{}")
    reasons = [each.reason for each in noted(trigger)]
    assert reasons == ["Replayed: the same call came before."] * 2 + ["Started."]
    trigger.refresh_from_db()
    assert (trigger.started, trigger.ignored, trigger.refused) == (1, 0, 0)


def test_a_day_later_the_same_starts_another_run(script: Script) -> None:
    trigger = switched_on(script, scheme="github")
    signed("deploy", PUSH)
    trigger.answers.update(created_at=timezone.now() - timedelta(hours=24))
    assert "Idempotency-Replayed" not in signed("deploy", PUSH)
    assert len(runs()) == 2


# --- what the run is given -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("?days=7", b"", "text/plain"),
        ("", b"days=7", "application/x-www-form-urlencoded"),
        ("", b'{"days": 7}', "application/json"),
        ("?days=7", b'{"days": 3}', "application/json; charset=utf-8"),
    ],
)
def test_inputs_come_in_the_address_a_form_or_json(
    script: Script, token: str, query: str, body: bytes, kind: str
) -> None:
    scripts.update(script, by=None, now=timezone.now(), parameters=DAYS)
    assert call("deploy", key=token, query=query, body=body, kind=kind).status_code == 202
    assert [run.params for run in runs()] == [{"days": 7}]


@pytest.mark.parametrize("body", [b'{"days": "many"}', b'{"dayz": 7}'])
def test_wrong_inputs_start_nothing(script: Script, token: str, body: bytes) -> None:
    scripts.update(script, by=None, now=timezone.now(), parameters=DAYS)
    answer = call("deploy", key=token, body=body)
    assert answer.status_code == 422 and answer.json()["error"]["fields"]
    assert runs() == [] and RunPayload.objects.count() == 0


def test_of_a_signed_body_declared_names_are_inputs_and_the_rest_is_payload(script: Script) -> None:
    switched_on(script, scheme="github")
    scripts.update(script, by=None, now=timezone.now(), parameters=DAYS)
    assert signed("deploy", b'{"days": 7, "ref": "refs/heads/main"}').status_code == 202
    assert [run.params for run in runs()] == [{"days": 7}]


def test_the_body_and_the_allowed_headers_are_kept_for_the_run(script: Script, token: str) -> None:
    call("deploy", key=token, body=PUSH, X_GitHub_Event="push", Cookie="a=b", X_Other="1")
    payload = RunPayload.objects.get()
    assert bytes(payload.body) == PUSH
    assert payload.headers == {"Content-Type": "application/json", "X-GitHub-Event": "push"}


def test_a_payload_goes_with_the_end_of_its_run(trigger: UrlTrigger, token: str) -> None:
    call("deploy", key=token, body=PUSH)
    (run,) = runs()
    assert finish.end(run, Status.CANCELLED, now=timezone.now())
    assert RunPayload.objects.count() == 0


def test_payloads_that_wait_have_so_much_room_together(
    trigger: UrlTrigger, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "MAX_WAITING_BYTES", 50_000)
    body = b'"' + b"a" * 30_000 + b'"'
    answers = [call("deploy", key=token, body=body).status_code for _ in range(2)]
    assert answers == [202, 503]
    assert len(runs()) == RunPayload.objects.count() == 1


def test_a_body_of_more_than_a_megabyte_is_refused(trigger: UrlTrigger, token: str) -> None:
    assert call("deploy", key=token, body=b" " * (large_bodies.MAX_BYTES + 1)).status_code == 413
    assert call("deploy", key=token, body=b'"' + b"a" * 10**6 + b'"').status_code == 202


def test_what_is_no_json_is_refused(trigger: UrlTrigger, token: str) -> None:
    assert call("deploy", key=token, body=b"{").status_code == 400
    assert runs() == []


# --- rules ---------------------------------------------------------------------------------------------------------
RULES = """\
ref == refs/heads/main
# of the first commit
commits.0.id startswith a
header.X-GitHub-Event == push
"""


def test_a_call_that_fits_all_rules_starts_a_run(script: Script) -> None:
    switched_on(script, scheme="github", rules=RULES)
    assert signed("deploy", PUSH, X_GitHub_Event="push").status_code == 202


def test_a_call_that_does_not_fit_is_recorded_as_ignored(script: Script) -> None:
    trigger = switched_on(script, scheme="github", rules=RULES)
    answer = signed("deploy", PUSH, X_GitHub_Event="ping")
    why = "`header.X-GitHub-Event == push` does not hold: it is `ping`"
    assert (answer.status_code, answer.json()) == (200, {"run": None, "ignored": why})
    assert [(row.status, row.reason) for row in noted(trigger)] == [(200, why)]
    assert runs() == []


def test_a_rule_on_what_is_not_there_says_so(script: Script) -> None:
    switched_on(script, scheme="github", rules="action == opened")
    why = "`action == opened` does not hold: nothing is there"
    assert signed("deploy", PUSH).json()["ignored"] == why


def test_a_form_of_githubs_carries_its_json_in_a_field(script: Script) -> None:
    switched_on(script, scheme="github", rules="ref == refs/heads/main")
    body = b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D"
    kind = "application/x-www-form-urlencoded"
    # Accept: what comes from a browser's form is parsed before the view, but not here.
    assert signed("deploy", body, kind=kind, Accept="text/html").status_code == 202


@pytest.mark.parametrize("rule", ["ref", "ref = main", "ref is main", "a == " + "b" * 300])
def test_what_is_no_rule_is_not_saved(script: Script, rule: str) -> None:
    with pytest.raises(scripts.ScriptError):
        switched_on(script, rules=rule)


@pytest.mark.parametrize("name", ["Authorization", "x-hub-signature-256", "a:b", "é"])
def test_what_carries_a_secret_is_no_header_for_a_script(script: Script, name: str) -> None:
    with pytest.raises(scripts.ScriptError):
        switched_on(script, headers=name)


# --- the same call again -------------------------------------------------------------------------------------------
def test_an_idempotency_key_starts_one_run(trigger: UrlTrigger, token: str) -> None:
    first = call("deploy", key=token, body=b"{}", Idempotency_Key="once")
    again = call("deploy", key=token, body=b"{}", Idempotency_Key="once")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Location"] == first["Location"]
    assert call("deploy", key=token, body=b"[]", Idempotency_Key="once").status_code == 422
    assert call("deploy", key=token, body=b"{}", Idempotency_Key="twice").status_code == 202
    assert len(runs()) == 2


def test_an_idempotency_key_is_its_senders_own(trigger: UrlTrigger, token: str) -> None:
    other = new_key(trigger)
    for key in (token, other):
        call("deploy", key=key, Idempotency_Key="once")
    assert len(runs()) == 2


# --- limits and the audit --------------------------------------------------------------------------------------------
def test_a_key_limited_to_other_scripts_opens_nothing(script: Script, trigger: UrlTrigger) -> None:
    other = make_script("Other")
    for reached, status in ((script, 202), (other, 404)):
        limits = KeyLimits(scripts=frozenset({reached.pk}))
        _, key = keys.create(name=reached.slug, scope="run", limits=limits, now=timezone.now())
        assert call("deploy", key=key).status_code == status


def test_beyond_its_limit_a_key_is_told_when_to_come_again(
    trigger: UrlTrigger, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = RateLimit(name="few-triggers", count=2, seconds=10**9)
    monkeypatch.setattr(rate_limits, "TRIGGER", limit)
    answers = [call("deploy", key=token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2]["Retry-After"] and answers[2]["RateLimit-Policy"] == limit.policy
    assert call("deploy", key=new_key(trigger)).status_code == 202
    assert [row.status for row in noted(trigger)] == [202, 429, 202, 202]


def test_a_call_that_starts_a_run_is_in_the_audit(trigger: UrlTrigger, token: str) -> None:
    AuditEntry.objects.all().delete()
    call("deploy", key=token)
    call("deploy", key="tempo_t_wrong")
    (entry,) = AuditEntry.objects.all()
    assert (entry.actor, entry.verb, entry.address) == ("trigger", "started", "127.0.0.1")
    assert entry.name == f"trigger key {token[:14]}…"


# --- what may stand against it -------------------------------------------------------------------------------------
def test_a_disabled_script_is_not_started(script: Script, token: str) -> None:
    scripts.update(script, by=None, now=timezone.now(), enabled=False)
    assert call("deploy", key=token).status_code == 409


def test_a_deleted_script_has_no_trigger(script: Script, token: str) -> None:
    scripts.delete(script, now=timezone.now())
    assert call("deploy", key=token).status_code == 404


@pytest.mark.parametrize("query", ["?wait=soon", "?wait=-1", "?wait=61", "?output=yes"])
def test_wait_and_output_are_what_they_may_be(trigger: UrlTrigger, token: str, query: str) -> None:
    assert call("deploy", key=token, query=query).status_code == 400
    assert runs() == []
