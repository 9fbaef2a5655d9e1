"""A run: a start of a script's version, or of a program of Tempo's own, from the trigger to the end."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce

from runs_app import states
from runs_app.states import Isolation, Kind, Reason, Status, Trigger
from scripts_app.models import Environment, Schedule, Script, Version
from tempo_site.lib import humanize
from tempo_site.lib.sqlite.quick_model import QuickModel

OWN_WORDS = {Kind.BUILD: "build", Kind.INSTALL: "installation", Kind.BACKUP: "backup"}
BACKUP_WORK = {
    "make": "makes a backup",
    "verify": "verifies a backup",
    "restore": "unpacks a backup that takes the place of the data",
}
UNUSUAL = models.Q(*[~models.Q(status=status) for status in states.USUAL])
LONG_S = 1.0  # from here on runs are found by their duration


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> "RunQuerySet":
        return self.filter(status__in=states.ACTIVE)

    def under_way(self) -> "RunQuerySet":
        return self.filter(status__in=states.UNDER_WAY)

    def scripts(self) -> "RunQuerySet":
        return self.filter(kind=Kind.SCRIPT)

    def with_status(self, status: str) -> "RunQuerySet":
        rows = self.filter(status=status)
        if status in states.USUAL:
            return rows
        return rows.filter(UNUSUAL)  # the index `run_of_script_by_status` needs this very form

    def own_programs(self) -> "RunQuerySet":
        return self.exclude(kind=Kind.SCRIPT)  # the index `run_own_programs` needs this very form

    def of_kind(self, kind: str) -> "RunQuerySet":
        """Return the runs as lists filter by kind: "" takes all, `build` installations too, once builds themselves."""
        if not kind:
            return self
        if kind == Kind.SCRIPT:
            return self.scripts()
        rows = self.own_programs()
        if kind == Kind.BUILD:
            return rows.exclude(kind=Kind.BACKUP)
        return rows.filter(kind=kind)

    def awaited_environments(self) -> models.QuerySet["Run", Any]:
        """Return the keys of the environments with which runs that repeat others wait in the queue."""
        rows = self.filter(kind=Kind.SCRIPT, status=Status.QUEUED, environment__isnull=False)
        return rows.order_by().values("environment")

    def newest_first(self, *, before: int | None = None) -> "RunQuerySet":
        """Return a page of history: keyset on the id, so that page 1,000 costs the same as page 1."""
        rows = self.order_by("-pk")
        if before:
            rows = rows.filter(pk__lt=before)
        return rows

    def move(self, target: Status, **fields: Any) -> bool:
        """Move these rows by a conditional UPDATE; False when another caller was faster or the move is not legal."""
        movable = self.filter(status__in=states.sources_of(target))
        return movable.update(status=target, **fields) > 0


class Run(QuickModel):
    """The row is the intent, the run's folder is the fact; `reconcile` brings the row in line with the folder."""

    kind = models.CharField(
        max_length=8,
        choices=Kind,
        default=Kind.SCRIPT,
    )
    own_number = models.PositiveIntegerField(
        null=True,
        editable=False,
        help_text="Counts the builds, and so on; a script's run has its id.",
    )
    # db_index=False: every index is a page more in every commit of every run; Meta has those that a query needs.
    script = models.ForeignKey(
        Script,
        models.CASCADE,
        null=True,
        related_name="runs",
        db_index=False,
    )
    version = models.ForeignKey(
        Version,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    environment = models.ForeignKey(
        Environment,
        models.SET_NULL,
        null=True,
        related_name="runs",
        db_index=False,
    )
    status = models.CharField(
        max_length=10,
        choices=Status,
        default=Status.QUEUED,
    )
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    message = models.TextField(blank=True)
    exit_code = models.IntegerField(null=True)
    signal = models.CharField(max_length=16, blank=True)

    trigger = models.CharField(max_length=10, choices=Trigger)
    by = models.CharField(
        max_length=150,
        blank=True,
        help_text="Who asked: a user, or an API key's name.",
    )
    schedule = models.ForeignKey(
        Schedule,
        models.SET_NULL,
        null=True,
        related_name="runs",
        db_index=False,
    )
    due_at = models.DateTimeField(null=True)
    late_ms = models.PositiveBigIntegerField(null=True)
    missed_count = models.PositiveIntegerField(
        default=0, help_text="Due starts this row stands for beside its own."
    )
    missed_since = models.DateTimeField(null=True)
    params = models.JSONField(default=dict)
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="1: the first; a retry's parent is the first."
    )
    not_before = models.DateTimeField(null=True, help_text="A retry waits until then.")
    overran = models.BooleanField(
        default=False, help_text="It took longer than to its schedule's next start."
    )
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        related_name="children",
        db_index=False,
    )

    created_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    duration_s = models.FloatField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=150, blank=True)
    announced_at = models.DateTimeField(null=True)

    timeout_s = models.PositiveIntegerField(default=0)
    memory_mb = models.PositiveIntegerField(default=0, help_text="The limit it had; 0 = none.")
    folder = models.CharField(
        max_length=80,
        blank=True,
        help_text="Below runs/: <yyyy-mm>/<id>-<random>.",
    )
    archived_at = models.DateTimeField(null=True)
    cpu_s = models.FloatField(null=True)
    peak_memory_mb = models.FloatField(null=True)
    processes_max = models.PositiveIntegerField(default=0, help_text="The most it had at once.")
    output_bytes = models.PositiveBigIntegerField(default=0)
    output_lines = models.PositiveBigIntegerField(default=0)
    output_dropped = models.PositiveBigIntegerField(
        default=0, help_text="Bytes left out of the log."
    )
    log_bytes = models.PositiveBigIntegerField(default=0)
    leftovers_killed = models.PositiveIntegerField(default=0)
    isolation = models.CharField(
        max_length=10,
        choices=Isolation,
        blank=True,
    )
    isolation_why = models.CharField(max_length=300, blank=True)
    isolation_degraded = models.BooleanField(default=False)
    # Both only of a script's run that ended badly; null, as a column with a default would copy the whole table.
    explanation = models.JSONField(null=True)
    fingerprint = models.CharField(max_length=16, null=True)  # noqa: DJ001

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_run_a_due_moment")
        ]
        indexes = [
            # A script's history.
            models.Index(fields=["script", "-id"], name="run_of_script"),
            # History by status; places; the sweep.
            models.Index(fields=["status", "-id"], name="run_by_status"),
            # A script's bad ends. A run that succeeds is never in it.
            models.Index(
                fields=["script", "status", "-id"],
                condition=UNUSUAL,
                name="run_of_script_by_status",
            ),
            # The queue in its order: a few rows, whatever the history, and nothing of a run that began.
            models.Index(
                "kind",
                Coalesce("due_at", "created_at"),
                "id",
                "script",
                condition=models.Q(status=Status.QUEUED),
                name="run_queue",
            ),
            # Retention by age and count looks at what is final.
            models.Index(
                fields=["finished_at"],
                condition=models.Q(finished_at__isnull=False),
                name="run_finished",
            ),
            # Retention looks for children of what it deletes.
            models.Index(
                fields=["parent"],
                condition=models.Q(parent__isnull=False),
                name="run_of_parent",
            ),
            # An environment's builds. And SQLite looks for its runs when an environment is deleted.
            models.Index(
                fields=["environment", "kind"],
                condition=models.Q(environment__isnull=False),
                name="run_of_environment",
            ),
            # The runs of a version. And SQLite looks for them when a version is deleted.
            models.Index(
                fields=["version"],
                condition=models.Q(version__isnull=False),
                name="run_of_version",
            ),
            # History by reason. A query has to say that there is one.
            models.Index(
                fields=["reason", "-id"],
                condition=~models.Q(reason=""),
                name="run_by_reason",
            ),
            # The few that took long. A query has to say that they took a second.
            models.Index(
                fields=["duration_s"],
                condition=models.Q(duration_s__gte=LONG_S),
                name="run_by_duration",
            ),
            # Builds and installations, newest first.
            models.Index(
                fields=["id"],
                condition=~models.Q(kind=Kind.SCRIPT),
                name="run_own_programs",
            ),
            # The notification sweep.
            models.Index(
                fields=["id"],
                condition=models.Q(announced_at__isnull=True, finished_at__isnull=False),
                name="run_unannounced",
            ),
            # Not yet archived.
            models.Index(
                fields=["id"],
                condition=models.Q(archived_at__isnull=True, finished_at__isnull=False),
                name="run_unarchived",
            ),
            # The runs of a failure.
            models.Index(
                "script",
                "fingerprint",
                "id",
                condition=models.Q(fingerprint__isnull=False),
                name="run_of_failure",
            ),
        ]

    def __str__(self) -> str:
        return self.in_words.capitalize()

    @property
    def label(self) -> str:
        """The number by which people know it: `#5`; of a program of Tempo's own `build 5`."""
        if self.own_number is None:
            return f"#{self.pk}"
        return f"{OWN_WORDS[Kind(self.kind)]} {self.own_number}"

    @property
    def in_words(self) -> str:
        return f"run #{self.pk}" if self.own_number is None else self.label

    @property
    def is_final(self) -> bool:
        return self.status in states.FINAL

    @property
    def is_build(self) -> bool:
        return self.kind != Kind.SCRIPT

    @property
    def installs(self) -> str:
        if self.kind != Kind.INSTALL:
            return ""
        return str(self.params.get("python", ""))

    @property
    def own_work(self) -> str:
        """What a program of Tempo's own does, as the head of its page says it; "" for a script."""
        match self.kind:
            case Kind.BUILD:
                return "builds an environment"
            case Kind.INSTALL:
                return f"installs Python {self.installs}"
            case Kind.BACKUP:
                return BACKUP_WORK.get(str(self.params.get("act", "")), "looks after backups")
        return ""

    def elapsed(self, now: datetime) -> timedelta | None:
        if self.duration_s is not None:
            return timedelta(seconds=self.duration_s)
        if self.started_at is None:
            return None
        return max(timedelta(), now - self.started_at)  # the clock may have been set back

    @property
    def peak_memory(self) -> str:
        """The one figure of a run's memory, as every page writes it; "" where it is not known."""
        if not self.peak_memory_mb:
            return ""
        return f"{self.peak_memory_mb:.0f} MB"

    @property
    def which_try(self) -> str:
        """The words for a further try: `try 2 of 4`; the schedule says how many tries there may be."""
        tries = 0
        if self.schedule:
            tries = 1 + self.schedule.retries
        if self.attempt > tries:
            return f"try {self.attempt}"
        return f"try {self.attempt} of {tries}"

    @property
    def is_late(self) -> bool:
        return states.is_late(self)

    @property
    def late_words(self) -> str:
        return humanize.span((self.late_ms or 0) / 1000)

    @property
    def is_isolation_weak(self) -> bool:
        """Whether so little kept it apart from other scripts that its page says so at once."""
        return self.isolation == Isolation.BASIC

    @property
    def flags(self) -> list[str]:
        return states.flags(self)

    @property
    def why(self) -> str:
        """The reason in words, as lists and messages say it; a failure's is the title of its explanation."""
        if self.explanation:
            return str(self.explanation["title"])
        return self.explain()

    def explain(self) -> str:
        return states.explain(self)


class RunPayload(models.Model):
    """What came with the URL trigger that started a run; gone with the run's end."""

    # An id, not a reference: retention deletes runs without a look at this table.
    run = models.PositiveBigIntegerField(unique=True)
    body = models.BinaryField()
    headers = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"payload of run {self.run}"
