"""What the cron parser reads, refuses and says in words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts_app.timing import cron_expression, cron_words, rule
from scripts_app.timing.wall_clock import DAY_S
from tests.rows import each_row

VECTORS = json.loads(
    (Path(__file__).parents[2] / "data" / "cron_vectors.json").read_text(encoding="utf-8")
)
DAY_2026 = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def refusal(text: str) -> str:
    with pytest.raises(rule.TimingError) as caught:
        cron_expression.parse(text)
    assert caught.value.field == "cron"
    return str(caught.value)


@each_row("text", VECTORS["invalid"])
def test_it_refuses_the_invalid_vectors_in_one_short_line(text: str) -> None:
    sentence = refusal(text)
    assert sentence.isprintable()
    assert len(sentence) < 250


@each_row(
    "text",
    [
        *VECTORS["never"],
        "0 0 31 4,6,9,11 *",
        "0 0 */15 * FRI#2",
        "0 0 30 2 */2",
        "0 0 0 29 2 * 2027",
        "0 0 L-30 2 *",
    ],
)
def test_it_refuses_dates_which_no_calendar_has(text: str) -> None:
    assert "never happens" in refusal(text)


@each_row(
    ("text", "start"),
    [
        ("0 24 * * *", "Hour 24: use 0-23"),
        ("60 * * * *", "Minute 60: use 0-59"),
        ("60 0 * * * *", "Second 60: use 0-59"),
        ("0 0 32 * *", "Day of month 32: use 1-31 or L"),
        ("0 0 * 0 *", "Month 0: use 1-12 or JAN-DEC"),
        ("0 0 * * 8", "Day of week 8: use 0-7 or SUN-SAT"),
        ("0 0 * * MON#6", "Day of week MON#6: use 1-5 after `#`"),
        ("0 0 * * MON#99999", "Day of week MON#99999: use 1-5 after `#`"),
        ("0 0 * * 8L", "Day of week 8L: use 0-7"),
        ("0 22-2 * * *", "Hour 22-2: a range runs upwards, so write 22-23,0-2"),
        ("0 0 * * FRI-SUN", "Day of week FRI-SUN: a range runs upwards, so write 5-7"),
        ("*/0 * * * *", "Minute */0: use a step of 1-9999"),
        ("*/10000 * * * *", "Minute */10000: use a step of 1-9999"),
        ("5, * * * *", "Minute is empty: use 0-59"),
        ("0 0 * jan-foo *", "Month jan-foo: use 1-12"),
        ("0 0 mon * *", "Day of month mon: use 1-31"),
        ("0 0 L-31 * *", "Day of month L-31: use 1-30 after `L-`"),
        ("0 0 W * *", "Day of month W: use 1-31 or L"),
        ("0 0 32W * *", "Day of month 32W: use 1-31 or L"),
        ("0 0 * * L", "Day of week L: use 0-7"),
        ("0 0 ? * MON", "Day of month ?: use 1-31"),
        ("0 0 0 1 1 * 2030 x", "8 fields: use 5"),
        ("0 0 0 1 1 * 1969", "Year 1969: use 1970-2099"),
        (
            "0 0 1 1 * 2030",
            "6 fields begin with the second: for a year write all 7, `0 0 0 1 1 * 2030`",
        ),
        ("@reboot", "`@reboot` is not a time of day: use the kind `startup`"),
        ("@fortnightly", "`@fortnightly` is not an alias: use @hourly, @daily"),
        ("0 0\n* * *", "4 fields"),
        ("", "The expression is empty"),
        (" \t ", "The expression is empty"),
    ],
)
def test_its_refusal_names_field_and_remedy(text: str, start: str) -> None:
    assert refusal(text).startswith(start)


@each_row("text", ["*" * 160_000, "1," * 80_000 + "1 * * * *", "0 " * 80_000, "@" * 160_000])
def test_it_refuses_a_flood_of_characters_by_its_length(text: str) -> None:
    assert refusal(text).endswith(f"an expression has at most {cron_expression.MAX_LENGTH}")


def test_it_refuses_a_long_digit_string_without_repeating_it() -> None:
    assert len(refusal("9" * 390 + " * * * *")) < 80


@each_row("character", ["\x00", "\x1b", "\n", "\u00a0", "\u0665", "\u202e", "\u212a", "ſ"])
def test_it_refuses_characters_outside_its_white_list(character: str) -> None:
    assert refusal(f"{character}5 * * * *").isprintable()


@given(st.text(max_size=30) | st.text("0123456789*,-/#L@ montueja", max_size=30))
def test_it_either_understands_a_text_or_raises_its_own_error(text: str) -> None:
    try:
        rule.check(rule.Timing(kind="cron", cron=text))
    except rule.TimingError as error:
        assert error.field == "cron"
        assert str(error)[0].isupper() or not str(error)[0].isalpha()
    else:
        assert cron_words.describe(text)


@each_row(
    ("text", "same"),
    [
        ("@DAILY", "0 0 * * *"),
        ("@annually", "@yearly"),
        ("  5\t4  * * * ", "5 4 * * *"),
        ("0 0 * * 7", "0 0 * * SUN"),
        ("0 0 * * 5-7", "0 0 * * fri,SAT,Sun"),
        ("0 0 * * 1-7/2", "0 0 * * 0,1,3,5"),
        ("5/15 * * * *", "5,20,35,50 * * * *"),
        ("0 0 5-5 * *", "0 0 5 * *"),
        ("*/90 0 * * *", "0 0 * * *"),
        ("0 0 31 dec *", "0 0 l DEC *"),
        ("0 0 * * 7#2", "0 0 * * sun#2"),
        ("0 0 * * fril", "0 0 * * 5L"),
        ("0 0 12 * * *", "0 12 * * *"),
        ("0 0 29 2 SUN#5,1", "0 0 29 2 MON,SUN#5"),
    ],
)
def test_it_reads_two_spellings_as_one(text: str, same: str) -> None:
    assert walls(text) == walls(same)


def walls(text: str, *, days: int = 800) -> list[int]:
    found: list[int] = []
    wall = cron_expression.parse(text).calendar.first(DAY_2026, DAY_2026 + days * DAY_S)
    while wall is not None:
        found.append(wall)
        wall = cron_expression.parse(text).calendar.first(wall + 1, DAY_2026 + days * DAY_S)
    return found


@st.composite
def terms(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    step = draw(st.integers(1, high + 5))
    return draw(
        st.sampled_from(
            [
                ("*", set(range(low, high + 1))),
                (f"*/{step}", set(range(low, high + 1, step))),
                (f"{first}", {first}),
                (f"{first}-{last}", set(range(first, last + 1))),
                (f"{first}-{last}/{step}", set(range(first, last + 1, step))),
                (f"{first}/{step}", set(range(first, high + 1, step))),
            ]
        )
    )


@settings(max_examples=300)
@given(
    st.lists(terms(0, 59), min_size=1, max_size=4), st.lists(terms(0, 23), min_size=1, max_size=4)
)
def test_it_expands_fields_as_ranges_with_steps(
    minutes: list[tuple[str, set[int]]], hours: list[tuple[str, set[int]]]
) -> None:
    text = f"{','.join(term for term, _ in minutes)} {','.join(term for term, _ in hours)} * * *"
    read = cron_expression.parse(text).calendar
    assert set(read.minutes) == set().union(*(values for _, values in minutes))
    assert set(read.hours) == set().union(*(values for _, values in hours))


@settings(max_examples=300)
@given(
    st.lists(terms(1, 12), min_size=1, max_size=4), st.lists(terms(0, 6), min_size=1, max_size=4)
)
def test_it_expands_months_and_weekdays_alike(
    months: list[tuple[str, set[int]]], weekdays: list[tuple[str, set[int]]]
) -> None:
    text = f"0 0 * {','.join(term for term, _ in months)} {','.join(term for term, _ in weekdays)}"
    read = cron_expression.parse(text).calendar
    assert read.months == set().union(*(values for _, values in months))
    assert read.weekdays == set().union(*(values for _, values in weekdays))


@each_row(
    ("text", "sentence"),
    [
        ("30 4 * * *", "At 04:30"),
        ("@hourly", "Every hour"),
        ("*/30 * * * *", "Every 30 minutes"),
        ("*/59 * * * *", "At 0 and 59 minutes past the hour"),
        ("*/90 * * * *", "Every hour"),
        ("5-5 4 * * *", "At 04:05"),
        ("0 0 5,* * MON", "At 00:00"),
        ("0 0 1-7 * MON", "At 00:00, between day 1 and 7 of the month, or on Monday"),
        ("0 0 */10 * MON", "At 00:00, on day 1, 11, 21 and 31 of the month, if it is Monday"),
        ("0 0 1,L * *", "At 00:00, on day 1 and the last day of the month"),
        ("0 0 L 6 *", "At 00:00, only in June, on the last day of the month"),
        ("0 0 * * 5L", "At 00:00, on the last Friday of the month"),
        (
            "0 0 * * MON#1,THU#3",
            "At 00:00, on the first Monday and the third Thursday of the month",
        ),
        (
            "0 0 13 * FRI,MON#1",
            "At 00:00, on day 13 of the month, or on Friday and the first Monday of the month",
        ),
        ("0 0 * * 0-7", "At 00:00"),
        ("*/10 * * * * *", "Every 10 seconds"),
        ("0 9 1 * 1-5", "At 09:00, on day 1 of the month, or Monday through Friday"),
        ("0 9 1-7 * 1-5", "At 09:00, between day 1 and 7 of the month, or Monday through Friday"),
        ("*/7 * * * *", "Every 7 minutes, counted anew each hour"),
        ("0 */5 * * *", "Every 5 hours, counted anew each day"),
        ("0 0 */10 * *", "At 00:00, every 10 days, counted anew each month"),
        ("0 0 1 */5 *", "At 00:00, on day 1 of the month, every 5 months, counted anew each year"),
        ("*/7 * * * * *", "Every 7 seconds, counted anew each minute"),
        (
            "*/7 */5 * * *",
            "Every 7 minutes, every 5 hours, counted anew each hour and day",
        ),
        ("7/20 * * * *", "Every 20 minutes, starting at 7 minutes past the hour"),
        (
            "25/20 * * * *",
            "At 25 and 45 minutes past the hour",
        ),
        ("*/20,5 * * * *", "At 0, 5, 20, and 40 minutes past the hour"),
        ("0 9 * * 0,7", "At 09:00, only on Sunday"),
        ("0 9 * * 0,7,7,1", "At 09:00, only on Sunday and Monday"),
        ("0 9 * * 1-5/2", "At 09:00, only on Monday, Wednesday, and Friday"),
        ("0 9 LW * *", "At 09:00, on the last weekday of the month"),
        ("0 9 15W * *", "At 09:00, on the weekday nearest day 15 of the month"),
        ("0 9 L-3 * *", "At 09:00, on the day 3 days before the last of the month"),
        ("0 0 9 1 1 * 2030", "At 09:00, on day 1 of the month, only in January, only in 2030"),
    ],
)
def test_it_says_what_an_expression_means(text: str, sentence: str) -> None:
    assert cron_words.describe(text) == sentence


@each_row(
    ("text", "days"),
    [
        # Saturday 15 and Sunday 15 move within the month, the 1st and the last never leave it.
        ("0 0 15W 8,11 *", ["2026-08-14", "2026-11-16"]),
        ("0 0 1W 8,11 *", ["2026-08-03", "2026-11-02"]),
        ("0 0 LW 1,2,5 *", ["2026-01-30", "2026-02-27", "2026-05-29"]),
        ("0 0 31W 5,6 *", ["2026-05-29"]),
        ("0 0 L-3 2,3 *", ["2026-02-25", "2026-03-28"]),
        ("0 0 L-1W 2 *", ["2026-02-27"]),
        ("0 0 L,L-1 2 *", ["2026-02-27", "2026-02-28"]),
        ("0 0 0 1 1 * 2026-2027/1", ["2026-01-01", "2027-01-01"]),
        ("0 0 0 1 1 * 2027", ["2027-01-01"]),
        ("0 0 0 29 2 * *", []),
    ],
)
def test_days_near_the_end_weekdays_and_years_are_those_of_the_calendar(
    text: str, days: list[str]
) -> None:
    span = 730 if len(text.split()) == 7 else 365
    found = [datetime.fromtimestamp(wall, UTC) for wall in walls(text, days=span)]
    assert [f"{day:%Y-%m-%d}" for day in found] == days


@each_row(
    ("text", "words"),
    [
        ("*/7 * * * *", ["Steps of 7 do not divide each hour"]),
        ("0 */5 * * *", ["Steps of 5 do not divide each day"]),
        ("0 0 */2 * *", ["Steps of 2 do not divide each month"]),
        ("0 0 * * 1#1", ["Debian's cron ignores them"]),
        ("0 0 * * 5L", ["Debian's cron ignores them"]),
        ("0 0 15W * *", ["not known to cron itself"]),
        ("*/15 */6 1 */3 1-5", []),
    ],
)
def test_what_people_stumble_over_is_said(text: str, words: list[str]) -> None:
    found = cron_words.notes(text)
    assert len(found) == len(words)
    assert all(word in note for word, note in zip(words, found, strict=True))
