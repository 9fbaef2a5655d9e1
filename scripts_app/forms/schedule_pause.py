"""How long a pause is to last: an hour, until tomorrow, until a moment, or until further notice."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from scripts_app.forms.schedule import WallClockField

HOUR, TOMORROW, MOMENT, OPEN = "hour", "tomorrow", "moment", "open"
LENGTHS = [
    (HOUR, "For 1 hour"),
    (TOMORROW, "Until tomorrow"),
    (MOMENT, "Until"),
    (OPEN, "Until further notice"),
]


class PauseForm(forms.Form):
    """Cleaned to `until`, an aware moment or None. Whoever names no length means the moment."""

    length = forms.ChoiceField(required=False, choices=LENGTHS)
    until = WallClockField(required=False, label="Until")

    def __init__(
        self, *args: Any, now: datetime, zone: ZoneInfo, may_be_open: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.now, self.zone, self.may_be_open = now, zone, may_be_open
        self.fields["until"].initial = f"{now.astimezone(zone) + timedelta(days=1):%Y-%m-%d}T09:00"

    @property
    def tomorrow(self) -> datetime:
        """The first moment of tomorrow by the zone's clock."""
        return datetime.combine(
            self.now.astimezone(self.zone).date() + timedelta(days=1), time(), self.zone
        )

    def clean(self) -> dict[str, Any]:
        """Turn the length into a moment."""
        values = super().clean() or self.cleaned_data
        match values.get("length"):
            case "hour":
                values["until"] = self.now + timedelta(hours=1)
            case "tomorrow":
                values["until"] = self.tomorrow
            case "open" if self.may_be_open:
                values["until"] = None
            case _:
                self._take_moment(values)
        return values

    def _take_moment(self, values: dict[str, Any]) -> None:
        if moment := values.get("until"):
            values["until"] = moment.replace(tzinfo=self.zone)
        elif "until" not in self.errors:
            self.add_error("until", "Say the date and the time.")
