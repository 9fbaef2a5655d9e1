"""The admin of telling: acts go by the same verbs as on the pages, nothing secret is shown."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from notifications_app.channels import channels
from notifications_app.models import Channel, Delivery, Rule
from tests.notifications_app.telling import FakeCourier, make_channel, make_rule

pytestmark = pytest.mark.django_db

LISTS = "/admin/notifications_app"
PACE = {"group_wait_s": 30, "group_interval_s": 300, "max_per_hour": 0}


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A member of staff at the admin."""
    client.force_login(staff)
    return client


def act(desk: Client, model: str, action: str, *rows: Channel | Rule | Delivery) -> str:
    sent = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return desk.post(f"{LISTS}/{model}/", sent, follow=True).content.decode()


def make_delivery(channel: Channel, status: str) -> Delivery:
    return Delivery.objects.create(
        channel=channel, event="failed", title=status, status=status, created_at=timezone.now()
    )


def test_channels_are_switched_tried_and_taken_back(desk: Client, courier: FakeCourier) -> None:
    channel = make_channel("Team chat")
    channels.suspend(channel, "nobody is there", now=timezone.now())
    act(desk, "channel", "resume_selected", channel)
    act(desk, "channel", "disable_selected", channel)
    channel.refresh_from_db()
    assert (channel.suspended_at, channel.enabled) == (None, False)
    act(desk, "channel", "enable_selected", channel)
    assert "Team chat: sent. ok" in act(desk, "channel", "test_selected", channel)
    channel.refresh_from_db()
    assert channel.enabled and len(courier.letters) == 1


def test_only_what_ended_is_sent_again_and_only_what_waits_is_given_up(desk: Client) -> None:
    channel = make_channel()
    waiting, sent = make_delivery(channel, "waiting"), make_delivery(channel, "sent")
    assert "Gave up 1 of 2." in act(desk, "delivery", "give_up", waiting, sent)
    sent.refresh_from_db()
    assert sent.status == "sent"
    assert "Sending 2 of 2 again." in act(desk, "delivery", "send_again", waiting, sent)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"waiting"}


def test_no_page_shows_an_address_or_a_secret(desk: Client) -> None:
    channel = make_rule(make_channel(url="http://192.0.2.1/a-token")).channel
    secret = channels.rotate_secret(channel)
    for path in (f"{LISTS}/channel/", f"{LISTS}/channel/{channel.pk}/change/"):
        page = desk.get(path).content.decode()
        assert "a-token" not in page and secret not in page and channel.address not in page
    assert desk.get(f"{LISTS}/rule/{Rule.objects.get().pk}/change/").status_code == 200


def test_a_channel_begins_with_its_kind_and_is_refused_as_on_its_page(desk: Client) -> None:
    assert "?kind=ntfy" in desk.get(f"{LISTS}/channel/add/").content.decode()
    fields = {"name": "Phone", "enabled": "on", **PACE, "part-server": "https://ntfy.sh"}
    page = desk.post(f"{LISTS}/channel/add/?kind=ntfy", fields).content.decode()
    assert "has to look like" in page and not Channel.objects.exists()
    fields["part-topic"] = "a-secret-topic"
    desk.post(f"{LISTS}/channel/add/?kind=ntfy", fields)
    channel = Channel.objects.get()
    assert (channel.preset, channel.shown_address) == ("ntfy", "ntfys://…")
    fields |= {"name": "Ann's phone", "part-server": "", "part-topic": ""}
    desk.post(f"{LISTS}/channel/{channel.pk}/change/", fields)
    stored = channel.address
    channel.refresh_from_db()
    assert (channel.name, channel.address) == ("Ann's phone", stored)
    assert (
        "a-secret-topic" not in desk.get(f"{LISTS}/channel/{channel.pk}/change/").content.decode()
    )


def test_the_secret_of_a_new_webhook_is_shown_once(desk: Client) -> None:
    fields = {"name": "Hook", "enabled": "on", "url": "http://192.0.2.1/hook", **PACE}
    assert "whsec_" in desk.post(f"{LISTS}/channel/add/?kind=webhook", fields).content.decode()
    change = f"{LISTS}/channel/{Channel.objects.get().pk}/change/"
    assert "whsec_" not in desk.get(change).content.decode()


def test_a_rule_is_made_changed_and_switched_as_on_its_page(desk: Client) -> None:
    fields = {"channel": make_channel().pk, "scope": "all", "events": "failed", "enabled": "on"}
    numbers = {"after": 2, "every": 0, "reminder": "off", "skipped": 3, "late_s": 0, "slow_s": 0}
    desk.post(f"{LISTS}/rule/add/", {**fields, **numbers})
    rule = Rule.objects.get()
    change = f"{LISTS}/rule/{rule.pk}/change/"
    refused = desk.post(change, {**fields, **numbers, "after": 0}).content.decode()
    assert "Use 1 or more" in refused
    desk.post(change, {**fields, **numbers, "after": 5})
    act(desk, "rule", "disable_selected", rule)
    rule.refresh_from_db()
    assert (rule.events, rule.after, rule.enabled) == (["failed"], 5, False)


def test_a_channel_that_cannot_be_switched_says_why(desk: Client) -> None:
    channel = make_channel("Team chat")
    Channel.objects.update(timezone="Nowhere/Else")
    assert "There is no time zone" in act(desk, "channel", "disable_selected", channel)


def test_a_channel_is_deleted_with_its_rules(desk: Client) -> None:
    channel = make_rule().channel
    desk.post(f"{LISTS}/channel/{channel.pk}/delete/", {"post": "yes"})
    assert not Channel.objects.exists() and not Rule.objects.exists()
