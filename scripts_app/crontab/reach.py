"""Names the paths of a command or a code that scripts will not reach here, before somebody wonders why a run fails."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from django.conf import settings

from scripts_app.crontab import conditions
from scripts_app.crontab.parser import printable
from scripts_app.files import open_paths

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
    return [
        f"scripts may not reach {_names(found)} where they are isolated: bring files into the script's folder, or "
        "have the staff open the folder in Settings, on the page Paths"
    ]


def of_conditions(texts: Iterable[str], *, folder: str = "") -> list[str]:
    """Return sentences about files that a condition may look for in vain: nothing would fail.

    `folder`: where the conditions work; "" for the script's own folder.
    """
    paths = dict.fromkeys(path for text in texts for path in conditions.paths_looked_at(text))
    closed = [path for path in paths if path.startswith("/") and not _is_open(path)]
    own = [path for path in paths if path.startswith("~")]
    if not folder:
        own += [path for path in paths if not path.startswith(("/", "~"))]
    found = []
    if closed:
        found.append(
            f"a condition looks at {_names(closed)}, which scripts may not reach where they are isolated: to "
            "it, the file may seem not to be there"
        )
    if own:
        found.append(f"a condition looks for {_names(own)}, from now on in the script's own folder")
    return found


def _names(paths: Iterable[str]) -> str:
    paths = list(paths)
    names = [f"`{printable(path, 80)}`" for path in paths[:MAX_TOLD]]
    if len(paths) > MAX_TOLD:
        names.append(f"{len(paths) - MAX_TOLD} more")
    return ", ".join(names)


def _paths(text: str) -> Iterator[str]:
    for match in _PATH.finditer(text[:MAX_TEXT]):
        path = match[0]
        if len(PurePosixPath(path).parts) > 2 and not _is_open(path):
            yield path


def _is_open(path: str) -> bool:
    opened = open_paths.open_to(None)
    given = (*settings.EXTRA_READ_PATHS, *settings.EXTRA_WRITE_PATHS)
    places = (*_OPEN, *map(str, given), *opened.read, *opened.write)
    return path == "/" or any(PurePosixPath(path).is_relative_to(place) for place in places)


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
