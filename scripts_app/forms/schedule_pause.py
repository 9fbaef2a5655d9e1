"""How long a pause is to last: an hour, until tomorrow, a week, until a moment, or until further notice."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from scripts_app.forms.schedule import WallClockField
from tempo_site.lib import zone

HOUR, TOMORROW, WEEK, MOMENT, OPEN = "hour", "tomorrow", "week", "moment", "open"
LENGTHS = [
    (HOUR, "For 1 hour"),
    (TOMORROW, "Until tomorrow"),
    (WEEK, "For 1 week"),
    (MOMENT, "Until"),
    (OPEN, "Until further notice"),
]


class PauseForm(forms.Form):
    """Cleaned to `until`: an aware moment, or None for no end. Without a length the moment counts."""

    length = forms.ChoiceField(required=False, choices=LENGTHS)
    until = WallClockField(required=False, label="Until")

    def __init__(
        self, *args: Any, now: datetime, zone: ZoneInfo, may_be_open: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.zone = zone
        self.may_be_open = may_be_open
        in_a_day = now.astimezone(zone) + timedelta(days=1)
        self.fields["until"].initial = f"{in_a_day:%Y-%m-%d}T09:00"

    @property
    def tomorrow(self) -> datetime:
        today = self.now.astimezone(self.zone).date()
        return datetime.combine(today + timedelta(days=1), time(), self.zone)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        match values.get("length"):
            case "hour":
                values["until"] = self.now + timedelta(hours=1)
            case "tomorrow":
                values["until"] = self.tomorrow
            case "week":
                values["until"] = self.now + timedelta(weeks=1)
            case "open" if self.may_be_open:
                values["until"] = None
            case _:
                self._put_moment_in_zone(values)
        return values

    def _put_moment_in_zone(self, values: dict[str, Any]) -> None:
        moment = values.get("until")
        if moment:
            values["until"] = moment.replace(tzinfo=self.zone)
        elif "until" not in self.errors:
            self.add_error("until", "Say the date and the time.")

    @staticmethod
    def end_of(length: str, *, now: datetime) -> datetime:
        """Return the end of a pause of one of the lengths without a moment, by the clock of the pages; else an hour."""
        form = PauseForm({"length": length}, now=now, zone=zone.current(), may_be_open=False)
        until = form.cleaned_data.get("until") if form.is_valid() else None
        return until or now + timedelta(hours=1)
