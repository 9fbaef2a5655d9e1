"""The fingerprint of a failure: equal for the same error at the same code, wherever the code has moved to."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from runs_app.failures.traceback_reader import StackFrame

MAX_FRAMES = 10  # the innermost
LENGTH = 16  # characters
_SPACE = re.compile(r"\s+")
# What differs from run to run in a sentence: numbers, ids, what stands in quotes, paths.
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|(?:/[\w.-]+)+|0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+")


def of_error(types: Iterable[str], frames: Sequence[StackFrame]) -> str:
    """Return the fingerprint of an error by its types and the script's own frames; line numbers do not count."""
    parts = [*types]
    seen = set[str]()
    for frame in frames:
        place = f"{frame.file}\n{frame.function}\n{_SPACE.sub(' ', frame.code).strip()}"
        if place not in seen:  # a recursion is one place, however deep it went
            seen.add(place)
            parts.append(place)
    types_count = len(parts) - len(seen)
    return _digest([*parts[:types_count], *parts[types_count:][-MAX_FRAMES:]])


def of_sentence(kind: str, sentence: str) -> str:
    """Return the fingerprint of a failure that is known by a sentence alone; numbers and names do not count."""
    return _digest([kind, _VARYING.sub("?", sentence)])


def _digest(parts: Iterable[str]) -> str:
    text = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.sha256(text).hexdigest()[:LENGTH]
