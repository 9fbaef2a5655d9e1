"""The states of a run, the sets of states and the legal moves; the notes on a run, and its reason in words."""

from typing import Protocol

from django.db import models

from tempo_site.lib import humanize

LATE_MS = 5000  # a later start is a fact worth telling


class Status(models.TextChoices):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    MISSED = "missed"


class Reason(models.TextChoices):
    NONE = "", "-"
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIME = "time"
    MEMORY = "memory"
    MEMORY_SYSTEM = "memory_system", "The machine's memory"
    CPU = "cpu", "CPU"
    OUTPUT = "output"
    PROCESSES = "processes"
    COULD_NOT_START = "could_not_start"
    ENVIRONMENT = "environment"
    USER = "user"
    SHUTDOWN = "shutdown"
    RESTART = "restart"
    OVERLAP = "overlap"
    DISABLED = "disabled"
    DISK = "disk"
    QUEUE = "queue", "Queue full"
    SERVICE_DOWN = "service_down"
    PAUSED = "paused"
    SUPERSEDED = "superseded"
    SYNTAX = "syntax", "Syntax error"
    INPUTS = "inputs"
    DELETED = "deleted", "Script deleted"
    NOT_WANTED = "not_wanted", "Not wanted any more"
    CLOCK = "clock", "Clock or time zone changed"


class Kind(models.TextChoices):
    # Each has a module in runs_app/programs.
    SCRIPT = "script"
    BUILD = "build"
    INSTALL = "install"
    BACKUP = "backup"


class Isolation(models.TextChoices):
    """How well a run was kept apart from Tempo and other scripts; empty for builds and runs that never began."""

    NONE = "", "-"
    STRONG = "strong"
    GOOD = "good"
    BASIC = "basic"


class Trigger(models.TextChoices):
    MANUAL = "manual"
    API = "api", "API"
    URL = "url", "URL"
    COMMAND = "command"
    ADMIN = "admin"
    SCHEDULE = "schedule"
    STARTUP = "startup"
    RETRY = "retry"
    BUILD = "build"


WAITING = frozenset({Status.QUEUED})
UNDER_WAY = frozenset({Status.STARTING, Status.RUNNING})
ACTIVE = WAITING | UNDER_WAY
FINAL = frozenset(Status) - ACTIVE
USUAL = sorted(ACTIVE | {Status.SUCCEEDED})  # of runs on their way, and of most that have ended

_ENDS_OF_BEGUN = FINAL - {Status.SKIPPED, Status.MISSED}
_MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset(
        {
            Status.STARTING,
            Status.CANCELLED,
            Status.SKIPPED,
            Status.FAILED,
        }
    ),
    Status.STARTING: frozenset({Status.RUNNING}) | _ENDS_OF_BEGUN,
    Status.RUNNING: _ENDS_OF_BEGUN,
}


def may_move(source: str, target: str) -> bool:
    return target in _MOVES.get(Status(source), frozenset())


def sources_of(target: str) -> list[str]:
    """Return the statuses from which `target` can be reached, for a conditional UPDATE to filter on."""
    return [source for source in _MOVES if may_move(source, target)]


class Columns(Protocol):
    """What notes and words come from: a row of the model, or the plain values of a list."""

    @property
    def message(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def signal(self) -> str: ...
    @property
    def cancelled_by(self) -> str: ...
    @property
    def timeout_s(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def output_dropped(self) -> int: ...
    @property
    def leftovers_killed(self) -> int: ...
    @property
    def isolation_degraded(self) -> bool: ...
    @property
    def late_ms(self) -> int | None: ...
    @property
    def overran(self) -> bool: ...


def is_late(run: Columns) -> bool:
    return run.late_ms is not None and run.late_ms > LATE_MS


def flags(run: Columns) -> list[str]:
    notes = {
        "output_truncated": run.output_dropped,
        "leftovers_killed": run.leftovers_killed,
        "isolation_degraded": run.isolation_degraded,
        "late": is_late(run),
        "overran": run.overran,
    }
    return [name for name, is_true in notes.items() if is_true]


def explain(run: Columns) -> str:
    """Return why the run has its status, in a sentence; "" where there is nothing to say."""
    if run.message:
        return run.message
    match run.reason:
        case Reason.NONE:
            return ""
        case Reason.EXIT_CODE:
            return f"Exit code {run.exit_code}."
        case Reason.SIGNAL:
            return f"Ended by signal {run.signal}."
        case Reason.USER:
            if run.cancelled_by:
                return f"Cancelled by {run.cancelled_by}."
            return "Cancelled."
        case Reason.SHUTDOWN:
            return "Cancelled: Tempo was shut down."
        case Reason.OVERLAP:
            return "The run before it was still going."
    return _explain_limit(run)


def _explain_limit(run: Columns) -> str:
    match run.reason:
        case Reason.TIME:
            return f"Stopped after {humanize.span(run.timeout_s)}: its time limit."
        case Reason.MEMORY:
            return f"Stopped: it used more memory than its limit, {run.memory_mb} MB."
        case Reason.MEMORY_SYSTEM:
            return "Killed by the system, which had no memory left for it."
        case Reason.CPU:
            return "Stopped: it used more CPU time than its limit."
        case Reason.OUTPUT:
            return "Stopped: it wrote more output than any run may."
        case Reason.PROCESSES:
            return "Stopped: it had more processes than its limit."
        case Reason.DISK:
            return "Stopped: the disk of the data folder was nearly full."
    return ""
