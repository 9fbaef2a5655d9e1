"""What a check refuses: tests say of what is taken that it is "", and of what is not the sentence."""

from collections.abc import Callable


def refusal(check: Callable[[], object], error: type[Exception]) -> str:
    """Return the sentence of a check that raises `error`; "" where it lets pass."""
    try:
        check()
    except error as refused:
        return str(refused) or error.__name__
    return ""
