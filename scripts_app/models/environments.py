"""The locked sets of packages that scripts run with."""

from pathlib import Path

from django.db import models

from scripts_app.packages import interpreters
from tempo_site.lib.sqlite.quick_model import QuickModel


class Environment(QuickModel):
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
