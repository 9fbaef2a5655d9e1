"""Rules that are saved, and those that are refused."""

from typing import Any

import pytest

from notifications_app.channels import channels
from notifications_app.models import Channel, Event, Rule
from notifications_app.rules import rules
from notifications_app.rules.rules import RuleError
from tests.factories import make_script
from tests.notifications_app.telling import URL, make_channel, make_rule

pytestmark = pytest.mark.django_db


def test_events_are_kept_once_and_in_their_order() -> None:
    rule = make_rule(events=["recovered", "failed", "failed"])
    assert rule.events == [Event.FAILED, Event.RECOVERED]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"events": ["exploded"]}, "events"),
        ({"events": "failed"}, "events"),
        ({"after": 0}, "after"),
        ({"reminder": "hourly"}, "reminder"),
        ({"every": 2**31}, "every"),
        ({"skipped": 2**31}, "skipped"),
        ({"late_s": 2**31}, "late_s"),
        ({"slow_s": 2**31}, "slow_s"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RuleError) as refused:
        make_rule(**fields)
    assert refused.value.field == field


def test_a_rule_has_one_scope() -> None:
    with pytest.raises(RuleError, match="not for script and tag"):
        make_rule(script=make_script(), tag="db")


def test_a_heartbeat_has_no_rules() -> None:
    with pytest.raises(RuleError) as refused:
        make_rule(make_channel(kind=Channel.Kind.HEARTBEAT))
    assert refused.value.field == "channel"


def test_the_first_channel_gets_the_rule_that_most_people_want() -> None:
    fields = {"name": "first", "kind": Channel.Kind.WEBHOOK}
    channels.save(Channel(), fields, url=URL)
    channels.save(Channel(), {**fields, "name": "second"}, url=URL)
    rule = Rule.objects.get()
    assert (rule.channel.name, rule.scope) == ("first", "all scripts")
    assert rule.events == rules.DEFAULT_EVENTS
