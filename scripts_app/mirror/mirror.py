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

from scripts_app.mirror import commits, git, settings_files
from scripts_app.mirror.git import GitFailed
from scripts_app.models import Script, Version
from tempo_site.backups import holds
from tempo_site.lib import encryption, files, paths
from tempo_site.models import AuditEntry
from tempo_site.stored_settings import mirror as section
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

MAX_ACTS = 500  # that are looked at: behind so many it is easier to look at the settings
AT_ONCE = 200  # versions in one go: their texts are in memory
AGAIN_AFTER = timedelta(minutes=5)  # a failure


@dataclass(frozen=True, kw_only=True)
class State:
    """What became of the mirror: moments in ISO form, the newest version in it, and why the last try failed."""

    tried_at: str = ""
    good_at: str = ""
    version: int = 0
    audit: int = 0  # the newest act that the settings in it are behind
    pushed: str = ""  # the commit
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
        audit = _newest_act()
        version = _commit_new(now)
        head = _head(paths.mirror() / "repository.git")
        if address and (head, address) != (before.pushed, before.pushed_to):
            key_file = str(store.value(section.KEY_FILE))
            push(address, token=str(store.value(section.TOKEN)), key_file=key_file)
        found = replace(
            before,
            good_at=now.isoformat(),
            version=version,
            audit=audit,
            pushed=head if address else "",
            pushed_to=address,
        )
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
    return is_elsewhere or _newest() > known.version or _may_have_other_settings(known)


def _newest() -> int:
    newest = versions().order_by("-pk").values_list("pk", flat=True)
    return newest.first() or 0


# Whatever changes what stands in a `script.toml` is in the audit; starts of runs are too, and are many.
def _may_have_other_settings(known: State) -> bool:
    acts = AuditEntry.objects.filter(pk__gt=known.audit).order_by("pk")
    kinds = list(acts.values_list("kind", flat=True)[:MAX_ACTS])
    return len(kinds) == MAX_ACTS or any(kind != "run" for kind in kinds)


def _newest_act() -> int:
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)
    return newest.first() or 0


def versions() -> QuerySet[Version]:
    return Version.objects.filter(is_draft=False)


# The repository itself says which version it has last: nothing is committed twice, whenever this process ends.
def _commit_new(now: datetime) -> int:
    paths.make_closed(paths.mirror())
    repository = paths.mirror() / "repository.git"
    last = commit_all(versions(), repository)
    commit_settings(Script.objects.present(), repository, last=last, now=now)
    return last


def commit_all(rows: QuerySet[Version], repository: Path) -> int:
    """Commit these versions, those apart that it has; return the key of the newest one in it. Raise GitFailed."""
    if not (repository / "HEAD").exists():
        shape = ("--bare", "--template=", "--initial-branch=main", "--object-format=sha1")
        git.run(repository, "init", "--quiet", *shape)
    last = _last_in(repository)
    while True:
        newer = rows.filter(pk__gt=last).select_related("script").order_by("pk")
        some = list(newer[:AT_ONCE])
        if not some:
            return last
        stream = commits.stream(some, is_first=last == 0)
        git.run(repository, "fast-import", "--quiet", "--date-format=raw", stdin=stream)
        last = some[-1].pk


def commit_settings(
    scripts: QuerySet[Script], repository: Path, *, last: int, now: datetime
) -> None:
    """Commit each `script.toml` that says something else by now, behind the version `last`. Raise GitFailed."""
    if not last:
        return
    changed = settings_files.changed(scripts, settings_files.present(repository))
    if changed:
        stream = commits.of_settings(changed, last=last, now=now)
        git.run(repository, "fast-import", "--quiet", "--date-format=raw", stdin=stream)


def _head(repository: Path) -> str:
    return git.run(repository, "for-each-ref", "--format=%(objectname)", commits.BRANCH).strip()


def _last_in(repository: Path) -> int:
    if not _head(repository):
        return 0
    wanted = f"--format=%(trailers:key={commits.TRAILER},valueonly)"
    said = git.run(repository, "log", "-1", wanted, commits.BRANCH, "--")
    if not said.strip().isdecimal():
        raise GitFailed("the newest commit of the mirror is not one of Tempo's")
    return int(said)


def push(address: str, *, token: str, key_file: str) -> None:
    """Push the repository to an address, where there is something in it. Raise GitFailed, ValueError."""
    section.check_address(address)  # the environment may have given another
    section.check_key_file(key_file)
    repository = paths.mirror() / "repository.git"
    if not _head(repository):
        return
    branch = f"{commits.BRANCH}:{commits.BRANCH}"
    git.run(
        repository,
        *("push", "--quiet", "--", address, branch),
        more=git.authorization(address, token),
        key_file=key_file,
        timeout_s=git.PUSH_TIMEOUT_S,
    )
