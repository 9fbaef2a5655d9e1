"""Asking for a backup, for a look at one, and for its way back; each is a run of Tempo's own program."""

from datetime import datetime

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from runs_app.models import Run
from runs_app.programs import backup
from runs_app.states import Kind, Trigger
from runs_app.triggers import triggers
from tempo_site.audit import trail
from tempo_site.backups import backup_files, making, restoring


def make(*, trigger: Trigger, by: str, now: datetime, logs: bool = False) -> Run:
    """Start a backup, or return the one that is to be made already."""
    for run in Run.objects.of_kind(Kind.BACKUP).active():
        if run.params.get("act") == backup.MAKE:
            return run
    with transaction.atomic():
        run = triggers.start_backup(
            {"act": backup.MAKE, "logs": logs}, trigger=trigger, by=by, now=now
        )
        trail.record("started", kind="backups", name=f"#{run.pk}")
    return run


def verify(name: str, *, trigger: Trigger, by: str, now: datetime, is_full: bool = False) -> Run:
    """Start the look at a backup; with `is_full` all of it is unpacked. Raise NoSuchBackup."""
    row = backup_files.named(name)
    params = {"act": backup.VERIFY, "name": row.name, "full": is_full}
    with transaction.atomic():
        trail.record("verified", kind="backups", name=row.name)
        return triggers.start_backup(params, trigger=trigger, by=by, now=now)


@sensitive_variables()
def restore(name: str, *, passphrase: str, by: str, now: datetime) -> Run:
    """Start the way back of a backup: Tempo starts again with it. Raise NoSuchBackup and BackupFailed."""
    row = backup_files.named(name)
    passphrase = passphrase or making.stored_passphrase()
    restoring.look(row.path, passphrase=passphrase)
    backup.refuse_under_way(Run.objects.active())
    params = {"act": backup.RESTORE, "name": row.name}
    with transaction.atomic():
        run = triggers.start_backup(params, trigger=Trigger.MANUAL, by=by, now=now)
        backup.keep_passphrase(run, passphrase)
        trail.record("restoring", kind="backups", name=row.name)
    return run


def last(act: str) -> Run | None:
    """Return the newest run that is over of one kind of work."""
    rows = Run.objects.of_kind(Kind.BACKUP).filter(params__act=act, finished_at__isnull=False)
    return rows.newest_first().first()


def active() -> Run | None:
    return Run.objects.of_kind(Kind.BACKUP).active().order_by("pk").first()
