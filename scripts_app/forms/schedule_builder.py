"""The schedule builder's form: plain choices, a cron line, an interval, one moment, start-up; one of them counts."""

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
WEEKDAYS = [(1, "Mon"), (2, "Tue"), (3, "Wed"), (4, "Thu"), (5, "Fri"), (6, "Sat"), (0, "Sun")]
DAYS = [*((day, str(day)) for day in range(1, 32)), (timing_simple.LAST_DAY, "last day")]
UNITS = [(1, "seconds"), (60, "minutes"), (3600, "hours"), (DAY_S, "days")]
OVERLAP = [
    (Schedule.Overlap.SKIP.value, "Skip the moment"),
    (Schedule.Overlap.QUEUE_ONE.value, "Wait for its end, then run once"),
    (Schedule.Overlap.PARALLEL.value, "Start another run beside it"),
    (Schedule.Overlap.REPLACE.value, "Cancel it and start anew"),
]
MISSED = [
    (Schedule.Missed.ONCE.value, "One run for all of them"),
    (Schedule.Missed.SKIP.value, "No run, only a line in the history"),
    (Schedule.Missed.ALL.value, "A run for each of them"),
]
RETRIES = [(0, "none"), *((number, str(number)) for number in range(1, 11))]
BACKOFF = [
    (Schedule.Backoff.FIXED.value, "The same before each try"),
    (Schedule.Backoff.DOUBLING.value, "Doubled before each further try"),
]
NEEDS = {  # the fields that a rhythm in plain choices is made of
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
EMPTY = {"cron": "", "jitter_s": 0, "delay_s": 0}  # of what does not count; all others are None
MISSING = {
    "step": "Choose a number of minutes.",
    "minute": "Say the minute: 0 to 59.",
    "time": "Say the time: like 09:30.",
    "weekdays": "Choose a day at least.",
    "day": "Choose a day of the month.",
}
DEFAULT = Simple(every="day")
DEFAULT_EVERY_S = 15 * 60
BOUNDS = {"max_parallel": (2, 20), "missed_cap": (1, 100)}  # for browsers; the model decides


class EveryWidget(forms.MultiWidget):
    """A number and its unit."""

    def __init__(self, unit: int = 60) -> None:
        self.unit = unit  # while there is no number
        number = forms.NumberInput(attrs={"min": 1, "inputmode": "numeric"})
        super().__init__([number, forms.Select(choices=UNITS)])

    def decompress(self, value: Any) -> list[Any]:
        """Return seconds as a number of the largest unit that holds them whole."""
        if not value:
            return [None, self.unit]
        size = max(size for size, _ in UNITS if value % size == 0)
        return [value // size, size]


class EveryField(forms.MultiValueField):
    """A span of time, cleaned to seconds."""

    widget = EveryWidget

    def __init__(self, **kwargs: Any) -> None:
        number = forms.IntegerField(required=False, min_value=1)
        unit = forms.TypedChoiceField(required=False, choices=UNITS, coerce=int, empty_value=None)
        super().__init__([number, unit], require_all_fields=False, required=False, **kwargs)
        for part, name in zip(self.widget.widgets, ("number", "unit"), strict=True):
            part.attrs["aria-label"] = (
                f"{self.label}: {name}"  # there are several of these on a page
            )

    def compress(self, data_list: list[Any]) -> int | None:
        """Return seconds, or None when there is no number."""
        number, size = data_list or (None, None)
        return number * size if number and size else None


class ScheduleBuilder(ScheduleForm):
    """When a script runs, said in one of five ways; what stands in the other four does not count."""

    kind = forms.ChoiceField(choices=MODES, widget=forms.RadioSelect, label="When it runs")
    every_s = EveryField(label="Every")
    jitter_s = EveryField(label="Put each start off by up to", widget=EveryWidget(unit=1))
    delay_s = EveryField(label="Wait after the start of Tempo", widget=EveryWidget(unit=1))
    overlap = forms.ChoiceField(choices=OVERLAP, label="While a run is still going")
    missed = forms.ChoiceField(choices=MISSED, label="Moments missed while Tempo was down")
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
        simple = timing_simple.parse(schedule.cron) if schedule.kind == Schedule.Kind.CRON else None
        is_simple = simple is not None or schedule.pk is None
        self.initial["kind"] = SIMPLE if is_simple else schedule.kind
        self.initial["cron"] = schedule.cron or timing_simple.line(DEFAULT)
        self.initial["every_s"] = schedule.every_s or DEFAULT_EVERY_S
        self.initial["at"] = self.initial.get("at") or self._tomorrow(now)
        self.initial.update(_all_values(simple or DEFAULT))
        self.fields["enabled"].label = "Enabled"
        for name, (least, most) in BOUNDS.items():
            self.fields[name].widget.attrs |= {"min": least, "max": most, "inputmode": "numeric"}
        self._add_inputs()

    def _add_inputs(self) -> None:
        """A field for each parameter of the script, with what the schedule gives its runs."""
        for each in parameters.parameters_of(self.instance.script):
            name = f"{inputs.PREFIX}{each.name}"
            self.fields[name] = inputs.schedule_field(each)
            if each.name in self.instance.params:
                self.initial[name] = parameters.as_text(self.instance.params[each.name])

    def input_fields(self) -> list[forms.BoundField]:
        """Those of the inputs, as the page shows them."""
        return [self[name] for name in self.fields if name.startswith(inputs.PREFIX)]

    @property
    def is_more_said(self) -> bool:
        """Whether one of the fields that stand apart has an error, or says something else than its default."""
        said = (
            name for name in REST if (self.initial.get(name) or None) != (default_of(name) or None)
        )
        return any(True for _ in said) or any(name in self.errors for name in REST)

    def clean(self) -> dict[str, Any]:
        """Take what the chosen mode says and forget the others, their errors too."""
        values = super().clean()
        mode = values.get("kind", "")
        self._forget(set().union(*MODE_FIELDS.values()) - MODE_FIELDS.get(mode, set()), values)
        self._keep_stored(
            {name for name, counts in self._side_fields(values).items() if not counts}, values
        )
        given = inputs.inputs_in(values)
        self.instance.params = {name: value for name, value in given.items() if value}
        if mode == SIMPLE:
            values["kind"], values["cron"] = Schedule.Kind.CRON.value, self._line(values)
        return values

    def _line(self, values: dict[str, Any]) -> str:
        """Return the cron line of the plain choices; what is missing becomes an error."""
        every = values.get("simple_every") or DEFAULT.every
        needed = {name: values.get(f"simple_{name}") for name in NEEDS[every]}
        kept = {"simple_every", *REPEATED, *(f"simple_{name}" for name in needed)}
        self._forget(MODE_FIELDS[SIMPLE] - kept, values)
        for name, value in needed.items():
            if value in (None, []) and f"simple_{name}" not in self.errors:
                self.add_error(f"simple_{name}", MISSING[name])
        if any(f"simple_{name}" in self.errors for name in needed):
            return ""
        if moment := needed.pop("time", None):
            needed |= {"hour": moment.hour, "minute": moment.minute}
        simple = Simple(every=every, **{**needed, **_as_tuple(needed)})
        is_unchanged = (
            timing_simple.parse(self.stored_cron) == simple
        )  # then its own words stay, `@daily` for one
        return self.stored_cron if is_unchanged else timing_simple.line(simple)

    def _forget(self, names: set[str], values: dict[str, Any]) -> None:
        """Let what stands in fields that do not count be nothing, and no error."""
        for name in names:
            self.errors.pop(name, None)
            values[name] = EMPTY.get(name)

    def _side_fields(self, values: dict[str, Any]) -> dict[str, bool]:
        """The fields that belong to a choice of another one, and whether that was chosen."""
        has_retries = bool(values.get("retries")) or "retries" in self.errors
        return {
            "max_parallel": values.get("overlap") == Schedule.Overlap.PARALLEL,
            "missed_cap": values.get("missed") == Schedule.Missed.ALL,
            "retry_delay_s": has_retries,
            "retry_backoff": has_retries,
            "retry_max_delay_s": has_retries
            and values.get("retry_backoff") == Schedule.Backoff.DOUBLING,
        }

    def _keep_stored(self, names: set[str], values: dict[str, Any]) -> None:
        """Let fields that nobody sees be what they were, without an error."""
        for name in names:
            self.errors.pop(name, None)
            values[name] = getattr(self.instance, name)

    def _tomorrow(self, now: datetime) -> str:
        """Tomorrow at nine by the schedule's clock."""
        zone = zone_of(self.initial.get("timezone") or self.instance.timezone)
        return f"{now.astimezone(zone) + timedelta(days=1):%Y-%m-%d}T09:00"


def simple_values(simple: Simple) -> dict[str, Any]:
    """The form's values for a rhythm in plain choices: those alone that it is made of."""
    needed = {"simple_every", *(f"simple_{name}" for name in NEEDS[simple.every])}
    return {name: value for name, value in _all_values(simple).items() if name in needed}


def _all_values(simple: Simple) -> dict[str, Any]:
    return {
        "simple_every": simple.every,
        "simple_step": simple.step,
        "simple_minute": simple.minute,
        "simple_time": f"{simple.hour:02}:{simple.minute:02}",
        "simple_weekdays": list(simple.weekdays),
        "simple_day": simple.day,
    }


def _as_tuple(needed: dict[str, Any]) -> dict[str, Any]:
    return {"weekdays": tuple(sorted(needed["weekdays"]))} if "weekdays" in needed else {}
