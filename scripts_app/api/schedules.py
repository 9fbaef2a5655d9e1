"""REST operations on schedules; each finds a row, calls a verb and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from runs_app.models import Run
from runs_app.scheduler import schedule_history
from scripts_app import lookup
from scripts_app.api.common import Moment, router
from scripts_app.models import Schedule, Script
from scripts_app.schedules import outlook, preview, schedules
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tempo_site.accounts import rate_limits
from tempo_site.lib import origins
from tempo_site.web.api_types import (
    MAX_NUMBER,
    WHOLE,
    Cursor,
    Limit,
    Number,
    cursor_after,
    number_of,
    without_defaults,
)

REPEATED = frozenset({"cron", "interval"})  # the kinds that have bounds and jitter


class RhythmIn(BaseModel):
    """When: `cron` with a five- or six-field expression, `interval` with `every_s`, `once` with `at`, or `startup`.

    A repeated rhythm has the bounds `start_at` and `end_at` (the grid of an interval begins at the start), and each
    moment is put off by up to `jitter_s` seconds, always by the same.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cron", "interval", "once", "startup"]
    cron: str = ""
    every_s: Annotated[int, Field(strict=True, ge=1, le=MAX_NUMBER), WHOLE] | None = None
    at: Moment | None = None
    timezone: str = Field(
        default_factory=lambda: settings.TIME_ZONE,
        description="IANA name; the server's if left out.",
    )
    start_at: Moment | None = None
    end_at: Moment | None = None
    jitter_s: Number = Field(default=0, description="0-3600.")


class ScheduleIn(RhythmIn):
    """A new schedule. `max_parallel` counts with overlap `parallel`, `missed_cap` with missed `all`,
    `retry_max_delay_s` with backoff `doubling`, `delay_s` with kind `startup`.
    """

    enabled: StrictBool = True
    overlap: Literal["skip", "queue_one", "parallel", "replace"] = "skip"
    max_parallel: Number = Field(default=3, description="2-20.")
    missed: Literal["once", "skip", "all"] = "once"
    missed_cap: Number = Field(default=10, description="1-100.")
    delay_s: Number = Field(default=0, description="Seconds after the start of Tempo, 0-86400.")
    paused_until: Moment | None = Field(default=None, description="Null ends a pause.")
    retries: Number = Field(default=0, description="Further tries after a failure, 0-10.")
    retry_delay_s: Number = Field(
        default=60, description="Seconds before the first of them, 1-86400."
    )
    retry_backoff: Literal["fixed", "doubling"] = "fixed"
    retry_max_delay_s: Number = Field(default=3600, description="The longest wait, 1-86400.")
    params: dict[str, Any] = Field(
        default={}, description="Inputs of its runs; what is left out is as declared."
    )


class SchedulePatch(ScheduleIn):
    """Changes to a schedule; fields that are left out do not change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    kind: Literal["cron", "interval", "once", "startup"] = "cron"


class PreviewIn(RhythmIn):
    """A rhythm to try out; `start` is the moment to look from (default: now), `script` the slug of the script with the
    schedule: the slug decides how far jitter puts a moment off.
    """

    start: Moment | None = None
    count: Annotated[int, Field(strict=True, ge=1, le=100), WHOLE] = 5
    script: str = Field(default="", max_length=80)


class ScheduleOut(BaseModel):
    """A schedule; `next_at` is the next moment that starts a run, behind a pause as well. `next_at` is null when no
    moment is to come, and while all schedules are paused until further notice. By `stale_since` three moments had
    passed without a success.
    """

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
    start_at: datetime | None
    end_at: datetime | None
    delay_s: int
    paused_at: datetime | None
    paused_until: datetime | None
    max_parallel: int
    missed_cap: int
    retries: int
    retry_delay_s: int
    retry_backoff: str
    retry_max_delay_s: int
    last_success_at: datetime | None
    stale_since: datetime | None
    message: str
    params: dict[str, Any]


class LedgerItem(BaseModel):
    """The outcome of a due moment: a run, or the row that says why there was no run; `missed_count` moments more since
    `missed_since` are in the same row. A further try (`attempt` from 2 on) has no due moment.
    """

    due_at: datetime | None
    status: str
    reason: str
    message: str
    run: int
    late_ms: int | None
    missed_count: int
    missed_since: datetime | None
    attempt: int


class LedgerPage(BaseModel):
    """Due moments, newest first."""

    items: list[LedgerItem]
    next_cursor: str | None


class SchedulePage(BaseModel):
    """Schedules, oldest first."""

    items: list[ScheduleOut]
    next_cursor: str | None


class MomentOut(BaseModel):
    """A due moment: in UTC, on the wall clock of the time zone, and from the start of the preview."""

    utc: datetime
    local: str
    relative: str


class PreviewOut(BaseModel):
    """The meaning of a rhythm."""

    description: str
    next: list[MomentOut]
    warnings: list[str]


@router.get("/scripts/{slug:slug}/schedules", response=SchedulePage, tags=["schedules"])
def list_schedules(request: HttpRequest, slug: str, limit: Limit, cursor: int = 0) -> SchedulePage:
    """List a script's schedules."""
    now = timezone.now()
    script = lookup.script(slug)
    found = outlook.with_pause(script.schedules.filter(pk__gt=cursor))
    rows = list(found.order_by("pk")[: limit + 1])
    return SchedulePage.model_construct(
        items=[schedule_out(schedule, now=now) for schedule in rows[:limit]],
        next_cursor=cursor_after(rows, limit),
    )


@router.post("/scripts/{slug:slug}/schedules", response={201: ScheduleOut}, tags=["schedules"])
def create_schedule(
    request: HttpRequest, response: HttpResponse, slug: str, data: ScheduleIn
) -> Status[ScheduleOut]:
    """Give a script a schedule."""
    now = timezone.now()
    schedule = Schedule(script=lookup.script(slug), **data.model_dump())
    schedules.save(schedule, now=now)
    response.headers["Location"] = origins.with_base(f"/api/v1/schedules/{schedule.pk}")
    return Status(201, schedule_out(schedule, now=now))


@router.post("/schedules/preview", response=PreviewOut, tags=["schedules"])
def preview_schedule(request: HttpRequest, data: PreviewIn) -> PreviewOut:
    """Show the due moments that a schedule would have, without storing a schedule."""
    rate_limits.require(rate_limits.PREVIEW, rate_limits.address_of(request))
    start = data.start or timezone.now()
    script = script_named(data.script) if data.script else None
    rhythm = rhythm_of(data, start, script)
    rule.check(rhythm)
    dues = rule.upcoming(rhythm, start, data.count)
    moments = preview.moments(rhythm, dues, now=start)
    notes = preview.notes(rhythm, dues, now=start)
    crowd = preview.crowd(rhythm, dues, script_id=script.pk if script else None)
    return PreviewOut(
        description=rule.describe(rhythm),
        next=[moment_out(moment) for moment in moments],
        warnings=[*notes, *crowd],
    )


def script_named(slug: str) -> Script:
    script = Script.objects.present().filter(slug=slug).first()
    if script is None:
        raise TimingError("script", f"There is no script `{slug}`")
    return script


def rhythm_of(data: PreviewIn, start: datetime, script: Script | None) -> rule.Timing:
    """Return the timing of a schedule that is saved at `start`: bounds and jitter are for repeated rhythms."""
    left_out = {"start", "count", "script"}
    if data.kind not in REPEATED:
        left_out |= {"start_at", "end_at", "jitter_s"}
    fields = data.model_dump(exclude=left_out)
    seed = script.slug if script else ""
    return rule.Timing(anchor=data.start_at or start, seed=seed, **fields)


@router.get("/schedules/{int:schedule_id}", response=ScheduleOut, tags=["schedules"])
def read_schedule(request: HttpRequest, schedule_id: int) -> ScheduleOut:
    """Show a schedule."""
    return schedule_out(lookup.schedule(schedule_id), now=timezone.now())


@router.patch("/schedules/{int:schedule_id}", response=ScheduleOut, tags=["schedules"])
def change_schedule(request: HttpRequest, schedule_id: int, data: SchedulePatch) -> ScheduleOut:
    """Change a schedule."""
    now = timezone.now()
    schedule = lookup.schedule(schedule_id)
    for name, value in data.model_dump(exclude_unset=True).items():
        setattr(schedule, name, value)
    return schedule_out(schedules.save(schedule, now=now), now=now)


@router.post("/schedules/{int:schedule_id}/skip-next", response=ScheduleOut, tags=["schedules"])
def skip_next(request: HttpRequest, schedule_id: int) -> ScheduleOut:
    """Let the next start of a schedule pass: the schedule is paused over it, and it is recorded as skipped."""
    now = timezone.now()
    return schedule_out(outlook.skip_next(lookup.schedule(schedule_id), now=now), now=now)


@router.delete("/schedules/{int:schedule_id}", response={204: None}, tags=["schedules"])
def delete_schedule(request: HttpRequest, schedule_id: int) -> Status[None]:
    """Delete a schedule; the runs of the schedule stay in the history."""
    schedules.delete(lookup.schedule(schedule_id))
    return Status(204, None)


@router.get("/schedules/{int:schedule_id}/ledger", response=LedgerPage, tags=["schedules"])
def read_ledger(request: HttpRequest, schedule_id: int, limit: Limit, cursor: Cursor) -> LedgerPage:
    """List the outcomes of a schedule's due moments, newest first: runs with further tries, skipped and missed."""
    schedule = lookup.schedule(schedule_id)
    before = number_of(cursor)
    rows = schedule_history.history_page(schedule, before=before, limit=limit + 1)
    return LedgerPage.model_construct(
        items=[ledger_item(run) for run in rows[:limit]],
        next_cursor=cursor_after(rows, limit),
    )


def schedule_out(schedule: Schedule, *, now: datetime) -> ScheduleOut:
    fields: dict[str, Any] = {
        "id": schedule.pk,
        "script": schedule.script.slug,
        "next_at": outlook.next_start(schedule, now),
    }
    for name in ScheduleOut.model_fields.keys() - fields.keys():
        fields[name] = getattr(schedule, name)  # the model's columns bear the same names
    return ScheduleOut.model_construct(**fields)


def ledger_item(run: Run) -> LedgerItem:
    return LedgerItem.model_construct(
        due_at=run.due_at,
        status=run.status,
        reason=run.reason,
        message=run.explain(),
        run=run.pk,
        late_ms=run.late_ms,
        missed_count=run.missed_count,
        missed_since=run.missed_since,
        attempt=run.attempt,
    )


def moment_out(moment: preview.PreviewMoment) -> MomentOut:
    return MomentOut(utc=moment.utc, local=moment.local.isoformat(), relative=moment.relative)
