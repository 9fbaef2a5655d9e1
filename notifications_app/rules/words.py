"""A rule in words: of which events it tells, with its numbers."""

from notifications_app.models import Event, Rule
from tempo_site.lib import humanize

EVENTS = {
    Event.FAILED: "a run failed",
    Event.RECOVERED: "it succeeds again",
    Event.SUCCEEDED: "a run succeeded",
    Event.DID_NOT_RUN: "it did not run",
    Event.SLOW: "a run takes longer than usual",
    Event.ENVIRONMENT_BROKEN: "its environment is broken",
    Event.SCHEDULE_SUSPENDED: "a schedule was put aside",
    Event.DISK_FLOOR: "the disk is nearly full",
    Event.BACKUP_FAILED: "a backup failed or is overdue",
    Event.RESTARTED: "Tempo came back after a crash",
}
NOTHING = "nothing: no event is chosen"


def events_of(rule: Rule) -> str:
    """Return the events of a rule in one line: `3 runs failed in a row, it succeeds again`."""
    phrases = []
    for event, phrase in EVENTS.items():
        if event in rule.events:
            phrases.append(_with_numbers(rule, event, phrase))
    return ", ".join(phrases) or NOTHING


def _with_numbers(rule: Rule, event: Event, phrase: str) -> str:
    if event == Event.FAILED:
        return _failures(rule, phrase)
    if event == Event.DID_NOT_RUN and rule.late_s:
        return f"{phrase} or began over {humanize.whole_span(rule.late_s)} late"
    if event == Event.SLOW and rule.slow_s:
        return f"a run takes over {humanize.whole_span(rule.slow_s)}"
    return phrase


def _failures(rule: Rule, phrase: str) -> str:
    if rule.after > 1:
        phrase = f"{rule.after} runs failed in a row"
    if rule.every:
        phrase += f", and after every {rule.every} more"
    if rule.reminder != Rule.Reminder.OFF:
        phrase += f", with a reminder {rule.get_reminder_display()}"
    return phrase
