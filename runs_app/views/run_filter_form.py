"""The filters of the list of runs, as an address names them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django import forms
from django.forms import BoundField
from django.http import QueryDict
from django.utils import timezone

from runs_app.history.run_filters import ACTIVE, BAD, RunFilter
from runs_app.search import query as search_query
from runs_app.search import run_lists
from runs_app.search.query import QueryError
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Folder, Script

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
STATUSES = [("", "Any"), (BAD, "any bad end"), (ACTIVE, "not ended yet")]
STATUSES += [(status.value, status.label.lower()) for status in Status]
TRIGGERS = [("", "Any")]
TRIGGERS += [(each.value, each.label.lower()) for each in Trigger if each != Trigger.BUILD]
SINCES = [("", "Any"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("30d", "last 30 days")]
REASONS = [("", "Any"), *((each.value, each.label.lower()) for each in Reason if each)]
ALL_KINDS = "all"
KINDS = [
    ("", "Scripts"),
    (Kind.BUILD.value, "Environments"),
    (Kind.INSTALL.value, "Pythons"),
    (Kind.BACKUP.value, "Backups"),
    (ALL_KINDS, "All"),
]
FIRST = ("q", "script", "status", "since")  # the others are unfolded
ORDER = [
    *FIRST,
    "folder",
    "tag",
    "reason",
    "trigger",
    "begin",
    "end",
    "min_s",
    "max_s",
    "version",
    "kind",
]
AS_THEY_ARE = (
    "script",
    "status",
    "trigger",
    "folder",
    "tag",
    "reason",
    "version",
    "min_s",
    "max_s",
)
LOCAL = "%Y-%m-%dT%H:%M"  # as browsers write a moment without its zone


class Chip(NamedTuple):
    """A filter in force: its label, its value, and the query of the address without the filter."""

    label: str
    value: str
    query: str


class MomentField(forms.CharField):
    """A day or a moment, as in a search; a day as an end is over at midnight."""

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"type": "datetime-local"})
        super().__init__(required=False, max_length=40, widget=widget, **kwargs)
        self.is_end = is_end

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        try:
            return search_query.moment(text, is_end=self.is_end) if text else None
        except QueryError as error:
            raise forms.ValidationError(str(error)) from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return a day as the moment that it means: the browser's field shows nothing else."""
        try:
            return f"{timezone.localtime(search_query.moment(data, is_end=self.is_end)):{LOCAL}}"
        except (QueryError, TypeError):
            return data


class RunsOfScriptForm(forms.Form):
    """The filters of one script's runs."""

    q = forms.CharField(label="Text in the output", required=False, max_length=500)
    status = forms.ChoiceField(required=False, choices=STATUSES)
    since = forms.ChoiceField(label="Time", required=False, choices=SINCES)
    reason = forms.ChoiceField(required=False, choices=REASONS)
    trigger = forms.ChoiceField(required=False, choices=TRIGGERS)
    begin = MomentField(label="From")
    end = MomentField(label="To", is_end=True)
    min_s = forms.FloatField(label="Longer than, s", required=False, min_value=0)
    max_s = forms.FloatField(label="Shorter than, s", required=False, min_value=0)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    before = forms.RegexField(
        f"^{run_lists.CURSOR}$", required=False, max_length=40, widget=forms.HiddenInput
    )
    # `from` is a word of Python's.
    NAMES = {"begin": "from", "end": "to"}

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query)
        self.fields["q"].widget = forms.TextInput(attrs={"type": "search", "maxlength": 500})

    def add_prefix(self, field_name: str) -> str:
        return self.NAMES.get(field_name, field_name)

    def clean_q(self) -> str:
        text: str = self.cleaned_data["q"]
        try:
            run_lists.parse_text(text)
        except QueryError as error:
            raise forms.ValidationError(str(error)) from error
        return text

    @property
    def first(self) -> list[BoundField]:
        return [field for field in self.visible_fields() if field.name in FIRST]

    @property
    def further(self) -> list[BoundField]:
        return [field for field in self.visible_fields() if field.name not in FIRST]

    @property
    def further_chosen(self) -> int:
        return sum(field.name in self.chosen for field in self.further)

    @property
    def chosen(self) -> dict[str, Any]:
        chosen = {}
        for name, value in self.cleaned_data.items():
            if value not in ("", None) and name != "before":
                chosen[name] = value
        return chosen

    def run_filter(self, *, now: datetime) -> RunFilter:
        chosen = self.chosen
        begins = [chosen["begin"]] if "begin" in chosen else []
        if "since" in chosen:
            begins.append(now - SPANS[chosen["since"]])
        kind = chosen.get("kind", Kind.SCRIPT)
        return RunFilter(
            text=chosen.get("q", ""),
            kind="" if kind == ALL_KINDS else kind,
            since=max(begins, default=None),
            until=chosen.get("end"),
            **{name: chosen[name] for name in AS_THEY_ARE if name in chosen},
        )

    def chips(self, query: QueryDict) -> list[Chip]:
        found = []
        for name, value in self.chosen.items():
            words = dict(getattr(self.fields[name], "choices", ()))
            shown = str(words.get(value, value))
            if isinstance(value, datetime):
                shown = f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
            elif isinstance(value, float):
                shown = f"{value:g}"
            without_it = query_without(query, self.add_prefix(name), "before")
            found.append(Chip(str(self[name].label), shown, without_it))
        return found

    def complaints(self, query: QueryDict) -> list[str]:
        """Return what is wrong with the address, a sentence for each filter; such a filter filters nothing."""
        return [self._complaint(name, query) for name in self.errors]

    def _complaint(self, field_name: str, query: QueryDict) -> str:
        name = self.add_prefix(field_name)
        if field_name in ("q", *self.NAMES):
            return f"{self[field_name].label}: {self.errors[field_name][0]}"
        return f"There is no {name} `{query.get(name, '')[:60]}`: it filters nothing."


class FilterForm(RunsOfScriptForm):
    """The filters of all runs."""

    script = forms.ChoiceField(required=False)
    folder = forms.ChoiceField(required=False)
    tag = forms.ChoiceField(required=False)
    kind = forms.ChoiceField(required=False, choices=KINDS)
    field_order = ORDER

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query)
        scripts = list(Script.objects.present().values_list("slug", "name", "tags"))
        paths = Folder.objects.order_by("path").values_list("path", flat=True)
        tags = sorted({tag for _, _, tags in scripts for tag in tags})
        self._offer("script", [("", "All"), *((slug, name) for slug, name, _ in scripts)])
        self._offer("folder", [("", "All"), *((path, f"{path}/") for path in paths)])
        self._offer("tag", [("", "Any"), *((tag, tag) for tag in tags)])

    def _offer(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]  # a ChoiceField, as above


def query_without(query: QueryDict, *names: str) -> str:
    rest = query.copy()
    for name in ("part", *names):
        rest.pop(name, None)
    return rest.urlencode()
