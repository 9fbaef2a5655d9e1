"""The form of a schedule, for pages and admin alike."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils import timezone

from scripts_app.models import Schedule
from tempo_site.lib import zone


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
        if schedule.at and (place := zone_of(schedule.timezone)):
            self.initial["at"] = f"{schedule.at.astimezone(place):%Y-%m-%dT%H:%M:%S}"
        if schedule.pk is None:  # the model's own default is not the server's zone
            self.initial["timezone"] = (kwargs.get("initial") or {}).get("timezone", settings.TIME_ZONE)

    def clean(self) -> dict[str, Any]:
        """Give the local time its zone. An unknown zone is refused by the verb, with a suggestion."""
        values = super().clean() or self.cleaned_data
        if moment := values.get("at"):
            values["at"] = self._in_zone(moment, zone_of(values.get("timezone", "")) or ZoneInfo("UTC"))
        return values

    def _in_zone(self, local: datetime, place: ZoneInfo) -> datetime:
        """What stands there already stays what it is: in a repeated hour the wall clock does not tell which pass."""
        stored: datetime | None = self.instance.at
        if stored and stored.astimezone(place).replace(tzinfo=None, microsecond=0) == local:
            return stored
        return local.replace(tzinfo=place)


def zone_of(name: str) -> ZoneInfo | None:
    """Return the zone of a known name."""
    return ZoneInfo(name) if zone.is_known(name) else None
