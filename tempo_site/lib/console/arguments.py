"""The types of what commands take: each refuses with a sentence, and the command ends with 2 as for other misuse."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import MAXYEAR, MINYEAR, datetime

from django.utils import timezone

MAX_LINES = 1_000_000  # that a command is asked for at a time
MISUSED = 2  # the exit code where arguments do not go together; argparse has the same


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the `type` of an argument that is a whole number of these bounds."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"`{text[:40]}` is no whole number") from None
        if not least <= number <= most:
            raise ArgumentTypeError(f"it is a number from {least} to {most}, not {text[:40]}")
        return number

    return read


def moment(text: str) -> datetime:
    """Read a moment, or a day as its beginning; without an offset in the server's time zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = datetime.min
    if not MINYEAR < when.year < MAXYEAR:  # in another zone it might be no date any more
        raise ArgumentTypeError(f"`{text[:40]}` is no time; write it like `2026-12-01T06:00`")
    return when if timezone.is_aware(when) else timezone.make_aware(when)
