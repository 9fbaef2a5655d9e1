"""Moments, durations and sentences as pages write them."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import template
from django.contrib.messages.storage.base import Message
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs_app.models import Run
from runs_app.search.found_lines import FoundLine
from runs_app.search.marks import MarkedPiece
from tempo_site.audit import reading
from tempo_site.lib import humanize
from tempo_site.pages import undo
from tempo_site.pages.undo import Undo

register = template.Library()


@register.filter
def moment(value: datetime | None, zone: str = "") -> SafeString | str:
    if value is None:
        return ""
    local = in_zone(value, zone)
    stamp = local.isoformat(timespec="seconds")
    shown = in_full(local)
    return format_html('<time datetime="{}" title="{}">{}</time>', stamp, in_utc(value), shown)


@register.filter
def time_of_day(value: datetime) -> SafeString:
    """Write the time alone, under a heading that says the day."""
    local = in_zone(value)
    stamp, shown = local.isoformat(timespec="seconds"), f"{local:%H:%M:%S}"
    return format_html('<time datetime="{}" title="{}">{}</time>', stamp, in_both(local), shown)


@register.filter
def moment_away(value: datetime | None, now: datetime) -> SafeString | str:
    if value is None:
        return ""
    local = in_zone(value)
    return format_html(
        '<time datetime="{}" title="{}" data-away-s="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        in_both(local),
        _seconds_away(value, now),
        _words_away(value, now),
    )


def in_zone(value: datetime, zone: str = "") -> datetime:
    for place in filter(None, (zone, timezone.get_current_timezone_name())):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OverflowError):
            return value.astimezone(ZoneInfo(place))
    return value


def in_full(local: datetime) -> str:
    return f"{local:%Y-%m-%d %H:%M:%S %Z}"


def in_utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def in_both(local: datetime) -> str:
    """Return the time in full, and in UTC where that is another one."""
    full, utc = in_full(local), in_utc(local)
    return full if full == utc else f"{full}, {utc}"


@register.filter
def away(value: datetime | None, now: datetime) -> SafeString | str:
    if value is None:
        return ""
    seconds = _seconds_away(value, now)
    return format_html('<span data-away-s="{}">{}</span>', seconds, _words_away(value, now))


def _seconds_away(value: datetime, now: datetime) -> str:
    return f"{(value - now).total_seconds():.3f}"


def _words_away(value: datetime, now: datetime) -> str:
    seconds = (value - now).total_seconds()
    distance = humanize.whole_span(abs(seconds))
    return f"in {distance}" if seconds >= 0 else f"{distance} ago"


@register.filter
def until(value: datetime | None, now: datetime) -> int:
    if not value:
        return 0
    return max(0, round((value - now).total_seconds()))


@register.filter
def of_run(lines: Mapping[int, FoundLine] | str, run: Run) -> FoundLine | None:
    """Return the line that a search found in a run; lists without a search have none."""
    return lines.get(run.pk) if isinstance(lines, Mapping) else None


@register.filter
def marked(pieces: Iterable[MarkedPiece]) -> SafeString:
    """Join the pieces of a found line, its hits as `<mark>`."""
    parts = []
    for piece in pieces:
        pattern = "<mark>{}</mark>" if piece.is_hit else "{}"
        parts.append((format_html(pattern, piece.text),))
    return format_html_join("", "{}", parts)


@register.filter
def inline_code(value: object) -> SafeString:
    text = str(value)
    if isinstance(text, SafeString):
        return text
    parts: list[str] = re.split(r"`([^`\n]+)`", text)
    # Every second part stood in backticks.
    for index in range(1, len(parts), 2):
        parts[index] = format_html("<code>{}</code>", parts[index])
    return format_html_join("", "{}", ((part,) for part in parts))


@register.filter
def breakable(path: str) -> SafeString:
    """Return a path that breaks behind a slash where it is too long for its line."""
    return format_html_join(SafeString("/<wbr>"), "{}", ([part] for part in path.split("/")))


@register.filter
def undo_of(message: Message) -> Undo | None:
    return undo.offered(message.extra_tags or "")


@register.filter
def span(value: timedelta | float) -> str:
    return humanize.span(seconds(value))


@register.filter
def whole_percent(value: float) -> int:
    """Round down, so that 100 means all."""
    return int(value)


@register.filter
def grouped(number: int) -> str:
    """Write a number with its digits in groups of three, as sentences have it."""
    return f"{number:,}"


@register.filter
def seconds(value: timedelta | float) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value)


@register.filter
def elapsed(run: Run, now: datetime) -> timedelta | None:
    return run.elapsed(now)


@register.filter
def began(run: Run) -> datetime:
    return run.started_at or run.created_at


@register.filter
def before_and_after(value: object) -> str:
    return reading.before_and_after(value)
