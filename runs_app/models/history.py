"""What is kept of runs, what is compressed, and the views of their list that users saved."""

from django.conf import settings
from django.db import models

from scripts_app.models import Folder, Script


class RetentionRule(models.Model):
    """How long the runs of a script are kept, or those of each script in a folder; an empty limit is the next wider."""

    script = models.OneToOneField(Script, models.CASCADE, null=True, related_name="+")
    folder = models.OneToOneField(Folder, models.CASCADE, null=True, related_name="+")
    days = models.PositiveIntegerField(null=True)
    runs = models.PositiveIntegerField(null=True)
    mb = models.PositiveIntegerField(null=True)
    updated_by = models.CharField(max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(script__isnull=False, folder=None)
                | models.Q(script=None, folder__isnull=False),
                name="rule_of_a_script_or_a_folder",
            )
        ]

    def __str__(self) -> str:
        return f"retention of {self.script or self.folder}"


class ColdLogs(models.Model):
    """How far logs are compressed: all runs that ended before `finished_at`, and at that moment up to id `run`."""

    finished_at = models.DateTimeField(null=True)
    run = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"compressed up to run {self.run}"


class SavedView(models.Model):
    """Filters of the list of runs that a user keeps under a name; `query` is what the address has behind its `?`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="one_view_a_name_of_a_user")
        ]

    def __str__(self) -> str:
        return self.name
