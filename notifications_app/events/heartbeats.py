"""Heartbeats: the start and the end of each run of a script for its monitor, the sign of life of Tempo itself,
and the end of each of its backups.

A monitor wants the newest word alone: what still waits of earlier runs is dropped, and what was sent leaves no row.
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import OuterRef, Subquery

from notifications_app.messages import plain
from notifications_app.models import Channel, ChannelQuerySet, Delivery, Notice
from notifications_app.rules import book
from runs_app.models import Run
from runs_app.programs.backup import MAKE
from runs_app.states import Kind as RunKind
from runs_app.states import Status

MAX_TEXT = 1000
RECENT = timedelta(hours=1)
START, SUCCESS, FAIL = "start", "success", "fail"


def signal_end(run: Run, *, now: datetime) -> None:
    """Write the end of a run for the heartbeats of its script, as part of the caller's transaction."""
    if run.status in (Status.SKIPPED, Status.MISSED):
        return
    if run.script_id not in book.current().followed:
        return
    for channel in _channels().filter(script=run.script_id):
        _drop_waiting(channel, others_than=run)
        _write(channel, _signal(run), run=run, text=run.explain(), now=now)


def are_starts_untold() -> bool:
    followed = book.current().followed
    if not followed:
        return False
    going = Run.objects.filter(script__in=followed, status=Status.RUNNING)
    newest = _channels().filter(script=OuterRef("script"))
    told = newest.order_by("-last_started_run").values("last_started_run")[:1]
    return going.filter(pk__gt=Subquery(told)).exists()


def signal_starts(*, now: datetime) -> int:
    """Write the starts of runs that are under way; each once. Return their number."""
    followed = book.current().followed
    if not followed:
        return 0
    count = 0
    runs = Run.objects.filter(script__in=followed, status=Status.RUNNING)
    for run in runs.select_related("script"):
        for channel in _channels().filter(script=run.script_id):
            count += _write_start(channel, run, now)
    return count


def give_sign_of_life(*, now: datetime) -> int:
    """Write Tempo's own sign of life where it is due: with a commit, so that a database in trouble is silent."""
    if not book.current().has_sign_of_life:
        return 0
    count = 0
    for channel in _channels().filter(script=None, follows_backups=False):
        last = channel.last_beat_at
        # A clock that was set back must not silence it.
        if last and timedelta() <= now - last < timedelta(seconds=channel.every_s):
            continue
        with transaction.atomic():
            Channel.objects.filter(pk=channel.pk).update(last_beat_at=now)
            _drop_waiting(channel)
            _write(channel, SUCCESS, run=None, text="Tempo is at work.", now=now)
        count += 1
    return count


def signal_backups(*, now: datetime) -> int:
    """Write the end of the newest backup for the heartbeats that follow them, once. Return their number."""
    if not book.current().follows_backups:
        return 0
    # One that ended long ago would be news to a heartbeat that was made today.
    ended = Run.objects.of_kind(RunKind.BACKUP).filter(
        params__act=MAKE, finished_at__gt=now - RECENT
    )
    run = ended.exclude(status=Status.CANCELLED).newest_first().first()
    if run is None:
        return 0
    count = 0
    for channel in _channels().filter(follows_backups=True, last_started_run__lt=run.pk):
        with transaction.atomic():
            Channel.objects.filter(pk=channel.pk).update(last_started_run=run.pk)
            _drop_waiting(channel)
            _write(channel, _signal(run), run=run, text=run.explain(), now=now)
        count += 1
    return count


def run_id(run: Run) -> str:
    """Return the run as a monitor knows it, a UUID: the same for its start and its end."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"tempo run {run.pk} {run.folder}"))


def _channels() -> ChannelQuerySet:
    return Channel.objects.usable().filter(kind=Channel.Kind.HEARTBEAT)


def _signal(run: Run) -> str:
    if run.status == Status.SUCCEEDED:
        return SUCCESS
    if run.exit_code:
        return str(run.exit_code)
    return FAIL


def _write_start(channel: Channel, run: Run, now: datetime) -> int:
    # Runs of a script mostly begin in their order.
    not_told = Channel.objects.filter(pk=channel.pk, last_started_run__lt=run.pk)
    with transaction.atomic():
        if not not_told.update(last_started_run=run.pk):
            return 0
        _write(channel, START, run=run, text="", now=now)
    return 1


def _drop_waiting(channel: Channel, *, others_than: Run | None = None) -> None:
    waiting = Delivery.objects.filter(channel=channel, status=Delivery.Status.WAITING)
    if others_than:
        waiting = waiting.exclude(run=others_than)
    waiting.delete()


def _write(channel: Channel, signal: str, *, run: Run | None, text: str, now: datetime) -> None:
    who = "Tempo" if run is None else run.script or "Backup"
    Delivery.objects.create(
        channel=channel,
        event=Notice.HEARTBEAT,
        script=run.script if run else None,
        run=run,
        title=plain.line(f"{who}: {signal}"),
        facts={
            "signal": signal,
            "run": run_id(run) if run else "",
            "text": plain.shortened(plain.block(text), MAX_TEXT),
        },
        created_at=now,
    )
