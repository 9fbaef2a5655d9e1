"""Moving in from cron: a proposal for each line of a crontab, and the scripts that are made from proposals."""

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
from scripts_app.crontab.codegen import CommandContext
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
# Variables that move the times and are lost; the guide mentions MAILTO once.
_LOST_VARIABLES = {"RANDOM_DELAY", "START_HOURS_RANGE"}
_LEADING_CD = re.compile(r"^(\s*cd\s[^;&|]*[;&]+)")
_FIRST_WORD = re.compile(r"[^\s;&|(){}<>=\"'$`!]+")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The script for one line with its schedule; with a `problem` no script can be made."""

    entry: CrontabEntry
    name: str = ""
    code: str = ""
    is_python: bool = False
    source: str = ""  # the file that was copied
    python_version: str = ""
    timing: Timing | None = None
    rhythm: str = ""
    next_at: datetime | None = None
    no_schedule: str = ""  # why the script gets no schedule
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def key(self) -> str:
        """Return the name of the proposal that a person agrees to: another code or time makes another key."""
        timing: tuple[str, ...] = ()
        if self.timing:
            timing = (self.timing.kind, self.timing.cron, self.timing.timezone)
        content = repr((self.entry.text, self.code, self.python_version, timing))
        digest = hashlib.sha256(content.encode()).hexdigest()
        return f"{self.entry.number}-{digest[:20]}"

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
class _Draft:
    name: str
    code: str
    is_python: bool = False
    source: str = ""
    python_version: str = ""
    notes: list[str] = field(default_factory=list)


def propose(table: Crontab, *, now: datetime, read: Read, home: str = "") -> list[Proposal]:
    """Return a proposal for each line, without storing or running anything.

    `read` returns the code in a file or raises UnreadableFile; `home`: the folder of the crontab's owner, where known.
    """
    names = Script.objects.present().values_list("name", flat=True)
    taken = {name.casefold() for name in names}
    return [_proposal(entry, taken, now=now, read=read, home=home) for entry in table.entries]


def make(proposal: Proposal, *, by: User | None, now: datetime) -> Script:
    """Create the script and its schedule, switched off, in one transaction. Raise ScriptError, TimingError."""
    if proposal.problem:
        raise ScriptError(proposal.problem, field="code")
    # The Pythons are asked here, before the transaction.
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
        if proposal.timing:
            schedule = Schedule(script=script, enabled=False)
            schedule.kind = proposal.timing.kind
            schedule.cron = proposal.timing.cron
            schedule.timezone = proposal.timing.timezone
            schedules.save(schedule, now=now)
    return script


def users() -> frozenset[str]:
    """Return the users of this machine whose name is no program as well (`git pull` names no user)."""
    names = {"root"}
    for row in pwd.getpwall():
        if shutil.which(row.pw_name) is None:
            names.add(row.pw_name)
    return frozenset(names)


def refuse_to_read(_: str) -> str:
    raise UnreadableFile("was not read: only staff may have Tempo read the server's files")


def _proposal(
    entry: CrontabEntry, taken: set[str], *, now: datetime, read: Read, home: str
) -> Proposal:
    if entry.problem:
        return Proposal(entry=entry, problem=entry.problem)
    draft = _draft(entry, read=read, home=entry.home or home)
    try:
        validation.text(draft.code, field="code")
    except ScriptError as error:
        return Proposal(entry=entry, problem=str(error))
    timing, no_schedule = _timing(entry)
    return Proposal(
        entry=entry,
        name=_unique_name(draft.name, taken, entry.number),
        code=draft.code,
        is_python=draft.is_python,
        source=draft.source,
        python_version=draft.python_version,
        timing=timing,
        rhythm=rule.describe(timing) if timing else "",
        next_at=rule.next_after(timing, now) if timing else None,
        no_schedule=no_schedule,
        notes=[*draft.notes, *_entry_notes(entry)],
    )


def _timing(entry: CrontabEntry) -> tuple[Timing | None, str]:
    zone = entry.zone or settings.TIME_ZONE
    if entry.is_at_startup:
        timing = Timing(kind="startup", timezone=zone)
    else:
        timing = Timing(kind="cron", cron=entry.when, timezone=zone)
    try:
        rule.check(timing)
    except TimingError as error:
        return None, str(error)
    return timing, ""


def _draft(entry: CrontabEntry, *, read: Read, home: str) -> _Draft:
    variables = dict(entry.variables)
    if home:
        variables.setdefault("HOME", home)
    try:
        call = crontab_shell.call(entry.command, variables)
    except UnsupportedShellSyntax as reason:
        return _shell_draft(entry, home, f"a shell runs it, because {reason}")
    file = crontab_shell.python_file(call.words)
    if file:
        return _python_draft(entry, call, file, read=read, home=home)
    for redirection in call.redirections:
        if not _is_for_a_log(redirection):
            return _shell_draft(entry, home, f"a shell runs it, because of `{redirection}`")
    return _program_draft(entry, call, home)


def _python_draft(
    entry: CrontabEntry, call: Call, file: PythonFile, *, read: Read, home: str
) -> _Draft:
    folder = posixpath.join(home, call.folder)
    path = posixpath.join(folder, file.path)
    context = _context(entry, call, folder if call.folder else "")
    version, notes = _python_version(file.version)
    for flag in file.flags:
        if flag != "-u":
            notes.append(f"`{flag}` is left out")
    notes.extend(_redirection_notes(call.redirections))
    try:
        code = codegen.with_context(read(path), context, arguments=file.arguments)
        source = path
    except UnreadableFile as error:
        reason = str(error)
        code = codegen.missing_file(path, context, reason=reason, arguments=file.arguments)
        source = ""
        notes.insert(0, f"`{path}` {reason}")
    return _Draft(
        name=posixpath.basename(file.path).removesuffix(source_files.SUFFIX),
        code=code,
        is_python=True,
        source=source,
        python_version=version,
        notes=notes,
    )


def _program_draft(entry: CrontabEntry, call: Call, home: str) -> _Draft:
    program = call.words[0]
    folder = ""
    is_relative = "/" in program and not program.startswith("/")
    if call.folder or is_relative:
        folder = posixpath.join(home, call.folder)
    return _Draft(
        name=posixpath.basename(program.rstrip("/")),
        code=codegen.program(call.words, _context(entry, call, folder)),
        notes=list(_redirection_notes(call.redirections)),
    )


def _shell_draft(entry: CrontabEntry, home: str, note: str) -> _Draft:
    notes = [note]
    if home:
        notes.append(f"cron ran it in `{home}`; here it begins in a folder of its own")
    shell = entry.variables.get("SHELL", SHELL)
    if not shell.startswith("/"):
        shell = SHELL
    variables = entry.script_variables
    context = CommandContext(line=entry.text, variables=variables, stdin=entry.stdin)
    word = _FIRST_WORD.search(_LEADING_CD.sub("", entry.command))
    return _Draft(
        name=posixpath.basename(word[0].rstrip("/")) if word else "",
        code=codegen.in_shell(entry.command, context, shell=shell),
        notes=notes,
    )


def _context(entry: CrontabEntry, call: Call, folder: str) -> CommandContext:
    return CommandContext(
        line=entry.text,
        variables={**entry.script_variables, **call.variables},
        stdin=entry.stdin,
        folder=folder,
    )


def _python_version(requested: str) -> tuple[str, list[str]]:
    if requested.startswith("2"):
        return "", ["Python 2 ran it: it may need changes"]
    if "." not in requested:
        return "", []
    try:
        interpreters.choose(requested)
    except interpreters.InterpreterMissing:
        return "", [f"Python {requested} is not on this machine: Tempo's own runs it"]
    return requested, []


# Such a redirection of a program can be left out: the output is kept with the run.
def _is_for_a_log(redirection: str) -> bool:
    sign, _, target = redirection.partition(" ")
    return sign.endswith(">>") or "&" in sign or target in _NOWHERE


def _redirection_notes(redirections: Sequence[str]) -> Iterator[str]:
    for redirection in redirections:
        sign, _, target = redirection.partition(" ")
        if target in _NOWHERE:
            continue
        if sign.endswith("<"):
            yield f"`{redirection}` is left out: it reads nothing"
        elif target:
            yield f"`{redirection}` is left out: what it prints is kept with the run"


def _entry_notes(entry: CrontabEntry) -> Iterator[str]:
    if entry.user:
        yield f"`{entry.user}` ran it; in Tempo each script has a user of its own, or Tempo's"
    for name in sorted(_LOST_VARIABLES & entry.variables.keys()):
        yield f"`{name}` is left out"
    names = ", ".join(entry.script_variables)
    if names:
        yield f"variables stand in its code: {names}"


def _unique_name(wanted: str, taken: set[str], number: int) -> str:
    base = printable(wanted, NAME_LENGTH).replace("\ufffd", "").strip()
    if not any(character.isalnum() for character in base):
        base = f"crontab line {number}"
    name = base
    count = 1
    while name.casefold() in taken:
        count += 1
        name = f"{base} ({count})"
    taken.add(name.casefold())
    return name
