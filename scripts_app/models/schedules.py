"""When scripts run: schedules, the pause of all of them, and the keys of calendars that show them."""

from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_q.models import Schedule as Alarm

from scripts_app.models.scripts import Script
from scripts_app.timing import rule
from scripts_app.timing.cron_expression import MAX_LENGTH
from tempo_site.lib import zone
from tempo_site.lib.sqlite.quick_model import QuickModel


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def armed(self) -> "ScheduleQuerySet":
        return self.filter(enabled=True, script__enabled=True, script__deleted_at=None)


class Schedule(QuickModel):
    """When a script runs. The alarm holds the next due moment, here and nowhere else."""

    class Kind(models.TextChoices):
        CRON = "cron"
        INTERVAL = "interval"
        ONCE = "once"
        STARTUP = "startup"

    class Overlap(models.TextChoices):
        SKIP = "skip"
        QUEUE_ONE = "queue_one", "queue one"
        PARALLEL = "parallel"
        REPLACE = "replace"

    class Missed(models.TextChoices):
        ONCE = "once", "one run for all of them"
        SKIP = "skip", "none, only recorded"
        ALL = "all", "a run for each"

    class Backoff(models.TextChoices):
        FIXED = "fixed"
        DOUBLING = "doubling"

    script = models.ForeignKey(Script, models.CASCADE, related_name="schedules")
    kind = models.CharField(max_length=8, choices=Kind)
    cron = models.CharField(max_length=MAX_LENGTH, blank=True)
    every_s = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Seconds between two starts."
    )
    at = models.DateTimeField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    start_at = models.DateTimeField(
        null=True, blank=True, help_text="No start before it; an interval's grid begins here."
    )
    end_at = models.DateTimeField(null=True, blank=True, help_text="No start after it.")
    jitter_s = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(3600)],
        help_text="Each start is put off by up to so many seconds.",
    )
    delay_s = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(86400)],
        help_text="Kind startup: seconds after the start of Tempo.",
    )
    paused_at = models.DateTimeField(null=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True)
    overlap = models.CharField(max_length=9, choices=Overlap, default=Overlap.SKIP)
    max_parallel = models.PositiveIntegerField(
        default=3,
        validators=[MinValueValidator(2), MaxValueValidator(20)],
        help_text="Overlap parallel: runs at once.",
    )
    missed = models.CharField(max_length=4, choices=Missed, default=Missed.ONCE)
    missed_cap = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Missed all: runs at most.",
    )
    retries = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(10)], help_text="Further tries after a failure."
    )
    retry_delay_s = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(86400)],
        help_text="Seconds to the first retry.",
    )
    retry_backoff = models.CharField(max_length=8, choices=Backoff, default=Backoff.FIXED)
    retry_max_delay_s = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(1), MaxValueValidator(86400)],
        help_text="Doubling ends here.",
    )
    params = models.JSONField(
        default=dict, blank=True, help_text="What it gives its runs as inputs, by name."
    )
    anchor = models.DateTimeField(
        null=True, editable=False, help_text="Where an interval's grid begins."
    )
    alarm = models.OneToOneField(Alarm, models.SET_NULL, null=True, editable=False)
    message = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why it was put aside."
    )
    cron_line = models.CharField(
        max_length=1000, blank=True, editable=False, help_text="The line of a crontab it came from."
    )
    mail_to = models.CharField(
        max_length=500,
        blank=True,
        editable=False,
        help_text="Where that crontab's cron sent mail; nothing is sent there before a person says so.",
    )
    last_success_at = models.DateTimeField(null=True, editable=False)
    stale_since = models.DateTimeField(
        null=True, editable=False, help_text="Three starts without a success by then."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.script}: {self.describe()}"

    @property
    def timing(self) -> rule.Timing:
        return rule.Timing(
            kind=self.kind,
            cron=self.cron,
            every_s=self.every_s,
            at=self.at,
            anchor=self.anchor,
            timezone=self.timezone,
            start_at=self.start_at,
            end_at=self.end_at,
            jitter_s=self.jitter_s,
            seed=self.script.slug if self.jitter_s else "",
        )

    @property
    def next_at(self) -> datetime | None:
        if self.alarm is None:
            return None
        due: datetime | None = self.alarm.next_run
        return due

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now

    @property
    def other_zone(self) -> str:
        """The schedule's zone, where its words need one that is not the one in which pages write times."""
        try:
            is_needed = rule.names_hours(self.timing) and self.timezone != zone.current().key
        except rule.TimingError:  # damaged from outside
            return ""
        return self.timezone if is_needed else ""

    def describe(self) -> str:
        """Return the timing as a sentence; also for a row that was damaged from outside, so that lists still open."""
        try:
            return rule.describe(self.timing)
        except rule.TimingError as error:
            return f"unreadable: {error}"


class Pause(models.Model):
    """The time in which no schedule fires; the table holds the last pause alone."""

    since = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="Empty: until further notice.")
    by = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return f"all schedules, since {self.since:%Y-%m-%d %H:%M}"

    def is_open(self, now: datetime) -> bool:
        return self.until is None or self.until > now


class CalendarKey(models.Model):
    """Lets a calendar read what schedules will start, and nothing else; one a user, stored as a hash."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_key"
    )
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    last_used_on = models.DateField(null=True)

    def __str__(self) -> str:
        return f"calendar key of {self.user}"
