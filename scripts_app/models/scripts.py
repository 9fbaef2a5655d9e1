"""Scripts, the folders they lie in and the stars they have."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from scripts_app.models.environments import Environment
from tempo_site.lib.sqlite.quick_model import QuickModel


class Folder(models.Model):
    """A place for scripts, named by its whole path: `Ops/Nightly`."""

    path = models.CharField(max_length=300, unique=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class ScriptQuerySet(models.QuerySet["Script"]):
    def present(self) -> "ScriptQuerySet":
        return self.filter(deleted_at=None)

    def restorable(self) -> "ScriptQuerySet":
        return self.filter(deleted_at__isnull=False, purged_at=None)


class Script(QuickModel):
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


class Star(models.Model):
    """A script that a user wants at the top of the list."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    script = models.ForeignKey(Script, models.CASCADE, related_name="stars")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "script"], name="one_star_a_script")]

    def __str__(self) -> str:
        return f"{self.script} of {self.user}"
