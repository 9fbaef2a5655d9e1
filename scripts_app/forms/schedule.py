"""The form of a schedule, for pages and admin alike."""

import functools
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.utils import timezone

from scripts_app.models import Schedule


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
        if schedule.pk is None:  # the model's own default is not the server's zone
            self.initial["timezone"] = (kwargs.get("initial") or {}).get("timezone", settings.TIME_ZONE)

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
