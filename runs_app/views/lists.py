"""The history: runs newest first, filtered in the address."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app import history
from runs_app.states import Kind, Status
from scripts_app.models import Script

PAGE = 50
STATUSES = [("", "Any"), *((each.value, each.label.lower()) for each in Status)]


class FilterForm(forms.Form):
    """Which runs a list shows."""

    script = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=STATUSES)
    kind = forms.ChoiceField(
        required=False,
        choices=[("", "Scripts"), (Kind.BUILD.value, "Environments"), ("all", "Both")],
    )
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scripts = Script.objects.present().values_list("slug", "name")
        self.fields["script"].choices = [("", "All"), *scripts]  # type: ignore[attr-defined]  # a ChoiceField, as above


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """Newest first; `?script=`, `?status=`, `?kind=` and `?before=<id>` in the address."""
    form = FilterForm(request.GET)
    form.is_valid()  # what cannot be read filters nothing, and says so at its field
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    before = chosen.pop("before", None)
    kinds = {"all": "", "": Kind.SCRIPT}
    kind = kinds.get(chosen.get("kind", ""), Kind.BUILD)
    filters = {**chosen, "kind": kind}
    runs = history.page(before=before, limit=PAGE + 1, **filters)
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "now": timezone.now(),
        "form": form,
        "runs": runs[:PAGE],
        "older": runs[PAGE - 1].pk if len(runs) > PAGE else None,
        "before": before,
        "query": query.urlencode(),
        "is_filtered": bool(chosen),
    }
    return render(request, "runs/list.html", context)
