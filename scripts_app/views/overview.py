"""How a script is doing: the tab on which its page opens."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.exports import lists, table
from runs_app.figures import duration_chart, reading, script_overview, year_calendar
from runs_app.history import history
from scripts_app import lookup

RECENT_RUNS = 10
TABLE_DAYS = 30


@require_safe
def overview_export(request: HttpRequest, slug: str, suffix: str) -> HttpResponse:
    """The figures of a year by day as a file."""
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    shown = script_overview.overview(script, now=now)
    return table.response(lists.table_of_days(shown.year, name=script.slug), suffix)


@require_safe
def script_overview_page(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    shown = script_overview.overview(script, now=now)
    today = reading.first_day(now, days=1)
    first = reading.first_day(now, days=script_overview.CHART_DAYS)
    newest_first = sorted(shown.by_day.items(), reverse=True)
    runs = history.page(script=script.slug, limit=RECENT_RUNS)
    context = {
        "now": now,
        "script": script,
        "shown": shown,
        "chart": duration_chart.duration_chart(shown.year, first=first, last=today),
        "calendar": year_calendar.year_calendar(shown.year, today=today),
        "days": newest_first[:TABLE_DAYS],
        "runs": runs,
        "last_run": runs[0] if runs else None,
    }
    return render(request, "scripts/overview.html", context)
