"""Reads a crontab: the lines that start a command, with times and variables. No command runs and no file opens."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 500
MAX_VARIABLES_BYTES = 10_000  # every script from the crontab gets a copy

# Variables for cron itself, or that a run has its own of: the scripts do not get them.
NOT_FOR_SCRIPTS = frozenset(
    {
        "BASH_ENV",
        "CONTENT_TRANSFER_ENCODING",
        "CONTENT_TYPE",
        "CRON_TZ",
        "CRON_WITHIN",
        "HOME",
        "LOGNAME",
        "MAILFROM",
        "MAILTO",
        "RANDOM_DELAY",
        "SHELL",
        "START_HOURS_RANGE",
        "USER",
    }
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
    """A line that starts a command, as cron reads the line; with a `problem`, cron would refuse the line too."""

    number: int  # of the line, from 1
    text: str  # the whole line as written
    when: str = ""  # five fields or an alias
    command: str = ""  # for the shell
    stdin: str | None = None  # what stood behind the first `%`
    variables: Mapping[str, str]  # all that are set above the line
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
    def script_variables(self) -> dict[str, str]:
        names = [name for name in self.variables if name not in NOT_FOR_SCRIPTS]
        return {name: self.variables[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class Crontab:
    """The entries of a text; `is_system`: the lines name a user before the command, as /etc/crontab does."""

    entries: list[CrontabEntry]
    is_system: bool = False


def parse_crontab(
    text: str, *, users: Collection[str] = ("root",), is_system: bool = False
) -> Crontab:
    """Return the entries of a text, without comments and blank lines.

    `users`: names that tell the form with a user when every line bears such a name. Raise CrontabError: over 1 MB,
    over 500 lines that start a command, NULs, more variables than a script can carry.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise CrontabError("The crontab is larger than 1 MB.\nhint: is this the right file?")
    if "\0" in text:
        raise CrontabError(
            "The text contains a NUL character: it is no crontab.\nhint: is this the right file?"
        )
    # Half a surrogate pair is no character.
    entries = list(_entries(text.encode(errors="replace").decode()))
    if not is_system:
        is_system = _have_users(entries, users)
    entries = [_split_command(entry, is_system) for entry in entries]
    return Crontab(entries=entries, is_system=is_system)


def printable(text: str, limit: int = 200) -> str:
    """Return a text as one harmless line of at most `limit` characters, for terminals, comments and names."""
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    characters = []
    for character in text.replace("\t", " "):
        characters.append(character if character.isprintable() else "\ufffd")
    return "".join(characters)


def _entries(text: str) -> Iterator[CrontabEntry]:
    variables: Mapping[str, str] = {}
    count = 0
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        plain = line.strip(" \t")
        if not plain or plain.startswith("#"):
            continue
        match = _VARIABLE.fullmatch(line)
        if match:
            variables = _with_variable(variables, match["name"], match["value"])
            continue
        count += 1
        if count > MAX_ENTRIES:
            raise CrontabError(
                f"More than {MAX_ENTRIES} lines start something.\nhint: bring them in parts"
            )
        yield _entry(number, plain, variables)


# A new mapping: each entry keeps the variables that stood above it.
def _with_variable(variables: Mapping[str, str], name: str, value: str) -> Mapping[str, str]:
    added = {**variables, name: _unquoted(value.strip(" \t"))}
    size = len("".join(added.keys())) + len("".join(added.values()))
    if size > MAX_VARIABLES_BYTES:
        raise CrontabError(
            f"The variables have more than {MAX_VARIABLES_BYTES:,} characters: scripts cannot carry them"
        )
    return added


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    if is_quoted:
        return value[1:-1]
    return value


# A line with its time apart from the rest; whether the rest begins with a user depends on all lines.
def _entry(number: int, plain: str, variables: Mapping[str, str]) -> CrontabEntry:
    count = 1 if plain.startswith("@") else _FIELDS
    parts = re.split("[ \t]+", plain, maxsplit=count)
    entry = CrontabEntry(number=number, text=plain, variables=variables)
    if not _BEGINNING.match(plain):
        return replace(entry, problem="no line of a crontab: it begins with no time")
    if len(parts) <= count:
        return replace(entry, problem="no line of a crontab: it has no command behind its time")
    return replace(entry, when=" ".join(parts[:count]), command=parts[count])


def _have_users(entries: Collection[CrontabEntry], users: Collection[str]) -> bool:
    valid = [entry for entry in entries if not entry.problem]
    if not valid:
        return False
    return all(_has_user(entry, users) for entry in valid)


def _has_user(entry: CrontabEntry, users: Collection[str]) -> bool:
    user, command = _split_user(entry.command)
    return user in users and bool(command)


def _split_user(text: str) -> tuple[str, str]:
    user, *rest = re.split("[ \t]+", text, maxsplit=1)
    return user, "".join(rest)


def _split_command(entry: CrontabEntry, is_system: bool) -> CrontabEntry:
    if entry.problem:
        return entry
    user = ""
    command = entry.command
    if is_system:
        user, command = _split_user(command)
        if not command:
            problem = "no line of a system crontab: it has no command behind its user"
            return replace(entry, problem=problem)
    command, stdin = _split_percent(command)
    return replace(entry, user=user, command=command, stdin=stdin)


# The command and its input: the first `%` ends the command, further ones are new lines; `\%` is a `%`.
def _split_percent(text: str) -> tuple[str, str | None]:
    pieces = [piece.replace("\\%", "%") for piece in _PERCENT.split(text)]
    command = pieces[0].strip(" \t")
    if len(pieces) == 1:
        return command, None
    return command, "\n".join(pieces[1:]) + "\n"
