"""The calendar of coming starts in the form of RFC 5545, and the keys that open it: one a user, shown once."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from scripts_app.models import CalendarKey
from scripts_app.schedules import agenda
from scripts_app.schedules.outlook import Start
from tempo_site.accounts import tokens
from tempo_site.audit import trail
from tempo_site.models import digest
from tempo_site.stored_settings import general, store

PREFIX = "tempo_c_"
DAYS = 30
_LINE_BYTES = 75  # then a line goes on in the next one, behind a space
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


def issue(user: User, *, now: datetime) -> str:
    """Give a user a new key, in place of the one before, and return its token."""
    token = tokens.make_token(PREFIX)
    values = {"digest": digest(token), "created_at": now, "last_used_on": None}
    with transaction.atomic():
        key, _ = CalendarKey.objects.update_or_create(user=user, defaults=values)
        trail.record("created", key)
    return token


def revoke(user: User) -> bool:
    """End a user's key at once; False when there was none."""
    key = CalendarKey.objects.filter(user=user).first()
    if key is None:
        return False
    with transaction.atomic():
        trail.record("revoked", key)
        key.delete()
    return True


def is_opened_by(token: str, *, now: datetime) -> bool:
    """Whether a token is the key of a user who may log in; the day of its use is noted."""
    rows = CalendarKey.objects.filter(digest=digest(token), user__is_active=True)
    key = rows.first()
    if key is None:
        return False
    rows.exclude(last_used_on=now.date()).update(last_used_on=now.date())
    return True


def text(now: datetime) -> str:
    """Return the starts of the coming 30 days; schedules that start more than 24 times a day are left out."""
    coming = agenda.coming_starts(now, now + timedelta(days=DAYS))
    lines = [*_head(_title()), *_events(coming.starts, now), "END:VCALENDAR"]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _title() -> str:
    name = str(store.value(general.NAME))
    return f"Tempo {name}".strip()


def _head(title: str) -> list[str]:
    return [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tempo//Schedules//EN",
        f"NAME:{_escaped(title)}",
        f"X-WR-CALNAME:{_escaped(title)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]


def _events(starts: Iterable[Start], now: datetime) -> Iterator[str]:
    for start in starts:
        schedule = start.schedule
        yield "BEGIN:VEVENT"
        yield f"UID:{schedule.pk}-{_stamp(start.at)}@tempo"
        yield f"DTSTAMP:{_stamp(now)}"
        yield f"DTSTART:{_stamp(start.at)}"
        yield f"SUMMARY:{_escaped(schedule.script.name)}"
        yield f"DESCRIPTION:{_escaped(schedule.describe())}"
        yield "TRANSP:TRANSPARENT"
        yield "END:VEVENT"


def _stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(value: str) -> str:
    return value.translate(_ESCAPED)


def _folded(line: str) -> str:
    parts, part, size = [], "", 0
    for character in line:
        size += len(character.encode())
        if size > _LINE_BYTES:
            parts.append(part)
            part, size = " ", 1 + len(character.encode())
        part += character
    return "\r\n".join([*parts, part])
