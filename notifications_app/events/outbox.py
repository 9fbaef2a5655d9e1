"""The outbox: a row for an event and a channel, written in the caller's transaction."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from notifications_app.messages import titles
from notifications_app.models import Channel, Delivery, Event, Incident, Rule
from notifications_app.rules import nearest
from runs_app.models import Run
from scripts_app.models import Script
from tempo_site.audit import trail

# A person wants something sent again: look at once, and not at the next pass. No arguments.
wanted_again = Signal()


def tell_of_run(
    event: Event,
    run: Run,
    rules: Iterable[Rule],
    *,
    now: datetime,
    facts: Mapping[str, Any],
    incident: Incident | None = None,
) -> int:
    """Write a row for each channel of these rules, the oldest rule's; return their number."""
    title = titles.of_run(event, run, facts)
    rows = [
        Delivery(
            channel=rule.channel,
            rule=rule,
            event=event,
            script_id=run.script_id,
            run=run,
            incident=incident,
            title=title,
            facts=dict(facts),
            created_at=now,
        )
        for rule in nearest.one_a_channel(rules)
        if rule.channel.is_usable
    ]
    Delivery.objects.bulk_create(rows)
    return len(rows)


def tell(
    event: str,
    sentence: str,
    channels: Mapping[Channel, Rule | None],
    *,
    now: datetime,
    script: Script | None = None,
    incident: Incident | None = None,
    lines: Iterable[tuple[str, str]] = (),
) -> int:
    """Write a row of what is no run for each channel, with the rule that asks for it; return their number."""
    rows = [
        Delivery(
            channel=channel,
            rule=rule,
            event=event,
            script=script,
            incident=incident,
            title=titles.of_subject(sentence),
            facts={"lines": [list(line) for line in lines]},
            created_at=now,
        )
        for channel, rule in channels.items()
        if channel.is_usable
    ]
    Delivery.objects.bulk_create(rows)
    return len(rows)


def send_again(delivery: Delivery, *, now: datetime) -> bool:
    """Send a finished delivery once more, alone and at once; False when it has not ended.

    It is a message of its own: receivers drop an id they know.
    """
    row = Delivery.objects.filter(pk=delivery.pk)
    changed = row.exclude(status__in=Delivery.OPEN).update(
        status=Delivery.Status.WAITING,
        next_at=now,
        attempts=0,
        message_id=new_message_id(),
        stamped_at=now,
        recipients=[],
        finished_at=None,
        answer="",
    )
    if changed:
        trail.record("sent again", delivery)
        wanted_again.send_robust(None)
    return changed > 0


def send_again_or_try_now(delivery: Delivery, *, now: datetime) -> bool:
    """Send a delivery that has ended once more, or one that waits for its next try now; False while it is sent."""
    if send_again(delivery, now=now):
        return True
    is_tried = try_now([delivery.channel], now=now) > 0
    if is_tried:
        trail.record("tried again", delivery)
    return is_tried


def try_now(channels: Iterable[Channel], *, now: datetime) -> int:
    """Try at once what waits for its next try, as these channels were just seen to work; return how much that is."""
    waiting = Delivery.objects.filter(channel__in=channels, status=Delivery.Status.WAITING)
    count = waiting.filter(next_at__gt=now).update(next_at=now)
    if count:
        wanted_again.send_robust(None)
    return count


def new_message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def give_up(delivery: Delivery, why: str, *, now: datetime) -> bool:
    """End a delivery that waits; False when it was sent meanwhile."""
    waiting = Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.WAITING)
    changed = waiting.update(status=Delivery.Status.GIVEN_UP, finished_at=now, answer=why)
    if changed:
        trail.record("gave up", delivery)
    return changed > 0
