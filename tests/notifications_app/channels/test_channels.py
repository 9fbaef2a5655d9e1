"""Channels: what is refused, what is kept secret, what puts one aside."""

from typing import Any

import pytest
from pytest_django import Settings

from notifications_app.channels import channels, offers, targets
from notifications_app.channels.channels import InvalidChannel
from notifications_app.models import Channel, Rule
from scripts_app.variables import rotation
from tempo_site.lib import secret_key
from tests.factories import NOW, make_schedule, make_script
from tests.notifications_app.telling import URL, make_channel
from tests.rows import each_row

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + "QUJD" * 8


def test_address_and_secret_are_stored_encrypted_and_shown_to_nobody() -> None:
    fields = {"name": "hook", "kind": Channel.Kind.WEBHOOK}
    channel = channels.save(Channel(), fields, url=URL, secret=SECRET)
    row = Channel.objects.filter(pk=channel.pk).values().get()
    assert "token" not in str(row) and SECRET not in str(row)
    assert row["shown_address"] == "http://192.0.2.1/…"
    assert targets.target_of(channel) == {"url": URL, "secrets": [SECRET]}


def test_two_secrets_sign_while_they_are_changed() -> None:
    fields = {"name": "hook", "kind": Channel.Kind.WEBHOOK}
    channel = channels.save(Channel(), fields, url=URL, secret=SECRET)
    new = channels.rotate_secret(channel)
    assert targets.target_of(channel)["secrets"] == [new, SECRET]
    channels.end_rotation(channel)
    assert targets.target_of(channel)["secrets"] == [new]


def test_a_change_without_a_url_keeps_the_one_there_was() -> None:
    channel = make_channel()
    channels.save(channel, {"name": "another"})
    assert targets.target_of(Channel.objects.get(name="another"))["url"] == URL


def test_an_unknown_zone_is_named_before_the_hint() -> None:
    with pytest.raises(InvalidChannel, match="There is no time zone `Mars`\nhint: "):
        make_channel(timezone="Mars")


@each_row(
    ("fields", "url", "field"),
    [
        ({"kind": "webhook"}, "", "url"),
        ({"kind": "webhook"}, "ftp://192.0.2.1/", "url"),
        ({"kind": "webhook"}, "http://169.254.169.254/", "url"),
        ({"kind": "apprise"}, "file:///etc/passwd", "url"),
        ({"kind": "pigeon"}, URL, "kind"),
        ({"kind": "mail"}, "", "to"),
        ({"kind": "mail", "to": ["ann@example.org\nBcc: b@example.org"]}, "", "to"),
        ({"kind": "mail", "to": "ann@example.org"}, "", "to"),
        ({"kind": "webhook", "name": "a\r\nb"}, URL, "name"),
        ({"kind": "webhook", "timezone": "Mars"}, URL, "timezone"),
        ({"kind": "webhook", "quiet_from": "22:00"}, URL, "quiet_until"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(fields: dict[str, Any], url: str, field: str) -> None:
    with pytest.raises(InvalidChannel) as refused:
        channels.save(Channel(), {"name": "x", **fields}, url=url)
    assert refused.value.field == field


@pytest.mark.parametrize("secret", ["short", "x" * 201, "line\nbreak", "whsec_no base64 at all"])
def test_a_secret_that_cannot_sign_is_refused(secret: str) -> None:
    fields = {"name": "hook", "kind": Channel.Kind.WEBHOOK}
    with pytest.raises(InvalidChannel) as refused:
        channels.save(Channel(), fields, url=URL, secret=secret)
    assert refused.value.field == "secret"


def test_names_are_taken_once() -> None:
    make_channel("hook")
    with pytest.raises(InvalidChannel, match="already"):
        make_channel("hook")


def test_a_channel_is_put_aside_once_and_taken_back() -> None:
    channel = make_channel()
    assert channels.suspend(channel, "404", now=NOW)
    assert not channels.suspend(channel, "again", now=NOW)
    channel.refresh_from_db()
    assert (channel.is_usable, channel.message) == (False, "404")
    channels.resume(channel)
    channel.refresh_from_db()
    assert channel.is_usable


def test_the_people_cron_sent_mail_to_are_told_of_that_script_alone() -> None:
    script = make_script()
    schedule = make_schedule(script)
    schedule.mail_to = "ann@example.org, bob@example.org"
    schedule.save()
    rule = offers.accept_mail_to(schedule)
    assert (rule.script, rule.channel.to) == (script, ["ann@example.org", "bob@example.org"])
    assert Rule.objects.count() == 1
    assert not offers.waiting_offers().exists()


def test_another_secret_key_opens_the_channels_too(settings: Settings) -> None:
    settings.SECRET_KEY, _ = secret_key.choose("", settings.DATA_PATH)
    channel = make_channel()
    channels.rotate_secret(channel)
    done = rotation.rotate()
    settings.SECRET_KEY, _ = secret_key.choose("", settings.DATA_PATH)
    channel.refresh_from_db()
    assert (done.count, done.unreadable) == (2, [])
    assert targets.target_of(channel)["url"] == URL
    Channel.objects.update(address="damaged")
    assert rotation.rotate().unreadable == ["address (channel hook)"]
