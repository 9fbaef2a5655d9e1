"""Says in words what a cron expression means, and what people beware of who know it from elsewhere."""

from collections.abc import Iterator, Sequence

from cron_descriptor import Options, get_description

from scripts_app.timing import cron_expression
from scripts_app.timing.cron_expression import FIELDS, Terms
from scripts_app.timing.wall_clock import LAST, Calendar

_ALL_DATES = 31
_ALL_WEEKDAYS = 7
_MIN_RUN = 3  # days in a row that are said as a span
_NTH_WORDS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_WEEKDAY_WORDS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# What a field of seconds, minutes, hours, days and months is a part of.
_WHOLES = ("minute", "hour", "day", "month", "year")
_WEEKDAY_FIELD = 5


def describe(text: str) -> str:
    """Return an expression as a sentence. Raise TimingError like cron_expression.parse()."""
    calendar = cron_expression.parse(text).calendar
    terms = cron_expression.read(text)
    second, minute, hour, day, month, weekday, year = _descriptor_fields(terms, calendar)
    days = _describe_days(calendar)
    if days or not _limiting_fields(calendar):
        day = weekday = "*"
    fields = [minute, hour, day, month, weekday]
    if second != "0" or year != "*":
        fields.insert(0, second)
    if year != "*":
        fields.append(year)
    options = Options()
    options.use_24hour_time_format = True
    sentence = str(get_description(" ".join(fields), options))
    anew = [whole for _, _, whole in _uneven_steps(terms)]
    if days and "month" in anew:
        anew.remove("month")  # the days are listed
    if days:
        sentence = f"{sentence}, {days}"
    if anew:
        sentence = f"{sentence}, counted anew each {_join(anew)}"
    return sentence


def notes(text: str) -> list[str]:
    """Return sentences about steps that jump and about terms that other crons read otherwise. Raise TimingError."""
    terms = cron_expression.read(text)
    found = []
    for step, field, whole in _uneven_steps(terms):
        found.append(
            f"Steps of {step} do not divide each {whole}: the next {whole} begins anew at {field}, a shorter step later"
        )
    if terms[5].nth_weekdays:
        found.append(
            "`#` and `L` behind a day of the week mean one week of the month here: Debian's cron ignores them and "
            "runs on each such day"
        )
    if terms[3].near_weekdays or terms[3].days_from_end:
        found.append("`L` and `W` in the day of the month are not known to cron itself")
    return found


# The step, the first value with its field's name and the whole, for each field whose last step is shorter.
def _uneven_steps(terms: Sequence[Terms]) -> Iterator[tuple[int, str, str]]:
    for field, item, whole in zip(FIELDS, terms, _WHOLES, strict=False):
        if len(item.plain) != 1 or "/" not in item.plain[0] or "-" in item.plain[0]:
            continue
        start, _, step_text = item.plain[0].partition("/")
        step = int(step_text)
        first = field.low if start == "*" else int(start)
        is_even = len(field.values) % step == 0 and first - field.low < step
        if whole == "month" or not is_even:
            yield step, f"{field.title} {first}", whole


# The fields as cron-descriptor should read them: `*` for each that leaves no value out.
def _descriptor_fields(terms: Sequence[Terms], calendar: Calendar) -> list[str]:
    years = calendar.years
    sets = (
        calendar.seconds,
        calendar.minutes,
        calendar.hours,
        calendar.days,
        calendar.months,
        calendar.weekdays,
        FIELDS[-1].values if years is None else years,
    )
    texts = []
    for number, (field, item, values) in enumerate(zip(FIELDS, terms, sets, strict=True)):
        is_full = len(values) == len(field.values)
        is_list = len(item.plain) > 1 and any("/" in term or "-" in term for term in item.plain)
        is_stepped_weekday = number == _WEEKDAY_FIELD and "/" in "".join(item.plain)
        if is_full:
            texts.append("*")
        elif is_list or is_stepped_weekday:
            texts.append(",".join(map(str, sorted(values))))
        else:
            texts.append(_without_doubles(item.plain, field.alias, field.low))
    return texts


def _without_doubles(terms: Sequence[str], alias: int | None, meaning: int) -> str:
    unique = [str(meaning) if term == str(alias) else term for term in terms]
    return ",".join(dict.fromkeys(unique))


# The day fields that leave a day out. Where either of both may match, a field without a limit lifts the other's.
def _limiting_fields(calendar: Calendar) -> set[str]:
    limiting = set()
    if len(calendar.days) < _ALL_DATES:
        limiting.add("date")
    if len(calendar.weekdays) < _ALL_WEEKDAYS:
        limiting.add("weekday")
    if calendar.needs_both_days or len(limiting) == 2:
        return limiting
    return set()


# Tempo's own words for days on which cron-descriptor is silent or wrong; empty where its words are right.
def _describe_days(calendar: Calendar) -> str:
    limiting = _limiting_fields(calendar)
    if len(limiting) == 2:
        link = ", if it is" if calendar.needs_both_days else ", or"
        weekdays = _describe_weekdays(calendar)
        is_span = not calendar.nth_weekdays and " through " in weekdays
        if link == ", or" and not is_span:
            link = ", or on"
        return f"{_describe_dates(calendar)}{link} {weekdays}"
    if "date" in limiting and (calendar.days_from_end or calendar.near_weekdays):
        return _describe_dates(calendar)
    if "weekday" in limiting and calendar.nth_weekdays:
        return f"on {_describe_weekdays(calendar)}"
    return ""


def _describe_dates(calendar: Calendar) -> str:
    days = sorted(calendar.days)
    special = [*map(_day_from_end, sorted(calendar.days_from_end))]
    special += map(_day_near, sorted(calendar.near_weekdays))
    if len(days) >= _MIN_RUN and days[-1] - days[0] == len(days) - 1 and not special:
        return f"between day {days[0]} and {days[-1]} of the month"
    words = [str(day) for day in days]
    if words:
        words[0] = f"day {words[0]}"
    return f"on {_join([*words, *special])} of the month"


def _day_from_end(before: int) -> str:
    if before == 0:
        return "the last day"
    if before == 1:
        return "the day before the last"
    return f"the day {before} days before the last"


def _day_near(date: int) -> str:
    if date > 0:
        return f"the weekday nearest day {date}"
    if date == 0:
        return "the last weekday"
    return f"the weekday nearest {_day_from_end(-date)}"


def _describe_weekdays(calendar: Calendar) -> str:
    days = sorted(calendar.weekdays)
    if not calendar.nth_weekdays and len(days) >= _MIN_RUN and days[-1] - days[0] == len(days) - 1:
        return f"{_WEEKDAY_WORDS[days[0]]} through {_WEEKDAY_WORDS[days[-1]]}"
    words = [_WEEKDAY_WORDS[weekday] for weekday in days]
    for weekday, nth in sorted(calendar.nth_weekdays):
        words.append(f"the {_NTH_WORDS[nth]} {_WEEKDAY_WORDS[weekday]}")
    if calendar.nth_weekdays:
        return f"{_join(words)} of the month"
    return _join(words)


def _join(words: Sequence[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
