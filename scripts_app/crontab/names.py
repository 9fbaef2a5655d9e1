"""Names for scripts that come from cron: of the program that counts, never `cd`, `sleep` or a line's number."""

import posixpath
import re
from collections.abc import Iterable, Sequence

from scripts_app.crontab.command_list import ListedCommand
from scripts_app.crontab.parser import printable

NAME_LENGTH = 100
MAX_TEXT = 1000  # characters of a command in which a name is looked for
FALLBACK = "Command of a crontab"
# File names that say nothing without their folder.
_GENERIC_WORDS = """
    __main__ app cron index init job main manage run script start task update worker
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
_INTERPRETER_WORDS = """
    bash dash java node nodejs perl php python python3 ruby sh Rscript zsh
"""
_INTERPRETERS = frozenset(_INTERPRETER_WORDS.split())
# Words that begin a command and say nothing of what it is for.
_SILENT_WORDS = """
    ! . : [ [[ cd command date do done echo else env exec exit export fi for if in mkdir nice nohup printf
    pushd read rm set sleep source sudo test then time timeout true umask until while { }
"""
_SILENT = frozenset(_SILENT_WORDS.split())
# A path is looked for where one begins: from each character of a long word it would take seconds.
_FILE = re.compile(r"(?<![\w./~-])[\w./~-]*?[\w-]\.(?:py|sh|pl|php|rb|js|jar)\b")
_WORD = re.compile(r"[^\s;&|(){}<>=\"'$`!*?\[\]]+")


def of_path(path: str) -> str:
    name, _ = posixpath.splitext(posixpath.basename(path.rstrip("/")))
    folder = posixpath.basename(posixpath.dirname(path))
    if name.lower() in _GENERIC and folder not in ("", ".", "..", "bin", "src", "scripts"):
        return f"{folder} {name}".replace("__main__", "").strip()
    return name


def of_words(words: Sequence[str]) -> str:
    """Return the name for a program; of an interpreter, for the file that it reads."""
    name = posixpath.basename(words[0].rstrip("/"))
    if name in _INTERPRETERS:
        for word in words[1:]:
            if _FILE.fullmatch(word) or word.startswith("/"):
                return of_path(word)
    return of_path(words[0]) or name


def of_commands(commands: Iterable[ListedCommand], text: str) -> str:
    """Return the name for a line that a shell reads: of the first file of code in it, or its first telling word."""
    text = text[:MAX_TEXT]
    file = _FILE.search(text)
    if file:
        return of_path(file[0])
    for command in commands:
        for word in command.words:
            if not word.startswith("-") and (match := _WORD.match(word)):
                name = posixpath.basename(match[0].rstrip("/"))
                if name not in _SILENT and not re.match(r"[0-9/.]*$", name):
                    return name
                if command.words[0] == "cd":
                    break
    for match in _WORD.finditer(text):
        name = posixpath.basename(match[0].rstrip("/"))
        if (
            name
            and name not in _SILENT
            and not name.startswith("-")
            and any(map(str.isalpha, name))
        ):
            return name
    return ""


def unique(wanted: str, taken: set[str]) -> str:
    base = printable(wanted, NAME_LENGTH).replace("\ufffd", "").strip()
    if not any(character.isalnum() for character in base):
        base = FALLBACK
    name = base
    count = 1
    while name.casefold() in taken:
        count += 1
        name = f"{base} ({count})"
    taken.add(name.casefold())
    return name
