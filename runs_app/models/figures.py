"""What runs add up to, by script and day, and how far they are counted."""

from django.db import models

from scripts_app.models import Script


class DailyFigures(models.Model):
    """What the runs of a script that ended on one day add up to; without a script: of all scripts together.

    `figures/tally.py` says what each column is. The rows stay when runs are pruned.
    """

    script = models.ForeignKey(Script, models.CASCADE, null=True, related_name="+", db_index=False)
    day = models.DateField()
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    timed_out = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    duration_s = models.FloatField(default=0)
    duration_min_s = models.FloatField(null=True)
    duration_max_s = models.FloatField(null=True)
    durations = models.JSONField(default=dict)
    cpu_s = models.FloatField(default=0)
    cpu_max_s = models.FloatField(default=0)
    memory_max_mb = models.FloatField(default=0)
    due = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    late_ms = models.PositiveBigIntegerField(default=0)
    late_max_ms = models.PositiveBigIntegerField(default=0)
    hours = models.JSONField(default=dict)
    good_first = models.PositiveIntegerField(default=0)
    good_last = models.PositiveIntegerField(default=0)
    good_longest = models.PositiveIntegerField(default=0)
    bad_last = models.PositiveIntegerField(default=0)
    kept_runs = models.IntegerField(default=0)
    kept_bytes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["script", "day"], name="one_row_a_script_and_day")
        ]
        indexes = [
            # All scripts over the last days.
            models.Index(fields=["day", "script"], name="figures_of_day"),
            # What is kept of all scripts.
            models.Index(
                fields=["script", "kept_runs", "kept_bytes"],
                condition=models.Q(kept_runs__gt=0),
                name="figures_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.script or 'all scripts'} on {self.day}"


class CountedRuns(models.Model):
    """How far the daily figures reach: all runs up to id `last`, but for those in `open`, which had not ended."""

    last = models.PositiveBigIntegerField(default=0)
    open = models.JSONField(default=list)
    turn = models.PositiveBigIntegerField(
        default=0
    )  # one more each time: a slower counter finds another number

    def __str__(self) -> str:
        return f"counted up to run {self.last}"
