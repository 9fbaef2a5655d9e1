"""When schedules of each kind are due: the conformance vectors, the ends of the calendar, and the words for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scripts_app.timing import rule as timing_rule
from scripts_app.timing.rule import Timing, TimingError
from tests.refusals import refusal
from tests.rows import each_row

VECTORS = json.loads(
    (Path(__file__).parents[2] / "data" / "cron_vectors.json").read_text(encoding="utf-8")
)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def cron(text: str, zone: str = "UTC") -> Timing:
    return Timing(kind="cron", cron=text, timezone=zone)


def every(seconds: int | None, anchor: datetime | None = NEW_YEAR) -> Timing:
    return Timing(kind="interval", every_s=seconds, anchor=anchor)


def once(at: datetime | None, zone: str = "UTC") -> Timing:
    return Timing(kind="once", at=at, timezone=zone)


@each_row("vector", VECTORS["valid"])
def test_it_is_due_when_the_conformance_vectors_say(vector: dict[str, Any]) -> None:
    rule = cron(vector["expr"], vector["tz"])
    timing_rule.check(rule)
    due = timing_rule.upcoming(rule, datetime.fromisoformat(vector["start"]), len(vector["expect"]))
    assert [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in due] == vector["expect"]


@each_row("vector", VECTORS["valid"])
def test_it_counts_and_looks_back_over_the_same_instants(vector: dict[str, Any]) -> None:
    rule = cron(vector["expr"], vector["tz"])
    start, *due = [
        datetime.fromisoformat(moment) for moment in [vector["start"], *vector["expect"]]
    ]
    assert timing_rule.count_between(rule, start, due[-1]) == len(due)
    assert [timing_rule.last_at_or_before(rule, moment) for moment in due] == due
    assert [timing_rule.last_at_or_before(rule, moment - MICROSECOND) for moment in due[1:]] == due[
        :-1
    ]


@each_row("text", VECTORS["invalid"])
def test_it_refuses_to_save_the_invalid_vectors(text: str) -> None:
    with pytest.raises(TimingError):
        timing_rule.check(cron(text))


def test_it_refuses_what_the_zone_skips_every_year() -> None:
    with pytest.raises(
        TimingError, match="never happens: the clocks of Europe/Berlin skip these times"
    ):
        timing_rule.check(cron("*/15 2 * 3 0L", "Europe/Berlin"))


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("Europe/Berln", "There is no time zone `Europe/Berln`: did you mean `Europe/Berlin`?"),
        ("europe/berlin", "There is no time zone `europe/berlin`: did you mean `Europe/Berlin`?"),
        ("../../etc/passwd", "use an IANA name"),
        ("/etc/localtime", "use an IANA name"),
        ("right/UTC", "There is no time zone"),
        ("Europe", "There is no time zone"),
        ("", "use an IANA name"),
        ("x" * 160_000, "use an IANA name"),
        ("U\x00", "There is no time zone"),
    ],
)
@each_row("kind", ["cron", "startup"])
def test_it_refuses_an_unknown_zone(kind: str, zone: str, sentence: str) -> None:
    with pytest.raises(TimingError) as caught:
        timing_rule.check(Timing(kind=kind, cron="@daily", timezone=zone))
    assert caught.value.field == "timezone"
    assert sentence in str(caught.value)


@each_row("seconds", [None, 0, -1, timing_rule.MAX_INTERVAL_S + 1, 10**400])
def test_it_refuses_an_interval_outside_its_limits(seconds: int | None) -> None:
    with pytest.raises(TimingError, match="use 1-315360000 seconds") as caught:
        timing_rule.check(every(seconds))
    assert caught.value.field == "every_s"


@pytest.mark.parametrize(
    "at", [None, datetime(2026, 5, 1), datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))]
)
def test_it_refuses_a_date_that_is_missing_naive_or_off_the_calendar(at: datetime | None) -> None:
    with pytest.raises(TimingError) as caught:
        timing_rule.check(once(at))
    assert caught.value.field == "at"


def test_it_refuses_an_unknown_kind() -> None:
    with pytest.raises(TimingError, match="use cron, interval, once or startup") as caught:
        timing_rule.check(Timing(kind="reboot"))
    assert caught.value.field == "kind"


@each_row(
    "rule", [cron("@daily"), every(1), every(1, None), once(NEW_YEAR), Timing(kind="startup")]
)
def test_it_accepts_each_kind(rule: Timing) -> None:
    assert refusal(lambda: timing_rule.check(rule), TimingError) == ""


def test_it_refuses_a_moment_without_a_zone() -> None:
    with pytest.raises(ValueError, match="must have a time zone"):
        timing_rule.next_after(every(1), datetime(2026, 1, 1))


def test_a_start_up_schedule_is_never_due_by_the_clock() -> None:
    rule = Timing(kind="startup")
    assert timing_rule.next_after(rule, NEW_YEAR) is None
    assert timing_rule.last_at_or_before(rule, NEW_YEAR) is None
    assert timing_rule.count_between(rule, NEW_YEAR, NEW_YEAR + timedelta(days=9)) == 0


def test_an_exact_moment_is_due_once() -> None:
    at = datetime(2026, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    rule = once(at)
    assert timing_rule.upcoming(rule, at - MICROSECOND, 5) == [at]
    assert timing_rule.next_after(rule, at) is None
    assert timing_rule.last_at_or_before(rule, at) == at
    assert timing_rule.last_at_or_before(rule, at - MICROSECOND) is None
    assert timing_rule.count_between(rule, at - MICROSECOND, at) == 1
    assert timing_rule.count_between(rule, at, at + MICROSECOND) == 0


def test_due_instants_are_in_utc() -> None:
    at = datetime(2026, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    for rule in (once(at), every(60, at), cron("@daily", "Europe/Berlin")):
        due = timing_rule.next_after(rule, at - MICROSECOND)
        assert due is not None
        assert due.tzinfo is UTC


def test_an_interval_stays_on_the_grid_of_its_anchor() -> None:
    anchor = NEW_YEAR + timedelta(microseconds=250)
    assert timing_rule.upcoming(every(90, anchor), anchor + timedelta(seconds=200), 2) == [
        anchor + timedelta(seconds=270),
        anchor + timedelta(seconds=360),
    ]


def test_an_interval_begins_with_an_anchor_in_the_future() -> None:
    rule = every(60, NEW_YEAR)
    assert timing_rule.next_after(rule, NEW_YEAR - timedelta(days=365)) == NEW_YEAR
    assert timing_rule.next_after(rule, NEW_YEAR) == NEW_YEAR + timedelta(seconds=60)
    assert timing_rule.last_at_or_before(rule, NEW_YEAR - MICROSECOND) is None
    assert timing_rule.last_at_or_before(rule, NEW_YEAR) == NEW_YEAR


def test_an_interval_counts_a_millennium_at_once() -> None:
    later = NEW_YEAR.replace(year=3026)
    assert (
        timing_rule.count_between(every(1), NEW_YEAR, later) == (later - NEW_YEAR).total_seconds()
    )
    assert timing_rule.count_between(every(1), NEW_YEAR - timedelta(days=1), NEW_YEAR) == 1
    assert timing_rule.count_between(every(1), later, NEW_YEAR) == 0


def test_an_interval_without_an_anchor_counts_from_1970() -> None:
    assert timing_rule.next_after(every(7, None), datetime(1970, 1, 1, tzinfo=UTC)) == datetime(
        1970, 1, 1, 0, 0, 7, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "rule", [cron("* * * * *", "Pacific/Kiritimati"), cron("@yearly", "America/Adak"), every(86400)]
)
def test_it_ends_with_the_calendar(rule: Timing) -> None:
    assert timing_rule.next_after(rule, datetime.max.replace(tzinfo=UTC)) is None
    assert timing_rule.last_at_or_before(rule, datetime.min.replace(tzinfo=UTC)) is None


def test_it_counts_up_to_either_end_of_the_calendar() -> None:
    rule = cron("0 12 1 1 *", "America/Los_Angeles")
    assert (
        timing_rule.count_between(
            rule, datetime.max.replace(year=9900, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        )
        == 99
    )
    assert (
        timing_rule.count_between(
            rule, datetime.min.replace(tzinfo=UTC), datetime.min.replace(year=101, tzinfo=UTC)
        )
        == 99
    )


def test_it_counts_ten_years_of_seconds_without_visiting_them() -> None:
    later = NEW_YEAR.replace(year=2036)
    assert (
        timing_rule.count_between(cron("* * * * * *", "Europe/Berlin"), NEW_YEAR, later)
        == (later - NEW_YEAR).total_seconds()
    )


def test_it_finds_the_rarest_date() -> None:
    rule = cron("0 0 29 2 */7")
    assert timing_rule.upcoming(rule, datetime(2060, 2, 29, tzinfo=UTC), 2) == [
        datetime(2088, 2, 29, tzinfo=UTC),
        datetime(2128, 2, 29, tzinfo=UTC),
    ]
    assert timing_rule.last_at_or_before(rule, datetime(2128, 2, 28, tzinfo=UTC)) == datetime(
        2088, 2, 29, tzinfo=UTC
    )


def test_it_knows_dates_before_1970() -> None:
    assert timing_rule.next_after(cron("0 0 1 1 *"), datetime(1900, 6, 1, tzinfo=UTC)) == datetime(
        1901, 1, 1, tzinfo=UTC
    )


def test_a_fixed_time_in_a_day_long_gap_is_left_out() -> None:
    rule = cron("0 12 * * *", "Pacific/Apia")
    assert timing_rule.upcoming(rule, datetime(2011, 12, 29, tzinfo=UTC), 2) == [
        datetime(2011, 12, 29, 22, tzinfo=UTC),
        datetime(2011, 12, 30, 22, tzinfo=UTC),
    ]


@each_row(
    ("rule", "sentence"),
    [
        (every(1), "Every second"),
        (every(90), "Every 90 seconds"),
        (every(300), "Every 5 minutes"),
        (every(3600), "Every hour"),
        (every(2 * 86400), "Every 2 days"),
        (
            once(datetime(2026, 5, 1, 12, 30, tzinfo=UTC), "Europe/Berlin"),
            "Once, on 2026-05-01 at 14:30 (Europe/Berlin)",
        ),
        (
            once(datetime(2026, 5, 1, 12, 30, 5, tzinfo=UTC)),
            "Once, on 2026-05-01 at 12:30:05 (UTC)",
        ),
        (Timing(kind="startup"), "At start-up"),
        (cron("@daily"), "At 00:00"),
    ],
)
def test_it_describes_each_kind(rule: Timing, sentence: str) -> None:
    assert timing_rule.describe(rule) == sentence


@each_row(
    ("rule", "expected"),
    [
        (every(300), False),
        (Timing(kind="startup"), False),
        (once(datetime(2026, 5, 1, 12, 30, tzinfo=UTC)), False),  # its words name the zone
        (cron("*/5 * * * *"), False),
        (cron("*/10 * * * * *"), False),
        (cron("@hourly"), False),
        (cron("15 * * * *"), True),  # half an hour off by the clock of Kolkata
        (cron("*/5 9-17 * * *"), True),
        (cron("*/5 * * * mon"), True),
        (cron("0 0 0 * * * 2027"), True),
        (cron("@daily"), True),
    ],
)
def test_it_knows_whose_words_need_a_zone(rule: Timing, expected: bool) -> None:
    assert timing_rule.names_hours(rule) is expected


@each_row(
    ("text", "zone", "expected"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            [
                "2026-03-29 02:30 is skipped in Europe/Berlin: it runs once, at 03:00",
                "2026-10-25 02:30 happens twice in Europe/Berlin: it runs once, the first time",
            ],
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            [
                "2026-03-29 02:00 to 02:45 is skipped in Europe/Berlin: it does not run then",
                "2026-10-25 02:00 to 02:45 happens twice in Europe/Berlin: it runs both times",
            ],
        ),
        (
            "5 45 1 * * *",
            "Australia/Lord_Howe",
            [
                "2026-04-05 01:45:05 happens twice in Australia/Lord_Howe: it runs once, the first time"
            ],
        ),
        ("30 2 * * *", "UTC", []),
        ("0 12 * * *", "Europe/Berlin", []),
        ("0 2 * * MON", "Europe/Berlin", []),
        ("*/5 * * * *", "Europe/Berlin", []),
    ],
)
def test_it_warns_of_times_that_the_clock_skips_or_repeats(
    text: str, zone: str, expected: list[str]
) -> None:
    assert timing_rule.warnings(cron(text, zone), NEW_YEAR) == expected


def test_an_interval_of_days_says_when_its_hour_moves() -> None:
    four = datetime(2026, 9, 1, 14, tzinfo=UTC)  # 16:00 in Berlin
    weekly = Timing(kind="interval", every_s=7 * 86400, anchor=four, timezone="Europe/Berlin")
    assert timing_rule.warnings(weekly, four) == [
        "From 2026-10-27 on it starts at 15:00 instead of 16:00 in Europe/Berlin: an interval counts hours, "
        "a cron line keeps the time of day"
    ]
    for steady in (replace(weekly, timezone="UTC"), replace(weekly, every_s=3 * 3600)):
        assert timing_rule.warnings(steady, four) == []


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_line_with_years_is_due_in_them_alone(zone: str) -> None:
    rule = cron("0 0 0 1 1 * 2027-2028", zone)
    timing_rule.check(rule)
    due = timing_rule.upcoming(rule, NEW_YEAR, 5)
    local = [instant.astimezone(ZoneInfo(zone)).isoformat()[:16] for instant in due]
    assert local == ["2027-01-01T00:00", "2028-01-01T00:00"]
    assert timing_rule.count_between(rule, NEW_YEAR, NEW_YEAR + timedelta(days=4000)) == 2


def test_it_has_no_warnings_for_other_kinds() -> None:
    assert [
        timing_rule.warnings(rule, NEW_YEAR)
        for rule in (every(60), once(NEW_YEAR), Timing(kind="startup"))
    ] == [
        [],
        [],
        [],
    ]
