"""Notifications: the overview, rules, deliveries, the tab of a script, offers; and who may see which."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Channel, Delivery, Rule
from runs_app.states import Status
from scripts_app.models import Folder, Schedule, Script
from tests.factories import NOW, make_schedule, make_script
from tests.notifications_app.telling import end_run, make_channel, make_rule

pytestmark = pytest.mark.django_db

RULE = {
    "events": ["failed"],
    "after": "1",
    "every": "0",
    "reminder": "off",
    "skipped": "3",
    "late_s": "0",
    "slow_s": "0",
    "enabled": "on",
}


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    """A browser of the staff."""
    client.force_login(staff)
    return client


def make_delivery(channel: Channel | None = None, **fields: object) -> Delivery:
    """A row of the outbox that waits, by default."""
    given = {"title": "backup failed", "event": "failed", "created_at": timezone.now(), **fields}
    return Delivery.objects.create(channel=channel or make_channel(), **given)


# --- rules -----------------------------------------------------------------------------------------------------------
def test_a_rule_is_made_for_what_was_chosen(admin: Client) -> None:
    channel = make_channel()
    script = make_script(folder="Ops/Nightly", tags=["db"])
    folder = Folder.objects.get(path="Ops/Nightly")
    for scope in ("all", f"folder:{folder.pk}", "tag:db", f"script:{script.pk}"):
        sent = {"channel": channel.pk, "scope": scope, **RULE}
        assert admin.post("/notifications/rules/new/", sent).status_code == 302
    scopes = [rule.scope for rule in Rule.objects.all()]
    assert scopes == ["all scripts", "folder Ops/Nightly", "tag db", "script Hello World"]


def test_a_rule_is_changed_and_deleted(admin: Client) -> None:
    rule = make_rule()
    address = reverse("rule-edit", args=[rule.pk])
    sent = {"channel": rule.channel_id, "scope": "all", **RULE, "after": "3", "events": ["failed"]}
    admin.post(address, sent)
    rule.refresh_from_db()
    assert (rule.after, rule.events) == (3, ["failed"])
    assert "3 runs failed in a row" in admin.get("/notifications/").content.decode()
    admin.post(reverse("rule-delete", args=[rule.pk]))
    assert not Rule.objects.exists()


def test_the_form_begins_with_the_script_it_was_asked_for(admin: Client) -> None:
    make_channel()
    script = make_script()
    page = admin.get(f"/notifications/rules/new/?script={script.slug}")
    assert page.context["form"].initial["scope"] == f"script:{script.pk}"
    assert admin.get("/notifications/rules/new/?script=gone").status_code == 404


def test_a_rule_stays_for_what_it_was_though_that_is_gone(admin: Client) -> None:
    script = make_script(tags=["db"])
    rules = [make_rule(make_channel("a"), tag="db"), make_rule(make_channel("b"), script=script)]
    Script.objects.update(tags=[], deleted_at=NOW)
    for rule in rules:
        address = reverse("rule-edit", args=[rule.pk])
        scope = admin.get(address).context["form"]["scope"]
        chosen = [option for option in scope.subwidgets if option.data["selected"]]
        assert [option.data["value"] for option in chosen] == [scope.initial]
        sent = {"channel": rule.channel_id, "scope": scope.initial, **RULE}
        assert admin.post(address, sent).status_code == 302


def test_a_heartbeat_stays_with_its_script_though_that_is_deleted(admin: Client) -> None:
    script = make_script()
    channel = make_channel("beat", kind=Channel.Kind.HEARTBEAT, script=script)
    Script.objects.update(deleted_at=NOW)
    address = reverse("channel-edit", args=[channel.pk])
    form = admin.get(address).context["form"]
    assert form["script"].value() == script.slug
    sent = {name: form[name].value() or "" for name in form.fields} | {"name": "pulse"}
    assert admin.post(address, sent).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.script) == ("pulse", script)


def test_a_rule_needs_a_channel_first(admin: Client) -> None:
    page = admin.get("/notifications/rules/new/")
    assert page.headers["Location"] == reverse("channel-kinds")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"after": "0"}, "after"), ({"scope": "tag:nothing"}, "scope"), ({"channel": "7"}, "channel")],
)
def test_a_wrong_value_is_an_error_at_its_field(
    admin: Client, changes: dict[str, str], field: str
) -> None:
    sent = {"channel": make_channel().pk, "scope": "all", **RULE, **changes}
    page = admin.post("/notifications/rules/new/", sent)
    assert field in page.context["form"].errors and not Rule.objects.exists()


def test_a_preview_counts_and_saves_nothing(admin: Client) -> None:
    script = make_script()
    end_run(script, at=timezone.now())
    sent = {"channel": make_channel().pk, "scope": "all", **RULE, "act": "preview"}
    page = admin.post("/notifications/rules/new/", sent)
    assert page.context["preview"].total == 1 and "1 × a run failed" in page.content.decode()
    assert not Rule.objects.exists()


# --- deliveries ------------------------------------------------------------------------------------------------------
def test_deliveries_are_filtered_by_channel_and_status(admin: Client) -> None:
    one, other = make_channel("one"), make_channel("other")
    make_delivery(one, title="first")
    make_delivery(other, title="second")
    make_delivery(other, title="third", status=Delivery.Status.SENT)
    address = f"/notifications/deliveries/?channel={other.pk}&status=waiting"
    assert [row.title for row in admin.get(address).context["deliveries"]] == ["second"]
    page = admin.get("/notifications/deliveries/?status=nonsense&channel=nine")
    assert len(page.context["deliveries"]) == 3


def test_older_deliveries_are_on_the_next_page(admin: Client) -> None:
    channel = make_channel()
    for number in range(51):
        make_delivery(channel, title=f"event {number}")
    first = admin.get("/notifications/deliveries/").context
    older = admin.get(f"/notifications/deliveries/?before={first['older']}").context
    assert [row.title for row in older["deliveries"]] == ["event 0"] and older["older"] is None


def test_a_delivery_is_sent_again_or_given_up(admin: Client) -> None:
    waiting, sent = (
        make_delivery(),
        make_delivery(status=Delivery.Status.SENT, channel=make_channel("b")),
    )
    admin.post(reverse("delivery-act", args=[waiting.pk]), {"act": "give-up"})
    page = admin.post(
        reverse("delivery-act", args=[sent.pk]), {"act": "again", "next": "/notifications/"}
    )
    waiting.refresh_from_db()
    sent.refresh_from_db()
    assert (waiting.status, waiting.answer) == ("given_up", "Given up by root")
    assert (sent.status, page.headers["Location"]) == ("waiting", "/notifications/")
    elsewhere = {"act": "give-up", "next": "//example.org"}
    page = admin.post(reverse("delivery-act", args=[sent.pk]), elsewhere)
    assert page.headers["Location"] == "/notifications/deliveries/"


# --- the tab of a script ---------------------------------------------------------------------------------------------
def test_the_tab_says_who_is_told_when_and_why(browser: Client) -> None:
    script = make_script(folder="Ops")
    make_rule(make_channel("Everybody"))
    path = reverse("script-notifications", args=[script.slug])
    page = browser.get(path).content.decode()
    assert "Everybody" in page and "Inherited from <bdi>all scripts</bdi>" in page
    make_rule(make_channel("Team"), folder=script.folder, events=["failed"], after=2)
    page = browser.get(path).content.decode()
    assert "Everybody" not in page and "Inherited from <bdi>folder Ops</bdi>" in page
    make_rule(make_channel("Mine"), script=script)
    page = browser.get(path).content.decode()
    assert "Mine" in page and "Team" not in page and "A rule of its own" in page
    assert 'href="/notifications/' not in page


def test_the_tab_names_to_staff_whom_a_nearer_rule_keeps_from_hearing(admin: Client) -> None:
    script = make_script(folder="Ops", tags=["db"])
    everybody, team = make_channel("Everybody"), make_channel("Team")
    make_rule(everybody)
    make_rule(team, folder=script.folder)
    make_rule(make_channel("Other team"), tag="web")
    path = reverse("script-notifications", args=[script.slug])
    assert admin.get(path).context["silenced"] == [everybody]
    assert "rule of its own for each: <bdi>Everybody</bdi>" in " ".join(
        admin.get(path).content.decode().split()
    )
    make_rule(team, script=script)
    make_rule(everybody, script=script)
    assert admin.get(path).context["silenced"] == []


def test_recipients_in_the_answers_of_receivers_are_for_staff(browser: Client, staff: User) -> None:
    script = make_script()
    make_delivery(script=script, answer="ann@example.org: 550 no such mailbox")
    path = reverse("script-notifications", args=[script.slug])
    assert "ann@example.org" not in browser.get(path).content.decode()
    browser.force_login(staff)
    assert "ann@example.org" in browser.get(path).content.decode()


def test_the_tab_shows_what_was_told_of_this_script_alone(browser: Client) -> None:
    script = make_script()
    make_delivery(title="mine", script=script)
    make_delivery(title="another's", script=make_script("Other"), channel=make_channel("b"))
    page = browser.get(reverse("script-notifications", args=[script.slug])).content.decode()
    assert "mine" in page and "another&#x27;s" not in page


def test_a_script_nobody_is_told_of_says_so(browser: Client) -> None:
    script = make_script()
    page = browser.get(reverse("script-notifications", args=[script.slug])).content.decode()
    assert "Nobody is told of this script. Staff can set that up." in page


# --- offers ----------------------------------------------------------------------------------------------------------
def schedule_of_cron() -> Schedule:
    schedule = make_schedule()
    Schedule.objects.update(mail_to="ann@example.org")
    return schedule


def test_whom_cron_told_is_offered_to_be_told(admin: Client) -> None:
    schedule = schedule_of_cron()
    assert "ann@example.org" in admin.get("/notifications/").content.decode()
    admin.post(reverse("mail-to-offer", args=[schedule.pk]), {"act": "accept"})
    rule = Rule.objects.get()
    assert (rule.channel.to, rule.script) == (["ann@example.org"], schedule.script)
    assert "cron sent mail" not in admin.get("/notifications/").content.decode()


def test_an_offer_is_dismissed(admin: Client) -> None:
    schedule = schedule_of_cron()
    address = reverse("mail-to-offer", args=[schedule.pk])
    admin.post(address, {"act": "dismiss"})
    assert not Channel.objects.exists() and admin.post(address).status_code == 404


def test_an_address_of_cron_that_is_none_is_told(admin: Client) -> None:
    schedule = schedule_of_cron()
    Schedule.objects.update(mail_to="root")
    page = admin.post(reverse("mail-to-offer", args=[schedule.pk]), follow=True)
    assert "<code>root</code> is no mail address" in page.content.decode()


# --- who, and at which price -----------------------------------------------------------------------------------------
def test_what_is_about_channels_and_rules_is_for_staff(browser: Client) -> None:
    rule, schedule = make_rule(), schedule_of_cron()
    delivery = make_delivery(rule.channel)
    for path in (
        "/notifications/",
        "/notifications/channels/new/",
        "/notifications/channels/new/mail/",
        "/notifications/rules/new/",
        "/notifications/deliveries/",
        reverse("channel-edit", args=[rule.channel_id]),
        reverse("channel-delete", args=[rule.channel_id]),
        reverse("rule-edit", args=[rule.pk]),
        reverse("rule-delete", args=[rule.pk]),
    ):
        assert browser.get(path).status_code == 403, path
        assert browser.post(path).status_code in (403, 405), path
    for name in ("channel-test", "channel-resume", "channel-secret"):
        assert browser.post(reverse(name, args=[rule.channel_id])).status_code == 403
    assert browser.post(reverse("delivery-act", args=[delivery.pk])).status_code == 403
    assert browser.post(reverse("mail-to-offer", args=[schedule.pk])).status_code == 403
    assert browser.post(reverse("test-mail")).status_code == 403
    assert Channel.objects.count() == Rule.objects.count() == 1


def test_pages_cost_the_same_for_one_and_for_many(admin: Client) -> None:
    script = make_script(folder="Ops", tags=["db"])
    paths = [
        "/notifications/",
        "/notifications/deliveries/",
        reverse("script-notifications", args=[script.slug]),
    ]

    def fill(number: int) -> None:
        channel = make_channel(f"channel {number}")
        make_rule(channel)
        make_rule(channel, script=make_script(f"Script {number}", folder="Ops"))
        make_delivery(channel, script=script, run=end_run(script, Status.FAILED, at=NOW))

    def costs() -> list[int]:
        found = []
        for path in paths:
            with CaptureQueriesContext(connection) as queries:
                assert admin.get(path).status_code == 200
            found.append(len(queries))
        return found

    fill(0)
    costs()
    few = costs()
    for number in range(1, 8):
        fill(number)
    assert costs() == few
    assert max(few) <= 12
