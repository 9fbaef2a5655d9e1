"""The last calls of each trigger: noted in memory, so that a refusal costs no write, and stored a moment later.

Of what comes between two passes the last 50 calls of a trigger are kept; all are counted.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import F

from runs_app.url_triggers.models import TriggerCall, TriggerKey, UrlTrigger

KEPT_CALLS = 50
NO_TRIGGER = 0  # calls of addresses that nothing is at: noted like others, never stored


class CallOutcome(StrEnum):
    STARTED = "started"
    IGNORED = "ignored"
    REFUSED = "refused"
    REPLAYED = "replayed"  # listed, and not counted: it started nothing, and was not passed over


@dataclass(kw_only=True)
class _Notes:
    calls: deque[TriggerCall] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CallOutcome, 0))
    used_keys: dict[int, datetime] = field(default_factory=dict)


_lock = threading.Lock()
_notes: dict[int, _Notes] = {}


def note(
    trigger: UrlTrigger | None, call: TriggerCall, outcome: CallOutcome, *, key: int = 0
) -> None:
    """Note a call, and the use of a key of the trigger."""
    pk = trigger.pk if trigger is not None else NO_TRIGGER
    with _lock:
        notes = _notes.setdefault(pk, _Notes())
        notes.calls.append(call)
        notes.counts[outcome] += 1
        if key:
            notes.used_keys[key] = call.at


def store(*, now: datetime) -> None:
    """Store what was noted since the last time."""
    global _notes
    if not _notes:
        return
    with _lock:
        noted, _notes = _notes, {}
    # A trigger whose script was deleted for good meanwhile has no calls any more.
    present = UrlTrigger.objects.filter(pk__in=list(noted))
    with transaction.atomic():
        for pk in present.values_list("pk", flat=True):
            _store(pk, noted[pk])


def _store(pk: int, notes: _Notes) -> None:
    for call in notes.calls:
        call.trigger_id = pk
    TriggerCall.objects.bulk_create(notes.calls)
    surplus = TriggerCall.objects.filter(trigger=pk).values_list("pk", flat=True)[KEPT_CALLS:]
    TriggerCall.objects.filter(pk__in=list(surplus)).delete()
    UrlTrigger.objects.filter(pk=pk).update(
        started=F("started") + notes.counts[CallOutcome.STARTED],
        ignored=F("ignored") + notes.counts[CallOutcome.IGNORED],
        refused=F("refused") + notes.counts[CallOutcome.REFUSED],
    )
    for key, at in notes.used_keys.items():
        TriggerKey.objects.filter(pk=key).update(last_used_at=at)
