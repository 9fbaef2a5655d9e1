"""Reads a crontab: which lines start something, when, and with which variables. Nothing here runs or opens anything."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 500
MAX_VARIABLES_BYTES = 10_000  # every script that comes of it gets a copy of them

# What cron means for itself, and what a run has its own of: the scripts get none of these.
NOT_FOR_SCRIPTS = frozenset(
    {
        "SHELL",
        "HOME",
        "LOGNAME",
        "USER",
        "MAILTO",
        "MAILFROM",
        "CONTENT_TYPE",
        "CONTENT_TRANSFER_ENCODING",
    }
    | {"CRON_TZ", "RANDOM_DELAY", "START_HOURS_RANGE", "BASH_ENV", "CRON_WITHIN"}
)
_VARIABLE = re.compile(
    r"""\s*(["']?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)\1\s*=\s*(?P<value>.*)""", re.DOTALL
)
_BEGINNING = re.compile(r"[0-9*@~-]")
_FIELDS = 5
_REBOOT = "@reboot"
_PERCENT = re.compile(r"(?<!\\)%")


class CrontabError(ValueError):
    """Why a text cannot be read as a crontab at all; str() is the user's sentence."""


@dataclass(frozen=True, kw_only=True)
class CrontabEntry:
    """One line that starts something, as cron reads it; with a `problem`, one that cron would not take either."""

    number: int  # of the line, from 1
    text: str  # the whole line as written
    when: str = ""  # five fields or an alias
    command: str = ""  # for the shell
    stdin: str | None = None  # what stood behind the first `%`
    variables: Mapping[str, str]  # set above it, all of them
    user: str = ""  # of the system form
    problem: str = ""

    @property
    def is_at_startup(self) -> bool:
        return self.when.lower() == _REBOOT

    @property
    def zone(self) -> str:
        return self.variables.get("CRON_TZ", "")

    @property
    def home(self) -> str:
        return self.variables.get("HOME", "")

    @property
    def given(self) -> dict[str, str]:
        return {
            name: value for name, value in self.variables.items() if name not in NOT_FOR_SCRIPTS
        }


@dataclass(frozen=True, kw_only=True)
class Crontab:
    """What a text says; `is_system`: its lines name a user before the command, as /etc/crontab does."""

    entries: list[CrontabEntry]
    is_system: bool = False


def parse_crontab(
    text: str, *, users: Collection[str] = ("root",), is_system: bool = False
) -> Crontab:
    """Return what the text says; comments and blank lines are nothing.

    `users`: names by which the form with a user is known when every line bears one. Raises CrontabError: over 1 MB,
    over 500 lines that start something, NULs, more variables than a script can carry.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise CrontabError("The crontab is larger than 1 MB.\nhint: is this the right file?")
    if "\0" in text:
        raise CrontabError(
            "The text contains a NUL character: it is no crontab.\nhint: is this the right file?"
        )
    # half a surrogate pair is no character
    entries = list(_entries(text.encode(errors="replace").decode()))
    whole = [entry for entry in entries if not entry.problem]
    is_system = is_system or (bool(whole) and all(_has_user(entry, users) for entry in whole))
    return Crontab(entries=[_finished(entry, is_system) for entry in entries], is_system=is_system)


def printable(text: str, most: int = 200) -> str:
    """Return a text as one harmless line of at most `most` characters, for terminals, comments and names."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(
        character if character.isprintable() else "\ufffd" for character in cut.replace("\t", " ")
    )


def _entries(text: str) -> Iterator[CrontabEntry]:
    variables: Mapping[str, str] = {}
    count = 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        plain = line.strip(" \t")
        if not plain or plain.startswith("#"):
            continue
        if match := _VARIABLE.fullmatch(line):
            variables = _with(variables, match["name"], match["value"])
            continue
        count += 1
        if count > MAX_ENTRIES:
            raise CrontabError(
                f"More than {MAX_ENTRIES} lines start something.\nhint: bring them in parts"
            )
        yield _entry(number, plain, variables)


# The variables with one more; each entry keeps those that stood above it.
def _with(variables: Mapping[str, str], name: str, value: str) -> Mapping[str, str]:
    added = {**variables, name: _unquoted(value.strip(" \t"))}
    if sum(len(each) + len(text) for each, text in added.items()) > MAX_VARIABLES_BYTES:
        raise CrontabError(
            f"The variables have more than {MAX_VARIABLES_BYTES:,} characters: scripts cannot carry them"
        )
    return added


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    if is_quoted:
        return value[1:-1]
    return value


# A line with its time apart from the rest; whether that begins with a user is seen when all are
# there.
def _entry(number: int, plain: str, variables: Mapping[str, str]) -> CrontabEntry:
    count = 1 if plain.startswith("@") else _FIELDS
    parts = re.split("[ \t]+", plain, maxsplit=count)
    entry = CrontabEntry(number=number, text=plain, variables=variables)
    if not _BEGINNING.match(plain):
        return replace(entry, problem="no line of a crontab: it begins with no time")
    if len(parts) <= count:
        return replace(entry, problem="no line of a crontab: it has no command behind its time")
    return replace(entry, when=" ".join(parts[:count]), command=parts[count])


def _has_user(entry: CrontabEntry, users: Collection[str]) -> bool:
    user, *command = re.split("[ \t]+", entry.command, maxsplit=1)
    return user in users and bool(command)


def _finished(entry: CrontabEntry, is_system: bool) -> CrontabEntry:
    if entry.problem:
        return entry
    user, command = "", entry.command
    if is_system:
        user, *rest = re.split("[ \t]+", command, maxsplit=1)
        command = rest[0] if rest else ""
        if not command:
            return replace(
                entry, problem="no line of a system crontab: it has no command behind its user"
            )
    command, stdin = _split_percent(command)
    return replace(entry, user=user, command=command, stdin=stdin)


# Return the command and its input: the first `%` ends the command, further ones are new lines; `\%`
# is a `%`.
def _split_percent(text: str) -> tuple[str, str | None]:
    command, *lines = (piece.replace("\\%", "%") for piece in _PERCENT.split(text))
    return command.strip(" \t"), "\n".join(lines) + "\n" if lines else None
