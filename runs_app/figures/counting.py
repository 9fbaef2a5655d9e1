"""Counts ended runs into the daily figures: in batches, each run once, never on the way of a run.

The row of `CountedRuns` says how far that has come. It moves in the transaction that writes the figures, so a crash
leaves both as they were, and an old history is counted like a new one.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, tzinfo

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from runs_app import states
from runs_app.figures.tally import COLUMNS, Hour, Tally, tally_of_run
from runs_app.models import CountedRuns, DailyFigures, Run, RunQuerySet

BATCH = 100  # runs of a transaction, which may be of as many scripts and days
MAX_BATCHES = 20  # of one turn of the engine's thread
COUNTED_COLUMNS = (
    "pk",
    "kind",
    "script_id",
    "status",
    "finished_at",
    "duration_s",
    "cpu_s",
    "peak_memory_mb",
    "late_ms",
    "log_bytes",
)

_CHANGE_KEPT = """
UPDATE runs_app_dailyfigures
SET kept_runs = kept_runs + %s, kept_bytes = kept_bytes + %s
WHERE script_id IS %s AND day = %s
"""

Key = tuple[int | None, date]  # a script, or all scripts together, and a day in the server's zone


def count_some(*, now: datetime) -> bool:
    """Count the runs that ended since the last turn, as far as one turn goes; return whether there may be more."""
    return all(count_batch() for _ in range(MAX_BATCHES))


def count_all() -> None:
    while count_batch():
        pass


def count_batch() -> bool:
    """Count the next runs; return whether there may be more."""
    mark = CountedRuns.objects.first() or CountedRuns.objects.get_or_create(pk=1)[0]
    newer = list(_columns(Run.objects.filter(pk__gt=mark.last)).order_by("pk")[:BATCH])
    waited_for = _columns(Run.objects.filter(pk__in=mark.open))
    ended = [run for run in waited_for if run.is_final]
    # An id that is gone belonged to a run without an end: there is nothing to count.
    still_open = [run.pk for run in waited_for if not run.is_final]
    if not newer and len(still_open) == len(mark.open):
        return False
    ended += [run for run in newer if run.is_final]
    still_open += [run.pk for run in newer if not run.is_final]
    last = newer[-1].pk if newer else mark.last
    return _store(mark, tallies_of(ended), last=last, still_open=still_open) and len(newer) == BATCH


def not_counted(rows: RunQuerySet, *, limit: int) -> list[Run]:
    """Return those of the runs `rows` that ended and are not in the figures yet, the oldest first."""
    mark = CountedRuns.objects.first() or CountedRuns(last=0, open=[])
    # NOT IN, so that the database walks the runs behind the mark and no index by status.
    ended = _columns(rows).exclude(status__in=states.ACTIVE).order_by("pk")
    # Two queries: with OR between them the database reads all runs of a script.
    waited_for = list(ended.filter(pk__in=mark.open))
    return waited_for + list(ended.filter(pk__gt=mark.last)[:limit])


def tallies_of(ended: Iterable[Run]) -> dict[Key, Tally]:
    """Add up runs of scripts by script and day, and by day alone."""
    zone = timezone.get_current_timezone()
    tallies: dict[Key, Tally] = {}
    for run in ended:
        if not _is_counted(run) or run.finished_at is None:
            continue
        tally = tally_of_run(run, zone)
        day = day_of(run.finished_at, zone)
        for key in ((run.script_id, day), (None, day)):
            tallies.setdefault(key, Tally()).add(tally)
    return tallies


def forget(removed: Iterable[Run]) -> None:
    """Take runs that retention removes out of what is kept; all else that they added up to stays."""
    _change_kept((run, -1, -run.log_bytes) for run in removed)


def kept_bytes() -> int:
    """Return the bytes of all logs of scripts that are in the history."""
    counted = DailyFigures.objects.filter(script=None).aggregate(total=Sum("kept_bytes", default=0))
    fresh = not_counted(Run.objects.scripts(), limit=MAX_BATCHES * BATCH)
    return int(counted["total"]) + sum(run.log_bytes for run in fresh)


def note_compressed(smaller: Iterable[tuple[Run, int]]) -> None:
    """Take into account that the logs of these runs take so many bytes less."""
    _change_kept((run, 0, -saved_bytes) for run, saved_bytes in smaller)


def _change_kept(changes: Iterable[tuple[Run, int, int]]) -> None:
    # By SQL: in the transaction of a hundred deleted runs, which may be of two hundred days.
    zone = timezone.get_current_timezone()
    changed: list[tuple[int, int, int | None, str]] = []
    for run, runs, size in changes:
        if not _is_counted(run) or run.finished_at is None:
            continue
        day = day_of(run.finished_at, zone).isoformat()
        changed += [(runs, size, run.script_id, day), (runs, size, None, day)]
    with connection.cursor() as cursor:
        cursor.executemany(_CHANGE_KEPT, changed)


def day_of(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()


def tally_of_row(row: DailyFigures) -> Tally:
    values = {name: getattr(row, name) for name in COLUMNS}
    values["hours"] = {int(hour): Hour(**counts) for hour, counts in row.hours.items()}
    return Tally(**values)


def _is_counted(run: Run) -> bool:
    return run.script_id is not None and not run.is_build


def _columns(rows: RunQuerySet) -> RunQuerySet:
    return rows.only(*COUNTED_COLUMNS)


def _store(
    mark: CountedRuns, tallies: dict[Key, Tally], *, last: int, still_open: list[int]
) -> bool:
    """Write the figures; return False where somebody else counted these runs meanwhile."""
    with transaction.atomic():
        mine = CountedRuns.objects.filter(pk=mark.pk, turn=mark.turn)
        if not mine.update(turn=mark.turn + 1, last=last, open=still_open):
            return False
        _add(tallies)
    return True


def _add(tallies: dict[Key, Tally]) -> None:
    if not tallies:
        return
    days = {day for _, day in tallies}
    rows = {(row.script_id, row.day): row for row in _rows(tallies, days)}
    written = []
    for (script_id, day), tally in tallies.items():
        row = rows.get((script_id, day)) or DailyFigures(script_id=script_id, day=day)
        before = tally_of_row(row)
        before.add(tally)
        for name, value in asdict(before).items():
            setattr(row, name, value)
        written.append(row)
    DailyFigures.objects.bulk_create(
        written, update_conflicts=True, unique_fields=["id"], update_fields=COLUMNS
    )


def _rows(tallies: dict[Key, Tally], days: set[date]) -> list[DailyFigures]:
    scripts = {script_id for script_id, _ in tallies if script_id is not None}
    of_scripts = DailyFigures.objects.filter(day__in=days, script__in=scripts)
    return [*of_scripts, *DailyFigures.objects.filter(day__in=days, script=None)]
