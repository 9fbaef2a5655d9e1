"""The launcher's log: one line per event on standard error, a fact and its `key=value` pairs."""

import contextlib
import os

INFO, WARNING, ERROR = "info", "warning", "error"


def say(level: str, fact: str) -> None:
    # A standard error that nobody reads is no reason to stop.
    with contextlib.suppress(OSError):
        os.write(2, f"launcher: {level}: {fact}\n".encode(errors="backslashreplace"))
