"""Channels, rules and deliveries in the API: the promised shapes, and nothing secret in an answer."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifications_app.channels import channels, targets
from notifications_app.models import Channel, Delivery, Rule
from tempo_site.models import ApiKey
from tests.calling import send
from tests.factories import make_run, make_script
from tests.notifications_app.telling import FakeCourier, failing, make_channel, make_rule
from tests.rows import each_row

pytestmark = pytest.mark.django_db

CHANNEL_FIELDS = (
    "id name kind enabled to address preset script follows_backups flavour every_s group_wait_s group_interval_s"
    " max_per_hour quiet_from quiet_until timezone weekly_report last_answer_at last_outcome last_answer"
    " suspended_at message suspended_recipients created_at updated_at"
)
RULE_FIELDS = (
    "id channel script folder tag enabled events after every reminder skipped late_s slow_s"
    " created_at updated_at"
)
DELIVERY_FIELDS = (
    "id channel event script run title status attempts created_at next_at finished_at duration_ms http_status answer"
    " message_id"
)
HOOK = {"name": "Hook", "kind": "webhook", "url": "http://192.0.2.1/token-of-hook", "enabled": True}


def test_a_webhook_is_made_and_its_secret_is_in_this_answer_alone(program: Client) -> None:
    status, made = send(program, "POST", "/channels", HOOK)
    assert status == 201 and list(made) == [*CHANNEL_FIELDS.split(), "secret"]
    channel = Channel.objects.get(pk=made["id"])
    assert targets.target_of(channel)["secrets"] == [made["secret"]]
    status, shown = send(program, "GET", f"/channels/{made['id']}")
    assert (status, list(shown)) == (200, CHANNEL_FIELDS.split())
    assert made["secret"] not in str(shown) and "token-of-hook" not in str(made) + str(shown)


def test_a_secret_that_was_given_is_not_given_back(program: Client) -> None:
    secret = f"whsec_{'QUFB' * 10}"
    _, made = send(program, "POST", "/channels", {**HOOK, "secret": secret})
    assert made["secret"] == "" and secret not in str(made)
    assert targets.target_of(Channel.objects.get())["secrets"] == [secret]


@pytest.mark.parametrize(
    ("body", "kind", "address"),
    [
        ({"kind": "mail", "to": ["ann@example.org"]}, "mail", ""),
        ({"kind": "apprise", "url": "ntfys://ntfy.sh/nights"}, "apprise", "ntfys://…"),
        (
            {"kind": "apprise", "preset": "ntfy", "parts": {"topic": "nights"}},
            "apprise",
            "ntfys://…",
        ),
        (
            {"kind": "heartbeat", "url": "https://hc.example.org/2", "follows_backups": True},
            "heartbeat",
            "https://hc.example.org/…",
        ),
        (
            {"kind": "heartbeat", "url": "https://hc.example.org/1", "script": "hello-world"},
            "heartbeat",
            "https://hc.example.org/…",
        ),
    ],
)
def test_every_kind_is_made(program: Client, body: dict[str, Any], kind: str, address: str) -> None:
    make_script()
    status, made = send(program, "POST", "/channels", {"name": "One", **body})
    assert (status, made["kind"], made["address"], made["secret"]) == (201, kind, address, "")


def test_a_channel_is_changed_listed_and_deleted(program: Client) -> None:
    for name in ("one", "two", "three"):
        make_channel(name)
    first = Channel.objects.get(name="one")
    status, changed = send(program, "PATCH", f"/channels/{first.pk}", {"enabled": False})
    assert (status, changed["enabled"], changed["name"]) == (200, False, "one")
    _, page = send(program, "GET", "/channels?limit=2")
    _, rest = send(program, "GET", f"/channels?limit=2&cursor={page['next_cursor']}")
    assert [row["name"] for row in page["items"] + rest["items"]] == ["one", "two", "three"]
    assert rest["next_cursor"] is None
    assert send(program, "DELETE", f"/channels/{first.pk}")[0] == 204
    assert send(program, "GET", f"/channels/{first.pk}")[0] == 404


@each_row(
    ("changes", "field"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"name": ""}, "name"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"colour": "red"}, "colour"),
        ({"enabled": "yes"}, "enabled"),
        ({"kind": "heartbeat", "script": "gone"}, "script"),
        ({"kind": "heartbeat", "script": ""}, "script"),
        (
            {"kind": "heartbeat", "script": "hello-world", "follows_backups": True},
            "follows_backups",
        ),
        ({"kind": "mail", "to": ["a\r\nb@example.org"]}, "to"),
        ({"kind": "apprise", "preset": "pigeon", "parts": {"a": "b"}, "url": ""}, "preset"),
        ({"kind": "apprise", "preset": "ntfy", "parts": {"topic": "/"}, "url": ""}, "parts.topic"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    program: Client, changes: dict[str, Any], field: str
) -> None:
    make_script()
    status, answer = send(program, "POST", "/channels", {**HOOK, **changes})
    assert status == 422 and field in answer["error"]["fields"]
    assert "token-of-hook" not in str(answer) and not Channel.objects.exists()


def test_a_test_answers_with_the_receivers_own_words(program: Client, courier: FakeCourier) -> None:
    courier.answer = failing("gone", answer="404: Unknown Webhook", status=404)
    status, answer = send(program, "POST", f"/channels/{make_channel().pk}/test")
    expected = {"outcome": "gone", "answer": "404: Unknown Webhook", "status": 404}
    assert status == 200 and answer.items() >= expected.items()


def test_a_secret_is_rotated_and_the_old_one_ended(program: Client) -> None:
    channel = make_channel()
    old = channels.rotate_secret(channel)
    status, made = send(program, "POST", f"/channels/{channel.pk}/secret")
    assert status == 200
    assert targets.target_of(Channel.objects.get())["secrets"] == [made["secret"], old]
    assert send(program, "DELETE", f"/channels/{channel.pk}/secret")[0] == 204
    assert targets.target_of(Channel.objects.get())["secrets"] == [made["secret"]]
    mail = make_channel("mail", kind="mail")
    assert send(program, "POST", f"/channels/{mail.pk}/secret")[0] == 422


def test_a_channel_that_is_put_aside_says_why_and_is_taken_back(program: Client) -> None:
    channel = make_channel()
    channels.suspend(channel, "nobody is there", now=timezone.now())
    _, shown = send(program, "GET", f"/channels/{channel.pk}")
    assert shown["suspended_at"] and shown["message"] == "nobody is there"
    _, shown = send(program, "POST", f"/channels/{channel.pk}/resume")
    assert (shown["suspended_at"], shown["message"]) == (None, "")


# --- rules -----------------------------------------------------------------------------------------------------------
def test_a_rule_is_made_changed_listed_and_deleted(program: Client) -> None:
    script, channel = make_script(folder="Ops"), make_channel()
    body = {"channel": channel.pk, "script": script.slug, "events": ["recovered", "failed"]}
    status, made = send(program, "POST", "/rules", body)
    assert (status, list(made)) == (201, RULE_FIELDS.split())
    assert (made["script"], made["events"], made["after"]) == (
        "hello-world",
        ["failed", "recovered"],
        1,
    )
    changes = {"script": None, "folder": "Ops", "after": 3}
    _, changed = send(program, "PATCH", f"/rules/{made['id']}", changes)
    assert (changed["script"], changed["folder"], changed["after"]) == (None, "Ops", 3)
    assert send(program, "GET", "/rules")[1]["items"] == [changed]
    _, preview = send(program, "GET", f"/rules/{made['id']}/preview")
    assert preview == {"total": 0, "scripts": 1, "is_cut": False, "newest": [], "unknown": []}
    assert send(program, "DELETE", f"/rules/{made['id']}")[0] == 204
    assert send(program, "GET", f"/rules/{made['id']}")[0] == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channel": 777}, "channel"),
        ({"script": "gone"}, "script"),
        ({"script": ""}, "script"),
        ({"folder": "Gone"}, "folder"),
        ({"folder": ""}, "folder"),
        ({"events": ["exploded"]}, "events"),
        ({"tag": "db", "script": "hello-world"}, "tag"),
        ({"after": 0}, "after"),
        ({"reminder": "hourly"}, "reminder"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_its_field(
    program: Client, changes: dict[str, Any], field: str
) -> None:
    make_script()
    body = {"channel": make_channel().pk, "events": ["failed"], **changes}
    status, answer = send(program, "POST", "/rules", body)
    assert status == 422 and field in answer["error"]["fields"]
    assert not Rule.objects.exists()


# --- deliveries ------------------------------------------------------------------------------------------------------
def make_deliveries() -> list[Delivery]:
    """One that waits and one that was sent, by two channels."""
    script = make_script()
    made = []
    for name, status in (("one", Delivery.Status.WAITING), ("two", Delivery.Status.SENT)):
        made.append(
            Delivery.objects.create(
                channel=make_channel(name),
                event="failed",
                script=script,
                run=make_run(script),
                title=f"{name} failed",
                status=status,
                created_at=timezone.now(),
            )
        )
    return made


def test_deliveries_are_listed_newest_first_and_filtered(program: Client) -> None:
    waiting, sent = make_deliveries()
    _, page = send(program, "GET", "/deliveries")
    assert [row["id"] for row in page["items"]] == [sent.pk, waiting.pk]
    assert list(page["items"][0]) == DELIVERY_FIELDS.split()
    assert (page["items"][0]["script"], page["items"][0]["run"]) == ("hello-world", sent.run_id)
    _, page = send(program, "GET", f"/deliveries?channel={waiting.channel_id}&status=waiting")
    assert [row["id"] for row in page["items"]] == [waiting.pk]
    _, page = send(program, "GET", "/deliveries?limit=1")
    _, rest = send(program, "GET", f"/deliveries?limit=1&cursor={page['next_cursor']}")
    assert [row["id"] for row in rest["items"]] == [waiting.pk]
    assert send(program, "GET", "/deliveries?status=eaten")[0] == 422


def test_a_delivery_is_sent_again_or_given_up(program: Client) -> None:
    waiting, sent = make_deliveries()
    _, again = send(program, "POST", f"/deliveries/{sent.pk}/again")
    _, given_up = send(program, "POST", f"/deliveries/{waiting.pk}/give-up")
    assert (again["status"], given_up["status"]) == ("waiting", "given_up")
    assert given_up["answer"] == "Given up by key: tests"


# --- who may ---------------------------------------------------------------------------------------------------------
def test_users_who_are_no_staff_may_nothing_here(browser: Client) -> None:
    rule, (waiting, _) = make_rule(), make_deliveries()
    channel = f"/channels/{rule.channel_id}"
    for method, path, body in (
        ("GET", "/channels", None),
        ("POST", "/channels", HOOK),
        ("GET", channel, None),
        ("PATCH", channel, {"enabled": False}),
        ("DELETE", channel, None),
        ("POST", f"{channel}/test", None),
        ("POST", f"{channel}/resume", None),
        ("POST", f"{channel}/secret", None),
        ("DELETE", f"{channel}/secret", None),
        ("GET", "/rules", None),
        ("POST", "/rules", {"channel": rule.channel_id, "events": []}),
        ("GET", f"/rules/{rule.pk}", None),
        ("PATCH", f"/rules/{rule.pk}", {"after": 2}),
        ("GET", f"/rules/{rule.pk}/preview", None),
        ("DELETE", f"/rules/{rule.pk}", None),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{waiting.pk}", None),
        ("POST", f"/deliveries/{waiting.pk}/again", None),
        ("POST", f"/deliveries/{waiting.pk}/give-up", None),
    ):
        assert send(browser, method, path, body)[0] == 403, (method, path)
    assert (Channel.objects.count(), Rule.objects.count()) == (3, 1)


def test_a_key_that_may_only_read_reads() -> None:
    token = ApiKey.issue(name="reader", scope="read")[1]
    reader = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    make_channel()
    assert send(reader, "GET", "/channels")[0] == 200
    assert send(reader, "POST", "/channels", HOOK)[0] == 403
