"""Runs as a list in JSON shows them: plain values. As rows of the model, with what they refer to, they take four times
as long to make.
"""

from datetime import datetime
from typing import Any, NamedTuple

from runs_app import states
from runs_app.models import RunQuerySet


class RunRow(NamedTuple):
    """The columns of a run, and of its script and its version, that a list in JSON shows."""

    pk: int
    script__slug: str | None
    version__number: int | None
    kind: str
    status: str
    reason: str
    message: str
    exit_code: int | None
    signal: str
    cancelled_by: str
    trigger: str
    schedule_id: int | None
    due_at: datetime | None
    late_ms: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    overran: bool
    timeout_s: int
    cpu_s: float | None
    memory_mb: int
    peak_memory_mb: float | None
    output_bytes: int
    output_lines: int
    output_dropped: int
    processes_max: int
    leftovers_killed: int
    isolation: str
    isolation_why: str
    isolation_degraded: bool
    parent_id: int | None
    attempt: int
    not_before: datetime | None
    params: dict[str, Any]
    explanation: dict[str, Any] | None

    @property
    def flags(self) -> list[str]:
        return states.flags(self)

    def explain(self) -> str:
        return states.explain(self)


def rows(runs: RunQuerySet) -> list[RunRow]:
    return [RunRow._make(values) for values in runs.values_list(*RunRow._fields)]
