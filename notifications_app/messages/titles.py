"""An event in one line: the title of a message about it, and its line in a digest."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifications_app.messages import plain
from notifications_app.models import MAX_TITLE, Delivery, Event
from runs_app.models import Run
from runs_app.states import Status
from tempo_site.lib import humanize
from tempo_site.stored_settings import general, store

MAX_NAME = 80
WORDS: dict[str, str] = {
    Event.FAILED: "failed",
    Event.RECOVERED: "recovered",
    Event.SUCCEEDED: "succeeded",
    Event.DID_NOT_RUN: "did not run",
    Event.SLOW: "slow",
}


def of_run(event: Event, run: Run, facts: Mapping[str, Any]) -> str:
    """Return the title of an event of a run; `facts` are those that its delivery keeps."""
    name = plain.line(run.script.name if run.script else "-", MAX_NAME)
    sentence = f"{name} {_what_of_run(event, run, facts)}"
    return plain.line(sentence, MAX_TITLE)


def of_subject(sentence: str) -> str:
    return plain.line(sentence, MAX_TITLE)


def from_tempo(title: str) -> str:
    """Return a title with the name of this Tempo before it, where it has one: `[Cellar] backup failed`."""
    name = plain.line(str(store.value(general.NAME)), general.MAX_NAME)
    return f"[{name}] {title}" if name else title


def of_digest(rows: Sequence[Delivery]) -> str:
    """Return the title of several deliveries together: `5 scripts failed since 02:30`."""
    since = _clock(min(row.created_at for row in rows))
    events = {row.event for row in rows}
    scripts = {row.script_id for row in rows}
    if events == {Event.FAILED} and len(scripts) > 1:
        return f"{len(scripts)} scripts failed since {since}"
    parts = []
    for event, words in WORDS.items():
        count = len({row.script_id for row in rows if row.event == event})
        if count:
            parts.append(f"{count} {words}")
    others = [row for row in rows if row.event not in WORDS]
    if others:
        parts.append(f"{len(others)} more")
    return f"{', '.join(parts)} since {since}"


def _what_of_run(event: Event, run: Run, facts: Mapping[str, Any]) -> str:
    match event:
        case Event.FAILED:
            return _failed(run, facts)
        case Event.RECOVERED:
            after = humanize.whole_span(facts.get("lasted_s", 0))
            return f"recovered after {after} ({_failed_runs(facts.get('streak', 1))})"
        case Event.SUCCEEDED:
            return f"succeeded in {humanize.span(run.duration_s or 0)}"
        case Event.DID_NOT_RUN:
            return _did_not_run(run, facts)
        case Event.SLOW:
            return f"takes longer than {facts.get('than', 'usual')}: {humanize.span(facts.get('elapsed_s', 0))} so far"
    return event.label.lower()


def _failed(run: Run, facts: Mapping[str, Any]) -> str:
    streak = facts.get("streak", 1)
    if facts.get("is_reminder"):
        return f"still fails ({_failed_runs(streak)} in a row): {_reason(run)}"
    if streak > 1:
        return f"failed {streak} times in a row: {_reason(run)}"
    return f"failed: {_reason(run)}"


def _failed_runs(count: int) -> str:
    if count == 1:
        return "1 failed run"
    return f"{count} failed runs"


def _did_not_run(run: Run, facts: Mapping[str, Any]) -> str:
    if facts.get("late_s"):
        return f"is late by {humanize.span(facts['late_s'])}"
    streak = facts.get("streak", 1)
    if run.status == Status.SKIPPED and streak > 1:
        return f"did not run, {streak} times in a row: {_reason(run)}"
    return f"did not run: {_reason(run)}"


def _reason(run: Run) -> str:
    first_line, _, _ = run.why.partition("\n")
    return first_line or run.get_status_display().lower()


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%H:%M}"
