"""Moments and spans as people read them."""

import contextlib
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs_app.models import Run
from tempo_site.lib import humanize

register = template.Library()


@register.filter
def moment(value: datetime | None, zone: str = "") -> SafeString | str:
    """A moment as `<time>`, in the zone given or else the server's, with the zone's short name; "" for None."""
    if value is None:
        return ""
    local = in_zone(value, zone)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), in_full(local)
    )


@register.filter
def moment_away(value: datetime | None, now: datetime) -> SafeString | str:
    """A moment as its distance from `now`; the moment itself is its title."""
    if value is None:
        return ""
    local = in_zone(value)
    stamp, title = local.isoformat(timespec="seconds"), in_full(local)
    return format_html('<time datetime="{}" title="{}">{}</time>', stamp, title, away(value, now))


def in_zone(value: datetime, zone: str = "") -> datetime:
    """A moment in a zone, else in the server's; as it is where neither can write it (zone gone, year 9999)."""
    for place in filter(None, (zone, timezone.get_current_timezone_name())):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OverflowError):
            return value.astimezone(ZoneInfo(place))
    return value


def in_full(local: datetime) -> str:
    """Date, time and the zone's short name."""
    return f"{local:%Y-%m-%d %H:%M:%S %Z}"


@register.filter
def away(value: datetime | None, now: datetime) -> str:
    """How far a moment is from `now`: `in 3 h 12 min`, `2 d ago`."""
    if value is None:
        return ""
    seconds = (value - now).total_seconds()
    distance = humanize.whole_span(abs(seconds))
    return f"in {distance}" if seconds >= 0 else f"{distance} ago"


@register.filter
def until(value: datetime | None, now: datetime) -> int:
    """How many seconds a moment is away, 0 when it has passed or there is none; for a countdown."""
    return max(0, round((value - now).total_seconds())) if value else 0


@register.filter
def inline_code(value: object) -> SafeString:
    """A sentence whose `words in backticks` are shown as code; text that is HTML already stays as it is."""
    text = str(value)
    if isinstance(text, SafeString):
        return text
    parts = re.split(r"`([^`\n]+)`", text)
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if at % 2 else part,)
            for at, part in enumerate(parts)
        ),
    )


@register.filter
def span(value: timedelta | float) -> str:
    """A duration in at most two units."""
    return humanize.span(seconds(value))


@register.filter
def seconds(value: timedelta | float) -> float:
    """A duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@register.filter
def elapsed(run: Run, now: datetime) -> timedelta | None:
    """How long a run took, or has been going; None before it began."""
    return run.elapsed(now)


@register.filter
def began(run: Run) -> datetime:
    """When a run started, or else was asked for."""
    return run.started_at or run.created_at
