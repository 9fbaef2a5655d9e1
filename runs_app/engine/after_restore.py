"""The runs of a restored database: none of them goes on here, and nobody is told of their ends any more."""

from datetime import datetime
from typing import Any

from django_q.models import OrmQ

from runs_app.models import Run, RunPayload
from runs_app.states import Reason, Status

UNDER_WAY = "It was under way when the backup was made, so how it ended is not known here."
QUEUED = "It waited when the backup was made."


def on_restored(*, now: datetime, **_: Any) -> None:
    ends = {"finished_at": now, "announced_at": now}
    Run.objects.under_way().move(Status.LOST, reason=Reason.RESTART, message=UNDER_WAY, **ends)
    queued = Run.objects.filter(status=Status.QUEUED)
    queued.move(Status.CANCELLED, reason=Reason.RESTART, message=QUEUED, **ends)
    final = Run.objects.filter(finished_at__isnull=False)
    final.filter(announced_at=None).update(announced_at=now)
    # What was not archived is in no backup.
    final.filter(archived_at=None).update(archived_at=now)
    RunPayload.objects.all().delete()
    OrmQ.objects.all().delete()
