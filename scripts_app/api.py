"""REST operations on scripts and schedules; each finds its row, calls one verb and answers."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from ninja.responses import Status
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

from scripts_app import finding, schedules, scripts, timing
from scripts_app.models import Schedule, Script
from tempo_site import auth
from tempo_site.lib import words

router = Router()

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_NUMBER = 2**31 - 1
YEARS = range(1970, 3000)
JITTER_REFUSED = "jitter is not supported yet: leave it out or send 0"


def plausible(moment: datetime) -> datetime:
    """Refuse years in which arithmetic with time zones and hundred intervals would leave the calendar."""
    if moment.year not in YEARS:
        raise ValueError(f"the year {moment.year} is not between {YEARS.start} and {YEARS.stop - 1}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(plausible)]
Number = Annotated[int, Field(strict=True, ge=0, le=MAX_NUMBER)]
Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]


def _without_defaults(schema: dict[str, Any]) -> None:
    """In a PATCH what is left out stays as it is, so the documentation must not promise a default."""
    for field in schema["properties"].values():
        field.pop("default", None)


class ScriptIn(BaseModel):
    """A new script. Limits that are left out take the server's defaults."""

    model_config = ConfigDict(extra="forbid")

    name: str
    folder: str = ""
    description: str = ""
    tags: list[str] = Field(default=[], max_length=50)
    code: str = ""
    requirements: str = ""
    python_version: str = ""
    timeout_s: Number = 0
    memory_mb: Number = 0
    cpu_s: Number = 0
    processes: Number = 0


class ScriptPatch(ScriptIn):
    """Changes to a script; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    name: str = ""
    enabled: StrictBool = True


class EnvironmentOut(BaseModel):
    """The environment a script has, or is waiting for: `wanted`, `building`, `ready` or `failed` with a message."""

    state: str
    python: str
    message: str


class ScriptOut(BaseModel):
    """A script. `version` is the number of its current version."""

    slug: str
    name: str
    folder: str
    description: str
    tags: list[str]
    enabled: bool
    code: str
    requirements: str
    python_version: str
    version: int
    environment: EnvironmentOut | None
    timeout_s: int
    memory_mb: int
    cpu_s: int
    processes: int
    created_at: datetime
    updated_at: datetime


class ScriptPage(BaseModel):
    """Scripts by slug."""

    items: list[ScriptOut]
    next_cursor: str | None


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

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

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


@router.post("/scripts", response={201: ScriptOut}, tags=["scripts"])
def create_script(request: auth.Request, data: ScriptIn) -> Status[ScriptOut]:
    """Create a script; its environment is built in the background."""
    script = scripts.create(by=request.auth.user, now=timezone.now(), **data.model_dump(exclude_unset=True))
    return Status(201, script_out(finding.script(script.slug)))


@router.get("/scripts", response=ScriptPage, tags=["scripts"])
def list_scripts(request: HttpRequest, limit: Limit, cursor: str = "") -> ScriptPage:
    """List scripts by slug."""
    rows = list(finding.scripts().filter(slug__gt=cursor).order_by("slug")[: limit + 1])
    return ScriptPage.model_construct(
        items=[script_out(script) for script in rows[:limit]],
        next_cursor=rows[limit - 1].slug if len(rows) > limit else None,
    )


@router.get("/scripts/{slug:slug}", response=ScriptOut, tags=["scripts"])
def read_script(request: HttpRequest, slug: str) -> ScriptOut:
    """Show one script."""
    return script_out(finding.script(slug))


@router.patch("/scripts/{slug:slug}", response=ScriptOut, tags=["scripts"])
def change_script(request: auth.Request, slug: str, data: ScriptPatch) -> ScriptOut:
    """Change a script. New code, requirements or Python make a new version."""
    scripts.update(
        finding.script(slug), by=request.auth.user, now=timezone.now(), **data.model_dump(exclude_unset=True)
    )
    return script_out(finding.script(slug))


@router.delete("/scripts/{slug:slug}", response={204: None}, tags=["scripts"])
def delete_script(request: HttpRequest, slug: str) -> Status[None]:
    """Delete a script; its history stays."""
    scripts.delete(finding.script(slug), now=timezone.now())
    return Status(204, None)


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


def script_out(script: Script) -> ScriptOut:
    """Return a script as JSON shows it."""
    version = script.version
    return ScriptOut.model_construct(
        slug=script.slug,
        name=script.name,
        folder=script.folder.path if script.folder else "",
        description=script.description,
        tags=script.tags,
        enabled=script.enabled,
        code=version.code if version else "",
        requirements=version.requirements if version else "",
        python_version=version.python_version if version else "",
        version=version.number if version else 0,
        environment=environment_out(script),
        timeout_s=script.timeout_s,
        memory_mb=script.memory_mb,
        cpu_s=script.cpu_s,
        processes=script.processes,
        created_at=script.created_at,
        updated_at=script.updated_at,
    )


def environment_out(script: Script) -> EnvironmentOut | None:
    """Return the environment the script's current version asks for, else the one it still uses."""
    environment = script.wanted_environment or script.environment
    if environment is None:
        return None
    return EnvironmentOut.model_construct(
        state=environment.state, python=environment.python, message=environment.message
    )


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
