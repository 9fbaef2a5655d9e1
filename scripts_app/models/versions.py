"""What scripts say: their versions and their drafts."""

from django.conf import settings
from django.db import models

from scripts_app.models.environments import Environment
from scripts_app.models.scripts import Script
from tempo_site.lib.sqlite.quick_model import QuickModel

DEFAULT_PYTHON = ""  # the interpreter Tempo itself runs on


class Version(QuickModel):
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
