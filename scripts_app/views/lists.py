"""All scripts."""

from typing import Any

from django.db.models import Min, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.models import Run
from scripts_app.models import Folder, Script


@require_safe
def script_list(request: HttpRequest) -> HttpResponse:
    """All scripts by folder, with state, next due moment and last run; `?folder=` and `?q=` narrow it."""
    folder, words = request.GET.get("folder", ""), request.GET.get("q", "").strip()
    rows = with_next_and_last(Script.objects.present())
    if folder:
        rows = rows.filter(Q(folder__path=folder) | Q(folder__path__startswith=f"{folder}/"))
    if words:
        rows = rows.filter(Q(name__icontains=words) | Q(slug__icontains=words))
    found = list(rows)
    last_runs = Run.objects.in_bulk([script.last_run_id for script in found if script.last_run_id])
    context = {
        "now": timezone.now(),
        "rows": [(script, last_runs.get(script.last_run_id)) for script in found],
        "folders": Folder.objects.filter(scripts__deleted_at=None, scripts__isnull=False).distinct(),
        "folder": folder,
        "words": words,
    }
    return render(request, "scripts/list.html", context)


def with_next_and_last(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add `next_at` and `last_run_id`, folder and environment, without a query a row."""
    newest = Run.objects.scripts().filter(script=OuterRef("pk")).newest_first().values("pk")[:1]
    armed = Q(enabled=True, schedules__enabled=True)
    heavy = [f"{name}__{field}" for name in ("environment", "wanted_environment") for field in ("lock", "requirements")]
    return (
        rows.select_related("folder", "environment", "wanted_environment")
        .defer(*heavy)
        .annotate(next_at=Min("schedules__alarm__next_run", filter=armed), last_run_id=Subquery(newest))
        .order_by("folder__path", "name", "pk")
    )
