"""The backup of every night: when it is due, made up after a missed night, tried again after a failure, watched."""

import hashlib
import logging
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from runs_app.models import Run
from runs_app.programs import backup
from runs_app.states import Kind, Status, Trigger
from runs_app.triggers import backups
from tempo_site.backups import backup_files, holds
from tempo_site.backups.backup_files import BackupFile
from tempo_site.stored_settings import backup as section
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

BEGIN = time(4, 45)
SPREAD_S = 3600  # not all machines of a house at the same moment; here always the same one
AGAIN_AFTER = timedelta(hours=1)
WHOLE_LOOK = timedelta(days=7)
OVERDUE = timedelta(days=2)
BY = "every night"
ACTIVE = frozenset({Status.QUEUED, Status.STARTING, Status.RUNNING})


def look(*, now: datetime) -> None:
    """Start what is due: a backup, or once a week the unpacking of the newest one."""
    if not is_automatic() or holds.is_held():
        return
    if is_due(now):
        backups.make(trigger=Trigger.SCHEDULE, by=BY, now=now)
        return
    name = to_be_unpacked(now)
    if name:
        backups.verify(name, trigger=Trigger.SCHEDULE, by=BY, now=now, is_full=True)


def is_automatic() -> bool:
    return bool(store.value(section.AUTOMATIC))


def moment_before(now: datetime) -> datetime:
    """Return the last moment at which a backup was due."""
    day = timezone.localtime(now).date()
    for back in (0, 1):
        moment = _moment_of(day - timedelta(days=back))
        if moment <= now:
            return moment
    return moment


def next_moment(now: datetime) -> datetime | None:
    """Return when the next backup is due; None when it is not automatic."""
    if not is_automatic():
        return None
    day = timezone.localtime(now).date()
    for ahead in (0, 1):
        moment = _moment_of(day + timedelta(days=ahead))
        if moment > now:
            return moment
    return moment


def is_due(now: datetime) -> bool:
    moment = moment_before(now)
    if not User.objects.filter(date_joined__lt=moment).exists():
        return False  # there was nobody yet, and nothing to keep
    since = Run.objects.of_kind(Kind.BACKUP).filter(params__act=backup.MAKE, created_at__gte=moment)
    last = since.newest_first().first()
    if last is not None:
        has_failed = last.status not in ACTIVE and last.status != Status.SUCCEEDED
        return has_failed and now - last.created_at >= AGAIN_AFTER
    newest = backup_files.listed()[:1]
    return not newest or newest[0].created_at < moment


def to_be_unpacked(now: datetime) -> str:
    """Return the name of the newest backup, when none was unpacked as a whole for a week; else ""."""
    newest = backup_files.newest_good()
    if newest is None:
        return ""
    looks = Run.objects.of_kind(Kind.BACKUP).filter(params__act=backup.VERIFY, params__full=True)
    last = looks.newest_first().first()
    if last is not None and now - last.created_at < WHOLE_LOOK:
        return ""
    return newest.name


def why_bad(now: datetime) -> str:
    """Return what is wrong with the backups, as a sentence; "" when nothing is."""
    over = Run.objects.of_kind(Kind.BACKUP).filter(finished_at__isnull=False)
    last = over.filter(params__act__in=(backup.MAKE, backup.VERIFY)).newest_first().first()
    if last is not None and last.status not in (Status.SUCCEEDED, Status.CANCELLED):
        return f"run #{last.pk} {last.own_work}, and failed. {last.explain()}"
    if not is_automatic() or not User.objects.filter(date_joined__lt=now - OVERDUE).exists():
        return ""
    good: BackupFile | None = backup_files.newest_good()
    if good is None:
        return "there is none."
    if now - good.created_at > OVERDUE:
        moment = timezone.localtime(good.created_at)
        return f"the last one is of {moment:%Y-%m-%d %H:%M}."
    return ""


def _moment_of(day: date) -> datetime:
    digest = hashlib.sha256(f"backup {settings.SECRET_KEY}".encode()).digest()
    put_off = timedelta(seconds=int.from_bytes(digest[:4]) % SPREAD_S)
    local = datetime.combine(day, BEGIN, tzinfo=timezone.get_current_timezone())
    return local + put_off
