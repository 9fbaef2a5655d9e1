"""The schedule builder's form: plain choices, a cron line, an interval, a moment or start-up."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from scripts_app.forms import inputs
from scripts_app.forms.schedule import REST, ScheduleForm, default_of, zone_of
from scripts_app.inputs import parameters
from scripts_app.models import Schedule
from scripts_app.timing import simple as timing_simple
from scripts_app.timing.simple import Simple
from scripts_app.timing.wall_clock import DAY_S

SIMPLE = "simple"  # a mode of the form; stored, it is a cron line
MODES = [
    (SIMPLE, "Simple"),
    (Schedule.Kind.CRON.value, "Cron"),
    (Schedule.Kind.INTERVAL.value, "Interval"),
    (Schedule.Kind.ONCE.value, "Once"),
    (Schedule.Kind.STARTUP.value, "Start-up"),
]
EVERY = list(zip(timing_simple.EVERY, ["Minutes", "Hour", "Day", "Week", "Month"], strict=True))
WEEKDAYS = [
    (1, "Mon"),
    (2, "Tue"),
    (3, "Wed"),
    (4, "Thu"),
    (5, "Fri"),
    (6, "Sat"),
    (0, "Sun"),
]
DAYS = [(day, str(day)) for day in range(1, 32)]
DAYS.append((timing_simple.LAST_DAY, "last day"))
UNITS = [
    (1, "seconds"),
    (60, "minutes"),
    (3600, "hours"),
    (DAY_S, "days"),
]
OVERLAP = [
    (Schedule.Overlap.SKIP.value, "Skip this start"),
    (Schedule.Overlap.QUEUE_ONE.value, "Wait for its end, then run once"),
    (Schedule.Overlap.PARALLEL.value, "Start another run beside it"),
    (Schedule.Overlap.REPLACE.value, "Cancel it and start anew"),
]
MISSED = [
    (Schedule.Missed.ONCE.value, "One run for all of them"),
    (Schedule.Missed.SKIP.value, "No run, only a line in the history"),
    (Schedule.Missed.ALL.value, "A run for each of them"),
]
RETRIES = [(0, "none")]
RETRIES += [(number, str(number)) for number in range(1, 11)]
BACKOFF = [
    (Schedule.Backoff.FIXED.value, "The same before each try"),
    (Schedule.Backoff.DOUBLING.value, "Doubled before each further try"),
]
SIMPLE_FIELDS = {  # the fields that a rhythm in plain choices is made of
    "minutes": ("step",),
    "hour": ("minute",),
    "day": ("time",),
    "week": ("weekdays", "time"),
    "month": ("day", "time"),
}
REPEATED = {"start_at", "end_at", "jitter_s"}
MODE_FIELDS = {
    SIMPLE: {
        "simple_every",
        "simple_step",
        "simple_minute",
        "simple_time",
        "simple_weekdays",
        "simple_day",
        *REPEATED,
    },
    Schedule.Kind.CRON: {"cron", *REPEATED},
    Schedule.Kind.INTERVAL: {"every_s", *REPEATED},
    Schedule.Kind.ONCE: {"at"},
    Schedule.Kind.STARTUP: {"delay_s"},
}
EMPTY = {
    "cron": "",
    "jitter_s": 0,
    "delay_s": 0,
}  # of fields that do not count; all others are None
MISSING = {
    "step": "Choose a number of minutes.",
    "minute": "Say the minute: 0 to 59.",
    "time": "Say the time: like 09:30.",
    "weekdays": "Choose a day at least.",
    "day": "Choose a day of the month.",
}
DEFAULT = Simple(every="day")
DEFAULT_EVERY_S = 15 * 60
BOUNDS = {  # for browsers; the model decides
    "max_parallel": (2, 20),
    "missed_cap": (1, 100),
}


class EveryWidget(forms.MultiWidget):
    def __init__(self, unit: int = 60) -> None:
        self.unit = unit  # while there is no number
        number = forms.NumberInput(attrs={"min": 1, "inputmode": "numeric"})
        super().__init__([number, forms.Select(choices=UNITS)])

    def decompress(self, value: Any) -> list[Any]:
        if not value:
            return [None, self.unit]
        for size, _ in reversed(UNITS):
            if value % size == 0:
                return [value // size, size]
        raise AssertionError("a second divides every number of seconds")


class EveryField(forms.MultiValueField):
    widget = EveryWidget

    def __init__(self, **kwargs: Any) -> None:
        number = forms.IntegerField(required=False, min_value=1)
        unit = forms.TypedChoiceField(required=False, choices=UNITS, coerce=int, empty_value=None)
        super().__init__([number, unit], require_all_fields=False, required=False, **kwargs)
        number_widget, unit_widget = self.widget.widgets
        # There are several of these on a page, so each part names its field.
        number_widget.attrs["aria-label"] = f"{self.label}: number"
        unit_widget.attrs["aria-label"] = f"{self.label}: unit"

    def compress(self, data_list: list[Any]) -> int | None:
        if not data_list:
            return None
        number: int | None = data_list[0]
        size: int | None = data_list[1]
        if not number or not size:
            return None
        return number * size


class ScheduleBuilder(ScheduleForm):
    """When a script runs, in five modes; the fields of the other four modes do not count."""

    kind = forms.ChoiceField(choices=MODES, widget=forms.RadioSelect, label="When it runs")
    every_s = EveryField(label="Every")
    jitter_s = EveryField(label="Put each start off by up to", widget=EveryWidget(unit=1))
    delay_s = EveryField(label="Wait after the start of Tempo", widget=EveryWidget(unit=1))
    overlap = forms.ChoiceField(choices=OVERLAP, label="While a run is still going")
    missed = forms.ChoiceField(choices=MISSED, label="Starts missed while Tempo was down")
    retries = forms.TypedChoiceField(
        required=False,
        choices=RETRIES,
        coerce=int,
        empty_value=None,
        label="Further tries after a failure",
    )
    retry_delay_s = EveryField(label="Wait before a try")
    retry_backoff = forms.ChoiceField(required=False, choices=BACKOFF, label="The wait is")
    retry_max_delay_s = EveryField(label="But never longer than")
    simple_every = forms.ChoiceField(
        required=False, choices=EVERY, widget=forms.RadioSelect, label="Every"
    )
    simple_step = forms.TypedChoiceField(
        required=False,
        choices=[(step, str(step)) for step in timing_simple.STEPS],
        coerce=int,
        empty_value=None,
    )
    simple_minute = forms.IntegerField(required=False, min_value=0, max_value=59)
    simple_time = forms.TimeField(
        required=False, widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )
    simple_weekdays = forms.TypedMultipleChoiceField(
        required=False, choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    simple_day = forms.TypedChoiceField(required=False, choices=DAYS, coerce=int, empty_value=None)

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        schedule = self.instance
        self.stored_cron = schedule.cron
        self.initial["cron"] = schedule.cron or timing_simple.line(DEFAULT)
        self.initial["every_s"] = schedule.every_s or DEFAULT_EVERY_S
        self.initial["at"] = self.initial.get("at") or self._tomorrow(now)
        self._show_mode()
        self.fields["enabled"].label = "Enabled"
        for name, (minimum, maximum) in BOUNDS.items():
            attributes = {"min": minimum, "max": maximum, "inputmode": "numeric"}
            self.fields[name].widget.attrs |= attributes
        self._add_inputs()

    def _show_mode(self) -> None:
        schedule = self.instance
        simple = None
        if schedule.kind == Schedule.Kind.CRON:
            simple = timing_simple.parse(schedule.cron)
        is_simple = simple is not None or schedule.pk is None
        self.initial["kind"] = SIMPLE if is_simple else schedule.kind
        self.initial.update(_all_values(simple or DEFAULT))

    def _add_inputs(self) -> None:
        for parameter in parameters.parameters_of(self.instance.script):
            name = f"{inputs.PREFIX}{parameter.name}"
            self.fields[name] = inputs.schedule_field(parameter)
            if parameter.name in self.instance.params:
                value = self.instance.params[parameter.name]
                self.initial[name] = parameters.as_text(value)

    def input_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(inputs.PREFIX)]

    @property
    def is_more_said(self) -> bool:
        for name in REST:
            value = self.initial.get(name) or None
            if value != (default_of(name) or None) or name in self.errors:
                return True
        return False

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        mode = values.get("kind", "")
        of_all_modes: set[str] = set().union(*MODE_FIELDS.values())
        self._forget(of_all_modes - MODE_FIELDS.get(mode, set()), values)
        self._keep_stored(self._hidden_fields(values), values)
        given = inputs.inputs_in(values)
        self.instance.params = {name: value for name, value in given.items() if value}
        if mode == SIMPLE:
            values["kind"] = Schedule.Kind.CRON.value
            values["cron"] = self._line(values)
        return values

    # The cron line of the plain choices; a choice that is missing becomes an error.
    def _line(self, values: dict[str, Any]) -> str:
        every = values.get("simple_every") or DEFAULT.every
        names = SIMPLE_FIELDS[every]
        fields = {f"simple_{name}" for name in names}
        self._forget(MODE_FIELDS[SIMPLE] - fields - {"simple_every", *REPEATED}, values)
        for name in names:
            is_missing = values.get(f"simple_{name}") in (None, [])
            if is_missing and f"simple_{name}" not in self.errors:
                self.add_error(f"simple_{name}", MISSING[name])
        if fields & self.errors.keys():
            return ""
        simple = _simple_of(every, {name: values[f"simple_{name}"] for name in names})
        stored: str = self.stored_cron
        if timing_simple.parse(stored) == simple:
            return stored  # unchanged, so its own words stay: `@daily` for one
        return timing_simple.line(simple)

    def _forget(self, names: set[str], values: dict[str, Any]) -> None:
        for name in names:
            self.errors.pop(name, None)
            values[name] = EMPTY.get(name)

    # The fields that belong to a choice of another field which was not made.
    def _hidden_fields(self, values: dict[str, Any]) -> set[str]:
        hidden = set()
        if values.get("overlap") != Schedule.Overlap.PARALLEL:
            hidden.add("max_parallel")
        if values.get("missed") != Schedule.Missed.ALL:
            hidden.add("missed_cap")
        has_retries = bool(values.get("retries")) or "retries" in self.errors
        if not has_retries:
            hidden |= {"retry_delay_s", "retry_backoff"}
        if not has_retries or values.get("retry_backoff") != Schedule.Backoff.DOUBLING:
            hidden.add("retry_max_delay_s")
        return hidden

    # Fields that nobody sees stay what they were, without an error.
    def _keep_stored(self, names: set[str], values: dict[str, Any]) -> None:
        for name in names:
            self.errors.pop(name, None)
            values[name] = getattr(self.instance, name)

    # Tomorrow at nine by the schedule's clock.
    def _tomorrow(self, now: datetime) -> str:
        own_zone = zone_of(self.initial.get("timezone") or self.instance.timezone)
        in_a_day = now.astimezone(own_zone) + timedelta(days=1)
        return f"{in_a_day:%Y-%m-%d}T09:00"


def simple_values(simple: Simple) -> dict[str, Any]:
    values = _all_values(simple)
    names = ("every", *SIMPLE_FIELDS[simple.every])
    return {f"simple_{name}": values[f"simple_{name}"] for name in names}


def _all_values(simple: Simple) -> dict[str, Any]:
    return {
        "simple_every": simple.every,
        "simple_step": simple.step,
        "simple_minute": simple.minute,
        "simple_time": f"{simple.hour:02}:{simple.minute:02}",
        "simple_weekdays": list(simple.weekdays),
        "simple_day": simple.day,
    }


def _simple_of(every: str, values: dict[str, Any]) -> Simple:
    fields = dict(values)
    moment = fields.pop("time", None)
    if moment is not None:
        fields["hour"] = moment.hour
        fields["minute"] = moment.minute
    if "weekdays" in fields:
        fields["weekdays"] = tuple(sorted(fields["weekdays"]))
    return Simple(every=every, **fields)
