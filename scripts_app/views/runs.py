"""The runs of one script: its tab."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.history import history
from runs_app.states import Status
from scripts_app import lookup

PAGE = 50


class StatusForm(forms.Form):
    """Which of its runs the list shows."""

    status = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), *((each.value, each.label.lower()) for each in Status)],
    )
    before = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )


@require_safe
def script_runs(request: HttpRequest, slug: str) -> HttpResponse:
    """Newest first; `?status=` and `?before=<id>` in the address."""
    script, form = lookup.script(slug), StatusForm(request.GET)
    form.is_valid()  # what cannot be read filters nothing, and says so at its field
    status, before = form.cleaned_data.get("status", ""), form.cleaned_data.get("before")
    runs = history.page(script=script.slug, status=status, before=before, limit=PAGE + 1)
    context = {
        "now": timezone.now(),
        "script": script,
        "form": form,
        "status": status,
        "runs": runs[:PAGE],
        "older": runs[PAGE - 1].pk if len(runs) > PAGE else None,
        "before": before,
    }
    return render(request, "scripts/runs.html", context)
