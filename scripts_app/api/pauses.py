"""REST operations on the pause of all schedules."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field

from scripts_app.api.common import Moment, router
from scripts_app.models import Pause
from scripts_app.schedules import global_pause
from tempo_site import auth


class PauseIn(BaseModel):
    """Until when."""

    model_config = ConfigDict(extra="forbid")

    until: Moment | None = Field(
        default=None, description="Left out or null: until further notice."
    )


class PauseOut(BaseModel):
    """Whether all schedules are paused; `until` null is until further notice."""

    paused: bool
    since: datetime | None
    until: datetime | None
    by: str


@router.get("/pause", response=PauseOut, tags=["schedules"])
def read_pause(request: HttpRequest) -> PauseOut:
    """Show whether all schedules are paused."""
    return pause_out(global_pause.current_pause(timezone.now()))


@router.post("/pause", response=PauseOut, tags=["schedules"])
def start_pause(request: auth.AuthenticatedRequest, data: PauseIn | None = None) -> PauseOut:
    """Pause all schedules, or give the current pause another end. Runs under way and runs by hand go on."""
    until = data.until if data else None
    return pause_out(global_pause.pause_all(until=until, by=request.auth.name, now=timezone.now()))


@router.delete("/pause", response=PauseOut, tags=["schedules"])
def end_pause(request: auth.AuthenticatedRequest) -> PauseOut:
    """Let schedules fire again; moments that were due meanwhile are recorded as skipped."""
    global_pause.resume_all(by=request.auth.name, now=timezone.now())
    return pause_out(None)


def pause_out(pause: Pause | None) -> PauseOut:
    if pause is None:
        return PauseOut(paused=False, since=None, until=None, by="")
    return PauseOut(paused=True, since=pause.since, until=pause.until, by=pause.by)
