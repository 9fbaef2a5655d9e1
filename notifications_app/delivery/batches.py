"""What is sent next: of each channel the message that is tried again, else what waits together, else one heartbeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Min

from notifications_app.delivery import grouping
from notifications_app.events import outbox
from notifications_app.models import Channel, Delivery, DeliveryQuerySet

MAX_ROWS = 500  # of one message
MAX_ALONE = 100  # messages of one channel at a time, where each event has its own
SWITCHED_OFF = "The channel was switched off or put aside before this was sent."


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Deliveries of one channel that are sent as one message, oldest first."""

    channel: Channel
    rows: Sequence[Delivery]

    @property
    def message_id(self) -> str:
        return self.rows[0].message_id

    @property
    def oldest(self) -> datetime:
        return min(row.created_at for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The batches that are due, and when the first of the others is."""

    due: Sequence[Batch]
    next_at: datetime | None


def look(*, now: datetime) -> Outlook:
    waiting = Delivery.objects.filter(status=Delivery.Status.WAITING)
    due: list[Batch] = []
    later: list[datetime] = []
    for channel in Channel.objects.filter(pk__in=waiting.values("channel")):
        rows = list(_with_related(waiting.filter(channel=channel))[:MAX_ROWS])
        if not rows:
            continue
        batches, moment = _of_channel(channel, rows, now)
        if moment <= now:
            due += batches
        else:
            later.append(moment)
    return Outlook(due=due, next_at=min(later, default=None))


def claim(batch: Batch, *, now: datetime) -> Batch | None:
    """Stamp a batch with its message id, as being sent; None when another caller was faster."""
    first = batch.rows[0]
    is_first_attempt = not first.message_id
    message_id = first.message_id or outbox.new_message_id()
    pks = [row.pk for row in batch.rows]
    with transaction.atomic():
        rows = Delivery.objects.filter(pk__in=pks, status=Delivery.Status.WAITING)
        if rows.update(status=Delivery.Status.SENDING, message_id=message_id) != len(pks):
            transaction.set_rollback(True)
            return None
        if is_first_attempt:
            Delivery.objects.filter(pk__in=pks).update(stamped_at=now)
            _note_message(batch, now)
    for row in batch.rows:
        row.message_id = message_id
    return batch


def release(batch: Batch, *, now: datetime) -> None:
    """Have a claimed batch sent at the next look, under its id, as nobody has tried to send it."""
    rows = Delivery.objects.filter(pk__in=[row.pk for row in batch.rows])
    rows.filter(status=Delivery.Status.SENDING).update(status=Delivery.Status.WAITING, next_at=now)


def give_up_unusable(*, now: datetime) -> int:
    """End what waits for channels that were switched off or put aside; return how much that was."""
    waiting = Delivery.objects.filter(status=Delivery.Status.WAITING)
    usable = Channel.objects.usable()
    rows = waiting.exclude(channel__in=usable.values("pk"))
    return rows.update(
        status=Delivery.Status.GIVEN_UP,
        finished_at=now,
        answer=SWITCHED_OFF,
    )


def free_interrupted(*, now: datetime) -> int:
    """Have sent again, under the same id, what an engine that died was sending; return how many rows that were."""
    sending = Delivery.objects.filter(status=Delivery.Status.SENDING)
    return sending.update(status=Delivery.Status.WAITING, next_at=now)


def _of_channel(
    channel: Channel, rows: list[Delivery], now: datetime
) -> tuple[list[Batch], datetime]:
    # Messages keep their order: while one is tried again, what happened later waits behind it.
    stamped = [row for row in rows if row.message_id]
    if stamped:
        return _tried_again(channel, stamped)
    if channel.kind == Channel.Kind.HEARTBEAT:
        return _alone(channel, rows), rows[0].created_at
    sent = _sent(channel, now)
    together = Batch(channel=channel, rows=rows)
    due = grouping.due_at(channel, oldest=together.oldest, sent=sent)
    if channel.group_interval_s:
        return [together], due
    limit = MAX_ALONE
    if channel.max_per_hour:
        limit = max(1, channel.max_per_hour - len(sent))
    return _alone(channel, rows[:limit]), due


def _tried_again(channel: Channel, stamped: list[Delivery]) -> tuple[list[Batch], datetime]:
    oldest = stamped[0].message_id
    rows = [row for row in stamped if row.message_id == oldest]
    due = rows[0].next_at or rows[0].created_at
    if channel.kind != Channel.Kind.HEARTBEAT:
        due = grouping.behind_quiet_hours(channel, due)
    return [Batch(channel=channel, rows=rows)], due


def _alone(channel: Channel, rows: list[Delivery]) -> list[Batch]:
    return [Batch(channel=channel, rows=[row]) for row in rows]


def _sent(channel: Channel, now: datetime) -> list[datetime]:
    # When the messages of the last hour were begun.
    if not channel.max_per_hour:
        return []
    rows = Delivery.objects.filter(channel=channel, stamped_at__gt=now - grouping.HOUR).order_by()
    begun = rows.values("message_id").annotate(at=Min("stamped_at"))
    return [row["at"] for row in begun]


def _note_message(batch: Batch, now: datetime) -> None:
    channel = batch.channel
    if channel.kind == Channel.Kind.HEARTBEAT:
        return
    collects = grouping.collects_next(channel, oldest=batch.oldest)
    Channel.objects.filter(pk=channel.pk).update(last_message_at=now, is_collecting=collects)


def _with_related(rows: DeliveryQuerySet) -> DeliveryQuerySet:
    related = rows.select_related("script__folder", "run__script", "rule", "incident")
    return related.order_by("pk")
