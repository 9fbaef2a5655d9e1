"""Files of scripts: those an import still has to put in their places, and the machine's own that staff opened."""

from django.db import models

from scripts_app.models.scripts import Script


class UnplacedFiles(models.Model):
    """Files of an import that is done, which are still to be put into the folders of their scripts."""

    token = models.CharField(max_length=40, unique=True, help_text="Names the folder they lie in.")
    files = models.JSONField(help_text="Each with its script, its place there, and its path.")

    def __str__(self) -> str:
        return f"{len(self.files)} files of import {self.token}"


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
