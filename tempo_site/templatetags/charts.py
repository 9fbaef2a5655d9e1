"""Small pictures in SVG, drawn by the server: strips of bars and the heat map. Numbers and fixed words only."""

from collections.abc import Iterator
from math import ceil, sqrt
from typing import NamedTuple

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs_app.figures.tally import Hour
from runs_app.history import recent_runs
from runs_app.history.recent_runs import Bar, Strip
from runs_app.states import ACTIVE, Status
from scripts_app.schedules.agenda import AgendaHour, NextDay
from tempo_site.lib import humanize
from tempo_site.pages.week import Day, Week

register = template.Library()

# Of a strip, in units of its drawing.
PITCH = 6
BASE = 26
TOP = 2
MIN_HEIGHT = 3
MAX_HEIGHT = BASE - TOP
KIND: dict[str, str] = {
    Status.SUCCEEDED: "is-good",
    Status.FAILED: "is-bad",
    Status.LOST: "is-bad",
    Status.TIMED_OUT: "is-late",
    **dict.fromkeys(ACTIVE, "is-busy"),
}
# Of the heat map.
CELL = 10
SIDE = CELL - 1
CORNER = 4  # cut from an hour in which runs ended badly
MIN_BAD = 2
BARS_HEIGHT = 60  # of the hours of a day
LEVELS = 4


class Column(NamedTuple):
    bar: Bar
    x: int
    path: str


@register.filter
def strip(value: Strip) -> SafeString:
    width = PITCH * recent_runs.MAX_BARS
    plain, bad = _sorted_columns(_columns(value))
    paths = [f'<path class="{kind}" d="{path}"/>' for kind, path in plain.items()]
    for bar, x, path in bad:
        kind = KIND[bar.status]
        paths.append(f'<path class="{kind}" d="{path}"><title>{_title(bar)}</title></path>')
        paths.append(f'<path class="is-notch" d="M{x - 2} 31.5l2-3 2 3z"/>')
    # Numbers and words of this program, no text of a person. Escaping took a fifth of the time of a page of strips.
    return SafeString(
        f'<svg class="strip" viewBox="0 0 {width} 32" preserveAspectRatio="xMinYMid" role="img"'
        f' aria-label="{value.describe()}">'
        f'<path class="is-base" d="M0 {BASE}.5h{width}"/>{"".join(paths)}</svg>'
    )


def _columns(value: Strip) -> Iterator[Column]:
    # The newest bar stands at the right end; a run that never began is a stub.
    durations = [bar.duration_s or 0 for bar in value.bars]
    longest = max(durations, default=0) or 1
    x = PITCH * (recent_runs.MAX_BARS - len(value.bars)) + PITCH // 2
    for bar, duration_s in zip(value.bars, durations, strict=True):
        # The root, so that a single long run does not flatten the others.
        height = MIN_HEIGHT + round((MAX_HEIGHT - MIN_HEIGHT) * sqrt(duration_s / longest))
        yield Column(bar, x, f"M{x} {BASE}v-{height}")
        x += PITCH


def _sorted_columns(columns: Iterator[Column]) -> tuple[dict[str, str], list[Column]]:
    # Good bars are a single path for each class, which keeps a page of strips small; bad bars are drawn alone.
    plain: dict[str, str] = {}
    bad: list[Column] = []
    for column in columns:
        if column.bar.is_bad:
            bad.append(column)
        else:
            kind = KIND.get(column.bar.status, "is-idle")
            plain[kind] = plain.get(kind, "") + column.path
    return plain, bad


def _title(bar: Bar) -> str:
    title = f"#{bar.pk} {recent_runs.WORDS[bar.status]}"
    if bar.duration_s is None:
        return title
    return f"{title} after {humanize.span(bar.duration_s)}"


@register.filter
def hour_bars(hours: list[Hour]) -> SafeString:
    """Draw a bar for each hour of the day; its red part ended badly."""
    most = max([hour.ended for hour in hours]) or 1
    paths = ""
    for number, hour in enumerate(hours):
        x = number * CELL
        ended, bad = hour.ended / most * BARS_HEIGHT, hour.bad / most * BARS_HEIGHT
        paths += f'<path class="is-base" d="M{x} 0h{SIDE}v{BARS_HEIGHT}h-{SIDE}z"/>'
        paths += f'<path d="M{x} {BARS_HEIGHT}h{SIDE}v-{ended:.1f}h-{SIDE}z">'
        paths += f"<title>{number}:00: {hour.ended} ended, {hour.bad} badly</title></path>"
        paths += f'<path class="is-bad" d="M{x} {BARS_HEIGHT}h{SIDE - CORNER}v-{bad:.1f}h-{SIDE - CORNER}z"/>'
    # Numbers and words of this program only.
    return SafeString(
        f'<svg class="hour-bars" viewBox="0 0 {24 * CELL - 1} {BARS_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="Runs by the hour of the day">{paths}</svg>'
    )


@register.filter
def start_bars(day: NextDay) -> SafeString:
    """Draw a bar for each of the next 24 hours; another colour where two scripts start in the same minute."""
    most = day.most or 1
    paths = ""
    for number, hour in enumerate(day.hours):
        x = number * CELL
        height = hour.count / most * BARS_HEIGHT
        kind = ' class="is-late"' if hour.has_clash else ""
        paths += f'<path class="is-base" d="M{x} 0h{SIDE}v{BARS_HEIGHT}h-{SIDE}z"/>'
        paths += f'<path{kind} d="M{x} {BARS_HEIGHT}h{SIDE}v-{height:.1f}h-{SIDE}z">'
        paths += f"<title>{hour.hour}:00: {_starts(hour)}</title></path>"
    # Numbers and words of this program only.
    return SafeString(
        f'<svg class="day-bars" viewBox="0 0 {24 * CELL - 1} {BARS_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{day.count} starts in the next 24 hours">{paths}</svg>'
    )


def _starts(hour: AgendaHour) -> str:
    return f"{hour.count} to start, some together" if hour.has_clash else f"{hour.count} to start"


@register.filter
def heat(value: Week) -> SafeString:
    ended = sum(day.ended for day in value.days)
    bad = sum(day.bad for day in value.days)
    label = f"Runs by the hour in the last 7 days: {ended} ended, {bad} of them badly"
    empty = "".join(_empty_fields(value.days))
    full = _full_fields(value)
    return format_html(
        '<svg class="heat" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>',
        24 * CELL - 1,
        7 * CELL - 1,
        label,
        format_html('<path class="is-empty" d="{}"/>', empty),
        format_html_join("", '<path class="{}" d="{}"><title>{}</title></path>', full),
    )


def _empty_fields(days: list[Day]) -> Iterator[str]:
    for row, day in enumerate(days):
        for column, hour in enumerate(day.hours):
            if not hour.ended:
                yield _field(row, column)


def _full_fields(week: Week) -> Iterator[tuple[str, str, str]]:
    # (class, path, title) of each hour with runs.
    busiest = max(week.most, LEVELS)
    for row, day in enumerate(week.days):
        for column, hour in enumerate(day.hours):
            if not hour.ended:
                continue
            level = ceil(LEVELS * sqrt(hour.ended / busiest))
            title = f"{day.on:%a %Y-%m-%d} {column:02}:00: {hour.ended} ended"
            if not hour.bad:
                yield f"is-{level}", _field(row, column), title
                continue
            title += f", {hour.bad} badly"
            yield f"is-{level}", _cut_field(row, column, SIDE), title
            # As much of the field is red as runs ended badly.
            height = max(MIN_BAD, round(SIDE * hour.bad / hour.ended))
            yield "is-bad", _cut_field(row, column, height), title


def _field(row: int, column: int) -> str:
    return f"M{column * CELL} {row * CELL}h{SIDE}v{SIDE}h-{SIDE}z"


def _cut_field(row: int, column: int, height: int) -> str:
    # From the bottom up to a height, and without what the upper right corner has of it.
    bottom = row * CELL + SIDE
    cut = max(0, CORNER - (SIDE - height))
    return f"M{column * CELL} {bottom}v-{height}h{SIDE - cut}l{cut} {cut}V{bottom}z"
