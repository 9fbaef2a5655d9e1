"""The outbox: a row for an event and a channel, written in the caller's transaction."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from notifications_app.messages import titles
from notifications_app.models import Channel, Delivery, Event, Incident, Rule
from runs_app.models import Run
from scripts_app.models import Script

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
    """Write a row for each rule; return their number."""
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
        for rule in rules
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


def send_again(delivery: Delivery, *, now: datetime) -> None:
    """Send a finished delivery once more, alone and as a message of its own: receivers drop an id they know."""
    Delivery.objects.filter(pk=delivery.pk).update(
        status=Delivery.Status.WAITING,
        next_at=now,
        attempts=0,
        message_id="",
        stamped_at=None,
        recipients=[],
        finished_at=None,
        answer="",
    )
    wanted_again.send_robust(None)


def give_up(delivery: Delivery, why: str, *, now: datetime) -> bool:
    """End a delivery that waits; False when it was sent meanwhile."""
    waiting = Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.WAITING)
    changed = waiting.update(status=Delivery.Status.GIVEN_UP, finished_at=now, answer=why)
    return changed > 0
