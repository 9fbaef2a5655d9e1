"""The pages of channels: made by a form, tried, put aside and taken back; what is secret is shown once or never."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.channels import channels, presets, targets
from notifications_app.models import Channel, Rule
from tempo_site.stored_settings import store
from tests.factories import make_script
from tests.notifications_app.telling import FakeCourier, failing, make_channel, make_rule
from tests.rows import each_row

pytestmark = pytest.mark.django_db

PACE = {"group_wait_s": "30", "group_interval_s": "300", "max_per_hour": "0"}
HOOK = {"name": "Hook", "enabled": "on", "url": "http://192.0.2.1/token", **PACE}
NTFY = {"part-server": "https://ntfy.sh", "part-topic": "nights", "part-token": "tk_hush"}


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    """A browser of the staff."""
    client.force_login(staff)
    return client


def test_a_mail_channel_is_made_and_gets_the_usual_rule(admin: Client) -> None:
    to = "ann@example.org, bob@example.org\ncy@example.org"
    page = admin.post("/notifications/channels/new/mail/", {"name": "Us", "to": to, **PACE})
    channel = Channel.objects.get()
    assert page.headers["Location"] == reverse("channel-edit", args=[channel.pk])
    assert channel.to == ["ann@example.org", "bob@example.org", "cy@example.org"]
    assert Rule.objects.get().events == ["failed", "recovered", "did_not_run"]


def test_a_channel_that_no_rule_names_is_said_to_hear_nothing(admin: Client) -> None:
    make_rule(make_channel("first"))
    admin.post("/notifications/channels/new/mail/", {"name": "Us", "to": "a@example.org", **PACE})
    page = admin.get("/notifications/").content.decode()
    assert "No rule names it yet" in page
    assert page.count("no rule: hears of nothing") == 1
    make_rule(Channel.objects.get(name="Us"), events=["slow"])
    assert "no rule: hears of nothing" not in admin.get("/notifications/").content.decode()


def test_the_secret_of_a_new_webhook_is_shown_once(admin: Client) -> None:
    page = admin.post("/notifications/channels/new/webhook/", HOOK)
    channel = Channel.objects.get()
    secret = targets.target_of(channel)["secrets"][0]
    assert secret in page.content.decode() and page.headers["Cache-Control"] == "no-store"
    again = admin.get(reverse("channel-edit", args=[channel.pk])).content.decode()
    assert secret not in again and "token" not in again.replace("csrfmiddlewaretoken", "")


def test_a_secret_is_rotated_with_two_that_sign(admin: Client) -> None:
    channel = make_channel()
    old = channels.rotate_secret(channel)
    address = reverse("channel-secret", args=[channel.pk])
    page = admin.post(address, {"act": "rotate"}).content.decode()
    new, beside = targets.target_of(Channel.objects.get())["secrets"]
    assert (beside, new in page, old in page) == (old, True, False)
    admin.post(address, {"act": "end"})
    assert targets.target_of(Channel.objects.get())["secrets"] == [new]


def test_only_a_webhook_has_a_secret(admin: Client) -> None:
    channel = make_channel(kind="mail")
    assert admin.post(reverse("channel-secret", args=[channel.pk])).status_code == 404


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.name)
def test_each_service_with_a_form_is_made_of_its_examples(
    admin: Client, preset: presets.Preset
) -> None:
    address = reverse("channel-new", args=[preset.name])
    assert preset.label in admin.get(address).content.decode()
    parts = {f"part-{field.name}": field.example for field in preset.fields}
    page = admin.post(address, {"name": "Chat", **parts, **PACE})
    assert page.status_code == 302, page.context["form"].errors
    channel = Channel.objects.get()
    url = preset.url({field.name: field.example for field in preset.fields})
    assert (channel.kind, channel.preset) == ("apprise", preset.name)
    assert targets.target_of(channel) == {"url": url}


def test_a_wrong_part_is_an_error_at_its_field(admin: Client) -> None:
    address = reverse("channel-new", args=["ntfy"])
    page = admin.post(address, {"name": "Chat", **NTFY, "part-topic": "a/b", **PACE})
    assert "has to look like" in page.context["form"].errors["part-topic"][0]
    assert not Channel.objects.exists()


def test_a_stored_address_is_kept_when_nothing_is_typed_and_never_shown(admin: Client) -> None:
    admin.post(reverse("channel-new", args=["ntfy"]), {"name": "Chat", **NTFY, **PACE})
    channel = Channel.objects.get()
    address = reverse("channel-edit", args=[channel.pk])
    before = targets.target_of(channel)
    page = admin.get(address).content.decode()
    assert "tk_hush" not in page and "nights" not in page
    empty = dict.fromkeys(NTFY, "")
    admin.post(address, {"name": "Renamed", **empty, **PACE})
    channel.refresh_from_db()
    assert (channel.name, targets.target_of(channel)) == ("Renamed", before)
    admin.post(address, {"name": "Renamed", **NTFY, "part-topic": "days", **PACE})
    channel.refresh_from_db()
    assert "days" in targets.target_of(channel)["url"]


@each_row(
    ("changes", "field", "words"),
    [
        ({"url": "http://169.254.169.254/"}, "url", "169.254.169.254"),
        ({"url": "file:///etc/passwd"}, "url", "https://"),
        ({"name": ""}, "name", "required"),
        ({"quiet_from": "22:00"}, "quiet_until", "begin and an end"),
        ({"secret": "short"}, "secret", "8 to 200 characters"),
    ],
)
def test_what_cannot_be_is_an_error_at_its_field(
    admin: Client, changes: dict[str, str], field: str, words: str
) -> None:
    page = admin.post("/notifications/channels/new/webhook/", {**HOOK, **changes})
    assert words in page.context["form"].errors[field][0]
    assert not Channel.objects.exists()


def test_a_heartbeat_follows_a_script(admin: Client) -> None:
    script = make_script()
    address = f"/notifications/channels/new/heartbeat/?script={script.slug}"
    assert admin.get(address).context["form"].initial["script"] == script.slug
    sent = {"name": "Beat", "script": script.slug, "flavour": "healthchecks", "every_s": "60"}
    admin.post(address, {**sent, "url": "https://hc.example.org/ping/1"})
    channel = Channel.objects.get()
    assert (channel.script, channel.kind) == (script, "heartbeat")
    assert not Rule.objects.exists()


def test_a_heartbeat_follows_the_backups(admin: Client) -> None:
    sent = {"name": "Beat", "script": ":backups", "flavour": "healthchecks", "every_s": "60"}
    admin.post(
        "/notifications/channels/new/heartbeat/", {**sent, "url": "https://hc.example.org/ping/1"}
    )
    channel = Channel.objects.get()
    assert (channel.script, channel.follows_backups) == (None, True)
    page = admin.get(f"/notifications/channels/{channel.pk}/")
    assert page.context["form"].initial["script"] == ":backups"


# --- a test ----------------------------------------------------------------------------------------------------------
def test_a_test_is_sent_once_and_its_answer_is_shown_and_kept(
    admin: Client, courier: FakeCourier
) -> None:
    channel = make_channel()
    courier.answer = failing("refused", answer="403: not <you>", status=403)
    page = admin.post(reverse("channel-test", args=[channel.pk]), follow=True).content.decode()
    assert "The test was not sent. 403: not &lt;you&gt;" in page
    assert len(courier.letters) == 1 and '"event":"test"' in courier.letters[0].content["body"]
    channel.refresh_from_db()
    assert (channel.last_outcome, channel.last_answer) == ("refused", "403: not <you>")


@pytest.mark.parametrize("kind", ["mail", "apprise", "heartbeat"])
def test_every_kind_can_be_tried(admin: Client, courier: FakeCourier, kind: str) -> None:
    url = "ntfy://ntfy.sh/nights" if kind == "apprise" else "https://hc.example.org/1"
    channel = make_channel(kind=kind, url=url)
    page = admin.post(reverse("channel-test", args=[channel.pk]), follow=True).content.decode()
    assert "The test was sent." in page
    (letter,) = courier.letters
    assert letter.kind == kind and "test from Tempo" in str(letter.content)


def test_a_form_can_be_saved_and_tried_at_once(admin: Client, courier: FakeCourier) -> None:
    page = admin.post(
        "/notifications/channels/new/mail/",
        {"name": "Us", "to": "ann@example.org", "act": "test", **PACE},
        follow=True,
    )
    assert "The test was sent." in page.content.decode()
    assert courier.letters[0].target["to"] == ["ann@example.org"]


def test_no_answer_is_told_as_such(admin: Client, courier: FakeCourier) -> None:
    courier.answer = lambda letter: None
    channel = make_channel()
    page = admin.post(reverse("channel-test", args=[channel.pk]), follow=True).content.decode()
    assert "There was no answer within 20 s" in page


def test_the_settings_for_mail_are_tried_from_their_page(
    admin: Client, courier: FakeCourier
) -> None:
    store.save({"SMTP_SERVER": "mail.example.org", "SMTP_PASSWORD": "hush"}, by="ann")
    page = admin.post(reverse("test-mail"), {"to": "bob@example.org"}, follow=True)
    assert "The test went to bob@example.org" in page.content.decode()
    target = courier.letters[0].target
    assert (target["server"], target["password"]) == ("mail.example.org", "hush")
    assert target["to"] == ["bob@example.org"]
    page = admin.post(reverse("test-mail"), {"to": "nobody"}, follow=True)
    assert "is no mail address" in page.content.decode() and len(courier.letters) == 1


def test_a_password_of_another_key_is_told_and_nothing_is_sent(
    admin: Client, courier: FakeCourier, settings: Any
) -> None:
    store.save({"SMTP_PASSWORD": "hush"}, by="ann")
    settings.SECRET_KEY = "another key that is long enough, too"
    admin.force_login(User.objects.get())
    page = admin.post(reverse("test-mail"), {"to": "bob@example.org"}, follow=True)
    assert "cannot be decrypted" in page.content.decode() and courier.letters == []


# --- aside, and gone -------------------------------------------------------------------------------------------------
def test_a_channel_that_is_put_aside_has_a_banner_and_a_way_back(admin: Client) -> None:
    channel = make_channel("Team chat")
    channels.suspend(channel, "404: no such webhook", now=timezone.now())
    page = admin.get("/notifications/").content.decode()
    assert "is put aside" in page and "404: no such webhook" in page
    admin.post(reverse("channel-resume", args=[channel.pk]))
    assert "is put aside" not in admin.get("/notifications/").content.decode()


def test_a_channel_is_deleted_with_its_rules_after_a_question(admin: Client) -> None:
    channel = make_rule().channel
    address = reverse("channel-delete", args=[channel.pk])
    assert "Its 1 rule and all" in admin.get(address).content.decode()
    admin.post(address)
    assert not Channel.objects.exists() and not Rule.objects.exists()


def test_an_unknown_kind_and_an_unknown_channel_are_not_found(admin: Client) -> None:
    for path in ("new/pigeon/", "7/", f"{2**70}/", "7/delete/"):
        assert admin.get(f"/notifications/channels/{path}").status_code == 404
