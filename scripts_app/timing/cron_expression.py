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


# Numbers from `low` to `high`, or `names` for the numbers from `low` on.
@dataclass(frozen=True, kw_only=True)
class _Field:
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


# The terms of a field.
@dataclass(frozen=True, kw_only=True)
class _Terms:
    plain: tuple[str, ...]  # numbers, for croniter: it refuses or mixes up the other terms
    has_star: bool = False
    has_last_day: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Expression:
    """A cron expression; `calendar` holds the wall-clock times that match."""

    calendar: Calendar
    # Minute or hour starts with `*`: the schedule follows real time through a change of the clock.
    is_wildcard: bool


@lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Return the meaning of 5 fields, of 6 with the second first, or of an alias such as `@daily`.

    Raise TimingError for any other text and for dates which no calendar has. The rules are those of Debian's cron, with
    `L`, `#` and `5/15` besides; a step longer than its field is legal there and leaves the first value.
    """
    terms = _read(text)
    calendar = _calendar(terms)
    if not calendar.is_ever_a_day():
        sentence = f"`{_excerpt(text)}` never happens: no month it names has such a day"
        raise TimingError("cron", sentence)
    return Expression(calendar=calendar, is_wildcard=terms[1].has_star or terms[2].has_star)


def describe(text: str) -> str:
    """Return an expression as a sentence. Raise TimingError like parse()."""
    calendar = parse(text).calendar
    second, minute, hour, day, month, weekday = _descriptor_fields(_read(text), calendar)
    days = _describe_days(calendar)
    if days or not _limiting_fields(calendar):
        day = weekday = "*"
    fields = [minute, hour, day, month, weekday]
    if second != "0":
        fields.insert(0, second)
    options = Options()
    options.use_24hour_time_format = True
    sentence: str = get_description(" ".join(fields), options)
    if days:
        return f"{sentence}, {days}"
    return sentence


def expand_alias(text: str) -> str:
    """Return the fields of a line, those of an alias written out. Raise TimingError for an unknown alias."""
    return _without_alias(text.strip())


def _read(text: str) -> list[_Terms]:
    return [_read_field(field, part) for field, part in zip(_FIELDS, _split(text), strict=True)]


def _split(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise TimingError("cron", f"{len(text)} characters: an expression has at most {MAX_LENGTH}")
    fields = re.split("[ \t]+", _without_alias(text.strip(" \t")))
    if fields == [""]:
        hint = "use five fields such as `30 4 * * *`, or `@daily`"
        raise TimingError("cron", f"the expression is empty: {hint}")
    if len(fields) == 5:
        fields.insert(0, "0")  # the second
    elif len(fields) != 6:
        number = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        expected = "minute, hour, day of month, month, day of week"
        raise TimingError("cron", f"{number}: use 5 ({expected}), or 6 with the second first")
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


def _read_field(field: _Field, text: str) -> _Terms:
    plain = []
    has_last_day = False
    nths = []
    for term in text.split(","):
        if field is _DAY and term in ("L", "l"):
            has_last_day = True
        elif field is _WEEKDAY and (match := _match(_NTH, term)):
            nths.append((term, match))
        else:
            plain.append(_read_term(field, term))
    return _Terms(
        plain=tuple(plain),
        has_star=text.startswith("*"),
        has_last_day=has_last_day,
        nth_weekdays=frozenset(_read_nth(field, term, match) for term, match in nths),
    )


def _match(pattern: re.Pattern[str], term: str) -> re.Match[str] | None:
    # lower() turns some letters outside ASCII into letters inside: the Kelvin sign into `k`.
    if not term.isascii():
        return None
    return pattern.fullmatch(term.lower())


def _read_term(field: _Field, term: str) -> str:
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
def _two_ranges(field: _Field, low: int, high: int) -> str:
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


def _read_nth(field: _Field, term: str, match: re.Match[str]) -> tuple[int, int]:
    weekday = _read_value(field, term, match["weekday"]) % 7
    if not match["nth"]:
        return weekday, LAST
    nth = _read_number(match["nth"])
    if (
        nth not in _NTH_WORDS or nth == LAST
    ):  # a number with too many digits reads as -1, which LAST is
        raise _refusal(field, term, "use 1-5 after `#`")
    return weekday, nth


def _read_value(field: _Field, term: str, text: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    number = _read_number(text)
    if number not in field.values and number != field.alias:
        raise _refusal(field, term, f"use {field.allowed}")
    return number


def _read_step(field: _Field, term: str, text: str | None) -> int:
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


def _refusal(field: _Field, term: str, hint: str) -> TimingError:
    return TimingError("cron", f"{field.title} {_excerpt(term) or 'is empty'}: {hint}")


# The start of a text, safe to print in one line.
def _excerpt(text: str) -> str:
    visible = "".join(character if character.isprintable() else "?" for character in text[:40])
    if len(text) > 40:
        return f"{visible}..."
    return visible


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
    second, *others = [",".join(item.plain) or "*" for item in terms]
    expanded, _ = croniter.expand(" ".join([*others, second]))  # it wants the second last
    in_order = [expanded[-1], *expanded[:-1]]
    sets = []
    for field, item, values in zip(_FIELDS, terms, in_order, strict=True):
        if not item.plain:
            sets.append(frozenset[int]())
        elif "*" in values:
            sets.append(frozenset(field.values))
        else:
            sets.append(frozenset(map(int, values)))
    return sets


# The fields as cron-descriptor should read them: `*` for each that leaves no value out.
def _descriptor_fields(terms: Sequence[_Terms], calendar: Calendar) -> list[str]:
    sets = (
        calendar.seconds,
        calendar.minutes,
        calendar.hours,
        calendar.days,
        calendar.months,
        calendar.weekdays,
    )
    texts = []
    for field, item, values in zip(_FIELDS, terms, sets, strict=True):
        is_full = len(values) == len(field.values)
        texts.append("*" if is_full else ",".join(item.plain))
    return texts


# The day fields that leave a day out. Where either of both may match, a field without a limit lifts the other's.
def _limiting_fields(calendar: Calendar) -> set[str]:
    limiting = set()
    if len(calendar.days) < len(_DAY.values):
        limiting.add("date")
    if len(calendar.weekdays) < len(_WEEKDAY.values):
        limiting.add("weekday")
    if calendar.needs_both_days or len(limiting) == 2:
        return limiting
    return set()


# Tempo's own words for days on which cron-descriptor is silent or wrong; empty where its words are right.
def _describe_days(calendar: Calendar) -> str:
    limiting = _limiting_fields(calendar)
    has_special_date = "date" in limiting and calendar.has_last_day
    has_special_weekday = "weekday" in limiting and bool(calendar.nth_weekdays)
    is_special = has_special_date or has_special_weekday
    if len(limiting) == 2 and (is_special or calendar.needs_both_days):
        link = ", if it is" if calendar.needs_both_days else ", or on"
        return f"on {_describe_dates(calendar)}{link} {_describe_weekdays(calendar)}"
    if not is_special:
        return ""
    if "date" in limiting:
        return f"on {_describe_dates(calendar)}"
    return f"on {_describe_weekdays(calendar)}"


def _describe_dates(calendar: Calendar) -> str:
    words = [str(day) for day in sorted(calendar.days)]
    if words:
        words[0] = f"day {words[0]}"
    if calendar.has_last_day:
        words.append("the last day")
    return f"{_join(words)} of the month"


def _describe_weekdays(calendar: Calendar) -> str:
    words = [_WEEKDAY_WORDS[weekday] for weekday in sorted(calendar.weekdays)]
    for weekday, nth in sorted(calendar.nth_weekdays):
        words.append(f"the {_NTH_WORDS[nth]} {_WEEKDAY_WORDS[weekday]}")
    if calendar.nth_weekdays:
        return f"{_join(words)} of the month"
    return _join(words)


def _join(words: Sequence[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
