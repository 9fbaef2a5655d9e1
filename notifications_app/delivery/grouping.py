"""When a channel may send its next message: alone at once, then collected; not in quiet hours, not beyond its cap.

Pure rules of Alertmanager's kind: what comes behind a first message is collected for `group_wait_s`, and what comes
behind that for `group_interval_s` since the last message.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from notifications_app.models import Channel

HOUR = timedelta(hours=1)


def due_at(channel: Channel, *, oldest: datetime, sent: Sequence[datetime]) -> datetime:
    """Return when what waits is to be sent.

    `oldest` is when the first of it happened, `sent` the times of the channel's messages in the last hour.
    """
    due = _behind_cap(channel, _of_group(channel, oldest), sent)
    return behind_quiet_hours(channel, due)


def collects_next(channel: Channel, *, oldest: datetime) -> bool:
    """Whether what follows a message that is sent now waits for the interval, and not only for `group_wait_s`."""
    last = channel.last_message_at
    return last is not None and oldest < last + _interval(channel)


def behind_quiet_hours(channel: Channel, moment: datetime) -> datetime:
    """Return the moment, or the end of the quiet hours that it lies in."""
    begin, end = channel.quiet_from, channel.quiet_until
    if begin is None or end is None or begin == end:
        return moment
    local = channel.local(moment)
    if not _is_between(local.time(), begin, end):
        return moment
    # By the wall clock: on the night of a clock change quiet hours are an hour shorter or longer.
    until = local.replace(hour=end.hour, minute=end.minute, second=end.second, microsecond=0)
    if until <= local:
        until += timedelta(days=1)
    return until.astimezone(moment.tzinfo)


def _of_group(channel: Channel, oldest: datetime) -> datetime:
    last = channel.last_message_at
    # A clock that was set back leaves a last message in the future, which must not hold up anything.
    if last is None or last > oldest + _interval(channel):
        return oldest
    interval_over = last + _interval(channel)
    if oldest >= interval_over:
        return oldest
    if channel.is_collecting:
        return interval_over
    return min(oldest + timedelta(seconds=channel.group_wait_s), interval_over)


def _behind_cap(channel: Channel, due: datetime, sent: Sequence[datetime]) -> datetime:
    cap = channel.max_per_hour
    if not cap or len(sent) < cap:
        return due
    newest_first = sorted(sent, reverse=True)
    return max(due, newest_first[cap - 1] + HOUR)


def _interval(channel: Channel) -> timedelta:
    return timedelta(seconds=channel.group_interval_s)


def _is_between(moment: time, begin: time, end: time) -> bool:
    if begin < end:
        return begin <= moment < end
    return moment >= begin or moment < end
