"""What is sent next: of each channel the message that is tried again, else what waits together, else one heartbeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Min

from notifications_app.delivery import grouping
from notifications_app.events import outbox
from notifications_app.models import Channel, ChannelQuerySet, Delivery, DeliveryQuerySet

MAX_ROWS = 500  # of one message
MAX_ALONE = 50  # messages of one channel at a time, where each event has its own
WHEN = (
    "channel",
    "message_id",
    "created_at",
    "next_at",
    "stamped_at",
)  # what says when a row is sent
Rows = list[Delivery]
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
    """Look at all channels but those that have a message under way: what they are told later waits for its end."""
    due: list[Batch] = []
    later: list[datetime] = []
    for channel in _channels_that_wait():
        groups, moment = _of_channel(channel, now)
        if not groups:
            continue
        if moment <= now:
            due += _batches(channel, groups)
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


def give_up_all(why: str, *, now: datetime) -> int:
    """End all that waits or is being sent; return how much that was."""
    rows = Delivery.objects.open()
    return rows.update(status=Delivery.Status.GIVEN_UP, finished_at=now, answer=why)


def free_interrupted(*, now: datetime) -> int:
    """Have sent again, under the same id, what an engine that died was sending; return how many rows that were."""
    sending = Delivery.objects.filter(status=Delivery.Status.SENDING)
    return sending.update(status=Delivery.Status.WAITING, next_at=now)


def _channels_that_wait() -> ChannelQuerySet:
    waiting = Delivery.objects.filter(status=Delivery.Status.WAITING)
    sending = Delivery.objects.filter(status=Delivery.Status.SENDING)
    channels = Channel.objects.filter(pk__in=waiting.values("channel"))
    return channels.exclude(pk__in=sending.values("channel"))


def _of_channel(channel: Channel, now: datetime) -> tuple[list[Rows], datetime]:
    # What is sent next, as one message or as several, and when: by a few columns, as most looks are too early.
    waiting = Delivery.objects.filter(channel=channel, status=Delivery.Status.WAITING)
    rows = list(waiting.only(*WHEN).order_by("pk")[:MAX_ROWS])
    if not rows:
        return [], now
    # Messages keep their order: while one is tried again, what happened later waits behind it.
    stamped = [row for row in rows if row.message_id]
    if stamped:
        return _tried_again(channel, stamped, now)
    if channel.kind == Channel.Kind.HEARTBEAT:
        return _alone(rows), rows[0].created_at
    sent = _sent(channel, now)
    oldest = min(row.created_at for row in rows)
    due = grouping.due_at(channel, oldest=min(oldest, now), sent=sent)
    if channel.group_interval_s:
        return [rows], due
    limit = MAX_ALONE
    if channel.max_per_hour:
        limit = max(1, channel.max_per_hour - len(sent))
    return _alone(rows[:limit]), due


def _tried_again(channel: Channel, stamped: Rows, now: datetime) -> tuple[list[Rows], datetime]:
    first = stamped[0]
    rows = [row for row in stamped if row.message_id == first.message_id]
    due = first.next_at or first.created_at
    if first.stamped_at and first.stamped_at > now:  # a clock that was set back
        due = now
    if channel.kind != Channel.Kind.HEARTBEAT:
        due = grouping.behind_quiet_hours(channel, due)
    return [rows], due


def _alone(rows: Rows) -> list[Rows]:
    return [[row] for row in rows]


def _batches(channel: Channel, groups: list[Rows]) -> list[Batch]:
    pks = [row.pk for rows in groups for row in rows]
    whole = _with_related(Delivery.objects.all()).in_bulk(pks)
    # A channel that was deleted meanwhile takes its rows with it.
    found = [[whole[row.pk] for row in rows if row.pk in whole] for rows in groups]
    return [Batch(channel=channel, rows=rows) for rows in found if rows]


def _sent(channel: Channel, now: datetime) -> list[datetime]:
    # When the messages of the last hour were begun.
    if not channel.max_per_hour:
        return []
    rows = Delivery.objects.filter(channel=channel, stamped_at__range=(now - grouping.HOUR, now))
    begun = rows.order_by().values("message_id").annotate(at=Min("stamped_at"))
    return [row["at"] for row in begun]


def _note_message(batch: Batch, now: datetime) -> None:
    channel = batch.channel
    if channel.kind == Channel.Kind.HEARTBEAT:
        return
    collects = grouping.collects_next(channel, oldest=batch.oldest)
    Channel.objects.filter(pk=channel.pk).update(last_message_at=now, is_collecting=collects)


def _with_related(rows: DeliveryQuerySet) -> DeliveryQuerySet:
    return rows.select_related("script__folder", "run__script", "rule", "incident")
