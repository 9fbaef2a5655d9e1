"""The ten services with a form: what they get is valid and within their limits, and their answers are understood."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest
from apprise.plugins.ntfy import NotifyNtfy

from notifications_app.channels import offered_services
from notifications_app.channels.presets import BY_NAME, PRESETS, FieldRefused
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import apprise_services
from tests.notifications_app.sending.receivers import Received, Reply, WebReceiver
from tests.refusals import refusal
from tests.rows import each_row

VALUES = {
    "discord": {
        "address": "https://discord.com/api/webhooks/123456789012345678/AbCdEfGhIjKlMnOpQrStUvWxYz_-AbCdEfGh"
    },
    "slack": {
        "address": "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/AbCdEfGhIjKlMnOpQrStUvWx"
    },
    "telegram": {
        "token": "123456789:AbCdEfGhIjKlMnOpQrStUvWxYz123456789",
        "chat": "-1001234567890",
    },
    "ntfy": {"topic": "my-nightly-runs", "token": "tk_abcdefghijklmnopqrstuvwxyz123"},
    "gotify": {"server": "https://gotify.example.org:8443/sub", "token": "AbCdEfGhIjKlMnO"},
    "matrix": {
        "server": "https://matrix.example.org",
        "token": "syt_YW5u_abcdefghij_1234",
        "room": "!AbCdEf:example.org",
    },
    "teams": {
        "address": "https://prod-1.westeurope.logic.azure.com:443/workflows/ab12cd34ef56ab12cd34ef56ab12cd34/triggers"
        "/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig=AbCdEfGhIjKlMnOpQrSt0123456789AbCdE"
    },
    "pushover": {"user": "u" * 30, "token": "a" * 30},
    "home_assistant": {
        "server": "http://homeassistant.local:8123",
        "token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiIxIn0.AbCdEfGh",
    },
    "mattermost": {"address": "https://chat.example.org/sub/hooks/abcdefghijklmnopqrstuvwxyz"},
}
HOSTS = (".com", ".org", ".local")
OUTPUT = 'naïve "quoted" \\back\x00\x1b[31mred\x1b[0m\x1b]0;title\x07 <b>&amp; @everyone <!channel> 🔥\ud800\n'
TITLE = "🔥 backup\r\nfailed"


@dataclass(frozen=True, kw_only=True)
class Case:
    """How a service answers, and where the text stands in what it gets."""

    success: Reply
    text: Callable[[Received], str]
    limit: int
    is_in_bytes: bool = False


def _teams_text(request: Received) -> str:
    blocks = request.json["attachments"][0]["content"]["body"]
    return str(blocks[-1]["text"])


def _without_tags(request: Received) -> str:
    # Telegram counts what is left when tags and entities have been read.
    return html.unescape(re.sub("<[^>]+>", "", request.json["text"]))


def _field(name: str) -> Callable[[Received], str]:
    return lambda request: str(request.json[name])


CASES = {
    "discord": Case(success=Reply(body='{"id": "1"}'), text=_field("content"), limit=2000),
    "slack": Case(
        success=Reply(body="ok"),
        text=lambda got: str(got.json["attachments"][0]["text"]),
        limit=40_000,
    ),
    "telegram": Case(
        success=Reply(body='{"ok": true, "result": {"message_id": 1}}'),
        text=_without_tags,
        limit=4096,
    ),
    "ntfy": Case(
        success=Reply(body='{"id": "x", "event": "message"}'),
        text=_field("message"),
        limit=4096,
        is_in_bytes=True,
    ),
    "gotify": Case(success=Reply(body='{"id": 1}'), text=_field("message"), limit=40_000),
    "matrix": Case(
        success=Reply(
            body='{"event_id": "$1", "room_id": "!AbCdEf:example.org", "user_id": "@ann:example.org"}'
        ),
        text=_field("body"),
        limit=60_000,
        is_in_bytes=True,
    ),
    "teams": Case(success=Reply(status=202, body=""), text=_teams_text, limit=20_000),
    "pushover": Case(
        success=Reply(body='{"status": 1, "request": "x"}'),
        text=lambda got: parse_qs(got.body.decode())["message"][0],
        limit=1024,
    ),
    "home_assistant": Case(success=Reply(body="[]"), text=_field("message"), limit=40_000),
    "mattermost": Case(success=Reply(body="ok"), text=_field("text"), limit=16_383),
}


def sent(name: str, *, text: str = "it failed", title: str = "backup failed") -> Answer:
    content = {"title": title, "text": text, "level": "failure"}
    url = BY_NAME[name].url(VALUES[name])
    return apprise_services.send(
        Letter(id="1", kind="apprise", target={"url": url}, content=content)
    )


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest, receiver: WebReceiver) -> str:
    receiver.replies[""] = CASES[request.param].success
    receiver.replies["/.well-known/matrix/client"] = Reply(status=404)
    return str(request.param)


OTHER_VALUES = [
    ("ntfy", {"topic": "runs"}, "/"),
    ("ntfy", {"server": "http://ntfy.lan:8080", "topic": "runs", "token": "tk_abc"}, "/"),
    ("gotify", {"server": "http://gotify.lan", "token": "AbCdEfGhIjKlMnO"}, "/message"),
    ("telegram", {"token": "123456789:AbC", "chat": "@nightly"}, "/bot123456789:AbC/sendMessage"),
    (
        "home_assistant",
        {
            "server": "https://ha.lan",
            "token": "eyJhb.eyJpc.AbC",
            "service": "notify.mobile_app_phone",
        },
        "/api/services/notify/mobile_app_phone",
    ),
    (
        "mattermost",
        {"address": "http://chat.lan:8065/hooks/abcdefghijklmnopqrstuvwxyz"},
        "/hooks/abcdefghijklmnopqrstuvwxyz",
    ),
]


@pytest.mark.parametrize(("name", "values", "path"), OTHER_VALUES)
def test_a_form_may_be_filled_in_otherwise(
    name: str, values: dict[str, str], path: str, receiver: WebReceiver
) -> None:
    receiver.replies[""] = CASES[name].success
    letter = Letter(
        id="1",
        kind="apprise",
        target={"url": BY_NAME[name].url(values)},
        content={"title": "backup failed", "text": "it failed"},
    )
    answer = apprise_services.send(letter)
    assert (answer.outcome, [request.path for request in receiver.received]) == ("sent", [path])


def test_each_preset_is_tried() -> None:
    assert set(CASES) == set(VALUES) == set(BY_NAME)
    assert len(PRESETS) == 10


def test_a_message_is_sent_with_title_and_text(name: str, receiver: WebReceiver) -> None:
    assert sent(name).outcome == "sent"
    assert "it failed" in CASES[name].text(receiver.received[-1])
    everything = receiver.received[-1].body.decode() + str(receiver.received[-1].headers)
    assert "backup" in everything


def test_long_output_with_all_that_is_awkward_is_valid_and_within_the_limit(
    name: str, receiver: WebReceiver
) -> None:
    case = CASES[name]
    assert sent(name, text=OUTPUT + '🔥"\\' * 20_000, title=TITLE).outcome == "sent"
    text = case.text(receiver.received[-1])
    length = len(text.encode()) if case.is_in_bytes else len(text.encode("utf-16-le")) // 2
    assert 500 < length <= case.limit
    assert "naïve" in text
    assert not {"\x00", "\x1b"} & set(text)
    assert "[31m" not in text


def test_a_script_calls_nobody(name: str, receiver: WebReceiver) -> None:
    sent(name, text="@everyone @here <!channel> <@U123>")
    text = CASES[name].text(receiver.received[-1])
    assert "@everyone" not in text
    assert "@here" not in text
    assert "<!" not in text
    assert "<@" not in text


RATE = "Too Many Requests"
ERRORS = [
    (
        "discord",
        Reply(status=404, body='{"message": "Unknown Webhook", "code": 10015}'),
        "gone",
        "Unknown Webhook",
    ),
    (
        "discord",
        Reply(status=429, body='{"message": "slow", "retry_after": 64.5, "global": false}'),
        "retry",
        "slow",
    ),
    (
        "discord",
        Reply(status=400, body='{"content": ["Must be 2000 or fewer"]}'),
        "refused",
        "2000 or fewer",
    ),
    ("slack", Reply(status=404, body="no_service"), "gone", "no_service"),
    ("slack", Reply(status=403, body="invalid_token"), "gone", "invalid_token"),
    ("slack", Reply(status=400, body="invalid_payload"), "refused", "invalid_payload"),
    ("slack", Reply(status=500, body="rollup_error"), "retry", "rollup_error"),
    (
        "telegram",
        Reply(
            status=403,
            body='{"ok": false, "description": "Forbidden: bot was blocked by the user"}',
        ),
        "gone",
        "bot was blocked",
    ),
    (
        "telegram",
        Reply(
            status=429,
            body='{"ok": false, "description": "slow", "parameters": {"retry_after": 64.5}}',
        ),
        "retry",
        "slow",
    ),
    (
        "telegram",
        Reply(status=401, body='{"ok": false, "description": "Unauthorized"}'),
        "gone",
        "Unauthorized",
    ),
    (
        "ntfy",
        Reply(status=403, body='{"code": 40301, "error": "forbidden"}'),
        "refused",
        "forbidden",
    ),
    (
        "ntfy",
        Reply(status=429, body='{"code": 42908, "error": "limit reached"}'),
        "retry",
        "limit reached",
    ),
    ("gotify", Reply(status=401, body='{"error": "Unauthorized"}'), "refused", "Unauthorized"),
    (
        "matrix",
        Reply(status=401, body='{"errcode": "M_UNKNOWN_TOKEN", "error": "no"}'),
        "refused",
        "M_UNKNOWN_TOKEN",
    ),
    (
        "teams",
        Reply(status=404, body='{"error": {"code": "WorkflowNotFound"}}'),
        "refused",
        "WorkflowNotFound",
    ),
    ("teams", Reply(status=302, headers={"Location": "/x"}), "refused", "not followed"),
    (
        "pushover",
        Reply(status=400, body='{"status": 0, "errors": ["token is invalid"]}'),
        "refused",
        "is invalid",
    ),
    ("home_assistant", Reply(status=401, body="401: Unauthorized"), "refused", "Unauthorized"),
    (
        "mattermost",
        Reply(status=400, body='{"message": "Invalid webhook."}'),
        "refused",
        "Invalid webhook",
    ),
    ("mattermost", Reply(status=502, body="Bad Gateway"), "retry", "Bad Gateway"),
]


@pytest.mark.parametrize(("name", "reply", "outcome", "words"), ERRORS)
def test_errors_in_their_real_shape_are_understood_and_shown(
    name: str, reply: Reply, outcome: str, words: str, receiver: WebReceiver
) -> None:
    receiver.replies[""] = reply
    answer = sent(name)
    assert (answer.outcome, answer.status) == (outcome, reply.status)
    assert words in answer.answer
    asked = 64.5 if "64.5" in str(reply.body) else None
    assert answer.retry_after_s == asked


def test_what_a_service_answers_shows_no_secret(name: str, receiver: WebReceiver) -> None:
    def echo(request: Received) -> Reply:
        headers = json.dumps(request.headers)
        return Reply(
            status=400, body=f"{request.path} {headers} {request.body.decode(errors='replace')}"
        )

    receiver.replies[""] = echo
    parts = re.split("[/=:?&\n]", "\n".join(VALUES[name].values()))
    secrets = [part for part in parts if len(part) > 12 and not part.endswith(HOSTS)]
    answer = sent(name).answer
    assert secrets and "content-type" in answer.lower()
    assert [secret for secret in secrets if secret in answer] == []


def test_addresses_of_presets_are_offered(name: str) -> None:
    address = BY_NAME[name].url(VALUES[name])
    assert refusal(lambda: offered_services.check(address), offered_services.ServiceRefused) == ""


@each_row(
    ("name", "values", "field"),
    [
        ("discord", {"address": "https://evil.example/api/webhooks/1/a"}, "address"),
        ("slack", {"address": "https://hooks.slack.com/services/T/B/C?x=y"}, "address"),
        ("telegram", {"token": "1:a?verify=no", "chat": "1"}, "token"),
        ("telegram", {"token": "1:abc", "chat": ""}, "chat"),
        ("ntfy", {"topic": "a/b"}, "topic"),
        ("ntfy", {"server": "https://example.org/ntfy", "topic": "a"}, "server"),
        ("gotify", {"server": "https://a@b/", "token": "AbCdEfGhIjKlMnO"}, "server"),
        ("matrix", {"server": "ftp://m", "token": "x", "room": "#r:m"}, "server"),
        ("mattermost", {"address": "https://chat.example.org/x"}, "address"),
    ],
)
def test_values_that_fit_no_service_are_refused_by_field(
    name: str, values: dict[str, str], field: str
) -> None:
    with pytest.raises(FieldRefused) as caught:
        BY_NAME[name].url(values)
    assert caught.value.field == field


def test_a_form_shows_which_fields_are_secret() -> None:
    secret = {
        preset.name: [field.name for field in preset.fields if field.is_secret]
        for preset in PRESETS
    }
    assert all(secret.values())


def test_a_power_automate_address_is_a_workflow_too(receiver: WebReceiver) -> None:
    receiver.replies[""] = Reply(status=202, body="")
    address = (
        "https://default1.api.powerplatform.com:443/powerautomate/automations/direct/cu/07/workflows/ab12cd34"
        "/triggers/manual/paths/invoke?api-version=1&sp=%2Ft&sv=1.0&sig=AbCd%2DEfGh"
    )
    url = BY_NAME["teams"].url({"address": address})
    letter = Letter(
        id="1", kind="apprise", target={"url": url}, content={"title": "t", "text": "x"}
    )
    assert apprise_services.send(letter).outcome == "sent"
    path: Any = receiver.received[-1].path
    assert path.startswith("/powerautomate/automations/direct/cu/07/workflows/ab12cd34/triggers/")
    assert "sig=AbCd-EfGh" in path


def test_home_assistant_tells_a_phone_too(receiver: WebReceiver) -> None:
    receiver.replies[""] = CASES["home_assistant"].success
    url = BY_NAME["home_assistant"].url(
        {**VALUES["home_assistant"], "service": "notify.mobile_app_ann"}
    )
    letter = Letter(
        id="1", kind="apprise", target={"url": url}, content={"title": "t", "text": "x"}
    )
    assert apprise_services.send(letter).outcome == "sent"
    assert receiver.received[-1].path == "/api/services/notify/mobile_app_ann"


@pytest.mark.parametrize(("status", "outcome"), [(403, "refused"), (500, "retry"), (200, "sent")])
def test_one_target_of_several_that_fails_is_a_failure(
    status: int, outcome: str, receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifyNtfy, "request_rate_per_sec", 0)

    def by_topic(request: Received) -> Reply:
        if request.json["topic"] == "broken":
            return Reply(status=status, body='{"error": "no"}')
        return CASES["ntfy"].success

    receiver.replies[""] = by_topic
    target = {"url": "ntfys://ntfy.example.org/broken/good"}
    letter = Letter(id="1", kind="apprise", target=target, content={"title": "t", "text": "x"})
    assert apprise_services.send(letter).outcome == outcome
    assert {request.json["topic"] for request in receiver.received} == {"broken", "good"}
