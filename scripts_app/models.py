"""The tables of scripts: folders, scripts, versions, drafts, environments, variables, schedules and the pause."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_q.models import Schedule as Alarm

from scripts_app.packages import interpreters
from scripts_app.timing import rule
from scripts_app.timing.cron_expression import MAX_LENGTH
from tempo_site.lib import zone

DEFAULT_PYTHON = ""  # the interpreter Tempo itself runs on


class Folder(models.Model):
    """A place for scripts, named by its whole path: `Ops/Nightly`."""

    path = models.CharField(max_length=300, unique=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class Environment(models.Model):
    """A locked set of packages for one Python: asked for as `wanted`, usable as `ready`.

    The row is the letter: a need for an environment is written as a row, `runs_app.triggers.builds` sweeps them.
    """

    class State(models.TextChoices):
        WANTED = "wanted"
        BUILDING = "building"
        READY = "ready"
        FAILED = "failed"
        STORED = "stored"  # the lock is kept, the folder is not: built again when a script needs it

    python = models.CharField(max_length=40, help_text="Full version of the interpreter: 3.11.7.")
    interpreter = models.CharField(
        max_length=500, help_text="Absolute path of the interpreter it was asked for with."
    )
    requirements = models.TextField(blank=True)
    lock = models.TextField(blank=True, editable=False)
    digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Its folder's name below envs/."
    )
    state = models.CharField(max_length=8, choices=State, default=State.WANTED)
    message = models.TextField(blank=True, editable=False)
    is_renewal = models.BooleanField(
        default=False, editable=False, help_text="To be built anew, though it is there."
    )
    allows_source = models.BooleanField(
        default=False, help_text="Packages without a wheel may be built from source."
    )
    generation = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Counts the times the packages of this wish were upgraded.",
    )
    size_bytes = models.PositiveBigIntegerField(null=True, editable=False)
    checked_at = models.DateTimeField(
        null=True, editable=False, help_text="The last look at its health."
    )
    fault = models.TextField(
        blank=True, editable=False, help_text="What is broken in it; empty: nothing."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["interpreter", "requirements", "allows_source", "generation"],
                name="one_environment_a_wish",
            )
        ]
        indexes = [
            models.Index(fields=["state"], name="environment_state")  # the sweep for wanted ones
        ]

    def __str__(self) -> str:
        count = len(self.requirement_lines)
        plural = "" if count == 1 else "s"
        return f"Python {self.python}, {count} requirement{plural} ({self.state})"

    @property
    def requirement_lines(self) -> list[str]:
        """Return what was asked for, for people: without hashes."""
        lines = [line for line in self.requirements.splitlines() if line and line[0] != "#"]
        return [line.partition(" --hash=")[0] for line in lines]

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def is_python_gone(self) -> bool:
        return interpreters.is_gone(Path(self.interpreter))

    @property
    def is_broken(self) -> bool:
        """Return whether a built environment was damaged since; `fault` names the damage."""
        return self.is_ready and bool(self.fault)


class ScriptQuerySet(models.QuerySet["Script"]):
    def present(self) -> "ScriptQuerySet":
        return self.filter(deleted_at=None)

    def restorable(self) -> "ScriptQuerySet":
        return self.filter(deleted_at__isnull=False, purged_at=None)


class Script(models.Model):
    """A Python script: its name, its limits, its current version and its environment in use."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True, editable=False)
    folder = models.ForeignKey(
        Folder, models.PROTECT, null=True, blank=True, related_name="scripts"
    )
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(
        default=True,
        help_text="Disabled: its schedules start nothing; it can still be run by hand.",
    )
    version = models.ForeignKey(
        "Version", models.PROTECT, null=True, editable=False, related_name="+"
    )
    environment = models.ForeignKey(
        Environment, models.PROTECT, null=True, editable=False, related_name="scripts"
    )
    wanted_environment = models.ForeignKey(
        Environment, models.PROTECT, null=True, editable=False, related_name="waiting_scripts"
    )
    upgrade = models.ForeignKey(
        Environment,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="upgrading_scripts",
        help_text="Newer packages that are looked at before they are used.",
    )
    allow_source = models.BooleanField(default=False, verbose_name="allow building from source")
    one_at_a_time = models.BooleanField(
        default=False,
        verbose_name="one run at a time",
        help_text="However a run is started, it waits for the one before it.",
    )
    parameters = models.JSONField(
        default=list, blank=True, help_text="The inputs of a run, as Settings declare them."
    )
    copies = models.JSONField(
        default=dict,
        editable=False,
        help_text="SHA-256 of the readable copies as Tempo last knew them, by file name.",
    )
    timeout_s = models.PositiveIntegerField(
        default=300, validators=[MaxValueValidator(30 * 86400)], help_text="Seconds; 0 = no limit."
    )
    memory_mb = models.PositiveIntegerField(
        default=512,
        validators=[MinValueValidator(16), MaxValueValidator(1024 * 1024)],
        help_text="Megabytes.",
    )
    cpu_s = models.PositiveIntegerField(default=0, help_text="CPU seconds; 0 = no limit.")
    processes = models.PositiveIntegerField(default=64, validators=[MinValueValidator(1)])
    output_mb = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1024 * 1024)],
        help_text="Megabytes kept.",
    )
    file_mb = models.PositiveIntegerField(
        default=2048,
        validators=[MaxValueValidator(1024 * 1024)],
        help_text="Megabytes a file; 0 = no limit.",
    )
    nice = models.PositiveSmallIntegerField(default=5, validators=[MaxValueValidator(19)])
    as_service_user = models.BooleanField(default=False, verbose_name="run as Tempo's own user")
    uid = models.PositiveIntegerField(
        null=True,
        unique=True,
        editable=False,
        help_text="The user its runs have for themselves; given once, for good.",
    )
    revision = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts every change of its text, draft or version."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    deleted_from = models.CharField(
        max_length=300,
        blank=True,
        editable=False,
        help_text="The folder it lay in when it was deleted.",
    )
    purged_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Its files and texts are gone; the row keeps its name, slug and user taken.",
    )

    objects = ScriptQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def declared(self) -> list[dict[str, Any]]:
        """Return the parameters that the current version's code declares, else those of the settings."""
        declared: list[dict[str, Any]] = self.parameters
        if self.version and self.version.parameters is not None:
            declared = self.version.parameters
        return declared


class Version(models.Model):
    """The text of a script as it was saved; a run executes exactly one version."""

    script = models.ForeignKey(Script, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    code = models.TextField(blank=True)
    requirements = models.TextField(blank=True)
    python_version = models.CharField(max_length=10, blank=True, default=DEFAULT_PYTHON)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    saved_by = models.CharField(
        max_length=150, blank=True, help_text="The author's name, kept; empty: Tempo itself."
    )
    note = models.CharField(max_length=200, blank=True)
    is_draft = models.BooleanField(
        default=False, help_text="Kept from a draft: it was never the current version."
    )
    settings = models.JSONField(
        default=dict, editable=False, help_text="The script's limits and switches then."
    )
    settings_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of those.")
    syntax_error = models.CharField(
        max_length=500, blank=True, help_text="Why its Python cannot read the code."
    )
    environment = models.ForeignKey(
        Environment,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="versions",
        help_text="Holds its lock.",
    )
    parameters = models.JSONField(
        null=True, editable=False, help_text="As its code declares them; null: it does not."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["script", "number"], name="one_version_a_number")
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class Draft(models.Model):
    """Text of a script that is not a version yet; all people who edit the script share one draft."""

    script = models.OneToOneField(Script, models.CASCADE, related_name="draft")
    code = models.TextField(blank=True)
    requirements = models.TextField(blank=True)
    python_version = models.CharField(max_length=10, blank=True, default=DEFAULT_PYTHON)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    saved_at = models.DateTimeField()
    kept = models.ForeignKey(
        Version,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="Says the same; idle drafts.",
    )

    def __str__(self) -> str:
        return f"draft of {self.script}"


class Variable(models.Model):
    """A name and a value for the environment of a script, or of all scripts; a secret is stored encrypted only."""

    script = models.ForeignKey(
        Script,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="variables",
        help_text="Empty: for all scripts.",
    )
    name = models.CharField(max_length=100)
    is_secret = models.BooleanField(default=False)
    value = models.TextField(blank=True, help_text="Of a secret: what Fernet made of it.")
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["script", "name"], name="one_variable_a_name"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(script=None), name="one_global_variable_a_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def armed(self) -> "ScheduleQuerySet":
        return self.filter(enabled=True, script__enabled=True, script__deleted_at=None)


class Schedule(models.Model):
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
        """The schedule's zone, where it is not the one in which pages write times."""
        if self.kind == Schedule.Kind.STARTUP or self.timezone == zone.current().key:
            return ""
        return self.timezone

    def describe(self) -> str:
        """Return the timing as a sentence; also for a row that was damaged from outside, so that lists still open."""
        try:
            return rule.describe(self.timing)
        except rule.TimingError as error:
            return f"unreadable: {error}"


class UnplacedFiles(models.Model):
    """Files of an import that is done, which are still to be put into the folders of their scripts."""

    token = models.CharField(max_length=40, unique=True, help_text="Names the folder they lie in.")
    files = models.JSONField(help_text="Each with its script, its place there, and its path.")

    def __str__(self) -> str:
        return f"{len(self.files)} files of import {self.token}"


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


class OpenPath(models.Model):
    """A folder or file of the machine that staff have opened to scripts beside their own."""

    script = models.ForeignKey(
        Script,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="open_paths",
        help_text="Empty: for all scripts.",
    )
    path = models.CharField(max_length=500, help_text="Absolute, as it was typed.")
    may_write = models.BooleanField(default=False)
    added_by = models.CharField(max_length=150, blank=True)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["path", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["script", "path"], name="one_open_path_a_script"),
            models.UniqueConstraint(
                fields=["path"], condition=models.Q(script=None), name="one_open_path_for_all"
            ),
        ]

    def __str__(self) -> str:
        return self.path


class Star(models.Model):
    """A script that a user wants at the top of the list."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    script = models.ForeignKey(Script, models.CASCADE, related_name="stars")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "script"], name="one_star_a_script")]

    def __str__(self) -> str:
        return f"{self.script} of {self.user}"
