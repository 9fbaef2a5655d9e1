"""Rules in an export: by the names of channels, which may not be here."""

import pytest

from notifications_app.models import Channel, Rule
from notifications_app.rules import exchanged
from notifications_app.rules.rules import RuleError
from tests.factories import make_script

pytestmark = pytest.mark.django_db

ROW = {"channel": "Mail", "enabled": True, "events": ["failed"], "reminder": "off", "after": 2}


@pytest.fixture(autouse=True)
def channel() -> Channel:
    return Channel.objects.create(name="Mail", kind=Channel.Kind.MAIL)


def test_a_rule_without_its_channel_is_named_and_left_out() -> None:
    rows = [ROW, {**ROW, "channel": "Chat"}]
    assert exchanged.notes(rows) == ["there is no channel `Chat` here: its rule is left out"]
    script = make_script()
    exchanged.store([(script, rows)])
    rule = Rule.objects.get()
    assert (rule.script, rule.channel.name, rule.events, rule.after) == (
        script,
        "Mail",
        ["failed"],
        2,
    )


def test_rules_that_are_there_make_place_unless_they_say_the_same() -> None:
    script = make_script()
    exchanged.store([(script, [ROW])])
    stored = exchanged.rows_of([script.pk])[script.pk]
    before = Rule.objects.get()
    exchanged.store([(script, stored)])
    assert Rule.objects.get() == before
    exchanged.store([(script, [{**ROW, "after": 5}])])
    assert Rule.objects.get().after == 5


@pytest.mark.parametrize(
    "wrong", [{"after": "2"}, {"after": -1}, {"events": "all"}, {"reminder": "x"}]
)
def test_a_rule_that_says_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RuleError):
        exchanged.check([{**ROW, **wrong}])
    with pytest.raises(RuleError):
        exchanged.store([(make_script(), [{**ROW, **wrong}])])
