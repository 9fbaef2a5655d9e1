"""The states of a run, the sets of states and the legal moves."""

from django.db import models


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
    API = "api"
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
