"""Forms of scripts and schedules, for pages and admin alike; what a verb refuses becomes an error at its field."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.utils import timezone

from scripts_app import interpreters
from scripts_app.models import Schedule, Script
from scripts_app.timing import TimingError
from scripts_app.validation import ScriptError

Result = TypeVar("Result")
CODE = {"class": "code", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


def attempt(form: forms.BaseForm, act: Callable[[], Result]) -> Result | None:
    """Call a verb; what it refuses becomes an error of the form, and the answer is None."""
    try:
        return act()
    except (ScriptError, TimingError) as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return None


class TagsField(forms.CharField):
    """Tags, separated by commas."""

    def clean(self, value: Any) -> list[str]:
        """Return the list."""
        return [tag for tag in (part.strip() for part in super().clean(value).split(",")) if tag]

    def prepare_value(self, value: Any) -> Any:
        """Show a list as text."""
        return ", ".join(value) if isinstance(value, list) else value


class ScriptForm(forms.Form):
    """Everything a person decides about a script."""

    name = forms.CharField(help_text="As people read it; the folder's name and the address are made from it once.")
    folder = forms.CharField(required=False, help_text="Like `Ops/Nightly`; made when it does not exist. May be empty.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = TagsField(required=False, help_text="Separated by commas.")
    code = forms.CharField(required=False, strip=False, widget=forms.Textarea(attrs={**CODE, "rows": 20}))
    requirements = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**CODE, "rows": 5}),
        help_text="One package a line, like `requests>=2.31`. Tempo locks and installs them for this script alone.",
    )
    python_version = forms.CharField(required=False, label="Python version")
    timeout_s = forms.IntegerField(label="Time limit", min_value=0, help_text="Seconds; 0 = no limit.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["python_version"].help_text = python_help()
        self.fields["timeout_s"].initial = settings.DEFAULT_TIMEOUT_S

    @staticmethod
    def values_of(script: Script) -> dict[str, Any]:
        """The initial values for an existing script."""
        version = script.version
        return {
            "name": script.name,
            "folder": script.folder.path if script.folder else "",
            "description": script.description,
            "tags": script.tags,
            "code": version.code if version else "",
            "requirements": version.requirements if version else "",
            "python_version": version.python_version if version else "",
            "timeout_s": script.timeout_s,
        }


def python_help() -> str:
    """Say which Pythons there are."""
    versions = dict.fromkeys(interpreter.version for interpreter in interpreters.discover())
    return f"Like `3.12`. Empty: the one Tempo runs on, {interpreters.own().version}. Here: {', '.join(versions)}."


class WallClockField(forms.DateTimeField):
    """A local time without a zone: the schedule's zone gives it its meaning."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})

    def to_python(self, value: Any) -> datetime | None:
        """Return a naive datetime."""
        with timezone.override(UTC):
            moment = super().to_python(value)
        return moment.replace(tzinfo=None) if moment else None


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """When a script runs."""

    at = WallClockField(required=False, label="At", help_text="Kind once: local time in the zone below.")

    class Meta:
        model = Schedule
        fields: tuple[str, ...] = ("kind", "cron", "every_s", "at", "timezone", "overlap", "missed", "enabled")
        labels = {
            "every_s": "Every (seconds)",
            "timezone": "Time zone",
            "missed": "Missed moments",
        }
        help_texts = {
            "cron": "Kind cron: minute, hour, day of month, month, day of week; six fields begin with seconds. "
            "`*/15 * * * mon-fri`, `0 2 * * *`, `@daily`.",
            "every_s": "Kind interval: seconds between two starts, on a fixed grid.",
            "timezone": "A name like `Europe/Berlin`.",
            "overlap": "What happens at a due moment while the script is still running.",
            "missed": "What happens to due moments that passed while Tempo was down.",
            "enabled": "",
        }
        widgets = {
            "cron": forms.TextInput(attrs={"class": "code", "autocapitalize": "off", "autocomplete": "off"}),
            "timezone": forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        schedule = self.instance
        if schedule.at and (zone := zone_of(schedule.timezone)):
            self.initial["at"] = f"{schedule.at.astimezone(zone):%Y-%m-%dT%H:%M:%S}"
        if schedule.pk is None:
            self.initial.setdefault("timezone", settings.TIME_ZONE)

    def clean(self) -> dict[str, Any]:
        """Give the local time its zone. An unknown zone is refused by the verb, with a suggestion."""
        values = super().clean() or self.cleaned_data
        if moment := values.get("at"):
            values["at"] = moment.replace(tzinfo=zone_of(values.get("timezone", "")) or UTC)
        return values


def zone_of(name: str) -> ZoneInfo | None:
    """Return the zone of a known name."""
    return ZoneInfo(name) if name in zone_names() else None


@functools.cache
def zone_names() -> list[str]:
    """All time zones, by name; read from disk once."""
    return sorted(available_timezones())
