"""The runs of a script: the tab."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.history import history, run_days
from runs_app.states import Status
from scripts_app import lookup
from scripts_app.views.query_string import mark_of_older

PAGE = 50
ANY_STATUS = [("", "Any"), *((status.value, status.label.lower()) for status in Status)]


class StatusForm(forms.Form):
    status = forms.ChoiceField(required=False, choices=ANY_STATUS)
    before = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )


@require_safe
def script_runs(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    form = StatusForm(request.GET)
    form.is_valid()  # a value that cannot be read filters nothing, and its field says so
    status = form.cleaned_data.get("status", "")
    before = form.cleaned_data.get("before")
    runs = history.page(script=script.slug, status=status, before=before, limit=PAGE + 1)
    context = {
        "now": now,
        "script": script,
        "form": form,
        "status": status,
        "days": run_days.by_day(runs[:PAGE], now=now),
        "older": mark_of_older(runs, PAGE),
        "before": before,
    }
    return render(request, "scripts/runs.html", context)
