"""Small pictures in SVG, drawn by the server: strips of bars and the heat map. Numbers and fixed words only."""

from collections.abc import Iterator
from math import ceil, sqrt
from typing import NamedTuple

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs_app.history import recent_runs
from runs_app.history.recent_runs import Bar, Strip
from runs_app.states import ACTIVE, Status
from tempo_site.lib import humanize
from tempo_site.pages.week import Day, Week

register = template.Library()

PITCH, BASE, TOP, SHORTEST = 6, 26, 2, 3
KIND: dict[str, str] = {
    Status.SUCCEEDED: "is-good",
    Status.FAILED: "is-bad",
    Status.LOST: "is-bad",
    Status.TIMED_OUT: "is-late",
    **dict.fromkeys(ACTIVE, "is-busy"),
}
CELL, LEVELS = 10, 4


class Column(NamedTuple):
    """A bar in a strip: its run, its middle, and its path."""

    bar: Bar
    x: int
    path: str


@register.filter
def strip(value: Strip) -> SafeString:
    """A strip: height = duration (its root, so that one long run does not flatten the rest), a notch below the bad."""
    width = PITCH * recent_runs.MAX_BARS
    plain, bad = sorted_columns(columns(value))
    drawn = [f'<path class="{kind}" d="{path}"/>' for kind, path in plain.items()]
    drawn += [
        f'<path class="{KIND[bar.status]}" d="{path}"><title>{title_of(bar)}</title></path>'
        f'<path class="is-notch" d="M{x - 2} 31.5l2-3 2 3z"/>'
        for bar, x, path in bad
    ]
    # Numbers and words of this program, nothing that a person wrote. Escaping them took a fifth of a page of strips.
    return SafeString(
        f'<svg class="strip" viewBox="0 0 {width} 32" preserveAspectRatio="xMinYMid" role="img"'
        f' aria-label="{value.describe()}"><path class="is-base" d="M0 {BASE}.5h{width}"/>{"".join(drawn)}</svg>'
    )


def columns(value: Strip) -> Iterator[Column]:
    """The bars where they stand, the newest at the right end; what never ran is a stub."""
    longest = max((bar.duration_s or 0 for bar in value.bars), default=0) or 1
    x = PITCH * (recent_runs.MAX_BARS - len(value.bars)) + PITCH // 2
    for bar in value.bars:
        height = SHORTEST + round((BASE - TOP - SHORTEST) * sqrt((bar.duration_s or 0) / longest))
        yield Column(bar, x, f"M{x} {BASE}v-{height}")
        x += PITCH


def sorted_columns(found: Iterator[Column]) -> tuple[dict[str, str], list[Column]]:
    """Those that need no look, as one path a class (a page of strips stays small so), and those that do."""
    plain: dict[str, str] = {}
    bad: list[Column] = []
    for column in found:
        if column.bar.is_bad:
            bad.append(column)
        else:
            kind = KIND.get(column.bar.status, "is-idle")
            plain[kind] = plain.get(kind, "") + column.path
    return plain, bad


def title_of(bar: Bar) -> str:
    """What a bar says when one points at it."""
    took = f" after {humanize.span(bar.duration_s)}" if bar.duration_s is not None else ""
    return f"#{bar.pk} {recent_runs.WORDS[bar.status]}{took}"


@register.filter
def heat(value: Week) -> SafeString:
    """The heat map: a field an hour, the more runs the fuller; a corner is cut into those with bad ends."""
    ended, bad = sum(day.ended for day in value.days), sum(day.bad for day in value.days)
    label = f"Runs by the hour in the last 7 days: {ended} ended, {bad} of them badly"
    return format_html(
        '<svg class="heat" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>',
        24 * CELL - 1,
        7 * CELL - 1,
        label,
        format_html('<path class="is-empty" d="{}"/>', "".join(empty_fields(value.days))),
        format_html_join(
            "", '<path class="{}" d="{}"><title>{}</title></path>', full_fields(value)
        ),
    )


def empty_fields(days: list[Day]) -> Iterator[str]:
    """The path of the hours without a run."""
    for row, day in enumerate(days):
        for column, hour in enumerate(day.hours):
            if not hour.ended:
                yield field(row, column)


def full_fields(week: Week) -> Iterator[tuple[str, str, str]]:
    """(class, path, title) of each hour with runs."""
    for row, day in enumerate(week.days):
        for column, hour in enumerate(day.hours):
            if hour.ended:
                level = ceil(LEVELS * sqrt(hour.ended / max(week.most, LEVELS)))
                bad = f", {hour.bad} badly" if hour.bad else ""
                title = f"{day.on:%a %d %b} {column:02}:00: {hour.ended} ended{bad}"
                yield (
                    f"is-{level}{' is-bad' if hour.bad else ''}",
                    field(row, column, is_cut=bool(hour.bad)),
                    title,
                )


def field(row: int, column: int, *, is_cut: bool = False) -> str:
    """A field's path; a cut one lacks its upper right corner."""
    x, y, size = column * CELL, row * CELL, CELL - 1
    return (
        f"M{x} {y}h{size - 4}l4 4v{size - 4}h-{size}z"
        if is_cut
        else f"M{x} {y}h{size}v{size}h-{size}z"
    )
