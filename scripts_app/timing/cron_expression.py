"""Reads cron expressions behind a white list (no time zones here); `cron_words` says what they mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from croniter import croniter

from scripts_app.timing.wall_clock import LAST, Calendar

MAX_LENGTH = 400
_MAX_DIGITS = 4  # digits, leading zeros apart

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_TERM = re.compile(
    r"(?:(?P<star>\*)|(?P<low>[0-9]+|[a-z]{3})(?:-(?P<high>[0-9]+|[a-z]{3}))?)(?:/(?P<step>[0-9]+))?"
)
_NEAR_DATE = re.compile(r"(?P<day>[0-9]+)w")
_FROM_END = re.compile(r"l(?:-(?P<before>[0-9]+))?(?P<near>w)?")
_YEAR = re.compile(r"[12][0-9]{3}")
_NTH = re.compile(r"(?P<weekday>[0-9]+|[a-z]{3})(?:#(?P<nth>[0-9]+)|l)")


class TimingError(ValueError):
    """Why a timing cannot be saved: str() is the user's sentence, `field` the value that has to change."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class CronField:
    """Numbers from `low` to `high`, or `names` for the numbers from `low` on."""

    title: str
    low: int
    high: int
    hint: str = ""
    names: tuple[str, ...] = ()
    alias: int | None = None  # a further number that means `low` (7 is Sunday)

    @property
    def allowed(self) -> str:
        high = self.high if self.alias is None else self.alias
        return f"{self.low}-{high}{self.hint}"

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1)


_SECOND = CronField(title="second", low=0, high=59)
_MINUTE = CronField(title="minute", low=0, high=59)
_HOUR = CronField(title="hour", low=0, high=23)
_DAY = CronField(title="day of month", low=1, high=31, hint=" or L for the last day, L-3, LW, 15W")
_MONTH = CronField(
    title="month",
    low=1,
    high=12,
    hint=" or JAN-DEC",
    names=("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
)
_WEEKDAY = CronField(
    title="day of week",
    low=0,
    high=6,
    hint=" or SUN-SAT, MON#1 for the first Monday, 5L for the last Friday",
    names=("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    alias=7,
)
_YEARS = CronField(title="year", low=1970, high=2099)
_CRONITER_PLACES = {
    "minute": 0,
    "hour": 1,
    "day of month": 2,
    "month": 3,
    "day of week": 4,
    "second": 5,
    "year": 6,
}
FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _YEARS)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of one field; the sets are those of Calendar."""

    plain: tuple[str, ...]  # numbers, for croniter: it refuses or mixes up the other terms
    has_star: bool = False
    days_from_end: frozenset[int] = frozenset()
    near_weekdays: frozenset[int] = frozenset()
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Expression:
    """A cron expression; `calendar` holds the wall-clock times that match."""

    calendar: Calendar
    # Minute or hour starts with `*`: the schedule follows real time through a change of the clock.
    is_wildcard: bool


@lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Return the meaning of 5 fields, of 6 with the second first, of 7 with the year last, or of an alias.

    Raise TimingError for any other text and for dates which no calendar has. The rules are those of Debian's cron, with
    `L`, `W`, `#` and `5/15` besides; a step longer than its field is legal there and leaves the first value.
    """
    terms = read(text)
    calendar = _calendar(terms)
    if not calendar.is_ever_a_day():
        sentence = f"`{_excerpt(text)}` never happens: no month it names has such a day"
        raise TimingError("cron", sentence)
    return Expression(calendar=calendar, is_wildcard=terms[1].has_star or terms[2].has_star)


def is_steady(text: str) -> bool:
    """Return whether a line names minutes alone, as numbers of them or as the full hour. Raise TimingError."""
    _, minute, *others = _split(text)
    return others == ["*"] * 5 and (minute == "0" or minute.startswith("*"))


def expand_alias(text: str) -> str:
    """Return the fields of a line, those of an alias written out. Raise TimingError for an unknown alias."""
    return _without_alias(text.strip())


def read(text: str) -> list[Terms]:
    """Return the terms of second, minute, hour, day, month, weekday and year. Raise TimingError."""
    return [_read_field(field, part) for field, part in zip(FIELDS, _split(text), strict=True)]


def _split(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise TimingError("cron", f"{len(text)} characters: an expression has at most {MAX_LENGTH}")
    fields = re.split("[ \t]+", _without_alias(text.strip(" \t")))
    if fields == [""]:
        hint = "use five fields such as `30 4 * * *`, or `@daily`"
        raise TimingError("cron", f"The expression is empty: {hint}")
    if len(fields) == 6 and _YEAR.fullmatch(fields[5]):
        raise TimingError(
            "cron", f"6 fields begin with the second: for a year write all 7, `0 {_excerpt(text)}`"
        )
    if len(fields) == 5:
        fields.insert(0, "0")  # the second
    if len(fields) == 6:
        fields.append("*")  # the year
    if len(fields) != 7:
        number = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        expected = "minute, hour, day of month, month, day of week"
        raise TimingError(
            "cron", f"{number}: use 5 ({expected}), 6 with the second first, 7 with the year last"
        )
    return fields


def _without_alias(text: str) -> str:
    if not text.startswith("@"):
        return text
    alias = text.lower()
    if alias == "@reboot":
        raise TimingError("cron", "`@reboot` is not a time of day: use the kind `startup` instead")
    if alias not in _ALIASES:
        known = ", ".join(_ALIASES)
        raise TimingError("cron", f"`{_excerpt(text)}` is not an alias: use {known}")
    return _ALIASES[alias]


def _read_field(field: CronField, text: str) -> Terms:
    plain = []
    days_from_end = set()
    near_weekdays = set()
    nths = set()
    for term in text.split(","):
        if field is _DAY and (match := _match(_FROM_END, term)):
            before = _read_days_before_the_last(term, match["before"])
            if match["near"]:
                near_weekdays.add(-before)
            else:
                days_from_end.add(before)
        elif field is _DAY and (match := _match(_NEAR_DATE, term)):
            near_weekdays.add(_read_value(field, term, match["day"]))
        elif field is _WEEKDAY and (match := _match(_NTH, term)):
            nths.add(_read_nth(field, term, match))
        else:
            plain.append(_read_term(field, term))
    return Terms(
        plain=tuple(plain),
        has_star=text.startswith("*"),
        days_from_end=frozenset(days_from_end),
        near_weekdays=frozenset(near_weekdays),
        nth_weekdays=frozenset(nths),
    )


def _read_days_before_the_last(term: str, text: str | None) -> int:
    if text is None:
        return 0
    before = _read_number(text)
    if not 1 <= before <= 30:
        raise _refusal(_DAY, term, "use 1-30 after `L-`")
    return before


def _match(pattern: re.Pattern[str], term: str) -> re.Match[str] | None:
    # lower() turns some letters outside ASCII into letters inside: the Kelvin sign into `k`.
    if not term.isascii():
        return None
    return pattern.fullmatch(term.lower())


def _read_term(field: CronField, term: str) -> str:
    match = _match(_TERM, term)
    if match is None:
        hint = f"use {field.allowed}, `*`, lists (1,2), ranges (1-5), steps (*/5)"
        raise _refusal(field, term, hint)
    step = _read_step(field, term, match["step"])
    if match["star"]:
        return _canonical(field.low, field.high, step, span="*")
    low = _read_value(field, term, match["low"])
    if match["high"]:
        high = _read_value(field, term, match["high"])
    elif match["step"]:
        return _canonical(low, max(low, field.high), step, span=str(low))
    else:
        high = low
    if high < low:
        hint = f"a range runs upwards, so write {_two_ranges(field, low, high)}"
        raise _refusal(field, term, hint)
    return _canonical(low, high, step, span=f"{low}-{high}")


# A range that passes the end of its field, as it has to be written.
def _two_ranges(field: CronField, low: int, high: int) -> str:
    if high == field.low and field.alias is not None:
        return f"{low}-{field.alias}"
    return f"{low}-{field.high},{field.low}-{high}"


# The same term as croniter and cron-descriptor have to see it: they do not read `5-5` and `*/59` as cron does.
def _canonical(low: int, high: int, step: int, *, span: str) -> str:
    values = range(low, high + 1, step)
    is_even = span == "*" and (high - low + 1) % step == 0
    if len(values) == 1 or (len(values) == 2 and not is_even):
        return ",".join(map(str, values))
    if step == 1 and span != str(low):
        return span
    return f"{span}/{step}"


def _read_nth(field: CronField, term: str, match: re.Match[str]) -> tuple[int, int]:
    weekday = _read_value(field, term, match["weekday"]) % 7
    if not match["nth"]:
        return weekday, LAST
    nth = _read_number(match["nth"])
    if not 1 <= nth <= 5:
        raise _refusal(field, term, "use 1-5 after `#`")
    return weekday, nth


def _read_value(field: CronField, term: str, text: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    number = _read_number(text)
    if number not in field.values and number != field.alias:
        raise _refusal(field, term, f"use {field.allowed}")
    return number


def _read_step(field: CronField, term: str, text: str | None) -> int:
    if text is None:
        return 1
    step = _read_number(text)
    if step < 1:
        raise _refusal(field, term, f"use a step of 1-{10**_MAX_DIGITS - 1} after `/`")
    return step


# -1, which is allowed nowhere, stands for a name or for more digits than any value needs.
def _read_number(text: str) -> int:
    digits = text.lstrip("0") or "0"
    if text.isdecimal() and len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -1


def _refusal(field: CronField, term: str, hint: str) -> TimingError:
    return TimingError("cron", f"{field.title.capitalize()} {_excerpt(term) or 'is empty'}: {hint}")


# The start of a text, safe to print in one line.
def _excerpt(text: str) -> str:
    visible = "".join(character if character.isprintable() else "?" for character in text[:40])
    if len(text) > 40:
        return f"{visible}..."
    return visible


def _calendar(terms: Sequence[Terms]) -> Calendar:
    seconds, minutes, hours, days, months, weekdays, years = map(_values, FIELDS, terms)
    is_any_year = len(years) == len(_YEARS.values)
    return Calendar(
        seconds=tuple(sorted(seconds)),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        days_from_end=terms[3].days_from_end,
        near_weekdays=terms[3].near_weekdays,
        months=months,
        weekdays=weekdays,
        nth_weekdays=terms[5].nth_weekdays,
        needs_both_days=terms[3].has_star or terms[5].has_star,
        years=None if is_any_year else years,
    )


# croniter reads the terms, which are in the canonical form that it reads as cron does.
def _values(field: CronField, terms: Terms) -> frozenset[int]:
    if not terms.plain:
        return frozenset()
    fields = ["0", "0", "*", "*", "*", "0", "*"]  # croniter wants the second behind the weekday
    place = _CRONITER_PLACES[field.title]
    fields[place] = ",".join(terms.plain)
    expanded, _ = croniter.expand(" ".join(fields))
    if "*" in expanded[place]:
        return frozenset(field.values)
    return frozenset(map(int, expanded[place]))
