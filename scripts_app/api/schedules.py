"""REST operations on schedules; each finds its row, calls one verb and answers."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

from scripts_app import finding, schedules, timing
from scripts_app.api.shapes import MAX_NUMBER, Limit, Moment, router, without_defaults
from scripts_app.models import Schedule
from tempo_site.lib import words

JITTER_REFUSED = "jitter is not supported yet: leave it out or send 0"


class RhythmIn(BaseModel):
    """When: `cron` with a five- or six-field expression, `interval` with `every_s`, `once` with `at`, or `startup`."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cron", "interval", "once", "startup"]
    cron: str = ""
    every_s: Annotated[int, Field(strict=True, ge=1, le=MAX_NUMBER)] | None = None
    at: Moment | None = None
    timezone: str = Field(
        default_factory=lambda: settings.TIME_ZONE, description="IANA name; the server's if left out."
    )


class ScheduleIn(RhythmIn):
    """A new schedule."""

    enabled: StrictBool = True
    overlap: Literal["skip", "parallel"] = "skip"
    missed: Literal["once", "skip", "all"] = "once"
    jitter_s: StrictInt = 0

    @field_validator("jitter_s")
    @classmethod
    def refuse_jitter(cls, value: int) -> int:
        """Better refused than stored and not kept."""
        if value != 0:
            raise ValueError(JITTER_REFUSED)
        return value


class SchedulePatch(ScheduleIn):
    """Changes to a schedule; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    kind: Literal["cron", "interval", "once", "startup"] = "cron"


class PreviewIn(RhythmIn):
    """A rhythm to try out; `start` is the moment to look from (default: now)."""

    start: Moment | None = None
    count: Annotated[int, Field(strict=True, ge=1, le=100)] = 5


class ScheduleOut(BaseModel):
    """A schedule; `next_at` is null when nothing is to come."""

    id: int
    script: str
    kind: str
    cron: str
    every_s: int | None
    at: datetime | None
    timezone: str
    enabled: bool
    overlap: str
    missed: str
    jitter_s: int
    next_at: datetime | None


class SchedulePage(BaseModel):
    """Schedules, oldest first."""

    items: list[ScheduleOut]
    next_cursor: str | None


class MomentOut(BaseModel):
    """A due moment: in UTC, on the wall clock of its time zone, and from the start of the preview."""

    utc: datetime
    local: str
    relative: str


class PreviewOut(BaseModel):
    """What a rhythm means."""

    description: str
    next: list[MomentOut]
    warnings: list[str]


@router.get("/scripts/{slug:slug}/schedules", response=SchedulePage, tags=["schedules"])
def list_schedules(request: HttpRequest, slug: str, limit: Limit, cursor: int = 0) -> SchedulePage:
    """List a script's schedules."""
    script = finding.script(slug)
    rows = list(script.schedules.filter(pk__gt=cursor).select_related("alarm", "script").order_by("pk")[: limit + 1])
    return SchedulePage.model_construct(
        items=[schedule_out(schedule) for schedule in rows[:limit]],
        next_cursor=str(rows[limit - 1].pk) if len(rows) > limit else None,
    )


@router.post("/scripts/{slug:slug}/schedules", response={201: ScheduleOut}, tags=["schedules"])
def create_schedule(request: HttpRequest, slug: str, data: ScheduleIn) -> Status[ScheduleOut]:
    """Give a script a schedule."""
    schedule = Schedule(script=finding.script(slug), **data.model_dump(exclude={"jitter_s"}))
    return Status(201, schedule_out(schedules.save(schedule, now=timezone.now())))


@router.post("/schedules/preview", response=PreviewOut, tags=["schedules"])
def preview_schedule(request: HttpRequest, data: PreviewIn) -> PreviewOut:
    """Show the due moments that a schedule would have; nothing is stored."""
    start = data.start or timezone.now()
    rhythm = timing.Timing(anchor=start, **data.model_dump(exclude={"start", "count"}))
    timing.check(rhythm)
    return PreviewOut(
        description=timing.describe(rhythm),
        next=[moment_out(due, rhythm.timezone, start) for due in timing.upcoming(rhythm, start, data.count)],
        warnings=timing.warnings(rhythm, start),
    )


@router.get("/schedules/{int:schedule_id}", response=ScheduleOut, tags=["schedules"])
def read_schedule(request: HttpRequest, schedule_id: int) -> ScheduleOut:
    """Show one schedule."""
    return schedule_out(finding.schedule(schedule_id))


@router.patch("/schedules/{int:schedule_id}", response=ScheduleOut, tags=["schedules"])
def change_schedule(request: HttpRequest, schedule_id: int, data: SchedulePatch) -> ScheduleOut:
    """Change a schedule."""
    schedule = finding.schedule(schedule_id)
    for name, value in data.model_dump(exclude_unset=True, exclude={"jitter_s"}).items():
        setattr(schedule, name, value)
    return schedule_out(schedules.save(schedule, now=timezone.now()))


@router.delete("/schedules/{int:schedule_id}", response={204: None}, tags=["schedules"])
def delete_schedule(request: HttpRequest, schedule_id: int) -> Status[None]:
    """Delete a schedule; runs it started stay in the history."""
    schedules.delete(finding.schedule(schedule_id))
    return Status(204, None)


def schedule_out(schedule: Schedule) -> ScheduleOut:
    """Return a schedule as JSON shows it."""
    return ScheduleOut.model_construct(
        id=schedule.pk,
        script=schedule.script.slug,
        kind=schedule.kind,
        cron=schedule.cron,
        every_s=schedule.every_s,
        at=schedule.at,
        timezone=schedule.timezone,
        enabled=schedule.enabled,
        overlap=schedule.overlap,
        missed=schedule.missed,
        jitter_s=0,
        next_at=schedule.next_at,
    )


def moment_out(due: datetime, zone: str, start: datetime) -> MomentOut:
    """Return a due moment as a preview shows it."""
    return MomentOut(utc=due, local=due.astimezone(ZoneInfo(zone)).isoformat(), relative=f"in {_span(due - start)}")


def _span(distance: timedelta) -> str:
    seconds = distance.total_seconds()
    return words.span(seconds) if seconds >= 10 else f"{seconds:.0f} s"
