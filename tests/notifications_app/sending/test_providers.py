"""Mail by the interfaces of providers: SMTP2GO's by a backend of ours, the others by anymail's."""

import json
from typing import Any

import pytest

from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import mail, providers
from tempo_site.stored_settings.mail import PROVIDERS
from tests.notifications_app.sending.receivers import Reply, WebReceiver

KEYS = {"mailjet": "key-key-key:secret-secret", "scaleway": "secret-secret:project-project"}
KEY = "api-0123456789ABCDEF"


def sent(
    provider: str = "smtp2go", *, key: str = KEY, to: tuple[str, ...] = ("Ann <ann@example.org>",)
) -> Answer:
    target: dict[str, Any] = {
        "provider": provider,
        "api_key": key,
        "from_email": "Tempo <tempo@example.org>",
        "to": list(to),
    }
    content = {
        "subject": "🔥 backup",
        "text": "It failed.",
        "html": "<p>It failed.</p>",
        "headers": {"Auto-Submitted": "auto-generated"},
    }
    return mail.send(Letter(id="1", kind="mail", target=target, content=content))


def reply(*, succeeded: int, failures: list[str], status: int = 200) -> Reply:
    data = {
        "succeeded": succeeded,
        "failed": len(failures),
        "failures": failures,
        "email_id": "1er8bV-6Tw0Mi-7h",
    }
    return Reply(status=status, body=json.dumps({"request_id": "aa253464", "data": data}))


def failed(status: int, error: str, code: str, **headers: str) -> Reply:
    body = {"request_id": "x", "data": {"error": error, "error_code": f"E_ApiResponseCodes.{code}"}}
    return Reply(status=status, body=json.dumps(body), headers=headers)


def test_smtp2go_gets_its_fields_and_the_key_as_a_header(receiver: WebReceiver) -> None:
    receiver.replies[""] = reply(succeeded=1, failures=[])
    assert sent().outcome == "sent"
    (got,) = receiver.received
    assert (got.headers["x-host"], got.path) == ("api.smtp2go.com", "/v3/email/send")
    assert got.headers["x-smtp2go-api-key"] == KEY
    assert got.json == {
        "sender": "Tempo <tempo@example.org>",
        "to": ["Ann <ann@example.org>"],
        "subject": "🔥 backup",
        "text_body": "It failed.",
        "html_body": "<p>It failed.</p>",
        "custom_headers": [{"header": "Auto-Submitted", "value": "auto-generated"}],
    }


def test_an_answer_200_of_smtp2go_may_hold_failures(receiver: WebReceiver) -> None:
    receiver.replies[""] = reply(
        succeeded=1, failures=["Bob@example.org: mailbox is on the suppression list"]
    )
    answer = sent(to=("Ann <ann@example.org>", "bob@example.org"))
    outcomes = {address: found["outcome"] for address, found in answer.recipients.items()}
    assert outcomes == {"Ann <ann@example.org>": "sent", "bob@example.org": "refused"}
    assert answer.outcome == "sent"
    assert "suppression list" in answer.recipients["bob@example.org"]["answer"]


def test_nobody_who_was_reached_is_a_refusal_though_the_status_is_200(
    receiver: WebReceiver,
) -> None:
    receiver.replies[""] = reply(succeeded=0, failures=["ann@example.org: invalid"])
    answer = sent()
    assert (answer.outcome, answer.status) == ("refused", 200)
    assert "ann@example.org: invalid" in answer.answer


@pytest.mark.parametrize(
    ("answered", "outcome", "words"),
    [
        (
            failed(401, "The API Key passed was not in the correct format", "API_KEY_INVALID"),
            "retry",
            "API Key",
        ),
        (failed(403, "No permission", "ENDPOINT_PERMISSION_DENIED"), "retry", "PERMISSION_DENIED"),
        (
            failed(400, "sender not verified", "NON_VALIDATING_IN_PAYLOAD"),
            "refused",
            "sender not verified",
        ),
        (failed(429, "Too many requests", "API_EXCEPTION"), "retry", "Too many"),
        (Reply(status=502, body="<html>Bad Gateway"), "retry", "Bad Gateway"),
        (Reply(body="not json"), "refused", "not json"),
        (Reply(body="{}"), "refused", "{}"),
        (Reply(status=302, body=""), "refused", "not followed"),
    ],
)
def test_what_smtp2go_says_is_understood_and_shown(
    answered: Reply, outcome: str, words: str, receiver: WebReceiver
) -> None:
    receiver.replies[""] = answered
    answer = sent()
    assert answer.outcome == outcome
    assert words in answer.answer
    assert len(receiver.received) == 1


def test_the_key_is_in_no_answer(receiver: WebReceiver) -> None:
    receiver.replies[""] = Reply(status=400, body=f"the key {KEY} is odd")
    assert sent().answer == "400 the key *** is odd"


def test_each_provider_that_can_be_chosen_has_a_backend() -> None:
    assert set(PROVIDERS) == providers.NAMES


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_is_asked_once_with_its_key(provider: str, receiver: WebReceiver) -> None:
    receiver.replies[""] = Reply(status=401, body='{"message": "bad key"}')
    key = KEYS.get(provider, KEY)
    answer = sent(provider, key=key)
    assert (answer.outcome, answer.status) == ("retry", 401)
    assert "bad key" in answer.answer
    assert len(receiver.received) == 1


def test_a_key_that_lacks_its_second_half_is_told(receiver: WebReceiver) -> None:
    answer = sent("mailjet", key="only-one")
    assert (answer.outcome, "two values" in answer.answer) == ("refused", True)
    assert receiver.received == []


def test_recipients_that_a_provider_of_anymail_refuses_are_known(receiver: WebReceiver) -> None:
    body = {
        "ErrorCode": 0,
        "Message": "Message OK, but will not deliver to these inactive addresses: bob@example.org. "
        "Inactive recipients are ones that have generated a hard bounce or a spam complaint.",
        "MessageID": "1",
        "To": "ann@example.org, bob@example.org",
    }
    receiver.replies[""] = Reply(body=json.dumps(body))
    answer = sent("postmark", to=("ann@example.org", "bob@example.org"))
    assert {address: found["outcome"] for address, found in answer.recipients.items()} == {
        "ann@example.org": "sent",
        "bob@example.org": "refused",
    }
