"""The variables that runs of scripts find in their environment."""

from django.db import models

from scripts_app.models.scripts import Script
from tempo_site.lib.sqlite.quick_model import QuickModel


class Variable(QuickModel):
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
