"""How a script is doing: the page on which a script opens."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from runs_app.exports import lists, table
from runs_app.figures import duration_chart, reading, script_overview, year_calendar
from runs_app.history import history, run_days
from scripts_app import lookup
from scripts_app.versions import working_copy

RECENT_RUNS = 10
TABLE_DAYS = 30


@require_safe
def overview_export(request: HttpRequest, slug: str, suffix: str) -> HttpResponse:
    """The figures of a year by day as a file."""
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    shown = script_overview.overview(script, now=now)
    return table.response(lists.table_of_days(shown.year, name=script.slug), suffix)


@require_http_methods(["GET", "HEAD", "POST"])
def script_overview_page(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method == "POST":  # a text from an editor that was opened while this was its address
        return redirect("script-edit", slug, preserve_request=True)
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
        "recent": run_days.undivided(runs),
        "last_run": runs[0] if runs else None,
        "edit": working_copy.find_edit(script),
    }
    return render(request, "scripts/overview.html", context)
