"""Reads a crontab: the lines that start a command, with times and variables. No command runs and no file opens."""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from scripts_app.crontab import dialects, timers

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 500
MAX_COMMENTED = 1000  # characters of a line; a longer comment is prose
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
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")
# Programs and words of the shell that a machine without them would take for users.
_PROGRAMS = """
    caffeinate chronic chrt command conda cronic cronitor doas eval exec gosu hatch ionice lckdo mamba pdm pipenv
    pipx run-one runitor runuser rye screen setlock setsid solo stdbuf su systemd-cat taskset tmux unbuffer uvx
    bash cd cp curl docker echo env export find flock git java mv mysqldump nice node nohup perl pg_dump php
    poetry python python2 python3 rclone restic rm rsync ruby run-parts sh sleep source ssh sudo tar test time
    timeout uv wget certbot borg make pip npm npx systemctl bundle logger mail true umask
    case for function if read select set shopt trap type ulimit unset until wait while
"""
_NO_USERS = frozenset(_PROGRAMS.split())
_SURE_PROGRAM = re.compile(
    r"(?:/[\w./-]*/s?bin/|/[\w./-]+\.(?:py|sh|pl|php|rb)\b|python[0-9.]* |cd |test |\[ |command -v |if |/usr/)"
)
_USER_HEADING = re.compile(r"^#.{0,200}\bdow\b.{0,80}\buser\b", re.MULTILINE | re.IGNORECASE)
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
    every_s: int | None = None  # of an interval
    at: str = ""  # of a single start, as ISO date and time
    own_zone: str = ""  # that the kind of line prescribes
    skips_overlap: bool = False
    readings: list[str] = field(default_factory=list)  # how its time was read where daemons differ
    problem: str = ""

    @property
    def is_at_startup(self) -> bool:
        return self.when.lower() == _REBOOT

    def takes_wait(self, wait_s: int) -> bool:
        """Return whether its schedule can begin so much later, so that no run has to wait: at a start, in seconds."""
        has_minutes = self.when.startswith("@") or len(self.when.split()) == 5
        return self.is_at_startup or (bool(self.when) and has_minutes and wait_s < 60)

    @property
    def zone(self) -> str:
        return self.own_zone or self.variables.get("CRON_TZ", "")

    @property
    def home(self) -> str:
        return self.variables.get("HOME", "")

    @property
    def mail_to(self) -> str:
        """Return the address of `MAILTO`; cron writes to the owner without it, which no address says."""
        return self.variables.get("MAILTO", "").strip()

    @property
    def script_variables(self) -> dict[str, str]:
        names = [name for name in self.variables if name not in NOT_FOR_SCRIPTS]
        return {name: self.variables[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class Crontab:
    """The entries of a text; `is_system`: the lines name a user before the command, as /etc/crontab does."""

    entries: list[CrontabEntry]
    is_system: bool = False
    commented: list[tuple[int, str]] = field(
        default_factory=list
    )  # lines that would start something without their `#`


def parse_crontab(
    text: str, *, users: Collection[str] = ("root",), is_system: bool | None = None
) -> Crontab:
    """Return the entries of a text, without comments and blank lines.

    `is_system` says whether a user stands before each command; None: every line tells so by a name of `users`, or by
    a name that is no program before what can only be one. Raise CrontabError: over 1 MB,
    over 500 lines that start a command, NULs, more variables than a script can carry.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise CrontabError("The crontab is larger than 1 MB.\nhint: is this the right file?")
    if "\0" in text:
        raise CrontabError(
            "The text contains a NUL character: it is no crontab.\nhint: is this the right file?"
        )
    # Half a surrogate pair is no character.
    text = text.encode(errors="replace").decode()
    if timers.is_timer(text):
        return Crontab(entries=list(_timer_entries(text)))
    entries = list(_entries(text))
    if is_system is None:
        is_system = _have_users(entries, users, text)
    entries = [_split_command(entry, is_system) for entry in entries]
    return Crontab(entries=entries, is_system=is_system, commented=list(_commented(text)))


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
    timed = dialects.read_time(plain)
    return CrontabEntry(
        number=number,
        text=plain,
        when=timed.when,
        every_s=timed.every_s,
        at=timed.at,
        own_zone=timed.zone,
        command=timed.rest,
        variables=variables,
        skips_overlap=timed.skips_overlap,
        readings=timed.notes,
        problem=timed.problem,
    )


def _timer_entries(text: str) -> Iterator[CrontabEntry]:
    for number, line, when, command in timers.lines(text):
        entry = CrontabEntry(number=number, text=line, command=command, variables={})
        try:
            cron, zone = timers.cron_of(when)
        except timers.UnreadableTimer as reason:
            yield replace(entry, problem=f"a timer of systemd: {reason}")
            continue
        if not command:
            problem = f"a timer of systemd, `{cron}` for cron: the service's `ExecStart=` is missing, paste it too"
            yield replace(entry, problem=problem)
            continue
        readings = ["it is read as a timer of systemd"]
        yield replace(entry, when=cron, own_zone=zone, readings=readings)


def _have_users(entries: Collection[CrontabEntry], users: Collection[str], text: str) -> bool:
    valid = [entry for entry in entries if not entry.problem]
    if not valid:
        return False
    if all(_has_user(entry, users) for entry in valid):
        return True
    has_heading = bool(_USER_HEADING.search(text))
    return all(_looks_like_user(entry, users, has_heading) for entry in valid)


def _has_user(entry: CrontabEntry, users: Collection[str]) -> bool:
    user, command = _split_user(entry.command)
    return user in users and bool(command)


# By form alone, for users that this machine does not have: a name that is no program, then what can only be a program.
def _looks_like_user(entry: CrontabEntry, users: Collection[str], has_heading: bool) -> bool:
    user, command = _split_user(entry.command)
    if user in users and command:
        return True
    if not _USER.fullmatch(user) or user in _NO_USERS or shutil.which(user) is not None:
        return False
    if has_heading:
        return bool(command)
    return bool(_SURE_PROGRAM.match(command))


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


def _commented(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        plain = line.strip(" \t").lstrip("# \t")
        if (
            not line.strip().startswith("#")
            or len(plain) > MAX_COMMENTED
            or plain[:1] not in "0123456789*@-"
        ):
            continue
        timed = dialects.read_time(plain)
        word = timed.rest.partition(" ")[0]
        if timed.problem or not timed.rest or word in ("user-name", "command", "user"):
            continue
        yield number, plain
