"""The history: runs newest first, filtered in the address."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app import states
from runs_app.history import history
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Script

PAGE = 50
BAD, ACTIVE = "bad", "active"
SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
STATUSES = [
    ("", "Any"),
    (BAD, "any bad end"),
    (ACTIVE, "not ended yet"),
    *((each.value, each.label.lower()) for each in Status),
]
TRIGGERS = [
    ("", "Any"),
    *((each.value, each.label.lower()) for each in Trigger if each != Trigger.BUILD),
]
SINCES = [("", "All"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("30d", "last 30 days")]
KINDS = [
    ("", "Scripts"),
    (Kind.BUILD.value, "Environments"),
    (Kind.INSTALL.value, "Pythons"),
    ("all", "All"),
]


class Chip(NamedTuple):
    """A filter that is in force: what it says, and the address without it."""

    label: str
    value: str
    query: str


class FilterForm(forms.Form):
    """Which runs a list shows."""

    script = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=STATUSES)
    trigger = forms.ChoiceField(required=False, choices=TRIGGERS)
    since = forms.ChoiceField(required=False, choices=SINCES)
    kind = forms.ChoiceField(required=False, choices=KINDS)
    before = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scripts = Script.objects.present().values_list("slug", "name")
        self.fields["script"].choices = [("", "All"), *scripts]  # type: ignore[attr-defined]  # a ChoiceField, as above

    @property
    def chosen(self) -> dict[str, Any]:
        """The filters in force, the place in the pages left out."""
        return {
            name: value for name, value in self.cleaned_data.items() if value and name != "before"
        }


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """Newest first; the filters are the fields of FilterForm in the address. `?part=rows` is what they change."""
    now = timezone.now()
    form = FilterForm(request.GET)
    form.is_valid()  # what cannot be read filters nothing, and is said above the rows
    before = form.cleaned_data.get("before")
    runs = history.page(before=before, limit=PAGE + 1, **filters(form.chosen, now))
    context = {
        "now": now,
        "form": form,
        "chips": list(chips(form, request.GET)),
        "complaints": list(complaints(form, request.GET)),
        "runs": runs[:PAGE],
        "older": runs[PAGE - 1].pk if len(runs) > PAGE else None,
        "before": before,
        "query": without(request.GET, "before"),
        "is_filtered": bool(form.chosen),
    }
    return render(
        request,
        "runs/_list.html" if request.GET.get("part") == "rows" else "runs/list.html",
        context,
    )


def filters(chosen: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The keywords of `history.page` for what was chosen."""
    kind = chosen.get("kind", "")
    status = chosen.get("status", "")
    return {
        "script": chosen.get("script", ""),
        "status": {BAD: history.BAD, ACTIVE: states.ACTIVE}.get(status, status),
        "trigger": chosen.get("trigger", ""),
        "since": now - SPANS[chosen["since"]] if "since" in chosen else None,
        "kind": {"": Kind.SCRIPT, "all": ""}.get(kind, kind),
    }


def chips(form: FilterForm, query: QueryDict) -> Iterator[Chip]:
    """A chip for each filter in force."""
    for name, value in form.chosen.items():
        words = dict(form.fields[name].choices)  # type: ignore[attr-defined]  # all but `before` are ChoiceFields
        yield Chip(str(form[name].label), str(words[value]), without(query, name, "before"))


def complaints(form: FilterForm, query: QueryDict) -> Iterator[str]:
    """A sentence for each filter that could not be read."""
    for name in form.errors:
        value = query.get(name, "")
        yield f"There is no {name} `{value[:60]}`: it filters nothing."


def without(query: QueryDict, *names: str) -> str:
    """The address's query without some of its parts."""
    rest = query.copy()
    for name in ("part", *names):
        rest.pop(name, None)
    return rest.urlencode()
