"""The statements that each run needs, written as SQL: the ORM takes ten to twenty times as long to build them.

They are SQLite's, as the database is. A test compares tables and columns with the models; all else asks the ORM.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from runs_app.models import Run

_QUEUE = """
SELECT
  (SELECT seq FROM sqlite_sequence WHERE name = 'runs_app_run'),
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
  wanted.state
FROM scripts_app_script AS script
LEFT JOIN scripts_app_environment AS environment ON environment.id = script.environment_id
LEFT JOIN scripts_app_environment AS wanted ON wanted.id = script.wanted_environment_id
WHERE script.id = %s
"""


@dataclass(frozen=True, kw_only=True)
class QueueState:
    next_pk: int  # of a new run, as long as the caller's transaction lasts
    is_anyone_queued: bool  # of scripts' runs
    is_paused: bool  # every schedule
    under_way: list[Run]  # of scripts, in order


def queue_state(*, now: datetime) -> QueueState:
    """Return what decides whether a new run may begin at once. For transactions: those hold the write lock."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, (_stored(now),))
        last_pk, is_anyone_queued, is_paused, under_way = cursor.fetchone()
    return QueueState(
        next_pk=(last_pk or 0) + 1,
        is_anyone_queued=bool(is_anyone_queued),
        is_paused=bool(is_paused),
        under_way=[_run_under_way(*fields) for fields in sorted(json.loads(under_way))],
    )


def _run_under_way(pk: int, script_id: int, memory_mb: int, handed_over_at: str | None) -> Run:
    return Run(
        pk=pk,
        script_id=script_id,
        memory_mb=memory_mb,
        handed_over_at=_moment(handed_over_at),
    )


def _stored(moment: datetime) -> str:
    return str(connection.ops.adapt_datetimefield_value(moment))


def _moment(stored: str | None) -> datetime | None:
    if stored is None:
        return None
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def script_facts(pk: int) -> tuple[Any, ...] | None:
    """Return whether a script was deleted, its version, and the ids and states of both its environments."""
    with connection.cursor() as cursor:
        cursor.execute(_SCRIPT_FACTS, (pk,))
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def peaks_mb(first_runs: Mapping[int, int], *, last: int) -> dict[int, float]:
    """Return the largest peak among the `last` runs of each script before one run, by the ids of scripts."""
    with connection.cursor() as cursor:
        cursor.execute(_PEAKS, (last, json.dumps(list(first_runs.items()))))
        return {script_id: peak for script_id, peak in cursor.fetchall() if peak}
