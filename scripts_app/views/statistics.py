"""All scripts beside each other: who is slow, flaky, hungry or large, and when most runs end."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.exports import lists, table
from runs_app.figures import all_scripts

DEFAULT_DAYS = 30
SPANS = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")]


class SpanForm(forms.Form):
    days = forms.ChoiceField(label="Of the last", required=False, choices=SPANS, initial="30")


@require_safe
def statistics_export(request: HttpRequest, suffix: str) -> HttpResponse:
    rows = all_scripts.figures_of_scripts(now=timezone.now(), days=days_of(span_form(request)))
    return table.response(lists.table_of_figures(rows), suffix)


def span_form(request: HttpRequest) -> SpanForm:
    return SpanForm({"days": request.GET.get("days", str(DEFAULT_DAYS))})


def days_of(form: SpanForm) -> int:
    form.is_valid()  # a span that cannot be read is the usual one, and its field says so
    return int(form.cleaned_data.get("days") or DEFAULT_DAYS)


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    form = span_form(request)
    days = days_of(form)
    shown = all_scripts.rankings(now=timezone.now(), days=days)
    context = {"form": form, "days": days, "shown": shown}
    return render(request, "scripts/statistics.html", context)
