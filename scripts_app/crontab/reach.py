"""Names the paths of a command or a code that scripts will not reach here, before somebody wonders why a run fails."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from django.conf import settings

from scripts_app.crontab.parser import printable

MAX_TOLD = 5
MAX_TEXT = 20_000  # characters
_OPEN = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/dev", "/proc", "/sys")
_PATH = re.compile(r"(?<![\w.:/~$}-])/(?:[\w.+@-]+/)*[\w.+@-]+/?")

_WHOLE_PATH = re.compile(r"/(?:[\w.+@-]+/)+[\w.+@-]*")


def notes(texts: Iterable[str], *, code: str = "") -> list[str]:
    """Return a sentence about the absolute paths in these texts, and in the texts of a code, that are out of reach."""
    found = dict.fromkeys(path for text in (*texts, *_texts_of(code)) for path in _paths(text))
    if not found:
        return []
    names = [f"`{printable(path, 80)}`" for path in list(found)[:MAX_TOLD]]
    if len(found) > MAX_TOLD:
        names.append(f"{len(found) - MAX_TOLD} more")
    return [
        f"scripts may not reach {', '.join(names)} where they are isolated: bring files into the script's folder, or "
        "have an admin name the folder in PYSCHED_EXTRA_READ_PATHS or PYSCHED_EXTRA_WRITE_PATHS"
    ]


def _paths(text: str) -> Iterator[str]:
    for match in _PATH.finditer(text[:MAX_TEXT]):
        path = match[0]
        opened = (
            *_OPEN,
            *map(str, settings.EXTRA_READ_PATHS),
            *map(str, settings.EXTRA_WRITE_PATHS),
        )
        if len(PurePosixPath(path).parts) > 2 and not _is_below(path, opened):
            yield path


def _is_below(path: str, places: Iterable[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(place) for place in places)


# Whole texts only: part of an address or a pattern is no path.
def _texts_of(code: str) -> Iterator[str]:
    if not code:
        return
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _WHOLE_PATH.fullmatch(text[:300]):
            yield text
