"""The statements that each run needs, written as SQL: the ORM takes ten to twenty times as long to build them.

They are SQLite's, as the database is. A test compares tables and columns with the models; all else asks the ORM.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection

from runs_app import states
from runs_app.models import Run
from tempo_site.lib.sqlite.prepared import PreparedInsert, ask, stored_by, stored_values

_NEXT_PK = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'runs_app_run'"
_QUEUE = f"""
SELECT
  ({_NEXT_PK}),
  EXISTS (SELECT 1 FROM runs_app_run WHERE status = 'queued' AND kind = 'script'),
  EXISTS (SELECT 1 FROM scripts_app_pause WHERE until IS NULL OR until > %s),
  (
    SELECT json_group_array(json_array(id, script_id, memory_mb, handed_over_at))
    FROM runs_app_run
    WHERE status IN ('starting', 'running') AND kind = 'script'
  )
"""
_PEAKS = """
SELECT
  json_extract(wanted.value, '$[0]'),
  (
    SELECT MAX(peak_memory_mb)
    FROM (
      SELECT peak_memory_mb
      FROM runs_app_run
      WHERE script_id = json_extract(wanted.value, '$[0]') AND id < json_extract(wanted.value, '$[1]')
      ORDER BY id DESC
      LIMIT %s
    )
  )
FROM json_each(%s) AS wanted
"""

_SCRIPT_FACTS = """
SELECT
  script.deleted_at IS NOT NULL,
  script.version_id,
  script.environment_id,
  environment.state,
  script.wanted_environment_id,
  wanted.state,
  script.one_at_a_time
FROM scripts_app_script AS script
LEFT JOIN scripts_app_environment AS environment ON environment.id = script.environment_id
LEFT JOIN scripts_app_environment AS wanted ON wanted.id = script.wanted_environment_id
WHERE script.id = %s
"""

# Of each due moment: whether it has its row, and who is active beside it. Two ways into the table, each by its index.
_BESIDE = """
SELECT id, status, script_id, schedule_id, due_at, not_before
FROM runs_app_run
WHERE status IN ('queued', 'starting', 'running')
  AND script_id IN (SELECT value FROM json_each(%s))
UNION
SELECT id, status, script_id, schedule_id, due_at, not_before
FROM runs_app_run
WHERE schedule_id IN (SELECT value FROM json_each(%s))
  AND due_at IN (SELECT value FROM json_each(%s))
ORDER BY id DESC
"""
_NEXT_MOMENT = """
SELECT
  EXISTS (SELECT 1 FROM scripts_app_pause WHERE until IS NULL OR until > %s),
  (SELECT until FROM scripts_app_pause ORDER BY id LIMIT 1),
  (
    SELECT MIN(next_run)
    FROM django_q_schedule
    WHERE cluster = %s
      AND id NOT IN (
        SELECT alarm_id FROM scripts_app_schedule WHERE paused_until > %s AND alarm_id IS NOT NULL
      )
  ),
  (
    SELECT MIN(run.not_before)
    FROM runs_app_run AS run
    LEFT JOIN scripts_app_schedule AS schedule ON schedule.id = run.schedule_id
    WHERE run.status = 'queued' AND run.not_before > %s
      AND (schedule.paused_until IS NULL OR schedule.paused_until <= %s)
  )
"""

_ACTIVE = """
SELECT kind, status, COUNT(*)
FROM runs_app_run
WHERE status IN ('queued', 'starting', 'running')
GROUP BY kind, status
"""

_WHAT_WAITS = """
SELECT
  EXISTS (SELECT 1 FROM scripts_app_environment WHERE state IN ('wanted', 'building')),
  EXISTS (SELECT 1 FROM runs_app_run WHERE status = 'queued')
"""

_MARK_ARCHIVED = (
    "UPDATE runs_app_run SET archived_at = %s WHERE id IN (SELECT value FROM json_each(%s))"
)
_MOVE_ALARMS = (
    "UPDATE django_q_schedule SET next_run = %s WHERE id IN (SELECT value FROM json_each(%s))"
)
_NOTE_SUCCESS = (
    "UPDATE scripts_app_schedule SET last_success_at = %s, stale_since = NULL WHERE id = %s"
)

_FIELDS = {
    field.name: (f"{field.column} = %s", stored_by(field)) for field in Run._meta.concrete_fields
}
_INSERT = PreparedInsert(Run, has_key=True)


def next_pk() -> int:
    """Return the id of a new run. For transactions: it is free as long as the caller's lasts."""
    found = ask(_NEXT_PK).fetchone()
    return int(found[0]) if found else 1


def insert_runs(runs: Sequence[Run]) -> None:
    """Store new rows that have their ids already, in this order."""
    _INSERT.store(runs)


def update_run(pk: int, *, among: Collection[str], **fields: Any) -> bool:
    """Store fields of a row whose status is one of `among`; False when it has another one by now."""
    assignments, stores = zip(*map(_FIELDS.__getitem__, fields), strict=True)
    values = stored_values(stores, fields.values())
    where = f"id = %s AND status IN ({', '.join(['%s'] * len(among))})"
    update = f"UPDATE runs_app_run SET {', '.join(assignments)} WHERE {where}"
    return bool(ask(update, (*values, pk, *among)).rowcount)


def mark_archived(pks: Iterable[int], *, now: datetime) -> None:
    ask(_MARK_ARCHIVED, (_stored(now), json.dumps(list(pks))))


def move_alarms(pks: Iterable[int], *, next_run: datetime) -> None:
    ask(_MOVE_ALARMS, (_stored(next_run), json.dumps(list(pks))))


def note_success(schedule: int, *, at: datetime) -> None:
    ask(_NOTE_SUCCESS, (_stored(at), schedule))


class RunUnderWay(NamedTuple):
    pk: int
    script_id: int | None
    memory_mb: int
    handed_over_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class QueueState:
    next_pk: int  # of a new run, as long as the caller's transaction lasts
    is_anyone_queued: bool  # of scripts' runs
    is_paused: bool  # every schedule
    under_way: list[RunUnderWay]  # of scripts, in order


def queue_state(*, now: datetime) -> QueueState:
    """Return what decides whether a new run may begin at once. For transactions: those hold the write lock."""
    pk, is_anyone_queued, is_paused, under_way = ask(_QUEUE, (_stored(now),)).fetchone()
    return QueueState(
        next_pk=pk or 1,
        is_anyone_queued=bool(is_anyone_queued),
        is_paused=bool(is_paused),
        under_way=[
            RunUnderWay(pk, script_id, memory_mb, _moment(handed_over_at))
            for pk, script_id, memory_mb, handed_over_at in sorted(json.loads(under_way))
        ],
    )


def _stored(moment: datetime) -> str:
    return str(connection.ops.adapt_datetimefield_value(moment))


def _moment(value: datetime | str | None) -> datetime | None:
    # sqlite3 makes moments of plain columns; what a function returns, as MIN, stays the text that is stored.
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class RunBeside:
    pk: int
    status: str
    script_id: int
    schedule_id: int | None
    due_at: datetime | None
    not_before: datetime | None

    @property
    def is_active(self) -> bool:
        return self.status in states.ACTIVE


def runs_beside(
    *,
    scripts: Iterable[int],
    schedules: Iterable[int],
    due: Iterable[datetime],
) -> list[RunBeside]:
    """Return the active runs of scripts and the runs that schedules already have for due moments, newest first."""
    moments = [_stored(moment) for moment in due]
    values = (json.dumps(list(scripts)), json.dumps(list(schedules)), json.dumps(moments))
    return [_run_beside(*fields) for fields in ask(_BESIDE, values).fetchall()]


def _run_beside(
    pk: int,
    status: str,
    script_id: int,
    schedule_id: int | None,
    due_at: datetime | None,
    not_before: datetime | None,
) -> RunBeside:
    return RunBeside(
        pk=pk,
        status=status,
        script_id=script_id,
        schedule_id=schedule_id,
        due_at=_moment(due_at),
        not_before=_moment(not_before),
    )


def next_moment(*, alarms: str, now: datetime) -> datetime | None:
    """Return the earliest alarm of a cluster, or of a try that waits; while all is paused, the end of that pause."""
    stored = _stored(now)
    found = ask(_NEXT_MOMENT, (stored, alarms, stored, stored, stored)).fetchone()
    is_paused, until, alarm, next_try = found
    if is_paused:
        return _moment(until)
    moments = [_moment(text) for text in (alarm, next_try) if text is not None]
    return min(filter(None, moments), default=None)


class WhatWaits(NamedTuple):
    has_environments: bool  # that are wanted and not built yet
    has_runs: bool  # in the queue, of every kind


def active_counts() -> list[tuple[str, str, int]]:
    """Return how many runs of each kind are queued, starting and running."""
    found: list[tuple[str, str, int]] = ask(_ACTIVE).fetchall()
    return found


def what_waits() -> WhatWaits:
    """Return whether there may be anything to do behind the end of a run."""
    environments, runs = ask(_WHAT_WAITS).fetchone()
    return WhatWaits(has_environments=bool(environments), has_runs=bool(runs))


def script_facts(pk: int) -> tuple[Any, ...] | None:
    """Return what decides whether its runs may begin: deleted, version, both environments, one run at a time."""
    found: tuple[Any, ...] | None = ask(_SCRIPT_FACTS, (pk,)).fetchone()
    return found


def peaks_mb(first_runs: Mapping[int, int], *, last: int) -> dict[int, float]:
    """Return the largest peak among the `last` runs of each script before one run, by the ids of scripts."""
    found = ask(_PEAKS, (last, json.dumps(list(first_runs.items())))).fetchall()
    return {script_id: peak for script_id, peak in found if peak}
