"""What a runner's `state.json` and `exit.json` say, as fields of Run: each value is checked, as a script may forge it.

A number out of range would break the UPDATE, a text with half a character too; either would keep the run from its end.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any

from runs_app.states import Isolation, Reason, Status

ENDS = frozenset({Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED})
REASONS = frozenset(
    {
        Reason.NONE,
        Reason.EXIT_CODE,
        Reason.SIGNAL,
        Reason.TIME,
        Reason.MEMORY,
        Reason.MEMORY_SYSTEM,
        Reason.CPU,
    }
    | {
        Reason.OUTPUT,
        Reason.DISK,
        Reason.PROCESSES,
        Reason.COULD_NOT_START,
        Reason.USER,
        Reason.SHUTDOWN,
    }
)
MESSAGE_LENGTH, WHY_LENGTH = 2000, 300
MAX_BYTES = 2**50  # so that thousands of them still have a sum
MAX_COUNT = 2**31 - 1
MAX_AMOUNT = 1e9
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]{1,13}")


def is_ours(verdict: dict[str, Any]) -> bool:
    """Whether status and reason are words of a runner."""
    return _word(verdict.get("status")) in ENDS and _word(verdict.get("reason")) in REASONS


def verdict_of(verdict: dict[str, Any]) -> tuple[Status, Reason]:
    """Status and reason of a verdict that is ours."""
    return Status(verdict["status"]), Reason(verdict["reason"])


def run_fields(verdict: dict[str, Any]) -> dict[str, Any]:
    """The fields of Run that a verdict fills beside status, reason and times; what is impossible is left empty."""
    return {
        "message": _text(verdict.get("message"), MESSAGE_LENGTH),
        "exit_code": _exit_code(verdict.get("exit_code")),
        "signal": _signal(verdict.get("signal")),
        "duration_s": _amount(verdict.get("duration_s")),
        "cpu_s": _amount(verdict.get("cpu_s")),
        "peak_memory_mb": _amount(verdict.get("peak_memory_mb")),
        "processes_max": _count(verdict.get("processes"), MAX_COUNT),
        "output_bytes": _count(verdict.get("output_bytes"), MAX_BYTES),
        "output_lines": _count(verdict.get("output_lines"), MAX_BYTES),
        "output_dropped": _count(verdict.get("output_dropped"), MAX_BYTES),
        "leftovers_killed": _count(verdict.get("leftovers_killed"), MAX_COUNT),
        **isolation(verdict),
    }


def isolation(record: dict[str, Any]) -> dict[str, Any]:
    """The fields that say how a run was kept apart; none when the record does not tell."""
    told = record.get("isolation")
    if not isinstance(told, dict):
        return {}
    grade = _word(told.get("grade"))
    return {
        "isolation": grade if grade in Isolation.values else Isolation.BASIC,
        "isolation_why": _text(told.get("why"), WHY_LENGTH),
        "isolation_degraded": told.get("degraded") is True,
    }


def moment(value: object) -> datetime | None:
    """A time in seconds since the epoch; None for what no run can have had."""
    seconds = _number(value)
    return (
        datetime.fromtimestamp(seconds, tz=UTC)
        if seconds is not None and 0 < seconds < LAST_MOMENT
        else None
    )


def log_size(size: int) -> int:
    """Bytes of a log, as the sum over all runs can bear them."""
    return min(size, MAX_BYTES)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _amount(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= MAX_AMOUNT else None


def _count(value: object, most: int) -> int:
    number = _number(value)
    return min(int(number), most) if number is not None and number >= 0 else 0


def _exit_code(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and abs(number) <= MAX_COUNT else None


def _signal(value: object) -> str:
    return value if isinstance(value, str) and _SIGNAL.fullmatch(value) else ""


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text(value: object, length: int) -> str:
    """A text as the database takes it: half of a surrogate pair is no character, and a NUL ends a text in C."""
    if not isinstance(value, str):
        return ""
    return value[:length].encode("utf-8", "replace").decode().replace("\0", "")
