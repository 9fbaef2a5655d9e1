"""The form of a schedule, for pages and admin alike."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.db.models import Field
from django.utils import timezone

from scripts_app.models import Schedule
from tempo_site.lib import zone


class WallClockField(forms.DateTimeField):
    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            moment = super().to_python(value)
        return moment.replace(tzinfo=None) if moment else None


RHYTHM = ("kind", "cron", "every_s", "at", "timezone")
REST = (
    "start_at",
    "end_at",
    "jitter_s",
    "delay_s",
    "overlap",
    "max_parallel",
    "missed",
    "missed_cap",
    "retries",
    "retry_delay_s",
    "retry_backoff",
    "retry_max_delay_s",
    "enabled",
)
MOMENTS = ("at", "start_at", "end_at", "paused_until")  # local times of the form
MAY_BE_EMPTY = (  # for the model's default
    "jitter_s",
    "delay_s",
    "max_parallel",
    "missed_cap",
    "retries",
    "retry_delay_s",
    "retry_backoff",
    "retry_max_delay_s",
)


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    at = WallClockField(
        required=False, label="At", help_text="Kind once: local time in the zone below."
    )
    start_at = WallClockField(required=False, label="From", help_text="No start before it.")
    end_at = WallClockField(required=False, label="Until", help_text="No start after it.")

    class Meta:
        model = Schedule
        fields: tuple[str, ...] = (*RHYTHM, *REST)
        labels = {
            "every_s": "Every (seconds)",
            "timezone": "Time zone",
            "jitter_s": "Jitter (seconds)",
            "delay_s": "Start-up delay (seconds)",
            "max_parallel": "Runs at once",
            "missed": "Missed starts",
            "missed_cap": "Missed runs at most",
            "retry_delay_s": "Wait before a try (seconds)",
            "retry_backoff": "Wait grows",
            "retry_max_delay_s": "Longest wait (seconds)",
        }
        help_texts = {
            "cron": "Kind cron: minute, hour, day of month, month, day of week; six fields begin with seconds. "
            "`*/15 * * * mon-fri`, `0 2 * * *`, `@daily`.",
            "every_s": "Kind interval: seconds between two starts, on a fixed grid.",
            "timezone": "A name like `Europe/Berlin`.",
            "overlap": "What happens at a start while the script is still running.",
            "missed": "What happens to starts that passed while Tempo was down.",
            "enabled": "",
        }
        widgets = {
            "cron": forms.TextInput(
                attrs={"class": "code", "autocapitalize": "off", "autocomplete": "off"}
            ),
            "timezone": forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in MAY_BE_EMPTY:
            self.fields[name].required = False
        schedule = self.instance
        if schedule.pk is None:  # the model's own default is not the server's zone
            initial = kwargs.get("initial") or {}
            self.initial["timezone"] = initial.get("timezone", settings.TIME_ZONE)
        own_zone = zone_of(schedule.timezone)
        if own_zone is None:
            return
        for name in MOMENTS:
            moment = getattr(schedule, name)
            if moment:
                self.initial[name] = f"{moment.astimezone(own_zone):%Y-%m-%dT%H:%M:%S}"

    def clean(self) -> dict[str, Any]:
        """Give local times the zone of the schedule, and empty fields the default of the model.

        An unknown zone is left to the verb, whose refusal comes with a suggestion.
        """
        values = super().clean() or self.cleaned_data
        own_zone = zone_of(values.get("timezone", "")) or ZoneInfo("UTC")
        for name in MOMENTS:
            local = values.get(name)
            if local:
                values[name] = self._in_zone(local, own_zone, getattr(self.instance, name))
        for name in MAY_BE_EMPTY:
            if values.get(name, 0) in (None, ""):
                values[name] = default_of(name)
        return values

    # An unchanged moment stays what it is: in a repeated hour the wall clock does not tell which pass.
    def _in_zone(self, local: datetime, own_zone: ZoneInfo, stored: datetime | None) -> datetime:
        if stored:
            shown = stored.astimezone(own_zone).replace(tzinfo=None, microsecond=0)
            if shown == local:
                return stored
        return local.replace(tzinfo=own_zone)


def zone_of(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if zone.is_known(name) else None


def default_of(name: str) -> Any:
    field = Schedule._meta.get_field(name)
    assert isinstance(field, Field)
    return field.get_default()
