"""Numbers among the arguments of commands: whole, and within bounds that the refusal names."""

from argparse import ArgumentTypeError
from collections.abc import Callable

MOST_LINES = 1_000_000  # that a command is asked for at a time


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
