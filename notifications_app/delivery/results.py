"""What an answer means: for its deliveries, for recipients that refuse, and for the channel."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from notifications_app.channels import channels
from notifications_app.delivery import retries
from notifications_app.delivery.batches import Batch
from notifications_app.delivery.letters import Answer
from notifications_app.events import outbox
from notifications_app.models import MAX_ANSWER, Channel, Delivery, DeliveryQuerySet, Notice

logger = logging.getLogger(__name__)

SENT, RETRY, GONE = "sent", "retry", "gone"
REFUSED = ("refused", "gone")
NOBODY_LEFT = "Every recipient was refused"


def note(batch: Batch, answer: Answer, *, now: datetime) -> None:
    """Store the answer to a batch's message and what follows from it, in one transaction."""
    with transaction.atomic():
        _note_recipients(batch.channel, answer, now)
        _note_last_answer(batch.channel, answer, now)
        if answer.outcome == RETRY:
            _try_again(batch, answer, now)
        else:
            _end(batch, answer, now)
        if answer.outcome == GONE:
            put_aside(batch.channel, answer.answer, now=now)
    logger.info(
        "message %s channel=%s rows=%s outcome=%s status=%s",
        batch.message_id,
        batch.channel.pk,
        len(batch.rows),
        answer.outcome,
        answer.status,
    )


def put_aside(channel: Channel, why: str, *, now: datetime) -> None:
    """Put a channel aside, and have one of the others say so."""
    if not channels.suspend(channel, why, now=now):
        return
    others = Channel.objects.usable().exclude(pk=channel.pk)
    other = others.exclude(kind=Channel.Kind.HEARTBEAT).order_by("pk").first()
    if other:
        sentence = f"The channel {channel.name} was put aside: {why}"
        outbox.tell(Notice.CHANNEL_SUSPENDED, sentence, {other: None}, now=now)


def _note_recipients(channel: Channel, answer: Answer, now: datetime) -> None:
    refused = _addresses(answer.recipients, REFUSED)
    if not refused:
        return
    channel.suspended_recipients = {**channel.suspended_recipients, **refused}
    Channel.objects.filter(pk=channel.pk).update(suspended_recipients=channel.suspended_recipients)
    if not channel.recipients:
        put_aside(channel, f"{NOBODY_LEFT}: {next(iter(refused.values()))}", now=now)


def _note_last_answer(channel: Channel, answer: Answer, now: datetime) -> None:
    Channel.objects.filter(pk=channel.pk).update(
        last_answer_at=now,
        last_outcome=answer.outcome,
        last_answer=answer.answer[:MAX_ANSWER],
    )


def _try_again(batch: Batch, answer: Answer, now: datetime) -> None:
    attempts = batch.rows[0].attempts + 1
    due = retries.next_at(attempts, now=now, retry_after_s=answer.retry_after_s)
    fields = _fields(answer, attempts)
    if due is None:
        fields.update(status=Delivery.Status.GIVEN_UP, finished_at=now)
    else:
        # Those who have it already do not get it again.
        left = list(_addresses(answer.recipients, (RETRY,)))
        recipients = left or batch.rows[0].recipients
        fields.update(status=Delivery.Status.WAITING, next_at=due, recipients=recipients)
    _rows(batch).update(**fields)


def _end(batch: Batch, answer: Answer, now: datetime) -> None:
    is_sent = answer.outcome == SENT
    if is_sent and batch.channel.kind == Channel.Kind.HEARTBEAT:
        _rows(batch).delete()  # its channel's last answer says it
        return
    status = Delivery.Status.SENT if is_sent else Delivery.Status.FAILED
    attempts = batch.rows[0].attempts + 1
    _rows(batch).update(status=status, finished_at=now, **_fields(answer, attempts))


def _fields(answer: Answer, attempts: int) -> dict[str, Any]:
    return {
        "attempts": attempts,
        "answer": answer.answer[:MAX_ANSWER],
        "http_status": answer.status,
        "duration_ms": answer.duration_ms,
    }


def _rows(batch: Batch) -> DeliveryQuerySet:
    return Delivery.objects.filter(
        pk__in=[row.pk for row in batch.rows], status=Delivery.Status.SENDING
    )


def _addresses(
    recipients: Mapping[str, Mapping[str, str]], outcomes: tuple[str, ...]
) -> dict[str, str]:
    # The receiver's words by address, of those with such an outcome.
    return {
        address: told.get("answer", "")
        for address, told in recipients.items()
        if told.get("outcome") in outcomes
    }
