"""Rules: checked and stored, by the same verb for every door."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from notifications_app.models import Channel, Event, Rule
from notifications_app.rules import book
from tempo_site.audit import trail

DEFAULT_EVENTS = [Event.FAILED, Event.RECOVERED, Event.DID_NOT_RUN]
MAX_NUMBER = 2**31 - 1  # of seconds 68 years: beyond, no moment is so long ago
NUMBERS = ("every", "skipped", "late_s", "slow_s")
FIELDS = (
    "channel",
    "script",
    "folder",
    "tag",
    "enabled",
    "events",
    "after",
    "every",
    "reminder",
    "skipped",
    "late_s",
    "slow_s",
)


class RuleError(ValueError):
    """A rule that cannot be saved: `field` names the field, str() the problem and the remedy."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


def save(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """Store a rule, new or known, with these changes of FIELDS. Raise RuleError."""
    check(rule, changes)
    is_new = rule.pk is None
    with transaction.atomic():
        rule.save()
        trail.record("created" if is_new else "changed", rule, changes=dict(changes))
    return rule


def check(rule: Rule, changes: Mapping[str, Any], *, unchecked: Sequence[str] = ()) -> None:
    """Raise RuleError like save(), and store nothing; the rule at hand has the changes afterwards.

    `unchecked` are fields whose rows the caller has read just now.
    """
    for name, value in changes.items():
        setattr(rule, name, value)
    rule.events = checked_events(rule.events)
    _check_scope(rule)
    if rule.channel.kind == Channel.Kind.HEARTBEAT:
        raise RuleError(
            f"`{rule.channel}` is a heartbeat, which follows every run of its script\n"
            "hint: choose another channel",
            field="channel",
        )
    try:
        rule.clean_fields(exclude=unchecked)
    except ValidationError as error:
        field, sentences = next(iter(error.message_dict.items()))
        raise RuleError(" ".join(sentences), field=field) from None
    _check_numbers(rule)


def create_all(checked: Sequence[Rule]) -> None:
    """Store new rules that check() has passed."""
    with transaction.atomic():
        Rule.objects.bulk_create(checked)
        trail.record_all("created", checked)
        book.forget_on_commit()


def remove(rule: Rule) -> None:
    with transaction.atomic():
        trail.record("deleted", rule)
        rule.delete()


def checked_events(events: object) -> list[str]:
    """Return the events in the order of their list, each once. Raise RuleError."""
    if not isinstance(events, list | tuple):
        raise RuleError("`events` has to be a list of words", field="events")
    unknown = [str(event)[:40] for event in events if event not in Event.values]
    if unknown:
        known = ", ".join(Event.values)
        raise RuleError(f"There is no event `{unknown[0]}`\nhint: {known}", field="events")
    return [event for event in Event.values if event in events]


def ensure_default(channel: Channel) -> Rule | None:
    """Give the first channel the rule that most people want, for all scripts; None where there are rules already."""
    if channel.kind == Channel.Kind.HEARTBEAT:
        return None
    with transaction.atomic():
        if Rule.objects.exists():
            return None
        return save(Rule(channel=channel), {"events": DEFAULT_EVENTS})


def _check_numbers(rule: Rule) -> None:
    for name in NUMBERS:
        if getattr(rule, name) > MAX_NUMBER:
            raise RuleError(f"{MAX_NUMBER:,} is the most", field=name)


def _check_scope(rule: Rule) -> None:
    named = [name for name in ("script", "folder", "tag") if getattr(rule, name)]
    if len(named) > 1:
        raise RuleError(
            f"A rule is for one thing, not for {' and '.join(named)}\nhint: make two rules",
            field=named[1],
        )
