"""Handing a run to the launcher, and taking it back: the run's folder, start and cancel."""

import errno
import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from django.db import transaction

from runs_app import launcher_client, run_folder
from runs_app.execution import finish
from runs_app.execution import spec as execution_spec
from runs_app.models import Run
from runs_app.programs import registry
from runs_app.programs.program import NothingToRun
from runs_app.states import Reason, Status
from scripts_app.variables import variables
from tempo_site.audit import trail
from tempo_site.lib import files, paths

logger = logging.getLogger(__name__)

MAX_SPEC_BYTES = 2**20
CLAIMED_BY_CANCEL = b"cancelled\n"
CLAIMED_TO_FAIL = b"failed\n"  # followed by the message
REFUSED_FOR_LONG_S = 60.0

# What this process has handed over; lost with it, which only means that an unclaimed folder is handed over once more.
_accepted: dict[int, str] = {}
_refused_since: dict[int, float] = {}
_first_handed_over: dict[int, float] = {}


def new_folder_name(run: Run, now: datetime) -> str:
    # The random part keeps a guess from finding a log.
    return f"{paths.month(now)}/{run.pk}-{secrets.token_hex(4)}"


def hand_over(run: Run, *, now: datetime) -> bool:
    """Write the folder and ask the launcher to start the run; returns whether the launcher took it."""
    if not Run.objects.filter(pk=run.pk, status=Status.STARTING).exists():
        return False  # cancelled since it was admitted
    return hand_over_new(run, now=now)


def hand_over_new(run: Run, *, now: datetime) -> bool:
    """Hand over a run that this thread has just committed as `starting`."""
    # Whether it still is one is not asked: who cancels it meanwhile takes its claim, and so it does not begin.
    _first_handed_over.setdefault(run.pk, time.monotonic())
    try:
        found = registry.program_of(run).variables(run)
        prepare_folder(run, found.plain)
        launcher_client.launcher.start(run.folder, secrets=found.secrets)
    except variables.SecretUnreadable as error:
        fail(run, Reason.COULD_NOT_START, str(error), now=now)
    except NothingToRun as error:
        fail(run, error.reason, str(error), now=now)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        # Nor could a claim be written there; but without a spec nothing begins.
        message = f"Its folder could not be written: {why}."
        _end_as_failed(run, Reason.COULD_NOT_START, message, now)
    except launcher_client.LauncherRefused as refusal:
        _fail_if_refused_for_long(run, str(refusal), now)
    except launcher_client.LauncherError as error:
        # A launcher that is away is no failure: the run stays `starting` and the sweep hands it over again.
        logger.warning("run %s not handed over yet: %s", run.pk, error)
    else:
        _accepted[run.pk] = run.folder
        _refused_since.pop(run.pk, None)
        return True
    return False


def fail(run: Run, reason: Reason, message: str, *, now: datetime) -> None:
    """End a run that no runner has begun; then none begins it. Raises OSError where that cannot be seen to."""
    # An order of before may still lie with the launcher. Where a runner was faster, its verdict tells the end.
    if take_claim(run, CLAIMED_TO_FAIL + message.encode(errors="replace")):
        _end_as_failed(run, reason, message, now)


def _end_as_failed(run: Run, reason: Reason, message: str, now: datetime) -> None:
    finish.end(
        run,
        Status.FAILED,
        now=now,
        reason=reason,
        message=message,
    )


def _fail_if_refused_for_long(
    run: Run,
    refusal: str,
    now: datetime,
) -> None:
    # A refusal may pass (the launcher is stopping); a refusal that lasts a minute is the run's end.
    since = _refused_since.setdefault(run.pk, time.monotonic())
    logger.warning("run %s was refused by the launcher: %s", run.pk, refusal)
    if time.monotonic() - since <= REFUSED_FOR_LONG_S or was_accepted(run):
        return
    fail(run, Reason.COULD_NOT_START, f"The launcher refused: {refusal}", now=now)


def was_accepted(run: Run) -> bool:
    """Whether the launcher took this run from this process: then it may have begun, whatever its folder says."""
    return _accepted.get(run.pk) == run.folder


def is_handed_over_in_vain(run: Run) -> bool:
    """Whether the launcher took this run a minute ago and more, and no runner has begun it: none ever will."""
    since = _first_handed_over.get(run.pk)
    if since is None or not was_accepted(run):
        return False
    return time.monotonic() - since > REFUSED_FOR_LONG_S


def handed_over() -> set[int]:
    """Return the ids of the runs that this process has handed over and not forgotten."""
    return {*_accepted, *_refused_since, *_first_handed_over}


def forget(ended: Iterable[int]) -> None:
    """Forget what is known of the orders of these runs."""
    for pk in ended:
        _accepted.pop(pk, None)
        _refused_since.pop(pk, None)
        _first_handed_over.pop(pk, None)


def prepare_folder(run: Run, plain: Mapping[str, str] = variables.NOTHING.plain) -> None:
    """Make `runs/<yyyy-mm>/<id>-<random>/` with code, `tmp/` and, last, the spec. May be repeated."""
    folder = paths.run_folder(run.folder)
    if folder.is_dir() and _is_prepared(folder):
        return  # handed over before: a runner may be at work, and what it opened to the script are these files
    paths.make_passable(folder)
    paths.make_closed(folder / run_folder.TEMPORARY)
    spec = execution_spec.write_spec(run, folder, plain)
    files.write_atomic(
        folder / run_folder.SPEC,
        json.dumps(spec),
        mode=0o600,
        durable=False,
    )


def _is_prepared(path: Path) -> bool:
    with run_folder.opened(path) as folder:
        return folder is not None and _has_usable_spec(folder)


def _has_usable_spec(folder: int) -> bool:
    # Not one of an older Tempo, whose programs lay elsewhere.
    if not run_folder.has(folder, run_folder.SPEC):
        return False
    try:
        content = run_folder.read(folder, run_folder.SPEC, max_bytes=MAX_SPEC_BYTES)
        argv = json.loads(content or b"")["argv"]
    except (OSError, ValueError, LookupError, TypeError):
        return True  # the runner says what is wrong with it
    return all(Path(part).exists() for part in argv if str(part).endswith(".py"))


def cancel(run: Run, *, by: str, now: datetime) -> bool:
    """Cancel a run wherever it stands; False when it was final already."""
    # A queued run ends at once. A handed-over run is ended by its runner: TERM, grace, KILL for the whole tree; the
    # row follows when that is done.
    if not ask_to_cancel(run, by=by, now=now):
        return False
    if run.is_final:
        return True
    try:
        enforce_cancel(run, now=now)
    except OSError as error:  # the request is stored: the sweep sees to it
        logger.warning("run %s could not be cancelled yet: %s", run.pk, error)
    return True


def ask_to_cancel(run: Run, *, by: str, now: datetime) -> bool:
    """Cancel a run from a process without a launcher: a queued run ends at once, another at the engine's next sweep.

    False when it was final already.
    """
    with transaction.atomic():
        if not _cancel_queued(run, by=by, now=now) and not _request_cancel(run, by=by, now=now):
            return False
        owner = run.script.slug if run.script else run.kind
        trail.record("cancelled", run, name=f"#{run.pk} of {owner}")
    return True


def cancel_on_commit(run: Run, *, by: str, now: datetime) -> None:
    """Cancel a run as part of the caller's transaction; the launcher hears of it after the commit."""
    if _cancel_queued(run, by=by, now=now):
        return
    if _request_cancel(run, by=by, now=now):
        transaction.on_commit(lambda: enforce_cancel(run, now=now), robust=True)


def _cancel_queued(run: Run, *, by: str, now: datetime) -> bool:
    return finish.end(
        run,
        Status.CANCELLED,
        only=Status.QUEUED,
        now=now,
        reason=Reason.USER,
        cancelled_by=by,
    )


def _request_cancel(
    run: Run,
    *,
    by: str,
    now: datetime,
) -> bool:
    # Store that a run under way is to be cancelled, and by whom; returns whether it was under way.
    row = Run.objects.filter(pk=run.pk).under_way()
    if not row.update(cancel_requested_at=now, cancelled_by=by):
        return False
    run.refresh_from_db()
    return True


def enforce_cancel(run: Run, *, now: datetime) -> None:
    if take_claim(run):
        finish.end(
            run,
            Status.CANCELLED,
            now=now,
            reason=Reason.USER,
        )
        return
    launcher = launcher_client.launcher
    try:
        is_known = launcher.cancel(run.folder)
        if not is_known:  # as by a new launcher; the sweep asks again
            launcher.adopt(run.folder)
    except launcher_client.LauncherError as error:
        logger.warning("run %s could not be cancelled yet: %s", run.pk, error)


def take_claim(run: Run, content: bytes = CLAIMED_BY_CANCEL) -> bool:
    """Take the claim in the runner's place, so that the run can never begin; False when somebody has it.

    The content tells what the run is to end as, should this process not come to store that.
    """
    path = paths.run_folder(run.folder)
    with run_folder.opened(path) as folder:
        if folder is not None:
            return _write_claim(folder, content)
    paths.make_passable(path)  # hand_over may be about to: then it finds the claim taken
    with run_folder.opened(path) as folder:
        if folder is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        return _write_claim(folder, content)


def _write_claim(folder: int, content: bytes) -> bool:
    # Whole or not at all: an empty claim is a runner's.
    return files.create_whole(Path(run_folder.CLAIM), content, dir_fd=folder)
