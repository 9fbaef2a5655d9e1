"""Webhooks and heartbeats: what goes out, and what an answer means."""

import time
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import pytest

from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import exchanges, heartbeat, webhook
from tests.notifications_app.sending.receivers import Reply, WebReceiver
from tests.rows import each_row

SECRET, OLD_SECRET = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
)
BODY = '{"event": "failed", "text": "naïve 🔥 \\u0000"}'
URL = "https://hooks.example.org/in/a1b2c3d4e5f6?key=k1k2k3k4"


def sent(*, url: str = URL, secrets: tuple[str, ...] = (SECRET,), body: str = BODY) -> Answer:
    target = {"url": url, "secrets": list(secrets)}
    return webhook.send(Letter(id="msg_1", kind="webhook", target=target, content={"body": body}))


# --- the signature ---------------------------------------------------------------------------------------------------
def test_the_example_of_standard_webhooks_is_signed_as_they_print_it() -> None:
    headers = webhook.signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', [SECRET], at=1614265330
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_give_two_signatures() -> None:
    alone = [
        webhook.signed_headers("m", "x", [secret], at=1)["webhook-signature"]
        for secret in (SECRET, OLD_SECRET)
    ]
    both = webhook.signed_headers("m", "x", [SECRET, OLD_SECRET], at=1)["webhook-signature"]
    assert both == " ".join(alone)


def test_a_receiver_can_verify_what_came(receiver: WebReceiver) -> None:
    began = int(time.time())
    assert sent().outcome == "sent"
    (got,) = receiver.received
    assert got.body == BODY.encode()
    at = int(got.headers["webhook-timestamp"])
    assert began <= at <= time.time()
    expected = webhook.signed_headers("msg_1", got.body.decode(), [SECRET], at=at)
    assert {name: got.headers[name] for name in expected} == expected
    assert got.headers["content-type"] == "application/json"
    assert (got.headers["x-host"], got.path) == (
        "hooks.example.org",
        "/in/a1b2c3d4e5f6?key=k1k2k3k4",
    )


def test_without_a_secret_nothing_is_signed(receiver: WebReceiver) -> None:
    assert sent(secrets=()).outcome == "sent"
    assert "webhook-signature" not in receiver.received[0].headers


def test_a_secret_that_is_no_base64_is_told(receiver: WebReceiver) -> None:
    answer = sent(secrets=("whsec_%%%",))
    assert (answer.outcome, "base64" in answer.answer) == ("refused", True)
    assert receiver.received == []


# --- answers ---------------------------------------------------------------------------------------------------------
SENT, RETRY = (200, 202, 204), (408, 425, 429, 500, 502, 503)
REFUSED = (301, 302, 307, 400, 401, 404, 422)
OUTCOMES = (
    dict.fromkeys(SENT, "sent")
    | dict.fromkeys(RETRY, "retry")
    | dict.fromkeys(REFUSED, "refused")
    | {410: "gone"}
)


@pytest.mark.parametrize(("status", "outcome"), OUTCOMES.items())
def test_a_status_means(status: int, outcome: str, receiver: WebReceiver) -> None:
    receiver.replies[""] = Reply(status=status, body="", headers={"Location": "/elsewhere"})
    assert sent().outcome == outcome
    assert len(receiver.received) == 1


@each_row(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", -5),
        (formatdate(1_000_090, usegmt=True), 90),
        ("soon", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert exchanges.seconds_of(value, now=1_000_000) == seconds


@pytest.mark.parametrize(("value", "seconds"), [("30", 30.0), ("-5", 0.0), ("999999999", 86_400.0)])
def test_a_receiver_is_left_alone_as_long_as_it_asks_up_to_a_day(
    value: str, seconds: float, receiver: WebReceiver
) -> None:
    receiver.replies[""] = Reply(status=503, headers={"Retry-After": value})
    assert sent().retry_after_s == seconds


def test_the_answer_is_cut_and_shows_neither_address_nor_secret(receiver: WebReceiver) -> None:
    words = f"\x1b[31mno\x00\n {URL} {SECRET} " + "x" * 1_000_000
    receiver.replies[""] = Reply(status=400, body=words)
    answer = sent().answer
    assert answer.startswith("400 no https://hooks.example.org/in/***?key=*** *** xxx")
    assert len(answer) <= 500


def test_an_address_that_is_none_is_refused(receiver: WebReceiver) -> None:
    answer = sent(url="https://[::1/x")
    assert (answer.outcome, answer.status) == ("refused", None)


# --- heartbeats ------------------------------------------------------------------------------------------------------
RUN = "7f3b2c1e-0000-4000-8000-000000000001"


def beat(signal: str, *, url: str, flavour: str, text: str = "") -> Answer:
    target = {"url": url, "flavour": flavour}
    content = {"signal": signal, "run": RUN, "text": text}
    return heartbeat.send(Letter(id="1", kind="heartbeat", target=target, content=content))


@pytest.mark.parametrize(
    ("signal", "path"),
    [("start", "/a-b/start"), ("success", "/a-b"), ("fail", "/a-b/fail"), ("137", "/a-b/137")],
)
def test_healthchecks_gets_signal_run_and_text(
    signal: str, path: str, receiver: WebReceiver
) -> None:
    answer = beat(signal, url="https://hc-ping.com/a-b/", flavour="healthchecks", text="out\x00put")
    (got,) = receiver.received
    assert answer.outcome == "sent"
    assert (got.method, got.path, got.body) == ("POST", f"{path}?rid={RUN}", b"output")


def test_what_the_address_of_healthchecks_asks_for_is_kept(receiver: WebReceiver) -> None:
    beat("start", url="https://hc-ping.com/key/slug?create=1", flavour="healthchecks")
    assert receiver.received[0].path == f"/key/slug/start?create=1&rid={RUN}"


@pytest.mark.parametrize(
    ("signal", "status"), [("success", "up"), ("0", "up"), ("fail", "down"), ("1", "down")]
)
def test_uptime_kuma_gets_status_and_message(
    signal: str, status: str, receiver: WebReceiver
) -> None:
    url = "https://kuma.example.org/api/push/AbCdEf?status=up&msg=OK&ping="
    assert beat(signal, url=url, flavour="uptime_kuma", text="3 rows & more\n").outcome == "sent"
    parts = urlsplit(receiver.received[0].path)
    assert parts.path == "/api/push/AbCdEf"
    assert parse_qs(parts.query) == {"status": [status], "msg": ["3 rows & more"]}


def test_uptime_kuma_is_told_of_no_start(receiver: WebReceiver) -> None:
    assert (
        beat("start", url="https://kuma.example.org/api/push/A", flavour="uptime_kuma").outcome
        == "sent"
    )
    assert receiver.received == []
