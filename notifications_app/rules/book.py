"""All rules in memory, so that the end of a run that nobody is to hear of costs no query and no commit.

The book is read anew after a change in this process, and every half minute for changes of other processes.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from notifications_app.models import Channel, Event, Incident, Rule
from runs_app.history import history
from runs_app.models import Run, RunQuerySet
from runs_app.states import Kind, Reason, Status
from tempo_site.lib.sqlite.prepared import PreparedQuery

KEPT_FOR = timedelta(seconds=30)
# Nobody has to be told that what was switched off, paused or replaced did not run.
NOT_MISSED = (
    Reason.PAUSED,
    Reason.DISABLED,
    Reason.DELETED,
    Reason.SUPERSEDED,
    Reason.NOT_WANTED,
    Reason.USER,
)


@dataclass(frozen=True, kw_only=True)
class Book:
    """Enabled rules with their channels and folders, scripts in trouble, scripts with a heartbeat.

    In trouble is a script with an open incident, or with an end that is still to be told: its next success matters.
    """

    rules: tuple[Rule, ...] = ()
    has_channels: bool = False
    troubled: frozenset[int] = field(default_factory=frozenset)
    followed: frozenset[int] = field(default_factory=frozenset)
    has_sign_of_life: bool = False
    follows_backups: bool = False
    has_reports: bool = False

    def hears(self, event: Event, script: int) -> bool:
        """Whether a rule that may count for the script asks for the event; a nearer rule may say otherwise."""
        return any(event in rule.events and rule.script_id in (None, script) for rule in self.rules)

    def is_late(self, late_ms: int | None, script: int) -> bool:
        if not late_ms:
            return False
        return any(
            rule.late_s and late_ms > rule.late_s * 1000 and rule.script_id in (None, script)
            for rule in self.rules
        )


_book: Book | None = None
_read_at: datetime | None = None
_lock = threading.Lock()


def current() -> Book:
    global _book
    with _lock:
        if _book is None:
            _book = _read()
        return _book


def forget() -> None:
    global _book
    with _lock:
        _book = None


def forget_on_commit() -> None:
    """Forget now and behind the commit: a reader in another thread may have read the old rows meanwhile."""
    forget()
    transaction.on_commit(forget)


def refresh(*, now: datetime) -> Book:
    """Return the book, read anew when it is half a minute old: another process may have changed the rules."""
    global _read_at
    if _read_at is None or abs(now - _read_at) >= KEPT_FOR:
        forget()
        _read_at = now
    return current()


def note_trouble(script: int, *, is_open: bool) -> None:
    """Keep which scripts have an open incident, without reading all of the book anew."""
    global _book
    with _lock:
        if _book is None:
            return
        others = _book.troubled - {script}
        if is_open:
            others |= {script}
        _book = replace(_book, troubled=others)


def _read() -> Book:
    channels = list(Channel.objects.usable())
    rules = Rule.objects.filter(enabled=True).select_related("channel", "folder", "script")
    troubled = Incident.objects.filter(recovered_at=None).values_list("script_id", flat=True)
    untold = unannounced().values_list("script_id", flat=True)
    heartbeats = [channel for channel in channels if channel.kind == Channel.Kind.HEARTBEAT]
    return Book(
        rules=tuple(rules),
        has_channels=bool(channels),
        troubled=frozenset(script for script in [*troubled, *untold] if script),
        followed=frozenset(channel.script_id for channel in heartbeats if channel.script_id),
        has_sign_of_life=any(
            channel.script_id is None and not channel.follows_backups for channel in heartbeats
        ),
        follows_backups=any(channel.follows_backups for channel in heartbeats),
        has_reports=any(channel.weekly_report for channel in channels),
    )


def unannounced() -> RunQuerySet:
    """Return the ends of runs that are still to be told, oldest first."""
    return Run.objects.filter(announced_at=None, finished_at__isnull=False).order_by("pk")


def has_unannounced() -> bool:
    return _FIRST_UNANNOUNCED.first() is not None


# Not `exists()`, which drops the order: without that the database reads all runs that ended, in each pass.
_FIRST_UNANNOUNCED = PreparedQuery(lambda: unannounced().only("pk")[:1])


def is_end_heard(run: Run, status: str, fields: Mapping[str, Any]) -> bool:
    """Return whether anybody is to hear of the end of a run: from memory, and rather yes than no."""
    if run.kind != Kind.SCRIPT or run.script_id is None:
        return False
    is_heard = _is_heard(run, status, fields, current())
    if is_heard and status != Status.SUCCEEDED:
        note_trouble(run.script_id, is_open=True)  # a success may come before this is told
    return is_heard


def _is_heard(run: Run, status: str, fields: Mapping[str, Any], book: Book) -> bool:
    assert run.script_id
    script = run.script_id
    if status in (Status.SKIPPED, Status.MISSED):
        is_missed = fields.get("reason", run.reason) not in NOT_MISSED
        return is_missed and book.hears(Event.DID_NOT_RUN, script)
    if status == Status.CANCELLED:
        return script in book.followed
    if script in book.troubled or script in book.followed:
        return True
    if book.is_late(fields.get("late_ms", run.late_ms), script):
        return True
    if status in history.BAD:
        return book.hears(Event.FAILED, script) or book.hears(Event.RECOVERED, script)
    return book.hears(Event.SUCCEEDED, script)
