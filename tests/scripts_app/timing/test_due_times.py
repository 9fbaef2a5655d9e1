"""Bounds and jitter: the same moments, fewer or later, in the same order and number."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts_app.timing import rule
from scripts_app.timing.rule import Timing, TimingError

START = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)  # a night with a change of clocks in Europe
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
RHYTHMS: list[dict[str, Any]] = [
    {"kind": "cron", "cron": "*/7 * * * *"},
    {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    {"kind": "cron", "cron": "*/20 * * * * *"},
    {"kind": "interval", "every_s": 90, "anchor": START},
    {"kind": "interval", "every_s": 1, "anchor": START},
]
moments = st.integers(0, 12 * 3600 * 10).map(lambda tenths: START + timedelta(seconds=tenths / 10))


def nominal(rhythm: dict[str, Any], until: datetime) -> list[datetime]:
    """All moments of a rhythm alone, one after the other."""
    when, found, moment = Timing(**rhythm), [], START - SECOND
    while (due := rule.next_after(when, moment)) is not None and due <= until:
        found.append(due)
        moment = due
    return found


@settings(deadline=None)
@given(rhythm=st.sampled_from(RHYTHMS[:4]), first=moments, last=moments)
def test_only_moments_within_the_bounds_are_due(
    rhythm: dict[str, Any], first: datetime, last: datetime
) -> None:
    bounded = Timing(**rhythm, start_at=first, end_at=last)
    expected = [due for due in nominal(rhythm, last) if first <= due]

    assert rule.upcoming(bounded, START - HOUR, len(expected) + 1) == expected
    assert rule.count_between(bounded, START - HOUR, last + HOUR) == len(expected)
    assert rule.last_at_or_before(bounded, last + HOUR) == (expected[-1] if expected else None)


@settings(deadline=None)
@given(
    rhythm=st.sampled_from(RHYTHMS),
    jitter=st.integers(1, 3600),
    seed=st.text(max_size=5),
    at=moments,
)
def test_jitter_changes_neither_order_nor_number(
    rhythm: dict[str, Any], jitter: int, seed: str, at: datetime
) -> None:
    plain, jittered = Timing(**rhythm), Timing(**rhythm, jitter_s=jitter, seed=seed)
    dues, later = rule.upcoming(plain, at, 6), rule.upcoming(jittered, at, 6)

    assert later == sorted(set(later))
    assert later == rule.upcoming(jittered, at, 6), "the same each time"
    # one from before `at` may be put off behind it
    put_off = later if later[:1] >= dues[:1] else later[1:]
    for due, actual, following in zip(dues, put_off, dues[1:], strict=False):
        assert due <= actual < following
        assert actual - due <= timedelta(seconds=jitter)


@settings(deadline=None)
@given(
    rhythm=st.sampled_from(RHYTHMS),
    jitter=st.integers(1, 200),
    after=moments,
    span=st.integers(0, 4000),
)
def test_what_is_counted_is_what_is_visited(
    rhythm: dict[str, Any], jitter: int, after: datetime, span: int
) -> None:
    when, until = Timing(**rhythm, jitter_s=jitter, seed="x"), after + timedelta(seconds=span)
    visited = [due for due in rule.upcoming(when, after, span + 2) if due <= until]

    assert rule.count_between(when, after, until) == len(visited)
    if visited:
        assert rule.last_at_or_before(when, until) == visited[-1]


def test_two_scripts_are_put_off_differently() -> None:
    nightly: dict[str, Any] = {"kind": "cron", "cron": "0 2 * * *", "jitter_s": 3600}
    first = {
        rule.next_after(Timing(**nightly, seed=f"script-{number}"), START) for number in range(20)
    }

    assert len(first) > 15


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"jitter_s": 3601}, "jitter_s"),
        ({"jitter_s": -1}, "jitter_s"),
        ({"start_at": START, "end_at": START - SECOND}, "end_at"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(TimingError) as refusal:
        rule.check(Timing(kind="interval", every_s=60, **change))

    assert refusal.value.field == field
