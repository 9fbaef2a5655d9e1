"""Reads cron expressions behind a white list and says in words what they mean (no time zones here)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cron_descriptor import Options, get_description
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
_NTH = re.compile(r"(?P<weekday>[0-9]+|[a-z]{3})(?:#(?P<nth>[0-9]+)|l)")
_NTH_WORDS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_WEEKDAY_WORDS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class TimingError(ValueError):
    """Why a timing cannot be saved: str() is the user's sentence, `field` the value that has to change."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


# What one field may hold: numbers from `low` to `high`, `names` in place of those from `low` on.
@dataclass(frozen=True, kw_only=True)
class _Field:
    title: str
    low: int
    high: int
    hint: str = ""
    names: tuple[str, ...] = ()
    alias: int | None = None  # one number more, which means `low` (7 is Sunday)

    @property
    def allowed(self) -> str:
        return f"{self.low}-{self.high if self.alias is None else self.alias}{self.hint}"

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1)


_SECOND = _Field(title="second", low=0, high=59)
_MINUTE = _Field(title="minute", low=0, high=59)
_HOUR = _Field(title="hour", low=0, high=23)
_DAY = _Field(title="day of month", low=1, high=31, hint=" or L for the last day")
_MONTH = _Field(
    title="month",
    low=1,
    high=12,
    hint=" or JAN-DEC",
    names=("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
)
_WEEKDAY = _Field(
    title="day of week",
    low=0,
    high=6,
    hint=" or SUN-SAT, MON#1 for the first Monday, 5L for the last Friday",
    names=("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    alias=7,
)
_FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


# One field, read. `plain` are its terms in numbers, for croniter; it refuses or mixes up the rest.
@dataclass(frozen=True, kw_only=True)
class _Terms:
    plain: tuple[str, ...]
    has_star: bool = False
    has_last_day: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Expression:
    """A cron expression: `walls` are the wall-clock seconds it names."""

    walls: Calendar
    is_wildcard: bool  # minute or hour starts with `*`: the schedule follows real time through a change of the clock


@lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Return what `text` means: 5 fields, 6 with the second first, or an alias such as `@daily`.

    Raises TimingError for all else and for dates which no calendar has. The rules are those of Debian's cron, with
    `L`, `#` and `5/15` besides; a step longer than its field is legal there and leaves the first value.
    """
    terms = _read(text)
    walls = _calendar(terms)
    if not walls.is_ever_a_day():
        raise TimingError(
            "cron", f"`{_shown(text)}` never happens: no month it names has such a day"
        )
    return Expression(walls=walls, is_wildcard=terms[1].has_star or terms[2].has_star)


def describe(text: str) -> str:
    """Return what `text` means as a sentence: cron-descriptor's words, ours for days on which it is silent or wrong.

    Raises TimingError where parse() does.
    """
    walls = parse(text).walls
    second, minute, hour, day, month, weekday = _descriptor_fields(_read(text), walls)
    days = _days_in_words(walls)
    fields = [
        minute,
        hour,
        *(("*", month, "*") if days or not _limits(walls) else (day, month, weekday)),
    ]
    options = Options()
    options.use_24hour_time_format = True
    sentence: str = get_description(
        " ".join(fields if second == "0" else [second, *fields]), options
    )
    if days:
        return f"{sentence}, {days}"
    return sentence


def _read(text: str) -> list[_Terms]:
    return [_read_field(field, part) for field, part in zip(_FIELDS, _split(text), strict=True)]


def _split(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise TimingError("cron", f"{len(text)} characters: an expression has at most {MAX_LENGTH}")
    fields = re.split("[ \t]+", _without_alias(text.strip(" \t")))
    if fields == [""]:
        raise TimingError(
            "cron", "the expression is empty: use five fields such as `30 4 * * *`, or `@daily`"
        )
    if len(fields) not in (5, 6):
        expected = "minute, hour, day of month, month, day of week"
        raise TimingError(
            "cron",
            f"{len(fields)} field{'s' if len(fields) > 1 else ''}: use 5 ({expected}), or 6 with the second first",
        )
    if len(fields) == 6:
        return fields
    return ["0", *fields]


def expanded(text: str) -> str:
    """Return a line's fields, those of an alias written out. Raises TimingError for what is no alias."""
    return _without_alias(text.strip())


def _without_alias(text: str) -> str:
    if not text.startswith("@"):
        return text
    if text.lower() == "@reboot":
        raise TimingError("cron", "`@reboot` is not a time of day: use the kind `startup` instead")
    if text.lower() not in _ALIASES:
        raise TimingError("cron", f"`{_shown(text)}` is not an alias: use {', '.join(_ALIASES)}")
    return _ALIASES[text.lower()]


def _read_field(field: _Field, text: str) -> _Terms:
    terms = text.split(",")
    last_days = [term for term in terms if field is _DAY and term in ("L", "l")]
    nths = {term: match for term in terms if field is _WEEKDAY and (match := _match(_NTH, term))}
    return _Terms(
        plain=tuple(_read_term(field, term) for term in terms if term not in [*last_days, *nths]),
        has_star=text.startswith("*"),
        has_last_day=bool(last_days),
        nth_weekdays=frozenset(_read_nth(field, term, match) for term, match in nths.items()),
    )


def _match(pattern: re.Pattern[str], term: str) -> re.Match[str] | None:
    if term.isascii():
        return pattern.fullmatch(term.lower())
    return None


def _read_term(field: _Field, term: str) -> str:
    match = _match(_TERM, term)
    if match is None:
        raise _refusal(
            field, term, f"use {field.allowed}, `*`, lists (1,2), ranges (1-5), steps (*/5)"
        )
    step = _step(field, term, match["step"])
    if match["star"]:
        return _canonical(field.low, field.high, step, span="*")
    low = _value(field, term, match["low"])
    if match["high"]:
        high = _value(field, term, match["high"])
    else:
        high = low
    if match["step"] and not match["high"]:
        return _canonical(low, max(low, field.high), step, span=str(low))
    if high < low:
        raise _refusal(
            field, term, f"a range runs upwards, so write {_two_ranges(field, low, high)}"
        )
    return _canonical(low, high, step, span=f"{low}-{high}")


# Return what a range that passes the end of its field must be written as.
def _two_ranges(field: _Field, low: int, high: int) -> str:
    if high == field.low and field.alias is not None:
        return f"{low}-{field.alias}"
    return f"{low}-{field.high},{field.low}-{high}"


# Return a term which croniter and cron-descriptor read as cron does (`5-5` and `*/59` they do not).
def _canonical(low: int, high: int, step: int, *, span: str) -> str:
    values = range(low, high + 1, step)
    is_even = span == "*" and (high - low + 1) % step == 0
    if len(values) == 1 or (len(values) == 2 and not is_even):
        return ",".join(map(str, values))
    if step == 1 and span != str(low):
        return span
    return f"{span}/{step}"


def _read_nth(field: _Field, term: str, match: re.Match[str]) -> tuple[int, int]:
    weekday = _value(field, term, match["weekday"]) % 7
    nth = _number(match["nth"]) if match["nth"] else LAST
    if nth not in _NTH_WORDS:
        raise _refusal(field, term, "use 1-5 after `#`")
    return weekday, nth


def _value(field: _Field, term: str, text: str) -> int:
    if text in field.names:
        number = field.low + field.names.index(text)
    else:
        number = _number(text)
    if number not in field.values and number != field.alias:
        raise _refusal(field, text if text == term else term, f"use {field.allowed}")
    return number


def _step(field: _Field, term: str, text: str | None) -> int:
    step = 1 if text is None else _number(text)
    if step < 1:
        raise _refusal(field, term, f"use a step of 1-{10**_MAX_DIGITS - 1} after `/`")
    return step


def _number(text: str) -> int:
    digits = text.lstrip("0") or "0"
    if text.isdecimal() and len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -1


def _refusal(field: _Field, term: str, hint: str) -> TimingError:
    return TimingError("cron", f"{field.title} {_shown(term) or 'is empty'}: {hint}")


def _shown(text: str) -> str:
    visible = "".join(character if character.isprintable() else "?" for character in text[:40])
    if len(text) <= 40:
        return visible
    return f"{visible}..."


def _calendar(terms: Sequence[_Terms]) -> Calendar:
    seconds, minutes, hours, days, months, weekdays = _expand(terms)
    return Calendar(
        seconds=tuple(sorted(seconds)),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        has_last_day=terms[3].has_last_day,
        months=months,
        weekdays=weekdays,
        nth_weekdays=terms[5].nth_weekdays,
        needs_both_days=terms[3].has_star or terms[5].has_star,
    )


def _expand(terms: Sequence[_Terms]) -> list[frozenset[int]]:
    second, *others = (",".join(item.plain) or "*" for item in terms)
    expanded, _ = croniter.expand(" ".join([*others, second]))
    fields = zip(_FIELDS, terms, [expanded[-1], *expanded[:-1]], strict=True)
    return [_values(field, values) if item.plain else frozenset() for field, item, values in fields]


def _values(field: _Field, values: Sequence[int | str]) -> frozenset[int]:
    return frozenset(field.values if "*" in values else (int(value) for value in values))


# Return the fields as cron-descriptor should read them: `*` for all that leaves nothing out.
def _descriptor_fields(terms: Sequence[_Terms], walls: Calendar) -> list[str]:
    sets = (walls.seconds, walls.minutes, walls.hours, walls.days, walls.months, walls.weekdays)
    return [
        "*" if len(values) == len(field.values) else ",".join(item.plain)
        for field, item, values in zip(_FIELDS, terms, sets, strict=True)
    ]


# Return which of the two day fields leave any day out; where either may match, one that leaves out
# none wins.
def _limits(walls: Calendar) -> set[str]:
    limits = set()
    if len(walls.days) < len(_DAY.values):
        limits.add("date")
    if len(walls.weekdays) < len(_WEEKDAY.values):
        limits.add("weekday")
    if walls.needs_both_days or len(limits) == 2:
        return limits
    return set()


def _days_in_words(walls: Calendar) -> str:
    limits = _limits(walls)
    is_special = ("date" in limits and walls.has_last_day) or (
        "weekday" in limits and walls.nth_weekdays
    )
    if len(limits) == 2 and (is_special or walls.needs_both_days):
        link = ", if it is" if walls.needs_both_days else ", or on"
        return f"on {_dates_in_words(walls)}{link} {_weekdays_in_words(walls)}"
    if not is_special:
        return ""
    return f"on {_dates_in_words(walls) if 'date' in limits else _weekdays_in_words(walls)}"


def _dates_in_words(walls: Calendar) -> str:
    numbers = [str(day) for day in sorted(walls.days)]
    if numbers:
        names = [f"day {numbers[0]}", *numbers[1:]]
    else:
        names = []
    return f"{_joined([*names, *(['the last day'] if walls.has_last_day else [])])} of the month"


def _weekdays_in_words(walls: Calendar) -> str:
    plain = [_WEEKDAY_WORDS[weekday] for weekday in sorted(walls.weekdays)]
    nths = [
        f"the {_NTH_WORDS[nth]} {_WEEKDAY_WORDS[weekday]}"
        for weekday, nth in sorted(walls.nth_weekdays)
    ]
    return f"{_joined([*plain, *nths])}{' of the month' if nths else ''}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
