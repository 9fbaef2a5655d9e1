"""The history: runs newest first, filtered in the address."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app import states
from runs_app.exports import runs as runs_file
from runs_app.exports import table
from runs_app.history import history
from runs_app.history.run_filters import RunFilter
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Folder, Script

PAGE = 50
TEXT = "text/plain; charset=utf-8"
BAD, ACTIVE = "bad", "active"
SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
STATUSES = [("", "Any"), (BAD, "any bad end"), (ACTIVE, "not ended yet")]
STATUSES += [(status.value, status.label.lower()) for status in Status]
TRIGGERS = [("", "Any")]
TRIGGERS += [(each.value, each.label.lower()) for each in Trigger if each != Trigger.BUILD]
SINCES = [("", "All"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("30d", "last 30 days")]
REASONS = [("", "Any"), *((each.value, each.label.lower()) for each in Reason if each)]
MORE = ("folder", "tag", "reason", "version", "min_s", "max_s")
KINDS = [
    ("", "Scripts"),
    (Kind.BUILD.value, "Environments"),
    (Kind.INSTALL.value, "Pythons"),
    ("all", "All"),
]


class Chip(NamedTuple):
    """A filter in force: its label, its value, and the query of the address without the filter."""

    label: str
    value: str
    query: str


class FilterForm(forms.Form):
    script = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=STATUSES)
    trigger = forms.ChoiceField(required=False, choices=TRIGGERS)
    since = forms.ChoiceField(required=False, choices=SINCES)
    kind = forms.ChoiceField(required=False, choices=KINDS)
    folder = forms.ChoiceField(required=False)
    tag = forms.CharField(required=False, max_length=100)
    reason = forms.ChoiceField(required=False, choices=REASONS)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    min_s = forms.FloatField(label="Longer than, s", required=False, min_value=0)
    max_s = forms.FloatField(label="Shorter than, s", required=False, min_value=0)
    before = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scripts = Script.objects.present().values_list("slug", "name")
        paths = Folder.objects.order_by("path").values_list("path", flat=True)
        self.fields["script"].choices = [("", "All"), *scripts]  # type: ignore[attr-defined]  # a ChoiceField, as above
        self.fields["folder"].choices = [("", "All"), *((path, f"{path}/") for path in paths)]  # type: ignore[attr-defined]  # so is this

    @property
    def chosen(self) -> dict[str, Any]:
        chosen = {}
        for name, value in self.cleaned_data.items():
            if value not in ("", None) and name != "before":
                chosen[name] = value
        return chosen


class RunListContext(TypedDict):
    now: datetime
    form: FilterForm
    chips: list[Chip]
    complaints: list[str]
    runs: list[Run]
    older: int | None
    before: int | None
    query: str
    is_filtered: bool


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    is_part = request.GET.get("part") == "rows"
    template = "runs/_list.html" if is_part else "runs/list.html"
    return render(request, template, run_list_context(request.GET, now=timezone.now()))


@require_safe
def run_export(request: HttpRequest, suffix: str) -> HttpResponse:
    """The newest runs of a filtered list as a file, at most 10,000."""
    form = FilterForm(request.GET)
    if not form.is_valid():
        return HttpResponse(" ".join(complaints(form, request.GET)), status=400, content_type=TEXT)
    filters = history_filters(form.chosen, timezone.now())
    found = history.page(limit=table.MAX_ROWS, **filters)
    return table.response(runs_file.table_of_runs(found), suffix)


def run_list_context(query: QueryDict, *, now: datetime) -> RunListContext:
    form = FilterForm(query)
    form.is_valid()  # a filter that cannot be read filters nothing, and is named above the rows
    before = form.cleaned_data.get("before")
    runs = history.page(before=before, limit=PAGE + 1, **history_filters(form.chosen, now))
    has_older = len(runs) > PAGE
    return {
        "now": now,
        "form": form,
        "chips": chips(form, query),
        "complaints": complaints(form, query),
        "runs": runs[:PAGE],
        "older": runs[PAGE - 1].pk if has_older else None,
        "before": before,
        "query": query_without(query, "before"),
        "is_filtered": bool(form.chosen),
    }


def history_filters(chosen: dict[str, Any], now: datetime) -> dict[str, Any]:
    since = None
    if "since" in chosen:
        since = now - SPANS[chosen["since"]]
    narrowed = RunFilter(**{name: chosen[name] for name in MORE if name in chosen})
    return {
        "script": chosen.get("script", ""),
        "status": _statuses(chosen),
        "trigger": chosen.get("trigger", ""),
        "since": since,
        "kind": _kind(chosen.get("kind", "")),
        "scripts": narrowed.scripts(),
        "more": narrowed.as_query(),
    }


def _statuses(chosen: dict[str, Any]) -> str | Collection[str]:
    status = chosen.get("status", "")
    if status == BAD:
        return history.BAD
    if status == ACTIVE:
        return states.ACTIVE
    if not status and "reason" in chosen:
        return states.WITH_REASON  # successes, nearly all of the history, need not be read for it
    return str(status)


def _kind(chosen: str) -> str:
    if chosen == "all":
        return ""
    return chosen or Kind.SCRIPT


def chips(form: FilterForm, query: QueryDict) -> list[Chip]:
    found = []
    for name, value in form.chosen.items():
        words = dict(getattr(form.fields[name], "choices", ()))
        without_it = query_without(query, name, "before")
        found.append(Chip(str(form[name].label), str(words.get(value, value)), without_it))
    return found


def complaints(form: FilterForm, query: QueryDict) -> list[str]:
    return [
        f"There is no {name} `{query.get(name, '')[:60]}`: it filters nothing."
        for name in form.errors
    ]


def query_without(query: QueryDict, *names: str) -> str:
    rest = query.copy()
    for name in ("part", *names):
        rest.pop(name, None)
    return rest.urlencode()
