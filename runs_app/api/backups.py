"""REST operations on backups: made, listed, downloaded. All of it is for staff."""

from datetime import datetime

from django.http import Http404, StreamingHttpResponse
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict

from runs_app.api.common import router
from runs_app.api.runs import RunOut, run_out
from runs_app.states import Trigger
from runs_app.triggers import backups
from scripts_app.files import downloads
from tempo_site import auth
from tempo_site.backups import backup_files
from tempo_site.backups.backup_files import BackupFile

ONLY_STAFF = "Backups are for staff.\nhint: ask a user of the staff"


class BackupIn(BaseModel):
    """What is to be in the backup beside the rest: with `logs` the output of all runs."""

    model_config = ConfigDict(extra="forbid")

    logs: bool = False


class BackupOut(BaseModel):
    """A backup. Counts and `verified_at`, when each byte was read and compared, are null where that was never done."""

    name: str
    created_at: datetime
    version: str
    bytes: int
    encrypted: bool
    has_secret_key: bool
    scripts: int | None
    runs: int | None
    verified_at: datetime | None


class BackupPage(BaseModel):
    """All backups, the newest first."""

    items: list[BackupOut]
    next_cursor: str | None


@router.get("/backups", auth=auth.FULL, response=BackupPage)
def list_backups(request: auth.AuthenticatedRequest) -> BackupPage:
    """List the backups in the data folder."""
    auth.require_staff(request.auth, ONLY_STAFF)
    items = [backup_out(row) for row in backup_files.listed()]
    return BackupPage.model_construct(items=items, next_cursor=None)


@router.post("/backups", response={202: RunOut})
def create_backup(
    request: auth.AuthenticatedRequest, data: BackupIn | None = None
) -> Status[RunOut]:
    """Make a backup. The answer is the run that makes it, or that is making one already; its `status` tells the end."""
    auth.require_staff(request.auth, ONLY_STAFF)
    run = backups.make(
        trigger=Trigger.API,
        by=request.auth.name,
        now=timezone.now(),
        logs=data is not None and data.logs,
    )
    return Status(202, run_out(run))


@router.get("/backups/{name}/file", auth=auth.FULL)
def download_backup(request: auth.AuthenticatedRequest, name: str) -> StreamingHttpResponse:
    """Download a backup."""
    auth.require_staff(request.auth, ONLY_STAFF)
    try:
        row = backup_files.named(name)
    except backup_files.NoSuchBackup as error:
        raise Http404(str(error)) from error
    return downloads.attachment_of(row.path)


def backup_out(row: BackupFile) -> BackupOut:
    return BackupOut.model_construct(
        name=row.name,
        created_at=row.created_at,
        version=row.version,
        bytes=row.size,
        encrypted=row.is_sealed,
        has_secret_key=row.has_secret_key,
        scripts=row.scripts,
        runs=row.runs,
        verified_at=row.verified_at,
    )
