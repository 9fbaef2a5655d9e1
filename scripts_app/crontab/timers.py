"""Reads a timer of systemd together with the service it starts, as the lines of a crontab."""

import re
from collections.abc import Iterator

_ENTRY = re.compile(r"^(?P<key>[A-Z][A-Za-z]{1,40})[ \t]*=[ \t]*(?P<value>.*)$", re.MULTILINE)
_TIMER = re.compile(
    r"^[ \t]*(?:\[Timer\]|OnCalendar[ \t]*=|On(?:Boot|Startup|UnitActive|Active)Sec[ \t]*=)",
    re.MULTILINE,
)
_CALENDAR = re.compile(
    r"(?:(?P<weekdays>[A-Za-z]{3,9}(?:(?:\.\.|-|,)[A-Za-z]{3,9})*)[ ]*)?"
    r"(?:(?P<year>\*|[0-9]{4})-(?P<month>[0-9*/,.]+)-(?P<day>[0-9*/,.]+)[ ]*)?"
    r"(?:(?P<hour>[0-9*/,.]+):(?P<minute>[0-9*/,.]+)(?::(?P<second>[0-9*/,.]+))?)?"
    r"(?:[ ]+(?P<zone>UTC|[A-Z][A-Za-z]+/[A-Za-z_/]+))?"
)
_SHORT = {
    "minutely": "* * * * *",
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
}


class UnreadableTimer(ValueError):
    """Why a time of systemd cannot become a schedule; str() is the reason."""


def is_timer(text: str) -> bool:
    return bool(_TIMER.search(text))


def lines(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the number, the text, a cron time with its zone before it, and the command for each time of a timer.

    Raise UnreadableTimer through `cron_of`; times relative to a start are `@reboot` and `@every`.
    """
    commands = [match["value"] for match in _ENTRY.finditer(text) if match["key"] == "ExecStart"]
    command = commands[0].lstrip("@-+!: ") if commands else ""
    for match in _ENTRY.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        if match["key"] == "OnCalendar" or re.fullmatch(r"On\w+Sec", match["key"]):
            yield number, match[0].strip(), f"{match['key']}={match['value'].strip()}", command


def cron_of(entry: str) -> tuple[str, str]:
    """Return the cron time and the zone (or an empty text) of `OnCalendar=...`. Raise UnreadableTimer."""
    key, _, value = entry.partition("=")
    if key != "OnCalendar":
        raise UnreadableTimer(
            f"`{key}` counts from a start: give the script an interval or a start-up schedule"
        )
    if value.lower() in _SHORT:
        return _SHORT[value.lower()], ""
    match = _CALENDAR.fullmatch(value)
    if match is None or not value:
        raise UnreadableTimer("its time is not one that a cron line can say")
    hour = _numbers(match["hour"] or "0", 0)
    minute = _numbers(match["minute"] or "0", 0)
    second = _numbers(match["second"] or "0", 0)
    day = _numbers(match["day"] or "*", 1)
    month = _numbers(match["month"] or "*", 1)
    fields = [minute, hour, day, month, _weekdays(match["weekdays"] or "")]
    if day != "*" and fields[4] != "*":
        raise UnreadableTimer(
            "it names a day of the week and a date, which must both match: no cron line says that"
        )
    year = match["year"] or "*"
    if year != "*":
        fields = [second, *fields, year]
    elif second != "0":
        fields = [second, *fields]
    return " ".join(fields), match["zone"] or ""


# `00/2` begins at its number, `1..5` is a range.
def _numbers(text: str, low: int) -> str:
    terms = []
    for term in text.split(","):
        span, slash, step = term.replace("..", "-").partition("/")
        span = re.sub(r"[0-9]+", lambda number: str(int(number[0][:4])), span)
        if slash and span == str(low):
            span = "*"
        terms.append(f"{span}{slash}{step}")
    return ",".join(terms)


def _weekdays(text: str) -> str:
    if not text:
        return "*"
    days = re.sub("[A-Za-z]+", lambda name: name[0][:3].lower(), text).replace("..", "-")
    return re.sub(r"\bsun-", "0-", re.sub(r"-sun\b", "-7", days))
