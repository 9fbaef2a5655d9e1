"""Brings the mirror up to date, beside everything else: a save never waits for it, and loses nothing by its failure."""

import json
import logging
import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from scripts_app.mirror import commits, git
from scripts_app.mirror.git import GitFailed
from scripts_app.models import Version
from tempo_site.backups import holds
from tempo_site.lib import encryption, files, paths
from tempo_site.stored_settings import mirror as section
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

AT_ONCE = 200  # versions in one go: their texts are in memory
AGAIN_AFTER = timedelta(minutes=5)  # a failure


@dataclass(frozen=True, kw_only=True)
class State:
    """What became of the mirror: moments in ISO form, the newest version in it, and why the last try failed."""

    tried_at: str = ""
    good_at: str = ""
    version: int = 0
    pushed_to: str = ""
    message: str = ""

    @property
    def tried(self) -> datetime | None:
        return datetime.fromisoformat(self.tried_at) if self.tried_at else None

    @property
    def good(self) -> datetime | None:
        return datetime.fromisoformat(self.good_at) if self.good_at else None


_at_work = threading.Lock()


def is_on() -> bool:
    return bool(store.value(section.SWITCH))


def tend(*, now: datetime) -> None:
    """Begin to bring the mirror up to date, in a thread of its own, where there is something to do."""
    if is_on() and not holds.is_held() and _is_due(state(), now):
        begin()


def begin() -> None:
    """Start the thread, unless it is still at work."""
    if _at_work.acquire(blocking=False):
        threading.Thread(target=_work, name="mirror", daemon=True).start()


def state() -> State:
    try:
        kept: dict[str, Any] = json.loads((paths.mirror() / "state.json").read_text())
        return State(**kept)
    except (OSError, ValueError, TypeError):
        return State()


def catch_up(*, now: datetime) -> State:
    """Commit what is new, push it where there is an address, and return and keep what became of it."""
    before = replace(state(), tried_at=now.isoformat(), message="")
    address = str(store.value(section.ADDRESS))
    try:
        version = _commit_new()
        if address:
            _push(address)
        found = replace(before, good_at=now.isoformat(), version=version, pushed_to=address)
    except (GitFailed, ValueError, OSError, encryption.DecryptionError) as error:
        logger.warning("the git mirror is not up to date: %s", error)
        found = replace(before, message=str(error))
    content = json.dumps(asdict(found))
    files.write_atomic(paths.mirror() / "state.json", content, durable=False)
    return found


def _work() -> None:
    try:
        catch_up(now=timezone.now())
    except OSError as error:
        logger.warning("the state of the git mirror could not be kept: %s", error)
    finally:
        connections.close_all()
        _at_work.release()


def _is_due(known: State, now: datetime) -> bool:
    if known.message:
        return known.tried is None or now - known.tried >= AGAIN_AFTER
    is_elsewhere = known.pushed_to != str(store.value(section.ADDRESS))
    return is_elsewhere or _newest() > known.version


def _newest() -> int:
    newest = Version.objects.filter(is_draft=False).order_by("-pk").values_list("pk", flat=True)
    return newest.first() or 0


# The repository itself says which version it has last: nothing is committed twice, whenever this process ends.
def _commit_new() -> int:
    paths.make_closed(paths.mirror())
    rows = Version.objects.filter(is_draft=False)
    return commit_all(rows, paths.mirror() / "repository.git")


def commit_all(rows: QuerySet[Version], repository: Path) -> int:
    """Commit these versions, those apart that it has; return the key of the newest one in it. Raise GitFailed."""
    if not (repository / "HEAD").exists():
        git.run(repository, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")
    last = _last_in(repository)
    while True:
        newer = rows.filter(pk__gt=last).select_related("script").order_by("pk")
        versions = list(newer[:AT_ONCE])
        if not versions:
            return last
        stream = commits.stream(versions, is_first=last == 0)
        git.run(repository, "fast-import", "--quiet", "--date-format=raw", stdin=stream)
        last = versions[-1].pk


def _last_in(repository: Path) -> int:
    heads = git.run(repository, "for-each-ref", "--format=%(objectname)", commits.BRANCH)
    if not heads.strip():
        return 0
    wanted = f"--format=%(trailers:key={commits.TRAILER},valueonly)"
    said = git.run(repository, "log", "-1", wanted, commits.BRANCH, "--")
    if not said.strip().isdecimal():
        raise GitFailed("the newest commit of the mirror is not one of Tempo's")
    return int(said)


def _push(address: str) -> None:
    key_file = str(store.value(section.KEY_FILE))
    section.check_address(address)  # the environment may have given another
    section.check_key_file(key_file)
    branch = f"{commits.BRANCH}:{commits.BRANCH}"
    repository = paths.mirror() / "repository.git"
    if _last_in(repository):
        token = str(store.value(section.TOKEN))
        shown = git.authorization(address, token)
        git.run(repository, "push", "--quiet", "--", address, branch, more=shown, key_file=key_file)
