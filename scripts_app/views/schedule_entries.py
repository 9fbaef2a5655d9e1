"""The schedules of a script as the Schedule tab lists them: words, next start and newest run of each."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from runs_app.models import Run
from scripts_app.forms.schedule_builder import MISSED, OVERLAP
from scripts_app.models import Schedule, Script
from scripts_app.schedules import outlook, preview
from scripts_app.schedules.preview import Preview
from scripts_app.timing.rule import TimingError
from tempo_site.lib import humanize


@dataclass(frozen=True, kw_only=True)
class ScheduleEntry:
    schedule: Schedule
    preview: Preview | None
    last_run: Run | None
    is_paused: bool
    skipped_at: datetime | None
    next_at: datetime | None
    stale_moments: int
    overlap: str
    missed: str
    retries: str

    @property
    def resume_label(self) -> str:
        return "Undo skip" if self.skipped_at else "Resume"


def entries_of(script: Script, *, now: datetime) -> list[ScheduleEntry]:
    of_schedule = Run.objects.filter(schedule=OuterRef("pk"), due_at__isnull=False)
    newest = of_schedule.order_by("-due_at").values("pk")[:1]
    rows = list(outlook.with_pause(script.schedules.all()))
    with_newest = script.schedules.annotate(newest_run=Subquery(newest))
    newest_runs = dict(with_newest.values_list("pk", "newest_run"))
    runs = Run.objects.in_bulk([pk for pk in newest_runs.values() if pk])
    return [entry(row, runs.get(newest_runs.get(row.pk)), now=now) for row in rows]


def entry(schedule: Schedule, last_run: Run | None, *, now: datetime) -> ScheduleEntry:
    shown = preview_if_readable(schedule, now=now)
    return ScheduleEntry(
        schedule=schedule,
        preview=shown,
        last_run=last_run,
        is_paused=schedule.is_paused(now),
        skipped_at=outlook.skipped_start(schedule, now),
        next_at=outlook.next_start(schedule, now),
        stale_moments=outlook.stale_moments(schedule, now) if shown else 0,
        overlap=overlap_words(schedule),
        missed=missed_words(schedule),
        retries=retry_words(schedule),
    )


def preview_if_readable(schedule: Schedule, *, now: datetime) -> Preview | None:
    try:
        return preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s)
    except TimingError:
        return None


def overlap_words(schedule: Schedule) -> str:
    words = dict(OVERLAP).get(schedule.overlap, schedule.overlap)
    if schedule.overlap == Schedule.Overlap.PARALLEL:
        return f"{words}, at most {schedule.max_parallel} at once"
    return words


def missed_words(schedule: Schedule) -> str:
    words = dict(MISSED).get(schedule.missed, schedule.missed)
    if schedule.missed == Schedule.Missed.ALL:
        return f"{words}, at most {schedule.missed_cap}"
    return words


def retry_words(schedule: Schedule) -> str:
    if not schedule.retries:
        return "Wait for the next start"
    ending = "ies" if schedule.retries > 1 else "y"
    tries = f"Up to {schedule.retries} further tr{ending}"
    wait = humanize.whole_span(schedule.retry_delay_s)
    if schedule.retry_backoff == Schedule.Backoff.FIXED or schedule.retries == 1:
        return f"{tries}, each {wait} after the end of the one before"
    max_wait = humanize.whole_span(schedule.retry_max_delay_s)
    return f"{tries}, the first after {wait}, then twice as long each time, at most {max_wait}"
