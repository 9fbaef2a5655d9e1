"""Cron lines as plain choices, and back."""

from hypothesis import given, reject
from hypothesis import strategies as st

from scripts_app.timing import cron_expression, simple
from scripts_app.timing.simple import LAST_DAY, STEPS, Simple
from tests.rows import each_row

HOURS, MINUTES = st.integers(0, 23), st.integers(0, 59)
RHYTHMS = st.one_of(
    st.builds(Simple, every=st.just("minutes"), step=st.sampled_from(STEPS)),
    st.builds(Simple, every=st.just("hour"), minute=MINUTES),
    st.builds(Simple, every=st.just("day"), hour=HOURS, minute=MINUTES),
    st.builds(
        Simple,
        every=st.just("week"),
        hour=HOURS,
        minute=MINUTES,
        weekdays=st.sets(st.integers(0, 6), min_size=1, max_size=6).map(
            lambda days: tuple(sorted(days))
        ),
    ),
    st.builds(
        Simple, every=st.just("month"), hour=HOURS, minute=MINUTES, day=st.integers(LAST_DAY, 31)
    ),
)
# Most of these become choices.
LINES = st.tuples(
    st.sampled_from(["0", "05", "59", "0,30"]),
    st.sampled_from(["0", "7", "23", "7-7"]),
    st.sampled_from(["* * *", "1 * *", "L * *", "* * mon", "* * 6,7", "* * 1-5", "1 * 1"]),
).map(" ".join)


@given(RHYTHMS)
def test_choices_survive_the_way_to_a_line_and_back(rhythm: Simple) -> None:
    assert simple.parse(simple.line(rhythm)) == rhythm


@given(LINES)
def test_a_line_that_becomes_choices_means_the_same_as_they_do(text: str) -> None:
    rhythm = simple.parse(text)
    if rhythm is None:
        reject()
    read, own = cron_expression.parse(text), cron_expression.parse(simple.line(rhythm))
    assert vars(read.calendar) == vars(own.calendar)
    assert read.is_wildcard == own.is_wildcard


@each_row(
    ("text", "rhythm"),
    [
        ("* * * * *", Simple(every="minutes", step=1)),
        ("0,20,40 * * * *", Simple(every="minutes", step=20)),
        ("@hourly", Simple(every="hour", minute=0)),
        ("@daily", Simple(every="day", hour=0)),
        ("0 30 2 * * *", Simple(every="day", hour=2, minute=30)),
        ("0 9 * * mon-fri", Simple(every="week", weekdays=(1, 2, 3, 4, 5))),
        ("0 9 * * 7,sat", Simple(every="week", weekdays=(0, 6))),
        ("0 9 L * *", Simple(every="month", day=LAST_DAY)),
    ],
)
def test_lines_as_people_write_them_are_understood(text: str, rhythm: Simple) -> None:
    assert simple.parse(text) == rhythm


@each_row(
    "text",
    [
        "*/7 * * * *",  # jumps at the end of the hour
        "0 0-23 * * *",  # hourly, but by the wall clock: it skips and repeats nothing
        "0 9 1 * 1",  # the first, or any Monday
        "0 9 * 1 *",
        "0 9,17 * * *",
        "0 9 * * 1#1",
        "0 9 15,L * *",
        "30 0 9 * * *",
        "@yearly",
        "0 0 30 2 *",
        "nonsense",
        "",
    ],
)
def test_what_plain_choices_cannot_say_is_left_alone(text: str) -> None:
    assert simple.parse(text) is None


def test_a_week_of_all_days_is_every_day() -> None:
    assert simple.line(Simple(every="week", weekdays=(0, 1, 2, 3, 4, 5, 6))) == "0 9 * * *"


@each_row(
    ("text", "count"), [("0 9 31 * *", 1), ("0 9 28 * *", 0), ("0 9 L * *", 0), ("0 9 * * *", 0)]
)
def test_a_day_that_some_months_lack_is_pointed_out(text: str, count: int) -> None:
    assert len(simple.notes(text)) == count
