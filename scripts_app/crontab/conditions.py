"""Conditions before a command, such as `[ -f /srv/flag ] &&`: the files they look at, and what a run says of one."""

import re
from collections.abc import Iterator

from scripts_app.crontab.parser import printable

_MAX_TEXT = 20_000  # characters
_WORD = r"\"[^\"`(]+\"|'[^']+'|[^\s;&|<>()'\"`]+"
_TEST = re.compile(
    rf"(?:(?<!\S)\[\[?|\btest)\s+(?:!\s+)?-[bcdefghkLprsSuwxNOG]\s+(?P<path>{_WORD})"
    rf"|\bmountpoint\s+(?:-q\s+)?(?P<mount>{_WORD})"
)
_HOME = re.compile(r"(?:~|\$HOME|\$\{HOME\})(?=/|$)")


def words_looked_at(text: str) -> Iterator[str]:
    """Yield the files that conditions in a shell's text look at, as they are written there."""
    for match in _TEST.finditer(text[:_MAX_TEXT]):
        yield match["path"] or match["mount"]


def paths_looked_at(text: str) -> Iterator[str]:
    """Yield the same files as paths, `~/` for the home folder, without names that a variable makes up."""
    for word in words_looked_at(text):
        path = _HOME.sub("~", word.strip("\"'"))
        if "$" not in path:
            yield path


def negated(condition: str) -> str:
    if condition.startswith("!"):  # a second `!` is an error
        return condition.removeprefix("!").lstrip()
    return f"! {condition}"


def is_test(condition: str) -> bool:
    """Return whether a condition ends with 1 if it does not hold, and with more if it is wrong itself."""
    return condition.startswith(("[", "test "))


def sentence(condition: str) -> str:
    """Return what a run says when a condition does not hold."""
    return f"Nothing to do: `{printable(condition, 200)}` does not hold"


def look(condition: str) -> str:
    """Return a shell's command that shows whether the files of a condition are there; "" without files."""
    words = list(words_looked_at(condition))
    if not words:
        return ""
    return f"ls -ld -- {' '.join(words)}"
