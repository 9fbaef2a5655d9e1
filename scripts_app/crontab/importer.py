"""Moving in from cron: what each line of a crontab would become, shown first, and made when it is wanted."""

import hashlib
import posixpath
import pwd
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import scripts, validation
from scripts_app.crontab import codegen, source_files
from scripts_app.crontab import shell as crontab_shell
from scripts_app.crontab.codegen import Given
from scripts_app.crontab.parser import Crontab, CrontabEntry, printable
from scripts_app.crontab.shell import Call, PythonFile, UnsupportedShellSyntax
from scripts_app.crontab.source_files import Read, UnreadableFile
from scripts_app.models import Schedule, Script
from scripts_app.packages import interpreters
from scripts_app.schedules import schedules
from scripts_app.timing import rule
from scripts_app.timing.rule import Timing, TimingError
from scripts_app.validation import ScriptError
from scripts_app.versions import versions

NAME_LENGTH = 100
SHELL = "/bin/sh"
_NOWHERE = ("/dev/null", "/dev/stdout", "/dev/stderr")
# they move the times; MAILTO is said once, in the guide
_LOST = frozenset({"RANDOM_DELAY", "START_HOURS_RANGE"})


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The script that one line would become, and its schedule; with a `problem` nothing can be made of it."""

    entry: CrontabEntry
    name: str = ""
    code: str = ""
    is_python: bool = False
    source: str = ""  # the file that was copied
    python_version: str = ""
    timing: Timing | None = None
    rhythm: str = ""
    next_at: datetime | None = None
    no_schedule: str = ""  # why it gets none
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def key(self) -> str:
        """Names this proposal in what a person agreed to: another code or time is another proposal."""
        timing: tuple[str, ...] = ()
        if self.timing:
            timing = (self.timing.kind, self.timing.cron, self.timing.timezone)
        said = repr((self.entry.text, self.code, self.python_version, timing))
        return f"{self.entry.number}-{hashlib.sha256(said.encode()).hexdigest()[:20]}"

    @property
    def what(self) -> str:
        if self.problem:
            return "nothing"
        if self.source:
            return "its code, copied"
        if self.is_python:
            return "a starter: the code is missing"
        return "not Python: a starter that calls it"


@dataclass(frozen=True, kw_only=True)
class _Made:
    name: str
    code: str
    is_python: bool = False
    source: str = ""
    python_version: str = ""
    notes: list[str] = field(default_factory=list)


def propose(table: Crontab, *, now: datetime, read: Read, home: str = "") -> list[Proposal]:
    """Return what each line would become; nothing is stored and nothing is run.

    `read` returns the code in a file or raises Unreadable; `home`: the folder of the crontab's owner, where known.
    """
    taken = {name.casefold() for name in Script.objects.present().values_list("name", flat=True)}
    return [_proposal(entry, taken, now=now, read=read, home=home) for entry in table.entries]


def make(proposal: Proposal, *, by: User | None, now: datetime) -> Script:
    """Create the script and its schedule, which is switched off: both or neither. Raises ScriptError, TimingError."""
    if proposal.problem:
        raise ScriptError(proposal.problem, field="code")
    # asks the Pythons here
    versions.check(code=proposal.code, requirements="", python_version=proposal.python_version)
    with transaction.atomic():
        script = scripts.create(
            name=proposal.name,
            code=proposal.code,
            python_version=proposal.python_version,
            description=f"Moved in from cron: {printable(proposal.entry.text, 500)}",
            by=by,
            now=now,
        )
        if when := proposal.timing:
            rhythm = {"kind": when.kind, "cron": when.cron, "timezone": when.timezone}
            schedules.save(Schedule(script=script, enabled=False, **rhythm), now=now)
    return script


def users() -> frozenset[str]:
    """Names that tell a user before a command: those of this machine that are no programs as well (`git pull`)."""
    return frozenset(
        {"root", *(row.pw_name for row in pwd.getpwall() if shutil.which(row.pw_name) is None)}
    )


def unread(_: str) -> str:
    """Reads nothing: for people who may not have the server's files read."""
    raise UnreadableFile("was not read: only staff may have Tempo read the server's files")


def _proposal(
    entry: CrontabEntry, taken: set[str], *, now: datetime, read: Read, home: str
) -> Proposal:
    if entry.problem:
        return Proposal(entry=entry, problem=entry.problem)
    made = _code(entry, read=read, home=entry.home or home)
    try:
        validation.text(made.code, field="code")
    except ScriptError as error:
        return Proposal(entry=entry, problem=str(error))
    when, no_schedule = _timing(entry)
    return Proposal(
        entry=entry,
        name=_unique(made.name, taken, entry.number),
        code=made.code,
        is_python=made.is_python,
        source=made.source,
        python_version=made.python_version,
        timing=when,
        rhythm=rule.describe(when) if when else "",
        next_at=rule.next_after(when, now) if when else None,
        no_schedule=no_schedule,
        notes=[*made.notes, *_notes_of(entry)],
    )


def _timing(entry: CrontabEntry) -> tuple[Timing | None, str]:
    zone = entry.zone or settings.TIME_ZONE
    if entry.is_at_startup:
        when = Timing(kind="startup", timezone=zone)
    else:
        when = Timing(kind="cron", cron=entry.when, timezone=zone)
    try:
        rule.check(when)
    except TimingError as error:
        return None, str(error)
    return when, ""


def _code(entry: CrontabEntry, *, read: Read, home: str) -> _Made:
    known = {"HOME": home} if home else {}
    try:
        call = crontab_shell.call(entry.command, {**known, **entry.variables})
    except UnsupportedShellSyntax as reason:
        return _in_shell(entry, home, f"a shell runs it, because {reason}")
    if file := crontab_shell.python_file(call.words):
        return _python(entry, call, file, read=read, home=home)
    kept = [each for each in call.redirections if not _is_for_a_log(each)]
    if kept:
        return _in_shell(entry, home, f"a shell runs it, because of `{kept[0]}`")
    is_relative = "/" in call.words[0] and not call.words[0].startswith("/")
    given = _given(
        entry, call, posixpath.join(home, call.folder) if call.folder or is_relative else ""
    )
    return _Made(
        name=posixpath.basename(call.words[0].rstrip("/")),
        code=codegen.program(call.words, given),
        notes=list(_dropped(call.redirections)),
    )


def _python(entry: CrontabEntry, call: Call, file: PythonFile, *, read: Read, home: str) -> _Made:
    folder = posixpath.join(home, call.folder)
    path = posixpath.join(folder, file.path)
    given = _given(entry, call, folder if call.folder else "")
    version, said = _version(file.version)
    notes = [
        *said,
        *(f"`{flag}` is left out" for flag in file.flags if flag != "-u"),
        *_dropped(call.redirections),
    ]
    name = posixpath.basename(file.path).removesuffix(source_files.SUFFIX)
    try:
        code, source = codegen.with_head(read(path), given, arguments=file.arguments), path
    except UnreadableFile as reason:
        code, source = (
            codegen.missing_file(path, given, reason=str(reason), arguments=file.arguments),
            "",
        )
        notes.insert(0, f"`{path}` {reason}")
    return _Made(
        name=name, code=code, is_python=True, source=source, python_version=version, notes=notes
    )


def _in_shell(entry: CrontabEntry, home: str, note: str) -> _Made:
    shell = entry.variables.get("SHELL", SHELL)
    found = re.search(
        r"[^\s;&|(){}<>=\"'$`!]+", re.sub(r"^(\s*cd\s[^;&|]*[;&]+)", "", entry.command)
    )
    given = Given(line=entry.text, variables=entry.given, stdin=entry.stdin)
    if home:
        said = [f"cron ran it in `{home}`; here it begins in a folder of its own"]
    else:
        said = []
    code = codegen.in_shell(entry.command, given, shell=shell if shell.startswith("/") else SHELL)
    return _Made(
        name=posixpath.basename(found[0].rstrip("/")) if found else "",
        code=code,
        notes=[note, *said],
    )


def _given(entry: CrontabEntry, call: Call, folder: str) -> Given:
    return Given(
        line=entry.text,
        variables={**entry.given, **call.variables},
        stdin=entry.stdin,
        folder=folder,
    )


def _version(wanted: str) -> tuple[str, list[str]]:
    if wanted.startswith("2"):
        return "", ["Python 2 ran it: it may need changes"]
    if "." not in wanted:
        return "", []
    try:
        interpreters.choose(wanted)
    except interpreters.InterpreterMissing:
        return "", [f"Python {wanted} is not on this machine: Tempo's own runs it"]
    return wanted, []


# Whether a program's redirection can be left out: what it prints is kept with the run.
def _is_for_a_log(redirection: str) -> bool:
    sign, _, target = redirection.partition(" ")
    return sign.endswith(">>") or "&" in sign or target in _NOWHERE


def _dropped(redirections: Sequence[str]) -> Iterator[str]:
    for each in redirections:
        sign, _, target = each.partition(" ")
        if sign.endswith("<") and target not in _NOWHERE:
            yield f"`{each}` is left out: it reads nothing"
        elif target and target not in _NOWHERE:
            yield f"`{each}` is left out: what it prints is kept with the run"


def _notes_of(entry: CrontabEntry) -> Iterator[str]:
    if entry.user:
        yield f"`{entry.user}` ran it; in Tempo each script has a user of its own, or Tempo's"
    for name in sorted(_LOST & entry.variables.keys()):
        yield f"`{name}` is left out"
    if entry.given:
        yield f"variables stand in its code: {', '.join(entry.given)}"


def _unique(wanted: str, taken: set[str], number: int) -> str:
    plain = printable(wanted, NAME_LENGTH).replace("\ufffd", "").strip()
    if any(character.isalnum() for character in plain):
        base = plain
    else:
        base = f"crontab line {number}"
    name, count = base, 1
    while name.casefold() in taken:
        count += 1
        name = f"{base} ({count})"
    taken.add(name.casefold())
    return name
