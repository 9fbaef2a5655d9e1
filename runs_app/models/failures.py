"""Runs that failed alike."""

from django.db import models

from scripts_app.models import Script, Version


class FailureGroup(models.Model):
    """Runs of a script that failed alike: a row for each fingerprint, counted where a run ends."""

    script = models.ForeignKey(
        Script,
        models.CASCADE,
        related_name="failures",
        db_index=False,
    )
    fingerprint = models.CharField(max_length=16)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    place = models.CharField(max_length=300, blank=True)
    count = models.PositiveBigIntegerField(default=1)
    # Ids, not references: retention deletes runs without a look at this table.
    first_run = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    first_version = models.ForeignKey(
        Version,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    last_run = models.PositiveBigIntegerField()
    last_at = models.DateTimeField()
    last_version = models.ForeignKey(
        Version,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    since_run = models.PositiveBigIntegerField()  # the first one behind the last success in between

    class Meta:
        ordering = ["-last_run", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["script", "fingerprint"], name="one_failure_a_fingerprint"
            )
        ]
        indexes = [
            # The page of failures.
            models.Index(fields=["-last_run", "-id"], name="failure_newest"),
            # Other scripts with the same failure.
            models.Index(fields=["fingerprint"], name="failure_of_others"),
        ]

    def __str__(self) -> str:
        return self.title
