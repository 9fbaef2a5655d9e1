"""Making, verifying and unpacking a backup, by the program of backups; the run's `params` say which: `act`, `name`."""

import json
import logging
import os
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from runs_app.models import Run, RunQuerySet
from runs_app.programs import backup_copies, driver, wait_conditions
from runs_app.programs.program import NothingToRun, ProgramSpec
from runs_app.states import Kind, Reason, Status
from scripts_app.variables.variables import RunVariables
from tempo_site.backups import backup_files, making, program, replacing, restoring
from tempo_site.backups.program import BackupFailed, ProgramStart
from tempo_site.lib import files, paths
from tempo_site.stored_settings import backup as section
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

WAITS_FOR = (wait_conditions.DISK, wait_conditions.ONE_BACKUP)
MAKE, VERIFY, RESTORE = "make", "verify", "restore"
UNDER_WAY = "Runs are under way: {}.\nhint: pause all schedules and wait for them, or cancel them"
NOT_REPLACED = "Nothing was restored: the backup could not be put in its place: {}."
RESULT = "backup.json"
MAX_RESULT_BYTES = 2**20

# Of restores that were asked for, by their runs; never stored.
_passphrases: dict[int, str] = {}


def title(run: Run) -> str:
    name = run.params.get("name", "")
    return f"Backup {name}".rstrip()


@sensitive_variables()
def keep_passphrase(run: Run, passphrase: str) -> None:
    _passphrases[run.pk] = passphrase


@sensitive_variables()
def variables(run: Run) -> RunVariables:
    passphrase = _passphrases.get(run.pk, "")
    if not passphrase:
        try:
            passphrase = making.stored_passphrase()
        except BackupFailed:
            passphrase = ""  # said by `spec`
    secret_key = settings.SECRET_KEY if run.params["act"] == MAKE else ""
    secrets = program.variables(passphrase, secret_key)
    del secrets["LANG"], secrets["TMPDIR"]
    return RunVariables(plain={}, secrets=secrets)


def spec(run: Run, folder: Path, _: Mapping[str, str]) -> ProgramSpec:
    try:
        call = _call(run, folder)
        is_made = run.params["act"] == MAKE
        then = backup_copies.steps(Path(call.order["out"]), folder / RESULT) if is_made else []
    except (BackupFailed, backup_files.NoSuchBackup, replacing.CannotReplace) as error:
        raise NothingToRun(str(error), Reason.COULD_NOT_START) from error
    started = driver.spec(
        run,
        folder,
        call.argv(),
        {"LANG": "C.UTF-8"},
        isolation=backup_copies.isolation(call, folder),
        then=then,
    )
    return {**started, "limits": {**driver.limits(), "file_mb": 0}}


def _call(run: Run, folder: Path) -> ProgramStart:
    result = folder / RESULT
    if run.params["act"] == MAKE:
        passphrase = making.stored_passphrase()
        out = program.next_path(passphrase=passphrase, now=timezone.now())
        logs = bool(run.params.get("logs")) or bool(store.value(section.LOGS))
        max_file_mb = store.number(section.FILE_MB)
        return program.creation(out, logs=logs, max_file_mb=max_file_mb).reporting_to(result)
    path = backup_files.named(str(run.params["name"])).path
    if run.params["act"] == RESTORE:
        call = restoring.prepare(path, paths.data())
        refuse_under_way(Run.objects.under_way().exclude(pk=run.pk))
        return call.reporting_to(result)
    is_full = bool(run.params.get("full"))
    return program.verification(path, is_full=is_full).reporting_to(result)


def refuse_under_way(rows: RunQuerySet) -> None:
    """Raise BackupFailed with the numbers of these runs, where there are any: their folders would be moved."""
    with transaction.atomic():  # behind the births that had not seen the restore
        found = list(rows.values_list("pk", flat=True)[:5])
    if found:
        raise BackupFailed(UNDER_WAY.format(", ".join(f"#{pk}" for pk in found)))


def give_up_abandoned() -> None:
    """Remove what a restore has unpacked whose run is over, as after a power cut: runs would wait for it."""
    if replacing.is_under_way(paths.data()):
        rows = Run.objects.of_kind(Kind.BACKUP).active().filter(params__act=RESTORE)
        if not rows.exists():
            replacing.give_up(paths.data())


def finished(run: Run, *, now: datetime) -> None:
    _passphrases.pop(run.pk, None)
    found = _result(run)
    act = run.params["act"]
    if act == MAKE:  # also where a copy failed: the backup is there
        transaction.on_commit(backup_files.delete_old, robust=True)
    if act == RESTORE and run.status != Status.SUCCEEDED:
        transaction.on_commit(lambda: replacing.give_up(paths.data()), robust=True)
    if run.status != Status.SUCCEEDED:
        _note_reason(run, str(found.get("error", "")))
        return
    if act == MAKE:
        _note_name(run, found)
    if act == RESTORE:
        transaction.on_commit(lambda: _replace_data(run, found, now), robust=True)


def _result(run: Run) -> dict[str, Any]:
    try:
        path = paths.run_folder(run.folder) / RESULT
        content = json.loads(files.read_regular(path, max_bytes=MAX_RESULT_BYTES))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note_reason(run: Run, sentence: str) -> None:
    if sentence and run.status == Status.FAILED:
        Run.objects.filter(pk=run.pk).update(message=sentence)
        run.message = sentence


def _note_name(run: Run, found: dict[str, Any]) -> None:
    run.params = {**run.params, "name": found.get("name", "")}
    Run.objects.filter(pk=run.pk).update(params=run.params)


def _replace_data(run: Run, manifest: dict[str, Any], now: datetime) -> None:
    """Write the journal of the restore, and end this process: the next one finishes it before it opens the database."""
    name = str(run.params["name"])
    try:
        restoring.begin(paths.data(), name, manifest, now=now)
    except OSError as error:
        logger.exception(
            "nothing was restored: the backup could not be put in its place name=%s", name
        )
        replacing.give_up(paths.data())
        message = NOT_REPLACED.format(error.strerror or error)
        Run.objects.filter(pk=run.pk).update(status=Status.FAILED, message=message)
        return
    logger.info("a backup is put back name=%s, web starts again", name)
    os.kill(os.getpid(), signal.SIGTERM)
