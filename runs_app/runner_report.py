"""The content of a runner's `state.json` and `exit.json` as fields of Run, each value checked.

A script may forge these files: a number out of range would break the UPDATE, a text with half a character too, and
either would keep the run from its end.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any

from runs_app.states import Isolation, Reason, Status

ENDS = frozenset(
    {
        Status.SUCCEEDED,
        Status.FAILED,
        Status.TIMED_OUT,
        Status.CANCELLED,
    }
)
REASONS = frozenset(
    {
        Reason.NONE,
        Reason.EXIT_CODE,
        Reason.SIGNAL,
        Reason.TIME,
        Reason.MEMORY,
        Reason.MEMORY_SYSTEM,
        Reason.CPU,
        Reason.OUTPUT,
        Reason.DISK,
        Reason.PROCESSES,
        Reason.COULD_NOT_START,
        Reason.USER,
        Reason.SHUTDOWN,
    }
)
GRADES = frozenset(Isolation.values)
MESSAGE_LENGTH, WHY_LENGTH = 2000, 300
MAX_BYTES = 2**50  # so that thousands of them still have a sum
MAX_COUNT = 2**31 - 1
MAX_AMOUNT = 1e9
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]{1,13}")


def is_ours(verdict: dict[str, Any]) -> bool:
    if _word(verdict.get("status")) not in ENDS:
        return False
    return _word(verdict.get("reason")) in REASONS


def verdict_of(verdict: dict[str, Any]) -> tuple[Status, Reason]:
    return Status(verdict["status"]), Reason(verdict["reason"])


def run_fields(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of Run beside status, reason and times; impossible values are left empty."""
    return {
        "message": message(verdict.get("message")),
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
        **isolation_fields(verdict),
    }


def isolation_fields(record: dict[str, Any]) -> dict[str, Any]:
    isolation = record.get("isolation")
    if not isinstance(isolation, dict):
        return {}
    grade = _word(isolation.get("grade"))
    if grade not in GRADES:
        grade = Isolation.BASIC
    return {
        "isolation": grade,
        "isolation_why": _text(isolation.get("why"), WHY_LENGTH),
        "isolation_degraded": isolation.get("degraded") is True,
    }


def moment(value: object) -> datetime | None:
    """Return a time in seconds since the epoch as a moment; None for times that no run can have had."""
    seconds = _number(value)
    if seconds is None or not 0 < seconds < LAST_MOMENT:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC)


def message(value: object) -> str:
    return _text(value, MESSAGE_LENGTH)


def log_size(size: int) -> int:
    return min(size, MAX_BYTES)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    return number


def _amount(value: object) -> float | None:
    number = _number(value)
    if number is None or not 0 <= number <= MAX_AMOUNT:
        return None
    return number


def _count(value: object, limit: int) -> int:
    number = _number(value)
    if number is None or number < 0:
        return 0
    return min(int(number), limit)


def _exit_code(value: object) -> int | None:
    number = _number(value)
    if number is None or abs(number) > MAX_COUNT:
        return None
    return int(number)


def _signal(value: object) -> str:
    if isinstance(value, str) and _SIGNAL.fullmatch(value):
        return value
    return ""


def _word(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return None


def _text(value: object, length: int) -> str:
    # As the database takes it: half of a surrogate pair is no character, and a NUL ends a text in C.
    if not isinstance(value, str):
        return ""
    encoded = value[:length].encode("utf-8", "replace")
    return encoded.decode().replace("\0", "")
