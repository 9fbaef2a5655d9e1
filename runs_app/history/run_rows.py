"""Runs as a list in JSON shows them: plain values."""

from typing import Any, NamedTuple

from runs_app import states
from runs_app.models import Run, RunQuerySet
from tempo_site.lib.sqlite.plain_rows import PlainRows


class RunRow(NamedTuple):
    """The columns of a run, of its script and its version that a list in JSON shows; moments as the API has them."""

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
    due_at: str | None
    late_ms: int | None
    created_at: str
    started_at: str | None
    finished_at: str | None
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
    not_before: str | None
    params: dict[str, Any]
    explanation: dict[str, Any] | None

    @property
    def flags(self) -> list[str]:
        return states.flags(self)

    def explain(self) -> str:
        return states.explain(self)


_ROWS = PlainRows(Run, RunRow)


def rows(runs: RunQuerySet) -> list[RunRow]:
    """Return the rows of runs, newest first."""
    return _ROWS.rows(runs, order_by="-id")
