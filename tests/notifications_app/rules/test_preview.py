"""What a rule would have told in the last thirty days."""

from datetime import timedelta
from typing import Any

import pytest

from notifications_app.models import Event, Rule
from notifications_app.rules import preview
from notifications_app.rules.preview import RulePreview
from runs_app.states import Reason, Status
from scripts_app.models import Script
from tests.factories import NOW, make_run, make_script
from tests.notifications_app.telling import make_channel, make_rule

pytestmark = pytest.mark.django_db


def history(script: Script, letters: str, **fields: Any) -> None:
    """Runs a minute apart: F failed, S succeeded, M missed, K skipped, P skipped in a pause, C cancelled."""
    statuses = {
        "F": Status.FAILED,
        "S": Status.SUCCEEDED,
        "M": Status.MISSED,
        "K": Status.SKIPPED,
        "P": Status.SKIPPED,
        "C": Status.CANCELLED,
    }
    for number, letter in enumerate(letters):
        at = NOW - timedelta(hours=1) + timedelta(minutes=number)
        reason = Reason.PAUSED if letter == "P" else ""
        given = {"created_at": at, "finished_at": at, "reason": reason, **fields}
        make_run(script, status=statuses[letter], **given)


def look(rule: Rule) -> RulePreview:
    return preview.preview(rule, now=NOW)


@pytest.mark.parametrize(
    ("letters", "fields", "total"),
    [
        ("SFFFS", {"events": [Event.FAILED]}, 1),
        ("SFFFS", {"events": [Event.FAILED], "after": 3}, 1),
        ("SFFFS", {"events": [Event.FAILED], "after": 4}, 0),
        ("FFFFF", {"events": [Event.FAILED], "after": 1, "every": 2}, 3),
        ("FSFSF", {"events": [Event.FAILED, Event.RECOVERED]}, 5),
        ("FSFFS", {"events": [Event.RECOVERED], "after": 2}, 1),
        ("SSS", {"events": [Event.SUCCEEDED]}, 3),
        ("SCSC", {"events": list(Event)}, 2),
        ("MM", {"events": [Event.DID_NOT_RUN]}, 2),
        ("KKKK", {"events": [Event.DID_NOT_RUN], "skipped": 3}, 1),
        ("KKSKK", {"events": [Event.DID_NOT_RUN], "skipped": 3}, 0),
        ("PPPP", {"events": [Event.DID_NOT_RUN], "skipped": 1}, 0),
        ("FFFF", {"events": []}, 0),
    ],
)
def test_events_are_counted_as_they_would_have_been_told(
    letters: str, fields: dict[str, Any], total: int
) -> None:
    history(make_script(), letters)
    assert look(make_rule(**fields)).total == total


def test_late_and_slow_runs_count_by_the_rules_numbers() -> None:
    history(make_script(), "SS", late_ms=61_000, duration_s=30.0)
    events = [Event.DID_NOT_RUN, Event.SLOW]
    assert look(make_rule(events=events, late_s=60, slow_s=20)).total == 4
    assert look(make_rule(make_channel("b"), events=events, late_s=62, slow_s=31)).total == 0


def test_a_run_that_outlasted_its_interval_was_slow_and_what_was_usual_is_not_known() -> None:
    history(make_script(), "S", overran=True, duration_s=30.0)
    rule = make_rule(events=[Event.SLOW, Event.DISK_FLOOR])
    found = look(rule)
    assert found.total == 1
    assert found.unknown == ["a run takes longer than usual", "the disk is nearly full"]
    rule.slow_s = 40
    assert (look(rule).total, look(rule).unknown) == (0, ["the disk is nearly full"])


def test_a_try_that_was_tried_again_would_not_have_been_told() -> None:
    script = make_script()
    history(script, "F")
    first = script.runs.get()
    make_run(script, status=Status.FAILED, parent=first, attempt=2, created_at=NOW, finished_at=NOW)
    assert look(make_rule(events=[Event.FAILED])).total == 1


def test_each_script_has_a_streak_of_its_own_and_the_newest_come_first() -> None:
    one, other = make_script("One"), make_script("Other")
    history(one, "F")
    history(other, "FF")
    found = look(make_rule(events=[Event.FAILED]))
    assert (found.total, found.counts) == (2, [("a run failed", 2)])
    assert [told.script for told in found.newest] == [other, one]


def test_a_script_that_has_a_nearer_rule_is_left_out() -> None:
    own, other = make_script("One"), make_script("Other")
    history(own, "F")
    history(other, "F")
    rule = make_rule()
    make_rule(make_channel("b"), script=own)
    found = look(rule)
    assert (found.scripts, [told.script for told in found.newest]) == (1, [other])


def test_a_rule_that_is_not_stored_is_looked_at_too() -> None:
    script = make_script(tags=["db"])
    history(script, "F")
    rule = Rule(channel=make_channel(), tag="db", events=[Event.FAILED])
    assert look(rule).total == 1


def test_older_runs_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    script = make_script()
    old = NOW - timedelta(days=31)
    make_run(script, status=Status.FAILED, created_at=old, finished_at=old)
    history(script, "SFS")
    rule = make_rule(events=[Event.FAILED])
    assert (look(rule).total, look(rule).is_cut) == (1, False)
    monkeypatch.setattr(preview, "MAX_RUNS", 1)
    assert (look(rule).total, look(rule).is_cut) == (0, True)
