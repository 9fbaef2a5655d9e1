"""The most that a script's runs took of what is limited, to be shown beside its limits."""

from datetime import datetime

from runs_app.figures import reading
from runs_app.figures.script_overview import DAYS_OF_YEAR
from scripts_app.models import Script
from tempo_site.lib import humanize


def peaks_of(script: Script, *, now: datetime) -> dict[str, str]:
    """Return the peaks of the last year in words, by the field of the limit; what no run took is left out."""
    since = reading.first_day(now, days=DAYS_OF_YEAR)
    today = reading.first_day(now, days=1)
    days = reading.days_of_script(script.pk, since=since, detailed_since=today)
    total = reading.total_since(days, since)
    peaks = {}
    if total.duration_max_s is not None:
        peaks["timeout_s"] = humanize.span(total.duration_max_s)
    if total.memory_max_mb:
        peaks["memory_mb"] = f"{total.memory_max_mb:,.0f} MB"
    if total.cpu_max_s:
        peaks["cpu_s"] = humanize.span(total.cpu_max_s)
    return peaks
