"""A newcomer's first steps: run a script, write a script, give a script a schedule; and be told when one fails."""

from dataclasses import dataclass

from notifications_app.rules import book
from runs_app.models import Run
from runs_app.states import Trigger
from scripts_app.models import Schedule, Script


@dataclass(frozen=True, kw_only=True)
class FirstSteps:
    has_run: bool
    has_written: bool
    has_schedule: bool
    has_channel: bool  # offered, and not asked for: a small Tempo may do without
    starter: Script | None
    own: Script | None

    @property
    def is_done(self) -> bool:
        return self.has_run and self.has_written and self.has_schedule


def first_steps() -> FirstSteps:
    """Return how far a newcomer has come. Deleted scripts count: their rows stay, and so does the experience."""
    oldest = list(Script.objects.order_by("pk").only("name", "slug", "deleted_at")[:2])
    newest = Script.objects.present().order_by("-pk").only("name", "slug").first()
    starter = None
    if oldest and oldest[0].deleted_at is None:
        starter = oldest[0]
    return FirstSteps(
        has_run=Run.objects.scripts().exists(),
        has_written=len(oldest) > 1,
        has_schedule=_has_schedule(),
        has_channel=book.current().has_channels,
        starter=starter,
        own=newest,
    )


def _has_schedule() -> bool:
    if Schedule.objects.exists():
        return True
    return Run.objects.filter(trigger=Trigger.SCHEDULE).exists()
